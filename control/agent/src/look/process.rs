//! Which processes run: the last part of the path of each one's program, and the name that it gives itself.
//!
//! ```text
//!   /proc/N/exe   ─► a wanted program?  ─► runs
//!   /proc/N/comm  ─► a wanted name?     ─► /proc/N/stat: not a zombie ─► runs
//! ```
//!
//! Of other users' processes only the second can be seen, of which the kernel keeps 15 bytes. The line of `stat` costs the kernel most, so it is
//! asked for last.

use std::collections::HashSet;
use std::path::Path;

use super::Machine;
use super::read::{entries, line};

/// How much of a name the kernel keeps, in bytes.
const COMM_BYTES_MAX: usize = 15;

/// Those of the wanted names under which something runs.
#[derive(Debug, Default)]
pub(super) struct Processes<'n> {
    running: HashSet<&'n str>,
}

impl<'n> Processes<'n> {
    /// Looks for `wanted` on `machine`, in one pass over its processes, until all have been found.
    pub(super) fn looked_for(machine: &Machine, wanted: impl Iterator<Item = &'n str>) -> Self {
        let mut missing: Vec<&str> = wanted.collect();
        missing.sort_unstable();
        missing.dedup();
        let mut all = Self::default();
        for entry in entries(&machine.at("proc")) {
            if missing.is_empty() {
                break;
            }
            if !entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit) {
                continue;
            }
            let process = entry.path();
            let Some(names) = Names::of(&process) else { continue };
            missing.retain(|&name| {
                let is_it = names.has(name);
                if is_it {
                    all.running.insert(name);
                }
                !is_it
            });
        }
        all
    }

    /// Whether something runs as `name`, letter by letter. Only what was looked for is found.
    pub(super) fn has(&self, name: &str) -> bool {
        self.running.contains(name)
    }
}

/// Whether the process whose folder of `/proc` is `process` runs and has the name `name`, in either way.
pub(crate) fn is_called(process: &Path, name: &str) -> bool {
    Names::of(process).is_some_and(|names| names.has(name))
}

/// The names of one process.
struct Names<'p> {
    process: &'p Path,
    program: Option<String>,
    own: String,
}

impl<'p> Names<'p> {
    fn of(process: &'p Path) -> Option<Self> {
        let program = std::fs::read_link(process.join("exe")).ok();
        let base = program.as_deref().and_then(|program| program.file_name()?.to_str());
        // So says the kernel of a program that was replaced by an update while it runs.
        let program = base.map(|base| base.strip_suffix(" (deleted)").unwrap_or(base).to_owned());
        let own = line(&process.join("comm"))?;
        Some(Self { process, program, own })
    }

    fn has(&self, name: &str) -> bool {
        // What has ended has no program any more, but keeps its own name until that is noticed.
        self.program.as_deref() == Some(name) || self.own == kept(name) && !has_ended(self.process)
    }
}

fn kept(name: &str) -> &str {
    name.get(..COMM_BYTES_MAX).unwrap_or(name)
}

fn has_ended(process: &Path) -> bool {
    // `12 (name) S 1 …`; the name may hold anything, brackets too.
    let stat = line(&process.join("stat"));
    let state = stat.as_deref().and_then(|stat| stat.rsplit_once(')')?.1.trim_start().chars().next());
    state.is_none_or(|state| matches!(state, 'Z' | 'X' | 'x'))
}
