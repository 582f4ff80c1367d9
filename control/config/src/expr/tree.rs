//! An expression that has been read: a tree in which every part has its type.
//!
//! Operators of one precedence stand in one node, and so do the members of a chain; so a tree is as deep as its parentheses and
//! arguments, and no deeper.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;

use regex_lite::Regex;

use crate::model::Cidr;

use super::fault::{Fault, FaultKind};
use super::kind::Kind;
use super::members::Op;
use super::moment::Moment;
use super::{NAMES_DEPTH_MAX, Names, Says};

/// How deep parentheses and arguments may stand in each other.
pub(crate) const DEPTH_MAX: usize = 16;

/// A part of an expression.
#[derive(Debug)]
pub(super) enum Node {
    Truth(bool),
    Number(i64),
    Text(Box<str>),
    Address(IpAddr),
    /// A named expression.
    Name(Box<str>),
    /// Where it begins, if not in the facts, and what is asked of that, one after the other.
    Chain(Option<Box<Self>>, Vec<Call>),
    Not(Box<Self>),
    /// `&&` between these.
    All(Vec<Self>),
    /// `||` between these.
    Any(Vec<Self>),
    Compare(Box<Self>, Vec<(Comparison, Self)>),
    Compute(Box<Self>, Vec<(Arithmetic, Self)>),
}

/// A member with its arguments.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) op: Op,
    pub(super) arguments: Vec<Argument>,
}

/// What stands between a member's parentheses.
#[derive(Debug)]
pub(super) enum Argument {
    Value(Node),
    Address(IpAddr),
    Network(Cidr),
    Pattern(Box<Regex>),
    /// A pattern set.
    Set(Box<str>),
    Separator(char),
    Word(&'static str),
    Moment(Moment),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    pub(super) fn of<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Unequal => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Arithmetic {
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }
}

/// What must come out where an expression stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// True or false: a rule.
    Truth,
    /// A text.
    Text,
    /// A number.
    Number,
    /// Whatever it is: what it is for will show where its name is used.
    Anything,
}

/// An expression that has been read.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(super) root: Node,
    pub(super) kind: Kind,
    /// Where the value stands, without what is around it.
    pub(super) at: Range<usize>,
    /// Named expressions, with what they must be.
    pub(super) names: Vec<(Box<str>, Option<Kind>, Range<usize>)>,
    /// Pattern sets.
    pub(super) sets: Vec<(Box<str>, Range<usize>)>,
    /// What is understood and always undefined, with the reason.
    pub(super) unsupported: Vec<(&'static str, &'static str, Range<usize>)>,
}

impl Tree {
    /// Whether it fits where it stands, all its names being those of `names`.
    pub(crate) fn judge(&self, wanted: Wanted, names: &Names) -> Result<(), Fault> {
        for (set, at) in &self.sets {
            if names.pattern_set(set).is_none() {
                return Err(Fault::new(FaultKind::MissingPatternSet(set.to_string()), at.clone()));
            }
        }
        let mut known = Known { names, seen: BTreeMap::new() };
        for (name, needed, at) in &self.names {
            let (found, _) = known.kind(name, at, 0)?;
            if let (Some(needed), Some(found)) = (needed, found)
                && *needed != found
            {
                let kind = FaultKind::WrongKind { found: found.called(), wanted: needed.called() };
                return Err(Fault::new(kind, at.clone()));
            }
        }
        let kind = match &self.root {
            Node::Name(name) => known.kind(name, &self.at, 0)?.0.unwrap_or(Kind::Any),
            Node::Truth(_)
            | Node::Number(_)
            | Node::Text(_)
            | Node::Address(_)
            | Node::Chain(..)
            | Node::Not(_)
            | Node::All(_)
            | Node::Any(_)
            | Node::Compare(..)
            | Node::Compute(..) => self.kind,
        };
        let found = kind.value().unwrap_or(kind);
        let fits = match wanted {
            Wanted::Anything => true,
            Wanted::Truth => matches!(found, Kind::Truth | Kind::Any),
            Wanted::Text => matches!(found, Kind::Text | Kind::Any),
            Wanted::Number => matches!(found, Kind::Number | Kind::Any),
        };
        let wrong = |wanted: Kind| FaultKind::WrongKind { found: kind.called(), wanted: wanted.called() };
        match wanted {
            _ if fits => Ok(()),
            Wanted::Truth => Err(Fault::new(FaultKind::NotTruth(kind.called()), self.at.clone()).hint(hint(found))),
            Wanted::Text => Err(Fault::new(wrong(Kind::Text), self.at.clone())),
            Wanted::Number | Wanted::Anything => Err(Fault::new(wrong(Kind::Number), self.at.clone())),
        }
    }

    /// Names of expressions that stand in it.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(name, ..)| &**name)
    }

    /// Names of pattern sets that stand in it.
    pub(crate) fn sets(&self) -> impl Iterator<Item = &str> {
        self.sets.iter().map(|(name, _)| &**name)
    }

    /// What is understood and always undefined: the member, why, and where.
    pub(crate) fn unsupported(&self) -> impl Iterator<Item = (&'static str, &'static str, Range<usize>)> {
        self.unsupported.iter().cloned()
    }
}

/// What would make a rule of it.
fn hint(found: Kind) -> &'static str {
    if found == Kind::Text { "compare it: .EQ(\"…\"), .CONTAINS(\"…\")" } else { "compare it: .EQ(…)" }
}

/// What named expressions are, each looked at once.
struct Known<'n> {
    names: &'n Names,
    /// By name: what it is, and how deep it leads to others.
    seen: BTreeMap<&'n str, (Option<Kind>, usize)>,
}

impl<'n> Known<'n> {
    /// What a named expression is. `None`: nobody can say, since it is not understood. `above` names lead to it.
    fn kind(&mut self, name: &str, at: &Range<usize>, above: usize) -> Result<(Option<Kind>, usize), Fault> {
        let names = self.names;
        let Some((name, found)) = names.expressions.like(name) else {
            return Err(Fault::new(FaultKind::MissingExpression(name.to_owned()), at.clone()));
        };
        let too_deep = || Fault::new(FaultKind::NamesTooDeep, at.clone());
        if let Some(known) = self.seen.get(name.as_str()) {
            return if above + known.1 > NAMES_DEPTH_MAX { Err(too_deep()) } else { Ok(*known) };
        }
        if above >= NAMES_DEPTH_MAX {
            return Err(too_deep());
        }
        let known = match &found.says {
            Says::Client(_) => {
                let fault = Fault::new(FaultKind::Client, at.clone());
                return Err(fault.hint("a name for what a client is asked goes into `-csecexpr` only"));
            }
            Says::Of(expression) => match expression.tree() {
                Err(_) => (None, 1),
                Ok(tree) => {
                    let (mut kind, mut depth) = (Some(tree.kind.value().unwrap_or(tree.kind)), 1);
                    for (inner, ..) in &tree.names {
                        let (of_inner, below) = self.kind(inner, at, above + 1)?;
                        depth = depth.max(below + 1);
                        if matches!(tree.root, Node::Name(_)) {
                            kind = of_inner;
                        }
                    }
                    (kind, depth)
                }
            },
        };
        self.seen.insert(name.as_str(), known);
        Ok(known)
    }
}
