//! What is known of the cluster: one store a kind, and the indices over all of them, behind one lock.
//!
//! A watch that starts again fills a buffer; only when it is whole does it replace the store and the indices, at once, and then
//! everybody concerned by what is new, changed or vanished is woken. `synced` comes last. So nobody ever decides on half a
//! list, and nothing that happened while the watch was cut is lost.

use std::{collections::HashSet, sync::Arc, time::Duration};

use parking_lot::RwLock;
use tokio::{sync::Notify, time::Instant};

use super::{
    edits::Edit,
    stores::{Doubtful, Live, Place, Progress, Record, Stores},
    trouble::Cause,
    wire::Fresh,
};
use crate::{
    kinds::{KINDS, Of, Watch},
    plan::{Id, Read, home::namespace_of},
};

/// How long a watch may be refused before people are told. Rights that an Instance has just handed out take a moment to work.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of the cluster.
#[derive(Default)]
pub struct Cache {
    stores: RwLock<Stores>,
    account: (String, String),
    image: Option<String>,
    /// Rung when a namespace becomes an Instance's or ceases to be.
    pub hosts: Notify,
    /// Rung when a watch has come further.
    pub progress: Notify,
}

impl Cache {
    /// An empty cache of an operator that works as this service account: its namespace and its name.
    pub fn new(account: (String, String)) -> Self {
        Self {
            account,
            ..Self::default()
        }
    }

    /// The service account that the operator works as.
    pub fn account(&self) -> (&str, &str) {
        (&self.account.0, &self.account.1)
    }

    /// The same, of an operator that knows its own image.
    pub fn with_image(self, image: Option<String>) -> Self {
        Self { image, ..self }
    }

    /// The operator's own image, if it was told.
    pub fn image(&self) -> Option<&str> {
        self.image.as_deref()
    }

    pub(super) fn read<T>(&self, look: impl FnOnce(&Stores) -> T) -> T {
        look(&self.stores.read())
    }

    /// The object as it is kept.
    pub fn record(&self, id: &Id) -> Option<Record> {
        self.read(|s| s.record(id).cloned())
    }

    /// How often anything changed.
    pub fn epoch(&self) -> u64 {
        self.read(|s| s.epoch)
    }

    /// How far a watch has come.
    pub fn sync(&self, of: Of, scope: &str) -> Option<Progress> {
        self.read(|s| s.shelf(of).scopes.get(scope).map(|s| s.sync.clone()))
    }

    /// The places that a kind is watched in.
    pub fn places(&self, of: Of) -> Vec<Place> {
        self.read(|s| s.places(of).collect())
    }

    /// Whether a namespace that is watched by itself is being deleted.
    pub fn is_ending(&self, ns: &str) -> bool {
        let hosts = KINDS.iter().filter(|entry| entry.watch == Watch::Hosts);
        let mut records = hosts.filter_map(|entry| self.record(&Id::new(entry.of, "", ns)));
        records.any(|record| record.kept.deleting.is_some())
    }

    /// The Instance that a namespace is labelled for, where there is none that owns it: it hands out no right to watch there.
    pub fn lacks(&self, ns: &str) -> Option<String> {
        let record = self.record(&Id::new(Of::Namespace, "", ns))?;
        let name = record.kept.label("instance")?;
        let there = *namespace_of(name) == *ns
            && (self.sync(Of::Instance, "") != Some(Progress::Synced)
                || self.record(&Id::new(Of::Instance, "", name)).is_some());
        (!there).then(|| name.to_owned())
    }

    /// Whether the watch that covers objects of a kind in a namespace is whole. If not, `who` is woken when it is.
    pub fn wait(&self, who: &Id, of: Of, ns: &str) -> bool {
        if self.read(|s| s.synced(of, ns)) {
            return true;
        }
        let mut stores = self.stores.write();
        if stores.synced(of, ns) {
            return true;
        }
        let scope = if of.entry().watch == Watch::InInstances {
            ns
        } else {
            ""
        };
        let waiting = stores.waiting.entry((of, scope.into())).or_default();
        waiting.insert(who.clone());
        false
    }

    /// Whether every watch is whole, or was at least heard of: one that is refused holds up only those who ask for its kind.
    pub fn settled(&self) -> bool {
        self.read(|s| {
            let mut scopes = s.shelves.iter().flat_map(|shelf| shelf.scopes.values());
            scopes.all(|scope| scope.sync != Progress::Starting)
        })
    }

    /// Why the watch that covers objects of a kind in a namespace is not whole, if it has been refused for long.
    pub fn refused(&self, of: Of, ns: &str) -> Option<Cause> {
        let sync = self.sync(of, "").or_else(|| self.sync(of, ns));
        match sync {
            Some(Progress::Failing(why, since)) if since.elapsed() >= PATIENCE => Some(why),
            _ => None,
        }
    }

    /// Wait until every watch is whole, or was at least heard of.
    pub async fn whole(&self) {
        loop {
            let progress = self.progress.notified();
            if self.settled() {
                return;
            }
            progress.await;
        }
    }

    /// The kinds that are watched in each Instance's namespace.
    pub fn inside(&self) -> impl Iterator<Item = Of> + use<> {
        let inside = KINDS.iter().filter(|e| e.watch == Watch::InInstances);
        inside.map(|e| e.of)
    }

    /// How many objects of a kind are kept.
    pub fn count(&self, of: Of) -> usize {
        self.read(|s| s.shelf(of).objects.values().map(|names| names.len()).sum())
    }

    /// Every object that is planned.
    pub fn planned(&self) -> Vec<Id> {
        self.read(|s| s.index.all().cloned().collect())
    }

    /// A watch begins a new list.
    pub fn begin(&self, of: Of, place: &Place) {
        if let Some(scope) = self.stores.write().scope(of, place) {
            scope.buffer.clear();
        }
    }

    /// An object of that list.
    pub fn buffer(&self, of: Of, place: &Place, fresh: Fresh) {
        if let Some(scope) = self.stores.write().scope(of, place) {
            scope.buffer.push(fresh);
        }
    }

    /// The list is whole: it replaces what was there, unless it contradicts what is known. Returns who must be woken.
    pub fn swap(&self, of: Of, place: &Place) -> Result<HashSet<Id>, Doubtful> {
        let mut wake = HashSet::new();
        let mut stores = self.stores.write();
        stores.swap(of, place, &mut wake)?;
        self.ring(of, stores);
        Ok(wake)
    }

    /// The same for a list in doubt, with the names of what is there by a list that was asked for after it. Returns who must be woken.
    pub fn settle(&self, of: Of, place: &Place, live: &Live) -> HashSet<Id> {
        let mut wake = HashSet::new();
        let mut stores = self.stores.write();
        stores.settle(of, place, live, &mut wake);
        self.ring(of, stores);
        wake
    }

    /// A watch was refused. What is kept stays.
    pub fn failing(&self, of: Of, place: &Place, why: Cause) {
        let mut stores = self.stores.write();
        if let Some(scope) = stores.scope(of, place)
            && scope.sync != Progress::Synced
        {
            let since = match scope.sync {
                Progress::Failing(_, since) => since,
                _ => Instant::now(),
            };
            scope.sync = Progress::Failing(why, since);
        }
        drop(stores);
        self.progress.notify_waiters();
    }

    /// The watch tells of an object, new or changed. Returns who must be woken.
    pub fn watched(&self, place: &Place, fresh: Fresh) -> HashSet<Id> {
        let mut wake = HashSet::new();
        let of = fresh.kept.id.of;
        let mut stores = self.stores.write();
        if let Some(scope) = stores.scope(of, place) {
            scope.newest = scope.newest.max(fresh.kept.rv);
            stores.put(fresh, 0, &mut wake);
        }
        self.ring(of, stores);
        wake
    }

    /// The watch tells that an object is gone. Returns who must be woken.
    pub fn vanished(&self, place: &Place, id: &Id, rv: u64) -> HashSet<Id> {
        let mut wake = HashSet::new();
        let mut stores = self.stores.write();
        if let Some(scope) = stores.scope(id.of, place) {
            scope.newest = scope.newest.max(rv);
            if stores.record(id).is_some_and(|r| r.kept.rv <= rv) {
                stores.remove(id, &mut wake);
            }
        }
        self.ring(id.of, stores);
        wake
    }

    /// The server's answer to a write of our own, which is by definition what we wanted: `trusted` is its hash. It is kept unless the
    /// watch is already past it, for then the object may have gone since. Returns who must be woken. Whoever wrote plans again after a
    /// step, but not after what he said of himself: if the answer tells what others have changed meanwhile, the watch has nothing to add.
    pub fn wrote(&self, by: &Id, fresh: Fresh, trusted: u64, sent: u64) -> HashSet<Id> {
        let mut wake = HashSet::new();
        let id = fresh.kept.id.clone();
        let mut stores = self.stores.write();
        let newest = stores.newest(&id);
        let rv = fresh.kept.rv;
        let before = stores.record(&id).filter(|_| id == *by);
        let changed = before.is_some_and(|before| before.kept.is_asked_otherwise(&fresh.kept));
        if rv > newest {
            stores.put(fresh, trusted, &mut wake);
        }
        if let Some(record) = stores.record_mut(&id)
            && record.kept.rv == rv
        {
            record.trust(trusted);
            if sent != 0 {
                record.sent = sent;
                record.said = Some(Instant::now());
            }
        }
        self.ring(id.of, stores);
        if !changed {
            wake.remove(by);
        }
        wake
    }

    /// We had it deleted: until the watch says so, it counts as going.
    pub fn going(&self, id: &Id, uid: &str, now: jiff::Timestamp) {
        if let Some(record) = self.stores.write().record_mut(id)
            && *record.kept.uid == *uid
            && record.kept.deleting.is_none()
        {
            let mut kept = (*record.kept).clone();
            kept.deleting = Some(now);
            record.kept = Arc::new(kept);
        }
    }

    /// Takes the changes of an object's spec that led up to this generation: they are told now.
    pub fn told(&self, id: &Id, generation: i64) -> Vec<Edit> {
        let mut stores = self.stores.write();
        let Some(record) = stores.record_mut(id) else {
            return Vec::new();
        };
        let edits = std::mem::take(&mut record.edits).into_iter();
        let (told, later) = edits.partition(|edit| edit.generation <= generation);
        record.edits = later;
        told
    }

    /// The fields of this object are exactly ours: the text of the entry need not be kept.
    pub fn trust(&self, id: &Id, rv: u64, hash: u64) {
        if let Some(record) = self.stores.write().record_mut(id)
            && record.kept.rv == rv
        {
            record.trust(hash);
        }
    }

    /// What a plan asked. Says whether it must be made again, because an answer may have changed before we knew that it matters.
    pub fn remember(&self, who: &Id, reads: &HashSet<Read>, epoch: u64) -> bool {
        if self.read(|s| s.readers.knows(who, reads)) {
            return false;
        }
        let mut stores = self.stores.write();
        let new = stores.readers.remember(who, reads);
        new && stores.epoch != epoch
    }

    fn ring(&self, of: Of, stores: parking_lot::RwLockWriteGuard<'_, Stores>) {
        drop(stores);
        if of.entry().watch == Watch::Hosts {
            self.hosts.notify_waiters();
        }
        self.progress.notify_waiters();
    }
}
