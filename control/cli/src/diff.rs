//! `sluicectl diff running FILE`: what runs against what a file says.
//!
//! ```text
//!   gateway ─ show ns runningConfig ─► lines ─check─► model ─┐
//!   FILE ─────────────────────────────────────check─► model ─┴─diff─► - what runs only, + what the file says only
//! ```
//!
//! Nothing is applied, and no other file is opened: which certificates are named is compared, not what they hold.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use gate_config::files::{FileError, Files, Purpose};
use gate_config::model::{Credential, Model};
use gate_config::text::visible::visible;
use gate_config::{ChangeKind, Strictness, check, diff};
use serde_json::{Value, json};
use zeroize::Zeroizing;

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
    /// What it said cannot be read.
    #[error("what the gateway says cannot be read; is sluicectl as new as the gateway?\n{0}")]
    Running(String),
    /// The file cannot be read.
    #[error("{file}: {source}")]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file has errors.
    #[error("{0}")]
    File(String),
}

impl NotCompared {
    /// What a shell is told.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Gateway(_) | Self::Refused(_) | Self::Running(_) => NO_GATEWAY,
            Self::Unreadable { .. } | Self::File(_) => USAGE,
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
        let file = model(&name, &text).map_err(NotCompared::File)?;
        let mut talk = Talk::new(socket(running.socket.as_deref().or(at)), std::sync::Arc::default());
        let answer = talk.text("show ns runningConfig -format json").map_err(NotCompared::Gateway)?;
        let lines = lines(&answer.map_err(NotCompared::Refused)?).ok_or_else(|| NotCompared::Running(String::new()))?;
        let running_model = model("running", &lines).map_err(NotCompared::Running)?;
        let compared = Compared::new(&running_model, file);
        let shown = if running.json { compared.json() } else { compared.text(&name, paint) };
        // A reader that has gone away has seen enough.
        let _ = out.write_all(shown.as_bytes()).and_then(|()| out.flush());
        Ok(compared.changes.is_empty())
    }
}

/// The lines of `show ns runningConfig` in JSON, where nothing of them is replaced to be shown.
fn lines(json: &str) -> Option<Zeroizing<String>> {
    let whole: Value = serde_json::from_str(json).ok()?;
    let rows = match whole.get("nsRunningConfig") {
        Some(rows) => rows.as_array()?.as_slice(),
        // Without rows the key is missing.
        None => &[],
    };
    let mut text = Zeroizing::new(String::with_capacity(json.len()));
    for row in rows {
        text.push_str(row.get("line")?.as_str()?);
        text.push('\n');
    }
    Some(text)
}

/// Stands for every file that a configuration names: which one it is, is what is compared.
struct AnyFile;

impl Files for AnyFile {
    fn read(&self, _: &Path, purpose: Purpose) -> Result<Zeroizing<Vec<u8>>, FileError> {
        let label = match purpose {
            Purpose::Certificate | Purpose::Roots | Purpose::Form => "CERTIFICATE",
            Purpose::Key => "PRIVATE KEY",
        };
        Ok(Zeroizing::new(format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n").into_bytes()))
    }
}

/// What a text means, or all that is wrong with it.
fn model(name: &str, text: &str) -> Result<Model, String> {
    let checked = check(name, text, Strictness::Lenient, &AnyFile);
    checked.model.ok_or_else(|| {
        let errors = checked.problems.iter().filter(|problem| problem.is_error());
        errors.map(ToString::to_string).collect::<Vec<_>>().join("\n")
    })
}

/// Two configurations, compared.
#[derive(Debug)]
pub struct Compared {
    /// What leads from what runs to what the file says.
    pub changes: Vec<gate_config::Change>,
    /// Users whose passwords cannot be compared: the file has them openly, the gateway hashed.
    pub users: Vec<String>,
}

impl Compared {
    /// Compares.
    #[must_use]
    pub fn new(running: &Model, mut file: Model) -> Self {
        let mut users = Vec::new();
        for (name, user) in file.users.iter_mut() {
            let Some(runs) = running.users.find(name.as_str()) else { continue };
            if matches!((&user.credential, &runs.credential), (Credential::Plain(_), Credential::Hashed(_))) {
                users.push(name.as_str().to_owned());
                user.credential = runs.credential.clone();
            }
        }
        Self { changes: diff(running, &file), users }
    }

    /// For people.
    #[must_use]
    pub fn text(&self, file: &str, paint: Paint) -> String {
        let mut text = String::new();
        if !self.changes.is_empty() {
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "{}", paint.ink(Ink::Bad, "--- running"));
            let _ = writeln!(text, "{}", paint.ink(Ink::Good, &format!("+++ {}", visible(file))));
        }
        for change in &self.changes {
            for (sign, ink, lines) in [('-', Ink::Bad, &change.before), ('+', Ink::Good, &change.after)] {
                for line in lines {
                    let _ = writeln!(text, "{}", paint.ink(ink, &format!("{sign} {}", visible(line))));
                }
            }
        }
        for user in &self.users {
            let note = format!(
                "# user {}: the file has an open password, which cannot be compared with the hash that runs",
                visible(user)
            );
            let _ = writeln!(text, "{}", paint.ink(Ink::Odd, &note));
        }
        text
    }

    /// For programs: one object on one line.
    #[must_use]
    pub fn json(&self) -> String {
        let kind = |kind| match kind {
            ChangeKind::Added => "ADDED",
            ChangeKind::Removed => "REMOVED",
            ChangeKind::Changed => "CHANGED",
        };
        let changes: Vec<Value> = self
            .changes
            .iter()
            .map(|change| {
                json!({
                    "command": change.command, "object": change.object, "change": kind(change.kind),
                    "running": change.before, "file": change.after,
                })
            })
            .collect();
        format!("{}\n", json!({"equal": self.changes.is_empty(), "changes": changes, "passwordsNotCompared": self.users}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(running: &str, file: &str) -> Compared {
        Compared::new(&model("running", running).unwrap(), model("file", file).unwrap())
    }

    const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g";

    #[test]
    fn open_passwords_are_not_called_different() {
        let running = format!("add aaa user ann -password \"{HASH}\" -encrypted -hashmethod ARGON2ID\nset ns hostName gw1\n");
        let same = compared(&running, "add aaa user ann -password open\nset ns hostName gw1\n");
        assert!(same.changes.is_empty(), "{:?}", same.changes);
        assert_eq!(same.users, ["ann"]);
        assert!(same.text("f", Paint::default()).starts_with("# user ann: the file has an open password"));
        let json: Value = serde_json::from_str(&same.json()).unwrap();
        assert_eq!(json, json!({"equal": true, "changes": [], "passwordsNotCompared": ["ann"]}));
        // A user who does not run yet is new.
        assert_eq!(compared("", "add aaa user bob -password open\n").changes.len(), 1);
    }

    #[test]
    fn differences_have_signs() {
        let both = compared("set ns hostName gw1\n", "set ns hostName gw2\nadd ssl certKey c -cert a.pem -key a.key\n");
        let text = both.text("new.conf", Paint::default());
        assert_eq!(
            text,
            "--- running\n+++ new.conf\n- set ns hostName gw1\n+ set ns hostName gw2\n+ add ssl certKey c -cert a.pem -key a.key\n"
        );
        assert!(both.text("f", Paint { colors: true, terminal: true }).contains("\x1b[31m- set ns hostName gw1\x1b[0m\n"));
    }

    #[test]
    fn what_the_gateway_says_is_read() {
        assert_eq!(*lines(r#"{"errorcode":0,"nsRunningConfig":[{"line":"a"},{"line":"b"}]}"#).unwrap(), "a\nb\n");
        assert_eq!(*lines(r#"{"errorcode":0}"#).unwrap(), "");
        assert!(lines("no json").is_none());
        assert!(lines(r#"{"nsRunningConfig":[{}]}"#).is_none());
    }
}
