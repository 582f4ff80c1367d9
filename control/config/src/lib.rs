//! Configuration: `ns.conf` text, what it means, and back.
//!
//! ```text
//!   text ─lex─► lines ─resolve─► draft ─lower─► Model ─snapshot─► sluice_link::snapshot::Snapshot
//!     ▲                                           │
//!     └───────────────────print───────────────────┘
//! ```
//!
//! No I/O, no clock, no cryptography: files come through a trait that the caller implements, hashes likewise.
#![forbid(unsafe_code)]

pub mod code;
pub mod draft;
pub mod files;
pub mod model;
pub mod problem;
pub mod text;
