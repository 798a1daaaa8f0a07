//! Service: how it lives.
//!
//! | state | means | leaves when |
//! |---|---|---|
//! | Leaving | its deletion was asked for | nothing of it runs and its data policy is carried out |
//! | Refused | what it asks for cannot be; what stands goes on | it, its class or its Instance is changed |
//! | Minting | its password is being made | the Secret of the data is seen |
//! | Coming | its first data comes from a Backup | the Secret of the data is seen |
//! | Adopting | it takes over what a deleted Service left | the Secret of the data says so |
//! | Living | its engine should stand as declared | its declaration or its deletion |
//!
//! How the engine does is in `standing.rs`, how the password changes in `rotation.rs`, how data is replaced in `restoring.rs`.

mod account;
mod attachments;
pub mod data;
pub mod engine;
mod keeping;
mod last;
mod leaving;
mod names;
mod report;
pub mod restoring;
mod rotation;
mod setup;
pub mod size;
mod standing;

use jiff::Timestamp;
use serde_json::json;

use account::{Access, Account};
use leaving::Leave;
use report::Said;
use rotation::Turn;
use setup::Setup;
use standing::{Parts, Standing, standing};

use super::{Kept, Kind, Plan, Seen, Step, Watched, verdict::Verdict};
use crate::{
    api::{Service, service::AttachmentStatus},
    kinds::Of,
};

impl Watched for Service {
    const OF: Of = Of::Service;
}

enum State {
    Leaving(Leave),
    Refused(Verdict, Option<Box<Setup>>),
    Minting(Box<Setup>, Step),
    Adopting(Box<Setup>, Step),
    Coming(Box<Setup>, Vec<Step>),
    Living(Box<Living>),
}

struct Living {
    setup: Setup,
    account: Account,
    parts: Parts,
    standing: Standing,
    turn: Turn,
    data: Vec<Step>,
    wake: Option<Timestamp>,
}

fn observe(service: &Service, me: &Kept, seen: &Seen<'_>, now: Timestamp) -> State {
    if me.deleting.is_some() {
        return State::Leaving(leaving::leave(service, me, seen));
    }
    let mut setup = match Setup::of(service, me, seen) {
        Ok(setup) => setup,
        Err(refusal) => return State::Refused(refusal, None),
    };
    match restoring::fresh(service, me, seen, &setup) {
        Some(Ok(steps)) => return State::Coming(Box::new(setup), steps),
        Some(Err(obstacle)) => return State::Refused(obstacle.verdict(), Some(Box::new(setup))),
        None => {}
    }
    let token = service
        .spec
        .credentials
        .as_ref()
        .and_then(|c| c.rotate.as_deref());
    let account = match Access::of(me, seen, &setup, token) {
        Access::Granted(account) => account,
        Access::ToMint(step) => return State::Minting(Box::new(setup), *step),
        Access::ToAdopt(step) => return State::Adopting(Box::new(setup), *step),
        Access::Lost(refusal) => return State::Refused(refusal, Some(Box::new(setup))),
    };
    let course = restoring::course(service, me, seen, &setup);
    setup.runs &= course.holds.is_none();
    setup.restoring = course.holds;
    let claim = setup.class.spec.data.as_ref().map(|_| setup.data.claim());
    let parts = Parts::of(seen, &me.id.name, claim.as_deref());
    let (standing, wake) = standing(&setup, &account, &parts, now);
    let serves = matches!(standing, Standing::Running | Standing::Updating);
    let turn = rotation::turn(service, me, seen, &setup, &account, serves);
    State::Living(Box::new(Living {
        setup,
        account,
        parts,
        standing,
        turn,
        data: course.steps,
        wake,
    }))
}

impl Kind for Service {
    fn plan(&self, me: &Kept, seen: &Seen<'_>, now: Timestamp) -> Plan {
        let attachments = attachments::of(me, seen);
        let workers = standing::workers(seen).len();
        let hold = leaving::needs_us(self);
        let (steps, setup, said, wake, hold) = match observe(self, me, seen, now) {
            State::Leaving(leave) => {
                let hold = me.held && hold && !leave.steps.is_empty();
                (leave.steps, None, Said::leaving(leave.snag), None, hold)
            }
            State::Refused(verdict, setup) => {
                let said = Said::refused(verdict, workers);
                (leaving::kept(seen), setup, said, None, hold)
            }
            State::Minting(setup, step) | State::Adopting(setup, step) => {
                let steps = leaving::kept(seen).into_iter().chain([step]).collect();
                (steps, Some(setup), Said::minting(), None, hold)
            }
            State::Coming(setup, coming) => {
                let steps = leaving::kept(seen).into_iter().chain(coming).collect();
                (steps, Some(setup), Said::coming(), None, hold)
            }
            State::Living(living) => {
                let said = Said::living(&living.setup, &living.standing, &living.turn);
                let mut steps = children(self, me, &living, &attachments);
                let (old, then) = data::aside(self, me, seen, now);
                let keeping = keeping::keeping(self, me, seen, &living.setup, now);
                let said = said.kept(&keeping);
                steps.extend(old.into_iter().chain(keeping.steps));
                let wakes = [living.wake, then, keeping.wake];
                let wake = wakes.into_iter().flatten().min();
                (steps, Some(Box::new(living.setup)), said, wake, hold)
            }
        };
        let status = report::status(me, said, setup.as_deref(), attachments, workers);
        Plan {
            steps,
            status: json!(status),
            wake,
            hold,
        }
    }
}

/// All that a Service is made of, in the order in which it is needed.
fn children(
    service: &Service,
    me: &Kept,
    living: &Living,
    attachments: &[AttachmentStatus],
) -> Vec<Step> {
    let Living {
        setup,
        account,
        parts,
        turn,
        data,
        ..
    } = living;
    let class = &setup.class.spec;
    let size = service
        .spec
        .storage
        .as_ref()
        .and_then(|s| s.size.as_deref());
    let set = engine::stateful_set(me, setup, account, parts.set.as_ref(), size);
    let attached = attachments.iter().map(|a| a.environment.clone()).collect();
    let mut steps = vec![Step::Apply(engine::fence(me, class, attached))];
    steps.extend(engine::addresses(me, class).map(Step::Apply));
    steps.push(Step::Apply(account.copy(me, setup)));
    match parts.other(&setup.data) {
        // Its claims are of other data: Kubernetes lets nobody change that, so it makes way once nothing of it runs.
        Some(other) => steps.push(standing::make_way(other, parts)),
        None => steps.push(Step::Apply(set)),
    }
    steps.extend(turn.steps.iter().cloned());
    steps.extend(data.iter().cloned());
    steps
}
