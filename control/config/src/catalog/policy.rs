//! `policy expression` and `policy patset`: what expressions call by name.

use crate::code::Code;
use crate::expr::{
    ExpressionName, NAMES_MAX, NamedExpression, NotAnExpressionName, PATTERN_CHARS_MAX, PATTERNS_MAX, Pattern, PatternSet, Says,
    Wanted,
};
use crate::model::authentication::{ClientExpression, Expression};
use crate::model::{Model, PatternSetName};
use crate::print::{LineWriter, Writer};

use super::express::{judge, judge_client};
use super::ns::something;
use super::site::{Note, Refused, Site, incomplete, missing, taken};
use super::{Argument, Command, Effect, Form, Kind, Op, Origin, Rank, Said};

const NAME: Argument = Argument::required("name", Kind::Name, "Its name; case is no difference where it is used.");
const COMMENT: Argument = Argument::optional("comment", Kind::Text, "For people.");
const VALUE_HELP: &str = "What it says; stands in quotes if it has blanks.";
const MESSAGE: Argument =
    Argument::kept("clientSecurityMessage").takes(Kind::Text).means("What users are told whose machine is not as it says.");

/// `add policy expression`
pub(super) const EXPRESSION: Command = Command {
    group: "policy",
    object: "expression",
    words: "policy expression",
    summary: "An expression with a name, by which others call it.",
    notes: "Its name has ASCII letters, digits and underscores and is no word of the language, see [expressions.md](expressions.md). It can \
            call others, though not itself, and cannot be removed while it is called. What a client is asked about itself, \
            `sys.client_expr(\"…\")`, can have a name, too, which then stands in a `-csecexpr` only.",
    origin: Origin::NetScaler,
    feature: None,
    effect: Effect::NewSessions,
    forms: &[
        Form {
            op: Op::Add,
            positionals: &[NAME, Argument::required("value", Kind::Anything, VALUE_HELP)],
            keywords: &[COMMENT, MESSAGE],
            example: "add policy expression is_native \"HTTP.REQ.HEADER(\\\"User-Agent\\\").CONTAINS_ANY(\\\"native_agents\\\")\"",
            apply: add_expression,
            print: Some((Rank::PolicyExpression, print_expressions)),
        },
        Form {
            op: Op::Set,
            positionals: &[NAME, Argument::optional("value", Kind::Anything, VALUE_HELP)],
            keywords: &[COMMENT, MESSAGE],
            example: "set policy expression is_native -comment \"not a browser\"",
            apply: set_expression,
            print: None,
        },
        Form {
            op: Op::Unset,
            positionals: &[NAME],
            keywords: &[COMMENT, MESSAGE],
            example: "unset policy expression is_native -comment",
            apply: set_expression,
            print: None,
        },
        Form {
            op: Op::Rm,
            positionals: &[NAME],
            keywords: &[],
            example: "rm policy expression is_native",
            apply: rm_expression,
            print: None,
        },
    ],
};

/// What a line says an expression is.
fn says(said: &Said<'_>, site: &mut Site<'_>) -> Result<Option<Says>, Refused> {
    // `unset` has no value.
    if said.form.op == Op::Unset {
        return Ok(None);
    }
    let Some(text) = said.text("value") else { return Ok(None) };
    let refuse = |code, cause: String| Refused::from(Note::new(code, said.place("value"), "", cause));
    if text.to_lowercase().contains("sys.client_expr") {
        let parsed = ClientExpression::parse(text).map_err(|not| refuse(Code::InvalidExpression, not.to_string()))?;
        judge_client(said, site, "value", &parsed)?;
        return Ok(Some(Says::Client(parsed)));
    }
    let parsed = Expression::parse(text).map_err(|not| refuse(Code::InvalidExpression, not.to_string()))?;
    judge(said, site, "value", &parsed, Wanted::Anything)?;
    Ok(Some(Says::Of(parsed)))
}

fn add_expression(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let written = said.text("name").unwrap_or_default();
    let name = ExpressionName::parse(written).map_err(|not| {
        let code = match not {
            NotAnExpressionName::Name(_) => Code::InvalidValue,
            NotAnExpressionName::Character | NotAnExpressionName::Reserved => Code::ExpressionNameInvalid,
        };
        Refused::from(Note::new(code, said.place("name"), written, not.to_string()))
    })?;
    too_many(said, site.model.names.expressions.len())?;
    let Some(says) = says(said, site)? else { return Err(incomplete(said)) };
    let expression = NamedExpression { says, comment: said.text("comment").map(Into::into) };
    let added = site.model.names.expressions.add(name, expression);
    added.map_err(|there| taken(said, "name", Code::AlreadyExists, "policy expression", there.0.as_str()))?;
    site.keep_arguments(said, written);
    Ok(())
}

fn too_many(said: &Said<'_>, there: usize) -> Result<(), Refused> {
    if there < NAMES_MAX {
        return Ok(());
    }
    let name = said.text("name").unwrap_or_default();
    Err(Note::new(Code::TooManyValues, said.place("name"), name, format!("there are at most {NAMES_MAX} of them")).into())
}

fn set_expression(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    if !(said.form.op == Op::Set && said.has("value")) {
        something(said)?;
    }
    let name = said.text("name").unwrap_or_default();
    let Some(mut expression) = site.model.names.expressions.find(name).cloned() else {
        return Err(no_expression(said, site.model));
    };
    let new = says(said, site)?;
    let changed = new.is_some();
    expression.says = new.unwrap_or(expression.says);
    said.put("comment", &mut expression.comment, None, |s| s.text("comment").map(|text| Some(text.into())));
    let mut names = site.model.names.clone();
    if let Some(there) = names.expressions.find_mut(name) {
        *there = expression;
    }
    // Whoever calls it must fit its new value, and no way may lead back to it.
    if changed && let Some(user) = site.model.rules().into_iter().find(|rule| rule.fits(&site.model.names) && !rule.fits(&names))
    {
        let cause = format!("with this value it would not fit {}, which calls it", user.owner);
        return Err(Note::new(Code::InUse, said.place("value"), name, cause).into());
    }
    site.model.names = names;
    site.keep_arguments(said, name);
    Ok(())
}

fn rm_expression(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    if !site.model.names.expressions.has(name) {
        return Err(no_expression(said, site.model));
    }
    if let Some(user) = site.model.rules().into_iter().find(|rule| rule.calls(name)) {
        return Err(called(said, &user.owner));
    }
    site.model.names.expressions.remove(name);
    site.forget_arguments(said, name);
    Ok(())
}

/// Refuses because an expression calls what shall be removed.
fn called(said: &Said<'_>, by: &str) -> Refused {
    let name = said.text("name").unwrap_or_default();
    let note = Note::new(Code::InUse, said.place("name"), name, format!("{name:?} is called by {by}"));
    note.cure("change what calls it first").into()
}

fn no_expression(said: &Said<'_>, model: &Model) -> Refused {
    let known = model.names.expressions.names().map(ExpressionName::as_str);
    missing(said, "name", Code::NoSuchResource, "policy expression", known)
}

/// Whoever is called stands before who calls it.
fn print_expressions(model: &Model, out: &mut Writer<'_>) {
    for (name, expression) in model.names.in_order() {
        let line = out.line(Op::Add, &EXPRESSION, name.as_str()).word(name).word(expression.says.as_str());
        line.keyword_if("comment", expression.comment.as_deref()).end();
    }
}

/// `add policy patset`
pub(super) const PATTERN_SET: Command = Command {
    group: "policy",
    object: "patset",
    words: "policy patset",
    summary: "A set of patterns with which expressions compare texts.",
    notes: "`EQUALS_ANY`, `CONTAINS_ANY`, `STARTSWITH_ANY` and `ENDSWITH_ANY` look through it, see [expressions.md](expressions.md).",
    origin: Origin::NetScaler,
    feature: None,
    effect: Effect::NewSessions,
    forms: &[
        Form {
            op: Op::Add,
            positionals: &[NAME],
            keywords: &[
                COMMENT,
                Argument::kept("indexType")
                    .takes(Kind::Choice(&["Auto-generated", "User-defined"]))
                    .means("Who numbers the patterns."),
                Argument::kept("patsetFile").takes(Kind::Text).means("A file with patterns."),
                Argument::kept("dynamic").takes(Kind::Choice(&["YES", "NO"])).means("Whether patterns change by themselves."),
            ],
            example: "add policy patset native_agents -comment \"native clients\"",
            apply: add_set,
            print: Some((Rank::PolicyPatset, print_sets)),
        },
        Form {
            op: Op::Rm,
            positionals: &[NAME],
            keywords: &[],
            example: "rm policy patset native_agents",
            apply: rm_set,
            print: None,
        },
        Form {
            op: Op::Bind,
            positionals: &[NAME, PATTERN],
            keywords: &[
                Argument::optional(
                    "index",
                    Kind::Number { min: 1, max: 4_294_967_290, unit: "place" },
                    "Its number; without effect.",
                ),
                Argument::optional("charset", Kind::Choice(&["ASCII", "UTF_8"]), "How it is written. Either is read as UTF-8.")
                    .or("ASCII"),
                COMMENT,
            ],
            example: "bind policy patset native_agents CitrixReceiver -index 1",
            apply: bind_set,
            print: Some((Rank::PolicyPatsetBind, print_patterns)),
        },
        Form {
            op: Op::Unbind,
            positionals: &[NAME, PATTERN],
            keywords: &[],
            example: "unbind policy patset native_agents CitrixReceiver",
            apply: unbind_set,
            print: None,
        },
    ],
};

const PATTERN: Argument = Argument::required("string", Kind::Text, "A pattern: a text.");
const _: () = assert!(PATTERN_CHARS_MAX == super::TEXT_CHARS_MAX);

fn add_set(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let Some(name) = said.name::<PatternSetName>("name") else { return Err(incomplete(said)) };
    too_many(said, site.model.names.pattern_sets.len())?;
    let set = PatternSet { patterns: Vec::new(), comment: said.text("comment").map(Into::into) };
    let added = site.model.names.pattern_sets.add(name.clone(), set);
    added.map_err(|there| taken(said, "name", Code::AlreadyExists, "pattern set", there.0.as_str()))?;
    site.keep_arguments(said, name.as_str());
    Ok(())
}

fn rm_set(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    if !site.model.names.pattern_sets.has(name) {
        return Err(no_set(said, site.model));
    }
    if let Some(user) = site.model.rules().into_iter().find(|rule| rule.looks_through(name)) {
        return Err(called(said, &user.owner));
    }
    site.model.names.pattern_sets.remove(name);
    site.forget_arguments(said, name);
    Ok(())
}

fn bind_set(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let (name, text) = (said.text("name").unwrap_or_default(), said.text("string").unwrap_or_default());
    let Some(set) = site.model.names.pattern_sets.find_mut(name) else { return Err(no_set(said, site.model)) };
    if set.patterns.iter().any(|pattern| &*pattern.text == text) {
        return Err(Note::new(Code::BindingExists, said.place("string"), text, "this pattern is in the set already").into());
    }
    if set.patterns.len() >= PATTERNS_MAX {
        let cause = format!("a pattern set has at most {PATTERNS_MAX} patterns");
        return Err(Note::new(Code::TooManyValues, said.place("string"), text, cause).into());
    }
    set.patterns.push(Pattern { text: text.into(), index: said.number("index"), comment: said.text("comment").map(Into::into) });
    Ok(())
}

fn unbind_set(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let (name, text) = (said.text("name").unwrap_or_default(), said.text("string").unwrap_or_default());
    let Some(set) = site.model.names.pattern_sets.find_mut(name) else { return Err(no_set(said, site.model)) };
    match set.patterns.iter().position(|pattern| &*pattern.text == text) {
        Some(at) => {
            set.patterns.remove(at);
            Ok(())
        }
        None => Err(Note::new(Code::NoSuchResource, said.place("string"), text, "this pattern is not in the set").into()),
    }
}

fn no_set(said: &Said<'_>, model: &Model) -> Refused {
    let known = model.names.pattern_sets.names().map(PatternSetName::as_str);
    missing(said, "name", Code::NoSuchResource, "pattern set", known)
}

fn print_sets(model: &Model, out: &mut Writer<'_>) {
    for (name, set) in model.names.pattern_sets.iter() {
        out.line(Op::Add, &PATTERN_SET, name.as_str()).word(name).keyword_if("comment", set.comment.as_deref()).end();
    }
}

fn print_patterns(model: &Model, out: &mut Writer<'_>) {
    for (name, set) in model.names.pattern_sets.iter() {
        for pattern in &set.patterns {
            let line = out.line(Op::Bind, &PATTERN_SET, name.as_str()).word(name).word(&pattern.text);
            print_pattern(line, pattern).end();
        }
    }
}

fn print_pattern<'w, 'm>(line: LineWriter<'w, 'm>, pattern: &Pattern) -> LineWriter<'w, 'm> {
    line.keyword_if("index", pattern.index).keyword_if("comment", pattern.comment.as_deref())
}
