//! The witness looks on while all stories are played, and tells what must never be seen in any of them:
//! a secret's value in a status, an annotation or an Event, and a field under `spec` of somebody's object that the operator owns.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use anyhow::{Result, bail, ensure};
use futures::{StreamExt, stream::SelectAll};
use k8s_openapi::api::{core::v1::Secret, events::v1::Event};
use kube::{
    Api, Client, ResourceExt,
    api::DynamicObject,
    core::ApiResource,
    runtime::{WatchStreamExt, watcher},
};
use parking_lot::Mutex;
use roadstead::{api, kinds};
use serde_json::{Value, json};

use crate::world::World;

/// What is planted to see that it is found begins like this; all else that is found fails the run.
const PLANTED: &str = "planted";
const TELLING: [&str; 6] = ["password", "dsn", "uri", "url", "token", "secret"];

/// What has been seen so far.
#[derive(Clone, Default)]
pub struct Witness(Arc<Mutex<Notes>>);

#[derive(Default)]
struct Notes {
    /// Values of Secrets, and whose they are.
    secrets: BTreeMap<String, String>,
    /// What each object says today, where no secret may stand.
    words: BTreeMap<String, String>,
    found: BTreeSet<String>,
}

impl Witness {
    /// Looks on until the runtime ends.
    pub fn begin(client: &Client) -> Self {
        let witness = Self::default();
        let mut sights: SelectAll<futures::stream::BoxStream<'static, Sight>> = SelectAll::new();
        for entry in kinds::KINDS.iter().filter(|entry| entry.plan.is_some()) {
            let resource = ApiResource {
                group: entry.group.into(),
                version: entry.version.into(),
                api_version: entry.api_version(),
                kind: entry.kind.into(),
                plural: entry.plural.into(),
            };
            let all = Api::<DynamicObject>::all_with(client.clone(), &resource);
            sights.push(looking(all, |object| Sight::Ours(Box::new(object))));
        }
        sights.push(looking(Api::all(client.clone()), |secret| {
            Sight::Secret(Box::new(secret))
        }));
        sights.push(looking(Api::all(client.clone()), |event| {
            Sight::Event(Box::new(event))
        }));
        let notes = witness.clone();
        tokio::spawn(async move {
            while let Some(sight) = sights.next().await {
                notes.0.lock().take(sight);
            }
        });
        witness
    }

    /// Everything that was found, as sentences.
    fn found(&self) -> BTreeSet<String> {
        self.0.lock().found.clone()
    }

    /// Whether nothing was found that was not planted.
    pub fn verdict(&self) -> Result<()> {
        let found = self.found();
        let real: Vec<&String> = found.iter().filter(|f| !f.contains(PLANTED)).collect();
        ensure!(real.is_empty(), "the witness saw:\n{real:#?}");
        Ok(())
    }
}

enum Sight {
    Ours(Box<DynamicObject>),
    Secret(Box<Secret>),
    Event(Box<Event>),
}

fn looking<K>(
    api: Api<K>,
    sight: impl Fn(K) -> Sight + Send + 'static,
) -> futures::stream::BoxStream<'static, Sight>
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let events = watcher::watcher(api, watcher::Config::default());
    let objects = events.default_backoff().applied_objects();
    objects
        .filter_map(move |object| {
            let sight = object.ok().map(&sight);
            async move { sight }
        })
        .boxed()
}

impl Notes {
    fn take(&mut self, sight: Sight) {
        match sight {
            Sight::Secret(secret) => self.secret(&secret),
            Sight::Ours(object) => {
                let kind = object.types.as_ref().map_or("?", |t| &t.kind);
                let name = format!("{kind}/{}", object.name_any());
                if let Some(field) = owned_by_us(&object) {
                    let found =
                        format!("{name}: the operator owns {field}, which somebody else declared");
                    self.found.insert(found);
                }
                self.word(name, told(&object).to_string());
            }
            Sight::Event(event) => {
                let name = format!("event/{}", event.name_any());
                self.word(name, event.note.unwrap_or_default());
            }
        }
    }

    /// The snapshot of a Release holds plain values too, which may be said aloud.
    fn secret(&mut self, secret: &Secret) {
        let namespace = secret.namespace().unwrap_or_default();
        if !namespace.starts_with("instance-") || secret.labels().contains_key(api::RELEASE) {
            return;
        }
        for (key, value) in secret.data.iter().flatten() {
            let key = key.to_lowercase();
            let value = String::from_utf8_lossy(&value.0).into_owned();
            if value.len() < 8 || !TELLING.iter().any(|word| key.contains(word)) {
                continue;
            }
            let whose = format!("secret/{} of {namespace}", secret.name_any());
            let said = self
                .words
                .iter()
                .filter(|(_, words)| words.contains(&value));
            let found = said.map(|(who, _)| format!("{who} tells key {key} of {whose}"));
            self.found.extend(found);
            self.secrets.insert(value, whose);
        }
    }

    fn word(&mut self, who: String, words: String) {
        let told = self
            .secrets
            .iter()
            .filter(|(value, _)| words.contains(*value));
        let found = told.map(|(_, whose)| format!("{who} tells a value of {whose}"));
        self.found.extend(found);
        self.words.insert(who, words);
    }
}

/// What an object says that is not its declaration.
fn told(object: &DynamicObject) -> Value {
    let mut notes = object.annotations().clone();
    notes.remove("kubectl.kubernetes.io/last-applied-configuration");
    json!([object.data.get("status"), notes])
}

/// The first field under `spec` that the operator owns on an object that it did not make.
fn owned_by_us(object: &DynamicObject) -> Option<String> {
    let seeded = object.types.as_ref().is_some_and(|t| t.kind == "Instance")
        && object.name_any() == "default";
    if seeded || object.labels().contains_key(api::OWNER) {
        return None;
    }
    let managers = object.metadata.managed_fields.iter().flatten();
    let ours = managers.filter(|m| {
        m.manager
            .as_deref()
            .is_some_and(|name| name.starts_with(api::MANAGER))
    });
    let spec = ours
        .filter_map(|m| m.fields_v1.as_ref()?.0.pointer("/f:spec"))
        .next()?;
    let field = spec.as_object()?.keys().next().cloned();
    Some(format!(
        "spec.{}",
        field.unwrap_or_default().trim_start_matches("f:")
    ))
}

/// What the witness is there for is seen when it happens: a planted secret, and a planted owner.
pub async fn a_secret_told_and_a_field_taken_are_seen(world: World) -> Result<()> {
    let ns = world.instance("planted").await?;
    let yaml = "apiVersion: v1\nkind: Secret\nmetadata: {name: planted}\nstringData: {token: a-planted-value}\n---\n\
            apiVersion: roadstead.dev/v1alpha1\nkind: Application\nmetadata: {name: planted, annotations: {note: a-planted-value}}\n\
            spec: {image: x, containers: [{name: web, kind: Web}]}\n";
    let manager = format!("--field-manager={}", api::MANAGER);
    let words = [
        "kubectl",
        "apply",
        "-n",
        &ns,
        "--server-side",
        &manager,
        "-f",
        "-",
    ];
    world.run(&words, Some(yaml)).await?.ok("apply")?;
    let found = world.until("the witness has seen both", async || {
        let found = world.witness().found();
        let planted: Vec<String> = found.into_iter().filter(|f| f.contains(PLANTED)).collect();
        Ok((planted.len() >= 2).then_some(planted))
    });
    let found = found.await?.join("\n");
    if !found.contains("secret/planted") || !found.contains("owns spec.") {
        bail!("the witness is blind: {found}");
    }
    world.remove("planted").await
}
