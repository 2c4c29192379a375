//! A small plot of the last minutes, as SVG within the page: one or two lines, the newest on the right.

use super::html::Html;
use crate::http::history::{Sample, Traffic};

pub(super) struct Line {
    pub name: &'static str,
    pub of: fn(&Sample) -> Option<f64>,
}

/// Draws up to two `lines`; `label` says a value in words.
pub(super) fn plot(
    html: &mut Html,
    title: &'static str,
    traffic: &Traffic,
    lines: &[Line],
    label: fn(f64) -> String,
) {
    let values = lines.iter().flat_map(|line| traffic.samples.iter().filter_map(|sample| (line.of)(sample)));
    let top = ceiling(values.fold(0.0, f64::max));
    html.markup("<figure><figcaption><span>").markup(title);
    for (line, class) in lines.iter().zip(["key", "key two"]) {
        html.markup("<span class=\"").markup(class).element("\">", line.name, "</span>");
    }
    html.markup("</span><span class=\"soft\">");
    if top > 0.0 {
        html.text("up to ").text(&label(top));
    } else {
        html.text("nothing yet");
    }
    html.markup("</span></figcaption>");
    let width = traffic.samples.len().max(60);
    html.markup("<svg viewBox=\"0 0 ")
        .show(&(width - 1))
        .markup(" 100\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"");
    html.markup(title).markup("\">");
    if top > 0.0 {
        for (line, class) in lines.iter().zip(["one", "two"]) {
            html.markup("<path class=\"").markup(class).markup("\" d=\"");
            html.text(&path(traffic, line.of, top, width)).markup("\"/>");
        }
    }
    html.markup("</svg><small>the last ");
    match (traffic.samples.len() as u64 * traffic.seconds_each).div_ceil(60) {
        0 | 1 => html.markup("minute"),
        minutes => html.show(&minutes).markup(" minutes"),
    };
    html.markup("</small></figure>\n");
}

/// `M x y L x y …`, with a new `M` behind each gap.
fn path(traffic: &Traffic, of: fn(&Sample) -> Option<f64>, top: f64, width: usize) -> String {
    let mut path = String::new();
    let mut drawing = false;
    let first = width - traffic.samples.len();
    for (place, sample) in traffic.samples.iter().enumerate() {
        let Some(value) = of(sample) else {
            drawing = false;
            continue;
        };
        let height = 98.0 - 96.0 * value / top;
        path.push_str(&format!("{}{} {height:.1}", if drawing { 'L' } else { 'M' }, first + place));
        if !drawing {
            // A dot, should the next be missing.
            path.push_str("h0.01");
        }
        drawing = true;
    }
    path
}

/// The next of 1, 2, 5, 10, 20, …: a scale that does not jump with every sample.
fn ceiling(value: f64) -> f64 {
    if value <= 0.0 {
        return 0.0;
    }
    let magnitude = 10f64.powf(value.log10().floor());
    let fits = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| value <= step * magnitude * (1.0 + 1e-9));
    fits.unwrap_or(10.0) * magnitude
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_holds_its_greatest_value_and_moves_in_steps() {
        let near = |found: f64, expected: f64| (found / expected - 1.0).abs() < 1e-6;
        for (value, expected) in [(1.0, 1.0), (1.01, 2.0), (430.0, 500.0), (0.000_051, 0.000_1), (7.0, 10.0)]
        {
            assert!(near(ceiling(value), expected), "{value}: {}", ceiling(value));
        }
        assert!(ceiling(0.0) == 0.0);
    }

    #[test]
    fn a_line_breaks_where_nothing_was_measured() {
        let sample = |within| Sample { half_within: within, ..Sample::default() };
        let samples = [Some(0.5), Some(1.0), None, Some(0.25)].map(sample).to_vec();
        let traffic =
            Traffic { seconds_each: 5, now: Sample::default(), samples, connections: 0, cache_bytes: 0 };
        let path = path(&traffic, |sample| sample.half_within, 1.0, 10);
        assert_eq!(path, "M6 50.0h0.01L7 2.0M9 74.0h0.01");
    }
}
