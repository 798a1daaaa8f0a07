//! Restore: how it lives.
//!
//! | state | means | leaves when |
//! |---|---|---|
//! | Leaving | its deletion was asked for; what it has done stays done | it is gone |
//! | Past | one of this name has run before on the same Service | never: it does not run again |
//! | Hindered | something is in the way | that is gone |
//! | Beginning | what comes from where is written down | that is seen |
//! | Moving | Services stop, what is there is made safe, then each turns to the new data | each serves it, or has failed |
//! | Finished | it is history, and can be undone for a while | never |
//!
//! The Services do the work, each in its own plan (`service/restoring.rs`): nobody else writes to their data. This plan says what may
//! happen when, and remembers it. A Service that is not there is made (`fresh.rs`), and starts from the Backup.

pub mod record;

mod course;
mod fresh;
pub mod holding;
mod report;
mod target;

use jiff::Timestamp;
use serde_json::json;

use record::{Memory, Part};

use super::{
    Found, Kept, Kind, Plan, Seen, Step, Watched, backup::subject::Obstacle, build::meta::marked,
    verdict::Verdict,
};
use crate::{
    api::{Environment, Restore},
    kinds::Of,
};

impl Watched for Restore {
    const OF: Of = Of::Restore;

    fn keys(&self) -> Vec<String> {
        let into = self.spec.services.iter();
        into.map(|service| format!("into/{}", service.into))
            .collect()
    }
}

enum State {
    Leaving,
    Past(String),
    Hindered(Obstacle),
    Beginning(Vec<Part>),
    Begun(Memory),
}

fn observe(restore: &Restore, me: &Kept, seen: &Seen<'_>) -> State {
    if me.deleting.is_some() {
        return State::Leaving;
    }
    if let Some(memory) = Memory::of(seen, me) {
        return State::Begun(memory);
    }
    if let Some(service) = target::past(restore, me, seen) {
        return State::Past(service);
    }
    match target::parts(restore, me, seen) {
        Ok(parts) => State::Beginning(parts),
        Err(obstacle) => State::Hindered(obstacle),
    }
}

impl Kind for Restore {
    fn plan(&self, me: &Kept, seen: &Seen<'_>, now: Timestamp) -> Plan {
        // What is written down is read by people: whole seconds.
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let mut wake = None;
        let (steps, status) = match observe(self, me, seen) {
            State::Leaving => {
                let verdict = Verdict::moving("Terminating", "It goes; what it has done stays.");
                let kept = Memory::of(seen, me).map(|m| Step::Keep(m.secret.kept.id.clone()));
                (kept.into_iter().collect(), report::not_begun(verdict))
            }
            State::Past(service) => (Vec::new(), report::past(&me.id.name, &service)),
            State::Hindered(obstacle) => (Vec::new(), report::not_begun(obstacle.verdict())),
            State::Beginning(parts) => {
                let verdict = Verdict::moving("InProgress", "What comes from where is noted.");
                (vec![record::begin(me, &parts)], report::not_begun(verdict))
            }
            State::Begun(memory) => {
                let course = course::course(me, seen, &memory, now);
                wake = course.wake;
                let status = report::begun(self, me, seen, &memory, &course);
                let mut steps = course.steps;
                steps.extend(listed(me, seen, &memory));
                (steps, status)
            }
        };
        Plan {
            steps,
            status: json!(status),
            wake,
            hold: false,
        }
    }
}

/// Labels by which the Restores into a Service or an Environment can be listed.
fn listed(me: &Kept, seen: &Seen<'_>, memory: &Memory) -> Option<Step> {
    let of_service = |part: &Part| {
        let made = || Some(fresh::made(seen, part, me)?.kept.uid.to_string());
        let uid = match part.new {
            None => Some(part.uid.clone()),
            Some(_) => made(),
        };
        Some((format!("service-{}", part.into), uid?))
    };
    let mut marks: Vec<(String, String)> = memory.parts.iter().filter_map(of_service).collect();
    if memory.progress.finished.is_none() {
        for part in &memory.parts {
            let attached = seen.by_key::<Environment>(&format!("service/{}", part.into));
            let mark =
                |e: &Found<Environment>| (format!("environment-{}", e.name()), String::new());
            marks.extend(attached.iter().map(mark));
        }
    }
    marked(me, marks)
}
