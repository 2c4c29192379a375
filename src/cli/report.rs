//! What long work says while it runs: bars on a terminal, log lines elsewhere; and the log itself.
//!
//! Used by every command that takes longer than a glance, and by `demo` and `app`. A [`Progress`] may be
//! shared between threads and costs an atomic addition a step. Log lines and error lines are written
//! above the bars, never into them.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::cast_possible_truncation,
    reason = "progress is about time, and no request comes by; milliseconds of a run fit into 64 bits"
)]

use super::Failure;
use super::words;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// How often a log line says how far the work is.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// All bars of this process, so that whoever writes a line can do so above them.
fn bars() -> &'static MultiProgress {
    static BARS: OnceLock<MultiProgress> = OnceLock::new();
    BARS.get_or_init(MultiProgress::new)
}

/// Runs `write` while no bar is in the way.
pub(super) fn above_bars<R>(write: impl FnOnce() -> R) -> R {
    bars().suspend(write)
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one object a line.
    Json,
}

/// Starts the log: `--log-level`, else `OCSPREY_LOG`, else `info`.
///
/// # Errors
/// When the filter cannot be understood.
pub(super) fn start_log(level: Option<&str>, format: LogFormat) -> Result<(), Failure> {
    let (what, directives) = match (level, std::env::var("OCSPREY_LOG")) {
        (Some(level), _) => ("--log-level", level.to_owned()),
        (None, Ok(level)) if !level.trim().is_empty() => ("OCSPREY_LOG", level),
        (None, _) => ("--log-level", "info".to_owned()),
    };
    let filter = filter(&directives).map_err(|why| {
        Failure::usage(what, why, "write error, warn, info, debug, trace, or info,ocsprey::ingest=debug")
    })?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Log { reader: Reader::of_environment() })
        .with_ansi(io::stderr().is_terminal())
        .with_target(false);
    // A log that is already there (in a test of the library) stays.
    let _ = match format {
        LogFormat::Text => {
            let log = log.with_filter_reloading();
            let handle = log.reload_handle();
            log.try_init().map(|()| RUNNING.set(Box::new(move |filter| handle.reload(filter).is_ok())))
        }
        LogFormat::Json => {
            let log = log.json().flatten_event(true).with_current_span(false).with_span_list(false);
            let log = log.with_filter_reloading();
            let handle = log.reload_handle();
            log.try_init().map(|()| RUNNING.set(Box::new(move |filter| handle.reload(filter).is_ok())))
        }
    };
    *in_force() = directives;
    Ok(())
}

/// Gives the running log another filter.
type SetFilter = Box<dyn Fn(EnvFilter) -> bool + Send + Sync>;

static RUNNING: OnceLock<SetFilter> = OnceLock::new();

/// The filter in force, as it was written.
fn in_force() -> MutexGuard<'static, String> {
    static IN_FORCE: Mutex<String> = Mutex::new(String::new());
    IN_FORCE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The filter of the running log, after it was made `directives`, if there are any. Until the process ends:
/// nothing writes it down.
///
/// # Errors
/// When the filter cannot be understood, in words; the old one stays.
pub(crate) fn log_filter(directives: Option<&str>) -> Result<String, String> {
    if let Some(directives) = directives {
        let filter = filter(directives)?;
        if !RUNNING.get().is_some_and(|set| set(filter)) {
            return Err("the log of this process cannot be changed".to_owned());
        }
        let before = std::mem::replace(&mut *in_force(), directives.to_owned());
        tracing::info!(before, filter = directives, "the filter of the log was changed");
    }
    Ok(in_force().clone())
}

fn filter(directives: &str) -> Result<EnvFilter, String> {
    let wrong = || format!("\"{directives}\" is not a log level");
    // A lone word is a level; EnvFilter would take "inof" for the name of a module and log nothing.
    let lone = !directives.contains(['=', ',', '[']);
    if lone && directives.trim().parse::<tracing_subscriber::filter::LevelFilter>().is_err() {
        return Err(wrong());
    }
    EnvFilter::builder().parse(directives.trim()).map_err(|_| wrong())
}

/// Who reads standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    Somebody,
    /// systemd's journal, which wants the level in front of a line (sd-daemon(3)): else `journalctl -p err` finds
    /// nothing.
    Journal,
}

impl Reader {
    /// systemd says which file the journal reads; it may have been redirected since.
    fn of_environment() -> Self {
        let named = std::env::var("JOURNAL_STREAM").unwrap_or_default();
        let is_it = |file: rustix::fs::Stat| format!("{}:{}", file.st_dev, file.st_ino) == named;
        if rustix::fs::fstat(io::stderr()).is_ok_and(is_it) { Self::Journal } else { Self::Somebody }
    }

    fn prefix(self, level: tracing::Level) -> &'static str {
        match (self, level) {
            (Self::Somebody, _) => "",
            (Self::Journal, tracing::Level::ERROR) => "<3>",
            (Self::Journal, tracing::Level::WARN) => "<4>",
            (Self::Journal, tracing::Level::INFO) => "<6>",
            (Self::Journal, _) => "<7>",
        }
    }
}

/// Makes the writers of lines.
struct Log {
    reader: Reader,
}

/// Standard error, above the bars, for one line.
struct Line {
    prefix: &'static str,
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { prefix: "" }
    }

    fn make_writer_for(&'a self, meta: &tracing::Metadata<'_>) -> Line {
        Line { prefix: self.reader.prefix(*meta.level()) }
    }
}

impl Write for Line {
    /// The whole line comes at once.
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        above_bars(|| {
            let mut out = io::stderr().lock();
            out.write_all(std::mem::take(&mut self.prefix).as_bytes())?;
            out.write(octets)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Octets,
    Things(&'static str),
}

/// How far a long piece of work is. Dropping it takes the bar away; [`Progress::done`] says what came of it.
pub struct Progress {
    what: String,
    unit: Unit,
    total: Option<u64>,
    done: AtomicU64,
    started: Instant,
    show: Show,
}

enum Show {
    Bar(ProgressBar),
    /// Milliseconds after the start at which the next log line is due.
    Lines(AtomicU64),
    Nothing,
}

impl Progress {
    /// Work counted in octets, for example reading a file. `what` reads like "reading auth.crl".
    #[must_use]
    pub fn octets(what: impl Into<String>, total: Option<u64>) -> Self {
        Self::new(what.into(), Unit::Octets, total)
    }

    /// Work counted in things: `unit` is their plural, for example "entries".
    #[must_use]
    pub fn of(what: impl Into<String>, unit: &'static str, total: Option<u64>) -> Self {
        Self::new(what.into(), Unit::Things(unit), total)
    }

    /// Counts and says nothing: for tests, and where the work is not the user's own.
    #[must_use]
    pub fn hidden() -> Self {
        Self::with(String::new(), Unit::Octets, None, Show::Nothing)
    }

    fn new(what: String, unit: Unit, total: Option<u64>) -> Self {
        let show = if io::stderr().is_terminal() {
            Show::Bar(bars().add(bar(&what, unit, total)))
        } else {
            Show::Lines(AtomicU64::new(LOG_EVERY.as_millis() as u64))
        };
        Self::with(what, unit, total, show)
    }

    fn with(what: String, unit: Unit, total: Option<u64>, show: Show) -> Self {
        Self { what, unit, total, done: AtomicU64::new(0), started: Instant::now(), show }
    }

    /// `steps` more are done. Cheap, yet not free: call it for batches where the work is millions of steps.
    pub fn advance(&self, steps: u64) {
        let done = self.done.fetch_add(steps, Ordering::Relaxed) + steps;
        match &self.show {
            Show::Bar(bar) => bar.set_position(done),
            Show::Lines(due) => {
                let passed = self.started.elapsed().as_millis() as u64;
                let at = due.load(Ordering::Relaxed);
                let next = passed + LOG_EVERY.as_millis() as u64;
                // Of several threads that come at once, the one that moves the time on writes the line.
                if passed >= at
                    && due.compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
                {
                    tracing::info!("{}: {}", self.what, self.so_far(done));
                }
            }
            Show::Nothing => {}
        }
    }

    /// How many steps are done.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// The work is done; `outcome` is logged in its place.
    pub fn done(self, outcome: &str) {
        if !matches!(self.show, Show::Nothing) {
            self.clear();
            let took = words::took(self.started.elapsed());
            tracing::info!("{}: {outcome} in {took}", self.what);
        }
    }

    fn so_far(&self, done: u64) -> String {
        let count = |number: u64| match self.unit {
            Unit::Octets => words::octets(number),
            Unit::Things(unit) => format!("{} {unit}", words::thousands(number)),
        };
        match self.total {
            Some(total) if total > 0 => {
                let percent = u128::from(done.min(total)) * 100 / u128::from(total);
                format!("{percent} %, {} of {}", count(done), count(total))
            }
            _ => count(done),
        }
    }

    fn clear(&self) {
        if let Show::Bar(bar) = &self.show {
            bar.finish_and_clear();
            bars().remove(bar);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn bar(what: &str, unit: Unit, total: Option<u64>) -> ProgressBar {
    let counted = match (unit, total.is_some()) {
        (Unit::Octets, true) => "{bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
        (Unit::Octets, false) => "{bytes}, {bytes_per_sec}",
        (Unit::Things(_), true) => "{human_pos} of {human_len} {prefix}, {per_sec}, {eta} left",
        (Unit::Things(_), false) => "{human_pos} {prefix}, {per_sec}",
    };
    let template = match total {
        Some(_) => format!("{{msg}} [{{bar:30}}] {{percent}} % {counted}"),
        None => format!("{{spinner}} {{msg}} {counted}"),
    };
    let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style.progress_chars("=> "));
    }
    if let Unit::Things(unit) = unit {
        bar.set_prefix(unit);
    }
    bar.set_message(what.to_owned());
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bar_has_a_template_that_indicatif_understands() {
        for unit in [Unit::Octets, Unit::Things("entries")] {
            for total in [None, Some(10)] {
                let bar = bar("reading", unit, total);
                bar.set_position(3);
                assert_eq!(bar.length(), total);
            }
        }
    }

    #[test]
    fn progress_is_told_in_words() {
        let progress = Progress::with("x".into(), Unit::Things("entries"), Some(4_000), Show::Nothing);
        progress.advance(1_000);
        assert_eq!(progress.so_far(progress.position()), "25 %, 1,000 entries of 4,000 entries");
        let progress = Progress::hidden();
        progress.advance(2048);
        assert_eq!(progress.so_far(2048), "2.0 KiB");
        let empty = Progress::with("x".into(), Unit::Octets, Some(0), Show::Nothing);
        assert_eq!(empty.so_far(0), "0 B");
    }

    #[test]
    fn threads_count_into_one_progress() {
        let progress = Progress::hidden();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| progress.advance(1)));
            }
        });
        assert_eq!(progress.position(), 4000);
    }

    #[test]
    fn the_journal_is_told_the_level_and_nobody_else_is() {
        let levels =
            [tracing::Level::ERROR, tracing::Level::WARN, tracing::Level::INFO, tracing::Level::DEBUG];
        assert_eq!(levels.map(|level| Reader::Journal.prefix(level)), ["<3>", "<4>", "<6>", "<7>"]);
        assert_eq!(levels.map(|level| Reader::Somebody.prefix(level)), [""; 4]);
    }

    #[test]
    fn a_misspelt_log_level_is_refused() {
        assert!(filter("inof").is_err());
        assert!(filter("info,ocsprey=").is_err() || filter("info,ocsprey=loud").is_err());
        for good in ["info", "WARN", "debug,ocsprey::ingest=trace", "off"] {
            assert!(filter(good).is_ok(), "{good}");
        }
    }
}
