//! What was measured: a table for people, JSON for programs, with machine, commit and command beside it.

use std::fs;
use std::io::Write as _;
use std::process::Command;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::Load;
use crate::fault::{Fault, machine};

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
    /// Latency percentiles in microseconds: 50, 90, 99, 99.9, highest. Empty if none was taken.
    pub(crate) latency_us: Vec<u64>,
    /// Memory per session, in idle mode.
    pub(crate) bytes_per_session: Option<u64>,
    /// Where and how.
    pub(crate) made_with: Provenance,
}

/// Where a figure comes from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Provenance {
    /// Processor and kernel.
    pub(crate) machine: String,
    /// Of the source, if there is a repository.
    pub(crate) commit: String,
    /// As typed.
    pub(crate) command: String,
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
        let mut words: Vec<String> = std::env::args().collect();
        if let Some(program) = words.first_mut() {
            *program = program.rsplit('/').next().unwrap_or_default().to_owned();
        }
        Self {
            machine: format!("{cores} × {}, Linux {}", model.unwrap_or("unknown processor"), kernel.trim()),
            commit: commit.unwrap_or_else(|| "unknown".to_owned()),
            command: words.join(" "),
        }
    }
}

impl Outcome {
    pub(crate) fn new(unit: &'static str, units: f64, seconds: f64, cpu: Option<f64>, latency: &Histogram<u64>) -> Self {
        let latency_us = if latency.is_empty() {
            Vec::new()
        } else {
            let mut list: Vec<u64> = [0.5, 0.9, 0.99, 0.999].iter().map(|q| latency.value_at_quantile(*q)).collect();
            list.push(latency.max());
            list
        };
        Self {
            unit: unit.to_owned(),
            units,
            seconds,
            cpu_seconds: cpu,
            cpu_per_unit: cpu.map(|cpu| cpu / units),
            latency_us,
            bytes_per_session: None,
            made_with: Provenance::here(),
        }
    }

    /// The unit behind a number.
    fn plural(&self) -> String {
        if self.unit == "GiB" { self.unit.clone() } else { format!("{}s", self.unit) }
    }

    fn table(&self) -> String {
        let mut text = format!("{:<28}{:.3} {} in {:.2} s\n", "done", self.units, self.plural(), self.seconds);
        text += &format!("{:<28}{:.1} {}/s\n", "rate", self.units / self.seconds, self.plural());
        if let (Some(cpu), Some(each)) = (self.cpu_seconds, self.cpu_per_unit) {
            text += &format!("{:<28}{cpu:.3} s, {:.1} % of one core\n", "CPU of the process", cpu / self.seconds * 100.0);
            text += &format!("{:<28}{:.3} µs\n", format!("CPU per {}", self.unit), each * 1e6);
        }
        if let [p50, p90, p99, p999, max] = self.latency_us[..] {
            text += &format!("{:<28}p50 {p50}  p90 {p90}  p99 {p99}  p99.9 {p999}  max {max}\n", "latency, µs");
        }
        if let Some(bytes) = self.bytes_per_session {
            text += &format!("{:<28}{bytes} B\n", "memory per session");
        }
        text += &format!("{:<28}{}\n{:<28}{}\n", "machine", self.made_with.machine, "commit", self.made_with.commit);
        text + &format!("{:<28}{}", "command", self.made_with.command)
    }
}

/// Shows a result as its load asks.
pub(crate) fn show(load: &Load, outcome: &Outcome) -> Result<(), Fault> {
    let json = serde_json::to_string_pretty(outcome).unwrap_or_default();
    match &load.json {
        Some(path) if path.as_os_str() == "-" => say(&json),
        Some(path) => {
            fs::write(path, json + "\n").map_err(machine(path.display().to_string()))?;
            say(&outcome.table());
        }
        None => say(&outcome.table()),
    }
    Ok(())
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
