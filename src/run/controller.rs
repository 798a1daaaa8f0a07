//! One pass over one object: plan, do what differs in the plan's order, prune, plan again until nothing differs, then say so once.

use std::{collections::HashSet, sync::Arc, time::Duration};

use jiff::Timestamp;
use kube::Client;
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::{Instrument, debug, error, info, info_span, warn};

use super::{
    cache::Cache,
    client::Requests,
    crew::guard,
    edits, events, fields,
    metrics::{self, Metrics},
    queue::{End, LOST, Queue},
    report,
    steps::{self, Hands},
    stores::{Progress, Record},
    trouble::{Cause, Trouble},
    view::View,
    wire::Unreadable,
};
use crate::{
    kinds::Of,
    plan::{Gone, Id, Kept, Plan, Seen},
};

/// A plan is made at most so often in a pass: one that does not come to rest is left alone for a while.
const ROUNDS: usize = 4;
/// How soon an object that waits for a refused watch is looked at again.
const LOOK: Duration = Duration::from_secs(5);
/// How long an object is left alone that waits for a time.
const AT_LATEST: Duration = Duration::from_secs(15 * 60);
/// Between two writes of a status that differ in figures only.
const PAUSE: Duration = Duration::from_secs(2);
/// A trouble that passes by itself is told only when it has come so often in a row.
const PATIENCE: u32 = 3;

/// What works on the objects that the queue hands out.
pub struct Controller {
    /// What is known.
    pub cache: Arc<Cache>,
    /// What is next.
    pub queue: Arc<Queue>,
    /// The way to the API server.
    pub requests: Requests,
    /// The same, for events.
    pub client: Client,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Who this process is.
    pub me: String,
}

/// How a pass ended.
enum Pass {
    /// All is as planned, as far as it can be now.
    Settled(Option<Timestamp>),
    /// A watch is not whole yet; it wakes the object when it is.
    Early,
    /// The same, and it is refused: people should hear of it.
    Unwatched,
}

/// A plan, with what is to be done of it.
struct Round {
    plan: Plan,
    due: Vec<usize>,
    strays: Vec<Arc<Kept>>,
    again: bool,
}

/// A kind in a namespace whose watch is not whole.
type Early = (Of, Arc<str>);

impl Controller {
    /// One pass, whatever happens in it.
    pub async fn one(&self, id: &Id) -> End {
        let begun = Instant::now();
        self.metrics.active.inc();
        let record = self.cache.record(id);
        let span = info_span!(
            "reconcile",
            kind = id.of.entry().kind,
            namespace = &*id.ns,
            name = &*id.name,
            generation = record.as_ref().map(|r| r.kept.generation),
        );
        let pass = guard(self.pass(id)).instrument(span.clone()).await;
        let _inside = span.entered();
        let (end, result) = match pass {
            Ok(Ok(Pass::Settled(wake))) => (End::Done(wake.map(until)), "success"),
            Ok(Ok(Pass::Early)) => (End::Done(None), "requeue_after"),
            Ok(Ok(Pass::Unwatched)) => (End::Done(Some(LOOK)), "requeue_after"),
            Ok(Err(trouble)) => (put_off(&trouble), "error"),
            Err(lost) => {
                error!(%lost, "a pass came to nothing");
                (LOST, "error")
            }
        };
        self.count(id, result, begun);
        end
    }

    fn count(&self, id: &Id, result: &'static str, begun: Instant) {
        let controller = id.of.entry().kind.to_lowercase();
        let labels = metrics::Controller {
            controller: controller.clone(),
        };
        if result == "error" {
            self.metrics.errors.get_or_create(&labels).inc();
        }
        let time = self.metrics.time.get_or_create(&labels);
        time.observe(begun.elapsed().as_secs_f64());
        drop(time);
        let labels = metrics::Pass { controller, result };
        self.metrics.passes.get_or_create(&labels).inc();
        self.metrics.active.dec();
    }

    async fn pass(&self, id: &Id) -> Result<Pass, Trouble> {
        for _ in 0..ROUNDS {
            let Some(record) = self.cache.record(id) else {
                return Ok(Pass::Settled(None));
            };
            if let Some(unreadable) = self.unreadable(&record) {
                return self.fail(&record, Value::Null, unreadable).await;
            }
            let hands = self.hands(&record.kept);
            let round = match self.plan(&record, &hands) {
                Ok(round) => round,
                Err(early) => return self.early(&record, early).await,
            };
            if round.plan.hold && !record.kept.held && record.kept.deleting.is_none() {
                hands.hold().await?;
                continue;
            }
            if round.due.is_empty() && round.strays.is_empty() {
                if round.again {
                    continue;
                }
                return self.settle(&record, round.plan).await;
            }
            if let Err(trouble) = self.carry_out(&hands, &round).await {
                return self.fail(&record, round.plan.status, trouble).await;
            }
        }
        warn!("the plan does not come to rest");
        let restless = Cause::Unreachable("the plan does not come to rest".to_owned());
        Err(Trouble::new(id, "settle", restless))
    }

    fn hands<'a>(&'a self, me: &'a Kept) -> Hands<'a> {
        Hands {
            cache: &self.cache,
            queue: &self.queue,
            requests: &self.requests,
            me,
        }
    }

    fn unreadable(&self, record: &Record) -> Option<Trouble> {
        let body: &(dyn std::any::Any + Send + Sync) = record.kept.body.as_ref();
        let unreadable = body.downcast_ref::<Unreadable>()?;
        let cause = Cause::Invalid(format!("it cannot be read ({})", unreadable.0));
        Some(Trouble::new(&record.kept.id, "read", cause))
    }

    /// The plan, and what of it is to be done; or what it depends on and is not known yet.
    fn plan(&self, record: &Record, hands: &Hands<'_>) -> Result<Round, Early> {
        let me = &record.kept;
        let early = |of, ns: &Arc<str>| match self.cache.wait(&me.id, of, ns) {
            true => Ok(()),
            false => Err((of, ns.clone())),
        };
        if !me.id.ns.is_empty() {
            self.cache
                .inside()
                .try_for_each(|of| early(of, &me.id.ns))?;
        }
        let epoch = self.cache.epoch();
        let view = View::new(&self.cache, &me.id);
        let seen = Seen::new(&view, me);
        let plan = match me.id.of.entry().plan {
            Some(planner) => planner(me, &seen, Timestamp::now()),
            None => Plan::default(),
        };
        let again = self.cache.remember(&me.id, &seen.into_log(), epoch);
        if let Some((of, ns)) = view.early() {
            early(of, &ns)?;
        }
        let targets = plan.steps.iter().map(steps::target);
        let exempt = |of| me.id.ns.is_empty() && self.cache.inside().any(|inside| inside == of);
        for id in targets.clone().filter(|id| !exempt(id.of)) {
            early(id.of, &id.ns)?;
        }
        let named: HashSet<&Id> = targets.collect();
        let strays = self.strays(me, &named);
        let due = (0..plan.steps.len()).filter(|i| hands.due(&plan.steps[*i]));
        Ok(Round {
            due: due.collect(),
            again,
            strays,
            plan,
        })
    }

    /// The plan has to wait for a watch. If that is refused for long, say so, beside what was said before.
    async fn early(&self, record: &Record, (of, ns): Early) -> Result<Pass, Trouble> {
        let id = Id::new(of, ns, "");
        match self.cache.refused(of, &id.ns) {
            None if matches!(self.cache.sync(of, &id.ns), Some(Progress::Failing(..))) => {
                Ok(Pass::Unwatched)
            }
            None => Ok(Pass::Early),
            Some(cause) => {
                let before = record.status.as_deref().unwrap_or("{}");
                let before = serde_json::from_str(before).unwrap_or_default();
                let cause = match self.cache.lacks(&id.ns) {
                    Some(instance) => Cause::NoInstance(instance),
                    None => cause,
                };
                let trouble = Trouble::new(&id, "watch", cause);
                self.say(record, report::refused(before, &trouble)).await?;
                Ok(Pass::Unwatched)
            }
        }
    }

    /// What is ours and goes with us, but is not in the plan. Never data; and nothing once we are being deleted ourselves: then the plan
    /// says what goes, and the garbage collector sees to the rest.
    fn strays(&self, me: &Kept, named: &HashSet<&Id>) -> Vec<Arc<Kept>> {
        if me.deleting.is_some() {
            return Vec::new();
        }
        let mine = self.cache.read(|s| s.prunable(&me.uid)).into_iter();
        mine.filter(|k| !named.contains(&k.id) && !k.id.of.holds_data())
            .collect()
    }

    async fn carry_out(&self, hands: &Hands<'_>, round: &Round) -> Result<(), Trouble> {
        let mut left = round.due.len() + round.strays.len();
        for step in round.due.iter().filter_map(|i| round.plan.steps.get(*i)) {
            debug!(object = %steps::target(step), "step");
            let done = hands.carry_out(step).await;
            done.map_err(|trouble| trouble.leaving(left))?;
            left -= 1;
        }
        for stray in &round.strays {
            info!(object = %stray.id, "pruned");
            let gone = Gone {
                id: stray.id.clone(),
                uid: stray.uid.to_string(),
            };
            let done = hands.delete(&gone).await;
            done.map_err(|trouble| trouble.leaving(left))?;
            left -= 1;
        }
        Ok(())
    }

    async fn settle(&self, record: &Record, plan: Plan) -> Result<Pass, Trouble> {
        let me = &record.kept;
        if me.deleting.is_some() && me.held && !plan.hold {
            self.hands(me).release().await?;
            return Ok(Pass::Settled(plan.wake));
        }
        let later = self.say(record, plan.status).await?;
        let later = later.and_then(|wait| Timestamp::now().checked_add(wait).ok());
        Ok(Pass::Settled(plan.wake.into_iter().chain(later).min()))
    }

    /// Say what was refused, then back off. What passes by itself is not told at once.
    async fn fail(
        &self,
        record: &Record,
        planned: Value,
        trouble: Trouble,
    ) -> Result<Pass, Trouble> {
        let patient = self.queue.failures(&record.kept.id) < PATIENCE;
        // A right that was just given is not known at once.
        let passes = trouble.passes() || matches!(trouble.cause, Cause::Forbidden(_));
        if !(passes && patient) {
            let record = self.cache.record(&record.kept.id);
            let status = report::refused(planned, &trouble);
            if let Some(record) = record {
                self.say(&record, status).await?;
            }
        }
        Err(trouble)
    }

    /// Write the status, if it says anything new, and tell the news. Figures that change while pods come and go are written at most every
    /// so often: then, how long to wait is returned.
    async fn say(&self, record: &Record, planned: Value) -> Result<Option<Duration>, Trouble> {
        let me = &record.kept;
        let before = record.status.as_deref().unwrap_or("{}");
        let before: Value = serde_json::from_str(before).unwrap_or_default();
        let status = report::status(planned, &before, me.generation, Timestamp::now());
        let hash = fields::hash(&status);
        if status.is_null() || status == before || record.sent == hash {
            return Ok(None);
        }
        let wait = record
            .said
            .map_or(Duration::ZERO, |at| PAUSE.saturating_sub(at.elapsed()));
        if !wait.is_zero() && !report::turns(&before, &status) {
            return Ok(Some(wait));
        }
        let patch = report::patch(&before, &status);
        let body = json!({"metadata": {"uid": &*me.uid}, "status": patch});
        match self.requests.merge_status(&me.id, &body).await {
            Ok(wire) => self.hands(me).keep_status(&me.id, &wire, 0, hash),
            Err(trouble) if trouble.cause == Cause::NotFound => return Ok(None),
            Err(trouble) => return Err(trouble),
        }
        let mut news = edits::news(&self.cache.told(&me.id, me.generation));
        news.extend(report::news(&before, &status));
        if !news.is_empty() {
            events::tell(&self.client, &self.me, me, news).await;
        }
        Ok(None)
    }
}

fn put_off(trouble: &Trouble) -> End {
    match trouble.cause {
        Cause::Conflict | Cause::Fenced => debug!(%trouble, "put off"),
        _ => warn!(%trouble, "put off"),
    }
    let least = match trouble.cause {
        Cause::Busy(wait) => wait,
        _ => Duration::ZERO,
    };
    let left = trouble.left;
    End::Failed { least, left }
}

/// How long from now; but never so long that a clock that was put right, or a machine that slept, goes unnoticed for hours.
fn until(at: Timestamp) -> Duration {
    let wait = Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or(Duration::ZERO);
    wait.min(AT_LATEST)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_clock_that_is_put_back_delays_nothing_for_hours() {
        let from_now = |minutes| until(Timestamp::now() + SignedDuration::from_mins(minutes));
        assert_eq!(from_now(24 * 60), AT_LATEST);
        assert!(from_now(5) > Duration::from_secs(290));
        assert_eq!(from_now(-5), Duration::ZERO);
    }
}
