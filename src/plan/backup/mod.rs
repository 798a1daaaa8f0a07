//! Backup: how it lives.
//!
//! | state | means | leaves when |
//! |---|---|---|
//! | Leaving | its deletion was asked for | its snapshots are gone |
//! | Due | its `deleteAt` has come | it is being deleted |
//! | Hindered | something is in the way of what it names | that is gone |
//! | Beginning | what it needs later is written down, and its snapshots are asked for | they are seen |
//! | Taking | data is held still where its class says so (`hold.rs`), its snapshots are being taken | each is ready, or has failed |
//! | Finished | it is history; `proof.rs` proves it where that was asked for | never |
//!
//! Its snapshots have no owner: they go because its plan says so, and for no other reason. That it has begun is known from its
//! Secret, so a lost status or a dead operator never makes it run twice.

mod course;
mod errand;
mod hold;
pub mod keeping;
mod proof;
pub mod record;
mod report;
pub mod retention;
pub mod safety;
pub mod source;
pub mod subject;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::json;

use course::Stage;
use proof::Proof;
use record::{Memory, Outcome, Part};
use subject::Obstacle;

pub use course::{bytes, said};

use super::{
    Kept, Kind, Plan, Seen, Step, Watched, build::meta::marked, facts::VolumeSnapshot,
    verdict::Verdict,
};
use crate::{api::Backup, kinds::Of};

impl Watched for Backup {
    const OF: Of = Of::Backup;

    fn keys(&self) -> Vec<String> {
        let spec = &self.spec;
        let services = spec.service_ref.iter().map(|service| &service.name);
        let parts = self.status.iter().flat_map(|status| &status.parts);
        let services: BTreeSet<&String> = services
            .chain(spec.services.iter().flatten())
            .chain(parts.map(|part| &part.service))
            .collect();
        let environment = spec.environment_ref.iter();
        services
            .into_iter()
            .map(|name| format!("service/{name}"))
            .chain(environment.map(|e| format!("environment/{}", e.name)))
            .collect()
    }
}

enum State {
    Leaving,
    Due,
    Hindered(Obstacle),
    Beginning(Vec<Part>),
    Taking(Memory, BTreeMap<String, Stage>, Vec<Step>),
    Finished(Memory, BTreeMap<String, Stage>),
}

fn observe(backup: &Backup, me: &Kept, seen: &Seen<'_>, now: Timestamp) -> State {
    if me.deleting.is_some() {
        return State::Leaving;
    }
    if delete_at(backup).is_some_and(|at| at <= now) && !is_held(backup) {
        return State::Due;
    }
    if let Some(memory) = Memory::of(seen, me) {
        let (stages, holding) = course::stages(&memory, me, seen, now);
        return match memory.finished {
            Some(_) => State::Finished(memory, stages),
            None => State::Taking(memory, stages, holding),
        };
    }
    match subject::parts(backup, me, seen) {
        Ok(parts) => State::Beginning(parts),
        Err(obstacle) => State::Hindered(obstacle),
    }
}

/// When it is to be deleted.
pub fn delete_at(backup: &Backup) -> Option<Timestamp> {
    backup.spec.delete_at.as_deref()?.parse().ok()
}

/// Whether nothing may delete it.
pub fn is_held(backup: &Backup) -> bool {
    backup.spec.legal_hold == Some(true)
}

impl Kind for Backup {
    fn plan(&self, me: &Kept, seen: &Seen<'_>, now: Timestamp) -> Plan {
        // What is written down is read by people: whole seconds.
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let mut hold = true;
        let mut wake = delete_at(self).filter(|at| *at > now && !is_held(self));
        let (steps, status) = match observe(self, me, seen, now) {
            State::Leaving => {
                let steps = snapshots_gone(seen, |_| true);
                hold = !steps.is_empty();
                (steps, report::not_begun(me, going()))
            }
            State::Due => {
                let memory = Memory::of(seen, me).map(|memory| memory.keep());
                let steps = memory.into_iter().chain([Step::delete(me)]).collect();
                (steps, report::not_begun(me, going()))
            }
            State::Hindered(obstacle) => (Vec::new(), report::not_begun(me, obstacle.verdict())),
            State::Beginning(parts) => {
                let message = "What it needs is being written down.";
                let verdict = Verdict::moving("InProgress", message);
                (beginning(me, &parts), report::not_begun(me, verdict))
            }
            State::Taking(memory, stages, holding) => {
                let patience = stages.values().filter_map(|stage| match stage {
                    Stage::Asked { until, .. } => Some(*until),
                    _ => None,
                });
                wake = patience.chain(wake).min();
                let status = report::begun(me, &memory, &stages);
                let mut steps = holding;
                steps.extend(taking(me, &memory, &stages, now));
                steps.extend(listed(self, me, &memory));
                (steps, status)
            }
            State::Finished(memory, stages) => {
                let proof = proof::proof(self, me, seen, &memory, now);
                let status = report::proven(report::begun(me, &memory, &stages), &proof);
                let mut steps = finished(me, seen, &memory);
                steps.extend(listed(self, me, &memory));
                match proof {
                    Proof::None | Proof::Known(_, None) => {}
                    Proof::Known(_, Some(note)) => steps.push(note),
                    Proof::UnderWay(more, until) => {
                        wake = wake.into_iter().chain([until]).min();
                        steps.extend(more);
                    }
                }
                (steps, status)
            }
        };
        Plan {
            steps,
            status: json!(status),
            wake,
            hold,
        }
    }
}

/// Labels by which the Backups of a Service or of an Environment can be listed.
fn listed(backup: &Backup, me: &Kept, memory: &Memory) -> Option<Step> {
    let services = memory.parts.iter();
    let services = services.map(|part| (format!("service-{}", part.service), part.uid.clone()));
    let environment = backup.spec.environment_ref.iter();
    let environment = environment.map(|e| (format!("environment-{}", e.name), String::new()));
    marked(me, services.chain(environment))
}

fn going() -> Verdict {
    Verdict::moving("Terminating", "Its snapshots are deleted, then it is gone.")
}

/// Deletes those of its snapshots.
fn snapshots_gone(seen: &Seen<'_>, which: impl Fn(&str) -> bool) -> Vec<Step> {
    let snapshots = seen.owned::<VolumeSnapshot>();
    snapshots
        .iter()
        .filter(|snapshot| which(snapshot.name()))
        .map(|snapshot| Step::delete(&snapshot.kept))
        .collect()
}

/// First what is needed to restore it, then the snapshots, side by side, unless data is to be held still before.
fn beginning(me: &Kept, parts: &[Part]) -> Vec<Step> {
    let mut steps = vec![record::begin(me, parts)];
    if !parts.iter().any(|part| part.hold) {
        steps.extend(asked(me, parts.iter()));
    }
    steps
}

fn asked<'a>(me: &Kept, parts: impl Iterator<Item = &'a Part>) -> Vec<Step> {
    parts
        .filter_map(|part| Some(record::take(me, part, part.volume.as_ref()?)))
        .collect()
}

fn taking(
    me: &Kept,
    memory: &Memory,
    stages: &BTreeMap<String, Stage>,
    now: Timestamp,
) -> Vec<Step> {
    let stage = |part: &&Part| stages.get(&part.service);
    let due = |part: &&Part| matches!(stage(part), Some(Stage::Due));
    let mut steps = asked(me, memory.parts.iter().filter(due));
    let outcomes: BTreeMap<String, Outcome> = stages
        .iter()
        .filter_map(|(service, stage)| match stage {
            Stage::Ended(outcome) | Stage::Lost(outcome) => {
                Some((service.clone(), outcome.clone()))
            }
            Stage::Due | Stage::Holding | Stage::Asked { .. } | Stage::Caught(_) => None,
        })
        .collect();
    let finished = (outcomes.len() == memory.parts.len()).then_some(now);
    let caught = stages
        .iter()
        .filter(|(_, stage)| matches!(stage, Stage::Caught(_)));
    let mut held = memory.held.clone();
    held.extend(caught.map(|(service, _)| service.clone()));
    if outcomes == memory.outcomes && held == memory.held && finished.is_none() {
        steps.push(memory.keep());
    } else {
        steps.push(memory.note(&outcomes, &held, finished));
    }
    steps
}

/// A snapshot that failed holds nothing that anybody could want.
fn finished(me: &Kept, seen: &Seen<'_>, memory: &Memory) -> Vec<Step> {
    let good: BTreeSet<String> = memory
        .parts
        .iter()
        .filter(|part| memory.is_good(&part.service))
        .map(|part| record::snapshot(&me.id.name, &part.service))
        .collect();
    let mut steps = snapshots_gone(seen, |name| !good.contains(name));
    steps.push(memory.keep());
    steps
}
