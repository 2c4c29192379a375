//! Two reports side by side.
//!
//! Called by `command`. It says what differs and by how much; whether that matters depends on how much
//! two runs of the same thing differ on the same machine, which one pair cannot know.

use crate::report::{Cpu, FORMAT, Report, duration_text};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Why a report cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    #[error("{}: cannot be read: {source}", .file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error("{}: not a report of ocsprey-load: {why} (make one with --output)", .file.display())]
    NotAReport { file: PathBuf, why: String },
    #[error("{}: a report of format {found}, and {FORMAT} is known here (make it anew)", .file.display())]
    Format { file: PathBuf, found: u32 },
}

/// Reads a report back.
pub fn read(file: &Path) -> Result<Report, CompareError> {
    #[derive(serde::Deserialize)]
    struct Version {
        format: u32,
    }
    let file = file.to_path_buf();
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(source) => return Err(CompareError::Read { file, source }),
    };
    match serde_json::from_str::<Version>(&text) {
        Err(why) => return Err(CompareError::NotAReport { file, why: why.to_string() }),
        Ok(Version { format }) if format != FORMAT => {
            return Err(CompareError::Format { file, found: format });
        }
        Ok(_) => {}
    }
    serde_json::from_str(&text).map_err(|why| CompareError::NotAReport { file, why: why.to_string() })
}

/// A table for people: A, B, and what B is of A.
#[must_use]
pub fn table(a: &Report, b: &Report) -> String {
    let mut out = String::new();
    let mut row = |name: &str, a: String, b: String, change: String| {
        // A String takes everything.
        let _ = writeln!(out, "{name:<24} {a:>14} {b:>14} {change:>9}");
    };
    row("", "A".into(), "B".into(), "B / A".into());
    let plain = |value: f64| format!("{value:.0}");
    row(
        "answers/s",
        plain(a.answers_a_second),
        plain(b.answers_a_second),
        ratio(a.answers_a_second, b.answers_a_second),
    );
    for percentile in ["50", "90", "99", "99.9", "99.99"] {
        let (one, other) = (a.latency.percentile(percentile), b.latency.percentile(percentile));
        let change = ratio(one as f64, other as f64);
        row(&format!("latency p{percentile}"), duration_text(one), duration_text(other), change);
    }
    let (one, other) = (a.latency.max_ns, b.latency.max_ns);
    row("latency max", duration_text(one), duration_text(other), ratio(one as f64, other as f64));
    for (name, one, other) in [
        ("server CPU us/request", a.server_cpu, b.server_cpu),
        ("own CPU us/request", a.generator_cpu, b.generator_cpu),
    ] {
        let text = |cpu: Option<Cpu>| cpu.map_or("-".into(), |cpu| format!("{:.1}", cpu.micros_a_request));
        let change = match (one, other) {
            (Some(one), Some(other)) => ratio(one.micros_a_request, other.micros_a_request),
            _ => "-".into(),
        };
        row(name, text(one), text(other), change);
    }
    let errors = |report: &Report| report.errors.values().sum::<u64>() as f64;
    row("errors", plain(errors(a)), plain(errors(b)), ratio(errors(a), errors(b)));
    let failures = |report: &Report| (report.answered.saturating_sub(successful(report))) as f64;
    row("error statuses", plain(failures(a)), plain(failures(b)), ratio(failures(a), failures(b)));
    for (name, report) in [("A", a), ("B", b)] {
        let _ = writeln!(out, "{name}: {}, {}, {}", report.started_at, report.plan.name, report.machine);
    }
    if a.plan != b.plan {
        out.push_str("note: the two ran different plans\n");
    }
    if a.machine != b.machine {
        out.push_str("note: the two ran on different machines or cores\n");
    }
    out
}

fn successful(report: &Report) -> u64 {
    report.statuses.get("successful").copied().unwrap_or_default()
}

fn ratio(a: f64, b: f64) -> String {
    if a > 0.0 { format!("{:.3}", b / a) } else { "-".into() }
}
