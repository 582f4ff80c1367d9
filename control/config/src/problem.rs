//! What is wrong with a configuration, said so that the reader can mend it: where, what, why, and the cure.
//!
//! ```text
//!   error 1090: No such argument [-certt]
//!     --> ns.conf:3:22
//!      |
//!    3 | add ssl certKey demo -certt demo.pem
//!      |                      ^^^^^^
//!      = cause: `add ssl certKey` has no argument `-certt`
//!      = cure: did you mean `-cert`?
//! ```

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::answer::safe;
use crate::code::Code;
use crate::text::lex::Span;
use crate::text::visible::is_unseen;

/// Problems that are kept of one file; a last one says that there are more.
pub const PROBLEMS_MAX: usize = 1000;
/// Characters of a line that are shown.
const SHOWN_CHARS_MAX: usize = 160;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration works, though perhaps not as meant.
    Warning,
    /// There is no configuration.
    Error,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Entry in the public table of errors.
    pub code: Code,
    /// The word or name that it is about; empty if it is about everything.
    pub about: String,
    /// Why it is wrong.
    pub cause: String,
    /// What to do.
    pub cure: Option<String>,
    /// As the caller named the file.
    pub file: Arc<str>,
    /// Where, if it is somewhere.
    pub place: Option<Place>,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Line, counted from 1.
    pub line: usize,
    /// Column of the first character, counted from 1.
    pub column: usize,
    /// Characters from there, at least one.
    pub width: usize,
    /// The line itself, with secrets masked; column and width fit it.
    pub shown: Arc<str>,
}

/// The form for machines.
#[derive(Serialize)]
struct Flat<'p> {
    severity: Severity,
    code: u16,
    message: &'static str,
    about: &'p str,
    cause: &'p str,
    cure: Option<&'p str>,
    file: &'p str,
    line: Option<usize>,
    column: Option<usize>,
    width: Option<usize>,
    shown: Option<&'p str>,
}

impl Serialize for Problem {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let place = self.place.as_ref();
        Flat {
            severity: self.severity,
            code: self.code.number(),
            message: self.code.text(),
            about: &self.about,
            cause: &self.cause,
            cure: self.cure.as_deref(),
            file: &self.file,
            line: place.map(|p| p.line),
            column: place.map(|p| p.column),
            width: place.map(|p| p.width),
            shown: place.map(|p| &*p.shown),
        }
        .serialize(serializer)
    }
}

impl Problem {
    /// One JSON object, on one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        safe(serde_json::to_string(self))
    }

    /// Whether there is no configuration because of this.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Several lines with the place underlined; no line end at the end.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{severity} {}", self.code)?;
        if !self.about.is_empty() {
            write!(f, " [{}]", clean(&self.about))?;
        }
        let gutter = self.place.as_ref().map_or(1, |place| place.line.to_string().len());
        match &self.place {
            None => write!(f, "\n{:gutter$}--> {}", "", clean(&self.file))?,
            Some(place) => {
                write!(f, "\n{:gutter$}--> {}:{}:{}", "", clean(&self.file), place.line, place.column)?;
                let (text, under) = window(place);
                write!(f, "\n{:gutter$} |\n{} | {text}\n{:gutter$} | {under}", "", place.line, "")?;
            }
        }
        write!(f, "\n{:gutter$} = cause: {}", "", clean(&self.cause))?;
        match &self.cure {
            Some(cure) => write!(f, "\n{:gutter$} = cure: {}", "", clean(cure)),
            None => Ok(()),
        }
    }
}

/// Characters that are not seen would let a file draw on the reader's terminal. Each stays one character, so that places fit.
fn clean(text: &str) -> String {
    text.chars().map(|c| if is_unseen(c) { '\u{fffd}' } else { c }).collect()
}

/// The part of the line around the place, and what goes below it.
pub(crate) fn window(place: &Place) -> (String, String) {
    let at = place.column.saturating_sub(1);
    let length = place.shown.chars().count();
    let from = if length <= SHOWN_CHARS_MAX { 0 } else { at.saturating_sub(SHOWN_CHARS_MAX / 2) };
    let to = (from + SHOWN_CHARS_MAX).min(length);
    let part: String = place.shown.chars().skip(from).take(to - from).collect();
    let (before, after) = (if from > 0 { "…" } else { "" }, if to < length { "…" } else { "" });
    let text = format!("{before}{}{after}", clean(&part.replace('\t', " ")));
    let mut under: String = before.chars().map(|_| ' ').collect();
    under.extend(part.chars().take(at - from).map(|c| if is_wide(c) { '\u{3000}' } else { ' ' }));
    let marked = place.width.max(1).min(to.saturating_sub(at).max(1));
    let wide = part.chars().skip(at - from).take(marked).filter(|c| is_wide(*c)).count();
    under.extend(std::iter::repeat_n('^', marked + wide));
    (text, under)
}

/// Characters that terminals draw over two columns, roughly: East Asian wide ones and emoji.
const fn is_wide(c: char) -> bool {
    matches!(c as u32,
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60
        | 0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x2_0000..=0x3_fffd)
}

/// A line with its secrets replaced, and how places move with that.
#[derive(Clone, Debug)]
pub(crate) struct Masked {
    pub(crate) shown: Arc<str>,
    /// Ascending: (column, width) of what was replaced.
    replaced: Vec<(usize, usize)>,
}

/// What stands for a secret of any length.
pub(crate) const MASK: &str = "********";

impl Masked {
    pub(crate) fn of(line: &str, secrets: &[Span]) -> Self {
        let mut shown = String::with_capacity(line.len());
        let mut at = 0;
        let mut replaced = Vec::with_capacity(secrets.len());
        for span in secrets {
            shown.push_str(line.get(at..span.start).unwrap_or_default());
            shown.push_str(MASK);
            at = span.end;
            replaced.push((span.column, span.width));
        }
        shown.push_str(line.get(at..).unwrap_or_default());
        Self { shown: shown.into(), replaced }
    }

    pub(crate) fn place(&self, line: usize, span: Span) -> Place {
        let (from, to) = (self.moved(span.column), self.moved(span.column + span.width));
        Place { line, column: from, width: to.saturating_sub(from).max(1), shown: Arc::clone(&self.shown) }
    }

    /// Where a column of the written line is in the shown one. A column inside a secret is at its mask's begin.
    fn moved(&self, column: usize) -> usize {
        let mut grown = 0;
        let mut shrunk = 0;
        for (start, width) in &self.replaced {
            if column >= start + width {
                grown += MASK.len();
                shrunk += width;
            } else if column > *start {
                shrunk += column - start;
            }
        }
        column + grown - shrunk
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::lex::lex;

    fn problem(line: &str, word: usize, secrets: &[usize]) -> Problem {
        let tokens = lex(line).tokens;
        let secrets: Vec<_> = secrets.iter().map(|at| tokens[*at].span).collect();
        Problem {
            severity: Severity::Error,
            code: Code::NoSuchArgument,
            about: "-x".into(),
            cause: "because".into(),
            cure: Some("do this".into()),
            file: "ns.conf".into(),
            place: Some(Masked::of(line, &secrets).place(12, tokens[word].span)),
        }
    }

    #[test]
    fn shows_the_word() {
        let text = problem("add x -certt y", 2, &[]).to_string();
        let expected = "error 1090: No such argument [-x]\n  --> ns.conf:12:7\n   |\n12 | add x -certt y\n   |       ^^^^^^\n   = cause: because\n   = cure: do this";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_secret_shows_neither_text_nor_length() {
        for secret in ["x", "a-much-longer-secret", "\"two words\"", "秘密"] {
            let line = format!("set x -password {secret} -wrong y");
            let text = problem(&line, 4, &[3]).to_string();
            assert!(text.contains("12 | set x -password ******** -wrong y\n   |                          ^^^^^^\n"), "{text}");
            assert!(text.contains("ns.conf:12:26"), "{text}");
        }
        let text = problem("set x -password hunter2", 3, &[3]).to_string();
        assert!(text.contains("   |                 ^^^^^^^^\n"), "{text}");
    }

    #[test]
    fn wide_and_control_characters_keep_the_mark_in_place() {
        let text = problem("add 日本 \u{1b}[31m -x", 3, &[]).to_string();
        assert!(text.contains("12 | add 日本 \u{fffd}[31m -x\n   |     \u{3000}\u{3000}       ^^\n"), "{text}");
    }

    #[test]
    fn a_long_line_is_cut_around_the_word() {
        let line = format!("{} -here {}", "a".repeat(500), "b".repeat(500));
        let text = problem(&line, 1, &[]).to_string();
        let shown: Vec<_> = text.lines().filter(|l| l.contains(" | ")).map(|l| l.chars().count()).collect();
        assert!(shown.iter().all(|width| *width < 180), "{text}");
        let lines: Vec<_> = text.lines().collect();
        let caret = lines[4].chars().position(|c| c == '^').unwrap();
        assert_eq!(lines[3].chars().skip(caret).take(5).collect::<String>(), "-here");
    }

    #[test]
    fn machines_get_one_line() {
        assert_eq!(
            problem("add x -certt y", 2, &[]).to_json(),
            r#"{"severity":"error","code":1090,"message":"No such argument","about":"-x","cause":"because","cure":"do this","file":"ns.conf","line":12,"column":7,"width":6,"shown":"add x -certt y"}"#
        );
    }
}
