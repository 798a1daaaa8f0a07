//! An errand: a Job in the class's own image that speaks to the engine of a Service.

use serde_json::{Map, Value, json};

use crate::{
    api::{ROLE, SERVICE, ServiceClass},
    kinds::Of,
    plan::{
        Found, Kept, Seen, Step,
        build::{
            meta::Child,
            pod::{Pod, reaches},
            snapshot::credentials_of,
        },
        facts::{self, Job},
        home::Home,
        service::engine::scratch_mounts,
        service_class::{default_port, words::Words},
    },
};

/// An errand to be sent.
pub struct Errand<'a> {
    /// Who sends it.
    pub me: &'a Kept,
    /// What is seen.
    pub seen: &'a Seen<'a>,
    /// The Service that it goes to.
    pub service: &'a str,
    /// The class of that Service.
    pub class: &'a Found<ServiceClass>,
    /// Name of the Job.
    pub name: String,
    /// Name of its container.
    pub container: &'a str,
}

impl Errand<'_> {
    /// What the words in its commands stand for; nothing while the Service's credentials are not seen.
    pub fn words(&self) -> Option<Words> {
        let account = credentials_of(self.seen, self.service)?;
        let text = |key: &str| account.text(key).unwrap_or_default().to_owned();
        Some(Words {
            username: text("username"),
            host: text("host"),
            port: default_port(&self.class.spec)?.port,
            database: text("database"),
        })
    }

    /// Its pod, whose command begins once the engine can be reached.
    pub fn pod(&self, words: &Words, command: &[String]) -> Pod {
        let class = &self.class.spec;
        let secret = format!("{}-credentials", self.service);
        let mut labels = Map::new();
        labels.insert(SERVICE.into(), json!(self.service));
        labels.insert(ROLE.into(), json!("job"));
        let mounts = scratch_mounts(class);
        let volumes: Vec<Value> = (0..class.scratch.len())
            .map(|i| json!({"name": format!("scratch-{i}"), "emptyDir": {}}))
            .collect();
        let address = format!("{}:{}", words.host, words.port);
        let pull = Home::of(self.me, self.seen);
        let mut pod = Pod {
            labels,
            owner: self.me.uid.to_string(),
            name: self.container.to_owned(),
            image: class.image.clone(),
            command: words.fill_all(command),
            env: vec![
                json!({"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": secret, "key": "password"}}}),
            ],
            user: class.user,
            resources: json!({"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}),
            pull: pull
                .image_pull_secrets()
                .iter()
                .map(|s| s.name.clone())
                .collect(),
            first: self
                .seen
                .image()
                .map(|image| reaches(image, &[address]))
                .into_iter()
                .collect(),
            ..Pod::default()
        };
        pod.container.insert("volumeMounts".into(), json!(mounts));
        pod.spec.insert("volumes".into(), json!(volumes));
        pod.spec.insert("restartPolicy".into(), json!("Never"));
        pod
    }

    /// Sends it: how often it is tried again, and how long it may take.
    pub fn send(self, pod: Pod, again: u8, seconds: i32) -> Step {
        let spec = json!({"backoffLimit": again, "activeDeadlineSeconds": seconds, "template": pod.template()});
        let want = Child::of(self.me, Of::Job, self.name)
            .field("spec", spec)
            .want();
        Step::Create(want, Vec::new())
    }
}

/// The Job of this name that was sent.
pub fn sent(seen: &Seen<'_>, name: &str) -> Option<Found<Job>> {
    let jobs = seen.owned::<Job>();
    jobs.into_iter().find(|job| job.name() == name)
}

/// Whether a condition of a Job is true.
pub fn is(job: &Found<Job>, type_: &str) -> bool {
    let mut all = job.status.conditions.iter();
    all.any(|c| c.type_ == type_ && c.status == "True")
}

/// The pods of a Job.
pub fn pods(seen: &Seen<'_>, job: &Found<Job>) -> Vec<Found<facts::Pod>> {
    let mut pods = seen.owned::<facts::Pod>();
    pods.retain(|pod| pod.name().starts_with(job.name()));
    pods
}

/// What a Job to this Service said last, without the password.
pub fn last_words(seen: &Seen<'_>, job: &Found<Job>, service: &str) -> String {
    let mut ended: Vec<_> = pods(seen, job)
        .iter()
        .flat_map(|pod| {
            let status = &pod.status;
            let first = status.init_container_statuses.clone();
            first.into_iter().chain(status.container_statuses.clone())
        })
        .filter_map(|container| container.state.terminated)
        .collect();
    let words = ended.pop().map_or_else(String::new, |ended| ended.message);
    let credentials = credentials_of(seen, service);
    let password = credentials.as_ref().and_then(|c| c.text("password"));
    let words = match password.filter(|password| !password.is_empty()) {
        Some(password) => words.replace(password, "…"),
        None => words,
    };
    match words.trim() {
        "" => "it said nothing".to_owned(),
        words => words.chars().take(500).collect(),
    }
}
