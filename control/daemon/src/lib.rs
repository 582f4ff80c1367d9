//! The only assembly: configuration in, a running gateway out.
//!
//! ```text
//!   text ─► gate_config::check ─► Model ─► Snapshot ──► sluice_worker::Workers  (threads sluice-0 … n)
//!                                   │                        │ port::Sluice
//!                                   ├─► inner Unix listener ─┤
//!                                   ├─► farm listeners ──────┴─► gate_plane::run  (thread control)
//!                                   └─► demo hosts ────────────► gate_plane::farm_host  (thread farm-hosts)
//! ```
//!
//! This crate is the only one that sees both planes. It decides nothing: it binds, starts, and takes down in order.
#![forbid(unsafe_code)]

pub mod check;
mod credentials;
pub mod diff;
pub mod files;
mod gateway;
pub mod import;
mod log;
pub mod ready;
pub mod saved;
pub mod signal;
mod unix;

pub use gateway::{Addresses, Gateway, NamedAddress, Options, StartProblem};

/// An error with all its causes, as one line.
#[must_use]
pub fn chain(problem: &dyn std::error::Error) -> String {
    let mut line = problem.to_string();
    let mut cause = problem.source();
    while let Some(inner) = cause {
        line.push_str(": ");
        line.push_str(&inner.to_string());
        cause = inner.source();
    }
    line
}
