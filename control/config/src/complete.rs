//! What could stand where the cursor is.

use crate::catalog::Command;

/// Something that could stand where the cursor is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The whole word, quoted if it must be.
    pub text: String,
    /// What it is, in a line.
    pub help: String,
    /// First byte of the word in the line that it takes the place of; that word ends at the cursor.
    pub start: usize,
}

/// What could stand in `line` at byte `cursor`. `names` tells the objects of a kind.
#[must_use]
pub fn complete(line: &str, cursor: usize, names: &dyn Fn(&'static Command) -> Vec<String>) -> Vec<Candidate> {
    let _ = (line, cursor, names);
    Vec::new()
}
