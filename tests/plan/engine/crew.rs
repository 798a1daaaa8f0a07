//! Many passes at once, and what goes wrong in one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use roadstead::{
    kinds::Of,
    plan::Id,
    run::{
        client::within,
        crew::{self, Lost, guard},
        queue::{End, Lane, Queue},
        trouble::Cause,
    },
};
use tokio::sync::Notify;

use super::id;

const DONE: End = End::Done(None);

fn filled(names: &[&str]) -> Arc<Queue> {
    let queue = Arc::new(Queue::default());
    for name in names {
        queue.wake(id(Of::Cronjob, name), Lane::Urgent);
    }
    queue
}

/// K9: there is no limit on how many objects are worked on at once.
#[tokio::test(start_paused = true)]
async fn no_more_passes_are_under_way_than_were_allowed() {
    let names: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    let queue = filled(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let counts = Arc::new(Mutex::new((0, 0, 0)));
    let all = Arc::new(Notify::new());
    let (seen, told) = (counts.clone(), all.clone());
    let pass = move |_: Id| {
        let (seen, told) = (seen.clone(), told.clone());
        async move {
            {
                let mut counts = seen.lock().expect("not poisoned");
                counts.0 += 1;
                counts.1 = counts.1.max(counts.0);
            }
            tokio::task::yield_now().await;
            let mut counts = seen.lock().expect("not poisoned");
            counts.0 -= 1;
            counts.2 += 1;
            if counts.2 == 50 {
                told.notify_one();
            }
            DONE
        }
    };
    let work = tokio::spawn(crew::work(queue.clone(), 3, pass));
    all.notified().await;
    queue.close();
    work.await.expect("no panic");
    assert_eq!(counts.lock().expect("not poisoned").1, 3);
}

/// K10: all passes of a controller share one task, so one that is busy holds up all others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pass_that_keeps_a_processor_busy_does_not_hold_up_another() {
    let queue = filled(&["busy", "other"]);
    let (tell, hear) = mpsc::channel();
    let hear = Arc::new(Mutex::new(hear));
    let (result, came) = tokio::sync::oneshot::channel();
    let result = Arc::new(Mutex::new(Some(result)));
    let pass = move |id: Id| {
        let (tell, hear, result) = (tell.clone(), hear.clone(), result.clone());
        async move {
            if &*id.name == "busy" {
                let heard = hear
                    .lock()
                    .expect("not poisoned")
                    .recv_timeout(Duration::from_secs(20));
                let result = result.lock().expect("not poisoned").take();
                let _ = result.expect("one pass").send(heard.is_ok());
            } else {
                let _ = tell.send(());
            }
            DONE
        }
    };
    let work = tokio::spawn(crew::work(queue.clone(), 2, pass));
    assert!(came.await.expect("an outcome"), "the other pass never came");
    queue.close();
    work.await.expect("no panic");
}

/// K7: a request that is never answered is waited for without end.
#[tokio::test(start_paused = true)]
async fn a_request_that_is_never_answered_ends_at_its_deadline() {
    let never = std::future::pending::<kube::Result<()>>();
    let ended = within(Duration::from_secs(20), never).await;
    assert!(matches!(ended, Err(Cause::Unreachable(_))));
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_panics_or_never_ends_is_lost_and_nothing_else_is() {
    assert_eq!(guard(async { 1 }).await, Ok(1));
    assert_eq!(
        guard(async { panic!("as told") }).await,
        Err::<(), _>(Lost::Panicked)
    );
    assert_eq!(guard(std::future::pending::<()>()).await, Err(Lost::Late));
}

#[tokio::test(start_paused = true)]
async fn after_a_panic_the_object_backs_off_and_all_others_go_on() {
    let queue = filled(&["bad", "b", "c"]);
    let passes = Arc::new(Mutex::new(HashMap::<String, u32>::new()));
    let again = Arc::new(Notify::new());
    let (counted, told) = (passes.clone(), again.clone());
    let pass = move |id: Id| {
        let (counted, told) = (counted.clone(), told.clone());
        async move {
            let times = {
                let mut counted = counted.lock().expect("not poisoned");
                let times = counted.entry(id.name.to_string()).or_default();
                *times += 1;
                *times
            };
            if &*id.name == "bad" {
                if times == 3 {
                    told.notify_one();
                    return DONE;
                }
                panic!("as told");
            }
            DONE
        }
    };
    let work = tokio::spawn(crew::work(queue.clone(), 1, pass));
    again.notified().await;
    queue.close();
    work.await.expect("the crew itself goes on");
    let passes = passes.lock().expect("not poisoned");
    assert_eq!((passes["bad"], passes["b"], passes["c"]), (3, 1, 1));
}
