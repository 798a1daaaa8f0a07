//! Nodes that exist in the API only: thousands fit, and pods on them say that they run.

use std::fs;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Node;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::json;

use crate::{control_plane::Start, process::Program, state::State, tools::Upstream};

/// The annotation that gives a node to the program that plays it.
const MARK: &str = "kwok.x-k8s.io/node";

/// Starts the program that plays the nodes.
pub fn start(start: &Start, state: &mut State) -> Result<()> {
    let kubeconfig = start.kubeconfig(state, "kwok", "kwok", &["system:masters"], "127.0.0.1")?;
    let stages = start.place.state.join("stages.yaml");
    fs::write(&stages, include_str!("../manifests/stages.yaml"))
        .context("cannot configure the fake nodes")?;
    let program = Program::new("kwok", start.tools.file(Upstream::Kwok, "kwok")?)
        .flag("kubeconfig", &kubeconfig)
        .flag("config", &stages)
        .flag("manage-all-nodes", "false")
        // Without it nothing tells that the nodes live, and after a minute they count as lost.
        .flag("node-lease-duration-seconds", "40")
        .flag(
            "manage-nodes-with-annotation-selector",
            format!("{MARK}=fake"),
        )
        .flag(
            "server-address",
            format!("127.0.0.1:{}", state.port("kwok")?),
        );
    state.start(start.place, &program)
}

/// Adds the nodes. Beside real ones they are tainted, so that only pods that say so land there.
pub async fn add(client: &Client, count: u32, beside_real: bool) -> Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    for number in 1..=count {
        let name = format!("fake{number}");
        let taints = if beside_real {
            json!([{"key": MARK, "value": "fake", "effect": "NoSchedule"}])
        } else {
            json!([])
        };
        let size = json!({"cpu": "32", "memory": "256Gi", "pods": "110"});
        let node = json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": name,
                "annotations": {MARK: "fake"},
                "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "type": "fake"},
            },
            "spec": {"taints": taints},
        });
        nodes
            .patch(
                &name,
                &PatchParams::apply("devcluster").force(),
                &Patch::Apply(&node),
            )
            .await?;
        let status = json!({"apiVersion": "v1", "kind": "Node", "status": {"allocatable": size, "capacity": size}});
        nodes
            .patch_status(
                &name,
                &PatchParams::apply("devcluster").force(),
                &Patch::Apply(&status),
            )
            .await?;
    }
    Ok(())
}
