//! Figures as Prometheus reads them: its text format, version 0.0.4, with a bound on how much there is.

use std::fmt::{Display, Write as _};
use std::time::Duration;

/// Series in one answer. What is beyond is left out, and counted.
pub(crate) const SERIES_MAX: usize = 10_000;
/// Series kept for what is said at the very end: how many were left out.
const RESERVED: usize = 1;

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Counter,
    Gauge,
    Histogram,
}

impl Type {
    const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A label with its value.
pub(super) type Label<'l> = (&'static str, &'l str);

/// An answer being written.
#[derive(Debug, Default)]
pub(super) struct Text {
    out: String,
    series: usize,
    left_out: usize,
}

impl Text {
    /// Begins a metric: everything that is said about it comes now.
    pub(super) fn metric(&mut self, name: &str, kind: Type, help: &str) -> Metric<'_> {
        // A backslash and a line end are all that the format knows to escape here.
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        put(&mut self.out, format_args!("# HELP {name} {help}\n# TYPE {name} {}\n", kind.word()));
        Metric { name: name.to_owned(), text: self }
    }

    /// A metric with one value and no labels.
    pub(super) fn one(&mut self, name: &str, kind: Type, help: &str, value: impl Display) {
        self.metric(name, kind, help).value(&[], value);
    }

    /// The whole answer.
    pub(super) fn finish(mut self) -> String {
        let left_out = self.left_out;
        self.series = self.series.min(SERIES_MAX - RESERVED);
        self.left_out = 0;
        let help = "Series that are missing here since there would be too many.";
        let mut last = self.metric("sluicegate_metrics_left_out", Type::Gauge, help);
        last.line("", &[], None, &left_out);
        self.out
    }
}

/// A metric being written.
#[derive(Debug)]
pub(super) struct Metric<'t> {
    name: String,
    text: &'t mut Text,
}

impl Metric<'_> {
    /// One series of a counter or gauge.
    pub(super) fn value(&mut self, labels: &[Label<'_>], value: impl Display) {
        if self.has_room(1) {
            self.line("", labels, None, &value);
        }
    }

    /// One histogram: for each bound how many took no longer, then all of them.
    pub(super) fn histogram(&mut self, labels: &[Label<'_>], bounds: &[Duration], up_to: &[u64], count: u64, sum: Duration) {
        if !self.has_room(bounds.len() + 3) {
            return;
        }
        for (bound, below) in bounds.iter().zip(up_to) {
            let bound = seconds(*bound);
            // 0.05, not 0.050000000.
            let shortest = bound.trim_end_matches('0').trim_end_matches('.');
            self.line("_bucket", labels, Some(shortest), below);
        }
        self.line("_bucket", labels, Some("+Inf"), &count);
        self.line("_sum", labels, None, &seconds(sum));
        self.line("_count", labels, None, &count);
    }

    fn has_room(&mut self, series: usize) -> bool {
        let has = self.text.series + series <= SERIES_MAX - RESERVED;
        if has {
            self.text.series += series
        } else {
            self.text.left_out += series
        }
        has
    }

    fn line(&mut self, suffix: &str, labels: &[Label<'_>], bound: Option<&str>, value: &dyn Display) {
        let out = &mut self.text.out;
        out.push_str(&self.name);
        out.push_str(suffix);
        let mut between = '{';
        for (name, value) in labels.iter().copied().chain(bound.map(|bound| ("le", bound))) {
            put(out, format_args!("{between}{name}=\"{}\"", escaped(value)));
            between = ',';
        }
        if between == ',' {
            out.push('}');
        }
        put(out, format_args!(" {value}\n"));
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A time in seconds, to the nanosecond.
pub(super) fn seconds(time: Duration) -> String {
    format!("{}.{:09}", time.as_secs(), time.subsec_nanos())
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into a string cannot fail.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_prometheus_own() {
        let mut text = Text::default();
        text.one("a_total", Type::Counter, "What\nwas \\ counted.", 7);
        let mut metric = text.metric("b_seconds", Type::Histogram, "Times.");
        let (bounds, labels) = ([Duration::from_millis(50), Duration::from_secs(10)], [("v", "a\"b\\c\nd")]);
        metric.histogram(&labels, &bounds, &[1, 2], 3, Duration::from_micros(12_345_678));
        assert_eq!(
            text.finish(),
            "# HELP a_total What\\nwas \\\\ counted.\n# TYPE a_total counter\na_total 7\n\
             # HELP b_seconds Times.\n# TYPE b_seconds histogram\n\
             b_seconds_bucket{v=\"a\\\"b\\\\c\\nd\",le=\"0.05\"} 1\n\
             b_seconds_bucket{v=\"a\\\"b\\\\c\\nd\",le=\"10\"} 2\n\
             b_seconds_bucket{v=\"a\\\"b\\\\c\\nd\",le=\"+Inf\"} 3\n\
             b_seconds_sum{v=\"a\\\"b\\\\c\\nd\"} 12.345678000\nb_seconds_count{v=\"a\\\"b\\\\c\\nd\"} 3\n\
             # HELP sluicegate_metrics_left_out Series that are missing here since there would be too many.\n\
             # TYPE sluicegate_metrics_left_out gauge\nsluicegate_metrics_left_out 0\n"
        );
    }

    #[test]
    fn there_is_never_more_than_the_bound() {
        let mut text = Text::default();
        let mut metric = text.metric("a", Type::Gauge, "Many.");
        (0..SERIES_MAX + 5).for_each(|n| metric.value(&[("n", &n.to_string())], n));
        let all = text.finish();
        assert_eq!(all.lines().filter(|line| !line.starts_with('#')).count(), SERIES_MAX);
        assert!(all.ends_with("\nsluicegate_metrics_left_out 6\n"), "{}", &all[all.len() - 60..]);
    }
}
