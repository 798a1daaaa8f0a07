//! A Release on its way: its steps as they happen, and how it ended.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use super::{
    fail::{Exit, Failure},
    progress::Progress,
    scope::{Cluster, Scope},
    wait::Waiting,
};
use crate::{
    api::{
        Environment, Release,
        release::{ReleaseStatus, Step},
    },
    kinds::Of,
};

/// How long an Environment is waited for that does not tell of a Release that is over.
const COURTESY: Duration = Duration::from_secs(10);

/// How a Release ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It serves.
    Succeeded,
    /// What served before still does.
    Failed,
    /// A newer one took its place in the queue.
    Superseded,
}

/// How a Release ended, if it has.
pub fn end(status: &ReleaseStatus) -> Option<End> {
    let succeeded = status.conditions.iter().find(|c| c.type_ == "Succeeded");
    match (
        status.phase.as_deref(),
        succeeded.map(|c| c.status.as_str()),
    ) {
        (Some("Superseded"), _) => Some(End::Superseded),
        (Some("Failed"), _) | (_, Some("False")) => Some(End::Failed),
        (Some("Succeeded"), _) | (_, Some("True")) => Some(End::Succeeded),
        _ => None,
    }
}

/// What has been told of a Release, so that each thing is told once.
#[derive(Default)]
pub struct Story {
    steps: BTreeMap<String, String>,
}

impl Story {
    /// What is new: a line for each step that began or ended.
    pub fn news(&mut self, status: &ReleaseStatus) -> Vec<String> {
        let mut lines = Vec::new();
        for step in &status.steps {
            let told = self.steps.insert(step.name.clone(), step.state.clone());
            if told.as_deref() == Some(&step.state) || step.state == "Waiting" {
                continue;
            }
            lines.push(line(step));
            if step.state == "Failed" {
                let tail = step.log_tail.as_deref().unwrap_or_default();
                lines.extend(tail.lines().map(|l| format!("    {l}")));
            }
        }
        lines
    }
}

fn line(step: &Step) -> String {
    let took = took(step.started_at.as_deref(), step.ended_at.as_deref());
    let mark = match step.state.as_str() {
        "Succeeded" => "+",
        "Failed" => "x",
        "Skipped" => "-",
        _ => ">",
    };
    let code = step.exit_code.filter(|code| *code != 0);
    let code = code.map_or_else(String::new, |code| format!(", exit code {code}"));
    format!(
        "  {mark} {} {}{code}{took}",
        step.name,
        step.state.to_lowercase()
    )
}

/// How long something took, such as ` in 42s`; empty while nobody knows.
pub fn took(from: Option<&str>, to: Option<&str>) -> String {
    let parse = |t: Option<&str>| t.and_then(|t| t.parse::<Timestamp>().ok());
    match (parse(from), parse(to)) {
        (Some(from), Some(to)) => {
            let seconds = to.duration_since(from).as_secs().max(0);
            format!(" in {:#}", jiff::SignedDuration::from_secs(seconds))
        }
        _ => String::new(),
    }
}

/// What a Release is at, in one line.
fn at(name: &str, status: &ReleaseStatus) -> String {
    let phase = status.phase.as_deref().unwrap_or("Queued");
    let percent = status.percent.unwrap_or_default();
    let waits: Vec<String> = status
        .blockers
        .iter()
        .map(|b| format!("{}: {}", b.what, b.fix))
        .collect();
    if waits.is_empty() {
        format!("release/{name} {phase} {percent}%")
    } else {
        format!("release/{name} {phase}, waits for {}", waits.join("; "))
    }
}

/// Waits until a Release has ended and its Environment tells so too, and tells its steps.
pub async fn follow(
    cluster: &Cluster,
    scope: &Scope,
    release: &str,
    progress: &mut Progress,
) -> Result<Release, Failure> {
    let waiting = Waiting {
        scope,
        what: format!("release/{release}"),
        look: format!(
            "kubectl roadstead why rel/{release} -n {}",
            cluster.namespace
        ),
    };
    let mut story = Story::default();
    let api = cluster.api::<Release>();
    let ended = waiting
        .until(api, release, |seen: Option<&Release>| {
            let Some(seen) = seen else {
                return Some(Err(Failure::new(
                    Exit::NotFound,
                    format!("release/{release} was deleted meanwhile"),
                    "",
                )));
            };
            let status = seen.status.clone().unwrap_or_default();
            for line in story.news(&status) {
                progress.say(&line);
            }
            if end(&status).is_some() {
                return Some(Ok(seen.clone()));
            }
            progress.now(&at(release, &status));
            None
        })
        .await?;
    let environment = &ended.spec.environment_ref.name;
    let told = |seen: Option<&Environment>| is_told(seen, &ended).then_some(Ok(()));
    let told = waiting.until(cluster.api(), environment, told);
    // One that cannot tell, because it is being deleted or changed, holds nobody up.
    if let Ok(told) = tokio::time::timeout(COURTESY, told).await {
        told?;
    }
    Ok(ended)
}

/// Whether the Environment knows that a Release is over, so that whoever asks it next is told of the same. One that is gone, or that never
/// began this Release, says nothing more.
fn is_told(environment: Option<&Environment>, ended: &Release) -> bool {
    let Some((environment, number)) = environment.zip(number(ended)) else {
        return true;
    };
    if ended.status.as_ref().and_then(end) == Some(End::Superseded) {
        return true;
    }
    let status = environment.status.as_ref();
    let last = status.and_then(|s| s.last_finished_release);
    last.is_some_and(|last| last >= number)
}

/// How a Release ended, in words: a sentence where it serves, otherwise what to do.
pub fn verdict(release: &Release) -> Result<String, Failure> {
    let name = release.metadata.name.as_deref().unwrap_or_default();
    let environment = &release.spec.environment_ref.name;
    let status = release.status.clone().unwrap_or_default();
    let number = status.number.map_or(String::new(), |n| format!(" {n}"));
    let took = took(status.started_at.as_deref(), status.ended_at.as_deref());
    match end(&status) {
        Some(End::Succeeded) => Ok(format!(
            "environment/{environment} serves release{number} (release/{name}){took}."
        )),
        Some(End::Superseded) => Err(Failure::refused(
            format!(
                "release/{name} was superseded: a newer one of environment/{environment} took its place"
            ),
            format!(
                "kubectl get rel -n {} -l {}={environment}",
                release.metadata.namespace.as_deref().unwrap_or_default(),
                crate::api::ENVIRONMENT
            ),
        )),
        Some(End::Failed) => {
            let why = why(&status);
            Err(Failure::refused(
                format!(
                    "release/{name} of environment/{environment} failed{why}; what served before still serves"
                ),
                format!("kubectl roadstead logs rel/{name}"),
            ))
        }
        None => Ok(format!(
            "release/{name} of environment/{environment} goes on."
        )),
    }
}

fn why(status: &ReleaseStatus) -> String {
    let failed = status.steps.iter().find(|s| s.state == "Failed");
    if let Some(step) = failed {
        let code = step.exit_code.map(|c| format!(" with exit code {c}"));
        return format!(" at {}{}", step.name, code.unwrap_or_default());
    }
    let condition = status.conditions.iter().find(|c| c.status == "False");
    condition.map_or_else(String::new, |c| format!(": {}", c.message))
}

/// A name for a Release that a person makes: it does not end in a number, for those are the operator's.
pub fn name(environment: &str, word: &str, now: Timestamp, attempt: u64) -> String {
    const LETTERS: &[u8] = b"bcdfghjkmnpqrstvwxyz";
    let mut rest = now.as_second().unsigned_abs() + attempt;
    let mut letters = [0_u8; 5];
    for letter in letters.iter_mut().rev() {
        let index = usize::try_from(rest % 20).unwrap_or_default();
        *letter = LETTERS[index];
        rest /= 20;
    }
    let letters = String::from_utf8_lossy(&letters);
    format!("{environment}-{word}-{letters}")
}

/// Makes a Release under the first name that is free.
pub async fn make(cluster: &Cluster, release: &Release, word: &str) -> Result<Release, Failure> {
    let environment = &release.spec.environment_ref.name;
    let doing = format!("make a release of environment/{environment}");
    let named = |attempt| {
        let mut release = release.clone();
        release.metadata.name = Some(name(environment, word, Timestamp::now(), attempt));
        release
    };
    cluster.create(&doing, named).await
}

/// The Releases of an Environment.
pub async fn of_environment(cluster: &Cluster, environment: &str) -> Result<Vec<Release>, Failure> {
    let all: Vec<Release> = cluster.list(Of::Release).await?;
    let mine = |r: &Release| r.spec.environment_ref.name == environment;
    Ok(all.into_iter().filter(mine).collect())
}

/// The place of a Release in the history of its Environment, once it has begun.
pub fn number(release: &Release) -> Option<i64> {
    release.status.as_ref().and_then(|s| s.number)
}

/// The Release of this number.
pub fn numbered(releases: &[Release], wanted: i64) -> Option<&Release> {
    releases.iter().find(|r| number(r) == Some(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{
        environment::{EnvironmentSpec, EnvironmentStatus},
        name::Ref,
        release::ReleaseSpec,
    };

    fn step(name: &str, state: &str) -> Step {
        Step {
            name: name.into(),
            state: state.into(),
            ..Step::default()
        }
    }

    #[test]
    fn each_step_is_told_once() {
        let mut story = Story::default();
        let mut status = ReleaseStatus {
            steps: vec![step("migrate", "Running"), step("rollout", "Waiting")],
            ..ReleaseStatus::default()
        };
        assert_eq!(story.news(&status), ["  > migrate running"]);
        assert!(story.news(&status).is_empty());
        status.steps[0] = Step {
            started_at: Some("2026-11-22T10:00:00Z".into()),
            ended_at: Some("2026-11-22T10:01:05Z".into()),
            exit_code: Some(0),
            ..step("migrate", "Succeeded")
        };
        assert_eq!(story.news(&status), ["  + migrate succeeded in 1m 5s"]);
    }

    #[test]
    fn a_failed_step_shows_its_last_lines() {
        let failed = Step {
            exit_code: Some(3),
            log_tail: Some("no such table\nbye".into()),
            ..step("migrate", "Failed")
        };
        let status = ReleaseStatus {
            steps: vec![failed],
            phase: Some("Failed".into()),
            ..ReleaseStatus::default()
        };
        let lines = Story::default().news(&status);
        assert_eq!(
            lines,
            [
                "  x migrate failed, exit code 3",
                "    no such table",
                "    bye"
            ]
        );
        assert_eq!(end(&status), Some(End::Failed));
        assert_eq!(why(&status), " at migrate with exit code 3");
    }

    #[test]
    fn a_release_is_over_once_its_environment_tells_so() {
        let spec = ReleaseSpec {
            environment_ref: Ref { name: "e".into() },
            build_mode: None,
            copy_from: None,
            adopt: None,
            provision_services: None,
        };
        let mut ended = Release::new("r", spec.clone());
        let mut environment = Environment::new("e", EnvironmentSpec::default());
        assert!(is_told(Some(&environment), &ended), "it never began");
        ended.status = Some(ReleaseStatus {
            number: Some(3),
            ..ReleaseStatus::default()
        });
        for (last, told) in [
            (None, false),
            (Some(2), false),
            (Some(3), true),
            (Some(4), true),
        ] {
            environment.status = Some(EnvironmentStatus {
                last_finished_release: last,
                ..EnvironmentStatus::default()
            });
            assert_eq!(is_told(Some(&environment), &ended), told, "{last:?}");
        }
        assert!(is_told(None, &ended), "it is gone");
    }

    #[test]
    fn names_fit_and_never_look_like_the_operators() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let long = "e".repeat(32);
        for attempt in 0..200 {
            let name = name(&long, "back", now, attempt);
            assert!(name.len() <= 43, "{name}");
            assert!(!name.ends_with(|c: char| c.is_ascii_digit()), "{name}");
        }
        assert_ne!(name("a", "rel", now, 0), name("a", "rel", now, 1));
    }
}
