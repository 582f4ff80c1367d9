//! Intents to kernel operations, completions to events: two engines behind [`sluice_flow::port::Engine`].
//!
//! ```text
//!                          ┌─ ring: io_uring. One ring per worker, one system call per turn.
//!   open(choice, settings) ┤
//!                          └─ poll: mio (epoll). The same intents, the same answers; for machines where the ring is denied.
//! ```
//!
//! Which one when: [`Choice::Auto`] takes the ring if the kernel lets us make one, restrict it, and if it passes a self-test of
//! behaviour; otherwise poll, and [`Report::fallback`] says why, to be logged as a warning. Containers often deny io_uring, by
//! seccomp or by sysctl. `EPERM`, `ENOSYS` and `EACCES` are taken as such a denial and not tried again.
//!
//! An engine belongs to the thread that opened it: the ring accepts submissions from no other, and [`AnyEngine`] is not `Send`.
//!
//! Both engines keep the contract written in [`sluice_flow::port`], and `tests/conformance` holds them to it with one suite.
#![deny(unsafe_code)]

mod doors;
mod errno;
mod give_back;
mod ktls;
mod listen;
#[expect(unsafe_code, reason = "clock_gettime, the resource limits and mallopt have no safe form in std")]
mod machine;
#[expect(unsafe_code, reason = "std does not say who is at the other end of a Unix socket")]
mod peer;
mod poll;
mod queue;
mod report;
mod ring;
#[expect(unsafe_code, reason = "std lacks most socket options, sendmsg and connecting without waiting")]
mod sock;
mod spare;
#[expect(unsafe_code, reason = "std cannot make an eventfd")]
mod wake;

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::time::Duration;

use sluice_flow::buf::{Pool, PoolSizes};
use sluice_flow::event::Leg;
use sluice_flow::intent::Intent;
use sluice_flow::port::{Door, Engine, EngineFault, Happening, ListenerId, SlotKey, Tally};

pub use ktls::{KernelTls, kernel_tls};
pub use listen::bind;
pub use machine::{give_large_memory_back, now, raise_descriptor_limit, used};
pub use peer::{GROUPS_MAX, Peer, own_uid, peer};
pub use poll::PollEngine;
pub use queue::BULK_PER_TURN;
pub use report::{Item, Outcome, Report};
pub use ring::RingEngine;
pub use wake::{Waker, eventfd};

/// Which engine an operator wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// io_uring if it works here, else mio, loudly.
    #[default]
    Auto,
    /// io_uring; if it does not work, that is fatal.
    Uring,
    /// mio.
    Mio,
}

/// What an engine needs to know when it is opened.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// How many buffers of each class there may be.
    pub pool: PoolSizes,
    /// Slots: every [`SlotKey`] handed to the engine has a slot below this. At most 2²⁴.
    pub sessions: u32,
    /// How long to look for something to do before going to sleep. It cuts the latency of a lonely session to a third and costs
    /// the CPU time it spins. `None`: sleep at once.
    pub busy_poll: Option<Duration>,
    /// Options of the sockets.
    pub sockets: SocketSettings,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self { pool: PoolSizes::default(), sessions: 4096, busy_poll: None, sockets: SocketSettings::default() }
    }
}

/// Options of TCP sockets that are not the same everywhere. What is always set: no delay, keepalive after 60 s and then every
/// 10 s, six times, and a user timeout of 60 s towards the client and 30 s towards the host. Buffer sizes are left to the
/// kernel's autotuning.
#[derive(Clone, Debug)]
pub struct SocketSettings {
    /// Most bytes that may wait unsent in the kernel, per socket (`TCP_NOTSENT_LOWAT`). `None`: unlimited, up to the kernel's largest send
    /// buffer of some MiB. What it bounds is the kernel's memory per slow client, and how much of a file copy is in front of a keystroke's
    /// echo in the same session. On loopback, 16 KiB to 1 MiB made no difference to bulk beyond the noise. The default is
    /// [`NOTSENT_BYTES`].
    pub notsent_lowat_bytes: Option<u32>,
    /// Congestion control by name, such as `bbr` or `cubic`. `None`: the machine's default. One that the kernel does not have is
    /// refused when the engine is opened.
    pub congestion: Option<String>,
}

/// Half of the largest send: what is unsent is in front of a keystroke's echo in the same session, 200 ms of it at 10 Mbit/s.
pub const NOTSENT_BYTES: u32 = 256 * 1024;

impl Default for SocketSettings {
    fn default() -> Self {
        Self { notsent_lowat_bytes: Some(NOTSENT_BYTES), congestion: None }
    }
}

/// Opens an engine for the calling thread, which must be the worker's: the ring takes submissions from no other.
///
/// The report lists every rung, probe and step of the self-test with its result, for one log line each.
///
/// # Errors
/// [`EngineFault`] if the engine asked for, or with [`Choice::Auto`] neither of them, can be had.
///
/// # Panics
/// If more than 2²⁴ sessions are asked for.
pub fn open(choice: Choice, settings: &EngineSettings) -> Result<(AnyEngine, Report), EngineFault> {
    let mut report = Report::default();
    sock::try_settings(&settings.sockets).map_err(|(call, source)| EngineFault::System { call, source })?;
    report.note("socket options", Outcome::Works, "");
    match choice {
        Choice::Mio => {}
        Choice::Uring => {
            let engine = ring::open(settings, &mut report)?;
            return Ok((AnyEngine::Ring(Box::new(engine)), report));
        }
        Choice::Auto => match ring::open(settings, &mut report) {
            Ok(engine) => return Ok((AnyEngine::Ring(Box::new(engine)), report)),
            Err(fault) => report.fallback = Some(ring::explain(&fault)),
        },
    }
    let engine = PollEngine::new(settings)?;
    report.note("epoll", Outcome::Works, "");
    Ok((AnyEngine::Poll(Box::new(engine)), report))
}

/// One of the two engines. Static dispatch: the choice is made once, and the branch predicts itself.
#[derive(Debug)]
pub enum AnyEngine {
    /// io_uring.
    Ring(Box<RingEngine>),
    /// mio.
    Poll(Box<PollEngine>),
}

/// Says the same to whichever engine it is.
macro_rules! either {
    ($any:expr, $engine:ident => $what:expr) => {
        match $any {
            AnyEngine::Ring($engine) => $what,
            AnyEngine::Poll($engine) => $what,
        }
    };
}

impl Engine for AnyEngine {
    fn name(&self) -> &str {
        either!(self, e => e.name())
    }

    fn listen(&mut self, id: ListenerId, socket: TcpListener) -> Result<(), EngineFault> {
        either!(self, e => e.listen(id, socket))
    }

    fn unlisten(&mut self, id: ListenerId) {
        either!(self, e => e.unlisten(id));
    }

    fn accept(&mut self, on: bool) {
        either!(self, e => e.accept(on));
    }

    fn wake_on(&mut self, eventfd: OwnedFd) -> Result<(), EngineFault> {
        either!(self, e => e.wake_on(eventfd))
    }

    fn adopt(&mut self, door: Door, key: SlotKey) {
        either!(self, e => e.adopt(door, key));
    }

    fn refuse(&mut self, door: Door) {
        either!(self, e => e.refuse(door));
    }

    fn give_away(&mut self, door: Door) -> Option<OwnedFd> {
        either!(self, e => e.give_away(door))
    }

    fn take_in(&mut self, socket: OwnedFd) -> Option<(Door, SocketAddr, SocketAddr)> {
        either!(self, e => e.take_in(socket))
    }

    fn act(&mut self, key: SlotKey, intent: Intent) {
        either!(self, e => e.act(key, intent));
    }

    fn release(&mut self, key: SlotKey) {
        either!(self, e => e.release(key));
    }

    fn send_now(&mut self) -> Result<(), EngineFault> {
        either!(self, e => e.send_now())
    }

    fn turn(&mut self, wait: Option<Duration>, happened: &mut Vec<Happening>) -> Result<(), EngineFault> {
        either!(self, e => e.turn(wait, happened))
    }

    fn pool(&mut self) -> &mut Pool {
        either!(self, e => e.pool())
    }

    fn tally(&mut self) -> Tally {
        either!(self, e => e.tally())
    }

    fn host_leg_address(&self, key: SlotKey) -> Option<SocketAddr> {
        either!(self, e => e.host_leg_address(key))
    }

    fn in_flight(&self, key: SlotKey, leg: Leg) -> usize {
        either!(self, e => e.in_flight(key, leg))
    }
}
