//! By what objects are found besides their names: who they were made for, the keys that they answer to, and their UIDs.
//!
//! What is listed is short, and there is a list for nearly every object: ordered slices take a fraction of what sets take.

use std::{collections::HashMap, sync::Arc};

use crate::{
    kinds::Of,
    plan::{Id, Kept},
};

/// A kind, a namespace and a key.
type Key = (Of, Arc<str>, Arc<str>);

/// The indices over all stores.
#[derive(Default)]
pub(super) struct Index {
    owned: HashMap<Arc<str>, Vec<Id>>,
    keys: HashMap<Key, Vec<Arc<str>>>,
    uids: HashMap<Arc<str>, Id>,
}

fn insert<T: Ord>(list: &mut Vec<T>, one: T) {
    if let Err(at) = list.binary_search(&one) {
        // Most stay as long as they become at first.
        list.reserve_exact(1);
        list.insert(at, one);
    }
}

fn remove<T: Ord>(list: &mut Vec<T>, one: &T) {
    if let Ok(at) = list.binary_search(one) {
        list.remove(at);
    }
}

impl Index {
    /// What is labelled as made for this UID, ordered by kind, namespace and name.
    pub(super) fn owned(&self, uid: &str) -> &[Id] {
        self.owned.get(uid).map_or(&[], Vec::as_slice)
    }

    /// The names of the objects of a kind in a namespace that answer to a key, in order.
    pub(super) fn keyed(&self, of: Of, ns: &Arc<str>, key: &str) -> &[Arc<str>] {
        let names = self.keys.get(&(of, ns.clone(), key.into()));
        names.map_or(&[], Vec::as_slice)
    }

    /// The object of this UID, if its kind is planned.
    pub(super) fn planned(&self, uid: &str) -> Option<&Id> {
        self.uids.get(uid)
    }

    /// Every object whose kind is planned.
    pub(super) fn all(&self) -> impl Iterator<Item = &Id> {
        self.uids.values()
    }

    /// The same owner, where it is known, without a copy of its UID.
    pub(super) fn shared(&self, owner: &Arc<str>) -> Arc<str> {
        let known = self.uids.get_key_value(owner);
        known.map_or(owner, |(uid, _)| uid).clone()
    }

    /// An object is there, or is another than it was.
    pub(super) fn enlist(&mut self, kept: &Kept) {
        if kept.id.of.entry().plan.is_some() {
            self.uids.insert(kept.uid.clone(), kept.id.clone());
        }
        if let Some(owner) = &kept.owner {
            let ids = self.owned.entry(owner.clone()).or_default();
            insert(ids, kept.id.clone());
        }
        for key in &kept.keys {
            let key = (kept.id.of, kept.id.ns.clone(), key.clone());
            let names = self.keys.entry(key).or_default();
            insert(names, kept.id.name.clone());
        }
    }

    /// An object is no longer what it was: it is gone, or this instead.
    pub(super) fn unlist(&mut self, kept: &Kept, new: Option<&Kept>) {
        if new.is_none_or(|n| n.uid != kept.uid) {
            self.uids.remove(&kept.uid);
        }
        if let Some(owner) = &kept.owner
            && new.is_none_or(|n| n.owner != kept.owner)
            && let Some(ids) = self.owned.get_mut(owner)
        {
            remove(ids, &kept.id);
            if ids.is_empty() {
                self.owned.remove(owner);
            }
        }
        for key in &kept.keys {
            let key = (kept.id.of, kept.id.ns.clone(), key.clone());
            if let Some(names) = self.keys.get_mut(&key) {
                remove(names, &kept.id.name);
                if names.is_empty() {
                    self.keys.remove(&key);
                }
            }
        }
    }
}
