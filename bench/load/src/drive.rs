//! The modes: a few threads, each with one poll and its share of the connections, and one measured window.
//!
//! ```text
//!   thread 0   open connections ─► work ─┐ all ready ┌─► [ window: units, latencies, CPU and memory of the target ] ─┐
//!   thread n   open connections ─► work ─┘           └─► [ window: units, latencies ] ──────────────────────────────┴─► sum
//! ```

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use crate::client::{Client, Stage};
use crate::clock::now;
use crate::fault::{Fault, machine};
use crate::report::Outcome;
use crate::{Direction, Load, measure, sink, tickets};

/// How long all connections may take to be up, and to be idle after that.
const SETUP: Duration = Duration::from_secs(60);
/// Work before the window, so that caches, pools and congestion windows are warm.
const WARM_UP: Duration = Duration::from_millis(400);
/// Handshakes per second for which tickets are fetched in advance, per second of the window.
const TICKETS_PER_SECOND: f64 = 6000.0;
/// Longest latency that is told apart, in microseconds.
pub(crate) const LATENCY_MICROS_MAX: u64 = 60_000_000;
/// Bytes offered to a connection at once in bulk mode.
const BLOCK: usize = 256 * 1024;
/// Blocks that one connection may send before the next has its turn.
const BLOCKS_PER_TURN: usize = 4;
/// Most messages that are late in an open loop before the run is given up.
const BACKLOG_MAX: usize = 1_000_000;

/// What connections do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    /// Handshake, a byte there and back, close, again.
    Connect,
    /// Bytes one way.
    Bulk(Direction),
    /// Messages there and back.
    Echo {
        /// Bytes in one.
        size: usize,
        /// Per second over all connections, or as fast as they come back.
        rate: Option<u32>,
    },
    /// Nothing.
    Idle,
}

/// Pins the calling thread; where that is not allowed the run goes on unpinned, which the figures will show.
pub(crate) fn pin(core: Option<usize>) {
    if let Some(id) = core {
        core_affinity::set_for_current(core_affinity::CoreId { id });
    }
}

/// What the threads of one run have in common.
struct Start {
    threads: usize,
    /// Threads whose connections all work.
    ready: AtomicUsize,
    /// One of them gave up: the others must not wait for it.
    failed: AtomicBool,
}

/// What one thread did in the window.
struct Share {
    units: u64,
    seconds: f64,
    latency: Histogram<u64>,
    /// Of the process under load; the first thread looks.
    cpu_seconds: f64,
    /// Of the process under load at the end of the window.
    memory_bytes: u64,
}

struct Run<'l> {
    load: &'l Load,
    start: &'l Start,
    /// Looks at the process under load.
    first: bool,
    /// Connections of this thread.
    connections: usize,
    work: Work,
    tls: Arc<ClientConfig>,
    name: ServerName<'static>,
    tickets: Vec<String>,
    poll: Poll,
    clients: Vec<Client>,
    block: Vec<u8>,
    units: u64,
    latency: Histogram<u64>,
}

/// Carries out `work` and measures it.
pub(crate) fn run(load: &Load, work: Work) -> Result<Outcome, Fault> {
    let threads = load.threads.clamp(1, load.connections.max(1));
    let host = load.host.unwrap_or(load.target);
    let wanted = match work {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a number of tickets, bounded by seconds given"
        )]
        Work::Connect => ((load.seconds + WARM_UP.as_secs_f64()) * TICKETS_PER_SECOND) as usize,
        Work::Bulk(_) | Work::Echo { .. } | Work::Idle => load.connections,
    };
    let mut tickets = match load.sta {
        Some(sta) => tickets::fetch(sta, host, wanted)?,
        None => Vec::new(),
    };
    let before = match (work, load.pid) {
        (Work::Idle, Some(pid)) => measure::memory_bytes(pid)?,
        (Work::Idle, None) => return Err(Fault::Nothing("idle wants --pid")),
        _ => 0,
    };
    let tls = client_config(load)?;
    let name = ServerName::try_from(load.name.clone()).map_err(|_| Fault::Nothing("the name is no DNS name"))?;
    let start = Start { threads, ready: AtomicUsize::new(0), failed: AtomicBool::new(false) };
    let mut runs = Vec::new();
    for at in 0..threads {
        let tickets = tickets.split_off(tickets.len() - tickets.len() / (threads - at));
        runs.push(Run {
            load,
            start: &start,
            first: at == 0,
            connections: part(load.connections, threads, at),
            work: work.part(threads, at),
            tls: tls.clone(),
            name: name.clone(),
            tickets,
            poll: Poll::new().map_err(machine("make a poll"))?,
            clients: Vec::new(),
            block: vec![0xC3; BLOCK],
            units: 0,
            latency: Histogram::new_with_bounds(1, LATENCY_MICROS_MAX, 3).map_err(|_| Fault::Nothing("no histogram"))?,
        });
    }
    let shares: Vec<Result<Share, Fault>> = thread::scope(|scope| {
        let begun: Vec<_> = runs
            .into_iter()
            .enumerate()
            .map(|(at, run)| scope.spawn(move || run.whole(load.core.map(|core| core + at))))
            .collect();
        begun.into_iter().map(|thread| thread.join().unwrap_or(Err(Fault::Nothing("a thread of the generator died")))).collect()
    });
    let (mut all, mut gave_up): (Option<Share>, _) = (None, None);
    for share in shares {
        match share {
            Ok(share) => all = Some(if let Some(sum) = all { sum.with(&share) } else { share }),
            Err(Fault::Another) => {}
            Err(fault) => gave_up = Some(fault),
        }
    }
    let all = gave_up.map_or_else(|| all.ok_or(Fault::Nothing("there was no thread")), Err)?;
    #[expect(clippy::cast_precision_loss, reason = "figures to print")]
    let (unit, units) = match work {
        Work::Connect => ("handshake", all.units as f64),
        Work::Bulk(_) => ("GiB", all.units as f64 / f64::from(1 << 30)),
        Work::Echo { .. } => ("message", all.units as f64),
        Work::Idle => ("session", load.connections as f64),
    };
    if units <= 0.0 {
        return Err(Fault::Nothing("no unit of work was done in the window"));
    }
    let mut outcome = Outcome::new(unit, units, all.seconds, load.pid.map(|_| all.cpu_seconds), &all.latency);
    if let Work::Idle = work {
        outcome.bytes_per_session = Some(all.memory_bytes.saturating_sub(before) / load.connections.max(1) as u64);
    }
    Ok(outcome)
}

/// Share number `at` of `whole` among `threads`; the shares add up.
fn part(whole: usize, threads: usize, at: usize) -> usize {
    whole / threads + usize::from(at < whole % threads)
}

impl Work {
    /// What thread `at` of `threads` does of it.
    fn part(self, threads: usize, at: usize) -> Self {
        match self {
            Self::Echo { size, rate: Some(rate) } => {
                let rate = part(rate as usize, threads, at);
                Self::Echo { size, rate: Some(u32::try_from(rate).unwrap_or(u32::MAX)) }
            }
            Self::Connect | Self::Bulk(_) | Self::Echo { .. } | Self::Idle => self,
        }
    }
}

impl Share {
    /// Both together.
    fn with(mut self, other: &Self) -> Self {
        self.units += other.units;
        self.seconds = self.seconds.max(other.seconds);
        // Both have the same bounds, so this cannot fail.
        let _ = self.latency.add(&other.latency);
        self.cpu_seconds += other.cpu_seconds;
        self.memory_bytes += other.memory_bytes;
        self
    }
}

/// TLS 1.3 with AES-128-GCM and X25519 and no resumption: the same work whatever the peer would prefer.
pub(crate) fn client_config(load: &Load) -> Result<Arc<ClientConfig>, Fault> {
    let pem = fs::read(&load.ca).map_err(machine(load.ca.display().to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate.map_err(|_| Fault::Nothing("the authority's file is not PEM"))?)?;
    }
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|suite| suite.suite() == rustls::CipherSuite::TLS13_AES_128_GCM_SHA256);
    provider.kx_groups.retain(|group| group.name() == rustls::NamedGroup::X25519);
    let builder = ClientConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(&[&rustls::version::TLS13])?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

impl Run<'_> {
    /// The thread.
    fn whole(self, core: Option<usize>) -> Result<Share, Fault> {
        pin(core);
        let start = self.start;
        let done = match self.work {
            Work::Connect => self.connect(),
            Work::Bulk(direction) => self.bulk(direction),
            Work::Echo { size, rate } => self.echo(size, rate),
            Work::Idle => self.idle(),
        };
        if done.is_err() {
            start.failed.store(true, Ordering::Relaxed);
        }
        done
    }

    fn order(&self) -> [u8; sink::ORDER_BYTES] {
        match self.work {
            Work::Bulk(Direction::Up) => sink::order(b'S', 0),
            Work::Bulk(Direction::Down) => sink::order(b'P', 0),
            Work::Connect | Work::Echo { .. } | Work::Idle => sink::order(b'E', 0),
        }
    }

    fn begin(&mut self, number: usize) -> Result<Client, Fault> {
        let ticket = match (self.load.sta, self.tickets.pop()) {
            (Some(_), None) => return Err(Fault::Nothing("more handshakes than tickets were fetched for")),
            (Some(_), ticket) => ticket,
            (None, _) => None,
        };
        let order = self.order();
        let mut client = Client::begin(number, self.load, &self.name, &self.tls, ticket.as_deref(), order, now())?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut client.stream, Token(number), interest).map_err(machine("watch a connection"))?;
        Ok(client)
    }

    fn wait(&mut self, events: &mut Events, wait: Option<Duration>) -> Result<(), Fault> {
        match self.poll.poll(events, wait) {
            Err(fault) if fault.kind() != io::ErrorKind::Interrupted => Err(machine("wait for events")(fault)),
            _ => Ok(()),
        }
    }

    /// Opens all connections and waits until each of them works.
    fn open_all(&mut self) -> Result<(), Fault> {
        // Few at a time: a backlog that overflows would measure retransmissions.
        const AT_A_TIME: usize = 64;
        let deadline = now() + SETUP;
        let mut events = Events::with_capacity(1024);
        let (mut opened, mut up) = (0, 0);
        while up < self.connections {
            while opened < self.connections && opened - up < AT_A_TIME {
                let client = self.begin(opened)?;
                self.clients.push(client);
                opened += 1;
            }
            self.wait(&mut events, Some(Duration::from_millis(100)))?;
            for event in &events {
                let client = &mut self.clients[event.token().0];
                let before = client.stage;
                client.turn(&mut self.block, |_| {})?;
                if client.stage == Stage::Over {
                    return Err(Fault::Nothing("a connection ended while others were set up"));
                }
                if before != Stage::Working && client.stage == Stage::Working {
                    up += 1;
                }
            }
            if now() > deadline {
                return Err(Fault::Nothing("not all connections came up in time"));
            }
        }
        Ok(())
    }

    fn cpu(&self) -> Result<f64, Fault> {
        self.load.pid.filter(|_| self.first).map_or(Ok(0.0), measure::cpu_seconds)
    }

    /// Runs `turn` through warm-up, until all threads are ready, and through the window. Counts only the window.
    fn window(
        mut self,
        mut turn: impl FnMut(&mut Self, &mut Events, Option<Duration>) -> Result<(), Fault>,
    ) -> Result<Share, Fault> {
        let mut events = Events::with_capacity(1024);
        let warm = now() + WARM_UP;
        while now() < warm {
            turn(&mut self, &mut events, Some(warm.saturating_duration_since(now())))?;
        }
        self.start.ready.fetch_add(1, Ordering::Relaxed);
        while self.start.ready.load(Ordering::Relaxed) < self.start.threads {
            if self.start.failed.load(Ordering::Relaxed) {
                return Err(Fault::Another);
            }
            turn(&mut self, &mut events, Some(Duration::from_millis(1)))?;
        }
        self.units = 0;
        self.latency.reset();
        let (begun, cpu) = (now(), self.cpu()?);
        let end = begun + Duration::from_secs_f64(self.load.seconds);
        while now() < end {
            turn(&mut self, &mut events, Some(end.saturating_duration_since(now())))?;
        }
        let seconds = now().duration_since(begun).as_secs_f64();
        Ok(Share {
            units: self.units,
            seconds,
            cpu_seconds: self.cpu()? - cpu,
            memory_bytes: self.load.pid.filter(|_| self.first).map_or(Ok(0), measure::memory_bytes)?,
            latency: self.latency,
        })
    }

    fn record(&mut self, from: Instant, until: Instant) {
        let micros = u64::try_from(until.saturating_duration_since(from).as_micros()).unwrap_or(u64::MAX);
        self.latency.saturating_record(micros.max(1));
    }

    fn connect(mut self) -> Result<Share, Fault> {
        for number in 0..self.connections {
            let client = self.begin(number)?;
            self.clients.push(client);
        }
        // Connections that are closing: the other side's close_notify and FIN are waited for, so that nothing is cut short.
        self.window(|run, events, wait| {
            run.wait(events, wait)?;
            for event in &*events {
                let number = event.token().0;
                let client = &mut run.clients[number];
                let before = client.stage;
                let mut echoed = 0;
                client.turn(&mut run.block, |bytes| echoed += bytes.len())?;
                if before != Stage::Working && client.stage == Stage::Working {
                    client.write(b"x");
                    client.push()?;
                }
                if echoed > 0 {
                    let begun = client.begun;
                    client.finish()?;
                    run.units += 1;
                    run.record(begun, now());
                    let fresh = run.begin(number)?;
                    run.clients[number] = fresh;
                }
            }
            Ok(())
        })
    }

    fn bulk(mut self, direction: Direction) -> Result<Share, Fault> {
        self.open_all()?;
        let payload = vec![0x3C; BLOCK];
        // Readiness is told once, when it comes: whoever has not met a full socket since must be tried again.
        let mut writable = vec![direction == Direction::Up; self.clients.len()];
        self.window(|run, events, wait| {
            let busy = writable.contains(&true);
            run.wait(events, if busy { Some(Duration::ZERO) } else { wait })?;
            for event in &*events {
                let number = event.token().0;
                let client = &mut run.clients[number];
                let mut bytes = 0;
                client.turn(&mut run.block, |got| bytes += got.len())?;
                if client.stage == Stage::Over {
                    return Err(Fault::Nothing("a connection ended during bulk"));
                }
                run.units += bytes as u64;
                writable[number] = direction == Direction::Up;
            }
            for (client, writable) in run.clients.iter_mut().zip(&mut writable).filter(|(_, writable)| **writable) {
                for _ in 0..BLOCKS_PER_TURN {
                    let taken = client.write(&payload);
                    run.units += taken as u64;
                    client.push()?;
                    if taken == 0 {
                        *writable = false;
                        break;
                    }
                }
            }
            Ok(())
        })
    }

    fn echo(mut self, size: usize, rate: Option<u32>) -> Result<Share, Fault> {
        self.open_all()?;
        let message = vec![0x77; size.max(1)];
        let size = message.len();
        if rate.is_none() {
            for client in &mut self.clients {
                client.sent.push_back(now());
                client.write(&message);
                client.push()?;
            }
        }
        let every = rate.map(|rate| Duration::from_secs(1) / rate.max(1));
        let (mut next, mut turn_of) = (now(), 0);
        self.window(|run, events, wait| {
            if let Some(every) = every {
                let mut behind = 0;
                while next <= now() {
                    let at = turn_of % run.clients.len();
                    turn_of += 1;
                    let client = &mut run.clients[at];
                    // The moment at which it should have been sent: a late generator must not hide the target's delay.
                    client.sent.push_back(next);
                    client.write(&message);
                    client.push()?;
                    next += every;
                    behind += 1;
                    if behind > BACKLOG_MAX {
                        return Err(Fault::Nothing("the rate cannot be kept"));
                    }
                }
            }
            let until_next = every.map(|_| next.saturating_duration_since(now()));
            run.wait(events, until_next.map_or(wait, |next| Some(wait.map_or(next, |wait| wait.min(next)))))?;
            for event in &*events {
                let client = &mut run.clients[event.token().0];
                let mut bytes = 0;
                client.turn(&mut run.block, |got| bytes += got.len())?;
                client.coming += bytes;
                let arrived = now();
                while run.clients[event.token().0].coming >= size {
                    let client = &mut run.clients[event.token().0];
                    client.coming -= size;
                    let from = client.sent.pop_front().unwrap_or(arrived);
                    if every.is_none() {
                        client.sent.push_back(arrived);
                        client.write(&message);
                        client.push()?;
                    }
                    run.units += 1;
                    run.record(from, arrived);
                }
            }
            Ok(())
        })
    }

    fn idle(mut self) -> Result<Share, Fault> {
        self.open_all()?;
        self.window(|run, events, wait| run.wait(events, wait))
    }
}

/// A free port of loopback.
pub(crate) fn free_port() -> Result<SocketAddr, Fault> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(machine("find a free port"))?;
    listener.local_addr().map_err(machine("find a free port"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_threads_add_up() {
        for (whole, threads) in [(8, 1), (8, 3), (2, 2), (10_001, 7)] {
            assert_eq!((0..threads).map(|at| part(whole, threads, at)).sum::<usize>(), whole);
        }
    }
}
