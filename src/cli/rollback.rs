//! `rollback`: a Release that runs what an earlier one ran.

use clap_complete::ArgValueCompleter;
use kube::ResourceExt;

use super::{
    complete,
    fail::{Exit, Failure},
    progress::{Progress, note},
    reach::bare,
    scope::Scope,
    target::Target,
    track::{self, End, number, numbered},
};
use crate::{
    api::{
        Environment, Release,
        name::Ref,
        release::{ReleaseSource, ReleaseSpec},
    },
    kinds::Of,
};

/// What to roll back, and to which release.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The environment
    #[arg(value_name = "ENVIRONMENT", add = ArgValueCompleter::new(complete::environments))]
    pub environment: String,
    /// Number of the release to go back to [default: the last that succeeded before the one that serves]
    #[arg(long, value_name = "NUMBER")]
    pub to: Option<i64>,
}

/// What stands under the help.
pub const HELP: &str = "\
Image, containers, probe and variables are those of then; passwords of services are today's; release commands
are not run. It holds until the configuration changes: what waits stands in status.pendingChanges.

With kubectl alone:
  kubectl create -f - <<EOF
  apiVersion: roadstead.dev/v1alpha1
  kind: Release
  metadata: {name: shop-live-back, namespace: instance-acme}
  spec:
    environmentRef: {name: shop-live}
    copyFrom: {releaseRef: {name: shop-live-5}}
  EOF
  kubectl wait rel/shop-live-back --for condition=Succeeded";

/// Rolls back.
pub async fn run(args: &Args, scope: &Scope) -> Result<(), Failure> {
    let target = Target::parse(&args.environment, &[Of::Environment])?;
    let cluster = scope.connect().await?;
    let environment: Environment = cluster.get(Of::Environment, &target.name).await?;
    let releases = track::of_environment(&cluster, &target.name).await?;
    let serving = environment.status.as_ref().and_then(|s| s.current_release);
    let source = choose(&releases, serving, args.to)?;
    let number = number(source).unwrap_or_default();
    note(&format!(
        "rolling {target} back to what release {number} (release/{}) ran",
        source.name_any()
    ));
    let release = Release::new(
        "",
        ReleaseSpec {
            environment_ref: Ref {
                name: target.name.clone(),
            },
            build_mode: None,
            copy_from: Some(ReleaseSource {
                release_ref: Ref {
                    name: source.name_any(),
                },
            }),
            adopt: None,
            provision_services: None,
        },
    );
    let made = track::make(&cluster, &release, "back").await?;
    if scope.no_wait {
        let sentence = format!("release/{} was asked for.", made.name_any());
        return scope.output.answer(&sentence, &bare(&made));
    }
    let mut progress = Progress::start();
    let ended = track::follow(&cluster, scope, &made.name_any(), &mut progress).await?;
    drop(progress);
    let verdict = track::verdict(&ended);
    let sentence = verdict.as_deref().unwrap_or_default().to_owned();
    if !scope.output.is_for_people() || verdict.is_ok() {
        scope.output.answer(&sentence, &bare(&ended))?;
    }
    verdict.map(drop)
}

/// The release to go back to: the one that was named, or the last that succeeded before what serves.
fn choose(
    releases: &[Release],
    serving: Option<i64>,
    to: Option<i64>,
) -> Result<&Release, Failure> {
    let mut usable: Vec<&Release> = releases.iter().filter(|r| succeeded(r)).collect();
    usable.sort_by_key(|r| number(r));
    let numbers: Vec<String> = usable
        .iter()
        .filter_map(|r| number(r).map(|n| n.to_string()))
        .collect();
    let those = format!("these succeeded: {}", numbers.join(", "));
    if let Some(to) = to {
        return named(releases, serving, to, &those);
    }
    let Some(serving) = serving else {
        return Err(Failure::refused(
            "no release serves yet, so there is nothing to roll back",
            "make one with: kubectl roadstead release ENVIRONMENT",
        ));
    };
    let origin = origin(releases, serving);
    let before = |r: &&&Release| number(r).is_some_and(|n| n < origin);
    usable.iter().rfind(before).copied().ok_or_else(|| {
        Failure::refused(
            format!("no release succeeded before release {origin}, which is what serves"),
            if numbers.is_empty() {
                String::new()
            } else {
                format!("name one with --to; {those}")
            },
        )
    })
}

fn named<'a>(
    releases: &'a [Release],
    serving: Option<i64>,
    to: i64,
    those: &str,
) -> Result<&'a Release, Failure> {
    let Some(release) = numbered(releases, to) else {
        return Err(Failure::new(
            Exit::NotFound,
            format!("there is no release {to} of the environment"),
            those,
        ));
    };
    if !succeeded(release) {
        return Err(Failure::refused(
            format!("release {to} did not succeed, so there is nothing of it to run"),
            those,
        ));
    }
    if serving == Some(to) {
        return Err(Failure::refused(
            format!("release {to} is the one that serves"),
            those,
        ));
    }
    Ok(release)
}

/// The release whose code really serves: a rollback serves what an earlier one ran, so rolling back again goes further back.
fn origin(releases: &[Release], serving: i64) -> i64 {
    let mut at = serving;
    // A chain is never longer than the history.
    for _ in 0..releases.len() {
        let release = numbered(releases, at);
        let source = release.and_then(|r| r.spec.copy_from.as_ref());
        let earlier = source.and_then(|s| {
            let of_name = |r: &&Release| r.metadata.name.as_ref() == Some(&s.release_ref.name);
            releases.iter().find(of_name).and_then(number)
        });
        match earlier {
            Some(earlier) if earlier < at => at = earlier,
            _ => break,
        }
    }
    at
}

fn succeeded(release: &Release) -> bool {
    let end = release.status.as_ref().and_then(track::end);
    end == Some(End::Succeeded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::release::ReleaseStatus;

    fn release(number: i64, phase: &str, copies: Option<i64>) -> Release {
        let name = |n| Ref {
            name: format!("shop-{n}"),
        };
        let spec = ReleaseSpec {
            environment_ref: Ref {
                name: "shop".into(),
            },
            build_mode: None,
            copy_from: copies.map(|n| ReleaseSource {
                release_ref: name(n),
            }),
            adopt: None,
            provision_services: None,
        };
        let mut release = Release::new(&name(number).name, spec);
        release.status = Some(ReleaseStatus {
            number: Some(number),
            phase: Some(phase.into()),
            ..ReleaseStatus::default()
        });
        release
    }

    fn history() -> Vec<Release> {
        vec![
            release(4, "Succeeded", None),
            release(7, "Failed", None),
            release(5, "Succeeded", None),
            release(6, "Superseded", None),
            release(8, "Succeeded", None),
        ]
    }

    fn chosen(releases: &[Release], serving: i64, to: Option<i64>) -> Result<i64, Exit> {
        choose(releases, Some(serving), to)
            .map(|r| number(r).unwrap())
            .map_err(|f| f.exit)
    }

    #[test]
    fn the_last_that_succeeded_before_the_serving_one_is_taken() {
        assert_eq!(chosen(&history(), 8, None), Ok(5));
    }

    #[test]
    fn a_newer_failure_does_not_count() {
        let mut releases = history();
        releases.push(release(9, "Failed", None));
        assert_eq!(chosen(&releases, 8, None), Ok(5));
    }

    #[test]
    fn rolling_back_again_goes_further_back() {
        let mut releases = history();
        releases.push(release(9, "Succeeded", Some(5)));
        assert_eq!(chosen(&releases, 9, None), Ok(4));
    }

    #[test]
    fn a_number_is_taken_when_it_succeeded() {
        assert_eq!(chosen(&history(), 8, Some(4)), Ok(4));
        assert_eq!(chosen(&history(), 8, Some(7)), Err(Exit::Failed));
        assert_eq!(chosen(&history(), 8, Some(8)), Err(Exit::Failed));
        assert_eq!(chosen(&history(), 8, Some(99)), Err(Exit::NotFound));
    }

    #[test]
    fn without_an_earlier_success_it_is_refused_with_what_there_is() {
        let failure = choose(&history(), Some(4), None).unwrap_err();
        assert_eq!(failure.exit, Exit::Failed);
        assert!(failure.fix.contains("4, 5, 8"), "{}", failure.fix);
        assert!(choose(&history(), None, None).is_err());
    }
}
