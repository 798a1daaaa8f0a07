//! `archive` and `unarchive`: an Application that is retired, and one that is brought back before its time is over.

use clap_complete::ArgValueCompleter;
use kube::{ResourceExt, api::DynamicObject};
use serde_json::{Value, json};

use super::{
    complete, confirm,
    fail::{Exit, Failure},
    progress::{Progress, note},
    reach::{bare, few, keeper},
    scope::{Cluster, Scope, duration},
    standing::Standing,
    target::Target,
    wait::{Waiting, fix_of},
};
use crate::{
    api::{Cronjob, Environment},
    kinds::Of,
};

/// What to retire, and how.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The application
    #[arg(value_name = "APPLICATION", add = ArgValueCompleter::new(complete::applications))]
    pub application: String,
    /// Its name typed back, where nobody can be asked for it
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
    /// How long it can be brought back, such as 168h or 30m [default: a week]
    #[arg(long, value_name = "DURATION", value_parser = time, conflicts_with = "at_once")]
    pub keep_for: Option<String>,
    /// Delete it now; it cannot be brought back
    #[arg(long)]
    pub at_once: bool,
}

/// What to bring back.
#[derive(Debug, clap::Args)]
pub struct Back {
    /// The application
    #[arg(value_name = "APPLICATION", add = ArgValueCompleter::new(complete::applications))]
    pub application: String,
}

/// What stands under the help of `archive`.
pub const HELP: &str = "\
Nothing of it runs, and after a week it is deleted with its environments and their cronjobs. Services and their data stay.
Until then it comes back with: kubectl roadstead unarchive shop

With kubectl alone:
  kubectl patch rapp shop --type merge -p '{\"spec\":{\"archive\":{\"confirmName\":\"shop\"}}}'
  kubectl get rapp shop -o jsonpath='{.status.deletionAt}'";

/// What stands under the help of `unarchive`.
pub const BACK_HELP: &str = "\
Its environments run again what they ran.

With kubectl alone:
  kubectl patch rapp shop --type merge -p '{\"spec\":{\"archive\":null}}'
  kubectl wait rapp/shop --for condition=Ready";

/// A time that the operator counts in hours, minutes and seconds.
fn time(text: &str) -> Result<String, String> {
    let seconds = duration(text)?.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let parts = [(hours, 'h'), (minutes, 'm'), (rest, 's')];
    let parts = parts.iter().filter(|(number, _)| *number > 0);
    let text: String = parts
        .map(|(number, unit)| format!("{number}{unit}"))
        .collect();
    Ok(if text.is_empty() { "0s".into() } else { text })
}

/// Archives.
pub async fn run(args: &Args, scope: &Scope) -> Result<(), Failure> {
    let target = Target::parse(&args.application, &[Of::Application])?;
    let cluster = scope.connect().await?;
    let application = cluster.read(&target).await?;
    let environments = environments(&cluster, &target).await?;
    note(&consequence(
        &target,
        &environments,
        &cronjobs(&cluster, &environments).await?,
    ));
    confirm(&target, args.confirm.as_deref())?;
    let edited = cluster.edit(&target, json!({"archive": spec(args, &target)}));
    let mut archived = edited.await?;
    let kept = ["containers", "image"].map(|field| keeper(&application, field));
    if let Some(tool) = kept.into_iter().flatten().next() {
        note(&format!(
            "note: {tool} keeps {target}: take it out of Git too, or it is made again once it is deleted"
        ));
    }
    if !scope.no_wait {
        let Some(ended) = ended(&cluster, scope, &target, args.at_once).await? else {
            let sentence = format!("{target} is gone, and its environments with it.");
            return scope.output.answer(&sentence, &bare(&archived));
        };
        archived = ended;
    }
    scope
        .output
        .answer(&sentence(&target, &archived), &bare(&archived))
}

/// Brings back.
pub async fn back(args: &Back, scope: &Scope) -> Result<(), Failure> {
    let target = Target::parse(&args.application, &[Of::Application])?;
    let cluster = scope.connect().await?;
    let mut application = cluster.read(&target).await?;
    if application.data.pointer("/spec/archive").is_none() {
        let sentence = format!("{target} is not archived.");
        return scope.output.answer(&sentence, &bare(&application));
    }
    application = cluster
        .edit(&target, json!({ "archive": Value::Null }))
        .await?;
    if scope.no_wait {
        let sentence = format!("{target} was told to come back.");
        return scope.output.answer(&sentence, &bare(&application));
    }
    let mut progress = Progress::start();
    let mut all = vec![target.clone()];
    let environments = environments(&cluster, &target).await?;
    let named = environments
        .into_iter()
        .map(|name| Target::new(Of::Environment, name));
    all.extend(named);
    for one in &all {
        let waiting = waiting(&cluster, scope, one);
        let settled = waiting.settle(&cluster, one, &mut progress).await?;
        if *one == target {
            application = settled;
        }
    }
    drop(progress);
    let count = all.len() - 1;
    let sentence =
        format!("{target} is back, and its environments are as declared: {count} of them.");
    scope.output.answer(&sentence, &bare(&application))
}

fn spec(args: &Args, target: &Target) -> Value {
    // What an earlier one said does not stay: a merge patch removes what is null.
    json!({
        "confirmName": target.name,
        "deleteImmediately": args.at_once.then_some(true),
        "keepFor": args.keep_for,
    })
}

/// Its Environments, by name.
async fn environments(cluster: &Cluster, target: &Target) -> Result<Vec<String>, Failure> {
    let all: Vec<Environment> = cluster.list(Of::Environment).await?;
    let its = all
        .iter()
        .filter(|e| e.spec.application_ref.name == target.name);
    Ok(its.map(ResourceExt::name_any).collect())
}

/// The Cronjobs of these Environments, by name.
async fn cronjobs(cluster: &Cluster, environments: &[String]) -> Result<Vec<String>, Failure> {
    let all: Vec<Cronjob> = cluster.list(Of::Cronjob).await?;
    let its = all
        .iter()
        .filter(|c| environments.contains(&c.spec.environment_ref.name));
    Ok(its.map(ResourceExt::name_any).collect())
}

/// What goes with it, in one line.
fn consequence(target: &Target, environments: &[String], cronjobs: &[String]) -> String {
    let named = |what: &str, names: &[String]| match names {
        [] => format!("no {what}"),
        names => format!("{what}s {}", few(names)),
    };
    format!(
        "this stops, and later deletes: {target}, {}, {}; services and their data stay",
        named("environment", environments),
        named("cronjob", cronjobs)
    )
}

/// The name typed back, on the line or at the terminal.
fn confirm(target: &Target, given: Option<&str>) -> Result<(), Failure> {
    confirm::confirm(&target.to_string(), "is archived", &target.name, given)
}

fn waiting<'a>(cluster: &Cluster, scope: &'a Scope, target: &Target) -> Waiting<'a> {
    let short = super::target::short(target.of.entry());
    Waiting {
        scope,
        what: target.to_string(),
        look: format!(
            "kubectl roadstead why {short}/{} -n {}",
            target.name, cluster.namespace
        ),
    }
}

/// Waits until it is archived, or gone where that is asked for.
async fn ended(
    cluster: &Cluster,
    scope: &Scope,
    target: &Target,
    at_once: bool,
) -> Result<Option<DynamicObject>, Failure> {
    let mut progress = Progress::start();
    let waiting = waiting(cluster, scope, target);
    let look = waiting.look.clone();
    let api = cluster.dynamic(target.of);
    waiting
        .until(api, &target.name, |object: Option<&DynamicObject>| {
            let Some(object) = object else {
                return Some(Ok(None));
            };
            match Standing::of(object) {
                Standing::Stalled(why) => Some(Err(Failure::new(
                    Exit::Failed,
                    format!("{target} cannot go: {}", why.message),
                    fix_of(object).unwrap_or_else(|| look.clone()),
                ))),
                Standing::Ready(_) if !at_once => Some(Ok(Some(object.clone()))),
                _ => {
                    progress.now(&format!("{target} is on its way out"));
                    None
                }
            }
        })
        .await
}

fn sentence(target: &Target, archived: &DynamicObject) -> String {
    let at = archived.data.pointer("/status/deletionAt");
    match at.and_then(Value::as_str) {
        Some(at) => format!(
            "{target} is archived and is deleted at {at}; until then it comes back with: kubectl roadstead unarchive {}",
            target.name
        ),
        None => format!("{target} was told to go."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Target {
        Target::new(Of::Application, "shop")
    }

    fn args(keep_for: Option<&str>, at_once: bool) -> Args {
        Args {
            application: "shop".into(),
            confirm: None,
            keep_for: keep_for.map(ToOwned::to_owned),
            at_once,
        }
    }

    #[test]
    fn only_the_very_name_confirms() {
        assert_eq!(confirm(&shop(), Some("shop")), Ok(()));
        for wrong in ["Shop", "shop-live", "yes", ""] {
            let refused = confirm(&shop(), Some(wrong)).unwrap_err();
            assert_eq!(refused.exit, Exit::Failed, "{wrong}");
        }
    }

    #[test]
    fn an_earlier_wish_does_not_stay() {
        let week = spec(&args(None, false), &shop());
        assert_eq!(
            week,
            json!({"confirmName": "shop", "deleteImmediately": null, "keepFor": null})
        );
        let hour = spec(&args(Some("1h"), false), &shop());
        assert_eq!(hour["keepFor"], "1h");
        assert_eq!(spec(&args(None, true), &shop())["deleteImmediately"], true);
    }

    #[test]
    fn a_time_is_said_in_hours_minutes_and_seconds() {
        assert_eq!(time("168h").unwrap(), "168h");
        assert_eq!(time("90s").unwrap(), "1m30s");
        assert_eq!(time("0s").unwrap(), "0s");
        assert!(time("soon").is_err());
    }

    #[test]
    fn what_goes_with_it_is_named() {
        let names = ["shop-live".to_owned(), "shop-test".to_owned()];
        assert_eq!(
            consequence(&shop(), &names, &[]),
            "this stops, and later deletes: application/shop, environments shop-live, shop-test, no cronjob; services and their data stay"
        );
    }
}
