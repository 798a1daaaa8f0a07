//! How far a Restore is, and what it does next.

use jiff::{SignedDuration, Timestamp};

use super::record::{Memory, Outcome, Part, Progress};
use crate::{
    api::Service,
    plan::{
        Found, Kept, Seen, Step,
        backup::safety::{self, Safety},
        facts::StatefulSet,
        service::data::{self, Data},
    },
};

/// How long an engine may take until it serves what was restored.
pub const PATIENCE: SignedDuration = SignedDuration::from_mins(30);
/// How long what was there before is kept in a Backup.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What a Restore does next.
pub struct Course {
    /// What to do.
    pub steps: Vec<Step>,
    /// What each part waits for, by the name of the Service.
    pub waits: Vec<(String, Wait)>,
    /// What it has come to.
    pub progress: Progress,
    /// When to look again.
    pub wake: Option<Timestamp>,
}

/// What a part waits for.
#[derive(Clone, Debug, PartialEq)]
pub enum Wait {
    /// That its Service is made.
    Made,
    /// That nothing of the Service runs.
    Stop,
    /// That what is there is safe.
    Safety(Option<String>),
    /// That the Service turns to the new data.
    Turn,
    /// That it serves it.
    Service,
}

/// Name of the Backup of what was there before.
pub fn kept_in(restore: &str) -> String {
    format!("{restore}-safety")
}

/// What the Restore does next.
pub fn course(me: &Kept, seen: &Seen<'_>, memory: &Memory, now: Timestamp) -> Course {
    let mut course = Course {
        steps: Vec::new(),
        waits: Vec::new(),
        progress: memory.progress.clone(),
        wake: None,
    };
    let open: Vec<&Part> = memory
        .parts
        .iter()
        .filter(|part| memory.is_under_way(part))
        .collect();
    for part in &open {
        match &part.new {
            Some(new) => course.make(me, seen, part, new, now),
            None => course.advance(me, seen, part, now),
        }
    }
    let unsafe_yet =
        |part: &&&Part| part.new.is_none() && !memory.progress.safe.contains(&part.into);
    let due: Vec<&Part> = open
        .iter()
        .filter(unsafe_yet)
        .filter(|part| !course.progress.outcomes.contains_key(&part.into))
        .copied()
        .collect();
    if !due.is_empty() && due.iter().all(|part| is_stopped(seen, part)) {
        course.make_safe(me, seen, memory, &due, now);
    }
    let ended = course.progress.outcomes.len() == memory.parts.len();
    if ended && course.progress.finished.is_none() {
        course.progress.finished = Some(now.to_string());
    }
    course.steps.push(memory.note(&course.progress));
    course
}

/// The data of a Service that this Restore brought.
pub fn brought(service: &Found<Service>, seen: &Seen<'_>, restore: &Kept) -> Option<Data> {
    let all = data::all(service, &service.kept, seen);
    all.into_iter()
        .find(|data| data.secret.kept.annotation(data::RESTORED_BY) == Some(&*restore.uid))
}

/// The Service of a part, if it is still the same.
pub fn service(seen: &Seen<'_>, part: &Part) -> Option<Found<Service>> {
    let service = seen.get::<Service>(&part.into)?;
    (*service.kept.uid == *part.uid && service.kept.deleting.is_none()).then_some(service)
}

/// Whether nothing of the Service runs.
fn is_stopped(seen: &Seen<'_>, part: &Part) -> bool {
    let set = seen.get::<StatefulSet>(&part.into);
    set.filter(|set| set.kept.owner.as_deref() == Some(&*part.uid))
        .is_none_or(|set| set.spec.replicas == Some(0) && set.status.replicas == 0)
}

/// Whether the Service is as declared, on this data.
pub fn serves(service: &Found<Service>, data: &str) -> bool {
    let Some(status) = &service.status else {
        return false;
    };
    let ready = |c: &&crate::api::status::Condition| c.type_ == "Ready" && c.status == "True";
    status.data.as_deref() == Some(data) && status.conditions.iter().any(|c| ready(&c))
}

impl Course {
    pub(super) fn end(&mut self, part: &Part, now: Timestamp, error: Option<String>) {
        let outcome = Outcome {
            ended_at: now.to_string(),
            error,
        };
        self.progress.outcomes.insert(part.into.clone(), outcome);
    }

    /// Looks at one part that has not ended.
    fn advance(&mut self, me: &Kept, seen: &Seen<'_>, part: &Part, now: Timestamp) {
        let name = &part.into;
        let Some(service) = service(seen, part) else {
            let error = format!("Service {name} was deleted meanwhile.");
            return self.end(part, now, Some(error));
        };
        let Some(data) = brought(&service, seen, me) else {
            let wait = match (self.progress.safe.contains(name), is_stopped(seen, part)) {
                (true, _) => Wait::Turn,
                (false, true) => Wait::Safety(None),
                (false, false) => Wait::Stop,
            };
            self.waits.push((name.clone(), wait));
            return;
        };
        if serves(&service, &data.name.template()) {
            return self.end(part, now, None);
        }
        let until = data.secret.kept.created + PATIENCE;
        if now < until {
            self.wake = Some(self.wake.map_or(until, |wake| wake.min(until)));
            self.waits.push((name.clone(), Wait::Service));
            return;
        }
        let error = format!(
            "Service {name} has the data, but did not serve it within {} minutes: `kubectl describe msvc {name} -n {}` says why. What was there before is kept; `spec.undo: true` on this Restore puts it back.",
            PATIENCE.as_mins(),
            service.kept.id.ns
        );
        self.end(part, now, Some(error));
    }

    /// What is there goes into a Backup, while nothing writes to it.
    fn make_safe(
        &mut self,
        me: &Kept,
        seen: &Seen<'_>,
        memory: &Memory,
        due: &[&Part],
        now: Timestamp,
    ) {
        let wanted = safety_of(me, memory);
        let (step, progress) = wanted.of(me, seen);
        self.steps.push(step);
        for part in due {
            let why = match &progress {
                safety::Progress::UnderWay => {
                    let wait = Wait::Safety(Some(wanted.name.clone()));
                    self.waits.retain(|(name, _)| *name != part.into);
                    self.waits.push((part.into.clone(), wait));
                    continue;
                }
                // It does not wait for somebody to put that right while the Service stands still.
                safety::Progress::Hindered(why) => Some(why.clone()),
                safety::Progress::Ended(held) => safety::lacks(held, &part.into),
            };
            match why {
                Some(why) => self.unsafe_because(part, &why, now),
                None => {
                    self.progress.safe.insert(part.into.clone());
                }
            }
        }
    }

    fn unsafe_because(&mut self, part: &Part, why: &str, now: Timestamp) {
        let error = format!(
            "What is in Service {} could not be made safe, so nothing was replaced: {why}",
            part.into
        );
        self.waits.retain(|(name, _)| *name != part.into);
        self.end(part, now, Some(error.chars().take(1000).collect()));
    }
}

/// The parts whose Services were there before.
pub fn replaced(memory: &Memory) -> impl Iterator<Item = &Part> {
    memory.parts.iter().filter(|part| part.new.is_none())
}

/// The Backup of what was there before, which goes after a while.
fn safety_of<'a>(me: &Kept, memory: &'a Memory) -> Safety<'a> {
    let restore = &me.id.name;
    Safety {
        name: kept_in(restore),
        trigger: "Safety",
        services: replaced(memory).map(|part| part.into.as_str()).collect(),
        notes: format!("What was there before Restore {restore}"),
        delete_at: Some(memory.began() + KEPT),
    }
}
