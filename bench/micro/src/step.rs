//! What a session does with one event, each way, while bytes flow.
//!
//! ```text
//!   client's records ──► deliver ──► Session::step ──► intents ──► carried out at once: sends are taken whole,
//!   host's plaintext ──►                                           tickets lead somewhere, connects succeed
//! ```
//!
//! The engine is the simplest that keeps the contract, so what is measured is the session. On the way up the sealing of the
//! input is included, since a record can be opened once: subtract "seal in place".

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;

use sluice_flow::buf::{Class, Pool, PoolSizes};
use sluice_flow::event::{Event, Leg};
use sluice_flow::intent::{Intent, Into};
use sluice_flow::session::{Arrival, Next, Session, Stage, Turn};
use sluice_flow::tls::{Handshake, Progress, Records, Served};
use sluice_link::ask::Ask;
use sluice_link::count::{Counters, ListenerCounters};
use sluice_link::id::{Generation, LaunchId, SessionKey, Slot, SlotKey, WorkerId};
use sluice_link::live::Live;
use sluice_link::snapshot::RecordEngine;
use sluice_link::tell::Target;
use sluice_link::time::Moment;
use sluice_proto::socks5::Request;
use sluice_proto::ticket::Ticket;

use crate::measure::Meter;
use crate::served::{LISTENER, NAME, SIZES, served};

const TICKET: &[u8] = b";40;STA02005E10A1B2;0F1E2D3C4B5A69788796A5B4C3D2E1F0";

#[expect(clippy::expect_used, reason = "a benchmark without a session that flows has nothing to measure")]
pub(crate) fn run(meter: &mut Meter) {
    let served = Arc::new(served());
    let (mut table, mut client) = Table::spliced(&served).expect("a session that flows");
    let payload = vec![0x5a; 16 * 1024];
    for (size, word) in SIZES {
        let payload = &payload[..size];
        meter.bench(&format!("step down {word}"), size, || table.deliver(Leg::Host, payload).expect("taken"));
    }
    for (size, word) in SIZES {
        let payload = &payload[..size];
        meter.bench(&format!("seal, step up {word}"), size, || {
            let mut sealed = table.pool.take(Class::Large).expect("a buffer");
            sealed.append(payload);
            client.seal_in_place(&mut sealed).expect("sealed");
            table.deliver(Leg::Client, sealed.filled()).expect("taken");
            table.pool.give(sealed);
        });
    }
}

/// A session with everything that it needs around it.
struct Table {
    served: Arc<Served>,
    session: Option<Session>,
    pool: Pool,
    count: Counters,
    listener: ListenerCounters,
    live: Live,
    intents: Vec<Intent>,
    /// Answers that are due.
    events: VecDeque<Event>,
    client_receives: Option<Into>,
    host_receives: Option<Into>,
    /// What the client was sent, while anybody wants to know.
    to_client: Option<Vec<u8>>,
}

impl Table {
    /// A session whose bytes flow, and the client's records.
    fn spliced(served: &Arc<Served>) -> Option<(Self, Records)> {
        let address = ([192, 0, 2, 1], 443).into();
        let arrival = Arrival {
            key: SessionKey { worker: WorkerId(0), at: SlotKey { slot: Slot(0), generation: Generation(0) } },
            listener: Arc::clone(served.listener(LISTENER)?),
            served: Arc::clone(served),
            client: ([198, 51, 100, 7], 50000).into(),
            local: address,
            at: Moment(0),
        };
        let mut table = Self {
            served: Arc::clone(served),
            session: None,
            pool: Pool::new(PoolSizes::default()),
            count: Counters::default(),
            listener: ListenerCounters::default(),
            live: Live::default(),
            intents: Vec::new(),
            events: VecDeque::new(),
            client_receives: None,
            host_receives: None,
            to_client: Some(Vec::new()),
        };
        table.session = Some(Session::begin(arrival, &mut table.turn()));
        table.carry_out()?;

        let mut client = Handshake::connect(served.host_profile(&"micro".into())?, NAME, RecordEngine::Own).ok()?;
        loop {
            let (mut incoming, mut out) = (table.pool.take(Class::Large)?, table.pool.take(Class::Large)?);
            incoming.append(&table.to_client.replace(Vec::new())?);
            let progress = client.advance(&mut incoming, &mut out).ok()?;
            if !out.is_empty() {
                table.deliver(Leg::Client, out.filled())?;
            }
            table.pool.give(incoming);
            table.pool.give(out);
            if progress == Progress::Done {
                break;
            }
        }
        let mut records = client.finish().ok()?.records;
        let mut request = Vec::new();
        Request::connect(&Ticket::parse(TICKET).ok()?).write(&mut request)?;
        let mut sealed = table.pool.take(Class::Large)?;
        sealed.append(&request);
        records.seal_in_place(&mut sealed).ok()?;
        table.deliver(Leg::Client, sealed.filled())?;
        table.pool.give(sealed);
        table.to_client = None;
        (table.session.as_ref()?.stage() == Stage::Splice).then_some((table, records))
    }

    /// Delivers `bytes` as an engine does: into the buffer that the session lent, or into one of the class that it wants.
    fn deliver(&mut self, leg: Leg, mut bytes: &[u8]) -> Option<()> {
        while !bytes.is_empty() {
            let receives = match leg {
                Leg::Client => &mut self.client_receives,
                Leg::Host => &mut self.host_receives,
            };
            let mut buf = match receives.take()? {
                Into::Any(class) => self.pool.take(class)?,
                Into::Behind(buf) => buf,
            };
            let taken = buf.append(bytes);
            bytes = bytes.get(taken..)?;
            self.step(Event::Received { leg, buf, more: false })?;
            while let Some(event) = self.events.pop_front() {
                self.step(event)?;
            }
        }
        Some(())
    }

    fn turn(&mut self) -> Turn<'_> {
        Turn {
            now: Moment(0),
            pool: &mut self.pool,
            out: &mut self.intents,
            count: &self.count,
            newest: &self.served,
            listener: &self.listener,
            live: &self.live,
        }
    }

    fn step(&mut self, event: Event) -> Option<()> {
        match self.session.take()?.step(event, &mut self.turn()) {
            Next::Stay(session) => self.session = Some(session),
            Next::End(_) => return None,
        }
        self.carry_out()
    }

    fn carry_out(&mut self) -> Option<()> {
        for intent in self.intents.drain(..) {
            match intent {
                Intent::Receive { leg: Leg::Client, into } => self.client_receives = Some(into),
                Intent::Receive { leg: Leg::Host, into } => self.host_receives = Some(into),
                Intent::Send { leg, chain } => {
                    match &mut self.to_client {
                        Some(sent) if leg == Leg::Client => chain.slices().for_each(|slice| sent.extend(slice)),
                        Some(_) | None => chain.slices().for_each(|slice| _ = black_box(slice)),
                    }
                    self.pool.give(chain.into_buf());
                    self.events.push_back(Event::Sent { leg });
                }
                Intent::Connect(_) => self.events.push_back(Event::Connected),
                Intent::Ask(ask) => match *ask {
                    Ask::Redeem(_) => {
                        let address = ([192, 0, 2, 20], 1494).into();
                        self.events.push_back(Event::Told(Ok(Target { address, launch: LaunchId(1), tls: None })));
                    }
                    Ask::Opened(_) => {}
                    Ask::Closed(_) => return None,
                },
                Intent::Deadline(_) => {}
                Intent::HandOver { leg, way, .. } => self.events.push_back(Event::HandedOver { leg, way, taken: false }),
                Intent::Finish(_) | Intent::Abort(_) => return None,
            }
        }
        Some(())
    }
}
