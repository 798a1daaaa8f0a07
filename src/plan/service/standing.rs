//! How the engine does, from its StatefulSet, pods and claims.

use jiff::{SignedDuration, Timestamp};

use serde_json::json;

use super::{account::Account, names::DataName, setup::Setup};
use crate::plan::{
    Edit, Found, Gone, Seen, Step,
    facts::{ContainerStatus, PersistentVolumeClaim, Pod, StatefulSet, Terminated},
};

/// How long a pod may look for a node before a person is told.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// How the engine does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its volume and its first pod are being made.
    Provisioning,
    /// It starts.
    Starting,
    /// Kubernetes makes no pod for it.
    Podless(Trouble),
    /// It serves, as declared.
    Running,
    /// It serves; a change of what was declared rolls out.
    Updating,
    /// It runs, but does not serve.
    Degraded(Trouble),
    /// It cannot start.
    Failed(Trouble),
    /// It ends.
    Stopping,
    /// Nothing of it runs.
    Stopped,
}

/// What is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// One word.
    pub reason: &'static str,
    /// Which object.
    pub about: String,
    /// What to do.
    pub fix: String,
}

/// What of the engine is there.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Its StatefulSet.
    pub set: Option<Found<StatefulSet>>,
    /// Its pods.
    pub workers: Vec<Found<Pod>>,
    /// The claim of its first worker.
    pub claim: Option<Found<PersistentVolumeClaim>>,
}

impl Parts {
    /// What of the engine is there. `claim` is the name of the claim, if there should be one.
    pub fn of(seen: &Seen<'_>, name: &str, claim: Option<&str>) -> Self {
        Self {
            set: seen
                .owned::<StatefulSet>()
                .into_iter()
                .find(|s| s.name() == name),
            workers: workers(seen),
            claim: claim.and_then(|c| seen.get(c)),
        }
    }

    /// The StatefulSet, if its claims are of other data than this.
    pub fn other(&self, data: &DataName) -> Option<&Found<StatefulSet>> {
        let first = data.with_serial(1).template();
        let of = |set: &&Found<StatefulSet>| {
            set.kept.annotation("data").unwrap_or(&first) != data.template()
        };
        self.set.as_ref().filter(of)
    }

    fn is_rolled_out(&self, set: &Found<StatefulSet>) -> bool {
        let status = &set.status;
        status.observed_generation >= set.kept.generation
            && status.current_revision == status.update_revision
    }
}

/// A StatefulSet makes way for one with other data: first it runs down, then it goes. Its claims stay.
pub fn make_way(set: &Found<StatefulSet>, parts: &Parts) -> Step {
    let kept = &set.kept;
    if kept.deleting.is_some() {
        return Step::Keep(kept.id.clone());
    }
    let (id, uid) = (kept.id.clone(), kept.uid.to_string());
    if set.spec.replicas != Some(0) {
        let edit = Edit {
            id,
            uid,
            rv: kept.rv,
            patch: json!({"spec": {"replicas": 0}}),
        };
        return Step::Edit(edit, Vec::new());
    }
    if set.status.replicas > 0 || !parts.workers.is_empty() {
        return Step::Keep(id);
    }
    Step::Delete(Gone { id, uid })
}

/// The pods of the engine, without those of its Jobs.
pub fn workers(seen: &Seen<'_>) -> Vec<Found<Pod>> {
    let mut pods = seen.owned::<Pod>();
    pods.retain(|p| p.kept.label("role") == Some("worker"));
    pods
}

/// How the engine does, and when to look again though nothing changes.
pub fn standing(
    setup: &Setup,
    account: &Account,
    parts: &Parts,
    now: Timestamp,
) -> (Standing, Option<Timestamp>) {
    let Some(set) = parts
        .set
        .as_ref()
        .filter(|_| parts.other(&setup.data).is_none())
    else {
        let state = if setup.runs {
            Standing::Provisioning
        } else {
            Standing::Stopped
        };
        return (state, None);
    };
    if !setup.runs {
        let idle = parts.workers.is_empty() && set.status.replicas == 0;
        let state = if idle {
            Standing::Stopped
        } else {
            Standing::Stopping
        };
        return (state, None);
    }
    let Some(pod) = parts.workers.first() else {
        return without_pod(parts, set, now);
    };
    if let Some(deleting) = pod.kept.deleting {
        return leaving(pod, deleting, now);
    }
    if pod.is("Ready") {
        let state = if parts.is_rolled_out(set) {
            Standing::Running
        } else {
            Standing::Updating
        };
        return (state, None);
    }
    if let Some(trouble) = trouble(pod, account) {
        return (Standing::Failed(trouble), None);
    }
    if let Some(trouble) = unplaced(pod, setup, parts) {
        return after(
            PATIENCE,
            pod.kept.created,
            now,
            getting_there(parts),
            Standing::Failed(trouble),
        );
    }
    let state = if has_served(pod) {
        Standing::Degraded(unready(pod))
    } else {
        getting_there(parts)
    };
    (state, None)
}

/// Whether it was ready before: a pod that never was so still has the condition that it began with.
fn has_served(pod: &Found<Pod>) -> bool {
    let time = |text: &Option<String>| text.as_ref().and_then(|t| t.parse::<Timestamp>().ok());
    let ready = pod.status.conditions.iter().find(|c| c.type_ == "Ready");
    let turned = ready.and_then(|c| time(&c.last_transition_time));
    let (Some(turned), Some(began)) = (turned, time(&pod.status.start_time)) else {
        return false;
    };
    turned.duration_since(began) > SignedDuration::from_secs(5)
}

fn getting_there(parts: &Parts) -> Standing {
    match &parts.claim {
        Some(claim) if claim.status.phase != "Bound" => Standing::Provisioning,
        _ => Standing::Starting,
    }
}

/// One state until the time is up, another from then on.
fn after(
    patience: SignedDuration,
    since: Timestamp,
    now: Timestamp,
    until: Standing,
    then: Standing,
) -> (Standing, Option<Timestamp>) {
    match since.checked_add(patience) {
        Ok(end) if now < end => (until, Some(end)),
        _ => (then, None),
    }
}

fn without_pod(
    parts: &Parts,
    set: &Found<StatefulSet>,
    now: Timestamp,
) -> (Standing, Option<Timestamp>) {
    let state = match &parts.claim {
        Some(_) => getting_there(parts),
        None => Standing::Provisioning,
    };
    let name = set.name();
    let trouble = Trouble {
        reason: "PodMissing",
        about: name.to_owned(),
        fix: format!(
            "Kubernetes makes no pod for it: `kubectl describe statefulset {name} -n {}` says why; mostly the Instance's quota is used up.",
            set.kept.id.ns
        ),
    };
    if set.status.observed_generation < set.kept.generation {
        return (state, None);
    }
    after(
        PATIENCE,
        set.kept.created,
        now,
        state,
        Standing::Podless(trouble),
    )
}

fn leaving(pod: &Found<Pod>, deleting: Timestamp, now: Timestamp) -> (Standing, Option<Timestamp>) {
    let node = pod.spec.node_name.as_deref().unwrap_or("its node");
    let trouble = Trouble {
        reason: "NodeLost",
        about: node.to_owned(),
        fix: format!(
            "Its pod should have ended, but {node} does not say so. When that machine is off for certain: `kubectl taint node {node} node.kubernetes.io/out-of-service=nodeshutdown:NoExecute`; then it starts elsewhere."
        ),
    };
    after(
        PATIENCE,
        deleting,
        now,
        Standing::Starting,
        Standing::Degraded(trouble),
    )
}

fn unready(pod: &Found<Pod>) -> Trouble {
    let (name, ns) = (pod.name(), &pod.kept.id.ns);
    Trouble {
        reason: "NotServing",
        about: name.to_owned(),
        fix: format!(
            "The engine runs but its readiness command fails: `kubectl logs {name} -n {ns}` and `kubectl describe pod {name} -n {ns}` say why."
        ),
    }
}

/// Why a pod without a node has none.
fn unplaced(pod: &Found<Pod>, setup: &Setup, parts: &Parts) -> Option<Trouble> {
    let condition = pod
        .status
        .conditions
        .iter()
        .find(|c| c.type_ == "PodScheduled" && c.status == "False")?;
    if let Some(claim) = parts.claim.as_ref().filter(|c| c.status.phase != "Bound")
        && (condition.message.contains("olume") || condition.message.contains("torageclass"))
    {
        let name = claim.name();
        return Some(Trouble {
            reason: "VolumePending",
            about: name.to_owned(),
            fix: format!(
                "No volume is there: `kubectl describe pvc {name} -n {}` says why; mostly its StorageClass does not exist, or none is the default.",
                claim.kept.id.ns
            ),
        });
    }
    let size = &setup.size;
    let place = setup.region.as_ref().map_or_else(String::new, |region| {
        format!(" and the label topology.kubernetes.io/region={region}")
    });
    Some(Trouble {
        reason: "Unschedulable",
        about: pod.name().to_owned(),
        fix: format!(
            "No node takes it: it needs one with {} of memory and {} CPU free{place}; `kubectl describe pod {} -n {}` says what each node lacks.",
            size.memory,
            size.cpu,
            pod.name(),
            pod.kept.id.ns
        ),
    })
}

/// Why a pod with a node does not come up.
fn trouble(pod: &Found<Pod>, account: &Account) -> Option<Trouble> {
    pod.status.container_statuses.iter().find_map(|container| {
        of_image(pod, container).or_else(|| of_crash(pod, container, account))
    })
}

fn of_image(pod: &Found<Pod>, container: &ContainerStatus) -> Option<Trouble> {
    let waiting = container.state.waiting.as_ref()?;
    let name = pod.name();
    match waiting.reason.as_str() {
        "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => Some(Trouble {
            reason: "ImagePull",
            about: name.to_owned(),
            fix: "The image of its class cannot be pulled: correct the ServiceClass's image, or the Instance's imagePullSecrets.".to_owned(),
        }),
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => Some(Trouble {
            reason: "ContainerRefused",
            about: name.to_owned(),
            fix: format!("Its container cannot be made: `kubectl describe pod {name} -n {}` says why; mostly the class's user, command or paths do not fit its image.", pod.kept.id.ns),
        }),
        _ => None,
    }
}

fn of_crash(pod: &Found<Pod>, container: &ContainerStatus, account: &Account) -> Option<Trouble> {
    let backing_off = container
        .state
        .waiting
        .as_ref()
        .is_some_and(|w| w.reason == "CrashLoopBackOff");
    if container.ready || !(backing_off || container.restart_count > 1) {
        return None;
    }
    let ended = container.last_state.terminated.as_ref()?;
    if ended.reason == "OOMKilled" {
        return Some(Trouble {
            reason: "OutOfMemory",
            about: pod.name().to_owned(),
            fix: "The engine needs more memory than its tier has: use tier Production, or raise memoryGb of the tier in the ServiceClass.".to_owned(),
        });
    }
    Some(Trouble {
        reason: "CrashLoop",
        about: pod.name().to_owned(),
        fix: format!(
            "The engine ends with code {} again and again. Its last words: {}",
            ended.exit_code,
            last_words(ended, account)
        ),
    })
}

/// The last line that a container said, without any password.
pub fn last_words(ended: &Terminated, account: &Account) -> String {
    let said = account.redact(&ended.message);
    let line = said.lines().map(str::trim).rfind(|l| !l.is_empty());
    line.map_or_else(
        || "none.".to_owned(),
        |line| line.chars().take(300).collect(),
    )
}
