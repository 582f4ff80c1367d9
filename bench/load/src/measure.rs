//! CPU time and memory of the process under load, with its children, from `/proc`.
//!
//! ```text
//!   Process::of(pid) ─► read ─► [ window ] ─► read ─► until: seconds, and of which threads
//! ```

use std::collections::BTreeMap;
use std::fs;

use crate::fault::{Fault, machine};

/// Clock ticks per second in `/proc/PID/stat`: 100 on Linux, whatever the kernel's own rate is.
const TICKS_PER_SECOND: f64 = 100.0;
/// Threads up to which a reading is cheap enough to be taken many times within a window.
const THREADS_FEW: usize = 64;

/// The process under load, with the children that it has when it is looked at first.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pids: Vec<u32>,
}

/// What a process has used so far.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    /// Of the whole process, threads that have ended included, in seconds. To a hundredth of a second.
    coarse: f64,
    /// Names and nanoseconds of the threads that there are.
    threads: BTreeMap<u32, (String, u64)>,
}

/// What was used between two readings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Used {
    /// User and system time, in seconds.
    pub(crate) seconds: f64,
    /// Of that, by name of the thread. Empty if threads came or went, since nobody counts for them then.
    pub(crate) by_thread: BTreeMap<String, f64>,
}

impl Process {
    /// `pid` and whatever it has started.
    pub(crate) fn of(pid: u32) -> Self {
        let mut parents = BTreeMap::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(child) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            if let Some(parent) = stat(child).and_then(|fields| fields.get(1)?.parse::<u32>().ok()) {
                parents.insert(child, parent);
            }
        }
        let mut pids = vec![pid];
        let mut at = 0;
        while let Some(&parent) = pids.get(at) {
            pids.extend(parents.iter().filter(|(_, of)| **of == parent).map(|(child, _)| *child));
            at += 1;
        }
        Self { pids }
    }

    /// The process and its children, the process first.
    pub(crate) fn pids(&self) -> &[u32] {
        &self.pids
    }

    /// What it has used so far.
    pub(crate) fn read(&self) -> Result<Reading, Fault> {
        let mut reading = Reading { coarse: 0.0, threads: BTreeMap::new() };
        for (at, &pid) in self.pids.iter().enumerate() {
            let fields = match stat(pid) {
                Some(fields) => fields,
                None if at == 0 => return Err(Fault::Gone(pid)),
                // A child may have done its work.
                None => continue,
            };
            let ticks = |at: usize| fields.get(at).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
            reading.coarse += (ticks(11) + ticks(12)) / TICKS_PER_SECOND;
            for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
                let Some(thread) = task.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
                let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
                let Some(spent) = text.split(' ').next().and_then(|n| n.parse::<u64>().ok()) else { continue };
                let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
                reading.threads.insert(thread, (name.trim().to_owned(), spent));
            }
        }
        Ok(reading)
    }

    /// Whether a reading costs next to nothing.
    pub(crate) fn is_small(&self) -> bool {
        self.pids.iter().flat_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).ok()).map(Iterator::count).sum::<usize>()
            <= THREADS_FEW
    }

    /// Memory that is its own (proportional set size), in bytes.
    pub(crate) fn memory_bytes(&self) -> Result<u64, Fault> {
        let mut bytes = 0;
        for (at, pid) in self.pids.iter().enumerate() {
            let path = format!("/proc/{pid}/smaps_rollup");
            let text = match fs::read_to_string(&path) {
                Err(fault) if at == 0 => return Err(machine(path)(fault)),
                text => text.unwrap_or_default(),
            };
            let line = text.lines().find(|line| line.starts_with("Pss:")).unwrap_or_default();
            bytes += line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) * 1024;
        }
        Ok(bytes)
    }

    /// Memory that is resident, shared or not, in bytes: cheaper to ask for.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let of = |pid: &u32| {
            let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            text.lines().find(|line| line.starts_with("VmRSS:"))?.split_whitespace().nth(1)?.parse::<u64>().ok()
        };
        self.pids.iter().filter_map(of).sum::<u64>() * 1024
    }
}

impl Reading {
    /// What was used from here to there.
    pub(crate) fn until(&self, later: &Self) -> Used {
        if !self.threads.keys().eq(later.threads.keys()) {
            return Used { seconds: later.coarse - self.coarse, by_thread: BTreeMap::new() };
        }
        let mut used = Used::default();
        for (thread, (name, after)) in &later.threads {
            let before = self.threads.get(thread).map_or(0, |(_, before)| *before);
            #[expect(clippy::cast_precision_loss, reason = "a figure to print; 2^53 ns are a hundred days")]
            let seconds = after.saturating_sub(before) as f64 / 1e9;
            used.seconds += seconds;
            *used.by_thread.entry(name.clone()).or_default() += seconds;
        }
        used
    }
}

/// The fields of `/proc/PID/stat` behind the command's name, which may hold blanks: from the state onwards.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text.rsplit(')').next()?.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_seen_in_the_process_that_does_it_and_its_children_count() {
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let process = Process::of(std::process::id());
        assert!(process.pids().contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        let me = Process { pids: vec![std::process::id()] };
        let before = me.read().unwrap();
        let mut sum = 0_u64;
        while me.read().unwrap().coarse <= before.coarse {
            sum = (0..100_000).fold(sum, |sum, n| std::hint::black_box(sum ^ n));
        }
        assert!(before.until(&me.read().unwrap()).seconds > 0.0);
        assert!(me.memory_bytes().unwrap() > 0);
        assert!(me.resident_bytes() > 0);
    }

    #[test]
    fn threads_that_come_or_go_make_it_count_in_ticks() {
        let reading = |coarse, threads: &[(u32, u64)]| Reading {
            coarse,
            threads: threads.iter().map(|(thread, spent)| (*thread, ("t".to_owned(), *spent))).collect(),
        };
        let same = reading(1.0, &[(1, 10), (2, 20)]).until(&reading(2.0, &[(1, 1_000_000_010), (2, 500_000_020)]));
        assert!((same.seconds - 1.5).abs() < 1e-9);
        assert!((same.by_thread["t"] - 1.5).abs() < 1e-9);
        let other = reading(1.0, &[(1, 10), (2, 20)]).until(&reading(2.5, &[(1, 10), (3, 20)]));
        assert!((other.seconds - 1.5).abs() < 1e-9);
        assert!(other.by_thread.is_empty());
    }
}
