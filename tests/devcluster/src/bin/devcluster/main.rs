//! Starts a real Kubernetes on this machine, for tests and demos.

mod commands;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use devcluster::process::Identity;

/// A real Kubernetes on this machine, with real nodes, for tests and demos
///
/// The first start builds Kubernetes and its neighbours from their Go modules, which takes minutes; later ones take seconds.
/// With KUBECONFIG or --kubeconfig it works on that cluster instead, and builds and ends nothing.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    /// Which of this checkout's clusters
    #[arg(long, global = true, default_value = "demo", env = "DEVCLUSTER_NAME")]
    name: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the cluster, or say that it runs
    Up(Up),
    /// End the cluster and remove everything that it has on this machine, except its logs
    Down,
    /// Show what runs; the exit code is 3 when the cluster does not
    Status,
    /// Run a command with KUBECONFIG set, and this cluster's kubectl and helm first on the PATH
    Run(Run),
    /// Bring images into every node: busybox, postgres, redis, mariadb, shop:VERSION, roadstead, or a static program's file
    Load {
        /// The images
        #[arg(required = true)]
        images: Vec<String>,
    },
    /// Build every program and fetch every package that a cluster can need, and start nothing
    Build,
    /// Write a kubeconfig of a user and print where it is
    User {
        /// The user's name
        user: String,
        /// A group of theirs; at most two
        #[arg(long)]
        group: Vec<String>,
    },
    /// A part of a cluster: makes the volumes of the default class
    #[command(hide = true)]
    Volumes {
        /// How to reach the cluster
        #[arg(long)]
        kubeconfig: PathBuf,
        /// Where the volumes are
        #[arg(long)]
        folder: PathBuf,
    },
    /// A part of a cluster: keeps the volumes of the CSI driver and takes snapshots of them
    #[command(hide = true)]
    Csi {
        /// Where the volumes are
        #[arg(long)]
        folder: PathBuf,
        /// Where the sockets are
        #[arg(long)]
        run: PathBuf,
        /// A node that mounts them, and the folder of its kubelet
        #[arg(long, value_parser = devcluster::csi::Node::parse)]
        node: Vec<devcluster::csi::Node>,
    },
    /// A part of a node: enforces NetworkPolicy on its pods
    #[command(hide = true)]
    PolicyAgent {
        /// How to reach the cluster
        #[arg(long)]
        kubeconfig: PathBuf,
        /// The node's name
        #[arg(long)]
        node: String,
    },
    /// A part of a test's cluster: removes it when the test is gone
    #[command(hide = true)]
    Guard {
        /// The process that the cluster belongs to, and when it started
        #[arg(long, value_parser = Identity::parse)]
        owner: Identity,
    },
}

#[derive(clap::Args)]
struct Up {
    /// How many real nodes, from 0 (a control plane alone) to 9
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=9))]
    nodes: u8,
    /// How many nodes that exist in the API only
    #[arg(long, default_value_t = 0)]
    fake_nodes: u32,
    /// Leave metrics.k8s.io out
    #[arg(long)]
    no_metrics: bool,
    /// Do not enforce NetworkPolicy
    #[arg(long)]
    no_policy: bool,
    /// Give out volumes by a CSI driver that can take snapshots
    #[arg(long)]
    snapshots: bool,
    /// Let etcd wait for the disk, as it must where crashes or speed are tested
    #[arg(long)]
    fsync: bool,
    /// A further flag of the API server, such as --audit-policy-file=FILE
    #[arg(long, allow_hyphen_values = true)]
    api_server_flag: Vec<String>,
    /// Images to bring in, as for `load`
    #[arg(long, value_delimiter = ',')]
    images: Vec<String>,
    /// Work on this cluster instead of starting one
    #[arg(long, env = "KUBECONFIG")]
    kubeconfig: Option<PathBuf>,
}

#[derive(clap::Args)]
struct Run {
    /// Work on this cluster instead of ours
    #[arg(long, env = "KUBECONFIG")]
    kubeconfig: Option<PathBuf>,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let name = arguments.name.as_str();
    let done = match arguments.command {
        Command::Up(up) => commands::up(name, up).await,
        Command::Down => commands::down(name),
        Command::Status => commands::status(name).await,
        Command::Run(run) => commands::run(name, run).await,
        Command::Load { images } => commands::load(name, &images).await,
        Command::Build => commands::build(),
        Command::User { user, group } => commands::user(name, &user, &group).await,
        Command::Volumes { kubeconfig, folder } => commands::volumes(&kubeconfig, folder).await,
        Command::Csi { folder, run, node } => devcluster::csi::serve(&folder, &run, &node)
            .await
            .map(|()| ExitCode::SUCCESS),
        Command::PolicyAgent { kubeconfig, node } => {
            devcluster::policy::enforce(&kubeconfig, &node)
                .await
                .map(|()| ExitCode::SUCCESS)
        }
        Command::Guard { owner } => {
            devcluster::guard::watch(name, &owner).map(|()| ExitCode::SUCCESS)
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("devcluster: {error:#}");
        ExitCode::FAILURE
    })
}
