//! Where commands do their work: the model under construction, the files, and the list of complaints.

use std::ops::Range;
use std::path::Path;

use crate::code::Code;
use crate::files::{Files, Loaded, Purpose};
use crate::model::{KeptArgument, KeptFor, KeptLine, Model};
use crate::problem::Severity;
use crate::text::lex::{Kind, Span, Token, inside, lex};

use super::near::nearest;
use super::said::Said;
use super::{Argument, Op, Rank, Support};

/// Something to tell about a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) code: Code,
    pub(crate) at: Span,
    pub(crate) about: String,
    pub(crate) cause: String,
    pub(crate) cure: Option<String>,
    /// The part of the word that it is about, in bytes of what the word says.
    pub(crate) within: Option<Range<usize>>,
}

impl Note {
    pub(crate) fn new(code: Code, at: Span, about: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { code, at, about: about.into(), cause: cause.into(), cure: None, within: None }
    }

    pub(crate) fn within(mut self, part: Range<usize>) -> Self {
        self.within = Some(part);
        self
    }

    /// Where in its line it is.
    pub(crate) fn place(&self, line: &str) -> Span {
        self.within.as_ref().map_or(self.at, |part| inside(line, self.at, part))
    }

    pub(crate) fn cure(mut self, cure: impl Into<String>) -> Self {
        self.cure = Some(cure.into());
        self
    }
}

/// A command that was not carried out. Nothing has changed.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) note: Box<Note>,
    /// It refers to something that a later line may make.
    pub(crate) missing: bool,
}

impl From<Note> for Refused {
    fn from(note: Note) -> Self {
        Self { note: Box::new(note), missing: false }
    }
}

/// Where commands do their work.
pub(crate) struct Site<'s> {
    pub(crate) model: &'s mut Model,
    pub(crate) loaded: &'s mut Loaded,
    pub(crate) files: &'s dyn Files,
    pub(crate) notes: Vec<(Severity, Note)>,
    /// Whether a file that cannot be used refuses the line. In a file of configuration it does not, so that later lines are judged
    /// fairly: there is no configuration anyway.
    pub(crate) firm: bool,
    /// Whether what is not understood is kept, with a warning.
    pub(crate) lenient: bool,
}

impl Site<'_> {
    /// Perhaps not as meant.
    pub(crate) fn warn(&mut self, note: Note) {
        self.notes.push((Severity::Warning, note));
    }

    /// Reads the file that argument `name` names. To be called before anything is changed.
    pub(crate) fn load(&mut self, said: &Said<'_>, name: &str, purpose: Purpose) -> Result<(), Refused> {
        let Some(path) = said.text(name) else { return Ok(()) };
        let Err(not) = self.loaded.load(self.files, Path::new(path), purpose) else { return Ok(()) };
        let note = Note::new(not.code(), said.place(name), path, format!("cannot use {path}: {not}")).cure(not.cure(purpose));
        if self.firm {
            return Err(note.into());
        }
        self.notes.push((Severity::Error, note));
        Ok(())
    }

    /// Reads what is in the folder that argument `name` names, or forgets it. To be called before anything is changed.
    pub(crate) fn load_agents(&mut self, said: &Said<'_>, name: &str) -> Result<(), Refused> {
        let folder = said.text(name);
        let Err(not) = self.loaded.load_agents(self.files, folder.map(Path::new)) else { return Ok(()) };
        let path = folder.unwrap_or_default();
        let note = Note::new(not.code(), said.place(name), path, format!("cannot use {path}: {not}"));
        let note = note.cure(not.cure(Purpose::Agent));
        if self.firm {
            return Err(note.into());
        }
        self.notes.push((Severity::Error, note));
        Ok(())
    }

    /// Remembers the arguments without effect for printing back on `object`, and forgets those that `unset` names.
    pub(crate) fn keep_arguments(&mut self, said: &Said<'_>, object: &str) {
        self.keep_arguments_but(said, object, |_| false);
    }

    /// The same, without those that `otherwise` says are remembered otherwise.
    pub(crate) fn keep_arguments_but(&mut self, said: &Said<'_>, object: &str, otherwise: impl Fn(&KeptArgument) -> bool) {
        let at = KeptFor { command: said.command.words, object: object.into() };
        let mut so_far = self.model.kept_arguments.remove(&at).unwrap_or_default();
        for argument in said.kept.iter().filter(|argument| !otherwise(argument)) {
            so_far.retain(|other| !other.keyword.eq_ignore_ascii_case(&argument.keyword));
            if said.form.op != Op::Unset {
                so_far.push(argument.clone());
            }
        }
        if !so_far.is_empty() {
            self.model.kept_arguments.insert(at, so_far);
        }
    }

    /// Forgets what is kept without effect of an object that is removed: its arguments, and lines that bind something to it.
    pub(crate) fn forget_arguments(&mut self, said: &Said<'_>, object: &str) {
        self.forget(said.command.words, object);
    }

    /// Forgets the line that bound what this one unbinds: the same object, and the same first argument.
    pub(crate) fn unkeep_line(&mut self, said: &Said<'_>) -> Result<(), Refused> {
        let rank = said.command.form(Op::Bind).and_then(|form| form.print).map(|(rank, _)| rank);
        let same = |line: &KeptLine| Some(line.rank) == rank && binds_same(&line.text, said.text);
        match self.model.kept_lines.iter().position(same) {
            Some(at) => {
                self.model.kept_lines.remove(at);
                Ok(())
            }
            None => Err(Note::new(Code::NoSuchResource, said.span, said.command.words, "this is not bound here").into()),
        }
    }

    /// Forgets what is kept without effect of an object of another command.
    pub(crate) fn forget(&mut self, command: &'static str, object: &str) {
        let at = KeptFor { command, object: object.into() };
        self.model.kept_arguments.remove(&at);
        self.model.kept_lines.retain(|line| line.of.as_ref() != Some(&at));
    }

    /// Remembers a line of a known command without effect, for printing back where such lines stand. It is about the object that its
    /// first word names.
    pub(crate) fn keep_line(&mut self, said: &Said<'_>) {
        let rank = said.form.print.map_or(Rank::Unknown, |(rank, _)| rank);
        let object = said.form.positionals.first().and_then(|first| said.text(first.name));
        let of = object.map(|object| KeptFor { command: said.command.words, object: object.into() });
        self.model.keep_line(KeptLine { of, ..KeptLine::new(rank, said.text) });
    }
}

/// Whether two lines about a binding name the same object and the same thing bound to it. Words may be shortened.
fn binds_same(bound: &str, unbound: &str) -> bool {
    let (bound, unbound) = (lex(bound).tokens, lex(unbound).tokens);
    let begins = |long: &str, short: &str| long.get(..short.len()).is_some_and(|head| head.eq_ignore_ascii_case(short));
    let names = |tokens: &[Token]| {
        tokens.iter().skip(3).take_while(|t| t.kind == Kind::Word).map(|t| t.value.clone()).collect::<Vec<_>>()
    };
    let thing = |tokens: &[Token]| {
        let mut rest = tokens.iter().skip_while(|t| t.kind == Kind::Word);
        (rest.next().map(|t| t.value.clone()), rest.next().map(|t| t.value.clone()))
    };
    let ((keyword, value), (other_keyword, other_value)) = (thing(&bound), thing(&unbound));
    let same_keyword = match (keyword, other_keyword) {
        (Some(one), Some(other)) => begins(&one, &other) || begins(&other, &one),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    names(&bound) == names(&unbound) && same_keyword && value == other_value
}

/// Whether a kept argument says what the gateway does anyway, or what holds without it.
pub(crate) fn says_nothing_new(known: &Argument, argument: &KeptArgument) -> bool {
    let default = known.default;
    match (known.support, argument.values.as_slice()) {
        (Support::Always(value), [said]) => said.eq_ignore_ascii_case(value),
        (Support::Kept | Support::Held, [said]) => !default.is_empty() && said.eq_ignore_ascii_case(default),
        (Support::Always(_) | Support::Kept | Support::Held | Support::Full, _) => false,
    }
}

/// Refuses because `name` does not exist (yet).
pub(crate) fn missing<'k>(
    said: &Said<'_>,
    argument: &str,
    code: Code,
    what: &str,
    known: impl IntoIterator<Item = &'k str>,
) -> Refused {
    let name = said.text(argument).unwrap_or_default();
    let mut note = Note::new(code, said.place(argument), name, format!("there is no {what} {name:?}"));
    if !said.may_wait && said.hints {
        note.cure = nearest(name, known).map(|near| format!("did you mean {near}?"));
    }
    Refused { note: Box::new(note), missing: true }
}

/// Refuses because `name` exists already.
pub(crate) fn taken(said: &Said<'_>, argument: &str, code: Code, what: &str, there: &str) -> Refused {
    let name = said.text(argument).unwrap_or_default();
    let cause = if there == name {
        format!("there is a {what} {name:?} already")
    } else {
        format!("there is a {what} {there:?} already, and names must differ in more than case")
    };
    Note::new(code, said.place(argument), name, cause).into()
}

/// Refuses because others need `name`.
pub(crate) fn in_use(said: &Said<'_>, argument: &str, code: Code, by: &str) -> Refused {
    let name = said.text(argument).unwrap_or_default();
    Note::new(code, said.place(argument), name, format!("{name:?} is used by {by}")).cure("unbind it there first").into()
}

/// Refuses because the grammar let something through that the form requires. It cannot happen as long as the catalogue marks its
/// arguments rightly; it is an error of one line and no panic if it does.
pub(crate) fn incomplete(said: &Said<'_>) -> Refused {
    Note::new(Code::Incomplete, said.span, said.command.words, "the line does not say enough").into()
}
