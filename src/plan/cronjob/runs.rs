//! The runs that are known of: Jobs, and the pods that ran in them.

use jiff::Timestamp;

use super::Scene;
use crate::{
    api::cronjob::Run,
    plan::{Found, Id, Seen, Step, facts, verdict::Verdict},
};

/// The only container of a run.
pub const CONTAINER: &str = "run";

/// A run that is known of.
pub struct Known {
    /// Its Job.
    pub id: Id,
    /// Whether somebody asked for it, rather than the schedule.
    pub by_hand: bool,
    /// What the status says of it.
    pub run: Run,
    began: Timestamp,
}

impl Known {
    /// Whether it has not ended.
    pub fn is_running(&self) -> bool {
        self.run.result == "Running"
    }
}

/// Every run that is known of, the newest first.
pub fn all(seen: &Seen<'_>) -> Vec<Known> {
    let pods = seen.owned::<facts::Pod>();
    let jobs = seen.owned::<facts::Job>().into_iter();
    let mut all: Vec<Known> = jobs.map(|job| known(&job, &pods)).collect();
    all.sort_by(|a, b| b.began.cmp(&a.began).then_with(|| b.id.cmp(&a.id)));
    all
}

fn known(job: &Found<facts::Job>, pods: &[Found<facts::Pod>]) -> Known {
    let status = &job.status;
    let of = |type_: &str| {
        let mut conditions = status.conditions.iter();
        conditions.find(|c| c.type_ == type_ && c.status == "True")
    };
    let (result, ended) = match (of("Complete"), of("Failed")) {
        (Some(complete), _) => ("Succeeded", Some(complete)),
        (None, Some(failed)) if failed.reason == "DeadlineExceeded" => ("TimedOut", Some(failed)),
        (None, Some(failed)) => ("Failed", Some(failed)),
        (None, None) => ("Running", None),
    };
    let finished_at = status.completion_time.clone();
    Known {
        id: job.kept.id.clone(),
        by_hand: job.kept.owned,
        began: job.kept.created,
        run: Run {
            started_at: status.start_time.clone(),
            finished_at: finished_at.or_else(|| ended?.last_transition_time.clone()),
            exit_code: exit_code(job.name(), pods),
            release: job.kept.label("release").and_then(|l| l.parse().ok()),
            job: job.name().to_owned(),
            result: result.to_owned(),
        },
    }
}

/// A pod is called after its Job, a hyphen and some letters.
fn exit_code(job: &str, pods: &[Found<facts::Pod>]) -> Option<i32> {
    let of_job =
        |pod: &&Found<facts::Pod>| pod.name().rsplit_once('-').is_some_and(|(of, _)| of == job);
    let statuses = pods
        .iter()
        .filter(of_job)
        .flat_map(|pod| &pod.status.container_statuses);
    let mut ended = statuses
        .filter(|c| c.name == CONTAINER)
        .filter_map(|c| c.state.terminated.as_ref());
    ended.next().map(|ended| ended.exit_code)
}

/// All that was made, as it is.
pub fn kept(scene: &Scene<'_>, runs: &[Known]) -> Vec<Step> {
    let cron = scene
        .stands
        .iter()
        .map(|found| Step::Keep(found.kept.id.clone()));
    let by_hand = runs.iter().filter(|known| known.by_hand);
    cron.chain(by_hand.map(|known| Step::Keep(known.id.clone())))
        .collect()
}

/// What became of the run that ended last.
pub fn with_last(verdict: Verdict, runs: &[Known], ns: &str) -> Verdict {
    const LAST: &str = "LastRunSucceeded";
    let Some(last) = runs.iter().find(|known| !known.is_running()) else {
        return verdict;
    };
    let (status, message) = match (last.run.result.as_str(), last.run.exit_code) {
        ("Succeeded", _) => ("True", "The run that ended last succeeded.".to_owned()),
        ("TimedOut", _) => (
            "False",
            "The run that ended last took longer than timeoutSeconds allows, and was stopped: shorten it or raise timeoutSeconds.".to_owned(),
        ),
        (_, Some(code)) => (
            "False",
            format!("The run that ended last failed with exit code {code}: kubectl logs job/{} -n {ns} shows why.", last.run.job),
        ),
        (_, None) => (
            "False",
            format!("The run that ended last failed before its command did: kubectl describe job/{} -n {ns} shows why.", last.run.job),
        ),
    };
    verdict.with(LAST, status, &last.run.result, message)
}
