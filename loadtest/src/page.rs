//! A report, or two side by side, as one HTML page: no script, nothing from elsewhere, light and dark.
//!
//! Called by `command`. It draws what the JSON holds and knows nothing beyond it, so a page can be made
//! of an old report, and two of them can be laid over each other.

use crate::chart::{Axis, Line, Scale, escaped, svg};
use crate::compare;
use crate::plan::Loop;
use crate::report::{Report, duration_text};
use std::fmt::Write;

const STYLE: &str = "
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2530; --dim: #64707d; --rule: #e2e6ea;
  --a: #1769c2; --b: #c2570b; --c: #8a3fa0; --d: #b3202c }
@media (prefers-color-scheme: dark) { :root { --paper: #14181d; --ink: #e4e8ec; --dim: #97a3af;
  --rule: #2b333b; --a: #62a8f0; --b: #f0a050; --c: #c88be0; --d: #f07078 } }
body { background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif;
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin: 0 }
.about, figcaption, footer { color: var(--dim) }
.about { margin-top: .2rem; white-space: pre-line }
.tiles { display: flex; flex-wrap: wrap; gap: .6rem; padding: 0; list-style: none }
.tiles li { border: 1px solid var(--rule); border-radius: .5rem; padding: .5rem .9rem; min-width: 7rem }
.tiles b { display: block; font-size: 1.25rem; font-weight: 600; font-variant-numeric: tabular-nums }
.bad { color: var(--d) }
figure { margin: 1.6rem 0 }
figcaption { font-weight: 600; margin-bottom: .3rem }
svg { width: 100%; height: auto; font: 11px system-ui, sans-serif }
.tick, .axis { fill: var(--dim) }
.grid { stroke: var(--rule) }
.line { fill: none; stroke-width: 1.8; stroke-linejoin: round }
.dot.hidden { opacity: 0 }
.dot.hidden:hover { opacity: 1 }
.line.a { stroke: var(--a) } .dot.a { fill: var(--a) } .key.a { background: var(--a) }
.line.b { stroke: var(--b) } .dot.b { fill: var(--b) } .key.b { background: var(--b) }
.line.c { stroke: var(--c) } .dot.c { fill: var(--c) } .key.c { background: var(--c) }
.line.d { stroke: var(--d) } .dot.d { fill: var(--d) } .key.d { background: var(--d) }
.legend { margin: .2rem 0 0; font-size: .85rem }
.key { display: inline-block; width: .8rem; height: .8rem; border-radius: .2rem; margin: 0 .35rem 0 .9rem }
pre { border: 1px solid var(--rule); border-radius: .5rem; padding: .8rem 1rem; overflow-x: auto;
  font-size: 13px; line-height: 1.45 }
";

/// One run.
#[must_use]
pub fn of(report: &Report) -> String {
    let mut out = head(&report.plan.name, &report.plan.about);
    out.push_str(&tiles(report));
    out.push_str(&percentiles(&[("this run", "a", report)]));
    out.push_str(&throughput(&[("answers", "a", report)], true));
    out.push_str(&latency_line(report));
    let _ = writeln!(out, "<h2>All figures</h2>\n<pre>{}</pre>", escaped(&report.text()));
    end(out, &[report])
}

/// Two runs, A and B.
#[must_use]
pub fn compared(a: &Report, b: &Report) -> String {
    let title = if a.plan.name == b.plan.name {
        format!("{}: A and B", a.plan.name)
    } else {
        format!("{} (A) and {} (B)", a.plan.name, b.plan.name)
    };
    let mut out = head(&title, "");
    let _ = writeln!(out, "<pre>{}</pre>", escaped(&compare::table(a, b)));
    let both = [("A", "a", a), ("B", "b", b)];
    out.push_str(&percentiles(&both));
    out.push_str(&throughput(&both, false));
    end(out, &[a, b])
}

fn head(title: &str, about: &str) -> String {
    let (title, about) = (escaped(title), escaped(about.trim()));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n<h1>{title}</h1>\n<p class=\"about\">{about}</p>\n"
    )
}

fn end(mut out: String, reports: &[&Report]) -> String {
    out.push_str("<footer>\n");
    for report in reports {
        let _ = writeln!(
            out,
            "<p>{}, {}, {}, {}<br><code>{}</code></p>",
            escaped(&report.program),
            escaped(&report.started_at),
            escaped(&report.machine),
            escaped(&report.target),
            escaped(&report.arguments.join(" "))
        );
    }
    out.push_str("</footer>\n</html>\n");
    out
}

fn tiles(report: &Report) -> String {
    let mut tiles = String::from("<ul class=\"tiles\">\n");
    let mut tile = |name: &str, value: String, bad: bool| {
        let class = if bad { " class=\"bad\"" } else { "" };
        let _ = writeln!(tiles, "<li><b{class}>{}</b>{name}</li>", escaped(&value));
    };
    let errors: u64 = report.errors.values().sum();
    tile("answers a second", count_text(report.answers_a_second), report.answered == 0);
    for percentile in ["50", "99", "99.9"] {
        tile(&format!("p{percentile}"), duration_text(report.latency.percentile(percentile)), false);
    }
    tile("slowest", duration_text(report.latency.max_ns), false);
    tile("errors", count_text(errors as f64), errors > 0);
    let verified = &report.verified;
    let some_failed = verified.passed < verified.sampled;
    tile("verified", format!("{} of {}", verified.passed, verified.sampled), some_failed);
    if let Some(cpu) = report.server_cpu {
        tile("server CPU a request", format!("{:.1} us", cpu.micros_a_request), false);
    }
    tiles.push_str("</ul>\n");
    tiles
}

/// `12,345`; small ones with a digit behind the point.
fn count_text(value: f64) -> String {
    if value > 0.0 && value < 10.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn time_text(nanoseconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "they came from a u64")]
    let text = duration_text(nanoseconds.round() as u64);
    text.replace(".00 ", " ")
}

/// How many requests in one that is slower: 10 at p90, 100 at p99.
fn one_in(percentile: f64) -> f64 {
    1.0 / (1.0 - percentile / 100.0)
}

fn percentile_text(one_in: f64) -> String {
    format!("p{:.5}", 100.0 - 100.0 / one_in).trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Latency over percentiles; an axis of "one request in so many" gives the slow ones their room.
fn percentiles(runs: &[(&str, &'static str, &Report)]) -> String {
    let lines = runs.iter().map(|(name, class, report)| {
        let known = report.latency.percentiles_ns.iter();
        let mut points: Vec<(f64, f64)> = known
            .filter_map(|(name, value)| Some((one_in(name.parse().ok()?), *value as f64)))
            // With fewer requests than that there is no such percentile, only the slowest.
            .filter(|(one_in, _)| *one_in <= report.latency.count as f64)
            .collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        Line { name: (*name).to_owned(), class, points }
    });
    let ticks = [50.0, 90.0, 99.0, 99.9, 99.99, 99.999];
    let across = Axis {
        title: "percentile of requests",
        scale: Scale::Logarithmic,
        text: percentile_text,
        ticks: ticks.map(|percentile| (one_in(percentile), format!("p{percentile}"))).to_vec(),
    };
    let up = Axis { title: "latency", scale: Scale::Logarithmic, text: time_text, ticks: Vec::new() };
    svg("Latency by percentile, from when a request was due", &across, &up, &lines.collect::<Vec<_>>())
}

fn seconds_axis() -> Axis {
    Axis {
        title: "seconds from the start",
        scale: Scale::Linear,
        text: |seconds| format!("{seconds:.0} s"),
        ticks: Vec::new(),
    }
}

/// The middle of each piece of the time line, and what `value` says of it.
fn over_time(report: &Report, value: impl Fn(&crate::report::TimePoint, f64) -> f64) -> Vec<(f64, f64)> {
    let piece = report.seconds_a_point;
    let points = report.points.iter().enumerate().map(|(index, point)| {
        let start = index as f64 * piece;
        // The last piece is seldom whole.
        let length = piece.min(report.seconds - start).max(piece / 100.0);
        (start + length / 2.0, value(point, length))
    });
    points.collect()
}

/// The rates that the plan of an open loop asks for.
fn due(report: &Report) -> Vec<(f64, f64)> {
    let mut start = 0.0;
    let mut points = Vec::new();
    for phase in &report.plan.load.phases {
        points.push((start, phase.rate));
        start += phase.seconds;
        points.push((start, phase.rate_at_end.unwrap_or(phase.rate)));
    }
    points
}

fn throughput(runs: &[(&str, &'static str, &Report)], with_errors: bool) -> String {
    let mut lines = Vec::new();
    for (name, class, report) in runs {
        if with_errors && report.plan.load.mode == Loop::Open {
            lines.push(Line { name: "due".into(), class: "b", points: due(report) });
        }
        let points = over_time(report, |point, length| point.answered as f64 / length);
        lines.push(Line { name: (*name).to_owned(), class, points });
        if with_errors && !report.errors.is_empty() {
            let points = over_time(report, |point, length| point.errors as f64 / length);
            lines.push(Line { name: "errors".into(), class: "d", points });
        }
    }
    let up = Axis { title: "a second", scale: Scale::Linear, text: count_text, ticks: Vec::new() };
    svg("Throughput", &seconds_axis(), &up, &lines)
}

fn latency_line(report: &Report) -> String {
    let line = |name: &str, class, value: fn(&crate::report::TimePoint) -> u64| Line {
        name: name.to_owned(),
        class,
        points: over_time(report, |point, _| value(point) as f64)
            .into_iter()
            .filter(|(_, value)| *value > 0.0)
            .collect(),
    };
    let lines = [
        line("p50", "a", |point| point.p50_ns),
        line("p99", "b", |point| point.p99_ns),
        line("slowest", "c", |point| point.max_ns),
    ];
    let up = Axis { title: "latency", scale: Scale::Logarithmic, text: time_text, ticks: Vec::new() };
    svg("Latency over time", &seconds_axis(), &up, &lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_for_people() {
        assert_eq!(count_text(1_234_567.0), "1,234,567");
        assert_eq!(count_text(999.0), "999");
        assert_eq!(count_text(0.0), "0");
        assert_eq!(count_text(2.25), "2.2");
        assert_eq!(percentile_text(one_in(99.9)), "p99.9");
        assert_eq!(percentile_text(one_in(50.0)), "p50");
        assert_eq!(time_text(1e8), "100 ms");
        assert_eq!(time_text(1.5e6), "1.50 ms");
    }
}
