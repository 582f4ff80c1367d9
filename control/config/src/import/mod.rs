//! A NetScaler's `ns.conf` in, ours out, and a report of what became of every line.
//!
//! ```text
//!   line ─adapt─► line as we say it ─lower─► model ─print─► text
//!     │ note          │                        │
//!     └───────────────┴── fate ────────────────┴─► report: carried over, kept without effect, to be entered again, refused
//! ```
//!
//! It only reads: no file that the configuration names is opened, nothing is carried out, and no line, however strange, stops it.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::Strictness;
use crate::catalog::Effect;
use crate::catalog::resolve::{NotFound, Place as At, Target, find};
use crate::code::Code;
use crate::draft::Draft;
use crate::files::{FileError, Files, Loaded, Purpose};
use crate::lower::{Done, Lowering};
use crate::model::authentication::View;
use crate::model::{Credential, Model};
use crate::paste;
use crate::problem::{PROBLEMS_MAX, Problem, Severity};
use crate::text::line::{FILE_BYTES_MAX, Line};
use crate::text::visible::visible;

pub use report::{Changed, Kept, Report};

mod adapt;
mod report;

/// Characters that are told of a word that nobody knows.
const WORD_CHARS_MAX: usize = 32;

/// What came of a file.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Our configuration, with the lines that a saved file begins with.
    pub text: String,
    /// What became of every line.
    pub report: Report,
}

/// Reads the text of a file that its reader calls `name`.
#[must_use]
pub fn import(name: &str, text: &str) -> Imported {
    let mut reading = Reading {
        lowering: Lowering::onto(Model::default(), Loaded::default(), Strictness::Lenient).called(name),
        report: Report::of(name),
    };
    if text.len() > FILE_BYTES_MAX {
        let cause = format!("a configuration has at most {FILE_BYTES_MAX} bytes");
        reading.report.refuse(problem(name, Severity::Error, Code::InvalidArgument, "", cause));
    } else {
        reading.all(&Draft::read(text));
    }
    reading.finish(name)
}

/// Stands for files on another machine: every one is there, and nothing is in it that could be used.
struct Elsewhere;

impl Files for Elsewhere {
    fn read(&self, _: &Path, purpose: Purpose) -> Result<Zeroizing<Vec<u8>>, FileError> {
        let label = match purpose {
            Purpose::Certificate | Purpose::Roots | Purpose::Form | Purpose::Agent | Purpose::Revoked => "CERTIFICATE",
            Purpose::Key => "PRIVATE KEY",
        };
        Ok(Zeroizing::new(format!("-----BEGIN {label}-----\n-----END {label}-----\n").into_bytes()))
    }
}

/// What kind of command a line is.
enum Class {
    Ours(&'static str),
    Resting(String, &'static str),
    Unknown,
}

fn class(text: &str) -> Class {
    let lexed = paste::words(text);
    match find(&lexed.tokens, At::File, false) {
        Ok(found) => match found.target {
            Target::Form(command, _) => match command.effect {
                Effect::Never(why) => Class::Resting(command.words.to_owned(), why),
                Effect::AtOnce | Effect::NewSessions | Effect::Restart => Class::Ours(command.words),
            },
            Target::Show(_) | Target::Ask(_) => Class::Unknown,
        },
        Err(NotFound { recognised: Some(known), .. }) => Class::Resting(known.words, known.why),
        Err(_) => Class::Unknown,
    }
}

/// The words that a line begins with; further ones could be secrets.
fn first_words(text: &str) -> String {
    let words: Vec<String> =
        text.split_ascii_whitespace().take(2).map(|word| word.chars().take(WORD_CHARS_MAX).collect()).collect();
    words.join(" ")
}

struct Reading {
    lowering: Lowering,
    report: Report,
}

impl Reading {
    fn all(&mut self, draft: &Draft<'_>) {
        let mut waiting: Vec<(usize, Zeroizing<String>)> = Vec::new();
        for line in &draft.lines {
            self.report.lines += 1;
            let adapted = adapt::line(line.text);
            if let Some((_, note)) = &adapted {
                self.report.change(line.number, note);
            }
            // A line may hold a secret; a copy of it is wiped.
            let text = adapted.map_or_else(|| Zeroizing::new(line.text.to_owned()), |(text, _)| Zeroizing::new(text));
            if !self.line(Line { number: line.number, text: &text }, true) {
                waiting.push((line.number, text));
            }
        }
        // Objects refer to objects a few deep; each round carries out at least one line, or is the last.
        loop {
            let before = waiting.len();
            waiting.retain(|(number, text)| !self.line(Line { number: *number, text }, true));
            if waiting.is_empty() || waiting.len() == before {
                break;
            }
        }
        for (number, text) in &waiting {
            self.line(Line { number: *number, text }, false);
        }
    }

    /// Whether the line has met its fate.
    fn line(&mut self, line: Line<'_>, may_wait: bool) -> bool {
        let lines_kept = self.lowering.model.kept_lines.len();
        if let Done::Later = self.lowering.line(&line, &Elsewhere, may_wait) {
            return false;
        }
        let kept = self.lowering.model.kept_lines.len() > lines_kept;
        let told = self.lowering.told();
        if told.iter().any(Problem::is_error) {
            told.into_iter().filter(Problem::is_error).for_each(|problem| self.report.refuse(problem));
            return true;
        }
        match class(line.text) {
            Class::Unknown => self.report.keep(first_words(line.text), report::UNKNOWN),
            Class::Resting(words, why) => self.report.keep(words, why),
            Class::Ours(words) if kept => self.report.keep(words.to_owned(), "what it binds has no effect here"),
            Class::Ours(words) => self.report.carry(words, &told),
        }
        for problem in told {
            // The others are counted with the arguments and lines without effect.
            let counted = [Code::NotImplemented, Code::NoSuchCommand, Code::Incomplete, Code::AmbiguousCommand];
            if problem.code == Code::ValueMissing {
                self.report.enter_again(problem);
            } else if problem.code == Code::NoSuchArgument {
                self.report.unknown_arguments += 1;
            } else if !counted.contains(&problem.code) {
                self.report.warn(problem);
            }
        }
        true
    }

    fn finish(mut self, name: &str) -> Imported {
        let model = &mut self.lowering.model;
        for (certificate, pair) in model.certificates.iter_mut() {
            for path in std::iter::once(&mut pair.certificate).chain(pair.key.as_mut()) {
                if let Some(relative) = relative(path) {
                    self.report.paths.push(format!(
                        "ssl certKey {certificate}: {} is now {}",
                        path.display(),
                        relative.display()
                    ));
                    *path = relative;
                }
            }
        }
        for (schema, object) in model.authentication.schemas.iter_mut() {
            if let View::File(path) = &mut object.view
                && let Ok(below) = path.strip_prefix("/nsconfig/loginschema").map(Path::to_owned)
            {
                let note = format!("authentication loginSchema {schema}: {} is now {}", path.display(), below.display());
                self.report.paths.push(note);
                *path = below;
            }
        }
        self.open_secrets(name);
        self.report.sort();
        let header = crate::print::release();
        let text = format!("{header}\n# Imported from {}\n{}", visible(name), self.lowering.model.print());
        Imported { text, report: self.report }
    }

    /// Secrets that stood there openly are never printed, so they have to be entered again.
    fn open_secrets(&mut self, name: &str) {
        let model = &self.lowering.model;
        let users = model.users.iter().map(|(name, user)| ("aaa user", name, &user.credential));
        let administrators = model.administrators.iter().map(|(name, admin)| ("system user", name, &admin.credential));
        let open = users.chain(administrators).filter(|(.., credential)| matches!(credential, Credential::Plain(_)));
        let open: Vec<String> = open.map(|(words, user, _)| format!("{words} {user}")).collect();
        for about in open {
            let cause = "a password that stands openly in a file is not copied".to_owned();
            self.report.enter_again(problem(name, Severity::Warning, Code::ValueMissing, &about, cause));
        }
    }
}

/// A path of the other product's folder of certificates, as it is below our configuration's folder.
fn relative(path: &Path) -> Option<PathBuf> {
    let below = ["/nsconfig/ssl", "/flash/nsconfig/ssl"].into_iter().find_map(|folder| path.strip_prefix(folder).ok())?;
    (!below.as_os_str().is_empty()).then(|| below.to_owned())
}

fn problem(file: &str, severity: Severity, code: Code, about: &str, cause: String) -> Problem {
    Problem { severity, code, about: about.to_owned(), cause, cure: None, file: file.into(), place: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_other_product_become_relative() {
        for (path, expected) in [
            ("/nsconfig/ssl/a.cert", Some("a.cert")),
            ("/flash/nsconfig/ssl/sub/a.cert", Some("sub/a.cert")),
            ("/nsconfig/ssl", None),
            ("/nsconfig/ssl2/a.cert", None),
            ("a.cert", None),
            ("/etc/a.cert", None),
        ] {
            assert_eq!(relative(Path::new(path)), expected.map(PathBuf::from), "{path}");
        }
    }
}
