//! Pods are such that restricted Pod Security admits them, and carry no token.

use roadstead::api;
use serde_json::{Value, json};

/// Volumes that restricted Pod Security admits.
const VOLUMES: [&str; 8] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// What is the same in every pod and container: it is checked here, and left out where plans are shown.
pub fn usual() -> [(&'static str, Value); 9] {
    let ports = json!([{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]);
    [
        ("automountServiceAccountToken", json!(false)),
        ("enableServiceLinks", json!(false)),
        ("runAsNonRoot", json!(true)),
        ("seccompProfile", json!({"type": "RuntimeDefault"})),
        ("fsGroupChangePolicy", json!("OnRootMismatch")),
        ("sysctls", ports),
        ("terminationMessagePolicy", json!("FallbackToLogsOnError")),
        ("allowPrivilegeEscalation", json!(false)),
        ("capabilities", json!({"drop": ["ALL"]})),
    ]
}

/// What restricted Pod Security would refuse in the pods of a child, and whether they say for which object they run.
pub fn broken(body: &Value, owner: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let places = ["/spec/template", "/spec/jobTemplate/spec/template"];
    for template in places.iter().filter_map(|place| body.pointer(place)) {
        pod(&template["spec"], &mut wrong);
        if template["metadata"]["labels"][api::OWNER] != *owner {
            wrong.push("its pods do not carry its owner's UID".into());
        }
    }
    if body["kind"] == "Pod" {
        pod(&body["spec"], &mut wrong);
    }
    wrong
}

fn pod(spec: &Value, wrong: &mut Vec<String>) {
    let security = &spec["securityContext"];
    let user = security["runAsUser"].as_i64();
    let hosts = ["hostNetwork", "hostPID", "hostIPC"];
    let mut volumes = spec["volumes"].as_array().into_iter().flatten();
    let rules = [
        ("may run as root", security["runAsNonRoot"] == true),
        ("names no user, or root", user.is_some_and(|user| user > 0)),
        (
            "has no seccomp profile",
            security["seccompProfile"]["type"] == "RuntimeDefault",
        ),
        (
            "mounts a token",
            spec["automountServiceAccountToken"] == false,
        ),
        (
            "has a service account",
            spec.get("serviceAccountName").is_none(),
        ),
        (
            "is told of every Service",
            spec["enableServiceLinks"] == false,
        ),
        (
            "shares something of its node",
            hosts.iter().all(|host| spec.get(host).is_none()),
        ),
        (
            "has a volume that is not admitted",
            volumes.all(is_admitted),
        ),
    ];
    wrong.extend(unmet(&rules));
    for list in ["containers", "initContainers"] {
        let containers = spec[list].as_array().into_iter().flatten();
        wrong.extend(containers.flat_map(container));
    }
}

fn container(container: &Value) -> Vec<String> {
    let security = &container["securityContext"];
    let capabilities = &security["capabilities"];
    let requests = &container["resources"]["requests"];
    let mut ports = container["ports"].as_array().into_iter().flatten();
    unmet(&[
        (
            "may gain privileges",
            security["allowPrivilegeEscalation"] == false,
        ),
        ("may be privileged", security.get("privileged").is_none()),
        ("keeps capabilities", capabilities["drop"][0] == "ALL"),
        ("adds capabilities", capabilities.get("add").is_none()),
        (
            "has a container that runs as root",
            security["runAsUser"].as_i64() != Some(0),
        ),
        (
            "takes a port of its node",
            ports.all(|port| port.get("hostPort").is_none()),
        ),
        (
            "does not say why it failed",
            container["terminationMessagePolicy"] == "FallbackToLogsOnError",
        ),
        ("asks for no CPU", requests["cpu"].is_string()),
        ("asks for no memory", requests["memory"].is_string()),
    ])
}

fn is_admitted(volume: &Value) -> bool {
    let sorts = volume.as_object().into_iter().flat_map(|v| v.keys());
    sorts
        .map(String::as_str)
        .all(|sort| sort == "name" || VOLUMES.contains(&sort))
}

fn unmet(rules: &[(&str, bool)]) -> Vec<String> {
    let broken = rules.iter().filter(|(_, holds)| !holds);
    broken.map(|(what, _)| format!("its pod {what}")).collect()
}
