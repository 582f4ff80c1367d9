//! Logins: from a door's request to a session, and what hangs on that.
//!
//! ```text
//!   door ─ Said ─► converse ─► owner: Conversations ─► machine (gate_auth::login) ─┬─ form, scan ─► Turn ─► door
//!                                        ▲                                         ├─ question ──► brake, lock-out, its turn
//!                                        └──── Came ◄── outside: local users, directories, RADIUS ◄┘
//!                                                                                  └─ Grant ─► session ─► Turn ─► door
//!   session ─► ticket ─► launch ─► stream (chain)          session ─► Watch: the client is looked at again
//! ```
//!
//! The owner's side of it is in `owner/`; here is what doors see, what is asked outside, and what is remembered for operators.

pub(crate) mod chain;
mod codes;
pub(crate) mod directories;
mod outside;
pub(crate) mod rules;
mod said;
pub(crate) mod servers;
pub(crate) mod trace;

pub(crate) use self::outside::{Came, Outside, Whom};
pub(crate) use self::said::{Said, ScanAsked, ScanState, Scanner, Turn};
pub(crate) use self::said::{converse, epa_answer, epa_device, epa_question, scan_begins, scan_state};

#[cfg(test)]
mod tests;
