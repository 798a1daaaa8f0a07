//! The first object: made once in the life of a cluster, remembered on the Lease, so that one that was deleted stays deleted.

use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams},
};
use serde_json::json;
use std::time::Duration;
use tracing::{info, warn};

use super::{client::within, lease, trouble::Cause};
use crate::api;

const DEADLINE: Duration = Duration::from_secs(20);
const RETRY: Duration = Duration::from_secs(5);

/// Something to be made once.
#[derive(Clone, Debug)]
pub struct Seed {
    /// The annotation on the Lease that remembers it.
    pub mark: &'static str,
    /// Its plural, as in URLs.
    pub plural: &'static str,
    /// All of it.
    pub manifest: DynamicObject,
}

impl Seed {
    /// See to it that it was made once, however long that takes.
    pub async fn plant(self, client: Client, ns: String) {
        while let Err(cause) = self.attempt(&client, &ns).await {
            warn!(?cause, mark = self.mark, "the first object is not made yet");
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn attempt(&self, client: &Client, ns: &str) -> Result<(), Cause> {
        let leases: Api<Lease> = Api::namespaced(client.clone(), ns);
        let lease = within(DEADLINE, leases.get(lease::NAME)).await?;
        let annotations = lease.metadata.annotations.unwrap_or_default();
        if annotations.contains_key(self.mark) {
            return Ok(());
        }
        let types = self.manifest.types.clone().unwrap_or_default();
        let gvk = kube::api::GroupVersionKind::try_from(&types)
            .map_err(|e| Cause::Invalid(e.to_string()))?;
        let resource = ApiResource::from_gvk_with_plural(&gvk, self.plural);
        let objects: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        let params = PostParams {
            field_manager: Some(api::MANAGER.to_owned()),
            ..PostParams::default()
        };
        match within(DEADLINE, objects.create(&params, &self.manifest)).await {
            Ok(_) => info!(kind = gvk.kind, "the first object is made"),
            Err(Cause::Exists) => {}
            Err(cause) => return Err(cause),
        }
        let mark = json!({"metadata": {"annotations": {self.mark: "made"}}});
        let patch = Patch::Merge(mark);
        within(
            DEADLINE,
            leases.patch(lease::NAME, &PatchParams::default(), &patch),
        )
        .await?;
        Ok(())
    }
}
