//! `release`: a new Release of one or of many Environments.

use clap::ValueEnum;
use clap_complete::ArgValueCompleter;
use kube::ResourceExt;
use serde::Serialize;

use super::{
    choice::Choice,
    complete,
    fail::{Failure, sum_up},
    progress::{Progress, note},
    promote,
    reach::bare,
    scope::{Cluster, Scope},
    show::print,
    target::Target,
    track,
};
use crate::{
    api::{
        Release,
        name::Ref,
        release::{BuildMode, ReleaseSource, ReleaseSpec},
    },
    kinds::Of,
};

/// What to release.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// Which environments
    #[command(flatten)]
    pub choice: Choice,
    /// Promote: run the image of this release, with today's configuration
    #[arg(long, value_name = "RELEASE", add = ArgValueCompleter::new(complete::releases))]
    pub adopt: Option<String>,
    /// Which image is taken [default: auto]
    #[arg(long, value_enum, value_name = "MODE")]
    pub build_mode: Option<Mode>,
}

/// Which image is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Take the declared image
    Auto,
    /// Take the image that serves, by its digest
    Adopt,
    /// Take the declared image, asked for anew: for a tag that has moved
    Force,
}

/// What stands under the help.
pub const HELP: &str = "\
To run another image, change it: kubectl patch renv shop-live --type merge -p '{\"spec\":{\"image\":\"…\"}}'
With several environments, one that cannot be released does not stop the others; each is told, and the exit code is not 0.

With kubectl alone:
  kubectl create -f - <<EOF
  apiVersion: roadstead.dev/v1alpha1
  kind: Release
  metadata: {name: shop-live-again, namespace: instance-acme}
  spec: {environmentRef: {name: shop-live}}
  EOF
  kubectl wait rel/shop-live-again --for condition=Succeeded";

/// How it went, for programs, where several environments were meant.
#[derive(Debug, Serialize)]
struct Report {
    released: Vec<Release>,
    failed: Vec<Trouble>,
}

/// One environment that was not released.
#[derive(Debug, Serialize)]
struct Trouble {
    environment: String,
    error: String,
    fix: String,
}

/// Releases.
pub async fn run(args: &Args, scope: &Scope) -> Result<(), Failure> {
    let cluster = scope.connect().await?;
    if let Some(adopt) = &args.adopt {
        let adopt = Target::parse_bare(adopt, &[Of::Release])?;
        let source = cluster.get(Of::Release, &adopt.name).await?;
        let to = args.choice.environments.first();
        let to = to.map_or("ENVIRONMENT", String::as_str);
        promote::check(&cluster, &source, &Target::new(Of::Environment, to)).await?;
    }
    make(args, scope, &cluster).await
}

/// Makes the Releases that are meant.
pub async fn make(args: &Args, scope: &Scope, cluster: &Cluster) -> Result<(), Failure> {
    let chosen = args.choice.names(cluster).await?;
    let many = chosen.len() != 1 || args.choice.environments.is_empty();
    if chosen.is_empty() {
        note("no environment is meant by this: nothing to release");
    }
    let mut outcomes = Vec::new();
    for environment in chosen {
        let made = track::make(cluster, &declaration(args, &environment), "rel").await;
        outcomes.push(Outcome::new(environment, made));
    }
    if !scope.no_wait {
        let mut progress = Progress::start();
        for outcome in &mut outcomes {
            outcome.follow(cluster, scope, &mut progress).await;
        }
    }
    answer(scope, outcomes, many)
}

/// What became of one environment.
struct Outcome {
    environment: String,
    release: Option<Release>,
    verdict: Result<String, Failure>,
}

impl Outcome {
    fn new(environment: String, made: Result<Release, Failure>) -> Self {
        let asked = |r: &Release| format!("release/{} was asked for.", r.name_any());
        Self {
            environment,
            verdict: made.as_ref().map(asked).map_err(Clone::clone),
            release: made.ok(),
        }
    }

    async fn follow(&mut self, cluster: &Cluster, scope: &Scope, progress: &mut Progress) {
        let Some(release) = &self.release else {
            return;
        };
        match track::follow(cluster, scope, &release.name_any(), progress).await {
            Ok(ended) => {
                self.verdict = track::verdict(&ended);
                self.release = Some(ended);
            }
            Err(failure) => self.verdict = Err(failure),
        }
    }
}

fn declaration(args: &Args, environment: &str) -> Release {
    let spec = ReleaseSpec {
        environment_ref: Ref {
            name: environment.to_owned(),
        },
        build_mode: args.build_mode.map(|mode| match mode {
            Mode::Auto => BuildMode::Auto,
            Mode::Adopt => BuildMode::Adopt,
            Mode::Force => BuildMode::Force,
        }),
        copy_from: None,
        adopt: args.adopt.as_ref().map(|name| ReleaseSource {
            release_ref: Ref {
                name: name.rsplit('/').next().unwrap_or(name).to_owned(),
            },
        }),
        provision_services: None,
    };
    Release::new("", spec)
}

fn answer(scope: &Scope, outcomes: Vec<Outcome>, many: bool) -> Result<(), Failure> {
    if scope.output.is_for_people() {
        for sentence in outcomes.iter().filter_map(|o| o.verdict.as_ref().ok()) {
            print(&format!("{sentence}\n"))?;
        }
    } else if many {
        print(&scope.output.render(&Report::of(&outcomes))?)?;
    } else if let Some(release) = outcomes.first().and_then(|o| o.release.as_ref()) {
        print(&scope.output.render(&bare(release))?)?;
    }
    let failed = outcomes.into_iter().filter_map(|o| o.verdict.err());
    sum_up(failed.collect())
}

impl Report {
    fn of(outcomes: &[Outcome]) -> Self {
        let done = |o: &Outcome| o.release.as_ref().filter(|_| o.verdict.is_ok()).map(bare);
        let trouble = |o: &Outcome| {
            o.verdict.as_ref().err().map(|failure| Trouble {
                environment: o.environment.clone(),
                error: failure.what.clone(),
                fix: failure.fix.clone(),
            })
        };
        Self {
            released: outcomes.iter().filter_map(done).collect(),
            failed: outcomes.iter().filter_map(trouble).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// proves: DV-176
    #[test]
    fn one_that_fails_is_reported_beside_those_that_were_released() {
        let release = declaration(&Args::default(), "a");
        let outcomes = [
            Outcome::new("a".into(), Ok(release)),
            Outcome::new(
                "b".into(),
                Err(Failure::refused("it is locked", "unlock it")),
            ),
        ];
        let report = serde_json::to_value(Report::of(&outcomes)).unwrap();
        assert_eq!(report["released"][0]["spec"]["environmentRef"]["name"], "a");
        assert_eq!(
            report["failed"],
            json!([{"environment": "b", "error": "it is locked", "fix": "unlock it"}])
        );
    }

    /// proves: DV-175
    #[test]
    fn mode_and_adopted_release_go_into_every_release() {
        let args = Args {
            adopt: Some("rel/shop-test-12".into()),
            build_mode: Some(Mode::Adopt),
            ..Args::default()
        };
        let spec = declaration(&args, "shop-live").spec;
        assert_eq!(spec.adopt.unwrap().release_ref.name, "shop-test-12");
        assert_eq!(spec.build_mode, Some(BuildMode::Adopt));
        let plain = declaration(&Args::default(), "shop-live").spec;
        assert_eq!(
            serde_json::to_value(plain).unwrap(),
            json!({"environmentRef": {"name": "shop-live"}})
        );
    }
}
