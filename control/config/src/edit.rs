//! Lines applied to a configuration that is there: a wrong line changes nothing and does not stop the others.
//!
//! ```text
//!   running Model ──clone──► Editor ◄── line, line, …        each tells what was wrong with it
//!                               │
//!                               └─finish─► changed Model, files, what is wrong with it as a whole
//! ```
//!
//! Lines are read as [`check`](crate::check) reads those of a file. The model is cloned once, not per line.

use zeroize::Zeroizing;

use crate::Strictness;
use crate::draft::says_something;
use crate::files::{Files, Loaded};
use crate::lower::{Done, Lowering};
use crate::model::Model;
use crate::problem::Problem;
use crate::text::line::Line;

/// Applies lines to a copy of a configuration.
#[expect(missing_debug_implementations, reason = "holds private keys")]
pub struct Editor {
    lowering: Lowering,
    /// Lines that refer to something not yet made, with their numbers.
    waiting: Vec<(usize, Zeroizing<String>)>,
    lines: usize,
}

/// What came of a line.
#[derive(Debug)]
pub struct Applied {
    /// Its number, counted from 1 over all lines of this editor.
    pub number: usize,
    /// What is wrong with it; if one is an error, the line has changed nothing.
    pub problems: Vec<Problem>,
    /// It refers to something that does not exist; it is tried again when the editor is finished.
    pub waits: bool,
}

impl Applied {
    /// Whether the line was carried out.
    #[must_use]
    pub fn is_done(&self) -> bool {
        !self.waits && !self.problems.iter().any(Problem::is_error)
    }
}

/// What came of all lines.
#[expect(missing_debug_implementations, reason = "holds private keys")]
pub struct Edited {
    /// The changed configuration.
    pub model: Model,
    /// The files that it names.
    pub files: Loaded,
    /// What came of the lines that waited, in order.
    pub late: Vec<Applied>,
    /// Warnings about objects of these lines that only show now.
    pub whole: Vec<Problem>,
    /// What the lines that were carried out are about, in the order in which they were.
    pub touched: Vec<Touched>,
}

/// What a line is about that was carried out: for whoever finds out later that its object cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// Number of the line, as [`Applied::number`].
    pub line: usize,
    /// What kind of object: `vpn vserver`, also for a line of `ssl vserver`, which speaks of the same ones.
    pub kind: &'static str,
    /// Its name; empty if there is only one of its kind.
    pub object: Box<str>,
    /// It says of the object itself how it shall be. Else it ties it to another, or says something else of it.
    pub is_own: bool,
}

impl Editor {
    /// Begins with a copy of `model`. Files are read anew when a line names them.
    #[must_use]
    pub fn new(model: &Model, files: &Loaded, mode: Strictness) -> Self {
        Self { lowering: Lowering::onto(model.clone(), files.stale(), mode), waiting: Vec::new(), lines: 0 }
    }

    /// Applies a line. `files` reads those that it names.
    pub fn line(&mut self, text: &str, files: &dyn Files) -> Applied {
        self.lines += 1;
        let line = Line { number: self.lines, text };
        let mut waits = false;
        if says_something(&line) {
            waits = matches!(self.lowering.line(&line, files, true), Done::Later);
            if waits {
                self.waiting.push((self.lines, Zeroizing::new(text.to_owned())));
            }
        }
        Applied { number: self.lines, problems: self.lowering.told(), waits }
    }

    /// Tries lines that wait again, and gives the configuration.
    #[must_use]
    pub fn finish(mut self, files: &dyn Files) -> Edited {
        let mut late = Vec::new();
        let waiting = std::mem::take(&mut self.waiting);
        let numbers: Vec<usize> = waiting.iter().map(|(number, _)| *number).collect();
        let left = self.lowering.again(waiting, |(number, text)| Line { number: *number, text }, files);
        for (number, text) in left {
            self.lowering.line(&Line { number, text: &text }, files, false);
        }
        let mut problems = self.lowering.told();
        for number in numbers {
            let of = |problem: &mut Problem| problem.place.as_ref().is_some_and(|place| place.line == number);
            let problems = problems.extract_if(.., of).collect();
            late.push(Applied { number, problems, waits: false });
        }
        self.lowering.judge();
        // What was so before these lines is nothing to tell about them.
        let mut whole = self.lowering.told();
        whole.retain(|problem| problem.place.is_some());
        Edited { model: self.lowering.model, files: self.lowering.loaded, late, whole, touched: self.lowering.touched }
    }
}
