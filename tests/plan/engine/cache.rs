//! What is kept, and who is woken by what.

use std::collections::HashSet;

use roadstead::{
    kinds::Of,
    plan::{Id, Read, World, facts},
    run::{
        cache::Cache,
        stores::{Live, Place, Progress},
        trouble::Cause,
        view::View,
    },
};
use serde_json::{Value, json};

use super::{cronjob, fresh, id, job};

/// A list, and where it is in doubt, the same once more.
pub fn list(cache: &Cache, of: Of, objects: &[Value]) -> HashSet<Id> {
    let all = Place::everywhere();
    let list: Vec<_> = objects.iter().map(|object| fresh(of, object)).collect();
    let live = Live {
        names: list.iter().map(|fresh| fresh.kept.id.clone()).collect(),
        version: u64::MAX,
    };
    cache.begin(of, &all);
    for fresh in list {
        cache.buffer(of, &all, fresh);
    }
    let swapped = cache.swap(of, &all);
    swapped.unwrap_or_else(|_| cache.settle(of, &all, &live))
}

fn release(name: &str, rv: u64) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "a", "uid": name, "resourceVersion": rv.to_string()},
        "spec": {"environmentRef": {"name": "live"}},
    })
}

pub fn ids(of: Of, names: &[&str]) -> HashSet<Id> {
    names.iter().map(|name| id(of, name)).collect()
}

/// K1: a re-list reconciles with the old store, or never, or not what is gone.
#[test]
fn a_list_read_again_wakes_for_what_is_new_what_changed_and_what_vanished_and_for_nothing_else() {
    let cache = Cache::default();
    let first = [
        cronjob("same", 1),
        cronjob("changed", 2),
        cronjob("gone", 3),
    ];
    list(&cache, Of::Cronjob, &first);
    let again = [cronjob("same", 1), cronjob("changed", 5), cronjob("new", 6)];
    let woken = list(&cache, Of::Cronjob, &again);
    assert_eq!(woken, ids(Of::Cronjob, &["changed", "new", "gone"]));
    let changed = cache.record(&id(Of::Cronjob, "changed")).expect("kept");
    assert_eq!(changed.kept.rv, 5);
    assert!(cache.record(&id(Of::Cronjob, "gone")).is_none());
}

/// K1: nobody sees half a list.
#[test]
fn until_a_list_is_whole_the_old_one_is_what_is_seen() {
    let cache = Cache::default();
    list(&cache, Of::Cronjob, &[cronjob("a", 1), cronjob("b", 2)]);
    cache.begin(Of::Cronjob, &Place::everywhere());
    cache.buffer(
        Of::Cronjob,
        &Place::everywhere(),
        fresh(Of::Cronjob, &cronjob("a", 7)),
    );
    let a = cache.record(&id(Of::Cronjob, "a")).expect("kept");
    assert_eq!(a.kept.rv, 1);
    assert!(cache.record(&id(Of::Cronjob, "b")).is_some());
}

/// K1: the owner of a child that vanished while the watch was cut is told.
#[test]
fn a_child_that_vanished_unseen_wakes_its_owner() {
    let cache = Cache::default();
    list(&cache, Of::Cronjob, &[cronjob("mine", 1)]);
    list(&cache, Of::Job, &[job("run", 2, "mine")]);
    let woken = list(&cache, Of::Job, &[]);
    assert_eq!(woken, ids(Of::Cronjob, &["mine"]));
    assert!(
        View::new(&cache, &id(Of::Cronjob, "mine"))
            .owned("mine", Of::Job)
            .is_empty()
    );
}

/// A label says whose an object is, and whoever may write the object may forge it: elsewhere than its owner makes objects, it says nothing.
#[test]
fn what_is_labelled_in_another_namespace_is_nobodys_child() {
    let cache = Cache::default();
    list(&cache, Of::Cronjob, &[cronjob("mine", 1)]);
    let mut forged = job("forged", 3, "mine");
    forged["metadata"]["namespace"] = json!("b");
    let mine = |cache: &Cache| View::new(cache, &id(Of::Cronjob, "mine")).owned("mine", Of::Job);
    list(&cache, Of::Job, &[forged.clone()]);
    assert!(mine(&cache).is_empty());
    list(&cache, Of::Job, &[job("run", 2, "mine"), forged]);
    assert_eq!(mine(&cache).len(), 1);
}

/// K11: with a predicate on generations, a child that is deleted wakes nobody. K3: shared streams never tell of it.
#[test]
fn a_deleted_child_wakes_its_owner() {
    let cache = Cache::default();
    list(&cache, Of::Cronjob, &[cronjob("mine", 1)]);
    list(&cache, Of::Job, &[job("run", 2, "mine")]);
    let woken = cache.vanished(&Place::everywhere(), &id(Of::Job, "run"), 3);
    assert_eq!(woken, ids(Of::Cronjob, &["mine"]));
}

/// K12: with a predicate on generations, an edit of labels, annotations or finalizers wakes nobody.
#[test]
fn an_edit_that_leaves_the_generation_alone_still_wakes() {
    let cache = Cache::default();
    list(&cache, Of::Cronjob, &[cronjob("mine", 1)]);
    let mut edited = cronjob("mine", 2);
    edited["metadata"]["annotations"] = json!({"roadstead.dev/confirm-delete": "mine"});
    edited["metadata"]["finalizers"] = json!(["roadstead.dev/finalizer"]);
    let woken = cache.watched(&Place::everywhere(), fresh(Of::Cronjob, &edited));
    assert_eq!(woken, ids(Of::Cronjob, &["mine"]));
    let kept = cache.record(&id(Of::Cronjob, "mine")).expect("kept").kept;
    assert_eq!(kept.annotation("confirm-delete"), Some("mine"));
    assert!(kept.held);
}

#[test]
fn whoever_asked_is_woken_when_the_answer_changes_and_not_after_it_stopped_asking() {
    let cache = Cache::default();
    let reader = id(Of::Cronjob, "reader");
    let ask =
        |reads: Vec<Read>| cache.remember(&reader, &reads.into_iter().collect(), cache.epoch());
    ask(vec![
        Read::Get(id(Of::Job, "run")),
        Read::Key(Of::Release, "a".into(), "environment/live".into()),
    ]);
    assert!(
        cache
            .watched(
                &Place::everywhere(),
                fresh(Of::Job, &job("run", 1, "nobody"))
            )
            .contains(&reader)
    );
    assert!(
        cache
            .watched(
                &Place::everywhere(),
                fresh(Of::Release, &release("live-1", 2))
            )
            .contains(&reader)
    );
    ask(vec![Read::List(Of::Job, "a".into())]);
    assert!(
        !cache
            .watched(
                &Place::everywhere(),
                fresh(Of::Release, &release("live-1", 3))
            )
            .contains(&reader)
    );
    assert!(
        cache
            .watched(
                &Place::everywhere(),
                fresh(Of::Job, &job("else", 4, "nobody"))
            )
            .contains(&reader)
    );
    ask(vec![]);
    assert!(
        !cache
            .watched(
                &Place::everywhere(),
                fresh(Of::Job, &job("run", 5, "nobody"))
            )
            .contains(&reader)
    );
}

#[test]
fn a_change_between_the_question_and_its_being_written_down_makes_the_plan_be_made_again() {
    let cache = Cache::default();
    let reader = id(Of::Cronjob, "reader");
    let read = || {
        [Read::Get(id(Of::Job, "run"))]
            .into_iter()
            .collect::<HashSet<_>>()
    };
    let before = cache.epoch();
    cache.watched(
        &Place::everywhere(),
        fresh(Of::Job, &job("run", 1, "nobody")),
    );
    assert!(
        cache.remember(&reader, &read(), before),
        "an answer that was given has changed"
    );
    let before = cache.epoch();
    cache.watched(
        &Place::everywhere(),
        fresh(Of::Job, &job("else", 2, "nobody")),
    );
    assert!(
        !cache.remember(&reader, &read(), before),
        "a known question has woken its reader itself"
    );
}

#[test]
fn a_question_about_a_kind_whose_watch_is_not_whole_puts_the_plan_off_until_it_is() {
    let cache = Cache::default();
    list(&cache, Of::Cronjob, &[cronjob("mine", 1)]);
    let me = id(Of::Cronjob, "mine");
    let view = View::new(&cache, &me);
    assert!(view.get(&id(Of::Cronjob, "mine")).is_some());
    assert_eq!(view.early(), None);
    assert!(view.owned("mine", Of::Job).is_empty());
    assert_eq!(view.early(), Some((Of::Job, "a".into())));
    assert!(!cache.wait(&me, Of::Job, "a"));
    assert_eq!(list(&cache, Of::Job, &[]), ids(Of::Cronjob, &["mine"]));
    assert!(cache.wait(&me, Of::Job, "a"));
}

/// A shared watch must not stall one slow or failing kind on account of another.
#[test]
fn a_kind_that_is_refused_holds_up_only_who_asks_for_it() {
    let cache = Cache::default();
    list(&cache, Of::Cronjob, &[cronjob("mine", 1)]);
    list(&cache, Of::Job, &[job("run", 2, "mine")]);
    cache.failing(
        Of::Deployment,
        &Place::everywhere(),
        Cause::Forbidden("no".to_owned()),
    );
    let me = id(Of::Cronjob, "mine");
    let view = View::new(&cache, &me);
    assert_eq!(view.owned("mine", Of::Job).len(), 1);
    assert_eq!(view.early(), None, "jobs can be told of");
    cache.failing(
        Of::Job,
        &Place::everywhere(),
        Cause::Unreachable("500".to_owned()),
    );
    assert_eq!(
        cache.sync(Of::Job, ""),
        Some(Progress::Synced),
        "what is known stays known"
    );
    view.owned("mine", Of::Deployment);
    assert_eq!(view.early(), Some((Of::Deployment, "a".into())));
}

#[test]
fn of_a_secret_that_is_not_ours_only_the_names_of_its_keys_are_kept() {
    let secret = |labels: Value| json!({"metadata": {"name": "s", "namespace": "a", "uid": "s", "resourceVersion": "1", "labels": labels}, "data": {"k": "djE="}});
    let value = |object: &Value| {
        let body = fresh(Of::Secret, object).kept.body;
        let secret = body.downcast::<facts::Secret>().expect("a Secret");
        assert!(secret.data.contains_key("k"));
        secret.text("k").map(str::to_owned)
    };
    assert_eq!(value(&secret(json!({}))), None);
    assert_eq!(
        value(&secret(json!({"roadstead.dev/owner": "u"}))).as_deref(),
        Some("v1")
    );
}

#[test]
fn nothing_of_an_object_shows_in_what_is_logged_of_it() {
    let secret = json!({"metadata": {"name": "s"}, "data": {"k": "c2VjcmV0"}});
    assert!(!format!("{:?}", super::wire(&secret)).contains("c2Vj"));
}

#[test]
fn a_manager_that_changes_a_childs_spec_is_noticed_and_a_scale_is_not() {
    let with = |manager: &str, subresource: &str, field: &str| {
        let mut child = job("run", 1, "mine");
        child["metadata"]["managedFields"] = json!([{
            "manager": manager, "operation": "Update", "subresource": subresource,
            "fieldsV1": {"f:spec": {field: {}}},
        }]);
        fresh(Of::Job, &child).kept.foreign.map(|f| f.to_string())
    };
    assert_eq!(
        with("kubectl-edit", "", "f:parallelism").as_deref(),
        Some("kubectl-edit")
    );
    assert_eq!(with("kubectl", "scale", "f:replicas"), None);
    assert_eq!(with("kube-controller-manager", "", "f:parallelism"), None);
    assert_eq!(with("roadstead-handover", "", "f:replicas"), None);
}

#[test]
fn an_object_that_cannot_be_read_is_known_to_be_there_and_no_plan_finds_it() {
    let cache = Cache::default();
    let mut broken = cronjob("mine", 1);
    broken["spec"] = json!({"command": 7});
    list(&cache, Of::Cronjob, &[broken, cronjob("other", 2)]);
    let kept = cache.record(&id(Of::Cronjob, "mine")).expect("kept").kept;
    assert!(roadstead::plan::Found::<roadstead::api::Cronjob>::of(kept).is_none());
    assert!(cache.record(&id(Of::Cronjob, "other")).is_some());
}
