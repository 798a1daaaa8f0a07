//! What a Backup says of itself.

use std::collections::BTreeMap;

use super::{
    course::{self, Stage},
    proof::Proof,
    record::{self, Memory, Outcome, Part},
};
use crate::{
    api::backup::{BackupPart, BackupState, BackupStatus, Success},
    plan::{Kept, verdict::Verdict},
};

/// What it was made by.
fn trigger(me: &Kept) -> String {
    match me.label("trigger") {
        Some(word @ ("Scheduled" | "Safety" | "Final")) => word.to_owned(),
        _ => "Manual".to_owned(),
    }
}

/// The status of a Backup that has not begun.
pub fn not_begun(me: &Kept, verdict: Verdict) -> BackupStatus {
    BackupStatus {
        state: Some(BackupState::InProgress),
        success: Some(Success::Unknown),
        trigger: Some(trigger(me)),
        conditions: verdict.conditions,
        blockers: verdict.blockers,
        ..BackupStatus::default()
    }
}

/// The status of a Backup that has begun.
pub fn begun(me: &Kept, memory: &Memory, stages: &BTreeMap<String, Stage>) -> BackupStatus {
    let parts: Vec<BackupPart> = memory
        .parts
        .iter()
        .filter_map(|recorded| Some(part(me, memory, recorded, stages.get(&recorded.service)?)))
        .collect();
    let count = |state: BackupState| parts.iter().filter(|part| part.state == state).count();
    let (done, running) = (count(BackupState::Done), count(BackupState::InProgress));
    let over = running == 0 && memory.finished.is_some();
    let (state, success) = match (over, done) {
        (false, _) => (BackupState::InProgress, Success::Unknown),
        (true, 0) => (BackupState::Error, Success::Failure),
        (true, done) if done == parts.len() => (BackupState::Done, Success::Success),
        (true, _) => (BackupState::Done, Success::Partial),
    };
    let verdict = verdict(success, &parts, stages);
    let sizes = parts.iter().filter_map(|part| part.size_bytes);
    let size: i64 = sizes.sum();
    BackupStatus {
        state: Some(state),
        success: Some(success),
        trigger: Some(trigger(me)),
        started_at: Some(memory.began().to_string()),
        finished_at: memory.finished.clone().filter(|_| over),
        size_bytes: over.then_some(size),
        size: over.then(|| course::said(size)),
        parts,
        conditions: verdict.conditions,
        blockers: verdict.blockers,
        ..BackupStatus::default()
    }
}

/// The same, with what is said of its proof. One that cannot be restored needs a person.
pub fn proven(mut status: BackupStatus, proof: &Proof) -> BackupStatus {
    const TYPE: &str = "Verified";
    let word = |status: &str, reason: &str, message: String| {
        Verdict::default()
            .with(TYPE, status, reason, message)
            .conditions
    };
    match proof {
        Proof::None => {}
        Proof::UnderWay(..) => {
            let message = "It is restored into a throw-away Service, and checked there.".to_owned();
            status
                .conditions
                .extend(word("Unknown", "Verifying", message));
        }
        Proof::Known(answer, _) => {
            status.verified_at = Some(answer.at.clone());
            status.restore_seconds = Some(answer.seconds).filter(|_| answer.error.is_none());
            match &answer.error {
                None => {
                    let message =
                        format!("It was restored in {} seconds and checked.", answer.seconds);
                    status.conditions.extend(word("True", "Verified", message));
                }
                Some(error) => {
                    let fix = format!("Take another Backup, and keep an older one. {error}");
                    let verdict =
                        Verdict::stalled("NotVerified", format!("It does not restore. {error}"))
                            .with(TYPE, "False", "NotVerified", error.clone())
                            .blocked("NotVerified", fix);
                    status.conditions = verdict.conditions;
                    status.blockers = verdict.blockers;
                }
            }
        }
    }
    status
}

fn part(me: &Kept, memory: &Memory, recorded: &Part, stage: &Stage) -> BackupPart {
    let told = BackupPart {
        service: recorded.service.clone(),
        service_uid: recorded.uid.clone(),
        class: recorded.class.clone(),
        type_: recorded.type_.clone(),
        tier: recorded.tier.clone(),
        region: recorded.region.clone(),
        prefix: recorded.prefix.clone(),
        queued_at: Some(me.created.to_string()),
        started_at: Some(memory.began().to_string()),
        ..BackupPart::default()
    };
    let good = |outcome: &Outcome| BackupPart {
        state: BackupState::Done,
        taken_at: outcome.taken_at.clone(),
        ended_at: Some(outcome.ended_at.clone()),
        size_bytes: outcome.size_bytes,
        snapshots: vec![snapshot(&me.id.name, recorded, outcome)],
        ..told.clone()
    };
    match stage {
        Stage::Due | Stage::Holding | Stage::Apart(_) => told,
        Stage::Asked { taken_at, .. } | Stage::Caught(taken_at) => BackupPart {
            taken_at: taken_at.clone(),
            ..told
        },
        Stage::Ended(outcome) if outcome.error.is_none() => good(outcome),
        Stage::Ended(outcome) => BackupPart {
            state: BackupState::Error,
            ended_at: Some(outcome.ended_at.clone()),
            error: outcome.error.clone(),
            ..told
        },
        Stage::Lost(outcome) => BackupPart {
            state: BackupState::Error,
            error: Some(format!(
                "VolumeSnapshot {} was deleted: this part cannot be restored any more.",
                snapshot(&me.id.name, recorded, outcome)
            )),
            snapshots: Vec::new(),
            ..good(outcome)
        },
    }
}

fn snapshot(backup: &str, part: &Part, outcome: &Outcome) -> String {
    let member = outcome.snapshot.clone();
    member.unwrap_or_else(|| record::snapshot(backup, &part.service))
}

fn verdict(success: Success, parts: &[BackupPart], stages: &BTreeMap<String, Stage>) -> Verdict {
    let failed = parts.iter().find(|part| part.state == BackupState::Error);
    let why = failed.map_or_else(String::new, |part| {
        let error = part.error.as_deref().unwrap_or("it failed");
        format!("{}: {error}", part.service)
    });
    let blocked = |verdict: Verdict, reason: &str| {
        let service = failed.map_or("", |part| &part.service);
        let fix = format!("Put it right and make another Backup. {why}");
        verdict.blocked(format!("{reason}/{service}"), fix)
    };
    match success {
        Success::Unknown => {
            let moving = Verdict::moving("InProgress", "Its snapshots are being taken.");
            troubled(moving, stages)
        }
        Success::Success => Verdict::ready("Done", "All of it can be restored."),
        Success::Partial => {
            let message = format!("Some of its parts failed, the others can be restored. {why}");
            blocked(Verdict::stalled("PartFailed", message), "PartFailed")
        }
        Success::Failure => {
            let message = format!("Nothing of it can be restored. {why}");
            blocked(Verdict::stalled("Failed", message), "Failed")
        }
    }
}

/// What is waited for before, and what the driver complains about while it tries again.
fn troubled(verdict: Verdict, stages: &BTreeMap<String, Stage>) -> Verdict {
    stages.iter().fold(verdict, |verdict, (service, stage)| {
        if matches!(stage, Stage::Holding) {
            let fix = "A Job holds its data still first, as its class says.";
            return verdict.blocked(format!("Holding/{service}"), fix);
        }
        let Stage::Asked {
            trouble: Some(trouble),
            ..
        } = stage
        else {
            return verdict;
        };
        let fix = format!("The driver tries again for a while. It says: {trouble}");
        let fix: String = fix.chars().take(1000).collect();
        verdict.blocked(format!("SnapshotFails/{service}"), fix)
    })
}
