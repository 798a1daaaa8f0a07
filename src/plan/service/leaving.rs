//! How a Service goes: it stops where nobody did that before, then its data policy is carried out.

use serde_json::json;

use super::{account::is_for, data, standing::workers};
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
    service.spec.deletion_policy == Some(DeletionPolicy::StopFirst)
        || service.spec.data_policy == Some(DataPolicy::Delete)
}

/// What is left to do before it may go; nothing when all is done.
pub fn steps(service: &Service, me: &Kept, seen: &Seen<'_>) -> Vec<Step> {
    let sets = seen.owned::<StatefulSet>();
    let mut steps: Vec<Step> = sets.iter().filter_map(stop).collect();
    let runs = !workers(seen).is_empty() || sets.iter().any(|s| s.status.replicas > 0);
    if runs || !steps.is_empty() {
        return kept(seen).into_iter().chain(steps).collect();
    }
    if service.spec.data_policy == Some(DataPolicy::Delete) {
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
        steps.extend(gone(&claims));
        if claims.is_empty() {
            steps.extend(gone(&secrets));
        }
    }
    if steps.is_empty() {
        return steps;
    }
    kept(seen).into_iter().chain(steps).collect()
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
