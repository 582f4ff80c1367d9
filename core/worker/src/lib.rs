//! One pinned thread: mailbox, flow and engine.
#![forbid(unsafe_code)]

pub mod wake;
