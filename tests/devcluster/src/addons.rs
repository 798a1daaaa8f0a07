//! What a cluster of real nodes has beside the control plane: names, storage, metrics and the enforcement of policies.

use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::{
    addresses::Addresses,
    control_plane::Start,
    guard,
    kubeconfig::base64,
    node,
    place::Place,
    process::Program,
    run, snapshots,
    state::State,
    tools::{Tools, Upstream},
};

/// Starts what was asked for.
pub fn start(start: &Start, addresses: &Addresses, state: &mut State) -> Result<()> {
    let host = addresses.host().to_string();
    let port = state.port("metrics-server")?.to_string();
    let fill = |manifest: &str| {
        manifest
            .replace("${HOST}", &host)
            .replace("${DNS_SERVICE}", &addresses.dns_service().to_string())
            .replace("${METRICS_PORT}", &port)
            .replace(
                "${AUTHORITY}",
                &base64(start.authority.certificate().as_bytes()),
            )
    };
    let mut manifests = fill(include_str!("../manifests/addons.yaml"));
    if !start.options.snapshots {
        manifests.push_str("---\n");
        manifests.push_str(include_str!("../manifests/storage.yaml"));
    }
    if start.options.metrics {
        manifests.push_str("---\n");
        manifests.push_str(&fill(include_str!("../manifests/metrics.yaml")));
    }
    apply(start.tools, start.place, &manifests)?;
    let names = names(start, addresses, state)?;
    state.start(start.place, &names)?;
    let volumes = volumes(start, state)?;
    state.start(start.place, &volumes)?;
    if start.options.snapshots {
        snapshots::start(start, state)?;
    }
    if start.options.metrics {
        let metrics = metrics(start, addresses, state)?;
        state.start(start.place, &metrics)?;
    }
    Ok(())
}

/// Applies manifests as the administrator.
pub fn apply(tools: &Tools, place: &Place, manifests: &str) -> Result<()> {
    let mut command = Command::new(tools.file(Upstream::Kubernetes, "kubectl")?);
    command.arg("--kubeconfig").arg(place.kubeconfig("admin"));
    command.args([
        "apply",
        "--server-side",
        "--force-conflicts",
        "--field-manager=devcluster",
        "--filename=-",
    ]);
    run::feed(&mut command, manifests).map(drop)
}

/// The same with kinds whose definitions were applied a moment ago: the API server takes that moment to serve them.
pub fn apply_soon(tools: &Tools, place: &Place, manifests: &str) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match apply(tools, place, manifests) {
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(100)),
            done => return done,
        }
    }
}

/// Starts the agent that enforces NetworkPolicy on a node.
pub fn start_policy(
    start: &Start,
    addresses: &Addresses,
    state: &mut State,
    number: u8,
) -> Result<()> {
    let name = node::name(number);
    let kubeconfig = start.kubeconfig(
        state,
        &format!("{name}-policy"),
        "devcluster:policy",
        &[],
        &start.host(),
    )?;
    let agent = Program::new(format!("{name}-policy"), guard::program()?)
        .arg("policy-agent")
        .flag("kubeconfig", &kubeconfig)
        .flag("node", &name)
        .within(&addresses.namespace(number));
    state.start(start.place, &agent)
}

fn names(start: &Start, addresses: &Addresses, state: &State) -> Result<Program> {
    let kubeconfig = start.kubeconfig(state, "coredns", "devcluster:dns", &[], "127.0.0.1")?;
    let corefile = start.place.state.join("Corefile");
    let text = format!(
        ".:53 {{\n  bind {host}\n  errors\n  ready 127.0.0.1:{ready}\n  kubernetes cluster.local in-addr.arpa ip6.arpa {{\n    kubeconfig {kubeconfig}\n    \
         pods insecure\n    ttl 5\n  }}\n  cache 5\n}}\n",
        host = addresses.host(),
        ready = state.port("coredns-health")?,
        kubeconfig = kubeconfig.display(),
    );
    fs::write(&corefile, text).context("cannot configure the name server")?;
    let program = Program::new("coredns", start.tools.file(Upstream::Coredns, "coredns")?);
    Ok(program.arg("-conf").arg(corefile))
}

fn volumes(start: &Start, state: &State) -> Result<Program> {
    let kubeconfig = start.kubeconfig(state, "volumes", "devcluster:volumes", &[], "127.0.0.1")?;
    let program = Program::new("volumes", guard::program()?);
    Ok(program
        .arg("volumes")
        .flag("kubeconfig", kubeconfig)
        .flag("folder", start.place.state.join("volumes")))
}

fn metrics(start: &Start, addresses: &Addresses, state: &State) -> Result<Program> {
    let kubeconfig = start.kubeconfig(
        state,
        "metrics-server",
        "devcluster:metrics",
        &[],
        "127.0.0.1",
    )?;
    let names = [
        "metrics-server.kube-system.svc".to_owned(),
        addresses.host().to_string(),
    ];
    start.authority.server("metrics-server", &names)?;
    Ok(Program::new(
        "metrics-server",
        start
            .tools
            .file(Upstream::MetricsServer, "metrics-server")?,
    )
    .flag("kubeconfig", &kubeconfig)
    .flag("authentication-kubeconfig", &kubeconfig)
    .flag("authorization-kubeconfig", &kubeconfig)
    .flag("bind-address", addresses.host().to_string())
    .flag("secure-port", state.port("metrics-server")?.to_string())
    .flag("tls-cert-file", start.authority.crt("metrics-server"))
    .flag(
        "tls-private-key-file",
        start.authority.key("metrics-server"),
    )
    .flag("kubelet-certificate-authority", start.authority.crt("ca"))
    .flag("kubelet-preferred-address-types", "InternalIP")
    .flag("kubelet-request-timeout", "5s")
    .flag("metric-resolution", "10s"))
}
