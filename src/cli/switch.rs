//! `stop` and `start`: what is declared to run, or not, and the wait until it is so.

use clap_complete::ArgValueCompleter;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::{
    complete,
    fail::Failure,
    progress::{Progress, note},
    reach::{bare, keeper},
    scope::{Cluster, Scope},
    show::print,
    standing::state,
    target::{SWITCHABLE, Target, short},
    users,
    wait::Waiting,
};
use crate::{api::Environment, kinds::Of};

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To a stop.
    Stop,
    /// Into motion.
    Start,
}

/// What to stop or start.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Objects such as renv/shop-live, msvc/shop-db or acj/nightly
    #[arg(required = true, value_name = "KIND/NAME", add = ArgValueCompleter::new(complete::switchable))]
    pub objects: Vec<String>,
}

/// What stands under the help of `stop`.
pub const STOP_HELP: &str = "\
Everything is kept: data, addresses, releases and passwords. Only what runs is stopped.

With kubectl alone:
  kubectl patch renv shop-live --type merge -p '{\"spec\":{\"state\":\"Stopped\"}}'
  kubectl patch acj nightly --type merge -p '{\"spec\":{\"suspend\":true}}'
  kubectl wait renv/shop-live --for condition=Ready";

/// What stands under the help of `start`.
pub const START_HELP: &str = "\
With kubectl alone:
  kubectl patch renv shop-live --type merge -p '{\"spec\":{\"state\":\"Running\"}}'
  kubectl patch acj nightly --type merge -p '{\"spec\":{\"suspend\":false}}'
  kubectl wait renv/shop-live --for condition=Ready";

/// Stops or starts.
pub async fn run(way: Way, args: &Args, scope: &Scope) -> Result<(), Failure> {
    let parse = |text: &String| Target::parse(text, SWITCHABLE);
    let targets: Vec<Target> = args.objects.iter().map(parse).collect::<Result<_, _>>()?;
    let cluster = scope.connect().await?;
    let mut ended = Vec::new();
    for target in &targets {
        if way == Way::Stop && target.of == Of::Service {
            warn(&cluster, target, &targets).await?;
        }
        ended.push(declare(&cluster, target, way).await?);
    }
    if !scope.no_wait {
        let mut progress = Progress::start();
        for (target, object) in targets.iter().zip(&mut ended) {
            let waiting = Waiting {
                scope,
                what: target.to_string(),
                look: format!(
                    "kubectl roadstead why {}/{} -n {}",
                    short(target.of.entry()),
                    target.name,
                    cluster.namespace
                ),
            };
            *object = waiting.settle(&cluster, target, &mut progress).await?;
        }
    }
    answer(way, scope, &targets, &ended)
}

/// Names the environments that run and lose a Service that stops; those that are to stop with it do not.
async fn warn(cluster: &Cluster, target: &Target, all: &[Target]) -> Result<(), Failure> {
    let service = cluster.get(Of::Service, &target.name).await?;
    let mut users = users::of(&service);
    users.retain(|name| !all.contains(&Target::new(Of::Environment, name.as_str())));
    if users.is_empty() {
        return Ok(());
    }
    let environments: Vec<Environment> = cluster.list(Of::Environment).await?;
    let users = users::running(users, &environments);
    if !users.is_empty() {
        note(&format!(
            "note: {target} is used by {}, which will be without it",
            users::list(&users)
        ));
    }
    Ok(())
}

/// Writes the one field, unless it says so already.
async fn declare(cluster: &Cluster, target: &Target, way: Way) -> Result<DynamicObject, Failure> {
    let object = cluster.read(target).await?;
    let (field, value) = wanted(target.of, way);
    if says(&object, field, &value) {
        note(&format!("{target} is declared so already"));
        return Ok(object);
    }
    let edited = cluster.edit(target, json!({ (field): value })).await?;
    if let Some(tool) = keeper(&object, field) {
        note(&format!(
            "note: {tool} keeps spec.{field} of {target} and may set it back; change it in Git too"
        ));
    }
    Ok(edited)
}

fn wanted(of: Of, way: Way) -> (&'static str, Value) {
    match (of, way) {
        (Of::Cronjob, way) => ("suspend", json!(way == Way::Stop)),
        (_, Way::Stop) => ("state", json!("Stopped")),
        (_, Way::Start) => ("state", json!("Running")),
    }
}

/// Whether the spec says it; absent means `Running` and not suspended.
fn says(object: &DynamicObject, field: &str, value: &Value) -> bool {
    let declared = object.data.get("spec").and_then(|spec| spec.get(field));
    match declared {
        Some(declared) => declared == value,
        None => *value == json!("Running") || *value == json!(false),
    }
}

fn answer(
    way: Way,
    scope: &Scope,
    targets: &[Target],
    objects: &[DynamicObject],
) -> Result<(), Failure> {
    if !scope.output.is_for_people() {
        let objects: Vec<DynamicObject> = objects.iter().map(bare).collect();
        return match objects.as_slice() {
            [one] => print(&scope.output.render(one)?),
            many => print(&scope.output.render(&many)?),
        };
    }
    for (target, object) in targets.iter().zip(objects) {
        print(&format!("{}\n", sentence(way, scope, target, object)))?;
    }
    Ok(())
}

fn sentence(way: Way, scope: &Scope, target: &Target, object: &DynamicObject) -> String {
    if scope.no_wait {
        let to_be = if way == Way::Stop { "stop" } else { "start" };
        return format!("{target} was told to {to_be}.");
    }
    match state(object) {
        Some(state) => format!("{target} is {state}."),
        None => format!("{target} is as declared."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::standing::tests::object;

    #[test]
    fn what_is_absent_runs() {
        let absent = object("Environment", "x", 1, json!({}), Value::Null);
        assert!(says(&absent, "state", &json!("Running")));
        assert!(!says(&absent, "state", &json!("Stopped")));
        assert!(says(&absent, "suspend", &json!(false)));
        assert!(!says(&absent, "suspend", &json!(true)));
    }

    #[test]
    fn a_cronjob_is_suspended_and_others_are_stopped() {
        assert_eq!(wanted(Of::Cronjob, Way::Stop), ("suspend", json!(true)));
        assert_eq!(wanted(Of::Service, Way::Stop), ("state", json!("Stopped")));
    }
}
