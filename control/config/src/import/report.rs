//! What became of the lines of an imported file, for people and for machines.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::{PROBLEMS_MAX, Problem};
use crate::code::Code;
use crate::text::visible::visible;

/// What became of the lines of an imported file.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// As its reader calls it.
    pub file: String,
    /// Lines that say something.
    pub lines: usize,
    /// Lines that mean here what they meant there, by command.
    pub carried: BTreeMap<String, usize>,
    /// Arguments of those that have no effect here, by command.
    pub arguments: BTreeMap<String, BTreeMap<String, usize>>,
    /// Lines that are kept and have no effect, by the reason.
    pub kept: Vec<Kept>,
    /// Lines that were said differently.
    pub changed: Vec<Changed>,
    /// Files whose path was changed: they have to be copied there.
    pub paths: Vec<String>,
    /// Secrets that cannot be taken over.
    pub again: Vec<Problem>,
    /// Lines that are carried over and deserve a look.
    pub warnings: Vec<Problem>,
    /// Lines that are not in the new file.
    pub refused: Vec<Problem>,
    /// Problems of which there were too many to list.
    pub unlisted: usize,
    /// Arguments that nobody knows; they are kept.
    pub unknown_arguments: usize,
}

/// Lines without effect, for one reason.
#[derive(Clone, Debug, Serialize)]
pub struct Kept {
    /// Why they mean nothing here.
    pub reason: String,
    /// How many, by command.
    pub commands: BTreeMap<String, usize>,
}

/// A line that was said differently.
#[derive(Clone, Debug, Serialize)]
pub struct Changed {
    /// Counted from 1.
    pub line: usize,
    /// What and why.
    pub note: String,
}

impl Report {
    pub(super) fn of(file: &str) -> Self {
        Self { file: file.to_owned(), ..Self::default() }
    }

    pub(super) fn carry(&mut self, words: &str, told: &[Problem]) {
        *self.carried.entry(words.to_owned()).or_default() += 1;
        let without_effect = told.iter().filter(|problem| problem.code == Code::NotImplemented);
        for word in without_effect.flat_map(|problem| problem.about.split(' ')).filter(|word| !word.is_empty()) {
            *self.arguments.entry(words.to_owned()).or_default().entry(word.to_owned()).or_default() += 1;
        }
    }

    pub(super) fn keep(&mut self, words: String, why: &str) {
        let at = self.kept.iter().position(|kept| kept.reason == why);
        let at = at.unwrap_or_else(|| {
            self.kept.push(Kept { reason: why.to_owned(), commands: BTreeMap::new() });
            self.kept.len() - 1
        });
        if let Some(kept) = self.kept.get_mut(at) {
            *kept.commands.entry(words).or_default() += 1;
        }
    }

    pub(super) fn change(&mut self, line: usize, note: &str) {
        if self.changed.len() < PROBLEMS_MAX {
            self.changed.push(Changed { line, note: note.to_owned() });
        } else {
            self.unlisted += 1;
        }
    }

    pub(super) fn refuse(&mut self, problem: Problem) {
        list(&mut self.refused, problem, &mut self.unlisted);
    }

    pub(super) fn enter_again(&mut self, problem: Problem) {
        list(&mut self.again, problem, &mut self.unlisted);
    }

    pub(super) fn warn(&mut self, problem: Problem) {
        list(&mut self.warnings, problem, &mut self.unlisted);
    }

    /// By line: what waited for other lines comes late.
    pub(super) fn sort(&mut self) {
        for problems in [&mut self.again, &mut self.warnings, &mut self.refused] {
            problems.sort_by_key(|problem| problem.place.as_ref().map_or(usize::MAX, |place| place.line));
        }
    }

    /// Whether the new file has lines or arguments that nobody knows, so that it loads with `--lenient` only.
    #[must_use]
    pub fn needs_lenient(&self) -> bool {
        self.unknown_arguments > 0 || self.kept.iter().any(|kept| kept.reason == UNKNOWN)
    }

    /// One JSON object, on one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Text and numbers always serialise; an empty object would be the honest answer if they did not.
        serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned())
    }
}

/// The reason of lines that nobody knows.
pub(super) const UNKNOWN: &str = "nobody knows them";

fn list(problems: &mut Vec<Problem>, problem: Problem, unlisted: &mut usize) {
    if problems.len() < PROBLEMS_MAX {
        problems.push(problem);
    } else {
        *unlisted += 1;
    }
}

fn counted(counts: &BTreeMap<String, usize>) -> (usize, String) {
    let each: Vec<String> = counts.iter().map(|(words, count)| format!("{count} {words}")).collect();
    (counts.values().sum(), each.join(", "))
}

/// `FILE:LINE:COLUMN: error 1097: … [word]: cause`, on one line.
fn brief(problem: &Problem) -> String {
    let place = problem.place.as_ref().map_or_else(String::new, |place| format!(":{}:{}", place.line, place.column));
    let about = if problem.about.is_empty() { String::new() } else { format!(" [{}]", problem.about) };
    let cure = problem.cure.as_ref().map_or_else(String::new, |cure| format!("; {cure}"));
    visible(&format!("{}{place}: {}{about}: {}{cure}", problem.file, problem.code, problem.cause)).into_owned()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (carried, which) = counted(&self.carried);
        writeln!(f, "{}: {} lines", visible(&self.file), self.lines)?;
        writeln!(f, "carried over: {carried}{}", if which.is_empty() { String::new() } else { format!(" ({which})") })?;
        for (words, arguments) in &self.arguments {
            let names: Vec<&str> = arguments.keys().map(String::as_str).collect();
            writeln!(f, "    {words}: kept without effect: {}", names.join(" "))?;
        }
        let kept: usize = self.kept.iter().map(|kept| kept.commands.values().sum::<usize>()).sum();
        writeln!(f, "kept without effect: {kept}")?;
        for Kept { reason, commands } in &self.kept {
            let (count, which) = counted(commands);
            writeln!(f, "    {count}: {reason} ({which})")?;
        }
        section(
            f,
            "said differently",
            self.changed.iter().map(|c| format!("{}:{}: {}", visible(&self.file), c.line, visible(&c.note))),
        )?;
        section(f, "files to be copied", self.paths.iter().map(|path| visible(path).into_owned()))?;
        section(f, "to be entered again", self.again.iter().map(brief))?;
        section(f, "worth a look", self.warnings.iter().map(brief))?;
        section(f, "refused, not in the new file", self.refused.iter().map(brief))?;
        if self.unlisted > 0 {
            writeln!(f, "and {} more that are not listed", self.unlisted)?;
        }
        if self.needs_lenient() {
            writeln!(f, "the new file holds words that nobody knows, so it loads with --lenient only")?;
        }
        Ok(())
    }
}

fn section(f: &mut fmt::Formatter<'_>, title: &str, lines: impl ExactSizeIterator<Item = String>) -> fmt::Result {
    if lines.len() == 0 {
        return Ok(());
    }
    writeln!(f, "{title}: {}", lines.len())?;
    lines.into_iter().try_for_each(|line| writeln!(f, "    {line}"))
}
