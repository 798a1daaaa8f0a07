//! The control plane: etcd, the API server, the controllers and the scheduler, on the host.

use std::path::Path;

use anyhow::Result;

use crate::{
    addresses::Addresses,
    kubeconfig,
    options::Options,
    pki::Authority,
    place::Place,
    process::Program,
    state::State,
    tools::{Tools, Upstream},
};

/// The ports that the control plane and its neighbours on the host listen on.
pub const PORTS: [&str; 8] = [
    "etcd",
    "etcd-peer",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "metrics-server",
    "kwok",
    "coredns-health",
];

/// What each part of a cluster is started with.
pub struct Start<'a> {
    /// Where the cluster is.
    pub place: &'a Place,
    /// What was asked for.
    pub options: &'a Options,
    /// The programs.
    pub tools: &'a Tools,
    /// Who signs certificates.
    pub authority: &'a Authority,
    /// The addresses, where there are real nodes.
    pub addresses: Option<&'a Addresses>,
}

impl Start<'_> {
    /// The address that nodes and pods reach the host by.
    pub fn host(&self) -> String {
        self.addresses.map_or("127.0.0.1".to_owned(), |addresses| {
            addresses.host().to_string()
        })
    }

    /// Writes the kubeconfig of a part of the cluster, which reaches the API server at this address.
    pub fn kubeconfig(
        &self,
        state: &State,
        name: &str,
        user: &str,
        groups: &[&str],
        address: &str,
    ) -> Result<std::path::PathBuf> {
        let file = self.place.kubeconfig(name);
        let server = format!("https://{address}:{}", state.port("kube-apiserver")?);
        kubeconfig::write(
            &file,
            &server,
            self.authority,
            &self.authority.user(user, groups)?,
        )?;
        Ok(file)
    }

    fn kubernetes(&self, program: &str) -> Result<Program> {
        Ok(Program::new(
            program,
            self.tools.file(Upstream::Kubernetes, program)?,
        ))
    }
}

/// Starts etcd and the API server, which waits for it.
pub fn start_api(start: &Start, state: &mut State) -> Result<()> {
    start.kubeconfig(state, "admin", "admin", &["system:masters"], "127.0.0.1")?;
    state.start(start.place, &etcd(start, state)?)?;
    state.start(start.place, &api_server(start, state)?)
}

/// Starts what works through the API server.
pub fn start_controllers(start: &Start, state: &mut State) -> Result<()> {
    for (program, flags) in [
        ("kube-controller-manager", controller_flags(start)),
        ("kube-scheduler", Vec::new()),
    ] {
        let user = format!("system:{program}");
        let kubeconfig = start.kubeconfig(state, program, &user, &[], "127.0.0.1")?;
        let mut program = start
            .kubernetes(program)?
            .flag("kubeconfig", &kubeconfig)
            .flag("authentication-kubeconfig", &kubeconfig)
            .flag("authorization-kubeconfig", &kubeconfig)
            .flag("bind-address", "127.0.0.1")
            .flag("secure-port", state.port(program)?.to_string())
            .flag("cert-dir", start.place.pki().join(program))
            .flag("leader-elect", "false")
            // The defaults are meant to protect an API server that others use too.
            .flag("kube-api-qps", "300")
            .flag("kube-api-burst", "600");
        for (flag, value) in flags {
            program = program.flag(flag, value);
        }
        state.start(start.place, &program)?;
    }
    Ok(())
}

fn etcd(start: &Start, state: &State) -> Result<Program> {
    let client = format!("http://127.0.0.1:{}", state.port("etcd")?);
    let peer = format!("http://127.0.0.1:{}", state.port("etcd-peer")?);
    let mut program = Program::new("etcd", start.tools.file(Upstream::Etcd, "etcd")?)
        .flag("name", "devcluster")
        .flag("data-dir", start.place.state.join("etcd"))
        .flag("listen-client-urls", &client)
        .flag("advertise-client-urls", &client)
        .flag("listen-peer-urls", &peer)
        .flag("initial-advertise-peer-urls", &peer)
        .flag("initial-cluster", format!("devcluster={peer}"));
    if !start.options.fsync {
        program = program.arg("--unsafe-no-fsync");
    }
    Ok(program)
}

/// Makes the certificates of the API server and returns the authority of those who speak for others.
fn api_certificates(start: &Start) -> Result<Authority> {
    let authority = start.authority;
    authority.token_keys()?;
    authority.server("kube-apiserver", &reached(start))?;
    authority.write(
        "kubelet-client",
        &authority.user("kube-apiserver-kubelet-client", &["system:masters"])?,
    )?;
    // A second authority, so that nobody with an ordinary certificate can pose as the aggregator.
    let front = start.place.pki().join("front-proxy");
    crate::place::make_folder(&front)?;
    let front = Authority::make(&front)?;
    front.write("client", &front.user("front-proxy-client", &[])?)?;
    Ok(front)
}

fn api_server(start: &Start, state: &State) -> Result<Program> {
    let (authority, pki) = (start.authority, start.place.pki());
    let front = api_certificates(start)?;
    let mut program = start
        .kubernetes("kube-apiserver")?
        .flag(
            "etcd-servers",
            format!("http://127.0.0.1:{}", state.port("etcd")?),
        )
        .flag("secure-port", state.port("kube-apiserver")?.to_string())
        .flag("tls-cert-file", authority.crt("kube-apiserver"))
        .flag("tls-private-key-file", authority.key("kube-apiserver"))
        .flag("client-ca-file", authority.crt("ca"))
        .flag("kubelet-certificate-authority", authority.crt("ca"))
        .flag(
            "kubelet-client-certificate",
            authority.crt("kubelet-client"),
        )
        .flag("kubelet-client-key", authority.key("kubelet-client"))
        .flag("kubelet-preferred-address-types", "InternalIP")
        .flag("requestheader-client-ca-file", front.crt("ca"))
        .flag("requestheader-allowed-names", "front-proxy-client")
        .flag("requestheader-username-headers", "X-Remote-User")
        .flag("requestheader-group-headers", "X-Remote-Group")
        .flag("requestheader-extra-headers-prefix", "X-Remote-Extra-")
        .flag("proxy-client-cert-file", front.crt("client"))
        .flag("proxy-client-key-file", front.key("client"))
        .flag("enable-aggregator-routing", "true")
        .flag("service-account-key-file", pki.join("service-accounts.pub"))
        .flag(
            "service-account-signing-key-file",
            authority.key("service-accounts"),
        )
        .flag(
            "service-account-issuer",
            "https://kubernetes.default.svc.cluster.local",
        )
        .flag("authorization-mode", "Node,RBAC")
        .flag("allow-privileged", "true")
        .flag("profiling", "false")
        .flag("service-cluster-ip-range", services(start.addresses));
    program = match start.addresses {
        Some(addresses) => program
            .flag("bind-address", "0.0.0.0")
            .flag("advertise-address", addresses.host().to_string()),
        // Nobody but this host: and a loopback address may not stand in the endpoints of the API server.
        None => program
            .flag("bind-address", "127.0.0.1")
            .flag("endpoint-reconciler-type", "none"),
    };
    Ok(start
        .options
        .api_server_flags
        .iter()
        .fold(program, |program, flag| program.arg(flag)))
}

fn reached(start: &Start) -> Vec<String> {
    let mut names: Vec<String> = [
        "localhost",
        "127.0.0.1",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ]
    .map(str::to_owned)
    .into();
    if let Some(addresses) = start.addresses {
        names.extend([
            addresses.host().to_string(),
            addresses.api_service().to_string(),
        ]);
    }
    names
}

fn controller_flags(start: &Start) -> Vec<(&'static str, std::ffi::OsString)> {
    let authority = start.authority;
    let file = |path: &Path| path.as_os_str().to_owned();
    vec![
        ("use-service-account-credentials", "true".into()),
        (
            "service-account-private-key-file",
            file(&authority.key("service-accounts")),
        ),
        ("root-ca-file", file(&authority.crt("ca"))),
        ("cluster-signing-cert-file", file(&authority.crt("ca"))),
        ("cluster-signing-key-file", file(&authority.key("ca"))),
    ]
}

fn services(addresses: Option<&Addresses>) -> String {
    addresses.map_or("10.96.0.0/12".to_owned(), Addresses::services)
}
