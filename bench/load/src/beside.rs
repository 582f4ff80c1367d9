//! Keystrokes of running sessions, watched alone and beside something else: what a storm is judged by.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::drive::SINCE_SENT;
use crate::report::Outcome;
use crate::stage::{self, Ended, Gateway, NAME, UNDER_LOAD, spread};

/// Who goes first on a core that several share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rank {
    /// Whoever comes.
    Any,
    /// The streams and their host: what is late shall be late in the gateway, so they are done as soon as they are due. In real time where
    /// that is allowed, else only before others.
    Streams,
    /// The storm.
    Storm,
}

impl Rank {
    /// Runs what is added to its arguments.
    pub(crate) fn command(self) -> Command {
        let real_time = ["--fifo", "10"];
        let allowed =
            |args| Command::new("chrt").args(args).arg("true").stderr(Stdio::null()).status().is_ok_and(|done| done.success());
        let (tool, args) = match self {
            Self::Any => ("nice", ["-n", "0"]),
            Self::Streams if allowed(real_time) => ("chrt", real_time),
            Self::Streams => ("nice", ["-n", "-10"]),
            Self::Storm => ("nice", ["-n", "5"]),
        };
        let mut command = Command::new(tool);
        command.args(args);
        command
    }
}

/// Keeps both cores awake, by something that gives way to everything, until it is dropped. A virtual core that sleeps is woken when the
/// host finds the time: on a shared one that is milliseconds for one wake-up in a hundred, which only who has little to do would suffer from.
/// Streams alone have little to do.
pub(crate) fn awake() -> Vec<Ended> {
    let spin = |core| {
        let mut command = Command::new("chrt");
        command.args(["--idle", "0", "taskset", "-c", core, "sh", "-c", "while :; do :; done"]).stdin(Stdio::null());
        command.spawn().ok().map(Ended)
    };
    [UNDER_LOAD, stage::beside()].into_iter().filter_map(spin).collect()
}

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

/// The same from the moment at which each message was really sent.
#[expect(clippy::cast_precision_loss, reason = "figures to print")]
pub(crate) fn p99_since_sent(outcome: &Outcome) -> f64 {
    let taken = outcome.latencies.iter().find(|latency| latency.name == SINCE_SENT).and_then(|latency| latency.histogram().ok());
    taken.map_or(0.0, |taken| taken.value_at_quantile(0.99) as f64)
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
