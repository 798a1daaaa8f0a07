//! Git as the one who declares: in any order, over and over, and the only one who says what `spec` is.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

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

/// What Argo CD, KubeVela, Velero, Knative and Crossplane call their kinds: group, plural, kind, short names.
const THEIRS: [(&str, &str, &str, &[&str]); 9] = [
    (
        "argoproj.io",
        "applications",
        "Application",
        &["app", "apps"],
    ),
    (
        "argoproj.io",
        "applicationsets",
        "ApplicationSet",
        &["appset"],
    ),
    (
        "core.oam.dev",
        "applications",
        "Application",
        &["app", "velaapp"],
    ),
    (
        "core.oam.dev",
        "applicationrevisions",
        "ApplicationRevision",
        &["apprev"],
    ),
    ("velero.io", "backups", "Backup", &[]),
    ("velero.io", "restores", "Restore", &[]),
    ("serving.knative.dev", "services", "Service", &["ksvc"]),
    ("helm.crossplane.io", "releases", "Release", &[]),
    ("example.dev", "environments", "Environment", &["env"]),
];

/// Every word for a kind that our texts have people type means the same after Argo CD and others have come into the cluster.
pub async fn our_words_stay_ours_beside_argo_cd_and_kubevela(world: World) -> Result<()> {
    let words = words();
    ensure!(
        ["renv", "rapp", "msvc", "dbk"]
            .iter()
            .all(|w| words.contains(*w)),
        "{words:?}"
    );
    let before = meant(&world, &words).await?;
    let ours = before.values().filter(|group| *group == "roadstead.dev");
    ensure!(ours.count() > 6, "{before:?}");
    let theirs: Vec<String> = THEIRS.map(definition).into();
    let theirs = theirs.join("---\n");
    world.apply(&theirs).await?;
    for (group, plural, ..) in THEIRS {
        let crd = format!("wait crd/{plural}.{group} --for=condition=Established --timeout=60s");
        world.kubectl(&crd).await?;
    }
    world
        .until("a word of theirs is known", || async {
            let app = meant(&world, &["app".to_owned()].into()).await;
            Ok(app
                .is_ok_and(|app| THEIRS.iter().any(|theirs| theirs.0 == app["app"]))
                .then_some(()))
        })
        .await?;
    let after = meant(&world, &words).await?;
    let words = ["kubectl", "delete", "--timeout=60s", "-f", "-"];
    world.run(&words, Some(&theirs)).await?.ok("delete")?;
    ensure!(before == after, "before {before:?}, after {after:?}");
    Ok(())
}

/// The words after `kubectl get` and the like in what people read: the README, the notes of the chart and the texts of the program.
fn words() -> BTreeSet<String> {
    const TEXTS: [&str; 2] = ["README.md", "charts/roadstead/templates/NOTES.txt"];
    const VERBS: [&str; 8] = [
        "get", "wait", "describe", "patch", "delete", "annotate", "edit", "explain",
    ];
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = TEXTS.map(|text| root.join(text)).into();
    let mut folders = vec![root.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.path() {
                folder if folder.is_dir() => folders.push(folder),
                file => files.push(file),
            }
        }
    }
    let mut found = BTreeSet::new();
    for text in files
        .iter()
        .filter_map(|file| std::fs::read_to_string(file).ok())
    {
        for line in text.split("kubectl ").skip(1) {
            let mut next = line.split_whitespace();
            let verb = next.next().unwrap_or_default();
            let word = next.next().unwrap_or_default();
            let word: String = word.chars().take_while(char::is_ascii_lowercase).collect();
            if VERBS.contains(&verb) && word.len() > 2 {
                found.insert(word);
            }
        }
    }
    found.remove("roadstead");
    found
}

/// The group that kubectl, knowing nothing from before, takes each word for.
async fn meant(world: &World, words: &BTreeSet<String>) -> Result<BTreeMap<String, String>> {
    let cache = tempfile::tempdir()?;
    let cache = format!("--cache-dir={}", cache.path().display());
    let mut meant = BTreeMap::new();
    for word in words {
        let said = world
            .try_kubectl(&format!("explain {word} {cache}"))
            .await?;
        let group = said
            .out
            .lines()
            .find_map(|line| line.strip_prefix("GROUP:"));
        let group = match (said.code, group) {
            (0, group) => group.map_or("core", str::trim),
            _ => "no kind",
        };
        meant.insert(word.clone(), group.to_owned());
    }
    Ok(meant)
}

/// A definition that says no more than how a kind is called.
fn definition((group, plural, kind, short): (&str, &str, &str, &[&str])) -> String {
    let names = json!({"plural": plural, "kind": kind, "singular": kind.to_lowercase(), "shortNames": short});
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    let mut crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced", "names": names,
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}],
        },
    });
    crd["metadata"]["annotations"] = json!({"api-approved.kubernetes.io": "unapproved, a test"});
    format!("{crd}\n")
}
