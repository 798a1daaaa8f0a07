//! `restore`: data of a Backup into the Service that it is of, or into another one.

use clap_complete::ArgValueCompleter;
use jiff::Timestamp;
use kube::{ResourceExt, api::PostParams};
use serde_json::json;

use super::{
    complete,
    confirm::confirm,
    fail::{Exit, Failure},
    progress::{Progress, note},
    reach::{MANAGER, bare},
    scope::{Cluster, Scope},
    target::Target,
    track, users,
    wait::Waiting,
};
use crate::{
    api::{
        Backup, Restore, Service,
        backup::{BackupPart, BackupState},
        name::Ref,
        restore::{RestoreService, RestoreSpec},
    },
    kinds::Of,
};

/// What goes where.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The backup
    #[arg(value_name = "BACKUP", add = ArgValueCompleter::new(complete::backups))]
    pub backup: String,
    /// The service whose data is meant [default: all that the backup holds]
    #[arg(long, value_name = "SERVICE", add = ArgValueCompleter::new(complete::services))]
    pub from: Option<String>,
    /// The service that gets it; where there is none of that name, it is made [default: the same]
    #[arg(long, value_name = "SERVICE", add = ArgValueCompleter::new(complete::services))]
    pub into: Option<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub notes: Option<String>,
    /// Names of the services whose data is replaced typed back, separated by commas, where nobody can be asked for them
    #[arg(long, value_name = "NAMES")]
    pub confirm: Option<String>,
}

/// What stands under the help.
pub const HELP: &str = "\
What is replaced goes into a backup of its own first, and `kubectl roadstead undo` puts it back within a week.

With kubectl alone; UID is that of the service that may be overwritten:
  kubectl create -f - <<EOF
  apiVersion: roadstead.dev/v1alpha1
  kind: Restore
  metadata: {name: back, namespace: instance-acme}
  spec:
    backupRef: {name: before-the-migration}
    services: [{into: shop-db, overwrite: UID}]
  EOF
  kubectl wait drs/back --for condition=Ready
A new service: restoreFrom: {backupRef: {name: before-the-migration}, service: shop-db} in its spec.";

/// Restores.
pub async fn run(args: &Args, scope: &Scope) -> Result<(), Failure> {
    let target = Target::parse(&args.backup, &[Of::Backup])?;
    let cluster = scope.connect().await?;
    let backup: Backup = cluster.get(Of::Backup, &target.name).await?;
    let parts = parts(&backup, args)?;
    let services: Vec<Service> = cluster.list(Of::Service).await?;
    let find = |name: &str| services.iter().find(|s| s.name_any() == name);
    if let [part] = parts.as_slice() {
        let name = args.into.as_deref().unwrap_or(&part.service);
        if find(name).is_none() {
            return anew(&cluster, scope, &target.name, part, name).await;
        }
    }
    let mut into = Vec::new();
    for part in &parts {
        let name = args.into.as_deref().unwrap_or(&part.service);
        let service = find(name);
        note(&match service {
            Some(service) => overwrites(service, part),
            None => makes(name, part),
        });
        into.push(aim(name, part, service));
    }
    let lost = into.iter().filter(|s| s.overwrite.is_some());
    let lost: Vec<&str> = lost.map(|s| s.into.as_str()).collect();
    if !lost.is_empty() {
        let about = format!("service/{}", lost.join(" and service/"));
        let given = args.confirm.as_deref();
        confirm(&about, "gets other data", &lost.join(","), given)?;
    }
    let spec = RestoreSpec {
        backup_ref: Ref {
            name: target.name.clone(),
        },
        services: into,
        notes: args.notes.clone(),
        undo: None,
    };
    in_place(&cluster, scope, &spec).await
}

/// The parts that are meant, all of which can be restored.
fn parts<'a>(backup: &'a Backup, args: &Args) -> Result<Vec<&'a BackupPart>, Failure> {
    let name = backup.name_any();
    let all: Vec<&BackupPart> = backup.status.iter().flat_map(|s| &s.parts).collect();
    let meant: Vec<&BackupPart> = match &args.from {
        None => all.clone(),
        Some(from) => all.iter().copied().filter(|p| p.service == *from).collect(),
    };
    let names: Vec<&str> = all.iter().map(|part| part.service.as_str()).collect();
    let has = format!("it has: {}", names.join(", "));
    if meant.is_empty() {
        let what = match &args.from {
            Some(from) => format!("backup/{name} holds nothing of service/{from}"),
            None => format!("backup/{name} holds nothing yet"),
        };
        return Err(Failure::new(Exit::NotFound, what, has));
    }
    if args.into.is_some() && meant.len() > 1 {
        return Err(Failure::usage(
            format!("backup/{name} holds the data of several services"),
            format!("say with --from which one goes into --into; {has}"),
        ));
    }
    match meant.iter().find(|part| part.state != BackupState::Done) {
        None => Ok(meant),
        Some(bad) => Err(Failure::refused(
            format!(
                "the data of service/{} in backup/{name} cannot be restored",
                bad.service
            ),
            match &bad.error {
                Some(error) => error.clone(),
                None => format!("kubectl roadstead why dbk/{name}"),
            },
        )),
    }
}

/// What is lost from sight, for the one who is asked.
fn overwrites(service: &Service, part: &BackupPart) -> String {
    let users = match users::of(service).as_slice() {
        [] => "used by no environment".to_owned(),
        users => format!("and with it {}", users::list(users)),
    };
    format!(
        "service/{} stops ({users}), and gets the data of service/{} as of {}; its present data is kept for a week.",
        service.name_any(),
        part.service,
        part.taken_at.as_deref().unwrap_or("an unknown time")
    )
}

/// What comes anew, for the one who is asked.
fn makes(name: &str, part: &BackupPart) -> String {
    format!(
        "service/{name} is made, of class {}, with the data of service/{}",
        part.class, part.service
    )
}

/// Where a part goes: over a service that is there, or into one that is made.
fn aim(name: &str, part: &BackupPart, there: Option<&Service>) -> RestoreService {
    RestoreService {
        into: name.to_owned(),
        from: Some(part.service.clone()),
        overwrite: there.and_then(ResourceExt::uid),
    }
}

async fn in_place(cluster: &Cluster, scope: &Scope, spec: &RestoreSpec) -> Result<(), Failure> {
    let names: Vec<&str> = spec.services.iter().map(|s| s.into.as_str()).collect();
    let names = names.join(", ");
    // A Restore's name has at most 40 characters.
    let short: String = spec.backup_ref.name.chars().take(27).collect();
    let short = short.trim_end_matches('-');
    let named = |attempt| {
        let name = track::name(short, "back", Timestamp::now(), attempt);
        Restore::new(&name, spec.clone())
    };
    let made = cluster
        .create(&format!("restore into {names}"), named)
        .await?;
    let name = made.name_any();
    if scope.no_wait {
        let sentence = format!("restore/{name} was asked for.");
        return scope.output.answer(&sentence, &bare(&made));
    }
    let ended = settled(cluster, scope, &Target::new(Of::Restore, name.as_str())).await?;
    let into: Vec<String> = spec.services.iter().map(|s| s.into.clone()).collect();
    users::are_back(cluster, scope, &into).await?;
    let until = ended.data.pointer("/status/undoUntil").cloned();
    let sentence = match until.as_ref().and_then(|until| until.as_str()) {
        Some(until) => format!(
            "{names}: the data of backup/{} serves. Until {until}: kubectl roadstead undo -n {} {name}",
            spec.backup_ref.name, cluster.namespace
        ),
        None => format!(
            "{names}: the data of backup/{} serves.",
            spec.backup_ref.name
        ),
    };
    scope.output.answer(&sentence, &bare(&ended))
}

/// A new Service of the kind that the data needs.
async fn anew(
    cluster: &Cluster,
    scope: &Scope,
    backup: &str,
    part: &BackupPart,
    name: &str,
) -> Result<(), Failure> {
    let target = Target::parse(name, &[Of::Service])?;
    note(&makes(name, part));
    let service = serde_json::from_value(json!({
        "apiVersion": crate::api::API_VERSION, "kind": "Service", "metadata": {"name": name},
        "spec": {
            "classRef": {"name": part.class}, "tier": part.tier, "region": part.region,
            "restoreFrom": {"backupRef": {"name": backup}, "service": part.service},
        },
    }));
    let service: Service = service.map_err(|e| Failure::refused(e.to_string(), ""))?;
    let params = PostParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PostParams::default()
    };
    let made = cluster.api::<Service>().create(&params, &service).await;
    let made = made.map_err(|e| Failure::from_api(&e, &format!("make {target}")))?;
    if scope.no_wait {
        let sentence = format!("{target} was asked for.");
        return scope.output.answer(&sentence, &bare(&made));
    }
    let ended = settled(cluster, scope, &target).await?;
    let sentence = format!("{target} serves the data of backup/{backup}.");
    scope.output.answer(&sentence, &bare(&ended))
}

async fn settled(
    cluster: &Cluster,
    scope: &Scope,
    target: &Target,
) -> Result<kube::api::DynamicObject, Failure> {
    let waiting = Waiting {
        scope,
        what: target.to_string(),
        look: format!("kubectl roadstead why {target} -n {}", cluster.namespace),
    };
    let mut progress = Progress::start();
    waiting.settle(cluster, target, &mut progress).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(from: Option<&str>, into: Option<&str>) -> Args {
        Args {
            backup: "b".into(),
            from: from.map(str::to_owned),
            into: into.map(str::to_owned),
            notes: None,
            confirm: None,
        }
    }

    fn backup() -> Backup {
        let part = |service: &str, state: &str| {
            json!({
                "service": service, "serviceUid": "u", "class": "postgres", "type": "Database", "tier": "Development",
                "state": state, "error": (state == "error").then_some("the pool is full"),
            })
        };
        serde_json::from_value(json!({
            "apiVersion": "roadstead.dev/v1alpha1", "kind": "Backup", "metadata": {"name": "b"}, "spec": {},
            "status": {"parts": [part("good", "done"), part("bad", "error")]},
        }))
        .unwrap()
    }

    fn meant(from: Option<&str>, into: Option<&str>) -> Result<Vec<String>, Failure> {
        let backup = backup();
        let parts = parts(&backup, &args(from, into))?;
        Ok(parts.iter().map(|part| part.service.clone()).collect())
    }

    #[test]
    fn one_part_can_be_meant_though_another_is_bad() {
        assert_eq!(meant(Some("good"), Some("other")).unwrap(), ["good"]);
    }

    #[test]
    fn what_cannot_be_restored_is_refused_with_the_reason() {
        let failure = meant(None, None).unwrap_err();
        assert_eq!(failure.exit, Exit::Failed);
        assert_eq!(failure.fix, "the pool is full");
    }

    #[test]
    fn a_service_that_is_there_is_overwritten_by_its_uid_and_one_that_is_not_is_made() {
        let backup = backup();
        let part = &backup.status.as_ref().unwrap().parts[0];
        let mut service = Service::new(
            "good",
            serde_json::from_value(json!({"classRef": {"name": "postgres"}})).unwrap(),
        );
        service.metadata.uid = Some("u1".to_owned());
        assert_eq!(
            aim("good", part, Some(&service)).overwrite.as_deref(),
            Some("u1")
        );
        assert_eq!(aim("good", part, None).overwrite, None);
        assert!(makes("good", part).starts_with("service/good is made, of class postgres"));
    }

    #[test]
    fn several_parts_do_not_go_into_one_service() {
        assert_eq!(meant(None, Some("x")).unwrap_err().exit, Exit::Usage);
        assert_eq!(meant(Some("gone"), None).unwrap_err().exit, Exit::NotFound);
    }
}
