//! Speaking to a running gateway: one connection, one line or many, and what comes back.
//!
//! ```text
//!   arguments ─words─► line ─┐
//!   standard input, file ────┴─► carry ─► talk ─► gateway (frames over the control socket)
//!                                 │
//!   output ◄─paint── print ◄──────┘ text, warnings, errors, progress, number
//! ```

pub mod carry;
pub mod fault;
pub mod gateway;
pub mod once;
pub mod paint;
pub mod print;
pub mod talk;
pub mod words;
