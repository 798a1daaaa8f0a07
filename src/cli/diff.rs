//! `diff`: what the next release of an Environment would change.

use clap_complete::ArgValueCompleter;

use super::{
    complete,
    fail::{Exit, Failure},
    scope::Scope,
    show::print,
    target::Target,
};
use crate::{
    api::{Environment, environment::PendingChange},
    kinds::Of,
};

/// What to compare.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The environment
    #[arg(value_name = "ENVIRONMENT", add = ArgValueCompleter::new(complete::environments))]
    pub environment: String,
    /// End with 1 when there are changes, as `git diff` does
    #[arg(long)]
    pub exit_code: bool,
}

/// What stands under the help.
pub const HELP: &str = "\
IMPACT Restart: pods are replaced, one by one. None: nothing is interrupted. Values are never shown.

With kubectl alone:
  kubectl get renv shop-live -o jsonpath='{.status.pendingChanges}'";

/// Shows what waits.
pub async fn run(args: &Args, scope: &Scope) -> Result<(), Failure> {
    let target = Target::parse(&args.environment, &[Of::Environment])?;
    let cluster = scope.connect().await?;
    let environment: Environment = cluster.get(target.of, &target.name).await?;
    let status = environment.status.unwrap_or_default();
    let changes = status.pending_changes;
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

fn told(scope: &Scope, target: &Target, current: Option<i64>, changes: &[PendingChange]) -> String {
    if changes.is_empty() {
        return match current {
            Some(number) => {
                format!("{target} runs what is declared: release {number}, nothing waits.\n")
            }
            None => format!("{target} has no release that serves, and nothing waits for one.\n"),
        };
    }
    let row = |c: &PendingChange| vec![c.path.clone(), c.change.clone(), c.impact.clone()];
    let rows = changes.iter().map(row).collect();
    scope.output.table(&["FIELD", "CHANGE", "IMPACT"], rows)
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
        };
        let some = told(&scope, &target, Some(4), &[change]);
        let last = some.lines().last().unwrap();
        let words: Vec<&str> = last.split_whitespace().collect();
        assert_eq!(words, ["variables.STAGE", "Modified", "Restart"]);
    }
}
