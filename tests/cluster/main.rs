//! Stories on a real cluster: that Kubernetes agrees with what was decided.
//!
//! The cluster is started once, the product installed from its charts, and every story runs in an Instance of its own.
//! `KUBECONFIG=… cargo test` uses that cluster, and with `INSTALLED=1` also the product that is there. `KEEP=1` keeps what a story made. A failed story prints what stood there.

mod admit;
mod application;
mod backup;
mod cronjob;
mod dump;
mod environment;
mod flux;
mod gitops;
mod hostile;
mod instance;
mod leaving;
mod path;
mod plugin;
mod quiet;
mod races;
mod release;
mod rights;
mod service;
mod stories;
mod tour;
mod witness;
mod world;

use std::{process::ExitCode, sync::Arc};

use anyhow::Context;
use libtest_mimic::{Arguments, Conclusion, Failed, Trial};
use rights::Rights;
use world::World;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let stage = Arc::new(Stage::default());
    let mut together: Vec<Trial> = stories::TOGETHER
        .iter()
        .map(|story| stage.clone().trial(story))
        .collect();
    together.extend(admit::cases().into_iter().map(|case| {
        let stage = stage.clone();
        Trial::test(case.name(), move || {
            stage.play(|world| Box::pin(case.run(world)))
        })
    }));
    // Nobody else's product is taken away, and nobody gets a Flux that they did not ask for.
    let foreign = devcluster::place::foreign().is_ok_and(|file| file.is_some());
    let own = |stories: &'static [stories::Story]| {
        let trials = stories.iter().map(|story| stage.clone().trial(story));
        trials.map(|t| t.with_ignored_flag(foreign)).collect()
    };
    let (flux, alone) = (own(stories::FLUX), own(stories::ALONE));
    let run = |trials, threads| {
        let arguments = Arguments {
            test_threads: Some(threads),
            ..arguments.clone()
        };
        libtest_mimic::run(&arguments, trials)
    };
    let rounds = [
        run(together, arguments.test_threads.unwrap_or(6)),
        run(flux, arguments.test_threads.unwrap_or(2)),
        run(alone, 1),
    ];
    let failed = rounds.iter().any(Conclusion::has_failed);
    let whole = |round: &Conclusion| round.num_filtered_out + round.num_ignored == 0;
    match stage.end(!failed && rounds.iter().all(whole)) {
        Ok(()) if failed => ExitCode::from(101),
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e:?}");
            ExitCode::FAILURE
        }
    }
}

/// Where the stories play: made when the first one begins, ended after the last.
#[derive(Default)]
struct Stage {
    world: std::sync::OnceLock<Result<(tokio::runtime::Runtime, World), String>>,
}

impl Stage {
    fn trial(self: Arc<Self>, story: &'static stories::Story) -> Trial {
        Trial::test(story.name, move || self.play(story.play))
    }

    fn play(
        &self,
        story: impl FnOnce(World) -> futures::future::BoxFuture<'static, anyhow::Result<()>>,
    ) -> Result<(), Failed> {
        let (runtime, world) = self
            .world
            .get_or_init(Self::begin)
            .as_ref()
            .map_err(|e| e.clone())?;
        runtime
            .block_on(story(world.clone()))
            .map_err(|e| Failed::from(format!("{e:?}")))
    }

    fn begin() -> Result<(tokio::runtime::Runtime, World), String> {
        let runtime = tokio::runtime::Runtime::new().map_err(|e| e.to_string())?;
        let world = runtime
            .block_on(World::begin())
            .map_err(|e| format!("no cluster: {e:?}"))?;
        Ok((runtime, world))
    }

    /// Ends the world, and tells what must not have been seen in it; and, where all was played, what should have been.
    fn end(&self, whole: bool) -> anyhow::Result<()> {
        let Some(Ok((runtime, world))) = self.world.get() else {
            return Ok(());
        };
        let rights = world.rights().filter(|_| whole);
        let verdict = world
            .witness()
            .verdict()
            .and_then(|()| rights.map_or(Ok(()), Rights::verdict));
        runtime
            .block_on(world.end())
            .context("the cluster did not end well")?;
        verdict
    }
}
