//! Expressions: what rules of policies are written in. From a text to a tree with types, and from facts to a value.
//!
//! ```text
//!   text ─read─► tree, types, names ─judge (Names)─► fits where it stands      at load
//!                  │
//!                  └──────────evaluate (Facts)─────► value, or undefined       at a login
//! ```
//!
//! - The grammar is that of NetScaler's advanced expressions, as far as logins need it: [`members`] is the table of what is understood,
//!   from which reader, evaluation and the page `docs/config/expressions.md` come.
//! - Types are known before anything is evaluated. A text that is read in the wrong place is an error with line and column.
//! - An expression can be undefined: the tenth item of a list of three, a number from a text that is none. Then it is neither true nor
//!   false, and so is whatever contains it, unless `&&` and `||` had their answer before they came to it.
//! - Nothing is looked up, nothing waits, and the work of an evaluation is bounded whatever the request holds: [`WORK_MAX`].
//!
//! What a client is asked about itself is another language, [`ClientExpression`](crate::model::authentication::ClientExpression): of its
//! strings nothing is known here but whether the client's answer was yes.

pub use evaluate::{Undefined, WORK_MAX};
pub use facts::{ATTRIBUTES, BODY_BYTES_MAX, Certificate, Facts, Group, GroupOrigin, Method, Person, Request, Tls, Typed};
pub use fault::{Fault, FaultKind};
pub use names::{
    ExpressionName, NAMES_DEPTH_MAX, NAMES_MAX, NamedExpression, Names, NotAnExpressionName, PATTERN_CHARS_MAX, PATTERNS_MAX,
    Pattern, PatternSet, Says,
};
pub use tree::Wanted;

pub(crate) use page::page;

pub(crate) use read::{read, read_rule};

pub(crate) mod classic;
pub(crate) mod tree;
pub(crate) mod value;

mod evaluate;
mod facts;
mod fault;
mod kind;
mod members;
mod moment;
mod names;
mod page;
mod read;
mod text;

#[cfg(test)]
pub(crate) mod sample;

#[cfg(test)]
mod tests;
