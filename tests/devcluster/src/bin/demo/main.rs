//! `cargo demo`: from nothing to a platform that serves, with one command.

mod door;
mod page;
mod wait;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use clap::Parser;
use devcluster::{
    Cluster, Options, cluster,
    place::{DEMO, Place, checkout, foreign},
    product::{self, Images},
    progress::Progress,
    run,
};

/// Bring up a cluster, install Roadstead, apply the shop example, and show what runs.
///
/// The cluster stays up until `cargo demo -- --down`. The first run builds Kubernetes and Roadstead, which from nothing takes about
/// half an hour on two cores; the next takes seconds. With KUBECONFIG set to another cluster it uses that and builds none.
#[derive(Parser)]
#[command(name = "cargo demo --")]
struct Flags {
    /// End the demo and remove its cluster.
    #[arg(long, conflicts_with_all = ["env", "image_prefix"])]
    down: bool,
    /// Print what puts kubectl, helm, the plugin and the cluster's address into a shell: eval "$(cargo demo -- --env)".
    #[arg(long)]
    env: bool,
    /// Where the cluster of KUBECONFIG finds the images: PREFIX/roadstead, PREFIX/library/postgres, PREFIX/acme/shop.
    #[arg(long, value_name = "PREFIX")]
    image_prefix: Option<String>,
    /// Keep the shop's door open: pass connections on to its Web container. Started by the demo itself.
    #[arg(long, hide = true, value_name = "PORT")]
    door: Option<u16>,
}

/// The demo's cluster.
const NAME: &str = DEMO;

#[tokio::main]
async fn main() -> ExitCode {
    match demo(Flags::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn demo(flags: Flags) -> Result<()> {
    let external = foreign()?;
    if let Some(port) = flags.door {
        return door::keep_open(port).await;
    }
    if flags.down {
        return down(external.as_deref());
    }
    if flags.env {
        return environment(external.as_deref()).await;
    }
    if external.is_some() && flags.image_prefix.is_none() {
        bail!(
            "KUBECONFIG is set, so no image can be brought into the nodes: say with --image-prefix where that cluster finds them"
        );
    }
    let (cluster, images) = stage(external.as_deref(), flags.image_prefix.as_deref()).await?;
    product::install(&cluster, &images)?;
    let plugin = product::plugin()?;
    wait::until_gone(&cluster).await?;
    apply_shop(&cluster, &images)?;
    wait::until_ready(&cluster).await?;
    let port = door::open(cluster.kubeconfig())?;
    page::show(&cluster, &plugin, port).await
}

/// Ends the demo, and says what that was.
fn down(external: Option<&Path>) -> Result<()> {
    if door::close()? {
        println!("The shop's door is closed.");
    }
    if external.is_some() {
        bail!(
            "KUBECONFIG is set: that cluster is not the demo's to end. `kubectl delete rinst acme` removes the example"
        );
    }
    let place = Place::new(NAME)?;
    let was_there = place.state.exists();
    let progress = Progress::begin("Ending the demo's cluster");
    cluster::remove(NAME)?;
    progress.done();
    if was_there {
        println!(
            "The demo's cluster is gone, with all that ran in it and {}. What was built stays for the next.",
            place.state.display()
        );
    } else {
        println!("There was no demo to end.");
    }
    Ok(())
}

async fn stage(external: Option<&Path>, prefix: Option<&str>) -> Result<(Cluster, Images)> {
    if let (Some(file), Some(prefix)) = (external, prefix) {
        return Ok((Cluster::external(file).await?, Images::below(prefix)));
    }
    let cluster = match Cluster::attach(NAME).await? {
        Some(cluster) => cluster,
        None => Cluster::start(Options::named(NAME).nodes(1).snapshots().keep()).await?,
    };
    let images = Images::load(&cluster)?;
    Ok((cluster, images))
}

/// Applies the example as a person would: `kubectl apply -f deploy/examples/shop`.
fn apply_shop(cluster: &Cluster, images: &Images) -> Result<()> {
    let folder = checkout().join("deploy/examples/shop");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)?.flatten().map(|e| e.path()).collect();
    files.sort();
    for file in files.iter().filter(|f| {
        f.extension().is_some_and(|e| e == "yaml") && !f.ends_with("kustomization.yaml")
    }) {
        let text =
            fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut kubectl = cluster.kubectl()?;
        run::feed(kubectl.args(["apply", "-f", "-"]), &images.place(&text))?;
    }
    Ok(())
}

async fn environment(external: Option<&Path>) -> Result<()> {
    let cluster = match external {
        Some(file) => Cluster::external(file).await?,
        None => Cluster::attach(NAME)
            .await?
            .context("the demo does not run: `cargo demo` starts it")?,
    };
    let programs = [cluster.kubectl()?, cluster.helm()?].map(|c| PathBuf::from(c.get_program()));
    let folders: Vec<String> = programs
        .iter()
        .chain([&product::plugin()?])
        .filter_map(|p| p.parent().map(|f| f.display().to_string()))
        .collect();
    println!("export KUBECONFIG='{}'", cluster.kubeconfig().display());
    println!("export PATH='{}':\"$PATH\"", folders.join(":"));
    Ok(())
}
