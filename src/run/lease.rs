//! Who leads: one process works, the others stand by with warm caches.
//!
//! The leader renews a Lease; a standby watches it, so that a released Lease is taken at once and nothing is polled. Time is measured
//! here alone, on a clock that never stands still: other machines' clocks are not believed. A leader that has not renewed in time may
//! not write any more: see the fence.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease as Object, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
    runtime::watcher::{self, Event, watcher},
};
use serde_json::json;
use tracing::{info, warn};

use super::{client::within, fence::Fence, trouble::Cause};
use crate::api;

/// How long a leader leads without renewing.
const LASTS: Duration = Duration::from_secs(15);
/// How long before that it stops writing.
const MARGIN: Duration = Duration::from_secs(1);
/// How often it renews.
const RENEW: Duration = Duration::from_secs(10);
/// How long it waits after a renewal that failed.
const RETRY: Duration = Duration::from_secs(1);
/// How long a renewal may take.
const DEADLINE: Duration = Duration::from_secs(3);

/// Name of the Lease.
pub const NAME: &str = "roadstead";

/// The Lease, as one process sees it.
pub struct Lease {
    api: Api<Object>,
    watched: Api<Object>,
    me: String,
    fence: Fence,
    held: Option<Object>,
}

/// A Lease as it was last seen, and when.
struct Sight {
    lease: Option<Object>,
    at: Instant,
}

impl Sight {
    /// When it may be taken.
    fn free_at(&self, me: &str) -> Instant {
        let spec = self.lease.as_ref().and_then(|l| l.spec.as_ref());
        let holder = spec.and_then(|s| s.holder_identity.as_deref());
        match holder {
            None | Some("") => self.at,
            Some(holder) if holder == me => self.at,
            Some(_) => {
                let lasts = spec.and_then(|s| s.lease_duration_seconds).unwrap_or(15);
                self.at + Duration::from_secs(u64::try_from(lasts).unwrap_or(15))
            }
        }
    }
}

impl Lease {
    /// The Lease in this namespace, for this process.
    pub fn new(client: Client, watches: Client, ns: &str, me: String, fence: Fence) -> Self {
        Self {
            api: Api::namespaced(client, ns),
            watched: Api::namespaced(watches, ns),
            me,
            fence,
            held: None,
        }
    }

    /// Wait until this process leads.
    pub async fn acquire(&mut self) {
        let config = watcher::Config::default()
            .fields(&format!("metadata.name={NAME}"))
            .timeout(290);
        let mut stream = pin!(watcher(self.watched.clone(), config));
        let mut sight: Option<Sight> = None;
        loop {
            let free = sight.as_ref().map(|s| s.free_at(&self.me));
            let due = async {
                match free {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = stream.next() => match event {
                    Some(event) => self.look(event, &mut sight).await,
                    None => return,
                },
                () = due => {
                    let lease = sight.take().and_then(|s| s.lease);
                    if self.take(lease.as_ref()).await {
                        return;
                    }
                    // Whoever was faster shows in the watch; if nobody was, try again a little later.
                    sight = Some(Sight { lease, at: Instant::now() + RETRY });
                }
            }
        }
    }

    async fn look(&self, event: watcher::Result<Event<Object>>, sight: &mut Option<Sight>) {
        let at = Instant::now();
        match event {
            Ok(Event::InitApply(lease) | Event::Apply(lease)) => {
                let renewed = |l: &Object| l.spec.as_ref().and_then(|s| s.renew_time.clone());
                let holder = |l: &Object| l.spec.as_ref().and_then(|s| s.holder_identity.clone());
                let known = sight.as_ref().and_then(|s| s.lease.as_ref());
                let same = known
                    .is_some_and(|k| renewed(k) == renewed(&lease) && holder(k) == holder(&lease));
                let at = sight.as_ref().filter(|_| same).map_or(at, |s| s.at);
                let lease = Some(lease);
                *sight = Some(Sight { lease, at });
            }
            Ok(Event::InitDone) if sight.is_none() => *sight = Some(Sight { lease: None, at }),
            Ok(Event::Delete(_)) => *sight = Some(Sight { lease: None, at }),
            Ok(_) => {}
            Err(error) => {
                warn!(%error, "the Lease cannot be watched");
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    /// Whether it was taken.
    async fn take(&mut self, seen: Option<&Object>) -> bool {
        let sent = Instant::now();
        let before = seen.and_then(|l| l.spec.as_ref());
        let turns = before.and_then(|s| s.lease_transitions).unwrap_or(0);
        let wanted = Object {
            metadata: seen.map_or_else(
                || ObjectMeta {
                    name: Some(NAME.to_owned()),
                    ..ObjectMeta::default()
                },
                |l| l.metadata.clone(),
            ),
            spec: Some(LeaseSpec {
                holder_identity: Some(self.me.clone()),
                lease_duration_seconds: i32::try_from(LASTS.as_secs()).ok(),
                acquire_time: Some(now()),
                renew_time: Some(now()),
                lease_transitions: Some(turns + 1),
                ..LeaseSpec::default()
            }),
        };
        let params = PostParams::default();
        let taken = match seen {
            Some(_) => within(DEADLINE, self.api.replace(NAME, &params, &wanted)).await,
            None => within(DEADLINE, self.api.create(&params, &wanted)).await,
        };
        match taken {
            Ok(lease) => {
                self.fence.extend(sent + LASTS - MARGIN);
                self.held = Some(lease);
                true
            }
            Err(Cause::Conflict | Cause::Exists) => false,
            Err(cause) => {
                warn!(?cause, "the Lease cannot be taken");
                false
            }
        }
    }

    /// Renew, for as long as this process leads.
    pub async fn keep(&mut self) {
        let mut wait = RENEW;
        loop {
            tokio::time::sleep(wait).await;
            wait = match self.renew().await {
                Ok(()) => RENEW,
                Err(cause) => {
                    warn!(?cause, "the Lease was not renewed");
                    RETRY
                }
            };
            if !self.fence.holds() {
                return;
            }
        }
    }

    async fn renew(&mut self) -> Result<(), Cause> {
        let sent = Instant::now();
        let spec = json!({"renewTime": now(), "holderIdentity": self.me});
        let lease = match self.patch(spec).await {
            Err(Cause::Conflict) => {
                let live = within(DEADLINE, self.api.get(NAME)).await?;
                let holder = live.spec.as_ref().and_then(|s| s.holder_identity.as_ref());
                if holder != Some(&self.me) {
                    self.fence.shut();
                    return Err(Cause::Fenced);
                }
                self.held = Some(live);
                self.patch(json!({"renewTime": now()})).await?
            }
            Err(Cause::NotFound) => {
                self.fence.shut();
                return Err(Cause::NotFound);
            }
            other => other?,
        };
        self.held = Some(lease);
        self.fence.extend(sent + LASTS - MARGIN);
        Ok(())
    }

    async fn patch(&self, spec: serde_json::Value) -> Result<Object, Cause> {
        let rv = self
            .held
            .as_ref()
            .and_then(|l| l.metadata.resource_version.clone());
        let patch = json!({"metadata": {"resourceVersion": rv}, "spec": spec});
        let params = PatchParams {
            field_manager: Some(api::MANAGER.to_owned()),
            ..PatchParams::default()
        };
        within(
            DEADLINE,
            self.api.patch(NAME, &params, &Patch::Merge(patch)),
        )
        .await
    }

    /// Let somebody else lead, at once. Nothing is written any more.
    pub async fn release(&mut self) {
        if !self.fence.holds() || self.held.is_none() {
            return;
        }
        self.fence.shut();
        let spec = json!({"holderIdentity": null, "renewTime": now()});
        match self.patch(spec).await {
            Ok(_) => info!("the Lease is released"),
            Err(cause) => warn!(?cause, "the Lease was not released"),
        }
    }
}

fn now() -> MicroTime {
    MicroTime(Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_by(holder: Option<&str>) -> Sight {
        let spec = LeaseSpec {
            holder_identity: holder.map(str::to_owned),
            lease_duration_seconds: Some(15),
            ..LeaseSpec::default()
        };
        let lease = Object {
            spec: Some(spec),
            ..Object::default()
        };
        Sight {
            lease: Some(lease),
            at: Instant::now(),
        }
    }

    #[test]
    fn a_lease_that_was_released_or_is_our_own_is_free_at_once_and_anothers_only_when_it_ran_out() {
        for free in [held_by(None), held_by(Some("")), held_by(Some("me"))] {
            assert_eq!(free.free_at("me"), free.at);
        }
        let other = held_by(Some("other"));
        assert_eq!(other.free_at("me"), other.at + LASTS);
    }
}
