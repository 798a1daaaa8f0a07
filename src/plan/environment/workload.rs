//! What runs: for each container a Deployment, and what scales, guards and addresses it.

use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::{Scene, today::Scale, trouble::Trouble};
use crate::{
    api::{
        APPLICATION, CONTAINER, ENVIRONMENT, RELEASE,
        application::{Container, ContainerKind, StartupProbe},
        environment::Autoscaling,
    },
    kinds::Of,
    plan::{
        Found, Id, Step,
        build::{
            configuration::Configuration,
            meta::{Child, labels},
            pod::{self, Pod},
            snapshot::{Record, Snapshot},
        },
        facts,
    },
};

/// Who says how many replicas a Deployment has, as its annotation has it.
const SCALED_BY: &str = "roadstead.dev/scaled-by";
const BY_LOAD: &str = "load";
const BY_US: &str = "roadstead";

/// A container as it is to run now.
pub struct Running<'a> {
    /// The container.
    pub container: &'a Container,
    /// The Release that it is of.
    pub record: &'a Record,
    /// That Release's snapshot.
    pub snapshot: &'a Snapshot,
    /// How many, if that is declared.
    pub scale: Option<Scale<'a>>,
    /// Whether nothing is to run.
    pub halted: bool,
    /// The mark of what its Services give.
    pub services: Option<String>,
}

/// The name of all that is made for a container.
pub fn name_of(scene: &Scene<'_>, container: &str) -> String {
    format!("{}-{container}", scene.me.id.name)
}

/// How long a new pod may take to become ready.
pub fn patience(configuration: &Configuration) -> SignedDuration {
    let seconds = configuration.startup_probe.as_ref().map_or(300, |probe| {
        i64::from(probe.max_retries.unwrap_or(30))
            * i64::from(probe.retry_timeout_seconds.unwrap_or(10))
    });
    SignedDuration::from_secs(seconds)
}

/// What else has a name that a child of this container needs.
pub fn taken(scene: &Scene<'_>, container: &str) -> Vec<Trouble> {
    let name = name_of(scene, container);
    let all = [
        scene.taken::<facts::Deployment>(&name),
        scene.taken::<facts::CoreService>(&name),
        scene.taken::<facts::HorizontalPodAutoscaler>(&name),
        scene.taken::<facts::PodDisruptionBudget>(&name),
    ];
    all.into_iter().flatten().take(1).collect()
}

impl Running<'_> {
    /// Everything that is made for the container.
    pub fn steps(&self, scene: &Scene<'_>) -> Vec<Step> {
        if !taken(scene, &self.container.name).is_empty() {
            return Vec::new();
        }
        let mut steps = self.deployment(scene);
        let auto = match self.scale {
            Some(Scale::Auto(auto)) if !self.halted => Some(auto),
            _ => None,
        };
        steps.extend(auto.map(|auto| self.autoscaler(scene, auto)));
        let least = match (self.scale, auto) {
            (_, Some(auto)) => auto.min_replicas,
            (Some(Scale::Fixed(replicas)), _) => replicas,
            _ => 0,
        };
        if least >= 2 && !self.halted {
            steps.push(self.budget(scene));
        }
        if self.container.kind == ContainerKind::Web {
            steps.push(self.address(scene));
        }
        steps
    }

    fn child(&self, scene: &Scene<'_>, of: Of) -> Child {
        Child::of(scene.me, of, name_of(scene, &self.container.name))
            .label(CONTAINER, self.container.name.as_str())
    }

    fn selector(&self, scene: &Scene<'_>) -> Value {
        json!({ENVIRONMENT: &*scene.me.id.name, CONTAINER: self.container.name})
    }

    fn deployment(&self, scene: &Scene<'_>) -> Vec<Step> {
        let name = name_of(scene, &self.container.name);
        let live = scene.seen.get::<facts::Deployment>(&name);
        let by_load = live
            .as_ref()
            .is_some_and(|d| d.kept.annotation("scaled-by") == Some(BY_LOAD));
        let stands = live.as_ref().map(|d| d.spec.replicas.unwrap_or(1));
        let mut steps = Vec::new();
        let replicas = match self.scale {
            _ if self.halted => Some(0),
            Some(Scale::Fixed(replicas)) => Some(replicas),
            None => Some(stands.filter(|n| *n > 0).unwrap_or(1)),
            Some(Scale::Auto(_)) if by_load => None,
            // Given away only once as many run as the HPA would start with: it leaves 0 alone, and letting go of it resets it to 1.
            Some(Scale::Auto(auto)) => match stands {
                Some(stands) if stands >= auto.min_replicas => {
                    let id = Id::new(Of::Deployment, scene.me.id.ns.clone(), name);
                    steps.push(Step::Handover(id, stands));
                    None
                }
                _ => Some(auto.min_replicas),
            },
        };
        let by = if replicas.is_none() { BY_LOAD } else { BY_US };
        let services = self.services_mark(live.as_ref());
        let mut child = self
            .child(scene, Of::Deployment)
            .label(RELEASE, self.record.number.to_string())
            .annotation(SCALED_BY, by);
        if let Some(mark) = &services {
            child = child.annotation("roadstead.dev/services", mark.as_str());
        }
        let deadline = patience(&self.record.configuration).as_secs() + 300;
        let spec = json!({
            "replicas": replicas,
            "minReadySeconds": (self.container.kind == ContainerKind::Worker).then_some(5),
            "progressDeadlineSeconds": deadline,
            "revisionHistoryLimit": 2,
            "selector": {"matchLabels": self.selector(scene)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
            "template": self.pod(scene, services),
        });
        steps.push(Step::Apply(child.field("spec", spec).want()));
        steps
    }

    /// The mark of what Services give; while they cannot be read, as it stands.
    fn services_mark(&self, live: Option<&Found<facts::Deployment>>) -> Option<String> {
        let stands = || live.and_then(|d| d.kept.annotation("services").map(str::to_owned));
        let uses = !self.record.templates.is_empty();
        self.services.clone().or_else(|| stands().filter(|_| uses))
    }

    fn pod(&self, scene: &Scene<'_>, services: Option<String>) -> Value {
        let mut marks = labels(scene.me);
        let application = &scene.environment.spec.application_ref.name;
        marks.insert(APPLICATION.into(), application.as_str().into());
        marks.insert(CONTAINER.into(), self.container.name.as_str().into());
        marks.insert(RELEASE.into(), self.record.number.to_string().into());
        let note = |mark: String| ("roadstead.dev/services".to_owned(), Value::String(mark));
        let web = self.container.kind == ContainerKind::Web;
        let port = self.record.configuration.web_port();
        let ports = web.then(|| json!({"name": "http", "containerPort": port, "protocol": "TCP"}));
        let template = Pod {
            labels: marks,
            annotations: services.into_iter().map(note).collect(),
            owner: scene.me.uid.to_string(),
            name: self.container.name.clone(),
            image: self.record.image.clone(),
            anew: self.record.anew,
            command: self.container.command.clone(),
            env: self.record.env(&scene.me.id.name, self.snapshot.name()),
            user: self.container.run_as_user.unwrap_or(1000),
            ports: ports.into_iter().collect(),
            resources: pod::resources(self.container.resources.as_ref()),
            container: if web { self.traffic() } else { Map::new() },
            spec: self.spread(scene),
            pull: scene.pull(),
            ..Pod::default()
        };
        template.template()
    }

    /// When a pod gets requests, and how it leaves without losing one: it goes on for a while after it was taken from the address.
    fn traffic(&self) -> Map<String, Value> {
        let tcp = json!({"tcpSocket": {"port": "http"}});
        let declared = self.record.configuration.startup_probe.as_ref();
        let handler = declared.map(|p| json!({"httpGet": {"path": p.path, "port": "http"}}));
        let handler = handler.unwrap_or_else(|| tcp.clone());
        let timeout = declared.and_then(|p| p.request_timeout_seconds);
        let timeout = timeout.unwrap_or(5);
        let (retries, period) = declared.map_or((150, 2), tries);
        let start = json!({"failureThreshold": retries, "periodSeconds": period, "timeoutSeconds": timeout});
        let ready = json!({"failureThreshold": 3, "periodSeconds": 5, "timeoutSeconds": timeout});
        let alive = json!({"failureThreshold": 6, "periodSeconds": 10, "timeoutSeconds": 5});
        Map::from_iter([
            ("startupProbe".to_owned(), both(&handler, start)),
            ("readinessProbe".to_owned(), both(&handler, ready)),
            ("livenessProbe".to_owned(), both(&tcp, alive)),
            (
                "lifecycle".to_owned(),
                json!({"preStop": {"sleep": {"seconds": 5}}}),
            ),
        ])
    }

    fn spread(&self, scene: &Scene<'_>) -> Map<String, Value> {
        let over = |key: &str| {
            json!({
                "maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": self.selector(scene)},
                "matchLabelKeys": ["pod-template-hash"],
            })
        };
        let keys = ["kubernetes.io/hostname", "topology.kubernetes.io/zone"];
        Map::from_iter([
            (
                "topologySpreadConstraints".to_owned(),
                Value::Array(keys.map(over).to_vec()),
            ),
            ("terminationGracePeriodSeconds".to_owned(), json!(30)),
        ])
    }

    fn autoscaler(&self, scene: &Scene<'_>, auto: &Autoscaling) -> Step {
        let metric = |name: &str, percent: i32| json!({"type": "Resource", "resource": {"name": name, "target": {"type": "Utilization", "averageUtilization": percent}}});
        let memory = auto.target_memory_utilization;
        let cpu = auto.target_cpu_utilization;
        let cpu = cpu.or_else(|| memory.is_none().then_some(80));
        let metrics: Vec<Value> = cpu
            .map(|p| metric("cpu", p))
            .into_iter()
            .chain(memory.map(|p| metric("memory", p)))
            .collect();
        let target = name_of(scene, &self.container.name);
        let want = self
            .child(scene, Of::HorizontalPodAutoscaler)
            .field(
                "spec",
                json!({
                    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
                    "minReplicas": auto.min_replicas,
                    "maxReplicas": auto.max_replicas,
                    "metrics": metrics,
                    "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}},
                }),
            )
            .want();
        Step::Apply(want)
    }

    fn budget(&self, scene: &Scene<'_>) -> Step {
        let want = self
            .child(scene, Of::PodDisruptionBudget)
            .field(
                "spec",
                json!({
                    "maxUnavailable": 1,
                    "selector": {"matchLabels": self.selector(scene)},
                    "unhealthyPodEvictionPolicy": "AlwaysAllow",
                }),
            )
            .want();
        Step::Apply(want)
    }

    fn address(&self, scene: &Scene<'_>) -> Step {
        let port = json!({"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP", "appProtocol": "http"});
        let want = self
            .child(scene, Of::CoreService)
            .field(
                "spec",
                json!({"type": "ClusterIP", "selector": self.selector(scene), "ports": [port]}),
            )
            .want();
        Step::Apply(want)
    }
}

fn tries(probe: &StartupProbe) -> (i32, i32) {
    let retries = probe.max_retries.unwrap_or(30);
    (retries, probe.retry_timeout_seconds.unwrap_or(10))
}

fn both(handler: &Value, times: Value) -> Value {
    let mut probe = handler.clone();
    if let (Value::Object(probe), Value::Object(times)) = (&mut probe, times) {
        probe.extend(times);
    }
    probe
}
