//! A configuration as written: all lines in their order, cut into words, nothing judged.

use crate::text::line::{Line, lines};

/// A file as written.
#[derive(Clone, Debug, Default)]
pub struct Draft<'t> {
    /// Lines that say something, or try to, in order. Blank lines and comments are not among them.
    pub lines: Vec<Line<'t>>,
}

impl<'t> Draft<'t> {
    /// Cuts `text` into lines. Words are cut when a line's turn comes, so that a long file is never in memory as words.
    #[must_use]
    pub fn read(text: &'t str) -> Self {
        Self { lines: lines(text).filter(says_something).collect() }
    }
}

/// Whether a line is neither blank nor a comment.
pub(crate) fn says_something(line: &Line<'_>) -> bool {
    line.text.trim_start().chars().next().is_some_and(|c| c != '#')
}
