//! Pods that restricted Pod Security admits. They are built from an allowed list of fields; nothing is passed through.

use serde_json::{Map, Value, json};

use crate::api::{OWNER, application::Resources};

/// What of a pod differs from pod to pod. Everything else is the same for all: no account, no token, no privilege.
#[derive(Clone, Debug, Default)]
pub struct Pod {
    /// Labels, by their whole key, without the owner's.
    pub labels: Map<String, Value>,
    /// Annotations, by their whole key.
    pub annotations: Map<String, Value>,
    /// UID of the object that it is made for.
    pub owner: String,
    /// Name of its only container.
    pub name: String,
    /// Image.
    pub image: String,
    /// Whether a node that has the image asks the registry all the same.
    pub anew: bool,
    /// Program in place of the image's.
    pub command: Vec<String>,
    /// Arguments in place of the image's.
    pub args: Vec<String>,
    /// Environment variables, as Kubernetes writes them.
    pub env: Vec<Value>,
    /// User id; group ids too.
    pub user: i64,
    /// Ports, as Kubernetes writes them.
    pub ports: Vec<Value>,
    /// CPU and memory, as Kubernetes writes them.
    pub resources: Value,
    /// Fields of the container besides these: probes, lifecycle, volume mounts.
    pub container: Map<String, Value>,
    /// Fields of the pod besides these: volumes, restart policy, deadlines, spread.
    pub spec: Map<String, Value>,
    /// Names of Secrets that images are pulled with.
    pub pull: Vec<String>,
    /// Containers that end before its own begins, as Kubernetes writes them.
    pub first: Vec<Value>,
}

impl Pod {
    /// The pod as a template.
    pub fn template(self) -> Value {
        let mut labels = self.labels;
        labels.insert(OWNER.into(), Value::String(self.owner));
        let mut container = self.container;
        container.extend(fields(json!({
            "name": self.name, "image": self.image, "imagePullPolicy": self.anew.then_some("Always"), "command": self.command, "args": self.args, "env": self.env, "ports": self.ports,
            "resources": self.resources,
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "securityContext": confined(),
        })));
        let mut spec = self.spec;
        spec.extend(fields(json!({
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": self.user, "runAsGroup": self.user, "fsGroup": self.user,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
                "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
            },
            "imagePullSecrets": self.pull.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
            "initContainers": self.first,
            "containers": [container],
        })));
        let mut meta = fields(json!({"labels": labels}));
        if !self.annotations.is_empty() {
            meta.insert("annotations".into(), Value::Object(self.annotations));
        }
        json!({"metadata": meta, "spec": spec})
    }
}

fn confined() -> Value {
    json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}})
}

/// A container of our own that ends once these addresses take connections, or after half a minute. A cluster's network admits a new pod a
/// moment after it has started, which a program that connects at once would take for a failure.
pub fn reaches(image: &str, addresses: &[String]) -> Value {
    let words = ["reach", "--patience=30"].map(str::to_owned);
    let args: Vec<String> = words.into_iter().chain(addresses.to_vec()).collect();
    json!({
        "name": "roadstead-reach", "image": image, "args": args,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "32Mi"}},
        "securityContext": confined(),
    })
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// CPU and memory of a container: what was declared, over 50m CPU and 64Mi of memory.
pub fn resources(declared: Option<&Resources>) -> Value {
    let mut requests = Map::new();
    requests.insert("cpu".into(), "50m".into());
    requests.insert("memory".into(), "64Mi".into());
    let mut limits = Map::new();
    if let Some(declared) = declared {
        limits.extend(
            declared
                .limits
                .iter()
                .map(|(k, v)| (k.clone(), Value::String(v.clone()))),
        );
        requests.extend(
            declared
                .requests
                .iter()
                .map(|(k, v)| (k.clone(), Value::String(v.clone()))),
        );
    }
    if limits.is_empty() {
        return json!({"requests": requests});
    }
    json!({"requests": requests, "limits": limits})
}
