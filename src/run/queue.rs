//! What is to be planned next: one pass at a time for each object, urgent before routine, fair between namespaces.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use super::metrics::Metrics;
use crate::plan::Id;

/// How soon an object is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Something changed.
    Urgent,
    /// A list was read again, or it is time.
    Routine,
}

/// The first wait after a failure; it doubles with each further one.
const FIRST: Duration = Duration::from_millis(250);
/// The longest wait after a failure.
const LONGEST: Duration = Duration::from_secs(300);
/// A change cuts a wait short, but never below this since the failure: what fails and what changes may be one thing.
const SHORTEST: Duration = Duration::from_secs(1);
/// One in so many turns goes to the routine lane though something is urgent.
const SHARE: u32 = 8;

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    /// All is as planned; plan again in so long, if ever.
    Done(Option<Duration>),
    /// It failed.
    Failed {
        /// Try again, but not before so long.
        least: Duration,
        /// How many steps were left to do: less than ever since the first failure is progress.
        left: usize,
    },
}

/// A pass that came to nothing: nobody knows how far it got.
pub const LOST: End = End::Failed {
    least: Duration::ZERO,
    left: usize::MAX,
};

#[derive(Default)]
struct Ring {
    turns: VecDeque<Arc<str>>,
    lanes: HashMap<Arc<str>, VecDeque<Id>>,
}

impl Ring {
    fn push(&mut self, id: Id) {
        let lane = self.lanes.entry(id.ns.clone()).or_default();
        if lane.is_empty() {
            self.turns.push_back(id.ns.clone());
        }
        lane.push_back(id);
    }

    fn pop(&mut self) -> Option<Id> {
        let ns = self.turns.pop_front()?;
        let lane = self.lanes.get_mut(&ns)?;
        let id = lane.pop_front();
        if lane.is_empty() {
            self.lanes.remove(&ns);
        } else {
            self.turns.push_back(ns);
        }
        id
    }

    fn remove(&mut self, id: &Id) {
        let Some(lane) = self.lanes.get_mut(&id.ns) else {
            return;
        };
        lane.retain(|other| other != id);
        if lane.is_empty() {
            self.lanes.remove(&id.ns);
            self.turns.retain(|ns| *ns != id.ns);
        }
    }
}

struct Failure {
    times: u32,
    at: Instant,
    left: usize,
}

#[derive(Default)]
struct State {
    rings: [Ring; 2],
    queued: HashMap<Id, (Lane, Instant)>,
    running: HashMap<Id, Option<Lane>>,
    timers: BTreeMap<(Instant, u64), Id>,
    parked: HashMap<Id, (Instant, u64)>,
    failures: HashMap<Id, Failure>,
    serial: u64,
    turn: u32,
    closed: bool,
}

/// What is to be planned next.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    bell: Notify,
    metrics: Arc<Metrics>,
}

impl Queue {
    /// An empty queue that counts what goes through it.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            metrics,
            ..Self::default()
        }
    }

    /// Plan this object soon. While it is being planned, it is planned once more afterwards.
    pub fn wake(&self, id: Id, lane: Lane) {
        let mut state = self.state.lock();
        if let Some(again) = state.running.get_mut(&id) {
            *again = Some(again.map_or(lane, |l| l.min(lane)));
            return;
        }
        if let Some(soonest) = state.soonest(&id) {
            state.park(&id, soonest);
        } else {
            state.push(id, lane, &self.metrics);
        }
        drop(state);
        self.bell.notify_one();
    }

    /// The same for many.
    pub fn wake_all(&self, ids: impl IntoIterator<Item = Id>, lane: Lane) {
        ids.into_iter().for_each(|id| self.wake(id, lane));
    }

    /// The next object to plan; nothing once the queue is closed. Whoever takes one says `done`.
    pub async fn next(&self) -> Option<Id> {
        loop {
            let until = {
                let mut state = self.state.lock();
                if state.closed {
                    return None;
                }
                state.due(&self.metrics);
                if let Some(id) = state.pop(&self.metrics) {
                    return Some(id);
                }
                state.timers.first_key_value().map(|((at, _), _)| *at)
            };
            let bell = self.bell.notified();
            match until {
                Some(at) => {
                    tokio::select! { () = bell => {}, () = tokio::time::sleep_until(at) => {} }
                }
                None => bell.await,
            }
        }
    }

    /// A pass has ended.
    pub fn done(&self, id: &Id, end: End) {
        let mut state = self.state.lock();
        let again = state.running.remove(id).flatten();
        match end {
            End::Failed { least, left } => {
                let wait = state.fail(id, left).max(least);
                self.metrics.retries.inc();
                state.park(id, Instant::now() + wait);
                if again.is_some()
                    && let Some(soonest) = state.soonest(id)
                {
                    state.park(id, soonest);
                }
            }
            End::Done(after) => {
                state.failures.remove(id);
                if let Some(lane) = again {
                    state.push(id.clone(), lane, &self.metrics);
                }
                if let Some(after) = after {
                    state.park(id, Instant::now() + after);
                }
            }
        }
        drop(state);
        self.bell.notify_one();
    }

    /// How often in a row this object failed and got no further.
    pub fn failures(&self, id: &Id) -> u32 {
        self.state.lock().failures.get(id).map_or(0, |f| f.times)
    }

    /// Hand out nothing more.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.bell.notify_one();
    }
}

impl State {
    /// When an object that failed may be tried again because of a change; nothing if it may be at once.
    fn soonest(&self, id: &Id) -> Option<Instant> {
        let failure = self.failures.get(id)?;
        let parked = self.parked.get(id)?.0;
        let soonest = (failure.at + SHORTEST).min(parked);
        (soonest > Instant::now()).then_some(soonest)
    }

    fn push(&mut self, id: Id, lane: Lane, metrics: &Metrics) {
        if let Some(timer) = self.parked.remove(&id) {
            self.timers.remove(&timer);
        }
        let since = match self.queued.get(&id) {
            Some((before, _)) if *before <= lane => return,
            Some((before, since)) => {
                self.rings[*before as usize].remove(&id);
                *since
            }
            None => {
                metrics.adds.inc();
                Instant::now()
            }
        };
        self.rings[lane as usize].push(id.clone());
        self.queued.insert(id, (lane, since));
        metrics.depth.set(self.queued.len() as i64);
    }

    fn pop(&mut self, metrics: &Metrics) -> Option<Id> {
        self.turn = self.turn.wrapping_add(1);
        let [urgent, routine] = &mut self.rings;
        let id = if self.turn.is_multiple_of(SHARE) {
            routine.pop().or_else(|| urgent.pop())
        } else {
            urgent.pop().or_else(|| routine.pop())
        }?;
        if let Some((_, since)) = self.queued.remove(&id) {
            metrics.waited.observe(since.elapsed().as_secs_f64());
        }
        metrics.depth.set(self.queued.len() as i64);
        self.running.insert(id.clone(), None);
        Some(id)
    }

    /// Wake at a time. An object has one timer: a sooner one replaces it; so does one that follows a failure.
    fn park(&mut self, id: &Id, at: Instant) {
        if self.queued.contains_key(id) {
            return;
        }
        if let Some(timer) = self.parked.get(id).copied() {
            if timer.0 <= at {
                return;
            }
            self.timers.remove(&timer);
        }
        self.serial += 1;
        self.timers.insert((at, self.serial), id.clone());
        self.parked.insert(id.clone(), (at, self.serial));
    }

    fn due(&mut self, metrics: &Metrics) {
        let now = Instant::now();
        while let Some(first) = self.timers.first_entry() {
            if first.key().0 > now {
                break;
            }
            let id = first.remove();
            self.parked.remove(&id);
            self.push(id, Lane::Routine, metrics);
        }
    }

    /// How long to wait after one more failure: twice as long as the last time, give or take a quarter, so that what failed together
    /// does not come back together. What got further than ever begins anew; what goes back and forth does not.
    fn fail(&mut self, id: &Id, left: usize) -> Duration {
        let failure = self.failures.entry(id.clone()).or_insert(Failure {
            times: 0,
            at: Instant::now(),
            left,
        });
        if left < failure.left {
            (failure.times, failure.left) = (0, left);
        }
        failure.times += 1;
        failure.at = Instant::now();
        let wait = FIRST
            .saturating_mul(1 << (failure.times - 1).min(16))
            .min(LONGEST);
        wait.mul_f64(0.75 + 0.5 * chance())
    }
}

/// Somewhere between 0 and 1.
fn chance() -> f64 {
    getrandom::u32().map_or(0.5, |n| f64::from(n) / f64::from(u32::MAX))
}
