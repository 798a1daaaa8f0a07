//! A load: requests at a steady pace, each over a connection of its own, and what became of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    signal::unix::{SignalKind, signal},
    time::{Instant, interval, timeout},
};

/// No answer takes longer: what does is lost.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Count {
    answered: AtomicU64,
    lost: AtomicU64,
}

/// Asks `host:port` for `path`, so often a second, until it is told to end. Every second a line tells how it went so far.
pub(crate) async fn load(address: String, path: &str, per_second: u32) -> Result<()> {
    let count = Arc::new(Count::default());
    let request: Arc<str> =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").into();
    let address: Arc<str> = address.into();
    let begun = Instant::now();
    // A beat that is missed is made up for: the pace holds on a busy machine too.
    let mut beat = interval(Duration::from_secs(1) / per_second.max(1));
    let mut word = interval(Duration::from_secs(1));
    let mut end = signal(SignalKind::terminate())?;
    loop {
        tokio::select! {
            _ = beat.tick() => {
                tokio::spawn(one(address.clone(), request.clone(), count.clone()));
            }
            _ = word.tick() => {
                let (answered, lost) = (count.answered.load(Ordering::Relaxed), count.lost.load(Ordering::Relaxed));
                println!("after {} ms: {answered} answered, {lost} lost", begun.elapsed().as_millis());
            }
            _ = end.recv() => return Ok(()),
        }
    }
}

async fn one(address: Arc<str>, request: Arc<str>, count: Arc<Count>) {
    let asked = timeout(PATIENCE, ask(&address, &request)).await;
    let answer = asked.context("no answer in time").flatten();
    match answer {
        Ok(()) => count.answered.fetch_add(1, Ordering::Relaxed),
        Err(error) => {
            println!("lost: {error:#}");
            count.lost.fetch_add(1, Ordering::Relaxed)
        }
    };
}

async fn ask(address: &str, request: &str) -> Result<()> {
    let mut stream = TcpStream::connect(address).await.context("no connection")?;
    stream
        .write_all(request.as_bytes())
        .await
        .context("the request was cut off")?;
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .await
        .context("the answer was cut off")?;
    let answer = String::from_utf8_lossy(&answer);
    match answer.lines().next() {
        Some(line) if line.contains(" 200 ") => Ok(()),
        Some(line) => bail!("the answer is {line}"),
        None => bail!("the answer is empty"),
    }
}
