//! The watches that feed the cache: one a kind, or one a kind and Instance. Each goes its own way: one that is slow or refused
//! holds up no other.

use std::{collections::HashMap, pin::pin, sync::Arc, time::Duration};

use futures::{Stream, StreamExt};
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, PartialObjectMeta},
    runtime::watcher::{self, Error, Event, watcher},
};
use tokio::task::JoinHandle;
use tracing::{debug, warn};

use super::{
    cache::Cache,
    queue::{Lane, Queue},
    stores::{Doubtful, Live, Place, Progress},
    trouble::Cause,
    wire::{Fresh, Wire, resource},
};
use crate::{
    api,
    kinds::{Entry, KINDS, Of, Watch},
    plan::Id,
};

/// How long a watch lasts before the server ends it.
const LAST: u32 = 290;
/// A list of which nothing is heard for so long is dead. A watch may be quiet for ever, and kube sees to those that are dead.
const SILENCE: Duration = Duration::from_secs(360);
/// The first wait after a watch was refused; it doubles with each further one.
const FIRST: Duration = Duration::from_millis(200);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(30);
/// The longest wait for a server that does not answer at all: asking it costs nothing, and it comes back without a word.
const NEAR: Duration = Duration::from_secs(5);
/// How often a cluster is asked for a kind that it lacks, such as snapshots of volumes: it may learn it later.
const LACKING: Duration = Duration::from_secs(300);
/// From this wait on, people are told.
const LASTING: Duration = Duration::from_secs(3);

/// What the watches feed.
#[derive(Clone)]
pub struct Watches {
    /// Where requests go.
    pub client: Client,
    /// Where objects go.
    pub cache: Arc<Cache>,
    /// Who is told.
    pub queue: Arc<Queue>,
}

impl Watches {
    /// Watch everything, for ever.
    pub fn start(self) {
        let inside: fn(&&Entry) -> bool = |e| e.watch == Watch::InInstances;
        for entry in KINDS.iter().filter(|e| !inside(e)) {
            tokio::spawn(self.clone().watch(entry, Place::everywhere()));
        }
        for entry in KINDS.iter().filter(inside) {
            tokio::spawn(self.clone().follow(entry));
        }
    }

    /// Watch a kind in each Instance's namespace, as they come and go.
    async fn follow(self, entry: &'static Entry) {
        let mut running: HashMap<Place, JoinHandle<()>> = HashMap::new();
        loop {
            let rung = self.cache.hosts.notified();
            let wanted = self.cache.places(entry.of);
            running.retain(|place, task| {
                let stays = wanted.contains(place);
                if !stays {
                    task.abort();
                }
                stays
            });
            for place in wanted {
                running
                    .entry(place.clone())
                    .or_insert_with(|| tokio::spawn(self.clone().watch(entry, place)));
            }
            rung.await;
        }
    }

    /// Watch a kind in a namespace, or everywhere.
    async fn watch(self, entry: &'static Entry, place: Place) {
        let mut wait = FIRST;
        loop {
            let ended = self.feed(entry, &place, self.stream(entry, &place), &mut wait);
            ended.await;
        }
    }

    fn api(&self, entry: &Entry, place: &Place) -> Api<Wire> {
        let resource = resource(entry);
        match &*place.ns {
            "" => Api::all_with(self.client.clone(), &resource),
            ns => Api::namespaced_with(self.client.clone(), ns, &resource),
        }
    }

    fn stream(
        &self,
        entry: &Entry,
        place: &Place,
    ) -> impl Stream<Item = watcher::Result<Event<Wire>>> + Send + use<> {
        let mut config = watcher::Config::default().timeout(LAST);
        config.label_selector = label(entry).map(str::to_owned);
        watcher(self.api(entry, place), config)
    }

    /// The list that is whole replaces what was there. Where it is in doubt, whoever it concerns is asked for once more, by name; if
    /// that fails, so has the list.
    async fn replace(&self, entry: &Entry, place: &Place) -> kube::Result<()> {
        let wake = match self.cache.swap(entry.of, place) {
            Ok(wake) => wake,
            Err(Doubtful) => {
                let live = self.live(entry, place).await?;
                self.cache.settle(entry.of, place, &live)
            }
        };
        self.queue.wake_all(wake, Lane::Routine);
        Ok(())
    }

    async fn live(&self, entry: &Entry, place: &Place) -> kube::Result<Live> {
        let wanted = ListParams {
            label_selector: label(entry).map(str::to_owned),
            ..ListParams::default()
        };
        let there = self.api(entry, place).list_metadata(&wanted).await?;
        let version = there.metadata.resource_version.as_deref();
        let id = |meta: &PartialObjectMeta<Wire>| {
            let (ns, name) = (meta.namespace().unwrap_or_default(), meta.name_any());
            Id::new(entry.of, ns, name)
        };
        Ok(Live {
            names: there.iter().map(id).collect(),
            version: version.and_then(|v| v.parse().ok()).unwrap_or(0),
        })
    }

    /// Bring what a watch tells into the cache, until it must be built anew: after an HTTP 410 on its start, from which kube's own
    /// never recovers, an event that cannot be read, after which it goes on as if there had been none, a list that stays in doubt, or one
    /// that never ends.
    pub async fn feed(
        &self,
        entry: &'static Entry,
        place: &Place,
        stream: impl Stream<Item = watcher::Result<Event<Wire>>>,
        wait: &mut Duration,
    ) {
        let mut stream = pin!(stream);
        let (mut lists, mut silent) = (true, false);
        loop {
            let next = if lists {
                let next = tokio::time::timeout(SILENCE, stream.next()).await;
                next.unwrap_or_default()
            } else {
                stream.next().await
            };
            let Some(mut event) = next else { return };
            let is_whole = matches!(event, Ok(Event::InitDone));
            if is_whole && let Err(error) = self.replace(entry, place).await {
                event = Err(Error::InitialListFailed(error));
            }
            match event {
                Ok(event) => {
                    lists = matches!(event, Event::Init | Event::InitApply(_));
                    // A list has come to nothing until it is whole.
                    if !lists {
                        *wait = FIRST;
                    }
                    self.take(entry, place, event);
                }
                Err(error) => {
                    let code = self.refused(entry, place, &error, *wait);
                    // Our own kinds may be a moment late; those of others come when somebody installs them.
                    if code == 404 && entry.plan.is_none() {
                        tokio::time::sleep(LACKING).await;
                        continue;
                    }
                    // Who answers again, or says that this is too old, is well again, however long the way there was.
                    if (silent && code != 0) || (code == 410 && !lists) {
                        *wait = FIRST;
                    }
                    silent = code == 0;
                    tokio::time::sleep(*wait).await;
                    let longest = if code == 0 { NEAR } else { LONGEST };
                    *wait = (*wait * 2).min(longest);
                    if code == 410 || is_whole || is_garbled(&error) {
                        return;
                    }
                }
            }
        }
    }

    fn take(&self, entry: &'static Entry, place: &Place, event: Event<Wire>) {
        let keep = |wire: &Wire| -> Option<Fresh> {
            let name = kube::Resource::meta(wire).name.clone().unwrap_or_default();
            let warn = |error| warn!(kind = entry.kind, name, %error, "an object cannot be read");
            wire.keep(entry).map_err(warn).ok()
        };
        let of: Of = entry.of;
        let (wake, lane) = match event {
            Event::Init => {
                self.cache.begin(of, place);
                return;
            }
            Event::InitApply(wire) => {
                if let Some(fresh) = keep(&wire) {
                    self.cache.buffer(of, place, fresh);
                }
                return;
            }
            // It has replaced what was there.
            Event::InitDone => return,
            Event::Apply(wire) => match keep(&wire) {
                Some(fresh) => (self.cache.watched(place, fresh), Lane::Urgent),
                None => return,
            },
            Event::Delete(wire) => match keep(&wire) {
                Some(f) => (
                    self.cache.vanished(place, &f.kept.id, f.kept.rv),
                    Lane::Urgent,
                ),
                None => return,
            },
        };
        self.queue.wake_all(wake, lane);
    }

    /// Says with which code, if the server said one.
    fn refused(&self, entry: &Entry, place: &Place, error: &Error, wait: Duration) -> u16 {
        let status = match error {
            Error::InitialListFailed(kube::Error::Api(s))
            | Error::WatchStartFailed(kube::Error::Api(s))
            | Error::WatchFailed(kube::Error::Api(s))
            | Error::WatchError(s) => Some(s),
            _ => None,
        };
        let code = status.map_or(0, |s| s.code);
        let scope = &*place.ns;
        let synced = self.cache.sync(entry.of, scope) == Some(Progress::Synced);
        let closed = code == 403 && self.cache.is_ending(scope);
        if (code == 404 || closed) && !synced {
            // The server does not know the kind, or a namespace that ends has lost the right to it already: there is nothing of it,
            // and what is held there must not wait for it. It may come later.
            let wake = self.cache.settle(entry.of, place, &Live::nothing());
            self.queue.wake_all(wake, Lane::Routine);
        } else {
            let why = status.map_or_else(
                || Cause::Unreachable(error.to_string()),
                |s| Cause::from(kube::Error::Api(s.clone())),
            );
            self.cache.failing(entry.of, place, why);
        }
        // The rights that an Instance hands out take a moment to work: only what lasts is worth a warning.
        if wait >= LASTING {
            warn!(kind = entry.kind, scope, code, %error, "a watch is refused, and tried again");
        } else {
            debug!(kind = entry.kind, scope, code, %error, "a watch is taken up again");
        }
        code
    }
}

/// Which label selects what is watched of a kind.
fn label(entry: &Entry) -> Option<&'static str> {
    match entry.watch {
        Watch::All | Watch::Offered | Watch::InInstances => None,
        Watch::Owned => Some(api::OWNER),
        Watch::Hosts => Some(api::INSTANCE),
    }
}

/// Whether an event came that is no JSON.
fn is_garbled(error: &Error) -> bool {
    matches!(error, Error::WatchFailed(kube::Error::SerdeError(_)))
}
