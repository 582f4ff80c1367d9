//! One thread of a load: its poll, its share of the connections, and the measured window.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use crate::Load;
use crate::client::{Client, Stage};
use crate::clock::now;
use crate::drive::alarm::{ALARM, Alarm};
use crate::drive::gate::Gate;
use crate::drive::{LATENCY_MICROS_MAX, SAMPLES, SETUP, patience};
use crate::fault::{Fault, machine};
use crate::measure::{Process, Used};
use crate::progress::Progress;
use crate::report::Sample;
use crate::sink::ORDER_BYTES;

/// Bytes offered to a connection, or read from it, at once.
pub(crate) const BLOCK: usize = 256 * 1024;
/// Connections that are being set up at a time: a backlog that overflows would measure retransmissions.
const AT_A_TIME: usize = 64;
/// How long a thread that waits for the others waits at a time.
const BREATH: Duration = Duration::from_millis(1);

/// What one thread did in the window.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) units: u64,
    pub(crate) seconds: f64,
    /// By kind.
    pub(crate) latencies: Vec<Histogram<u64>>,
    pub(crate) resumed: u64,
    pub(crate) failed: u64,
    /// From the first connection's beginning until all were up; zero where they come and go.
    pub(crate) opened: Duration,
    /// Of the process under load; the first thread looks.
    pub(crate) used: Used,
    /// Of the process under load at the end of the window.
    pub(crate) memory_bytes: u64,
    pub(crate) samples: Vec<Sample>,
}

/// One thread.
pub(crate) struct Hand<'l> {
    pub(crate) load: &'l Load,
    pub(crate) gate: &'l Gate,
    /// The process under load, for the thread that looks at it.
    pub(crate) watched: Option<Process>,
    /// The one that shows how far things are, and takes samples.
    pub(crate) first: bool,
    /// Connections of this thread.
    pub(crate) connections: usize,
    pub(crate) order: [u8; ORDER_BYTES],
    /// Whether a window without a unit of work is none.
    pub(crate) wants_units: bool,
    pub(crate) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    pub(crate) tickets: Vec<String>,
    pub(crate) poll: Poll,
    /// For work on schedule, see [`Hand::be_punctual`].
    pub(crate) alarm: Option<Alarm>,
    pub(crate) clients: Vec<Client>,
    pub(crate) block: Vec<u8>,
    pub(crate) units: u64,
    pub(crate) resumed: u64,
    pub(crate) failed: u64,
    pub(crate) opened: Duration,
    pub(crate) latencies: Vec<Histogram<u64>>,
}

impl Hand<'_> {
    /// Begins a connection that was due then.
    pub(crate) fn begin(&mut self, number: usize, due: Instant) -> Result<Client, Fault> {
        let ticket = match (self.load.sta, self.tickets.pop()) {
            (Some(_), None) => return Err(Fault::Nothing("more handshakes than tickets were fetched for")),
            (Some(_), ticket) => ticket,
            (None, _) => None,
        };
        let tls = self.tls.as_ref().map(|(config, name)| (config, name));
        let mut client = Client::begin(number, self.load, tls, ticket.as_deref(), self.order, due)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut client.stream, Token(number), interest).map_err(machine("watch a connection"))?;
        Ok(client)
    }

    /// From now on a wait ends to the microsecond, not to the millisecond: for messages whose latency counts from when they were due.
    pub(crate) fn be_punctual(&mut self) -> Result<(), Fault> {
        self.alarm = Some(Alarm::of(&self.poll)?);
        Ok(())
    }

    /// Waits for events.
    pub(crate) fn wait(&mut self, events: &mut Events, mut wait: Option<Duration>) -> Result<(), Fault> {
        if let (Some(alarm), Some(left)) = (&self.alarm, wait)
            && !left.is_zero()
        {
            alarm.set(left)?;
            wait = None;
        }
        match self.poll.poll(events, wait) {
            Err(fault) if fault.kind() != io::ErrorKind::Interrupted => Err(machine("wait for events")(fault)),
            _ => Ok(()),
        }
    }

    /// Opens all connections and waits until each of them works.
    pub(crate) fn open_all(&mut self) -> Result<(), Fault> {
        let mut progress = Progress::new(self.first && self.load.member.is_none());
        let begun = now();
        let deadline = begun + patience(self.connections);
        let mut events = Events::with_capacity(1024);
        let (mut opened, mut up) = (0, 0);
        while up < self.connections {
            while opened < self.connections && opened - up < AT_A_TIME {
                let client = self.begin(opened, now())?;
                self.clients.push(client);
                opened += 1;
            }
            self.wait(&mut events, Some(Duration::from_millis(100)))?;
            for at in ready(&events) {
                let client = &mut self.clients[at];
                let before = client.stage;
                // A host that pours has no end: what comes beyond this is the work's.
                client.turn_within(BLOCK, &mut self.block, |_| {})?;
                if client.stage == Stage::Over {
                    return Err(Fault::Nothing("a connection ended while others were set up"));
                }
                if before != Stage::Working && client.stage == Stage::Working {
                    up += 1;
                }
            }
            progress.show(share(up, self.connections), || format!("{up} of {} connections are up", self.connections));
            if now() > deadline {
                return Err(Fault::Nothing("not all connections came up in time"));
            }
        }
        self.opened = now().duration_since(begun);
        Ok(())
    }

    /// Runs `turn` through warm-up, until all threads are ready, and through the window. Counts only the window. A window without a unit
    /// of work goes on until there is one: on a machine that is busy with other things a figure may come late, but it comes.
    pub(crate) fn window(
        &mut self,
        mut turn: impl FnMut(&mut Self, &mut Events, Option<Duration>) -> Result<(), Fault>,
    ) -> Result<Share, Fault> {
        let mut progress = Progress::new(self.first && self.load.member.is_none());
        let mut events = Events::with_capacity(1024);
        let warm = now() + self.load.warm_up();
        while now() < warm {
            turn(self, &mut events, Some(warm.saturating_duration_since(now())))?;
        }
        self.gate.arrive(self.load.member.is_none());
        while !self.gate.is_open()? {
            turn(self, &mut events, Some(BREATH))?;
        }
        (self.units, self.resumed, self.failed) = (0, 0, 0);
        self.latencies.iter_mut().for_each(Histogram::reset);
        let window = self.load.window();
        let mut watch = Watch::new(self, window)?;
        let begun = watch.begun;
        let (end, latest) = (begun + window, begun + window + SETUP);
        let mut told = 0;
        while now() < end || self.wants_units && self.gate.units() == 0 && self.failed == 0 && now() < latest {
            let until = if now() < end { end.min(watch.next) } else { latest };
            turn(self, &mut events, Some(until.saturating_duration_since(now())))?;
            self.gate.add(self.units - told);
            told = self.units;
            if self.first && now() >= watch.next {
                watch.sample(self)?;
                let of = begun.elapsed().as_secs_f64() / window.as_secs_f64();
                progress.show(of, || format!("{} units", self.gate.units()));
            }
        }
        let seconds = now().duration_since(begun).as_secs_f64();
        Ok(Share {
            units: self.units,
            seconds,
            used: watch.used()?,
            memory_bytes: self.watched.as_ref().map_or(Ok(0), Process::memory_bytes)?,
            latencies: std::mem::take(&mut self.latencies),
            resumed: self.resumed,
            failed: self.failed,
            opened: self.opened,
            samples: watch.samples,
        })
    }

    /// Notes a latency of a kind.
    pub(crate) fn record(&mut self, kind: usize, from: Instant, until: Instant) {
        let micros = u64::try_from(until.saturating_duration_since(from).as_micros()).unwrap_or(u64::MAX);
        if let Some(latency) = self.latencies.get_mut(kind) {
            latency.saturating_record(micros.clamp(1, LATENCY_MICROS_MAX));
        }
    }
}

/// What is looked at while the window runs.
struct Watch {
    process: Option<Process>,
    begun: Instant,
    every: Duration,
    next: Instant,
    at_first: Option<crate::measure::Reading>,
    /// Whether the process is looked at in between, too.
    closely: bool,
    samples: Vec<Sample>,
}

impl Watch {
    fn new(hand: &Hand<'_>, window: Duration) -> Result<Self, Fault> {
        let process = hand.watched.clone();
        let every = window / SAMPLES;
        let at_first = process.as_ref().map(Process::read).transpose()?;
        let begun = now();
        let closely = process.as_ref().is_some_and(Process::is_small);
        Ok(Self { process, begun, every, next: begun + every, at_first, closely, samples: Vec::new() })
    }

    fn sample(&mut self, hand: &Hand<'_>) -> Result<(), Fault> {
        let at = now();
        self.next = at + self.every;
        let process = self.process.as_ref().filter(|_| self.closely);
        let reading = process.map(Process::read).transpose()?;
        let used = self.at_first.as_ref().zip(reading.as_ref()).map(|(first, now)| first.until(now).seconds);
        self.samples.push(Sample {
            seconds: at.duration_since(self.begun).as_secs_f64(),
            units: hand.gate.units(),
            cpu_seconds: used,
            resident_bytes: process.map(Process::resident_bytes),
        });
        Ok(())
    }

    fn used(&self) -> Result<Used, Fault> {
        match (&self.process, &self.at_first) {
            (Some(process), Some(first)) => Ok(first.until(&process.read()?)),
            _ => Ok(Used::default()),
        }
    }
}

/// Numbers of the connections that are ready.
pub(crate) fn ready(events: &Events) -> impl Iterator<Item = usize> {
    events.iter().map(mio::event::Event::token).filter(|token| *token != ALARM).map(usize::from)
}

#[expect(clippy::cast_precision_loss, reason = "a figure to show")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}
