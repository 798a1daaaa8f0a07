//! `run`: a Cronjob once, now, and how it ended; or a command in an Environment.

use std::collections::BTreeSet;

use clap_complete::ArgValueCompleter;
use jiff::Timestamp;
use serde_json::json;

use super::{
    complete,
    fail::Failure,
    once,
    progress::Progress,
    reach::bare,
    scope::Scope,
    target::Target,
    track::took,
    turn::{ended, seen},
    wait::Waiting,
};
use crate::{
    api::{Cronjob, cronjob::Run},
    kinds::Of,
};

/// What to run.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The cronjob, such as nightly or acj/nightly; with a command the environment, such as shop-live
    #[arg(value_name = "CRONJOB|ENVIRONMENT", add = ArgValueCompleter::new(complete::runnable))]
    pub object: String,
    /// What to run in the environment; no shell is added
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// What stands under the help.
pub const HELP: &str = "\
The command runs in the image and variables of the release that serves, as on schedule.
Of a cronjob the exit code of this verb is 0 when the command's was, and 1 otherwise. A command that is given ends with
its own, and what it writes is written here: kubectl roadstead run shop-live -- shop migrate --check

With kubectl alone (any text that differs from the last one; for a command, a Cronjob with suspend: true first):
  kubectl patch acj nightly --type merge -p '{\"spec\":{\"runNow\":\"2026-11-22 by hand\"}}'
  kubectl get acj nightly -o jsonpath='{.status.lastRuns[0].exitCode}' --watch";

/// Runs it.
pub async fn run(args: &Args, scope: &Scope) -> Result<(), Failure> {
    if !args.command.is_empty() {
        let target = Target::parse(&args.object, &[Of::Environment])?;
        return once::run(&target.name, &args.command, scope).await;
    }
    let target = Target::parse_bare(&args.object, &[Of::Cronjob, Of::Environment])?;
    if target.of == Of::Environment {
        return Err(Failure::usage(
            format!("{target} does not say what to run"),
            format!("kubectl roadstead run {} -- COMMAND", target.name),
        ));
    }
    let cluster = scope.connect().await?;
    let cronjob: Cronjob = cluster.get(Of::Cronjob, &target.name).await?;
    let mut progress = Progress::start();
    let waiting = Waiting {
        scope,
        what: format!("the run of {target}"),
        look: format!(
            "kubectl roadstead logs acj/{} -n {}",
            target.name, cluster.namespace
        ),
    };
    let before = seen(&waiting, &cluster, &cronjob, &mut progress).await?;
    let token = Timestamp::now().to_string();
    let edited = cluster.edit(&target, json!({ "runNow": token })).await?;
    if scope.no_wait {
        drop(progress);
        let sentence = format!("{target} was asked to run now.");
        return scope.output.answer(&sentence, &bare(&edited));
    }
    let known: BTreeSet<String> = before.last_runs.into_iter().map(|r| r.job).collect();
    let ended = ended(&waiting, &cluster, &target, &known, &mut progress).await?;
    drop(progress);
    answer(scope, &target, &ended, &waiting.look)
}

fn answer(scope: &Scope, target: &Target, run: &Run, look: &str) -> Result<(), Failure> {
    let took = took(run.started_at.as_deref(), run.finished_at.as_deref());
    let code = run.exit_code.map(|code| format!(" with exit code {code}"));
    let code = code.unwrap_or_else(|| format!(": {}", run.result));
    let sentence = format!("{target} ended{code}{took} (job/{}).", run.job);
    let well = run.exit_code == Some(0) || run.result == "Succeeded";
    if well || !scope.output.is_for_people() {
        scope.output.answer(&sentence, run)?;
    }
    if well {
        return Ok(());
    }
    Err(Failure::refused(sentence.trim_end_matches('.'), look))
}
