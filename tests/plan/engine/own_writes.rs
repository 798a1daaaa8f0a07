//! What we wrote and what the watch tells, in whatever order they come.

use roadstead::{
    kinds::Of,
    run::{cache::Cache, fields, stores::Place},
};
use serde_json::{Value, json};

use super::{cronjob, fresh, id, job};

const HASH: u64 = 0x2a;

/// A Job as the server answers an apply of ours.
fn applied(rv: u64, fields: &Value) -> Value {
    let mut job = job("run", rv, "mine");
    job["metadata"]["annotations"] = json!({"roadstead.dev/applied": format!("{HASH:x}")});
    job["metadata"]["managedFields"] =
        json!([{"manager": "roadstead", "operation": "Apply", "fieldsV1": fields}]);
    job
}

fn ours() -> Value {
    json!({"f:spec": {"f:parallelism": {}}})
}

fn cache() -> Cache {
    let cache = Cache::default();
    cache.watched(
        &Place::everywhere(),
        fresh(Of::Cronjob, &cronjob("mine", 1)),
    );
    cache
}

fn trusted(cache: &Cache) -> u64 {
    cache.record(&id(Of::Job, "run")).expect("kept").trusted
}

#[test]
fn an_answer_that_comes_before_its_event_is_kept_and_the_event_then_wakes_nobody() {
    let cache = cache();
    let me = id(Of::Cronjob, "mine");
    let woken = cache.wrote(&me, fresh(Of::Job, &applied(5, &ours())), HASH, 0);
    assert!(woken.is_empty(), "whoever wrote plans again anyway");
    assert_eq!(trusted(&cache), HASH);
    assert!(
        cache
            .watched(&Place::everywhere(), fresh(Of::Job, &applied(5, &ours())))
            .is_empty()
    );
    assert_eq!(trusted(&cache), HASH);
}

#[test]
fn an_event_that_comes_before_its_answer_is_trusted_once_the_answer_comes() {
    let cache = cache();
    cache.watched(&Place::everywhere(), fresh(Of::Job, &applied(5, &ours())));
    assert_eq!(trusted(&cache), 0);
    cache.wrote(
        &id(Of::Cronjob, "mine"),
        fresh(Of::Job, &applied(5, &ours())),
        HASH,
        0,
    );
    assert_eq!(trusted(&cache), HASH);
    let kept = cache.record(&id(Of::Job, "run")).expect("kept").kept;
    assert_eq!(
        kept.ours, None,
        "what is known to be right need not be remembered word by word"
    );
}

#[test]
fn an_answer_that_comes_after_the_object_was_deleted_brings_no_dead_back() {
    let cache = cache();
    cache.watched(&Place::everywhere(), fresh(Of::Job, &applied(5, &ours())));
    cache.vanished(&Place::everywhere(), &id(Of::Job, "run"), 6);
    cache.wrote(
        &id(Of::Cronjob, "mine"),
        fresh(Of::Job, &applied(5, &ours())),
        HASH,
        0,
    );
    assert!(cache.record(&id(Of::Job, "run")).is_none());
}

#[test]
fn an_older_event_does_not_undo_a_newer_answer() {
    let cache = cache();
    cache.wrote(
        &id(Of::Cronjob, "mine"),
        fresh(Of::Job, &applied(7, &ours())),
        HASH,
        0,
    );
    assert!(
        cache
            .watched(&Place::everywhere(), fresh(Of::Job, &job("run", 4, "mine")))
            .is_empty()
    );
    assert_eq!(cache.record(&id(Of::Job, "run")).expect("kept").kept.rv, 7);
    cache.begin(Of::Job, &Place::everywhere());
    cache.buffer(
        Of::Job,
        &Place::everywhere(),
        fresh(Of::Job, &job("run", 4, "mine")),
    );
    cache
        .swap(Of::Job, &Place::everywhere())
        .expect("it is in no doubt");
    assert_eq!(
        cache.record(&id(Of::Job, "run")).expect("kept").kept.rv,
        7,
        "nor does an older list"
    );
}

#[test]
fn a_write_of_ours_wakes_others_who_read_what_was_written() {
    let cache = cache();
    let reader = id(Of::Cronjob, "reader");
    let reads = [roadstead::plan::Read::Get(id(Of::Job, "run"))]
        .into_iter()
        .collect();
    cache.remember(&reader, &reads, cache.epoch());
    let woken = cache.wrote(
        &id(Of::Cronjob, "mine"),
        fresh(Of::Job, &applied(5, &ours())),
        HASH,
        0,
    );
    assert_eq!(woken.into_iter().collect::<Vec<_>>(), [reader]);
}

#[test]
fn trust_lasts_while_others_change_what_is_theirs_and_ends_when_they_take_what_is_ours() {
    let cache = cache();
    cache.wrote(
        &id(Of::Cronjob, "mine"),
        fresh(Of::Job, &applied(5, &ours())),
        HASH,
        0,
    );
    let mut progressed = applied(6, &ours());
    progressed["status"] = json!({"active": 1});
    cache.watched(&Place::everywhere(), fresh(Of::Job, &progressed));
    assert_eq!(trusted(&cache), HASH);
    cache.watched(
        &Place::everywhere(),
        fresh(Of::Job, &applied(7, &json!({"f:spec": {}}))),
    );
    assert_eq!(trusted(&cache), 0);
    let record = cache.record(&id(Of::Job, "run")).expect("kept");
    let want = json!({"spec": {"parallelism": 1}});
    let entry = record.kept.ours.clone().expect("an entry to look at");
    assert!(fields::owns_exactly(&want, &ours().to_string()));
    assert!(entry.as_ref() == r#"{"f:spec":{}}"#);
}

#[test]
fn what_we_had_deleted_counts_as_going_until_the_watch_says_so() {
    let cache = cache();
    cache.watched(&Place::everywhere(), fresh(Of::Job, &job("run", 5, "mine")));
    let now = jiff::Timestamp::from_second(1).expect("a time");
    cache.going(&id(Of::Job, "run"), "another", now);
    assert!(
        cache
            .record(&id(Of::Job, "run"))
            .expect("kept")
            .kept
            .deleting
            .is_none()
    );
    cache.going(&id(Of::Job, "run"), "job-run", now);
    assert!(
        cache
            .record(&id(Of::Job, "run"))
            .expect("kept")
            .kept
            .deleting
            .is_some()
    );
    cache.vanished(&Place::everywhere(), &id(Of::Job, "run"), 6);
    assert!(cache.record(&id(Of::Job, "run")).is_none());
}

#[test]
fn an_object_made_anew_under_the_same_name_inherits_nothing() {
    let cache = cache();
    cache.wrote(
        &id(Of::Cronjob, "mine"),
        fresh(Of::Job, &applied(5, &ours())),
        HASH,
        0,
    );
    let mut other = applied(6, &ours());
    other["metadata"]["uid"] = json!("another");
    cache.watched(&Place::everywhere(), fresh(Of::Job, &other));
    assert_eq!(trusted(&cache), 0);
}

#[test]
fn an_answer_that_tells_what_somebody_else_changed_meanwhile_wakes_whoever_wrote() {
    let cache = cache();
    let me = id(Of::Cronjob, "mine");
    // Our status alone: the same generation, and nobody lets it go.
    let told = fresh(Of::Cronjob, &cronjob("mine", 2));
    assert!(cache.wrote(&me, told, 0, 1).is_empty());
    let changes: [fn(&mut Value); 3] = [
        |o| o["metadata"]["generation"] = json!(2),
        |o| o["metadata"]["annotations"] = json!({"roadstead.dev/retry": "1"}),
        |o| o["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z"),
    ];
    let mut object = cronjob("mine", 2);
    for (change, rv) in changes.into_iter().zip(4..) {
        change(&mut object);
        object["metadata"]["resourceVersion"] = json!(rv.to_string());
        let woken = cache.wrote(&me, fresh(Of::Cronjob, &object), 0, 1);
        assert!(woken.contains(&me) && woken.len() == 1);
        // The watch comes too late to tell: it tells of what is known, or of less.
        let late = cache.watched(&Place::everywhere(), fresh(Of::Cronjob, &object));
        assert!(late.is_empty());
    }
}
