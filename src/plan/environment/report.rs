//! What an Environment says of itself. Words and lists change only when something has come to an end, not with each pod.

use super::{
    Life, Scene,
    course::is_done,
    trouble::{self, Trouble},
    workload,
};
use crate::{
    api::{
        environment::{EffectiveVariable, EnvironmentStatus, PendingChange, Replica},
        status::READY,
    },
    plan::{
        Found,
        backup::keeping::Keeping,
        build::{
            snapshot::{Phase, Record, number},
            variables::{Entry, From},
        },
        facts,
        verdict::Verdict,
    },
};

/// How many pods may change without a word until they have come to rest.
const FEW: i32 = 3;

/// In a namespace that no Instance owns.
pub fn homeless(scene: &Scene<'_>) -> EnvironmentStatus {
    let namespace = &scene.me.id.ns;
    let message = format!("No Instance owns the namespace {namespace}.");
    let fix = "Create it in the namespace of an Instance: instance-<its name>.";
    let verdict =
        Verdict::stalled("NoInstance", message).blocked(format!("NoInstance/{namespace}"), fix);
    EnvironmentStatus {
        state: Some("failed".to_owned()),
        conditions: verdict.conditions,
        blockers: verdict.blockers,
        ..EnvironmentStatus::default()
    }
}

/// On its way out: as it was, and that it goes.
pub fn leaving(scene: &Scene<'_>) -> EnvironmentStatus {
    let verdict = Verdict::moving("Deleting", "It is being deleted.");
    EnvironmentStatus {
        conditions: verdict.conditions,
        blockers: verdict.blockers,
        ..scene.environment.status.clone().unwrap_or_default()
    }
}

/// In an Instance.
pub fn living(scene: &Scene<'_>, life: &Life, keeping: &Keeping) -> EnvironmentStatus {
    let ills = life.ills(scene);
    let pending = life.pending();
    let (word, verdict) = life.verdict(scene, &ills);
    let verdict = keeping.said(life.more(scene, verdict, &pending));
    let current = match &life.course {
        Some(course) if course.phase == Phase::Succeeded => Some(course.record.number),
        _ => life.serving.as_ref().map(|(snapshot, _)| snapshot.number()),
    };
    let under_way = life.course.as_ref().filter(|c| !c.phase.is_over());
    let ended = life.course.as_ref().filter(|c| c.phase.is_over());
    let application = life.today.application.as_ref();
    EnvironmentStatus {
        state: Some(word.to_owned()),
        url: life.url(scene),
        current_release: current,
        running_release: under_way.map(|course| course.record.number),
        last_finished_release: ended
            .map(|course| course.record.number)
            .or_else(|| life.history.last_finished()),
        pending_changes: pending,
        replicas: life.replicas(scene),
        variables: life.variables(scene),
        backups: keeping.status.clone(),
        conditions: verdict.conditions,
        blockers: verdict.blockers,
        application_generation: application.map(|application| application.kept.generation),
        observed_generation: None,
    }
}

impl Life {
    /// What the next Release would change.
    fn pending(&self) -> Vec<PendingChange> {
        let Some((_, record)) = &self.serving else {
            return Vec::new();
        };
        if self.today.application.is_none() {
            return Vec::new();
        }
        let mut changes = self
            .today
            .configuration
            .changes_since(&record.configuration);
        for (name, rv) in &self.today.secrets {
            if record.secrets.get(name).is_some_and(|then| then != rv) {
                changes.push(PendingChange {
                    path: format!("secrets.{name}"),
                    change: "Modified".to_owned(),
                    impact: "Restart".to_owned(),
                    ..PendingChange::default()
                });
            }
        }
        changes
    }

    fn url(&self, scene: &Scene<'_>) -> Option<String> {
        let (_, record) = self.serving.as_ref().filter(|_| self.halt.is_none())?;
        let web = record.configuration.web()?;
        let host = workload::name_of(scene, &web.name);
        Some(format!("http://{host}.{}.svc", scene.me.id.ns))
    }

    fn variables(&self, scene: &Scene<'_>) -> Vec<EffectiveVariable> {
        let one = |entry: &Entry| EffectiveVariable {
            name: entry.name.clone(),
            origin: serde_json::to_value(entry.origin)
                .ok()
                .and_then(|v| v.as_str().map(str::to_owned))
                .unwrap_or_default(),
            service: match &entry.from {
                From::Service(service) => Some(service.clone()),
                From::Snapshot(_) | From::Live(_) => None,
            },
            sensitive: entry.sensitive,
        };
        let of = |record: &Record| record.variables.iter().map(one).collect();
        match self.leading() {
            Some((_, record)) => of(record),
            None if self.today.application.is_some() => {
                let resolved = self.today.variables(scene, 0);
                resolved.entries.iter().map(one).collect()
            }
            None => Vec::new(),
        }
    }

    fn deployments(&self, scene: &Scene<'_>) -> Vec<(String, Option<Found<facts::Deployment>>)> {
        let running = self.running(scene);
        running
            .iter()
            .map(|one| {
                let name = workload::name_of(scene, &one.container.name);
                (one.container.name.clone(), scene.seen.get(&name))
            })
            .collect()
    }

    /// Whether every pod is there and ready.
    pub fn is_settled(&self, scene: &Scene<'_>) -> bool {
        let all = self.deployments(scene);
        all.iter()
            .all(|(_, deployment)| deployment.as_ref().is_some_and(is_done))
    }

    /// What is wrong with the pods of the Release that serves.
    fn ills(&self, scene: &Scene<'_>) -> Vec<Trouble> {
        if self.course.is_some() || self.halt.is_some() {
            return Vec::new();
        }
        let mut out = Vec::new();
        for (container, deployment) in self.deployments(scene) {
            let Some(deployment) = deployment.filter(|d| !is_done(d)) else {
                continue;
            };
            out.extend(trouble::refusal(&deployment, &container));
            for pod in scene.pods.iter() {
                if pod.kept.label("container") == Some(&container) {
                    let ailment = trouble::ailment(pod, &container, jiff::SignedDuration::MAX);
                    let ailment = ailment.filter(|ailment| !ailment.ordinary);
                    out.extend(ailment.map(|ailment| ailment.trouble));
                }
            }
        }
        out
    }

    /// The pods. While many of them change, the list stays as it was.
    fn replicas(&self, scene: &Scene<'_>) -> Vec<Replica> {
        let wanted: i32 = self
            .deployments(scene)
            .iter()
            .filter_map(|(_, d)| d.as_ref()?.spec.replicas)
            .sum();
        let moving = !self.is_settled(scene) || self.course.is_some();
        let before = scene.environment.status.as_ref();
        if let Some(before) = before.filter(|_| moving && wanted > FEW) {
            return before.replicas.clone();
        }
        scene.pods.iter().filter_map(replica).take(1000).collect()
    }
}

fn replica(pod: &Found<facts::Pod>) -> Option<Replica> {
    let container = pod.kept.label("container")?.to_owned();
    let status = pod.status.container_statuses.first();
    let ready = pod.is(READY);
    let fell = status.is_some_and(|s| s.restart_count > 0 || s.state.terminated.is_some());
    let waits_badly = status
        .and_then(|s| s.state.waiting.as_ref())
        .is_some_and(|w| !matches!(&*w.reason, "" | "ContainerCreating" | "PodInitializing"));
    let state = match () {
        () if pod.kept.deleting.is_some() => "stopping",
        () if ready => "running",
        () if fell || waits_badly || pod.status.phase == "Failed" => "failed",
        () if pod.status.phase == "Running" => "running",
        () => "pending",
    };
    let health = match () {
        () if ready => "healthy",
        () if fell || status.is_some_and(|s| s.started == Some(true)) => "unhealthy",
        () => "unknown",
    };
    Some(Replica {
        name: pod.name().to_owned(),
        container,
        node: pod.spec.node_name.clone(),
        state: state.to_owned(),
        health: health.to_owned(),
        release: pod.kept.label("release").map(|label| number(Some(label))),
    })
}
