//! Carrying out the steps of a plan, one request at a time, each only if what stands there differs.

use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::debug;

use super::{
    cache::Cache,
    client::Requests,
    fields, fill,
    queue::{Lane, Queue},
    stores::Record,
    trouble::{Cause, Trouble},
    wire::Wire,
};
use crate::{
    api,
    kinds::Watch,
    plan::{Edit, Fill, Gone, Id, Kept, Step, Want},
};

/// The hands of one pass: what it writes goes into the cache, and wakes whoever read it.
pub struct Hands<'a> {
    /// What is known.
    pub cache: &'a Cache,
    /// Who is told of our writes.
    pub queue: &'a Queue,
    /// The way to the API server.
    pub requests: &'a Requests,
    /// The object that is planned.
    pub me: &'a Kept,
}

/// A step's object, if the step names one that should stand.
pub fn target(step: &Step) -> &Id {
    match step {
        Step::Apply(want) | Step::Create(want, _) => &want.id,
        Step::Keep(id) | Step::Handover(id, _) => id,
        Step::Edit(edit, _) => &edit.id,
        Step::Delete(gone) => &gone.id,
    }
}

impl Hands<'_> {
    /// Whether the step is still to be done, as far as is known.
    pub fn due(&self, step: &Step) -> bool {
        let record = self.cache.record(target(step));
        match step {
            Step::Apply(want) => self.differs(want, record.as_ref()),
            Step::Create(want, _) => record.is_none_or(|r| self.taken(want, &r)),
            Step::Keep(_) => false,
            Step::Edit(edit, _) => record.is_some_and(|r| *r.kept.uid == *edit.uid),
            Step::Delete(gone) => {
                record.is_some_and(|r| *r.kept.uid == *gone.uid && r.kept.deleting.is_none())
            }
            Step::Handover(..) => record.is_some_and(|r| r.replicas),
        }
    }

    /// Do the step.
    pub async fn carry_out(&self, step: &Step) -> Result<(), Trouble> {
        match step {
            Step::Apply(want) => self.apply(want).await,
            Step::Create(want, fills) => self.create(want, fills).await,
            Step::Keep(_) => Ok(()),
            Step::Edit(edit, fills) => self.edit(edit, fills).await,
            Step::Delete(gone) => self.delete(gone).await,
            Step::Handover(id, replicas) => self.hand_over(id, *replicas).await,
        }
    }

    fn differs(&self, want: &Want, record: Option<&Record>) -> bool {
        let Some(record) = record else {
            return true;
        };
        let hash = fields::hash(&want.body);
        if record.kept.applied != hash || self.taken(want, record) {
            return true;
        }
        if record.trusted == hash {
            return false;
        }
        let body = marked(want, hash);
        let ours = record.kept.ours.as_deref();
        let same = ours.is_some_and(|entry| fields::owns_exactly(&body, entry));
        if same {
            self.cache.trust(&want.id, record.kept.rv, hash);
        }
        !same
    }

    /// Whether what stands there was made for somebody else. A Namespace may be adopted: its own policy decides.
    fn taken(&self, want: &Want, record: &Record) -> bool {
        let owner = want.body.pointer("/metadata/labels/roadstead.dev~1owner");
        let owner = owner.and_then(Value::as_str);
        let theirs = record.kept.owner.as_deref();
        want.id.of.entry().watch != Watch::Hosts
            && owner.is_some()
            && theirs.is_some()
            && owner != theirs
    }

    async fn apply(&self, want: &Want) -> Result<(), Trouble> {
        let record = self.cache.record(&want.id);
        if record.as_ref().is_some_and(|r| self.taken(want, r)) {
            return Err(Trouble::new(&want.id, "patch", Cause::NameTaken));
        }
        let hash = fields::hash(&want.body);
        let body = marked(want, hash);
        let applied = self.requests.apply(&want.id, api::MANAGER, true, &body);
        match applied.await {
            Ok(wire) => {
                self.keep(&want.id, &wire, hash);
                Ok(())
            }
            Err(trouble) if record.is_some() && matches!(trouble.cause, Cause::Invalid(_)) => {
                self.replace(want, body, trouble).await
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// What apply cannot say, such as that a volume has no second source, a PUT can. It is applied again afterwards, so that the fields
    /// are recorded as ours.
    async fn replace(&self, want: &Want, mut body: Value, first: Trouble) -> Result<(), Trouble> {
        let Some(live) = self.requests.get(&want.id).await? else {
            return Err(first);
        };
        let live: Value = serde_json::from_str(live.text()).unwrap_or_default();
        let owner = live.pointer("/metadata/labels/roadstead.dev~1owner");
        if owner.and_then(Value::as_str) != Some(&*self.me.uid) {
            return Err(first);
        }
        body["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
        let replicas = live.pointer("/spec/replicas");
        let spec = body.get_mut("spec").and_then(Value::as_object_mut);
        if let (Some(replicas), Some(spec)) = (replicas, spec) {
            spec.entry("replicas").or_insert_with(|| replicas.clone());
        }
        match self.requests.replace(&want.id, &body).await {
            Ok(wire) => {
                self.keep(&want.id, &wire, 0);
                Ok(())
            }
            Err(trouble) if matches!(trouble.cause, Cause::Invalid(_)) => Err(first),
            Err(trouble) => Err(trouble),
        }
    }

    async fn create(&self, want: &Want, fills: &[Fill]) -> Result<(), Trouble> {
        let taken = Trouble::new(&want.id, "create", Cause::NameTaken);
        if let Some(record) = self.cache.record(&want.id) {
            return if self.taken(want, &record) {
                Err(taken)
            } else {
                Ok(())
            };
        }
        let mut body = want.body.clone();
        fill::fill(self.requests, &want.id, &mut body, fills).await?;
        match self.requests.create(&want.id, &body).await {
            Ok(wire) => {
                self.keep(&want.id, &wire, 0);
                Ok(())
            }
            Err(trouble) if trouble.cause == Cause::Exists => {
                let Some(live) = self.requests.get(&want.id).await? else {
                    return Err(trouble);
                };
                let fresh = live.keep(want.id.of.entry());
                let owner = fresh.ok().and_then(|f| f.kept.owner);
                if owner.as_deref() != Some(&*self.me.uid) {
                    return Err(taken);
                }
                self.keep(&want.id, &live, 0);
                Ok(())
            }
            Err(trouble) => Err(trouble),
        }
    }

    async fn edit(&self, edit: &Edit, fills: &[Fill]) -> Result<(), Trouble> {
        let mut body = edit.patch.clone();
        if !body.is_object() {
            body = json!({});
        }
        fill::fill(self.requests, &edit.id, &mut body, fills).await?;
        body["metadata"]["uid"] = json!(edit.uid);
        body["metadata"]["resourceVersion"] = json!(edit.rv.to_string());
        let wire = self.requests.merge(&edit.id, &body).await?;
        self.keep(&edit.id, &wire, 0);
        Ok(())
    }

    /// Delete an object after a look at the live one.
    pub async fn delete(&self, gone: &Gone) -> Result<(), Trouble> {
        let live = self.requests.get(&gone.id).await?;
        let fresh = live.and_then(|wire| wire.keep(gone.id.of.entry()).ok());
        let live = fresh.map(|f| f.kept).filter(|k| *k.uid == *gone.uid);
        if let Some(live) = live.filter(|k| k.deleting.is_none()) {
            match self.requests.delete(&gone.id, &gone.uid, live.rv).await {
                Err(trouble) if trouble.cause != Cause::NotFound => return Err(trouble),
                _ => debug!(object = %gone.id, "deleted"),
            }
        }
        self.cache.going(&gone.id, &gone.uid, Timestamp::now());
        Ok(())
    }

    /// Give `replicas` to a manager of its own. If somebody else holds another value already, there is nothing to give.
    async fn hand_over(&self, id: &Id, replicas: i32) -> Result<(), Trouble> {
        let entry = id.of.entry();
        let body = json!({
            "apiVersion": entry.api_version(), "kind": entry.kind,
            "metadata": {"name": &*id.name}, "spec": {"replicas": replicas},
        });
        let given = self.requests.apply(id, api::HANDOVER, false, &body).await;
        match given {
            Ok(wire) => {
                self.keep(id, &wire, 0);
                Ok(())
            }
            Err(trouble) if trouble.cause == Cause::Conflict => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }

    /// Add our finalizer, under a manager of its own: nothing else that is applied to the object can then take it away.
    pub async fn hold(&self) -> Result<(), Trouble> {
        let id = &self.me.id;
        let entry = id.of.entry();
        let body = json!({
            "apiVersion": entry.api_version(), "kind": entry.kind,
            "metadata": {"name": &*id.name, "uid": &*self.me.uid, "finalizers": [api::FINALIZER]},
        });
        let manager = format!("{}-finalizer", api::MANAGER);
        let wire = self.requests.apply(id, &manager, true, &body).await?;
        self.keep(id, &wire, 0);
        Ok(())
    }

    /// Take our finalizer off the live object.
    pub async fn release(&self) -> Result<(), Trouble> {
        let id = &self.me.id;
        let Some(live) = self.requests.get(id).await? else {
            return Ok(());
        };
        let live: Value = serde_json::from_str(live.text()).unwrap_or_default();
        let meta = &live["metadata"];
        if meta["uid"].as_str() != Some(&*self.me.uid) {
            return Ok(());
        }
        let others = meta["finalizers"].as_array().into_iter().flatten();
        let others: Vec<&Value> = others.filter(|f| *f != api::FINALIZER).collect();
        let body = json!({"metadata": {
            "uid": meta["uid"], "resourceVersion": meta["resourceVersion"], "finalizers": others,
        }});
        match self.requests.merge(id, &body).await {
            Ok(wire) => self.keep(id, &wire, 0),
            Err(trouble) if trouble.cause == Cause::NotFound => {}
            Err(trouble) => return Err(trouble),
        }
        Ok(())
    }

    /// The server's answer to a write of ours goes into the cache.
    fn keep(&self, id: &Id, wire: &Wire, trusted: u64) {
        self.keep_status(id, wire, trusted, 0);
    }

    /// The same, with the hash of a status that we sent.
    pub fn keep_status(&self, id: &Id, wire: &Wire, trusted: u64, sent: u64) {
        if let Ok(fresh) = wire.keep(id.of.entry()) {
            let wake = self.cache.wrote(&self.me.id, fresh, trusted, sent);
            self.queue.wake_all(wake, Lane::Urgent);
        }
    }
}

/// What is sent: what is wanted, with its hash.
fn marked(want: &Want, hash: u64) -> Value {
    let mut body = want.body.clone();
    body["metadata"]["annotations"][api::APPLIED] = json!(format!("{hash:x}"));
    body
}
