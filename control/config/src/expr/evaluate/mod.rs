//! Tree and facts to a value. What is undefined makes undefined what contains it, unless the answer was known before: `&&` and `||`
//! are read from left to right and stop at their answer.
//!
//! ```text
//!   Node ─value─► Value ─call(member)─► Value ─…        fact: of the facts;  of_text, of_other: of a value
//! ```
//!
//! The work is counted in bytes that are looked at, so that no request makes an expression expensive.

use std::net::IpAddr;

use thiserror::Error;
use zeroize::Zeroizing;

use super::facts::{BODY_BYTES_MAX, Facts};
use super::members::Op;
use super::names::{NAMES_DEPTH_MAX, Says};
use super::text;
use super::tree::{Argument, Arithmetic, Call, Comparison, Node, Tree};
use super::value::{Characters, Text, Value};

mod fact;
mod of_other;
mod of_text;

/// Most work of one evaluation: bytes that are looked at.
pub const WORK_MAX: usize = 16 * 1024 * 1024;
/// What each part of an expression costs, whatever it looks at.
const PART_WORK: usize = 64;
/// What a regular expression costs for each byte.
const REGEX_WORK: usize = 128;
/// Longest text that is made, in bytes.
const TEXT_BYTES_MAX: usize = BODY_BYTES_MAX;
/// Most parts of a list.
const LIST_MAX: usize = 4096;
/// How deep parts stand in each other, over all named expressions.
const DEPTH_MAX: usize = 192;

/// Why an expression is undefined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Undefined {
    /// It was not understood when it was read, which was allowed then.
    #[error("the expression is not understood")]
    NotUnderstood,
    /// It is understood and not answered here.
    #[error("{0}")]
    Unsupported(&'static str),
    /// A named expression or pattern set that is not there.
    #[error("it names something that is not there")]
    Missing,
    /// A value of another kind than is needed.
    #[error("a value is not of the kind that is needed")]
    Kind,
    /// A part of a list behind its end, or an attribute whose number none has.
    #[error("there is no part with this number")]
    Index,
    /// A text that is no number.
    #[error("a text is no number")]
    NotANumber,
    /// A text that is no address.
    #[error("a text is no address")]
    NotAnAddress,
    /// A number that does not fit, or a division by zero.
    #[error("a number does not fit")]
    Number,
    /// Something of a certificate, and none was shown.
    #[error("the client has shown no certificate")]
    NoCertificate,
    /// A method that is not known by name.
    #[error("the method is none that is known")]
    Method,
    /// A text or list that is too long.
    #[error("a text or list became too long")]
    TooLong,
    /// More than [`WORK_MAX`], or too much in each other.
    #[error("it is too much work")]
    TooMuchWork,
}

type Found<T> = Result<T, Undefined>;

/// Evaluates a whole expression.
pub(super) fn evaluate<'f>(tree: &'f Tree, facts: &Facts<'f>) -> Found<Value<'f>> {
    Machine { facts: *facts, work: WORK_MAX, depth: 0, named: 0 }.value(&tree.root)
}

struct Machine<'f> {
    facts: Facts<'f>,
    /// What may still be done.
    work: usize,
    depth: usize,
    /// How many named expressions stand in each other.
    named: usize,
}

impl<'f> Machine<'f> {
    fn spend(&mut self, work: usize) -> Found<()> {
        self.work = self.work.checked_sub(work).ok_or(Undefined::TooMuchWork)?;
        Ok(())
    }

    fn value(&mut self, node: &'f Node) -> Found<Value<'f>> {
        self.spend(PART_WORK)?;
        if self.depth >= DEPTH_MAX {
            return Err(Undefined::TooMuchWork);
        }
        self.depth += 1;
        let value = self.part(node);
        self.depth -= 1;
        value
    }

    fn part(&mut self, node: &'f Node) -> Found<Value<'f>> {
        match node {
            Node::Truth(truth) => Ok(Value::Truth(*truth)),
            Node::Number(number) => Ok(Value::Number(*number)),
            Node::Text(text) => Ok(Value::Text(Text::lent(text))),
            Node::Address(address) => Ok(Value::Address(address.to_canonical())),
            Node::Name(name) => self.named(name),
            Node::Chain(head, calls) => {
                let mut value = match head {
                    Some(head) => self.value(head)?,
                    None => Value::Nothing,
                };
                for call in calls {
                    self.spend(PART_WORK)?;
                    value = self.call(value, call)?;
                }
                Ok(value)
            }
            Node::Not(inner) => Ok(Value::Truth(!self.truth(inner)?)),
            Node::All(parts) => self.until(parts, false),
            Node::Any(parts) => self.until(parts, true),
            Node::Compare(first, others) => {
                let mut left = self.value(first)?;
                for (comparison, right) in others {
                    let right = self.value(right)?;
                    left = Value::Truth(self.compare(&left, *comparison, &right)?);
                }
                Ok(left)
            }
            Node::Compute(first, others) => {
                let mut left = self.value(first)?;
                for (operator, right) in others {
                    let right = self.value(right)?;
                    left = self.compute(left, *operator, right)?;
                }
                Ok(left)
            }
        }
    }

    /// Looks for the first part that is `answer`.
    fn until(&mut self, parts: &'f [Node], answer: bool) -> Found<Value<'f>> {
        for part in parts {
            if self.truth(part)? == answer {
                return Ok(Value::Truth(answer));
            }
        }
        Ok(Value::Truth(!answer))
    }

    fn named(&mut self, name: &str) -> Found<Value<'f>> {
        let found = self.facts.names.expression(name).ok_or(Undefined::Missing)?;
        let Says::Of(expression) = &found.says else { return Err(Undefined::Kind) };
        let tree = expression.tree().map_err(|_| Undefined::NotUnderstood)?;
        if self.named >= NAMES_DEPTH_MAX {
            return Err(Undefined::TooMuchWork);
        }
        self.named += 1;
        let value = self.value(&tree.root);
        self.named -= 1;
        value
    }

    fn truth(&mut self, node: &'f Node) -> Found<bool> {
        if let Value::Truth(truth) = self.value(node)? { Ok(truth) } else { Err(Undefined::Kind) }
    }

    fn compare(&mut self, left: &Value<'f>, comparison: Comparison, right: &Value<'f>) -> Found<bool> {
        let equal = match (left, right) {
            (Value::Number(left), Value::Number(right)) => return Ok(comparison.of(left, right)),
            (Value::Truth(left), Value::Truth(right)) => left == right,
            (Value::Address(left), Value::Address(right)) => left == right,
            (Value::Text(left), Value::Text(right)) => {
                self.spend(left.characters.len().min(right.characters.len()))?;
                text::equal(&left.characters, &right.characters, left.folded || right.folded)
            }
            _ => return Err(Undefined::Kind),
        };
        match comparison {
            Comparison::Equal => Ok(equal),
            Comparison::Unequal => Ok(!equal),
            Comparison::Less | Comparison::LessOrEqual | Comparison::Greater | Comparison::GreaterOrEqual => Err(Undefined::Kind),
        }
    }

    fn compute(&mut self, left: Value<'f>, operator: Arithmetic, right: Value<'f>) -> Found<Value<'f>> {
        if let (Value::Number(left), Value::Number(right)) = (&left, &right) {
            let result = match operator {
                Arithmetic::Add => left.checked_add(*right),
                Arithmetic::Subtract => left.checked_sub(*right),
                Arithmetic::Multiply => left.checked_mul(*right),
                Arithmetic::Divide => left.checked_div(*right),
                Arithmetic::Remainder => left.checked_rem(*right),
            };
            return result.map(Value::Number).ok_or(Undefined::Number);
        }
        let both = matches!(&left, Value::Text(_)) || matches!(&right, Value::Text(_));
        if operator != Arithmetic::Add || !both {
            return Err(Undefined::Kind);
        }
        let (left, right) = (as_text(left)?, as_text(right)?);
        self.joined(left, &right).map(Value::Text)
    }

    fn joined(&mut self, left: Text<'f>, right: &Text<'f>) -> Found<Text<'f>> {
        let length = left.characters.len() + right.characters.len();
        self.spend(length)?;
        if length > TEXT_BYTES_MAX {
            return Err(Undefined::TooLong);
        }
        let mut text = Zeroizing::new(String::with_capacity(length));
        text.push_str(&left.characters);
        text.push_str(&right.characters);
        Ok(Text { characters: Characters::Own(text), folded: left.folded || right.folded, there: true })
    }

    /// A member of a value. Of which kind the value is was known when the expression was read.
    fn call(&mut self, value: Value<'f>, call: &'f Call) -> Found<Value<'f>> {
        match (value, call.op) {
            (_, Op::Unsupported(why)) => Err(Undefined::Unsupported(why)),
            (Value::Nothing, Op::Fact(fact)) => self.of_facts(fact, call),
            (Value::Text(text), Op::Text(op)) => self.of_text(text, op, call),
            (Value::List(list), Op::List(op)) => self.of_list(list, op, call),
            (Value::Truth(truth), Op::Not) => Ok(Value::Truth(!truth)),
            (Value::Number(number), Op::Number(op)) => self.of_number(number, op, call),
            (Value::Address(address), Op::Address(op)) => self.of_address(address, op, call),
            (Value::Moment(time), Op::Moment(op)) => of_other::of_moment(time, op, call),
            (Value::Pairs(pairs), Op::PairValue) => {
                let name = self.text_argument(call, 0)?;
                self.spend(pairs.text.characters.len())?;
                Ok(Value::Text(of_text::pair(pairs.text, pairs.equals, pairs.divider, &name.characters)))
            }
            _ => Err(Undefined::Kind),
        }
    }

    fn argument(&mut self, call: &'f Call, number: usize) -> Found<Value<'f>> {
        let Some(Argument::Value(node)) = call.arguments.get(number) else { return Err(Undefined::Kind) };
        self.value(node)
    }

    fn text_argument(&mut self, call: &'f Call, number: usize) -> Found<Text<'f>> {
        let Value::Text(text) = self.argument(call, number)? else { return Err(Undefined::Kind) };
        self.spend(text.characters.len())?;
        Ok(text)
    }

    fn number_argument(&mut self, call: &'f Call, number: usize) -> Found<i64> {
        if let Value::Number(number) = self.argument(call, number)? { Ok(number) } else { Err(Undefined::Kind) }
    }

    fn address_argument(&mut self, call: &'f Call) -> Found<IpAddr> {
        if let Some(Argument::Address(address)) = call.arguments.first() {
            return Ok(address.to_canonical());
        }
        if let Value::Address(address) = self.argument(call, 0)? { Ok(address) } else { Err(Undefined::Kind) }
    }

    /// A number that counts something.
    fn count(&mut self, call: &'f Call, number: usize) -> Found<usize> {
        usize::try_from(self.number_argument(call, number)?).map_err(|_| Undefined::Index)
    }

    /// A number that says which one.
    fn index(&mut self, call: &'f Call) -> Found<usize> {
        self.count(call, 0)
    }
}

fn number(count: usize) -> Found<i64> {
    i64::try_from(count).map_err(|_| Undefined::Number)
}

/// A value that can stand in a text.
fn as_text(value: Value<'_>) -> Found<Text<'_>> {
    match value {
        Value::Text(text) => Ok(text),
        Value::Number(number) => Ok(Text::own(number.to_string())),
        Value::Address(address) => Ok(Text::own(address.to_string())),
        Value::Nothing | Value::Truth(_) | Value::List(_) | Value::Pairs(_) | Value::Moment(_) => Err(Undefined::Kind),
    }
}
