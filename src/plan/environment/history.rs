//! The Releases of an Environment, in the order of their numbers: which serves, which is under way, which is next.

use serde_json::json;

use super::{Scene, today::Today};
use crate::{
    api::{self, APPLICATION, ENVIRONMENT, RELEASE, Release},
    kinds::Of,
    plan::{
        Fill, Found, Id, Part, Step, Want,
        build::{
            meta::Child,
            snapshot::{self, Phase, Record, Snapshot, number},
            variables::CONFIGURATION,
        },
        facts,
    },
};

/// One Release, or what is left of one.
pub struct Attempt {
    /// Its name.
    pub name: String,
    /// Its number.
    pub number: i64,
    /// The Release, unless somebody deleted it.
    pub release: Option<Found<Release>>,
    /// Its snapshot, once it has begun.
    pub snapshot: Option<Snapshot>,
}

impl Attempt {
    /// How far it is; nothing while it waits.
    pub fn phase(&self) -> Option<Phase> {
        self.snapshot.as_ref().map(Snapshot::phase)
    }

    fn waits(&self) -> bool {
        self.snapshot.is_none()
    }

    /// Whether Roadstead made it.
    fn is_automatic(&self, environment: &str) -> bool {
        let digits = self
            .name
            .strip_prefix(environment)
            .and_then(|rest| rest.strip_prefix('-'));
        digits.is_some_and(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()))
    }
}

/// The Releases of an Environment.
pub struct History {
    /// All of them, by number.
    pub attempts: Vec<Attempt>,
    /// The highest number ever seen.
    pub highest: i64,
    /// Releases that cannot begin because something else has the name of their snapshot.
    pub taken: Vec<String>,
}

impl History {
    /// All Releases of this Environment.
    pub fn of(scene: &Scene<'_>) -> Self {
        let environment = &*scene.me.id.name;
        let releases = scene
            .seen
            .by_key::<Release>(&format!("environment/{environment}"));
        let mut snapshots = snapshot::all(scene.seen, environment);
        snapshots.retain(|s| s.secret.kept.owner.as_deref() == Some(&*scene.me.uid));
        let mut history = Self {
            attempts: Vec::new(),
            highest: seen_numbers(scene, &snapshots),
            taken: Vec::new(),
        };
        let mut waiting = Vec::new();
        for release in releases {
            let snapshot = snapshots.iter().find(|s| s.name() == release.name());
            if let Some(snapshot) = snapshot {
                history.attempts.push(Attempt {
                    name: release.name().to_owned(),
                    number: snapshot.number(),
                    snapshot: Some(snapshot.clone()),
                    release: Some(release),
                });
            } else if scene.seen.get::<facts::Secret>(release.name()).is_some() {
                history.taken.push(release.name().to_owned());
            } else if release.kept.deleting.is_none() {
                waiting.push(release);
            }
        }
        for snapshot in snapshots {
            if !history.attempts.iter().any(|a| a.name == snapshot.name()) {
                history.attempts.push(Attempt {
                    name: snapshot.name().to_owned(),
                    number: snapshot.number(),
                    release: None,
                    snapshot: Some(snapshot),
                });
            }
        }
        history.number(waiting);
        history.attempts.sort_by_key(|attempt| attempt.number);
        history
    }

    /// Gives those that wait their numbers, in the order in which they were made. A number that stands on one is kept if no other has it.
    fn number(&mut self, mut waiting: Vec<Found<Release>>) {
        let begun = self.highest;
        let label = |release: &Found<Release>| number(release.kept.label("release"));
        let created = |release: &Found<Release>| (release.kept.created, release.name().to_owned());
        waiting.sort_by_key(|release| (label(release) <= begun, label(release), created(release)));
        for release in waiting {
            let mine = label(&release);
            let number = if mine > self.highest {
                mine
            } else {
                self.highest + 1
            };
            self.highest = number;
            self.attempts.push(Attempt {
                name: release.name().to_owned(),
                number,
                release: Some(release),
                snapshot: None,
            });
        }
    }

    /// The one that serves.
    pub fn serving(&self) -> Option<&Snapshot> {
        let begun = self.attempts.iter().rev();
        begun
            .filter_map(|attempt| attempt.snapshot.as_ref())
            .find(|snapshot| snapshot.phase() == Phase::Succeeded)
    }

    /// The one that is under way.
    pub fn under_way(&self) -> Option<&Attempt> {
        let all = self.attempts.iter().rev();
        all.into_iter()
            .find(|attempt| attempt.phase().is_some_and(|phase| !phase.is_over()))
    }

    /// The one that is next: the newest of those that wait.
    pub fn next(&self) -> Option<&Attempt> {
        self.attempts.iter().rev().find(|attempt| attempt.waits())
    }

    /// The newest that has begun and was not superseded.
    pub fn newest(&self) -> Option<&Snapshot> {
        let begun = self.attempts.iter().rev();
        begun
            .filter_map(|attempt| attempt.snapshot.as_ref())
            .find(|snapshot| snapshot.phase() != Phase::Superseded)
    }

    /// The newest that ended.
    pub fn last_finished(&self) -> Option<i64> {
        let ended = self.attempts.iter().rev();
        ended
            .filter(|a| matches!(a.phase(), Some(Phase::Succeeded | Phase::Failed)))
            .map(|attempt| attempt.number)
            .next()
    }

    /// The Release of this name.
    pub fn find(&self, name: &str) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.name == name)
    }

    /// What keeps the history: numbers, snapshots, Jobs, and an end to those that were overtaken. What is not named goes.
    pub fn steps(&self, scene: &Scene<'_>, today: &Today) -> Vec<Step> {
        let kept = self.kept(scene);
        let mut steps = Vec::new();
        let next = self.next().map(|attempt| attempt.number);
        for attempt in &kept {
            steps.extend(
                attempt
                    .release
                    .as_ref()
                    .map(|r| numbered(scene, r, attempt)),
            );
            if let Some(snapshot) = &attempt.snapshot {
                steps.push(Step::Keep(snapshot.secret.kept.id.clone()));
            } else if next > Some(attempt.number) {
                steps.push(tombstone(scene, attempt, Phase::Superseded, today, &[]));
            }
        }
        for job in scene.seen.owned::<facts::Job>() {
            let of = number(job.kept.label("release"));
            let of = kept.iter().find(|a| a.number == of && a.release.is_some());
            // What a Release that is over has left undone must not be done later.
            let undone = |a: &&Attempt| a.phase().is_some_and(Phase::is_over) && !has_ended(&job);
            if of.is_some_and(|attempt| !undone(attempt)) {
                steps.push(Step::Keep(job.kept.id.clone()));
            }
        }
        steps
    }

    /// Those that stay: made by people, under way, serving, and the newest of ours.
    fn kept(&self, scene: &Scene<'_>) -> Vec<&Attempt> {
        let environment = &*scene.me.id.name;
        let limit = scene.environment.spec.history_limit.unwrap_or(10);
        let serving = self.serving().map(Snapshot::number);
        let mut room = usize::try_from(limit).unwrap_or(10);
        let mut kept = Vec::new();
        for attempt in self.attempts.iter().rev() {
            let needed = Some(attempt.number) == serving
                || !attempt.phase().is_some_and(Phase::is_over)
                || self.is_wanted(&attempt.name);
            if attempt.is_automatic(environment) {
                if attempt.release.is_some()
                    && attempt.phase().is_some_and(Phase::is_over)
                    && room > 0
                {
                    room -= 1;
                } else if !needed {
                    continue;
                }
            }
            kept.push(attempt);
        }
        kept.reverse();
        kept
    }

    /// Whether a Release that waits rolls back to it.
    fn is_wanted(&self, name: &str) -> bool {
        let sources = self.attempts.iter().filter(|attempt| attempt.waits());
        sources
            .filter_map(|attempt| attempt.release.as_ref()?.spec.copy_from.as_ref())
            .any(|source| source.release_ref.name == name)
    }
}

fn has_ended(job: &facts::Job) -> bool {
    let ends = |c: &facts::Condition| matches!(&*c.type_, "Complete" | "Failed");
    let mut conditions = job.status.conditions.iter();
    conditions.any(|c| ends(c) && c.status == "True")
}

fn seen_numbers(scene: &Scene<'_>, snapshots: &[Snapshot]) -> i64 {
    let pods = scene.pods.iter();
    let numbers = pods.map(|pod| number(pod.kept.label("release")));
    let numbers = numbers.chain(snapshots.iter().map(Snapshot::number));
    numbers.max().unwrap_or_default().max(0)
}

/// The Release's number, as a label on it, and whose it is, so that it can be listed: one that Roadstead made was made with it.
fn numbered(scene: &Scene<'_>, release: &Found<Release>, attempt: &Attempt) -> Step {
    if release.kept.owner.as_deref() == Some(&*scene.me.uid) {
        return Step::Keep(release.kept.id.clone());
    }
    let entry = Of::Release.entry();
    let body = json!({
        "apiVersion": entry.api_version(), "kind": entry.kind,
        "metadata": {
            "name": release.name(), "namespace": &*scene.me.id.ns, "uid": &*release.kept.uid,
            "labels": {
                APPLICATION: scene.environment.spec.application_ref.name,
                ENVIRONMENT: &*scene.me.id.name,
                RELEASE: attempt.number.to_string(),
            },
        },
    });
    Step::Apply(Want {
        id: release.kept.id.clone(),
        body,
    })
}

/// The Release that is to be made because the configuration changed: the first name and number that nothing else has.
pub fn automatic(scene: &Scene<'_>, history: &History) -> Attempt {
    let environment = &*scene.me.id.name;
    let mut number = history.highest + 1;
    let name_of = |number: i64| format!("{environment}-{number}");
    while scene.seen.get::<Release>(&name_of(number)).is_some()
        || scene.seen.get::<facts::Secret>(&name_of(number)).is_some()
    {
        number += 1;
    }
    Attempt {
        name: name_of(number),
        number,
        release: None,
        snapshot: None,
    }
}

/// Makes that Release.
pub fn made(scene: &Scene<'_>, attempt: &Attempt) -> Step {
    let application = scene.environment.spec.application_ref.name.as_str();
    let want = Child::of(scene.me, Of::Release, attempt.name.as_str())
        .label(APPLICATION, application)
        .label(RELEASE, attempt.number.to_string())
        .field(
            "spec",
            json!({"environmentRef": {"name": &*scene.me.id.name}}),
        )
        .want();
    Step::Create(want, Vec::new())
}

/// The snapshot of a Release that ends before it began: it is remembered, so that it never runs.
pub fn tombstone(
    scene: &Scene<'_>,
    attempt: &Attempt,
    phase: Phase,
    today: &Today,
    why: &[(&str, &str)],
) -> Step {
    let record = Record {
        number: attempt.number,
        under: today.hash.clone(),
        secrets: today.secrets.clone(),
        ..Record::default()
    };
    let mut child =
        snapshot_child(scene, attempt, phase).annotation("roadstead.dev/ended-at", scene.stamp());
    for (key, value) in why {
        child = child.annotation(&format!("{}/{key}", api::GROUP), *value);
    }
    Step::Create(child.want(), vec![described(&record)])
}

/// The Secret that a Release's snapshot is, still empty.
pub fn snapshot_child(scene: &Scene<'_>, attempt: &Attempt, phase: Phase) -> Child {
    Child::of(scene.me, Of::Secret, attempt.name.as_str())
        .label(RELEASE, attempt.number.to_string())
        .annotation("roadstead.dev/phase", phase.word())
        .field("type", json!("Opaque"))
        .field("immutable", json!(true))
}

/// The key of a snapshot that says what it is.
pub fn described(record: &Record) -> Fill {
    Fill {
        key: CONFIGURATION.to_owned(),
        parts: vec![Part::Text(
            serde_json::to_string(record).unwrap_or_default(),
        )],
    }
}

/// The Job of a release command.
pub fn job_id(scene: &Scene<'_>, release: &str, index: usize) -> Id {
    Id::new(
        Of::Job,
        scene.me.id.ns.clone(),
        format!("{release}-c{index}"),
    )
}
