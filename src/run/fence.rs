//! What every write has to pass: nobody writes who does not lead any more, even a process that was frozen meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// Whether this process may write.
#[derive(Clone, Debug)]
pub struct Fence {
    start: Instant,
    until: Arc<AtomicU64>,
}

impl Default for Fence {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            until: Arc::new(AtomicU64::new(0)),
        }
    }
}

impl Fence {
    /// One that holds nobody back.
    pub fn opened() -> Self {
        let fence = Self::default();
        fence.open();
        fence
    }

    /// Whether this process may write now.
    pub fn holds(&self) -> bool {
        self.start.elapsed().as_millis() < u128::from(self.until.load(Ordering::Acquire))
    }

    /// It may write for good: nobody else is there.
    pub fn open(&self) {
        self.until.store(u64::MAX, Ordering::Release);
    }

    /// It may not write any more.
    pub fn shut(&self) {
        self.until.store(0, Ordering::Release);
    }

    /// It may write until then.
    pub fn extend(&self, until: Instant) {
        let until = until.duration_since(self.start);
        let millis = u64::try_from(until.as_millis()).unwrap_or(u64::MAX);
        self.until.store(millis, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_process_that_slept_through_its_lease_may_not_write_when_it_wakes() {
        const TERM: Duration = Duration::from_secs(15);
        let mut fence = Fence::default();
        assert!(!fence.holds(), "nobody leads from the start");
        fence.extend(Instant::now() + TERM);
        assert!(fence.holds());
        // As if it had been frozen: the clock goes on, and nothing was renewed.
        fence.start -= TERM;
        assert!(!fence.holds());
        fence.open();
        assert!(fence.holds());
        fence.shut();
        assert!(!fence.holds());
    }
}
