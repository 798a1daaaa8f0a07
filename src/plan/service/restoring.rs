//! How data comes from a Backup into a Service: when it is new, or in the place of what it has.
//!
//! | state | means | leaves when |
//! |---|---|---|
//! | Free | no Restore concerns it | one begins |
//! | Held | nothing runs, until what is there is safe | the Restore says so, or is gone |
//! | Coming | the new volume is made, then the Secret that makes it count | the Secret is seen |
//! | Undoing | what was there before counts again | that is seen |

use serde_json::json;

use super::{data, names::DataName, rotation::RESTORED, setup::Setup};
use crate::{
    api::{DATA, Restore, Service},
    kinds::Of,
    plan::{
        Fill, Found, Kept, Part as Text, Seen, Step,
        backup::{
            bytes, record,
            source::{self, Source},
            subject::Obstacle,
        },
        build::meta::Child,
        facts::Secret,
        restore::record as restore,
    },
};

/// How long a password is.
const LENGTH: usize = 32;

/// What a Restore does with a Service now.
#[derive(Debug, Default)]
pub struct Course {
    /// The Restore for which nothing runs.
    pub holds: Option<String>,
    /// What is done about its data.
    pub steps: Vec<Step>,
}

/// What Restores do with the Service now.
pub fn course(service: &Service, me: &Kept, seen: &Seen<'_>, setup: &Setup) -> Course {
    let present = seen.get::<Secret>(&setup.data.secret());
    let brought_by = present
        .as_ref()
        .and_then(|s| s.kept.annotation(data::RESTORED_BY));
    for (restore, memory) in restore::into(seen, &me.id.name) {
        let Some(part) = memory.part(&me.uid) else {
            continue;
        };
        let mine = brought_by == Some(&*restore.kept.uid);
        if !memory.is_open(&me.uid) {
            if mine && let Some(step) = undone(service, me, seen, &restore, present.as_ref()) {
                return Course {
                    steps: vec![step],
                    ..Course::default()
                };
            }
            continue;
        }
        if mine {
            return Course::default();
        }
        let safe = memory.progress.safe.contains(&part.into);
        let steps = safe.then(|| {
            let name = data::next(service, me, seen, &restore.kept.uid);
            let token = token(service);
            let coming = Coming {
                me,
                setup,
                source: &part.source,
                name: &name,
                token,
            };
            coming.in_place(&restore, present.as_ref())
        });
        return Course {
            holds: Some(restore.name().to_owned()),
            steps: steps.unwrap_or_default(),
        };
    }
    Course::default()
}

fn token(service: &Service) -> Option<&str> {
    let credentials = service.spec.credentials.as_ref();
    credentials.and_then(|c| c.rotate.as_deref())
}

/// What was there before counts again, if it is still there.
fn undone(
    service: &Service,
    me: &Kept,
    seen: &Seen<'_>,
    restore: &Found<Restore>,
    present: Option<&Found<Secret>>,
) -> Option<Step> {
    if restore.spec.undo != Some(true) {
        return None;
    }
    let present = present?;
    let before = before(service, me, seen, present.name())?;
    // It may be about to go: then it is not there any more.
    before.kept.deleting.is_none().then(|| {
        let key = format!("roadstead.dev/{}", data::UNDONE);
        data::marked(present, &key, restore.name())
    })
}

/// The Secret of the data that counted before this one.
pub fn before(
    service: &Service,
    me: &Kept,
    seen: &Seen<'_>,
    secret: &str,
) -> Option<Found<Secret>> {
    let all = data::all(service, me, seen);
    let at = all.iter().position(|data| data.secret.name() == secret)?;
    let mut older = all.into_iter().take(at);
    older
        .rfind(|data| data.secret.kept.annotation(data::UNDONE).is_none())
        .map(|data| data.secret)
}

/// The first data of a Service that starts from a Backup: how it comes, or what is in the way. Nothing where it is there, or the
/// Service starts empty.
pub fn fresh(
    service: &Service,
    me: &Kept,
    seen: &Seen<'_>,
    setup: &Setup,
) -> Option<Result<Vec<Step>, Obstacle>> {
    let from = service.spec.restore_from.as_ref()?;
    let backup = &from.backup_ref.as_ref()?.name;
    if seen.get::<Secret>(&setup.data.secret()).is_some() {
        return None;
    }
    let found = source::find(seen, backup, from.service.as_deref(), &me.id.name);
    let fits = found.and_then(|(source, part)| {
        let this = seen.get::<Service>(&me.id.name);
        match this.and_then(|this| source::mismatch(&part, backup, &this, &setup.class)) {
            Some(obstacle) => Err(obstacle),
            None => Ok(source),
        }
    });
    Some(fits.map(|source| {
        let size = service.spec.storage.as_ref().and_then(|s| s.size.clone());
        let coming = Coming {
            me,
            setup,
            source: &source,
            name: &setup.data,
            token: token(service),
        };
        coming.anew(size)
    }))
}

/// Data that comes from a Backup.
struct Coming<'a> {
    me: &'a Kept,
    setup: &'a Setup,
    source: &'a Source,
    name: &'a DataName,
    token: Option<&'a str>,
}

impl Coming<'_> {
    /// In a new Service, with a password of its own.
    fn anew(&self, size: Option<String>) -> Vec<Step> {
        let claim = self.claim(size).that_stays().want();
        let drawn = Fill {
            key: "nextPassword".to_owned(),
            parts: vec![Text::Random(LENGTH)],
        };
        vec![
            Step::Create(claim, Vec::new()),
            self.secret(self.secret_of(), Some(drawn)),
        ]
    }

    /// In the place of what is there, whose password goes on to hold.
    fn in_place(&self, restore: &Found<Restore>, present: Option<&Found<Secret>>) -> Vec<Step> {
        let key = |word: &str| format!("roadstead.dev/{word}");
        let by = restore.kept.uid.to_string();
        let earlier = present.and_then(|s| s.kept.annotation(data::RESTORES));
        let mut restores: Vec<&str> = earlier.unwrap_or_default().split(',').collect();
        restores.retain(|name| !name.is_empty());
        restores.push(restore.name());
        let newest = restores.len().saturating_sub(64);
        let restores = restores.get(newest..).unwrap_or_default().join(",");
        let claim = self
            .claim(None)
            .annotation(&key(data::RESTORED_BY), by.clone());
        let secret = self
            .secret_of()
            .annotation(&key(data::RESTORED_BY), by)
            .annotation(&key(data::RESTORES), restores);
        let present = present.map(|present| Fill {
            key: "nextPassword".to_owned(),
            parts: vec![Text::Secret {
                name: present.name().to_owned(),
                key: "password".to_owned(),
            }],
        });
        vec![
            Step::Create(claim.that_stays().want(), Vec::new()),
            self.secret(secret, present),
        ]
    }

    fn claim(&self, size: Option<String>) -> Child {
        let volume = &self.source.volume;
        let sizes = [Some(volume.size.clone()), size];
        let needed = self.source.bytes.unwrap_or(0);
        let size = sizes
            .into_iter()
            .flatten()
            .max_by_key(|size| bytes(size))
            .filter(|size| bytes(size) >= Some(needed))
            .unwrap_or_else(|| needed.to_string());
        let snapshot = json!({
            "apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": self.source.snapshot,
        });
        Child::of(self.me, Of::PersistentVolumeClaim, self.name.claim()).field(
            "spec",
            json!({
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": size}},
                "storageClassName": volume.storage_class,
                "dataSource": snapshot,
            }),
        )
    }

    fn secret_of(&self) -> Child {
        let child = Child::of(self.me, Of::Secret, self.name.secret())
            .label(DATA, self.name.uid8())
            .that_stays();
        match self.token {
            // What was asked for before belongs to the data that was there before.
            Some(token) => child.annotation("roadstead.dev/rotated", token),
            None => child,
        }
    }

    /// The account that the data opens with. Where the class can, another password then takes the place of that one.
    fn secret(&self, child: Child, next: Option<Fill>) -> Step {
        let mut fills: Vec<Fill> = record::ACCOUNT
            .iter()
            .map(|word| Fill {
                key: (*word).to_owned(),
                parts: vec![Text::Secret {
                    name: self.source.account.clone(),
                    key: record::key(&self.source.service, word),
                }],
            })
            .collect();
        let can = self.setup.class.spec.credentials.as_ref();
        let child = match next.filter(|_| can.is_some_and(|c| c.rotate.is_some())) {
            Some(next) => {
                fills.push(next);
                child.annotation("roadstead.dev/rotating", RESTORED)
            }
            None => child,
        };
        Step::Create(child.field("type", json!("Opaque")).want(), fills)
    }
}
