//! `exec`: a command, or a shell, in a replica that is there.

use std::io::IsTerminal;

use clap_complete::ArgValueCompleter;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt, api::ListParams};
use tokio::process::Command;

use super::{
    complete,
    fail::{Exit, Failure},
    scope::{Cluster, Scope},
    target::{Target, replicas},
};
use crate::kinds::Of;

/// Where, and what.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The environment; or a service, as msvc/NAME
    #[arg(value_name = "ENVIRONMENT|msvc/NAME", add = ArgValueCompleter::new(complete::environments))]
    pub object: String,
    /// Only a replica of this container of the environment
    #[arg(short, long, value_name = "NAME")]
    pub container: Option<String>,
    /// The replica [default: the first that is ready]
    #[arg(long, value_name = "POD")]
    pub replica: Option<String>,
    /// The command [default: a shell]
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// What stands under the help.
pub const HELP: &str = "\
Standard input and the terminal are passed on where there are any. It takes the right to exec (role Admin), for a
shell shows every variable. To run something beside the replicas, see: kubectl roadstead run --help

With kubectl alone:
  kubectl exec -it deploy/shop-live-web -- sh";

/// Runs it.
pub async fn run(args: &Args, scope: &Scope) -> Result<(), Failure> {
    let target = Target::parse_bare(&args.object, &[Of::Environment, Of::Service])?;
    let cluster = scope.connect().await?;
    let pod = match &args.replica {
        Some(name) => name.clone(),
        None => replica(&cluster, &target, args.container.as_deref()).await?,
    };
    let status = kubectl(args, scope, &cluster, &pod).status().await;
    let status = status.map_err(|e| {
        Failure::refused(
            format!("kubectl cannot be started: {e}"),
            "put kubectl into the PATH",
        )
    })?;
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => Err(Failure::new(Exit::of(code), "", "")),
        None => Err(Failure::new(Exit::Interrupted, "", "")),
    }
}

/// The replica to enter: a ready one, the first by name.
async fn replica(
    cluster: &Cluster,
    target: &Target,
    container: Option<&str>,
) -> Result<String, Failure> {
    let selector = replicas(target, container);
    let pods: Api<Pod> = cluster.api();
    let list = pods.list(&ListParams::default().labels(&selector)).await;
    let list = list.map_err(|e| Failure::from_api(&e, &format!("list the pods of {target}")))?;
    if let Some(pod) = choose(list.items) {
        return Ok(pod);
    }
    // Tells if there is no such object at all.
    cluster.read(target).await?;
    let what = container.map_or(String::new(), |c| format!(" of container {c}"));
    Err(Failure::refused(
        format!("{target} has no replica{what} that is ready"),
        format!("see why: kubectl roadstead why {target}"),
    ))
}

fn choose(mut pods: Vec<Pod>) -> Option<String> {
    pods.sort_by_key(ResourceExt::name_any);
    let ready = |pod: &&Pod| {
        let conditions = pod.status.as_ref().and_then(|s| s.conditions.as_ref());
        let is =
            |c: &k8s_openapi::api::core::v1::PodCondition| c.type_ == "Ready" && c.status == "True";
        let leaves = pod.metadata.deletion_timestamp.is_some();
        !leaves && conditions.is_some_and(|all| all.iter().any(is))
    };
    pods.iter().find(ready).map(ResourceExt::name_any)
}

/// kubectl knows terminals, and is there: this is a plugin of it.
fn kubectl(args: &Args, scope: &Scope, cluster: &Cluster, pod: &str) -> Command {
    let mut command = Command::new("kubectl");
    if let Some(file) = &scope.kubeconfig {
        command.arg("--kubeconfig").arg(file);
    }
    if let Some(context) = &scope.context {
        command.args(["--context", context]);
    }
    command.args(["exec", "-n", &cluster.namespace, pod, "--stdin", "--quiet"]);
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        command.arg("--tty");
    }
    command.arg("--");
    if args.command.is_empty() {
        command.args([
            "sh",
            "-c",
            "command -v bash >/dev/null && exec bash || exec sh",
        ]);
    } else {
        command.args(&args.command);
    }
    command
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_replica_that_is_ready_and_stays_is_entered() {
        let pod = |name: &str, ready: &str, leaves: bool| -> Pod {
            let leaves = leaves.then_some("2026-11-22T01:00:00Z");
            serde_json::from_value(json!({
                "metadata": {"name": name, "deletionTimestamp": leaves},
                "status": {"conditions": [{"type": "Ready", "status": ready}]},
            }))
            .unwrap()
        };
        let all = vec![
            pod("d", "True", false),
            pod("c", "True", false),
            pod("b", "False", false),
            pod("a", "True", true),
        ];
        assert_eq!(choose(all).as_deref(), Some("c"));
        assert_eq!(choose(vec![pod("b", "False", false)]), None);
    }
}
