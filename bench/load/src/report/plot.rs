//! Plots as SVG: lines over two axes, and bars with their range. Colours and fonts are the page's.

use std::fmt::Write as _;

use crate::report::html::escaped;

/// Size of a plot, in pixels.
const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 300.0;
/// Room for what stands beside the axes.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 44.0;
/// Bars: height of one, and room for names and figures.
const BAR: f64 = 22.0;
const NAMES: f64 = 150.0;
const FIGURES: f64 = 170.0;
/// Colours of lines, as classes of the page.
pub(super) const COLOURS: usize = 8;

/// An axis: what it shows, its ends, and marks with their words.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) title: String,
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) marks: Vec<(f64, String)>,
}

/// A line with its name.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

/// A bar, as long as the median, with a line from the lowest to the highest.
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// The figure in words, behind the bar.
    pub(crate) words: String,
}

impl Axis {
    /// From 0 to what is needed, with round numbers at the marks.
    pub(super) fn linear(title: &str, highest: f64) -> Self {
        let highest = if highest > 0.0 && highest.is_finite() { highest } else { 1.0 };
        let rough = highest / 4.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|n| n * power).find(|step| *step >= rough).unwrap_or(rough);
        let mut marks = vec![(0.0, "0".to_owned())];
        while marks.last().is_some_and(|(at, _)| *at < highest * 0.999) {
            #[expect(clippy::cast_precision_loss, reason = "a handful")]
            let at = step * marks.len() as f64;
            marks.push((at, short(at)));
        }
        let to = marks.last().map_or(1.0, |(at, _)| *at);
        Self { title: title.to_owned(), from: 0.0, to, marks }
    }

    /// Powers of ten around what is there; positions are logarithms.
    pub(super) fn powers(title: &str, lowest: f64, highest: f64) -> Self {
        let (from, to) = (lowest.max(1e-9).log10().floor(), highest.max(1e-9).log10().ceil());
        let to = if to > from { to } else { from + 1.0 };
        let mut marks = Vec::new();
        let mut at = from;
        while at <= to {
            marks.push((at, short(10_f64.powf(at))));
            at += 1.0;
        }
        Self { title: title.to_owned(), from, to, marks }
    }

    fn part(&self, value: f64) -> f64 {
        ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }
}

/// A number with as few letters as it can do with.
pub(super) fn short(value: f64) -> String {
    let (value, unit) = match value.abs() {
        big if big >= 1e9 => (value / 1e9, "G"),
        big if big >= 1e6 => (value / 1e6, "M"),
        big if big >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let text = format!("{value:.3}");
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Lines over two axes.
pub(super) fn lines(x: &Axis, y: &Axis, lines: &[Line]) -> String {
    let across = |value: f64| LEFT + x.part(value) * (WIDTH - LEFT - RIGHT);
    let up = |value: f64| HEIGHT - BOTTOM - y.part(value) * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">", escaped(&y.title));
    for (at, word) in &y.marks {
        let level = up(*at);
        let _ =
            write!(svg, "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{level:.1}\" y2=\"{level:.1}\"/>", WIDTH - RIGHT);
        let _ = write!(svg, "<text class=\"end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>", LEFT - 6.0, level + 4.0, escaped(word));
    }
    for (at, word) in &x.marks {
        let place = across(*at);
        let _ =
            write!(svg, "<line class=\"grid\" x1=\"{place:.1}\" x2=\"{place:.1}\" y1=\"{TOP}\" y2=\"{:.1}\"/>", HEIGHT - BOTTOM);
        let _ = write!(svg, "<text class=\"mid\" x=\"{place:.1}\" y=\"{:.1}\">{}</text>", HEIGHT - BOTTOM + 16.0, escaped(word));
    }
    let _ = write!(
        svg,
        "<text class=\"mid\" x=\"{:.1}\" y=\"{:.1}\">{}</text><text class=\"mid\" transform=\"translate(14 {:.1}) rotate(-90)\">{}</text>",
        LEFT + (WIDTH - LEFT - RIGHT) / 2.0,
        HEIGHT - 8.0,
        escaped(&x.title),
        TOP + (HEIGHT - TOP - BOTTOM) / 2.0,
        escaped(&y.title)
    );
    for (at, line) in lines.iter().enumerate() {
        let points: Vec<String> = line.points.iter().map(|(x, y)| format!("{:.1},{:.1}", across(*x), up(*y))).collect();
        let _ = write!(
            svg,
            "<polyline class=\"line c{}\" points=\"{}\"><title>{}</title></polyline>",
            at % COLOURS,
            points.join(" "),
            escaped(&line.name)
        );
    }
    svg + "</svg>"
}

/// Bars with their range, the first one in a colour of its own.
pub(crate) fn bars(unit: &str, bars: &[Bar]) -> String {
    let highest = bars.iter().map(|bar| bar.high).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    #[expect(clippy::cast_precision_loss, reason = "a handful of bars")]
    let height = BAR * bars.len() as f64 + 8.0;
    let wide = |value: f64| value / highest * (WIDTH - NAMES - FIGURES);
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">", escaped(unit));
    for (at, bar) in bars.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "a handful of bars")]
        let top = BAR * at as f64 + 4.0;
        let middle = top + BAR / 2.0;
        let own = if bar.name.starts_with("sluicegate") { "ours" } else { "theirs" };
        let _ =
            write!(svg, "<text class=\"end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>", NAMES - 8.0, middle + 4.0, escaped(&bar.name));
        let _ = write!(
            svg,
            "<rect class=\"{own}\" x=\"{NAMES}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            top + 3.0,
            wide(bar.median),
            BAR - 6.0
        );
        let _ = write!(
            svg,
            "<line class=\"range\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"/>",
            NAMES + wide(bar.low),
            NAMES + wide(bar.high)
        );
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            NAMES + wide(bar.high) + 8.0,
            middle + 4.0,
            escaped(&bar.words)
        );
    }
    svg + "</svg>"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_cover_what_is_shown() {
        for highest in [0.0, 0.37, 1.0, 999.0, 12_345.0, 8e9] {
            let axis = Axis::linear("", highest);
            assert!(axis.to >= highest, "{highest}");
            assert!((2..=6).contains(&axis.marks.len()), "{highest}: {:?}", axis.marks);
        }
        let axis = Axis::powers("", 12.0, 4500.0);
        assert_eq!(axis.marks.iter().map(|(_, word)| word.as_str()).collect::<Vec<_>>(), ["10", "100", "1000", "10k"]);
    }

    #[test]
    fn nothing_leaves_the_plot_and_no_name_is_markup() {
        let axis = Axis::linear("a < b", 10.0);
        let svg = lines(&axis, &axis, &[Line { name: "<script>".into(), points: vec![(-5.0, 99.0), (5.0, 5.0)] }]);
        assert!(svg.contains("a &lt; b") && svg.contains("&lt;script&gt;") && !svg.contains("<script>"));
        assert!(svg.contains(&format!("points=\"{LEFT:.1},{TOP:.1} ")), "{svg}");
    }
}
