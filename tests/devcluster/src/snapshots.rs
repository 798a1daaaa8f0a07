//! Storage that can take snapshots: the CSI driver, and the programs of Kubernetes that speak to it.

use std::fs;

use anyhow::{Context, Result};

use crate::{
    addons, control_plane::Start, csi, guard, node, process::Program, state::State, tools::Upstream,
};

/// Starts the driver and what speaks to it. The nodes' kubelets find it when they start.
pub fn start(start: &Start, state: &mut State) -> Result<()> {
    let place = start.place;
    let mut driver = Program::new("csi-driver", guard::program()?)
        .arg("csi")
        .flag("folder", place.state.join("csi"))
        .flag("run", &place.run);
    for number in 1..=state.nodes {
        let kubelet = node::kubelet_folder(place, number);
        let name = node::name(number);
        driver = driver.flag("node", format!("{name}={}", kubelet.display()));
    }
    state.start(place, &driver)?;
    let crds = start.tools.file(Upstream::Snapshotter, "crds.yaml")?;
    let crds = fs::read_to_string(crds).context("the definitions of snapshots are not there")?;
    addons::apply(start.tools, place, &crds)?;
    addons::apply_soon(
        start.tools,
        place,
        include_str!("../manifests/snapshots.yaml"),
    )?;
    let kubeconfig = start.kubeconfig(state, "csi", "devcluster:csi", &[], "127.0.0.1")?;
    let socket = csi::socket(&place.run);
    let sidecars = [
        (Upstream::CsiProvisioner, "csi-provisioner", true),
        (Upstream::Snapshotter, "csi-snapshotter", true),
        (Upstream::Snapshotter, "snapshot-controller", false),
    ];
    for (upstream, name, speaks) in sidecars {
        let mut program =
            Program::new(name, start.tools.file(upstream, name)?).flag("kubeconfig", &kubeconfig);
        if speaks {
            program = program.flag("csi-address", &socket);
        }
        state.start(place, &program)?;
    }
    Ok(())
}
