//! How fast and how small the operator is, against the floor: a bare client that makes the same writes at the same concurrency.
//!
//! Each block is floor, operator, operator, floor (ABBA), each on a fresh API server and etcd: machines are noisy, and the server grows
//! slower as it fills. The operator's time counts from the start of its process. Ratios of CPU are steadier than those of time.

mod backup;
mod drill;
mod figures;
mod floor;
mod mix;
mod plot;
mod record;
mod rig;

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use devcluster::image::rust::static_program;
use figures::{Cost, Figures};
use record::Template;
use rig::{Operator, Rig};

/// How fast and how small the operator is, against a bare client that makes the same writes
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    /// How many sets of Application, Environment, Service and Cronjob; ten to an Instance
    #[arg(long, short, default_values_t = [100])]
    n: Vec<usize>,
    /// How many blocks of floor, operator, operator, floor
    #[arg(long, default_value_t = 1)]
    blocks: usize,
    /// With controllers, scheduler and nodes that exist in the API only
    #[arg(long)]
    full: bool,
    /// The operator's program; the one that its image holds, where none is given
    #[arg(long)]
    operator: Option<PathBuf>,
    /// Where to write the figures as JSON
    #[arg(long, default_value = "target/bench.json")]
    json: PathBuf,
    /// Where to draw them, as SVG
    #[arg(long, default_value = "target/bench.svg")]
    svg: PathBuf,
    /// Figures to compare with
    #[arg(long, default_value = "tests/bench/results.json")]
    with: PathBuf,
}

/// What else can be measured.
#[derive(Subcommand)]
enum What {
    /// How long it takes to back a database up and to restore it, against the same by hand
    Backup {
        /// How many MiB of rows it holds
        #[arg(long, default_value_t = 1024)]
        mib: u32,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(What::Backup { mib }) = arguments.what {
        return backup::measure(mib).await;
    }
    let program = match &arguments.operator {
        Some(program) => program.clone(),
        None => static_program("roadstead", "roadstead")?,
    };
    let template = Template::record(&program, arguments.full).await?;
    let mut all = Vec::new();
    for n in &arguments.n {
        let mut figures = Figures::of(*n, template.count(*n));
        for _ in 0..arguments.blocks {
            figures
                .floor
                .push(floor_leg(&template, *n, arguments.full).await?);
            operator_leg(&program, &mut figures, *n, arguments.full).await?;
            operator_leg(&program, &mut figures, *n, arguments.full).await?;
            figures
                .floor
                .push(floor_leg(&template, *n, arguments.full).await?);
        }
        println!("{}", figures.table());
        all.push(figures);
    }
    if let Some(folder) = arguments.json.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&arguments.json, serde_json::to_string_pretty(&all)?)?;
    if let Ok(before) = std::fs::read_to_string(&arguments.with) {
        let before: Vec<Figures> = serde_json::from_str(&before).context("strange figures")?;
        println!("{}", figures::compared(&before, &all));
    }
    plot::draw(&all, &arguments.svg)?;
    let (json, svg) = (arguments.json.display(), arguments.svg.display());
    println!("The figures are in {json}, and drawn in {svg}.");
    Ok(())
}

async fn floor_leg(template: &Template, n: usize, full: bool) -> Result<Cost> {
    let rig = Rig::begin(full).await?;
    mix::declare(&rig.client, 0..n).await?;
    let uids = record::uids(&rig.client, 0..n).await?;
    let client = rig.bare_client().await?;
    let own = i32::try_from(std::process::id())?;
    let (servers, bare, begun) = (rig.cpu()?, rig::cpu(own)?, Instant::now());
    floor::write(&client, template, &uids, n).await?;
    let cost = Cost {
        seconds: begun.elapsed().as_secs_f64(),
        servers: rig.cpu()? - servers,
        client: rig::cpu(own)? - bare,
    };
    rig.end()?;
    Ok(cost)
}

async fn operator_leg(program: &Path, figures: &mut Figures, n: usize, full: bool) -> Result<()> {
    let rig = Rig::begin(full).await?;
    mix::declare(&rig.client, 0..n).await?;
    let before = rig.cpu()?;
    let operator = Operator::begin(program, &rig.account)?;
    let (mut servers, mut client) = (before, 0.0);
    let last = operator
        .at_rest(|| {
            (servers, client) = (rig.cpu()?, operator.cpu()?);
            Ok(())
        })
        .await?;
    figures.operator.push(Cost {
        seconds: last.duration_since(operator.begun).as_secs_f64(),
        servers: servers - before,
        client,
    });
    figures.requests.push(operator.requests().await?);
    figures.memory.push(operator.memory()?);
    drop(operator);

    let again = Operator::begin(program, &rig.account)?;
    let begun = again.begun;
    let last = again.at_rest(|| Ok(())).await?;
    let repeated = again.requests().await?;
    figures
        .restart
        .push(last.duration_since(begun).as_secs_f64());
    figures.restart_writes.push(repeated.writes);
    figures.fresh_memory.push(again.memory()?);
    let times = n.min(50);
    figures
        .repair
        .extend(drill::repair(&rig.client, n, times).await?);
    figures
        .edit
        .extend(drill::edit(&rig.client, n, times).await?);
    drop(again);
    rig.end()
}
