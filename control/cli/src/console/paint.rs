//! What goes to a terminal: colours if they are wanted, and nothing that acts on it.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::Write as _;

use clap::ValueEnum;
use gate_config::text::visible::{is_unseen, visible};

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether to use them on an output. `no_color` and `term` are the variables of these names.
    #[must_use]
    pub fn is_on(self, is_terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => is_terminal && no_color.is_none_or(OsStr::is_empty) && term.is_none_or(|term| term != "dumb"),
        }
    }

    /// The same, asking the environment.
    #[must_use]
    pub fn is_on_here(self, is_terminal: bool) -> bool {
        self.is_on(is_terminal, std::env::var_os("NO_COLOR").as_deref(), std::env::var_os("TERM").as_deref())
    }
}

/// How a piece of text is meant. Only the eight colours that every terminal has, so that light and dark ones both can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Something failed.
    Bad,
    /// Something to look at.
    Odd,
    /// Something is as it should be.
    Good,
    /// A name of something.
    Label,
    /// The point of the line.
    Strong,
    /// Beside the point.
    Faint,
}

/// Paints, or does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paint {
    /// Whether colours are on.
    pub colors: bool,
    /// Whether a terminal shows it, which must not be acted upon.
    pub terminal: bool,
}

impl Paint {
    /// `text` in a colour.
    #[must_use]
    pub fn ink<'t>(self, ink: Ink, text: &'t str) -> Cow<'t, str> {
        if !self.colors || text.is_empty() {
            return Cow::Borrowed(text);
        }
        let code = match ink {
            Ink::Bad => "31",
            Ink::Odd => "33",
            Ink::Good => "32",
            Ink::Label => "36",
            Ink::Strong => "1",
            Ink::Faint => "2",
        };
        Cow::Owned(format!("\x1b[{code}m{text}\x1b[0m"))
    }

    /// Text of the gateway with its lines and tabs, and with labels painted. A file gets it as it is.
    #[must_use]
    pub fn answer<'t>(self, text: &'t str) -> Cow<'t, str> {
        if !self.terminal && !self.colors {
            return Cow::Borrowed(text);
        }
        let safe = if self.terminal { safe(text) } else { Cow::Borrowed(text) };
        if !self.colors {
            return safe;
        }
        let mut painted = String::with_capacity(safe.len() + 256);
        for line in safe.split_inclusive('\n') {
            self.line(line, &mut painted);
        }
        Cow::Owned(painted)
    }

    /// `1)⇥Label: value`: the number faint, the label in its colour, a state in its own.
    fn line(self, line: &str, painted: &mut String) {
        let text = line.trim_start_matches('\t');
        painted.push_str(&line[..line.len() - text.len()]);
        let (number, text) = match text.split_once(")\t") {
            Some((digits, rest)) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                (format!("{digits})\t"), rest)
            }
            _ => (String::new(), text),
        };
        painted.push_str(&self.ink(Ink::Faint, &number));
        let is_row = !number.is_empty() || line.starts_with('\t');
        match text.split_once(": ") {
            Some((label, value)) if is_row => {
                let ink = match value.trim_end() {
                    "UP" | "ENABLED" | "RUNNING" => Some(Ink::Good),
                    "DOWN" => Some(Ink::Bad),
                    "DISABLED" | "DRAINING" => Some(Ink::Odd),
                    _ => None,
                };
                let words = value.trim_end();
                let shown = ink.map_or(Cow::Borrowed(words), |ink| self.ink(ink, words));
                // Writing to a `String` cannot fail.
                let _ = write!(painted, "{}: {shown}{}", self.ink(Ink::Label, label), &value[words.len()..]);
            }
            _ => painted.push_str(text),
        }
    }
}

/// Keeps the ends of lines and tabs, and shows what would act on a terminal.
fn safe(text: &str) -> Cow<'_, str> {
    let acts = |c: char| is_unseen(c) && c != '\n' && c != '\t';
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 32);
    for piece in text.split_inclusive(['\n', '\t']) {
        let (words, end) = match piece.char_indices().next_back() {
            Some((at, '\n' | '\t')) => piece.split_at(at),
            _ => (piece, ""),
        };
        shown.push_str(&visible(words));
        shown.push_str(end);
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ON: Paint = Paint { colors: true, terminal: true };
    const PLAIN: Paint = Paint { colors: false, terminal: true };

    #[test]
    fn colours_obey() {
        let os = |text| Some(OsStr::new(text));
        assert!(Color::Auto.is_on(true, None, os("xterm")));
        assert!(Color::Auto.is_on(true, os(""), None));
        assert!(!Color::Auto.is_on(true, os("1"), None));
        assert!(!Color::Auto.is_on(true, None, os("dumb")));
        assert!(!Color::Auto.is_on(false, None, None));
        assert!(Color::Always.is_on(false, os("1"), os("dumb")));
        assert!(!Color::Never.is_on(true, None, None));
    }

    #[test]
    fn rows_are_painted_and_other_text_is_not() {
        assert_eq!(ON.answer("1)\tName: gw\n"), "\x1b[2m1)\t\x1b[0m\x1b[36mName\x1b[0m: gw\n");
        assert_eq!(ON.answer("\tState: UP\n"), "\t\x1b[36mState\x1b[0m: \x1b[32mUP\x1b[0m\n");
        assert_eq!(ON.answer("add aaa user x: y\n"), "add aaa user x: y\n");
        assert_eq!(PLAIN.answer("1)\tName: gw\n"), "1)\tName: gw\n");
    }

    #[test]
    fn a_file_gets_what_was_said() {
        assert_eq!(Paint::default().answer("a\x1b[2J\u{202e}"), "a\x1b[2J\u{202e}");
    }

    proptest! {
        #[test]
        fn nothing_acts_on_a_terminal(text in "\\PC{0,20}|[\\x00-\\x1f\u{7f}-\u{9f}a:)1\u{202e}]{0,20}") {
            let shown = PLAIN.answer(&text);
            prop_assert!(!shown.contains(|c| is_unseen(c) && c != '\n' && c != '\t'));
            prop_assert_eq!(shown.matches('\n').count(), text.matches('\n').count());
            // Painted, it holds our own sequences and no others.
            let painted = ON.answer(&text).replace("\x1b[36m", "").replace("\x1b[31m", "").replace("\x1b[33m", "")
                .replace("\x1b[32m", "").replace("\x1b[2m", "").replace("\x1b[0m", "");
            prop_assert_eq!(painted, shown);
        }
    }
}
