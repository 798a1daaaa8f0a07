//! `promote`: the image that one Environment runs, in another.

use clap_complete::ArgValueCompleter;
use kube::ResourceExt;

use super::{
    choice::Choice,
    complete,
    fail::Failure,
    progress::note,
    release,
    scope::{Cluster, Scope},
    target::Target,
    track,
};
use crate::{
    api::{Environment, Release},
    kinds::Of,
};

/// From where, and to where.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The environment whose running image is meant; or a release of it, as rel/NAME
    #[arg(value_name = "ENVIRONMENT|rel/NAME", add = ArgValueCompleter::new(complete::environments))]
    pub from: String,
    /// The environment that is to run it
    #[arg(long, value_name = "ENVIRONMENT", add = ArgValueCompleter::new(complete::environments))]
    pub to: String,
}

/// What stands under the help.
pub const HELP: &str = "\
The very image that the other one runs is taken, by its digest; variables, services and containers are the environment's own.

With kubectl alone:
  kubectl create -f - <<EOF
  apiVersion: roadstead.dev/v1alpha1
  kind: Release
  metadata: {name: shop-live-from-test, namespace: instance-acme}
  spec:
    environmentRef: {name: shop-live}
    adopt: {releaseRef: {name: shop-test-7}}
  EOF";

/// Promotes.
pub async fn run(args: &Args, scope: &Scope) -> Result<(), Failure> {
    let from = Target::parse_bare(&args.from, &[Of::Environment, Of::Release])?;
    let to = Target::parse(&args.to, &[Of::Environment])?;
    if from == to {
        return Err(Failure::usage(
            format!("{to} cannot be promoted to itself"),
            "name another environment with --to",
        ));
    }
    let cluster = scope.connect().await?;
    let source = if from.of == Of::Release {
        cluster.get(Of::Release, &from.name).await?
    } else {
        serving(&cluster, &from).await?
    };
    let name = source.name_any();
    note(&format!("{to} gets the image of release/{name}"));
    let args = release::Args {
        choice: Choice::one(to.name),
        adopt: Some(name),
        build_mode: None,
    };
    release::run(&args, scope).await
}

/// The Release that an Environment runs.
async fn serving(cluster: &Cluster, from: &Target) -> Result<Release, Failure> {
    let environment: Environment = cluster.get(Of::Environment, &from.name).await?;
    let number = environment.status.and_then(|s| s.current_release);
    let releases = track::of_environment(cluster, &from.name).await?;
    let found = number.and_then(|number| track::numbered(&releases, number));
    found.cloned().ok_or_else(|| {
        Failure::refused(
            format!("{from} has no release that serves, so there is nothing to promote"),
            format!("kubectl roadstead why {from}"),
        )
    })
}
