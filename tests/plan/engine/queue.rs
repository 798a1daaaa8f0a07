//! Who is next. The clock stands still but where a test waits for it.

use std::{collections::HashSet, time::Duration};

use roadstead::{
    kinds::Of,
    plan::Id,
    run::queue::{End, Lane, Queue},
};
use tokio::time::{Instant, advance, timeout};

use super::id;

const DONE: End = End::Done(None);
const FAILED: End = failed(usize::MAX);

const fn failed(left: usize) -> End {
    let least = Duration::ZERO;
    End::Failed { least, left }
}

fn of(ns: &str, name: &str) -> Id {
    Id::new(Of::Cronjob, ns, name)
}

async fn next(queue: &Queue) -> Option<Id> {
    timeout(Duration::from_millis(1), queue.next())
        .await
        .ok()
        .flatten()
}

#[tokio::test(start_paused = true)]
async fn an_object_is_planned_by_one_pass_at_a_time_and_once_more_if_it_was_woken_meanwhile() {
    let queue = Queue::default();
    let a = id(Of::Cronjob, "a");
    for _ in 0..3 {
        queue.wake(a.clone(), Lane::Urgent);
    }
    assert_eq!(next(&queue).await, Some(a.clone()));
    queue.wake(a.clone(), Lane::Urgent);
    queue.wake(a.clone(), Lane::Routine);
    assert_eq!(next(&queue).await, None, "it is under way");
    queue.done(&a, DONE);
    assert_eq!(next(&queue).await, Some(a.clone()));
    queue.done(&a, DONE);
    assert_eq!(next(&queue).await, None);
}

#[tokio::test(start_paused = true)]
async fn what_changed_goes_before_what_was_merely_read_again_but_does_not_starve_it() {
    let queue = Queue::default();
    for n in 0..40 {
        queue.wake(of("a", &format!("routine-{n}")), Lane::Routine);
        queue.wake(of("a", &format!("urgent-{n}")), Lane::Urgent);
    }
    let mut order = Vec::new();
    for _ in 0..40 {
        order.push(queue.next().await.expect("one more").name.to_string());
    }
    let routine = order
        .iter()
        .filter(|name| name.starts_with("routine"))
        .count();
    assert_eq!(routine, 5, "one in eight");
    assert!(order[0].starts_with("urgent"));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_waits_as_routine_is_moved_up_when_it_changes() {
    let queue = Queue::default();
    queue.wake(of("a", "first"), Lane::Routine);
    queue.wake(of("a", "second"), Lane::Routine);
    queue.wake(of("a", "second"), Lane::Urgent);
    assert_eq!(next(&queue).await, Some(of("a", "second")));
    assert_eq!(next(&queue).await, Some(of("a", "first")));
    assert_eq!(next(&queue).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_floods_does_not_hold_up_another() {
    let queue = Queue::default();
    for n in 0..2000 {
        queue.wake(of("flood", &n.to_string()), Lane::Urgent);
    }
    queue.wake(of("quiet", "one"), Lane::Urgent);
    let mut turns = 0;
    while queue.next().await.expect("more") != of("quiet", "one") {
        turns += 1;
    }
    assert!(turns <= 2, "{turns} went before it");
}

/// K8: a failure is not tried again inside the call, but here, where it holds up nothing else.
#[tokio::test(start_paused = true)]
async fn failures_are_followed_by_ever_longer_waits_and_a_success_forgets_them() {
    let queue = Queue::default();
    let a = id(Of::Cronjob, "a");
    let mut waits = Vec::new();
    queue.wake(a.clone(), Lane::Urgent);
    for _ in 0..14 {
        let since = Instant::now();
        assert_eq!(queue.next().await, Some(a.clone()));
        waits.push(since.elapsed().as_secs_f64());
        queue.done(&a, FAILED);
    }
    for (n, wait) in waits.iter().enumerate().skip(1) {
        let expected = (0.25 * f64::powi(2.0, n as i32 - 1)).min(300.0);
        assert!(
            (0.74..1.26).contains(&(wait / expected)),
            "wait {n} was {wait} s"
        );
    }
    assert_eq!(queue.next().await, Some(a.clone()));
    queue.done(&a, DONE);
    queue.wake(a.clone(), Lane::Urgent);
    assert_eq!(next(&queue).await, Some(a.clone()));
    assert_eq!(queue.failures(&a), 0);
    queue.done(&a, FAILED);
    let since = Instant::now();
    queue.next().await;
    assert!(since.elapsed() < Duration::from_millis(320));
}

/// What gets further with each try is not left alone for minutes; what takes back and forth the same step is.
#[tokio::test(start_paused = true)]
async fn a_failure_with_less_left_to_do_than_ever_begins_the_waits_anew() {
    let queue = Queue::default();
    let a = id(Of::Cronjob, "a");
    queue.wake(a.clone(), Lane::Urgent);
    queue.next().await;
    let wait = async |left: usize| {
        queue.done(&a, failed(left));
        let since = Instant::now();
        queue.next().await;
        since.elapsed().as_secs_f64()
    };
    for _ in 0..8 {
        wait(3).await;
    }
    assert!(wait(3).await > 40.0);
    assert!(wait(2).await < 0.32, "there was progress");
    assert!(wait(2).await > 0.36, "there was none");
    for left in [3, 2, 3, 2, 3] {
        wait(left).await;
    }
    assert!(wait(2).await > 20.0, "back and forth is no progress");
    assert!(wait(1).await < 0.32);
}

#[tokio::test(start_paused = true)]
async fn what_failed_together_does_not_come_back_together() {
    let queue = Queue::default();
    let mut at = HashSet::new();
    for n in 0..20 {
        let a = of("a", &n.to_string());
        queue.wake(a.clone(), Lane::Urgent);
        queue.next().await;
        queue.done(&a, FAILED);
    }
    let since = Instant::now();
    for _ in 0..20 {
        queue.next().await;
        at.insert(since.elapsed().as_millis());
    }
    assert!(at.len() > 5, "they came at {at:?} ms");
}

#[tokio::test(start_paused = true)]
async fn a_change_shortens_the_wait_after_a_failure_but_not_to_nothing() {
    let queue = Queue::default();
    let a = id(Of::Cronjob, "a");
    queue.wake(a.clone(), Lane::Urgent);
    for _ in 0..8 {
        queue.next().await;
        queue.done(&a, FAILED);
    }
    queue.wake(a.clone(), Lane::Urgent);
    let since = Instant::now();
    assert_eq!(next(&queue).await, None);
    assert_eq!(queue.next().await, Some(a.clone()));
    assert!(since.elapsed() <= Duration::from_millis(1100));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_how_long_it_is_busy_is_left_alone_that_long() {
    let queue = Queue::default();
    let a = id(Of::Cronjob, "a");
    queue.wake(a.clone(), Lane::Urgent);
    queue.next().await;
    let least = Duration::from_secs(20);
    let left = usize::MAX;
    queue.done(&a, End::Failed { least, left });
    let since = Instant::now();
    queue.next().await;
    assert!(since.elapsed() >= Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn an_object_is_planned_again_at_the_time_it_asked_for() {
    let queue = Queue::default();
    let a = id(Of::Cronjob, "a");
    queue.wake(a.clone(), Lane::Urgent);
    queue.next().await;
    queue.done(&a, End::Done(Some(Duration::from_secs(60))));
    advance(Duration::from_secs(59)).await;
    assert_eq!(next(&queue).await, None);
    advance(Duration::from_secs(1)).await;
    assert_eq!(next(&queue).await, Some(a));
}

#[tokio::test(start_paused = true)]
async fn a_closed_queue_hands_out_nothing_more() {
    let queue = Queue::default();
    queue.wake(id(Of::Cronjob, "a"), Lane::Urgent);
    queue.close();
    assert_eq!(queue.next().await, None);
}

/// K15: under load, nothing that was woken is forgotten.
#[tokio::test(start_paused = true)]
async fn every_object_that_is_woken_is_planned_after_it_was() {
    let queue = Queue::default();
    let mut planned = HashSet::new();
    for round in 0..3 {
        for n in 0..500 {
            queue.wake(
                of(&(n % 7).to_string(), &format!("{round}-{n}")),
                Lane::Urgent,
            );
        }
        for _ in 0..100 {
            let taken = queue.next().await.expect("more");
            queue.done(&taken, DONE);
            planned.insert(taken);
        }
    }
    while let Some(taken) = next(&queue).await {
        queue.done(&taken, DONE);
        planned.insert(taken);
    }
    assert_eq!(planned.len(), 1500);
}
