//! What the API server did to us, and what it means to a person.

use std::{fmt, time::Duration};

use crate::{
    api::INSTANCE,
    kinds::Of,
    plan::{Id, home::namespace_of},
};

/// A request that failed.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// The object it was about.
    pub id: Id,
    /// What was asked for.
    pub verb: &'static str,
    /// Why it failed.
    pub cause: Cause,
    /// How many steps of the plan were left to do then, it among them; the highest number where nobody counted.
    pub left: usize,
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause {
    /// There is no such object.
    NotFound,
    /// The object is there already.
    Exists,
    /// The object has changed since.
    Conflict,
    /// The name belongs to an object that is not ours.
    NameTaken,
    /// A ResourceQuota, by its name, leaves no room.
    Quota(String),
    /// Our account may not do it.
    Forbidden(String),
    /// The namespace is labelled for an Instance that does not own it, by its name.
    NoInstance(String),
    /// The namespace is being deleted.
    Ending,
    /// The object is refused as it is.
    Invalid(String),
    /// A Secret that a value comes from lacks this key.
    NoValue(String),
    /// The server is busy, and says for how long.
    Busy(Duration),
    /// The server did not answer, or not with what was asked for.
    Unreachable(String),
    /// We no longer lead: nothing may be written.
    Fenced,
}

impl From<kube::Error> for Cause {
    fn from(error: kube::Error) -> Self {
        let kube::Error::Api(status) = error else {
            return Self::Unreachable(text(&error.to_string()));
        };
        let message = &status.message;
        let wait = status.details.as_ref().map_or(0, |d| d.retry_after_seconds);
        match (status.code, status.reason.as_str()) {
            (404, _) => Self::NotFound,
            (409, "AlreadyExists") => Self::Exists,
            (_, _) if message.contains("NameTaken") => Self::NameTaken,
            (409, _) => Self::Conflict,
            (403, _) if message.contains("exceeded quota") => Self::Quota(quota(message)),
            (403, _) if message.contains("is being terminated") => Self::Ending,
            (403, _) if message.contains("cannot ") => Self::Forbidden(text(message)),
            (403 | 422 | 400, _) => Self::Invalid(text(message)),
            (429, _) => Self::Busy(Duration::from_secs(u64::from(wait).clamp(1, 30))),
            (code, reason) => Self::Unreachable(format!("{code} {reason}")),
        }
    }
}

/// The name in `exceeded quota: <name>, requested: …`; what follows changes with every attempt.
fn quota(message: &str) -> String {
    let after = message.split("exceeded quota: ").nth(1).unwrap_or_default();
    after.split(',').next().unwrap_or_default().to_owned()
}

/// At most 400 characters.
fn text(message: &str) -> String {
    message.chars().take(400).collect()
}

impl Trouble {
    /// This request about this object failed so.
    pub fn new(id: &Id, verb: &'static str, cause: Cause) -> Self {
        Self {
            id: id.clone(),
            verb,
            cause,
            left: usize::MAX,
        }
    }

    /// The same, with so many steps left to do.
    pub fn leaving(self, left: usize) -> Self {
        Self { left, ..self }
    }

    /// Whether it passes by itself, so that nobody needs to hear of it at once.
    pub fn passes(&self) -> bool {
        matches!(
            self.cause,
            Cause::NotFound
                | Cause::Exists
                | Cause::Conflict
                | Cause::Busy(_)
                | Cause::Unreachable(_)
                | Cause::Fenced
        )
    }

    /// The kind and name concerned, as a person writes them.
    fn object(&self) -> String {
        let entry = self.id.of.entry();
        if self.id.name.is_empty() {
            entry.plural.to_owned()
        } else {
            format!("{} {}", entry.kind, self.id.name)
        }
    }

    /// One word that says why; stable.
    pub fn reason(&self) -> &'static str {
        match self.cause {
            Cause::NameTaken => "NameTaken",
            Cause::Quota(_) => "QuotaExceeded",
            Cause::Forbidden(_) => "Forbidden",
            Cause::NoInstance(_) => "NoInstance",
            Cause::Invalid(_) => "Invalid",
            Cause::NoValue(_) => "SecretKeyMissing",
            Cause::Ending => "NamespaceTerminating",
            _ => "Retrying",
        }
    }

    /// What it waits for, in the form of a blocker; nothing where it passes by itself.
    pub fn blocker(&self) -> Option<String> {
        let about = match self.cause {
            Cause::NoInstance(_) => self.id.ns.to_string(),
            _ => self.object(),
        };
        (!self.passes()).then(|| format!("{}/{about}", self.reason()))
    }

    /// One sentence that says what happened; stable.
    pub fn message(&self) -> String {
        let object = self.object();
        match &self.cause {
            Cause::NameTaken => format!("{object} exists and was not made for this object"),
            Cause::Quota(name) => format!("ResourceQuota {name} leaves no room for {object}"),
            Cause::Forbidden(why) => format!("The operator may not {} {object}: {why}", self.verb),
            Cause::NoInstance(name) if *self.id.ns == *namespace_of(name) => format!(
                "Instance {name} does not exist, and the namespace {} is labelled for it",
                self.id.ns
            ),
            Cause::NoInstance(name) => format!(
                "The namespace {} is labelled for Instance {name}, whose namespace is {}",
                self.id.ns,
                namespace_of(name)
            ),
            Cause::Invalid(why) => format!("The API server refuses {object}: {why}"),
            Cause::NoValue(key) => format!("{object} has no key {key}"),
            Cause::Ending => format!("{object} cannot be made: its namespace is being deleted"),
            _ => format!("Waiting for the API server to accept {object}"),
        }
    }

    /// One sentence that says what to do about it.
    pub fn fix(&self) -> String {
        let object = self.object();
        match &self.cause {
            Cause::NameTaken if self.id.of == Of::Namespace => {
                let (namespace, instance) =
                    (&self.id.name, self.id.name.trim_start_matches("instance-"));
                format!(
                    "Delete it, or hand it over: kubectl label namespace {namespace} {INSTANCE}={instance}"
                )
            }
            Cause::NameTaken => {
                format!("Rename or delete {object}, or give this object another name")
            }
            Cause::Quota(name) => {
                format!("Ask for less, stop something else, or raise ResourceQuota {name}")
            }
            Cause::Forbidden(_) => {
                format!(
                    "Let the operator's account {} {}",
                    self.verb,
                    self.id.of.entry().plural
                )
            }
            Cause::NoValue(key) => format!("Set key {key} of {object}"),
            Cause::NoInstance(name) if *self.id.ns == *namespace_of(name) => format!(
                "Create Instance {name}, or move this object to the namespace of one that exists: kubectl get rinst"
            ),
            Cause::NoInstance(_) => {
                "Move this object to the namespace of an Instance: instance-<its name>".to_owned()
            }
            _ => "Change what the message names".to_owned(),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {:?}", self.verb, self.id, self.cause)
    }
}
