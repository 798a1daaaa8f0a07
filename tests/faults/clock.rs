//! A clock on the wall that can be put wrong: the operator alone looks at it. Time that passes goes on as it does.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use devcluster::debian;
use jiff::{SignedDuration, Timestamp};

use crate::{
    fault::Trouble,
    operator::Operator,
    proxy::Proxy,
    run::{House, judge},
    story::{Story, until},
};

const LIBRARY: &str = "usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
/// How far it is put wrong: no more than what a zone that was taken for another does.
const HOURS: i64 = 6;

/// The clock of an operator.
pub struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Clock {
    /// One that goes right so far.
    pub fn right(folder: &Path) -> Result<Self> {
        let library = debian::unpacked(&["libfaketime"])?.join(LIBRARY);
        ensure!(library.is_file(), "the package has no {LIBRARY}");
        let clock = Self {
            library,
            file: folder.join("clock"),
        };
        clock.set(0)?;
        Ok(clock)
    }

    /// It is so many hours ahead from now on, or behind.
    pub fn set(&self, hours: i64) -> Result<()> {
        let draft = self.file.with_extension("draft");
        std::fs::write(&draft, format!("{hours:+}h\n"))?;
        std::fs::rename(draft, &self.file).context("cannot set the clock")
    }

    /// What a program has to be told so that it looks at this clock.
    pub fn environment(&self) -> Vec<(String, String)> {
        let told = [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        told.map(|(name, value)| (name.to_owned(), value)).into()
    }
}

impl House {
    /// The operator's clock jumps by hours while it works, and then by twice as many to the other side.
    pub async fn clock_jumps(&mut self, seed: u64) -> Result<()> {
        let wanted = self.undisturbed().await?;
        let (name, folder) = self.next()?;
        let proxy = Proxy::begin(&self.stage.account, Trouble::new(&[], 0), None).await?;
        let clock = Clock::right(&folder)?;
        let told = clock.environment();
        let operator = Operator::called("the-operator", proxy, &folder, told)?;
        let hours = if seed.is_multiple_of(2) {
            -HOURS
        } else {
            HOURS
        };
        let story = Story {
            client: &self.stage.client,
            name: &name,
        };
        let ended = async {
            story.make().await?;
            let after = 1 + wanted.writes.count * (2 * seed - 1) / 24;
            until("it has written some", || async {
                Ok((operator.proxy.writes().count >= after).then_some(()))
            })
            .await?;
            clock.set(hours)?;
            story.ready(1).await?;
            story.reaches(&wanted.made).await?;
            clock.set(-hours)?;
            story.change().await?;
            story.ready(2).await?;
            story.reaches(&wanted.changed).await?;
            story.end().await
        };
        let ended = ended.await;
        let (writes, starts) = (operator.proxy.writes(), operator.starts());
        eprintln!("{name}: {} writes, {starts} starts", writes.count);
        operator.end().await?;
        ended.with_context(|| format!("the logs are in {}", folder.display()))?;
        let log = std::fs::read_to_string(folder.join("operator.log"))?;
        let (ahead, behind) = strayed(&log);
        ensure!(ahead && behind, "its clock never jumped");
        ensure!(starts == 1, "it gave up: {starts} starts");
        judge(&writes, &wanted.ended, &[])
    }
}

/// Whether a log has lines of hours ahead, and of hours behind.
fn strayed(log: &str) -> (bool, bool) {
    let line = |line: &str| -> Option<Timestamp> {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        line["timestamp"].as_str()?.parse().ok()
    };
    let most = SignedDuration::from_hours(HOURS - 1);
    let off: Vec<_> = log
        .lines()
        .filter_map(line)
        .map(|at| at.duration_since(Timestamp::now()))
        .collect();
    let ahead = off.iter().any(|off| *off > most);
    (ahead, off.iter().any(|off| *off < -most))
}
