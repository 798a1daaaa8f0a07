//! One run: the story, a proxy with something that goes wrong, and what must be true in the end.

use std::{
    path::PathBuf,
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use libtest_mimic::Failed;

use crate::{
    fault::{On, Rule, Trouble},
    fuzz,
    operator::Operator,
    proxy::{self, Proxy, Writes},
    scenes::Scene,
    stage::Stage,
    state,
    story::Story,
};

/// How many seeds each scene is played with when everything is.
pub const SEEDS: u64 = 4;
/// Into how many equal parts the writes of the story are cut; the operator is killed after each.
pub const CRASHES: u64 = 60;

/// What wild specs are drawn from.
const SEED: u64 = 1;
/// How often wild specs of a kind are drawn of which none was taken.
const ROUNDS: u64 = 8;

/// Where the runs are played: made when the first begins.
#[derive(Default)]
pub struct Theatre {
    whole: bool,
    made: OnceLock<Result<(tokio::runtime::Runtime, Mutex<House>), String>>,
}

pub struct House {
    /// The cluster.
    pub stage: Stage,
    undisturbed: Option<Outcome>,
    runs: u32,
}

/// How a run went: the states that it came to, and the writes up to the change and up to the end.
#[derive(Clone)]
pub struct Outcome {
    /// The state after everything was made.
    pub made: String,
    /// The state after it was changed.
    pub changed: String,
    /// The writes up to then.
    pub writes: Writes,
    /// The writes up to the end.
    pub ended: Writes,
}

/// The failure as the tests tell it.
pub fn failed(error: anyhow::Error) -> Failed {
    Failed::from(format!("{error:?}"))
}

impl Theatre {
    /// Where a sample is played, or everything: then every run ends its Instance, for what stays disturbs those after it.
    pub fn of(whole: bool) -> Self {
        Self {
            whole,
            ..Self::default()
        }
    }

    /// Plays a scene with a seed.
    pub fn play(&self, scene: &'static Scene, seed: u64) -> Result<()> {
        self.with(async |house| {
            let wanted = house.undisturbed().await?;
            let trouble = Trouble::new(scene.rules, seed);
            // The end of an Instance takes as long as all the rest: in the sample it is played with crashes only.
            let ends = self.whole || !scene.sample;
            house.run(trouble, None, Some(&wanted), ends).await?;
            Ok(())
        })
    }

    /// Kills the operator after the n-th write, which is this share of all.
    pub fn crash(&self, share: u64) -> Result<()> {
        self.with(async |house| {
            let wanted = house.undisturbed().await?;
            let after = 1 + wanted.ended.count * share / CRASHES;
            let trouble = Trouble::new(&[], 0);
            house.run(trouble, Some(after), Some(&wanted), true).await?;
            Ok(())
        })
    }

    /// So many wild specs of each kind are declared beside a story.
    pub fn wild(&self, count: usize) -> Result<()> {
        self.with(async |house| house.wild(count).await)
    }

    /// A Namespace is lost while no operator is there.
    pub fn namespace_lost(&self) -> Result<()> {
        self.with(async |house| house.namespace_lost().await)
    }

    /// Plays this in the house.
    pub fn with(&self, act: impl AsyncFnOnce(&mut House) -> Result<()>) -> Result<()> {
        let made = self.made.get_or_init(|| {
            let runtime = tokio::runtime::Runtime::new().map_err(|e| e.to_string())?;
            let stage = runtime.block_on(Stage::begin());
            let house = House {
                stage: stage.map_err(|e| format!("no cluster: {e:?}"))?,
                undisturbed: None,
                runs: 0,
            };
            Ok((runtime, Mutex::new(house)))
        });
        let (runtime, house) = made.as_ref().map_err(|e| anyhow::anyhow!(e.clone()))?;
        let mut house = house.lock().unwrap_or_else(PoisonError::into_inner);
        runtime.block_on(act(&mut house))
    }

    /// Ends the cluster.
    pub fn end(self: std::sync::Arc<Self>) {
        let made = std::sync::Arc::into_inner(self).and_then(|theatre| theatre.made.into_inner());
        if let Some(Ok((_runtime, house))) = made {
            let house = house.into_inner().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = house.stage.end() {
                eprintln!("the cluster did not end well: {error:?}");
            }
        }
    }
}

impl House {
    /// The name of the next run, and where its logs are.
    pub fn next(&mut self) -> Result<(String, PathBuf)> {
        self.runs += 1;
        let name = format!("run{:03}x", self.runs);
        let folder = self.stage.folder(&name)?;
        Ok((name, folder))
    }

    /// How the story ends when nothing goes wrong.
    pub async fn undisturbed(&mut self) -> Result<Outcome> {
        if let Some(known) = &self.undisturbed {
            return Ok(known.clone());
        }
        let outcome = self.run(Trouble::new(&[], 0), None, None, true).await?;
        self.undisturbed = Some(outcome.clone());
        Ok(outcome)
    }

    /// The operator starts while a Namespace ends in which it has no right any more: it lets go of what it holds there, and begins anew.
    async fn namespace_lost(&mut self) -> Result<()> {
        let (name, folder) = self.next()?;
        let story = Story {
            client: &self.stage.client,
            name: &name,
        };
        let quiet = || Trouble::new(&[], 0);
        let proxy = Proxy::begin(&self.stage.account, quiet(), None).await?;
        let operator = Operator::begin(proxy, &folder)?;
        story.make().await?;
        story.ready(1).await?;
        operator.end().await?;
        let before = story.namespace().await?;
        let account = proxy::client(&self.stage.account).await?;
        story.lose_namespace(&account).await?;
        let proxy = Proxy::begin(&self.stage.account, quiet(), None).await?;
        let operator = Operator::begin(proxy, &folder)?;
        let anew = story.begins_anew(&before).await;
        operator.end().await?;
        anew
    }

    /// Wild specs are declared, and the operator sees to each without falling.
    async fn wild(&mut self, count: usize) -> Result<()> {
        let (name, folder) = self.next()?;
        let story = Story {
            client: &self.stage.client,
            name: &name,
        };
        let proxy = Proxy::begin(&self.stage.account, Trouble::new(&[], 0), None).await?;
        let operator = Operator::begin(proxy, &folder)?;
        story.make().await?;
        story.ready(1).await?;
        settled(&story, &operator, None).await?;
        let declared = async {
            for entry in fuzz::kinds() {
                let mut tally = fuzz::Tally::default();
                // Of some kinds nearly all is refused: they are drawn again until something is taken.
                for seed in SEED..SEED + ROUNDS {
                    let more = fuzz::declare(&operator, &story, entry.of, seed, count).await?;
                    tally.refused += more.refused;
                    tally.decided += more.decided;
                    if tally.decided > 0 {
                        break;
                    }
                }
                eprintln!("{name}: {tally:?} of {}", entry.plural);
                ensure!(tally.decided > 0, "no {} was taken", entry.plural);
            }
            anyhow::Ok(())
        };
        let declared = declared.await;
        operator.end().await?;
        let log = std::fs::read_to_string(folder.join("operator.log"))?;
        let place = format!("the log is in {}", folder.display());
        ensure!(!log.contains("panicked"), "a panic: {place}");
        declared.context(place)
    }

    async fn run(
        &mut self,
        trouble: Trouble,
        crash: Option<u64>,
        wanted: Option<&Outcome>,
        ends: bool,
    ) -> Result<Outcome> {
        let (name, folder) = self.next()?;
        let begun = Instant::now();
        let proxy = Proxy::begin(&self.stage.account, trouble, crash).await?;
        let operator = Operator::begin(proxy, &folder)?;
        let story = Story {
            client: &self.stage.client,
            name: &name,
        };
        let outcome = tell(&story, &operator, wanted, ends).await;
        let starts = operator.starts();
        let struck = operator.proxy.trouble().struck();
        let said = format!(
            "{name}: {:.1} s, {} writes, {starts} starts, struck {:?}",
            begun.elapsed().as_secs_f64(),
            operator.proxy.writes().count,
            struck.iter().map(|(_, n)| n).collect::<Vec<_>>()
        );
        operator.end().await?;
        eprintln!("{said}");
        if let Err(error) = &outcome {
            std::fs::write(folder.join("failure.txt"), format!("{error:?}"))?;
        }
        let outcome =
            outcome.with_context(|| format!("{said}; the log is in {}", folder.display()))?;
        for (rule, times) in &struck {
            ensure!(*times > 0, "it never struck: {rule:?}");
        }
        if let Some(wanted) = wanted {
            ensure!(crash.is_none() || starts > 1, "it was never killed");
            judge(&outcome.writes, &wanted.writes, &struck)?;
        }
        Ok(outcome)
    }
}

/// The story, with the end of the Instance or without; and that it comes to the same as without faults.
async fn tell(
    story: &Story<'_>,
    operator: &Operator,
    wanted: Option<&Outcome>,
    ends: bool,
) -> Result<Outcome> {
    story.make().await?;
    story.ready(1).await?;
    let made = settled(story, operator, wanted.map(|w| w.made.as_str())).await?;
    story.change().await?;
    story.ready(2).await?;
    let changed = settled(story, operator, wanted.map(|w| w.changed.as_str())).await?;
    let writes = operator.proxy.writes();
    if ends {
        story.end().await?;
    }
    Ok(Outcome {
        made,
        changed,
        writes,
        ended: operator.proxy.writes(),
    })
}

/// The state once it is as it should be, or, where that is not known yet, once nothing has been written for a while.
async fn settled(story: &Story<'_>, operator: &Operator, wanted: Option<&str>) -> Result<String> {
    if let Some(wanted) = wanted {
        story.reaches(wanted).await?;
        return Ok(wanted.to_owned());
    }
    loop {
        let (before, state) = (operator.proxy.writes().count, story.state().await?);
        tokio::time::sleep(Duration::from_secs(5)).await;
        let rests = operator.proxy.writes().count == before && story.state().await? == state;
        // Kubernetes takes its time to remove what has lost its owner.
        if rests && !state.contains(state::ORPHAN) {
            return Ok(state);
        }
    }
}

/// No object is made twice, and no fault costs more than a few writes.
pub fn judge(got: &Writes, wanted: &Writes, struck: &[(Rule, u32)]) -> Result<()> {
    let made = |writes: &Writes, plural: &str| writes.made.get(plural).copied().unwrap_or(0);
    for plural in ["jobs", "releases"] {
        let (got, wanted) = (made(got, plural), made(wanted, plural));
        ensure!(got == wanted, "{got} {plural} were made, not {wanted}");
    }
    let struck: u32 = struck
        .iter()
        .filter(|(rule, _)| rule.on == On::Writes)
        .map(|(_, n)| n)
        .sum();
    let most = wanted.count + wanted.count / 4 + 2 * u64::from(struck) + 10;
    let count = got.count;
    ensure!(count <= most, "{count} writes in place of {}", wanted.count);
    Ok(())
}
