//! `logs`: what all replicas write, each line with the name of its pod.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use clap_complete::ArgValueCompleter;
use futures::{AsyncBufRead, AsyncBufReadExt, StreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt,
    api::{ListParams, LogParams},
    runtime::{WatchStreamExt, watcher},
};
use tokio::{sync::mpsc, task::JoinSet};

use super::{
    complete,
    fail::Failure,
    progress::note,
    scope::{Cluster, Scope, duration},
    show::print,
    target::{Target, replicas},
    track,
};
use crate::{
    api::{CONTAINER, CRONJOB, ENVIRONMENT, RELEASE, Release},
    kinds::Of,
};

/// Whose lines, and which.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Such as shop-live, acj/nightly, rel/shop-live-8 or msvc/shop-db
    #[arg(value_name = "ENVIRONMENT|KIND/NAME", add = ArgValueCompleter::new(complete::logged))]
    pub object: String,
    /// Only this container of the environment
    #[arg(short, long, value_name = "NAME")]
    pub container: Option<String>,
    /// Only replicas of this release
    #[arg(long, value_name = "NUMBER")]
    pub release: Option<i64>,
    /// Go on with what is written from now on
    #[arg(short, long)]
    pub follow: bool,
    /// What the replicas wrote before their last restart; of a cronjob, the run before the last
    #[arg(short, long, conflicts_with = "follow")]
    pub previous: bool,
    /// Only what is not older, such as 10m or 2h
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub since: Option<Duration>,
    /// Only what was written from this time on, in RFC 3339
    #[arg(long, value_name = "TIME", conflicts_with = "since")]
    pub since_time: Option<Timestamp>,
    /// Only what was written before this time, in RFC 3339
    #[arg(long, value_name = "TIME", conflicts_with = "follow")]
    pub until_time: Option<Timestamp>,
    /// At most so many of the last lines of each replica
    #[arg(long, value_name = "LINES")]
    pub tail: Option<i64>,
    /// When each line was written
    #[arg(long)]
    pub timestamps: bool,
}

/// What stands under the help.
pub const HELP: &str = "\
With kubectl alone:
  kubectl logs -l roadstead.dev/environment=shop-live,roadstead.dev/container=web --prefix --tail=-1
  kubectl logs -l roadstead.dev/cronjob=nightly --prefix --tail=-1";

/// What lines go through on their way to the terminal.
#[derive(Clone, Debug)]
struct Lines {
    params: LogParams,
    until: Option<Timestamp>,
    timestamps: bool,
}

/// Writes them.
pub async fn run(args: &Args, scope: &Scope) -> Result<(), Failure> {
    let cluster = scope.connect().await?;
    let target = meant(&cluster, &args.object).await?;
    let selector = selector(&cluster, &target, args).await?;
    let lines = Arc::new(Lines {
        params: LogParams {
            follow: args.follow,
            previous: args.previous && target.of != Of::Cronjob,
            since_seconds: args.since.and_then(|d| i64::try_from(d.as_secs()).ok()),
            since_time: args.since_time,
            tail_lines: args.tail,
            timestamps: args.timestamps || args.until_time.is_some(),
            ..LogParams::default()
        },
        until: args.until_time,
        timestamps: args.timestamps,
    });
    let pods: Api<Pod> = cluster.api();
    let list = pods.list(&ListParams::default().labels(&selector)).await;
    let list = list.map_err(|e| Failure::from_api(&e, &format!("list the pods of {target}")))?;
    let once = matches!(target.of, Of::Cronjob | Of::Release);
    let mut there = list.items;
    if target.of == Of::Cronjob {
        there = run_of(there, args.previous);
    }
    if args.follow && !once {
        return follow(&pods, &selector, &lines).await;
    }
    if there.is_empty() {
        return Err(Failure::refused(
            format!("{target} has no replica to read from"),
            format!(
                "see why: kubectl roadstead why {target} -n {}",
                cluster.namespace
            ),
        ));
    }
    there.sort_by_key(ResourceExt::name_any);
    for pod in &there {
        write_one(&pods, pod, &lines).await?;
    }
    Ok(())
}

/// What a bare name means: the environment; where there is none, the cronjob.
async fn meant(cluster: &Cluster, text: &str) -> Result<Target, Failure> {
    const LOGGED: &[Of] = &[Of::Environment, Of::Cronjob, Of::Release, Of::Service];
    let target = Target::parse_bare(text, LOGGED)?;
    if cluster.find(&target).await?.is_some() {
        return Ok(target);
    }
    if !text.contains('/') {
        let other = Target::new(Of::Cronjob, target.name.clone());
        if cluster.find(&other).await?.is_some() {
            return Ok(other);
        }
    }
    // Tells what there is instead.
    cluster.read(&target).await.map(|_| target)
}

/// The labels of the pods that are meant.
async fn selector(cluster: &Cluster, target: &Target, args: &Args) -> Result<String, Failure> {
    let name = &target.name;
    let base = match target.of {
        Of::Cronjob => format!("{CRONJOB}={name}"),
        Of::Release => {
            let release: Release = cluster.get(Of::Release, name).await?;
            let Some(number) = track::number(&release) else {
                return Err(Failure::refused(
                    format!("{target} has not begun, so it wrote nothing"),
                    format!("see why: kubectl roadstead why {target}"),
                ));
            };
            let environment = release.spec.environment_ref.name;
            // The pods of its commands; those that serve have a container's label.
            format!("{ENVIRONMENT}={environment},{RELEASE}={number},!{CONTAINER},!{CRONJOB}")
        }
        _ => replicas(target, args.container.as_deref()),
    };
    Ok(match args.release {
        Some(number) => format!("{base},{RELEASE}={number}"),
        None => base,
    })
}

/// The pods of the newest run of a cronjob, or of the one before it.
fn run_of(pods: Vec<Pod>, before: bool) -> Vec<Pod> {
    let job = |p: &Pod| p.labels().get("batch.kubernetes.io/job-name").cloned();
    let born = |p: &Pod| p.creation_timestamp().map(|t| t.0);
    let mut runs: Vec<(Option<Timestamp>, Option<String>)> = Vec::new();
    for pod in &pods {
        match runs.iter_mut().find(|(_, name)| *name == job(pod)) {
            Some((at, _)) => *at = (*at).max(born(pod)),
            None => runs.push((born(pod), job(pod))),
        }
    }
    runs.sort();
    let wanted = runs.iter().rev().nth(usize::from(before)).cloned();
    let of_run = |p: &Pod| wanted.as_ref().is_some_and(|(_, name)| *name == job(p));
    pods.into_iter().filter(of_run).collect()
}

/// Reads one replica to the end, or for as long as it writes.
async fn write_one(pods: &Api<Pod>, pod: &Pod, lines: &Lines) -> Result<(), Failure> {
    let name = pod.name_any();
    let mut stream = match pods.log_stream(&name, &lines.of(pod)).await {
        Ok(stream) => Box::pin(stream),
        Err(e) => {
            note(&unreadable(&name, &e));
            return Ok(());
        }
    };
    while let Some(line) = next_line(&mut stream).await {
        if let Some(line) = lines.shown(&name, &line) {
            print(&line)?;
        }
    }
    Ok(())
}

/// Reads all replicas at once, and those that come later, until Ctrl-C.
async fn follow(pods: &Api<Pod>, selector: &str, lines: &Arc<Lines>) -> Result<(), Failure> {
    let config = watcher::Config::default().labels(selector);
    let events = watcher::watcher(pods.clone(), config)
        .default_backoff()
        .applied_objects();
    let mut events = std::pin::pin!(events);
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    let (sender, mut receiver) = mpsc::channel::<String>(256);
    let mut readers = JoinSet::new();
    let mut begun = BTreeSet::new();
    loop {
        tokio::select! {
            _ = &mut interrupt => return Ok(()),
            Some(line) = receiver.recv() => print(&line)?,
            Some(_) = readers.join_next() => {}
            event = events.next() => match event {
                Some(Ok(pod)) => {
                    if started(&pod).is_some_and(|life| begun.insert(life)) {
                        readers.spawn(read(pods.clone(), pod, lines.clone(), sender.clone()));
                    }
                }
                Some(Err(watcher::Error::InitialListFailed(e @ kube::Error::Api(_)))) => {
                    return Err(Failure::from_api(&e, "watch the pods"));
                }
                Some(Err(_)) => {}
                None => return Ok(()),
            },
        }
    }
}

/// Reads one life of one replica.
async fn read(pods: Api<Pod>, pod: Pod, lines: Arc<Lines>, sender: mpsc::Sender<String>) {
    let name = pod.name_any();
    let mut stream = match pods.log_stream(&name, &lines.of(&pod)).await {
        Ok(stream) => Box::pin(stream),
        Err(e) => return note(&unreadable(&name, &e)),
    };
    while let Some(line) = next_line(&mut stream).await {
        let shown = lines.shown(&name, &line);
        if let Some(line) = shown
            && sender.send(line).await.is_err()
        {
            return;
        }
    }
}

/// A life of a replica that has something to read: the pod, and how often its container was started.
pub(super) fn started(pod: &Pod) -> Option<(String, i32)> {
    let status = pod.status.as_ref()?.container_statuses.as_ref()?.first()?;
    let state = status.state.as_ref()?;
    let begun = state.running.is_some() || state.terminated.is_some();
    begun.then(|| (pod.uid().unwrap_or_default(), status.restart_count))
}

async fn next_line(stream: &mut (impl AsyncBufRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    match stream.read_until(b'\n', &mut bytes).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(
            String::from_utf8_lossy(&bytes)
                .trim_end_matches(['\n', '\r'])
                .to_owned(),
        ),
    }
}

fn unreadable(pod: &str, error: &kube::Error) -> String {
    let said = Failure::from_api(error, &format!("read pod/{pod}")).what;
    format!("note: {said}")
}

impl Lines {
    /// How a pod is asked: for its first container, which is the one that we were asked to run.
    fn of(&self, pod: &Pod) -> LogParams {
        let first = pod.spec.as_ref().and_then(|s| s.containers.first());
        LogParams {
            container: first.map(|c| c.name.clone()),
            ..self.params.clone()
        }
    }

    /// A line as it is shown, unless it is too new.
    fn shown(&self, pod: &str, line: &str) -> Option<String> {
        let mut text = line;
        if self.params.timestamps {
            let (time, rest) = line.split_once(' ').unwrap_or((line, ""));
            let time = time.parse::<Timestamp>().ok();
            if let (Some(until), Some(time)) = (self.until, time)
                && time >= until
            {
                return None;
            }
            if time.is_some() && !self.timestamps {
                text = rest;
            }
        }
        Some(format!("{pod} | {text}\n"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, job: &str, born: &str) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": name, "creationTimestamp": born, "labels": {"batch.kubernetes.io/job-name": job}},
        }))
        .unwrap()
    }

    #[test]
    fn of_a_cronjob_the_newest_run_is_meant() {
        let pods = vec![
            pod("a-1", "a", "2026-11-22T01:00:00Z"),
            pod("b-1", "b", "2026-11-22T02:00:00Z"),
            pod("b-2", "b", "2026-11-22T02:01:00Z"),
        ];
        let names = |pods: Vec<Pod>| pods.iter().map(ResourceExt::name_any).collect::<Vec<_>>();
        assert_eq!(names(run_of(pods.clone(), false)), ["b-1", "b-2"]);
        assert_eq!(names(run_of(pods, true)), ["a-1"]);
        assert!(run_of(Vec::new(), false).is_empty());
    }

    #[test]
    fn lines_carry_their_pod_and_end_where_asked() {
        let mut lines = Lines {
            params: LogParams::default(),
            until: None,
            timestamps: false,
        };
        assert_eq!(lines.shown("web-1", "hello").unwrap(), "web-1 | hello\n");
        lines.params.timestamps = true;
        lines.until = Some("2026-11-22T02:00:00Z".parse().unwrap());
        assert_eq!(
            lines
                .shown("web-1", "2026-11-22T01:59:59.9Z hello")
                .unwrap(),
            "web-1 | hello\n"
        );
        assert_eq!(lines.shown("web-1", "2026-11-22T02:00:00Z late"), None);
    }
}
