//! What is kept, and who is woken by what.

use std::collections::HashSet;

use roadstead::{
    kinds::Of,
    plan::{Id, Read, World, facts},
    run::{
        cache::Cache,
        stores::{Place, Progress},
        trouble::{Cause, Trouble},
        view::View,
    },
};
use serde_json::{Value, json};

use super::{cronjob, fresh, id, job};

fn list(cache: &Cache, of: Of, objects: &[Value]) -> HashSet<Id> {
    cache.begin(of, &Place::everywhere());
    for object in objects {
        cache.buffer(of, &Place::everywhere(), fresh(of, object));
    }
    cache.swap(of, &Place::everywhere(), None)
}

fn release(name: &str, rv: u64) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "a", "uid": name, "resourceVersion": rv.to_string()},
        "spec": {"environmentRef": {"name": "live"}},
    })
}

fn ids(of: Of, names: &[&str]) -> HashSet<Id> {
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
fn a_namespace_that_becomes_an_instances_has_its_secrets_watched_and_one_that_goes_takes_them_along()
 {
    let cache = Cache::default();
    let host = json!({"metadata": {"name": "a", "uid": "ns", "resourceVersion": "1", "labels": {"roadstead.dev/instance": "x"}}});
    list(&cache, Of::Cronjob, &[cronjob("mine", 1)]);
    let me = id(Of::Cronjob, "mine");
    assert!(
        cache.wait(&me, Of::Secret, "a"),
        "in no Instance there is nothing to wait for"
    );
    cache.watched(&Place::everywhere(), fresh(Of::Namespace, &host));
    let [place] = &cache.places(Of::Secret)[..] else {
        panic!("Secrets are watched in one place")
    };
    assert_eq!(&*place.ns, "a");
    assert!(!cache.wait(&me, Of::Secret, "a"));
    let secret = json!({"metadata": {"name": "s", "namespace": "a", "uid": "s", "resourceVersion": "2"}, "data": {"k": "djE="}});
    cache.begin(Of::Secret, place);
    cache.buffer(Of::Secret, place, fresh(Of::Secret, &secret));
    assert!(cache.swap(Of::Secret, place, None).contains(&me));
    assert!(cache.record(&id(Of::Secret, "s")).is_some());
    cache.vanished(&Place::everywhere(), &Id::new(Of::Namespace, "", "a"), 9);
    assert!(cache.record(&id(Of::Secret, "s")).is_none());
    assert!(cache.places(Of::Secret).is_empty());
}

#[test]
fn a_namespace_that_goes_and_comes_again_at_once_is_watched_anew_and_the_old_watch_is_not_heard() {
    let cache = Cache::default();
    let host = |rv: &str| {
        let labels = json!({"roadstead.dev/instance": "x"});
        let meta = json!({"name": "a", "uid": "ns", "resourceVersion": rv, "labels": labels});
        fresh(Of::Namespace, &json!({"metadata": meta}))
    };
    cache.watched(&Place::everywhere(), host("1"));
    let before = cache.places(Of::Secret).remove(0);
    cache.begin(Of::Secret, &before);
    cache.swap(Of::Secret, &before, None);
    let me = id(Of::Cronjob, "mine");
    assert!(cache.wait(&me, Of::Secret, "a"));
    // A list that is older than the namespace takes it away, and the watch after it brings it back before anybody has looked.
    cache.begin(Of::Namespace, &Place::everywhere());
    cache.swap(Of::Namespace, &Place::everywhere(), None);
    cache.watched(&Place::everywhere(), host("1"));
    let after = cache.places(Of::Secret).remove(0);
    assert_ne!(before, after, "the watch of before would never list again");
    cache.begin(Of::Secret, &before);
    cache.swap(Of::Secret, &before, None);
    assert!(
        !cache.wait(&me, Of::Secret, "a"),
        "its list is not the new one"
    );
    cache.begin(Of::Secret, &after);
    assert!(cache.swap(Of::Secret, &after, None).contains(&me));
    assert!(cache.wait(&me, Of::Secret, "a"));
}

#[test]
fn a_list_that_is_older_than_what_was_seen_takes_nothing_away_and_brings_nothing_back() {
    let all = Place::everywhere();
    let cache = Cache::default();
    list(
        &cache,
        Of::Job,
        &[job("stays", 3, "mine"), job("goes", 4, "mine")],
    );
    cache.vanished(&all, &id(Of::Job, "goes"), 5);
    cache.watched(&all, fresh(Of::Job, &job("new", 6, "mine")));
    let begin = |jobs: &[Value]| {
        cache.begin(Of::Job, &all);
        for job in jobs {
            cache.buffer(Of::Job, &all, fresh(Of::Job, job));
        }
    };
    begin(&[job("stays", 3, "mine"), job("new", 6, "mine")]);
    assert_eq!(cache.doubted(Of::Job, &all), None, "it says what is known");
    begin(&[job("new", 6, "mine"), job("later", 7, "mine")]);
    assert_eq!(cache.doubted(Of::Job, &all), None, "one went, and one came");
    begin(&[job("stays", 3, "mine"), job("goes", 4, "mine")]);
    assert_eq!(cache.doubted(Of::Job, &all), Some(6), "it is of before");
    let live = ["stays", "new"].map(|name| id(Of::Job, name)).into();
    cache.swap(Of::Job, &all, Some(&live));
    assert!(cache.record(&id(Of::Job, "new")).is_some());
    assert!(cache.record(&id(Of::Job, "goes")).is_none());
    begin(&[job("stays", 3, "mine")]);
    assert_eq!(
        cache.doubted(Of::Job, &all),
        Some(6),
        "the newest may be gone"
    );
    cache.swap(Of::Job, &all, Some(&[id(Of::Job, "stays")].into()));
    assert!(cache.record(&id(Of::Job, "new")).is_none(), "and it was");
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

fn namespace(name: &str, instance: &str) -> Value {
    json!({"metadata": {
        "name": name, "uid": name, "resourceVersion": "1", "labels": {"roadstead.dev/instance": instance},
    }})
}

/// Where the Instance of a namespace does not exist, that is what is missing, and not a right of ours.
#[test]
fn what_stands_in_the_namespace_of_no_instance_is_told_which_one_is_missing() {
    let cache = Cache::default();
    let said = |ns: &str, instance: String| {
        let trouble = Trouble::new(
            &Id::new(Of::Secret, ns, ""),
            "watch",
            Cause::NoInstance(instance),
        );
        (trouble.blocker(), trouble.message(), trouble.fix())
    };
    let there = [
        namespace("instance-acme", "acme"),
        namespace("apps", "acme"),
    ];
    list(&cache, Of::Namespace, &there);
    assert_eq!(cache.lacks("instance-acme"), None, "nobody knows yet");
    list(&cache, Of::Instance, &[]);
    let name = cache.lacks("instance-acme").expect("there is no acme");
    let (what, message, fix) = said("instance-acme", name);
    assert_eq!(what.as_deref(), Some("NoInstance/instance-acme"));
    assert_eq!(
        message,
        "Instance acme does not exist, and the namespace instance-acme is labelled for it"
    );
    assert!(fix.starts_with("Create Instance acme, or move"), "{fix}");

    let acme = json!({
        "metadata": {"name": "acme", "uid": "acme", "resourceVersion": "2"},
        "spec": {"name": "acme", "description": "d"},
    });
    list(&cache, Of::Instance, &[acme]);
    assert_eq!(cache.lacks("instance-acme"), None);
    let name = cache.lacks("apps").expect("acme has another namespace");
    let (_, message, fix) = said("apps", name);
    assert!(
        message.ends_with("whose namespace is instance-acme"),
        "{message}"
    );
    assert!(fix.contains("instance-<its name>"), "{fix}");
}
