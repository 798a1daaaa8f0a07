//! What is counted, under the names that dashboards for controllers already know.

use std::sync::Arc;

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// How a pass over an object of a kind ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Pass {
    /// The kind, in lowercase.
    pub controller: String,
    /// `success`, `error` or `requeue_after`.
    pub result: &'static str,
}

/// A kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Controller {
    /// The kind, in lowercase.
    pub controller: String,
}

/// A request and how it was answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Request {
    /// Status code, or `<error>`.
    pub code: String,
    /// Method.
    pub method: String,
}

/// What is counted.
pub struct Metrics {
    registry: Registry,
    /// Passes.
    pub passes: Family<Pass, Counter>,
    /// Passes that failed.
    pub errors: Family<Controller, Counter>,
    /// How long a pass took.
    pub time: Family<Controller, Histogram, fn() -> Histogram>,
    /// Passes under way.
    pub active: Gauge,
    /// Passes that may be under way at once.
    pub most: Gauge,
    /// Objects that wait.
    pub depth: Gauge,
    /// Objects that were put into the queue.
    pub adds: Counter,
    /// Passes that are tried again.
    pub retries: Counter,
    /// How long objects waited.
    pub waited: Histogram,
    /// Requests.
    pub requests: Family<Request, Counter>,
    /// Whether this process leads.
    pub leads: Gauge,
}

fn histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.0001, 4.0, 10))
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            passes: Family::default(),
            errors: Family::default(),
            time: Family::new_with_constructor(histogram),
            active: Gauge::default(),
            most: Gauge::default(),
            depth: Gauge::default(),
            adds: Counter::default(),
            retries: Counter::default(),
            waited: histogram(),
            requests: Family::default(),
            leads: Gauge::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let r = &mut self.registry;
        let controllers = "controller_runtime_";
        r.register(
            format!("{controllers}reconcile"),
            "Passes over an object, by how they ended",
            self.passes.clone(),
        );
        r.register(
            format!("{controllers}reconcile_errors"),
            "Passes that failed",
            self.errors.clone(),
        );
        r.register(
            format!("{controllers}reconcile_time_seconds"),
            "How long a pass takes",
            self.time.clone(),
        );
        r.register(
            format!("{controllers}active_workers"),
            "Passes under way",
            self.active.clone(),
        );
        r.register(
            format!("{controllers}max_concurrent_reconciles"),
            "Passes that may be under way at once",
            self.most.clone(),
        );
        r.register("workqueue_depth", "Objects that wait", self.depth.clone());
        r.register(
            "workqueue_adds",
            "Objects put into the queue",
            self.adds.clone(),
        );
        r.register(
            "workqueue_retries",
            "Passes tried again",
            self.retries.clone(),
        );
        r.register(
            "workqueue_queue_duration_seconds",
            "How long objects wait",
            self.waited.clone(),
        );
        r.register(
            "rest_client_requests",
            "Requests to the API server, by method and answer",
            self.requests.clone(),
        );
        r.register(
            "leader_election_master_status",
            "Whether this process leads",
            self.leads.clone(),
        );
    }

    /// All of it as text.
    pub fn text(self: &Arc<Self>) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
