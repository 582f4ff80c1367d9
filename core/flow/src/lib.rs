//! What a session does next. No socket, no clock, no thread: a value that is told what happened and answers what it wants.
//!
//! ```text
//!   engine: happening ──► Event ──► Session::step(self, event, turn) ──► Next::Stay(session) | Next::End(reason)
//!                                              │
//!                                              └──► Intents ──► engine: operations
//! ```
//!
//! * [`buf`]: buffers that move by value between engine and session, so that nobody can touch what the kernel still holds.
//! * [`event`], [`intent`]: the two vocabularies. [`port`]: the one trait that an engine implements.
//! * [`tls`]: rustls for handshakes, our own record engine afterwards. [`session`]: the states.
//! * [`slots`], [`wheel`], [`share`], [`admit`], [`pace`]: the table of sessions, its timers, fairness, who is let in, how fast bytes
//!   may flow.
#![forbid(unsafe_code)]

pub mod admit;
pub mod buf;
pub mod event;
mod half;
pub mod intent;
pub mod limits;
pub mod never;
mod outgoing;
pub mod pace;
pub mod port;
pub mod session;
pub mod share;
pub mod slots;
pub mod tls;
pub mod wheel;
