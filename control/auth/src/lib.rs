//! Who is in, who may try, what a ticket is worth: pure tables, no socket, no clock, no randomness of their own.
//!
//! ```text
//!  a guess ──► guard: too many failures lately?  ──► users: is it the password?  ──► sessions: a login with its cookie
//!  a launch ─► tickets: issued once ──────────────────────────────────────────────► redeemed once, or expired
//!  a bad ticket at the gateway ──► guard: ban of its source
//!  a login by factors ─► login: scans, forms, questions to others, and what came of them ─────► sessions: a login with its cookie
//!  a code of a user's device ─► totp: it is his, and has not been used ───────────────────► as a password
//!  a secret of the gateway's own ─► vault: sealed in the configuration, opened when it is presented
//! ```
//!
//! Everything here is told the time ([`Now`]) and given its random bytes, and belongs to one owner, so that each decision is
//! one call that nobody can interleave with. Secrets are kept as keyed hashes where a comparison is all that is ever needed.
#![forbid(unsafe_code)]

pub mod guard;
pub mod login;
pub mod oldest;
pub mod seal;
pub mod sessions;
pub mod tickets;
pub mod totp;
pub mod users;
pub mod vault;

/// A point in time: what has passed on the monotonic clock since an origin that the caller chose once and keeps.
pub type Now = std::time::Duration;
