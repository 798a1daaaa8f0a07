//! `diff`: what the next release of an Environment would change.

use clap_complete::ArgValueCompleter;

use super::{
    complete, env,
    fail::{Exit, Failure},
    scope::{Cluster, Scope},
    show::print,
    target::Target,
};
use crate::{
    api::{
        Application, Environment,
        application::{ValueFrom, Variable},
        environment::PendingChange,
    },
    kinds::Of,
    plan::build::configuration::Configuration,
};

/// What to compare.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The environment
    #[arg(value_name = "ENVIRONMENT", add = ArgValueCompleter::new(complete::environments))]
    pub environment: String,
    /// What variables were and will be, too; needs the right to read Secrets. Values from Secrets are never shown
    #[arg(long)]
    pub values: bool,
    /// End with 1 when there are changes, as `git diff` does
    #[arg(long)]
    pub exit_code: bool,
}

/// What stands under the help.
pub const HELP: &str = "\
IMPACT Restart: pods are replaced, one by one. None: nothing is interrupted.

With kubectl alone:
  kubectl get renv shop-live -o jsonpath='{.status.pendingChanges}'
  kubectl get secret shop-live-8 -o yaml      # what release 8 recorded, variables too";

/// Shows what waits.
pub async fn run(args: &Args, scope: &Scope) -> Result<(), Failure> {
    let target = Target::parse(&args.environment, &[Of::Environment])?;
    let cluster = scope.connect().await?;
    let environment: Environment = cluster.get(target.of, &target.name).await?;
    let status = environment.status.clone().unwrap_or_default();
    let mut changes = status.pending_changes;
    if let (true, Some(number)) = (args.values, status.current_release) {
        add_values(&cluster, &target, &environment, number, &mut changes).await?;
    }
    if scope.output.is_for_people() {
        print(&told(scope, &target, status.current_release, &changes))?;
    } else {
        print(&scope.output.render(&changes)?)?;
    }
    if args.exit_code && !changes.is_empty() {
        return Err(Failure::new(Exit::Failed, "", ""));
    }
    Ok(())
}

/// Adds what variables were in the Release that serves, and what they will be.
async fn add_values(
    cluster: &Cluster,
    target: &Target,
    environment: &Environment,
    number: i64,
    changes: &mut [PendingChange],
) -> Result<(), Failure> {
    let name = &environment.spec.application_ref.name;
    let application: Application = cluster.get(Of::Application, name).await?;
    let (record, _) = env::recorded(cluster, target, number).await?;
    let today = Configuration::today(&application, environment);
    fill(changes, &record.configuration, &today);
    Ok(())
}

fn fill(changes: &mut [PendingChange], then: &Configuration, now: &Configuration) {
    let find = |configuration: &Configuration, name: &str| {
        let mut all = configuration.variables.iter();
        all.find(|(_, v)| v.name == name).map(|(_, v)| text(v))
    };
    for change in changes {
        if let Some(name) = change.path.strip_prefix("variables.") {
            change.from = find(then, name);
            change.to = find(now, name);
        }
    }
}

/// What a variable is said to be; of a Secret, where it stands.
fn text(variable: &Variable) -> String {
    match (&variable.value_from, &variable.value) {
        (
            Some(ValueFrom {
                secret_key_ref: from,
            }),
            _,
        ) => {
            format!("(key {} of secret/{})", from.key, from.name)
        }
        (None, value) => value.clone().unwrap_or_default(),
    }
}

fn told(scope: &Scope, target: &Target, current: Option<i64>, changes: &[PendingChange]) -> String {
    if changes.is_empty() {
        return match current {
            Some(number) => {
                format!("{target} runs what is declared: release {number}, nothing waits.\n")
            }
            None => format!("{target} has no release that serves, and nothing waits for one.\n"),
        };
    }
    let some = changes.iter().any(|c| c.from.is_some() || c.to.is_some());
    let row = |c: &PendingChange| {
        let mut row = vec![c.path.clone(), c.change.clone(), c.impact.clone()];
        row.extend(some.then(|| turned(c)));
        row
    };
    let rows = changes.iter().map(row).collect();
    let head = ["FIELD", "CHANGE", "IMPACT", "OLD → NEW"];
    let head = if some { &head[..] } else { &head[..3] };
    scope.output.table(head, rows)
}

/// What it was and what it will be.
fn turned(change: &PendingChange) -> String {
    match (&change.from, &change.to) {
        (None, None) => String::new(),
        (from, to) => {
            let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
            format!("{} → {}", or_none(from), or_none(to))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_listed_and_their_absence_is_a_sentence() {
        let scope = Scope::default();
        let target = Target::new(Of::Environment, "shop-live");
        let none = told(&scope, &target, Some(4), &[]);
        assert_eq!(
            none,
            "environment/shop-live runs what is declared: release 4, nothing waits.\n"
        );
        let change = PendingChange {
            path: "variables.STAGE".into(),
            change: "Modified".into(),
            impact: "Restart".into(),
            ..PendingChange::default()
        };
        let words = |change: PendingChange| -> Vec<String> {
            let some = told(&scope, &target, Some(4), &[change]);
            let last = some.lines().last().unwrap();
            last.split_whitespace().map(str::to_owned).collect()
        };
        assert_eq!(
            words(change.clone()),
            ["variables.STAGE", "Modified", "Restart"]
        );
        let mut known = change;
        known.to = Some("live".into());
        assert_eq!(words(known)[3..], ["-", "→", "live"]);
    }

    #[test]
    fn variables_are_shown_as_they_are_said_and_secrets_by_their_place() {
        let configuration = |variables: serde_json::Value| -> Configuration {
            serde_json::from_value(serde_json::json!({ "variables": variables })).unwrap()
        };
        let then = configuration(serde_json::json!([
            ["Environment", {"name": "STAGE", "value": "test"}],
            ["Environment", {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "a"}}, "sensitive": true}],
        ]));
        let now = configuration(serde_json::json!([
            ["Environment", {"name": "STAGE", "value": "live"}],
            ["Environment", {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "b"}}, "sensitive": true}],
        ]));
        let mut changes = now.changes_since(&then);
        assert!(changes.iter().all(|c| c.from.is_none() && c.to.is_none()));
        fill(&mut changes, &then, &now);
        let turned: Vec<String> = changes.iter().map(turned).collect();
        assert_eq!(
            turned,
            [
                "test → live",
                "(key a of secret/keys) → (key b of secret/keys)"
            ]
        );
    }
}
