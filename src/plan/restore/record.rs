//! What a Restore remembers: one Secret, immutable but for its annotations, made when all that it needs is there.
//!
//! The plan of each Service that gets data reads it: it says what comes from where, and whether what is there now is safe.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    api::Restore,
    plan::{
        Found, Kept, Seen, Step,
        backup::source::Source,
        build::memory::{remember, remembered},
        facts::Secret,
    },
};

const RECORD: &str = "record";

/// A part, as it was when the Restore began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// Name of the Service that gets the data.
    pub into: String,
    /// Its UID; empty where the Service is made by the Restore.
    pub uid: String,
    /// Where the data comes from.
    pub source: Source,
    /// What the Service is to be, where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<New>,
}

/// A Service that the Restore makes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct New {
    /// Its ServiceClass.
    pub class: String,
    /// Its tier.
    pub tier: String,
    /// Its region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// How a part ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// When it ended.
    pub ended_at: String,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a Restore has come to, as far as it must be remembered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// The Services whose present data is safe in a Backup, and those that were made, in which there was none.
    pub safe: BTreeSet<String>,
    /// How parts ended.
    pub outcomes: BTreeMap<String, Outcome>,
    /// When the last one ended.
    pub finished: Option<String>,
}

/// What a Restore remembers.
#[derive(Clone, Debug)]
pub struct Memory {
    /// The Secret.
    pub secret: Found<Secret>,
    /// What comes from where.
    pub parts: Vec<Part>,
    /// What it has come to.
    pub progress: Progress,
}

/// Name of the Secret of a Restore.
pub fn name(restore: &str) -> String {
    format!("{restore}-restore")
}

impl Memory {
    /// What the Restore remembers; nothing where it has not begun, or the Secret was made for another one.
    pub fn of(seen: &Seen<'_>, restore: &Kept) -> Option<Self> {
        let secret = seen.get::<Secret>(&name(&restore.id.name))?;
        let parts = remembered(restore, &secret, RECORD)?;
        let note = |key: &str| secret.kept.annotation(key);
        let read = note("ended").and_then(|text| serde_json::from_str(text).ok());
        let safe = note("safe").unwrap_or_default().split(',');
        let progress = Progress {
            safe: safe.filter(|s| !s.is_empty()).map(str::to_owned).collect(),
            outcomes: read.unwrap_or_default(),
            finished: note("finished-at").map(str::to_owned),
        };
        Some(Self {
            parts,
            progress,
            secret,
        })
    }

    /// When it began.
    pub fn began(&self) -> Timestamp {
        self.secret.kept.created
    }

    /// The part that is for the Service of this UID, which was there before.
    pub fn part(&self, uid: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.uid == uid)
    }

    /// Whether a part has not ended.
    pub fn is_under_way(&self, part: &Part) -> bool {
        !self.progress.outcomes.contains_key(&part.into)
    }

    /// Whether the part for the Service of this UID has not ended.
    pub fn is_open(&self, uid: &str) -> bool {
        self.part(uid).is_some_and(|part| self.is_under_way(part))
    }

    /// Writes down what it has come to, where that is news.
    pub fn note(&self, progress: &Progress) -> Step {
        let kept = &self.secret.kept;
        if *progress == self.progress {
            return Step::Keep(kept.id.clone());
        }
        let safe: Vec<&str> = progress.safe.iter().map(String::as_str).collect();
        let annotations = json!({
            "roadstead.dev/safe": safe.join(","),
            "roadstead.dev/ended": serde_json::to_string(&progress.outcomes).unwrap_or_default(),
            "roadstead.dev/finished-at": progress.finished,
        });
        Step::edit(kept, json!({"metadata": {"annotations": annotations}}))
    }
}

/// Makes the Secret.
pub fn begin(me: &Kept, parts: &[Part]) -> Step {
    remember(me, &name(&me.id.name), RECORD, &parts)
}

/// The Restores that concern a Service, the oldest first, with what they remember.
pub fn into(seen: &Seen<'_>, service: &str) -> Vec<(Found<Restore>, Memory)> {
    let mut all: Vec<(Found<Restore>, Memory)> = seen
        .by_key::<Restore>(&format!("into/{service}"))
        .into_iter()
        .filter(|restore| restore.kept.deleting.is_none())
        .filter_map(|restore| {
            let memory = Memory::of(seen, &restore.kept)?;
            Some((restore, memory))
        })
        .collect();
    all.sort_by_key(|(restore, memory)| (memory.began(), restore.kept.uid.clone()));
    all
}
