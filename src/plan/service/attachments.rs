//! Who uses a Service: the Environments that name it, or still run a release that does.

use crate::{
    api::{Environment, service::AttachmentStatus},
    plan::{Found, Kept, Seen},
};

/// Who uses the Service, by the name of the Environment.
pub fn of(me: &Kept, seen: &Seen<'_>) -> Vec<AttachmentStatus> {
    let name = &*me.id.name;
    seen.by_key::<Environment>(&format!("service/{name}"))
        .iter()
        .map(|environment| attachment(environment, name))
        .collect()
}

fn attachment(environment: &Found<Environment>, service: &str) -> AttachmentStatus {
    let named = environment.spec.services.iter().find(|a| a.name == service);
    let status = environment.status.as_ref();
    let path = format!("services.{service}");
    let pending = status.is_some_and(|s| {
        s.pending_changes
            .iter()
            .any(|c| c.path == path && c.change == "Added")
    });
    let released = status.is_some_and(|s| s.current_release.is_some());
    let leaving = environment.kept.deleting.is_some();
    let state = match named {
        None => "detach-pending",
        Some(_) if leaving => "detach-pending",
        Some(_) if pending || !released => "attach-pending",
        Some(_) => "attached",
    };
    AttachmentStatus {
        environment: environment.name().to_owned(),
        prefix: named.map(|a| a.prefix.clone()).unwrap_or_default(),
        state: state.to_owned(),
    }
}
