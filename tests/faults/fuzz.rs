//! Whatever is declared: it is refused with a reason, or decided on, and neither hurts what stands beside.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
};
use roadstead::kinds::{Entry, KINDS, Of};
use serde_json::{Value, json};

use crate::{
    operator::Operator,
    story::{Story, resource, until},
    wild,
};

/// How many are declared at once.
const BATCH: usize = 160;

/// How many of them are asked for side by side.
const ASKED: usize = 16;

/// What became of the specs of a kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// The API server said no, and why.
    pub refused: usize,
    /// The operator decided on them.
    pub decided: usize,
}

/// The kinds that people declare.
pub fn kinds() -> impl Iterator<Item = &'static Entry> {
    KINDS.iter().filter(|entry| entry.definition.is_some())
}

/// Declares so many wild specs of a kind beside a story that stands, and sees to each.
pub async fn declare(
    operator: &Operator,
    story: &Story<'_>,
    of: Of,
    seed: u64,
    count: usize,
) -> Result<Tally> {
    let entry = of.entry();
    let schema = entry.definition.context("a kind of somebody else")?()?;
    let spec = schema.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec");
    let specs = wild::specs(spec.context("a kind without a spec")?, seed, count);
    ensure!(
        specs.len() == count,
        "only {} specs were drawn",
        specs.len()
    );
    let ground = Ground {
        api: story.of(of),
        entry,
        operator,
    };
    let beside = story.state().await?;
    let mut tally = Tally::default();
    for (round, batch) in specs.chunks(BATCH).enumerate() {
        let names = ground.post(round, batch, &mut tally).await?;
        let decided = names.iter().map(|name| ground.decided(name));
        let decided = stream::iter(decided).buffer_unordered(ASKED);
        decided.try_collect::<()>().await?;
        tally.decided += names.len();
        ground.rests(names.len()).await?;
        ground.clear(&names).await?;
    }
    // A Release that names what stands beside may well change it.
    if of != Of::Release {
        let same = story.reaches(&beside).await;
        same.context("what stands beside was changed")?;
    }
    ensure!(operator.starts() == 1, "the operator fell");
    Ok(tally)
}

struct Ground<'a> {
    api: Api<DynamicObject>,
    entry: &'static Entry,
    operator: &'a Operator,
}

impl Ground<'_> {
    /// Declares them, side by side: the names of those that were taken.
    async fn post(&self, round: usize, specs: &[Value], tally: &mut Tally) -> Result<Vec<String>> {
        let post = |(index, spec): (usize, &Value)| {
            let name = format!("wild-{round}-{index}x");
            let object =
                DynamicObject::new(&name, &resource(self.entry.of)).data(json!({"spec": spec}));
            async move {
                match self.api.create(&PostParams::default(), &object).await {
                    Ok(_) => Ok(Some(name)),
                    Err(kube::Error::Api(said)) if (400..500).contains(&said.code) => {
                        ensure!(
                            said.message.len() > 10,
                            "refused without a reason: {said:?}"
                        );

                        Ok(None)
                    }
                    Err(error) => Err(error)
                        .with_context(|| format!("{}: {:?}", self.entry.kind, object.data)),
                }
            }
        };
        let posts = specs.iter().enumerate().map(post).collect::<Vec<_>>();
        let said: Vec<Option<String>> = stream::iter(posts).buffered(ASKED).try_collect().await?;
        let taken: Vec<String> = said.into_iter().flatten().collect();
        tally.refused += specs.len() - taken.len();
        Ok(taken)
    }

    /// The operator says how it stands with what was declared, in words.
    async fn decided(&self, name: &str) -> Result<()> {
        let what = format!("{} {name} is decided on", self.entry.kind);
        let decided = until(&what, || async {
            match self.api.get_opt(name).await? {
                Some(object) => Ok(has_verdict(&object).then_some(())),
                // Its time was over when it was declared.
                None if self.entry.of == Of::Backup => Ok(Some(())),
                None => bail!("it is gone"),
            }
        });
        if let Err(error) = decided.await {
            let object = self.api.get_opt(name).await?;
            let data = object.map(|o| o.data).unwrap_or_default();
            bail!("{error}: {data:#}");
        }
        Ok(())
    }

    /// Nothing is written any more: no loop runs hot.
    async fn rests(&self, taken: usize) -> Result<()> {
        let begun = Instant::now();
        let mut before = self.operator.proxy.writes().count;
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = self.operator.proxy.writes().count;
            if now == before {
                return Ok(());
            }
            before = now;
            let late = begun.elapsed() > Duration::from_secs(120);
            ensure!(
                !late,
                "it writes and writes, for {taken} of {}",
                self.entry.kind
            );
        }
    }

    /// They are deleted, as one who may would do it, and go.
    async fn clear(&self, names: &[String]) -> Result<()> {
        let loose = |object: DynamicObject| async move {
            let name = object.name_any();
            let loose = match self.entry.of {
                Of::Service => {
                    json!({"state": "Stopped", "deletionPolicy": "StopFirst", "dataPolicy": "Delete"})
                }
                Of::Backup => json!({"legalHold": false}),
                _ => return Ok(()),
            };
            let patch = Patch::Merge(json!({ "spec": loose }));
            let how = PatchParams::default();
            self.api.patch(&name, &how, &patch).await?;
            anyhow::Ok(())
        };
        let all = self.api.list(&ListParams::default()).await?.items;
        let mine = all.into_iter().filter(|o| names.contains(&o.name_any()));
        stream::iter(mine.map(loose))
            .buffered(ASKED)
            .try_collect::<Vec<_>>()
            .await?;
        if self.entry.of == Of::Service {
            // What is changed in the moment of a deletion comes too late: the data is kept.
            let seen = stream::iter(names.iter().map(|name| self.decided(name)));
            seen.buffer_unordered(ASKED).try_collect::<()>().await?;
        }
        let gone = stream::iter(names.iter().map(|name| self.gone(name)));
        gone.buffer_unordered(ASKED).try_collect::<()>().await
    }

    async fn gone(&self, name: &str) -> Result<()> {
        let what = format!("{} {name} is gone", self.entry.kind);
        let gone = until(&what, || async {
            match self.api.delete(name, &DeleteParams::default()).await {
                Err(kube::Error::Api(said)) if said.code == 404 => Ok(Some(())),
                _ => Ok(None),
            }
        });
        if let Err(error) = gone.await {
            let said = self.api.delete(name, &DeleteParams::default()).await;
            bail!("{error}: {said:#?}");
        }
        Ok(())
    }
}

/// Whether the status is of this generation and says in words how it stands.
fn has_verdict(object: &DynamicObject) -> bool {
    let status = &object.data["status"];
    let current = object.metadata.generation;
    let mut conditions = status["conditions"].as_array().into_iter().flatten();
    status["observedGeneration"].as_i64() == current
        && conditions.any(|c| {
            let said = |field: &str| c[field].as_str().is_some_and(|text| !text.is_empty());
            said("reason") && said("message")
        })
}
