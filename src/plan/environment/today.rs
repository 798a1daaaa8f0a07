//! What is declared today, and what stands in the way of releasing it.

use std::collections::BTreeMap;

use super::{
    Scene,
    services::{self, Attached},
    trouble::Trouble,
};
use crate::{
    api::{Application, environment::Autoscaling},
    plan::{
        Found,
        application::{self, Lack},
        build::{
            configuration::Configuration,
            variables::{Content, Origin, Resolved, Said, effective, resolve},
        },
        facts,
    },
};

/// A Secret holds 1 MiB at most; this much is left to variables.
const ROOM: usize = 900 * 1024;

/// What is declared today.
pub struct Today {
    /// The Application, if it is there.
    pub application: Option<Found<Application>>,
    /// What is declared.
    pub configuration: Configuration,
    /// Its mark.
    pub hash: String,
    /// The attached Services.
    pub attached: Vec<Attached>,
    /// The Secrets that variables are read from, with what is there of them now.
    pub secrets: BTreeMap<String, u64>,
    /// What a person must change before today's configuration can be released.
    pub problems: Vec<Trouble>,
    /// What is only not there yet.
    pub waits: Vec<Trouble>,
}

/// How many of a container run.
#[derive(Clone, Copy, Debug)]
pub enum Scale<'a> {
    /// So many.
    Fixed(i32),
    /// As the load asks for.
    Auto(&'a Autoscaling),
}

impl Today {
    /// What is declared for this Environment today.
    pub fn of(scene: &Scene<'_>) -> Self {
        let reference = &scene.environment.spec.application_ref.name;
        let application = match application::whole(scene.seen, reference) {
            Ok(application) => application,
            Err(lack) => return Self::without_application(&lack),
        };
        let configuration = Configuration::today(&application, scene.environment);
        let attached = services::attached(scene);
        let mut today = Self {
            application: Some(application),
            hash: configuration.hash(),
            secrets: BTreeMap::new(),
            problems: Vec::new(),
            waits: services::waits(&attached),
            configuration,
            attached,
        };
        today.look_at_containers(scene);
        today.look_at_secrets(scene);
        today
            .problems
            .extend(services::problems(scene, &today.attached));
        today.look_at_variables(scene);
        today
    }

    fn without_application(lack: &Lack) -> Self {
        Self {
            application: None,
            configuration: Configuration::default(),
            hash: String::new(),
            attached: Vec::new(),
            secrets: BTreeMap::new(),
            problems: vec![Trouble::new(lack.reason, &lack.object, &*lack.fix)],
            waits: Vec::new(),
        }
    }

    fn look_at_containers(&mut self, scene: &Scene<'_>) {
        let app = &scene.environment.spec.application_ref.name;
        if self.configuration.image.is_none() {
            let fix = format!("Set spec.image of Application {app} or of this Environment.");
            self.problems.push(Trouble::new("ImageMissing", app, fix));
        }
        if self.configuration.containers.is_empty() {
            let fix =
                format!("List at least one container in spec.containers of Application {app}.");
            self.problems
                .push(Trouble::new("ContainersMissing", app, fix));
        }
        for over in &scene.environment.spec.containers {
            let known = self.configuration.containers.iter();
            if !known.clone().any(|container| container.name == over.name) {
                let names: Vec<&str> = known.map(|container| container.name.as_str()).collect();
                let fix = format!(
                    "Application {app} has no container {}: remove it from spec.containers, or name one of: {}.",
                    over.name,
                    names.join(", ")
                );
                self.problems
                    .push(Trouble::new("ContainerMissing", &over.name, fix));
            }
        }
    }

    fn look_at_secrets(&mut self, scene: &Scene<'_>) {
        let mut troubles = Vec::new();
        for (variable, name, key) in self.configuration.secret_keys() {
            let Some(secret) = scene.seen.get::<facts::Secret>(name) else {
                let fix = format!("Create Secret {name}: variable {variable} takes its key {key}.");
                troubles.push(Trouble::new("SecretMissing", name, fix));
                continue;
            };
            self.secrets.insert(name.to_owned(), secret.kept.rv);
            if !secret.data.contains_key(key) {
                let fix =
                    format!("Add the key {key} to Secret {name}: variable {variable} takes it.");
                let object = format!("{name}.{key}");
                troubles.push(Trouble::new("SecretKeyMissing", &object, fix));
            }
        }
        self.problems.extend(troubles);
    }

    fn look_at_variables(&mut self, scene: &Scene<'_>) {
        let resolved = self.variables(scene, 0);
        for name in &resolved.cycles {
            let fix = format!(
                "Variable {name} needs itself through $(…): take one placeholder out of the circle."
            );
            self.problems.push(Trouble::new("VariableCycle", name, fix));
        }
        let texts = self.configuration.variables.iter();
        let size: usize = texts
            .map(|(_, v)| v.name.len() + v.value.as_ref().map_or(0, String::len) * 2)
            .sum();
        if size > ROOM {
            let fix =
                "All variables of a Release stand in one Secret, which holds 1 MiB: shorten them.";
            self.problems
                .push(Trouble::new("VariablesTooLarge", &scene.me.id.name, fix));
        }
    }

    /// Today's variables for the Release of this number.
    pub fn variables(&self, scene: &Scene<'_>, number: i64) -> Resolved {
        put_together(self.said(scene, number))
    }

    /// Everything that is said of variables, the overridden too.
    pub fn said(&self, scene: &Scene<'_>, number: i64) -> Vec<Said> {
        let mut said = built_in(scene, &self.configuration, number);
        said.extend(self.configuration.said());
        said.extend(self.attached.iter().flat_map(Attached::said));
        said
    }

    /// How many of this container are to run, if it is declared today.
    pub fn scale<'a>(&'a self, scene: &Scene<'a>, container: &str) -> Option<Scale<'a>> {
        let application = self.application.as_ref()?;
        let declared = application.spec.containers.iter();
        let declared = declared.clone().find(|c| c.name == container)?;
        let overs = &scene.environment.spec.containers;
        let over = overs.iter().find(|over| over.name == container);
        if let Some(auto) = over.and_then(|over| over.autoscaling.as_ref()) {
            return Some(Scale::Auto(auto));
        }
        let replicas = over.and_then(|over| over.replicas).or(declared.replicas);
        Some(Scale::Fixed(replicas.unwrap_or(1)))
    }
}

/// Variables as pods get them, from all that is said of them.
pub fn put_together(said: Vec<Said>) -> Resolved {
    resolve(&effective(said))
}

/// What every container is told by Roadstead.
pub fn built_in(scene: &Scene<'_>, configuration: &Configuration, number: i64) -> Vec<Said> {
    let one = |name: &str, value: String| Said {
        name: name.to_owned(),
        origin: Origin::Roadstead,
        sensitive: false,
        content: Content::Text(value),
    };
    let application = scene.environment.spec.application_ref.name.clone();
    let mut all = vec![
        one("ROADSTEAD_APPLICATION", application),
        one("ROADSTEAD_ENVIRONMENT", scene.me.id.name.to_string()),
        one("ROADSTEAD_RELEASE", number.to_string()),
    ];
    if configuration.web().is_some() {
        all.push(one("PORT", configuration.web_port().to_string()));
    }
    all
}
