//! Instance: how it lives.
//!
//! | state | means | leaves when |
//! |---|---|---|
//! | `Foreign` | its Namespace belongs to another Instance, so nothing is made | the Namespace is gone or given up |
//! | `Nameless` | another Instance has its name, and it has no Namespace yet, so nothing is made | the name is free, or it takes another |
//! | `Lost` | somebody deletes its Namespace | the Namespace is gone: then it is made again |
//! | `Living` | its Namespace is there or being made; `name` says what it is called meanwhile | it is deleted |
//! | `Doubted` | deleted, but there is data that nobody has said may go, or a Backup on legal hold | a person confirms, or the data goes; the hold is lifted |
//! | `Closing` | deleted; its Namespace goes, with all that is in it | the Namespace is gone |
//! | `Gone` | deleted, and nothing of it is left | at once |
//!
//! The Namespace carries no owner reference: a garbage collector that sees an Instance come back under another UID, or that is
//! asked to delete in the foreground, would take everything in it along. It goes by a step of its own, after the data was asked for.

mod children;
mod leaving;
mod naming;

use jiff::Timestamp;
use serde_json::json;

use super::{
    Found, Kept, Kind, Plan, Seen, Step, Watched, facts, home::namespace_of, verdict::Verdict,
};
use crate::{
    api::{
        Instance,
        instance::{InstanceState, InstanceStatus},
    },
    kinds::Of,
};
use leaving::Doubt;
use naming::Name;

impl Watched for Instance {
    const OF: Of = Of::Instance;

    fn keys(&self) -> Vec<String> {
        vec![naming::key(&self.spec.name)]
    }
}

impl Kind for Instance {
    fn plan(&self, me: &Kept, seen: &Seen<'_>, _now: Timestamp) -> Plan {
        let state = observe(self, me, seen);
        plan(self, me, seen, &state)
    }
}

type Namespace = Found<facts::Namespace>;

enum State {
    Foreign {
        holder: String,
    },
    Nameless {
        holder: String,
    },
    Lost {
        namespace: Namespace,
    },
    Living {
        namespace: Option<Namespace>,
        name: Name,
    },
    Doubted {
        name: Name,
        doubt: Doubt,
    },
    Closing {
        namespace: Namespace,
    },
    Gone,
}

fn observe(instance: &Instance, me: &Kept, seen: &Seen<'_>) -> State {
    let namespace = seen.get::<facts::Namespace>(&namespace_of(&me.id.name));
    let foreign = namespace
        .as_ref()
        .and_then(|n| n.kept.label("instance"))
        .filter(|label| **label != *me.id.name)
        .map(str::to_owned);
    if me.deleting.is_some() {
        return match namespace {
            Some(namespace) if foreign.is_none() => leaving::observe(me, seen, namespace),
            _ => State::Gone,
        };
    }
    if let Some(holder) = foreign {
        return State::Foreign { holder };
    }
    if let Some(namespace) = namespace.as_ref().filter(|n| is_terminating(n)) {
        return State::Lost {
            namespace: namespace.clone(),
        };
    }
    let name = naming::of(instance, me, seen, namespace.as_ref());
    match name.refused {
        Some(holder) if name.held.is_none() && namespace.is_none() => State::Nameless { holder },
        refused => State::Living {
            namespace,
            name: Name { refused, ..name },
        },
    }
}

fn is_terminating(namespace: &Namespace) -> bool {
    namespace.kept.deleting.is_some() || namespace.status.phase == "Terminating"
}

fn plan(instance: &Instance, me: &Kept, seen: &Seen<'_>, state: &State) -> Plan {
    let all = |name: &Name| children::all(instance, me, seen.account(), name.held.as_deref());
    let (word, name, steps, verdict) = match state {
        State::Foreign { holder } => ("degraded", None, vec![], foreign(me, holder)),
        State::Nameless { holder } => (
            "degraded",
            None,
            vec![],
            naming::taken(instance, me, holder),
        ),
        State::Lost { namespace } => {
            let name = namespace.kept.annotation("name").map(str::to_owned);
            ("degraded", name, children::kept(seen), lost(namespace))
        }
        State::Living { namespace, name } => {
            let steps = all(name);
            let (word, verdict) = living(instance, me, seen, namespace.as_ref(), name, &steps);
            (word, name.held.clone(), steps, verdict)
        }
        State::Doubted { name, doubt } => (
            "terminating",
            name.held.clone(),
            all(name),
            leaving::doubted(me, doubt),
        ),
        State::Closing { namespace } => {
            let name = namespace.kept.annotation("name").map(str::to_owned);
            let steps = children::kept(seen)
                .into_iter()
                .chain(leaving::end(namespace))
                .collect();
            ("terminating", name, steps, leaving::closing(namespace))
        }
        State::Gone => ("terminating", None, vec![], leaving::gone()),
    };
    let ours = !matches!(
        state,
        State::Foreign { .. } | State::Nameless { .. } | State::Gone
    );
    let status = InstanceStatus {
        state: Some(word.to_owned()),
        uri: name.map(|name| format!("/instances/{name}")),
        plan: ours.then(|| instance.spec.plan.unwrap_or_default()),
        namespace: ours.then(|| namespace_of(&me.id.name)),
        conditions: verdict.conditions,
        blockers: verdict.blockers,
        observed_generation: None,
    };
    Plan {
        steps,
        status: json!(status),
        wake: None,
        hold: !matches!(state, State::Gone),
    }
}

/// The word and the verdict on an Instance that nothing stands against but its name.
fn living(
    instance: &Instance,
    me: &Kept,
    seen: &Seen<'_>,
    namespace: Option<&Namespace>,
    name: &Name,
    steps: &[Step],
) -> (&'static str, Verdict) {
    if let Some(holder) = &name.refused {
        return ("degraded", naming::taken(instance, me, holder));
    }
    let missing = children::missing(seen, steps);
    if namespace.is_none() || missing.is_some() {
        let first = missing.unwrap_or_else(|| format!("Namespace {}", namespace_of(&me.id.name)));
        let verdict = Verdict::moving("Creating", format!("{first} is being made."));
        return ("creating", accepted(verdict));
    }
    let (word, reason, message) = match instance.spec.state.unwrap_or_default() {
        InstanceState::Active => ("ready", "Ready", "Everything can be created in it."),
        InstanceState::Suspended => (
            "suspended",
            "Suspended",
            "Everything in it acts as if stopped, until spec.state is Active again.",
        ),
        InstanceState::Frozen => (
            "frozen",
            "Frozen",
            "What runs in it goes on; Roadstead's objects in it cannot be changed until spec.state is Active again.",
        ),
    };
    (word, accepted(Verdict::ready(reason, message)))
}

fn accepted(verdict: Verdict) -> Verdict {
    verdict.with("Accepted", "True", "Accepted", "The name is its own.")
}

fn foreign(me: &Kept, holder: &str) -> Verdict {
    let namespace = namespace_of(&me.id.name);
    let message = format!("Namespace {namespace} carries the label of Instance {holder}.");
    let fix = format!(
        "Delete the Namespace, or hand it over: kubectl label namespace {namespace} roadstead.dev/instance={} --overwrite",
        me.id.name
    );
    Verdict::stalled("NamespaceTaken", message).blocked(format!("NamespaceTaken/{namespace}"), fix)
}

fn lost(namespace: &Namespace) -> Verdict {
    let message = format!(
        "Somebody deleted Namespace {}; it is made again, empty, when it is gone.",
        namespace.name()
    );
    leaving::held_up(
        accepted(Verdict::stalled("NamespaceDeleted", message)),
        namespace,
    )
}
