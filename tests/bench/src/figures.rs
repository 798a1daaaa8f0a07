//! What was measured, as a table for people and as JSON for the next time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{mix, rig::Requests};

/// What it cost to write everything once.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Cost {
    /// By the clock on the wall.
    pub seconds: f64,
    /// CPU seconds of API server and etcd.
    pub servers: f64,
    /// CPU seconds of whoever wrote.
    pub client: f64,
}

/// Everything that was measured with so many sets.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Figures {
    /// How many sets.
    pub n: usize,
    /// How many writes the floor makes.
    pub writes: usize,
    /// What the floor cost, each time.
    pub floor: Vec<Cost>,
    /// What the operator cost, each time.
    pub operator: Vec<Cost>,
    /// Its requests until it was at rest.
    pub requests: Vec<Requests>,
    /// Bytes that it held then.
    pub memory: Vec<u64>,
    /// Seconds from a start with everything there to rest.
    pub restart: Vec<f64>,
    /// Writes of such a start.
    pub restart_writes: Vec<u64>,
    /// Bytes held after such a start.
    pub fresh_memory: Vec<u64>,
    /// How long a deleted child was away.
    pub repair: Vec<Duration>,
    /// How long an edit took to reach a child.
    pub edit: Vec<Duration>,
}

impl Figures {
    /// None yet.
    pub fn of(n: usize, writes: usize) -> Self {
        Self {
            n,
            writes,
            ..Self::default()
        }
    }

    /// Objects that people declared.
    fn declared(&self) -> usize {
        self.n * mix::PARTS.len() + self.n.div_ceil(mix::SHARE)
    }

    /// What the operator costs over the floor, by the clock.
    pub fn time_ratio(&self) -> f64 {
        middle(self.operator.iter().map(|c| c.seconds))
            / middle(self.floor.iter().map(|c| c.seconds))
    }

    /// What it costs over the floor, in CPU of the servers and of itself.
    pub fn cpu_ratio(&self) -> f64 {
        self.operator_cpu() / self.floor_cpu()
    }

    /// CPU seconds of the servers and of itself that the operator needs.
    pub fn operator_cpu(&self) -> f64 {
        middle(self.operator.iter().map(|c| c.servers + c.client))
    }

    /// CPU seconds that the floor needs.
    pub fn floor_cpu(&self) -> f64 {
        middle(self.floor.iter().map(|c| c.servers + c.client))
    }

    /// MiB that the operator holds at rest.
    pub fn mebibytes(&self) -> f64 {
        middle(self.memory.iter().map(|b| *b as f64)) / f64::from(1 << 20)
    }

    fn requests_each(&self) -> f64 {
        middle(self.requests.iter().map(|r| r.writes as f64)) / self.declared() as f64
    }

    fn rows(&self) -> Vec<(&'static str, String)> {
        let mib = |bytes: &[u64]| middle(bytes.iter().map(|b| *b as f64)) / f64::from(1 << 20);
        let millis = |all: &[Duration], share: f64| {
            let mut all: Vec<f64> = all.iter().map(|d| d.as_secs_f64() * 1000.0).collect();
            all.sort_by(f64::total_cmp);
            let at = (all.len().saturating_sub(1) as f64 * share).round() as usize;
            all.get(at).copied().unwrap_or_default()
        };
        let both =
            |all: &[Duration]| format!("{:.0} / {:.0} ms", millis(all, 0.5), millis(all, 0.99));
        let seconds = |costs: &[Cost]| middle(costs.iter().map(|c| c.seconds));
        let conflicts: u64 = self.requests.iter().map(|r| r.conflicts).sum();
        let repeated: u64 = self.restart_writes.iter().sum();
        vec![
            ("CPU over the floor", format!("{:.2}", self.cpu_ratio())),
            ("time over the floor", format!("{:.2}", self.time_ratio())),
            (
                "seconds until all is written",
                format!("{:.1}", seconds(&self.operator)),
            ),
            (
                "the same, of the floor",
                format!("{:.1}", seconds(&self.floor)),
            ),
            (
                "writes for each declared object",
                format!("{:.2}", self.requests_each()),
            ),
            ("conflicts", conflicts.to_string()),
            ("memory at rest", format!("{:.1} MiB", mib(&self.memory))),
            (
                "memory after a start",
                format!("{:.1} MiB", mib(&self.fresh_memory)),
            ),
            (
                "seconds of a start with all there",
                format!("{:.2}", middle(self.restart.iter().copied())),
            ),
            ("writes of such a start", repeated.to_string()),
            ("repair of a deleted child, p50 / p99", both(&self.repair)),
            ("from an edit to the child, p50 / p99", both(&self.edit)),
        ]
    }

    /// As a table.
    pub fn table(&self) -> String {
        let rows = self.rows().into_iter();
        let rows: Vec<String> = rows
            .map(|(what, is)| format!("| {what} | {is} |"))
            .collect();
        let (n, declared, writes) = (self.n, self.declared(), self.writes);
        format!(
            "\n{n} sets: {declared} declared objects, {writes} writes of the floor\n\n| | |\n|---|---|\n{}\n",
            rows.join("\n")
        )
    }
}

/// What has changed since, where the same was measured.
pub fn compared(before: &[Figures], now: &[Figures]) -> String {
    let mut lines = Vec::new();
    for now in now {
        let Some(before) = before.iter().find(|b| b.n == now.n) else {
            continue;
        };
        lines.push(format!(
            "Compared with the last figures for {} sets:",
            now.n
        ));
        for ((what, was), (_, is)) in before.rows().into_iter().zip(now.rows()) {
            lines.push(format!("  {what}: {was} → {is}"));
        }
    }
    lines.join("\n")
}

/// The middle one.
fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n.is_multiple_of(2) => f64::midpoint(values[half - 1], values[half]),
        _ => values[half],
    }
}
