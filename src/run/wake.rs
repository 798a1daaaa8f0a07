//! Who read what: the log that every plan leaves behind, turned round.
//!
//! A question is known by its hash, and who asks by a number: there are many questions, and each costs a few bytes so. Two questions of
//! one hash wake somebody once too often, which does no harm.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use crate::plan::{Id, Kept, Read};

/// The readers of every question that the last plans asked.
#[derive(Default)]
pub struct Readers {
    /// Each question with each of its readers.
    readers: BTreeSet<(u64, u32)>,
    /// What each reader asks, in order.
    asked: HashMap<Id, (u32, Box<[u64]>)>,
    names: HashMap<u32, Id>,
    last: u32,
}

fn hash(read: &Read) -> u64 {
    let mut hasher = DefaultHasher::new();
    read.hash(&mut hasher);
    hasher.finish()
}

fn hashes(reads: &HashSet<Read>) -> Box<[u64]> {
    let all: BTreeSet<u64> = reads.iter().map(hash).collect();
    all.into_iter().collect()
}

impl Readers {
    /// Replace what `who` asks. Says whether a question is new: nobody was told of changes to its answer until now.
    pub fn remember(&mut self, who: &Id, reads: &HashSet<Read>) -> bool {
        let reads = hashes(reads);
        let (number, before) = match self.asked.remove(who) {
            Some(known) => known,
            None => (self.number(), Box::default()),
        };
        let is_in = |all: &[u64], read: &u64| all.binary_search(read).is_ok();
        for gone in before.iter().filter(|read| !is_in(&reads, read)) {
            self.readers.remove(&(*gone, number));
        }
        let mut new = false;
        for read in reads.iter().filter(|read| !is_in(&before, read)) {
            new = true;
            self.readers.insert((*read, number));
        }
        if reads.is_empty() {
            self.names.remove(&number);
        } else {
            self.names.entry(number).or_insert_with(|| who.clone());
            self.asked.insert(who.clone(), (number, reads));
        }
        new
    }

    /// A number that nobody has.
    fn number(&mut self) -> u32 {
        loop {
            self.last = self.last.wrapping_add(1);
            if !self.names.contains_key(&self.last) {
                return self.last;
            }
        }
    }

    /// Whether this is what `who` asked the last time.
    pub fn knows(&self, who: &Id, reads: &HashSet<Read>) -> bool {
        match self.asked.get(who) {
            Some((_, known)) => *known == hashes(reads),
            None => reads.is_empty(),
        }
    }

    /// Everybody for whom this object is part of an answer.
    pub fn of(&self, object: &Kept, wake: &mut HashSet<Id>) {
        let mut ask = |read: Read| {
            let read = hash(&read);
            let numbers = self.readers.range((read, 0)..=(read, u32::MAX));
            wake.extend(numbers.filter_map(|(_, who)| self.names.get(who)).cloned());
        };
        ask(Read::Get(object.id.clone()));
        ask(Read::List(object.id.of, object.id.ns.clone()));
        for key in &object.keys {
            ask(Read::Key(object.id.of, object.id.ns.clone(), key.clone()));
        }
    }
}
