//! What each verb does.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail};
use devcluster::{
    Cluster, Options, cluster, debian,
    image::catalogue,
    kubeconfig,
    place::Place,
    state::State,
    tools::{self, Upstream},
    volumes,
};

use crate::{Run, Up};

/// The exit code of `status` when nothing runs.
const NOT_RUNNING: u8 = 3;

pub(crate) async fn up(name: &str, up: Up) -> Result<ExitCode> {
    if let Some(file) = &up.kubeconfig {
        let cluster = Cluster::external(file).await?;
        let version = cluster.client().apiserver_version().await?;
        println!(
            "Using the cluster of {} ({}): nothing was started.",
            file.display(),
            version.git_version
        );
        return Ok(ExitCode::SUCCESS);
    }
    let options = Options {
        nodes: up.nodes,
        fake_nodes: up.fake_nodes,
        metrics: !up.no_metrics,
        policy: !up.no_policy,
        snapshots: up.snapshots,
        fsync: up.fsync,
        api_server_flags: up.api_server_flag,
        ..Options::named(name).keep()
    };
    let cluster = match Cluster::attach(name).await? {
        Some(cluster) => {
            if cluster.nodes() != Some(options.nodes) {
                eprintln!(
                    "The cluster {name} runs already, with {} nodes: `down` first to change that.",
                    cluster.nodes().unwrap_or(0)
                );
            }
            cluster
        }
        None => Cluster::start(options).await?,
    };
    load_into(&cluster, &up.images)?;
    println!(
        "The cluster {name} runs. Its logs are in {}.",
        cluster.logs().unwrap_or_default().display()
    );
    println!("export KUBECONFIG={}", cluster.kubeconfig().display());
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn down(name: &str) -> Result<ExitCode> {
    cluster::remove(name)?;
    println!(
        "The cluster {name} is gone. Its logs stay in {}.",
        Place::new(name)?.logs().display()
    );
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn status(name: &str) -> Result<ExitCode> {
    let place = Place::new(name)?;
    let Some(state) = State::load(&place)? else {
        println!("The cluster {name} does not run. `cargo devcluster up` starts it.");
        return Ok(NOT_RUNNING.into());
    };
    for program in &state.programs {
        let state = if program.process.alive() {
            "runs"
        } else {
            "ENDED"
        };
        println!("{:<28} {:>8} {state}", program.name, program.process.pid());
    }
    println!(
        "logs        {}\nkubeconfig  {}",
        place.logs().display(),
        place.kubeconfig("admin").display()
    );
    let Some(cluster) = Cluster::attach(name).await? else {
        return Ok(NOT_RUNNING.into());
    };
    let nodes = cluster
        .kubectl()?
        .args(["get", "nodes", "--output=wide"])
        .status()?;
    Ok(if nodes.success() {
        ExitCode::SUCCESS
    } else {
        NOT_RUNNING.into()
    })
}

pub(crate) async fn run(name: &str, run: Run) -> Result<ExitCode> {
    let file = match run.kubeconfig {
        Some(file) => file,
        None => running(name).await?.kubeconfig().to_owned(),
    };
    let built = tools::ensure(&[Upstream::Kubernetes, Upstream::Helm])?;
    let folders = [
        built.folder(Upstream::Kubernetes)?.to_owned(),
        built.folder(Upstream::Helm)?.to_owned(),
    ];
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(folders.into_iter().chain(env::split_paths(&path)))?;
    let (program, arguments) = run.command.split_first().context("no command")?;
    // Where to look for the program is decided by our own PATH, so the new one is searched by hand.
    let found = env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| !program.contains('/') && file.is_file());
    let mut command = Command::new(found.unwrap_or_else(|| program.into()));
    command
        .args(arguments)
        .env("KUBECONFIG", file)
        .env("PATH", path);
    let status = command
        .status()
        .with_context(|| format!("cannot run {program}"))?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1)
        .into())
}

pub(crate) async fn load(name: &str, images: &[String]) -> Result<ExitCode> {
    load_into(&running(name).await?, images)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn build() -> Result<ExitCode> {
    use Upstream::{
        Containerd, Coredns, CsiProvisioner, Etcd, Flux, Helm, Kubernetes, Kwok, MetricsServer,
        Snapshotter,
    };
    let built = tools::ensure(&[
        Kubernetes,
        Etcd,
        Containerd,
        Coredns,
        MetricsServer,
        CsiProvisioner,
        Snapshotter,
        Helm,
        Kwok,
        Flux,
    ])?;
    debian::ensure_node_programs(true)?;
    for image in ["busybox", "postgres", "redis", "mariadb", "git"] {
        catalogue::by_name(image)?;
    }
    println!("Everything is in {}.", built.cache().display());
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn user(name: &str, user: &str, groups: &[String]) -> Result<ExitCode> {
    let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
    println!(
        "{}",
        running(name).await?.kubeconfig_as(user, &groups)?.display()
    );
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn volumes(file: &Path, folder: PathBuf) -> Result<ExitCode> {
    volumes::serve(kubeconfig::client(file, None).await?, folder).await?;
    Ok(ExitCode::SUCCESS)
}

async fn running(name: &str) -> Result<Cluster> {
    match Cluster::attach(name).await? {
        Some(cluster) => Ok(cluster),
        None => bail!("the cluster {name} does not run: `cargo devcluster up` starts it"),
    }
}

fn load_into(cluster: &Cluster, images: &[String]) -> Result<()> {
    for name in images {
        let image = catalogue::by_name(name)?;
        cluster.load(&image)?;
        println!("{} {}", image.name, image.reference());
    }
    Ok(())
}
