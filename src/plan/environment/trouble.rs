//! What is in the way, in words that do not change from one look to the next.

use jiff::{SignedDuration, Timestamp};

use crate::{
    api::{COMMAND, CONTAINER, ENVIRONMENT, RELEASE},
    plan::{Found, Kept, facts, verdict::Verdict},
};

/// Something in the way, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// One word for it.
    pub reason: &'static str,
    /// What it concerns.
    pub object: String,
    /// What to do about it.
    pub fix: String,
}

impl Trouble {
    /// This, concerning that, and what to do.
    pub fn new(reason: &'static str, object: &str, fix: impl Into<String>) -> Self {
        Self {
            reason,
            object: object.to_owned(),
            fix: fix.into(),
        }
    }

    /// As a blocker is called.
    pub fn what(&self) -> String {
        format!("{}/{}", self.reason, self.object)
    }
}

/// The verdict, with these as blockers: each once.
pub fn blocked(mut verdict: Verdict, troubles: &[Trouble]) -> Verdict {
    for trouble in troubles {
        let what = trouble.what();
        if !verdict.blockers.iter().any(|blocker| blocker.what == what) {
            verdict = verdict.blocked(what, trouble.fix.clone());
        }
    }
    verdict
}

/// Names pods of a container to kubectl, by the labels of one of them.
fn chosen(kept: &Kept, container: &str) -> String {
    let label = |key| kept.label(key).unwrap_or_default();
    let which = match kept.label("command") {
        Some(command) => format!("{RELEASE}={},{COMMAND}={command}", label("release")),
        None => format!("{CONTAINER}={container}"),
    };
    let (ns, environment) = (&kept.id.ns, label("environment"));
    format!("-n {ns} -l {ENVIRONMENT}={environment},{which}")
}

/// What is wrong with a pod, and when it is too late for a release to wait any longer.
pub struct Ailment {
    /// What is wrong.
    pub trouble: Trouble,
    /// From when on a release gives up.
    pub until: Timestamp,
    /// Whether it is only what every pod goes through, and worth no word before that.
    pub ordinary: bool,
}

/// What is wrong with this pod of a container, where it has so long to become ready.
pub fn ailment(
    pod: &Found<facts::Pod>,
    container: &str,
    patience: SignedDuration,
) -> Option<Ailment> {
    if pod.is("Ready") || pod.kept.deleting.is_some() {
        return None;
    }
    let at = |seconds: i64| later(pod.kept.created, SignedDuration::from_secs(seconds));
    let ill = |reason, fix: String, until| {
        let trouble = Trouble::new(reason, container, fix);
        Some(Ailment {
            trouble,
            until,
            ordinary: false,
        })
    };
    let unscheduled = pod.status.conditions.iter();
    if unscheduled
        .clone()
        .any(|c| c.type_ == "PodScheduled" && c.status == "False" && c.reason == "Unschedulable")
    {
        let fix = "No node has room for it: lower its requests, or add a node.".to_owned();
        return ill("Unschedulable", fix, Timestamp::MAX);
    }
    let before = pod.status.init_container_statuses.first();
    let before = before.and_then(|status| hindrance(status, &pod.kept, container));
    if let Some((reason, _, patience)) = before {
        let fix = "Roadstead's own image, which waits for the Services first, cannot be used here: check that the Instance's imagePullSecrets give access to it.";
        return ill(reason, fix.to_owned(), at(patience));
    }
    let status = pod.status.container_statuses.first()?;
    if let Some((reason, fix, patience)) = hindrance(status, &pod.kept, container) {
        return ill(reason, fix, at(patience));
    }
    if status.restart_count == 0 && status.state.terminated.is_none() {
        return starting(status, container, patience);
    }
    let fix = format!(
        "It ends instead of becoming ready: kubectl logs {} --previous. It runs as an ordinary user, not as root: see runAsUser.",
        chosen(&pod.kept, container)
    );
    let until = if status.restart_count >= 5 {
        at(0)
    } else if status.restart_count == 0 {
        Timestamp::MAX
    } else {
        later(pod.kept.created, patience)
    };
    ill("CrashLoop", fix, until)
}

/// A container that runs and has not started yet: it may take as long as its probe allows.
fn starting(
    status: &facts::ContainerStatus,
    container: &str,
    patience: SignedDuration,
) -> Option<Ailment> {
    let running = status.state.running.as_ref()?;
    if status.started != Some(false) {
        return None;
    }
    let since: Timestamp = running.started_at.as_ref()?.parse().ok()?;
    let fix = "Its startup probe did not succeed in time: check the port and the path, or allow it more time.";
    Some(Ailment {
        trouble: Trouble::new("ProbeFailed", container, fix),
        until: later(later(since, patience), SignedDuration::from_secs(1)),
        ordinary: true,
    })
}

/// What keeps a container from starting: a word, what to do, and how many seconds it may take to pass by itself.
fn hindrance(
    status: &facts::ContainerStatus,
    kept: &Kept,
    container: &str,
) -> Option<(&'static str, String, i64)> {
    let waiting = status.state.waiting.as_ref()?;
    let image = &status.image;
    Some(match waiting.reason.as_str() {
        "InvalidImageName" | "ErrImageNeverPull" => {
            let fix = format!("The image {image} cannot be pulled: correct its name.");
            ("ImagePullFailed", fix, 0)
        }
        "ErrImagePull" | "ImagePullBackOff" => {
            let fix = format!(
                "The image {image} cannot be pulled: check its name, and that the Instance's imagePullSecrets give access to it."
            );
            ("ImagePullFailed", fix, 60)
        }
        "CreateContainerConfigError" if waiting.message.contains("runAsNonRoot") => {
            let fix = format!(
                "The image runs as root, which is not allowed: set runAsUser of container {container}, or USER in the image."
            );
            ("RunsAsRoot", fix, 0)
        }
        "CreateContainerConfigError" | "CreateContainerError" => {
            let fix = format!(
                "The container cannot be made: kubectl describe pod {}",
                chosen(kept, container)
            );
            ("ContainerRefused", fix, 60)
        }
        _ => return None,
    })
}

fn later(from: Timestamp, by: SignedDuration) -> Timestamp {
    from.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// Why a workload has no pods, where it was refused them.
pub fn refusal(deployment: &Found<facts::Deployment>, container: &str) -> Option<Trouble> {
    let conditions = &deployment.status.conditions;
    let failure = conditions
        .iter()
        .find(|c| c.type_ == "ReplicaFailure" && c.status == "True")?;
    Some(if failure.message.contains("exceeded quota") {
        let fix = "The Instance's quota is used up: raise spec.quota of the Instance, or run fewer or smaller replicas.";
        Trouble::new("QuotaExceeded", container, fix)
    } else {
        let fix = format!(
            "The API server refuses its pods: kubectl describe deployment {}",
            chosen(&deployment.kept, container)
        );
        Trouble::new("PodRefused", container, fix)
    })
}
