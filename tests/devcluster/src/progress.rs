//! What a person sees while they wait: a moving line on a terminal, plain lines elsewhere.

use std::{
    io::{IsTerminal, stderr},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a line says that it still goes on, where no line can move.
const BEAT: Duration = Duration::from_secs(30);

/// One thing that takes a while.
pub struct Progress {
    what: String,
    begun: Instant,
    bar: Option<ProgressBar>,
    /// Where it is, for those who see no moving line; they are told no more once this is dropped.
    lines: Option<Sender<String>>,
}

impl Progress {
    /// Says what begins.
    pub fn begin(what: impl Into<String>) -> Self {
        let what = what.into();
        if !stderr().is_terminal() {
            eprintln!("{what} …");
            let (lines, at) = channel();
            let about = what.clone();
            std::thread::spawn(move || tell(&about, &at));
            return Self {
                what,
                begun: Instant::now(),
                bar: None,
                lines: Some(lines),
            };
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
            begun: Instant::now(),
            bar: Some(bar),
            lines: None,
        }
    }

    /// Says where it is. A terminal shows it at once, others with the next line.
    pub fn at(&self, message: impl Into<String>) {
        let message = message.into();
        match (&self.bar, &self.lines) {
            (Some(bar), _) => bar.set_message(message),
            (None, Some(lines)) => drop(lines.send(message)),
            (None, None) => {}
        }
    }

    /// Says that it is done, and how long it took.
    pub fn done(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        eprintln!("{} ({:.0?})", self.what, self.begun.elapsed());
    }
}

/// A line now and then, until nobody is at it any more.
fn tell(what: &str, at: &Receiver<String>) {
    let begun = Instant::now();
    let (mut next, mut latest) = (begun + BEAT, String::new());
    loop {
        match at.recv_timeout(next.saturating_duration_since(Instant::now())) {
            Ok(message) => latest = format!(": {message}"),
            Err(RecvTimeoutError::Timeout) => {
                eprintln!("{what} … {:.0?}{latest}", begun.elapsed());
                next += BEAT;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
