//! An Environment that starts as a copy of another. What it takes over is written down in a Secret of its own when it is first seen: from
//! then on it stands by itself, whatever becomes of the other.

use serde::{Deserialize, Serialize};

use super::trouble::Trouble;
use crate::{
    api::{
        Environment,
        application::Variable,
        environment::{Attachment, ContainerOverride},
    },
    plan::{
        Found, Kept, Seen, Step,
        build::memory::{remember, remembered},
        facts,
    },
};

/// The key of what was taken over.
const KEY: &str = "spec";

/// What an Environment takes over from another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Taken {
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    variables: Vec<Variable>,
    containers: Vec<ContainerOverride>,
    services: Vec<Attachment>,
}

/// A copy, as it is to be read.
#[derive(Default)]
pub struct Copy {
    /// The Environment with what it took over, below what it says itself.
    pub whole: Option<Environment>,
    /// What was taken over is written down, and stays.
    pub step: Option<Step>,
    /// Why there is nothing to take over.
    pub trouble: Option<Trouble>,
    /// Services of the other that a copy does not share: prefix and name.
    pub unshared: Vec<Attachment>,
}

impl Copy {
    /// How this Environment is to be read: nothing to say where it is no copy.
    pub fn of(environment: &Environment, me: &Kept, seen: &Seen<'_>) -> Self {
        let Some(from) = &environment.spec.copy_from else {
            return Self::default();
        };
        let source = &from.environment_ref.name;
        let name = memory(&me.id.name);
        let stands = seen.get::<facts::Secret>(&name);
        if let Some(secret) = &stands {
            if secret.kept.owner.as_deref() != Some(&*me.uid) {
                let fix = format!(
                    "A Secret {name} that is not of this Environment stands already: rename one of them."
                );
                return Self::troubled(Trouble::new("NameTaken", &name, fix));
            }
            let keep = Step::Keep(secret.kept.id.clone());
            let taken = remembered(me, secret, KEY).unwrap_or_default();
            return Self::whole(environment, taken, keep);
        }
        match Self::look(environment, seen, source) {
            Ok(taken) => {
                let step = remember(me, &name, KEY, &taken);
                Self::whole(environment, taken, step)
            }
            Err(trouble) => Self::troubled(trouble),
        }
    }

    fn look(environment: &Environment, seen: &Seen<'_>, source: &str) -> Result<Taken, Trouble> {
        let Some(other) = seen.get::<Environment>(source) else {
            let fix = format!(
                "Create Environment {source}, or make this one again without spec.copyFrom."
            );
            return Err(Trouble::new("CopySourceMissing", source, fix));
        };
        let application = &environment.spec.application_ref.name;
        if other.spec.application_ref.name != *application {
            let fix = format!(
                "Environment {source} is not of Application {application}: make this one again with spec.copyFrom naming one that is."
            );
            return Err(Trouble::new("CopySourceForeign", source, fix));
        }
        Ok(of_other(&other, seen))
    }

    fn whole(environment: &Environment, taken: Taken, step: Step) -> Self {
        let own = &environment.spec;
        let is_own = |prefix: &str| own.services.iter().any(|a| a.prefix == prefix);
        let mut unshared = taken.services.clone();
        unshared.retain(|attachment| !is_own(&attachment.prefix));
        let mut whole = environment.clone();
        lay(&mut whole, taken);
        Self {
            whole: Some(whole),
            step: Some(step),
            trouble: None,
            unshared,
        }
    }

    fn troubled(trouble: Trouble) -> Self {
        Self {
            trouble: Some(trouble),
            ..Self::default()
        }
    }
}

/// The Secret in which a copy keeps what it took over.
fn memory(environment: &str) -> String {
    format!("{environment}-copied")
}

/// What another Environment has to give; it may be a copy itself.
fn of_other(other: &Found<Environment>, seen: &Seen<'_>) -> Taken {
    let mut whole = Environment::clone(other);
    let secret = seen.get::<facts::Secret>(&memory(other.name()));
    if let Some(taken) = secret.and_then(|secret| remembered(&other.kept, &secret, KEY)) {
        lay(&mut whole, taken);
    }
    Taken {
        branch: whole.spec.branch,
        image: whole.spec.image,
        variables: whole.spec.variables,
        containers: whole.spec.containers,
        services: whole.spec.services,
    }
}

/// Lays what was taken over below what the Environment says itself.
fn lay(environment: &mut Environment, taken: Taken) {
    let own = &mut environment.spec;
    own.branch = own.branch.take().or(taken.branch);
    own.image = own.image.take().or(taken.image);
    let mut variables = taken.variables;
    variables.retain(|one| !own.variables.iter().any(|mine| mine.name == one.name));
    variables.append(&mut own.variables);
    own.variables = variables;
    let mut containers = taken.containers;
    containers.retain(|one| !own.containers.iter().any(|mine| mine.name == one.name));
    containers.append(&mut own.containers);
    own.containers = containers;
}
