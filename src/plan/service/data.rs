//! Which data a Service works on: of all that was ever put into it, the newest that was not undone.
//!
//! The Secret of the data makes it count: for a Restore the volume is made first and that Secret last, so the turn to new data is
//! one write. Undo is one write too, on the same Secret.

use jiff::Timestamp;

use super::names::DataName;
use crate::{
    api::{Service, ServiceClass, service::Retained},
    plan::{
        Found, Kept, Seen, Step,
        facts::{PersistentVolumeClaim, Secret, StatefulSet},
    },
};

/// Annotation on the Secret and the claim of the data: the UID of the Restore that brought it.
pub const RESTORED_BY: &str = "restored-by";
/// Annotation on the Secret of the data: the names of the Restores that led to it. One of them is not run again.
pub const RESTORES: &str = "restores";
/// Annotation on the Secret of the data: the Restore that brought it was undone.
pub const UNDONE: &str = "undone";
/// Annotation on the Secret of data that no longer counts: until when it is kept.
pub const UNTIL: &str = "until";
/// Annotation on the StatefulSet: the template of the claims that it was made with, where it is not the first.
pub const TEMPLATE: &str = "roadstead.dev/data";
/// How long data is kept that no longer counts.
const KEPT: jiff::SignedDuration = jiff::SignedDuration::from_hours(7 * 24);

/// Some data of a Service, and the Secret that makes it count.
pub struct Data {
    /// What it is called.
    pub name: DataName,
    /// Its Secret.
    pub secret: Found<Secret>,
}

impl Data {
    /// Whether it counts no more.
    fn is_undone(&self) -> bool {
        self.secret.kept.annotation(UNDONE).is_some()
    }
}

/// All the data of the Service that has a Secret, the oldest first.
pub fn all(service: &Service, me: &Kept, seen: &Seen<'_>) -> Vec<Data> {
    let first = first(service, me);
    let secrets = seen.by_key::<Secret>(&format!("data/{}", first.uid8()));
    let mut all: Vec<Data> = secrets
        .into_iter()
        .filter_map(|secret| {
            let name = first.sibling(secret.name())?;
            Some(Data { name, secret })
        })
        .collect();
    all.sort_by_key(|data| data.name.serial());
    all
}

/// Which data the Service works on. What its StatefulSet was made with counts even where the Secret is lost: nothing ever falls back
/// to older data by accident.
pub fn current(service: &Service, me: &Kept, seen: &Seen<'_>) -> DataName {
    let first = first(service, me);
    let all = all(service, me, seen);
    let set = seen.get::<StatefulSet>(&me.id.name);
    let stands = set
        .filter(|set| set.kept.owner.as_deref() == Some(&*me.uid))
        .and_then(|set| first.of_template(set.kept.annotation("data")?))
        .filter(|name| {
            !all.iter()
                .any(|data| data.name == *name && data.is_undone())
        });
    let good = all.into_iter().filter(|data| !data.is_undone());
    let newest = good.map(|data| data.name).chain(stands);
    newest.max_by_key(DataName::serial).unwrap_or(first)
}

/// Whether the engine was made with the data that counts.
pub fn is_turned(service: &Service, me: &Kept, seen: &Seen<'_>) -> bool {
    let set = seen.get::<StatefulSet>(&me.id.name);
    let set = set.filter(|set| set.kept.owner.as_deref() == Some(&*me.uid));
    set.is_some_and(|set| {
        let first = first(service, me).template();
        let stands = set.kept.annotation("data").unwrap_or(&first);
        stands == current(service, me, seen).template()
    })
}

/// The data that this Restore makes: what it has begun to make, or a serial that nothing has had.
pub fn next(service: &Service, me: &Kept, seen: &Seen<'_>, restore: &str) -> DataName {
    let first = first(service, me);
    let claims = seen.owned::<PersistentVolumeClaim>();
    let named = |claim: &Found<PersistentVolumeClaim>| first.of_claim(claim.name());
    let begun = claims
        .iter()
        .find(|claim| claim.kept.annotation(RESTORED_BY) == Some(restore))
        .and_then(named);
    let secrets = all(service, me, seen).into_iter().map(|data| data.name);
    let taken = secrets.chain(claims.iter().filter_map(named));
    let newest = taken.map(|name| name.serial()).max().unwrap_or(1);
    begun.unwrap_or_else(|| first.with_serial(newest.saturating_add(1)))
}

/// The first data of the Service, its own or what a deleted one left.
fn first(service: &Service, me: &Kept) -> DataName {
    let uid = retained(service).map_or(&*me.uid, |r| &r.uid);
    DataName::first(uid, &me.id.name)
}

/// The data of a deleted Service that this one takes over.
pub fn retained(service: &Service) -> Option<&Retained> {
    let from = service.spec.restore_from.as_ref();
    from.and_then(|r| r.retained.as_ref())
}

/// Where a Service runs: the region that it says, or the first of its class.
pub fn region<'a>(service: &'a Service, class: &'a ServiceClass) -> Option<&'a str> {
    let said = service.spec.region.as_deref();
    said.or(class.spec.regions.first().map(String::as_str))
}

/// What becomes of data that does not count: it is given a time until which it is kept; then its volume goes, and then its Secret. Also
/// when to look again.
pub fn aside(
    service: &Service,
    me: &Kept,
    seen: &Seen<'_>,
    now: Timestamp,
) -> (Vec<Step>, Option<Timestamp>) {
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let current = current(service, me, seen);
    let mut steps = Vec::new();
    let mut wake: Option<Timestamp> = None;
    for data in all(service, me, seen) {
        if data.name == current {
            continue;
        }
        let until = data.secret.kept.annotation(UNTIL);
        match until.and_then(|at| at.parse::<Timestamp>().ok()) {
            None => steps.push(marked(
                &data.secret,
                "roadstead.dev/until",
                &(now + KEPT).to_string(),
            )),
            Some(until) if until > now => {
                wake = Some(wake.map_or(until, |other| other.min(until)));
            }
            Some(_) => steps.push(gone(&data, seen)),
        }
    }
    (steps, wake)
}

fn gone(data: &Data, seen: &Seen<'_>) -> Step {
    let claim = seen.get::<PersistentVolumeClaim>(&data.name.claim());
    let kept = claim.map_or_else(|| data.secret.kept.clone(), |claim| claim.kept);
    Step::delete(&kept)
}

/// An annotation, by its whole key, on the Secret of data.
pub fn marked(secret: &Found<Secret>, key: &str, value: &str) -> Step {
    let kept = &secret.kept;
    Step::edit(
        kept,
        serde_json::json!({"metadata": {"annotations": {key: value}}}),
    )
}
