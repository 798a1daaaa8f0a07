//! The stores behind the cache's lock: a shelf a kind, and the indices over all of them.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use tokio::time::Instant;

use super::{
    edits::{self, Edit},
    index::Index,
    trouble::Cause,
    wake::Readers,
    wire::Fresh,
};
use crate::{
    kinds::{Entry, KINDS, Of, Watch},
    plan::{Id, Kept},
};

/// An object in a store.
#[derive(Clone)]
pub struct Record {
    /// What plans see of it.
    pub kept: Arc<Kept>,
    /// Hash of the fields that our manager applied.
    pub fields: u64,
    /// Whether `spec.replicas` is among them.
    pub replicas: bool,
    /// The hash of what was wanted when these fields were last known to be exactly ours; 0 if that is not known.
    pub trusted: u64,
    /// Its status as text.
    pub status: Option<Arc<str>>,
    /// Hash of the status that we last sent and the server answered with `status`; 0 if that is not known.
    pub sent: u64,
    /// When we last wrote its status.
    pub said: Option<Instant>,
    /// The changes of its spec that are still to be told.
    pub edits: Vec<Edit>,
}

/// How far a watch has come.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Progress {
    /// It has not been heard of yet.
    #[default]
    Starting,
    /// It is refused since then, and tried again.
    Failing(Cause, Instant),
    /// Its store is whole.
    Synced,
}

/// Where a watch looks: in a namespace, or everywhere. A namespace that goes and comes again is another place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The namespace; empty where it is everywhere.
    pub ns: Arc<str>,
    /// How many places were known before it.
    turn: u64,
}

impl Place {
    /// All namespaces.
    pub fn everywhere() -> Self {
        Self {
            ns: "".into(),
            turn: 0,
        }
    }
}

/// A list contradicts what is known.
#[derive(Clone, Copy, Debug)]
pub struct Doubtful;

/// What is there, by names, where a list was in doubt.
pub struct Live {
    /// The objects.
    pub names: HashSet<Id>,
    /// As of which version.
    pub version: u64,
}

impl Live {
    /// Nothing is there.
    pub fn nothing() -> Self {
        Self {
            names: HashSet::new(),
            version: u64::MAX,
        }
    }
}

#[derive(Default)]
pub(super) struct Scope {
    turn: u64,
    pub(super) buffer: Vec<Fresh>,
    pub(super) newest: u64,
    pub(super) sync: Progress,
}

type Objects = BTreeMap<Arc<str>, Record>;

#[derive(Default)]
pub(super) struct Shelf {
    pub(super) objects: HashMap<Arc<str>, Objects>,
    pub(super) scopes: HashMap<Arc<str>, Scope>,
}

/// Everything behind the lock.
pub(super) struct Stores {
    pub(super) shelves: Vec<Shelf>,
    pub(super) index: Index,
    pub(super) readers: Readers,
    pub(super) waiting: HashMap<(Of, Arc<str>), HashSet<Id>>,
    pub(super) epoch: u64,
    turns: u64,
}

impl Default for Stores {
    fn default() -> Self {
        let mut shelves: Vec<Shelf> = Vec::new();
        for entry in KINDS {
            let mut shelf = Shelf::default();
            if entry.watch != Watch::InInstances {
                shelf.scopes.insert("".into(), Scope::default());
            }
            shelves.push(shelf);
        }
        Self {
            shelves,
            index: Index::default(),
            readers: Readers::default(),
            waiting: HashMap::new(),
            epoch: 0,
            turns: 0,
        }
    }
}

impl Record {
    pub(super) fn trust(&mut self, hash: u64) {
        if hash == 0 || self.trusted == hash {
            return;
        }
        self.trusted = hash;
        if self.kept.ours.is_some() {
            let mut kept = (*self.kept).clone();
            kept.ours = None;
            self.kept = Arc::new(kept);
        }
    }

    /// What was known of the older record holds for this one where nothing of ours has changed.
    fn inherit(&mut self, old: &Self) {
        if self.kept.uid != old.kept.uid {
            return;
        }
        self.said = old.said;
        if self.fields == old.fields && self.kept.applied == old.kept.applied {
            self.trust(old.trusted);
        }
        if self.status == old.status {
            self.sent = old.sent;
        }
    }
}

impl Stores {
    pub(super) fn shelf(&self, of: Of) -> &Shelf {
        &self.shelves[of as usize]
    }

    pub(super) fn record(&self, id: &Id) -> Option<&Record> {
        self.shelf(id.of).objects.get(&id.ns)?.get(&id.name)
    }

    pub(super) fn record_mut(&mut self, id: &Id) -> Option<&mut Record> {
        let shelf = &mut self.shelves[id.of as usize];
        shelf.objects.get_mut(&id.ns)?.get_mut(&id.name)
    }

    /// What is known of a watch. One that still looks at a place that has gone since is not heard.
    pub(super) fn scope(&mut self, of: Of, place: &Place) -> Option<&mut Scope> {
        let scopes = &mut self.shelves[of as usize].scopes;
        let scope = scopes.get_mut(&place.ns);
        scope.filter(|scope| scope.turn == place.turn)
    }

    /// The places that a kind is watched in.
    pub(super) fn places(&self, of: Of) -> impl Iterator<Item = Place> {
        let scopes = self.shelf(of).scopes.iter();
        scopes.map(|(ns, scope)| Place {
            ns: ns.clone(),
            turn: scope.turn,
        })
    }

    /// Whether the watch that covers objects of a kind in a namespace is whole. Where there is no Instance there is none, and nothing to
    /// wait for.
    pub(super) fn synced(&self, of: Of, ns: &str) -> bool {
        let scopes = &self.shelf(of).scopes;
        let scope = scopes.get("").or_else(|| scopes.get(ns));
        scope.is_none_or(|s| s.sync == Progress::Synced)
    }

    /// How far the watch that covers this object has come.
    pub(super) fn newest(&self, id: &Id) -> u64 {
        let scopes = &self.shelf(id.of).scopes;
        let scope = scopes.get("").or_else(|| scopes.get(&id.ns));
        scope.map_or(0, |s| s.newest)
    }

    pub(super) fn put(&mut self, fresh: Fresh, trusted: u64, wake: &mut HashSet<Id>) {
        let old = self.record(&fresh.kept.id).cloned();
        if old.as_ref().is_some_and(|o| o.kept.rv >= fresh.kept.rv) {
            return;
        }
        let before = old.as_ref().map(|old| (&*old.kept, &*old.edits));
        let edits = edits::noted(before, &fresh);
        let mut new = Record {
            kept: Arc::new(self.sharing(fresh.kept)),
            fields: fresh.fields,
            replicas: fresh.replicas,
            trusted: 0,
            status: fresh.status,
            sent: 0,
            said: None,
            edits,
        };
        match &old {
            _ if trusted != 0 => new.trust(trusted),
            Some(old) => new.inherit(old),
            None => {}
        }
        self.epoch += 1;
        let id = new.kept.id.clone();
        self.relist(
            old.as_ref().map(|o| &*o.kept),
            Some(&new.kept.clone()),
            wake,
        );
        let objects = &mut self.shelves[id.of as usize].objects;
        objects.entry(id.ns).or_default().insert(id.name, new);
    }

    /// The same, without copies of names that are known already.
    fn sharing(&self, mut kept: Kept) -> Kept {
        let spaces = &self.shelf(kept.id.of).objects;
        if let Some((ns, _)) = spaces.get_key_value(&kept.id.ns) {
            kept.id.ns = ns.clone();
        }
        kept.owner = kept.owner.map(|owner| self.index.shared(&owner));
        kept
    }

    pub(super) fn remove(&mut self, id: &Id, wake: &mut HashSet<Id>) {
        let objects = &mut self.shelves[id.of as usize].objects;
        let Some(space) = objects.get_mut(&id.ns) else {
            return;
        };
        let old = space.remove(&id.name);
        if space.is_empty() {
            objects.remove(&id.ns);
        }
        if let Some(old) = old {
            self.epoch += 1;
            self.relist(Some(&old.kept), None, wake);
        }
    }

    /// Whether the list that has come contradicts what is known: it lacks what is newer than all that it has, or has what had gone
    /// before. Either it is older than that, or we wrote while it was made, or what was newest has gone since.
    fn is_doubtful(&self, of: Of, place: &Place, scope: &Scope) -> bool {
        let list = &scope.buffer;
        let there: HashMap<&Id, u64> = list.iter().map(|f| (&f.kept.id, f.kept.rv)).collect();
        let newest = there.values().max().copied().unwrap_or(0);
        let lacks = |r: &Record| r.kept.rv > newest && !there.contains_key(&r.kept.id);
        let risen = |(id, rv): (&&Id, &u64)| *rv <= scope.newest && self.record(id).is_none();
        self.records(of, place).any(lacks) || there.iter().any(risen)
    }

    fn records<'a>(&'a self, of: Of, place: &'a Place) -> impl Iterator<Item = &'a Record> {
        let spaces = self.shelf(of).objects.iter();
        let looked = spaces.filter(|(ns, _)| place.ns.is_empty() || **ns == place.ns);
        looked.flat_map(|(_, names)| names.values())
    }

    /// The list replaces what was there, unless it is in doubt.
    pub(super) fn swap(
        &mut self,
        of: Of,
        place: &Place,
        wake: &mut HashSet<Id>,
    ) -> Result<(), Doubtful> {
        let scope = self.shelf(of).scopes.get(&place.ns);
        let Some(scope) = scope.filter(|s| s.turn == place.turn) else {
            return Ok(());
        };
        if self.is_doubtful(of, place, scope) {
            return Err(Doubtful);
        }
        let list = scope.buffer.iter();
        let names = list.map(|f| f.kept.id.clone()).collect();
        let version = u64::MAX;
        self.settle(of, place, &Live { names, version }, wake);
        Ok(())
    }

    /// The list replaces what was there, as far as the names say that it is still there. What is newer than they are stays.
    pub(super) fn settle(&mut self, of: Of, place: &Place, live: &Live, wake: &mut HashSet<Id>) {
        let Some(scope) = self.scope(of, place) else {
            return;
        };
        let list = std::mem::take(&mut scope.buffer);
        let newest = list.iter().map(|f| f.kept.rv).max().unwrap_or(0);
        scope.newest = scope.newest.max(newest);
        let stays = |kept: &Kept| kept.rv > live.version || live.names.contains(&kept.id);
        let gone = self.records(of, place).filter(|r| !stays(&r.kept));
        for id in gone.map(|r| r.kept.id.clone()).collect::<Vec<_>>() {
            self.remove(&id, wake);
        }
        for fresh in list.into_iter().filter(|fresh| stays(&fresh.kept)) {
            self.put(fresh, 0, wake);
        }
        if let Some(scope) = self.scope(of, place) {
            scope.sync = Progress::Synced;
        }
        let waiting = self.waiting.remove(&(of, place.ns.clone()));
        wake.extend(waiting.unwrap_or_default());
    }

    fn relist(&mut self, old: Option<&Kept>, new: Option<&Kept>, wake: &mut HashSet<Id>) {
        for kept in [old, new].into_iter().flatten() {
            if kept.id.of.entry().plan.is_some() {
                wake.insert(kept.id.clone());
            }
            if let Some(owner) = kept.owner.as_ref().and_then(|o| self.index.planned(o)) {
                wake.insert(owner.clone());
            }
            self.readers.of(kept, wake);
        }
        if let Some(kept) = old {
            self.index.unlist(kept, new);
            if new.is_none() && kept.id.of.entry().plan.is_some() {
                self.readers.remember(&kept.id, &HashSet::new());
            }
        }
        if let Some(kept) = new {
            self.index.enlist(kept);
        }
        if let Some(kept) = old.or(new)
            && kept.id.of.entry().watch == Watch::Hosts
        {
            self.host(&kept.id.name, new.is_some(), wake);
        }
    }

    /// A namespace is an Instance's, or no longer: what is watched in each Instance is watched there, or no longer.
    fn host(&mut self, ns: &Arc<str>, there: bool, wake: &mut HashSet<Id>) {
        let inside = |entry: &&Entry| entry.watch == Watch::InInstances;
        for entry in KINDS.iter().filter(inside) {
            if there {
                let scopes = &mut self.shelves[entry.of as usize].scopes;
                scopes.entry(ns.clone()).or_insert_with(|| {
                    self.turns += 1;
                    Scope {
                        turn: self.turns,
                        ..Scope::default()
                    }
                });
                continue;
            }
            let names = self.shelf(entry.of).objects.get(ns);
            let ids = names.into_iter().flat_map(|names| names.values());
            for id in ids.map(|r| r.kept.id.clone()).collect::<Vec<_>>() {
                self.remove(&id, wake);
            }
            self.shelves[entry.of as usize].scopes.remove(ns);
            let waiting = self.waiting.remove(&(entry.of, ns.clone()));
            wake.extend(waiting.unwrap_or_default());
        }
    }
}
