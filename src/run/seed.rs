//! The first object: made once in the life of a cluster, remembered on the Lease, so that one that was deleted stays deleted.
//!
//! It also serves to find out whether the API server takes our objects yet. It knows a new kind at once, but policies that write into
//! objects of it only some seconds later, and refuses them until then.

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
/// After how long the API server is asked again whether it takes our objects; twice as long each time.
const AGAIN: Duration = Duration::from_millis(500);

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
        match self.create(client, false).await {
            Ok(()) => info!(of = self.plural, "the first object is made"),
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

    /// Waits until the API server takes such an object; nothing is made.
    pub async fn is_taken(&self, client: &Client) {
        let mut wait = AGAIN;
        loop {
            match self.create(client, true).await {
                Err(cause) if !answers(&cause) => {
                    warn!(
                        ?cause,
                        of = self.plural,
                        "the API server does not take our kinds yet"
                    );
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(RETRY);
                }
                _ => return,
            }
        }
    }

    async fn create(&self, client: &Client, dry_run: bool) -> Result<(), Cause> {
        let types = self.manifest.types.clone().unwrap_or_default();
        let gvk = kube::api::GroupVersionKind::try_from(&types)
            .map_err(|e| Cause::Invalid(e.to_string()))?;
        let resource = ApiResource::from_gvk_with_plural(&gvk, self.plural);
        let objects: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        let params = PostParams {
            dry_run,
            field_manager: Some(api::MANAGER.to_owned()),
        };
        let created = within(DEADLINE, objects.create(&params, &self.manifest)).await;
        created.map(|_| ())
    }
}

/// Whether this is an answer about the object, rather than none.
fn answers(cause: &Cause) -> bool {
    !matches!(
        cause,
        Cause::NotFound | Cause::Busy(_) | Cause::Unreachable(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_is_there_or_refused_was_looked_at_and_one_of_an_unknown_kind_was_not() {
        assert!(answers(&Cause::Exists));
        assert!(answers(&Cause::Invalid("denied".to_owned())));
        assert!(!answers(&Cause::NotFound));
        assert!(!answers(&Cause::Unreachable(
            "503 ServiceUnavailable".to_owned()
        )));
    }
}
