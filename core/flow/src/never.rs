//! The checked "never": a state that cannot be, found nevertheless.
//!
//! Loud in tests and simulation, where it panics with its sentence. In release it costs one session: the caller ends it with
//! [`sluice_link::reason::Reason::Never`], which is counted and shown, and everybody else goes on. Where another user's bytes
//! would be at stake it is not enough: that takes an `assert!`.

use sluice_link::reason::Reason;

/// Reports that `what` happened, which the code around it rules out.
///
/// # Panics
/// In builds with debug assertions.
#[cold]
#[track_caller]
pub fn never(what: &str) -> Reason {
    debug_assert!(false, "never: {what}");
    Reason::Never
}
