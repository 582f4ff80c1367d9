//! What runs against what a file says, for the tools: neither is applied, and no other file is opened.
//!
//! ```text
//!   answer to `show ns runningConfig -format json` ─► lines ─check─► model ─┐
//!   FILE ───────────────────────────────────────────────────check─► model ─┴─diff─► - what runs only, + what the file says only
//! ```
//!
//! Which certificates are named is compared, not what they hold.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::files::{FileError, Files, Purpose};
use crate::model::{Credential, Model};
use crate::text::visible::visible;
use crate::{Change, ChangeKind, Strictness, check, diff};

/// What a gateway is asked for what runs.
pub const QUESTION: &str = "show ns runningConfig -format json";

/// Why they cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotComparable {
    /// What the gateway said cannot be read.
    #[error("what the gateway says cannot be read; is this program as new as the gateway?\n{0}")]
    Running(String),
    /// The file has errors.
    #[error("{0}")]
    File(String),
}

/// What a piece of text is, for who colours it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// What runs only.
    Running,
    /// What the file says only.
    File,
    /// A remark.
    Remark,
}

/// Two configurations, compared.
#[derive(Debug)]
pub struct Compared {
    /// What leads from what runs to what the file says.
    pub changes: Vec<Change>,
    /// Users whose passwords cannot be compared: the file has them openly, the gateway hashed.
    pub users: Vec<String>,
}

impl Compared {
    /// Compares the gateway's answer to [`QUESTION`] with `text`, which messages call `file`.
    ///
    /// # Errors
    /// [`NotComparable`].
    pub fn answer_with_file(answer: &str, file: &str, text: &str) -> Result<Self, NotComparable> {
        let wanted = model(file, text).map_err(NotComparable::File)?;
        let lines = lines(answer).ok_or_else(|| NotComparable::Running(String::new()))?;
        Ok(Self::new(&model("running", &lines).map_err(NotComparable::Running)?, wanted))
    }

    fn new(running: &Model, mut file: Model) -> Self {
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

    /// For people. `paint` may colour each line.
    #[must_use]
    pub fn text(&self, file: &str, paint: impl Fn(Sort, &str) -> String) -> String {
        let mut text = String::new();
        if !self.changes.is_empty() {
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "{}", paint(Sort::Running, "--- running"));
            let _ = writeln!(text, "{}", paint(Sort::File, &format!("+++ {}", visible(file))));
        }
        for change in &self.changes {
            for (sign, sort, lines) in [('-', Sort::Running, &change.before), ('+', Sort::File, &change.after)] {
                for line in lines {
                    let _ = writeln!(text, "{}", paint(sort, &format!("{sign} {}", visible(line))));
                }
            }
        }
        for user in &self.users {
            let note = format!(
                "# user {}: the file has an open password, which cannot be compared with the hash that runs",
                visible(user)
            );
            let _ = writeln!(text, "{}", paint(Sort::Remark, &note));
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
            Purpose::Certificate | Purpose::Roots | Purpose::Form | Purpose::Agent | Purpose::Revoked => "CERTIFICATE",
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

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(running: &str, file: &str) -> Compared {
        Compared::new(&model("running", running).unwrap(), model("file", file).unwrap())
    }

    fn plain(_: Sort, text: &str) -> String {
        text.to_owned()
    }

    const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g";

    #[test]
    fn open_passwords_are_not_called_different() {
        let running = format!("add aaa user ann -password \"{HASH}\" -encrypted -hashmethod ARGON2ID\nset ns hostName gw1\n");
        let same = compared(&running, "add aaa user ann -password open\nset ns hostName gw1\n");
        assert!(same.changes.is_empty(), "{:?}", same.changes);
        assert_eq!(same.users, ["ann"]);
        assert!(same.text("f", plain).starts_with("# user ann: the file has an open password"));
        let json: Value = serde_json::from_str(&same.json()).unwrap();
        assert_eq!(json, json!({"equal": true, "changes": [], "passwordsNotCompared": ["ann"]}));
        // A user who does not run yet is new.
        assert_eq!(compared("", "add aaa user bob -password open\n").changes.len(), 1);
    }

    #[test]
    fn differences_have_signs() {
        let both = compared("set ns hostName gw1\n", "set ns hostName gw2\nadd ssl certKey c -cert a.pem -key a.key\n");
        let text = both.text("new.conf", plain);
        assert_eq!(
            text,
            "--- running\n+++ new.conf\n- set ns hostName gw1\n+ set ns hostName gw2\n+ add ssl certKey c -cert a.pem -key a.key\n"
        );
        let sorts = both.text("f", |sort, text| format!("{sort:?} {text}"));
        assert!(sorts.contains("Running - set ns hostName gw1\nFile + set ns hostName gw2\n"), "{sorts}");
    }

    #[test]
    fn what_the_gateway_says_is_read() {
        assert_eq!(*lines(r#"{"errorcode":0,"nsRunningConfig":[{"line":"a"},{"line":"b"}]}"#).unwrap(), "a\nb\n");
        assert_eq!(*lines(r#"{"errorcode":0}"#).unwrap(), "");
        assert!(lines("no json").is_none());
        assert!(lines(r#"{"nsRunningConfig":[{}]}"#).is_none());
        let answer = r#"{"errorcode":0,"nsRunningConfig":[{"line":"set ns hostName a"}]}"#;
        assert!(Compared::answer_with_file(answer, "f", "set ns hostName a\n").unwrap().changes.is_empty());
        assert_eq!(Compared::answer_with_file(answer, "f", "").unwrap().changes.len(), 1);
        assert!(matches!(Compared::answer_with_file("", "f", "").unwrap_err(), NotComparable::Running(_)));
        assert!(matches!(
            Compared::answer_with_file(answer, "f", "set ns worker -count 0\n").unwrap_err(),
            NotComparable::File(_)
        ));
    }
}
