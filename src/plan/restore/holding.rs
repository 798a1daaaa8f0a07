//! For whom a Restore holds what uses a Service: nobody is to write to data that is being replaced, nor to see it half done.

use super::{
    course::{brought, service},
    record::{Memory, Part, into},
};
use crate::{
    api::Restore,
    plan::{
        Found, Seen,
        service::{data, restoring},
    },
};

/// A Restore that is under way into one of these Services, or is being undone there; and the Service.
pub fn under_way<'a>(
    seen: &Seen<'_>,
    services: impl IntoIterator<Item = &'a str>,
) -> Option<(String, String)> {
    services.into_iter().find_map(|service| {
        let mut all = into(seen, service).into_iter();
        let (restore, _) = all.find(|(restore, memory)| holds(seen, restore, memory, service))?;
        Some((restore.name().to_owned(), service.to_owned()))
    })
}

fn holds(seen: &Seen<'_>, restore: &Found<Restore>, memory: &Memory, service: &str) -> bool {
    let mut parts = memory.parts.iter().filter(|part| part.into == service);
    parts.any(|part| memory.is_under_way(part) || is_undone(seen, restore, part))
}

/// Whether what was there before is being put back: until the engine is made with it, and no longer, for a Service that fails later
/// is no Restore.
fn is_undone(seen: &Seen<'_>, restore: &Found<Restore>, part: &Part) -> bool {
    if restore.spec.undo != Some(true) {
        return false;
    }
    let Some(service) = service(seen, part) else {
        return false;
    };
    let Some(data) = brought(&service, seen, &restore.kept) else {
        return false;
    };
    let name = data.secret.name();
    if data.secret.kept.annotation(data::UNDONE).is_none() {
        return restoring::before(&service, &service.kept, seen, name).is_some();
    }
    !data::is_turned(&service, &service.kept, seen)
}
