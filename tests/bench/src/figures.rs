//! What was measured, as a table for people and as JSON for the next time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    drill::Burst,
    mix::{self, Setting},
    record::Template,
    rig::{Requests, Still},
};

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

impl Cost {
    /// CPU seconds of all of them.
    pub fn cpu(&self) -> f64 {
        self.servers + self.client
    }
}

/// What was measured of an operator.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Worked {
    /// What it cost until it was at rest, each time.
    pub costs: Vec<Cost>,
    /// Its requests until then.
    pub requests: Vec<Requests>,
    /// The children that stood then.
    pub children: Vec<usize>,
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
    /// What it did while nothing happened.
    #[serde(default)]
    pub still: Vec<Still>,
    /// How it followed many changes at once.
    #[serde(default)]
    pub burst: Vec<Burst>,
}

impl Worked {
    /// Seconds until all was written.
    pub fn seconds(&self) -> f64 {
        middle(self.costs.iter().map(|c| c.seconds))
    }

    /// CPU seconds of the servers and of itself.
    pub fn cpu(&self) -> f64 {
        middle(self.costs.iter().map(Cost::cpu))
    }

    /// CPU seconds of itself alone.
    pub fn own_cpu(&self) -> f64 {
        middle(self.costs.iter().map(|c| c.client))
    }

    /// Its writes until rest.
    pub fn writes(&self) -> f64 {
        middle(self.requests.iter().map(|r| r.writes as f64))
    }

    /// The children that stood at rest.
    pub fn stood(&self) -> f64 {
        middle(self.children.iter().map(|c| *c as f64))
    }

    /// How often somebody else was faster.
    pub fn conflicts(&self) -> u64 {
        self.requests.iter().map(|r| r.conflicts).sum()
    }

    /// The most writes of a start with all there.
    pub fn repeated(&self) -> u64 {
        self.restart_writes.iter().copied().max().unwrap_or(0)
    }

    /// MiB that it holds at rest.
    pub fn mebibytes(&self) -> f64 {
        mebibytes(&self.memory)
    }
}

/// Everything that was measured with so many sets.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Figures {
    /// How many sets.
    pub n: usize,
    /// What worked beside, and what was left out.
    #[serde(flatten)]
    pub setting: Setting,
    /// How many writes the floor makes.
    pub writes: usize,
    /// Bytes that the operator holds with nothing declared.
    #[serde(default)]
    pub idle: u64,
    /// What the floor cost, each time.
    pub floor: Vec<Cost>,
    /// The operator.
    pub operator: Worked,
    /// The peer, where it was measured beside.
    pub peer: Option<Worked>,
}

impl Figures {
    /// None yet.
    pub fn of(n: usize, setting: Setting, template: &Template) -> Self {
        Self {
            n,
            setting,
            writes: template.count(n),
            idle: template.idle,
            ..Self::default()
        }
    }

    /// Whether the same was measured.
    pub fn is_as(&self, other: &Self) -> bool {
        (self.n, self.setting) == (other.n, other.setting)
    }

    /// What was measured, in words.
    pub fn name(&self) -> String {
        let what = match self.setting.workers {
            true => " that do not listen",
            false => "",
        };
        let beside = match self.setting.full {
            true => " beside controllers, a scheduler and nodes",
            false => "",
        };
        format!("{} sets{what}{beside}", self.n)
    }

    /// Objects that people declared.
    fn declared(&self) -> usize {
        self.n * mix::PARTS.len() + self.n.div_ceil(mix::SHARE)
    }

    /// What the operator costs over the floor, by the clock.
    pub fn time_ratio(&self) -> f64 {
        self.operator.seconds() / middle(self.floor.iter().map(|c| c.seconds))
    }

    /// What it costs over the floor, in CPU of the servers and of itself.
    pub fn cpu_ratio(&self) -> f64 {
        self.operator.cpu() / self.floor_cpu()
    }

    /// CPU seconds that the floor needs.
    pub fn floor_cpu(&self) -> f64 {
        middle(self.floor.iter().map(Cost::cpu))
    }

    /// Writes of the operator for each object that people declared.
    pub fn writes_each(&self) -> f64 {
        self.operator.writes() / self.declared() as f64
    }

    fn rows(&self) -> Vec<(&'static str, String)> {
        let us = &self.operator;
        let floor = middle(self.floor.iter().map(|c| c.seconds));
        vec![
            ("CPU over the floor", format!("{:.2}", self.cpu_ratio())),
            ("time over the floor", format!("{:.2}", self.time_ratio())),
            (
                "seconds until all is written",
                format!("{:.1}", us.seconds()),
            ),
            ("the same, of the floor", format!("{floor:.1}")),
            (
                "writes for each declared object",
                format!("{:.2}", self.writes_each()),
            ),
            ("conflicts", us.conflicts().to_string()),
            ("memory with nothing declared", {
                format!("{:.1} MiB", mebibytes(&[self.idle]))
            }),
            ("memory at rest", format!("{:.1} MiB", us.mebibytes())),
            (
                "memory after a start",
                format!("{:.1} MiB", mebibytes(&us.fresh_memory)),
            ),
            (
                "seconds of a start with all there",
                format!("{:.2}", middle(us.restart.iter().copied())),
            ),
            ("writes of such a start", us.repeated().to_string()),
            ("repair of a deleted child, p50 / p99", spread(&us.repair)),
            ("from an edit to the child, p50 / p99", spread(&us.edit)),
            (
                "many changed at once",
                us.burst.iter().map(followed).collect(),
            ),
            (
                "while nothing happens",
                us.still.iter().map(at_rest).collect(),
            ),
        ]
    }

    /// As a table.
    pub fn table(&self) -> String {
        let rows = self.rows().into_iter();
        let rows: Vec<String> = rows
            .map(|(what, is)| format!("| {what} | {is} |"))
            .collect();
        let (name, declared, writes) = (self.name(), self.declared(), self.writes);
        let beside = self.peer.as_ref().map(|peer| versus(&self.operator, peer));
        format!(
            "\n{name}: {declared} declared objects, {writes} writes of the floor\n\n| | |\n|---|---|\n{}\n{}",
            rows.join("\n"),
            beside.unwrap_or_default()
        )
    }
}

/// The peer beside the operator. It does less for each declared object, so only what is divided by its own writes and children compares.
fn versus(us: &Worked, peer: &Worked) -> String {
    let row = |what: &str, digits: usize, of: &dyn Fn(&Worked) -> f64| {
        let (us, peer) = (of(us), of(peer));
        let ratio = match us == 0.0 {
            true => String::new(),
            false => format!("{:.2}", peer / us),
        };
        format!("| {what} | {us:.digits$} | {peer:.digits$} | {ratio} |")
    };
    let rows = [
        row("writes", 0, &Worked::writes),
        row("children", 0, &Worked::stood),
        row("conflicts", 0, &|w| w.conflicts() as f64),
        row("seconds until all is written", 1, &Worked::seconds),
        row("ms for a write", 2, &|w| 1e3 * w.seconds() / w.writes()),
        row("ms for a child", 2, &|w| 1e3 * w.seconds() / w.stood()),
        row("CPU seconds of all", 1, &Worked::cpu),
        row("CPU ms for a write", 2, &|w| 1e3 * w.cpu() / w.writes()),
        row("CPU ms for a child", 2, &|w| 1e3 * w.cpu() / w.stood()),
        row("CPU ms of its own for a write", 2, &|w| {
            1e3 * w.own_cpu() / w.writes()
        }),
        row("MiB at rest", 1, &Worked::mebibytes),
        row("MiB after a start", 1, &|w| mebibytes(&w.fresh_memory)),
        row("writes of a start with all there", 0, &|w| {
            w.repeated() as f64
        }),
        row("ms to repair a child, p50", 0, &|w| millis(&w.repair, 0.5)),
        row("ms from an edit to the child, p50", 0, &|w| {
            millis(&w.edit, 0.5)
        }),
    ];
    format!(
        "\n| | operator | peer | peer ÷ operator |\n|---|---|---|---|\n{}\n\n{}\n",
        rows.join("\n"),
        "The peer makes no Releases and no Events, and gives no reasons: for a declared object it does less. Compare what is \
         divided by its writes or its children. How soon it has started does not compare: it is ready before it has looked at all."
    )
}

fn followed(burst: &Burst) -> String {
    let each = 1e3 * burst.seconds / burst.changed as f64;
    let (changed, behind) = (burst.changed, burst.behind);
    format!("{changed}: {each:.1} ms each, the last child {behind:.2} s after the last change")
}

fn at_rest(still: &Still) -> String {
    let (cpu, minute) = (100.0 * still.cpu / still.seconds, still.seconds / 60.0);
    let reads = still.reads as f64 / minute;
    format!(
        "{cpu:.3} % of a core, {} writes, {reads:.1} watches renewed a minute",
        still.writes
    )
}

fn mebibytes(bytes: &[u64]) -> f64 {
    middle(bytes.iter().map(|b| *b as f64)) / f64::from(1 << 20)
}

fn spread(all: &[Duration]) -> String {
    format!("{:.0} / {:.0} ms", millis(all, 0.5), millis(all, 0.99))
}

fn millis(all: &[Duration], share: f64) -> f64 {
    let mut all: Vec<f64> = all.iter().map(|d| d.as_secs_f64() * 1000.0).collect();
    all.sort_by(f64::total_cmp);
    let at = (all.len().saturating_sub(1) as f64 * share).round() as usize;
    all.get(at).copied().unwrap_or_default()
}

/// What has changed since, where the same was measured.
pub fn compared(before: &[Figures], now: &[Figures]) -> String {
    let mut lines = Vec::new();
    for now in now {
        let Some(before) = before.iter().find(|b| b.is_as(now)) else {
            continue;
        };
        lines.push(format!(
            "Compared with the last figures for {}:",
            now.name()
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
