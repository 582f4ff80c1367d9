//! Rules and other expressions of policies: their text, and what it was understood as.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::expr::tree::Tree;
use crate::expr::{Facts, Fault, Names, Undefined, Wanted, read, read_rule, value};

/// Longest rule or expression, in characters.
pub const EXPRESSION_CHARS_MAX: usize = 1500;
/// Longest rule of a classic policy, in characters.
pub const CLASSIC_RULE_CHARS_MAX: usize = 800;

/// A rule or another expression of policies. Two of the same text are the same.
#[derive(Clone)]
pub struct Expression {
    text: Box<str>,
    /// What is wrong with it, if it was not understood: then it is undefined, always.
    tree: Arc<Result<Tree, Fault>>,
}

/// Why a text is no expression. All are the operator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotAnExpression {
    /// Nothing there.
    #[error("an expression cannot be empty")]
    Empty,
    /// More than [`EXPRESSION_CHARS_MAX`] characters.
    #[error("an expression has at most {EXPRESSION_CHARS_MAX} characters")]
    TooLong,
    /// A character that nobody sees.
    #[error("an expression has no control characters but tab and line feed")]
    Control,
}

impl Expression {
    /// Reads an expression. One that is not understood is kept, too, and undefined: see [`judge`](Self::judge).
    ///
    /// # Errors
    /// [`NotAnExpression`] says which rule of all expressions is broken.
    pub fn parse(text: &str) -> Result<Self, NotAnExpression> {
        shape(text)?;
        Ok(Self { text: text.into(), tree: Arc::new(read(text)) })
    }

    /// Reads the rule of a session policy, which may be written in the old language.
    ///
    /// # Errors
    /// [`NotAnExpression`] says which rule of all expressions is broken.
    pub fn parse_rule(text: &str) -> Result<Self, NotAnExpression> {
        shape(text)?;
        Ok(Self { text: text.into(), tree: Arc::new(read_rule(text)) })
    }

    /// What a rule in the old language means. Its text is that of the new one.
    ///
    /// # Errors
    /// Why it has no counterpart.
    pub(crate) fn convert(text: &str) -> Result<Self, crate::expr::classic::NotConverted> {
        let text = crate::expr::classic::convert(text)?;
        let tree = Arc::new(read(&text));
        Ok(Self { text: text.into(), tree })
    }

    /// The one that is always true.
    #[must_use]
    pub fn always() -> Self {
        let text = "true";
        Self { text: text.into(), tree: Arc::new(read(text)) }
    }

    /// The text as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it was understood, all that it names is there, and it gives what is wanted where it stands.
    ///
    /// # Errors
    /// [`Fault`] says what is wrong, and where in the text.
    pub fn judge(&self, wanted: Wanted, names: &Names) -> Result<(), Fault> {
        self.tree().map_err(Clone::clone)?.judge(wanted, names)
    }

    /// Whether it is true. `None`: it is undefined, and [`judged`](Self::judged) says why.
    #[must_use]
    pub fn is_true(&self, facts: &Facts<'_>) -> Option<bool> {
        self.judged(facts).ok()
    }

    /// Whether it is true.
    ///
    /// # Errors
    /// Why it is undefined.
    pub fn judged(&self, facts: &Facts<'_>) -> Result<bool, Undefined> {
        value::truth(self, facts)
    }

    /// The text that it makes. `None`: it is undefined, or makes something else.
    #[must_use]
    pub fn text(&self, facts: &Facts<'_>) -> Option<Zeroizing<String>> {
        value::text(self, facts).ok()
    }

    /// The number that it makes. `None`: it is undefined, or makes something else.
    #[must_use]
    pub fn number(&self, facts: &Facts<'_>) -> Option<i64> {
        value::number(self, facts).ok()
    }

    /// Names of other expressions that stand in it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tree().into_iter().flat_map(Tree::names)
    }

    /// Names of pattern sets that stand in it.
    pub fn pattern_sets(&self) -> impl Iterator<Item = &str> {
        self.tree().into_iter().flat_map(Tree::sets)
    }

    /// What in it is understood and always undefined: the member, why, and where in the text.
    pub fn unsupported(&self) -> impl Iterator<Item = (&'static str, &'static str, Range<usize>)> {
        self.tree().into_iter().flat_map(Tree::unsupported)
    }

    /// What it was understood as.
    pub(crate) fn tree(&self) -> Result<&Tree, &Fault> {
        self.tree.as_ref().as_ref()
    }
}

/// What holds for the text of every expression.
fn shape(text: &str) -> Result<(), NotAnExpression> {
    if text.trim().is_empty() {
        return Err(NotAnExpression::Empty);
    }
    if text.chars().count() > EXPRESSION_CHARS_MAX {
        return Err(NotAnExpression::TooLong);
    }
    if has_control(text) {
        return Err(NotAnExpression::Control);
    }
    Ok(())
}

pub(super) fn has_control(text: &str) -> bool {
    text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Expression {}

impl Hash for Expression {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.text).finish()
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_neither_empty_nor_long() {
        let longest = "a".repeat(EXPRESSION_CHARS_MAX);
        assert_eq!(Expression::parse(&longest).map(|e| e.to_string()), Ok(longest.clone()));
        assert_eq!(Expression::parse(&format!("{longest}a")), Err(NotAnExpression::TooLong));
        assert_eq!(Expression::parse(" \t"), Err(NotAnExpression::Empty));
        assert_eq!(Expression::parse("a\u{1b}"), Err(NotAnExpression::Control));
    }
}
