//! What is wrong with an expression, and where in its text.

use std::ops::Range;

use thiserror::Error;

use super::tree::DEPTH_MAX;

/// What is wrong with an expression. All are the operator's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{kind}")]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// Where: bytes of the text.
    pub at: Range<usize>,
    /// What to do.
    pub hint: Option<String>,
}

/// The ways in which an expression can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FaultKind {
    /// It ends where something must follow.
    #[error("the expression ends where {0} must follow")]
    Unfinished(&'static str),
    /// Something that cannot stand here.
    #[error("{found:?} cannot stand here; there must be {wanted}")]
    Unexpected {
        /// What stands there.
        found: String,
        /// What would be right.
        wanted: &'static str,
    },
    /// A quote without its other half.
    #[error("this quote is not closed")]
    Quote,
    /// A backslash before a character that it does not go with.
    #[error("a backslash before {0:?} means nothing")]
    Escape(char),
    /// A chain begins with a word that nobody knows.
    #[error("no expression begins with {0}")]
    UnknownRoot(String),
    /// A member that its object does not have.
    #[error("{of} has no {member} here")]
    UnknownMember {
        /// The member.
        member: String,
        /// Of what.
        of: &'static str,
    },
    /// A chain that stops before it says what is asked for.
    #[error("{0} alone is no value; it must be said what of it is meant")]
    NoValue(&'static str),
    /// A value of one kind where one of another is needed.
    #[error("this is {found}, and here there must be {wanted}")]
    WrongKind {
        /// What it is.
        found: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// A rule that is neither true nor false.
    #[error("a rule must be true or false, and this is {0}")]
    NotTruth(&'static str),
    /// Two values that cannot be compared or added.
    #[error("{operator} does not go with {left} and {right}")]
    Operands {
        /// The operator.
        operator: &'static str,
        /// What stands before it.
        left: &'static str,
        /// What stands behind it.
        right: &'static str,
    },
    /// A number out of range.
    #[error("a number has at most 63 bits")]
    Number,
    /// A text that is no address.
    #[error("{0:?} is no IP address")]
    Address(String),
    /// A text that is no network.
    #[error("{text:?} is no network: {why}")]
    Network {
        /// The text.
        text: String,
        /// Why not.
        why: String,
    },
    /// A text that is no point in time.
    #[error("{0:?} is no point in time")]
    Moment(String),
    /// A text that is no regular expression.
    #[error("this regular expression is not understood: {0}")]
    Regex(String),
    /// More in each other than is evaluated.
    #[error("parentheses and arguments stand more than {DEPTH_MAX} deep")]
    TooDeep,
    /// `$name`: a value that is kept between requests.
    #[error("variables are not kept here, so {0} has no value")]
    Variable(String),
    /// `sys.client_expr` outside of what a client is asked.
    #[error("what a client is asked about itself cannot stand in a rule")]
    Client,
    /// The old language where the new one must be.
    #[error("this is a classic expression, and here there must be an advanced one")]
    Classic,
    /// A classic rule without a counterpart.
    #[error("this classic rule has no counterpart: {0}")]
    NotConverted(String),
    /// A member of a named expression.
    #[error("members of named expressions are not looked at")]
    MemberOfName,
    /// A name that names no expression.
    #[error("there is no policy expression {0:?}")]
    MissingExpression(String),
    /// A name that names no pattern set.
    #[error("there is no pattern set {0:?}")]
    MissingPatternSet(String),
    /// Names that lead to names, and so on, perhaps back to the first.
    #[error("named expressions refer to others more than {} deep, or back to themselves", super::NAMES_DEPTH_MAX)]
    NamesTooDeep,
}

impl Fault {
    pub(super) fn new(kind: FaultKind, at: Range<usize>) -> Self {
        Self { kind, at, hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether it is about something that a later line may make.
    #[must_use]
    pub const fn is_missing(&self) -> bool {
        matches!(self.kind, FaultKind::MissingExpression(_) | FaultKind::MissingPatternSet(_))
    }
}
