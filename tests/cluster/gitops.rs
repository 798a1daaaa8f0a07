//! Git as the one who declares: in any order, over and over, and the only one who says what `spec` is.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::world::World;

/// One of everything that a team keeps in Git, in states of all kinds. A Namespace comes first wherever it is: that is Kubernetes' rule.
const SET: [&str; 8] = [
    "apiVersion: roadstead.dev/v1alpha1\nkind: Instance\nmetadata: {name: NAME}\nspec: {name: NAME, description: What Git says}\n",
    "apiVersion: roadstead.dev/v1alpha1\nkind: ApplicationTemplate\nmetadata: {name: NAME}\n\
     spec: {displayName: Toys, tags: [toys]}\n",
    "apiVersion: roadstead.dev/v1alpha1\nkind: Application\nmetadata: {name: toy, namespace: instance-NAME}\n\
     spec:\n  image: docker.io/library/busybox:1.36\n  port: 8000\n\
     \x20 containers: [{name: web, kind: Web, command: [busybox, httpd, -f, -p, \"8000\", -h, /etc]}]\n\
     \x20 variables: [{name: SHARED, value: one}]\n",
    "apiVersion: roadstead.dev/v1alpha1\nkind: Environment\nmetadata: {name: live, namespace: instance-NAME}\n\
     spec:\n  applicationRef: {name: toy}\n  variables: [{name: STAYS, value: here}, {name: GOES, value: soon}]\n\
     \x20 services: [{name: cache, prefix: DEFAULT}]\n\
     \x20 containers: [{name: web, replicas: 2}]\n",
    "apiVersion: roadstead.dev/v1alpha1\nkind: Environment\nmetadata: {name: test, namespace: instance-NAME}\n\
     spec: {applicationRef: {name: toy}, state: Stopped}\n",
    "apiVersion: roadstead.dev/v1alpha1\nkind: Service\nmetadata: {name: cache, namespace: instance-NAME}\n\
     spec: {classRef: {name: redis}, deletionPolicy: StopFirst, dataPolicy: Delete, credentials: {rotate: first}}\n",
    "apiVersion: roadstead.dev/v1alpha1\nkind: Service\nmetadata: {name: asleep, namespace: instance-NAME}\n\
     spec: {classRef: {name: redis}, state: Stopped, deletionPolicy: StopFirst, dataPolicy: Delete}\n",
    "apiVersion: roadstead.dev/v1alpha1\nkind: Cronjob\nmetadata: {name: nightly, namespace: instance-NAME}\n\
     spec: {environmentRef: {name: live}, command: [\"true\"], frequency: Daily, time: \"02:30\", runNow: \"1\"}\n",
];

/// What must be Ready in the end.
const READY: [&str; 5] = [
    "rapp/toy",
    "renv/live",
    "msvc/cache",
    "renv/test",
    "acj/nightly",
];

/// What Git says of an Instance, the rest in an order of its own.
struct Git<'a> {
    world: &'a World,
    name: &'static str,
    /// How it applies.
    way: &'static [&'static str],
}

impl Git<'_> {
    fn ns(&self) -> String {
        format!("instance-{}", self.name)
    }

    fn objects(&self) -> Vec<String> {
        SET.iter().map(|o| o.replace("NAME", self.name)).collect()
    }

    fn manifest(&self, objects: &[String]) -> String {
        let name = self.name;
        let namespace = format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: instance-{name}, labels: {{roadstead.dev/instance: {name}}}}}\n"
        );
        [&[namespace], objects].concat().join("---\n")
    }

    async fn does(&self, verb: &str, manifest: &str) -> Result<crate::world::Said> {
        let words = [&["kubectl", verb], self.way, &["-f", "-"]].concat();
        self.world.run(&words, Some(manifest)).await
    }

    async fn applied(&self, manifest: &str) -> Result<String> {
        self.does("apply", manifest).await?.ok("apply")
    }

    async fn ready(&self) -> Result<()> {
        for what in READY {
            self.world.condition(what, &self.ns(), "Ready").await?;
        }
        Ok(())
    }

    /// Each object of the set by its version.
    async fn versions(&self) -> Result<Vec<(String, String)>> {
        let kinds = "rapp,renv,rel,msvc,acj,jobs,deployments,statefulsets";
        let list = format!("get {kinds} -n {} -o json", self.ns());
        let list: Value = serde_json::from_str(&self.world.kubectl(&list).await?)?;
        let items = list["items"].as_array().context("no list")?.iter();
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(items
            .map(|o| {
                let name = format!("{}/{}", word(&o["kind"]), word(&o["metadata"]["name"]));
                (name, word(&o["metadata"]["resourceVersion"]))
            })
            .collect())
    }
}

/// As Argo CD and Flux apply.
const SERVER_SIDE: &[&str] = &["--server-side", "--field-manager=argocd-controller"];

/// All is applied in one go, in several orders, by a server-side and by a client-side tool; it comes to what it says. Then Git and the
/// cluster are the same to both tools, and applying it anew writes nothing, starts nothing and runs nothing.
pub async fn git_says_it_in_any_order_and_once_is_enough(world: World) -> Result<()> {
    let gits = [("git-server", SERVER_SIDE), ("git-client", &[])];
    let gits = gits.map(|(name, way)| Git {
        world: &world,
        name,
        way,
    });
    for (turn, git) in gits.iter().enumerate() {
        let mut objects = git.objects();
        objects.reverse();
        objects.rotate_left(turn * 3);
        git.applied(&git.manifest(&objects)).await?;
    }
    for git in &gits {
        git.ready().await?;
        let manifest = git.manifest(&git.objects());
        let same = git.does("diff", &manifest).await?;
        ensure!(same.code == 0 && same.out.is_empty(), "{same:?}");
        let before = git.versions().await?;
        ensure!(before.len() > 8, "{before:?}");
        git.applied(&manifest).await?;
        git.ready().await?;
        ensure!(git.versions().await? == before, "something was written");
        // A change that Git does not know is seen: the comparison can fail.
        let other = manifest.replace("value: one", "value: two");
        ensure!(git.does("diff", &other).await?.code == 1, "no difference");
    }
    let [git, client] = gits;
    client.gone().await?;
    what_git_drops_is_dropped(&git).await?;
    git.gone().await
}

/// A variable and an attachment that Git no longer names are gone from what runs; all else of it stays.
async fn what_git_drops_is_dropped(git: &Git<'_>) -> Result<()> {
    let manifest = git.manifest(&git.objects());
    let manifest = manifest
        .replace(", {name: GOES, value: soon}", "")
        .replace("  services: [{name: cache, prefix: DEFAULT}]\n", "");
    git.applied(&manifest).await?;
    let world = git.world;
    world
        .until("the release without them serves", || async {
            let status = world.at("renv/live", &git.ns(), "/status").await?;
            let served = status["currentRelease"] == 2 && status["state"] == "running";
            Ok(served.then_some(()))
        })
        .await?;
    let pod = world
        .at("deploy/live-web", &git.ns(), "/spec/template/spec")
        .await?;
    let pod = pod.to_string();
    ensure!(pod.contains("STAYS") && pod.contains("SHARED"), "{pod}");
    ensure!(!pod.contains("GOES") && !pod.contains("DEFAULT_"), "{pod}");
    Ok(())
}

impl Git<'_> {
    /// All of it is deleted in one go, and goes.
    async fn gone(&self) -> Result<()> {
        let all = self.objects().join("---\n");
        let words = ["kubectl", "delete", "--wait", "--timeout=120s", "-f", "-"];
        self.world.run(&words, Some(&all)).await?.ok("delete")?;
        let left = format!("get ns {} --ignore-not-found -o name", self.ns());
        let left = self.world.kubectl(&left).await?;
        ensure!(left.trim().is_empty(), "{left} is left");
        Ok(())
    }
}
