//! What a run found: as JSON, which `--compare` reads back, and as text.
//!
//! Called by `run` (building), `command` (writing), `compare`. No serial number is in it.
//! Format: one JSON object; `format` counts up when a field changes its meaning. Times are nanoseconds
//! where a name ends in `_ns`.

use crate::answer::Results;
use crate::plan::{Loop, Plan};
use crate::tally::Point;
use hdrhistogram::{Counter, Histogram};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The version of the JSON.
pub const FORMAT: u32 = 1;

/// What a run found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub format: u32,
    pub program: String,
    pub started_at: String,
    pub machine: String,
    pub arguments: Vec<String>,
    pub plan: Plan,
    pub target: String,
    /// From the start to the last answer.
    pub seconds: f64,
    /// Open loop only: what the plan asked for, on average.
    pub offered_a_second: Option<f64>,
    pub sent: u64,
    /// Answered as OCSP, error statuses included.
    pub answered: u64,
    pub answers_a_second: f64,
    pub octets_received: u64,
    pub connections: u64,
    pub reconnects: u64,
    /// From when a request was due to the last octet of its answer.
    pub latency: Spread,
    /// From when a request was due to when it was sent: waiting for a free connection, and this
    /// program's own lateness.
    pub delay: Spread,
    /// OCSPResponseStatus by name.
    pub statuses: BTreeMap<String, u64>,
    /// One for each certificate.
    pub results: Results,
    pub errors: BTreeMap<String, u64>,
    /// Those of the errors that are answers, and false ones.
    pub wrong_answers: u64,
    /// Other than 200.
    pub http_statuses: BTreeMap<String, u64>,
    pub verified: Verified,
    pub serials: SerialsAsked,
    pub server_cpu: Option<Cpu>,
    pub generator_cpu: Option<Cpu>,
    pub seconds_a_point: f64,
    pub points: Vec<TimePoint>,
}

/// A distribution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    pub count: u64,
    pub mean_ns: f64,
    pub min_ns: u64,
    pub max_ns: u64,
    /// By percentile: `50`, `99.9`.
    pub percentiles_ns: BTreeMap<String, u64>,
}

/// The sample that was verified, signatures and all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    pub sampled: u64,
    pub passed: u64,
    pub faults: BTreeMap<String, u64>,
}

/// Whom was asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SerialsAsked {
    pub listed: u64,
    pub asked: u64,
    /// Whether nobody was asked about twice. A cache helps from the second time on.
    pub each_once: bool,
}

/// CPU time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cpu {
    pub seconds: f64,
    pub micros_a_request: f64,
}

/// A piece of the time line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimePoint {
    pub answered: u64,
    pub errors: u64,
    pub p50_ns: u64,
    pub p99_ns: u64,
    pub max_ns: u64,
}

const PERCENTILES: [(&str, f64); 13] = [
    ("10", 10.0),
    ("25", 25.0),
    ("50", 50.0),
    ("75", 75.0),
    ("90", 90.0),
    ("95", 95.0),
    ("97.5", 97.5),
    ("99", 99.0),
    ("99.5", 99.5),
    ("99.9", 99.9),
    ("99.95", 99.95),
    ("99.99", 99.99),
    ("99.999", 99.999),
];

impl Spread {
    #[must_use]
    pub fn of<C: Counter>(histogram: &Histogram<C>) -> Self {
        let at = |percentile| histogram.value_at_percentile(percentile);
        Self {
            count: histogram.len(),
            mean_ns: histogram.mean(),
            min_ns: histogram.min(),
            max_ns: histogram.max(),
            percentiles_ns: PERCENTILES
                .iter()
                .map(|(name, value)| ((*name).to_owned(), at(*value)))
                .collect(),
        }
    }

    /// 0 where there is no such percentile.
    #[must_use]
    pub fn percentile(&self, name: &str) -> u64 {
        self.percentiles_ns.get(name).copied().unwrap_or_default()
    }
}

impl TimePoint {
    #[must_use]
    pub fn of(point: &Point) -> Self {
        let at = |percentile| point.latency.value_at_percentile(percentile);
        let max_ns = point.latency.max();
        Self { answered: point.answered, errors: point.errors, p50_ns: at(50.0), p99_ns: at(99.0), max_ns }
    }
}

/// `412 us`, `3.20 ms`, `1.50 s`.
#[must_use]
pub fn duration_text(nanoseconds: u64) -> String {
    let value = nanoseconds as f64;
    match nanoseconds {
        0..1_000_000 => format!("{:.0} us", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2} ms", value / 1e6),
        _ => format!("{:.2} s", value / 1e9),
    }
}

impl Report {
    /// Whether answers came, none of them false, and the sample could be believed.
    #[must_use]
    pub fn can_be_believed(&self) -> bool {
        self.answered > 0 && self.wrong_answers == 0 && self.verified.sampled == self.verified.passed
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        let mut line = |name: &str, text: String| {
            // A String takes everything.
            let _ = writeln!(out, "{name:<12} {text}");
        };
        let load = &self.plan.load;
        let mode = match load.mode {
            Loop::Open => "open loop",
            Loop::Closed => "closed loop",
        };
        let keep = if load.keep_alive { "kept alive" } else { "a new one for each request" };
        let connections =
            format!("{} connections ({keep}), {} load thread(s)", load.connections, load.threads);
        line("plan", format!("{}: {mode}, {connections}", self.plan.name));
        line("target", self.target.clone());
        line("machine", self.machine.clone());
        if let Some(offered) = self.offered_a_second {
            line("offered", format!("{offered:.0} requests/s on average"));
        }
        line(
            "answered",
            format!(
                "{} of {} in {:.2} s: {:.0} answers/s",
                self.answered, self.sent, self.seconds, self.answers_a_second
            ),
        );
        line("latency", spread_text(&self.latency));
        if load.mode == Loop::Open {
            line("sent late", spread_text(&self.delay));
        }
        line("statuses", counts_text(&self.statuses));
        let Results { good, revoked, unknown } = self.results;
        line("results", format!("good {good}, revoked {revoked}, unknown {unknown}"));
        line("errors", if self.errors.is_empty() { "none".into() } else { counts_text(&self.errors) });
        if !self.http_statuses.is_empty() {
            line("http", counts_text(&self.http_statuses));
        }
        if self.reconnects > 0 {
            line("reconnects", format!("{} idle connections had been closed", self.reconnects));
        }
        let Verified { sampled, passed, faults } = &self.verified;
        let wrong = if faults.is_empty() { String::new() } else { format!(": {}", counts_text(faults)) };
        line("verified", format!("{passed} of {sampled} sampled answers, signature and all{wrong}"));
        let SerialsAsked { listed, asked, each_once } = self.serials;
        let often = if each_once { "nobody twice" } else { "some more than once: a cache may have helped" };
        line("serials", format!("{asked} asked of {listed} listed, {often}"));
        for (name, cpu) in [("server CPU", self.server_cpu), ("own CPU", self.generator_cpu)] {
            if let Some(Cpu { seconds, micros_a_request }) = cpu {
                let share = 100.0 * seconds / self.seconds;
                // The pacer's waiting is in it.
                let spins = name == "own CPU" && load.mode == Loop::Open;
                let spins = if spins { ", waiting for the next arrival included" } else { "" };
                line(name, format!("{micros_a_request:.1} us a request ({share:.0} % of a core{spins})"));
            }
        }
        for warning in self.warnings() {
            line("note", warning);
        }
        out
    }

    /// What a reader has to know before believing the figures.
    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let count = |kind: &str| self.errors.get(kind).copied().unwrap_or_default();
        let lower = count("timeout") + count("never_sent");
        if lower > 0 {
            warnings.push(format!(
                "{lower} requests without an answer count with the time they waited: \
                 the latencies are lower bounds"
            ));
        }
        let own = self.generator_cpu.map_or(0.0, |cpu| cpu.seconds / self.seconds);
        if self.plan.load.mode == Loop::Closed && own > 0.9 * self.plan.load.threads as f64 {
            warnings.push(
                "the generator used up its own threads: the rate may be its limit, not the responder's"
                    .into(),
            );
        }
        warnings
    }
}

fn spread_text(spread: &Spread) -> String {
    if spread.count == 0 {
        return "none".into();
    }
    let at = |name: &str| duration_text(spread.percentile(name));
    format!(
        "p50 {}, p90 {}, p99 {}, p99.9 {}, max {}",
        at("50"),
        at("90"),
        at("99"),
        at("99.9"),
        duration_text(spread.max_ns)
    )
}

fn counts_text(counts: &BTreeMap<String, u64>) -> String {
    let parts: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    parts.join(", ")
}
