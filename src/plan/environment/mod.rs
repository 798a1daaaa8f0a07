//! Environment: how it lives. Its Releases are decided here too, for one decider is enough.
//!
//! | state | means | leaves when |
//! |---|---|---|
//! | leaving | it is being deleted, or its namespace is | what it made has gone with it |
//! | homeless | no Instance owns its namespace | one does |
//! | never deployed | nothing of it has run | a Release begins |
//! | deploying | a Release is under way | it succeeds or fails |
//! | running | the newest Release serves | something is changed, breaks or is stopped |
//! | rolled back | an older Release serves again | the configuration changes |
//! | degraded | something serves, but not what is declared, or not all of it | it recovers, or a person changes something |
//! | failed | the only Releases that there were failed | the configuration changes |
//! | stopped | nothing runs; all else stands | it is started, or the Instance or Application no longer suspended |
//! | restoring | nothing runs, for data comes from a Backup into a Service that it uses | the Service serves it |

mod command;
mod copy;
mod course;
mod history;
mod judgement;
mod report;
mod services;
mod start;
mod today;
mod trouble;
mod workload;

use jiff::Timestamp;
use serde_json::json;

use self::{
    copy::Copy,
    course::Course,
    history::{Attempt, History},
    start::Start,
    today::Today,
    trouble::Trouble,
    workload::Running,
};
use super::{
    Found, Kept, Kind, Plan, Seen, Step, Watched,
    application::{Standstill, standstill},
    backup::keeping::{self, Keeping, Subject},
    build::snapshot::{Phase, Record, Snapshot},
    facts,
    home::Home,
    restore::holding,
};
use crate::{
    api::{
        Environment, Release,
        environment::{EnvironmentState, ReleasePolicy},
    },
    kinds::Of,
};

impl Watched for Environment {
    const OF: Of = Of::Environment;

    fn keys(&self) -> Vec<String> {
        let application = &self.spec.application_ref.name;
        let named = self.metadata.name.as_deref().unwrap_or_default();
        let slug = self.spec.slug.as_deref().unwrap_or(named);
        let named_today = self.spec.services.iter().map(|a| a.name.as_str());
        let pending = self.status.iter().flat_map(|s| &s.pending_changes);
        // A Service is used until the release that lets go of it.
        let let_go = pending
            .filter(|change| change.change == "Removed")
            .filter_map(|change| change.path.strip_prefix("services."));
        named_today
            .chain(let_go)
            .map(|service| format!("service/{service}"))
            .chain([
                format!("application/{application}"),
                format!("slug/{application}/{slug}"),
            ])
            .collect()
    }
}

/// All that a plan of one Environment looks at.
struct Scene<'a> {
    environment: &'a Environment,
    me: &'a Kept,
    seen: &'a Seen<'a>,
    now: Timestamp,
    home: Home,
    pods: Vec<Found<facts::Pod>>,
    copy: &'a Copy,
}

impl Scene<'_> {
    /// What else has this name, if somebody does.
    fn taken<K: Watched>(&self, name: &str) -> Option<Trouble> {
        let there = self.seen.get::<K>(name)?;
        if there.kept.owner.as_deref() == Some(&*self.me.uid) {
            return None;
        }
        let kind = K::OF.entry().kind;
        let fix = format!(
            "A {kind} {name} that is not of this Environment stands already: rename one of them."
        );
        Some(Trouble::new("NameTaken", name, fix))
    }

    /// Whether its namespace goes: nothing new can be made there, and what is left goes with it.
    fn ends(&self) -> bool {
        let namespace = self.seen.get::<facts::Namespace>(&self.me.id.ns);
        namespace.is_some_and(|namespace| namespace.kept.deleting.is_some())
    }

    /// The time, as it is written down: whole seconds, as Kubernetes does.
    fn stamp(&self) -> String {
        let whole = Timestamp::from_second(self.now.as_second());
        whole.unwrap_or(self.now).to_string()
    }

    /// Names of the Secrets that images are pulled with.
    fn pull(&self) -> Vec<String> {
        let secrets = self.home.image_pull_secrets().iter();
        secrets.map(|secret| secret.name.clone()).collect()
    }

    /// All that was made for it, as it stands.
    fn kept(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        keep::<Release>(self.seen, &mut steps);
        keep::<facts::Secret>(self.seen, &mut steps);
        keep::<facts::Job>(self.seen, &mut steps);
        keep::<facts::Deployment>(self.seen, &mut steps);
        keep::<facts::CoreService>(self.seen, &mut steps);
        keep::<facts::HorizontalPodAutoscaler>(self.seen, &mut steps);
        keep::<facts::PodDisruptionBudget>(self.seen, &mut steps);
        steps
    }
}

fn keep<K: Watched>(seen: &Seen<'_>, steps: &mut Vec<Step>) {
    let found = seen.owned::<K>();
    steps.extend(found.iter().map(|one| Step::Keep(one.kept.id.clone())));
}

/// Why nothing is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Halt {
    /// Its state says so.
    Stopped,
    /// Its Instance is suspended.
    Instance,
    /// Its Application is suspended or archived.
    Application(Standstill),
    /// A Restore puts data into a Service that it uses.
    Restore { restore: String, service: String },
}

/// How an Environment that has a home lives.
struct Life {
    today: Today,
    history: History,
    halt: Option<Halt>,
    course: Option<Course>,
    start: Option<Start>,
    automatic: Option<Attempt>,
    serving: Option<(Snapshot, Record)>,
}

enum State {
    Leaving,
    Homeless,
    Living(Box<Life>),
}

impl Kind for Environment {
    fn plan(&self, me: &Kept, seen: &Seen<'_>, now: Timestamp) -> Plan {
        let copy = Copy::of(self, me, seen);
        let scene = Scene {
            environment: copy.whole.as_ref().unwrap_or(self),
            copy: &copy,
            me,
            seen,
            now,
            home: Home::of(me, seen),
            pods: seen.owned(),
        };
        plan(&scene, &observe(&scene))
    }
}

fn observe(scene: &Scene<'_>) -> State {
    if scene.me.deleting.is_some() || scene.ends() {
        return State::Leaving;
    }
    if matches!(scene.home, Home::Nowhere) {
        return State::Homeless;
    }
    let mut today = Today::of(scene);
    let place = place(scene, &today);
    today.problems.extend(place);
    today.problems.extend(scene.copy.trouble.clone());
    let history = History::of(scene);
    let serving = history.serving();
    let serving = serving.and_then(|s| Some((s.clone(), s.record()?)));
    let halt = halt(scene, &today).or_else(|| restoring(scene, serving.as_ref().map(|(_, r)| r)));
    for name in &history.taken {
        let fix = format!(
            "A Secret {name} that is not its snapshot stands already: rename the Release or the Secret."
        );
        today.waits.push(Trouble::new("NameTaken", name, fix));
    }
    let under_way = history.under_way();
    let course = under_way.and_then(|attempt| {
        let snapshot = attempt.snapshot.as_ref()?;
        let orphan = attempt.release.is_none();
        Some(Course::of(scene, snapshot, orphan, halt.is_some()))
    });
    let free = course.is_none() && halt.is_none();
    let is_due = halt.is_none() && is_due(scene, &today, &history);
    let automatic = is_due.then(|| history::automatic(scene, &history));
    let next = automatic.as_ref().or_else(|| history.next());
    let next = next.filter(|_| free);
    let start = next.map(|next| start::start(scene, &today, &history, next));
    State::Living(Box::new(Life {
        automatic,
        today,
        history,
        halt,
        course,
        start,
        serving,
    }))
}

/// Whether a Release is due because something was changed since the newest.
fn is_due(scene: &Scene<'_>, today: &Today, history: &History) -> bool {
    let policy = scene.environment.spec.release_policy.unwrap_or_default();
    if policy != ReleasePolicy::OnChange || !today.problems.is_empty() || history.next().is_some() {
        return false;
    }
    let Some(newest) = history.newest().and_then(Snapshot::record) else {
        return history.newest().is_none();
    };
    let secrets = newest.back_to.is_none() && newest.secrets != today.secrets;
    newest.under != today.hash || secrets
}

fn halt(scene: &Scene<'_>, today: &Today) -> Option<Halt> {
    if scene.home.is_suspended() {
        return Some(Halt::Instance);
    }
    if let Some(standstill) = standstill(today.application.as_ref()?) {
        return Some(Halt::Application(standstill));
    }
    let state = scene.environment.spec.state.unwrap_or_default();
    (state == EnvironmentState::Stopped).then_some(Halt::Stopped)
}

/// Whether data comes into a Service that it uses: then nobody is to write to it, nor to see it half done.
fn restoring(scene: &Scene<'_>, serving: Option<&Record>) -> Option<Halt> {
    let named = scene.environment.spec.services.iter().map(|a| &a.name);
    let used = serving
        .into_iter()
        .flat_map(|record| record.templates.keys());
    let services = named.chain(used).map(String::as_str);
    let (restore, service) = holding::under_way(scene.seen, services)?;
    Some(Halt::Restore { restore, service })
}

/// What of its place in the Application and in the Instance is not its own.
fn place(scene: &Scene<'_>, today: &Today) -> Vec<Trouble> {
    let application = &scene.environment.spec.application_ref.name;
    let before = |other: &Found<Environment>| {
        let mine = (scene.me.created, &*scene.me.id.name);
        (other.kept.created, other.name()) < mine
    };
    let mut out = Vec::new();
    let slug = scene.environment.spec.slug.as_deref();
    let slug = slug.unwrap_or(&scene.me.id.name);
    let same = scene
        .seen
        .by_key::<Environment>(&format!("slug/{application}/{slug}"));
    if let Some(first) = same.iter().find(|other| before(other)) {
        let fix = format!(
            "Environment {} has the slug {slug} already: make this one again with another.",
            first.name()
        );
        // By the name, for a slug may be longer than what a blocker can say.
        out.push(Trouble::new("SlugTaken", first.name(), fix));
    }
    let limit = scene.home.environment_limit();
    let all = scene
        .seen
        .by_key::<Environment>(&format!("application/{application}"));
    if all.iter().filter(|other| before(other)).count() >= limit {
        let fix = format!(
            "The Instance's plan allows {limit} Environments of one Application: delete one, or raise spec.plan of the Instance."
        );
        out.push(Trouble::new("EnvironmentLimit", application, fix));
    }
    for container in &today.configuration.containers {
        out.extend(workload::taken(scene, &container.name));
    }
    out
}

fn plan(scene: &Scene<'_>, state: &State) -> Plan {
    match state {
        State::Leaving => Plan {
            steps: scene.kept(),
            status: json!(report::leaving(scene)),
            ..Plan::default()
        },
        State::Homeless => Plan {
            steps: scene.kept(),
            status: json!(report::homeless(scene)),
            ..Plan::default()
        },
        State::Living(life) => {
            let keeping = keeping(scene);
            let course = life.course.as_ref().and_then(|course| course.until);
            let status = report::living(scene, life, &keeping);
            let mut steps = steps(scene, life);
            steps.extend(keeping.steps);
            Plan {
                steps,
                status: json!(status),
                wake: course.into_iter().chain(keeping.wake).min(),
                hold: false,
            }
        }
    }
}

/// The Backups of its Services together that are made by themselves.
fn keeping(scene: &Scene<'_>) -> Keeping {
    let spec = &scene.environment.spec;
    let subject = spec.backup.as_ref().map(|policy| Subject {
        field: "environmentRef",
        policy,
        has_data: !spec.services.is_empty(),
        suspended: scene.home.is_suspended(),
    });
    let keeping = subject.map(|s| keeping::keeping(&s, scene.me, scene.seen, scene.now));
    keeping.unwrap_or_default()
}

fn steps(scene: &Scene<'_>, life: &Life) -> Vec<Step> {
    let mut steps: Vec<Step> = scene.copy.step.iter().cloned().collect();
    steps.extend(life.history.steps(scene, &life.today));
    steps.extend(life.automatic.iter().map(|next| history::made(scene, next)));
    let next = life.automatic.as_ref().or_else(|| life.history.next());
    if let (Some(next), Some(start)) = (next, &life.start) {
        steps.extend(start::step(scene, &life.today, next, start));
    }
    let mut records = Vec::new();
    records.extend(life.serving.as_ref().map(|(_, record)| record));
    records.extend(life.course.as_ref().map(|course| &course.record));
    steps.extend(services::secrets(scene, &life.today.attached, &records));
    steps.extend(life.course.iter().flat_map(|course| course.plan(scene)));
    steps.extend(life.running(scene).iter().flat_map(|one| one.steps(scene)));
    steps
}

impl Life {
    /// The Release whose pods are to run: the one that rolls out, otherwise the one that serves.
    fn leading(&self) -> Option<(&Snapshot, &Record)> {
        let course = self.course.as_ref();
        let rolls = course.filter(|c| matches!(c.phase, Phase::RollingOut | Phase::Succeeded));
        let rolls = rolls.map(|course| (&course.snapshot, &course.record));
        rolls.or_else(|| self.serving.as_ref().map(|(s, r)| (s, r)))
    }

    /// Every container that is to run: the leading Release's, and until that succeeds those that it no longer has.
    fn running<'a>(&'a self, scene: &'a Scene<'a>) -> Vec<Running<'a>> {
        let Some((snapshot, record)) = self.leading() else {
            return Vec::new();
        };
        let one = |container, snapshot: &'a Snapshot, record: &'a Record| Running {
            container,
            record,
            snapshot,
            scale: self.today.scale(scene, &container.name),
            halted: self.halt.is_some(),
            services: services::mark(scene, &self.today.attached, record),
        };
        let containers = record.configuration.containers.iter();
        let mut all: Vec<_> = containers.map(|c| one(c, snapshot, record)).collect();
        let done = |course: &Course| course.phase == Phase::Succeeded;
        if let Some((snapshot, old)) = &self.serving
            && !self.course.as_ref().is_some_and(done)
        {
            for container in &old.configuration.containers {
                if !all.iter().any(|o| o.container.name == container.name) {
                    all.push(one(container, snapshot, old));
                }
            }
        }
        all
    }
}
