//! Backup: how it lives.
//!
//! | state | means | leaves when |
//! |---|---|---|
//! | Leaving | its deletion was asked for | its snapshots are gone |
//! | Due | its `deleteAt` has come | it is being deleted |
//! | Hindered | something is in the way of what it names | that is gone |
//! | Beginning | what it needs later is written down, and its snapshots are asked for | they are seen |
//! | Taking | data is held still where its class says so (`hold.rs`), its snapshots are being taken, at one instant where the driver can (`group.rs`) | each is ready, or has failed |
//! | Finished | it is history; `proof.rs` proves it where that was asked for | never |
//!
//! Its snapshots have no owner: they go because its plan says so, and for no other reason. That it has begun is known from its
//! Secret, so a lost status or a dead operator never makes it run twice.

mod course;
mod errand;
mod group;
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
use group::Group;
use proof::Proof;
use record::{Memory, Part};
use subject::Obstacle;

pub use course::{bytes, said};

use super::{
    Kept, Kind, Plan, Seen, Step, Watched,
    build::meta::marked,
    facts::{VolumeGroupSnapshot, VolumeSnapshot},
    verdict::Verdict,
};
use crate::{api::Backup, kinds::Of};

impl Watched for Backup {
    const OF: Of = Of::Backup;
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
                let mut steps = snapshots_gone(seen, |_| true);
                steps.extend(groups_gone(seen, &Memory::of(seen, me), me));
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
                steps.extend(taking(me, seen, &memory, &stages, now));
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

/// Deletes its groups, and takes their labels off the claims if it is broken off.
fn groups_gone(seen: &Seen<'_>, memory: &Option<Memory>, me: &Kept) -> Vec<Step> {
    let groups = seen.owned::<VolumeGroupSnapshot>();
    let gone = groups.iter().map(|group| Step::delete(&group.kept));
    let open = memory.as_ref().filter(|memory| memory.finished.is_none());
    let marked = open.map(|memory| group::unmarked(&memory.parts, me, seen));
    gone.chain(marked.unwrap_or_default()).collect()
}

/// First what is needed to restore it, then the snapshots, side by side, unless something is to be done before.
fn beginning(me: &Kept, parts: &[Part]) -> Vec<Step> {
    let mut steps = vec![record::begin(me, parts)];
    if !parts.iter().any(|part| part.hold || group::is_in(part)) {
        steps.extend(asked(me, parts.iter()));
    }
    steps
}

fn asked<'a>(me: &Kept, parts: impl Iterator<Item = &'a Part>) -> Vec<Step> {
    parts
        .filter_map(|part| Some(record::take(me, part, part.volume.as_ref()?)))
        .collect()
}

/// Asks for what is due: groups and single snapshots together, once the claims of all groups are marked.
fn asking(
    me: &Kept,
    groups: &[Group],
    seen: &Seen<'_>,
    memory: &Memory,
    stages: &BTreeMap<String, Stage>,
) -> Vec<Step> {
    let is_due = |part: &Part| matches!(stages.get(&part.service), Some(Stage::Due));
    let waits = |part: &Part| matches!(stages.get(&part.service), Some(Stage::Holding));
    let class = |part: &Part| group::of(groups, memory, part).map(|group| &group.class);
    let of = |which: &dyn Fn(&Part) -> bool| -> Vec<&Group> {
        let has = |group: &&Group| {
            let mut parts = memory.parts.iter().filter(|part| which(part));
            parts.any(|part| class(part) == Some(&group.class))
        };
        groups.iter().filter(has).collect()
    };
    let coming = of(&|part| is_due(part) || waits(part)).into_iter();
    let marks: Vec<Step> = coming
        .flat_map(|group| group.marks(&memory.parts, seen))
        .collect();
    if !marks.is_empty() {
        return marks;
    }
    let together = of(&is_due).into_iter().map(|group| group.take(me));
    let due = memory.parts.iter().filter(|part| is_due(part));
    let alone = asked(me, due.filter(|part| class(part).is_none()));
    together.chain(alone).collect()
}

fn taking(
    me: &Kept,
    seen: &Seen<'_>,
    memory: &Memory,
    stages: &BTreeMap<String, Stage>,
    now: Timestamp,
) -> Vec<Step> {
    let groups = group::groups(memory, me, seen);
    let mut steps = asking(me, &groups, seen, memory, stages);
    let (mut outcomes, mut held) = (BTreeMap::new(), memory.held.clone());
    let mut apart = memory.apart.clone();
    for (service, stage) in stages {
        match stage {
            Stage::Ended(outcome) | Stage::Lost(outcome) => {
                outcomes.insert(service.clone(), outcome.clone());
            }
            Stage::Caught(_) => {
                held.insert(service.clone());
            }
            Stage::Apart(class) => {
                apart.insert(class.clone());
            }
            Stage::Due | Stage::Holding | Stage::Asked { .. } => {}
        }
    }
    let given_up = groups.iter().filter(|group| apart.contains(&group.class));
    steps.extend(given_up.filter_map(Group::gone));
    let all = outcomes.len() == memory.parts.len();
    let marked = all.then(|| group::unmarked(&memory.parts, me, seen));
    let finished = marked.as_ref().is_some_and(Vec::is_empty).then_some(now);
    let news = outcomes != memory.outcomes || held != memory.held || apart != memory.apart;
    steps.push(if news || finished.is_some() {
        memory.note(&outcomes, &held, &apart, finished)
    } else {
        memory.keep()
    });
    steps.extend(marked.unwrap_or_default());
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
    let groups = group::groups(memory, me, seen);
    let empty = groups.iter().filter(|group| !group.is_good(memory));
    steps.extend(empty.filter_map(Group::gone));
    steps.push(memory.keep());
    steps
}
