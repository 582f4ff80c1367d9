//! Bindings: which policies a factor tries, in which order, and where it goes from there.

use std::fmt;

use super::super::name::{AuthnVserverName, LabelName, PolicyName};
use super::expression::{Expression, NotAnExpression};

/// Highest priority.
pub const PRIORITY_MAX: u32 = 2_147_483_647;

/// A factor of a login.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Factor {
    /// The first: what is bound to an authentication virtual server.
    Primary(AuthnVserverName),
    /// What is bound there with `-secondary`.
    Secondary(AuthnVserverName),
    /// What is bound there with `-groupExtraction`.
    GroupExtraction(AuthnVserverName),
    /// A policy label.
    Label(LabelName),
}

/// What a factor tries: bindings by ascending priority, each priority and each policy once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bank(Vec<Binding>);

/// A policy in a factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Which.
    pub policy: PolicyName,
    /// Its place, unique in the factor: the lowest is tried first.
    pub priority: u32,
    /// What the operator said about going on after a failure; see [`Authentication::goto`](super::Authentication::goto).
    pub goto: Option<Goto>,
    /// The factor behind a success; see [`Authentication::next`](super::Authentication::next).
    pub next: Option<LabelName>,
}

/// Where a factor goes on when a rule was true and its action has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goto {
    /// The next binding.
    Next,
    /// Nowhere: the factor has failed.
    End,
    /// The binding with this priority.
    To(u32),
    /// As whoever was called says.
    UseInvocationResult,
    /// The binding with the priority to which this evaluates.
    Expression(Expression),
}

impl Goto {
    /// Reads it; words in any case.
    ///
    /// # Errors
    /// [`NotAnExpression`] for what is neither a word, nor a priority, nor an expression.
    pub fn parse(text: &str) -> Result<Self, NotAnExpression> {
        let words = [("NEXT", Self::Next), ("END", Self::End), ("USE_INVOCATION_RESULT", Self::UseInvocationResult)];
        if let Some((_, goto)) = words.into_iter().find(|(word, _)| word.eq_ignore_ascii_case(text)) {
            return Ok(goto);
        }
        match text.parse::<u32>() {
            Ok(priority) if text.bytes().all(|b| b.is_ascii_digit()) => Ok(Self::To(priority)),
            Ok(_) | Err(_) => Expression::parse(text).map(Self::Expression),
        }
    }
}

impl fmt::Display for Goto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Next => f.write_str("NEXT"),
            Self::End => f.write_str("END"),
            Self::To(priority) => write!(f, "{priority}"),
            Self::UseInvocationResult => f.write_str("USE_INVOCATION_RESULT"),
            Self::Expression(expression) => write!(f, "{expression}"),
        }
    }
}

/// A login schema policy at an authentication virtual server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaBinding {
    /// Which.
    pub policy: PolicyName,
    /// Its place, unique among those of the server: the first whose rule is true gives the form.
    pub priority: u32,
    /// Kept: a form is found or not, nothing fails here.
    pub goto: Option<Goto>,
}

impl Bank {
    /// Bindings, lowest priority first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Binding> + ExactSizeIterator {
        self.0.iter()
    }

    /// Whether nothing is bound.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The binding of a policy.
    #[must_use]
    pub fn of(&self, policy: &str) -> Option<&Binding> {
        self.0.iter().find(|binding| binding.policy.as_str() == policy)
    }

    /// The binding with a priority.
    #[must_use]
    pub fn at(&self, priority: u32) -> Option<&Binding> {
        self.0.iter().find(|binding| binding.priority == priority)
    }

    /// Adds a binding.
    ///
    /// # Errors
    /// The one that has its policy or its priority already.
    pub fn add(&mut self, binding: Binding) -> Result<(), &Binding> {
        let clashes = |other: &Binding| other.policy == binding.policy || other.priority == binding.priority;
        if let Some(at) = self.0.iter().position(clashes) {
            return Err(&self.0[at]);
        }
        let at = self.0.partition_point(|other| other.priority < binding.priority);
        self.0.insert(at, binding);
        Ok(())
    }

    /// Removes the binding of a policy.
    pub fn remove(&mut self, policy: &str) -> Option<Binding> {
        let at = self.0.iter().position(|binding| binding.policy.as_str() == policy)?;
        Some(self.0.remove(at))
    }

    /// All bindings, for a change of names. Which policy is which stays as it is.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Binding> {
        self.0.iter_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(policy: &str, priority: u32) -> Binding {
        Binding { policy: PolicyName::parse(policy).unwrap(), priority, goto: None, next: None }
    }

    #[test]
    fn bindings_stand_by_priority_and_clash_with_none() {
        let mut bank = Bank::default();
        for (policy, priority) in [("b", 20), ("c", 30), ("a", 10)] {
            bank.add(binding(policy, priority)).unwrap();
        }
        assert_eq!(bank.iter().map(|b| b.policy.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(bank.add(binding("b", 99)).unwrap_err().priority, 20);
        assert_eq!(bank.add(binding("x", 30)).unwrap_err().policy.as_str(), "c");
        assert_eq!(bank.remove("b").map(|b| b.priority), Some(20));
        assert_eq!(bank.remove("b"), None);
    }

    #[test]
    fn goto_is_a_word_a_number_or_an_expression() {
        for (text, goto, printed) in [
            ("next", Goto::Next, "NEXT"),
            ("END", Goto::End, "END"),
            ("Use_Invocation_Result", Goto::UseInvocationResult, "USE_INVOCATION_RESULT"),
            ("110", Goto::To(110), "110"),
            ("+1", Goto::Expression(Expression::parse("+1").unwrap()), "+1"),
            ("99999999999", Goto::Expression(Expression::parse("99999999999").unwrap()), "99999999999"),
        ] {
            assert_eq!(Goto::parse(text), Ok(goto.clone()), "{text}");
            assert_eq!(goto.to_string(), printed);
        }
        assert_eq!(Goto::parse(""), Err(NotAnExpression::Empty));
    }
}
