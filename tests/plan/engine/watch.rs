//! From a watch's events to the cache and the queue.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt, stream};
use kube::{
    Client, Config,
    core::Status,
    runtime::watcher::{Error, Event},
};
use roadstead::{
    kinds::Of,
    run::{
        cache::Cache,
        client,
        fence::Fence,
        metrics::Metrics,
        queue::{End, Queue},
        stores::{Place, Progress},
        watch::Watches,
        wire::Wire,
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::Instant,
};

use super::{cronjob, id, job, wire};

type Item = Result<Event<Wire>, Error>;

fn nowhere() -> Client {
    let config = Config::new("http://127.0.0.1:9".parse().expect("an address"));
    client::client(&config, &Arc::new(Metrics::default()), Fence::opened()).expect("a client")
}

fn watches() -> Watches {
    Watches {
        client: nowhere(),
        cache: Arc::new(Cache::default()),
        queue: Arc::new(Queue::default()),
    }
}

fn listed(objects: &[serde_json::Value]) -> Vec<Item> {
    let mut events = vec![Ok(Event::Init)];
    events.extend(objects.iter().map(|o| Ok(Event::InitApply(wire(o)))));
    events.push(Ok(Event::InitDone));
    events
}

fn refused(code: u16) -> Box<Status> {
    Status::failure("as told", "Told").with_code(code).boxed()
}

async fn feed(watches: &Watches, of: Of, events: Vec<Item>) -> Duration {
    let mut wait = Duration::from_millis(200);
    watches
        .feed(
            of.entry(),
            &Place::everywhere(),
            stream::iter(events),
            &mut wait,
        )
        .await;
    wait
}

/// K4: kube's watcher tries for ever with the version that the server has just called gone.
#[tokio::test(start_paused = true)]
async fn a_watch_that_the_server_calls_gone_is_built_anew() {
    let watches = watches();
    let mut events = listed(&[cronjob("a", 1)]);
    events.push(Err(Error::WatchStartFailed(kube::Error::Api(refused(410)))));
    events.push(Ok(Event::Apply(wire(&cronjob("never", 2)))));
    feed(&watches, Of::Cronjob, events).await;
    assert!(watches.cache.record(&id(Of::Cronjob, "a")).is_some());
    assert!(
        watches.cache.record(&id(Of::Cronjob, "never")).is_none(),
        "the old stream is left"
    );
}

/// kube's watcher tells of an event that it cannot read, and goes on after it: what it said is lost until the next list.
#[tokio::test(start_paused = true)]
async fn after_an_event_that_cannot_be_read_everything_is_listed_anew() {
    let watches = watches();
    let garbled = serde_json::from_str::<bool>("{").expect_err("no JSON");
    let mut events = listed(&[cronjob("a", 1)]);
    events.push(Err(Error::WatchFailed(kube::Error::SerdeError(garbled))));
    events.push(Ok(Event::Apply(wire(&cronjob("never", 2)))));
    feed(&watches, Of::Cronjob, events).await;
    assert!(watches.cache.record(&id(Of::Cronjob, "a")).is_some());
    let never = watches.cache.record(&id(Of::Cronjob, "never"));
    assert!(never.is_none(), "the old stream is left");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_fails_backs_off_goes_on_and_forgets_it_when_it_is_well() {
    let watches = watches();
    let since = Instant::now();
    let fail = || Err(Error::InitialListFailed(kube::Error::Api(refused(500))));
    let wait = feed(&watches, Of::Cronjob, vec![fail(), fail(), fail()]).await;
    assert_eq!(since.elapsed(), Duration::from_millis(200 + 400 + 800));
    assert_eq!(wait, Duration::from_millis(1600));
    assert!(matches!(
        watches.cache.sync(Of::Cronjob, ""),
        Some(Progress::Failing(..))
    ));
    let mut events = vec![fail()];
    events.extend(listed(&[cronjob("a", 1)]));
    assert_eq!(
        feed(&watches, Of::Cronjob, events).await,
        Duration::from_millis(200)
    );
    assert_eq!(watches.cache.sync(Of::Cronjob, ""), Some(Progress::Synced));
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_the_server_does_not_know_has_no_objects_and_holds_up_nobody() {
    let watches = watches();
    let since = Instant::now();
    let events = vec![Err(Error::InitialListFailed(kube::Error::Api(refused(
        404,
    ))))];
    feed(&watches, Of::Deployment, events).await;
    let asked_again = since.elapsed();
    assert_eq!(asked_again, Duration::from_secs(300), "it may be installed");
    assert_eq!(
        watches.cache.sync(Of::Deployment, ""),
        Some(Progress::Synced)
    );
    assert_eq!(watches.cache.count(Of::Deployment), 0);
}

/// K2: a subscriber of a shared stream that does not keep up stops the watch for all, for good.
#[tokio::test(start_paused = true)]
async fn a_queue_that_nobody_takes_from_stops_no_watch_and_loses_nothing() {
    let watches = watches();
    let mut events = listed(&[]);
    for n in 0..1000 {
        let name = n.to_string();
        events.push(Ok(Event::Apply(wire(&cronjob(&name, 2 * n + 1)))));
        if n % 2 == 0 {
            events.push(Ok(Event::Delete(wire(&cronjob(&name, 2 * n + 2)))));
        }
    }
    feed(&watches, Of::Cronjob, events).await;
    assert_eq!(watches.cache.count(Of::Cronjob), 500);
    let mut woken = 0;
    while watches.queue.next().now_or_never().flatten().is_some() {
        woken += 1;
    }
    assert_eq!(woken, 1000, "each once, also those that are gone");
}

/// Nobody answers who could say which is right: what is known stays, and the wait grows from list to list.
#[tokio::test(start_paused = true)]
async fn a_list_that_stays_in_doubt_changes_nothing_and_is_asked_for_less_and_less_often() {
    let watches = watches();
    feed(&watches, Of::Cronjob, listed(&[cronjob("old", 1)])).await;
    feed(
        &watches,
        Of::Cronjob,
        vec![Ok(Event::Apply(wire(&cronjob("new", 2))))],
    )
    .await;
    let mut wait = Duration::from_millis(200);
    for _ in 0..3 {
        let before = wait;
        let old = stream::iter(listed(&[cronjob("old", 1)])).chain(stream::pending());
        let all = Place::everywhere();
        watches
            .feed(Of::Cronjob.entry(), &all, old, &mut wait)
            .await;
        assert!(wait > before, "{wait:?}");
    }
    assert!(watches.cache.record(&id(Of::Cronjob, "new")).is_some());
}

/// A shared watch must not stall one slow or failing kind on account of another.
#[tokio::test(start_paused = true)]
async fn a_watch_that_hangs_or_is_refused_stalls_no_other_kind() {
    let watches = watches();
    let hanging = {
        let watches = watches.clone();
        tokio::spawn(async move {
            let mut wait = Duration::from_millis(200);
            let hangs = stream::iter(vec![Ok(Event::Init)]).chain(stream::pending());
            watches
                .feed(
                    Of::Deployment.entry(),
                    &Place::everywhere(),
                    hangs,
                    &mut wait,
                )
                .await;
        })
    };
    let failing = {
        let watches = watches.clone();
        tokio::spawn(async move {
            let mut wait = Duration::from_millis(200);
            let fails = stream::repeat_with(|| {
                Err(Error::InitialListFailed(kube::Error::Api(refused(403))))
            });
            watches
                .feed(
                    Of::StatefulSet.entry(),
                    &Place::everywhere(),
                    fails,
                    &mut wait,
                )
                .await;
        })
    };
    feed(&watches, Of::Cronjob, listed(&[cronjob("mine", 1)])).await;
    feed(&watches, Of::Job, listed(&[job("run", 2, "mine")])).await;
    assert_eq!(watches.queue.next().await, Some(id(Of::Cronjob, "mine")));
    hanging.abort();
    failing.abort();
}

/// A list that begins and never ends: kube waits for ever.
#[tokio::test(start_paused = true)]
async fn a_list_that_never_ends_is_begun_anew() {
    let watches = watches();
    let half = vec![
        Ok(Event::Init),
        Ok(Event::InitApply(wire(&cronjob("a", 1)))),
    ];
    let silent = stream::iter(half).chain(stream::pending());
    let mut wait = Duration::from_millis(200);
    let all = Place::everywhere();
    let fed = watches.feed(Of::Cronjob.entry(), &all, silent, &mut wait);
    let ended = tokio::time::timeout(Duration::from_secs(600), fed).await;
    assert!(ended.is_ok(), "it is waited for without end");
    assert_ne!(watches.cache.sync(Of::Cronjob, ""), Some(Progress::Synced));
}

/// A kind of which nothing is heard for hours, because nothing changes, is not asked for again: kube itself ends a watch that is dead.
#[tokio::test(start_paused = true)]
async fn a_watch_of_what_does_not_change_goes_on_without_a_list() {
    let watches = watches();
    let quiet = stream::iter(listed(&[cronjob("a", 1)])).chain(stream::pending());
    let mut wait = Duration::from_millis(200);
    let all = Place::everywhere();
    let fed = watches.feed(Of::Cronjob.entry(), &all, quiet, &mut wait);
    let ended = tokio::time::timeout(Duration::from_secs(36_000), fed).await;
    assert!(ended.is_err(), "it is listed once more");
    assert_eq!(watches.cache.sync(Of::Cronjob, ""), Some(Progress::Synced));
}

/// A server that takes a request and never answers: kube waits for ever.
#[tokio::test]
async fn a_request_that_is_never_answered_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let config = Config::new(format!("http://{address}").parse().expect("an address"));
    let client =
        client::client(&config, &Arc::new(Metrics::default()), Fence::opened()).expect("a client");
    let asked = tokio::spawn(async move { client.apiserver_version().await });
    let (mut socket, _) = listener.accept().await.expect("a connection");
    let _ = socket.read(&mut [0; 4096]).await;
    tokio::time::pause();
    let ended = tokio::time::timeout(Duration::from_secs(600), asked).await;
    assert!(
        matches!(ended, Ok(Ok(Err(_)))),
        "it is waited for without end"
    );
}

/// K8: kube sends a request that was refused as many as fifteen times more, by itself, for up to minutes.
#[tokio::test]
async fn a_request_that_a_busy_server_refuses_is_sent_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(async move {
        let mut asked = 0;
        while let Ok((mut socket, _)) = listener.accept().await {
            asked += 1;
            let _ = socket.read(&mut [0; 4096]).await;
            let answer = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let _ = socket.write_all(answer.as_bytes()).await;
            if asked == 2 {
                break;
            }
        }
        asked
    });
    let metrics = Arc::new(Metrics::default());
    let config = Config::new(format!("http://{address}").parse().expect("an address"));
    let client = client::client(&config, &metrics, Fence::opened()).expect("a client");
    assert!(client.apiserver_version().await.is_err());
    let counted = metrics.text();
    assert!(
        counted.contains(r#"rest_client_requests_total{code="503",method="GET"} 1"#),
        "{counted}"
    );
    server.abort();
}

/// An Instance's namespace, as a watch brings it.
fn host(rv: u64, deleted: bool) -> serde_json::Value {
    let mut host = serde_json::json!({"metadata": {
        "name": "a", "uid": "ns-a", "resourceVersion": rv.to_string(), "labels": {"roadstead.dev/instance": "a"},
    }});
    if deleted {
        host["metadata"]["deletionTimestamp"] = "2026-11-22T12:00:00Z".into();
    }
    host
}

/// An operator that starts while an Instance's namespace ends finds that the right to read in it is gone already. What is held there must
/// not wait for a watch that will never be whole. In a namespace that does not end, the same refusal is waited out.
#[tokio::test(start_paused = true)]
async fn a_namespace_that_ends_before_it_could_be_read_holds_up_nobody() {
    let watches = watches();
    let cache = watches.cache.clone();
    feed(&watches, Of::Cronjob, listed(&[cronjob("held", 1)])).await;
    while watches.queue.next().now_or_never().flatten().is_some() {
        watches
            .queue
            .done(&id(Of::Cronjob, "held"), End::Done(None));
    }
    let closed = || {
        vec![Err(Error::InitialListFailed(kube::Error::Api(refused(
            403,
        ))))]
    };
    let read = async |events| {
        let mut wait = Duration::from_millis(200);
        let events = stream::iter(events);
        let place = cache.places(Of::Secret).remove(0);
        watches
            .feed(Of::Secret.entry(), &place, events, &mut wait)
            .await;
    };
    feed(&watches, Of::Namespace, listed(&[host(2, false)])).await;
    assert!(!cache.wait(&id(Of::Cronjob, "held"), Of::Secret, "a"));
    read(closed()).await;
    assert!(!cache.wait(&id(Of::Cronjob, "held"), Of::Secret, "a"));
    assert!(watches.queue.next().now_or_never().is_none());
    feed(&watches, Of::Namespace, listed(&[host(3, true)])).await;
    read(closed()).await;
    assert_eq!(cache.sync(Of::Secret, "a"), Some(Progress::Synced));
    let woken = watches.queue.next().now_or_never().flatten();
    assert_eq!(woken, Some(id(Of::Cronjob, "held")));
}

/// F24: after an outage of some seconds a watch began again only half a minute after the server had come back.
#[tokio::test(start_paused = true)]
async fn a_watch_begins_again_at_once_when_the_server_is_back() {
    let watches = watches();
    let mut events = listed(&[cronjob("a", 1)]);
    let lost = || std::io::Error::other("refused");
    let lost = || Err(Error::WatchStartFailed(kube::Error::Service(lost().into())));
    events.extend((0..8).map(|_| lost()));
    // A server that has just started knows no rights yet.
    events.push(Err(Error::WatchStartFailed(kube::Error::Api(refused(403)))));
    events.push(Err(Error::WatchError(refused(410))));
    let since = Instant::now();
    feed(&watches, Of::Cronjob, events).await;
    let outage = Duration::from_millis(200 + 400 + 800 + 1600 + 3200 + 3 * 5000);
    assert_eq!(since.elapsed(), outage + Duration::from_millis(200 + 200));
}
