//! What attached Services give: one Secret each, which follows the Service and is part of no snapshot.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::{Scene, trouble::Trouble};
use crate::{
    api::{Service, ServiceClass, environment::Attachment, service::ServiceState},
    kinds::Of,
    plan::{
        Found, Step,
        build::{
            configuration::short_hash,
            meta::Child,
            snapshot::{Record, credentials_of, secret_of},
            variables::{Content, Origin, Said},
        },
        facts,
    },
};

/// A Service that the Environment names today.
pub struct Attached {
    /// Its name.
    pub name: String,
    /// What its variables begin with.
    pub prefix: String,
    /// The Service, if it is there.
    pub service: Option<Found<Service>>,
    /// Its class, if it is there.
    pub class: Option<Found<ServiceClass>>,
    /// Its credentials, if they are there.
    pub credentials: Option<Found<facts::Secret>>,
}

impl Attached {
    fn of(scene: &Scene<'_>, attachment: &Attachment) -> Self {
        let service = scene.seen.get::<Service>(&attachment.name);
        let class = service
            .as_ref()
            .and_then(|s| scene.seen.get::<ServiceClass>(&s.spec.class_ref.name));
        Self {
            name: attachment.name.clone(),
            prefix: attachment.prefix.clone(),
            service,
            class,
            credentials: credentials(scene, &attachment.name),
        }
    }

    /// The variables that it gives, with their templates.
    pub fn templates(&self) -> BTreeMap<String, String> {
        let class = self.class.iter().flat_map(|class| &class.spec.variables);
        class
            .map(|v| (format!("{}_{}", self.prefix, v.suffix), v.template.clone()))
            .collect()
    }

    /// The variables that it gives, as they are said.
    pub fn said(&self) -> Vec<Said> {
        let one = |(name, template): (String, String)| Said {
            name,
            origin: Origin::Service,
            sensitive: template.contains("$(PASSWORD)"),
            content: Content::Service(self.name.clone()),
        };
        self.templates().into_iter().map(one).collect()
    }
}

fn credentials(scene: &Scene<'_>, service: &str) -> Option<Found<facts::Secret>> {
    credentials_of(scene.seen, service)
}

/// The Services that the Environment names today.
pub fn attached(scene: &Scene<'_>) -> Vec<Attached> {
    let named = scene.environment.spec.services.iter();
    named
        .map(|attachment| Attached::of(scene, attachment))
        .collect()
}

/// What a person must change before these can be used.
pub fn problems(scene: &Scene<'_>, attached: &[Attached]) -> Vec<Trouble> {
    let mut out = Vec::new();
    let mut seen_names: BTreeMap<String, &str> = BTreeMap::new();
    for (index, one) in attached.iter().enumerate() {
        match (&one.service, &one.class) {
            (None, _) => {
                let fix = format!(
                    "Create Service {}, or remove it from spec.services.",
                    one.name
                );
                out.push(Trouble::new("ServiceMissing", &one.name, fix));
            }
            (Some(service), None) => {
                let class = &service.spec.class_ref.name;
                let fix = format!(
                    "Install ServiceClass {class}: Service {} is of it.",
                    one.name
                );
                out.push(Trouble::new("ClassMissing", class, fix));
            }
            _ => {}
        }
        if let Some(conflict) = conflict(&attached[..index], one, &mut seen_names) {
            out.push(conflict);
        }
        let secret = secret_of(&scene.me.id.name, &one.name);
        out.extend(scene.taken::<facts::Secret>(&secret));
    }
    out
}

/// Two attachments that would give the same variables.
fn conflict<'a>(
    before: &[Attached],
    one: &'a Attached,
    names: &mut BTreeMap<String, &'a str>,
) -> Option<Trouble> {
    let type_of = |a: &Attached| a.class.as_ref().map(|class| class.spec.type_);
    let same = before.iter().find(|other| {
        other.prefix == one.prefix && type_of(other).is_some() && type_of(other) == type_of(one)
    });
    let mut other = same.map(|other| other.name.as_str());
    for name in one.templates().into_keys() {
        if let Some(first) = names.insert(name, &one.name) {
            other = other.or(Some(first));
        }
    }
    let fix = format!(
        "Services {} and {} have the same prefix {}: give one of them another.",
        other?, one.name, one.prefix
    );
    Some(Trouble::new("PrefixConflict", &one.prefix, fix))
}

/// Which of these are not usable yet.
pub fn waits(attached: &[Attached]) -> Vec<Trouble> {
    let there = attached.iter();
    there
        .filter_map(|one| wait(&one.name, one.service.as_ref()?, one.credentials.is_some()))
        .collect()
}

fn wait(name: &str, service: &Found<Service>, has_credentials: bool) -> Option<Trouble> {
    if service.spec.state == Some(ServiceState::Stopped) {
        let fix =
            format!("Set spec.state of Service {name} to Running: a release waits until it runs.");
        return Some(Trouble::new("ServiceStopped", name, fix));
    }
    let conditions = service.status.iter().flat_map(|status| &status.conditions);
    let ready = conditions
        .clone()
        .any(|c| c.type_ == "Ready" && c.status == "True");
    if ready && has_credentials {
        return None;
    }
    let fix = format!(
        "It goes on by itself once Service {name} is Ready: kubectl describe msvc {name} -n {}",
        service.kept.id.ns
    );
    Some(Trouble::new("ServiceNotReady", name, fix))
}

/// What stands in the way of using the Services of a Release that is rolled back to.
pub fn needs(scene: &Scene<'_>, record: &Record) -> (Vec<Trouble>, Vec<Trouble>) {
    let (mut problems, mut waits) = (Vec::new(), Vec::new());
    for name in record.templates.keys() {
        let Some(service) = scene.seen.get::<Service>(name) else {
            let fix = format!("Create Service {name}: the Release that is rolled back to uses it.");
            problems.push(Trouble::new("ServiceMissing", name, fix));
            continue;
        };
        let named = scene.environment.spec.services.iter();
        if !named.clone().any(|attachment| attachment.name == *name) {
            let fix = format!(
                "Attach Service {name} in spec.services: the Release that is rolled back to uses it."
            );
            problems.push(Trouble::new("ServiceNotAttached", name, fix));
        }
        waits.extend(wait(name, &service, credentials(scene, name).is_some()));
    }
    (problems, waits)
}

/// The Secrets of all Services that today's configuration or one of these Releases uses.
pub fn secrets(scene: &Scene<'_>, attached: &[Attached], records: &[&Record]) -> Vec<Step> {
    let recorded = records.iter().flat_map(|record| record.templates.keys());
    let named = attached.iter().map(|one| &one.name);
    let names: BTreeSet<&String> = recorded.chain(named).collect();
    let mut steps = Vec::new();
    for name in names {
        let mut templates = BTreeMap::new();
        for record in records {
            templates.extend(record.templates.get(name).cloned().unwrap_or_default());
        }
        let today = attached.iter().find(|one| one.name == *name);
        templates.extend(today.map(Attached::templates).unwrap_or_default());
        steps.extend(secret(scene, name, &templates));
    }
    steps
}

fn secret(scene: &Scene<'_>, service: &str, templates: &BTreeMap<String, String>) -> Option<Step> {
    let name = secret_of(&scene.me.id.name, service);
    if scene.taken::<facts::Secret>(&name).is_some() {
        return None;
    }
    let child = Child::of(scene.me, Of::Secret, name.clone());
    let Some(credentials) = credentials(scene, service) else {
        let stands = scene.seen.get::<facts::Secret>(&name)?;
        return Some(Step::Keep(stands.kept.id.clone()));
    };
    let bytes = |text: String| serde_json::to_value(ByteString(text.into_bytes()));
    let data: serde_json::Map<String, Value> = templates
        .iter()
        .filter_map(|(key, template)| {
            let value = bytes(rendered(template, &credentials)).ok()?;
            Some((key.clone(), value))
        })
        .collect();
    let want = child
        .label(crate::api::SERVICE, service)
        .field("type", json!("Opaque"))
        .field("data", Value::Object(data))
        .want();
    Some(Step::Apply(want))
}

fn rendered(template: &str, credentials: &facts::Secret) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("$(") {
        out.push_str(before);
        let known = after.split_once(')').and_then(|(name, after)| {
            let value = credentials.text(&name.to_lowercase())?;
            Some((value, after))
        });
        match known {
            Some((value, after)) => {
                out.push_str(value);
                rest = after;
            }
            None => {
                out.push_str("$(");
                rest = after;
            }
        }
    }
    out + rest
}

/// A mark of all that the Services of this Release give today: pods are replaced when it changes. It cannot be guessed back:
/// the credentials' UID, which only their readers know, is part of it.
pub fn mark(scene: &Scene<'_>, attached: &[Attached], record: &Record) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    for (service, recorded) in &record.templates {
        let credentials = credentials(scene, service)?;
        parts.push(credentials.kept.uid.to_string());
        let today = attached.iter().find(|one| one.name == *service);
        let today = today.map(Attached::templates).unwrap_or_default();
        for (name, template) in recorded {
            let template = today.get(name).unwrap_or(template);
            parts.push(name.clone());
            parts.push(rendered(template, &credentials));
        }
    }
    let bytes: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
    (!bytes.is_empty()).then(|| short_hash(&bytes))
}

/// Every secret value of these Services, for keeping them out of what is shown.
pub fn passwords(scene: &Scene<'_>, record: &Record) -> Vec<String> {
    let services = record.templates.keys();
    let found = services.filter_map(|service| credentials(scene, service));
    found
        .filter_map(|credentials| credentials.text("password").map(str::to_owned))
        .collect()
}
