//! `run`: a Cronjob once, now, and how it ended; or a command in an Environment.

use std::collections::BTreeSet;

use clap_complete::ArgValueCompleter;
use jiff::Timestamp;
use serde_json::json;

use super::{
    complete,
    fail::{Exit, Failure},
    once,
    progress::Progress,
    reach::bare,
    scope::{Cluster, Scope},
    standing::blockers,
    target::Target,
    track::took,
    wait::Waiting,
};
use crate::{
    api::{
        Cronjob,
        cronjob::{CronjobStatus, Run},
    },
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

/// A token on an object that the operator has never seen is adopted, not acted on: so it has to be seen first.
pub(super) async fn seen(
    waiting: &Waiting<'_>,
    cluster: &Cluster,
    cronjob: &Cronjob,
    progress: &mut Progress,
) -> Result<CronjobStatus, Failure> {
    let name = cronjob.metadata.name.as_deref().unwrap_or_default();
    let of = |c: &Cronjob| c.status.clone().filter(|s| s.observed_generation.is_some());
    if let Some(status) = of(cronjob) {
        return Ok(status);
    }
    progress.now("the operator has not looked at it yet");
    let see = |c: Option<&Cronjob>| match c {
        Some(c) => of(c).map(Ok),
        None => Some(Err(gone(name))),
    };
    waiting.until(cluster.api::<Cronjob>(), name, see).await
}

/// Waits for the end of a run that was not known before.
pub(super) async fn ended(
    waiting: &Waiting<'_>,
    cluster: &Cluster,
    target: &Target,
    known: &BTreeSet<String>,
    progress: &mut Progress,
) -> Result<Run, Failure> {
    let api = cluster.dynamic(target.of);
    waiting
        .until(api, &target.name, |object| {
            let Some(object) = object else {
                return Some(Err(gone(&target.name)));
            };
            let status = object.data.get("status").cloned().unwrap_or_default();
            let status: CronjobStatus = serde_json::from_value(status).unwrap_or_default();
            match ours(&status.last_runs, known, Timestamp::now()) {
                Some(run) if run.finished_at.is_some() => return Some(Ok(run.clone())),
                Some(run) => progress.now(&format!("{target} runs as job/{}", run.job)),
                None => {
                    let waits = blockers(object);
                    let line = waits
                        .first()
                        .map(|b| format!("{target} waits for {}: {}", b.what, b.fix));
                    progress.now(&line.unwrap_or_else(|| format!("{target} is about to run")));
                }
            }
            None
        })
        .await
}

/// The run that was asked for: a new one, and not one on schedule. Those are named by the minute that they were due in.
fn ours<'a>(runs: &'a [Run], known: &BTreeSet<String>, now: Timestamp) -> Option<&'a Run> {
    const AN_HOUR: i64 = 60;
    let on_schedule = |job: &str| {
        let minute = job.rsplit('-').next().and_then(|m| m.parse::<i64>().ok());
        minute.is_some_and(|m| (now.as_second() / 60 - m).abs() < AN_HOUR)
    };
    let mut new = runs.iter().filter(|r| !known.contains(&r.job));
    new.find(|r| !on_schedule(&r.job))
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

fn gone(name: &str) -> Failure {
    Failure::new(
        Exit::NotFound,
        format!("cronjob/{name} was deleted meanwhile"),
        "",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str) -> Run {
        Run {
            job: name.into(),
            ..Run::default()
        }
    }

    #[test]
    fn neither_an_old_run_nor_one_on_schedule_is_ours() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let runs = [
            job("nightly-29922479"),
            job("nightly-7c1d9a04"),
            job("nightly-aa11bb22"),
        ];
        let known = BTreeSet::from(["nightly-7c1d9a04".to_owned()]);
        assert_eq!(ours(&runs, &known, now).unwrap().job, "nightly-aa11bb22");
        assert_eq!(ours(&runs[..2], &known, now), None);
    }
}
