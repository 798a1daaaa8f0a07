//! `backup`: the data of a Service, or of an Environment's Services, as it is now.

use clap_complete::ArgValueCompleter;
use jiff::Timestamp;
use kube::{ResourceExt, api::DynamicObject};
use serde_json::Value;

use super::{
    complete, fail::Failure, progress::Progress, reach::bare, scope::Scope, target::Target, track,
    wait::Waiting,
};
use crate::{
    api::{
        Backup,
        backup::{BackupSpec, Verify},
        name::Ref,
    },
    kinds::Of,
};

/// What is backed up.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The service, or the environment whose services are meant
    #[arg(value_name = "msvc/NAME|renv/NAME", add = ArgValueCompleter::new(complete::backed_up))]
    pub target: String,
    /// Of an environment only these services
    #[arg(long, value_name = "SERVICE", value_delimiter = ',', add = ArgValueCompleter::new(complete::services))]
    pub only: Vec<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub notes: Option<String>,
    /// Prove that it restores, in a throw-away service with the check of its class, and wait for that
    #[arg(long)]
    pub verify: bool,
    /// Nobody deletes it until the hold is lifted
    #[arg(long)]
    pub hold: bool,
}

/// What stands under the help.
pub const HELP: &str = "\
A service that runs goes on; one that is stopped is not started. It stays until somebody deletes it, and
outlives the service.

With kubectl alone:
  kubectl create -f - <<EOF
  apiVersion: roadstead.dev/v1alpha1
  kind: Backup
  metadata: {name: before-the-migration, namespace: instance-acme}
  spec: {serviceRef: {name: shop-db}}
  EOF
  kubectl wait dbk/before-the-migration --for condition=Ready";

/// Makes a Backup.
pub async fn run(args: &Args, scope: &Scope) -> Result<(), Failure> {
    let target = Target::parse(&args.target, &[Of::Service, Of::Environment])?;
    if target.of == Of::Service && !args.only.is_empty() {
        return Err(Failure::usage(
            format!("--only is for the services of an environment, and {target} is one service"),
            "leave --only out, or name an environment as renv/NAME",
        ));
    }
    let cluster = scope.connect().await?;
    cluster.read(&target).await?;
    let spec = spec(args, &target);
    let named = |attempt| {
        let name = track::name(&target.name, "by-hand", Timestamp::now(), attempt);
        Backup::new(&name, spec.clone())
    };
    let made = cluster.create(&format!("back {target} up"), named).await?;
    let name = made.name_any();
    if scope.no_wait {
        let sentence = format!("backup/{name} was asked for.");
        return scope.output.answer(&sentence, &bare(&made));
    }
    let waiting = Waiting {
        scope,
        what: format!("backup/{name}"),
        look: format!("kubectl roadstead why dbk/{name} -n {}", cluster.namespace),
    };
    let mut progress = Progress::start();
    let backup = Target::new(Of::Backup, name.as_str());
    let also: &[&str] = if args.verify { &["Verified"] } else { &[] };
    let ended = waiting.settle_and(also, &cluster, &backup, &mut progress);
    let ended = ended.await?;
    drop(progress);
    let sentence = format!(
        "backup/{name} holds the data of {target}: {}.",
        held(&ended)
    );
    scope.output.answer(&sentence, &bare(&ended))
}

/// How much it holds, and how long it took to prove that.
fn held(backup: &DynamicObject) -> String {
    let status = |field: &str| backup.data.get("status").and_then(|s| s.get(field));
    let size = status("size").and_then(Value::as_str).unwrap_or("-");
    match status("restoreSeconds").and_then(Value::as_i64) {
        Some(seconds) => format!("{size}, restored in {seconds} seconds and checked"),
        None => size.to_owned(),
    }
}

fn spec(args: &Args, target: &Target) -> BackupSpec {
    let this = Ref {
        name: target.name.clone(),
    };
    let of = |of: Of| (target.of == of).then(|| this.clone());
    BackupSpec {
        environment_ref: of(Of::Environment),
        service_ref: of(Of::Service),
        services: (!args.only.is_empty()).then(|| args.only.clone()),
        notes: args.notes.clone(),
        delete_at: None,
        legal_hold: args.hold.then_some(true),
        verify: args.verify.then(Verify::default),
    }
}
