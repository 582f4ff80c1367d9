//! The one thing that the machine needs from outside: an engine. Two are real (`sluice-engine`: io_uring and mio), one is
//! simulated (`tests/sim`).
//!
//! ```text
//!   accept ─► Happening::Accepted{door} ─► adopt(door, key) ─► act(key, intent)* ─► Happening::Session{key, event}*
//!                                     ├─► refuse(door)                  └─► release(key) ─► Happening::Released(key)
//!                                     └─► give_away(door) ─► (another engine) take_in ─► adopt or refuse
//! ```
//!
//! # The contract, kept by every engine and tested by one conformance suite
//! 1. For one leg, `Received` events carry the stream's bytes in order, each byte once.
//! 2. After `Eof` or `Failed` for a receive, no `Received` comes for that leg. A receive asked for on a leg that has ended or was
//!    lost is answered with `Eof` or `Failed` again, never ignored.
//! 3. Every `Receive`, `Send` and `Connect` is answered by exactly one event, unless the session is released first.
//! 4. `release` shuts both legs down, waits until the kernel holds nothing of the session, closes the sockets and only then
//!    reports `Released`. From the call on no event of that key is reported, and every buffer goes back to the pool.
//! 5. An event's key is that of the tenant for whom the operation was started. A completion for a released key is counted and
//!    dropped, and its buffer goes back to the pool.
//! 6. `turn` handles at most [`HAPPENINGS_PER_TURN`] happenings, so that one busy class cannot starve another, and returns at the
//!    latest when `until` has passed, unless the thread is not scheduled.
//! 7. A hand-over of a key is answered at once, and with `taken: false` if an operation of that direction is under way. If the kernel took it,
//!    what is said of [`Intent::HandOver`] holds from then on; no engine need be able to.
//! 8. A listener gives at most [`ACCEPTS_PER_TURN`] connection a turn. More wait in the kernel's backlog: what a connection costs
//!    shall be in front of those who wait for an answer only as often as a turn has room for a handshake. Those whose client has gone
//!    while they waited are none, and up to [`GONE_PER_TURN`] of them are passed over: else a backlog of them, which a turn hardly
//!    takes longer for than for one, would be served so slowly that the next client has gone, too, by the time it is his turn.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::time::Duration;

// An engine needs these names, and no edge to sluice-link for them.
pub use sluice_link::id::{Generation, ListenerId, Slot, SlotKey};
pub use sluice_link::time::Moment;
use thiserror::Error;

use crate::buf::Pool;
use crate::event::{Event, Leg};
use crate::intent::Intent;

/// Most happenings that one turn of an engine may report.
pub const HAPPENINGS_PER_TURN: usize = 1024;

/// Most connections that one turn of an engine may report for one listener.
pub const ACCEPTS_PER_TURN: usize = 1;

/// Most connections whose client has gone already that one turn of an engine passes over.
pub const GONE_PER_TURN: usize = 2;

/// An accepted connection that has no slot yet. Valid until adopted or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Door(pub u32);

/// One thing that an engine reports.
#[derive(Debug)]
pub enum Happening {
    /// A client connected. The worker answers with [`Engine::adopt`], [`Engine::refuse`] or [`Engine::give_away`] before the next
    /// turn.
    Accepted {
        /// At which virtual server.
        listener: ListenerId,
        /// The connection.
        door: Door,
        /// The client's address.
        client: SocketAddr,
        /// The address it connected to.
        local: SocketAddr,
    },
    /// Something happened to a session.
    Session {
        /// Which.
        key: SlotKey,
        /// What.
        event: Event,
    },
    /// The kernel holds nothing of this session any more; its sockets are closed.
    Released(SlotKey),
    /// The mailbox may have something: the wake descriptor was written to.
    Woken,
}

/// What moves bytes.
pub trait Engine {
    /// `io_uring`, `mio` or `sim`, with the variant chosen, for logs and metrics.
    fn name(&self) -> &str;

    /// Starts accepting on `socket`, which listens already.
    ///
    /// # Errors
    /// [`EngineFault`] if the kernel does not take it.
    fn listen(&mut self, id: ListenerId, socket: TcpListener) -> Result<(), EngineFault>;

    /// Stops accepting and closes the listener. Unknown ids are ignored.
    fn unlisten(&mut self, id: ListenerId);

    /// Accepts (again), or lets connections wait in the kernel's backlog, on all listeners.
    fn accept(&mut self, on: bool);

    /// The descriptor that wakes this engine, an eventfd. Reported as [`Happening::Woken`].
    ///
    /// # Errors
    /// [`EngineFault`] if the kernel does not take it.
    fn wake_on(&mut self, eventfd: OwnedFd) -> Result<(), EngineFault>;

    /// Makes the connection behind `door` the client leg of `key`.
    fn adopt(&mut self, door: Door, key: SlotKey);

    /// Closes the connection behind `door` with a reset.
    fn refuse(&mut self, door: Door);

    /// Gives away the connection behind `door`, of which nothing has been read, for another worker's engine. None if there is none.
    fn give_away(&mut self, door: Door) -> Option<OwnedFd>;

    /// Takes a connection that another engine has given away: its door, valid as if it had been accepted in this turn, the client's
    /// address and the one it connected to. None if it is lost already.
    fn take_in(&mut self, socket: OwnedFd) -> Option<(Door, SocketAddr, SocketAddr)>;

    /// Carries out one intent of a session. [`Intent::Ask`] and [`Intent::Deadline`] are the worker's and never come here.
    fn act(&mut self, key: SlotKey, intent: Intent);

    /// Ends a session's use of the engine; see the contract.
    fn release(&mut self, key: SlotKey);

    /// Sends what was asked to be sent since the last turn, as far as the kernel takes it at once; the answers come with the next turn.
    /// For a worker that has long work to do before that: nobody's bytes shall wait for it.
    ///
    /// # Errors
    /// As [`Engine::turn`].
    fn send_now(&mut self) -> Result<(), EngineFault>;

    /// Submits what was asked for, waits for something to happen, but not longer than `wait` (`None`: without end; zero: not at
    /// all), and appends it to `happened`.
    ///
    /// # Errors
    /// [`EngineFault`] if the engine itself is broken; the worker cannot go on.
    fn turn(&mut self, wait: Option<Duration>, happened: &mut Vec<Happening>) -> Result<(), EngineFault>;

    /// The buffers.
    fn pool(&mut self) -> &mut Pool;

    /// Numbers that the engine counts itself, since the last call.
    fn tally(&mut self) -> Tally;

    /// The address of the host leg's own end, once connected: what the host sees.
    fn host_leg_address(&self, key: SlotKey) -> Option<SocketAddr>;

    /// Operations that the kernel still holds for a leg; for tests and traces.
    fn in_flight(&self, key: SlotKey, leg: Leg) -> usize;
}

/// What an engine counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Completions or readiness events.
    pub completions: u64,
    /// Those that belonged to an earlier tenant.
    pub stale: u64,
    /// Completion queue overflows.
    pub overflows: u64,
    /// Receives that found no buffer.
    pub starved: u64,
}

/// An engine that cannot go on. The machine's fault.
#[derive(Debug, Error)]
pub enum EngineFault {
    /// A system call failed.
    #[error("{call} failed")]
    System {
        /// Which.
        call: &'static str,
        /// How.
        source: std::io::Error,
    },
    /// The self-test found something that does not work.
    #[error("self-test: {0} does not work here")]
    SelfTest(&'static str),
}
