//! What an Instance is called: its `spec.name`, unless another has it.
//!
//! The holder of a name is the Instance whose Namespace carries it. So an older Instance cannot take a name by renaming itself,
//! and one whose new name is refused goes on under the old one. Where no Namespace carries a name, the eldest that asks gets it.

use std::sync::Arc;

use jiff::Timestamp;

use super::Namespace;
use crate::{
    api::Instance,
    plan::{Kept, Seen, facts, home::namespace_of, verdict::Verdict},
};

/// The name of an Instance.
#[derive(Clone, Debug, Default)]
pub struct Name {
    /// The name that it has now: what its Namespace is to carry.
    pub held: Option<String>,
    /// Which Instance has the name that it asks for.
    pub refused: Option<String>,
}

/// The key by which the Instances that ask for a name, and the Namespaces that carry it, are found.
pub fn key(name: &str) -> String {
    format!("name/{name}")
}

/// What the Instance is called.
pub fn of(instance: &Instance, me: &Kept, seen: &Seen<'_>, mine: Option<&Namespace>) -> Name {
    let wanted = &instance.spec.name;
    let refused = holder(wanted, me, seen);
    let carried = mine.and_then(|namespace| namespace.kept.annotation("name"));
    let held = match refused {
        None => Some(wanted.clone()),
        Some(_) => carried.filter(|name| name != wanted).map(str::to_owned),
    };
    Name { held, refused }
}

/// The other Instance that has this name.
fn holder(name: &str, me: &Kept, seen: &Seen<'_>) -> Option<String> {
    let hosts = seen.by_key::<facts::Namespace>(&key(name));
    let mut holders: Vec<_> = hosts
        .iter()
        .filter_map(|host| tenant(host, me, seen))
        .collect();
    if holders.is_empty() {
        let asking = seen.by_key::<Instance>(&key(name));
        let asking = asking.iter().filter(|asker| asker.kept.deleting.is_none());
        holders.extend(asking.map(|asker| age(&asker.kept)));
    }
    let (_, eldest) = holders.into_iter().min()?;
    (*eldest != *me.id.name).then(|| eldest.to_string())
}

/// The Instance whose Namespace this is, if there is one.
fn tenant(host: &Namespace, me: &Kept, seen: &Seen<'_>) -> Option<(Timestamp, Arc<str>)> {
    let instance = host.kept.label("instance")?;
    if *host.kept.id.name != *namespace_of(instance) {
        return None;
    }
    if *instance == *me.id.name {
        return Some(age(me));
    }
    seen.get::<Instance>(instance).map(|found| age(&found.kept))
}

fn age(instance: &Kept) -> (Timestamp, Arc<str>) {
    (instance.created, instance.id.name.clone())
}

/// The verdict on an Instance whose name another has.
pub fn taken(instance: &Instance, me: &Kept, holder: &str) -> Verdict {
    let name = &instance.spec.name;
    let message = format!("spec.name {name} is the name of Instance {holder}.");
    let fix = format!(
        "Choose another name: kubectl patch rinst {} --type=merge -p '{{\"spec\":{{\"name\":\"{name}-2\"}}}}'",
        me.id.name
    );
    Verdict::stalled("NameTaken", message.clone())
        .with("Accepted", "False", "NameTaken", message)
        .blocked(format!("NameTaken/{holder}"), fix)
}
