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
    track::{self, End},
};
use crate::{
    api::{Environment, Release},
    kinds::Of,
};

/// The annotation that takes a Release out of use, with why.
const UNUSABLE: &str = "roadstead.dev/unusable";

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
    check(&cluster, &source, &to).await?;
    let name = source.name_any();
    note(&format!("{to} gets the image of release/{name}"));
    let args = release::Args {
        choice: Choice::one(to.name),
        adopt: Some(name),
        build_mode: None,
    };
    release::make(&args, scope, &cluster).await
}

/// Refuses at once a Release whose image nobody can run.
pub async fn check(cluster: &Cluster, source: &Release, to: &Target) -> Result<(), Failure> {
    let Some(why) = unfit(source) else {
        return Ok(());
    };
    let of = &source.spec.environment_ref.name;
    let releases = track::of_environment(cluster, of).await?;
    Err(refused(source, &why, &releases, to))
}

/// Why nobody can run the image of a Release, if so.
fn unfit(source: &Release) -> Option<String> {
    if let Some(why) = source.annotations().get(UNUSABLE) {
        return Some(format!("it is marked as unusable: {why}"));
    }
    let end = source.status.as_ref().and_then(track::end);
    let why = match end {
        Some(End::Succeeded) => return None,
        Some(End::Failed) => "it failed, and only one that succeeded can be",
        Some(End::Superseded) => "it never began, because a newer one came",
        None => "it has not ended yet",
    };
    Some(why.to_owned())
}

/// That it cannot be promoted, and what can instead: the newest of its Environment that did succeed.
fn refused(source: &Release, why: &str, releases: &[Release], to: &Target) -> Failure {
    let good = releases.iter().filter(|r| unfit(r).is_none());
    let newest = good.max_by_key(|r| track::number(r));
    let namespace = source.metadata.namespace.as_deref().unwrap_or_default();
    let fix = match newest {
        Some(newest) => format!(
            "kubectl roadstead promote rel/{} --to {} -n {namespace}",
            newest.name_any(),
            to.name
        ),
        None => {
            let of = &source.spec.environment_ref.name;
            format!(
                "no release of environment/{of} can be yet; see why: kubectl roadstead why renv/{of} -n {namespace}"
            )
        }
    };
    let name = source.name_any();
    Failure::refused(format!("release/{name} cannot be promoted: {why}"), fix)
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn release(number: i64, phase: &str) -> Release {
        serde_json::from_value(json!({
            "apiVersion": "roadstead.dev/v1alpha1", "kind": "Release",
            "metadata": {"name": format!("test-{number}"), "namespace": "instance-acme"},
            "spec": {"environmentRef": {"name": "test"}},
            "status": {"number": number, "phase": phase},
        }))
        .unwrap()
    }

    #[test]
    fn what_failed_is_refused_with_the_command_that_promotes_what_did_not() {
        let mut leaky = release(9, "Succeeded");
        let note = ("roadstead.dev/unusable".to_owned(), "leaks".to_owned());
        leaky.annotations_mut().extend([note]);
        let all = [
            release(7, "Succeeded"),
            release(8, "Failed"),
            release(6, "Succeeded"),
            leaky,
        ];
        let live = Target::new(Of::Environment, "live");
        assert_eq!(unfit(&all[0]), None);
        let why = unfit(&all[1]).unwrap();
        let failure = refused(&all[1], &why, &all, &live);
        assert!(
            failure
                .what
                .starts_with("release/test-8 cannot be promoted: it failed")
        );
        assert_eq!(
            failure.fix,
            "kubectl roadstead promote rel/test-7 --to live -n instance-acme"
        );
        let why = unfit(&all[3]).unwrap();
        assert_eq!(why, "it is marked as unusable: leaks");
        assert!(unfit(&release(10, "Releasing")).is_some());
        let failure = refused(&all[1], "it failed", &all[1..2], &live);
        assert!(failure.fix.ends_with("why renv/test -n instance-acme"));
    }
}
