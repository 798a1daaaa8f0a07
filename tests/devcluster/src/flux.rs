//! Flux on a cluster of our own: its controllers from their Go modules, and a Git server for them to look at.

use std::fs;

use anyhow::{Context, Result};

use crate::{
    Cluster,
    image::{Archive, Image, catalogue},
    progress::Progress,
    run,
    tools::{self, Tools, Upstream},
};

/// The namespace that Flux and the Git server run in.
pub const NAMESPACE: &str = "flux-system";

/// The controllers. Flux's others, above all that for Helm releases, are no Go modules that can be had.
const CONTROLLERS: [&str; 2] = ["source-controller", "kustomize-controller"];

/// Installs Flux and the Git server, and waits until they run. Builds them if they are not in the cache.
pub fn install(cluster: &Cluster) -> Result<()> {
    let tools = tools::ensure(&[Upstream::Flux])?;
    let mut manifest = include_str!("../manifests/flux.yaml").to_owned();
    let progress = Progress::begin("Installing Flux");
    cluster.load(&catalogue::git()?)?;
    for name in CONTROLLERS {
        let image = image(&tools, name)?;
        cluster.load(&image)?;
        manifest = manifest.replace(&format!("${{{name}}}"), &image.name);
    }
    let definitions = fs::read_to_string(tools.file(Upstream::Flux, "crds.yaml")?)
        .context("the definitions of Flux are not there")?;
    for text in [definitions, manifest] {
        let mut apply = cluster.kubectl()?;
        apply.args(["apply", "--server-side", "--filename=-"]);
        run::feed(&mut apply, &text)?;
    }
    let kinds = "wait crd --all --for=condition=Established --timeout=60s";
    let programs = format!("rollout status deployment -n {NAMESPACE} --timeout=180s");
    for words in [kinds, &programs] {
        run::output(cluster.kubectl()?.args(words.split(' ')))?;
    }
    progress.done();
    Ok(())
}

/// The image of a controller, called after the pins that it was built from.
fn image(tools: &Tools, name: &str) -> Result<Archive> {
    let folder = tools.folder(Upstream::Flux)?.file_name();
    let pins = folder.context("a folder without a name")?.to_string_lossy();
    let program = tools.file(Upstream::Flux, name)?;
    Image::of_program(format!("localhost/{name}:{pins}"), program)?.archive()
}
