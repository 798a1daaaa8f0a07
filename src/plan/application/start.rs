//! What an Application starts from besides what it says itself: a template, or another Application.
//!
//! It is taken once, and written down in an immutable Secret beside the Application: what the template or the source says later does
//! not reach it. The Secret is the memory, for a status can be lost. Nothing of this is ever written into the Application's spec.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    api::{
        Application, ApplicationTemplate, Service,
        application::{ApplicationCopy, ApplicationSpec, CopyType, Started},
        application_template::{ApplicationTemplateSpec, TemplateService},
    },
    kinds::Of,
    plan::{
        Found, Id, Kept, Seen, Step,
        build::{
            configuration::short_hash,
            memory::{remember, remembered},
            meta::Child,
        },
        facts,
    },
};

/// The key in the Secret.
const KEY: &str = "start";
/// The longest name of a Service.
const LONGEST: usize = 40;

/// What an Application took when it began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    /// From what.
    pub from: From,
    /// What it says where the Application itself says nothing.
    pub spec: ApplicationSpec,
    /// The Services that are made with the Application.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<TemplateService>,
    /// A mark of what the template said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
}

/// From what an Application starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum From {
    /// A template of this name.
    Template(String),
    /// The Application of this name, and how.
    Copy(String, CopyType),
}

/// How an Application began.
pub enum Beginning {
    /// It says everything itself.
    Own,
    /// It took this.
    Taken(Start),
    /// It takes this now.
    Due(Start),
    /// What it is to start from is not there.
    Lacking(Lack),
}

/// What an Application lacks before it can begin.
pub struct Lack {
    /// One word for it.
    pub reason: &'static str,
    /// What it concerns.
    pub object: String,
    /// What to do about it.
    pub fix: String,
}

impl Lack {
    fn new(reason: &'static str, object: &str, fix: String) -> Self {
        Self {
            reason,
            object: object.to_owned(),
            fix,
        }
    }
}

/// The Application of this name with what it started from counted in: what its Environments run.
pub fn whole(seen: &Seen<'_>, name: &str) -> Result<Found<Application>, Lack> {
    let Some(found) = seen.get::<Application>(name) else {
        let fix = format!("Create Application {name}, or delete this Environment.");
        return Err(Lack::new("ApplicationMissing", name, fix));
    };
    match beginning(seen, &found.kept, &found.spec) {
        Beginning::Own => Ok(found),
        Beginning::Lacking(lack) => Err(lack),
        Beginning::Taken(start) | Beginning::Due(start) => {
            let spec = start.under(seen, &found.spec);
            let mut whole = (*found).clone();
            whole.spec = spec;
            Ok(found.with(whole))
        }
    }
}

/// How the Application of this spec began, or is to.
pub fn beginning(seen: &Seen<'_>, me: &Kept, spec: &ApplicationSpec) -> Beginning {
    if let Some(start) = taken(seen, me) {
        return Beginning::Taken(start);
    }
    let due = match (&spec.copy_from, &spec.template_ref) {
        (Some(copy), _) => copied(seen, copy),
        (None, Some(template)) => named(seen, me, &template.name),
        (None, None) => match usual(seen, me) {
            Some(template) => from_template(me, &template),
            None => return Beginning::Own,
        },
    };
    match due {
        Ok(start) => Beginning::Due(start),
        Err(lack) => Beginning::Lacking(lack),
    }
}

/// What was taken, as the Secret has it.
fn taken(seen: &Seen<'_>, me: &Kept) -> Option<Start> {
    let secret = seen.get::<facts::Secret>(&secret_of(&me.id.name))?;
    remembered(me, &secret, KEY)
}

/// The Secret stays as it is.
pub fn kept(me: &Kept) -> Step {
    let name = secret_of(&me.id.name);
    Step::Keep(Id::new(Of::Secret, me.id.ns.clone(), name))
}

/// The Secret that holds what an Application started from.
fn secret_of(application: &str) -> String {
    format!("{application}-start")
}

fn copied(seen: &Seen<'_>, copy: &ApplicationCopy) -> Result<Start, Lack> {
    let name = &copy.application_ref.name;
    let Some(source) = seen.get::<Application>(name) else {
        let fix = format!(
            "Create Application {name}, which copyFrom names and which is not in this namespace; or make this one again with another."
        );
        return Err(Lack::new("SourceMissing", name, fix));
    };
    if let Some(own) = &source.spec.copy_from {
        let first = &own.application_ref.name;
        if own.type_ == CopyType::Mirror && copy.type_ == CopyType::Mirror {
            let fix =
                format!("Application {name} is itself a Mirror: mirror {first}, which it mirrors.");
            return Err(Lack::new("SourceIsMirror", name, fix));
        }
        if taken(seen, &source.kept).is_none() {
            let fix = format!(
                "Application {name} has not been copied from {first} yet: see what it waits for."
            );
            return Err(Lack::new("SourceNotReady", name, fix));
        }
    }
    let whole = match beginning(seen, &source.kept, &source.spec) {
        Beginning::Own => source.spec.clone(),
        Beginning::Taken(start) | Beginning::Due(start) => start.under(seen, &source.spec),
        Beginning::Lacking(lack) => return Err(lack),
    };
    // A Mirror has variables of its own.
    let fork = copy.type_ == CopyType::Fork;
    let variables = whole.variables.into_iter().filter(|_| fork).collect();
    Ok(Start {
        from: From::Copy(name.clone(), copy.type_),
        spec: ApplicationSpec {
            image: whole.image,
            default_branch: whole.default_branch,
            port: whole.port,
            startup_probe: whole.startup_probe,
            release_commands: whole.release_commands,
            containers: whole.containers,
            tags: whole.tags,
            variables,
            ..ApplicationSpec::default()
        },
        services: Vec::new(),
        mark: None,
    })
}

fn named(seen: &Seen<'_>, me: &Kept, name: &str) -> Result<Start, Lack> {
    match seen.get::<ApplicationTemplate>(name) {
        Some(template) => from_template(me, &template),
        None => {
            let fix = format!(
                "Ask the platform team for ApplicationTemplate {name}, which templateRef names and which is not there; or make the Application again with one of kubectl get rtpl."
            );
            Err(Lack::new("TemplateMissing", name, fix))
        }
    }
}

/// The template of those that name none: of the default ones that are older than the Application, the newest.
fn usual(seen: &Seen<'_>, me: &Kept) -> Option<Found<ApplicationTemplate>> {
    let all = seen.by_key::<ApplicationTemplate>("default/true");
    let older = all
        .into_iter()
        .filter(|t| t.kept.created <= me.created && t.kept.deleting.is_none());
    older.max_by_key(|t| (t.kept.created, t.name().to_owned()))
}

fn from_template(me: &Kept, template: &Found<ApplicationTemplate>) -> Result<Start, Lack> {
    for service in &template.spec.services {
        let name = service_of(&me.id.name, service);
        if name.len() > LONGEST {
            let fix = format!(
                "Template {} makes the Service {name}, whose name has more than {LONGEST} characters: give the Application a shorter one.",
                template.name()
            );
            return Err(Lack::new("NameTooLong", &name, fix));
        }
    }
    let said = &template.spec;
    Ok(Start {
        from: From::Template(template.name().to_owned()),
        spec: ApplicationSpec {
            release_commands: said.release_commands.clone(),
            tags: said.tags.clone(),
            ..ApplicationSpec::default()
        },
        services: said.services.clone(),
        mark: Some(mark(said)),
    })
}

/// A mark of all that an Application takes from a template.
fn mark(template: &ApplicationTemplateSpec) -> String {
    let taken = (
        &template.release_commands,
        &template.services,
        &template.tags,
    );
    short_hash(&[&serde_json::to_vec(&taken).unwrap_or_default()])
}

fn service_of(application: &str, service: &TemplateService) -> String {
    format!("{application}-{}", service.name)
}

impl Start {
    /// The spec with this laid under it: what it says itself goes first.
    pub fn under(&self, seen: &Seen<'_>, own: &ApplicationSpec) -> ApplicationSpec {
        let base = &self.spec;
        let mut variables = base.variables.clone();
        variables.retain(|v| own.variables.iter().all(|o| o.name != v.name));
        variables.extend(own.variables.iter().cloned());
        let mut spec = own.clone();
        spec.image = own.image.clone().or_else(|| self.image(seen));
        spec.default_branch = own.default_branch.clone().or(base.default_branch.clone());
        spec.port = own.port.or(base.port);
        spec.startup_probe = own.startup_probe.clone().or(base.startup_probe.clone());
        spec.release_commands = first(&own.release_commands, &base.release_commands);
        spec.containers = first(&own.containers, &base.containers);
        spec.tags = first(&own.tags, &base.tags);
        spec.variables = variables;
        spec
    }

    /// The image: of a Mirror the one that its source has now, as long as there is one.
    fn image(&self, seen: &Seen<'_>) -> Option<String> {
        let now = match &self.from {
            From::Copy(name, CopyType::Mirror) => {
                seen.get::<Application>(name).and_then(|source| {
                    let began = taken(seen, &source.kept).and_then(|start| start.spec.image);
                    source.spec.image.clone().or(began)
                })
            }
            _ => None,
        };
        now.or_else(|| self.spec.image.clone())
    }

    /// What is made when it is taken: the Services, and last the Secret that says that they were made. A Service of that name that stands
    /// already, perhaps since an Application of this name went, is left as it is.
    pub fn steps(&self, seen: &Seen<'_>, me: &Kept) -> Vec<Step> {
        let stands = |service: &&TemplateService| {
            let name = service_of(&me.id.name, service);
            seen.get::<Service>(&name).is_some()
        };
        let missing = self.services.iter().filter(|s| !stands(s));
        let services = missing.map(|service| {
            let spec = json!({
                "classRef": service.class_ref, "tier": service.tier, "storage": service.storage,
            });
            // It is the team's from then on: it is neither corrected nor deleted with the Application.
            let child = Child::of(me, Of::Service, service_of(&me.id.name, service)).that_stays();
            Step::Create(child.field("spec", spec).want(), Vec::new())
        });
        let memory = remember(me, &secret_of(&me.id.name), KEY, self);
        services.chain([memory]).collect()
    }

    /// How the status tells it.
    pub fn told(&self, me: &Kept, whole: &ApplicationSpec) -> Started {
        let services = self.services.iter();
        let (template, source, type_) = match &self.from {
            From::Template(name) => (Some(name), None, None),
            From::Copy(name, type_) => (None, Some(name), Some(*type_)),
        };
        Started {
            template: template.cloned(),
            copied_from: source.cloned(),
            copy_type: type_,
            release_commands: names(whole),
            services: services.map(|s| service_of(&me.id.name, s)).collect(),
            tags: whole.tags.clone(),
        }
    }

    /// What is no longer as it was when this was taken: in a word, and in a sentence.
    pub fn news(&self, seen: &Seen<'_>) -> Option<(&'static str, String)> {
        match &self.from {
            From::Template(name) => {
                let template = seen.get::<ApplicationTemplate>(name)?;
                (Some(mark(&template.spec)) != self.mark).then(|| {
                    let message = format!(
                        "Template {name} says other things than when this Application took it, which changes nothing here: write into the Application what you want of it."
                    );
                    ("TemplateChanged", message)
                })
            }
            From::Copy(name, CopyType::Mirror) if seen.get::<Application>(name).is_none() => {
                let message = format!(
                    "Application {name}, which it mirrors, is gone: it goes on with the image that it began with. Create {name} again, or make an Application of its own."
                );
                Some(("SourceMissing", message))
            }
            From::Copy(..) => None,
        }
    }
}

fn first<T: Clone>(own: &[T], base: &[T]) -> Vec<T> {
    if own.is_empty() { base } else { own }.to_vec()
}

fn names(spec: &ApplicationSpec) -> Vec<String> {
    let commands = spec.release_commands.iter();
    commands.map(|command| command.name.clone()).collect()
}
