//! How data is held still while its snapshot is taken, where the class of a Service says how (`backup.quiesce`).
//!
//! | state | means | leaves when |
//! |---|---|---|
//! | Coming | a Job asks the engine to hold still | its pod is ready: the engine does |
//! | Held | it does for as long as the Job's command runs | the snapshot is taken |
//! | Over | the snapshot was taken meanwhile; the Job goes, and the lock with it | never |
//! | Lost | the command ended before that | never: the part failed |
//!
//! The Job ends by itself after the class's `maxSeconds`: nothing is held up by an operator that is dead.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    errand::{self, Errand},
    record::{Memory, Part},
};
use crate::{
    api::ServiceClass,
    plan::{Found, Kept, Seen, Step},
};

/// How long data is held still at the most, where the class does not say it.
const LONGEST: i32 = 60;

/// How far it is.
pub enum Hold {
    /// It is asked for: what to do.
    Coming(Option<Step>),
    /// It is held, until then at the most: what to do.
    Held(Timestamp, Step),
    /// It is needed no more.
    Over,
    /// It ended too early: why.
    Lost(String),
}

/// How far it is with this part of a Backup; nothing where the part needs none. `asked`: whether its snapshot is asked for.
pub fn hold(me: &Kept, seen: &Seen<'_>, memory: &Memory, part: &Part, asked: bool) -> Option<Hold> {
    if !part.hold {
        return None;
    }
    if memory.held.contains(&part.service) || memory.outcomes.contains_key(&part.service) {
        return Some(Hold::Over);
    }
    let uid8: String = me.uid.chars().take(8).collect();
    let index = memory.parts.iter().position(|p| p.service == part.service);
    let name = format!("hold-{uid8}-{}", index.unwrap_or_default());
    let quiesce = seen.get::<ServiceClass>(&part.class).filter(|class| {
        let backup = class.spec.backup.as_ref();
        backup.is_some_and(|backup| backup.quiesce.is_some())
    });
    let Some(class) = quiesce else {
        return Some(Hold::Lost(format!(
            "ServiceClass {} no longer says how its data is held still.",
            part.class
        )));
    };
    Some(match errand::sent(seen, &name) {
        None if asked => Hold::Lost(format!(
            "Job {name} was deleted before the snapshot was taken."
        )),
        None => Hold::Coming(begin(me, seen, part, &class, name)),
        Some(job) => {
            let keep = Step::Keep(job.kept.id.clone());
            if errand::is(&job, "Failed") || errand::is(&job, "Complete") {
                return Some(Hold::Lost(format!(
                    "The command backup.quiesce of ServiceClass {} ended before the snapshot was taken: {}",
                    part.class,
                    errand::last_words(seen, &job, &part.service)
                )));
            }
            let ready = errand::pods(seen, &job).iter().any(|pod| pod.is("Ready"));
            let began = job.status.start_time.as_deref();
            match began.and_then(|at| at.parse::<Timestamp>().ok()) {
                Some(began) if ready => Hold::Held(began + longest(&class), keep),
                _ => Hold::Coming(Some(keep)),
            }
        }
    })
}

fn longest(class: &Found<ServiceClass>) -> SignedDuration {
    SignedDuration::from_secs(seconds(class).into())
}

fn seconds(class: &Found<ServiceClass>) -> i32 {
    let quiesce = class.spec.backup.as_ref().and_then(|b| b.quiesce.as_ref());
    quiesce.and_then(|q| q.max_seconds).unwrap_or(LONGEST)
}

/// The Job whose command holds the lock; its pod is ready while it is held.
fn begin(
    me: &Kept,
    seen: &Seen<'_>,
    part: &Part,
    class: &Found<ServiceClass>,
    name: String,
) -> Option<Step> {
    let quiesce = class.spec.backup.as_ref()?.quiesce.as_ref()?;
    let errand = Errand {
        me,
        seen,
        service: &part.service,
        class,
        name,
        container: "hold",
    };
    let words = errand.words()?;
    let mut pod = errand.pod(&words, &quiesce.command);
    let ready = json!({"exec": {"command": words.fill_all(&quiesce.ready.command)}, "periodSeconds": 1, "timeoutSeconds": 5});
    pod.container.insert("readinessProbe".into(), ready);
    pod.spec
        .insert("terminationGracePeriodSeconds".into(), json!(5));
    Some(errand.send(pod, 0, seconds(class)))
}
