//! How far the parts of a Backup are, from their snapshots.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{
    group::{self, Asked},
    hold::{Hold, hold},
    record::{Memory, Outcome, Part, snapshot},
};
use crate::plan::{Found, Kept, Seen, Step, facts::VolumeSnapshot};

/// How long the driver may try again after it has failed.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);
/// How long a snapshot may take.
const LONGEST: SignedDuration = SignedDuration::from_hours(6);

/// What is said of a snapshot that came too late.
const LET_GO: &str = "Its data was no longer held still when the snapshot was taken: raise backup.quiesce.maxSeconds of its class if it takes longer.";

/// How far a part is.
#[derive(Clone, Debug)]
pub enum Stage {
    /// Its snapshot is asked for once the data of every part is held still.
    Holding,
    /// Its snapshot is still to be asked for.
    Due,
    /// Its snapshot is being taken; what is wrong so far, and when patience ends.
    Asked {
        /// What the driver complains about.
        trouble: Option<String>,
        /// When it is given up.
        until: Timestamp,
        /// The instant whose data it will hold.
        taken_at: Option<String>,
    },
    /// The group of this class that it was to be taken with is given up.
    Apart(String),
    /// Its snapshot was taken at this instant, while its data was held still.
    Caught(Option<String>),
    /// It ended.
    Ended(Outcome),
    /// It ended well, but its snapshot is gone.
    Lost(Outcome),
}

/// How far each part is, by the name of the Service, and what is done to hold their data still.
pub fn stages(
    memory: &Memory,
    me: &Kept,
    seen: &Seen<'_>,
    now: Timestamp,
) -> (BTreeMap<String, Stage>, Vec<Step>) {
    let (groups, snapshots) = (group::groups(memory, me, seen), seen.owned());
    let find = |part: &Part| match group::of(&groups, memory, part) {
        Some(group) => group.asked(&part.volume.as_ref()?.claim),
        None => alone(&snapshots, &snapshot(&me.id.name, &part.service)),
    };
    let parts = memory.parts.iter();
    let holds: Vec<Option<Hold>> = parts
        .clone()
        .map(|part| hold(me, seen, memory, part, find(part).is_some()))
        .collect();
    let coming = holds.iter().any(|h| matches!(h, Some(Hold::Coming(_))));
    let stages = parts.zip(&holds).map(|(part, hold)| {
        let ended = memory.outcomes.get(&part.service);
        let stage = match ended {
            Some(outcome) => over(outcome, group::snapshot_of(seen, me, memory, part)),
            None => {
                let group = group::of(&groups, memory, part).map(|group| &group.class);
                stage(part, group, hold.as_ref(), find(part), now)
            }
        };
        let stage = match stage {
            Stage::Due if coming => Stage::Holding,
            stage => stage,
        };
        (part.service.clone(), stage)
    });
    let stages = stages.collect();
    let steps = holds.into_iter().filter_map(|hold| match hold? {
        Hold::Coming(step) => step,
        Hold::Held(_, step) => Some(step),
        Hold::Over | Hold::Lost(_) => None,
    });
    (stages, steps.collect())
}

/// What was asked for on behalf of a part that is taken alone.
fn alone(all: &[Found<VolumeSnapshot>], name: &str) -> Option<Asked> {
    let found = all.iter().find(|snapshot| snapshot.name() == name)?;
    Some(Asked {
        what: format!("VolumeSnapshot {name}"),
        at: found.kept.created,
        status: found.status.clone().unwrap_or_default(),
        member: None,
    })
}

fn over(outcome: &Outcome, snapshot: Option<Found<VolumeSnapshot>>) -> Stage {
    if outcome.error.is_none() && snapshot.is_none() {
        Stage::Lost(outcome.clone())
    } else {
        Stage::Ended(outcome.clone())
    }
}

fn stage(
    part: &Part,
    group: Option<&String>,
    hold: Option<&Hold>,
    asked: Option<Asked>,
    now: Timestamp,
) -> Stage {
    let failed = |error: String| {
        Stage::Ended(Outcome {
            ended_at: now.to_string(),
            error: Some(error),
            ..Outcome::default()
        })
    };
    if let Some(error) = &part.error {
        return failed(error.clone());
    }
    if let Some(Hold::Lost(why)) = hold {
        return failed(why.clone());
    }
    let Some(asked) = asked else {
        return Stage::Due;
    };
    let status = asked.status;
    if let (Some(hold), Some(at)) = (hold, &status.creation_time) {
        match caught(hold, at) {
            Some(true) => return Stage::Caught(status.creation_time),
            Some(false) => return failed(LET_GO.to_owned()),
            None => {}
        }
    }
    // A kubelet that starts again calls a pod unready until it has asked it: whether the data is held shows then, or when the Job ends.
    let unsure = matches!(hold, Some(Hold::Coming(_)));
    if status.ready_to_use == Some(true) && !unsure {
        return Stage::Ended(Outcome {
            taken_at: status.creation_time,
            ended_at: now.to_string(),
            size_bytes: status.restore_size.as_deref().and_then(bytes),
            error: None,
            snapshot: asked.member,
        });
    }
    let trouble = status.error.and_then(|error| error.message);
    let group = group.filter(|_| status.creation_time.is_none());
    let patience = match (group, &trouble) {
        (Some(_), _) => group::PATIENCE,
        (None, Some(_)) => PATIENCE,
        (None, None) => LONGEST,
    };
    let until = asked.at + patience;
    if now < until {
        return Stage::Asked {
            trouble,
            until,
            taken_at: status.creation_time,
        };
    }
    if let Some(class) = group {
        return Stage::Apart(class.clone());
    }
    let what = asked.what;
    failed(match trouble {
        Some(trouble) => format!("{what} failed: {}", short(&trouble)),
        None => format!(
            "{what} was not ready after {} hours: see that the snapshot controller and the driver's csi-snapshotter run.",
            LONGEST.as_hours()
        ),
    })
}

/// Whether a snapshot of this instant was taken while the data was held still; nothing where that is known already.
fn caught(hold: &Hold, at: &str) -> Option<bool> {
    // Both instants are known to the second.
    let at = at.parse::<Timestamp>().ok()? + SignedDuration::from_secs(1);
    match hold {
        Hold::Held(until, _) => Some(at <= *until),
        Hold::Coming(_) | Hold::Over | Hold::Lost(_) => None,
    }
}

fn short(text: &str) -> String {
    text.chars().take(600).collect()
}

/// A quantity of Kubernetes, in bytes.
pub fn bytes(quantity: &str) -> Option<i64> {
    const UNITS: [(&str, i64); 9] = [
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
        ("", 1),
    ];
    UNITS.iter().find_map(|(unit, factor)| {
        let number: i64 = quantity.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(*factor)
    })
}

/// So many bytes, for people.
pub fn said(bytes: i64) -> String {
    const UNITS: [(&str, i64); 3] = [("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
    let fits = UNITS.iter().find(|(_, unit)| bytes >= *unit);
    match fits {
        Some((name, unit)) if bytes % unit == 0 => format!("{}{name}", bytes / unit),
        Some((name, unit)) => format!("{}.{}{name}", bytes / unit, bytes % unit * 10 / unit),
        None => bytes.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_kubernetes_writes_them() {
        assert_eq!(bytes("10Gi"), Some(10 << 30));
        assert_eq!(bytes("1048576"), Some(1 << 20));
        assert_eq!(bytes("5M"), Some(5_000_000));
        assert_eq!(bytes("much"), None);
    }

    #[test]
    fn sizes_are_said_as_people_do() {
        assert_eq!(said(10 << 30), "10Gi");
        assert_eq!(said((3 << 30) / 2), "1.5Gi");
        assert_eq!(said(12), "12");
    }
}
