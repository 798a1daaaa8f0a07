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
    /// Number or name of the release to go back to [default: the last that succeeded before the newest]
    #[arg(long, value_name = "NUMBER|NAME", add = ArgValueCompleter::new(complete::releases))]
    pub to: Option<String>,
}

/// What stands under the help.
pub const HELP: &str = "\
Image, containers, probe and variables are those of then; passwords of services are today's; release commands
are not run. It holds until the configuration changes: what waits stands in status.pendingChanges.
After a release that failed, it is the one that still serves that is gone back to: the change is taken back.

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
    let to = args.to.as_deref().map(Wanted::parse).transpose()?;
    let cluster = scope.connect().await?;
    let environment: Environment = cluster.get(Of::Environment, &target.name).await?;
    let releases = track::of_environment(&cluster, &target.name).await?;
    let serving = environment.status.as_ref().and_then(|s| s.current_release);
    let source = choose(&releases, serving, to.as_ref())?;
    note(&announcement(&target, source, serving));
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

/// What is about to happen.
fn announcement(target: &Target, source: &Release, serving: Option<i64>) -> String {
    let number = number(source).unwrap_or_default();
    let name = source.name_any();
    if serving == Some(number) {
        format!(
            "rolling {target} back to release {number} (release/{name}), which still serves: what came after it is taken back"
        )
    } else {
        format!("rolling {target} back to what release {number} (release/{name}) ran")
    }
}

/// A release as people name it.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Number(i64),
    Name(String),
}

impl Wanted {
    fn parse(text: &str) -> Result<Self, Failure> {
        if let Ok(number) = text.parse() {
            return Ok(Self::Number(number));
        }
        let named = Target::parse(text, &[Of::Release]);
        named.map(|target| Self::Name(target.name)).map_err(|_| {
            Failure::usage(
                format!("`{text}` is neither the number nor the name of a release"),
                "write a number such as 3, or a name such as shop-live-3: kubectl get rel",
            )
        })
    }

    fn find<'a>(&self, releases: &'a [Release]) -> Option<&'a Release> {
        match self {
            Self::Number(wanted) => numbered(releases, *wanted),
            Self::Name(name) => releases.iter().find(|r| r.name_any() == *name),
        }
    }
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => write!(f, "{name}"),
        }
    }
}

/// The release to go back to: the one that was named, or the last that succeeded before the newest.
fn choose<'a>(
    releases: &'a [Release],
    serving: Option<i64>,
    to: Option<&Wanted>,
) -> Result<&'a Release, Failure> {
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
    if let Some(newer) = newer(releases, serving) {
        // One that serves and was deleted is not passed over in silence: that would go back one too far.
        let serves = usable.iter().find(|r| number(r) == Some(serving));
        return serves.copied().ok_or_else(|| {
            Failure::refused(
                format!("release {newer} does not serve, but release {serving} still does, and its object is gone"),
                format!("name one that goes back further with --to; {those}"),
            )
        });
    }
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
    to: &Wanted,
    those: &str,
) -> Result<&'a Release, Failure> {
    let Some(release) = to.find(releases) else {
        return Err(Failure::new(
            Exit::NotFound,
            format!("there is no release {to} of the environment"),
            format!("name one by its number or its name; {those}"),
        ));
    };
    if !succeeded(release) {
        return Err(Failure::refused(
            format!("release {to} did not succeed, so there is nothing of it to run"),
            those,
        ));
    }
    let serves = number(release).filter(|number| serving == Some(*number));
    if serves.is_some_and(|number| newer(releases, number).is_none()) {
        return Err(Failure::refused(
            format!("release {to} is the newest, and serves"),
            those,
        ));
    }
    Ok(release)
}

/// The newest release, if it is newer than the one that serves: it failed, or is on its way.
fn newer(releases: &[Release], serving: i64) -> Option<i64> {
    let counts = |r: &&Release| r.status.as_ref().and_then(track::end) != Some(End::Superseded);
    let newest = releases.iter().filter(counts).filter_map(number).max();
    newest.filter(|newest| *newest > serving)
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

    fn chosen(releases: &[Release], serving: i64, to: Option<&str>) -> Result<i64, Exit> {
        let to = to.map(|text| Wanted::parse(text).unwrap());
        choose(releases, Some(serving), to.as_ref())
            .map(|r| number(r).unwrap())
            .map_err(|f| f.exit)
    }

    #[test]
    fn the_last_that_succeeded_before_the_serving_one_is_taken() {
        assert_eq!(chosen(&history(), 8, None), Ok(5));
    }

    #[test]
    fn after_a_failure_it_is_the_serving_one_that_is_gone_back_to() {
        let mut releases = history();
        releases.push(release(9, "Failed", None));
        assert_eq!(chosen(&releases, 8, None), Ok(8));
        assert_eq!(chosen(&releases, 8, Some("8")), Ok(8));
        assert_eq!(chosen(&releases, 8, Some("5")), Ok(5));
        releases.push(release(10, "Succeeded", Some(8)));
        assert_eq!(chosen(&releases, 10, None), Ok(5), "once more goes further");
    }

    #[test]
    fn a_serving_one_that_was_deleted_is_not_passed_over() {
        let mut releases = history();
        releases.retain(|r| number(r) != Some(8));
        releases.push(release(9, "Failed", None));
        assert_eq!(chosen(&releases, 8, None), Err(Exit::Failed));
    }

    #[test]
    fn what_was_superseded_does_not_count() {
        let mut releases = history();
        releases.push(release(9, "Superseded", None));
        assert_eq!(chosen(&releases, 8, None), Ok(5));
    }

    #[test]
    fn rolling_back_again_goes_further_back() {
        let mut releases = history();
        releases.push(release(9, "Succeeded", Some(5)));
        assert_eq!(chosen(&releases, 9, None), Ok(4));
    }

    #[test]
    fn a_number_or_a_name_is_taken_when_it_succeeded() {
        assert_eq!(chosen(&history(), 8, Some("4")), Ok(4));
        assert_eq!(chosen(&history(), 8, Some("shop-4")), Ok(4));
        assert_eq!(chosen(&history(), 8, Some("rel/shop-4")), Ok(4));
        assert_eq!(chosen(&history(), 8, Some("7")), Err(Exit::Failed));
        assert_eq!(chosen(&history(), 8, Some("8")), Err(Exit::Failed));
        assert_eq!(chosen(&history(), 8, Some("99")), Err(Exit::NotFound));
        assert_eq!(chosen(&history(), 8, Some("x")), Err(Exit::NotFound));
    }

    #[test]
    fn what_is_neither_is_refused_with_what_is_expected() {
        let failure = Wanted::parse("3rd!").unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.fix.contains("number") && failure.fix.contains("name"));
    }

    #[test]
    fn without_an_earlier_success_it_is_refused_with_what_there_is() {
        let first = [release(4, "Succeeded", None)];
        let failure = choose(&first, Some(4), None).unwrap_err();
        assert_eq!(failure.exit, Exit::Failed);
        assert!(failure.fix.contains("succeeded: 4"), "{}", failure.fix);
        assert!(choose(&history(), None, None).is_err());
    }
}
