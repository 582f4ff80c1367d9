//! Keystrokes of running sessions, watched alone and beside something else: what a storm is judged by.

use std::net::SocketAddr;
use std::path::Path;

use crate::report::Outcome;
use crate::stage::{self, Gateway, NAME, spread};

/// Niceness of the streams: they share a core with the storm, and what is late shall be late in the gateway.
pub(crate) const STREAMS_NICE: &str = "-10";
/// Niceness of the storm.
pub(crate) const STORM_NICE: &str = "5";

/// What any load on `gateway` is told that others are beside.
pub(crate) fn load(mode: &[&str], gateway: &Gateway, dir: &Path, seconds: f64) -> Vec<String> {
    let mut args: Vec<String> = mode.iter().map(ToString::to_string).collect();
    let (target, pid) = (gateway.target.to_string(), gateway.pid().to_string());
    args.extend(
        ["--target", &target, "--name", NAME, "--core", stage::beside(), "--json", "-", "--pid", &pid].map(str::to_owned),
    );
    args.extend(["--ca".to_owned(), dir.join("ca.pem").display().to_string(), "--seconds".to_owned(), seconds.to_string()]);
    args
}

/// Keystrokes of 50 sessions, 20 a second each, on schedule.
pub(crate) fn streams(gateway: &Gateway, dir: &Path, host: SocketAddr, seconds: f64) -> Vec<String> {
    let (sta, host) = (gateway.sta.to_string(), host.to_string());
    load(
        &["echo", "--size", "64", "--connections", "50", "--rate", "1000", "--sta", &sta, "--host", &host],
        gateway,
        dir,
        seconds,
    )
}

#[expect(clippy::cast_precision_loss, reason = "figures to print")]
fn latency(outcome: &Outcome, at: usize) -> f64 {
    outcome.latency_us.get(at).copied().unwrap_or(0) as f64
}

/// The 99th percentile, in microseconds.
pub(crate) fn p99(outcome: &Outcome) -> f64 {
    latency(outcome, 2)
}

/// A figure of all rounds: the median, and the lowest and highest behind it.
pub(crate) fn shown(figures: impl Iterator<Item = f64>, digits: usize) -> String {
    let (median, low, high) = spread(figures.collect());
    format!("{median:.digits$} ({low:.digits$}–{high:.digits$})")
}

/// Cells of a table: p50, p90, p99, p99.9 and the highest.
pub(crate) fn percentiles<'o>(outcomes: impl Iterator<Item = &'o Outcome> + Clone) -> String {
    let cell = |at| shown(outcomes.clone().map(|outcome| latency(outcome, at)), 0);
    (0..5).map(cell).collect::<Vec<_>>().join(" | ")
}
