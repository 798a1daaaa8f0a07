//! The stores as one plan sees them.

use std::{cell::RefCell, sync::Arc};

use super::{cache::Cache, stores::Stores};
use crate::{
    kinds::{Of, Watch},
    plan::{Id, Kept, World, home::namespace_of},
};

/// The stores as one plan sees them. It notes a question that cannot be answered yet: such a plan must not be acted on.
pub struct View<'a> {
    cache: &'a Cache,
    me: &'a Id,
    early: RefCell<Option<(Of, Arc<str>)>>,
}

impl<'a> View<'a> {
    /// The stores as the plan of `me` sees them.
    pub fn new(cache: &'a Cache, me: &'a Id) -> Self {
        Self {
            cache,
            me,
            early: RefCell::default(),
        }
    }

    /// What was asked for before its watch was whole.
    pub fn early(&self) -> Option<(Of, Arc<str>)> {
        self.early.borrow().clone()
    }

    fn ask<T>(&self, of: Of, ns: &Arc<str>, look: impl FnOnce(&Stores) -> T) -> T {
        self.cache.read(|stores| {
            // An Instance makes the rights that its namespace is watched by: it cannot wait for them.
            let exempt = of.entry().watch == Watch::InInstances && self.me.ns.is_empty();
            if !exempt && !stores.synced(of, ns) {
                *self.early.borrow_mut() = Some((of, ns.clone()));
            }
            look(stores)
        })
    }
}

impl World for View<'_> {
    fn get(&self, id: &Id) -> Option<Arc<Kept>> {
        self.ask(id.of, &id.ns, |s| s.record(id).map(|r| r.kept.clone()))
    }

    fn owned(&self, uid: &str, of: Of) -> Vec<Arc<Kept>> {
        self.ask(of, &self.me.ns, |s| s.owned(uid, of))
    }

    fn by_key(&self, of: Of, ns: &str, key: &str) -> Vec<Arc<Kept>> {
        let ns: Arc<str> = ns.into();
        self.ask(of, &ns, |s| {
            let names = s.index.keyed(of, &ns, key).iter();
            names
                .filter_map(|name| s.record(&Id::new(of, ns.clone(), name.clone())))
                .map(|r| r.kept.clone())
                .collect()
        })
    }

    fn list(&self, of: Of, ns: &str) -> Vec<Arc<Kept>> {
        let ns: Arc<str> = ns.into();
        self.ask(of, &ns, |s| {
            let names = s.shelf(of).objects.get(&ns);
            let records = names.into_iter().flat_map(|names| names.values());
            records.map(|r| r.kept.clone()).collect()
        })
    }

    fn account(&self) -> (&str, &str) {
        self.cache.account()
    }

    fn image(&self) -> Option<&str> {
        self.cache.image()
    }
}

impl Stores {
    /// Everything labelled as made for this UID, by kind, ordered by namespace and name. The label is written by whoever may write the
    /// object: it says nothing where the owner could not have made it.
    pub(super) fn owned(&self, uid: &str, of: Of) -> Vec<Arc<Kept>> {
        let ids = self.index.owned(uid).iter();
        let records = ids
            .filter(|id| id.of == of && self.reaches(uid, id))
            .filter_map(|id| self.record(id));
        records.map(|r| r.kept.clone()).collect()
    }

    /// Everything labelled as made for this UID that also goes with it.
    pub(super) fn prunable(&self, uid: &str) -> Vec<Arc<Kept>> {
        let ids = self.index.owned(uid).iter();
        let records = ids
            .filter(|id| self.reaches(uid, id))
            .filter_map(|id| self.record(id));
        let mine = records.filter(|r| r.kept.owned && r.kept.deleting.is_none());
        mine.map(|r| r.kept.clone()).collect()
    }

    /// Whether the object of this UID makes objects where this one stands: in its own namespace or, an Instance, in the one that it makes.
    fn reaches(&self, uid: &str, id: &Id) -> bool {
        self.index
            .planned(uid)
            .is_some_and(|owner| match &*owner.ns {
                "" => id.ns.is_empty() || *id.ns == *namespace_of(&owner.name),
                ns => *id.ns == *ns,
            })
    }
}
