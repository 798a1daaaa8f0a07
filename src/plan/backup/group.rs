//! Snapshots of several volumes at one instant: a VolumeGroupSnapshot of those of one driver, where that driver can.
//!
//! | state | means | leaves when |
//! |---|---|---|
//! | Unmarked | its claims get the label by which the snapshot controller finds them; nothing is asked for before | each has it |
//! | Marked | it can be asked for | it is there |
//! | Asked | the snapshot controller makes a VolumeSnapshot of each claim, its member | each is ready, or has failed |
//! | Apart | the driver did not take it in time: it is deleted, and each volume is taken alone | never |
//!
//! The label goes before the Backup ends. Members stay for as long as their group: it has no owner, and goes because the plan of
//! the Backup says so.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::record::{self, Memory, Part};
use crate::{
    api,
    kinds::Of,
    plan::{
        Found, Kept, Seen, Step,
        build::meta::Child,
        facts::{
            PersistentVolumeClaim, SnapshotError, SnapshotStatus, VolumeGroupSnapshot,
            VolumeGroupSnapshotClass, VolumeSnapshot,
        },
    },
};

/// How long a driver may need to take a group before its volumes are taken one by one.
pub const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// The class by which the driver of a claim takes groups, if it can.
pub fn class(seen: &Seen<'_>, claim: &Found<PersistentVolumeClaim>) -> Option<String> {
    let driver = claim.provisioner.as_ref()?;
    let mut classes = seen.by_key::<VolumeGroupSnapshotClass>(&format!("driver/{driver}"));
    classes.sort_by_key(|class| !class.default);
    classes.first().map(|class| class.name().to_owned())
}

fn class_of(part: &Part) -> Option<&str> {
    part.volume.as_ref()?.group_class.as_deref()
}

/// Whether a part is to be taken together with others.
pub fn is_in(part: &Part) -> bool {
    class_of(part).is_some()
}

/// One volume is no group.
pub fn alone(parts: &mut [Part]) {
    let all: Vec<String> = parts
        .iter()
        .filter_map(class_of)
        .map(str::to_owned)
        .collect();
    for volume in parts.iter_mut().filter_map(|part| part.volume.as_mut()) {
        let with = |class: &String| all.iter().filter(|other| *other == class).count();
        volume.group_class = volume.group_class.take().filter(|class| with(class) > 1);
    }
}

/// A group that is, or is to be.
pub struct Group {
    /// Its class.
    pub class: String,
    name: String,
    mark: Mark,
    there: Option<Found<VolumeGroupSnapshot>>,
    members: Vec<Found<VolumeSnapshot>>,
}

/// What its claims bear while it is taken: a label of ours that no other Backup sets.
struct Mark {
    key: String,
    value: String,
}

/// What was asked for on behalf of a part.
pub struct Asked {
    /// Its kind and name.
    pub what: String,
    /// When.
    pub at: Timestamp,
    /// How far it is.
    pub status: SnapshotStatus,
    /// The VolumeSnapshot that was made for a group.
    pub member: Option<String>,
}

/// Name of the group of this number.
fn name(backup: &str, number: usize) -> String {
    format!("{backup}-{number}")
}

fn key(backup: &Kept) -> String {
    format!("group-{}", backup.uid)
}

/// The classes of a Backup's groups, by their numbers.
fn classes(parts: &[Part]) -> Vec<&str> {
    let mut classes: Vec<&str> = parts.iter().filter_map(class_of).collect();
    classes.sort_unstable();
    classes.dedup();
    classes
}

/// The groups of a Backup, also those that were given up.
pub fn groups(memory: &Memory, me: &Kept, seen: &Seen<'_>) -> Vec<Group> {
    let classes = classes(&memory.parts).into_iter().enumerate();
    if classes.len() == 0 {
        return Vec::new();
    }
    let all = seen.owned::<VolumeGroupSnapshot>();
    classes
        .map(|(number, class)| {
            let name = name(&me.id.name, number);
            let there = all.iter().find(|group| group.name() == name).cloned();
            Group {
                class: class.to_owned(),
                mark: Mark {
                    key: key(me),
                    value: number.to_string(),
                },
                members: there.as_ref().map_or_else(Vec::new, |g| members(seen, g)),
                name,
                there,
            }
        })
        .collect()
}

/// The snapshots that the snapshot controller has made for a group. Anybody may claim to belong to it; the status, nobody else writes.
fn members(seen: &Seen<'_>, group: &Found<VolumeGroupSnapshot>) -> Vec<Found<VolumeSnapshot>> {
    let mut members = seen.by_key::<VolumeSnapshot>(&format!("group/{}", group.kept.uid));
    members.retain(|member| {
        let status = member.status.as_ref();
        let said = status.and_then(|status| status.volume_group_snapshot_name.as_deref());
        said == Some(group.name())
    });
    members
}

/// The group that a part is taken with, unless it was given up.
pub fn of<'a>(groups: &'a [Group], memory: &Memory, part: &Part) -> Option<&'a Group> {
    let class = class_of(part).filter(|class| !memory.apart.contains(*class))?;
    groups.iter().find(|group| group.class == class)
}

impl Group {
    /// What was asked for on behalf of this claim; nothing while it is not.
    pub fn asked(&self, claim: &str) -> Option<Asked> {
        let group = self.there.as_ref()?;
        let of_group = group.status.clone().unwrap_or_default();
        let mut members = self.members.iter();
        let member = members.find(|member| member.claim.as_deref() == Some(claim));
        let status = match member {
            Some(member) => member.status.clone().unwrap_or_default(),
            None => SnapshotStatus {
                ready_to_use: None,
                error: missing(of_group.ready_to_use, claim),
                ..of_group.clone()
            },
        };
        Some(Asked {
            what: format!("VolumeGroupSnapshot {}", self.name),
            at: group.kept.created,
            status: SnapshotStatus {
                creation_time: status.creation_time.or(of_group.creation_time),
                error: status.error.or(of_group.error),
                ..status
            },
            member: member.map(|member| member.name().to_owned()),
        })
    }

    /// Asks for it.
    pub fn take(&self, me: &Kept) -> Step {
        let label = format!("{}/{}", api::GROUP, self.mark.key);
        let spec = json!({
            "volumeGroupSnapshotClassName": self.class,
            "source": {"selector": {"matchLabels": {label: self.mark.value}}},
        });
        let want = Child::of(me, Of::VolumeGroupSnapshot, self.name.clone())
            .that_stays()
            .field("spec", spec)
            .want();
        Step::Create(want, Vec::new())
    }

    /// Deletes it, if it is there.
    pub fn gone(&self) -> Option<Step> {
        self.there.as_ref().map(|group| Step::delete(&group.kept))
    }

    /// Whether it holds something that anybody could want.
    pub fn is_good(&self, memory: &Memory) -> bool {
        let mine = |part: &&Part| class_of(part) == Some(&self.class);
        memory.parts.iter().filter(mine).any(|part| {
            let outcome = memory.outcomes.get(&part.service);
            outcome.is_some_and(|outcome| outcome.error.is_none() && outcome.snapshot.is_some())
        })
    }

    /// Marks those of its claims that are not yet.
    pub fn marks(&self, parts: &[Part], seen: &Seen<'_>) -> Vec<Step> {
        let mine = parts
            .iter()
            .filter(|part| class_of(part) == Some(&self.class));
        claims(mine, seen)
            .filter(|claim| claim.kept.label(&self.mark.key) != Some(&self.mark.value))
            .map(|claim| labelled(&claim, &self.mark.key, json!(self.mark.value)))
            .collect()
    }
}

/// What is wrong where a whole group has no snapshot of a claim.
fn missing(ready: Option<bool>, claim: &str) -> Option<SnapshotError> {
    let message = format!("it holds no snapshot of claim {claim}");
    (ready == Some(true)).then_some(SnapshotError {
        message: Some(message),
    })
}

fn claims<'a>(
    parts: impl Iterator<Item = &'a Part>,
    seen: &Seen<'_>,
) -> impl Iterator<Item = Found<PersistentVolumeClaim>> {
    let volumes = parts.filter_map(|part| part.volume.as_ref());
    volumes.filter_map(|volume| seen.get::<PersistentVolumeClaim>(&volume.claim))
}

fn labelled(claim: &Found<PersistentVolumeClaim>, key: &str, value: Value) -> Step {
    let label = format!("{}/{key}", api::GROUP);
    Step::edit(&claim.kept, json!({"metadata": {"labels": {label: value}}}))
}

/// Takes the label off the claims that still bear it.
pub fn unmarked(parts: &[Part], me: &Kept, seen: &Seen<'_>) -> Vec<Step> {
    let key = key(me);
    let grouped = parts.iter().filter(|part| class_of(part).is_some());
    claims(grouped, seen)
        .filter(|claim| claim.kept.label(&key).is_some())
        .map(|claim| labelled(&claim, &key, Value::Null))
        .collect()
}

/// The snapshot of a part that ended well, if it is still there.
pub fn snapshot_of(
    seen: &Seen<'_>,
    backup: &Kept,
    memory: &Memory,
    part: &Part,
) -> Option<Found<VolumeSnapshot>> {
    let mine = |owner: &Option<std::sync::Arc<str>>| owner.as_ref() == Some(&backup.uid);
    let found = match &memory.outcomes.get(&part.service)?.snapshot {
        None => {
            let name = record::snapshot(&backup.id.name, &part.service);
            let found = seen.get::<VolumeSnapshot>(&name)?;
            Some(found).filter(|found| mine(&found.kept.owner))
        }
        Some(member) => {
            let mut classes = classes(&memory.parts).into_iter();
            let number = classes.position(|class| Some(class) == class_of(part))?;
            let group = seen.get::<VolumeGroupSnapshot>(&name(&backup.id.name, number))?;
            let found = seen.get::<VolumeSnapshot>(member)?;
            let same = mine(&group.kept.owner) && found.group.as_deref() == Some(&*group.kept.uid);
            Some(found).filter(|_| same)
        }
    };
    found.filter(|found| found.kept.deleting.is_none())
}
