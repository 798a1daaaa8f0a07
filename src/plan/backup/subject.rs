//! What is backed up: the Services that a Backup names, and whether each can be.

use super::{
    group,
    record::{Part, Volume},
};
use crate::{
    api::{
        Backup, Environment, Service, ServiceClass, name::Ref, service::Tier,
        service_class::ServiceClassSpec,
    },
    plan::{
        Found, Kept, Seen,
        facts::{PersistentVolumeClaim, Secret, StatefulSet, VolumeSnapshotClass},
        home::Home,
        restore::record as restore,
        service::data,
        verdict::Verdict,
    },
};

/// What is in the way of a Backup.
pub enum Obstacle {
    /// It goes on by itself once this is over.
    Passing(String, String),
    /// A person must change something.
    Lasting(String, String),
}

impl Obstacle {
    fn passing(word: &str, about: &str, fix: impl Into<String>) -> Self {
        Self::Passing(format!("{word}/{about}"), fix.into())
    }

    fn lasting(word: &str, about: &str, fix: impl Into<String>) -> Self {
        Self::Lasting(format!("{word}/{about}"), fix.into())
    }

    /// The same, as conditions.
    pub fn verdict(&self) -> Verdict {
        let (what, fix, lasts) = match self {
            Self::Passing(what, fix) => (what, fix, false),
            Self::Lasting(what, fix) => (what, fix, true),
        };
        let reason = what.split('/').next().unwrap_or_default();
        let verdict = if lasts {
            Verdict::stalled(reason, fix.clone())
        } else {
            Verdict::moving(reason, fix.clone())
        };
        verdict.blocked(what.clone(), fix.clone())
    }
}

/// What is backed up, or what is in the way.
pub fn parts(backup: &Backup, me: &Kept, seen: &Seen<'_>) -> Result<Vec<Part>, Obstacle> {
    if matches!(Home::of(me, seen), Home::Nowhere) {
        let fix = "Its namespace belongs to no Instance: make it in the namespace of an Instance.";
        return Err(Obstacle::lasting("NoInstance", &me.id.ns, fix));
    }
    // Nothing of its Service runs then: what its data is does not change any more.
    let still = matches!(me.label("trigger"), Some("Safety" | "Final"));
    let mut parts = Vec::new();
    for named in named(backup, seen)? {
        parts.extend(one(seen, &named, still)?);
    }
    group::alone(&mut parts);
    if parts.is_empty() {
        let fix = "Nothing of it can be backed up: it names no Service whose class has data.";
        return Err(Obstacle::lasting("NothingToBackUp", &me.id.name, fix));
    }
    let hopeless = parts.iter().all(|part| part.volume.is_none());
    match parts.first().and_then(|part| part.error.clone()) {
        Some(error) if hopeless => {
            let service = parts.first().map_or("", |part| &part.service);
            Err(Obstacle::lasting("SnapshotUnsupported", service, error))
        }
        _ => Ok(parts),
    }
}

/// A Service that is named.
struct Named {
    service: String,
    prefix: Option<String>,
    /// Whether it is there because all of its Environment are: then one without data is left out.
    swept: bool,
}

fn named(backup: &Backup, seen: &Seen<'_>) -> Result<Vec<Named>, Obstacle> {
    let spec = &backup.spec;
    let plain = |service: &String| Named {
        service: service.clone(),
        prefix: None,
        swept: false,
    };
    let Some(Ref { name }) = &spec.environment_ref else {
        let service = spec.service_ref.iter().map(|service| &service.name);
        let all = service.chain(spec.services.iter().flatten());
        return Ok(all.map(plain).collect());
    };
    let Some(environment) = seen.get::<Environment>(name) else {
        let fix = format!("There is no Environment {name}: make it, or make another Backup.");
        return Err(Obstacle::lasting("EnvironmentMissing", name, fix));
    };
    let attached = &environment.spec.services;
    let Some(chosen) = &spec.services else {
        let all = attached.iter().map(|attachment| Named {
            service: attachment.name.clone(),
            prefix: Some(attachment.prefix.clone()),
            swept: true,
        });
        return Ok(all.collect());
    };
    let find = |service: &String| match attached.iter().find(|a| a.name == *service) {
        Some(attachment) => Ok(Named {
            prefix: Some(attachment.prefix.clone()),
            ..plain(service)
        }),
        None => {
            let fix = format!(
                "Service {service} is not attached to Environment {name}: make a Backup whose services are among spec.services of that Environment."
            );
            Err(Obstacle::lasting("ServiceNotAttached", service, fix))
        }
    };
    chosen.iter().map(find).collect()
}

/// One Service; nothing where it has no data to lose.
fn one(seen: &Seen<'_>, named: &Named, still: bool) -> Result<Option<Part>, Obstacle> {
    let name = &named.service;
    let Some(service) = seen.get::<Service>(name) else {
        let fix = format!("There is no Service {name}: make it, or make another Backup.");
        return Err(Obstacle::lasting("ServiceMissing", name, fix));
    };
    let class_name = &service.spec.class_ref.name;
    let Some(class) = seen.get::<ServiceClass>(class_name) else {
        let fix = format!("There is no ServiceClass {class_name}: install the catalogue.");
        return Err(Obstacle::lasting("ClassMissing", class_name, fix));
    };
    if !is_backupable(&class.spec) {
        if named.swept {
            return Ok(None);
        }
        let fix = format!(
            "Service {name} cannot be backed up: its ServiceClass {class_name} has no data, or backup.backupable is false there."
        );
        return Err(Obstacle::lasting("NotBackupable", name, fix));
    }
    let data = data::current(&service, &service.kept, seen);
    let account = account(seen, &service, &data.secret(), still)?;
    let claim = claim(seen, name, &data.claim())?;
    let mut part = described(&service, &class, named);
    part.account = Some(account);
    part.hold = is_held(seen, &service, &class.spec);
    match snapshot_class(seen, &claim) {
        Ok(snapshot_class) => {
            let group_class = group::class(seen, &claim);
            part.volume = Some(Volume {
                group_class,
                ..volume(&claim, snapshot_class)
            });
        }
        Err(error) => part.error = Some(error),
    }
    Ok(Some(part))
}

/// Whether Services of a class can be backed up.
pub fn is_backupable(class: &ServiceClassSpec) -> bool {
    let said = class.backup.as_ref().and_then(|backup| backup.backupable);
    class.data.is_some() && said.unwrap_or(true)
}

/// Whether its data moves unless it is held.
fn is_held(seen: &Seen<'_>, service: &Found<Service>, class: &ServiceClassSpec) -> bool {
    let set = seen.get::<StatefulSet>(service.name());
    let stopped = set.is_none_or(|s| s.spec.replicas == Some(0) && s.status.replicas == 0);
    let backup = class.backup.as_ref();
    backup.is_some_and(|backup| backup.quiesce.is_some()) && !stopped
}

fn described(service: &Found<Service>, class: &Found<ServiceClass>, named: &Named) -> Part {
    let tier = match service.spec.tier.unwrap_or_default() {
        Tier::Development => "Development",
        Tier::Production => "Production",
    };
    Part {
        service: named.service.clone(),
        uid: service.kept.uid.to_string(),
        class: class.name().to_owned(),
        type_: format!("{:?}", class.spec.type_),
        tier: tier.to_owned(),
        region: data::region(service, class).map(str::to_owned),
        prefix: named.prefix.clone(),
        ..Part::default()
    }
}

/// The Secret whose password opens the data, while that is certain.
fn account(
    seen: &Seen<'_>,
    service: &Found<Service>,
    name: &str,
    still: bool,
) -> Result<String, Obstacle> {
    let of = service.name();
    let secret = seen.get::<Secret>(name);
    let Some(secret) = secret.filter(|secret| secret.text("password").is_some()) else {
        let fix = format!("Service {of} has no data yet: the Backup begins once it has.");
        return Err(Obstacle::passing("NoDataYet", of, fix));
    };
    let mut restores = restore::into(seen, of).into_iter();
    if restores.any(|(_, memory)| memory.is_open(&service.kept.uid)) && !still {
        let fix = format!("A Restore puts data into Service {of}: the Backup begins after it.");
        return Err(Obstacle::passing("RestoreUnderWay", of, fix));
    }
    let stuck = service.status.iter().flat_map(|status| &status.conditions);
    let mut stuck = stuck.filter(|c| c.type_ == "PasswordRotated" && c.status == "False");
    if secret.kept.annotation("rotating").is_some() && stuck.next().is_none() && !still {
        let fix = format!("The password of Service {of} changes: the Backup begins after that.");
        return Err(Obstacle::passing("PasswordChanging", of, fix));
    }
    Ok(name.to_owned())
}

fn claim(
    seen: &Seen<'_>,
    service: &str,
    name: &str,
) -> Result<Found<PersistentVolumeClaim>, Obstacle> {
    let claim = seen.get::<PersistentVolumeClaim>(name);
    claim
        .filter(|claim| claim.status.phase == "Bound")
        .ok_or_else(|| {
            let fix =
                format!("Service {service} has no volume yet: the Backup begins once it has.");
            Obstacle::passing("NoDataYet", service, fix)
        })
}

fn volume(claim: &Found<PersistentVolumeClaim>, snapshot_class: String) -> Volume {
    let size = |sizes: &std::collections::BTreeMap<String, String>| sizes.get("storage").cloned();
    let asked = size(&claim.spec.resources.requests);
    Volume {
        claim: claim.name().to_owned(),
        size: asked
            .or_else(|| size(&claim.status.capacity))
            .unwrap_or_default(),
        storage_class: claim.spec.storage_class_name.clone(),
        snapshot_class,
        group_class: None,
    }
}

/// How a volume is snapshot, or why it cannot be, and what to do.
fn snapshot_class(seen: &Seen<'_>, claim: &Found<PersistentVolumeClaim>) -> Result<String, String> {
    let name = claim.name();
    let Some(driver) = &claim.provisioner else {
        return Err(format!(
            "The volume of claim {name} was made by hand: only a volume of a CSI driver can be snapshot. Move the data to a Service with a StorageClass of such a driver."
        ));
    };
    let mut classes = seen.by_key::<VolumeSnapshotClass>(&format!("driver/{driver}"));
    classes.sort_by_key(|class| !class.default);
    match classes.first() {
        Some(class) => Ok(class.name().to_owned()),
        None => Err(format!(
            "No VolumeSnapshotClass is for {driver}, the driver of claim {name}: install the snapshot controller and a VolumeSnapshotClass whose driver is {driver}; if that driver takes no snapshots, use a StorageClass of one that does."
        )),
    }
}
