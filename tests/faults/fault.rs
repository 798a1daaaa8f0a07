//! What goes wrong between the operator and the API server, and when: by rule, and by seed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use xxhash_rust::xxh3::xxh3_64;

/// What happens to a request, or to a watch that was opened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// It is refused with this code, and comes no further.
    Refused(u16),
    /// It comes no further, and the connection breaks.
    Cut,
    /// It comes no further, and nobody answers.
    Hangs,
    /// It is carried out, and the connection breaks before the answer.
    AnswerCut,
    /// It is carried out, and nobody answers.
    AnswerHangs,
    /// It is carried out, and the answer is this code.
    AnswerRefused(u16),
    /// The watch breaks off after so many events.
    Breaks(u64),
    /// The watch ends, as if its time were over, after so many events.
    Ends(u64),
    /// The watch tells after so many events that its version is too old.
    Expires(u64),
    /// The watch stands still for this long after so many events, and then goes on.
    Stalls(u64, Duration),
    /// Each event of the watch comes twice.
    Repeats,
    /// The list is what it was when it was asked for the first time.
    Stale,
    /// Each event of the watch comes late, by up to this.
    Late(Duration),
}

/// Which requests a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// Writes, but those of the Lease and Events.
    Writes,
    /// Writes of the Lease.
    Lease,
    /// Lists.
    Lists,
    /// Watches.
    Watches,
}

/// What goes wrong, with which of the requests, and how often at most.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// With which.
    pub on: On,
    /// What.
    pub fault: Fault,
    /// With one in so many.
    pub one_in: u64,
    /// How often at most.
    pub most: u32,
}

/// Rules at work: they strike as the seed says, and count.
pub struct Trouble {
    rules: Vec<(Rule, Arc<AtomicU32>)>,
    seed: u64,
    asked: AtomicU32,
}

/// A fault that was chosen. It counts once it has really struck.
#[derive(Clone)]
pub struct Strike {
    /// What is to go wrong.
    pub fault: Fault,
    /// A number by which details are chosen.
    pub roll: u64,
    struck: Arc<AtomicU32>,
}

impl Strike {
    /// It has struck.
    pub fn count(&self) {
        self.struck.fetch_add(1, Ordering::Relaxed);
    }
}

impl Trouble {
    /// These rules, by this seed.
    pub fn new(rules: &[Rule], seed: u64) -> Self {
        Self {
            rules: rules.iter().map(|rule| (*rule, Arc::default())).collect(),
            seed,
            asked: AtomicU32::new(0),
        }
    }

    /// What goes wrong with this request, if anything.
    pub fn choose(&self, on: On) -> Option<Strike> {
        let turn = self.asked.fetch_add(1, Ordering::Relaxed);
        let mine = self.rules.iter().enumerate();
        mine.filter(|(_, (rule, _))| rule.on == on)
            .find_map(|(n, (rule, struck))| {
                let roll = xxh3_64(format!("{} {turn} {n}", self.seed).as_bytes());
                let strikes =
                    roll.is_multiple_of(rule.one_in) && struck.load(Ordering::Relaxed) < rule.most;
                strikes.then(|| Strike {
                    fault: rule.fault,
                    roll,
                    struck: struck.clone(),
                })
            })
    }

    /// How often each rule has struck.
    pub fn struck(&self) -> Vec<(Rule, u32)> {
        let counts = self.rules.iter();
        counts
            .map(|(rule, struck)| (*rule, struck.load(Ordering::Relaxed)))
            .collect()
    }
}
