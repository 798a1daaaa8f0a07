//! Which Backups of a Service, or of an Environment's Services together, are made by themselves, and which go.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::retention::{self, Candidate};
use crate::{
    api::{
        Backup, TRIGGER,
        backup::{BackupState, ScheduledBackups, Success, Verify},
        instance::{BackupDefaults, Retention},
    },
    kinds::Of,
    plan::{
        Found, Kept, Seen, Step,
        build::meta::Child,
        cronjob::schedule::{Schedule, Unreadable},
        verdict::Verdict,
    },
};

/// What is kept where nobody says it.
const KEEP_LAST: i32 = 7;
/// The longest that a Backup is put off, so that not all begin at once.
const JITTER: i64 = 300;

/// What is done about Backups now, and what is said of them.
#[derive(Debug, Default)]
pub struct Keeping {
    /// What to do.
    pub steps: Vec<Step>,
    /// When to look again.
    pub wake: Option<Timestamp>,
    /// What is said.
    pub status: Option<ScheduledBackups>,
    /// What is in the way: a stable word, and what to do.
    pub blocker: Option<(String, String)>,
}

impl Keeping {
    /// The same verdict, with what is in the way of them.
    pub fn said(&self, verdict: Verdict) -> Verdict {
        let Some((what, fix)) = &self.blocker else {
            return verdict;
        };
        let reason = what.split('/').next().unwrap_or_default();
        verdict
            .with("BackupsScheduled", "False", reason, fix.clone())
            .blocked(what.clone(), fix.clone())
    }
}

/// Whose Backups they are.
pub struct Subject<'a> {
    /// The field of a Backup's spec that names it.
    pub field: &'static str,
    /// When they are made, and which are kept.
    pub policy: &'a BackupDefaults,
    /// Whether there is something to back up.
    pub has_data: bool,
    /// Whether nothing begins by itself now.
    pub suspended: bool,
}

/// What is done about its Backups now.
pub fn keeping(subject: &Subject<'_>, me: &Kept, seen: &Seen<'_>, now: Timestamp) -> Keeping {
    let policy = subject.policy;
    let schedule = match policy.schedule.as_deref() {
        Some(cron) => match Schedule::read(cron, policy.time_zone.as_deref()) {
            Ok(schedule) => Some(schedule),
            Err(why) => return unreadable(&why),
        },
        None => None,
    };
    let schedule = schedule.filter(|_| !subject.suspended);
    let mut all = seen.owned::<Backup>();
    all.retain(|backup| backup.kept.label("trigger") == Some("Scheduled"));
    let zone = schedule.as_ref().map_or(TimeZone::UTC, Schedule::clock);
    let scene = Scene {
        me,
        field: subject.field,
        policy,
        all: &all,
        zone: &zone,
        now,
    };
    let mut keeping = Keeping::default();
    let mut next = None;
    if let Some(schedule) = &schedule {
        let due = scene.due(schedule).filter(|_| subject.has_data);
        keeping.steps.extend(due);
        let jitter = scene.jitter(schedule);
        next = schedule.next(now - jitter).map(|at| at + jitter);
    }
    keeping.steps.extend(scene.gone(now));
    keeping.wake = next;
    keeping.status = Some(scene.status(next));
    keeping
}

fn unreadable(why: &Unreadable) -> Keeping {
    let (field, message) = match why {
        Unreadable::Schedule(message) => ("backup.schedule", message),
        Unreadable::Zone(message) => ("backup.timeZone", message),
    };
    let fix = format!("Set {field} to one that can be read: {message}.");
    Keeping {
        blocker: Some(("InvalidBackupSchedule".to_owned(), fix)),
        ..Keeping::default()
    }
}

struct Scene<'a> {
    me: &'a Kept,
    field: &'static str,
    policy: &'a BackupDefaults,
    all: &'a [Found<Backup>],
    zone: &'a TimeZone,
    now: Timestamp,
}

impl Scene<'_> {
    /// By how much they begin later: always the same, and at most a tenth of what lies between two.
    fn jitter(&self, schedule: &Schedule) -> SignedDuration {
        let between = schedule.next(self.now).zip(schedule.previous(self.now));
        let between = between.map_or(0, |(next, last)| next.duration_since(last).as_secs());
        let sum: i64 = self.me.uid.bytes().map(i64::from).sum();
        SignedDuration::from_secs(sum % (between / 10).clamp(1, JITTER))
    }

    /// The Backup that should have been begun by now, if there is none yet. One that was missed is made up for once.
    fn due(&self, schedule: &Schedule) -> Option<Step> {
        let due = schedule.previous(self.now - self.jitter(schedule))?;
        if due < self.me.created || self.all.iter().any(|backup| !is_over(backup)) {
            return None;
        }
        let stamp = TimeZone::UTC.to_datetime(due).strftime("%Y%m%d%H%M");
        let name = format!("{}-{stamp}", self.me.id.name);
        if self.all.iter().any(|backup| *backup.name() == *name) {
            return None;
        }
        let field = self.field;
        let mut spec = json!({ (field): {"name": &*self.me.id.name} });
        if let Some(verify) = self.verify(due) {
            spec["verify"] = verify;
        }
        let want = Child::of(self.me, Of::Backup, name)
            .that_stays()
            .label(TRIGGER, "Scheduled")
            .field("spec", spec)
            .want();
        Some(Step::Create(want, Vec::new()))
    }

    /// Whether this one is to be proven, and how.
    fn verify(&self, due: Timestamp) -> Option<Value> {
        let verify = self.policy.verify.as_ref()?;
        if let Some(cron) = &verify.schedule {
            let schedule = Schedule::read(cron, self.policy.time_zone.as_deref()).ok()?;
            let from = schedule.previous(due)?;
            let proven = self
                .all
                .iter()
                .filter(|backup| backup.spec.verify.is_some());
            let newest = proven.map(|backup| backup.kept.created).max();
            if newest.is_some_and(|newest| newest >= from) {
                return None;
            }
        }
        // Without a command of its own it is empty, and there: the class's command proves it.
        let command = verify.command.clone();
        Some(json!(Verify { command }))
    }

    fn candidates(&self) -> Vec<Candidate> {
        let over = self.all.iter().filter(|backup| is_over(backup));
        over.map(candidate).collect()
    }

    fn rules(&self) -> Retention {
        self.policy.retention.clone().unwrap_or(Retention {
            keep_last: Some(KEEP_LAST),
            ..Retention::default()
        })
    }

    /// Those that no rule keeps.
    fn gone(&self, now: Timestamp) -> Vec<Step> {
        let kept = retention::kept(&self.candidates(), &self.rules(), self.zone, now);
        let goes = |backup: &&Found<Backup>| {
            is_over(backup) && !kept.iter().any(|(name, _)| *name == *backup.name())
        };
        let gone = self.all.iter().filter(goes);
        gone.map(|backup| Step::delete(&backup.kept)).collect()
    }

    fn status(&self, next: Option<Timestamp>) -> ScheduledBackups {
        let mut candidates = self.candidates();
        candidates.sort_by_key(|one| one.at);
        let last_good = candidates.iter().rfind(|one| one.good);
        let last_good = last_good.map(|one| (one.name.clone(), one.at.to_string()));
        let kept = candidates.len();
        let goes_next = next.map(|at| self.goes_at(candidates, at));
        ScheduledBackups {
            next_at: next.map(|at| at.to_string()),
            last_good: last_good.as_ref().map(|(name, _)| name.clone()),
            last_good_at: last_good.map(|(_, at)| at),
            kept: i32::try_from(kept).unwrap_or(i32::MAX),
            goes_next: goes_next.unwrap_or_default(),
        }
    }

    /// What goes once the next one is done.
    fn goes_at(&self, mut all: Vec<Candidate>, next: Timestamp) -> Vec<String> {
        let names: Vec<String> = all.iter().map(|one| one.name.clone()).collect();
        all.push(Candidate {
            name: String::new(),
            at: next,
            good: true,
            verified: false,
            open: false,
            held: false,
        });
        let kept = retention::kept(&all, &self.rules(), self.zone, next);
        let stays = |name: &String| kept.iter().any(|(kept, _)| kept == name);
        names
            .into_iter()
            .filter(|name| !stays(name))
            .take(64)
            .collect()
    }
}

fn is_over(backup: &Found<Backup>) -> bool {
    let status = backup.status.as_ref();
    status.is_some_and(|status| status.finished_at.is_some()) && backup.kept.deleting.is_none()
}

fn candidate(backup: &Found<Backup>) -> Candidate {
    let status = backup.status.clone().unwrap_or_default();
    let said = |word: &str| {
        let mut all = status.conditions.iter();
        all.any(|c| c.type_ == "Verified" && c.status == word)
    };
    let taken = status
        .parts
        .iter()
        .find_map(|part| part.taken_at.as_deref());
    let whole = status.state == Some(BackupState::Done) && status.success == Some(Success::Success);
    let unasked = backup.spec.verify.is_none();
    Candidate {
        name: backup.name().to_owned(),
        at: taken
            .and_then(|at| at.parse().ok())
            .unwrap_or(backup.kept.created),
        // One that is still being proven may yet turn out bad.
        good: whole && (unasked || said("True")),
        verified: whole && said("True"),
        open: whole && !unasked && !said("True") && !said("False"),
        held: backup.spec.legal_hold == Some(true),
    }
}
