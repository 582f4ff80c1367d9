//! Configuration: `ns.conf` text, what it means, and back.
//!
//! ```text
//!   text ─lex─► lines ─draft─► as written ─lower─► Model ─snapshot─► sluice_link::snapshot::Snapshot
//!     ▲                            ▲                 │
//!     │                        catalogue             ├─diff─► what a change would do
//!     └──────────────────────print───────────────────┘
//! ```
//!
//! [`check`] goes from left to right and reports every problem with line and column; [`Model::print`](model::Model::print) goes back. Both,
//! and the pages below `docs/config/`, come from one [`catalog`] in which every command is defined once.
//!
//! The control socket speaks the same language, one line at a time:
//!
//! ```text
//!   line ─order─┬─ change ─edit─► a changed copy of the model
//!               ├─ show ───show─► answer ─┬─► text
//!               └─ ask ──── the gateway ──┘  └─► JSON, as schema says
//! ```
//!
//! No I/O, no clock, no cryptography: files come through [`files::Files`], hashes through [`model::Hasher`].
#![forbid(unsafe_code)]

pub mod answer;
pub mod catalog;
pub mod code;
pub mod compare;
pub mod complete;
pub mod draft;
pub mod edit;
pub mod expr;
pub mod files;
pub mod flow;
pub mod import;
pub mod model;
pub mod order;
pub mod problem;
pub mod schema;
pub mod show;
pub mod text;

pub use diff::{Change, ChangeKind, diff};
pub use lower::{Checked, Strictness, check};
pub use snapshot::{ListenerIds, NotLoaded, cert_key, clients, snapshot};

mod diff;
mod help;
mod judge;
mod lower;
mod mask;
mod paste;
mod print;
mod reply;
mod snapshot;
