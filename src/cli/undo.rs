//! `undo`: what was there before a Restore counts again.

use clap_complete::ArgValueCompleter;
use kube::ResourceExt;
use serde_json::json;

use super::{
    complete,
    confirm::confirm,
    fail::Failure,
    progress::{Progress, note},
    reach::bare,
    scope::Scope,
    standing::Standing,
    target::Target,
    users,
    wait::{Waiting, fix_of},
};
use crate::{
    api::{
        Restore, Service,
        restore::{RestoreSpec, RestoreStatus},
        status::READY,
    },
    kinds::Of,
};

/// What is undone.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The restore
    #[arg(value_name = "RESTORE", add = ArgValueCompleter::new(complete::restores))]
    pub restore: String,
    /// Its name typed back, where nobody can be asked for it
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
}

/// What stands under the help.
pub const HELP: &str = "\
What was written since the restore no longer counts; it is kept for a week, as what was there before was.

With kubectl alone:
  kubectl patch drs back --type merge -p '{\"spec\":{\"undo\":true}}'";

/// Refuses what is undone already, and what nothing is kept of.
fn may_be_undone(
    target: &Target,
    spec: &RestoreSpec,
    status: &RestoreStatus,
) -> Result<(), Failure> {
    if is_undone(status) {
        return Err(Failure::refused(
            format!("{target} is undone already"),
            format!(
                "to have its data again: kubectl roadstead restore {}",
                spec.backup_ref.name
            ),
        ));
    }
    if status.undo_until.is_none() && spec.undo != Some(true) {
        return Err(Failure::refused(
            format!("{target} cannot be undone: nothing of what was there before is kept"),
            format!("kubectl roadstead why drs/{}", target.name),
        ));
    }
    Ok(())
}

/// Whether there is nothing left to undo.
fn is_undone(status: &RestoreStatus) -> bool {
    let ready = status.conditions.iter().find(|c| c.type_ == READY);
    ready.is_some_and(|c| c.reason == "Undone")
}

/// Who is without a Service while it goes back.
fn stands_still(service: &Service) -> String {
    let name = service.name_any();
    match users::of(service).as_slice() {
        [] => format!("service/{name} stops meanwhile (used by no environment)"),
        users => format!(
            "service/{name} stops meanwhile, and with it {}",
            users::list(users)
        ),
    }
}

/// Undoes a Restore.
pub async fn run(args: &Args, scope: &Scope) -> Result<(), Failure> {
    let target = Target::parse(&args.restore, &[Of::Restore])?;
    let cluster = scope.connect().await?;
    let restore: Restore = cluster.get(Of::Restore, &target.name).await?;
    let status = restore.status.unwrap_or_default();
    may_be_undone(&target, &restore.spec, &status)?;
    let into: Vec<String> = restore.spec.services.into_iter().map(|s| s.into).collect();
    let names = into.join(", ");
    let since = status.finished_at.unwrap_or_default();
    note(&format!(
        "what was written to {names} since {since} will no longer count"
    ));
    let services: Vec<Service> = cluster.list(Of::Service).await?;
    let concerned = services.iter().filter(|s| into.contains(&s.name_any()));
    concerned.for_each(|service| note(&stands_still(service)));
    let given = args.confirm.as_deref();
    confirm(&target.to_string(), "is undone", &target.name, given)?;
    let edited = cluster.edit(&target, json!({"undo": true})).await?;
    if scope.no_wait {
        let sentence = format!("{target} is to be undone.");
        return scope.output.answer(&sentence, &bare(&edited));
    }
    let waiting = Waiting {
        scope,
        what: target.to_string(),
        look: format!(
            "kubectl roadstead why drs/{} -n {}",
            target.name, cluster.namespace
        ),
    };
    let mut progress = Progress::start();
    let see = |object: Option<&kube::api::DynamicObject>| {
        let object = object?;
        match Standing::of(object) {
            Standing::Ready(why) if why.reason == "Undone" => Some(Ok(object.clone())),
            Standing::Stalled(why) => Some(Err(Failure::refused(
                format!("{target} cannot be undone: {}", why.message),
                fix_of(object).unwrap_or_default(),
            ))),
            standing => {
                let why = standing.condition();
                progress.now(why.map_or("", |why| why.message.as_str()));
                None
            }
        }
    };
    let api = cluster.dynamic(Of::Restore);
    let ended = waiting.until(api, &target.name, see).await?;
    drop(progress);
    users::are_back(&cluster, scope, &into).await?;
    let sentence = format!("{names}: what was there before {target} is back.");
    scope.output.answer(&sentence, &bare(&ended))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_undone_is_not_undone_again() {
        let ready = |reason: &str| -> RestoreStatus {
            let condition = json!({
                "type": READY, "status": "True", "reason": reason, "message": "",
                "lastTransitionTime": "2026-11-22T10:00:00Z", "observedGeneration": 2,
            });
            serde_json::from_value(json!({"conditions": [condition]})).unwrap()
        };
        let refused = |status: &RestoreStatus, undo: bool| {
            let target = Target::new(Of::Restore, "back");
            let spec = json!({"backupRef": {"name": "before"}, "services": [], "undo": undo});
            let spec: RestoreSpec = serde_json::from_value(spec).unwrap();
            may_be_undone(&target, &spec, status).err().map(|f| f.what)
        };
        let said = refused(&ready("Undone"), true);
        assert_eq!(said.as_deref(), Some("restore/back is undone already"));
        assert_eq!(refused(&ready("Undoing"), true), None);
        assert!(refused(&RestoreStatus::default(), false).is_some());
    }

    #[test]
    fn those_who_are_without_it_are_named() {
        let service = |attached: serde_json::Value| -> Service {
            serde_json::from_value(json!({
                "apiVersion": "roadstead.dev/v1alpha1", "kind": "Service", "metadata": {"name": "db"},
                "spec": {"classRef": {"name": "postgres"}}, "status": {"attachments": attached},
            }))
            .unwrap()
        };
        let used = json!([{"environment": "live", "prefix": "DEFAULT", "state": "attached"}]);
        assert!(stands_still(&service(used)).contains("with it environment/live"));
        assert!(stands_still(&service(json!([]))).contains("no environment"));
    }
}
