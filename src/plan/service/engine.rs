//! What runs a Service: a StatefulSet with one worker, its addresses, and who may reach it.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{account::Account, data, names, setup::Setup};
use crate::{
    api::{
        ENVIRONMENT, OWNER, ROLE, SERVICE,
        service_class::{ClassEnv, EnvFrom, ServiceClassSpec},
    },
    kinds::Of,
    plan::{
        Found, Kept, Want,
        build::{
            meta::{Child, labels},
            pod::Pod,
        },
        facts,
        service_class::words::Words,
    },
};

/// Annotation on the StatefulSet: the size that its claims were asked with. Kubernetes lets nobody change it.
const STORAGE: &str = "roadstead.dev/storage";
/// Annotation on the StatefulSet: the StorageClass that its claims were asked from.
const STORAGE_CLASS: &str = "roadstead.dev/storage-class";

/// The addresses: one for consumers, one for the workers among themselves.
pub fn addresses(me: &Kept, class: &ServiceClassSpec) -> [Want; 2] {
    let name = &me.id.name;
    let ports: Vec<Value> = class
        .ports
        .iter()
        .map(|p| json!({"name": p.name, "port": p.port, "targetPort": p.port, "protocol": "TCP"}))
        .collect();
    let child = |called: String, spec: Value| {
        Child::of(me, Of::CoreService, called)
            .field("spec", spec)
            .want()
    };
    [
        child(
            name.to_string(),
            json!({"selector": selector(me), "ports": ports}),
        ),
        child(
            names::workers(name),
            json!({"selector": selector(me), "ports": ports, "clusterIP": "None", "publishNotReadyAddresses": true}),
        ),
    ]
}

fn selector(me: &Kept) -> Value {
    json!({SERVICE: &*me.id.name, ROLE: "worker"})
}

/// Who may reach the workers: attached Environments on the engine's ports, and what the Service itself runs.
pub fn fence(me: &Kept, class: &ServiceClassSpec, attached: Vec<String>) -> Want {
    let mut ingress =
        vec![json!({"from": [{"podSelector": {"matchLabels": {SERVICE: &*me.id.name}}}]})];
    if !attached.is_empty() {
        let ports: Vec<Value> = class
            .ports
            .iter()
            .map(|p| json!({"port": p.port, "protocol": "TCP"}))
            .collect();
        let of_environments = json!([{"key": ENVIRONMENT, "operator": "In", "values": attached}]);
        ingress.push(json!({"from": [{"podSelector": {"matchExpressions": of_environments}}], "ports": ports}));
    }
    Child::of(me, Of::NetworkPolicy, Arc::clone(&me.id.name))
        .field(
            "spec",
            json!({"podSelector": {"matchLabels": selector(me)}, "policyTypes": ["Ingress"], "ingress": ingress}),
        )
        .want()
}

/// The workers. `stands` is the StatefulSet as it is, whose claims keep the size that they were asked with.
pub fn stateful_set(
    me: &Kept,
    setup: &Setup,
    account: &Account,
    stands: Option<&Found<facts::StatefulSet>>,
    size: Option<&str>,
) -> Want {
    let name = &me.id.name;
    let mut child = Child::of(me, Of::StatefulSet, Arc::clone(name)).label(ROLE, "worker");
    if setup.data.serial() > 1 {
        child = child.annotation(data::TEMPLATE, setup.data.template());
    }
    let mut claims = Vec::new();
    if let Some(class_data) = &setup.class.spec.data {
        let asked = |key: &str| stands.and_then(|s| s.kept.annotation(key));
        let size = asked("storage").or(size).unwrap_or(&class_data.size);
        let class = match stands {
            Some(_) => asked("storage-class"),
            None => class_data.storage_class.as_deref(),
        };
        child = child.annotation(STORAGE, size);
        if let Some(class) = class {
            child = child.annotation(STORAGE_CLASS, class);
        }
        claims.push(claim(me, setup, size, class));
    }
    child
        .field(
            "spec",
            json!({
                "replicas": i32::from(setup.runs),
                "serviceName": names::workers(name),
                "podManagementPolicy": "Parallel",
                "revisionHistoryLimit": 2,
                "selector": {"matchLabels": selector(me)},
                "updateStrategy": {"type": "RollingUpdate"},
                "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
                "template": worker(me, setup, account).template(),
                "volumeClaimTemplates": claims,
            }),
        )
        .want()
}

fn claim(me: &Kept, setup: &Setup, size: &str, class: Option<&str>) -> Value {
    let mut labels = labels(me);
    labels.insert(OWNER.into(), json!(&*me.uid));
    json!({
        "metadata": {"name": setup.data.template(), "labels": labels},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}},
            "storageClassName": class,
        },
    })
}

fn worker(me: &Kept, setup: &Setup, account: &Account) -> Pod {
    let class = &setup.class.spec;
    let words = account.words(me, setup);
    let ready = json!({"command": words.fill_all(&class.readiness.command)});
    let ports = class
        .ports
        .iter()
        .map(|p| json!({"name": p.name, "containerPort": p.port, "protocol": "TCP"}));
    let mut mounts = scratch_mounts(class);
    if let Some(data) = &class.data {
        mounts.push(json!({"name": setup.data.template(), "mountPath": data.mount_path, "subPath": data.sub_path}));
    }
    let mut pod = Pod {
        command: words.fill_all(&class.command),
        args: words.fill_all(&class.args),
        env: environment(class, &words, &setup.data.secret()),
        ports: ports.collect(),
        resources: json!({
            "requests": {"cpu": setup.size.cpu, "memory": setup.size.memory},
            "limits": {"memory": setup.size.memory},
        }),
        container: fields(json!({
            "startupProbe": {"exec": ready, "periodSeconds": 2, "timeoutSeconds": 5, "failureThreshold": 450},
            "readinessProbe": {"exec": ready, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 3},
            "volumeMounts": mounts,
        })),
        ..pod(me, setup, "worker", "engine")
    };
    pod.spec.extend(fields(json!({
        "terminationGracePeriodSeconds": 60,
        "affinity": setup.region.as_deref().map(in_region),
    })));
    pod
}

fn in_region(region: &str) -> Value {
    let here =
        json!({"key": "topology.kubernetes.io/region", "operator": "In", "values": [region]});
    json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}}})
}

/// A pod in the engine's image, with scratch space and nothing else.
pub fn pod(me: &Kept, setup: &Setup, role: &str, container: &str) -> Pod {
    let class = &setup.class.spec;
    let mut labels = labels(me);
    labels.insert(ROLE.into(), json!(role));
    let volumes: Vec<Value> = (0..class.scratch.len())
        .map(|i| json!({"name": format!("scratch-{i}"), "emptyDir": {}}))
        .collect();
    Pod {
        labels,
        owner: me.uid.to_string(),
        name: container.to_owned(),
        image: class.image.clone(),
        user: class.user,
        spec: fields(json!({"volumes": volumes})),
        pull: setup.pull.clone(),
        ..Pod::default()
    }
}

/// Where the scratch space is mounted.
pub fn scratch_mounts(class: &ServiceClassSpec) -> Vec<Value> {
    class
        .scratch
        .iter()
        .enumerate()
        .map(|(i, path)| json!({"name": format!("scratch-{i}"), "mountPath": path}))
        .collect()
}

fn environment(class: &ServiceClassSpec, words: &Words, secret: &str) -> Vec<Value> {
    let one = |env: &ClassEnv| {
        let text = |value: &str| json!({"name": env.name, "value": value});
        match (&env.value, env.from) {
            (Some(value), _) => text(&words.fill(value)),
            (None, Some(EnvFrom::Username)) => text(&words.username),
            (None, Some(EnvFrom::Database)) => text(&words.database),
            (None, Some(EnvFrom::Password)) => from_secret(&env.name, secret, "password"),
            (None, Some(EnvFrom::NextPassword)) => {
                let mut value = from_secret(&env.name, secret, "nextPassword");
                value["valueFrom"]["secretKeyRef"]["optional"] = json!(true);
                value
            }
            (None, None) => text(""),
        }
    };
    class.env.iter().map(one).collect()
}

/// A variable that comes from the Secret of the data: its change restarts nothing.
pub fn from_secret(name: &str, secret: &str, key: &str) -> Value {
    json!({"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}})
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
