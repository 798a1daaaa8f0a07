//! Many hands: so many objects are worked on at once, each by a task of its own, and what goes wrong in one stays there.

use std::{fmt, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt;
use tokio::sync::Semaphore;

use super::queue::{End, LOST, Queue};
use crate::plan::Id;

/// No pass takes longer.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long what is under way may take once the queue is closed.
const PARTING: Duration = Duration::from_secs(10);

/// Work until the queue is closed, then let what is under way finish.
pub async fn work<F, P>(queue: Arc<Queue>, concurrency: u32, pass: F)
where
    F: Fn(Id) -> P + Clone + Send + 'static,
    P: Future<Output = End> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(concurrency as usize));
    while let Ok(slot) = slots.clone().acquire_owned().await {
        let Some(id) = queue.next().await else {
            break;
        };
        let (queue, pass) = (queue.clone(), pass.clone());
        tokio::spawn(async move {
            let end = guard(pass(id.clone())).await;
            queue.done(&id, end.unwrap_or(LOST));
            drop(slot);
        });
    }
    let all = slots.acquire_many(concurrency);
    let _ = tokio::time::timeout(PARTING, all).await;
}

/// Why a pass has no outcome.
#[derive(Debug, PartialEq)]
pub enum Lost {
    /// It panicked.
    Panicked,
    /// It took too long.
    Late,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Panicked => "it panicked",
            Self::Late => "it took too long",
        })
    }
}

/// What comes of a pass, if it neither panics nor takes too long.
pub async fn guard<T>(pass: impl Future<Output = T>) -> Result<T, Lost> {
    let pass = AssertUnwindSafe(pass).catch_unwind();
    match tokio::time::timeout(DEADLINE, pass).await {
        Ok(outcome) => outcome.map_err(|_| Lost::Panicked),
        Err(_) => Err(Lost::Late),
    }
}
