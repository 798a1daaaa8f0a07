//! The last Backup of a Service whose data policy is `Snapshot`: taken when nothing of it runs any more, before its data goes.

use super::data;
use crate::{
    api::{Service, service::DataPolicy},
    plan::{
        Kept, Seen, Step,
        backup::safety::{Progress, Safety, lacks},
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
    let service = &*me.id.name;
    let wanted = Safety {
        name: name(me),
        trigger: "Final",
        services: vec![service],
        notes: format!("What Service {service} held when it was deleted"),
        delete_at: None,
    };
    let (step, progress) = wanted.of(me, seen);
    let why = match progress {
        Progress::UnderWay => return Copy::Coming(step),
        Progress::Hindered(why) => why,
        Progress::Ended(memory) => match lacks(&memory, service) {
            None => return Copy::Taken,
            Some(why) => why,
        },
    };
    let name = wanted.name;
    let fix = format!(
        "Its data is kept: its last Backup {name} failed. Put that right and delete that Backup, and another is taken; or set dataPolicy to Retain or Delete. {why}"
    );
    Copy::Failed(step, name, fix)
}

/// Its name: another Service of the same name leaves another.
fn name(me: &Kept) -> String {
    let uid8: String = me.uid.chars().take(8).collect();
    format!("{}-last-{uid8}", me.id.name)
}
