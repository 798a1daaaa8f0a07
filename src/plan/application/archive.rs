//! How an Application is retired: it stands still for a while, and is then deleted with its Environments and their Cronjobs.
//!
//! Since when is an annotation of the Application, for a status can be lost. A restored cluster begins to count anew, which is the
//! safe side. Nothing is held up by it: no finalizer, no guard.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Scene;
use crate::{
    api::{self, Cronjob, Environment, Release, application::Archive},
    plan::{Found, Kept, Step},
};

/// Annotation on an Application: since when it is archived. By the part after `roadstead.dev/`.
const SINCE: &str = "archived-at";
/// How long it waits unless it says otherwise.
const WEEK: SignedDuration = SignedDuration::from_hours(168);

/// How far the retirement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retirement {
    /// There is none.
    None,
    /// There is none any more: what was written down goes.
    Undone,
    /// It begins at the first of these times and waits until the second.
    Begins(Timestamp, Timestamp),
    /// It waits until then.
    Waits(Timestamp),
    /// The time is over.
    Over,
}

impl Retirement {
    /// Until when it waits.
    pub fn until(self) -> Option<Timestamp> {
        match self {
            Self::Begins(_, until) | Self::Waits(until) => Some(until),
            Self::None | Self::Undone | Self::Over => None,
        }
    }
}

/// How far the retirement is.
pub fn retirement(archive: Option<&Archive>, me: &Kept, now: Timestamp) -> Retirement {
    let since = me.annotation(SINCE);
    let Some(archive) = archive else {
        return since.map_or(Retirement::None, |_| Retirement::Undone);
    };
    if archive.delete_immediately.unwrap_or(false) {
        return Retirement::Over;
    }
    let wait = archive.keep_for.as_deref().and_then(|t| t.parse().ok());
    let wait: SignedDuration = wait.unwrap_or(WEEK);
    let until = |since: Timestamp| since.checked_add(wait).unwrap_or(Timestamp::MAX);
    match since.and_then(|since| since.parse().ok()) {
        None => {
            let whole = Timestamp::from_second(now.as_second()).unwrap_or(now);
            Retirement::Begins(whole, until(whole))
        }
        Some(since) if until(since) > now => Retirement::Waits(until(since)),
        Some(_) => Retirement::Over,
    }
}

/// What is done for it: since when is written down, and at the end the Environments are deleted, then the Application itself.
pub fn steps(scene: &Scene<'_>) -> Vec<Step> {
    match scene.retirement {
        Retirement::None | Retirement::Waits(_) => Vec::new(),
        Retirement::Undone => vec![note(scene.me, Value::Null)],
        Retirement::Begins(since, _) => vec![note(scene.me, json!(since.to_string()))],
        Retirement::Over if stays(scene).is_some() => Vec::new(),
        Retirement::Over if scene.environments.is_empty() => vec![Step::delete(scene.me)],
        Retirement::Over => {
            let environments = scene.environments.iter();
            environments
                .flat_map(|one| with_its_own(scene, one))
                .collect()
        }
    }
}

/// An Environment goes after its Cronjobs, and after the Releases that people made of it: neither goes with it by itself.
fn with_its_own(scene: &Scene<'_>, environment: &Found<Environment>) -> Vec<Step> {
    let key = format!("environment/{}", environment.name());
    let cronjobs = scene.seen.by_key::<Cronjob>(&key).into_iter();
    let releases = scene.seen.by_key::<Release>(&key).into_iter();
    let by_hand = releases.filter(|release| release.kept.owner.is_none());
    let own = cronjobs.map(|c| c.kept).chain(by_hand.map(|r| r.kept));
    let all = own.chain([environment.kept.clone()]);
    all.map(|kept| Step::delete(&kept)).collect()
}

/// Why it is not deleted though its time is over: what is in the way, and what to do.
pub fn stays(scene: &Scene<'_>) -> Option<(String, String)> {
    let name = &scene.me.id.name;
    if let Some(mirror) = scene.mirrors.first() {
        let mirror = mirror.name();
        let fix = format!(
            "Application {mirror} mirrors it and would lose its image: delete or archive {mirror} first."
        );
        return Some((format!("MirrorExists/{mirror}"), fix));
    }
    if scene.application.spec.locked.is_some() {
        let fix = "It is locked: it is deleted once the platform team has removed spec.locked.";
        return Some((format!("Locked/{name}"), fix.to_owned()));
    }
    if scene.home.is_frozen() {
        let fix = "Its Instance is Frozen: it is deleted once spec.state of the Instance is Active again.";
        return Some((format!("InstanceFrozen/{name}"), fix.to_owned()));
    }
    None
}

fn note(me: &Kept, since: Value) -> Step {
    let key = format!("{}/{SINCE}", api::GROUP);
    Step::edit(me, json!({"metadata": {"annotations": {key: since}}}))
}
