//! What comes over the wire: an object is decoded into what is kept of it, and nothing else.

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

use jiff::Timestamp;
use kube::{
    Resource,
    api::{ApiResource, ObjectMeta},
};
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_64;

use super::fields;
use crate::{
    api,
    kinds::Entry,
    plan::{Body, Id, Kept},
};

/// An object as it came: enough metadata for a watch to go on, and the text of all of it.
#[derive(Clone)]
pub struct Wire {
    meta: ObjectMeta,
    raw: Box<RawValue>,
}

/// A body that could not be decoded: it is kept so that the object is known to be there, and no plan ever finds it.
#[derive(Debug)]
pub struct Unreadable(pub String);

/// An object as it goes into a store.
pub struct Fresh {
    /// What plans see of it.
    pub kept: Kept,
    /// Hash of the fields that our manager applied; 0 if there are none.
    pub fields: u64,
    /// Whether `spec.replicas` is among them.
    pub replicas: bool,
    /// Its status as text: of our own kinds only.
    pub status: Option<Arc<str>>,
    /// Who last changed its spec: of our own kinds only.
    pub by: Option<Arc<str>>,
    /// Whether its status is about an older generation.
    pub behind: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Brief<'a> {
    #[serde(borrow)]
    metadata: Meta<'a>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Told {
    observed_generation: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Meta<'a> {
    name: String,
    namespace: Option<String>,
    uid: String,
    resource_version: String,
    generation: i64,
    creation_timestamp: Option<String>,
    deletion_timestamp: Option<String>,
    finalizers: Vec<String>,
    #[serde(deserialize_with = "prefixed")]
    labels: BTreeMap<Box<str>, Box<str>>,
    #[serde(deserialize_with = "prefixed")]
    annotations: BTreeMap<Box<str>, Box<str>>,
    owner_references: Vec<Owner>,
    #[serde(borrow)]
    managed_fields: Vec<Managed<'a>>,
}

#[derive(Deserialize)]
struct Owner {
    #[serde(default)]
    uid: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Managed<'a> {
    #[serde(default, borrow)]
    manager: Cow<'a, str>,
    #[serde(default, borrow)]
    operation: Cow<'a, str>,
    #[serde(default, borrow)]
    subresource: Cow<'a, str>,
    #[serde(borrow, rename = "fieldsV1")]
    fields: Option<&'a RawValue>,
}

/// Only the entries of our group, by the part after `roadstead.dev/`.
fn prefixed<'de, D: Deserializer<'de>>(d: D) -> Result<BTreeMap<Box<str>, Box<str>>, D::Error> {
    let all = Option::<BTreeMap<Cow<'de, str>, Cow<'de, str>>>::deserialize(d)?;
    let ours = |key: &str| {
        let rest = key.strip_prefix(api::GROUP)?.strip_prefix('/')?;
        Some(Box::<str>::from(rest))
    };
    let entries = all.unwrap_or_default().into_iter();
    Ok(entries
        .filter_map(|(k, v)| Some((ours(&k)?, v.into())))
        .collect())
}

impl<'de> Deserialize<'de> for Wire {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Least {
            metadata: LeastMeta,
        }
        #[derive(Default, Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        struct LeastMeta {
            name: Option<String>,
            namespace: Option<String>,
            resource_version: Option<String>,
        }
        let raw = Box::<RawValue>::deserialize(d)?;
        let least: Least = serde_json::from_str(raw.get()).map_err(de::Error::custom)?;
        let meta = ObjectMeta {
            name: least.metadata.name,
            namespace: least.metadata.namespace,
            resource_version: least.metadata.resource_version,
            ..ObjectMeta::default()
        };
        Ok(Self { meta, raw })
    }
}

/// Never shows what is in it: it may be a Secret.
impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Wire").field(&self.meta.name).finish()
    }
}

impl Resource for Wire {
    type DynamicType = ApiResource;
    type Scope = kube::core::DynamicResourceScope;

    fn kind(r: &ApiResource) -> Cow<'_, str> {
        r.kind.as_str().into()
    }
    fn group(r: &ApiResource) -> Cow<'_, str> {
        r.group.as_str().into()
    }
    fn version(r: &ApiResource) -> Cow<'_, str> {
        r.version.as_str().into()
    }
    fn api_version(r: &ApiResource) -> Cow<'_, str> {
        r.api_version.as_str().into()
    }
    fn plural(r: &ApiResource) -> Cow<'_, str> {
        r.plural.as_str().into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

/// How the API server is asked for a kind.
pub fn resource(entry: &Entry) -> ApiResource {
    ApiResource {
        group: entry.group.to_owned(),
        version: entry.version.to_owned(),
        api_version: entry.api_version(),
        kind: entry.kind.to_owned(),
        plural: entry.plural.to_owned(),
    }
}

impl Wire {
    /// The object's text, for the few that read more of a live object than is kept.
    pub fn text(&self) -> &str {
        self.raw.get()
    }

    /// What is kept of it.
    pub fn keep(&self, entry: &Entry) -> Result<Fresh, serde_json::Error> {
        let Brief { metadata, status } = serde_json::from_str(self.raw.get())?;
        let time = |t: &Option<String>| t.as_deref().and_then(|t| t.parse::<Timestamp>().ok());
        let body = (entry.decode)(self.raw.get()).unwrap_or_else(|error| unreadable(&error));
        let mut metadata = metadata;
        let owner = metadata.labels.remove("owner").map(Arc::<str>::from);
        let owned = owner
            .as_deref()
            .is_some_and(|o| metadata.owner_references.iter().any(|r| r.uid == o));
        let ours = metadata.ours();
        let mut annotations = metadata.annotations;
        let applied = annotations.remove("applied");
        // Who made it is for people; who changed it is read once, when it comes.
        annotations.remove(api::CREATED_BY);
        let by = annotations.remove(api::CHANGED_BY);
        let status = status.filter(|_| entry.plan.is_some());
        let told = status.and_then(|s| serde_json::from_str::<Told>(s.get()).ok());
        let known = told.and_then(|told| told.observed_generation);
        // The API server fills in a generation before all others, where nothing has been told yet.
        let known = known.filter(|known| *known >= 0);
        let kept = Kept {
            id: Id::new(
                entry.of,
                metadata.namespace.unwrap_or_default(),
                metadata.name,
            ),
            uid: metadata.uid.into(),
            rv: metadata.resource_version.parse().unwrap_or(0),
            generation: metadata.generation,
            created: time(&metadata.creation_timestamp).unwrap_or(Timestamp::UNIX_EPOCH),
            deleting: time(&metadata.deletion_timestamp),
            held: metadata.finalizers.iter().any(|f| f == api::FINALIZER),
            labels: metadata.labels.into(),
            annotations: annotations.into(),
            owner,
            owned,
            applied: applied
                .and_then(|a| u64::from_str_radix(&a, 16).ok())
                .unwrap_or(0),
            ours: ours.map(Into::into),
            foreign: match entry.plan {
                Some(_) => None,
                None => foreign(&metadata.managed_fields),
            },
            keys: (entry.keys)(&body).into_iter().map(Into::into).collect(),
            body,
        };
        Ok(Fresh {
            fields: ours.map_or(0, |o| xxh3_64(o.as_bytes())),
            replicas: ours.is_some_and(fields::owns_replicas),
            status: status.map(|s| s.get().into()),
            by: by.map(Into::into),
            behind: known.is_some_and(|known| known < metadata.generation),
            kept,
        })
    }
}

fn unreadable(error: &serde_json::Error) -> Body {
    Arc::new(Unreadable(format!(
        "line {} column {}",
        error.line(),
        error.column()
    )))
}

impl<'a> Meta<'a> {
    fn ours(&self) -> Option<&'a str> {
        let mut entries = self.managed_fields.iter();
        let ours = entries.find(|m| {
            m.manager == api::MANAGER && m.operation == "Apply" && m.subresource.is_empty()
        })?;
        ours.fields.map(RawValue::get)
    }
}

/// Managers whose fields in a child's spec are no surprise: ourselves, and Kubernetes' own controllers.
const EXPECTED: [&str; 6] = [
    api::MANAGER,
    api::HANDOVER,
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-apiserver",
];

fn foreign(managed: &[Managed<'_>]) -> Option<Arc<str>> {
    let strange = managed.iter().find(|m| {
        m.subresource.is_empty()
            && !EXPECTED.contains(&&*m.manager)
            && m.fields.is_some_and(|f| fields::holds_spec(f.get()))
    })?;
    Some(strange.manager.as_ref().into())
}
