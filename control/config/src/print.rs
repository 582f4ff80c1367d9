//! The model as `ns.conf`: only what differs from defaults, one command per line, whatever is referred to before who refers to it.

use std::fmt::Display;

use crate::catalog::{Command, Op, commands};
use crate::model::{KeptFor, Model};
use crate::text::word::word;

/// A line, with the object that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Printed {
    /// Verb; that of a kept line is not known.
    pub(crate) op: Op,
    /// `vpn vserver`; empty for kept lines.
    pub(crate) command: &'static str,
    /// The object's name; empty if the command has none.
    pub(crate) object: Box<str>,
    /// The line.
    pub(crate) text: String,
}

impl Model {
    /// The configuration as text that reads back equal, one command per line. An open password is not in it: [`seal`](Self::seal)
    /// the model first, or the user has no password when the text is read again.
    #[must_use]
    pub fn print(&self) -> String {
        let mut text = String::new();
        for line in lines(self) {
            text.push_str(&line.text);
            text.push('\n');
        }
        text
    }

    /// The text of a saved file: the two lines that every file begins with, then [`print`](Self::print). `modified` is the time in
    /// the form of C's `ctime`: `Mon Jan  2 15:04:05 2026`.
    #[must_use]
    pub fn print_saved(&self, modified: &str) -> String {
        format!("{}\n# Last modified by `save config`, {modified}\n{}", release(), self.print())
    }
}

/// The line that a file begins with: which release wrote it.
pub(crate) fn release() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let (release, build) = version.rsplit_once('.').unwrap_or((version, "0"));
    format!("#SG{release} Build {build}")
}

/// All lines of a model, in the order of a saved file.
pub(crate) fn lines(model: &Model) -> Vec<Printed> {
    let printing = |command: &&'static Command| {
        let command = *command;
        command.forms.iter().filter_map(move |form| form.print.map(|(rank, print)| (rank, command, print)))
    };
    let mut forms: Vec<_> = commands().iter().flat_map(printing).collect();
    forms.sort_by_key(|(rank, ..)| *rank);
    let mut kept = model.kept_lines.iter().peekable();
    let mut lines = Vec::new();
    for (at, (rank, command, print)) in forms.iter().enumerate() {
        let mut writer = Writer { model, command, lines };
        print(model, &mut writer);
        lines = writer.lines;
        let next = forms.get(at + 1).map(|(rank, ..)| *rank);
        if next != Some(*rank) {
            while let Some(line) = kept.next_if(|line| next.is_none_or(|next| line.rank < next)) {
                lines.push(Printed { op: Op::Set, command: "", object: "".into(), text: line.text.to_string() });
            }
        }
    }
    lines
}

/// The lines about the objects of one command, without those that are kept as they were written. Objects of several commands may be
/// in one table; then one command of their group prints them all, in the order in which they were made.
pub(crate) fn lines_of(model: &Model, command: &'static Command) -> Vec<Printed> {
    let prints = |command: &Command| command.forms.iter().any(|form| form.print.is_some());
    let group = commands().iter().copied().filter(|other| other.group == command.group);
    let printing: Vec<_> = if prints(command) { vec![command] } else { group.collect() };
    let mut lines = Vec::new();
    for command in printing {
        let mut writer = Writer { model, command, lines };
        for (_, print) in command.forms.iter().filter_map(|form| form.print) {
            print(model, &mut writer);
        }
        lines = writer.lines;
    }
    lines.retain(|line| line.command == command.words);
    lines
}

/// Collects lines.
pub(crate) struct Writer<'m> {
    model: &'m Model,
    command: &'static Command,
    lines: Vec<Printed>,
}

impl<'m> Writer<'m> {
    /// Whose form is printed, for those that print the objects of any command.
    pub(crate) const fn command(&self) -> &'static Command {
        self.command
    }

    /// Begins a line about `object`, which may be empty. Its name is not yet written.
    pub(crate) fn line<'w>(&'w mut self, op: Op, command: &'static Command, object: &str) -> LineWriter<'w, 'm> {
        let text = format!("{} {}", op.word(), command.words);
        LineWriter { writer: self, op, command, object: object.into(), text, says_something: op != Op::Set, carries: false }
    }
}

/// Collects the words of a line.
#[must_use = "nothing is written without `end`"]
pub(crate) struct LineWriter<'w, 'm> {
    writer: &'w mut Writer<'m>,
    op: Op,
    command: &'static Command,
    object: Box<str>,
    text: String,
    says_something: bool,
    carries: bool,
}

impl LineWriter<'_, '_> {
    pub(crate) fn word(mut self, value: impl Display) -> Self {
        self.text.push(' ');
        self.text.push_str(&word(&value.to_string()));
        self
    }

    /// A word that is the point of the line, unlike a name that only says whose arguments follow.
    pub(crate) fn says(mut self, value: impl Display) -> Self {
        self.says_something = true;
        self.word(value)
    }

    pub(crate) fn switch(mut self, keyword: &str) -> Self {
        self.text.push_str(" -");
        self.text.push_str(keyword);
        self.says_something = true;
        self
    }

    pub(crate) fn keyword(self, keyword: &str, value: impl Display) -> Self {
        self.switch(keyword).word(value)
    }

    pub(crate) fn keyword_if(self, keyword: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.keyword(keyword, value),
            None => self,
        }
    }

    /// Several values, with commas; nothing if there are none.
    pub(crate) fn list(self, keyword: &str, values: impl IntoIterator<Item = impl Display>) -> Self {
        let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
        if values.is_empty() { self } else { self.keyword(keyword, values.join(",")) }
    }

    /// A value that is written if it is not the default.
    pub(crate) fn differs<T: PartialEq>(self, keyword: &str, value: &T, default: &T, show: impl FnOnce(&T) -> String) -> Self {
        if value == default { self } else { self.keyword(keyword, show(value)) }
    }

    /// Has the line carry the object's kept arguments though another verb makes such objects.
    pub(crate) fn carrying(mut self) -> Self {
        self.carries = true;
        self
    }

    /// Ends the line. A `set` that says nothing is dropped.
    pub(crate) fn end(mut self) {
        if self.carries || self.op.word() == self.command.carrier() {
            let at = KeptFor { command: self.command.words, object: self.object.clone() };
            for argument in self.writer.model.kept_arguments.get(&at).into_iter().flatten() {
                self.text.push_str(" -");
                self.text.push_str(&argument.keyword);
                for value in &argument.values {
                    self.text.push(' ');
                    self.text.push_str(&word(value));
                }
                self.says_something = true;
            }
        }
        if self.says_something {
            self.writer.lines.push(Printed { op: self.op, command: self.command.words, object: self.object, text: self.text });
        }
    }
}

/// A switch of the `ENABLED`/`DISABLED` kind.
pub(crate) fn enabled(on: &bool) -> String {
    if *on { "ENABLED" } else { "DISABLED" }.to_owned()
}

/// A time in whole milliseconds.
pub(crate) fn millis(time: &std::time::Duration) -> String {
    time.as_millis().to_string()
}
