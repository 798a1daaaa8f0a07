//! What an Environment is to run, as Application and Environment say it today or said it when a Release was made.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::variables::{Content, Origin, Said};
use crate::api::{
    Application, Environment,
    application::{Container, ContainerKind, ReleaseCommand, StartupProbe, ValueFrom, Variable},
    environment::{Attachment, PendingChange},
};

/// Everything that a Release takes from its Application and its Environment. A field that is added later must be left out of
/// the JSON where it is empty: what was recorded before must go on comparing equal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Configuration {
    /// The image, as given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The branch; it says nothing of what runs while there are no builds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The port of the Web container, as given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
    /// The probe, as given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup_probe: Option<StartupProbe>,
    /// The release commands, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub release_commands: Vec<ReleaseCommand>,
    /// The containers, with the Environment's resources and without how many run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<Container>,
    /// The variables that people say, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<(Origin, Variable)>,
    /// The attached Services.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Attachment>,
}

impl Configuration {
    /// What Application and Environment say today.
    pub fn today(application: &Application, environment: &Environment) -> Self {
        let (app, env) = (&application.spec, &environment.spec);
        let container = |container: &Container| {
            let over = env.containers.iter().find(|o| o.name == container.name);
            let resources = over.and_then(|over| over.resources.clone());
            Container {
                replicas: None,
                resources: resources.or_else(|| container.resources.clone()),
                ..container.clone()
            }
        };
        let over = |name: &str| env.variables.iter().any(|other| other.name == name);
        let of_application = app.variables.iter().filter(|v| !over(&v.name));
        let of_environment = env.variables.iter();
        Self {
            image: env.image.clone().or_else(|| app.image.clone()),
            branch: env.branch.clone().or_else(|| app.default_branch.clone()),
            port: app.port,
            startup_probe: app.startup_probe.clone(),
            release_commands: app.release_commands.clone(),
            containers: app.containers.iter().map(container).collect(),
            variables: of_application
                .map(|v| (Origin::Application, v.clone()))
                .chain(of_environment.map(|v| (Origin::Environment, v.clone())))
                .collect(),
            services: env.services.clone(),
        }
    }

    /// The container that gets traffic.
    pub fn web(&self) -> Option<&Container> {
        self.containers
            .iter()
            .find(|container| container.kind == ContainerKind::Web)
    }

    /// The port of the Web container.
    pub fn web_port(&self) -> i32 {
        self.port.unwrap_or(80)
    }

    /// A mark of all that makes a new Release necessary: two configurations that run the same have the same one.
    pub fn hash(&self) -> String {
        let counted = Self {
            branch: None,
            ..self.clone()
        };
        let json = serde_json::to_vec(&counted).unwrap_or_default();
        short_hash(&[&json])
    }

    /// The variables that people say, for putting them together.
    pub fn said(&self) -> Vec<Said> {
        let one = |(origin, variable): &(Origin, Variable)| Said {
            name: variable.name.clone(),
            origin: *origin,
            sensitive: variable.sensitive.unwrap_or(false),
            content: content(variable),
        };
        self.variables.iter().map(one).collect()
    }

    /// The Secrets' keys that variables refer to: variable, Secret, key.
    pub fn secret_keys(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.variables.iter().filter_map(|(_, variable)| {
            let reference = &variable.value_from.as_ref()?.secret_key_ref;
            Some((
                variable.name.as_str(),
                reference.name.as_str(),
                reference.key.as_str(),
            ))
        })
    }

    /// What a release would change of what runs, without the values of variables.
    pub fn changes_since(&self, then: &Self) -> Vec<PendingChange> {
        let mut out = Changes::default();
        out.single("image", &then.image, &self.image);
        out.single("branch", &then.branch, &self.branch);
        out.single("port", &then.port, &self.port);
        out.single("startupProbe", &then.startup_probe, &self.startup_probe);
        let commands =
            |c: &Self| (!c.release_commands.is_empty()).then(|| c.release_commands.clone());
        out.single("releaseCommands", &commands(then), &commands(self));
        let named = |c: &Self| -> Vec<_> {
            let pair = |c: &Container| (c.name.clone(), c.clone());
            c.containers.iter().map(pair).collect()
        };
        out.listed("containers", &named(then), &named(self), true);
        let named = |c: &Self| -> Vec<_> {
            let pair = |(_, v): &(Origin, Variable)| (v.name.clone(), v.clone());
            c.variables.iter().map(pair).collect()
        };
        out.listed("variables", &named(then), &named(self), false);
        let named = |c: &Self| -> Vec<_> {
            let pair = |a: &Attachment| (a.name.clone(), a.clone());
            c.services.iter().map(pair).collect()
        };
        out.listed("services", &named(then), &named(self), true);
        out.0
    }
}

fn content(variable: &Variable) -> Content {
    if let Some(ValueFrom { secret_key_ref }) = &variable.value_from {
        return Content::Secret {
            name: secret_key_ref.name.clone(),
            key: secret_key_ref.key.clone(),
        };
    }
    let text = variable.value.clone().unwrap_or_default();
    if variable.expand.unwrap_or(false) {
        Content::Pattern(text)
    } else {
        Content::Text(text)
    }
}

#[derive(Default)]
struct Changes(Vec<PendingChange>);

impl Changes {
    fn push(&mut self, path: String, change: &str) {
        let impact = if path == "branch" { "None" } else { "Restart" };
        self.0.push(PendingChange {
            path,
            change: change.to_owned(),
            impact: impact.to_owned(),
            ..PendingChange::default()
        });
    }

    fn single<T: PartialEq + Serialize>(&mut self, path: &str, then: &Option<T>, now: &Option<T>) {
        let known = self.0.len();
        self.hidden(path, then, now);
        if let Some(change) = self.0.get_mut(known) {
            let (then, now) = (json!(then), json!(now));
            change.from = shown(&then, &now);
            change.to = shown(&now, &then);
        }
    }

    fn hidden<T: PartialEq>(&mut self, path: &str, then: &Option<T>, now: &Option<T>) {
        match (then, now) {
            (None, Some(_)) => self.push(path.to_owned(), "Added"),
            (Some(_), None) => self.push(path.to_owned(), "Removed"),
            (Some(a), Some(b)) if a != b => self.push(path.to_owned(), "Modified"),
            _ => {}
        }
    }

    fn listed<T: PartialEq + Serialize>(
        &mut self,
        list: &str,
        then: &[(String, T)],
        now: &[(String, T)],
        open: bool,
    ) {
        let before = self.0.len();
        for (name, value) in now {
            let old = then.iter().find(|(n, _)| n == name).map(|(_, v)| v);
            let path = format!("{list}.{name}");
            if open {
                self.single(&path, &old, &Some(value));
            } else {
                self.hidden(&path, &old, &Some(value));
            }
        }
        for (name, _) in then {
            if !now.iter().any(|(n, _)| n == name) {
                self.push(format!("{list}.{name}"), "Removed");
            }
        }
        let order = |l: &[(String, T)]| l.iter().map(|(n, _)| n.clone()).collect::<Vec<_>>();
        if self.0.len() == before && order(then) != order(now) {
            self.push(list.to_owned(), "Modified");
        }
    }
}

/// A value in one line; of one with several fields, those that the other has otherwise.
fn shown(value: &Value, other: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        Value::Object(fields) if other.is_object() => {
            let differs = |(key, value): &(&String, &Value)| other.get(key) != Some(value);
            let fields = fields.iter().filter(differs);
            let fields: Vec<String> = fields.map(|(k, v)| format!("{k}: {v}")).collect();
            fields.join(", ")
        }
        other => other.to_string(),
    };
    (!text.is_empty()).then(|| text.chars().take(500).collect())
}

/// Sixteen characters that stand for these bytes.
pub fn short_hash(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let digest = hasher.finalize();
    digest[..8].iter().map(|b| format!("{b:02x}")).collect()
}
