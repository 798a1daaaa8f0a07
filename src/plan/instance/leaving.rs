//! How an Instance goes: first it asks whether its data may go, then the Namespace goes with all that is in it.

use super::{Name, Namespace, State, is_terminating};
use crate::{
    api::{Service, service::DataPolicy},
    plan::{Found, Gone, Kept, Seen, Step, facts::PersistentVolumeClaim, verdict::Verdict},
};

/// How many things a message names before it only counts them.
const NAMED: usize = 3;

/// How much of what Kubernetes says is repeated.
const LEGIBLE: usize = 800;

/// Data that goes with the Instance though nobody has said so.
pub struct Doubt {
    claims: Vec<String>,
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
    let doubt = Doubt {
        claims: doubtful(seen, &namespace),
    };
    if !doubt.claims.is_empty() && me.annotation("confirm-delete") != Some(&*me.id.name) {
        return State::Doubted { name, doubt };
    }
    State::Closing { namespace }
}

/// The claims of which no Service says that their data may go: a snapshot of them would go with the Namespace too.
fn doubtful(seen: &Seen<'_>, namespace: &Namespace) -> Vec<String> {
    let services = seen.list_in::<Service>(namespace.name());
    let may_go = |claim: &Found<PersistentVolumeClaim>| {
        services.iter().any(|service| {
            claim.kept.owner.as_deref() == Some(&*service.kept.uid)
                && service.spec.data_policy == Some(DataPolicy::Delete)
        })
    };
    let claims = seen.list_in::<PersistentVolumeClaim>(namespace.name());
    claims
        .iter()
        .filter(|claim| !may_go(claim))
        .map(|claim| claim.name().to_owned())
        .collect()
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
