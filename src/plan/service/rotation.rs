//! How the password changes, without a restart of the engine and without locking anybody out.
//!
//! | state | means | leaves when |
//! |---|---|---|
//! | Settled | the token was acted on, or there is none | the token changes |
//! | Drawing | a next password is being made | it stands beside the password |
//! | Trying | a Job tells it to the engine | the Job ends |
//! | Failed | the Job could not; the password holds as it was | the token changes |
//! | Promoting | the engine has it: it becomes the password | it stands as the password |
//!
//! A next password is kept until the engine is known to have it: a Job that failed late may have succeeded.

use serde_json::{Value, json};

use super::{
    account::{Account, ROTATED, ROTATING, encoded},
    engine, names,
    setup::Setup,
    standing::last_words,
};
use crate::{
    api::{Service, service::Credentials},
    kinds::Of,
    plan::{
        Found, Id, Kept, Seen, Step,
        build::meta::Child,
        facts::{Job, Pod},
    },
};

/// The token of the change that follows a restore: nobody asked for it.
pub const RESTORED: &str = "restored";

/// What is done about the password now, and what is said of it.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// What to do.
    pub steps: Vec<Step>,
    /// Where it stands.
    pub word: Word,
    /// The token that was acted on last.
    pub rotated: Option<String>,
}

/// Where the change of the password stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Word {
    /// Nobody asked.
    #[default]
    Never,
    /// What was asked for is done.
    Done,
    /// It is under way.
    Moving(&'static str),
    /// It goes on once the engine runs.
    Waiting,
    /// It cannot go on without a person.
    Stuck(&'static str, String),
}

enum State<'a> {
    Settled,
    Refused(&'static str, String),
    Waiting,
    Drawing(&'a str),
    Trying(&'a str, Id),
    Failed(Found<Job>),
    Promoting(&'a str, &'a str),
}

fn observe<'a>(
    setup: &Setup,
    asked: Option<&'a Credentials>,
    account: &'a Account,
    jobs: &[Found<Job>],
    ns: &str,
    serves: bool,
) -> State<'a> {
    let kept = &account.secret.kept;
    let token = asked
        .and_then(|c| c.rotate.as_deref())
        .filter(|token| kept.annotation(ROTATED) != Some(token));
    let service = kept.label("service").unwrap_or_default();
    if let (Some(tried), Some(next)) = (kept.annotation(ROTATING), account.next()) {
        let name = names::rotate_job(service, tried);
        let job = jobs.iter().find(|j| j.name() == name);
        match (job, token) {
            (Some(job), _) if is(job, "Complete") => return State::Promoting(tried, next),
            (Some(job), None) if is(job, "Failed") && tried == RESTORED => {
                return State::Failed(job.clone());
            }
            (Some(job), None) if is(job, "Failed") => return State::Settled,
            (Some(job), Some(token)) if is(job, "Failed") && token == tried => {
                return State::Failed(job.clone());
            }
            (Some(job), _) if is(job, "Failed") => {}
            (None, None) if tried != RESTORED => return State::Settled,
            (None, Some(token)) if token != tried && tried != RESTORED => {}
            (None, _) if !serves => return State::Waiting,
            _ => return State::Trying(tried, Id::new(Of::Job, ns, name)),
        }
    }
    let Some(token) = token else {
        return State::Settled;
    };
    if let Some((reason, fix)) = refused(setup, asked) {
        return State::Refused(reason, fix);
    }
    if serves {
        State::Drawing(token)
    } else {
        State::Waiting
    }
}

fn is(job: &Found<Job>, condition: &str) -> bool {
    let conditions = &job.status.conditions;
    conditions
        .iter()
        .any(|c| c.type_ == condition && c.status == "True")
}

fn refused(setup: &Setup, asked: Option<&Credentials>) -> Option<(&'static str, String)> {
    let class = setup.class.name();
    let can = setup.class.spec.credentials.as_ref();
    if can.and_then(|c| c.rotate.as_ref()).is_none() {
        let fix = format!(
            "The ServiceClass {class} cannot change passwords: remove credentials.rotate, or give the class credentials.rotate.command."
        );
        return Some(("RotationUnsupported", fix));
    }
    if asked.and_then(|c| c.overlap) == Some(true) {
        let fix = format!(
            "The ServiceClass {class} cannot keep the old password while a new one holds: remove credentials.overlap; consumers are then restarted right after the change."
        );
        return Some(("OverlapUnsupported", fix));
    }
    None
}

/// What is done about the password now. `serves`: whether the engine answers.
pub fn turn(
    service: &Service,
    me: &Kept,
    seen: &Seen<'_>,
    setup: &Setup,
    account: &Account,
    serves: bool,
) -> Turn {
    let jobs = seen.owned::<Job>();
    let asked = service.spec.credentials.as_ref();
    let rotated = account.secret.kept.annotation(ROTATED).map(str::to_owned);
    let (steps, word) = match observe(setup, asked, account, &jobs, &me.id.ns, serves) {
        State::Settled if rotated.is_none() => (Vec::new(), Word::Never),
        State::Settled => (Vec::new(), Word::Done),
        State::Refused(reason, fix) => (Vec::new(), Word::Stuck(reason, fix)),
        State::Waiting => (Vec::new(), Word::Waiting),
        State::Drawing(token) => (
            vec![draw(account, token)],
            Word::Moving("A new password is being made."),
        ),
        State::Trying(token, id) => (
            vec![job(me, setup, account, token, id)],
            Word::Moving("A Job tells the engine the new password."),
        ),
        State::Failed(job) => (
            vec![Step::Keep(job.kept.id.clone())],
            Word::Stuck("RotationFailed", failure(seen, &job, account)),
        ),
        State::Promoting(token, next) => (
            vec![
                Step::Keep(Id::new(
                    Of::Job,
                    me.id.ns.clone(),
                    names::rotate_job(&me.id.name, token),
                )),
                promote(account, token, next),
            ],
            Word::Moving("The engine has the new password; its consumers get it."),
        ),
    };
    Turn {
        steps,
        word,
        rotated,
    }
}

fn draw(account: &Account, token: &str) -> Step {
    let patch = json!({"metadata": {"annotations": {"roadstead.dev/rotating": token}}});
    let fills = match account.next() {
        Some(_) => Vec::new(),
        None => vec![Account::draw()],
    };
    account.edit(patch, fills)
}

fn promote(account: &Account, token: &str, next: &str) -> Step {
    let mut annotations = json!({"roadstead.dev/rotating": Value::Null});
    if token != RESTORED {
        annotations["roadstead.dev/rotated"] = json!(token);
    }
    let patch = json!({
        "metadata": {"annotations": annotations},
        "data": {"password": encoded(next), "nextPassword": Value::Null},
    });
    account.edit(patch, Vec::new())
}

fn job(me: &Kept, setup: &Setup, account: &Account, token: &str, id: Id) -> Step {
    let class = &setup.class.spec;
    let words = account.words(me, setup);
    let secret = setup.data.secret();
    let command = class
        .credentials
        .as_ref()
        .and_then(|c| c.rotate.as_ref())
        .map(|r| words.fill_all(&r.command))
        .unwrap_or_default();
    let mut pod = engine::pod(me, setup, "job", "rotate");
    pod.command = command;
    pod.env = vec![
        engine::from_secret("PASSWORD", &secret, "password"),
        engine::from_secret("NEW_PASSWORD", &secret, "nextPassword"),
    ];
    pod.resources =
        json!({"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}});
    pod.spec.insert("restartPolicy".into(), json!("Never"));
    pod.container
        .insert("volumeMounts".into(), json!(engine::scratch_mounts(class)));
    let want = Child::of(me, Of::Job, id.name)
        .annotation("roadstead.dev/token", token)
        .field(
            "spec",
            json!({"backoffLimit": 3, "activeDeadlineSeconds": 300, "template": pod.template()}),
        )
        .want();
    Step::Create(want, Vec::new())
}

fn failure(seen: &Seen<'_>, job: &Found<Job>, account: &Account) -> String {
    let name = job.name();
    let words = seen
        .owned::<Pod>()
        .iter()
        .filter(|pod| pod.name().starts_with(name))
        .flat_map(|pod| pod.status.container_statuses.clone())
        .filter_map(|c| c.state.terminated)
        .filter(|ended| ended.exit_code != 0)
        .map(|ended| last_words(&ended, account))
        .next_back()
        .unwrap_or_else(|| "none.".to_owned());
    format!(
        "The engine did not take the new password and the old one is valid: set another credentials.rotate to try again, or remove it. Job {name}, its last words: {words}"
    )
}
