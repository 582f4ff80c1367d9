//! What objects and settings do that are known and have no effect: they are checked by their arguments and kept whole.
//!
//! ```text
//!   add ns ip 192.0.2.9 255.255.255.0 -type SNIP ─► object "192.0.2.9", words, kept arguments ─print─► the same line
//! ```
//!
//! The name is the first word of the form that adds. What is bound is one line each.

use crate::code::Code;
use crate::model::{KeptArgument, Model, RestingBinding, RestingName, RestingObject};
use crate::print::Writer;

use super::ns::something;
use super::site::{Note, Refused, Site, incomplete, missing};
use super::{Op, Said};

/// Most bindings of one object.
const BINDINGS_MAX: usize = 4096;

/// How names of objects begin that are part of the other product.
const BUILT_IN: &[&str] = &["nstcp_", "nshttp_", "ns_default_ssl_profile_"];

/// The first word behind the command: the object's name.
fn name_of(said: &Said<'_>) -> Option<(&'static str, String)> {
    let argument = said.form.positionals.first()?.name;
    Some((argument, said.value(argument)?.shown()))
}

/// The words behind the name.
fn words_of(said: &Said<'_>) -> Vec<Box<str>> {
    let behind = said.form.positionals.iter().skip(1);
    behind.flat_map(|argument| said.values(argument.name)).map(|value| value.shown().into()).collect()
}

fn nothing(said: &Said<'_>, argument: &str, model: &Model) -> Refused {
    missing(said, argument, Code::NoSuchResource, said.command.words, model.resting.names(said.command.words))
}

/// Makes an object.
pub(super) fn add(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let Some((argument, text)) = name_of(said) else { return Err(incomplete(said)) };
    let name = RestingName::parse(&text);
    let name = name.map_err(|wrong| Note::new(Code::InvalidValue, said.place(argument), text.as_str(), wrong.to_string()))?;
    let object = RestingObject { built_in: false, words: words_of(said), bindings: Vec::new() };
    site.model.resting.add(said.command.words, name, object).map_err(|there| {
        let cause = format!("there is a {} {there:?} already", said.command.words, there = there.as_str());
        Note::new(Code::AlreadyExists, said.place(argument), text.as_str(), cause)
    })?;
    site.keep_arguments(said, &text);
    Ok(())
}

/// Changes an object; also takes arguments back.
pub(super) fn set(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let Some((argument, name)) = name_of(said) else { return Err(incomplete(said)) };
    something(said)?;
    if BUILT_IN.iter().any(|begin| name.starts_with(begin))
        && site.model.resting.find(said.command.words, &name).is_none()
        && let Ok(name) = RestingName::parse(&name)
    {
        let object = RestingObject { built_in: true, ..RestingObject::default() };
        // It was not there, and now it is.
        let _added = site.model.resting.add(said.command.words, name, object);
    }
    let Some(object) = site.model.resting.find_mut(said.command.words, &name) else {
        return Err(nothing(said, argument, site.model));
    };
    // What `add` says in words, `set` says in keywords.
    let words = said.command.form(Op::Add).map_or(&[][..], |form| form.positionals);
    let place = |kept: &KeptArgument| words.iter().skip(1).position(|argument| argument.name == &*kept.keyword);
    for (at, value) in said.kept.iter().filter_map(|kept| Some((place(kept)?, kept.values.first()?))) {
        match object.words.get_mut(at) {
            Some(word) => word.clone_from(value),
            None => object.words.push(value.clone()),
        }
    }
    site.keep_arguments_but(said, &name, |kept| place(kept).is_some());
    Ok(())
}

/// Removes an object, with what is bound to it.
pub(super) fn rm(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let Some((argument, name)) = name_of(said) else { return Err(incomplete(said)) };
    if site.model.resting.remove(said.command.words, &name).is_none() {
        return Err(nothing(said, argument, site.model));
    }
    site.forget_arguments(said, &name);
    Ok(())
}

/// Ties something to an object.
pub(super) fn bind(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let Some((argument, name)) = name_of(said) else { return Err(incomplete(said)) };
    let binding = RestingBinding { words: words_of(said), arguments: said.kept.clone() };
    let Some(object) = site.model.resting.find_mut(said.command.words, &name) else {
        return Err(nothing(said, argument, site.model));
    };
    if binding.words.is_empty() && binding.arguments.is_empty() {
        return Err(Note::new(Code::ArgumentMissing, said.span, name, "what shall be bound?").into());
    }
    if object.bindings.iter().any(|other| other.is_same(&binding)) {
        return Err(Note::new(Code::BindingExists, said.span, name, "this is bound here already").into());
    }
    if object.bindings.len() >= BINDINGS_MAX {
        let cause = format!("an object has at most {BINDINGS_MAX} bindings");
        return Err(Note::new(Code::TooManyValues, said.span, name, cause).into());
    }
    object.bindings.push(binding);
    Ok(())
}

/// Unties it.
pub(super) fn unbind(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let Some((argument, name)) = name_of(said) else { return Err(incomplete(said)) };
    let binding = RestingBinding { words: words_of(said), arguments: said.kept.clone() };
    let Some(object) = site.model.resting.find_mut(said.command.words, &name) else {
        return Err(nothing(said, argument, site.model));
    };
    let Some(at) = object.bindings.iter().position(|other| other.is_same(&binding)) else {
        return Err(Note::new(Code::NoSuchResource, said.span, name, "this is not bound here").into());
    };
    object.bindings.remove(at);
    Ok(())
}

/// Changes settings of which there is one set only; also takes them back.
pub(super) fn settings(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    site.keep_arguments(said, "");
    Ok(())
}

/// Writes objects, without what is bound to them.
pub(super) fn print_objects(model: &Model, out: &mut Writer<'_>) {
    let command = out.command();
    for (name, object) in model.resting.of(command.words) {
        if object.built_in {
            out.line(Op::Set, command, name.as_str()).word(name).carrying().end();
            continue;
        }
        let line = out.line(Op::Add, command, name.as_str()).word(name);
        object.words.iter().fold(line, |line, word| line.word(word)).end();
    }
}

/// Writes what is bound to them.
pub(super) fn print_bindings(model: &Model, out: &mut Writer<'_>) {
    let command = out.command();
    for (name, object) in model.resting.of(command.words) {
        for RestingBinding { words, arguments } in &object.bindings {
            let line = out.line(Op::Bind, command, name.as_str()).word(name);
            let line = words.iter().fold(line, |line, word| line.word(word));
            let argument = |line, KeptArgument { keyword, values }: &KeptArgument| {
                let line: crate::print::LineWriter<'_, '_> = line;
                values.iter().fold(line.switch(keyword), |line, value| line.word(value))
            };
            arguments.iter().fold(line, argument).end();
        }
    }
}

/// Writes settings.
pub(super) fn print_settings(_: &Model, out: &mut Writer<'_>) {
    let command = out.command();
    out.line(Op::Set, command, "").end();
}
