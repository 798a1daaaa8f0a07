//! What a Restore says of itself.

use super::{
    course::{self, Course, Wait, brought, kept_in, service},
    record::{Memory, Part},
};
use crate::{
    api::{
        Restore,
        backup::{BackupState, Success},
        restore::{RestorePart, RestoreStatus},
    },
    plan::{
        Kept, Seen,
        service::{data, restoring},
        verdict::Verdict,
    },
};

/// The status of a Restore that has not begun.
pub fn not_begun(verdict: Verdict) -> RestoreStatus {
    RestoreStatus {
        state: Some(BackupState::InProgress),
        success: Some(Success::Unknown),
        finished: Some(false),
        conditions: verdict.conditions,
        blockers: verdict.blockers,
        ..RestoreStatus::default()
    }
}

/// The status of a Restore that is not run again.
pub fn past(name: &str, service: &str) -> RestoreStatus {
    let message = format!(
        "A Restore {name} has already put data into Service {service}: it is not run again. To restore once more, make one of another name."
    );
    RestoreStatus {
        state: Some(BackupState::Done),
        finished: Some(true),
        conditions: Verdict::ready("AlreadyRun", message).conditions,
        ..RestoreStatus::default()
    }
}

/// The status of a Restore that has begun.
pub fn begun(
    restore: &Restore,
    me: &Kept,
    seen: &Seen<'_>,
    memory: &Memory,
    course: &Course,
) -> RestoreStatus {
    let parts: Vec<RestorePart> = memory.parts.iter().map(|p| part(me, memory, p)).collect();
    let failed = parts.iter().filter(|p| p.state == BackupState::Error);
    let failures = failed.clone().count();
    let over = memory.progress.finished.is_some();
    let (state, success) = match (over, failures) {
        (false, _) => (BackupState::InProgress, Success::Unknown),
        (true, 0) => (BackupState::Done, Success::Success),
        (true, all) if all == parts.len() => (BackupState::Error, Success::Failure),
        (true, _) => (BackupState::Done, Success::Partial),
    };
    let until = undo_until(seen, me, memory);
    let verdict = match success {
        Success::Unknown => moving(course, &me.id.ns),
        Success::Success => Verdict::ready("Done", done(until.as_deref())),
        Success::Partial | Success::Failure => failure(success, &parts),
    };
    let verdict = if over && restore.spec.undo == Some(true) {
        undo(me, seen, memory, verdict)
    } else {
        verdict
    };
    let is_undone = verdict.conditions.iter().any(|c| c.reason == "Undone");
    let began =
        |part: &Part| memory.progress.safe.contains(&part.into) || !memory.is_under_way(part);
    let is_safety = course::replaced(memory).any(began);
    RestoreStatus {
        state: Some(state),
        success: Some(success),
        finished: Some(over),
        started_at: Some(memory.began().to_string()),
        finished_at: memory.progress.finished.clone(),
        safety_backup: is_safety.then(|| kept_in(&me.id.name)),
        undo_until: until.filter(|_| over && !is_undone),
        parts,
        conditions: verdict.conditions,
        blockers: verdict.blockers,
        observed_generation: None,
    }
}

fn part(me: &Kept, memory: &Memory, recorded: &Part) -> RestorePart {
    let outcome = memory.progress.outcomes.get(&recorded.into);
    let error = outcome.and_then(|outcome| outcome.error.clone());
    let state = match (outcome, &error) {
        (None, _) => BackupState::InProgress,
        (Some(_), None) => BackupState::Done,
        (Some(_), Some(_)) => BackupState::Error,
    };
    RestorePart {
        into: recorded.into.clone(),
        from: recorded.source.service.clone(),
        state,
        queued_at: Some(me.created.to_string()),
        started_at: Some(memory.began().to_string()),
        ended_at: outcome.map(|outcome| outcome.ended_at.clone()),
        error,
    }
}

fn done(until: Option<&str>) -> String {
    let undo = until.map_or(
        "",
        |_| " Until `status.undoUntil`, `spec.undo: true` puts back what was there before.",
    );
    format!("Its Services serve what was restored.{undo}")
}

fn failure(success: Success, parts: &[RestorePart]) -> Verdict {
    let failed = parts.iter().find(|p| p.state == BackupState::Error);
    let (into, why) = failed.map_or(("", ""), |part| {
        (
            part.into.as_str(),
            part.error.as_deref().unwrap_or_default(),
        )
    });
    let (reason, message) = match success {
        Success::Failure => ("Failed", format!("It failed. {into}: {why}")),
        _ => (
            "PartFailed",
            format!("Some of its parts failed. {into}: {why}"),
        ),
    };
    let message: String = message.chars().take(1000).collect();
    let fix = format!("Put it right and make another Restore. {into}: {why}");
    let fix: String = fix.chars().take(1000).collect();
    Verdict::stalled(reason, message).blocked(format!("{reason}/{into}"), fix)
}

fn moving(course: &Course, ns: &str) -> Verdict {
    let verdict = Verdict::moving("InProgress", "Data is being put into its Services.");
    course.waits.iter().fold(verdict, |verdict, (name, wait)| {
        let (what, fix) = match wait {
            Wait::Made => (
                "Making",
                format!("Service {name} is made: there is none of that name."),
            ),
            Wait::Stop => ("Stopping", format!("Service {name} stops first.")),
            Wait::Safety(_) => (
                "Safety",
                format!("What is in Service {name} is put into a Backup first."),
            ),
            Wait::Turn => (
                "Turning",
                format!("Service {name} gets a volume with the data."),
            ),
            Wait::Service => (
                "Starting",
                format!("Service {name} starts on the data; `kubectl describe msvc {name} -n {ns}` says what it waits for."),
            ),
        };
        verdict.blocked(format!("{what}/{name}"), fix)
    })
}

/// Until when what was there before is kept: for all of it.
fn undo_until(seen: &Seen<'_>, me: &Kept, memory: &Memory) -> Option<String> {
    let until = memory.parts.iter().filter_map(|part| {
        let service = service(seen, part)?;
        let data = brought(&service, seen, me)?;
        let before = restoring::before(&service, &service.kept, seen, data.secret.name())?;
        before.kept.annotation(data::UNTIL).map(str::to_owned)
    });
    until.min()
}

/// How far the undoing is.
fn undo(me: &Kept, seen: &Seen<'_>, memory: &Memory, otherwise: Verdict) -> Verdict {
    let good = memory.parts.iter().filter_map(|part| {
        let service = service(seen, part)?;
        let data = brought(&service, seen, me)?;
        Some((service, data))
    });
    let mut any = false;
    for (service, data) in good {
        let name = service.name();
        let current = data::current(&service, &service.kept, seen);
        let before = restoring::before(&service, &service.kept, seen, data.secret.name());
        any = true;
        if data.secret.kept.annotation(data::UNDONE).is_none() {
            if before.is_none() {
                let fix = format!(
                    "What was in Service {name} before is no longer kept: restore Backup {} instead, while it is there.",
                    kept_in(&me.id.name)
                );
                return Verdict::stalled("UndoExpired", fix.clone())
                    .blocked(format!("UndoExpired/{name}"), fix);
            }
            return Verdict::moving("Undoing", "What was there before is put back.");
        }
        if !course::serves(&service, &current.template()) {
            let message = format!("Service {name} starts on what was there before.");
            return Verdict::moving("Undoing", message);
        }
    }
    if any {
        Verdict::ready("Undone", "Its Services have what was there before.")
    } else {
        otherwise
    }
}
