//! An answer, collected so that it can be shown by the page.

use std::borrow::Cow;
use std::io::{self, Write as _};
use std::ops::ControlFlow;

use gate_config::text::visible::visible;
use gate_proto::frame::Say;
use ratatui::text::Line;

use crate::console::paint::{Ink, Paint};
use crate::console::print::tell;

/// Bytes of an answer that are held; what is longer is cut, with a word about that.
const HELD_BYTES_MAX: usize = 64 << 20;

/// What was said so far.
#[derive(Debug)]
pub struct Collected {
    paint: Paint,
    text: String,
    /// Texts come in pieces that may end within a line; they are painted as a whole.
    unpainted: String,
    complaint: Option<String>,
    progressing: bool,
    cut: bool,
    /// Break lines between words at this many columns, as prose wants.
    columns: Option<u16>,
}

impl Collected {
    /// Nothing yet.
    #[must_use]
    pub const fn new(paint: Paint) -> Self {
        Self {
            paint,
            text: String::new(),
            unpainted: String::new(),
            complaint: None,
            progressing: false,
            cut: false,
            columns: None,
        }
    }

    /// What comes is prose: lines are broken between words.
    pub const fn break_at(&mut self, columns: u16) {
        self.columns = Some(columns);
    }

    /// Takes a piece. Progress is shown at once.
    pub fn hear(&mut self, kind: Say, said: &str) -> ControlFlow<()> {
        match kind {
            Say::Text if self.unpainted.len() + self.text.len() + said.len() > HELD_BYTES_MAX => self.cut = true,
            Say::Text => self.unpainted.push_str(said),
            Say::Warning => self.tell(Ink::Odd, "Warning", said),
            Say::Error => {
                self.tell(Ink::Bad, "ERROR", said);
                self.complaint.get_or_insert_with(|| said.to_owned());
            }
            Say::Progress => {
                self.progressing = true;
                let mut out = io::stdout();
                let _ = write!(out, "\r\x1b[K{}", self.paint.ink(Ink::Faint, &visible(said))).and_then(|()| out.flush());
            }
            Say::End => {}
        }
        ControlFlow::Continue(())
    }

    /// Takes the line about progress off the terminal.
    pub fn wipe(&mut self) {
        if std::mem::take(&mut self.progressing) {
            let mut out = io::stdout();
            let _ = write!(out, "\r\x1b[K").and_then(|()| out.flush());
        }
    }

    /// Whether an error was said.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        self.complaint.is_some()
    }

    /// The first error that was said.
    #[must_use]
    pub fn complaint(&self) -> &str {
        self.complaint.as_deref().unwrap_or_default()
    }

    /// What there is, when no more will come.
    #[must_use]
    pub fn so_far(&self) -> String {
        format!("{}{}", self.text, self.paint.answer(&self.broken(&self.unpainted)))
    }

    /// The whole, with a mark before it and ` Done` behind it if that is so.
    #[must_use]
    pub fn finish(mut self, mark: Option<&str>, done: bool) -> String {
        if self.cut {
            self.tell(Ink::Odd, "Warning", "the answer was longer than can be shown here; use sluicectl in a pipe");
        }
        let mark = mark.map(|mark| format!("{}\n", self.paint.ink(Ink::Bad, mark))).unwrap_or_default();
        let mut whole = mark + &self.so_far();
        if !whole.is_empty() && !whole.ends_with('\n') {
            whole.push('\n');
        }
        if done {
            whole.push_str(" Done\n");
        }
        whole
    }

    fn tell(&mut self, ink: Ink, word: &str, said: &str) {
        self.paint_text();
        let mut line = Vec::new();
        // Writing to memory cannot fail.
        let _ = tell(&mut line, self.paint, ink, word, said);
        self.text.push_str(&String::from_utf8_lossy(&line));
    }

    fn broken<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.columns {
            Some(columns) => Cow::Owned(text.split_inclusive('\n').map(|line| broken(line, columns)).collect()),
            None => Cow::Borrowed(text),
        }
    }

    fn paint_text(&mut self) {
        let text = std::mem::take(&mut self.unpainted);
        let painted = self.paint.answer(&self.broken(&text)).into_owned();
        self.text.push_str(&painted);
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }
}

/// A line, broken between words so that no part is wider than `columns`; parts behind the first are further in.
fn broken(line: &str, columns: u16) -> String {
    let words = line.trim_start_matches('\t');
    let indent = 8 * (line.len() - words.len());
    let behind = format!("\n{:1$}", "", indent + 2);
    let mut broken = line[..line.len() - words.len()].to_owned();
    let mut at = indent;
    for word in words.split_inclusive(' ') {
        let width = Line::raw(word.trim_end()).width();
        if at > indent + 2 && at + width > usize::from(columns) {
            broken.truncate(broken.trim_end().len());
            broken.push_str(&behind);
            at = indent + 2;
        }
        broken.push_str(word);
        at += Line::raw(word.trim_end_matches('\n')).width();
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_broken_between_words() {
        assert_eq!(broken("one two three\n", 9), "one two\n  three\n");
        assert_eq!(broken("\t-a: one two three four\n", 20), "\t-a: one two\n          three four\n");
        assert_eq!(broken("averylongword another\n", 5), "averylongword\n  another\n");
        assert_eq!(broken("short\n", 80), "short\n");
        assert_eq!(broken("\n", 80), "\n");
        let mut collected = Collected::new(Paint::default());
        collected.break_at(9);
        assert!(collected.hear(Say::Text, "one two three\n").is_continue());
        assert_eq!(collected.finish(None, true), "one two\n  three\n Done\n");
    }

    #[test]
    fn an_answer_in_pieces() {
        let mut collected = Collected::new(Paint { colors: true, terminal: true });
        for (kind, said) in
            [(Say::Text, "\tSta"), (Say::Text, "te: UP\n"), (Say::Warning, "odd"), (Say::Error, "No such resource [x]")]
        {
            assert!(collected.hear(kind, said).is_continue());
        }
        assert!(collected.has_failed());
        assert_eq!(collected.complaint(), "No such resource [x]");
        assert_eq!(
            collected.finish(Some("  ^"), false),
            "\x1b[31m  ^\x1b[0m\n\t\x1b[36mState\x1b[0m: \x1b[32mUP\x1b[0m\n\x1b[33mWarning:\x1b[0m odd\n\x1b[31mERROR:\x1b[0m No such resource [x]\n"
        );
        assert_eq!(Collected::new(Paint::default()).finish(None, true), " Done\n");
    }
}
