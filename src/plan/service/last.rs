//! The last Backup of a Service whose data policy is `Snapshot`: taken when nothing of it runs any more, before its data goes.

use serde_json::json;

use super::data;
use crate::{
    api::{BACKUP, Backup, Service, TRIGGER, service::DataPolicy},
    kinds::Of,
    plan::{
        Kept, Seen, Step,
        backup::record::Memory,
        build::meta::Child,
        facts::{Namespace, PersistentVolumeClaim},
    },
};

/// How far it is.
pub enum Copy {
    /// It holds the data, or there is none to hold.
    Taken,
    /// It is being taken.
    Coming(Step),
    /// It cannot be: its name, and what to do.
    Failed(Step, String, String),
}

/// How far the last Backup is.
pub fn copy(service: &Service, me: &Kept, seen: &Seen<'_>) -> Copy {
    let asked = service.spec.data_policy == Some(DataPolicy::Snapshot);
    // Where all goes, nothing can be made, and it would go too.
    let ending = seen.get::<Namespace>(&me.id.ns);
    let ending = ending.is_some_and(|namespace| namespace.kept.deleting.is_some());
    let claim = data::current(service, me, seen).claim();
    let claim = seen.get::<PersistentVolumeClaim>(&claim);
    let full = claim.is_some_and(|c| c.status.phase == "Bound" && c.kept.deleting.is_none());
    if !asked || ending || !full {
        return Copy::Taken;
    }
    let name = name(me);
    let found = seen.get::<Backup>(&name);
    let Some(found) = found.filter(|found| found.kept.owner.as_deref() == Some(&*me.uid)) else {
        return Copy::Coming(taking(me, name));
    };
    let keep = Step::Keep(found.kept.id.clone());
    let failed = |why: &str| {
        let fix = format!(
            "Its data is kept: its last Backup {name} failed. Put that right and delete that Backup, and another is taken; or set dataPolicy to Retain or Delete. {why}"
        );
        Copy::Failed(keep.clone(), name.clone(), fix)
    };
    match Memory::of(seen, &found.kept).filter(|memory| memory.finished.is_some()) {
        Some(memory) if memory.is_good(&me.id.name) => Copy::Taken,
        Some(memory) => {
            let outcome = memory.outcomes.get(&*me.id.name);
            let why = outcome.and_then(|outcome| outcome.error.as_deref());
            failed(why.unwrap_or("it holds nothing."))
        }
        None => {
            let said = found.status.iter().flat_map(|status| &status.conditions);
            let mut said = said.filter(|c| c.type_ == "Stalled" && c.status == "True");
            match said.next() {
                Some(stalled) => failed(&stalled.message),
                None => Copy::Coming(keep),
            }
        }
    }
}

/// Its name: another Service of the same name leaves another.
fn name(me: &Kept) -> String {
    let uid8: String = me.uid.chars().take(8).collect();
    format!("{}-last-{uid8}", me.id.name)
}

fn taking(me: &Kept, name: String) -> Step {
    let service = &me.id.name;
    let want = Child::of(me, Of::Backup, name.clone())
        .that_stays()
        .label(TRIGGER, "Final")
        .label(BACKUP, name)
        .field(
            "spec",
            json!({
                "serviceRef": {"name": &**service},
                "notes": format!("What Service {service} held when it was deleted"),
            }),
        )
        .want();
    Step::Create(want, Vec::new())
}
