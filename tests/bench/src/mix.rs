//! What is declared: for each set an Application, an Environment with two containers, a Service and a Cronjob; ten sets to an Instance.

use std::ops::Range;

use anyhow::Result;
use devcluster::manifest;
use futures::{StreamExt, TryStreamExt, stream};
use kube::{
    Api, Client,
    api::{DynamicObject, ListParams},
    core::{ApiResource, GroupVersionKind},
};
use serde::{Deserialize, Serialize};

/// How many sets stand in an Instance.
pub const SHARE: usize = 10;
/// How many requests are under way at once, the operator's default.
pub const AT_ONCE: usize = 16;

/// What works beside, and what is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub struct Setting {
    /// Whether controllers, a scheduler and nodes work beside.
    pub full: bool,
    /// Whether no Application listens: what takes an address from the API server takes it longer with each that is there.
    #[serde(default)]
    pub workers: bool,
}

/// The kinds of a set, and what its objects are called.
pub const PARTS: [(&str, &str); 4] = [
    ("Application", "app"),
    ("Environment", "env"),
    ("Service", "svc"),
    ("Cronjob", "cron"),
];

const CLASS: &str = r#"
apiVersion: roadstead.dev/v1alpha1
kind: ServiceClass
metadata: {name: toy}
spec:
  type: Cache
  displayName: Toy
  image: docker.io/library/busybox:1.36
  user: 1000
  ports: [{name: toy, port: 6379, protocol: tcp, default: true}]
  data: {mountPath: /data, size: 1Gi}
  tiers: {development: {memoryGb: 1, cpu: 50m}, production: {memoryGb: 1}}
  command: [sleep, "86400"]
  env: [{name: PASSWORD, from: Password}]
  readiness: {command: ["true"]}
"#;

/// Nodes that exist in the API only have no disks: volumes stand ready, and Kubernetes binds them to the claims.
const STORAGE: &str = r#"
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: ready, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: kubernetes.io/no-provisioner
"#;

/// The name of a set's Instance.
pub fn instance(set: usize) -> String {
    format!("zz{}zz", set / SHARE)
}

/// The beginning of the names of a set's objects.
pub fn set(set: usize) -> String {
    format!("zq{set}zq")
}

fn instance_yaml(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{name: instance-{name}, labels: {{roadstead.dev/instance: {name}}}}}\n---\n\
         apiVersion: roadstead.dev/v1alpha1\nkind: Instance\nmetadata: {{name: {name}}}\n\
         spec: {{name: {name}, description: Measured, quota: {{pods: \"100\"}}}}\n"
    )
}

fn set_yaml(setting: Setting, name: &str) -> String {
    let (port, web) = match setting.workers {
        true => ("", "Worker"),
        false => ("port: 8000", "Web"),
    };
    format!(
        r#"
apiVersion: roadstead.dev/v1alpha1
kind: Application
metadata: {{name: {name}-app}}
spec:
  image: docker.io/library/busybox:1.36
  {port}
  containers:
  - {{name: web, kind: {web}, command: [sleep, "86400"]}}
  - {{name: worker, kind: Worker, command: [sleep, "86400"]}}
---
apiVersion: roadstead.dev/v1alpha1
kind: Environment
metadata: {{name: {name}-env}}
spec: {{applicationRef: {{name: {name}-app}}, variables: [{{name: STAGE, value: live}}]}}
---
apiVersion: roadstead.dev/v1alpha1
kind: Service
metadata: {{name: {name}-svc}}
spec: {{classRef: {{name: toy}}}}
---
apiVersion: roadstead.dev/v1alpha1
kind: Cronjob
metadata: {{name: {name}-cron}}
spec: {{environmentRef: {{name: {name}-env}}, command: ["true"], frequency: Daily, time: "02:30"}}
"#
    )
}

/// Declares the sets of this range, and their Instances.
pub async fn declare(client: &Client, setting: Setting, sets: Range<usize>) -> Result<()> {
    manifest::apply(client, CLASS, None).await?;
    let instances: Vec<String> = sets.clone().step_by(SHARE).map(instance).collect();
    stream::iter(instances)
        .map(Ok)
        .try_for_each_concurrent(AT_ONCE, async |name| {
            manifest::apply(client, &instance_yaml(&name), None).await
        })
        .await?;
    stream::iter(sets)
        .map(Ok)
        .try_for_each_concurrent(AT_ONCE, async |n| {
            let ns = format!("instance-{}", instance(n));
            manifest::apply(client, &set_yaml(setting, &set(n)), Some(&ns)).await
        })
        .await
}

/// Makes a volume for each of so many sets.
pub async fn volumes(client: &Client, sets: usize) -> Result<()> {
    manifest::apply(client, STORAGE, None).await?;
    stream::iter(0..sets)
        .map(Ok)
        .try_for_each_concurrent(AT_ONCE, async |n| {
            let volume = format!(
                "apiVersion: v1\nkind: PersistentVolume\nmetadata: {{name: volume{n}}}\nspec:\n  storageClassName: ready\n  \
                 capacity: {{storage: 1Gi}}\n  accessModes: [ReadWriteOnce]\n  hostPath: {{path: /volume{n}}}\n"
            );
            manifest::apply(client, &volume, None).await
        })
        .await
}

/// Everything that is declared, as it stands.
pub async fn declared(client: &Client) -> Result<Vec<DynamicObject>> {
    let kinds = [
        ("Instance", "instances"),
        ("Application", "applications"),
        ("Environment", "environments"),
        ("Service", "managedservices"),
        ("Cronjob", "appcronjobs"),
    ];
    let mut declared = Vec::new();
    for (kind, plural) in kinds {
        let kind = GroupVersionKind::gvk("roadstead.dev", "v1alpha1", kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, plural);
        let all: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        declared.extend(all.list(&ListParams::default()).await?);
    }
    Ok(declared)
}

/// Whether all of it says that it is Ready.
pub async fn is_ready(client: &Client) -> Result<bool> {
    let declared = declared(client).await?;
    Ok(declared.iter().all(|object| {
        let conditions = object.data["status"]["conditions"].as_array();
        let mut conditions = conditions.into_iter().flatten();
        conditions.any(|c| c["type"] == "Ready" && c["status"] == "True")
    }))
}
