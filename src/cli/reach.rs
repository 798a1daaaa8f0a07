//! What the verbs ask of the API server: reads, merge patches of one field, one-shot objects. Never a status.

use std::fmt::Debug;

use kube::{
    Api, Resource, ResourceExt,
    api::{DynamicObject, ListParams, Patch, PatchParams, PostParams},
    core::{NamespaceResourceScope, PartialObjectMeta},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    fail::{Exit, Failure},
    scope::Cluster,
    target::{Target, resource, word},
};
use crate::kinds::Of;

/// The field manager of every write of the plugin.
pub const MANAGER: &str = "kubectl-roadstead";

impl Cluster {
    /// A kind by its type, in the namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// A kind by its word, in the namespace where it has one.
    pub fn dynamic(&self, of: Of) -> Api<DynamicObject> {
        let entry = of.entry();
        if entry.namespaced {
            Api::namespaced_with(self.client.clone(), &self.namespace, &resource(entry))
        } else {
            Api::all_with(self.client.clone(), &resource(entry))
        }
    }

    /// An object by its type.
    pub async fn get<K>(&self, of: Of, name: &str) -> Result<K, Failure>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + Debug,
    {
        let target = Target::new(of, name);
        match self.api::<K>().get(name).await {
            Ok(object) => Ok(object),
            Err(e) => Err(self.missing(&target, &e).await),
        }
    }

    /// An object by its word.
    pub async fn read(&self, target: &Target) -> Result<DynamicObject, Failure> {
        match self.dynamic(target.of).get(&target.name).await {
            Ok(object) => Ok(object),
            Err(e) => Err(self.missing(target, &e).await),
        }
    }

    /// An object by its word, or nothing where there is none.
    pub async fn find(&self, target: &Target) -> Result<Option<DynamicObject>, Failure> {
        let found = self.dynamic(target.of).get_opt(&target.name).await;
        found.map_err(|e| Failure::from_api(&e, &format!("read {target}")))
    }

    /// All objects of a kind in the namespace.
    pub async fn list<K>(&self, of: Of) -> Result<Vec<K>, Failure>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + Debug,
    {
        let list = self.api::<K>().list(&ListParams::default()).await;
        let doing = || format!("list {} in {}", of.entry().plural, self.namespace);
        Ok(list.map_err(|e| Failure::from_api(&e, &doing()))?.items)
    }

    /// The names of a kind's objects.
    pub async fn names(&self, of: Of) -> Result<Vec<String>, kube::Error> {
        let params = ListParams::default();
        let names = self.dynamic(of).list_metadata(&params).await?.items;
        Ok(names.iter().map(PartialObjectMeta::name_any).collect())
    }

    /// Changes fields of an object's spec, as an edit by hand would.
    pub async fn edit(&self, target: &Target, spec: Value) -> Result<DynamicObject, Failure> {
        let params = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patch = Patch::Merge(serde_json::json!({ "spec": spec }));
        let api = self.dynamic(target.of);
        let patched = api.patch(&target.name, &params, &patch).await;
        patched.map_err(|e| Failure::from_api(&e, &format!("change {target}")))
    }

    /// Makes a one-shot object under the first name that is free: each attempt gives it another.
    pub async fn create<K>(&self, doing: &str, object: impl Fn(u64) -> K) -> Result<K, Failure>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + Serialize
            + Debug,
    {
        const ATTEMPTS: u64 = 5;
        let params = PostParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PostParams::default()
        };
        let api = self.api::<K>();
        let mut attempt = 0;
        loop {
            attempt += 1;
            match api.create(&params, &object(attempt)).await {
                Ok(made) => return Ok(made),
                Err(kube::Error::Api(status))
                    if status.reason == "AlreadyExists" && attempt < ATTEMPTS => {}
                Err(e) => return Err(Failure::from_api(&e, doing)),
            }
        }
    }

    /// Why an object could not be read; where it is not there, what is.
    async fn missing(&self, target: &Target, error: &kube::Error) -> Failure {
        let failure = Failure::from_api(error, &format!("read {target}"));
        if failure.exit != Exit::NotFound {
            return failure;
        }
        let place = if target.of.entry().namespaced {
            format!(" in namespace {}", self.namespace)
        } else {
            String::new()
        };
        let names = self.names(target.of).await.unwrap_or_default();
        let fix = if names.is_empty() {
            format!(
                "there is no {} at all{place}: name another namespace with -n or --instance",
                word(target.of)
            )
        } else {
            format!("name one of: {}", few(&names))
        };
        Failure::new(Exit::NotFound, format!("there is no {target}{place}"), fix)
    }
}

/// The first few of many names.
pub fn few(names: &[String]) -> String {
    const FEW: usize = 8;
    let more = names.len().saturating_sub(FEW);
    let shown = names[..names.len().min(FEW)].join(", ");
    if more == 0 {
        shown
    } else {
        format!("{shown} and {more} more")
    }
}

/// Who else writes a field of the spec and would set it back: GitOps tools and Helm.
pub fn keeper<'a>(object: &'a DynamicObject, field: &str) -> Option<&'a str> {
    let entry = format!("f:{field}");
    let fields = object
        .metadata
        .managed_fields
        .as_deref()
        .unwrap_or_default();
    let owns = |fields: &Value| fields.pointer(&format!("/f:spec/{entry}")).is_some();
    fields
        .iter()
        .filter(|m| m.fields_v1.as_ref().is_some_and(|f| owns(&f.0)))
        .filter_map(|m| m.manager.as_deref())
        .find(|name| {
            ["argocd", "kustomize-controller", "helm", "flux"]
                .iter()
                .any(|tool| name.contains(tool))
        })
}

/// The object as programs get it: without the record of field managers.
pub fn bare<K: Resource + Clone>(object: &K) -> K {
    let mut object = object.clone();
    object.meta_mut().managed_fields = None;
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn managed(manager: &str, fields: Value) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "roadstead.dev/v1alpha1", "kind": "Environment",
            "metadata": {"name": "x", "managedFields": [{"manager": manager, "operation": "Update", "fieldsV1": fields}]},
        }))
        .unwrap()
    }

    #[test]
    fn a_field_that_git_keeps_is_known() {
        let kept = managed("argocd-controller", json!({"f:spec": {"f:state": {}}}));
        assert_eq!(keeper(&kept, "state"), Some("argocd-controller"));
        assert_eq!(keeper(&kept, "image"), None);
        let by_hand = managed("kubectl-edit", json!({"f:spec": {"f:state": {}}}));
        assert_eq!(keeper(&by_hand, "state"), None);
    }

    #[test]
    fn few_names_are_enough() {
        let names: Vec<String> = (0..10).map(|n| format!("n{n}")).collect();
        assert_eq!(few(&names[..2]), "n0, n1");
        assert!(few(&names).ends_with("n7 and 2 more"));
    }
}
