//! Plots as SVG text: lines over two axes, each linear or logarithmic.
//!
//! Called by `page`. Colours come from the page's style sheet (`line a`, `line b`, ...), so that a plot is
//! dark on a dark page. Every point tells its value when the pointer rests on it.

use std::fmt::Write;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 34.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 40.0;
/// From so many points on, the dots would hide the line.
const MOST_DOTS: usize = 60;

/// How values lie along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    Linear,
    /// Values above 0; others lie at the lower end.
    Logarithmic,
}

/// An axis: what it is about, how its values are written, and ticks of its own where it has them.
pub struct Axis {
    pub title: &'static str,
    pub scale: Scale,
    pub text: fn(f64) -> String,
    pub ticks: Vec<(f64, String)>,
}

/// One line of a plot.
pub struct Line {
    pub name: String,
    /// Its place in the style sheet: `a`, `b`, `c`, `d`.
    pub class: &'static str,
    pub points: Vec<(f64, f64)>,
}

/// Where an axis' values lie, in 0 to 1.
struct Range {
    scale: Scale,
    low: f64,
    high: f64,
}

impl Range {
    fn of(scale: Scale, values: impl Iterator<Item = f64>) -> Self {
        let usable = values.filter(|value| value.is_finite() && (scale == Scale::Linear || *value > 0.0));
        let (low, high) =
            usable.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            return Self { scale, low: 1.0, high: 10.0 };
        }
        match scale {
            // From 0: a plot that begins elsewhere makes small differences look large.
            Scale::Linear => {
                Self { scale, low: low.min(0.0), high: if high > 0.0 { high * 1.05 } else { 1.0 } }
            }
            Scale::Logarithmic => {
                let (low, high) = (10_f64.powf(low.log10().floor()), 10_f64.powf(high.log10().ceil()));
                Self { scale, low, high: if high > low { high } else { low * 10.0 } }
            }
        }
    }

    fn place(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Logarithmic => {
                (value.max(self.low).log10() - self.low.log10()) / (self.high.log10() - self.low.log10())
            }
        }
    }

    /// About six round values.
    fn ticks(&self) -> Vec<f64> {
        let mut ticks = Vec::new();
        match self.scale {
            Scale::Linear => {
                let rough = (self.high - self.low) / 6.0;
                let power = 10_f64.powf(rough.log10().floor());
                let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
                let step = step.into_iter().find(|step| *step >= rough).unwrap_or(rough);
                let mut tick = 0.0;
                while tick <= self.high && ticks.len() < 20 {
                    ticks.push(tick);
                    tick += step;
                }
            }
            Scale::Logarithmic => {
                let mut tick = self.low;
                while tick <= self.high * 1.001 && ticks.len() < 20 {
                    ticks.push(tick);
                    tick *= 10.0;
                }
            }
        }
        ticks
    }
}

fn ticks_of(axis: &Axis, range: &Range) -> Vec<(f64, String)> {
    if axis.ticks.is_empty() {
        return range.ticks().into_iter().map(|tick| (tick, (axis.text)(tick))).collect();
    }
    let within = |tick: &&(f64, String)| (0.0..=1.0).contains(&range.place(tick.0));
    axis.ticks.iter().filter(within).cloned().collect()
}

/// Text in HTML and SVG.
#[must_use]
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The plot, with a legend where it has more than one line.
#[must_use]
pub fn svg(title: &str, x: &Axis, y: &Axis, lines: &[Line]) -> String {
    let points = || lines.iter().flat_map(|line| line.points.iter());
    let across = Range::of(x.scale, points().map(|point| point.0));
    let up = Range::of(y.scale, points().map(|point| point.1));
    let at_x = |value: f64| LEFT + across.place(value) * (WIDTH - LEFT - RIGHT);
    let at_y = |value: f64| HEIGHT - BOTTOM - up.place(value) * (HEIGHT - TOP - BOTTOM);
    let mut out = String::new();
    // A String takes everything.
    let _ = write!(
        out,
        "<figure>\n<figcaption>{}</figcaption>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"{0}\">\n",
        escaped(title)
    );
    let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
    for (tick, text) in ticks_of(y, &up) {
        let (at, text) = (at_y(tick), escaped(&text));
        let _ = writeln!(
            out,
            "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{right}\"/>\
             <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
            LEFT - 6.0,
            at + 4.0
        );
    }
    for (tick, text) in ticks_of(x, &across) {
        let (at, text) = (at_x(tick), escaped(&text));
        let _ = writeln!(
            out,
            "<path class=\"grid\" d=\"M{at:.1} {TOP}V{bottom}\"/>\
             <text class=\"tick\" x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
            bottom + 16.0
        );
    }
    let _ = writeln!(
        out,
        "<text class=\"axis\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
         <text class=\"axis\" transform=\"translate(12 {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
        LEFT.midpoint(right),
        HEIGHT - 6.0,
        escaped(x.title),
        TOP.midpoint(bottom),
        escaped(y.title)
    );
    for line in lines {
        let mut path = String::new();
        for (index, (x, y)) in line.points.iter().enumerate() {
            let pen = if index == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{pen}{:.1} {:.1}", at_x(*x), at_y(*y));
        }
        let _ = writeln!(out, "<path class=\"line {}\" d=\"{path}\"/>", line.class);
        let dot = if line.points.len() > MOST_DOTS { 4.0 } else { 2.5 };
        let hidden = if line.points.len() > MOST_DOTS { " hidden" } else { "" };
        for (value, height) in &line.points {
            let (name, height_text) = (escaped(&line.name), escaped(&(y.text)(*height)));
            let _ = writeln!(
                out,
                "<circle class=\"dot {}{hidden}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{dot}\"><title>{name}: \
                 {height_text} at {}</title></circle>",
                line.class,
                at_x(*value),
                at_y(*height),
                escaped(&(x.text)(*value))
            );
        }
    }
    out.push_str("</svg>\n");
    if lines.len() > 1 {
        out.push_str("<p class=\"legend\">");
        for line in lines {
            let _ = write!(out, "<span class=\"key {}\"></span>{} ", line.class, escaped(&line.name));
        }
        out.push_str("</p>\n");
    }
    out.push_str("</figure>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(scale: Scale) -> Axis {
        Axis { title: "t", scale, text: |value| format!("{value}"), ticks: Vec::new() }
    }

    #[test]
    fn ticks_are_round_and_cover_the_values() {
        let linear = Range::of(Scale::Linear, [3.0, 47_000.0].into_iter());
        assert_eq!(linear.ticks(), [0.0, 10_000.0, 20_000.0, 30_000.0, 40_000.0]);
        let logarithmic = Range::of(Scale::Logarithmic, [0.0, 250.0, 90_000.0].into_iter());
        let ticks: Vec<f64> = logarithmic.ticks().into_iter().map(f64::round).collect();
        assert_eq!(ticks, [100.0, 1000.0, 10_000.0, 100_000.0]);
        assert!((logarithmic.place(1e4) - 2.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn nothing_and_one_value_can_be_drawn() {
        for values in [vec![], vec![0.0], vec![5.0]] {
            for scale in [Scale::Linear, Scale::Logarithmic] {
                let points = values.iter().map(|value| (1.0, *value)).collect();
                let lines = [Line { name: "n".into(), class: "a", points }];
                let drawn = svg("t", &axis(Scale::Linear), &axis(scale), &lines);
                assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{values:?} {drawn}");
            }
        }
    }

    #[test]
    fn text_cannot_leave_its_place() {
        let lines = [Line { name: "</svg><script>".into(), class: "a", points: vec![(0.0, 1.0)] }];
        let drawn = svg("<b>", &axis(Scale::Linear), &axis(Scale::Linear), &lines);
        assert!(!drawn.contains("<script>") && !drawn.contains("<b>"), "{drawn}");
    }
}
