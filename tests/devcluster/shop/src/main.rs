//! The application of the demo: a page, a worker, a migration and a clean-up, over one table in Postgres.
//!
//! It reads what a platform gives it: `PORT`, `DEFAULT_DATABASE_DSN`, `GREETING`. The version is baked into the image.

mod database;
mod load;
mod page;

use std::{env, time::Duration};

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

/// A little shop, to be deployed
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the page on PORT (8000)
    Web,
    /// Take an order every WORKER_SECONDS (10)
    Worker,
    /// Make the table; fails when FAIL_MIGRATION is 1
    Migrate,
    /// Remove all orders but the newest hundred
    Cleanup,
    /// Ask an address for a page at a steady pace, and tell every second what became of it
    Load {
        /// Such as shop-live-web:80
        address: String,
        /// Which page
        #[arg(long, default_value = "/healthz")]
        path: String,
        /// How often a second
        #[arg(long, default_value_t = 80)]
        per_second: u32,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Web => page::serve(number("PORT", 8000)?).await,
        Command::Worker => work(Duration::from_secs(number("WORKER_SECONDS", 10)?)).await,
        Command::Migrate => migrate().await,
        Command::Cleanup => cleanup().await,
        Command::Load {
            address,
            path,
            per_second,
        } => load::load(address, &path, per_second).await,
    }
}

async fn work(pause: Duration) -> Result<()> {
    let mut end = signal(SignalKind::terminate())?;
    loop {
        match database::order("worker").await {
            Ok(orders) => println!("order {orders}"),
            // A database that sleeps, moves or changes its password is back soon.
            Err(error) => eprintln!("no order: {error:#}"),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = end.recv() => return Ok(()),
        }
    }
}

async fn migrate() -> Result<()> {
    if env::var("FAIL_MIGRATION").is_ok_and(|value| value == "1") {
        bail!("the migration fails, as FAIL_MIGRATION asks");
    }
    database::migrate().await?;
    println!("migrated for version {}", version());
    Ok(())
}

async fn cleanup() -> Result<()> {
    println!("removed {} orders", database::cleanup().await?);
    Ok(())
}

fn version() -> String {
    env::var("SHOP_VERSION").unwrap_or_else(|_| "unknown".into())
}

fn number<N: std::str::FromStr>(name: &str, default: N) -> Result<N> {
    match env::var(name) {
        Ok(text) => text
            .parse()
            .map_err(|_| anyhow::anyhow!("{name} is {text:?}, which is no number that fits")),
        Err(_) => Ok(default),
    }
}
