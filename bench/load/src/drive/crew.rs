//! Several processes that carry out one load: this program, begun again for each part.
//!
//! ```text
//!   first process ─┬─► member 0 ── "ready" ──┐                 ┌─► window ─► result as JSON ─┐
//!                  └─► member n ── "ready" ──┴─ "go" to all ───┴─► window ─► result as JSON ─┴─► sum
//! ```
//!
//! Member 0 looks at the process under load. How much memory that had before is looked up here, before anybody connects.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use crate::Load;
use crate::drive::Work;
use crate::drive::gate::{GO, READY};
use crate::fault::{Fault, machine};
use crate::measure::Process;
use crate::progress::Progress;
use crate::report::Outcome;
use crate::stage::{Ended, own_binary};

struct Begun {
    process: Ended,
    told: ChildStdin,
    says: BufReader<ChildStdout>,
}

/// Carries out `work` with `load.processes` of them.
pub(crate) fn run(load: &Load, work: &Work) -> Result<Outcome, Fault> {
    let before = load.pid.filter(|_| work.wants_memory()).map(|pid| Process::of(pid).memory_bytes()).transpose()?;
    let mut crew = (0..load.processes).map(|number| begin(load, number, before)).collect::<Result<Vec<_>, _>>()?;
    let mut progress = Progress::new(true);
    for (number, member) in crew.iter_mut().enumerate() {
        let mut line = String::new();
        member.says.read_line(&mut line).map_err(machine("listen to a process"))?;
        if line.trim() != READY {
            return Err(Fault::Tool { tool: format!("process {number}"), said: line });
        }
        progress.show(0.0, || format!("{} of {} processes are ready", number + 1, load.processes));
    }
    for member in &mut crew {
        writeln!(member.told, "{GO}").map_err(machine("begin the window"))?;
    }
    progress.show(0.5, || "the window is open".to_owned());
    let mut all: Option<Outcome> = None;
    for (number, member) in crew.iter_mut().enumerate() {
        let mut text = String::new();
        member.says.read_to_string(&mut text).map_err(machine("listen to a process"))?;
        let _ = member.process.0.wait();
        let part: Outcome =
            serde_json::from_str(&text).map_err(|_| Fault::Tool { tool: format!("process {number}"), said: text })?;
        all = Some(if let Some(sum) = all { sum.with(&part)? } else { part });
    }
    all.ok_or(Fault::Nothing("there was no process"))
}

fn begin(load: &Load, number: usize, before: Option<u64>) -> Result<Begun, Fault> {
    let mut command = Command::new(own_binary()?);
    command.args(std::env::args_os().skip(1)).arg("--member").arg(format!("{number}/{}", load.processes));
    if let Some(bytes) = before {
        command.arg("--memory-before").arg(bytes.to_string());
    }
    let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
    let mut process = Ended(started.map_err(machine("begin a process"))?);
    match (process.0.stdin.take(), process.0.stdout.take()) {
        (Some(told), Some(says)) => Ok(Begun { process, told, says: BufReader::new(says) }),
        _ => Err(Fault::Nothing("a process cannot be talked to")),
    }
}
