//! The open launch client: what happens between an ICA file and a running session.
//!
//! ```text
//!  ICA file ─► trust::Trust ─► open::Session::open ──────────────► relay::run ◄──► local port or pipe
//!              whom to believe  TCP, TLS, SOCKS5 with the ticket    two threads, half-close both ways
//! ```
//!
//! [`fault::Fault`] names every way in which it can fail, with words for a person and an exit code for a script.
//! `run` is the command around it.

pub mod fault;
pub mod open;
pub mod relay;
pub mod run;
pub mod trust;
