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
    let mut must = |holds: bool, what: &str| {
        if !holds {
            wrong.push(format!("its pod {what}"));
        }
    };
    let security = &spec["securityContext"];
    must(security["runAsNonRoot"] == true, "may run as root");
    must(
        security["runAsUser"].as_i64().is_some_and(|user| user > 0),
        "names no user, or root",
    );
    must(
        security["seccompProfile"]["type"] == "RuntimeDefault",
        "has no seccomp profile",
    );
    must(
        spec["automountServiceAccountToken"] == false,
        "mounts a token",
    );
    must(
        spec.get("serviceAccountName").is_none(),
        "has a service account",
    );
    must(
        spec["enableServiceLinks"] == false,
        "is told of every Service",
    );
    for host in ["hostNetwork", "hostPID", "hostIPC"] {
        must(spec.get(host).is_none(), "shares something of its node");
    }
    for volume in spec["volumes"].as_array().into_iter().flatten() {
        let sorts = volume
            .as_object()
            .into_iter()
            .flat_map(|v| v.keys())
            .filter(|key| *key != "name");
        let admitted = sorts
            .map(String::as_str)
            .all(|sort| VOLUMES.contains(&sort));
        must(admitted, "has a volume that is not admitted");
    }
    let lists = ["containers", "initContainers"]
        .into_iter()
        .filter_map(|list| spec[list].as_array());
    for container in lists.flatten() {
        let security = &container["securityContext"];
        must(
            security["allowPrivilegeEscalation"] == false,
            "may gain privileges",
        );
        let words = &container["terminationMessagePolicy"];
        must(
            words == "FallbackToLogsOnError",
            "does not say why it failed",
        );
        must(security.get("privileged").is_none(), "may be privileged");
        must(
            security["capabilities"]["drop"][0] == "ALL",
            "keeps capabilities",
        );
        must(
            security["capabilities"].get("add").is_none(),
            "adds capabilities",
        );
        must(
            security["runAsUser"].as_i64() != Some(0),
            "has a container that runs as root",
        );
        let ports = container["ports"].as_array().into_iter().flatten();
        must(
            ports.clone().all(|port| port.get("hostPort").is_none()),
            "takes a port of its node",
        );
        must(
            container["resources"]["requests"]["cpu"].is_string(),
            "asks for no CPU",
        );
        must(
            container["resources"]["requests"]["memory"].is_string(),
            "asks for no memory",
        );
    }
}
