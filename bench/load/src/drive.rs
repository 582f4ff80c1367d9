//! The modes: one thread, one poll, many connections, a measured window.
//!
//! ```text
//!   open connections ─► all work ─► [ window: units, latencies, CPU of the process under load ] ─► close
//! ```

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
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
const LATENCY_MICROS_MAX: u64 = 60_000_000;
/// Bytes offered to a connection at once in bulk mode.
const BLOCK: usize = 256 * 1024;
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

struct Run<'l> {
    load: &'l Load,
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
    pin(load.core);
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
    let tickets = match load.sta {
        Some(sta) => tickets::fetch(sta, host, wanted)?,
        None => Vec::new(),
    };
    let latency = Histogram::new_with_bounds(1, LATENCY_MICROS_MAX, 3).map_err(|_| Fault::Nothing("no histogram"))?;
    let mut run = Run {
        load,
        work,
        tls: client_config(load)?,
        name: ServerName::try_from(load.name.clone()).map_err(|_| Fault::Nothing("the name is no DNS name"))?,
        tickets,
        poll: Poll::new().map_err(machine("make a poll"))?,
        clients: Vec::new(),
        block: vec![0xC3; BLOCK],
        units: 0,
        latency,
    };
    match work {
        Work::Connect => run.connect(),
        Work::Bulk(direction) => run.bulk(direction),
        Work::Echo { size, rate } => run.echo(size, rate),
        Work::Idle => run.idle(),
    }
}

/// TLS 1.3 with AES-128-GCM and X25519 and no resumption: the same work whatever the peer would prefer.
fn client_config(load: &Load) -> Result<Arc<ClientConfig>, Fault> {
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
        let mut client = Client::begin(number, self.load.target, &self.name, &self.tls, ticket.as_deref(), order, now())?;
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
        while up < self.load.connections {
            while opened < self.load.connections && opened - up < AT_A_TIME {
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
        self.load.pid.map_or(Ok(0.0), measure::cpu_seconds)
    }

    fn outcome(&self, unit: &'static str, units: f64, seconds: f64, cpu: f64) -> Result<Outcome, Fault> {
        if units <= 0.0 {
            return Err(Fault::Nothing("no unit of work was done in the window"));
        }
        Ok(Outcome::new(unit, units, seconds, self.load.pid.map(|_| cpu), &self.latency))
    }

    /// Runs `each` for every ready connection during warm-up and window; `tick` may be called between. Counts only the window.
    fn window(
        &mut self,
        mut turn: impl FnMut(&mut Self, &mut Events, Option<Duration>) -> Result<(), Fault>,
    ) -> Result<(f64, f64), Fault> {
        let mut events = Events::with_capacity(1024);
        let warm = now() + WARM_UP;
        while now() < warm {
            turn(self, &mut events, Some(warm.saturating_duration_since(now())))?;
        }
        (self.units, self.latency) = (0, self.latency.clone());
        self.latency.reset();
        let (begun, cpu) = (now(), self.cpu()?);
        let end = begun + Duration::from_secs_f64(self.load.seconds);
        while now() < end {
            turn(self, &mut events, Some(end.saturating_duration_since(now())))?;
        }
        Ok((now().duration_since(begun).as_secs_f64(), self.cpu()? - cpu))
    }

    fn record(&mut self, from: Instant, until: Instant) {
        let micros = u64::try_from(until.saturating_duration_since(from).as_micros()).unwrap_or(u64::MAX);
        self.latency.saturating_record(micros.max(1));
    }

    fn connect(&mut self) -> Result<Outcome, Fault> {
        for number in 0..self.load.connections {
            let client = self.begin(number)?;
            self.clients.push(client);
        }
        // Connections that are closing: the other side's close_notify and FIN are waited for, so that nothing is cut short.
        let (seconds, cpu) = self.window(|run, events, wait| {
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
        })?;
        #[expect(clippy::cast_precision_loss, reason = "a figure to print")]
        self.outcome("handshake", self.units as f64, seconds, cpu)
    }

    fn bulk(&mut self, direction: Direction) -> Result<Outcome, Fault> {
        self.open_all()?;
        let payload = vec![0x3C; BLOCK];
        if direction == Direction::Up {
            for client in &mut self.clients {
                client.write(&payload);
                client.push()?;
            }
        }
        let (seconds, cpu) = self.window(|run, events, wait| {
            run.wait(events, wait)?;
            for event in &*events {
                let client = &mut run.clients[event.token().0];
                let mut bytes = 0;
                client.turn(&mut run.block, |got| bytes += got.len())?;
                if client.stage == Stage::Over {
                    return Err(Fault::Nothing("a connection ended during bulk"));
                }
                if direction == Direction::Up {
                    // As long as the socket takes them.
                    loop {
                        let taken = client.write(&payload);
                        if taken == 0 || !client.push()? {
                            break;
                        }
                        bytes += taken;
                    }
                }
                run.units += bytes as u64;
            }
            Ok(())
        })?;
        #[expect(clippy::cast_precision_loss, reason = "a figure to print")]
        let gib = self.units as f64 / f64::from(1 << 30);
        self.outcome("GiB", gib, seconds, cpu)
    }

    fn echo(&mut self, size: usize, rate: Option<u32>) -> Result<Outcome, Fault> {
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
        let (seconds, cpu) = self.window(|run, events, wait| {
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
        })?;
        #[expect(clippy::cast_precision_loss, reason = "a figure to print")]
        self.outcome("message", self.units as f64, seconds, cpu)
    }

    fn idle(&mut self) -> Result<Outcome, Fault> {
        let pid = self.load.pid.ok_or(Fault::Nothing("idle wants --pid"))?;
        let before = measure::memory_bytes(pid)?;
        self.open_all()?;
        let after = measure::memory_bytes(pid)?;
        let (seconds, cpu) = self.window(|run, events, wait| run.wait(events, wait))?;
        #[expect(clippy::cast_precision_loss, reason = "a figure to print")]
        let mut outcome = self.outcome("session", self.clients.len() as f64, seconds, cpu)?;
        outcome.bytes_per_session = Some(after.saturating_sub(before) / self.clients.len().max(1) as u64);
        Ok(outcome)
    }
}

/// A free port of loopback.
pub(crate) fn free_port() -> Result<SocketAddr, Fault> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(machine("find a free port"))?;
    listener.local_addr().map_err(machine("find a free port"))
}
