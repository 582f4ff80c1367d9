//! Words to a command with its arguments.
//!
//! ```text
//!   add   ssl    certK  demo  -cert demo.pem
//!   verb  group  object │     │
//!   └── any case, any unambiguous beginning   └── keyword, likewise; its values up to the next keyword
//! ```

use crate::code::Code;
use crate::model::KeptArgument;
use crate::text::lex::{Kind as TokenKind, Span, Token};

use super::near::nearest;
use super::said::{Given, Said};
use super::site::Note;
use super::wider::{self, Recognised};
use super::{Argument, Command, Form, Kind, Op, Support, Value, commands};

/// A command found, with the words behind its name.
pub(crate) struct Found<'w> {
    pub(crate) command: &'static Command,
    pub(crate) form: &'static Form,
    pub(crate) rest: &'w [Token],
}

/// A command not found.
pub(crate) struct NotFound {
    pub(crate) note: Box<Note>,
    /// Nothing is called so, as opposed to an abbreviation of several or a line that ends too early.
    pub(crate) unknown: bool,
    /// It is a command of the wider product.
    pub(crate) recognised: Option<Box<Recognised>>,
}

impl NotFound {
    fn unknown(note: Note) -> Self {
        Self { note: Box::new(note), unknown: true, recognised: None }
    }
}

/// Finds the command that a line begins with. With `hints`, one that is not found comes with the word that was perhaps meant.
pub(crate) fn find(words: &[Token], hints: bool) -> Result<Found<'_>, NotFound> {
    match (ours(words, hints), wider::find(words)) {
        // Words in full are meant before words that ours only begin with.
        (Ok(found), Some(recognised)) if !found.command.words.eq_ignore_ascii_case(&recognised.words) => {
            let note = Note::new(Code::NotImplemented, recognised.at, recognised.words.as_str(), recognised.why);
            Err(NotFound { note: Box::new(note), unknown: false, recognised: Some(Box::new(recognised)) })
        }
        (Err(not), Some(recognised)) => Err(NotFound { recognised: Some(Box::new(recognised)), ..not }),
        (Err(not), None) if not.unknown => {
            let better = |note: &Note| note.at.column > not.note.at.column || not.note.cure.is_none();
            let note = wider::near(words, hints).filter(better).unwrap_or_else(|| (*not.note).clone());
            Err(NotFound { note: Box::new(note), ..not })
        }
        (found, _) => found,
    }
}

fn ours(words: &[Token], hints: bool) -> Result<Found<'_>, NotFound> {
    let whole = span(words);
    let ops: Vec<&'static str> = Op::ALL.iter().map(|op| op.word()).collect();
    let (op_word, op_token, rest) = take(words, &ops, "", whole, hints)?;
    let op = *Op::ALL.iter().find(|op| op.word() == op_word).ok_or_else(|| never(op_token))?;

    let forms = || commands().iter().filter_map(move |command| command.form(op).map(|form| (*command, form)));
    let mut groups: Vec<&'static str> = forms().map(|(command, _)| command.group).collect();
    groups.dedup();
    let (group, _, rest) = take(rest, &groups, op_word, whole, hints)?;

    let objects: Vec<&'static str> = forms().filter(|(c, _)| c.group == group).map(|(c, _)| c.object).collect();
    let (object, token, rest) = take(rest, &objects, &format!("{op_word} {group}"), whole, hints)?;
    let found = forms().find(|(c, _)| c.group == group && c.object == object);
    let (command, form) = found.ok_or_else(|| never(token))?;
    Ok(Found { command, form, rest })
}

/// A word that was just found in a list made from the same source is not in that source.
fn never(token: &Token) -> NotFound {
    NotFound::unknown(Note::new(Code::NoSuchCommand, token.span, token.value.as_str(), "no command is called so"))
}

/// Takes the next word, which must be the beginning of one of `known`.
fn take<'w>(
    words: &'w [Token],
    known: &[&'static str],
    before: &str,
    whole: Span,
    hints: bool,
) -> Result<(&'static str, &'w Token, &'w [Token]), NotFound> {
    let Some((token, rest)) = words.split_first() else {
        let cause = format!("after `{before}` there must be one of {}", known.join(", "));
        return Err(NotFound {
            note: Box::new(Note::new(Code::Incomplete, whole, before, cause)),
            unknown: false,
            recognised: None,
        });
    };
    let said = token.value.as_str();
    let words = if token.kind == TokenKind::Word { pick(said, known.iter().map(|k| (*k, *k))) } else { Picked::None };
    match words {
        Picked::One(word) => Ok((word, token, rest)),
        Picked::Several(names) => {
            let cause = format!("this could be {}", names.join(" or "));
            let note = Note::new(Code::AmbiguousCommand, token.span, said, cause).cure("write it in full");
            Err(NotFound { note: Box::new(note), unknown: false, recognised: None })
        }
        Picked::None => {
            let cause = if before.is_empty() {
                "no command begins so".to_owned()
            } else {
                format!("no command begins `{before} {said}`")
            };
            let mut note = Note::new(Code::NoSuchCommand, token.span, said, cause);
            if hints {
                note.cure = nearest(said, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            }
            Err(NotFound::unknown(note))
        }
    }
}

/// What an abbreviation stands for.
enum Picked<T> {
    One(T),
    Several(Vec<&'static str>),
    None,
}

/// The whole word wins over words that only begin so.
fn pick<T: Copy>(said: &str, known: impl Iterator<Item = (&'static str, T)> + Clone) -> Picked<T> {
    if let Some((_, found)) = known.clone().find(|(word, _)| word.eq_ignore_ascii_case(said)) {
        return Picked::One(found);
    }
    let begins = |word: &str| !said.is_empty() && word.get(..said.len()).is_some_and(|head| head.eq_ignore_ascii_case(said));
    let found: Vec<_> = known.filter(|(word, _)| begins(word)).collect();
    match found.as_slice() {
        [] => Picked::None,
        [(_, one)] => Picked::One(*one),
        several => Picked::Several(several.iter().map(|(word, _)| *word).collect()),
    }
}

/// What came of reading arguments.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) given: Vec<Given>,
    pub(crate) kept: Vec<KeptArgument>,
    /// Kept, and worth a warning: with its place.
    pub(crate) without_effect: Vec<(&'static Argument, Span)>,
    /// Keywords that nobody knows.
    pub(crate) unknown: Vec<Note>,
    pub(crate) errors: Vec<Note>,
}

impl Arguments {
    pub(crate) fn said<'t>(self, found: &Found<'_>, text: &'t str, span: Span, may_wait: bool, hints: bool) -> Said<'t> {
        let Self { given, kept, .. } = self;
        Said { command: found.command, form: found.form, given, kept, text, span, may_wait, hints }
    }
}

/// Reads the words behind a command's name.
pub(crate) fn arguments(found: &Found<'_>, whole: Span, hints: bool) -> Arguments {
    let mut read = Arguments::default();
    let first_keyword = found.rest.iter().position(|t| t.kind == TokenKind::Keyword).unwrap_or(found.rest.len());
    let (words, mut keywords) = found.rest.split_at(first_keyword);
    positionals(found, words, whole, &mut read);
    while let Some((keyword, rest)) = keywords.split_first() {
        let end = rest.iter().position(|t| t.kind == TokenKind::Keyword).unwrap_or(rest.len());
        let (values, next) = rest.split_at(end);
        one_keyword(found, keyword, values, hints, &mut read);
        keywords = next;
    }
    for argument in found.form.keywords.iter().filter(|a| a.required && found.form.op != Op::Unset) {
        // One that is there with a wrong value has been complained about already.
        let there = found.rest.iter().any(|t| {
            t.kind == TokenKind::Keyword && matches!(keyword_of(found.form, &t.value), Picked::One(a) if a.name == argument.name)
        });
        if !there {
            let name = format!("-{}", argument.name);
            let cause = format!("`{} {}` needs {name}: {}", found.form.op.word(), found.command.words, argument.help);
            read.errors.push(Note::new(Code::ArgumentMissing, whole, name, cause));
        }
    }
    read
}

fn positionals(found: &Found<'_>, words: &[Token], whole: Span, read: &mut Arguments) {
    let mut rest = words;
    for argument in found.form.positionals {
        if rest.is_empty() {
            if argument.required {
                let cause =
                    format!("`{} {}` needs <{}>: {}", found.form.op.word(), found.command.words, argument.name, argument.help);
                read.errors.push(Note::new(Code::TooFewArguments, whole, argument.name, cause));
                return;
            }
            continue;
        }
        let (mine, next) = rest.split_at(if argument.kind.is_list() { rest.len() } else { 1 });
        values(argument, mine, span(mine), argument.name, read);
        rest = next;
    }
    if let Some(surplus) = rest.first() {
        let secret = found.form.positionals.iter().any(|a| a.kind.is_secret());
        let about = if secret { "" } else { surplus.value.as_str() };
        let cause = format!("`{} {}` takes no further word here", found.form.op.word(), found.command.words);
        let note = Note::new(Code::TooManyValues, surplus.span, about, cause);
        read.errors.push(note.cure("a name with blanks stands in quotes; an argument's name begins with a dash"));
    }
}

fn keyword_of(form: &'static Form, said: &str) -> Picked<&'static Argument> {
    pick(said, form.keywords.iter().map(|a| (a.name, a)))
}

fn one_keyword(found: &Found<'_>, keyword: &Token, words: &[Token], hints: bool, read: &mut Arguments) {
    let said = keyword.value.as_str();
    let called = format!("-{said}");
    let argument = match keyword_of(found.form, said) {
        Picked::One(argument) => argument,
        Picked::Several(names) => {
            let cause = format!("this could be -{}", names.join(" or -"));
            read.errors.push(Note::new(Code::AmbiguousArgument, keyword.span, called, cause).cure("write it in full"));
            return;
        }
        Picked::None => {
            let cause = format!("`{} {}` has no argument `{called}`", found.form.op.word(), found.command.words);
            let mut note = Note::new(Code::NoSuchArgument, keyword.span, called, cause);
            if hints {
                let near = nearest(said, found.form.keywords.iter().map(|a| a.name));
                note.cure = near.map(|near| format!("did you mean `-{near}`?"));
            }
            read.unknown.push(note);
            read.kept.push(kept(said, words));
            return;
        }
    };
    if read.given.iter().any(|given| given.argument.name == argument.name) {
        read.errors.push(Note::new(Code::BothSpecified, keyword.span, called, format!("-{} is there twice", argument.name)));
        return;
    }
    if argument.support != Support::Full {
        let Some(kept) = known_kept(found, argument, keyword, words, read) else { return };
        if !super::site::says_nothing_new(argument, &kept) && found.form.op != Op::Unset {
            read.without_effect.push((argument, keyword.span));
        }
        read.kept.push(kept);
        return;
    }
    if matches!(argument.kind, Kind::Switch) || found.form.op == Op::Unset {
        if let Some(surplus) = words.first() {
            let cause = format!("-{} takes no value here", argument.name);
            read.errors.push(Note::new(Code::TooManyValues, surplus.span, format!("-{}", argument.name), cause));
        }
        read.given.push(Given { argument, values: Vec::new(), span: keyword.span });
        return;
    }
    values(argument, words, keyword.span, &format!("-{}", argument.name), read);
}

/// An argument without effect, checked like any other: what is kept must be fit for printing back. `None` if it is wrong.
fn known_kept(
    found: &Found<'_>,
    argument: &'static Argument,
    keyword: &Token,
    words: &[Token],
    read: &mut Arguments,
) -> Option<KeptArgument> {
    let called = format!("-{}", argument.name);
    if matches!(argument.kind, Kind::Anything) {
        return Some(kept(argument.name, words));
    }
    if matches!(argument.kind, Kind::Switch) || found.form.op == Op::Unset {
        if let Some(surplus) = words.first() {
            let cause = format!("{called} takes no value here");
            read.errors.push(Note::new(Code::TooManyValues, surplus.span, called, cause));
            return None;
        }
        return Some(kept(argument.name, &[]));
    }
    let before = read.given.len();
    values(argument, words, keyword.span, &called, read);
    let given = if read.given.len() > before { read.given.pop() } else { None }?;
    let spelled = given.values.iter().map(|(value, _)| if let Value::Choice(word) = value { Some(*word) } else { None });
    let values = match spelled.collect::<Option<Vec<_>>>() {
        Some(words) if argument.kind.is_list() => vec![words.join(",").into()],
        Some(words) => words.into_iter().map(Into::into).collect(),
        None => words.iter().map(|t| t.value.as_str().into()).collect(),
    };
    Some(KeptArgument { keyword: argument.name.into(), values })
}

fn kept(keyword: &str, words: &[Token]) -> KeptArgument {
    KeptArgument { keyword: keyword.into(), values: words.iter().map(|t| t.value.as_str().into()).collect() }
}

/// Reads the values of one argument. `called` is how messages name it; a secret's words are never in a message.
fn values(argument: &'static Argument, words: &[Token], at: Span, called: &str, read: &mut Arguments) {
    let most = if let Kind::List(_, most) = argument.kind { most } else { 1 };
    let mut values = Vec::new();
    let mut surplus = None;
    for token in words {
        // Only lists are divided by commas; an empty member, as in `a,,b`, is a wrong member.
        let parts: Vec<&str> =
            if argument.kind.is_list() { token.value.split(',').collect() } else { vec![token.value.as_str()] };
        for part in parts {
            if values.len() == most {
                surplus = surplus.or(Some(token.span));
                continue;
            }
            match argument.kind.read(part) {
                Ok(value) => values.push((value, token.span)),
                Err(wrong) => {
                    let about = if argument.kind.is_secret() { called } else { part };
                    let mut note = Note::new(wrong.code, token.span, about, format!("{called}: {}", wrong.cause));
                    note.cure = wrong.cure;
                    read.errors.push(note);
                    return;
                }
            }
        }
    }
    if let Some(span) = surplus {
        let cause = if most == 1 { format!("{called} takes one value") } else { format!("{called} takes at most {most} values") };
        read.errors.push(Note::new(Code::TooManyValues, span, called, cause).cure("a value with blanks stands in quotes"));
    } else if values.is_empty() {
        let note = Note::new(Code::ValueMissing, at, called, format!("{called} needs a value: {}", argument.help));
        read.errors.push(note.cure("a value that begins with a dash stands in quotes"));
    } else {
        let span = values.first().map_or(at, |(_, span)| if words.is_empty() { at } else { *span });
        read.given.push(Given { argument, values, span });
    }
}

/// From the first word to the last.
pub(crate) fn span(words: &[Token]) -> Span {
    match (words.first(), words.last()) {
        (Some(first), Some(last)) => Span {
            start: first.span.start,
            end: last.span.end,
            column: first.span.column,
            width: (last.span.column + last.span.width).saturating_sub(first.span.column),
        },
        _ => Span { column: 1, ..Span::default() },
    }
}
