//! `run ENVIRONMENT -- COMMAND`: a command beside the replicas, in the image and variables of the release that serves.
//!
//! It is a suspended Cronjob that is run once and deleted: so it takes the rights of a Developer, and no right to make pods.

use std::{collections::BTreeSet, time::Duration};

use futures::{AsyncReadExt, StreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, LogParams},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::json;

use super::{
    fail::{Exit, Failure},
    logs,
    progress::Progress,
    reach::bare,
    scope::{Cluster, Scope},
    show,
    target::Target,
    track,
    turn::{ended, seen},
    wait::Waiting,
};
use crate::{
    api::{
        CRONJOB, Cronjob,
        cronjob::{CronjobSpec, Frequency, Run},
        name::Ref,
    },
    kinds::Of,
};

/// What the lines of a run that has ended may take to arrive.
const LAST_LINES: Duration = Duration::from_secs(10);

/// Runs it, writes what it writes, and ends with its exit code.
pub async fn run(environment: &str, command: &[String], scope: &Scope) -> Result<(), Failure> {
    let cluster = scope.connect().await?;
    let _: crate::api::Environment = cluster.get(Of::Environment, environment).await?;
    let cronjob = make(&cluster, environment, command).await?;
    let name = cronjob.name_any();
    let target = Target::new(Of::Cronjob, name.as_str());
    let done = play(&cluster, scope, &target, &cronjob).await;
    let never_began = match &done {
        Ok(Some(run)) if run.exit_code != Some(0) => refusal(&cluster, &name).await,
        _ => None,
    };
    let goes_on = match &done {
        Ok(run) => run.is_none(),
        Err(failure) => failure.exit == Exit::TimedOut,
    };
    if !goes_on {
        let api = cluster.api::<Cronjob>();
        let deleted = api.delete(&name, &DeleteParams::background()).await;
        deleted.map_err(|e| Failure::from_api(&e, &format!("clean up {target}")))?;
    }
    match done? {
        Some(run) => answer(scope, command, &run, never_began),
        None => {
            let sentence = format!(
                "{target} runs it; read it with: kubectl roadstead logs acj/{name}, and end it with: kubectl delete acj {name}"
            );
            scope.output.answer(&sentence, &bare(&cronjob))
        }
    }
}

/// The run, once it has ended; nothing if nobody waits for it.
async fn play(
    cluster: &Cluster,
    scope: &Scope,
    target: &Target,
    cronjob: &Cronjob,
) -> Result<Option<Run>, Failure> {
    let mut progress = Progress::start();
    let waiting = Waiting {
        scope,
        what: format!("the command, as {target},"),
        look: format!(
            "kubectl roadstead logs acj/{} -n {}",
            target.name, cluster.namespace
        ),
    };
    seen(&waiting, cluster, cronjob, &mut progress).await?;
    let token = Timestamp::now().to_string();
    cluster.edit(target, json!({ "runNow": token })).await?;
    if scope.no_wait {
        return Ok(None);
    }
    let selector = format!("{CRONJOB}={}", target.name);
    let reader = scope
        .output
        .is_for_people()
        .then(|| tokio::spawn(write(cluster.api(), selector)));
    let none = BTreeSet::new();
    let run = ended(&waiting, cluster, target, &none, &mut progress).await;
    drop(progress);
    if let Some(reader) = reader {
        let patience = if run.is_ok() {
            LAST_LINES
        } else {
            Duration::ZERO
        };
        let _ = tokio::time::timeout(patience, reader).await;
    }
    run.map(Some)
}

async fn make(
    cluster: &Cluster,
    environment: &str,
    command: &[String],
) -> Result<Cronjob, Failure> {
    let spec = CronjobSpec {
        environment_ref: Ref {
            name: environment.to_owned(),
        },
        command: command.to_vec(),
        frequency: Some(Frequency::Daily),
        time: Some("00:00".to_owned()),
        schedule: None,
        time_zone: None,
        timeout_seconds: None,
        suspend: Some(true),
        run_now: None,
    };
    let doing = format!("run a command in environment/{environment}");
    let named = |attempt| {
        let name = name(environment, Timestamp::now(), attempt);
        Cronjob::new(&name, spec.clone())
    };
    cluster.create(&doing, named).await
}

/// A name for it: that of a Cronjob has at most 40 characters.
fn name(environment: &str, now: Timestamp, attempt: u64) -> String {
    let short: String = environment.chars().take(30).collect();
    track::name(short.trim_end_matches('-'), "run", now, attempt)
}

/// Writes what the command writes, as it is.
async fn write(pods: Api<Pod>, selector: String) {
    let config = watcher::Config::default().labels(&selector);
    let events = watcher::watcher(pods.clone(), config);
    let mut events = std::pin::pin!(events.default_backoff().applied_objects());
    while let Some(event) = events.next().await {
        let Ok(pod) = event else { continue };
        if logs::started(&pod).is_none() {
            continue;
        }
        let params = LogParams {
            follow: true,
            ..LogParams::default()
        };
        let Ok(stream) = pods.log_stream(&pod.name_any(), &params).await else {
            continue;
        };
        let mut stream = std::pin::pin!(stream);
        let mut bytes = vec![0; 8192];
        while let Ok(count @ 1..) = stream.read(&mut bytes).await {
            if show::pass(&bytes[..count]).is_err() {
                return;
            }
        }
        return;
    }
}

/// Why the command never began, if the node says so.
async fn refusal(cluster: &Cluster, cronjob: &str) -> Option<String> {
    let params = ListParams::default().labels(&format!("{CRONJOB}={cronjob}"));
    let pods = cluster.api::<Pod>().list(&params).await.ok()?;
    pods.iter().find_map(not_begun)
}

/// What a node says of a container that it could not start: a word and a sentence, on one line.
fn not_begun(pod: &Pod) -> Option<String> {
    let statuses = pod.status.as_ref()?.container_statuses.iter().flatten();
    let mut ended = statuses.filter_map(|s| s.state.as_ref()?.terminated.as_ref());
    let refused = ended.find(|end| {
        let why = end.reason.as_deref().unwrap_or_default();
        matches!(why, "StartError" | "ContainerCannotRun")
    })?;
    let message = refused.message.as_deref().unwrap_or_default();
    let words = refused.reason.iter().map(String::as_str);
    let words: Vec<&str> = words.chain(message.split_whitespace()).collect();
    Some(words.join(" ").replacen(' ', ": ", 1))
}

fn answer(
    scope: &Scope,
    command: &[String],
    run: &Run,
    never_began: Option<String>,
) -> Result<(), Failure> {
    if !scope.output.is_for_people() {
        show::print(&scope.output.render(run)?)?;
    }
    if let Some(why) = never_began {
        return Err(Failure::new(
            run.exit_code.map_or(Exit::Failed, Exit::of),
            format!("{} did not start: {why}", command.join(" ")),
            "name a program that the image of the release has",
        ));
    }
    match run.exit_code {
        Some(0) => Ok(()),
        Some(code) => Err(Failure::new(Exit::of(code), "", "")),
        None => Err(Failure::refused(
            format!(
                "{} did not run to its end: {}",
                command.join(" "),
                run.result
            ),
            "see why: kubectl get events --sort-by=.lastTimestamp",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_there_is_told_in_the_words_of_the_node() {
        let ended = |reason: &str| -> Pod {
            let end =
                json!({"exitCode": 128, "reason": reason, "message": "exec: \"sh\":\n not found"});
            let status = json!({
                "name": "command", "image": "i", "imageID": "i", "ready": false, "restartCount": 0,
                "state": {"terminated": end},
            });
            serde_json::from_value(json!({"status": {"containerStatuses": [status]}})).unwrap()
        };
        let said = not_begun(&ended("StartError"));
        assert_eq!(said.as_deref(), Some("StartError: exec: \"sh\": not found"));
        assert_eq!(not_begun(&ended("Error")), None);
        assert_eq!(not_begun(&Pod::default()), None);
    }

    #[test]
    fn its_name_fits_and_says_what_it_is() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let long = name(&"e".repeat(32), now, 0);
        assert!(long.len() <= 40 && long.contains("-run-"), "{long}");
        assert!(name("shop-live", now, 0).starts_with("shop-live-run-"));
    }
}
