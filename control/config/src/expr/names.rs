//! What expressions call by name: other expressions, and sets of patterns.
//!
//! ```text
//!   is_native && CLIENT.IP.SRC.IN_SUBNET(10.0.0.0/8)         HTTP.REQ.HEADER("User-Agent").CONTAINS_ANY("agents")
//!   ─────────                                                                                          ────────
//!   add policy expression is_native "…"                      add policy patset agents; bind policy patset agents AGEE
//! ```
//!
//! Neither kind tells names apart by case.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::fmt;

use thiserror::Error;

use crate::model::authentication::{ClientExpression, Expression};
use crate::model::{Name, NotAName, PatternSetName, Table};

/// How deep named expressions may refer to others.
pub const NAMES_DEPTH_MAX: usize = 8;
/// Most named expressions of a configuration, and most pattern sets.
pub const NAMES_MAX: usize = 4096;
/// Most patterns of a set.
pub const PATTERNS_MAX: usize = 4096;
/// Longest pattern, in characters.
pub const PATTERN_CHARS_MAX: usize = 1024;

/// Words that begin something else in an expression, so that no expression can be called so.
const RESERVED: &[&str] = &[
    "aaa",
    "client",
    "diameter",
    "extend",
    "false",
    "ftp",
    "get",
    "http",
    "icap",
    "ica",
    "mqtt",
    "mssql",
    "mysql",
    "ns",
    "ns_false",
    "ns_true",
    "oracle",
    "post",
    "q",
    "radius",
    "re",
    "req",
    "res",
    "server",
    "sip",
    "smpp",
    "subscriber",
    "sys",
    "target",
    "text",
    "true",
    "url",
    "vpn",
    "xp",
];

/// Named expressions and pattern sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// What can stand in an expression as a word. No expression leads back to itself.
    pub expressions: Table<ExpressionName, NamedExpression>,
    /// What `EQUALS_ANY` and its like look through.
    pub pattern_sets: Table<PatternSetName, PatternSet>,
}

/// An expression with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedExpression {
    /// What it says.
    pub says: Says,
    /// For people.
    pub comment: Option<Box<str>>,
}

/// What an expression with a name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// Something about a request or a user.
    Of(Expression),
    /// What a client is asked about itself. It can stand in what clients are asked only.
    Client(ClientExpression),
}

impl Says {
    /// The text as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Of(expression) => expression.as_str(),
            Self::Client(expression) => expression.as_str(),
        }
    }
}

/// Texts to compare with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatternSet {
    /// Each once, with its number if one was given, in the order in which they were bound.
    pub patterns: Vec<Pattern>,
    /// For people.
    pub comment: Option<Box<str>>,
}

/// A text to compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The text.
    pub text: Box<str>,
    /// Its number, for those who count; without effect.
    pub index: Option<u32>,
    /// For people.
    pub comment: Option<Box<str>>,
}

impl Names {
    /// The expression that is called so, in any case.
    #[must_use]
    pub fn expression(&self, name: &str) -> Option<&NamedExpression> {
        self.expressions.like(name).map(|(_, expression)| expression)
    }

    /// All expressions, each behind those that it calls.
    pub(crate) fn in_order(&self) -> Vec<(&ExpressionName, &NamedExpression)> {
        let mut ordered = Vec::with_capacity(self.expressions.len());
        let mut seen = BTreeSet::new();
        for name in self.expressions.names() {
            self.place(name.as_str(), &mut seen, &mut ordered);
        }
        ordered
    }

    /// Places an expression behind those that it calls, unless it has its place.
    fn place<'n>(
        &'n self,
        name: &str,
        seen: &mut BTreeSet<&'n ExpressionName>,
        ordered: &mut Vec<(&'n ExpressionName, &'n NamedExpression)>,
    ) {
        let Some((name, expression)) = self.expressions.like(name) else { return };
        if !seen.insert(name) {
            return;
        }
        let called: Vec<&str> = match &expression.says {
            Says::Of(expression) => expression.names().collect(),
            Says::Client(expression) => expression.names(),
        };
        for called in called {
            self.place(called, seen, ordered);
        }
        ordered.push((name, expression));
    }

    /// The pattern set that is called so, in any case.
    #[must_use]
    pub fn pattern_set(&self, name: &str) -> Option<&PatternSet> {
        self.pattern_sets.like(name).map(|(_, set)| set)
    }
}

/// The name of an expression: ASCII letters, digits and underscores, so that it can stand in another one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExpressionName(Box<str>);

/// Why a text cannot name an expression. All are the operator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotAnExpressionName {
    /// It breaks the rules of all names.
    #[error(transparent)]
    Name(#[from] NotAName),
    /// A character that would end the name in an expression.
    #[error("the name of an expression has ASCII letters, digits and underscores, and begins with none of the digits")]
    Character,
    /// A word that means something else in an expression.
    #[error("this word means something else in an expression")]
    Reserved,
}

impl ExpressionName {
    /// Checks that the name can stand in an expression.
    ///
    /// # Errors
    /// [`NotAnExpressionName`] says which rule is broken.
    pub fn parse(text: &str) -> Result<Self, NotAnExpressionName> {
        PatternSetName::parse(text)?;
        if text.starts_with(|c: char| c.is_ascii_digit()) || !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(NotAnExpressionName::Character);
        }
        if RESERVED.iter().any(|word| word.eq_ignore_ascii_case(text)) {
            return Err(NotAnExpressionName::Reserved);
        }
        Ok(Self(text.into()))
    }

    /// The text as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What breaks the rules of expressions is told as a wrong character; [`ExpressionName::parse`] tells more.
impl Name for ExpressionName {
    fn parse(text: &str) -> Result<Self, NotAName> {
        Self::parse(text).map_err(|not| match not {
            NotAnExpressionName::Name(name) => name,
            NotAnExpressionName::Character | NotAnExpressionName::Reserved => {
                NotAName::Character(text.chars().next().unwrap_or(' '))
            }
        })
    }

    fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExpressionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for ExpressionName {
    fn borrow(&self) -> &str {
        &self.0
    }
}
