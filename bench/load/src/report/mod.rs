//! What was measured: a table for people, JSON for programs, latencies for HdrHistogram's plotter, a page with plots.

mod hgrm;
mod html;
mod plot;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::Load;
use crate::drive::histogram;
use crate::fault::{Fault, machine};
use crate::scenario::INSIDE;

pub(crate) use html::{escaped, page, whole};
pub(crate) use plot::{Bar, bars};

/// The result of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// What a unit of work is.
    pub(crate) unit: String,
    /// How many were done in the window.
    pub(crate) units: f64,
    /// Length of the window.
    pub(crate) seconds: f64,
    /// CPU time of the process under load in the window, if one was named.
    pub(crate) cpu_seconds: Option<f64>,
    /// Of that, per unit.
    pub(crate) cpu_per_unit: Option<f64>,
    /// Of that, by name of the thread.
    #[serde(default)]
    pub(crate) cpu_by_thread: BTreeMap<String, f64>,
    /// Latency percentiles in microseconds: 50, 90, 99, 99.9, highest. Empty if none was taken. Of the first kind, if there are several.
    pub(crate) latency_us: Vec<u64>,
    /// Latencies by kind, in full.
    #[serde(default)]
    pub(crate) latencies: Vec<Latency>,
    /// Memory of the process under load at the end of the window.
    #[serde(default)]
    pub(crate) memory_bytes: Option<u64>,
    /// Memory per session, where connections cost little else.
    pub(crate) bytes_per_session: Option<u64>,
    /// Bytes that slow readers took.
    #[serde(default)]
    pub(crate) carried_bytes: Option<u64>,
    /// Handshakes that were short ones.
    #[serde(default)]
    pub(crate) resumed: u64,
    /// Connections that were due and came to nothing.
    #[serde(default)]
    pub(crate) failed: u64,
    /// Seconds from the first connection's beginning until all were up, where they stay.
    #[serde(default)]
    pub(crate) opened_seconds: Option<f64>,
    /// What was done and used so far, many times within the window.
    #[serde(default)]
    pub(crate) samples: Vec<Sample>,
    /// Where and how.
    pub(crate) made_with: Provenance,
}

/// Latencies of one kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) name: String,
    /// Microseconds, and how often: to three digits.
    pub(crate) counts: Vec<(u64, u64)>,
}

/// A look at a window while it runs.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// Since the window began.
    pub(crate) seconds: f64,
    /// Units done since then. Bytes, where the unit is GiB.
    pub(crate) units: u64,
    /// CPU time of the process under load since then.
    pub(crate) cpu_seconds: Option<f64>,
    /// Its resident memory.
    pub(crate) resident_bytes: Option<u64>,
}

/// Where a figure comes from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Provenance {
    /// Processor and kernel.
    pub(crate) machine: String,
    /// What else the machine does: its load average over a minute.
    #[serde(default)]
    pub(crate) load_average: f64,
    /// Of the source, if there is a repository.
    pub(crate) commit: String,
    /// As typed.
    pub(crate) command: String,
}

/// Results to show again, together.
#[derive(Clone, Debug, Args)]
pub(crate) struct Shown {
    /// Results of earlier runs, as `--json` wrote them.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The page to write.
    #[arg(long, value_name = "FILE")]
    html: PathBuf,
}

impl Provenance {
    /// Of this process.
    pub(crate) fn here() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(": ").nth(1));
        let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let commit = Command::new("git").args(["rev-parse", "--short=10", "HEAD"]).output().ok();
        let commit = commit.map(|done| String::from_utf8_lossy(&done.stdout).trim().to_owned()).filter(|text| !text.is_empty());
        // Programs that run themselves again, inside a namespace, say so to themselves only.
        let mut words: Vec<String> = std::env::args().filter(|word| word != INSIDE).collect();
        if let Some(program) = words.first_mut() {
            *program = program.rsplit('/').next().unwrap_or_default().to_owned();
        }
        let average = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Self {
            machine: format!("{cores} × {}, Linux {}", model.unwrap_or("unknown processor"), kernel.trim()),
            load_average: average.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0.0),
            commit: commit.unwrap_or_else(|| "unknown".to_owned()),
            command: words.join(" "),
        }
    }
}

impl Latency {
    pub(crate) fn new(name: &str, taken: &Histogram<u64>) -> Self {
        let counts = taken.iter_recorded().map(|at| (at.value_iterated_to(), at.count_at_value())).collect();
        Self { name: name.to_owned(), counts }
    }

    /// As it was taken.
    pub(crate) fn histogram(&self) -> Result<Histogram<u64>, Fault> {
        let mut all = histogram()?;
        for (micros, count) in &self.counts {
            all.saturating_record_n(*micros, *count);
        }
        Ok(all)
    }
}

/// 50, 90, 99, 99.9 and the highest.
fn percentiles(latency: &Histogram<u64>) -> Vec<u64> {
    if latency.is_empty() {
        return Vec::new();
    }
    let mut list: Vec<u64> = [0.5, 0.9, 0.99, 0.999].iter().map(|q| latency.value_at_quantile(*q)).collect();
    list.push(latency.max());
    list
}

impl Outcome {
    pub(crate) fn new(unit: &'static str, units: f64, seconds: f64, cpu: Option<f64>, latency: &Histogram<u64>) -> Self {
        Self {
            unit: unit.to_owned(),
            units,
            seconds,
            cpu_seconds: cpu,
            cpu_per_unit: cpu.map(|cpu| cpu / units).filter(|each| each.is_finite()),
            cpu_by_thread: BTreeMap::new(),
            latency_us: percentiles(latency),
            latencies: Vec::new(),
            memory_bytes: None,
            bytes_per_session: None,
            carried_bytes: None,
            resumed: 0,
            failed: 0,
            opened_seconds: None,
            samples: Vec::new(),
            made_with: Provenance::here(),
        }
    }

    /// This part of a load and another. What concerns the process under load is in the first.
    pub(crate) fn with(mut self, other: &Self) -> Result<Self, Fault> {
        self.units += other.units;
        self.cpu_per_unit = self.cpu_seconds.map(|cpu| cpu / self.units);
        self.seconds = self.seconds.max(other.seconds);
        self.resumed += other.resumed;
        self.failed += other.failed;
        self.opened_seconds = self.opened_seconds.zip(other.opened_seconds).map(|(a, b)| a.max(b));
        self.carried_bytes = self.carried_bytes.zip(other.carried_bytes).map(|(a, b)| a + b);
        for (mine, theirs) in self.latencies.iter_mut().zip(&other.latencies) {
            let mut both = mine.histogram()?;
            // Both have the same bounds, so this cannot fail.
            let _ = both.add(theirs.histogram()?);
            *mine = Latency::new(&mine.name, &both);
        }
        for (mine, theirs) in self.samples.iter_mut().zip(&other.samples) {
            mine.units += theirs.units;
        }
        let first = self.latencies.first().map(Latency::histogram).transpose()?;
        self.latency_us = first.as_ref().map(percentiles).unwrap_or_default();
        // What was typed, not how this program began itself again.
        self.made_with = Provenance::here();
        Ok(self)
    }

    /// The unit behind a number.
    fn plural(&self) -> String {
        if self.unit == "GiB" { self.unit.clone() } else { format!("{}s", self.unit) }
    }

    /// A number of units: whole, but for GiB.
    fn amount(&self, units: f64) -> String {
        if self.unit == "GiB" { format!("{units:.3}") } else { format!("{units:.0}") }
    }

    /// Seconds for a unit, as people say it: a GiB takes whole ones, all else takes microseconds.
    fn each(&self, seconds: f64) -> String {
        if self.unit == "GiB" { format!("{seconds:.3} s") } else { format!("{:.3} µs", seconds * 1e6) }
    }

    /// Names and values, as tables show them.
    pub(crate) fn lines(&self) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        let mut line = |name: &str, value: String| lines.push((name.to_owned(), value));
        let (done, units, seconds) = (self.amount(self.units), self.plural(), self.seconds);
        if self.unit == "session" {
            // They are there; nothing is done with them.
            line("held", format!("{done} {units} for {seconds:.2} s"));
        } else {
            line("done", format!("{done} {units} in {seconds:.2} s"));
            line("rate", format!("{} {units}/s", self.amount(self.units / seconds)));
        }
        if self.resumed > 0 {
            line("resumed", format!("{} of them", self.resumed));
        }
        if self.failed > 0 {
            line("failed", format!("{} connections", self.failed));
        }
        if let Some(seconds) = self.opened_seconds {
            line("connections up in", format!("{seconds:.2} s"));
        }
        if let Some(bytes) = self.carried_bytes {
            #[expect(clippy::cast_precision_loss, reason = "a figure to print")]
            line("carried", format!("{:.1} KiB/s", bytes as f64 / 1024.0 / self.seconds));
        }
        if let (Some(cpu), Some(each)) = (self.cpu_seconds, self.cpu_per_unit) {
            line("CPU of the process", format!("{cpu:.3} s, {:.1} % of one core", cpu / self.seconds * 100.0));
            line(&format!("CPU per {}", self.unit), self.each(each));
            for (name, seconds) in self.cpu_by_thread.iter().filter(|_| self.cpu_by_thread.len() > 1) {
                line(&format!("  thread {name}"), self.each(seconds / self.units));
            }
        }
        for latency in self.latencies.iter().filter(|latency| !latency.counts.is_empty()) {
            if let Ok([p50, p90, p99, p999, max]) = latency.histogram().map(|all| percentiles(&all)).as_deref() {
                line(&format!("{}, µs", latency.name), format!("p50 {p50}  p90 {p90}  p99 {p99}  p99.9 {p999}  max {max}"));
            }
        }
        if let (true, [p50, p90, p99, p999, max]) = (self.latencies.is_empty(), &self.latency_us[..]) {
            line("latency, µs", format!("p50 {p50}  p90 {p90}  p99 {p99}  p99.9 {p999}  max {max}"));
        }
        if let Some(bytes) = self.bytes_per_session {
            line("memory per session", format!("{bytes} B"));
        }
        if let Some(bytes) = self.memory_bytes {
            line("memory of the process", format!("{} KiB", bytes / 1024));
        }
        line("machine", format!("{}, load {:.2}", self.made_with.machine, self.made_with.load_average));
        line("commit", self.made_with.commit.clone());
        line("command", self.made_with.command.clone());
        lines
    }

    fn table(&self) -> String {
        self.lines().iter().map(|(name, value)| format!("{name:<28}{value}")).collect::<Vec<_>>().join("\n")
    }
}

/// Shows a result as its load asks.
pub(crate) fn show(load: &Load, outcome: &Outcome) -> Result<(), Fault> {
    let json = serde_json::to_string_pretty(outcome).unwrap_or_default();
    if load.member.is_some() {
        say(&json);
        return Ok(());
    }
    if let Some(path) = &load.hgrm {
        hgrm::write_all(path, outcome)?;
    }
    if let Some(path) = &load.html {
        write(path, &page("sluice-load", &[(outcome.made_with.command.clone(), outcome.clone())])?)?;
    }
    match &load.json {
        Some(path) if path.as_os_str() == "-" => say(&json),
        Some(path) => {
            write(path, &(json + "\n"))?;
            say(&outcome.table());
        }
        None => say(&outcome.table()),
    }
    Ok(())
}

/// Shows earlier results together, on one page.
pub(crate) fn again(shown: &Shown) -> Result<(), Fault> {
    let mut results = Vec::new();
    for path in &shown.files {
        let text = fs::read_to_string(path).map_err(machine(path.display().to_string()))?;
        let outcome: Outcome = serde_json::from_str(&text)
            .map_err(|fault| Fault::Tool { tool: path.display().to_string(), said: format!("is no result: {fault}") })?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        results.push((name, outcome));
    }
    write(&shown.html, &page("sluice-load", &results)?)
}

/// Writes a file.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Fault> {
    fs::write(path, text).map_err(machine(path.display().to_string()))
}

/// Prints a line; a reader that has gone away has seen enough.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Prints why there is no result.
pub(crate) fn complain(fault: &Fault) {
    let mut line = fault.to_string();
    let mut cause = std::error::Error::source(fault);
    while let Some(inner) = cause {
        line = format!("{line}: {inner}");
        cause = inner.source();
    }
    let _ = writeln!(std::io::stderr(), "sluice-load: {line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn some(units: f64, micros: &[u64]) -> Outcome {
        let mut taken = histogram().unwrap();
        micros.iter().for_each(|micros| taken.saturating_record(*micros));
        let mut outcome = Outcome::new("message", units, 2.0, Some(0.5), &taken);
        outcome.latencies = vec![Latency::new("there and back", &taken)];
        outcome.samples = vec![Sample { seconds: 1.0, units: 5, cpu_seconds: Some(0.25), resident_bytes: Some(1 << 20) }];
        outcome
    }

    #[test]
    fn parts_of_a_load_add_up() {
        let both = some(2.0, &[10, 20]).with(&some(3.0, &[30, 40, 50])).unwrap();
        assert_eq!(both.units, 5.0);
        assert_eq!((both.cpu_seconds, both.cpu_per_unit), (Some(0.5), Some(0.1)), "only the first looks at the process");
        assert_eq!(both.latency_us, [30, 50, 50, 50, 50]);
        assert_eq!(both.samples[0].units, 10);
    }

    #[test]
    fn units_are_shown_as_people_count_them() {
        let lines = |unit: &'static str| {
            let outcome = Outcome::new(unit, 3.0, 2.0, Some(1.5), &histogram().unwrap());
            outcome.lines().into_iter().map(|(_, value)| value).collect::<Vec<_>>()
        };
        assert_eq!(lines("GiB")[..2], ["3.000 GiB in 2.00 s", "1.500 GiB/s"]);
        assert_eq!(lines("GiB")[3], "0.500 s");
        assert_eq!(lines("message")[..2], ["3 messages in 2.00 s", "2 messages/s"]);
        assert_eq!(lines("message")[3], "500000.000 µs");
    }

    #[test]
    fn a_result_is_read_back_as_it_was_written() {
        let outcome = some(2.0, &[10, 2000, 300_000]);
        let json = serde_json::to_string(&outcome).unwrap();
        let back: Outcome = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), json);
        assert_eq!(percentiles(&back.latencies[0].histogram().unwrap()), outcome.latency_us);
    }
}
