//! Values while an expression is evaluated. Texts are borrowed from the facts as long as they can be, and wiped when they were made
//! anew: a password may be among them.

use std::net::IpAddr;
use std::ops::{Deref, Range};
use std::time::SystemTime;

use zeroize::Zeroizing;

use crate::model::authentication::Expression;

use super::evaluate::{Undefined, evaluate};
use super::facts::Facts;

/// The truth that an expression is.
pub(crate) fn truth(expression: &Expression, facts: &Facts<'_>) -> Result<bool, Undefined> {
    if let Value::Truth(truth) = of(expression, facts)? { Ok(truth) } else { Err(Undefined::Kind) }
}

/// The text that an expression makes.
pub(crate) fn text(expression: &Expression, facts: &Facts<'_>) -> Result<Zeroizing<String>, Undefined> {
    let Value::Text(text) = of(expression, facts)? else { return Err(Undefined::Kind) };
    Ok(match text.characters {
        Characters::Own(text) => text,
        Characters::Lent(text) => Zeroizing::new(text.to_owned()),
    })
}

/// The number that an expression makes.
pub(crate) fn number(expression: &Expression, facts: &Facts<'_>) -> Result<i64, Undefined> {
    if let Value::Number(number) = of(expression, facts)? { Ok(number) } else { Err(Undefined::Kind) }
}

pub(super) fn of<'f>(expression: &'f Expression, facts: &Facts<'f>) -> Result<Value<'f>, Undefined> {
    evaluate(expression.tree().map_err(|_| Undefined::NotUnderstood)?, facts)
}

/// What a part of an expression comes to.
pub(super) enum Value<'f> {
    /// A step on the way.
    Nothing,
    Truth(bool),
    Number(i64),
    Text(Text<'f>),
    Address(IpAddr),
    List(List<'f>),
    Pairs(Pairs<'f>),
    Moment(SystemTime),
}

/// A text, and how it is compared.
pub(super) struct Text<'f> {
    pub(super) characters: Characters<'f>,
    /// Without regard to case.
    pub(super) folded: bool,
    /// Whether it is there; if not, it is empty.
    pub(super) there: bool,
}

/// Parts of a text.
pub(super) struct List<'f> {
    pub(super) parts: Vec<Characters<'f>>,
    pub(super) folded: bool,
}

/// A text with names and values in it.
pub(super) struct Pairs<'f> {
    pub(super) text: Text<'f>,
    /// Between a name and its value.
    pub(super) equals: char,
    /// Between two of them.
    pub(super) divider: char,
}

/// Characters that are somebody's, or our own.
pub(super) enum Characters<'f> {
    Lent(&'f str),
    Own(Zeroizing<String>),
}

impl Deref for Characters<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Lent(text) => text,
            Self::Own(text) => text,
        }
    }
}

impl<'f> Characters<'f> {
    pub(super) fn own(text: String) -> Self {
        Self::Own(Zeroizing::new(text))
    }

    /// A part of it; the whole if `range` is none of it.
    pub(super) fn part(self, range: Range<usize>) -> Self {
        match self {
            Self::Lent(text) => Self::Lent(text.get(range).unwrap_or(text)),
            Self::Own(text) => {
                let part = text.get(range).map(str::to_owned);
                part.map_or(Self::Own(text), Self::own)
            }
        }
    }
}

impl<'f> Text<'f> {
    pub(super) fn lent(text: &'f str) -> Self {
        Self { characters: Characters::Lent(text), folded: false, there: true }
    }

    pub(super) fn own(text: String) -> Self {
        Self { characters: Characters::own(text), folded: false, there: true }
    }

    /// What is perhaps there.
    pub(super) fn field(text: Option<&'f str>) -> Self {
        Self { there: text.is_some(), ..Self::lent(text.unwrap_or_default()) }
    }

    /// Another text that is compared as this one was.
    pub(super) fn with(self, change: impl FnOnce(Characters<'f>) -> Characters<'f>) -> Self {
        Self { characters: change(self.characters), folded: self.folded, there: true }
    }
}
