//! Enforces NetworkPolicy on one node, so that isolation is proven with packets.
//!
//! Runs in the node's network namespace, watches pods, namespaces and policies, and replaces one table of nftables whenever what
//! they mean for this node has changed. Test equipment: it shares no code with the product that it judges.

pub mod rules;
pub mod selector;

use std::{collections::BTreeMap, path::Path, process::Command, time::Duration};

use anyhow::{Context, Result};
use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::{
    core::v1::{Namespace, Pod},
    networking::v1::NetworkPolicy,
};
use kube::{
    Api, Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
    runtime::{
        WatchStreamExt, reflector,
        reflector::{Store, store::Writer},
        watcher,
    },
};

use crate::run;
use rules::World;

/// Changes that come within this time are carried out together.
const TOGETHER: Duration = Duration::from_millis(50);
/// So many at most, or a busy cluster would put them off for ever.
const AT_MOST: usize = 20;

/// Enforces the policies on the pods of this node until it is ended.
pub async fn enforce(kubeconfig: &Path, node: &str) -> Result<()> {
    let options = KubeConfigOptions::default();
    let config =
        Config::from_custom_kubeconfig(Kubeconfig::read_from(kubeconfig)?, &options).await?;
    let client = Client::try_from(config)?;
    let (pods, pod_changes) = watch::<Pod>(client.clone());
    let (namespaces, namespace_changes) = watch::<Namespace>(client.clone());
    let (policies, policy_changes) = watch::<NetworkPolicy>(client);
    let changes = stream::select_all([pod_changes, namespace_changes, policy_changes]);
    let mut changes = std::pin::pin!(changes);
    let mut applied = String::new();
    let mut synced = false;
    loop {
        // Until all three are known, a table would cut off pods whose policies or peers are not yet seen.
        let ready = async {
            tokio::try_join!(
                pods.wait_until_ready(),
                namespaces.wait_until_ready(),
                policies.wait_until_ready()
            )
        };
        if synced || matches!(tokio::time::timeout(Duration::ZERO, ready).await, Ok(Ok(_))) {
            synced = true;
            let table = rules::table(&see(&pods, &namespaces, &policies), node);
            if table != applied {
                run::feed(Command::new("nft").args(["-f", "-"]), &table)
                    .context("nft refuses the table")?;
                applied = table;
            }
        }
        changes.next().await.context("the watches ended")?;
        for _ in 0..AT_MOST {
            if tokio::time::timeout(TOGETHER, changes.next())
                .await
                .is_err()
            {
                break;
            }
        }
    }
}

type Changes = std::pin::Pin<Box<dyn Stream<Item = ()> + Send>>;

fn watch<K>(client: Client) -> (Store<K>, Changes)
where
    K: kube::Resource<DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + Send
        + Sync
        + serde::de::DeserializeOwned
        + 'static,
{
    let writer = Writer::<K>::default();
    let store = writer.as_reader();
    let events = watcher(Api::all(client), watcher::Config::default()).default_backoff();
    let changes = reflector(writer, events).map(|event| {
        if let Err(error) = event {
            eprintln!("watch: {error}");
        }
    });
    (store, Box::pin(changes))
}

fn see(pods: &Store<Pod>, namespaces: &Store<Namespace>, policies: &Store<NetworkPolicy>) -> World {
    let labels = |n: &Namespace| {
        (
            n.metadata.name.clone().unwrap_or_default(),
            n.metadata.labels.clone().unwrap_or_default(),
        )
    };
    World {
        pods: pods.state().iter().map(|p| Pod::clone(p)).collect(),
        namespaces: namespaces
            .state()
            .iter()
            .map(|n| labels(n))
            .collect::<BTreeMap<_, _>>(),
        policies: policies
            .state()
            .iter()
            .map(|p| NetworkPolicy::clone(p))
            .collect(),
    }
}
