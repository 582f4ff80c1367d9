//! Test kit: the neighbours of a gateway and what it takes to watch one from outside.
//!
//! ```text
//!   client ──TLS──► [ sluicegate, the real binary: gateway ] ──► host          (fakes where no real peer exists)
//!                          │           ▲
//!                          └─► sta ◄───┘ ticket issued here, as a portal would
//! ```
//!
//! Nothing here sleeps for a time or uses a fixed port: ports are chosen by the system, and waiting is for a state with a
//! deadline ([`deadline::until`]).
#![forbid(unsafe_code)]

/// To make certificates other than usual.
pub use rcgen;

pub mod browser;
pub mod certs;
pub mod chromium;
pub mod client;
pub mod console;
pub mod deadline;
pub mod directory;
pub mod forger;
pub mod gateway;
pub mod host;
pub mod radius;
pub mod records;
pub mod scanner;
pub mod screen;
pub mod sta;
pub mod tools;
pub mod web;
