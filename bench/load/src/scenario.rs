//! What all scenarios have in common: options, a network namespace and a folder to be played in, and a document for their figures.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::fault::Fault;
use crate::stage;

/// What this program says to itself when it runs in a network namespace already.
pub(crate) const INSIDE: &str = "--inside";

/// Options of every scenario.
#[derive(Clone, Debug, Args)]
pub(crate) struct Scenario {
    /// The gateway's binary.
    #[arg(long)]
    pub(crate) gateway: PathBuf,
    /// A few seconds in all: shows that everything works, its figures mean nothing.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Rounds; medians and ranges are over these.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Write the tables into this file, between their marks.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// The network namespace is there already.
    #[arg(long, hide = true)]
    inside: bool,
}

impl Scenario {
    /// Plays it in a folder of its own, within a network namespace of its own where that is allowed: there this program runs again.
    pub(crate) fn play(&self, play: impl FnOnce(&Path) -> Result<(), Fault>) -> Result<(), Fault> {
        if !self.inside {
            let again: Vec<String> = std::env::args().skip(1).chain([INSIDE.to_owned()]).collect();
            if stage::in_namespace(&again)? {
                return Ok(());
            }
        }
        stage::in_folder(play)
    }

    /// How often; at least once.
    pub(crate) fn rounds(&self) -> usize {
        if self.quick { 1 } else { self.rounds.max(1) }
    }

    /// Writes `table` between the marks of this name, where that is wanted.
    pub(crate) fn write(&self, marks: &str, table: &str) -> Result<(), Fault> {
        self.write.as_ref().map_or(Ok(()), |path| stage::write_between(path, marks, table))
    }
}
