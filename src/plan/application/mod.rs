//! Application: how it lives. What it runs, its Environments run; it makes only what it starts from.
//!
//! | state | means | leaves when |
//! |---|---|---|
//! | leaving | it is being deleted | what it made has gone with it |
//! | homeless | no Instance owns its namespace | one does |
//! | archived | nothing of it runs, and when its time is over it is deleted | `archive` is removed before that |
//! | suspended | the platform team said so | it takes that back |
//! | waiting | the template or the Application that it starts from is not there | it is |
//! | idle | no Environment releases it | one does |
//! | active | its Environments are as declared | one of them is not |
//! | spreading | its Environments have not all seen the last edit; told as active | they have |
//! | degraded | an Environment needs a person | it is put right |

mod archive;
mod report;
mod standstill;
mod start;

use jiff::Timestamp;
use serde_json::json;

pub use standstill::{Standstill, lock, standstill};
pub use start::{Lack, whole};

use self::{
    archive::Retirement,
    start::{Beginning, Start},
};
use super::{Found, Kept, Kind, Plan, Seen, Step, Watched, home::Home};
use crate::{
    api::{Application, Environment, application::CopyType, status::STALLED},
    kinds::Of,
};

impl Watched for Application {
    const OF: Of = Of::Application;

    fn keys(&self) -> Vec<String> {
        let copies = self.spec.copy_from.iter();
        let mirrors = copies.filter(|copy| copy.type_ == CopyType::Mirror);
        mirrors
            .map(|copy| format!("mirror/{}", copy.application_ref.name))
            .collect()
    }
}

/// All that a plan of one Application looks at.
struct Scene<'a> {
    application: &'a Application,
    me: &'a Kept,
    seen: &'a Seen<'a>,
    home: Home,
    environments: Vec<Found<Environment>>,
    mirrors: Vec<Found<Application>>,
    beginning: Beginning,
    retirement: Retirement,
}

enum State {
    Leaving,
    Homeless,
    Archived,
    Suspended,
    Waiting,
    Idle,
    Active,
    Spreading,
    Degraded(Vec<String>),
}

impl Kind for Application {
    fn plan(&self, me: &Kept, seen: &Seen<'_>, now: Timestamp) -> Plan {
        let name = &me.id.name;
        let scene = Scene {
            application: self,
            me,
            seen,
            home: Home::of(me, seen),
            environments: seen.by_key(&format!("application/{name}")),
            mirrors: seen.by_key(&format!("mirror/{name}")),
            beginning: start::beginning(seen, me, &self.spec),
            retirement: archive::retirement(self.spec.archive.as_ref(), me, now),
        };
        let state = observe(&scene);
        Plan {
            steps: scene.steps(&state),
            status: json!(report::status(&scene, &state)),
            wake: scene.retirement.until().filter(|until| *until > now),
            hold: false,
        }
    }
}

fn observe(scene: &Scene<'_>) -> State {
    if scene.me.deleting.is_some() {
        return State::Leaving;
    }
    if matches!(scene.home, Home::Nowhere) {
        return State::Homeless;
    }
    if scene.application.spec.archive.is_some() {
        return State::Archived;
    }
    if scene.application.spec.suspended.is_some() {
        return State::Suspended;
    }
    if matches!(scene.beginning, Beginning::Lacking(_)) {
        return State::Waiting;
    }
    // What they say was decided before the last edit: it is neither a success nor a failure of that edit.
    let generation = scene.me.generation;
    if scene.environments.iter().any(|e| is_behind(e, generation)) {
        return State::Spreading;
    }
    let stalled = scene.environments.iter().filter(|e| is_stalled(e));
    let stalled: Vec<String> = stalled.map(|e| e.name().to_owned()).collect();
    if !stalled.is_empty() {
        return State::Degraded(stalled);
    }
    match *scene.environments {
        [] => State::Idle,
        _ => State::Active,
    }
}

fn is_behind(environment: &Found<Environment>, generation: i64) -> bool {
    let status = environment.status.as_ref();
    let saw = status.and_then(|status| status.application_generation);
    environment.kept.deleting.is_none() && saw.is_some_and(|saw| saw < generation)
}

fn is_stalled(environment: &Environment) -> bool {
    let conditions = environment.status.iter().flat_map(|s| &s.conditions);
    conditions
        .clone()
        .any(|c| c.type_ == STALLED && c.status == "True")
}

impl Scene<'_> {
    /// What it took, or takes, when it began.
    fn start(&self) -> Option<&Start> {
        match &self.beginning {
            Beginning::Taken(start) | Beginning::Due(start) => Some(start),
            Beginning::Own | Beginning::Lacking(_) => None,
        }
    }

    fn steps(&self, state: &State) -> Vec<Step> {
        if matches!(state, State::Leaving) {
            return Vec::new();
        }
        let mut steps = match &self.beginning {
            Beginning::Taken(_) => vec![start::kept(self.me)],
            Beginning::Due(start) if !matches!(state, State::Homeless) => {
                start.steps(self.seen, self.me)
            }
            _ => Vec::new(),
        };
        if !matches!(state, State::Homeless) {
            steps.extend(archive::steps(self));
        }
        steps
    }
}
