//! A Service that a Restore makes because there is none of that name: it starts from the Backup, and is then like any other.

use jiff::Timestamp;
use serde_json::json;

use super::{
    course::{Course, PATIENCE, Wait, serves},
    record::{New, Part},
};
use crate::{
    api::Service,
    kinds::Of,
    plan::{Found, Kept, Seen, Step, build::meta::Child, service::data},
};

/// The Service that the Restore has made for a part, if it is there.
pub fn made(seen: &Seen<'_>, part: &Part, me: &Kept) -> Option<Found<Service>> {
    let service = seen.get::<Service>(&part.into)?;
    let mine = service.kept.owner.as_ref() == Some(&me.uid) && service.kept.deleting.is_none();
    mine.then_some(service)
}

/// Makes it, of what the Backup says of the one that was lost.
fn service(me: &Kept, part: &Part, new: &New) -> Step {
    let source = &part.source;
    let want = Child::of(me, Of::Service, part.into.clone())
        .that_stays()
        .field(
            "spec",
            json!({
                "classRef": {"name": new.class},
                "tier": new.tier,
                "region": new.region,
                "restoreFrom": {"backupRef": {"name": source.backup}, "service": source.service},
            }),
        )
        .want();
    Step::Create(want, Vec::new())
}

impl Course {
    /// Looks at a part whose Service is made, and has not ended.
    pub(super) fn make(
        &mut self,
        me: &Kept,
        seen: &Seen<'_>,
        part: &Part,
        new: &New,
        now: Timestamp,
    ) {
        let name = &part.into;
        let was_made = self.progress.safe.contains(name);
        let Some(made) = made(seen, part, me) else {
            let error = match (seen.get::<Service>(name), was_made) {
                (None, false) => {
                    self.steps.push(service(me, part, new));
                    self.waits.push((name.clone(), Wait::Made));
                    return;
                }
                (_, true) => format!("Service {name} was deleted meanwhile."),
                (Some(_), false) => {
                    format!("Somebody else made Service {name} meanwhile: nothing was put into it.")
                }
            };
            return self.end(part, now, Some(error));
        };
        self.progress.safe.insert(name.clone());
        let data = data::current(&made, &made.kept, seen);
        if serves(&made, &data.template()) {
            return self.end(part, now, None);
        }
        let until = made.kept.created + PATIENCE;
        if now < until {
            self.wake = Some(self.wake.map_or(until, |wake| wake.min(until)));
            self.waits.push((name.clone(), Wait::Service));
            return;
        }
        let error = format!(
            "Service {name} was made, but did not serve the data within {} minutes: `kubectl describe msvc {name} -n {}` says why.",
            PATIENCE.as_mins(),
            me.id.ns
        );
        self.end(part, now, Some(error));
    }
}
