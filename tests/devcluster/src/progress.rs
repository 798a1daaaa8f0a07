//! What a person sees while they wait: a moving line on a terminal, plain lines elsewhere.

use std::{
    io::{IsTerminal, stderr},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

/// One thing that takes a while.
pub struct Progress {
    what: String,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Says what begins.
    pub fn begin(what: impl Into<String>) -> Self {
        let what = what.into();
        if !stderr().is_terminal() {
            eprintln!("{what} …");
            return Self { what, bar: None };
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) =
            ProgressStyle::with_template("{spinner} {prefix} {elapsed:.dim} {wide_msg:.dim}")
        {
            bar.set_style(style);
        }
        bar.set_prefix(what.clone());
        bar.enable_steady_tick(Duration::from_millis(100));
        Self {
            what,
            bar: Some(bar),
        }
    }

    /// Says where it is. Only a terminal shows it.
    pub fn at(&self, message: impl Into<String>) {
        if let Some(bar) = &self.bar {
            bar.set_message(message.into());
        }
    }

    /// Says that it is done.
    pub fn done(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
            eprintln!("{} ({:.0?})", self.what, bar.elapsed());
        }
    }
}
