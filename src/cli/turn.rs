//! A run of a Cronjob on its way: from the wish to its end.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    fail::{Exit, Failure},
    progress::Progress,
    scope::Cluster,
    standing::blockers,
    target::Target,
    wait::Waiting,
};
use crate::api::{
    Cronjob,
    cronjob::{CronjobStatus, Run},
};

/// A token on an object that the operator has never seen is adopted, not acted on: so it has to be seen first.
pub async fn seen(
    waiting: &Waiting<'_>,
    cluster: &Cluster,
    cronjob: &Cronjob,
    progress: &mut Progress,
) -> Result<CronjobStatus, Failure> {
    let name = cronjob.metadata.name.as_deref().unwrap_or_default();
    let of = |c: &Cronjob| {
        let status = c.status.clone();
        status.filter(|s| s.observed_generation.is_some_and(|seen| seen >= 0))
    };
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
pub async fn ended(
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
