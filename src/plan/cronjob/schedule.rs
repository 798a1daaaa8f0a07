//! When it runs: as people say it, as Kubernetes takes it, and at which instants that is.

use chrono::DateTime;
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{
    Timestamp, civil,
    tz::{TimeZone, TimeZoneDatabase},
};

use crate::api::cronjob::{CronjobSpec, Frequency};

/// A schedule that can be read, in a time zone that is known.
pub struct Schedule {
    /// Five fields, as Kubernetes takes them.
    pub cron: String,
    /// Name of the time zone.
    pub zone: String,
    pattern: Cron,
    clock: TimeZone,
}

/// Why a schedule cannot be kept, and what to do about it.
pub enum Unreadable {
    /// The cron expression.
    Schedule(String),
    /// The time zone.
    Zone(String),
}

/// The time zone where none is given.
const UTC: &str = "Etc/UTC";

/// The five fields: name, least, most, and the names that some numbers have.
const FIELDS: [(&str, u8, u8, &[&str]); 5] = [
    ("minute", 0, 59, &[]),
    ("hour", 0, 23, &[]),
    ("day of the month", 1, 31, &[]),
    (
        "month",
        1,
        12,
        &[
            "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
        ],
    ),
    (
        "day of the week",
        0,
        6,
        &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    ),
];

impl Schedule {
    /// The schedule that a Cronjob declares.
    pub fn of(spec: &CronjobSpec) -> Result<Self, Unreadable> {
        Self::read(&cron(spec), spec.time_zone.as_deref())
    }

    /// The schedule that an expression, or a word for one, stands for in a time zone.
    pub fn read(said: &str, name: Option<&str>) -> Result<Self, Unreadable> {
        let cron = match said {
            "Hourly" => "0 * * * *",
            "Daily" => "0 3 * * *",
            "Weekly" => "0 3 * * 0",
            "Monthly" => "0 3 1 * *",
            cron => cron,
        };
        let cron = cron.to_owned();
        let plain = plain(&cron)?;
        let pattern = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build()
            .parse(&plain)
            .map_err(|error| Unreadable::Schedule(format!("schedule '{cron}': {error}")))?;
        if !comes(&pattern) {
            let fix = "it names a day that never comes: choose one that its months have";
            return Err(Unreadable::Schedule(format!("schedule '{cron}': {fix}")));
        }
        let name = name.unwrap_or(UTC);
        let clock = zone(name)?;
        Ok(Self {
            cron,
            zone: name.to_owned(),
            pattern,
            clock,
        })
    }

    /// The clock on the wall that it goes by.
    pub fn clock(&self) -> TimeZone {
        self.clock.clone()
    }

    /// The first instant after this one at which it runs. Of an hour that a clock shows twice, the first one counts.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let mut local = self.local(after)?;
        // What falls into the hour that a clock skips is not run, as Kubernetes has it.
        for _ in 0..100 {
            local = self.pattern.find_next_occurrence(&local, false).ok()?;
            let instant = self.instant(local)?;
            if let Some(instant) = instant.filter(|instant| *instant > after) {
                return Some(instant);
            }
        }
        None
    }

    /// The last instant before or at this one at which it should have run.
    pub fn previous(&self, before: Timestamp) -> Option<Timestamp> {
        let mut local = self.local(before)? + chrono::Duration::seconds(1);
        for _ in 0..100 {
            local = self.pattern.find_previous_occurrence(&local, false).ok()?;
            let instant = self.instant(local)?;
            if let Some(instant) = instant.filter(|instant| *instant <= before) {
                return Some(instant);
            }
        }
        None
    }

    /// What the clock on the wall shows, in the type that patterns are matched against.
    fn local(&self, instant: Timestamp) -> Option<DateTime<chrono::Utc>> {
        let shown = self.clock.to_datetime(instant);
        let shown = shown.to_zoned(TimeZone::UTC).ok()?.timestamp();
        DateTime::from_timestamp(shown.as_second(), 0)
    }

    /// The instant at which the clock on the wall shows this; none where it never does.
    fn instant(&self, local: DateTime<chrono::Utc>) -> Option<Option<Timestamp>> {
        let shown = Timestamp::from_second(local.timestamp()).ok()?;
        let shown: civil::DateTime = TimeZone::UTC.to_datetime(shown);
        let instant = self.clock.to_ambiguous_timestamp(shown);
        if matches!(instant.offset(), jiff::tz::AmbiguousOffset::Gap { .. }) {
            return Some(None);
        }
        instant.earlier().ok().map(Some)
    }
}

/// Five fields, from whatever way it is said in.
fn cron(spec: &CronjobSpec) -> String {
    let (hour, minute) = spec
        .time
        .as_deref()
        .and_then(|time| time.split_once(':'))
        .unwrap_or_default();
    let number = |digits: &str| digits.parse::<u8>().unwrap_or_default();
    match spec.frequency {
        Some(Frequency::Daily) => format!("{} {} * * *", number(minute), number(hour)),
        Some(Frequency::Hourly) => format!("{} * * * *", number(minute)),
        Some(Frequency::Every10Min) => "*/10 * * * *".to_owned(),
        None => spec.schedule.clone().unwrap_or_default(),
    }
}

/// The expression with numbers for names and whole ranges, if it is one that Kubernetes takes.
fn plain(cron: &str) -> Result<String, Unreadable> {
    let fields: Vec<&str> = cron.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        let fix = "write five fields: minute, hour, day of the month, month, day of the week";
        return Err(Unreadable::Schedule(format!("schedule '{cron}': {fix}")));
    }
    let mut plain = Vec::new();
    for (field, (name, least, most, names)) in fields.into_iter().zip(FIELDS) {
        let number = |text: &str| {
            let named = names.iter().position(|n| n.eq_ignore_ascii_case(text));
            let number = match named {
                Some(at) => u8::try_from(at).ok().map(|at| at + least),
                None => text.parse().ok(),
            };
            number.filter(|n| (least..=most).contains(n))
        };
        let items: Option<Vec<String>> = field
            .split(',')
            .map(|item| range(item, most, number))
            .collect();
        let items = items.ok_or_else(|| {
            let takes = format!("{least} to {most}, a range such as {least}-{most}, or '*'");
            Unreadable::Schedule(format!(
                "'{field}' in schedule '{cron}' is no {name}: it takes {takes}"
            ))
        })?;
        plain.push(items.join(","));
    }
    Ok(plain.join(" "))
}

/// Whether any day of a leap year is one of its days.
fn comes(pattern: &Cron) -> bool {
    let day = |month, day| matches!(pattern.pattern.day_match(2028, month, day), Ok(true));
    (1..=12).any(|month| {
        matches!(pattern.pattern.month_match(month), Ok(true)) && (1..=31).any(|d| day(month, d))
    })
}

/// One item of a field: `*`, `5`, `1-5`, each with a step such as `/10` if need be.
fn range(item: &str, most: u8, number: impl Fn(&str) -> Option<u8>) -> Option<String> {
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, Some(step.parse::<u8>().ok().filter(|s| *s > 0)?)),
        None => (item, None),
    };
    let range = match range.split_once('-') {
        Some((from, to)) => {
            let (from, to) = (number(from)?, number(to)?);
            (from <= to).then(|| format!("{from}-{to}"))?
        }
        None if range == "*" => "*".to_owned(),
        None => match (number(range)?, step) {
            (from, Some(_)) => format!("{from}-{most}"),
            (only, None) => only.to_string(),
        },
    };
    Some(match step {
        Some(step) => format!("{range}/{step}"),
        None => range,
    })
}

/// The time zone of this name. The data is in the program: what a machine holds makes no difference.
fn zone(name: &str) -> Result<TimeZone, Unreadable> {
    let found = TimeZoneDatabase::bundled().get(name).ok();
    match found.as_ref().and_then(TimeZone::iana_name) {
        Some(known) if known == name => found.ok_or_else(|| Unreadable::Zone(String::new())),
        Some(known) => Err(Unreadable::Zone(format!(
            "timeZone '{name}' is written '{known}'"
        ))),
        None => Err(Unreadable::Zone(format!(
            "timeZone '{name}' is unknown: write the name of a city or zone as the IANA database has it, such as Europe/Zurich or Etc/UTC"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::name::Ref;

    fn spec(schedule: &str, zone: &str) -> CronjobSpec {
        CronjobSpec {
            environment_ref: Ref {
                name: "shop-live".into(),
            },
            command: vec!["true".into()],
            frequency: None,
            time: None,
            schedule: Some(schedule.into()),
            time_zone: Some(zone.into()),
            timeout_seconds: None,
            suspend: None,
            run_now: None,
        }
    }

    fn schedule(cron: &str, zone: &str) -> Schedule {
        Schedule::of(&spec(cron, zone)).unwrap_or_else(|why| panic!("{}", text(&why)))
    }

    fn text(why: &Unreadable) -> &str {
        match why {
            Unreadable::Schedule(text) | Unreadable::Zone(text) => text,
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_clock_on_the_wall_of_its_time_zone_decides() {
        let zurich = schedule("30 2 * * 1-5", "Europe/Zurich");
        assert_eq!(
            zurich.next(at("2026-11-20T03:00:00Z")),
            Some(at("2026-11-23T01:30:00Z"))
        );
        assert_eq!(
            zurich.next(at("2026-07-01T00:30:00Z")),
            Some(at("2026-07-02T00:30:00Z"))
        );
        assert_eq!(
            zurich.previous(at("2026-11-23T01:30:00Z")),
            Some(at("2026-11-23T01:30:00Z"))
        );
        assert_eq!(
            zurich.previous(at("2026-11-23T01:29:59Z")),
            Some(at("2026-11-20T01:30:00Z"))
        );
    }

    #[test]
    fn what_falls_into_the_hour_that_is_skipped_is_not_run() {
        let zurich = schedule("30 2 * * *", "Europe/Zurich");
        assert_eq!(
            zurich.next(at("2026-03-28T12:00:00Z")),
            Some(at("2026-03-30T00:30:00Z"))
        );
        let hourly = schedule("0 * * * *", "Europe/Zurich");
        assert_eq!(
            hourly.next(at("2026-03-29T00:59:00Z")),
            Some(at("2026-03-29T01:00:00Z"))
        );
        assert_eq!(
            hourly.next(at("2026-03-29T01:00:00Z")),
            Some(at("2026-03-29T02:00:00Z"))
        );
    }

    #[test]
    fn days_of_the_month_and_of_the_week_are_either_or() {
        let either = schedule("0 0 13 * FRI", "Etc/UTC");
        assert_eq!(
            either.next(at("2026-11-10T00:00:00Z")),
            Some(at("2026-11-13T00:00:00Z"))
        );
        assert_eq!(
            either.next(at("2026-11-13T00:00:00Z")),
            Some(at("2026-11-20T00:00:00Z"))
        );
        assert_eq!(
            either.next(at("2026-12-12T00:00:00Z")),
            Some(at("2026-12-13T00:00:00Z"))
        );
    }

    #[test]
    fn steps_names_and_lists_are_read() {
        assert_eq!(
            plain("5/20 */6 1,15 jan-MAR sun").ok().unwrap(),
            "5-59/20 */6 1,15 1-3 0"
        );
    }

    #[test]
    fn what_kubernetes_would_refuse_is_refused_with_the_field_and_what_to_write() {
        for (cron, said) in [
            ("30 25 * * *", "is no hour"),
            ("60 * * * *", "is no minute"),
            ("0 0 0 * *", "is no day of the month"),
            ("0 0 * 13 *", "is no month"),
            ("0 0 * * 7", "is no day of the week"),
            ("0 0 L * *", "is no day of the month"),
            ("0 0 * * 5-1", "is no day of the week"),
            ("*/0 * * * *", "is no minute"),
            ("* * * *", "write five fields"),
            ("0 0 31 2,4 *", "never comes"),
        ] {
            let why = Schedule::of(&spec(cron, UTC)).err().expect(cron);
            assert!(text(&why).contains(said), "{}", text(&why));
        }
    }

    #[test]
    fn a_zone_that_is_unknown_or_written_otherwise_is_refused() {
        for (zone, said) in [
            ("Europe/Zurick", "is unknown"),
            ("europe/zurich", "is written 'Europe/Zurich'"),
        ] {
            let why = Schedule::of(&spec("0 0 * * *", zone)).err().expect(zone);
            assert!(text(&why).contains(said), "{}", text(&why));
        }
    }
}
