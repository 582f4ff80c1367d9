//! What is made of texts.

use std::net::IpAddr;
use std::ops::Range;

use regex_lite::Regex;

use super::super::facts::Method;
use super::super::members::{HEX, IGNORE_CASE, OfText};
use super::super::names::PatternSet;
use super::super::text;
use super::super::tree::{Argument, Call};
use super::super::value::{Characters, List, Pairs, Text, Value};
use super::{Found, LIST_MAX, Machine, PART_WORK, REGEX_WORK, Undefined, number};

/// Port of a host that names none.
const HTTPS_PORT: i64 = 443;

impl<'f> Machine<'f> {
    pub(super) fn of_text(&mut self, text: Text<'f>, op: OfText, call: &'f Call) -> Found<Value<'f>> {
        self.spend(text.characters.len())?;
        match op {
            OfText::Exists => Ok(Value::Truth(text.there)),
            OfText::Equal => self.compared(&text, call, text::equal),
            OfText::Unequal => self.compared(&text, call, |text, other, folded| !text::equal(text, other, folded)),
            OfText::Contains => self.compared(&text, call, |text, other, folded| text::find(text, other, folded).is_some()),
            OfText::NotContains => self.compared(&text, call, |text, other, folded| text::find(text, other, folded).is_none()),
            OfText::StartsWith => self.compared(&text, call, text::starts_with),
            OfText::EndsWith => self.compared(&text, call, text::ends_with),
            OfText::EqualsAny => self.any_pattern(&text, call, text::equal),
            OfText::StartsWithAny => self.any_pattern(&text, call, text::starts_with),
            OfText::EndsWithAny => self.any_pattern(&text, call, text::ends_with),
            OfText::ContainsAny => self.any_pattern(&text, call, |text, other, folded| text::find(text, other, folded).is_some()),
            OfText::Matches => Ok(Value::Truth(self.pattern(&text, call)?.is_match(&text.characters))),
            OfText::Select => {
                let found = self.pattern(&text, call)?.find(&text.characters).map(|found| found.range());
                Ok(Value::Text(text.with(|characters| characters.part(found.unwrap_or(0..0)))))
            }
            OfText::Length => Ok(Value::Number(number(text.characters.chars().count())?)),
            OfText::Lower => Ok(Value::Text(text.with(|characters| Characters::own(characters.to_lowercase())))),
            OfText::Upper => Ok(Value::Text(text.with(|characters| Characters::own(characters.to_uppercase())))),
            OfText::Before => {
                let range = self.found(&text, call, 0)?.map_or(0..0, |found| 0..found.start);
                Ok(Value::Text(text.with(|characters| characters.part(range))))
            }
            OfText::After => {
                let length = text.characters.len();
                let range = self.found(&text, call, 0)?.map_or(0..0, |found| found.end..length);
                Ok(Value::Text(text.with(|characters| characters.part(range))))
            }
            OfText::Between => {
                let length = text.characters.len();
                let range = self.found(&text, call, 0)?.map_or(0..0, |found| found.end..length);
                let behind = text.with(|characters| characters.part(range));
                let range = self.found(&behind, call, 1)?.map_or(0..0, |found| 0..found.start);
                Ok(Value::Text(behind.with(|characters| characters.part(range))))
            }
            OfText::PartEqual => {
                let range = self.found(&text, call, 0)?.unwrap_or(0..0);
                Ok(Value::Text(text.with(|characters| characters.part(range))))
            }
            OfText::Prefix => {
                let end = text::at_character(&text.characters, self.count(call, 0)?);
                Ok(Value::Text(text.with(|characters| characters.part(0..end))))
            }
            OfText::Skip => {
                let (start, end) = (text::at_character(&text.characters, self.count(call, 0)?), text.characters.len());
                Ok(Value::Text(text.with(|characters| characters.part(start..end))))
            }
            OfText::Suffix => {
                let characters = text.characters.chars().count();
                let start = text::at_character(&text.characters, characters.saturating_sub(self.count(call, 0)?));
                let end = text.characters.len();
                Ok(Value::Text(text.with(|characters| characters.part(start..end))))
            }
            OfText::Part => {
                let (from, length) = (self.count(call, 0)?, self.count(call, 1)?);
                let start = text::at_character(&text.characters, from);
                let end = text::at_character(&text.characters, from.saturating_add(length));
                Ok(Value::Text(text.with(|characters| characters.part(start..end))))
            }
            OfText::Trim => Ok(Value::Text(text.with(|characters| {
                let start = characters.len() - characters.trim_start().len();
                let end = characters.trim_end().len().max(start);
                characters.part(start..end)
            }))),
            OfText::Append => {
                let other = self.text_argument(call, 0)?;
                self.joined(text, &other).map(Value::Text)
            }
            OfText::TextMode => {
                let folded = matches!(call.arguments.first(), Some(Argument::Word(word)) if *word == IGNORE_CASE);
                Ok(Value::Text(Text { folded, ..text }))
            }
            OfText::ToNumber => {
                let hexadecimal = matches!(call.arguments.first(), Some(Argument::Word(word)) if *word == HEX);
                let digits = text.characters.trim();
                let (digits, radix) = if hexadecimal { (digits.trim_start_matches("0x"), 16) } else { (digits, 10) };
                i64::from_str_radix(digits, radix).map(Value::Number).map_err(|_| Undefined::NotANumber)
            }
            OfText::ToAddress => {
                let address = text.characters.trim().parse::<IpAddr>().map_err(|_| Undefined::NotAnAddress)?;
                Ok(Value::Address(address.to_canonical()))
            }
            OfText::ToList => {
                let Some(Argument::Separator(separator)) = call.arguments.first() else { return Err(Undefined::Kind) };
                self.split(text, *separator).map(Value::List)
            }
            OfText::ToPairs => {
                let [Argument::Separator(equals), Argument::Separator(divider)] = call.arguments.as_slice() else {
                    return Err(Undefined::Kind);
                };
                Ok(Value::Pairs(Pairs { text, equals: *equals, divider: *divider }))
            }
            OfText::Cookie => {
                let name = self.text_argument(call, 0)?;
                Ok(Value::Text(cookie(text, &name.characters)))
            }
            OfText::CookieNames => names(&text, ';').map(Value::List),
            OfText::QueryNames => names(&text, '&').map(Value::List),
            OfText::QueryValue => {
                let name = self.text_argument(call, 0)?;
                Ok(Value::Text(pair(text, '=', '&', &name.characters)))
            }
            OfText::NamePart => {
                let name = self.text_argument(call, 0)?;
                let name = Text { folded: true, ..name };
                Ok(Value::Text(pair(Text { folded: true, ..text }, '=', ',', &name.characters)))
            }
            OfText::Path => {
                let end = text.characters.find('?').unwrap_or(text.characters.len());
                Ok(Value::Text(text.with(|characters| characters.part(0..end))))
            }
            OfText::Query => {
                let length = text.characters.len();
                let at = text.characters.find('?');
                let part = text.with(|characters| characters.part(at.map_or(length, |at| at + 1)..length));
                Ok(Value::Text(Text { there: at.is_some(), ..part }))
            }
            OfText::PathPart => {
                let index = self.index(call)?;
                let mut list = self.split(text, '/')?;
                if index >= list.parts.len() {
                    return Err(Undefined::Index);
                }
                let characters = list.parts.swap_remove(index);
                Ok(Value::Text(Text { characters, folded: list.folded, there: true }))
            }
            OfText::MethodIs => {
                let Some(Argument::Word(word)) = call.arguments.first() else { return Err(Undefined::Kind) };
                match self.facts.request.method {
                    Method::Other if !matches!(*word, "GET" | "POST") => Err(Undefined::Method),
                    Method::Get | Method::Post | Method::Other => Ok(Value::Truth(*text.characters == **word)),
                }
            }
            OfText::Same => Ok(Value::Text(text)),
            OfText::HostPort => host_port(&self.facts.request.host).map(Value::Number),
        }
    }

    /// A text and the one that a member takes.
    fn compared(&mut self, text: &Text<'f>, call: &'f Call, compare: fn(&str, &str, bool) -> bool) -> Found<Value<'f>> {
        let other = self.text_argument(call, 0)?;
        Ok(Value::Truth(compare(&text.characters, &other.characters, text.folded || other.folded)))
    }

    /// Where the text that a member takes first stands.
    fn found(&mut self, text: &Text<'f>, call: &'f Call, number: usize) -> Found<Option<Range<usize>>> {
        let other = self.text_argument(call, number)?;
        self.spend(text.characters.len())?;
        Ok(text::find(&text.characters, &other.characters, text.folded || other.folded))
    }

    fn any_pattern(&mut self, text: &Text<'f>, call: &'f Call, compare: fn(&str, &str, bool) -> bool) -> Found<Value<'f>> {
        let Some(Argument::Set(name)) = call.arguments.first() else { return Err(Undefined::Kind) };
        let set: &PatternSet = self.facts.names.pattern_set(name).ok_or(Undefined::Missing)?;
        for pattern in &set.patterns {
            self.spend(PART_WORK + text.characters.len())?;
            if compare(&text.characters, &pattern.text, text.folded) {
                return Ok(Value::Truth(true));
            }
        }
        Ok(Value::Truth(false))
    }

    /// The regular expression that a member takes; its work is paid.
    fn pattern(&mut self, text: &Text<'f>, call: &'f Call) -> Found<&'f Regex> {
        let Some(Argument::Pattern(pattern)) = call.arguments.first() else { return Err(Undefined::Kind) };
        self.spend(text.characters.len().saturating_mul(REGEX_WORK))?;
        Ok(pattern)
    }

    /// A text in parts.
    fn split(&mut self, text: Text<'f>, divider: char) -> Found<List<'f>> {
        self.spend(text.characters.len())?;
        let parts: Vec<_> = match &text.characters {
            Characters::Lent(whole) => whole.split(divider).take(LIST_MAX + 1).map(Characters::Lent).collect(),
            Characters::Own(whole) => {
                whole.split(divider).take(LIST_MAX + 1).map(|part| Characters::own(part.to_owned())).collect()
            }
        };
        if parts.len() > LIST_MAX { Err(Undefined::TooLong) } else { Ok(List { parts, folded: text.folded }) }
    }
}

/// The value of the first of these names.
pub(super) fn pair<'f>(text: Text<'f>, equals: char, divider: char, name: &str) -> Text<'f> {
    let whole = &*text.characters;
    let is_it = |known: &Range<usize>| whole.get(known.clone()).is_some_and(|known| text::equal(known, name, text.folded));
    let found = text::pairs(whole, equals, divider).find(|(known, _)| is_it(known));
    field_of(found.map(|(_, value)| value), text)
}

/// A cookie, without quotes. One that was sent twice is not there: nobody can say which is whose.
fn cookie<'f>(text: Text<'f>, name: &str) -> Text<'f> {
    let whole = &*text.characters;
    let value = {
        let mut found = text::pairs(whole, '=', ';').filter(|(known, _)| whole.get(known.clone()) == Some(name));
        found.next().filter(|_| found.next().is_none()).map(|(_, value)| value)
    };
    let bare = value.map(|value| {
        let quoted = value.len() >= 2 && whole.get(value.clone()).is_some_and(|v| v.starts_with('"') && v.ends_with('"'));
        if quoted { value.start + 1..value.end - 1 } else { value }
    });
    field_of(bare, text)
}

/// Names of all pairs.
fn names<'f>(text: &Text<'f>, divider: char) -> Found<List<'f>> {
    let own = |name: Range<usize>| Characters::own(text.characters.get(name).unwrap_or_default().to_owned());
    let parts: Vec<_> = text::pairs(&text.characters, '=', divider).take(LIST_MAX + 1).map(|(name, _)| own(name)).collect();
    if parts.len() > LIST_MAX { Err(Undefined::TooLong) } else { Ok(List { parts, folded: text.folded }) }
}

/// A part of a text that is perhaps there.
fn field_of<'f>(range: Option<Range<usize>>, text: Text<'f>) -> Text<'f> {
    let there = range.is_some();
    Text { there, ..text.with(|characters| characters.part(range.unwrap_or(0..0))) }
}

/// The port of a host.
fn host_port(host: &str) -> Found<i64> {
    let behind = host.rsplit_once(']').map_or(host, |(_, behind)| behind);
    match behind.split_once(':') {
        None => Ok(HTTPS_PORT),
        Some((_, port)) => port.parse::<u16>().map(i64::from).map_err(|_| Undefined::NotANumber),
    }
}
