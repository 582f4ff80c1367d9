//! What start-up found out about this machine, line by line, for the log.

use std::fmt;

/// What was tried when an engine was opened, in order.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// One log line each.
    pub items: Vec<Item>,
    /// Why the poll engine was taken although the ring was wanted too. To be logged as a warning: it is slower for bulk.
    pub fallback: Option<String>,
}

impl Report {
    pub(crate) fn note(&mut self, subject: &'static str, outcome: Outcome, detail: impl Into<String>) {
        self.items.push(Item { subject, outcome, detail: detail.into() });
    }
}

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What: a rung of the set-up ladder, a probe, a step of the self-test.
    pub subject: &'static str,
    /// How it went.
    pub outcome: Outcome,
    /// More about it, for people. May be empty.
    pub detail: String,
}

/// How something that was tried went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It works here.
    Works,
    /// It is not there or not allowed; something else serves instead.
    Without,
    /// It does not work, so that this engine cannot be used.
    Fails,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Works => "works",
            Self::Without => "without",
            Self::Fails => "fails",
        })
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.outcome)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", self.detail) }
    }
}
