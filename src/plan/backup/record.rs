//! What a Backup remembers: one Secret, immutable but for its annotations, made before the first snapshot is asked for.
//!
//! It says what was backed up and under which password its data opens: both stay when the Service goes. The annotations say how
//! each part ended, which is only known later.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    kinds::Of,
    plan::{
        Fill, Found, Kept, Part as Text, Seen, Step,
        build::meta::Child,
        facts::{self, Secret},
    },
};

/// Key in the Secret: what was backed up.
const RECORD: &str = "record";
/// Annotation: how each part ended.
const ENDED: &str = "ended";
/// Annotation: the Services whose snapshots were taken while their data was held still.
const HELD: &str = "held";
/// Annotation: the VolumeGroupSnapshotClasses whose groups were given up.
const APART: &str = "apart";
/// Annotation: when the last part ended.
const FINISHED: &str = "finished-at";
/// The keys under which the account of a Service stands.
pub const ACCOUNT: [&str; 3] = ["username", "password", "database"];

/// A part, as it was when the Backup began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// Name of the Service.
    pub service: String,
    /// Its UID.
    pub uid: String,
    /// Its ServiceClass.
    pub class: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_: String,
    /// Its tier.
    pub tier: String,
    /// Its region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// What its variables began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The volume with its data; nothing where it could not be snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<Volume>,
    /// The Secret with the account that its data opens with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Whether its data is held still while the snapshot is taken: its class says how, and it runs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hold: bool,
    /// Why it could not be backed up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A volume with data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Its claim.
    pub claim: String,
    /// How big the claim is.
    pub size: String,
    /// The StorageClass of the claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// The VolumeSnapshotClass that its snapshot is taken by.
    pub snapshot_class: String,
    /// The VolumeGroupSnapshotClass by which it is taken at one instant with others; nothing where it is taken alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_class: Option<String>,
}

/// How a part ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The instant whose data it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<String>,
    /// When it ended.
    pub ended_at: String,
    /// Bytes that it takes when it is restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<i64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The VolumeSnapshot, where it was made for a group: its name is not ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
}

/// What a Backup remembers.
#[derive(Clone, Debug)]
pub struct Memory {
    /// The Secret.
    pub secret: Found<Secret>,
    /// What was backed up.
    pub parts: Vec<Part>,
    /// How parts ended, by the name of the Service.
    pub outcomes: BTreeMap<String, Outcome>,
    /// The Services whose snapshots were taken while their data was held still.
    pub held: BTreeSet<String>,
    /// The VolumeGroupSnapshotClasses whose groups were given up: those volumes are taken one by one.
    pub apart: BTreeSet<String>,
    /// When the last one ended.
    pub finished: Option<String>,
}

/// Name of the Secret of a Backup.
pub fn name(backup: &str) -> String {
    format!("{backup}-backup")
}

/// Name of the snapshot of a part.
pub fn snapshot(backup: &str, service: &str) -> String {
    format!("{backup}-{service}-0")
}

/// The key under which a value of a Service's account stands.
pub fn key(service: &str, key: &str) -> String {
    format!("{service}.{key}")
}

impl Memory {
    /// What the Backup of this name remembers; nothing where it has not begun, or the Secret was made for another one.
    pub fn of(seen: &Seen<'_>, backup: &Kept) -> Option<Self> {
        let secret = seen.get::<facts::Secret>(&name(&backup.id.name))?;
        if secret.kept.owner.as_deref() != Some(&*backup.uid) {
            return None;
        }
        let parts = serde_json::from_str(secret.text(RECORD)?).ok()?;
        let outcomes = secret.kept.annotation(ENDED);
        Some(Self {
            held: list(&secret, HELD),
            apart: list(&secret, APART),
            parts,
            outcomes: outcomes
                .and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or_default(),
            finished: secret.kept.annotation(FINISHED).map(str::to_owned),
            secret,
        })
    }

    /// When it began.
    pub fn began(&self) -> Timestamp {
        self.secret.kept.created
    }

    /// The part of this Service.
    pub fn part(&self, service: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.service == service)
    }

    /// Whether a part can be restored.
    pub fn is_good(&self, service: &str) -> bool {
        let outcome = self.outcomes.get(service);
        outcome.is_some_and(|outcome| outcome.error.is_none())
    }

    /// The Secret stays as it is.
    pub fn keep(&self) -> Step {
        Step::Keep(self.secret.kept.id.clone())
    }

    /// Writes down how parts ended, which were taken while they were held, which groups were given up, and when the last one ended.
    pub fn note(
        &self,
        outcomes: &BTreeMap<String, Outcome>,
        held: &BTreeSet<String>,
        apart: &BTreeSet<String>,
        finished: Option<Timestamp>,
    ) -> Step {
        let kept = &self.secret.kept;
        let ended = serde_json::to_string(outcomes).unwrap_or_default();
        let mut annotations = json!({
            "roadstead.dev/ended": ended,
            "roadstead.dev/held": joined(held),
            "roadstead.dev/finished-at": finished.map(|at| at.to_string()),
        });
        if let Some(apart) = joined(apart) {
            annotations["roadstead.dev/apart"] = json!(apart);
        }
        Step::edit(kept, json!({"metadata": {"annotations": annotations}}))
    }
}

fn list(secret: &Found<Secret>, annotation: &str) -> BTreeSet<String> {
    let said = secret.kept.annotation(annotation).unwrap_or_default();
    let names = said.split(',').filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

fn joined(names: &BTreeSet<String>) -> Option<String> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    (!names.is_empty()).then(|| names.join(","))
}

/// Makes the Secret.
pub fn begin(me: &Kept, parts: &[Part]) -> Step {
    let text = serde_json::to_string(parts).unwrap_or_default();
    let mut fills = vec![Fill {
        key: RECORD.to_owned(),
        parts: vec![Text::Text(text)],
    }];
    for part in parts {
        let Some(account) = &part.account else {
            continue;
        };
        fills.extend(ACCOUNT.iter().map(|word| Fill {
            key: key(&part.service, word),
            parts: vec![Text::Secret {
                name: account.clone(),
                key: (*word).to_owned(),
            }],
        }));
    }
    let want = Child::of(me, Of::Secret, name(&me.id.name))
        .field("type", json!("Opaque"))
        .field("immutable", json!(true))
        .want();
    Step::Create(want, fills)
}

/// Asks for the snapshot of a part.
pub fn take(me: &Kept, part: &Part, volume: &Volume) -> Step {
    let spec = json!({
        "volumeSnapshotClassName": volume.snapshot_class,
        "source": {"persistentVolumeClaimName": volume.claim},
    });
    let name = snapshot(&me.id.name, &part.service);
    let want = Child::of(me, Of::VolumeSnapshot, name)
        .label(crate::api::SERVICE, part.service.clone())
        .that_stays()
        .field("spec", spec)
        .want();
    Step::Create(want, Vec::new())
}
