//! How an Instance goes: first it asks whether its data may go, then Services keep their last copies, then the Namespace goes.

use std::sync::Arc;

use super::{Name, Namespace, State, is_terminating};
use crate::{
    api::{Service, service::DataPolicy},
    plan::{Found, Gone, Id, Kept, Seen, Step, facts::PersistentVolumeClaim, verdict::Verdict},
};

/// How many things a message names before it only counts them.
const NAMED: usize = 3;

/// How much of what Kubernetes says is repeated.
const LEGIBLE: usize = 800;

/// Data that goes with the Instance though nobody has said so.
pub struct Doubt {
    claims: Vec<String>,
}

/// A Service that goes before the Namespace, because it keeps a last copy of its data, which is no longer possible afterwards.
pub struct Departing {
    id: Id,
    uid: Arc<str>,
    deleting: bool,
}

/// How far a deleted Instance has come whose Namespace is still there.
pub fn observe(me: &Kept, seen: &Seen<'_>, namespace: Namespace) -> State {
    if is_terminating(&namespace) {
        return State::Closing { namespace };
    }
    let name = Name {
        held: namespace.kept.annotation("name").map(str::to_owned),
        refused: None,
    };
    let services = seen.list_in::<Service>(namespace.name());
    let doubt = Doubt {
        claims: doubtful(seen, &namespace, &services),
    };
    if !doubt.claims.is_empty() && me.annotation("confirm-delete") != Some(&*me.id.name) {
        return State::Doubted { name, doubt };
    }
    let services: Vec<_> = services
        .iter()
        .filter(|s| policy(s) == DataPolicy::Snapshot)
        .map(departing)
        .collect();
    if services.is_empty() {
        State::Closing { namespace }
    } else {
        State::Emptying { name, services }
    }
}

/// The claims that are to outlive their Service: those of Services that retain their data, and those that dead Services left.
fn doubtful(seen: &Seen<'_>, namespace: &Namespace, services: &[Found<Service>]) -> Vec<String> {
    let may_go = |claim: &Found<PersistentVolumeClaim>| {
        services.iter().any(|service| {
            claim.kept.owner.as_deref() == Some(&*service.kept.uid)
                && policy(service) != DataPolicy::Retain
        })
    };
    let claims = seen.list_in::<PersistentVolumeClaim>(namespace.name());
    claims
        .iter()
        .filter(|claim| !may_go(claim))
        .map(|claim| claim.name().to_owned())
        .collect()
}

fn policy(service: &Service) -> DataPolicy {
    service.spec.data_policy.unwrap_or_default()
}

fn departing(service: &Found<Service>) -> Departing {
    Departing {
        id: service.kept.id.clone(),
        uid: service.kept.uid.clone(),
        deleting: service.kept.deleting.is_some(),
    }
}

/// The deletion of the Services that go first.
pub fn removals(services: &[Departing]) -> impl Iterator<Item = Step> {
    let staying = services.iter().filter(|service| !service.deleting);
    staying.map(|service| {
        Step::Delete(Gone {
            id: service.id.clone(),
            uid: service.uid.to_string(),
        })
    })
}

/// The deletion of the Namespace, if nobody has asked for it yet.
pub fn end(namespace: &Namespace) -> Option<Step> {
    let gone = Gone {
        id: namespace.kept.id.clone(),
        uid: namespace.kept.uid.to_string(),
    };
    (!is_terminating(namespace)).then_some(Step::Delete(gone))
}

/// The verdict on an Instance with data that nobody has said may go.
pub fn doubted(me: &Kept, doubt: &Doubt) -> Verdict {
    let named = listed(doubt.claims.iter().map(String::as_str));
    let message = format!("Its data would be lost for good: volume claims {named}.");
    let fix = format!(
        "If all of it may go: kubectl annotate rinst {0} roadstead.dev/confirm-delete={0}",
        me.id.name
    );
    Verdict::stalled("ConfirmDelete", format!("{message} {fix}")).blocked("ConfirmDelete", fix)
}

/// The verdict on an Instance whose Services keep last copies.
pub fn emptying(services: &[Departing]) -> Verdict {
    let named = listed(services.iter().map(|service| &*service.id.name));
    let verdict = Verdict::moving(
        "RemovingServices",
        format!("Services keep a last copy of their data: {named}."),
    );
    services.iter().fold(verdict, |verdict, service| {
        let name = &service.id.name;
        let fix = format!("See kubectl describe msvc {name} -n {}", service.id.ns);
        verdict.blocked(format!("ServiceTerminating/{name}"), fix)
    })
}

/// The verdict on an Instance whose Namespace goes.
pub fn closing(namespace: &Namespace) -> Verdict {
    let message = format!(
        "Namespace {} goes, with all that is in it.",
        namespace.name()
    );
    held_up(Verdict::moving("RemovingNamespace", message), namespace)
}

/// The verdict on an Instance of which nothing is left.
pub fn gone() -> Verdict {
    Verdict::moving("Gone", "Nothing of it is left.")
}

/// With what Kubernetes says holds up the end of a Namespace.
pub fn held_up(verdict: Verdict, namespace: &Namespace) -> Verdict {
    let causes = namespace
        .status
        .conditions
        .iter()
        .filter(|cause| cause.status == "True");
    causes.fold(verdict, |verdict, cause| {
        let said: String = cause.message.chars().take(LEGIBLE).collect();
        let fix = format!("Wait, or remove what is named here: {said}");
        verdict.blocked(format!("{}/{}", cause.type_, namespace.name()), fix)
    })
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    match names.split_at_checked(NAMED) {
        Some((first, rest)) if !rest.is_empty() => {
            format!("{} and {} more", first.join(", "), rest.len())
        }
        _ => names.join(", "),
    }
}
