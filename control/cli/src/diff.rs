//! `sluicectl diff running FILE`: what runs against what a file says.
//!
//! How they are compared: [`gate_config::compare`].

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use gate_config::compare::{Compared, NotComparable, QUESTION, Sort};

use crate::console::carry::read_file;
use crate::console::fault::{Fault, NO_GATEWAY, USAGE};
use crate::console::paint::{Ink, Paint};
use crate::console::talk::{Talk, socket};

/// Compare configurations.
#[derive(Clone, Debug, Args)]
pub struct Diff {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// What runs with what a file says. Exit code 0: they are equal; 1: they differ; 2: the file cannot be read; 3: no gateway.
    Running(Running),
    /// Any other comparison is the gateway's: `diff ns config`.
    #[command(external_subcommand)]
    Gateway(Vec<OsString>),
}

#[derive(Clone, Debug, Args)]
struct Running {
    /// The file, in the gateway's language.
    file: PathBuf,
    /// Where the gateway listens. Without it, SLUICEGATE_SOCKET, or /run/sluicegate/control.sock.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Why they cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum NotCompared {
    /// The gateway cannot be asked.
    #[error("{}", .0.in_words())]
    Gateway(Fault),
    /// It does not tell.
    #[error("the gateway does not say what runs: {0}")]
    Refused(String),
    /// The file cannot be read.
    #[error("{file}: {source}")]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What one of them says.
    #[error(transparent)]
    Content(#[from] NotComparable),
}

impl NotCompared {
    /// What a shell is told.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Gateway(_) | Self::Refused(_) | Self::Content(NotComparable::Running(_)) => NO_GATEWAY,
            Self::Unreadable { .. } | Self::Content(NotComparable::File(_)) => USAGE,
        }
    }
}

impl Diff {
    /// The words of a comparison that is the gateway's own.
    #[must_use]
    pub fn of_gateway(&self) -> Option<&[OsString]> {
        match &self.what {
            What::Gateway(words) => Some(words),
            What::Running(_) => None,
        }
    }

    /// Compares and prints. True: they are equal.
    ///
    /// # Errors
    /// [`NotCompared`].
    pub fn run(&self, at: Option<&Path>, paint: Paint, out: &mut dyn Write) -> Result<bool, NotCompared> {
        let What::Running(running) = &self.what else { return Ok(true) };
        let name = running.file.display().to_string();
        let unreadable = |source| NotCompared::Unreadable { file: running.file.clone(), source };
        let text = read_file(&name).map_err(unreadable)?;
        let mut talk = Talk::new(socket(running.socket.as_deref().or(at)), std::sync::Arc::default());
        let answer = talk.text(QUESTION).map_err(NotCompared::Gateway)?.map_err(NotCompared::Refused)?;
        let compared = Compared::answer_with_file(&answer, &name, &text)?;
        let ink = |sort, text: &str| {
            let ink = match sort {
                Sort::Running => Ink::Bad,
                Sort::File => Ink::Good,
                Sort::Remark => Ink::Odd,
            };
            paint.ink(ink, text).into_owned()
        };
        let shown = if running.json { compared.json() } else { compared.text(&name, ink) };
        // A reader that has gone away has seen enough.
        let _ = out.write_all(shown.as_bytes()).and_then(|()| out.flush());
        Ok(compared.changes.is_empty())
    }
}
