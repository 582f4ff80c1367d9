//! A load: a few threads, each with one poll and its share of the connections, and one measured window.
//!
//! ```text
//!   thread 0   open connections ─► work ─┐ all ready ┌─► [ window: units, latencies, CPU and memory of the target ] ─┐
//!   thread n   open connections ─► work ─┘           └─► [ window: units, latencies ] ──────────────────────────────┴─► sum
//! ```
//!
//! With `--processes` each of them does the same for its part, and [`crew`] sums.

mod alarm;
mod bulk;
mod connect;
mod crew;
mod echo;
mod gate;
mod hand;
mod hello;
mod ica;
mod slow;

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use clap::ValueEnum;
use hdrhistogram::Histogram;
use mio::Poll;
use rustls::pki_types::ServerName;

use crate::fault::{Fault, machine};
use crate::load::part;
use crate::measure::Process;
use crate::report::{Latency, Outcome};
use crate::trust::client_config;
use crate::{Load, sink, tickets};

pub(crate) use connect::Connect;
pub(crate) use crew::Crew;
pub(crate) use ica::Mix;

use gate::Gate;
use hand::{BLOCK, Hand, Share};

/// How long a process may take until its connections are up, or until each has been used; a window without work may go on for as long.
const SETUP: Duration = Duration::from_secs(60);
/// Beside that, for each connection: hundreds of them in a second are slow for any machine.
const SETUP_EACH: Duration = Duration::from_millis(10);
/// Handshakes for which tickets are fetched in advance, per second of warm-up and window, where no rate is given.
const TICKETS_PER_SECOND: f64 = 6000.0;
/// Seconds that one of several processes may wait for the others, and go on with handshakes meanwhile.
const WAITING_SECONDS: f64 = 2.0;
/// Longest latency that is told apart, in microseconds.
pub(crate) const LATENCY_MICROS_MAX: u64 = 60_000_000;
/// Looks at the process under load, and at what was done, within a window.
const SAMPLES: u32 = 60;
/// What the latency from the moment at which a message was really sent is called. Where all is on schedule no target can make the generator
/// late, so that what is late by then is the generator.
pub(crate) const SINCE_SENT: &str = "since it was sent";
/// Bytes in a GiB.
const GIB: f64 = (1_u64 << 30) as f64;

/// In which direction bulk goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Direction {
    /// Client to host.
    Up,
    /// Host to client.
    Down,
}

/// What connections do.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// Handshake, a byte there and back, close, again.
    Connect(Connect),
    /// A hello, and gone once the answer begins.
    Hello {
        /// Per second, or as fast as they are answered.
        rate: Option<f64>,
    },
    /// Bytes one way.
    Bulk(Direction),
    /// Messages there and back.
    Echo {
        /// Bytes in one.
        size: usize,
        /// Per second over all connections, or as fast as they come back.
        rate: Option<u32>,
    },
    /// What ICA sessions look like.
    Ica(Mix),
    /// Nothing; in the end each is used once, if so wanted.
    Idle {
        /// Use each once.
        then_use: bool,
    },
    /// The host pours, and the client reads so many bytes a second and connection.
    Slow {
        /// Bytes a second.
        rate: u32,
    },
}

/// How long `connections` of one process may take until they are up.
fn patience(connections: usize) -> Duration {
    SETUP + SETUP_EACH * u32::try_from(connections).unwrap_or(u32::MAX)
}

/// Pins the calling thread; where that is not allowed the run goes on unpinned, which the figures will show.
pub(crate) fn pin(core: Option<usize>) {
    if let Some(id) = core {
        core_affinity::set_for_current(core_affinity::CoreId { id });
    }
}

/// An empty histogram of microseconds.
pub(crate) fn histogram() -> Result<Histogram<u64>, Fault> {
    Histogram::new_with_bounds(1, LATENCY_MICROS_MAX, 3).map_err(|_| Fault::Nothing("no histogram"))
}

/// Carries out `work` and measures it.
pub(crate) fn run(load: &Load, work: &Work) -> Result<Outcome, Fault> {
    if work.wants_memory() && load.pid.is_none() && load.member.is_none() {
        return Err(Fault::Nothing("memory per session is asked for: --pid is wanted"));
    }
    match load.member {
        None if load.processes > 1 => crew::run(load, work),
        None => alone(load, work),
        Some(member) => alone(&Load { connections: part(load.connections, member.of, member.number), ..load.clone() }, work),
    }
}

/// Carries it out in this process.
fn alone(load: &Load, work: &Work) -> Result<Outcome, Fault> {
    let work = &load.member.map_or_else(|| work.clone(), |member| work.part(member.of, member.number));
    let threads = load.threads.clamp(1, load.connections.max(1));
    let mut tickets = match load.sta {
        Some(sta) => tickets::fetch_all(sta, &load.host, work.tickets(load))?,
        None => Vec::new(),
    };
    let watched = load.pid.map(Process::of);
    let before = match (&watched, load.memory_before) {
        (_, Some(bytes)) => bytes,
        (Some(process), None) if work.wants_memory() => process.memory_bytes()?,
        _ => 0,
    };
    let tls = if load.plain {
        None
    } else {
        let name = ServerName::try_from(load.name.clone()).map_err(|_| Fault::Nothing("the name is no DNS name"))?;
        Some((client_config(load, work.resumes())?, name))
    };
    let gate = Gate::new(threads);
    let mut hands = Vec::new();
    for at in 0..threads {
        hands.push(Hand {
            load,
            gate: &gate,
            watched: watched.clone().filter(|_| at == 0),
            first: at == 0,
            connections: part(load.connections, threads, at),
            order: work.order(),
            wants_units: work.wants_units(),
            tls: tls.clone(),
            tickets: tickets.split_off(tickets.len() - tickets.len() / (threads - at)),
            poll: Poll::new().map_err(machine("make a poll"))?,
            alarm: None,
            clients: Vec::new(),
            block: vec![0xC3; BLOCK],
            units: 0,
            resumed: 0,
            failed: 0,
            opened: Duration::ZERO,
            latencies: work.latencies().iter().map(|_| histogram()).collect::<Result<_, _>>()?,
        });
    }
    let core = load.core.map(|core| core + load.member.map_or(0, |member| member.number * threads));
    let shares: Vec<Result<Share, Fault>> = thread::scope(|scope| {
        let begun: Vec<_> = hands
            .into_iter()
            .enumerate()
            .map(|(at, hand)| {
                let work = work.part(threads, at);
                scope.spawn(move || whole(hand, work, core.map(|core| core + at)))
            })
            .collect();
        if load.member.is_some() {
            gate.wait_for_go();
        }
        begun.into_iter().map(|thread| thread.join().unwrap_or(Err(Fault::Nothing("a thread of the generator died")))).collect()
    });
    outcome(load, work, sum(shares)?, before)
}

/// A thread.
fn whole(hand: Hand<'_>, work: Work, core: Option<usize>) -> Result<Share, Fault> {
    pin(core);
    let gate = hand.gate;
    let done = match work {
        Work::Connect(how) => connect::run(hand, &how),
        Work::Hello { rate } => hello::run(hand, rate),
        Work::Bulk(direction) => bulk::run(hand, direction),
        Work::Echo { size, rate } => echo::run(hand, size, rate),
        Work::Ica(mix) => ica::run(hand, &mix),
        Work::Idle { then_use } => slow::idle(hand, then_use),
        Work::Slow { rate } => slow::run(hand, rate),
    };
    if done.is_err() {
        gate.fail();
    }
    done
}

/// All shares together, or why there is none.
fn sum(shares: Vec<Result<Share, Fault>>) -> Result<Share, Fault> {
    let (mut all, mut gave_up): (Option<Share>, _) = (None, None);
    for share in shares {
        match share {
            Ok(share) => all = Some(if let Some(sum) = all { sum.with(share) } else { share }),
            Err(Fault::Another) => {}
            Err(fault) => gave_up = Some(fault),
        }
    }
    gave_up.map_or_else(|| all.ok_or(Fault::Nothing("there was no thread")), Err)
}

fn outcome(load: &Load, work: &Work, all: Share, before: u64) -> Result<Outcome, Fault> {
    #[expect(clippy::cast_precision_loss, reason = "figures to print")]
    let (unit, units) = match work {
        Work::Connect(how) => (how.unit(), all.units as f64),
        Work::Hello { .. } => ("first flight", all.units as f64),
        Work::Bulk(_) => ("GiB", all.units as f64 / GIB),
        Work::Echo { .. } => ("message", all.units as f64),
        Work::Ica(_) => ("event", all.units as f64),
        Work::Idle { .. } | Work::Slow { .. } => ("session", load.connections as f64),
    };
    if units <= 0.0 && (work.wants_units() || all.failed == 0) {
        return Err(Fault::Nothing("no unit of work was done in the window"));
    }
    let cpu = load.pid.map(|_| all.used.seconds);
    let none = histogram()?;
    let mut outcome = Outcome::new(unit, units, all.seconds, cpu, all.latencies.first().unwrap_or(&none));
    outcome.latencies = work.latencies().iter().zip(&all.latencies).map(|(name, taken)| Latency::new(name, taken)).collect();
    outcome.cpu_by_thread = all.used.by_thread;
    outcome.samples = all.samples;
    outcome.failed = all.failed;
    outcome.opened_seconds = Some(all.opened.as_secs_f64()).filter(|seconds| *seconds > 0.0);
    outcome.resumed = all.resumed;
    if let Work::Slow { .. } = work {
        outcome.carried_bytes = Some(all.units);
    }
    if load.pid.is_some() {
        outcome.memory_bytes = Some(all.memory_bytes);
        if work.wants_memory() {
            // Of all processes' sessions: the one that looks is one of several.
            let of = load.member.map_or(1, |member| member.of);
            outcome.bytes_per_session = Some(all.memory_bytes.saturating_sub(before) / (load.connections * of).max(1) as u64);
        }
    }
    Ok(outcome)
}

impl Work {
    /// What number `at` of `shares` does of it.
    fn part(&self, shares: usize, at: usize) -> Self {
        let rate = |rate: u32| u32::try_from(part(rate as usize, shares, at)).unwrap_or(u32::MAX);
        match self {
            Self::Echo { size, rate: Some(all) } => Self::Echo { size: *size, rate: Some(rate(*all)) },
            Self::Connect(how) => Self::Connect(how.part(shares, at)),
            #[expect(clippy::cast_precision_loss, reason = "a handful of threads")]
            Self::Hello { rate: Some(all) } => Self::Hello { rate: Some(all / shares as f64) },
            Self::Hello { .. } | Self::Bulk(_) | Self::Echo { .. } | Self::Ica(_) | Self::Idle { .. } | Self::Slow { .. } => {
                self.clone()
            }
        }
    }

    /// What the host is asked for.
    fn order(&self) -> [u8; sink::ORDER_BYTES] {
        match self {
            Self::Bulk(Direction::Up) => sink::order(b'S', 0),
            Self::Bulk(Direction::Down) | Self::Slow { .. } => sink::order(b'P', 0),
            Self::Connect(_) | Self::Hello { .. } | Self::Echo { .. } | Self::Idle { .. } => sink::order(b'E', 0),
            Self::Ica(_) => sink::order(b'A', 0),
        }
    }

    /// Kinds of latency that are taken.
    fn latencies(&self) -> Vec<String> {
        match self {
            Self::Connect(_) => vec!["connect to echo".to_owned()],
            Self::Hello { .. } => vec!["hello to answer".to_owned()],
            Self::Echo { rate: None, .. } => vec!["there and back".to_owned()],
            Self::Echo { rate: Some(_), .. } => vec!["there and back".to_owned(), SINCE_SENT.to_owned()],
            Self::Ica(mix) => mix.names(),
            Self::Bulk(_) | Self::Idle { .. } | Self::Slow { .. } => Vec::new(),
        }
    }

    /// Whether a window without a unit of work is none. Of a storm it is a figure that nobody was answered.
    fn wants_units(&self) -> bool {
        !matches!(self, Self::Idle { .. } | Self::Hello { rate: Some(_) })
    }

    fn wants_memory(&self) -> bool {
        matches!(self, Self::Idle { .. } | Self::Slow { .. })
    }

    fn resumes(&self) -> bool {
        matches!(self, Self::Connect(Connect { resume: true, .. }))
    }

    /// Tickets that a gateway will want to see.
    fn tickets(&self, load: &Load) -> usize {
        match self {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a number of tickets, bounded by seconds given"
            )]
            Self::Connect(how) => {
                let rate = how.rate.unwrap_or(TICKETS_PER_SECOND);
                let waiting = if load.member.is_some() { WAITING_SECONDS } else { 0.0 };
                ((load.seconds + load.warm_up + waiting) * rate) as usize + load.connections
            }
            Self::Hello { .. } => 0,
            Self::Bulk(_) | Self::Echo { .. } | Self::Ica(_) | Self::Idle { .. } | Self::Slow { .. } => load.connections,
        }
    }
}

impl Share {
    /// Both together.
    fn with(mut self, other: Self) -> Self {
        self.units += other.units;
        self.seconds = self.seconds.max(other.seconds);
        for (mine, theirs) in self.latencies.iter_mut().zip(&other.latencies) {
            // Both have the same bounds, so this cannot fail.
            let _ = mine.add(theirs);
        }
        self.resumed += other.resumed;
        self.failed += other.failed;
        self.opened = self.opened.max(other.opened);
        self.used.seconds += other.used.seconds;
        self.used.by_thread.extend(other.used.by_thread);
        self.memory_bytes += other.memory_bytes;
        self.samples.extend(other.samples);
        self
    }
}

/// A free port of loopback.
pub(crate) fn free_port() -> Result<SocketAddr, Fault> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(machine("find a free port"))?;
    listener.local_addr().map_err(machine("find a free port"))
}
