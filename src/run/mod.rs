//! What we do: the only async code. It knows no kind by name, only [`crate::kinds::KINDS`] and the vocabulary of [`crate::plan`].
//!
//! ```text
//! watch ─► wire ─► cache (stores, indices) ─► view ─► plan ─► steps ─► client ─► API server
//!                    │ change                          ▲         └─ the answer goes into the cache too
//!                    └► wake: who read this? ─► queue ─┘ controller: one pass an object
//! ```
//!
//! It is our own because what kube's runtime offers loses updates on a re-list, can hang with shared streams, never recovers
//! from an HTTP 410 on a watch's start, sets no deadlines and retries inside calls; the tests of this module name each.

pub mod cache;
pub mod client;
pub mod controller;
pub mod crew;
pub mod edits;
mod events;
pub mod fence;
pub mod fenced;
pub mod fields;
pub mod fill;
mod index;
pub mod lease;
pub mod metrics;
pub mod probe;
pub mod queue;
pub mod reach;
pub mod report;
pub mod seed;
pub mod serve;
pub mod steps;
pub mod stores;
pub mod trouble;
pub mod view;
pub mod wake;
pub mod watch;
pub mod wire;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kube::Config;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info};

use self::{
    cache::Cache,
    client::Requests,
    controller::Controller,
    fence::Fence,
    lease::Lease,
    metrics::Metrics,
    queue::{Lane, Queue},
    seed::Seed,
    watch::Watches,
};
use crate::plan::Id;

/// Every object is planned again so often even if nothing happened. Nothing is asked for it; it is for what went unnoticed.
const RESYNC: Duration = Duration::from_secs(600);

/// What the operator is told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether several processes share the work of one.
    pub elect: bool,
    /// The namespace that the operator runs in.
    pub namespace: String,
    /// The service account that it runs as.
    pub account: String,
    /// Its own image, for the small jobs that it does inside an Instance.
    pub image: Option<String>,
    /// What this process is called on the Lease and in Events.
    pub identity: String,
    /// What is made once in the life of the cluster.
    pub seed: Seed,
    /// Whether it is.
    pub plants: bool,
    /// Where probes and metrics are answered.
    pub listen: SocketAddr,
    /// How many objects are worked on at once.
    pub concurrency: u32,
}

/// Why the operator ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Where the API server is, or who we are, is not known.
    #[error("the cluster cannot be found: {0}")]
    Config(#[from] kube::config::InferConfigError),
    /// The client cannot be made.
    #[error("the client cannot be made: {0}")]
    Client(#[from] kube::Error),
    /// Signals cannot be listened to, or the address is taken.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Somebody else leads now: whatever this process still believed is void.
    #[error("the Lease is lost")]
    LeaseLost,
}

/// Run until told to stop.
pub async fn run(settings: Settings) -> Result<(), Error> {
    let mut config = Config::infer().await?;
    config.default_retry = false;
    let metrics = Arc::new(Metrics::default());
    let account = (settings.namespace.clone(), settings.account.clone());
    let cache = Arc::new(Cache::new(account).with_image(settings.image.clone()));
    let queue = Arc::new(Queue::new(metrics.clone()));
    let fence = Fence::default();
    let requests = client::client(&config, &metrics, Fence::opened())?;
    let watches = client::client(&config, &metrics, Fence::opened())?;
    let writes = client::client(&config, &metrics, fence.clone())?;
    let lease = Lease::new(
        requests.clone(),
        watches.clone(),
        &settings.namespace,
        settings.identity.clone(),
        fence.clone(),
    );
    Watches {
        client: watches,
        cache: cache.clone(),
        queue: queue.clone(),
    }
    .start();
    let controller = Arc::new(Controller {
        requests: Requests::new(writes, fence.clone()),
        cache: cache.clone(),
        queue: queue.clone(),
        client: requests,
        metrics: metrics.clone(),
        me: settings.identity.clone(),
    });
    let taken = Arc::new(AtomicBool::new(false));
    tokio::spawn({
        let (seed, client, taken) = (
            settings.seed.clone(),
            controller.client.clone(),
            taken.clone(),
        );
        async move {
            seed.is_taken(&client).await;
            taken.store(true, Ordering::Relaxed);
        }
    });
    let served = serve::serve(settings.listen, cache, taken, metrics);
    tokio::select! {
        ended = served => ended.map_err(Error::from),
        ended = lead(settings, lease, fence, controller) => ended,
    }
}

/// Wait to lead and for whole caches, work, and stop when told to or when somebody else leads.
async fn lead(
    settings: Settings,
    mut lease: Lease,
    fence: Fence,
    controller: Arc<Controller>,
) -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    };
    tokio::pin!(stop);
    if settings.elect {
        tokio::select! {
            () = lease.acquire() => {}
            () = &mut stop => return Ok(()),
        }
    } else {
        fence.open();
    }
    info!("leading");
    controller.metrics.leads.set(1);
    let keep = async {
        if settings.elect {
            lease.keep().await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    let work = tokio::spawn(work(controller.clone(), settings.clone()));
    let lost = tokio::select! {
        () = keep => true,
        () = &mut stop => false,
    };
    if lost {
        error!("the Lease is lost");
        return Err(Error::LeaseLost);
    }
    info!("stopping");
    controller.queue.close();
    let _ = tokio::time::timeout(Duration::from_secs(10), work).await;
    lease.release().await;
    Ok(())
}

async fn work(controller: Arc<Controller>, settings: Settings) {
    controller.cache.whole().await;
    info!("synced");
    if settings.plants {
        let seed = settings.seed;
        tokio::spawn(seed.plant(controller.client.clone(), settings.namespace));
    }
    let again = controller.clone();
    let resync = tokio::spawn(async move {
        loop {
            tokio::time::sleep(RESYNC).await;
            again.queue.wake_all(again.cache.planned(), Lane::Routine);
        }
    });
    let queue = controller.queue.clone();
    controller.metrics.most.set(i64::from(settings.concurrency));
    let pass = move |id: Id| {
        let controller = controller.clone();
        async move { controller.one(&id).await }
    };
    crew::work(queue, settings.concurrency, pass).await;
    resync.abort();
}
