//! The doors and the one owner of control state.
#![forbid(unsafe_code)]
