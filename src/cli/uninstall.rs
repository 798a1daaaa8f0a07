//! `uninstall`: releases our finalizers when the operator is already gone, so that what was deleted can go. Data stays.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::{apps::v1::Deployment, coordination::v1::Lease};
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, ListParams, Patch, PatchParams},
    core::PartialObjectMeta,
};
use serde::Serialize;
use serde_json::json;

use super::{
    fail::{Exit, Failure, sum_up},
    progress::Progress,
    reach::MANAGER,
    scope::{Cluster, Scope},
    show::print,
    target::{ours, resource, word},
    wait::Waiting,
};
use crate::{api::FINALIZER, kinds::Entry};

/// What to release.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Also while an operator is there: it then cannot act before objects go
    #[arg(long)]
    pub force: bool,
}

/// What stands under the help.
pub const HELP: &str = "\
First `helm uninstall roadstead`, then this, then what you no longer want. It works on the whole cluster.
Right after helm it may wait some seconds, until it is sure that no operator renews the Lease.
Deleted objects that waited for the operator are gone at once; all others stay as they are. Volumes, snapshots
and Secrets with data are not touched. To remove what was declared and the kinds themselves:
  kubectl delete crd -l app.kubernetes.io/part-of=roadstead

With kubectl alone, object by object:
  kubectl patch msvc shop-db --type merge -p '{\"metadata\":{\"finalizers\":null}}'";

/// An object that our finalizer holds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Held {
    kind: String,
    namespace: String,
    name: String,
    /// Whether it was deleted, and goes as soon as it is released.
    deleted: bool,
    released: bool,
    #[serde(skip)]
    entry: &'static Entry,
    #[serde(skip)]
    finalizers: Vec<String>,
    #[serde(skip)]
    version: Option<String>,
}

/// Releases them.
pub async fn run(args: &Args, scope: &Scope) -> Result<(), Failure> {
    let cluster = scope.connect().await?;
    if !args.force && !args.dry_run {
        refuse_while_alive(&cluster, scope).await?;
    }
    let mut all = Vec::new();
    for entry in ours() {
        all.extend(held(&cluster, entry).await?);
    }
    let mut failed = Vec::new();
    for held in &mut all {
        if args.dry_run {
            continue;
        }
        match release(&cluster, held).await {
            Ok(()) => held.released = true,
            Err(failure) => failed.push(failure),
        }
    }
    if scope.output.is_for_people() {
        print(&text(&all, args.dry_run))?;
    } else {
        print(&scope.output.render(&all)?)?;
    }
    sum_up(failed)
}

/// An operator that runs releases its finalizers itself, and does what has to be done before.
async fn refuse_while_alive(cluster: &Cluster, scope: &Scope) -> Result<(), Failure> {
    let labels = ListParams::default().labels("app.kubernetes.io/name=roadstead");
    let deployments: Api<Deployment> = Api::all(cluster.client.clone());
    let found = deployments.list(&labels).await;
    let found = found.map_err(|e| Failure::from_api(&e, "see whether an operator is there"))?;
    if let Some(deployment) = found.items.first() {
        let namespace = deployment.namespace().unwrap_or_default();
        return Err(alive(&format!(
            "deployment/{} in namespace {namespace}",
            deployment.name_any()
        )));
    }
    let leases: Api<Lease> = Api::all(cluster.client.clone());
    let fields = ListParams::default().fields("metadata.name=roadstead");
    let found = leases.list(&fields).await;
    let found = found.map_err(|e| Failure::from_api(&e, "see whether an operator is there"))?;
    let now = Timestamp::now();
    for lease in found.items.iter().filter(|lease| is_held(lease, now)) {
        refuse_while_renewed(cluster, scope, lease).await?;
    }
    Ok(())
}

/// An operator that is gone may leave its Lease held, for it lost the right to give it back; one that is there renews it before its time
/// is over.
async fn refuse_while_renewed(
    cluster: &Cluster,
    scope: &Scope,
    lease: &Lease,
) -> Result<(), Failure> {
    let namespace = lease.namespace().unwrap_or_default();
    let what = format!("lease/{} in namespace {namespace}", lease.name_any());
    let refusal = alive(&format!("the holder of {what}"));
    if scope.no_wait {
        return Err(refusal);
    }
    let patience = term(lease) + Duration::from_secs(1);
    let mut progress = Progress::start();
    progress.now(&format!(
        "{what} is held: waiting up to {}s whether anybody renews it",
        patience.as_secs()
    ));
    let waiting = Waiting {
        scope,
        look: format!("kubectl get lease {} -n {namespace}", lease.name_any()),
        what,
    };
    let seen = |now: Option<&Lease>| match fate(lease, now) {
        Fate::Given => Some(Ok(())),
        Fate::Renewed => Some(Err(refusal.clone())),
        Fate::Unknown => None,
    };
    let api = Api::namespaced(cluster.client.clone(), &namespace);
    let name = lease.name_any();
    let said = tokio::time::timeout(patience, waiting.until(api, &name, seen)).await;
    said.unwrap_or(Ok(()))
}

/// What became of a Lease that was held.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// Nobody holds it any more.
    Given,
    /// Whoever holds it is alive.
    Renewed,
    /// Nothing yet.
    Unknown,
}

fn fate(before: &Lease, now: Option<&Lease>) -> Fate {
    let renewed = |lease: &Lease| lease.spec.as_ref().and_then(|s| s.renew_time.clone());
    match now {
        None => Fate::Given,
        Some(now) if holder(now).is_empty() => Fate::Given,
        Some(now) if renewed(now) != renewed(before) => Fate::Renewed,
        Some(_) => Fate::Unknown,
    }
}

fn holder(lease: &Lease) -> &str {
    let holder = lease
        .spec
        .as_ref()
        .and_then(|s| s.holder_identity.as_deref());
    holder.unwrap_or_default()
}

/// How long the Lease is good for without being renewed.
fn term(lease: &Lease) -> Duration {
    let seconds = lease.spec.as_ref().and_then(|s| s.lease_duration_seconds);
    Duration::from_secs(seconds.and_then(|s| u64::try_from(s).ok()).unwrap_or(15))
}

fn alive(what: &str) -> Failure {
    Failure::refused(
        format!(
            "an operator is there ({what}), and releases its objects itself when they are deleted"
        ),
        "delete what you no longer want, then helm uninstall; or, if it does not work any more, --force",
    )
}

/// Whether somebody holds the lease at this time.
fn is_held(lease: &Lease, now: Timestamp) -> bool {
    let renewed = lease.spec.as_ref().and_then(|s| s.renew_time.as_ref());
    let fresh =
        renewed.is_some_and(|t| now.duration_since(t.0).as_secs_f64() <= term(lease).as_secs_f64());
    !holder(lease).is_empty() && fresh
}

/// The objects of one kind that are held; none where the kind is not there.
async fn held(cluster: &Cluster, entry: &'static Entry) -> Result<Vec<Held>, Failure> {
    let api: Api<DynamicObject> = Api::all_with(cluster.client.clone(), &resource(entry));
    let list = match api.list_metadata(&ListParams::default()).await {
        Ok(list) => list.items,
        Err(kube::Error::Api(status)) if status.code == 404 => Vec::new(),
        Err(e) => return Err(Failure::from_api(&e, &format!("list {}", entry.plural))),
    };
    let mine = |o: &PartialObjectMeta<DynamicObject>| o.finalizers().iter().any(|f| f == FINALIZER);
    let held = |o: PartialObjectMeta<DynamicObject>| Held {
        kind: word(entry.of),
        namespace: o.namespace().unwrap_or_default(),
        name: o.name_any(),
        deleted: o.metadata.deletion_timestamp.is_some(),
        released: false,
        entry,
        finalizers: o.finalizers().to_vec(),
        version: o.resource_version(),
    };
    Ok(list.into_iter().filter(mine).map(held).collect())
}

/// Takes our finalizer from an object, and no other; somebody who changed it meanwhile is not overwritten.
async fn release(cluster: &Cluster, held: &Held) -> Result<(), Failure> {
    let resource = resource(held.entry);
    let api: Api<DynamicObject> = if held.entry.namespaced {
        Api::namespaced_with(cluster.client.clone(), &held.namespace, &resource)
    } else {
        Api::all_with(cluster.client.clone(), &resource)
    };
    let rest: Vec<&String> = held.finalizers.iter().filter(|f| *f != FINALIZER).collect();
    let metadata = json!({"finalizers": rest, "resourceVersion": held.version});
    let patch = Patch::Merge(json!({ "metadata": metadata }));
    let params = PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    };
    match api.patch_metadata(&held.name, &params, &patch).await {
        Ok(_) => Ok(()),
        Err(e) => {
            let doing = format!("release {}/{}", held.kind, held.name);
            let failure = Failure::from_api(&e, &doing);
            if failure.exit == Exit::NotFound {
                return Ok(());
            }
            Err(failure)
        }
    }
}

fn text(all: &[Held], dry_run: bool) -> String {
    if all.is_empty() {
        return "Nothing is held: there is no finalizer of Roadstead on any object.\n".to_owned();
    }
    let mut text = String::new();
    for held in all.iter().filter(|h| h.released || dry_run) {
        let place = match held.namespace.as_str() {
            "" => String::new(),
            namespace => format!(" in {namespace}"),
        };
        let done = if dry_run { "would release" } else { "released" };
        let then = if held.deleted {
            "it was deleted, and goes now"
        } else {
            "it stays"
        };
        text.push_str(&format!(
            "{done} {}/{}{place}: {then}\n",
            held.kind, held.name
        ));
    }
    text.push_str("Volumes, snapshots and Secrets with data were not touched. What remains can be removed with:\n");
    text.push_str("  kubectl delete crd -l app.kubernetes.io/part-of=roadstead\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Of;

    fn lease(holder: &str, second: u32) -> Lease {
        serde_json::from_value(json!({
            "metadata": {"name": "roadstead"},
            "spec": {
                "holderIdentity": holder,
                "leaseDurationSeconds": 15,
                "renewTime": format!("2026-11-22T12:00:{second:02}.000000Z"),
            },
        }))
        .unwrap()
    }

    #[test]
    fn whoever_renews_a_lease_is_there() {
        let before = lease("a", 0);
        assert_eq!(fate(&before, Some(&before)), Fate::Unknown);
        assert_eq!(fate(&before, Some(&lease("a", 10))), Fate::Renewed);
        assert_eq!(fate(&before, Some(&lease("b", 10))), Fate::Renewed);
        assert_eq!(fate(&before, Some(&lease("", 10))), Fate::Given);
        assert_eq!(fate(&before, None), Fate::Given);
    }

    #[test]
    fn a_lease_is_held_while_it_is_renewed() {
        let lease = |holder: &str| lease(holder, 0);
        let at = |t: &str| t.parse::<Timestamp>().unwrap();
        assert!(is_held(&lease("a"), at("2026-11-22T12:00:10Z")));
        assert!(!is_held(&lease("a"), at("2026-11-22T12:00:30Z")));
        assert!(!is_held(&lease(""), at("2026-11-22T12:00:10Z")));
    }

    #[test]
    fn it_says_what_goes_and_what_stays() {
        let held = |name: &str, deleted| Held {
            kind: "service".into(),
            namespace: "instance-acme".into(),
            name: name.into(),
            deleted,
            released: true,
            entry: Of::Service.entry(),
            finalizers: Vec::new(),
            version: None,
        };
        let text = text(&[held("a", true), held("b", false)], false);
        assert!(text.starts_with(
            "released service/a in instance-acme: it was deleted, and goes now\n\
             released service/b in instance-acme: it stays\n"
        ));
        assert!(text.contains("not touched"));
    }
}
