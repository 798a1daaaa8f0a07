//! What is seen of the world: a view over the stores that writes down what was asked. That log is the watch mapping.

use std::{
    any::Any, cell::RefCell, collections::BTreeMap, collections::HashSet, fmt, ops::Deref,
    sync::Arc,
};

use jiff::Timestamp;

use crate::kinds::Of;

/// What is kept of an object besides its metadata: for our kinds all of it, for others a record of `facts.rs`.
pub type Body = Arc<dyn Any + Send + Sync>;

/// Which object: a kind, a namespace (empty for cluster-scoped kinds) and a name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    /// The kind.
    pub of: Of,
    /// The namespace; empty for cluster-scoped kinds.
    pub ns: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl Id {
    /// The object of this kind, namespace and name.
    pub fn new(of: Of, ns: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self {
            of,
            ns: ns.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.of.entry().kind;
        if self.ns.is_empty() {
            write!(f, "{kind} {}", self.name)
        } else {
            write!(f, "{kind} {}/{}", self.ns, self.name)
        }
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Labels or annotations: a few, in the order of their keys.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Marks(Box<[(Box<str>, Box<str>)]>);

impl Marks {
    fn get(&self, key: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(k, _)| (**k).cmp(key)).ok()?;
        self.0.get(at).map(|(_, value)| &**value)
    }
}

impl From<BTreeMap<Box<str>, Box<str>>> for Marks {
    fn from(all: BTreeMap<Box<str>, Box<str>>) -> Self {
        Self(all.into_iter().collect())
    }
}

/// An object as it is kept in a store.
#[derive(Clone)]
pub struct Kept {
    /// Which object.
    pub id: Id,
    /// Its UID.
    pub uid: Arc<str>,
    /// Its resource version.
    pub rv: u64,
    /// Its generation; 0 for kinds that have none.
    pub generation: i64,
    /// When it was made.
    pub created: Timestamp,
    /// When its deletion was asked for.
    pub deleting: Option<Timestamp>,
    /// Whether our finalizer stands on it.
    pub held: bool,
    /// Its labels of our group, by the part after `roadstead.dev/`.
    pub labels: Marks,
    /// Its annotations of our group, by the part after `roadstead.dev/`, without `applied`.
    pub annotations: Marks,
    /// The UID that the label `roadstead.dev/owner` names.
    pub owner: Option<Arc<str>>,
    /// Whether an owner reference to that same UID stands on it: only then may it be pruned.
    pub owned: bool,
    /// The hash in the annotation `roadstead.dev/applied`; 0 if there is none.
    pub applied: u64,
    /// The fields that our manager applied, as the server records them.
    pub ours: Option<Arc<str>>,
    /// A field manager, neither ours nor Kubernetes', that holds fields of its spec.
    pub foreign: Option<Arc<str>>,
    /// The keys by which it can be asked for.
    pub keys: Vec<Arc<str>>,
    /// What is kept of the rest.
    pub body: Body,
}

impl Kept {
    /// The value of one of our labels, by the part after `roadstead.dev/`.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key)
    }

    /// Whether somebody asks for something else of it now: its status is not looked at.
    pub fn is_asked_otherwise(&self, now: &Self) -> bool {
        let asked = |kept: &Self| (kept.generation, kept.deleting);
        asked(self) != asked(now)
            || self.labels != now.labels
            || self.annotations != now.annotations
    }

    /// The value of one of our annotations, by the part after `roadstead.dev/`.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.get(key)
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.id, self.rv)
    }
}

/// A kind whose objects are kept.
pub trait Watched: Any + Send + Sync + Sized {
    /// Which kind.
    const OF: Of;

    /// By which keys an object can be asked for, such as `application/shop` for an Environment of that Application.
    fn keys(&self) -> Vec<String> {
        Vec::new()
    }
}

/// An object found, with its kind known. Dereferences to what is kept of it.
#[derive(Debug)]
pub struct Found<K> {
    /// Its metadata.
    pub kept: Arc<Kept>,
    body: Arc<K>,
}

impl<K> Clone for Found<K> {
    fn clone(&self) -> Self {
        Self {
            kept: self.kept.clone(),
            body: self.body.clone(),
        }
    }
}

impl<K: Watched> Found<K> {
    /// The object, if it is of this kind.
    pub fn of(kept: Arc<Kept>) -> Option<Self> {
        let body = kept.body.clone().downcast::<K>().ok()?;
        Some(Self { kept, body })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.kept.id.name
    }

    /// The same object with another body: with what counts for it besides what it says itself.
    pub fn with(&self, body: K) -> Self {
        Self {
            kept: self.kept.clone(),
            body: Arc::new(body),
        }
    }
}

impl<K> Deref for Found<K> {
    type Target = K;
    fn deref(&self) -> &K {
        &self.body
    }
}

/// The stores, as a plan may see them.
pub trait World {
    /// The object, if it is there.
    fn get(&self, id: &Id) -> Option<Arc<Kept>>;
    /// Everything labelled as made for this UID, by kind, ordered by name.
    fn owned(&self, uid: &str, of: Of) -> Vec<Arc<Kept>>;
    /// Everything of a kind in a namespace that answers to a key, ordered by name. For cluster-scoped kinds the namespace is empty.
    fn by_key(&self, of: Of, ns: &str, key: &str) -> Vec<Arc<Kept>>;
    /// Everything of a kind in a namespace, ordered by name. It wakes the reader at every change there: prefer a key.
    fn list(&self, of: Of, ns: &str) -> Vec<Arc<Kept>>;

    /// The service account that the operator works as: its namespace and its name.
    fn account(&self) -> (&str, &str) {
        ("roadstead-system", "roadstead")
    }

    /// The operator's own image, for the small jobs that it does inside an Instance; nothing where it was not told.
    fn image(&self) -> Option<&str> {
        None
    }
}

/// A question that was asked. A change of its answer wakes who asked. What is owned needs no log: its owner is always woken.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Read {
    /// This object.
    Get(Id),
    /// Objects of a kind in a namespace that answer to a key.
    Key(Of, Arc<str>, Arc<str>),
    /// All objects of a kind in a namespace.
    List(Of, Arc<str>),
}

/// The world as one plan sees it. It writes down what was asked.
pub struct Seen<'a> {
    world: &'a dyn World,
    me: &'a Kept,
    log: RefCell<HashSet<Read>>,
}

impl<'a> Seen<'a> {
    /// The world as the plan of `me` sees it.
    pub fn new(world: &'a dyn World, me: &'a Kept) -> Self {
        Self {
            world,
            me,
            log: RefCell::default(),
        }
    }

    /// The namespace that it looks around in.
    pub fn namespace(&self) -> &str {
        &self.me.id.ns
    }

    /// The object of this name in my namespace, or cluster-scoped.
    pub fn get<K: Watched>(&self, name: &str) -> Option<Found<K>> {
        let ns = if K::OF.entry().namespaced {
            self.me.id.ns.clone()
        } else {
            "".into()
        };
        self.look(Id::new(K::OF, ns, name))
    }

    /// The object of this name in another namespace: for cluster-scoped kinds that reach into their own.
    pub fn get_in<K: Watched>(&self, ns: &str, name: &str) -> Option<Found<K>> {
        self.look(Id::new(K::OF, ns, name))
    }

    fn look<K: Watched>(&self, id: Id) -> Option<Found<K>> {
        let found = self.world.get(&id);
        self.log.borrow_mut().insert(Read::Get(id));
        found.and_then(Found::of)
    }

    /// Everything of a kind that was made for me.
    pub fn owned<K: Watched>(&self) -> Vec<Found<K>> {
        found(self.world.owned(&self.me.uid, K::OF))
    }

    /// Everything of a kind that answers to a key, in my namespace or cluster-scoped.
    pub fn by_key<K: Watched>(&self, key: &str) -> Vec<Found<K>> {
        let ns = if K::OF.entry().namespaced {
            self.me.id.ns.clone()
        } else {
            "".into()
        };
        self.log
            .borrow_mut()
            .insert(Read::Key(K::OF, ns.clone(), key.into()));
        found(self.world.by_key(K::OF, &ns, key))
    }

    /// Everything of a kind in a namespace: for the Instance, which must know what it holds before it goes.
    pub fn list_in<K: Watched>(&self, ns: &str) -> Vec<Found<K>> {
        self.log.borrow_mut().insert(Read::List(K::OF, ns.into()));
        found(self.world.list(K::OF, ns))
    }

    /// The service account that the operator works as: its namespace and its name. It does not change while it works.
    pub fn account(&self) -> (&'a str, &'a str) {
        self.world.account()
    }

    /// The operator's own image, if it was told. It does not change while it works.
    pub fn image(&self) -> Option<&'a str> {
        self.world.image()
    }

    /// What was asked.
    pub fn into_log(self) -> HashSet<Read> {
        self.log.into_inner()
    }
}

fn found<K: Watched>(kept: Vec<Arc<Kept>>) -> Vec<Found<K>> {
    kept.into_iter().filter_map(Found::of).collect()
}
