//! Which processes run: the last part of the path of each one's program, and the name that it gives itself.
//!
//! Of other users' processes only the second can be seen, of which the kernel keeps 15 bytes.

use std::collections::HashSet;

use super::Machine;
use super::read::{entries, text};

/// How much of a name the kernel keeps, in bytes.
const COMM_BYTES_MAX: usize = 15;

/// The names of what runs.
#[derive(Debug, Default)]
pub(super) struct Processes {
    programs: HashSet<String>,
    names: HashSet<String>,
}

impl Processes {
    /// Those of `machine`.
    pub(super) fn running(machine: &Machine) -> Self {
        let mut all = Self::default();
        for entry in entries(&machine.at("proc")) {
            if !entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit) {
                continue;
            }
            let Some((name, state)) = name_and_state(&text(&entry.path().join("stat"))).map(|(n, s)| (n.to_owned(), s)) else {
                continue;
            };
            // What has ended and waits to be noticed does not run.
            if matches!(state, 'Z' | 'X' | 'x') {
                continue;
            }
            all.names.insert(name);
            if let Ok(program) = std::fs::read_link(entry.path().join("exe"))
                && let Some(base) = program.file_name().and_then(|base| base.to_str())
            {
                // So says the kernel of a program that was replaced by an update while it runs.
                all.programs.insert(base.strip_suffix(" (deleted)").unwrap_or(base).to_owned());
            }
        }
        all
    }

    /// Whether `name` is among them, letter by letter.
    pub(super) fn has(&self, name: &str) -> bool {
        let kept = name.get(..COMM_BYTES_MAX).unwrap_or(name);
        self.programs.contains(name) || self.names.contains(kept)
    }
}

/// Of `12 (name) S 1 …`; the name may hold anything, brackets too.
fn name_and_state(stat: &str) -> Option<(&str, char)> {
    let (head, rest) = stat.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    Some((name, rest.trim_start().chars().next()?))
}
