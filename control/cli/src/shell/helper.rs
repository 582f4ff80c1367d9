//! What the editor asks while a line is typed: what could stand here, and what it looks like.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use gate_config::catalog::Command;
use gate_config::complete::{Candidate, complete};
use gate_config::text::visible::{is_unseen, visible};
use rustyline::Context;
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;

use super::SMALL_WAIT;
use crate::console::paint::{Ink, Paint};
use crate::console::talk::Talk;

/// Names of one kind that are offered.
const NAMES_MAX: usize = 1000;
/// Longest help beside a candidate, in characters.
const HELP_CHARS_MAX: usize = 60;

/// Answers the editor.
#[derive(Debug)]
pub struct Helper {
    talk: Rc<RefCell<Talk>>,
    paint: Paint,
    /// Names by the words of their kind, asked for once for each line.
    names: RefCell<BTreeMap<&'static str, Vec<String>>>,
}

impl Helper {
    /// Asks for names through `talk`.
    #[must_use]
    pub const fn new(talk: Rc<RefCell<Talk>>, paint: Paint) -> Self {
        Self { talk, paint, names: RefCell::new(BTreeMap::new()) }
    }

    /// Another line begins: names may have changed.
    pub fn next_line(&mut self, paint: Paint) {
        self.paint = paint;
        self.names.get_mut().clear();
    }

    fn candidates(&self, line: &str, at: usize) -> Vec<Candidate> {
        // Only the last of several commands is being typed.
        let begin = line.get(..at).and_then(|before| before.rfind(';')).map_or(0, |semicolon| semicolon + 1);
        let Some(command) = line.get(begin..) else { return Vec::new() };
        let mut found = complete(command, at - begin, &|kind| self.names_of(kind));
        found.iter_mut().for_each(|candidate| candidate.start += begin);
        // What a terminal would act on cannot be typed either.
        found.retain(|candidate| !candidate.text.contains(is_unseen));
        found
    }

    fn names_of(&self, kind: &'static Command) -> Vec<String> {
        if let Some(known) = self.names.borrow().get(kind.words) {
            return known.clone();
        }
        // No gateway, no names: the words of the language are offered all the same.
        let answer = self.talk.borrow_mut().small(&format!("show names {}", kind.words), SMALL_WAIT);
        let text = answer.ok().and_then(Result::ok).unwrap_or_default();
        let names: Vec<String> = text.lines().take(NAMES_MAX).map(str::to_owned).collect();
        self.names.borrow_mut().insert(kind.words, names.clone());
        names
    }
}

impl rustyline::Helper for Helper {}
impl Validator for Helper {}

impl Completer for Helper {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let found = self.candidates(line, at);
        let start = found.first().map_or(at, |candidate| candidate.start);
        let widest = found.iter().map(|candidate| candidate.text.chars().count()).max().unwrap_or(0);
        let several = found.len() > 1;
        let pair = |candidate: &Candidate| {
            let help: String = visible(&candidate.help).chars().take(HELP_CHARS_MAX).collect();
            let display = if help.is_empty() { candidate.text.clone() } else { format!("{:widest$}  {help}", candidate.text) };
            let blank = if several { "" } else { " " };
            Pair { display, replacement: format!("{}{blank}", candidate.text) }
        };
        Ok((start, found.iter().filter(|candidate| candidate.start == start).map(pair).collect()))
    }
}

impl Hinter for Helper {
    type Hint = String;

    /// The rest of the word, if there is only one that could be meant; before a value, what it is for.
    fn hint(&self, line: &str, at: usize, _: &Context<'_>) -> Option<String> {
        if at < line.len() || line.trim().is_empty() {
            return None;
        }
        let begin = line.rfind(';').map_or(0, |semicolon| semicolon + 1);
        // Names are not asked for with every key, only with tab.
        let found = complete(line.get(begin..)?, at - begin, &|_| Vec::new());
        let [only] = found.as_slice() else { return None };
        let typed = line.get(begin + only.start..at)?;
        let rest = only.text.get(typed.len()..).filter(|_| !typed.is_empty())?;
        only.text.get(..typed.len())?.eq_ignore_ascii_case(typed).then(|| rest.to_owned()).filter(|rest| !rest.is_empty())
    }
}

impl Highlighter for Helper {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        let Some((name, level)) = prompt.strip_suffix("> ").and_then(|front| front.rsplit_once('(')) else {
            return self.paint.ink(Ink::Strong, prompt);
        };
        // `read` and `no gateway` are not to be overlooked.
        let ink = |ink, text: &str| self.paint.ink(ink, text).into_owned();
        Cow::Owned(format!("{}{}{}", ink(Ink::Strong, name), ink(Ink::Odd, &format!("({level}")), ink(Ink::Strong, "> ")))
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        self.paint.ink(Ink::Faint, hint)
    }
}
