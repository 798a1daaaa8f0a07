//! What we decide: from an object and what is seen of the world to a plan. Pure: no async, no client, no clock, no randomness.
//!
//! The whole vocabulary is here and in `seen.rs`; `facts.rs` says what is kept of Kubernetes' own kinds; every other file is a
//! kind of the same name as in `api/`.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod build;
pub mod facts;
pub mod home;
pub mod seen;
pub mod verdict;

mod application;
mod application_template;
pub mod backup;
mod cronjob;
mod environment;
mod instance;
mod release;
mod restore;
mod service;
mod service_class;

use jiff::Timestamp;
use serde_json::Value;

pub use seen::{Body, Found, Id, Kept, Read, Seen, Watched, World};

/// A kind of ours: something that people declare and we plan.
pub trait Kind: Watched {
    /// Everything that should be, given what is. Total: what is wrong becomes a condition that tells a person what to do.
    fn plan(&self, me: &Kept, seen: &Seen<'_>, now: Timestamp) -> Plan;
}

/// What should be done about one object now.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Children and the few other deeds, carried out in this order. What is ours, has our owner reference and is not named here is pruned.
    pub steps: Vec<Step>,
    /// The object's status, whole. Transition times, `since` of blockers and `observedGeneration` are filled in when it is written.
    pub status: Value,
    /// When to plan again though nothing changes: only where time itself is the cause.
    pub wake: Option<Timestamp>,
    /// Whether our finalizer stands on the object: added before the first step, removed once a deleted object's plan no longer holds it.
    pub hold: bool,
}

/// One deed of a plan.
#[derive(Clone, Debug)]
pub enum Step {
    /// Server-side apply, if what stands there differs.
    Apply(Want),
    /// POST, if nothing stands there; never changed afterwards. Parts of it may be filled in by the engine.
    Create(Want, Vec<Fill>),
    /// It stays as it is: neither written nor pruned.
    Keep(Id),
    /// Merge patch of an object that must exist with this UID and be no newer than what was seen.
    Edit(Edit, Vec<Fill>),
    /// Delete the object of this UID, after a look at the live one.
    Delete(Gone),
    /// Give the live `replicas` of a workload to a field manager of its own, so that ours may let go of it without a dip.
    Handover(Id, i32),
}

/// An object as it should be.
#[derive(Clone, Debug)]
pub struct Want {
    /// Which object.
    pub id: Id,
    /// All of it, with `apiVersion`, `kind` and `metadata`; no `null` and no empty list.
    pub body: Value,
}

/// A change of an object that stands.
#[derive(Clone, Debug)]
pub struct Edit {
    /// Which object.
    pub id: Id,
    /// Its UID: another of the same name is left alone.
    pub uid: String,
    /// The resource version that the decision was made on.
    pub rv: u64,
    /// JSON merge patch.
    pub patch: Value,
}

impl Edit {
    /// A change of an object as it was seen.
    pub fn of(kept: &Kept, patch: Value) -> Self {
        Self {
            id: kept.id.clone(),
            uid: kept.uid.to_string(),
            rv: kept.rv,
            patch,
        }
    }
}

impl Step {
    /// Lays a merge patch over an object as it was seen.
    pub fn edit(kept: &Kept, patch: Value) -> Self {
        Self::Edit(Edit::of(kept, patch), Vec::new())
    }

    /// Deletes an object that was seen.
    pub fn delete(kept: &Kept) -> Self {
        Self::Delete(Gone {
            id: kept.id.clone(),
            uid: kept.uid.to_string(),
        })
    }
}

/// An object that should go.
#[derive(Clone, Debug)]
pub struct Gone {
    /// Which object.
    pub id: Id,
    /// Its UID: another of the same name is left alone.
    pub uid: String,
}

/// A key of a Secret's data that only the engine can know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The key in `data`.
    pub key: String,
    /// What its value is put together from.
    pub parts: Vec<Part>,
}

/// A part of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// As it stands here.
    Text(String),
    /// One key of a Secret in the same namespace, read when the object is made.
    Secret {
        /// Name of the Secret.
        name: String,
        /// Key in its data.
        key: String,
    },
    /// So many random letters and digits.
    Random(usize),
}
