//! The product on a cluster: its images, its charts.

use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use kube::{
    Client, ResourceExt,
    api::{Api, ApiResource, DynamicObject, GroupVersionKind, PostParams},
};
use serde_json::json;

use crate::{
    Cluster,
    image::{catalogue, rust::static_program},
    manifest,
    place::checkout,
    progress::Progress,
    run,
};

/// The namespace that the operator is installed into.
pub const NAMESPACE: &str = "roadstead-system";

/// Where the images of the product, the engines and the examples are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// The operator's, with its tag.
    pub operator: String,
    /// Postgres, for the catalogue.
    pub postgres: String,
    /// Redis, for the catalogue.
    pub redis: String,
    /// MariaDB, for the catalogue.
    pub mariadb: String,
    /// What the examples' images begin with in place of `docker.io`.
    pub prefix: Option<String>,
}

impl Images {
    /// Images that somebody else's cluster finds below this prefix.
    pub fn below(prefix: &str) -> Self {
        let prefix = prefix.trim_end_matches('/');
        Self {
            operator: format!("{prefix}/roadstead:{}", env!("CARGO_PKG_VERSION")),
            postgres: format!("{prefix}/library/postgres:15"),
            redis: format!("{prefix}/library/redis:7"),
            mariadb: format!("{prefix}/library/mariadb:10.11"),
            prefix: Some(prefix.to_owned()),
        }
    }

    /// Builds the images and brings them into every node of a cluster of our own.
    pub fn load(cluster: &Cluster) -> Result<Self> {
        let operator = catalogue::product(&static_program("roadstead", "roadstead")?)?;
        let engines = [
            catalogue::postgres()?,
            catalogue::redis()?,
            catalogue::mariadb()?,
        ];
        let shops = ["1.4", "1.5", "broken"]
            .map(catalogue::shop)
            .into_iter()
            .collect::<Result<Vec<_>>>()?;
        let progress = Progress::begin("Bringing the images into the nodes");
        std::iter::once(&operator)
            .chain(&engines)
            .chain(&shops)
            .try_for_each(|image| {
                progress.at(image.name.clone());
                cluster.load(image)
            })?;
        progress.done();
        let [postgres, redis, mariadb] = engines;
        Ok(Self {
            operator: operator.name,
            postgres: postgres.name,
            redis: redis.name,
            mariadb: mariadb.name,
            prefix: None,
        })
    }

    /// A manifest of the examples, with the images where this cluster finds them.
    pub fn place(&self, manifest: &str) -> String {
        match &self.prefix {
            Some(prefix) => manifest.replace("docker.io/", &format!("{prefix}/")),
            None => manifest.to_owned(),
        }
    }
}

/// Installs both charts, or brings an installed product up to date, and waits until the operator is ready.
pub fn install(cluster: &Cluster, images: &Images) -> Result<()> {
    let progress = Progress::begin("Installing charts/roadstead");
    let (repository, tag) = split(&images.operator)?;
    let mut roadstead = upgrade(cluster, "roadstead")?;
    roadstead.args(["--create-namespace", "--wait", "--timeout", "180s"]);
    set(
        &mut roadstead,
        &[("image.repository", repository), ("image.tag", tag)],
    );
    run::output(&mut roadstead)?;
    kinds_are_known(cluster)?;
    progress.done();
    let progress = Progress::begin("Installing charts/roadstead-catalogue");
    let mut catalogue = upgrade(cluster, "roadstead-catalogue")?;
    set(
        &mut catalogue,
        &[
            ("postgres.image", &images.postgres),
            ("redis.image", &images.redis),
            ("mariadb.image", &images.mariadb),
            ("gigabyte", "64Mi"),
        ],
    );
    run::output(&mut catalogue)?;
    progress.done();
    Ok(())
}

/// Waits until the API server tells of every kind of the product. It tells of new ones a moment after it serves them, and helm asks it.
fn kinds_are_known(cluster: &Cluster) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let folder = checkout().join("crds");
    let mut kinds = Vec::new();
    for file in std::fs::read_dir(&folder).context("there are no definitions")? {
        let file = file?.path();
        let plural = file.file_stem().context("a file without a name")?;
        kinds.push(format!("{}.roadstead.dev", plural.to_string_lossy()));
    }
    loop {
        let mut ask = cluster.kubectl()?;
        ask.args([
            "api-resources",
            "--api-group=roadstead.dev",
            "--output=name",
        ]);
        let known = run::output(&mut ask)?;
        let unknown = kinds
            .iter()
            .find(|kind| !known.lines().any(|line| line == *kind));
        let Some(unknown) = unknown else {
            return Ok(());
        };
        if Instant::now() > deadline {
            bail!("the API server serves {unknown} and does not tell of it");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The account that the operator works as.
pub const ACCOUNT: &str = "system:serviceaccount:roadstead-system:roadstead";

/// Installs everything of the product but a running operator: one of this machine may work in its place. Returns the kubeconfig of its
/// account.
pub async fn without_operator(cluster: &Cluster) -> Result<PathBuf> {
    let file = checkout().join("deploy/operator.yaml");
    let product = std::fs::read_to_string(&file).context("cannot read the product's manifest")?;
    let objects = manifest::objects(&product)?;
    let runs = |object: &DynamicObject| {
        let types = object.types.as_ref();
        types.is_some_and(|types| types.kind == "Deployment")
    };
    for object in objects.iter().filter(|object| !runs(object)) {
        manifest::apply_object(&cluster.client(), object, None).await?;
    }
    policies_act(cluster.client()).await?;
    let all = "system:serviceaccounts";
    cluster.kubeconfig_as(ACCOUNT, &[all, &format!("{all}:{NAMESPACE}")])
}

/// Waits until the API server writes down who made an object. It follows a policy only some seconds after it took it, the more so where
/// the kinds are as new as the policy.
async fn policies_act(client: Client) -> Result<()> {
    let kind = GroupVersionKind::gvk("roadstead.dev", "v1alpha1", "Instance");
    let resource = ApiResource::from_gvk(&kind);
    let instances: Api<DynamicObject> = Api::all_with(client, &resource);
    let probe = DynamicObject::new("probe", &resource)
        .data(json!({"spec": {"name": "probe", "description": "Nothing"}}));
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = instances.create(&dry_run, &probe).await;
        let written = answer
            .as_ref()
            .is_ok_and(|probe| probe.annotations().contains_key("roadstead.dev/created-by"));
        if written {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("the API server does not follow the product's policies: {answer:?}");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The plugin, built for this machine.
pub fn plugin() -> Result<PathBuf> {
    let progress = Progress::begin("Building the plugin");
    let mut command = run::cargo();
    command.args(["build", "--quiet", "--bin", "kubectl-roadstead"]);
    run::output(&mut command)?;
    progress.done();
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| checkout().join("target"), PathBuf::from);
    let file = target.join("debug/kubectl-roadstead");
    if !file.is_file() {
        bail!("cargo built no {}", file.display());
    }
    Ok(file)
}

fn upgrade(cluster: &Cluster, chart: &str) -> Result<Command> {
    let mut helm = cluster.helm()?;
    helm.args(["upgrade", "--install", chart])
        .arg(checkout().join("charts").join(chart));
    helm.args(["--namespace", NAMESPACE]);
    Ok(helm)
}

fn set(helm: &mut Command, values: &[(&str, &str)]) {
    for (key, value) in values {
        helm.arg("--set-string").arg(format!("{key}={value}"));
    }
}

fn split(image: &str) -> Result<(&str, &str)> {
    image
        .rsplit_once(':')
        .with_context(|| format!("{image} has no tag"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_moves_every_image_of_a_manifest() {
        let images = Images::below("registry.example/team/");
        assert_eq!(
            images.place("image: docker.io/acme/shop:1.4"),
            "image: registry.example/team/acme/shop:1.4"
        );
        assert!(
            images
                .operator
                .starts_with("registry.example/team/roadstead:")
        );
    }
}
