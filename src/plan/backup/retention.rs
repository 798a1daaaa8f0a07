//! Which scheduled Backups are kept: the newest ones, one an hour, a day, a week and a month, and always the last good one.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp, civil::ISOWeekDate, tz::TimeZone};

use crate::api::instance::Retention;

/// A finished Backup, as far as it matters whether it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// When it was taken.
    pub at: Timestamp,
    /// Whether all of it can be restored; of one that is verified, whether that was proven.
    pub good: bool,
    /// Whether it was proven.
    pub verified: bool,
    /// Whether it is still being proven, and may turn out good or bad.
    pub open: bool,
    /// Whether it is on legal hold.
    pub held: bool,
}

/// Why a Backup is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It is one of the newest.
    Last,
    /// It is the newest of its hour.
    Hourly,
    /// It is the newest of its day.
    Daily,
    /// It is the newest of its week.
    Weekly,
    /// It is the newest of its month.
    Monthly,
    /// It is the last good one.
    LastGood,
    /// It is the last one that was proven to restore.
    LastVerified,
    /// It is still being proven: where that takes longer than the next one, nothing would ever be good.
    Open,
    /// It is on legal hold.
    Held,
    /// It failed, and nothing newer shows that this is over.
    LastFailure,
}

/// Why each Backup is kept; those that are not named go.
pub fn kept(
    all: &[Candidate],
    rules: &Retention,
    zone: &TimeZone,
    now: Timestamp,
) -> Vec<(String, BTreeSet<Reason>)> {
    let mut newest: Vec<&Candidate> = all.iter().collect();
    newest.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| b.name.cmp(&a.name)));
    let good: Vec<&Candidate> = newest.iter().copied().filter(|c| c.good).collect();
    let mut kept: Vec<(String, BTreeSet<Reason>)> = Vec::new();
    let mut keep =
        |one: &Candidate, reason: Reason| match kept.iter_mut().find(|(name, _)| *name == one.name)
        {
            Some((_, reasons)) => drop(reasons.insert(reason)),
            None => kept.push((one.name.clone(), BTreeSet::from([reason]))),
        };
    let young = |one: &&Candidate| {
        let days = rules.max_age_days.map(i64::from);
        days.is_none_or(|days| one.at + SignedDuration::from_hours(24 * days) > now)
    };
    for one in good
        .iter()
        .copied()
        .filter(young)
        .take(count(rules.keep_last))
    {
        keep(one, Reason::Last);
    }
    for (reason, number, span) in generations(rules) {
        let mut spans = BTreeSet::new();
        for one in good.iter().copied().filter(young) {
            let span = span(one.at, zone);
            if spans.len() < count(number) && spans.insert(span) {
                keep(one, reason);
            }
        }
    }
    if let Some(one) = good.first() {
        keep(one, Reason::LastGood);
    }
    if let Some(one) = good.iter().find(|one| one.verified) {
        keep(one, Reason::LastVerified);
    }
    if let Some(one) = newest.first().filter(|one| !one.good) {
        keep(one, Reason::LastFailure);
    }
    for one in newest.iter().filter(|one| one.open) {
        keep(one, Reason::Open);
    }
    for one in newest.iter().filter(|one| one.held) {
        keep(one, Reason::Held);
    }
    kept
}

fn count(number: Option<i32>) -> usize {
    number.and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
}

type Span = fn(Timestamp, &TimeZone) -> (i16, i16, i8);

/// Each generation: why, how many, and what is one span of it.
fn generations(rules: &Retention) -> [(Reason, Option<i32>, Span); 4] {
    [
        (Reason::Hourly, rules.hourly, |at, zone| {
            let local = zone.to_datetime(at);
            (local.year(), local.day_of_year(), local.hour())
        }),
        (Reason::Daily, rules.daily, |at, zone| {
            let local = zone.to_datetime(at);
            (local.year(), local.day_of_year(), 0)
        }),
        (Reason::Weekly, rules.weekly, |at, zone| {
            let week: ISOWeekDate = zone.to_datetime(at).date().iso_week_date();
            (week.year(), i16::from(week.week()), 0)
        }),
        (Reason::Monthly, rules.monthly, |at, zone| {
            let local = zone.to_datetime(at);
            (local.year(), i16::from(local.month()), 0)
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i64, good: bool) -> Candidate {
        let first: Timestamp = "2026-01-01T03:00:00Z".parse().unwrap();
        let at = first + SignedDuration::from_hours(24 * day);
        Candidate {
            name: format!("d{day:03}"),
            at,
            good,
            verified: false,
            open: false,
            held: false,
        }
    }

    fn names(all: &[Candidate], rules: &Retention) -> Vec<String> {
        let now = all.iter().map(|c| c.at).max().unwrap();
        let mut names: Vec<String> = kept(all, rules, &TimeZone::UTC, now)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        names.sort();
        names
    }

    /// proves: DV-250
    #[test]
    fn the_newest_are_kept_and_failures_do_not_count() {
        let all: Vec<Candidate> = (0..5).map(|n| day(n, n != 3)).collect();
        let rules = Retention {
            keep_last: Some(2),
            ..Retention::default()
        };
        assert_eq!(names(&all, &rules), ["d002", "d004"]);
    }

    #[test]
    fn the_last_good_one_stays_whatever_comes_after_it() {
        let all: Vec<Candidate> = (0..9).map(|n| day(n, n == 0)).collect();
        let rules = Retention {
            keep_last: Some(1),
            max_age_days: Some(2),
            ..Retention::default()
        };
        assert_eq!(names(&all, &rules), ["d000", "d008"]);
    }

    #[test]
    fn what_is_held_stays() {
        let mut all: Vec<Candidate> = (0..4).map(|n| day(n, true)).collect();
        all[0].held = true;
        let rules = Retention {
            keep_last: Some(1),
            ..Retention::default()
        };
        assert_eq!(names(&all, &rules), ["d000", "d003"]);
    }

    #[test]
    fn what_is_still_being_proven_stays() {
        let mut all: Vec<Candidate> = (0..4).map(|n| day(n, n == 0)).collect();
        all[2].open = true;
        assert_eq!(names(&all, &Retention::default()), ["d000", "d002", "d003"]);
    }

    /// proves: DV-271
    #[test]
    fn seven_days_four_weeks_and_twelve_months_are_kept_of_two_years() {
        let all: Vec<Candidate> = (0..730).map(|n| day(n, true)).collect();
        let rules = Retention {
            daily: Some(7),
            weekly: Some(4),
            monthly: Some(12),
            ..Retention::default()
        };
        let now = all.iter().map(|c| c.at).max().unwrap();
        let kept = kept(&all, &rules, &TimeZone::UTC, now);
        let why = |reason: Reason| kept.iter().filter(|(_, r)| r.contains(&reason)).count();
        assert_eq!(why(Reason::Daily), 7);
        assert_eq!(why(Reason::Weekly), 4);
        assert_eq!(why(Reason::Monthly), 12);
        let newest = kept.iter().find(|(name, _)| name == "d729").unwrap();
        assert!(
            newest.1.contains(&Reason::Monthly),
            "the newest of the month stands for it"
        );
    }

    /// Of each hour the newest stands for it, and the same hour of another day is another.
    #[test]
    fn one_an_hour_is_kept_for_as_many_hours_as_are_asked_for() {
        let at = |minutes: i64| Candidate {
            name: format!("m{minutes:04}"),
            at: day(0, true).at + SignedDuration::from_mins(minutes),
            ..day(0, true)
        };
        let all = [at(0), at(20), at(60), at(80), at(24 * 60)];
        let rules = |hourly| Retention {
            hourly: Some(hourly),
            ..Retention::default()
        };
        assert_eq!(names(&all, &rules(2)), ["m0080", "m1440"]);
        assert_eq!(names(&all, &rules(9)), ["m0020", "m0080", "m1440"]);
    }

    #[test]
    fn the_last_that_was_proven_stays_beside_the_last_good_one() {
        let mut all: Vec<Candidate> = (0..5).map(|n| day(n, true)).collect();
        all[0].verified = true;
        all[1].verified = true;
        assert_eq!(names(&all, &Retention::default()), ["d001", "d004"]);
    }

    /// What is as old as the rule allows is too old.
    #[test]
    fn what_is_too_old_goes_though_there_is_room() {
        let all: Vec<Candidate> = (0..5).map(|n| day(n, true)).collect();
        let rules = Retention {
            keep_last: Some(9),
            max_age_days: Some(3),
            ..Retention::default()
        };
        assert_eq!(names(&all, &rules), ["d002", "d003", "d004"]);
    }

    #[test]
    fn of_two_of_one_moment_the_later_name_is_the_newer() {
        let twin = |name: &str| Candidate {
            name: name.to_owned(),
            ..day(0, true)
        };
        let rules = Retention {
            keep_last: Some(1),
            ..Retention::default()
        };
        for all in [[twin("a"), twin("b")], [twin("b"), twin("a")]] {
            assert_eq!(names(&all, &rules), ["b"]);
        }
    }
}
