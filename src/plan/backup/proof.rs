//! How a Backup is proven: each part is restored into a throw-away Service, and a command must succeed there.
//!
//! | state | means | leaves when |
//! |---|---|---|
//! | Restoring | a throw-away Service starts from the part | it serves, or cannot |
//! | Asking | a Job asks the class's question | the Job ends |
//! | Answered | it is known | never: what was made for it is gone |

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    errand::{self, Errand},
    record::{Memory, Part},
};
use crate::{
    api::{Backup, Service, ServiceClass},
    kinds::Of,
    plan::{Found, Kept, Seen, Step, build::meta::Child, facts::Job},
};

/// How long restoring and asking may take together.
const LONGEST: SignedDuration = SignedDuration::from_mins(30);
/// How long a Service may be in trouble before that is the answer.
const PATIENCE: SignedDuration = SignedDuration::from_mins(2);

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// When it was known.
    pub at: String,
    /// Seconds that restoring took.
    pub seconds: i64,
    /// Why it is not good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How far the proof is.
#[derive(Debug)]
pub enum Proof {
    /// Nobody asked for one.
    None,
    /// It is under way: what to do for it, and until when.
    UnderWay(Vec<Step>, Timestamp),
    /// It is known; to be written down where it is not yet.
    Known(Answer, Option<Step>),
}

/// Name of the throw-away Service of a part.
fn throw_away(me: &Kept, index: usize) -> String {
    let uid8: String = me.uid.chars().take(8).collect();
    format!("verify-{uid8}-{index}")
}

/// How far the proof of a finished Backup is.
pub fn proof(
    backup: &Backup,
    me: &Kept,
    seen: &Seen<'_>,
    memory: &Memory,
    now: Timestamp,
) -> Proof {
    let Some(verify) = &backup.spec.verify else {
        return Proof::None;
    };
    let noted = memory.secret.kept.annotation("proof");
    if let Some(answer) = noted.and_then(|text| serde_json::from_str(text).ok()) {
        return Proof::Known(answer, None);
    }
    let good: Vec<&Part> = memory
        .parts
        .iter()
        .filter(|part| memory.is_good(&part.service))
        .collect();
    if good.is_empty() {
        return Proof::None;
    }
    let (mut steps, mut open) = (Vec::new(), false);
    let mut until = now + LONGEST;
    let mut seconds = 0;
    for (index, part) in good.into_iter().enumerate() {
        let trial = Trial {
            me,
            seen,
            part,
            name: throw_away(me, index),
            command: verify.command.as_deref(),
            now,
        };
        match trial.stage() {
            Stage::Waiting(more, end) => {
                open = true;
                steps.extend(more);
                until = until.min(end);
            }
            Stage::Good(took, more) => {
                seconds = seconds.max(took);
                steps.extend(more);
            }
            Stage::Bad(why) => {
                let error: String = format!("{}: {why}", part.service);
                return known(memory, now, 0, Some(error.chars().take(800).collect()));
            }
        }
    }
    if open {
        return Proof::UnderWay(steps, until);
    }
    known(memory, now, seconds, None)
}

fn known(memory: &Memory, now: Timestamp, seconds: i64, error: Option<String>) -> Proof {
    let answer = Answer {
        at: now.to_string(),
        seconds,
        error,
    };
    let kept = &memory.secret.kept;
    let text = serde_json::to_string(&answer).unwrap_or_default();
    let patch = json!({"metadata": {"annotations": {"roadstead.dev/proof": text}}});
    Proof::Known(answer, Some(Step::edit(kept, patch)))
}

/// One part on trial.
struct Trial<'a> {
    me: &'a Kept,
    seen: &'a Seen<'a>,
    part: &'a Part,
    name: String,
    command: Option<&'a [String]>,
    now: Timestamp,
}

enum Stage {
    Waiting(Vec<Step>, Timestamp),
    Good(i64, Vec<Step>),
    Bad(String),
}

impl Trial<'_> {
    fn stage(&self) -> Stage {
        let service = self.seen.get::<Service>(&self.name);
        let service = service.filter(|s| s.kept.owner.as_deref() == Some(&*self.me.uid));
        let Some(service) = service else {
            return Stage::Waiting(vec![self.service()], self.now + LONGEST);
        };
        let end = service.kept.created + LONGEST;
        let keep = Step::Keep(service.kept.id.clone());
        if let Some(job) = errand::sent(self.seen, &self.name) {
            return self.asked(&service, &job, keep, end);
        }
        let conditions = service.status.iter().flat_map(|s| &s.conditions);
        let said = |type_: &str| {
            let mut all = conditions.clone();
            all.find(|c| c.type_ == type_ && c.status == "True")
        };
        if said("Ready").is_some() {
            return match self.ask() {
                Some(job) => Stage::Waiting(vec![keep, job], end),
                None => Stage::Waiting(vec![keep], end),
            };
        }
        let patience = service.kept.created + PATIENCE;
        match said("Stalled") {
            Some(why) if self.now >= patience => Stage::Bad(format!(
                "the restored Service does not start: {}",
                why.message
            )),
            Some(_) => Stage::Waiting(vec![keep], patience),
            None if self.now >= end => Stage::Bad(format!(
                "the restored Service did not start within {} minutes",
                LONGEST.as_mins()
            )),
            None => Stage::Waiting(vec![keep], end),
        }
    }

    fn asked(
        &self,
        service: &Found<Service>,
        job: &Found<Job>,
        keep: Step,
        end: Timestamp,
    ) -> Stage {
        let keep_both = vec![keep, Step::Keep(job.kept.id.clone())];
        if errand::is(job, "Complete") {
            let took = job.kept.created.duration_since(service.kept.created);
            return Stage::Good(took.as_secs(), keep_both);
        }
        if errand::is(job, "Failed") || self.now >= end {
            let words = errand::last_words(self.seen, job, &self.name);
            return Stage::Bad(format!("the check failed: {words}"));
        }
        Stage::Waiting(keep_both, end)
    }

    /// The throw-away Service.
    fn service(&self) -> Step {
        let part = self.part;
        let want = Child::of(self.me, Of::Service, self.name.clone())
            .field(
                "spec",
                json!({
                    "displayName": format!("Proof of Backup {}", self.me.id.name),
                    "classRef": {"name": part.class},
                    "tier": part.tier,
                    "region": part.region,
                    "restoreFrom": {"backupRef": {"name": &*self.me.id.name}, "service": part.service},
                    "deletionPolicy": "StopFirst",
                    "dataPolicy": "Delete",
                }),
            )
            .want();
        Step::Create(want, Vec::new())
    }

    /// The Job that asks; nothing while what it needs is not seen yet.
    fn ask(&self) -> Option<Step> {
        let class = self.seen.get::<ServiceClass>(&self.part.class)?;
        let errand = Errand {
            me: self.me,
            seen: self.seen,
            service: &self.name,
            class: &class,
            name: self.name.clone(),
            container: "check",
        };
        let of_class = class.spec.backup.as_ref().and_then(|b| b.verify.as_ref());
        // It started and answered its readiness command: without a question, that is the proof.
        let nothing = ["true".to_owned()];
        let command = self.command.or(of_class.map(|c| c.command.as_slice()));
        let pod = errand.pod(&errand.words()?, command.unwrap_or(&nothing));
        Some(errand.send(pod, 2, 900))
    }
}
