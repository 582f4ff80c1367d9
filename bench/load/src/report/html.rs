//! One page, in one piece: figures and plots of one or several results. It fetches nothing and runs nothing.

use std::fmt::Write as _;

use crate::fault::Fault;
use crate::report::Outcome;
use crate::report::plot::{Axis, COLOURS, Line, lines};

/// Points of a latency line.
const POINTS: u32 = 160;
/// Nines that are shown at most: 99.999 %.
const NINES: f64 = 5.0;
/// Samples of a rate are taken over so many looks, so that a line can be read.
const SMOOTH: usize = 3;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c2733;--soft:#5b6b7a;--grid:#d9e0e6;--paper:#fff;--card:#f5f7f9;--ours:#0b7285;--theirs:#adb8c2}\
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9aa8b5;--grid:#303a44;--paper:#12171c;--card:#1a2128;--ours:#3bc9db;--theirs:#4a5763}}\
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:820px;margin:2em auto;padding:0 16px}\
h1{font-size:1.5em;margin:0 0 .2em}h2{font-size:1.1em;margin:1.8em 0 .5em}h3{font-size:1em;margin:1.2em 0 .3em;color:var(--soft)}\
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}td,th{text-align:left;padding:3px 12px 3px 0;border-bottom:1px solid var(--grid);vertical-align:top}\
td:first-child{color:var(--soft);white-space:nowrap}pre,code{font:13px/1.4 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere}\
svg{width:100%;height:auto;background:var(--card);border-radius:6px}svg text{font:12px system-ui,sans-serif;fill:var(--ink)}\
.end{text-anchor:end}.mid{text-anchor:middle}.grid{stroke:var(--grid)}.line{fill:none;stroke-width:1.8}.ours{fill:var(--ours)}.theirs{fill:var(--theirs)}\
.range{stroke:var(--ink);stroke-width:2}ul.key{list-style:none;padding:0;margin:.4em 0;display:flex;flex-wrap:wrap;gap:.2em 1.2em}\
ul.key span{display:inline-block;width:1em;height:.3em;vertical-align:middle;margin-right:.4em}\
.c0{stroke:#0b7285;background:#0b7285}.c1{stroke:#d9480f;background:#d9480f}.c2{stroke:#5f3dc4;background:#5f3dc4}.c3{stroke:#2b8a3e;background:#2b8a3e}\
.c4{stroke:#e67700;background:#e67700}.c5{stroke:#a61e4d;background:#a61e4d}.c6{stroke:#1971c2;background:#1971c2}.c7{stroke:#868e96;background:#868e96}\
.good{color:#2b8a3e}.bad{color:#c92a2a}@media(prefers-color-scheme:dark){.good{color:#69db7c}.bad{color:#ff8787}}";

/// For text in a page.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A whole page around `body`.
pub(crate) fn whole(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{0}</title><style>{STYLE}</style></head>\n<body><h1>{0}</h1>\n{body}\n</body></html>\n",
        escaped(title)
    )
}

/// A page with results, by name.
pub(crate) fn page(title: &str, results: &[(String, Outcome)]) -> Result<String, Fault> {
    let mut body = String::new();
    let plots = [
        ("Latency by percentile", latency(results)?),
        ("Rate while it ran", over_time(results, "units a second", rate)),
        ("CPU of the process under load", over_time(results, "cores", cpu)),
        ("Its resident memory", over_time(results, "MiB", memory)),
    ];
    for (title, plot) in plots.iter().filter(|(_, plot)| !plot.is_empty()) {
        let _ = writeln!(body, "<h2>{title}</h2>\n{plot}");
    }
    for (name, outcome) in results {
        let _ = writeln!(body, "<h2><code>{}</code></h2>\n<table>", escaped(name));
        for (name, value) in outcome.lines() {
            let _ = writeln!(body, "<tr><td>{}</td><td>{}</td></tr>", escaped(name.trim()), escaped(&value));
        }
        body += "</table>\n";
    }
    Ok(whole(title, &body))
}

/// Latency over how many nines of the messages are no later.
fn latency(results: &[(String, Outcome)]) -> Result<String, Fault> {
    let mut drawn = Vec::new();
    let (mut lowest, mut highest, mut nines) = (f64::INFINITY, 0.0_f64, 1.0_f64);
    for (name, outcome) in results {
        for latency in outcome.latencies.iter().filter(|latency| !latency.counts.is_empty()) {
            let all = latency.histogram()?;
            #[expect(clippy::cast_precision_loss, reason = "figures to plot")]
            let (count, micros) = (all.len() as f64, |at: f64| all.value_at_quantile(at) as f64);
            // What fewer messages than one stand for is not shown.
            let end = count.log10().clamp(0.3, NINES);
            let points: Vec<(f64, f64)> = (0..=POINTS)
                .map(|at| end * f64::from(at) / f64::from(POINTS))
                .map(|nines| (nines, micros(1.0 - 10_f64.powf(-nines)).max(1.0).log10()))
                .collect();
            lowest = points.iter().map(|(_, y)| 10_f64.powf(*y)).fold(lowest, f64::min);
            highest = points.iter().map(|(_, y)| 10_f64.powf(*y)).fold(highest, f64::max);
            nines = nines.max(end);
            let name = if results.len() > 1 { format!("{name}: {}", latency.name) } else { latency.name.clone() };
            drawn.push(Line { name, points });
        }
    }
    if drawn.is_empty() {
        return Ok(String::new());
    }
    let mut marks: Vec<(f64, String)> = vec![(0.0, "0 %".to_owned()), (2_f64.log10(), "50 %".to_owned())];
    let all = ["90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"];
    marks.extend(all.iter().zip(1..).map(|(word, at)| (f64::from(at), (*word).to_owned())).filter(|(at, _)| *at <= nines));
    let x = Axis { title: "of the messages are no later than".to_owned(), from: 0.0, to: nines, marks };
    let y = Axis::powers("µs", lowest, highest);
    Ok(lines(&x, &y, &drawn) + &key(&drawn))
}

/// A value that each pair of looks gives: when, and how much.
type Value = fn(&Outcome, usize) -> Option<(f64, f64)>;

#[expect(clippy::cast_precision_loss, reason = "figures to plot")]
fn rate(outcome: &Outcome, at: usize) -> Option<(f64, f64)> {
    let (before, sample) = (outcome.samples.get(at.checked_sub(SMOOTH)?)?, outcome.samples.get(at)?);
    let units = sample.units.saturating_sub(before.units) as f64;
    let units = if outcome.unit == "GiB" { units / (1_u64 << 30) as f64 } else { units };
    Some((sample.seconds, units / (sample.seconds - before.seconds)))
}

fn cpu(outcome: &Outcome, at: usize) -> Option<(f64, f64)> {
    let (before, sample) = (outcome.samples.get(at.checked_sub(SMOOTH)?)?, outcome.samples.get(at)?);
    Some((sample.seconds, (sample.cpu_seconds? - before.cpu_seconds?) / (sample.seconds - before.seconds)))
}

#[expect(clippy::cast_precision_loss, reason = "figures to plot")]
fn memory(outcome: &Outcome, at: usize) -> Option<(f64, f64)> {
    let sample = outcome.samples.get(at)?;
    Some((sample.seconds, sample.resident_bytes? as f64 / f64::from(1 << 20)))
}

fn over_time(results: &[(String, Outcome)], unit: &str, value: Value) -> String {
    let drawn: Vec<Line> = results
        .iter()
        .map(|(name, outcome)| Line {
            name: name.clone(),
            points: (0..outcome.samples.len()).filter_map(|at| value(outcome, at)).collect(),
        })
        .filter(|line| !line.points.is_empty())
        .collect();
    let highest = |of: fn(&(f64, f64)) -> f64| drawn.iter().flat_map(|line| &line.points).map(of).fold(0.0, f64::max);
    let (end, top) = (highest(|point| point.0), highest(|point| point.1));
    if drawn.is_empty() || top <= 0.0 {
        return String::new();
    }
    let key = if drawn.len() > 1 { key(&drawn) } else { String::new() };
    lines(&Axis::linear("seconds", end), &Axis::linear(unit, top), &drawn) + &key
}

fn key(drawn: &[Line]) -> String {
    let items = drawn.iter().enumerate();
    let items: String =
        items.map(|(at, line)| format!("<li><span class=\"c{}\"></span>{}</li>", at % COLOURS, escaped(&line.name))).collect();
    format!("<ul class=\"key\">{items}</ul>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::some;

    #[test]
    fn a_page_is_in_one_piece_and_its_text_is_no_markup() {
        let page = page("a & b", &[("<x>".into(), some(2.0, &[10, 20, 4000])), ("y".into(), some(3.0, &[7]))]).unwrap();
        assert!(page.contains("<title>a &amp; b</title>") && page.contains("&lt;x&gt;: there and back"));
        for outside in ["http://", "https://", "src=", "<script", "<link", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
    }

    #[test]
    fn results_without_latencies_or_samples_have_a_page_too() {
        let mut outcome = some(1.0, &[]);
        outcome.samples.clear();
        let page = page("t", &[("x".into(), outcome)]).unwrap();
        assert!(!page.contains("<svg") && page.contains("<table>"));
    }
}
