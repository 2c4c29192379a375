//! How far a run is, for the person who waits: a line that moves on a terminal, plain lines elsewhere.
//!
//! Called by `run`. All of it goes to standard error; standard output is the report's.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Between two plain lines.
const PLAIN: Duration = Duration::from_secs(5);

/// What all threads have done so far. One line in memory is shared by all threads; that costs a few
/// nanoseconds a request, and no waiting.
#[derive(Debug, Default)]
pub struct Counters {
    pub answered: AtomicU64,
    pub failed: AtomicU64,
}

/// Tells how far it is.
pub struct Progress {
    bar: Option<ProgressBar>,
    told: Duration,
    last: (Duration, u64),
}

impl Progress {
    /// For a run of `seconds`; `quiet` tells nothing.
    #[must_use]
    pub fn new(seconds: f64, quiet: bool) -> Self {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let length = u64::try_from(Duration::from_secs_f64(seconds).as_millis()).unwrap_or(u64::MAX);
            let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
            // Without a valid template the bar has indicatif's own looks.
            if let Ok(style) = ProgressStyle::with_template("{bar:30} {elapsed} {msg}") {
                bar.set_style(style);
            }
            bar
        });
        let told = if quiet { Duration::MAX } else { Duration::ZERO };
        Self { bar, told, last: (Duration::ZERO, 0) }
    }

    /// Called a few times a second, `elapsed` after the start.
    pub fn tell(&mut self, elapsed: Duration, counters: &Counters) {
        let plain = self.bar.is_none();
        if plain && elapsed < self.told.saturating_add(PLAIN) {
            return;
        }
        let answered = counters.answered.load(Ordering::Relaxed);
        let failed = counters.failed.load(Ordering::Relaxed);
        let (before, had) = self.last;
        let seconds = elapsed.saturating_sub(before).as_secs_f64();
        if seconds < 0.2 {
            return;
        }
        let rate = answered.saturating_sub(had) as f64 / seconds;
        self.last = (elapsed, answered);
        let text = format!("{rate:.0} answers/s, {answered} answered, {failed} failed");
        if let Some(bar) = &self.bar {
            bar.set_position(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
            bar.set_message(text);
        } else {
            self.told = elapsed;
            // That nobody can read it is no reason to stop.
            let _ = writeln!(std::io::stderr(), "{:.0} s: {text}", elapsed.as_secs_f64());
        }
    }

    pub fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
