//! The Backup that is made before data goes: of what a Restore replaces, and of a Service that is deleted.

use jiff::Timestamp;
use serde_json::json;

use super::record::Memory;
use crate::{
    api::{BACKUP, Backup, TRIGGER},
    kinds::Of,
    plan::{Kept, Seen, Step, build::meta::Child},
};

/// What is to be safe. It outlives whoever asks for it.
pub struct Safety<'a> {
    /// Name of the Backup.
    pub name: String,
    /// What it is made by: `Safety` or `Final`.
    pub trigger: &'static str,
    /// The Services.
    pub services: Vec<&'a str>,
    /// What it is for.
    pub notes: String,
    /// When it goes by itself, if it does.
    pub delete_at: Option<Timestamp>,
}

/// How far it is.
pub enum Progress {
    /// It is made or under way.
    UnderWay,
    /// It waits for a person, and why.
    Hindered(String),
    /// It has ended, and this is what it came to.
    Ended(Memory),
}

impl Safety<'_> {
    /// What to do about the Backup, and how far it is.
    pub fn of(&self, me: &Kept, seen: &Seen<'_>) -> (Step, Progress) {
        let found = seen.get::<Backup>(&self.name);
        let mine =
            |found: &crate::plan::Found<Backup>| found.kept.owner.as_deref() == Some(&*me.uid);
        let Some(found) = found.filter(mine) else {
            return (self.made(me), Progress::UnderWay);
        };
        let keep = Step::Keep(found.kept.id.clone());
        let memory = Memory::of(seen, &found.kept);
        if let Some(memory) = memory.filter(|memory| memory.finished.is_some()) {
            return (keep, Progress::Ended(memory));
        }
        let conditions = found.status.iter().flat_map(|status| &status.conditions);
        let mut stalled = conditions.filter(|c| c.type_ == "Stalled" && c.status == "True");
        let progress = match stalled.next() {
            Some(why) => Progress::Hindered(why.message.clone()),
            None => Progress::UnderWay,
        };
        (keep, progress)
    }

    fn made(&self, me: &Kept) -> Step {
        let delete_at = self.delete_at.map(|at| at.to_string());
        let (notes, delete_at) = (&self.notes, &delete_at);
        // Of one alone, its table shows which.
        let spec = match self.services.as_slice() {
            [one] => {
                json!({"serviceRef": {"name": one}, "notes": notes, "deleteAt": delete_at})
            }
            all => json!({"services": all, "notes": notes, "deleteAt": delete_at}),
        };
        let want = Child::of(me, Of::Backup, self.name.clone())
            .that_stays()
            .label(TRIGGER, self.trigger)
            .label(BACKUP, self.name.clone())
            .field("spec", spec)
            .want();
        Step::Create(want, Vec::new())
    }
}

/// Why there is nothing good of a Service in it, if so.
pub fn lacks(memory: &Memory, service: &str) -> Option<String> {
    if memory.is_good(service) {
        return None;
    }
    let outcome = memory.outcomes.get(service);
    let error = outcome.and_then(|outcome| outcome.error.clone());
    Some(error.unwrap_or_else(|| "it failed".to_owned()))
}
