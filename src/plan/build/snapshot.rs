//! The snapshot of a Release: one immutable Secret that holds all it ran with, and in its annotations how it went.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    configuration::Configuration,
    pod::reaches,
    variables::{CONFIGURATION, Entry, From, for_kubelet},
};
use crate::{
    api::release::Step as Done,
    plan::{Found, Seen, facts},
};

/// How far a Release is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its commands run.
    Releasing,
    /// Its pods take over.
    RollingOut,
    /// It serves, or did.
    Succeeded,
    /// It never served.
    Failed,
    /// A newer one came before it began.
    Superseded,
}

impl Phase {
    /// The word in the annotation and in the status.
    pub fn word(self) -> &'static str {
        match self {
            Self::Releasing => "Releasing",
            Self::RollingOut => "RollingOut",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Superseded => "Superseded",
        }
    }

    fn of(word: &str) -> Option<Self> {
        let all = [
            Self::Releasing,
            Self::RollingOut,
            Self::Succeeded,
            Self::Failed,
            Self::Superseded,
        ];
        all.into_iter().find(|phase| phase.word() == word)
    }

    /// Whether nothing more happens.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Superseded)
    }
}

/// What a Release runs, and what it was made under.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Its number.
    pub number: i64,
    /// Hash of the configuration that was declared when it was made; for a roll back another than that of what it runs.
    pub under: String,
    /// The resource versions of the Secrets that its variables were read from.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, u64>,
    /// The Release that it rolls back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_to: Option<String>,
    /// The image that its pods name.
    pub image: String,
    /// Whether every node asks the registry anew for that image, for a tag may have moved.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anew: bool,
    /// What it runs.
    pub configuration: Configuration,
    /// Its variables, as pods get them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<Entry>,
    /// For each Service that it uses: the variables that it takes from it, with the templates of then.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub templates: BTreeMap<String, BTreeMap<String, String>>,
}

impl Record {
    /// The variables as a container lists them: each by its key from the snapshot or from a Service's Secret.
    pub fn env(&self, environment: &str, snapshot: &str) -> Vec<Value> {
        let from = |secret: &str, key: &str| json!({"secretKeyRef": {"name": secret, "key": key}});
        let one = |entry: &Entry| match &entry.from {
            From::Snapshot(key) => json!({"name": entry.name, "valueFrom": from(snapshot, key)}),
            From::Service(service) => {
                let secret = secret_of(environment, service);
                json!({"name": entry.name, "valueFrom": from(&secret, &entry.name)})
            }
            From::Live(pieces) => json!({"name": entry.name, "value": for_kubelet(pieces)}),
        };
        self.variables.iter().map(one).collect()
    }

    /// What runs before a command that may connect to its Services at once, and only once: a container that waits until they can be reached.
    pub fn before(&self, seen: &Seen<'_>) -> Vec<Value> {
        let services = self.templates.keys();
        let found = services.filter_map(|service| credentials_of(seen, service));
        let addresses: Vec<String> = found
            .filter_map(|c| Some(format!("{}:{}", c.text("host")?, c.text("port")?)))
            .collect();
        let image = seen.image().filter(|_| !addresses.is_empty());
        image
            .iter()
            .map(|image| reaches(image, &addresses))
            .collect()
    }
}

/// The credentials of a Service, if they are ours.
pub fn credentials_of(seen: &Seen<'_>, service: &str) -> Option<Found<facts::Secret>> {
    let found = seen.get::<facts::Secret>(&format!("{service}-credentials"))?;
    found.kept.owner.is_some().then_some(found)
}

/// The Secret that holds what an attached Service gives an Environment today.
pub fn secret_of(environment: &str, service: &str) -> String {
    format!("{environment}-{service}")
}

/// A snapshot that stands.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The Secret.
    pub secret: Found<facts::Secret>,
}

impl Snapshot {
    /// The snapshot of the Release of this name, if it has begun.
    pub fn of_release(seen: &Seen<'_>, environment: &str, release: &str) -> Option<Self> {
        let secret = seen.get::<facts::Secret>(release)?;
        Self::of(secret, environment)
    }

    /// The Secret as a snapshot, if it is one of this Environment.
    pub fn of(secret: Found<facts::Secret>, environment: &str) -> Option<Self> {
        let kept = &secret.kept;
        let is_one = kept.owner.is_some()
            && kept.label("environment") == Some(environment)
            && kept.label("release").is_some();
        is_one.then_some(Self { secret })
    }

    /// Name of the Release, which is also the Secret's.
    pub fn name(&self) -> &str {
        self.secret.name()
    }

    /// The number of the Release.
    pub fn number(&self) -> i64 {
        number(self.secret.kept.label("release"))
    }

    /// How far the Release is.
    pub fn phase(&self) -> Phase {
        let word = self.secret.kept.annotation("phase").unwrap_or_default();
        Phase::of(word).unwrap_or(Phase::Failed)
    }

    /// What it runs.
    pub fn record(&self) -> Option<Record> {
        serde_json::from_str(self.secret.text(CONFIGURATION)?).ok()
    }

    /// The image by its digest as the first pod reported it; as given where none did.
    pub fn image(&self) -> Option<&str> {
        self.secret.kept.annotation("image")
    }

    /// The steps that are recorded.
    pub fn steps(&self) -> Vec<Done> {
        let json = self.secret.kept.annotation("steps").unwrap_or("[]");
        serde_json::from_str(json).unwrap_or_default()
    }
}

/// A number from a label; 0 if there is none.
pub fn number(label: Option<&str>) -> i64 {
    label.and_then(|l| l.parse().ok()).unwrap_or_default()
}

/// All snapshots of an Environment.
pub fn all(seen: &Seen<'_>, environment: &str) -> Vec<Snapshot> {
    let secrets = seen.by_key::<facts::Secret>(&format!("snapshot/{environment}"));
    let found = secrets.into_iter();
    found
        .filter_map(|secret| Snapshot::of(secret, environment))
        .collect()
}

/// The Release that serves an Environment: the newest that succeeded. For what runs in its image with its variables.
pub fn serving(seen: &Seen<'_>, environment: &str) -> Option<Snapshot> {
    all(seen, environment)
        .into_iter()
        .filter(|snapshot| snapshot.phase() == Phase::Succeeded)
        .max_by_key(Snapshot::number)
}
