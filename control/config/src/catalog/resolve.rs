//! Words to a command with its arguments.
//!
//! ```text
//!   add   ssl    certK  demo  -cert demo.pem
//!   verb  group  object │     │
//!   └── any case, any unambiguous beginning   └── keyword, likewise; its values up to the next keyword
//! ```

use std::sync::LazyLock;

use crate::code::Code;
use crate::model::KeptArgument;
use crate::text::lex::{Kind as TokenKind, Span, Token};

use super::asks::COMMON;
use super::near::nearest;
use super::said::Given;
use super::site::Note;
use super::wider::{self, Recognised};
use super::{Argument, Ask, Command, Form, Kind, Op, Support, Value, asks, commands};

/// What a line is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// A change of an object.
    Form(&'static Command, &'static Form),
    /// `show` of an object.
    Show(&'static Command),
    /// Another command.
    Ask(&'static Ask),
}

impl Target {
    /// The form, if it is a change.
    pub(crate) const fn form(&self) -> Option<&'static Form> {
        match self {
            Self::Form(_, form) => Some(form),
            Self::Show(_) | Self::Ask(_) => None,
        }
    }
}

/// A command found, with the words behind its name.
pub(crate) struct Found<'w> {
    pub(crate) target: Target,
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

/// Where a line is said: what can be said there differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a file: changes only.
    File,
    /// On the control socket.
    Console,
}

/// A way to say a command: up to three words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) verb: &'static str,
    /// Empty: the verb says it all.
    pub(crate) group: &'static str,
    /// Empty: verb and group say it all.
    pub(crate) object: &'static str,
    /// Whether a word was left out: `save config` is `save ns config`.
    pub(crate) short: bool,
    pub(crate) target: Target,
}

/// The group whose name may be left out where nothing is changed: `show runningConfig`.
const ELIDED: &str = "ns";

/// All that can be said at a place, verbs and groups in the order of the catalogue.
pub(crate) fn ways(place: Place) -> &'static [Way] {
    static FILE: LazyLock<Vec<Way>> = LazyLock::new(changes);
    static CONSOLE: LazyLock<Vec<Way>> = LazyLock::new(everything);
    match place {
        Place::File => &FILE,
        Place::Console => &CONSOLE,
    }
}

fn changes() -> Vec<Way> {
    let forms = |op: &'static Op| {
        let forms = commands().iter().filter_map(move |command| command.form(*op).map(|form| (*command, form)));
        forms.map(|(command, form)| Way {
            verb: op.word(),
            group: command.group,
            object: command.object,
            short: false,
            target: Target::Form(command, form),
        })
    };
    Op::ALL.iter().flat_map(forms).collect()
}

fn everything() -> Vec<Way> {
    let mut ways = changes();
    ways.extend(asks().iter().map(|ask| Way {
        verb: ask.verb,
        group: ask.group,
        object: ask.object,
        short: false,
        target: Target::Ask(ask),
    }));
    for command in commands() {
        // An ask of the same name says more.
        if !ways.iter().any(|way| way.verb == SHOW && way.group == command.group && way.object == command.object) {
            let (group, object) = (command.group, command.object);
            ways.push(Way { verb: SHOW, group, object, short: false, target: Target::Show(command) });
        }
    }
    let short: Vec<Way> = ways
        .iter()
        .filter(|way| way.group == ELIDED && !way.object.is_empty() && !matches!(way.target, Target::Form(..)))
        .filter(|way| !ways.iter().any(|other| other.verb == way.verb && other.group == way.object))
        .map(|way| Way { group: way.object, object: "", short: true, ..*way })
        .collect();
    ways.extend(short);
    ways
}

/// The verb of what is derived for every object.
const SHOW: &str = "show";

/// Finds the command that a line begins with. With `hints`, one that is not found comes with the word that was perhaps meant.
pub(crate) fn find(words: &[Token], place: Place, hints: bool) -> Result<Found<'_>, NotFound> {
    match (ours(words, place, hints), wider::find(words)) {
        // Words in full are meant before words that ours only begin with.
        (Ok(Found { target: Target::Form(command, _), .. }), Some(recognised))
            if !command.words.eq_ignore_ascii_case(&recognised.words) =>
        {
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

fn ours(words: &[Token], place: Place, hints: bool) -> Result<Found<'_>, NotFound> {
    let whole = span(words);
    let ways = ways(place);
    let verbs = distinct(ways.iter().map(|way| way.verb));
    let (verb, _, rest) = take(words, &verbs, "", whole, hints)?;
    let ways = || ways.iter().filter(move |way| way.verb == verb);
    if let Some(way) = ways().find(|way| way.group.is_empty()) {
        return Ok(Found { target: way.target, rest });
    }
    let groups = distinct(ways().map(|way| way.group));
    let (group, _, rest) = take(rest, &groups, verb, whole, hints)?;
    let ways = || ways().filter(move |way| way.group == group);
    let objects = distinct(ways().map(|way| way.object).filter(|object| !object.is_empty()));
    if let Some(way) = ways().find(|way| way.object.is_empty()) {
        let ends = rest.first().is_none_or(|next| next.kind == TokenKind::Keyword);
        if ends || objects.is_empty() {
            return Ok(Found { target: way.target, rest });
        }
    }
    let (object, token, rest) = take(rest, &objects, &format!("{verb} {group}"), whole, hints)?;
    let found = ways().find(|way| way.object == object).ok_or_else(|| never(token))?;
    Ok(Found { target: found.target, rest })
}

fn distinct(words: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let mut known: Vec<&'static str> = Vec::new();
    for word in words {
        if !known.contains(&word) {
            known.push(word);
        }
    }
    known
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
pub(crate) enum Picked<T> {
    One(T),
    Several(Vec<&'static str>),
    None,
}

/// The whole word wins over words that only begin so.
pub(crate) fn pick<T: Copy>(said: &str, known: impl Iterator<Item = (&'static str, T)> + Clone) -> Picked<T> {
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

/// The arguments that a command takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grammar {
    /// Words before those of the object: `add`. Empty if they are among them.
    pub(crate) verb: &'static str,
    /// Words of the object.
    pub(crate) words: &'static str,
    pub(crate) positionals: &'static [Argument],
    pub(crate) keywords: &'static [Argument],
    /// Keywords that it has in common with others.
    pub(crate) common: &'static [Argument],
    /// Keywords have no values.
    pub(crate) unset: bool,
}

impl Grammar {
    pub(crate) fn of(target: &Target) -> Self {
        match target {
            Target::Form(command, form) => Self {
                verb: form.op.word(),
                words: command.words,
                positionals: form.positionals,
                keywords: form.keywords,
                common: &[],
                unset: form.op == Op::Unset,
            },
            Target::Show(command) => {
                let (words, positionals) = (command.words, super::show_positionals(command));
                Self { verb: SHOW, words, positionals, keywords: &[], common: COMMON, unset: false }
            }
            Target::Ask(ask) => Self {
                verb: "",
                words: ask.words,
                positionals: ask.positionals,
                keywords: ask.keywords,
                common: ask.common(),
                unset: false,
            },
        }
    }

    pub(crate) fn all_keywords(&self) -> impl Iterator<Item = &'static Argument> + Clone + use<> {
        self.keywords.iter().chain(self.common)
    }

    pub(crate) fn called(&self) -> String {
        if self.verb.is_empty() { self.words.to_owned() } else { format!("{} {}", self.verb, self.words) }
    }

    fn keyword(&self, said: &str) -> Picked<&'static Argument> {
        pick(said, self.all_keywords().map(|a| (a.name, a)))
    }
}

/// Reads the words behind a command's name.
pub(crate) fn arguments(grammar: &Grammar, words: &[Token], whole: Span, hints: bool) -> Arguments {
    let mut read = Arguments::default();
    let first_keyword = words.iter().position(|t| t.kind == TokenKind::Keyword).unwrap_or(words.len());
    let (mut plain, mut keywords) = words.split_at(first_keyword);
    // `clear ns config -force basic`: the words behind a switch can only be those that stand before keywords elsewhere.
    if let (true, true, Some((switch, rest))) = (grammar.verb.is_empty(), plain.is_empty(), keywords.split_first())
        && matches!(grammar.keyword(&switch.value), Picked::One(argument) if matches!(argument.kind, Kind::Switch))
    {
        let end = rest.iter().position(|t| t.kind == TokenKind::Keyword).unwrap_or(rest.len());
        if let Some((here, next)) = rest.split_at_checked(end).filter(|(here, _)| !here.is_empty()) {
            plain = here;
            one_keyword(grammar, switch, &[], hints, &mut read);
            keywords = next;
        }
    }
    positionals(grammar, plain, whole, &mut read);
    while let Some((keyword, rest)) = keywords.split_first() {
        let end = rest.iter().position(|t| t.kind == TokenKind::Keyword).unwrap_or(rest.len());
        let (values, next) = rest.split_at(end);
        one_keyword(grammar, keyword, values, hints, &mut read);
        keywords = next;
    }
    for argument in grammar.keywords.iter().filter(|a| a.required && !grammar.unset) {
        // One that is there with a wrong value has been complained about already.
        let there = words.iter().any(|t| {
            t.kind == TokenKind::Keyword && matches!(grammar.keyword(&t.value), Picked::One(a) if a.name == argument.name)
        });
        if !there {
            let name = format!("-{}", argument.name);
            let cause = format!("`{}` needs {name}: {}", grammar.called(), argument.help);
            read.errors.push(Note::new(Code::ArgumentMissing, whole, name, cause));
        }
    }
    read
}

fn positionals(grammar: &Grammar, words: &[Token], whole: Span, read: &mut Arguments) {
    let mut rest = words;
    for argument in grammar.positionals {
        if rest.is_empty() {
            if argument.required {
                let cause = format!("`{}` needs <{}>: {}", grammar.called(), argument.name, argument.help);
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
        let secret = grammar.positionals.iter().any(|a| a.kind.is_secret());
        let about = if secret { "" } else { surplus.value.as_str() };
        let cause = format!("`{}` takes no further word here", grammar.called());
        let note = Note::new(Code::TooManyValues, surplus.span, about, cause);
        read.errors.push(note.cure("a name with blanks stands in quotes; an argument's name begins with a dash"));
    }
}

fn one_keyword(grammar: &Grammar, keyword: &Token, words: &[Token], hints: bool, read: &mut Arguments) {
    let said = keyword.value.as_str();
    let called = format!("-{said}");
    let argument = match grammar.keyword(said) {
        Picked::One(argument) => argument,
        Picked::Several(names) => {
            let cause = format!("this could be -{}", names.join(" or -"));
            read.errors.push(Note::new(Code::AmbiguousArgument, keyword.span, called, cause).cure("write it in full"));
            return;
        }
        Picked::None => {
            let cause = format!("`{}` has no argument `{called}`", grammar.called());
            let mut note = Note::new(Code::NoSuchArgument, keyword.span, called, cause);
            if hints {
                let near = nearest(said, grammar.all_keywords().map(|a| a.name));
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
    if argument.support == Support::Held && !grammar.unset {
        if !super::site::says_nothing_new(argument, &kept(argument.name, words)) {
            read.without_effect.push((argument, keyword.span));
        }
    } else if !matches!(argument.support, Support::Full | Support::Held) {
        let Some(kept) = known_kept(grammar, argument, keyword, words, read) else { return };
        if !super::site::says_nothing_new(argument, &kept) && !grammar.unset {
            read.without_effect.push((argument, keyword.span));
        }
        read.kept.push(kept);
        return;
    }
    if matches!(argument.kind, Kind::Switch) || grammar.unset {
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
    grammar: &Grammar,
    argument: &'static Argument,
    keyword: &Token,
    words: &[Token],
    read: &mut Arguments,
) -> Option<KeptArgument> {
    let called = format!("-{}", argument.name);
    if matches!(argument.kind, Kind::Anything) {
        return Some(kept(argument.name, words));
    }
    if matches!(argument.kind, Kind::Switch) || grammar.unset {
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
