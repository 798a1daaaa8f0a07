//! How a Service goes: it stops where nobody did that before, then its data policy is carried out.

use serde_json::json;

use super::{
    account::is_for,
    data,
    last::{self, Copy},
    standing::workers,
};
use crate::{
    api::{
        Service,
        service::{DataPolicy, DeletionPolicy},
    },
    plan::{
        Found, Id, Kept, Seen, Step, Watched,
        facts::{PersistentVolumeClaim, Secret, StatefulSet},
    },
};

/// Whether its end needs deeds of ours: only then does our finalizer stand on it.
pub fn needs_us(service: &Service) -> bool {
    service.spec.deletion_policy == Some(DeletionPolicy::StopFirst) || goes(service)
}

/// Whether its data goes with it.
fn goes(service: &Service) -> bool {
    matches!(
        service.spec.data_policy,
        Some(DataPolicy::Delete | DataPolicy::Snapshot)
    )
}

/// What is left to do before a Service may go.
#[derive(Default)]
pub struct Leave {
    /// What to do; nothing when all is done.
    pub steps: Vec<Step>,
    /// What is in the way of it: a Backup, and what to do.
    pub snag: Option<(String, String)>,
}

/// What is left to do before it may go.
pub fn leave(service: &Service, me: &Kept, seen: &Seen<'_>) -> Leave {
    let sets = seen.owned::<StatefulSet>();
    let mut leave = Leave {
        steps: sets.iter().filter_map(stop).collect(),
        snag: None,
    };
    let runs = !workers(seen).is_empty() || sets.iter().any(|s| s.status.replicas > 0);
    if !runs && leave.steps.is_empty() && goes(service) {
        leave = match last::copy(service, me, seen) {
            Copy::Taken => Leave {
                steps: without_data(service, me, seen),
                snag: None,
            },
            Copy::Coming(step) => Leave {
                steps: vec![step],
                snag: None,
            },
            Copy::Failed(step, name, fix) => Leave {
                steps: vec![step],
                snag: Some((name, fix)),
            },
        };
    }
    if runs || !leave.steps.is_empty() {
        leave.steps = kept(seen).into_iter().chain(leave.steps).collect();
    }
    leave
}

/// First the claims go, then their passwords.
fn without_data(service: &Service, me: &Kept, seen: &Seen<'_>) -> Vec<Step> {
    let mut claims = seen.owned::<PersistentVolumeClaim>();
    let mut secrets = seen.owned::<Secret>();
    secrets.retain(|secret| !secret.kept.owned);
    let name = data::current(service, me, seen);
    if let Some(secret) = seen.get::<Secret>(&name.secret())
        && secret.kept.owner.as_deref() != Some(&*me.uid)
        && is_for(&secret.kept, me)
    {
        claims.extend(seen.get::<PersistentVolumeClaim>(&name.claim()));
        secrets.push(secret);
    }
    if claims.is_empty() {
        gone(&secrets)
    } else {
        gone(&claims)
    }
}

fn stop(set: &Found<StatefulSet>) -> Option<Step> {
    if set.spec.replicas == Some(0) {
        return None;
    }
    Some(Step::edit(&set.kept, json!({"spec": {"replicas": 0}})))
}

fn gone<K: Watched>(found: &[Found<K>]) -> Vec<Step> {
    found.iter().map(|one| Step::delete(&one.kept)).collect()
}

/// Everything that stands stays as it is.
pub fn kept(seen: &Seen<'_>) -> Vec<Step> {
    use crate::plan::facts::{CoreService, Job, NetworkPolicy};
    fn ids<K: Watched>(seen: &Seen<'_>) -> Vec<Id> {
        let owned = seen.owned::<K>().into_iter().filter(|o| o.kept.owned);
        owned.map(|o| o.kept.id.clone()).collect()
    }
    [
        ids::<NetworkPolicy>(seen),
        ids::<CoreService>(seen),
        ids::<Secret>(seen),
        ids::<StatefulSet>(seen),
        ids::<Job>(seen),
    ]
    .into_iter()
    .flatten()
    .map(Step::Keep)
    .collect()
}
