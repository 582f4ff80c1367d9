//! Several processes that carry out one load: this program, begun again for each part.
//!
//! ```text
//!   first process ─┬─► member 0 ── "ready" ──┐                 ┌─► window ─► result as JSON ─┐
//!                  └─► member n ── "ready" ──┴─ "go" to all ───┴─► window ─► result as JSON ─┴─► sum
//! ```
//!
//! Member 0 looks at the process under load. How much memory that had before is looked up here, before anybody connects.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{ChildStdin, ChildStdout, Stdio};

use crate::Load;
use crate::beside::Rank;
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

/// Processes that carry out one load together.
pub(crate) struct Crew(Vec<Begun>);

/// Carries out `work` with `load.processes` of them.
pub(crate) fn run(load: &Load, work: &Work) -> Result<Outcome, Fault> {
    let before = load.pid.filter(|_| work.wants_memory()).map(|pid| Process::of(pid).memory_bytes()).transpose()?;
    let mut args: Vec<OsString> = std::env::args_os().skip(1).collect();
    args.extend(before.iter().flat_map(|bytes| ["--memory-before".into(), bytes.to_string().into()]));
    let mut crew = Crew::begin(Rank::Any, &args, load.processes)?;
    let mut progress = Progress::new(true);
    crew.ready(&mut progress)?;
    crew.go()?;
    progress.show(0.5, || "the window is open".to_owned());
    crew.finish()
}

impl Crew {
    /// This program, `of` times, with `args`.
    pub(crate) fn begin(rank: Rank, args: &[OsString], of: usize) -> Result<Self, Fault> {
        (0..of).map(|number| begin(rank, args, number, of)).collect::<Result<_, _>>().map(Self)
    }

    /// Waits until all connections of all of them work.
    pub(crate) fn ready(&mut self, progress: &mut Progress) -> Result<(), Fault> {
        let of = self.0.len();
        for (number, member) in self.0.iter_mut().enumerate() {
            let mut line = String::new();
            member.says.read_line(&mut line).map_err(machine("listen to a process"))?;
            if line.trim() != READY {
                return Err(Fault::Tool { tool: format!("process {number}"), said: line });
            }
            progress.show(0.0, || format!("{} of {of} processes are ready", number + 1));
        }
        Ok(())
    }

    /// Opens the window of all of them.
    pub(crate) fn go(&mut self) -> Result<(), Fault> {
        self.0.iter_mut().try_for_each(|member| writeln!(member.told, "{GO}")).map_err(machine("begin the window"))
    }

    /// What they did together, once all have ended.
    pub(crate) fn finish(mut self) -> Result<Outcome, Fault> {
        let mut all: Option<Outcome> = None;
        for (number, member) in self.0.iter_mut().enumerate() {
            let mut text = String::new();
            member.says.read_to_string(&mut text).map_err(machine("listen to a process"))?;
            let _ = member.process.0.wait();
            let part: Outcome =
                serde_json::from_str(&text).map_err(|_| Fault::Tool { tool: format!("process {number}"), said: text })?;
            all = Some(if let Some(sum) = all { sum.with(&part)? } else { part });
        }
        all.ok_or(Fault::Nothing("there was no process"))
    }
}

fn begin(rank: Rank, args: &[OsString], number: usize, of: usize) -> Result<Begun, Fault> {
    let mut command = rank.command();
    command.arg(own_binary()?).args(args).arg("--member").arg(format!("{number}/{of}"));
    let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
    let mut process = Ended(started.map_err(machine("begin a process"))?);
    match (process.0.stdin.take(), process.0.stdout.take()) {
        (Some(told), Some(says)) => Ok(Begun { process, told, says: BufReader::new(says) }),
        _ => Err(Fault::Nothing("a process cannot be talked to")),
    }
}
