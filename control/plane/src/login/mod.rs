//! Logins: what is decided about them beside the machine that judges them.

pub(crate) mod chain;
pub(crate) mod rules;
