//! The workers: pinned threads, each with an engine, a listener per virtual server, a table of sessions and a mailbox.
//!
//! ```text
//!                     Workers::start(settings, snapshot)
//!                        │ pin, open engine, listen
//!            ┌───────────┼────────────┐
//!       ┌────▼────┐ ┌────▼────┐  ┌────▼────┐   asks    ┌──────┐
//!       │sluice-0 │ │sluice-1 │  │sluice-n │ ────────► │ Post │ implements sluice_link::port::Sluice,
//!       │ turn    │ │ turn    │  │ turn    │ ◄──────── │      │ used by the control thread
//!       └─────────┘ └─────────┘  └─────────┘  letters  └──────┘
//!         nothing shared on the way of bytes; connections of which nothing is read yet may go from one to another
//! ```
//!
//! * `turn`: one turn of the loop. `tenant`: one session in its slot. `meter`: numbers, and when clients wait outside;
//!   `counted`: those of virtual servers.
//! * `balance`: which worker carries a connection.
//! * `mailbox`: the queues and why they cannot block; [`wake`]: the wake-up protocol, model-checked by `tests/loom.rs`.
//! * `peer`, `own_uid`, `kernel_tls`: not about bytes at all; they come through here since only the engine may ask the kernel such things.
//! * `pin`, `listen`: where workers run and what they listen at. `start`: threads. `post`: control's view.
//!
//! Under `--cfg loom` only [`wake`] is built.
#![forbid(unsafe_code)]

#[cfg(not(loom))]
mod balance;
#[cfg(not(loom))]
mod counted;
#[cfg(all(test, not(loom)))]
mod fake;
#[cfg(not(loom))]
mod listen;
#[cfg(not(loom))]
mod mailbox;
#[cfg(not(loom))]
mod meter;
#[cfg(not(loom))]
mod pin;
#[cfg(not(loom))]
mod post;
#[cfg(not(loom))]
mod start;
#[cfg(not(loom))]
mod tenant;
#[cfg(not(loom))]
mod turn;
pub mod wake;

#[cfg(not(loom))]
pub use sluice_engine::{Choice, KernelTls, Peer, SocketSettings, give_large_memory_back, kernel_tls, now, own_uid, peer};

#[cfg(not(loom))]
pub use self::{
    mailbox::{ASK_CAPACITY, ASK_FULL, TELL_CAPACITY, TELL_CREDIT, TELL_RESERVE},
    pin::{Misplaced, Placement, WORKERS_MAX},
    post::Post,
    start::{Buffers, StartProblem, Started, WorkerEnd, WorkerSettings, Workers},
};
