//! What the operator makes of a world in which things go wrong: a proxy stands between it and the API server.
//!
//! Every run tells the same story, and must end in the state in which it ends when nothing goes wrong, with no object made twice and
//! none left over. A fault that never struck proves nothing, and fails. `cargo test` plays a sample; `cargo faults` plays everything.

mod clock;
mod events;
mod fault;
mod fuzz;
mod operator;
mod proxy;
mod rivals;
mod run;
mod scenes;
mod stage;
mod state;
mod story;
mod wild;

use std::{process::ExitCode, sync::Arc};

use libtest_mimic::{Arguments, Trial};
use run::Theatre;

fn main() -> ExitCode {
    let arguments = Arguments {
        test_threads: Some(1),
        ..Arguments::from_args()
    };
    let theatre = Arc::new(Theatre::of(arguments.include_ignored));
    let mut all = trials(&theatre);
    let count = if arguments.include_ignored { MANY } else { FEW };
    let house = theatre.clone();
    let wild = move || house.wild(count).map_err(run::failed);
    all.push(Trial::test(
        "whatever_is_declared_is_refused_or_decided_on",
        wild,
    ));
    let conclusion = libtest_mimic::run(&arguments, all);
    theatre.end();
    conclusion.exit_code()
}

/// How many wild specs of each kind are declared in the sample, and when everything is played: together more than 10,000.
const FEW: usize = 40;
const MANY: usize = 1280;

/// A trial for each thing that can go wrong. All seeds but the first, and most of the crashes, are played when everything is.
fn trials(theatre: &Arc<Theatre>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for scene in scenes::SCENES {
        for seed in 1..=run::SEEDS {
            let theatre = theatre.clone();
            let name = format!("{}::seed_{seed}", scene.name);
            let play = move || theatre.play(scene, seed).map_err(run::failed);
            let rest = seed > 1 || !scene.sample;
            trials.push(Trial::test(name, play).with_ignored_flag(rest));
        }
    }
    for share in 0..run::CRASHES {
        let theatre = theatre.clone();
        let name = format!("it_is_killed_after_a_write::{share:02}_of_{}", run::CRASHES);
        let play = move || theatre.crash(share).map_err(run::failed);
        trials.push(Trial::test(name, play).with_ignored_flag(share % 20 != 7));
    }
    trials.extend(outages(theatre));
    let theatre = theatre.clone();
    let lost = move || theatre.namespace_lost().map_err(run::failed);
    trials.push(Trial::test(
        "it_starts_while_a_namespace_ends_and_lets_go_in_it",
        lost,
    ));
    trials
}

/// What goes wrong with a leader and with the control plane, as a whole.
fn outages(theatre: &Arc<Theatre>) -> Vec<Trial> {
    let mut trials = Vec::new();
    let mut add =
        |name: String, rest: bool, play: fn(&Theatre, u64) -> anyhow::Result<()>, seed| {
            let theatre = theatre.clone();
            let play = move || play(&theatre, seed).map_err(run::failed);
            trials.push(Trial::test(format!("outages::{name}"), play).with_ignored_flag(rest));
        };
    for seed in 1..=run::SEEDS {
        let paused: fn(&Theatre, u64) -> _ = |t, seed| t.with(async |h| h.paused(seed).await);
        let name = "a_leader_that_was_paused_writes_nothing_after_the_next";
        add(format!("{name}::seed_{seed}"), seed > 1, paused, seed);
        let etcd: fn(&Theatre, u64) -> _ = |t, seed| t.with(async |h| h.outage("etcd", seed).await);
        add(format!("etcd_is_killed::seed_{seed}"), seed > 1, etcd, seed);
        let api: fn(&Theatre, u64) -> _ =
            |t, seed| t.with(async |h| h.outage("kube-apiserver", seed).await);
        let name = "the_api_server_is_killed";
        add(format!("{name}::seed_{seed}"), seed > 1, api, seed);
        let clock: fn(&Theatre, u64) -> _ = |t, seed| t.with(async |h| h.clock_jumps(seed).await);
        let name = "the_clock_jumps_ahead_and_back";
        add(format!("{name}::seed_{seed}"), seed > 1, clock, seed);
    }
    let stolen: fn(&Theatre, u64) -> _ = |t, _| t.with(async |h| h.stolen().await);
    let name = "a_leader_whose_lease_is_stolen_waits_until_it_is_free";
    add(name.to_owned(), true, stolen, 1);
    trials
}
