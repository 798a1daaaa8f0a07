//! Progress while a verb waits: a moving line on a terminal, plain lines elsewhere; always on standard error.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

/// What is shown while a verb waits.
pub struct Progress {
    bar: Option<ProgressBar>,
    now: String,
}

impl Progress {
    /// Shows progress where somebody sees it.
    pub fn start() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self {
            bar,
            now: String::new(),
        }
    }

    /// Tells what has happened; it stays on the screen.
    pub fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => note(line),
        }
    }

    /// Tells what it is at; only when that is something else than before.
    pub fn now(&mut self, line: &str) {
        if self.now == line {
            return;
        }
        line.clone_into(&mut self.now);
        match &self.bar {
            Some(bar) => bar.set_message(line.to_owned()),
            None => note(line),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A line to standard error. Nobody listening is no reason to stop.
pub fn note(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
