//! Where watches look: everywhere, or in the namespace of an Instance, as Instances come and go; and what
//! a late list says.

use roadstead::{
    kinds::Of,
    plan::Id,
    run::{
        cache::Cache,
        stores::{Live, Place},
    },
};
use serde_json::{Value, json};

use super::{
    cache::{ids, list},
    cronjob, fresh, id, job,
};

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
    assert!(
        cache
            .swap(Of::Secret, place)
            .expect("it is in no doubt")
            .contains(&me)
    );
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
    cache.swap(Of::Secret, &before).expect("it is in no doubt");
    let me = id(Of::Cronjob, "mine");
    assert!(cache.wait(&me, Of::Secret, "a"));
    // A list that is older than the namespace takes it away, and the watch after it brings it back before anybody has looked.
    list(&cache, Of::Namespace, &[]);
    cache.watched(&Place::everywhere(), host("1"));
    let after = cache.places(Of::Secret).remove(0);
    assert_ne!(before, after, "the watch of before would never list again");
    cache.begin(Of::Secret, &before);
    cache.swap(Of::Secret, &before).expect("it is in no doubt");
    assert!(
        !cache.wait(&me, Of::Secret, "a"),
        "its list is not the new one"
    );
    cache.begin(Of::Secret, &after);
    assert!(
        cache
            .swap(Of::Secret, &after)
            .expect("it is in no doubt")
            .contains(&me)
    );
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
    let swap = || cache.swap(Of::Job, &all);
    begin(&[job("stays", 3, "mine"), job("new", 6, "mine")]);
    swap().expect("it says what is known");
    begin(&[job("stays", 3, "mine"), job("goes", 4, "mine")]);
    swap().expect_err("it is of before");
    assert!(cache.record(&id(Of::Job, "new")).is_some());
    let live = |names: &[&str], version| Live {
        names: ids(Of::Job, names),
        version,
    };
    // Something is made while the names are asked for.
    let by = id(Of::Cronjob, "mine");
    cache.wrote(&by, fresh(Of::Job, &job("made", 8, "mine")), 0, 0);
    cache.settle(Of::Job, &all, &live(&["stays", "new"], 7));
    for stays in ["stays", "new", "made"] {
        assert!(cache.record(&id(Of::Job, stays)).is_some(), "{stays}");
    }
    assert!(cache.record(&id(Of::Job, "goes")).is_none());
    begin(&[job("stays", 3, "mine")]);
    swap().expect_err("what is newest may be gone");
    cache.settle(Of::Job, &all, &live(&["stays"], 9));
    assert!(cache.record(&id(Of::Job, "new")).is_none(), "and it is");
    begin(&[job("later", 10, "mine")]);
    swap().expect("one went, and one came");
}
