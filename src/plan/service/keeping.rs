//! Which Backups of a Service are made by themselves: as it says, or as its Instance does where none of
//! its Environments backs its Services up together.

use jiff::Timestamp;

use super::setup::Setup;
use crate::{
    api::{Environment, Service},
    plan::{
        Kept, Seen,
        backup::{
            keeping::{self, Keeping, Subject},
            subject::is_backupable,
        },
        facts::PersistentVolumeClaim,
        home::Home,
    },
};

/// What is done about the Backups of a Service now.
pub fn keeping(
    service: &Service,
    me: &Kept,
    seen: &Seen<'_>,
    setup: &Setup,
    now: Timestamp,
) -> Keeping {
    let home = Home::of(me, seen);
    let own = service.spec.backup.as_ref();
    let users = seen.by_key::<Environment>(&format!("service/{}", me.id.name));
    let together = users.iter().any(|user| user.spec.backup.is_some());
    let Some(policy) = own.or(home.backup().filter(|_| !together)) else {
        return Keeping::default();
    };
    if !is_backupable(&setup.class.spec) {
        return not_backupable(setup, own.is_some());
    }
    let claim = seen.get::<PersistentVolumeClaim>(&setup.data.claim());
    let subject = Subject {
        field: "serviceRef",
        policy,
        has_data: claim.is_some_and(|claim| claim.status.phase == "Bound"),
        suspended: home.is_suspended(),
    };
    keeping::keeping(&subject, me, seen, now)
}

fn not_backupable(setup: &Setup, asked: bool) -> Keeping {
    let class = setup.class.name();
    let fix = format!(
        "The ServiceClass {class} cannot be backed up: remove spec.backup, or choose another class."
    );
    Keeping {
        blocker: asked.then(|| (format!("NotBackupable/{class}"), fix)),
        ..Keeping::default()
    }
}
