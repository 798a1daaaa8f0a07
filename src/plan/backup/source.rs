//! What can be restored: one part of a Backup, as whoever restores it needs to know it.

use serde::{Deserialize, Serialize};

use super::{
    group,
    record::{Memory, Part, Volume},
    subject::Obstacle,
};
use crate::{
    api::{Backup, Service, ServiceClass, service::Tier},
    plan::{Found, Seen, service::data},
};

/// Where data comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// The Backup.
    pub backup: String,
    /// The Service in it.
    pub service: String,
    /// The snapshot.
    pub snapshot: String,
    /// The volume that it was taken of.
    pub volume: Volume,
    /// Bytes that a volume made from it has at least.
    pub bytes: Option<i64>,
    /// The Secret with the account that the data opens with.
    pub account: String,
}

/// What a Backup holds of a Service, or why nothing can come from it.
pub fn find(
    seen: &Seen<'_>,
    backup: &str,
    service: Option<&str>,
    own: &str,
) -> Result<(Source, Part), Obstacle> {
    let lasting = |word: &str, fix: String| Obstacle::Lasting(format!("{word}/{backup}"), fix);
    let Some(found) = seen.get::<Backup>(backup) else {
        let fix = format!(
            "There is no Backup {backup}: `kubectl get dbk -n {}` lists what there is.",
            seen.namespace()
        );
        return Err(lasting("BackupNotFound", fix));
    };
    let memory = Memory::of(seen, &found.kept).filter(|memory| memory.finished.is_some());
    let Some(memory) = memory else {
        let fix = format!("Backup {backup} has not ended: it goes on once that is done.");
        let what = format!("BackupNotReady/{backup}");
        return Err(Obstacle::Passing(what, fix));
    };
    let only = memory.parts.first().filter(|_| memory.parts.len() == 1);
    let service = service.or(only.map(|part| part.service.as_str()));
    let service = service.unwrap_or(own);
    let Some(part) = memory.part(service) else {
        let names: Vec<&str> = memory.parts.iter().map(|p| p.service.as_str()).collect();
        let fix = format!(
            "Backup {backup} holds nothing of Service {service}, but of {}.",
            names.join(", ")
        );
        return Err(lasting("NotInBackup", fix));
    };
    let snapshot = group::snapshot_of(seen, &found.kept, &memory, part);
    let (Some(volume), true, Some(snapshot)) = (&part.volume, memory.is_good(service), snapshot)
    else {
        let fix = format!(
            "The part of Service {service} in Backup {backup} failed or its snapshot is gone: take another Backup."
        );
        return Err(lasting("BackupNotUsable", fix));
    };
    let outcome = memory.outcomes.get(service);
    let source = Source {
        backup: backup.to_owned(),
        service: service.to_owned(),
        snapshot: snapshot.name().to_owned(),
        volume: volume.clone(),
        bytes: outcome.and_then(|outcome| outcome.size_bytes),
        account: memory.secret.name().to_owned(),
    };
    Ok((source, part.clone()))
}

/// Why the data of a part cannot be a Service's.
pub fn mismatch(
    part: &Part,
    backup: &str,
    service: &Found<Service>,
    class: &Found<ServiceClass>,
) -> Option<Obstacle> {
    let name = service.name();
    let type_ = format!("{:?}", class.spec.type_);
    let tier = match service.spec.tier.unwrap_or_default() {
        Tier::Development => "Development",
        Tier::Production => "Production",
    };
    let region = data::region(service, class);
    let fields = [
        ("TypeMismatch", "type", part.type_.as_str(), type_.as_str()),
        ("RestoreMismatch", "class", &part.class, class.name()),
        ("RestoreMismatch", "tier", &part.tier, tier),
        (
            "RestoreMismatch",
            "region",
            part.region.as_deref().unwrap_or("none"),
            region.unwrap_or("none"),
        ),
    ];
    let differs = fields.iter().find(|(_, _, was, is)| was != is)?;
    let (word, field, was, is) = differs;
    let fix = format!(
        "The data in Backup {backup} is of {field} {was}, Service {name} of {field} {is}: restore it into a Service of {field} {was}."
    );
    Some(Obstacle::Lasting(format!("{word}/{name}"), fix))
}
