//! Which Services get data, and whether each may.

use super::record::{Memory, New, Part, into};
use crate::{
    api::{Restore, Service, ServiceClass, restore::RestoreService},
    plan::{
        Found, Kept, Seen,
        backup::{source, subject::Obstacle},
        facts::PersistentVolumeClaim,
        home::Home,
        service::data,
    },
};

/// The Service on which a Restore of this name has run before, if one has: Git or a copy of the cluster made it anew.
pub fn past(restore: &Restore, me: &Kept, seen: &Seen<'_>) -> Option<String> {
    let mut named = restore.spec.services.iter();
    let ran = |into: &&RestoreService| {
        let Some(service) = seen.get::<Service>(&into.into) else {
            return false;
        };
        // It was made by one of this name.
        if service.kept.label("restore") == Some(&*me.id.name) {
            return true;
        }
        let all = data::all(&service, &service.kept, seen);
        all.iter().any(|data| {
            let names = data.secret.kept.annotation(data::RESTORES);
            names.is_some_and(|names| names.split(',').any(|name| *name == *me.id.name))
        })
    };
    named.find(ran).map(|into| into.into.clone())
}

/// What comes from where, or what is in the way.
pub fn parts(restore: &Restore, me: &Kept, seen: &Seen<'_>) -> Result<Vec<Part>, Obstacle> {
    if matches!(Home::of(me, seen), Home::Nowhere) {
        let fix = "Its namespace belongs to no Instance: make it in the namespace of an Instance.";
        return Err(lasting("NoInstance", &me.id.ns, fix));
    }
    let named = restore.spec.services.iter();
    named.map(|into| one(restore, into, me, seen)).collect()
}

fn lasting(word: &str, about: &str, fix: impl Into<String>) -> Obstacle {
    Obstacle::Lasting(format!("{word}/{about}"), fix.into())
}

fn one(
    restore: &Restore,
    asked: &RestoreService,
    me: &Kept,
    seen: &Seen<'_>,
) -> Result<Part, Obstacle> {
    let (name, backup) = (&asked.into, &restore.spec.backup_ref.name);
    let Some(service) = allowed(asked, seen)? else {
        return new(asked, backup, seen);
    };
    let class_name = &service.spec.class_ref.name;
    let Some(class) = seen.get::<ServiceClass>(class_name) else {
        let fix = format!("There is no ServiceClass {class_name}: install the catalogue.");
        return Err(lasting("ClassMissing", class_name, fix));
    };
    let (source, part) = source::find(seen, backup, Some(asked.source()), name)?;
    if let Some(obstacle) = source::mismatch(&part, backup, &service, &class) {
        return Err(obstacle);
    }
    let present = data::current(&service, &service.kept, seen);
    let claim = seen.get::<PersistentVolumeClaim>(&present.claim());
    if claim.is_none_or(|claim| claim.status.phase != "Bound") {
        let fix = format!(
            "Service {name} has no data yet: let it come up first, or make it again with restoreFrom.backupRef.name {backup}."
        );
        return Err(lasting("NotProvisioned", name, fix));
    }
    if let Some(other) = busy(seen, &service, me) {
        let fix =
            format!("Restore {other} puts data into Service {name}: this one comes after it.");
        return Err(Obstacle::Passing(format!("RestoreUnderWay/{other}"), fix));
    }
    Ok(Part {
        into: name.clone(),
        uid: service.kept.uid.to_string(),
        source,
        new: None,
    })
}

/// A Service that is made, as the one was that the data is of.
fn new(asked: &RestoreService, backup: &str, seen: &Seen<'_>) -> Result<Part, Obstacle> {
    let (source, part) = source::find(seen, backup, Some(asked.source()), &asked.into)?;
    if seen.get::<ServiceClass>(&part.class).is_none() {
        let class = &part.class;
        let fix = format!("There is no ServiceClass {class}: install the catalogue.");
        return Err(lasting("ClassMissing", class, fix));
    }
    Ok(Part {
        into: asked.into.clone(),
        uid: String::new(),
        source,
        new: Some(New {
            class: part.class,
            tier: part.tier,
            region: part.region,
        }),
    })
}

/// The Service, if it is the very one that may be overwritten; nothing where there is none, and one is to be made.
fn allowed(asked: &RestoreService, seen: &Seen<'_>) -> Result<Option<Found<Service>>, Obstacle> {
    let name = &asked.into;
    let service = match (seen.get::<Service>(name), &asked.overwrite) {
        (Some(service), _) if service.kept.deleting.is_some() => {
            let fix = format!("Service {name} is being deleted: it goes on once that is done.");
            let what = format!("ServiceTerminating/{name}");
            return Err(Obstacle::Passing(what, fix));
        }
        (Some(service), _) => service,
        (None, None) => return Ok(None),
        (None, Some(_)) => {
            let fix = format!(
                "There is no Service {name} to overwrite: make a Restore without services[{name}].overwrite, and a new one is made."
            );
            return Err(lasting("ServiceMissing", name, fix));
        }
    };
    let uid = &service.kept.uid;
    match &asked.overwrite {
        Some(said) if **said == **uid => Ok(Some(service)),
        Some(said) => {
            let fix = format!(
                "services[{name}].overwrite names {said}, but Service {name} is {uid}, another one of that name: make a Restore with that UID if its data may be replaced."
            );
            Err(lasting("OverwriteMismatch", name, fix))
        }
        None => {
            let fix = format!(
                "Service {name} is there: make a Restore with services[{name}].overwrite set to its UID {uid} if its data may be replaced."
            );
            Err(lasting("OverwriteMissing", name, fix))
        }
    }
}

/// Another Restore that is at work on a Service.
fn busy(seen: &Seen<'_>, service: &Found<Service>, me: &Kept) -> Option<String> {
    let made = |memory: &Memory| {
        let mut new = memory.parts.iter().filter(|part| part.new.is_some());
        new.any(|part| *part.into == *service.name() && memory.is_under_way(part))
    };
    let open = |memory: &Memory| memory.is_open(&service.kept.uid) || made(memory);
    into(seen, service.name())
        .into_iter()
        .find(|(other, memory)| other.kept.uid != me.uid && open(memory))
        .map(|(other, _)| other.name().to_owned())
}
