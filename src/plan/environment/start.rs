//! How a Release begins: what it is to run is settled once and for all, or it is refused.

use super::{
    Scene,
    history::{Attempt, History, described, snapshot_child, tombstone},
    services,
    today::{Today, built_in},
    trouble::Trouble,
};
use crate::{
    api::{
        Environment, Release,
        release::{BuildMode, ReleaseSource, ReleaseSpec},
    },
    plan::{
        Fill, Found, Part, Step,
        application::lock,
        build::{
            snapshot::{Phase, Record, Snapshot},
            variables::{Content, From, Origin},
        },
    },
};

/// What becomes of the Release that is next.
pub enum Start {
    /// It begins.
    Begin(Box<Record>, Vec<Fill>),
    /// It ends before it began: why, in a word and in a sentence.
    Refuse(&'static str, String),
    /// It waits for this.
    Wait(Vec<Trouble>),
}

/// What becomes of the Release that is next.
pub fn start(scene: &Scene<'_>, today: &Today, history: &History, next: &Attempt) -> Start {
    let asked = next.release.as_ref().map(|release| &release.spec);
    let Some(application) = &today.application else {
        return Start::Wait(today.problems.clone());
    };
    if let Some(fix) = lock(application) {
        let locked = Trouble::new("ApplicationLocked", application.name(), fix);
        return Start::Wait(vec![locked]);
    }
    let provision = asked
        .and_then(|spec| spec.provision_services)
        .unwrap_or(true);
    if let Some(source) = asked.and_then(|spec| spec.copy_from.as_ref()) {
        return back(scene, today, history, next, source, provision);
    }
    let image = match asked.map_or(Ok(None), |spec| image(scene, history, spec)) {
        Ok(image) => image,
        Err((reason, message)) => return Start::Refuse(reason, message),
    };
    let waits = if provision { &today.waits[..] } else { &[] };
    let image_is_given = |t: &&Trouble| !(image.is_some() && t.reason == "ImageMissing");
    let stays_out = |t: &&Trouble| provision || !is_left_out(today, t);
    let problems = today.problems.iter().filter(image_is_given);
    let problems = problems.filter(stays_out);
    let missing: Vec<Trouble> = problems.chain(waits).cloned().collect();
    if !missing.is_empty() {
        return Start::Wait(missing);
    }
    let mut said = today.said(scene, next.number);
    let absent = |service: &str| {
        let of = today.attached.iter().find(|one| one.name == service);
        of.is_none_or(|one| one.credentials.is_none())
    };
    said.retain(|one| !matches!(&one.content, Content::Service(s) if absent(s)));
    let resolved = super::today::put_together(said);
    let given = today
        .attached
        .iter()
        .filter(|one| one.credentials.is_some());
    let record = Record {
        number: next.number,
        under: today.hash.clone(),
        secrets: today.secrets.clone(),
        back_to: None,
        anew: asked.is_some_and(|spec| spec.build_mode == Some(BuildMode::Force)),
        image: image
            .or_else(|| today.configuration.image.clone())
            .unwrap_or_default(),
        configuration: today.configuration.clone(),
        variables: resolved.entries,
        templates: given
            .map(|one| (one.name.clone(), one.templates()))
            .collect(),
    };
    Start::Begin(Box::new(record), resolved.fills)
}

/// Whether a Release that waits for no Service goes on in spite of this: a Service, or its class, is not there, and has given nothing yet.
fn is_left_out(today: &Today, trouble: &Trouble) -> bool {
    let concerned = today.attached.iter().filter(|one| {
        let class = one.service.as_ref().map(|s| &s.spec.class_ref.name);
        match trouble.reason {
            "ServiceMissing" => one.name == trouble.object,
            "ClassMissing" => class == Some(&trouble.object),
            _ => false,
        }
    });
    let given: Vec<bool> = concerned.map(|one| one.credentials.is_some()).collect();
    !given.is_empty() && !given.contains(&true)
}

/// The image that is asked for in place of the declared one.
fn image(
    scene: &Scene<'_>,
    history: &History,
    asked: &ReleaseSpec,
) -> Result<Option<String>, (&'static str, String)> {
    if let Some(source) = &asked.adopt {
        return adopted(scene, source).map(Some);
    }
    if asked.build_mode != Some(BuildMode::Adopt) {
        return Ok(None);
    }
    let newest = history.serving().and_then(image_of);
    newest.map(Some).ok_or_else(|| {
        let message = "buildMode is Adopt, but this Environment has no image yet: make a Release without buildMode first.";
        ("NoImage", message.to_owned())
    })
}

fn image_of(snapshot: &Snapshot) -> Option<String> {
    let given = || snapshot.record().map(|record| record.image);
    snapshot.image().map(str::to_owned).or_else(given)
}

/// The image of a Release of any Environment of the same Application.
fn adopted(scene: &Scene<'_>, source: &ReleaseSource) -> Result<String, (&'static str, String)> {
    let name = &source.release_ref.name;
    let refuse = |why: &str| {
        let message = format!("Release {name} cannot be adopted: {why}");
        ("SourceNotUsable", message)
    };
    let Some(release) = scene.seen.get::<Release>(name) else {
        return Err(refuse("it does not exist."));
    };
    if let Some(why) = unusable(&release) {
        return Err(refuse(&why));
    }
    let of = &release.spec.environment_ref.name;
    let application = |e: &Environment| e.spec.application_ref.name.clone();
    let its = scene.seen.get::<Environment>(of).map(|e| application(&e));
    if its != Some(application(scene.environment)) {
        return Err(refuse("it is of another Application."));
    }
    let snapshot = Snapshot::of_release(scene.seen, of, name);
    let usable = snapshot.filter(|snapshot| snapshot.phase() == Phase::Succeeded);
    let image = usable.as_ref().and_then(image_of);
    image.ok_or_else(|| refuse("only one that succeeded can be."))
}

/// Why a Release is not to be used again, if a person or a pipeline said so in the annotation `roadstead.dev/unusable`.
fn unusable(release: &Found<Release>) -> Option<String> {
    let why = release.kept.annotation("unusable")?;
    Some(format!("it is marked as unusable: {why}"))
}

/// A roll back: everything of then but what Services give, and what Roadstead says of the Release itself.
fn back(
    scene: &Scene<'_>,
    today: &Today,
    history: &History,
    next: &Attempt,
    source: &ReleaseSource,
    provision: bool,
) -> Start {
    let name = &source.release_ref.name;
    let then = history.find(name);
    if let Some(why) = then.and_then(|a| unusable(a.release.as_ref()?)) {
        let message = format!("Release {name} cannot be rolled back to: {why}");
        return Start::Refuse("SourceNotUsable", message);
    }
    let found = then.and_then(|a| a.snapshot.as_ref());
    let usable = found.filter(|snapshot| snapshot.phase() == Phase::Succeeded);
    let Some((then, record)) = usable.and_then(|s| Some((s, s.record()?))) else {
        let message = format!(
            "Release {name} cannot be rolled back to: it must be of this Environment and have succeeded."
        );
        return Start::Refuse("SourceNotUsable", message);
    };
    let (mut missing, waits) = services::needs(scene, &record);
    if provision {
        missing.extend(waits);
    }
    if !missing.is_empty() {
        return Start::Wait(missing);
    }
    let ours = built_in(scene, &record.configuration, next.number);
    let mut fills = Vec::new();
    for entry in &record.variables {
        let From::Snapshot(key) = &entry.from else {
            continue;
        };
        let said = ours.iter().find(|said| said.name == entry.name);
        let said = said.filter(|_| entry.origin == Origin::Roadstead);
        let part = match said.map(|said| &said.content) {
            Some(Content::Text(text)) => Part::Text(text.clone()),
            _ => Part::Secret {
                name: then.name().to_owned(),
                key: key.clone(),
            },
        };
        fills.push(Fill {
            key: key.clone(),
            parts: vec![part],
        });
    }
    let record = Record {
        number: next.number,
        under: today.hash.clone(),
        secrets: today.secrets.clone(),
        back_to: Some(name.clone()),
        anew: false,
        image: then.image().map_or(record.image.clone(), str::to_owned),
        ..record
    };
    Start::Begin(Box::new(record), fills)
}

/// The step that a start comes down to.
pub fn step(scene: &Scene<'_>, today: &Today, next: &Attempt, start: &Start) -> Option<Step> {
    match start {
        Start::Wait(_) => None,
        Start::Refuse(reason, message) => {
            let why = [("reason", *reason), ("message", message.as_str())];
            Some(tombstone(scene, next, Phase::Failed, today, &why))
        }
        Start::Begin(record, fills) => {
            let phase = if super::command::commands(record).is_empty() {
                Phase::RollingOut
            } else {
                Phase::Releasing
            };
            let mut fills = fills.clone();
            fills.push(described(record));
            let child = snapshot_child(scene, next, phase);
            Some(Step::Create(child.want(), fills))
        }
    }
}
