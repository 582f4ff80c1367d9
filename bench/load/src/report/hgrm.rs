//! Latencies as HdrHistogram's own tools print and plot them: value, percentile, count up to there, 1/(1-percentile).

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use hdrhistogram::Histogram;

use crate::fault::Fault;
use crate::report::{Outcome, write};

/// Lines for each halving of what is left.
const TICKS_PER_HALF: u32 = 5;

/// Writes the first kind of latency to `path`, and further ones beside it.
pub(super) fn write_all(path: &Path, outcome: &Outcome) -> Result<(), Fault> {
    for (at, latency) in outcome.latencies.iter().filter(|latency| !latency.counts.is_empty()).enumerate() {
        let place = if at == 0 { path.to_owned() } else { beside(path, &latency.name) };
        write(&place, &text(&latency.histogram()?))?;
    }
    Ok(())
}

/// `a.hgrm` and `web`: `a.web.hgrm`.
fn beside(path: &Path, name: &str) -> PathBuf {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    path.with_extension(format!("{}.{ending}", name.replace(' ', "-")).trim_end_matches('.'))
}

/// Milliseconds, as that format is wont to be.
fn text(latency: &Histogram<u64>) -> String {
    let mut text = format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    let mut count = 0;
    #[expect(clippy::cast_precision_loss, reason = "figures to print")]
    let ms = |micros: u64| micros as f64 / 1000.0;
    for at in latency.iter_quantiles(TICKS_PER_HALF) {
        count += at.count_since_last_iteration();
        let quantile = at.quantile_iterated_to();
        let _ = write!(text, "{:>12.3} {quantile:>14.12} {count:>10}", ms(at.value_iterated_to()));
        let _ = if quantile < 1.0 { writeln!(text, " {:>14.2}", 1.0 / (1.0 - quantile)) } else { writeln!(text) };
    }
    let _ = writeln!(text, "#[Mean    = {:>12.3}, StdDeviation   = {:>12.3}]", latency.mean() / 1000.0, latency.stdev() / 1000.0);
    let _ = writeln!(text, "#[Max     = {:>12.3}, Total count    = {:>12}]", ms(latency.max()), latency.len());
    let _ = writeln!(text, "#[Buckets = {:>12}, SubBuckets     = {:>12}]", latency.buckets(), 2048);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::histogram;

    #[test]
    fn every_message_is_counted_and_the_last_line_is_the_highest() {
        let mut latency = histogram().unwrap();
        (1..=1000).for_each(|micros| latency.saturating_record(micros));
        let text = text(&latency);
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).skip(1).collect();
        let columns = |line: &str| line.split_whitespace().map(|n| n.parse::<f64>().unwrap()).collect::<Vec<_>>();
        assert_eq!(columns(lines.last().unwrap()), [1.0, 1.0, 1000.0]);
        let middle = lines.iter().map(|line| columns(line)).find(|line| line[1] == 0.5).unwrap();
        assert_eq!(middle, [0.5, 0.5, 500.0, 2.0]);
        assert!(text.contains("#[Max     =        1.000, Total count    =         1000]"));
    }

    #[test]
    fn kinds_of_latency_stand_beside_each_other() {
        assert_eq!(beside(Path::new("/x/a.hgrm"), "connect to echo"), Path::new("/x/a.connect-to-echo.hgrm"));
        assert_eq!(beside(Path::new("a"), "web"), Path::new("a.web"));
    }
}
