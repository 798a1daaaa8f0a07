//! Who read what: the log that every plan leaves behind, turned round.

use std::collections::{HashMap, HashSet};

use crate::plan::{Id, Kept, Read};

/// The readers of every question that the last plans asked.
#[derive(Default)]
pub struct Readers {
    readers: HashMap<Read, HashSet<Id>>,
    reads: HashMap<Id, HashSet<Read>>,
}

impl Readers {
    /// Replace what `who` asks. Says whether a question is new: nobody was told of changes to its answer until now.
    pub fn remember(&mut self, who: &Id, reads: HashSet<Read>) -> bool {
        let before = self.reads.remove(who).unwrap_or_default();
        for gone in before.difference(&reads) {
            self.drop_reader(gone, who);
        }
        let mut new = false;
        for read in reads.difference(&before) {
            new = true;
            let readers = self.readers.entry(read.clone()).or_default();
            readers.insert(who.clone());
        }
        if !reads.is_empty() {
            self.reads.insert(who.clone(), reads);
        }
        new
    }

    /// Whether this is what `who` asked the last time.
    pub fn knows(&self, who: &Id, reads: &HashSet<Read>) -> bool {
        self.reads
            .get(who)
            .map_or(reads.is_empty(), |known| known == reads)
    }

    fn drop_reader(&mut self, read: &Read, who: &Id) {
        if let Some(readers) = self.readers.get_mut(read) {
            readers.remove(who);
            if readers.is_empty() {
                self.readers.remove(read);
            }
        }
    }

    /// Everybody for whom this object is part of an answer.
    pub fn of(&self, object: &Kept, wake: &mut HashSet<Id>) {
        let mut ask = |read: Read| {
            if let Some(readers) = self.readers.get(&read) {
                wake.extend(readers.iter().cloned());
            }
        };
        ask(Read::Get(object.id.clone()));
        ask(Read::List(object.id.of, object.id.ns.clone()));
        for key in &object.keys {
            ask(Read::Key(object.id.of, object.id.ns.clone(), key.clone()));
        }
    }
}
