//! How fast and how small the operator is, against the floor: a bare client that makes the same writes at the same concurrency; and against
//! a peer, which is about the same operator as one writes it with controller-runtime.
//!
//! Each block is floor, operator, operator, floor (ABBA; with the peer ABCCBA), each on a fresh API server and etcd: machines are noisy,
//! and the server grows slower as it fills. An operator's time counts from the start of its process. Ratios of CPU are steadier than
//! those of time.

mod backup;
mod check;
mod children;
mod drill;
mod figures;
mod floor;
mod legs;
mod mix;
mod peer;
mod plot;
mod record;
mod rig;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use devcluster::image::rust::static_program;
use figures::{Figures, Worked};
use mix::Setting;
use record::Template;
use rig::Subject;

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
    /// One floor and one operator instead of a block: for many sets, where each takes minutes
    #[arg(long, conflicts_with = "blocks")]
    once: bool,
    /// With controllers, scheduler and nodes that exist in the API only
    #[arg(long)]
    full: bool,
    /// Without Applications that listen: the API server needs longer for each address, the more of them there are
    #[arg(long)]
    workers: bool,
    /// With the peer beside
    #[arg(long, conflicts_with_all = ["full", "workers"])]
    peer: bool,
    /// For how many seconds it is watched while nothing happens; its watches are renewed about every five minutes
    #[arg(long, default_value_t = 60)]
    still: u64,
    /// Fail where a bound is broken that every change must keep
    #[arg(long)]
    check: bool,
    /// The operator's program; the one that its image holds, where none is given
    #[arg(long)]
    operator: Option<PathBuf>,
    /// Where to write the figures as JSON; what else was measured there stays
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
    let before = read(&arguments.with)?;
    let all = measure(&arguments).await?;
    keep(&arguments, &all)?;
    println!("{}", figures::compared(&before, &all));
    if arguments.check {
        let last = |now: &Figures| before.iter().find(|last| last.is_as(now));
        let broken = all.iter().flat_map(|now| check::broken(now, last(now)));
        let broken: Vec<String> = broken.collect();
        ensure!(broken.is_empty(), "{}", broken.join("\n"));
    }
    Ok(())
}

fn read(file: &Path) -> Result<Vec<Figures>> {
    match std::fs::read_to_string(file) {
        Ok(figures) => serde_json::from_str(&figures)
            .with_context(|| format!("strange figures in {}", file.display())),
        Err(_) => Ok(Vec::new()),
    }
}

/// Writes the figures down and draws them, beside those of other measurements that the file holds.
fn keep(arguments: &Arguments, all: &[Figures]) -> Result<()> {
    if let Some(folder) = arguments.json.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut kept = read(&arguments.json)?;
    kept.retain(|old| !all.iter().any(|new| new.is_as(old)));
    let text = serde_json::to_string_pretty(all)?;
    kept.extend(serde_json::from_str::<Vec<Figures>>(&text)?);
    kept.sort_by_key(|figures| (figures.setting, figures.n));
    std::fs::write(&arguments.json, serde_json::to_string_pretty(&kept)?)?;
    plot::draw(&kept, &arguments.svg)?;
    let (json, svg) = (arguments.json.display(), arguments.svg.display());
    println!("The figures are in {json}, and drawn in {svg}.");
    Ok(())
}

async fn measure(arguments: &Arguments) -> Result<Vec<Figures>> {
    let operator = Subject::Operator(match &arguments.operator {
        Some(program) => program.clone(),
        None => static_program("roadstead", "roadstead")?,
    });
    let peer = match arguments.peer {
        true => Some(Subject::Peer(peer::program()?)),
        false => None,
    };
    let setting = Setting {
        full: arguments.full,
        workers: arguments.workers,
    };
    let template = Template::record(&operator, setting).await?;
    let mut all = Vec::new();
    for n in &arguments.n {
        let mut figures = Figures::of(*n, setting, &template);
        for _ in 0..arguments.blocks {
            let measured = block(arguments, &template, &operator, peer.as_ref(), &mut figures);
            // What was measured until it failed took its time, too.
            if let Err(error) = measured.await {
                println!("{}", figures.table());
                return Err(error);
            }
        }
        println!("{}", figures.table());
        all.push(figures);
    }
    Ok(all)
}

async fn block(
    arguments: &Arguments,
    template: &Template,
    operator: &Subject,
    peer: Option<&Subject>,
    figures: &mut Figures,
) -> Result<()> {
    let (n, setting) = (figures.n, figures.setting);
    let still = Duration::from_secs(arguments.still);
    figures.floor.push(legs::floor(template, n, setting).await?);
    legs::operator(operator, &mut figures.operator, n, setting, Some(still)).await?;
    if let Some(peer) = peer {
        let worked = figures.peer.get_or_insert_with(Worked::default);
        legs::operator(peer, worked, n, setting, None).await?;
        if !arguments.once {
            legs::operator(peer, worked, n, setting, None).await?;
        }
    }
    if !arguments.once {
        legs::operator(operator, &mut figures.operator, n, setting, None).await?;
        figures.floor.push(legs::floor(template, n, setting).await?);
    }
    Ok(())
}
