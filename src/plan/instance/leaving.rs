//! How an Instance goes: first it asks whether its data may go, then the Namespace goes with all that is in it.

use super::{Name, Namespace, State, is_terminating};
use crate::{
    api::{Backup, Service, service::DataPolicy},
    plan::{Found, Gone, Kept, Seen, Step, facts::PersistentVolumeClaim, verdict::Verdict},
};

/// How many things a message names before it only counts them.
const NAMED: usize = 3;

/// How much of what Kubernetes says is repeated.
const LEGIBLE: usize = 800;

/// Data that goes with the Instance though nobody has said so.
pub struct Doubt {
    claims: Vec<String>,
    backups: Vec<String>,
    /// Backups on legal hold: nobody may say that they go.
    held: Vec<String>,
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
    let backups = seen.list_in::<Backup>(namespace.name());
    let names = |held: bool| -> Vec<String> {
        let all = backups.iter();
        let all = all.filter(|backup| !held || backup.spec.legal_hold == Some(true));
        all.map(|backup| backup.name().to_owned()).collect()
    };
    let doubt = Doubt {
        claims: doubtful(seen, &namespace),
        backups: names(false),
        held: names(true),
    };
    let asks = !doubt.claims.is_empty() || !doubt.backups.is_empty();
    let confirmed = me.annotation("confirm-delete") == Some(&*me.id.name);
    if !doubt.held.is_empty() || (asks && !confirmed) {
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
    if !doubt.held.is_empty() {
        let held = listed(&doubt.held);
        let message = format!("Backups that nothing deletes are in it, on legal hold: {held}.");
        let fix = format!(
            "Whoever may `release` Backups sets their spec.legalHold to false: kubectl get dbk -n instance-{}",
            me.id.name
        );
        return Verdict::stalled("LegalHold", format!("{message} {fix}")).blocked("LegalHold", fix);
    }
    let kinds = [
        ("volume claims", &doubt.claims),
        ("Backups", &doubt.backups),
    ];
    let kinds = kinds.iter().filter(|(_, names)| !names.is_empty());
    let kinds: Vec<String> = kinds
        .map(|(kind, names)| format!("{kind} {}", listed(names)))
        .collect();
    let message = format!("Its data would be lost for good: {}.", kinds.join("; "));
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

fn listed(names: &[String]) -> String {
    match names.split_at_checked(NAMED) {
        Some((first, rest)) if !rest.is_empty() => {
            format!("{} and {} more", first.join(", "), rest.len())
        }
        _ => names.join(", "),
    }
}
