//! CPU time and memory of the process under load, from `/proc`.

use std::fs;

use crate::fault::{Fault, machine};

/// Clock ticks per second in `/proc/PID/stat`: 100 on Linux, whatever the kernel's own rate is.
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time of `pid` with all its threads, in seconds.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64, Fault> {
    // schedstat counts nanoseconds but per thread only; threads of a gateway live as long as it does.
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).map_err(machine(format!("look at process {pid}")))?;
    let mut nanoseconds = 0_u64;
    for task in tasks.flatten() {
        let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        nanoseconds += text.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    }
    if nanoseconds > 0 {
        #[expect(clippy::cast_precision_loss, reason = "a figure to print; 2^53 ns are a hundred days")]
        return Ok(nanoseconds as f64 / 1e9);
    }
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).map_err(machine(format!("look at process {pid}")))?;
    // The command's name may hold blanks; fields are counted behind its closing parenthesis.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
    Ok((ticks(11) + ticks(12)) / TICKS_PER_SECOND)
}

/// Memory of `pid` that is its own (proportional set size), in bytes.
pub(crate) fn memory_bytes(pid: u32) -> Result<u64, Fault> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).map_err(machine(path))?;
    let line = text.lines().find(|line| line.starts_with("Pss:")).unwrap_or_default();
    Ok(line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) * 1024)
}
