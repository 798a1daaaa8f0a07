//! `release`: a new Release of one or of many Environments.

use clap::ValueEnum;
use clap_complete::ArgValueCompleter;
use kube::{ResourceExt, api::ListParams};
use serde::Serialize;

use super::{
    complete,
    fail::{Failure, sum_up},
    progress::{Progress, note},
    reach::bare,
    scope::{Cluster, Scope},
    show::print,
    target::Target,
    track,
};
use crate::{
    api::{
        Environment, Release,
        name::Ref,
        release::{BuildMode, ReleaseSource, ReleaseSpec},
    },
    kinds::Of,
};

/// What to release.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// The environments
    #[arg(value_name = "ENVIRONMENT", add = ArgValueCompleter::new(complete::environments))]
    pub environments: Vec<String>,
    /// All environments of this application
    #[arg(long, value_name = "NAME", conflicts_with = "environments", add = ArgValueCompleter::new(complete::applications))]
    pub application: Option<String>,
    /// All environments with these labels
    #[arg(
        short = 'l',
        long,
        value_name = "LABELS",
        conflicts_with = "environments"
    )]
    pub selector: Option<String>,
    /// Only environments with changes that wait for a release
    #[arg(long)]
    pub pending: bool,
    /// At most so many
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "environments")]
    pub limit: Option<u32>,
    /// Which come first
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "ORDER",
        conflicts_with = "environments"
    )]
    pub order_by: Order,
    /// Promote: run the image of this release, with today's configuration
    #[arg(long, value_name = "RELEASE", add = ArgValueCompleter::new(complete::releases))]
    pub adopt: Option<String>,
    /// Which image is taken [default: auto]
    #[arg(long, value_enum, value_name = "MODE")]
    pub build_mode: Option<Mode>,
}

/// Which environments come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// By name
    #[default]
    Name,
    /// The oldest first
    Age,
}

/// Which image is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Take the declared image
    Auto,
    /// Take the image that serves, by its digest
    Adopt,
}

/// What stands under the help.
pub const HELP: &str = "\
To run another image, change it: kubectl patch renv shop-live --type merge -p '{\"spec\":{\"image\":\"…\"}}'
With several environments, one that cannot be released does not stop the others.

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
    let chosen = chosen(args, &cluster).await?;
    let many = chosen.len() != 1 || args.environments.is_empty();
    if chosen.is_empty() {
        note("no environment is meant by this: nothing to release");
    }
    let mut outcomes = Vec::new();
    for environment in chosen {
        let made = track::make(&cluster, &declaration(args, &environment), "rel").await;
        outcomes.push(Outcome::new(environment, made));
    }
    if !scope.no_wait {
        let mut progress = Progress::start();
        for outcome in &mut outcomes {
            outcome.follow(&cluster, scope, &mut progress).await;
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

/// The environments that are meant, in order.
async fn chosen(args: &Args, cluster: &Cluster) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for text in &args.environments {
        let target = Target::parse(text, &[Of::Environment])?;
        let found: Environment = cluster.get(target.of, &target.name).await?;
        if !args.pending || is_pending(&found) {
            names.push(target.name);
        }
    }
    if args.environments.is_empty() {
        if args.application.is_none() && args.selector.is_none() && !args.pending {
            return Err(Failure::usage(
                "no environment is named",
                "name some, or choose with --application, --selector or --pending",
            ));
        }
        let mut params = ListParams::default();
        params.label_selector.clone_from(&args.selector);
        let list = cluster.api::<Environment>().list(&params).await;
        let all = list.map_err(|e| Failure::from_api(&e, "list environments"))?;
        names = matching(args, all.items);
    }
    Ok(names)
}

fn matching(args: &Args, mut all: Vec<Environment>) -> Vec<String> {
    all.retain(|e| {
        let application = &e.spec.application_ref.name;
        let of_application = args.application.as_ref().is_none_or(|a| a == application);
        of_application && (!args.pending || is_pending(e))
    });
    all.sort_by_key(ResourceExt::name_any);
    if args.order_by == Order::Age {
        all.sort_by_key(|e| e.metadata.creation_timestamp.as_ref().map(|t| t.0));
    }
    all.truncate(args.limit.map_or(usize::MAX, |n| n as usize));
    all.iter().map(ResourceExt::name_any).collect()
}

fn is_pending(environment: &Environment) -> bool {
    let status = environment.status.as_ref();
    status.is_some_and(|s| !s.pending_changes.is_empty())
}

fn declaration(args: &Args, environment: &str) -> Release {
    let spec = ReleaseSpec {
        environment_ref: Ref {
            name: environment.to_owned(),
        },
        build_mode: args.build_mode.map(|mode| match mode {
            Mode::Auto => BuildMode::Auto,
            Mode::Adopt => BuildMode::Adopt,
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

    fn environment(name: &str, application: &str, born: &str, pending: bool) -> Environment {
        let changes = if pending {
            json!([{"path": "image", "change": "Modified", "impact": "Restart"}])
        } else {
            json!([])
        };
        serde_json::from_value(json!({
            "apiVersion": "roadstead.dev/v1alpha1", "kind": "Environment",
            "metadata": {"name": name, "creationTimestamp": born},
            "spec": {"applicationRef": {"name": application}},
            "status": {"pendingChanges": changes},
        }))
        .unwrap()
    }

    fn three() -> Vec<Environment> {
        vec![
            environment("c", "shop", "2026-11-20T00:00:00Z", true),
            environment("a", "shop", "2026-11-22T00:00:00Z", false),
            environment("b", "blog", "2026-11-21T00:00:00Z", true),
        ]
    }

    /// proves: DV-173
    #[test]
    fn environments_are_chosen_by_application_and_by_what_waits() {
        let of_shop = Args {
            application: Some("shop".into()),
            ..Args::default()
        };
        assert_eq!(matching(&of_shop, three()), ["a", "c"]);
        let pending = Args {
            pending: true,
            ..Args::default()
        };
        assert_eq!(matching(&pending, three()), ["b", "c"]);
    }

    #[test]
    fn the_oldest_comes_first_when_asked() {
        let by_age = Args {
            order_by: Order::Age,
            ..Args::default()
        };
        assert_eq!(matching(&by_age, three()), ["c", "b", "a"]);
    }

    /// proves: DV-174
    #[test]
    fn the_limit_takes_the_first_in_order() {
        let two = Args {
            limit: Some(2),
            ..Args::default()
        };
        assert_eq!(matching(&two, three()), ["a", "b"]);
    }

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
