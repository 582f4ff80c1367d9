//! Answers that the configuration and the catalogue give by themselves: `show` of every object, the running configuration, help.
//!
//! ```text
//!   Model ─print─► lines ─arguments─► values ─┐
//!   Command ─► fields, defaults ──────────────┴─► rows; what the running gateway knows is filled in by whoever runs it
//! ```
//!
//! What is shown of an object is what its printed lines say, so nothing that can be configured is ever left out.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::answer::{Answer, Datum, Field, FieldKind, Layout, Row};
use crate::catalog::resolve::{Grammar, Place, Target, arguments, find, span};
use crate::catalog::{
    Argument, Command, Feature, Given, Kind, Note, Op, Support, What, commands, label, live, lower_camel, namesake, nearest,
    show_positionals,
};
use crate::code::Code;
use crate::help;
use crate::model::{KeptFor, Model};
use crate::order::{AskOrder, ShowOrder};
use crate::print::{Printed, lines_of};
use crate::problem::{MASK, Problem};
use crate::text::lex::{Span, Token, lex};

/// Key of what is bound to an object.
const BINDINGS: &str = "bindings";
/// Key of arguments that are kept without effect.
const KEPT: &str = "withoutEffect";

/// The objects of one kind, or one of them, with defaults filled in and bindings; secrets are masked. The
/// [`live`](crate::catalog::live()) fields are there and empty.
///
/// # Errors
/// `No such resource`, if there is none of the name.
#[expect(clippy::result_large_err, reason = "a problem is told once per line, and callers keep many of them in a list")]
pub fn configured(model: &Model, order: &ShowOrder) -> Result<Answer, Problem> {
    let command = order.command;
    let mut answer = answer(command);
    let mut objects: BTreeMap<Box<str>, usize> = BTreeMap::new();
    let mut rows: Vec<Row> = Vec::new();
    let mut row_of = |rows: &mut Vec<Row>, object: &str| {
        *objects.entry(object.into()).or_insert_with(|| {
            rows.push(begun(model, command, object));
            rows.len() - 1
        })
    };
    let wanted = |object: &str| order.name.as_deref().is_none_or(|name| name == object);
    if show_positionals(command).is_empty() {
        row_of(&mut rows, "");
    } else if namesake(command) != command.words {
        // Their names are those of other objects, and by default there is nothing to print about them.
        for object in names(model, namesake(command)).iter().filter(|object| wanted(object)) {
            row_of(&mut rows, object);
        }
    }
    for line in lines_of(model, command) {
        if wanted(&line.object) {
            let at = row_of(&mut rows, &line.object);
            if let Some(row) = rows.get_mut(at) {
                fill(row, command, &line);
            }
        }
    }
    if let (Some(name), true) = (&order.name, rows.is_empty()) {
        let mut note = Note::new(Code::NoSuchResource, order.at, &**name, format!("there is no {} {name:?}", command.words));
        let known = names(model, namesake(command));
        note.cure = nearest(name, known.iter().map(String::as_str)).map(|near| format!("did you mean {near}?"));
        return Err(order.problem(note));
    }
    rows.into_iter().for_each(|row| answer.push(row));
    Ok(if order.summary { answer.summarised() } else { answer })
}

/// An answer about objects of `command`, without rows.
fn answer(command: &Command) -> Answer {
    let layout = if show_positionals(command).is_empty() { Layout::Single } else { Layout::Numbered };
    Answer::about(lower_camel(command.words).into(), layout, fields(command), command.words)
}

/// What `show` says about each object of `command`: arguments, what only the running gateway knows, what is kept without effect, and
/// what is bound.
#[must_use]
pub fn fields(command: &Command) -> Vec<Field> {
    let mut fields: Vec<Field> = arguments_of(command, false).into_iter().map(field).collect();
    fields.extend(live(command).iter().cloned());
    if command.forms.iter().any(|form| form.keywords.iter().any(is_unknown)) {
        fields.push(Field::list(KEPT, "Without effect", "Arguments that are kept for printing back only."));
    }
    let bound = arguments_of(command, true);
    if !bound.is_empty() {
        let inner: Vec<Field> = bound.into_iter().map(field).collect();
        let mut field = Field::rows(BINDINGS, "Bindings", &[], "What is bound to it.");
        field.kind = FieldKind::Rows(inner.into());
        fields.push(field);
    }
    fields
}

/// Whether all that is known of an argument is its name.
fn is_unknown(argument: &Argument) -> bool {
    argument.support == Support::Kept && argument.help.is_empty()
}

/// The arguments that are shown: those that make an object, or those that bind something to it, each once.
fn arguments_of(command: &Command, binding: bool) -> Vec<&'static Argument> {
    let mut all: Vec<&'static Argument> = Vec::new();
    for form in command.forms.iter().filter(|form| form.op != Op::Unset && (form.op == Op::Bind) == binding) {
        let makes = form.print.is_some() || matches!(form.op, Op::Add | Op::Set | Op::Link);
        // The name of the object stands above its bindings.
        let positionals = form.positionals.iter().skip(usize::from(binding && !show_positionals(command).is_empty()));
        for argument in positionals.chain(form.keywords).filter(|argument| makes && !is_unknown(argument)) {
            if !all.iter().any(|other| other.name == argument.name) {
                all.push(argument);
            }
        }
    }
    all
}

/// What a value is like when it is shown.
enum Shape {
    Switch,
    Number(&'static str),
    Choice(&'static [&'static str]),
    List,
    Secret,
    /// Its default is a value if it is a path, otherwise it says in words what holds.
    Path,
    /// Its default is a value.
    Kept,
    /// Its default says in words what holds.
    Text,
}

impl Shape {
    const fn of(kind: &Kind) -> Self {
        match kind {
            Kind::Switch => Self::Switch,
            Kind::Number { unit, .. } => Self::Number(unit),
            Kind::Choice(words) => Self::Choice(words),
            Kind::List(..) => Self::List,
            Kind::Secret => Self::Secret,
            Kind::Socket => Self::Path,
            Kind::Anything => Self::Kept,
            Kind::Text
            | Kind::Word(..)
            | Kind::Name
            | Kind::SessionGroup
            | Kind::Expression
            | Kind::ClassicRule
            | Kind::ClientExpression
            | Kind::Goto
            | Kind::Ip
            | Kind::Cidr
            | Kind::CidrPort
            | Kind::Ports
            | Kind::HostPort(_)
            | Kind::Listen(_)
            | Kind::DnsName
            | Kind::Url
            | Kind::File => Self::Text,
        }
    }
}

/// Units that people want to read behind a number; others are in its name.
const SHOWN_UNITS: &[&str] = &["microseconds", "milliseconds", "seconds", "minutes", "hours", "days", "bytes"];

fn field(argument: &'static Argument) -> Field {
    let (mut labelled, mut kind) = (label(argument.name), FieldKind::Text);
    match Shape::of(&argument.kind) {
        Shape::Switch => kind = FieldKind::Flag,
        Shape::List => kind = FieldKind::List,
        Shape::Choice(_) | Shape::Secret | Shape::Path | Shape::Kept | Shape::Text => {}
        Shape::Number(unit) => {
            let shown = SHOWN_UNITS.contains(&unit);
            kind = FieldKind::Number { unit: Cow::Borrowed(if shown { unit } else { "" }) };
            if let Some(bare) = labelled.strip_suffix(" ms").or_else(|| labelled.strip_suffix(" us")).filter(|_| shown) {
                labelled = bare.to_owned();
            }
        }
    }
    let help = if argument.kind.is_secret() { "Set or not; never shown.".into() } else { Cow::Borrowed(argument.help) };
    Field { name: lower_camel(argument.name).into(), label: labelled.into(), kind, help }
}

/// An object of which nothing is known but its name: its defaults, and what is kept of it.
fn begun(model: &Model, command: &'static Command, object: &str) -> Row {
    let mut row = Row::new();
    for argument in arguments_of(command, false) {
        row.set(lower_camel(argument.name), default(argument));
    }
    if let Some(first) = show_positionals(command).first() {
        let known = command.forms.iter().find_map(|form| form.positionals.first()).unwrap_or(first);
        row.set(lower_camel(known.name), Datum::Text(object.to_owned()));
    }
    let at = KeptFor { command: command.words, object: object.into() };
    let mut unknown = Vec::new();
    for kept in model.kept_arguments.get(&at).into_iter().flatten() {
        let said = kept.values.join(" ");
        match arguments_of(command, false).into_iter().find(|argument| argument.name == &*kept.keyword) {
            Some(argument) if !matches!(argument.kind, Kind::Switch | Kind::Number { .. } | Kind::List(..)) => {
                row.set(lower_camel(argument.name), Datum::Text(said));
            }
            Some(argument) => row.set(lower_camel(argument.name), kept_datum(argument, &kept.values)),
            None => {
                unknown.push(if said.is_empty() { format!("-{}", kept.keyword) } else { format!("-{} {said}", kept.keyword) })
            }
        }
    }
    if !unknown.is_empty() {
        row.set(KEPT, Datum::List(unknown));
    }
    row
}

fn kept_datum(argument: &Argument, values: &[Box<str>]) -> Datum {
    match Shape::of(&argument.kind) {
        Shape::Switch => Datum::Flag(true),
        Shape::Number(_) => values.first().and_then(|value| value.parse().ok()).map_or(Datum::None, Datum::Number),
        Shape::List => Datum::List(values.iter().flat_map(|value| value.split(',')).map(str::to_owned).collect()),
        Shape::Secret => Datum::Text(MASK.to_owned()),
        Shape::Choice(_) | Shape::Path | Shape::Kept | Shape::Text => Datum::Text(values.join(" ")),
    }
}

/// What holds without an argument: a value if it can be one, else in words.
fn default(argument: &Argument) -> Datum {
    let text = match argument.support {
        Support::Always(value) => value,
        Support::Full | Support::Held | Support::Kept => argument.default,
    };
    let unset = || if text.is_empty() { Datum::None } else { Datum::Unset(text.into()) };
    match Shape::of(&argument.kind) {
        Shape::Switch => Datum::Flag(false),
        Shape::Number(_) => text.parse().map_or_else(|_| unset(), Datum::Number),
        Shape::Choice(words) if words.contains(&text) => Datum::Text(text.to_owned()),
        Shape::Path if text.starts_with('/') => Datum::Text(text.to_owned()),
        Shape::Kept if !text.is_empty() => Datum::Text(text.to_owned()),
        Shape::Choice(_) | Shape::Path | Shape::Kept | Shape::List | Shape::Secret | Shape::Text => unset(),
    }
}

/// Takes over what a printed line says.
fn fill(row: &mut Row, command: &'static Command, line: &Printed) {
    let tokens = lex(&line.text).tokens;
    let Ok(found) = find(&tokens, Place::File, false) else { return };
    let Target::Form(_, form) = found.target else { return };
    let read = arguments(&Grammar::of(&found.target), found.rest, span(&tokens), false);
    if form.op != Op::Bind {
        for given in &read.given {
            row.set(lower_camel(given.argument.name), said(given, &tokens));
        }
        return;
    }
    let mut binding = Row::new();
    let of_object = usize::from(!show_positionals(command).is_empty());
    for argument in arguments_of(command, true) {
        binding.set(lower_camel(argument.name), default(argument));
    }
    for given in read.given.iter().skip(of_object) {
        binding.set(lower_camel(given.argument.name), said(given, &tokens));
    }
    row.add(BINDINGS, binding);
}

/// A value as it stands in a line.
fn said(given: &Given, tokens: &[Token]) -> Datum {
    let written = |at: Span| tokens.iter().find(|token| token.span == at).map(|token| token.value.as_str()).unwrap_or_default();
    let first = given.values.first().map(|(_, at)| written(*at)).unwrap_or_default();
    match Shape::of(&given.argument.kind) {
        Shape::Switch => Datum::Flag(true),
        Shape::Secret => Datum::Text(MASK.to_owned()),
        Shape::Number(_) => first.parse().map_or(Datum::None, Datum::Number),
        Shape::List => {
            // Members written with commas share a place.
            let mut places: Vec<Span> = given.values.iter().map(|(_, at)| *at).collect();
            places.dedup();
            Datum::List(places.into_iter().flat_map(|at| written(at).split(',')).map(str::to_owned).collect())
        }
        Shape::Choice(_) | Shape::Path | Shape::Kept | Shape::Text => Datum::Text(first.to_owned()),
    }
}

/// The answer to an ask that needs nothing but the configuration and the catalogue: `show ns runningConfig`, `show ns feature`,
/// `show names`, `help`, `man`. `None` for others.
#[must_use]
pub fn ask(model: &Model, order: &AskOrder) -> Option<Result<Answer, Problem>> {
    let words = || order.texts("words").collect::<Vec<_>>();
    match order.ask.what {
        What::ShowFlow => Some(crate::flow::answer(model, order)),
        What::RunningConfig => Some(Ok(lines(order, model.print().lines().map(str::to_owned)))),
        What::Features => Some(Ok(features(model, order))),
        What::Names => Some(of_kind(model, order)),
        What::Help => Some(match help::help(&words(), order.has("all")) {
            Ok(text) => Ok(lines(order, text)),
            Err(cause) => Err(order.problem("words", Code::NoSuchCommand, cause)),
        }),
        What::Man => Some(match help::man(&words()) {
            Ok(text) => Ok(lines(order, text)),
            Err(cause) => Err(order.problem("words", Code::NoSuchCommand, cause)),
        }),
        What::TestLogin
        | What::ShowTrace
        | What::UnlockUser
        | What::ShowIcaConnections
        | What::KillIcaConnections
        | What::ShowAaaSessions
        | What::KillAaaSessions
        | What::ShowWorkers
        | What::ShowStas
        | What::StatVservers
        | What::StatVpn
        | What::StatAaa
        | What::StatSsl
        | What::StatWorkers
        | What::StatNs
        | What::SavedConfig
        | What::DiffConfig
        | What::SaveConfig
        | What::ClearConfig
        | What::Reload
        | What::Info
        | What::Version
        | What::Drain
        | What::ShowDrain
        | What::WhoAmI
        | What::Client
        | What::Exit => None,
    }
}

fn lines(order: &AskOrder, text: impl IntoIterator<Item = String>) -> Answer {
    let mut answer = Answer::of(order.ask);
    text.into_iter().for_each(|line| answer.push(Row::new().text("line", line)));
    answer
}

/// Ours, the one that is always on, and those that are kept for printing back.
fn features(model: &Model, order: &AskOrder) -> Answer {
    let row = |feature: &str, on: bool, effect: &str| {
        Row::new().text("feature", feature).text("status", if on { "ON" } else { "OFF" }).text("effect", effect)
    };
    let on = &model.features;
    let mut answer = Answer::of(order.ask)
        .row(row(Feature::SslVpn.word(), on.ssl_vpn, "FULL"))
        .row(row(Feature::Aaa.word(), on.aaa, "FULL"))
        .row(row("SSL", true, "ALWAYS"));
    on.without_effect.iter().for_each(|word| answer.push(row(word, true, "NONE")));
    answer
}

#[expect(clippy::result_large_err, reason = "a problem is told once per line, and callers keep many of them in a list")]
fn of_kind(model: &Model, order: &AskOrder) -> Result<Answer, Problem> {
    let (group, object) = (order.text("group").unwrap_or_default(), order.text("object").unwrap_or_default());
    let words = format!("{group} {object}");
    let Some(command) = commands().iter().find(|command| command.words.eq_ignore_ascii_case(&words)) else {
        return Err(order.problem("object", Code::NoSuchCommand, format!("there are no objects called {words}")));
    };
    let mut answer = Answer::of(order.ask);
    names(model, namesake(command)).into_iter().for_each(|name| answer.push(Row::new().text("name", name)));
    Ok(answer)
}

/// Names of the objects of a kind, by the words of its command: `vpn vserver`. Oldest first.
#[must_use]
pub fn names(model: &Model, words: &str) -> Vec<String> {
    let Some(command) = commands().iter().find(|command| command.words == words) else { return Vec::new() };
    if namesake(command) != words {
        return names(model, namesake(command));
    }
    let mut names: Vec<String> = Vec::new();
    for line in lines_of(model, command).into_iter().filter(|line| !line.object.is_empty() && line.op == Op::Add) {
        names.push(line.object.into());
    }
    names
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_field_has_a_name_of_its_own() {
        for command in commands() {
            let fields = fields(command);
            let names: BTreeSet<&str> = fields.iter().map(|field| &*field.name).collect();
            assert_eq!(names.len(), fields.len(), "{}: {:?}", command.words, fields.iter().map(|f| &f.name).collect::<Vec<_>>());
        }
    }
}
