//! What the demo ends with: what runs, where it answers, and what to try next.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, bail};
use devcluster::{Cluster, run};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// How long the page may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Shows the page.
pub async fn show(cluster: &Cluster, plugin: &Path, port: u16) -> Result<()> {
    let row = first_answer(port).await?;
    let mut status = Command::new(plugin);
    status
        .env("KUBECONFIG", cluster.kubeconfig())
        .env("COLUMNS", "80");
    let table = run::output(status.args(["status", "--instance", "acme"]))?;
    println!("\n{}\n", table.trim_end());
    println!(
        "The shop answers at http://127.0.0.1:{port}/ with a row from its Postgres:\n\n    {row}\n"
    );
    println!("Put kubectl and the plugin into your shell, then try:\n");
    println!("    eval \"$(cargo demo -- --env)\"");
    println!("    kubectl roadstead status --instance acme");
    println!(
        "    kubectl -n instance-acme patch renv shop-live --type=merge -p '{{\"spec\":{{\"image\":\"docker.io/acme/shop:1.5\"}}}}'"
    );
    println!("    kubectl roadstead rollback shop-live --instance acme");
    println!("    kubectl roadstead backup renv/shop-live --verify --instance acme");
    println!("    kubectl roadstead backups --instance acme\n");
    println!("It stays up until: cargo demo -- --down");
    Ok(())
}

/// The line of the page that holds the row, once the page answers.
async fn first_answer(port: u16) -> Result<String> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut beat = tokio::time::interval(Duration::from_millis(200));
    loop {
        beat.tick().await;
        match ask(port).await {
            Ok(line) => return Ok(line),
            Err(error) if tokio::time::Instant::now() > deadline => {
                return Err(error.context("the shop's page does not answer"));
            }
            Err(_) => {}
        }
    }
}

async fn ask(port: u16) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
        .await?;
    let mut answer = String::new();
    tokio::time::timeout(Duration::from_secs(5), stream.read_to_string(&mut answer)).await??;
    if !answer.starts_with("HTTP/1.1 200") {
        bail!(
            "the page says {}",
            answer.lines().next().unwrap_or("nothing")
        );
    }
    let row = answer
        .lines()
        .find(|l| l.contains("newest"))
        .context("the page shows no row")?;
    Ok(plain(row))
}

/// The text of a line of HTML.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in line.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            _ if !inside => text.push(c),
            _ => {}
        }
    }
    text.trim().to_owned()
}
