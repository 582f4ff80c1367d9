//! A network in memory, and an engine on top of it that is as awkward as a kernel may be.
//!
//! ```text
//!   client ⇄ Wire ⇄ Leg ┐
//!                       ├ one session of the engine: at most one receive and one send per leg, or the engine panics
//!   host   ⇄ Wire ⇄ Leg ┘
//! ```
//!
//! Bytes move in pieces of any size, sends are taken bit by bit, receives bring less than there is, ends and resets come between
//! any two of them, buffers run out, and what is released stays with the engine for a while. A key that is handed over is taken or not; then
//! records are [`crate::kernel`]'s.

use std::collections::{HashMap, VecDeque};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::time::Duration;

use sluice_flow::buf::{Buf, Chain, Class, Pool, PoolSizes, Then};
use sluice_flow::event::{Doing, Event, Fault, Leg, Way};
use sluice_flow::intent::{Intent, Into};
use sluice_flow::port::{Door, Engine, EngineFault, Happening, Tally};
use sluice_flow::tls::TrafficKeys;
use sluice_link::id::{ListenerId, SlotKey};
use sluice_link::time::Moment;

use crate::chance::Chance;
use crate::kernel::{Brought, Framing, Opening, Sealing};
use crate::plan::{Dial, Plan};

/// Bytes that a wire holds in each direction, before its sender has to wait.
const WIRE_BYTES: usize = 96 * 1024;

/// One direction of a connection.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    bytes: VecDeque<u8>,
    fin: bool,
}

/// A connection between a neighbour and the gateway.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    to_gateway: Pipe,
    to_peer: Pipe,
    /// The neighbour has reset it.
    reset_by_peer: bool,
    /// The gateway has reset it.
    reset_by_gateway: bool,
    /// The gateway has closed its socket: nobody reads any more.
    closed: bool,
}

impl Wire {
    /// How much a neighbour may write now.
    pub(crate) fn room(&self) -> usize {
        if self.reset_by_gateway || self.reset_by_peer || self.to_gateway.fin {
            return 0;
        }
        WIRE_BYTES.saturating_sub(self.to_gateway.bytes.len())
    }

    /// A neighbour writes. Writing to somebody who has closed is answered with a reset.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        if self.closed && !bytes.is_empty() {
            self.reset_by_gateway = true;
            return;
        }
        self.to_gateway.bytes.extend(bytes);
    }

    /// A neighbour reads at most `most` bytes.
    pub(crate) fn read(&mut self, most: usize) -> Vec<u8> {
        if self.reset_by_gateway {
            self.to_peer.bytes.clear();
        }
        let n = most.min(self.to_peer.bytes.len());
        self.to_peer.bytes.drain(..n).collect()
    }

    pub(crate) fn finish(&mut self) {
        self.to_gateway.fin = true;
    }

    /// A neighbour resets: what it has sent and the gateway has not read yet is lost, as Linux does it.
    pub(crate) fn reset(&mut self) {
        self.reset_by_peer = true;
        self.to_gateway.bytes.clear();
        self.to_peer.bytes.clear();
    }

    /// Everything that the gateway sent has been read, and it will send no more.
    pub(crate) fn is_over(&self) -> bool {
        self.reset_by_gateway || (self.to_peer.bytes.is_empty() && self.to_peer.fin)
    }

    pub(crate) fn was_reset(&self) -> bool {
        self.reset_by_gateway
    }

    fn is_quiet(&self) -> bool {
        self.to_gateway.bytes.is_empty() && self.to_peer.bytes.is_empty()
    }
}

#[derive(Debug, Default)]
struct Ops {
    wire: Wire,
    receive: Option<Into>,
    send: Option<Chain>,
    finished: bool,
    abort: bool,
    ended: bool,
    lost: bool,
    /// Where records begin in what the gateway has sealed and was given to open.
    sent: Framing,
    received: Framing,
    /// What the kernel has taken over.
    sealing: Option<Sealing>,
    opening: Option<Opening>,
    /// Keys that were ever offered, and those whose offer has not been answered yet.
    offered: Vec<Way>,
    asked: Vec<Way>,
}

#[derive(Debug)]
struct Tenant {
    key: SlotKey,
    id: usize,
    client: Ops,
    host: Ops,
    dialled: Option<(Dial, Moment)>,
    connected: bool,
    dialling: bool,
    /// To keys that were offered.
    answers: Vec<Event>,
    released_at: Option<Moment>,
}

/// Faults of the network and the machine, in percent of the occasions on which they could happen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Faults {
    /// A receive brings one byte.
    pub(crate) one_byte: u64,
    /// A receive brings only part of what is there.
    pub(crate) short: u64,
    /// Nothing happens to a leg in this turn, though it could.
    pub(crate) slow: u64,
    /// A send is taken only in part.
    pub(crate) partial_send: u64,
    /// The pool gives no buffer.
    pub(crate) dry: u64,
    /// The kernel does not take a key.
    pub(crate) refused_key: u64,
}

/// The engine.
#[derive(Debug)]
pub(crate) struct Sim {
    pub(crate) now: Moment,
    pool: Pool,
    chance: Chance,
    faults: Faults,
    tenants: Vec<Tenant>,
    doors: Vec<(Door, ListenerId, usize)>,
    next_door: u32,
    /// Wires of sessions that are gone, by plan, for the neighbours to read what is left.
    pub(crate) gone: Vec<(usize, Wire, Wire)>,
    /// Keys that the kernel has taken, by plan.
    taken: HashMap<usize, Vec<Way>>,
    tally: Tally,
    /// Bytes moved in this turn, if perhaps without an event.
    moved: bool,
}

impl Sim {
    pub(crate) fn new(now: Moment, sizes: PoolSizes, faults: Faults, chance: Chance) -> Self {
        Self {
            now,
            pool: Pool::new(sizes),
            chance,
            faults,
            tenants: Vec::new(),
            doors: Vec::new(),
            next_door: 0,
            gone: Vec::new(),
            taken: HashMap::new(),
            tally: Tally::default(),
            moved: false,
        }
    }

    /// Client number `id` connects to `listener`.
    pub(crate) fn arrive(&mut self, listener: ListenerId, id: usize) {
        self.doors.push((Door(self.next_door), listener, id));
        self.next_door += 1;
    }

    /// The client's wire of session `id`, and whether the host is connected, with its wire.
    pub(crate) fn wires(&mut self, id: usize) -> Option<(&mut Wire, Option<&mut Wire>)> {
        if let Some(tenant) = self.tenants.iter_mut().find(|tenant| tenant.id == id) {
            let host = tenant.connected.then_some(&mut tenant.host.wire);
            return Some((&mut tenant.client.wire, host));
        }
        self.gone.iter_mut().find(|(gone, ..)| *gone == id).map(|(_, client, host)| (client, Some(host)))
    }

    /// The kernel has been offered a key of this session and has not answered.
    pub(crate) fn is_asked(&self, key: SlotKey) -> bool {
        self.tenants.iter().any(|tenant| tenant.key == key && !tenant.answers.is_empty())
    }

    /// Keys of session `id` that the kernel has taken. Nobody asks twice.
    pub(crate) fn keys_taken(&mut self, id: usize) -> Vec<Way> {
        self.taken.remove(&id).unwrap_or_default()
    }

    /// Bytes of buffers that the engine holds for a session.
    pub(crate) fn holds(&self, key: SlotKey) -> usize {
        let tenant = self.tenants.iter().find(|tenant| tenant.key == key);
        tenant.map_or(0, |tenant| [&tenant.client, &tenant.host].into_iter().map(Ops::holds).sum())
    }

    /// Nothing is under way for this session but receives that wait for somebody to say something.
    pub(crate) fn is_quiet(&self, key: SlotKey) -> bool {
        let Some(tenant) = self.tenants.iter().find(|tenant| tenant.key == key) else { return false };
        tenant.answers.is_empty()
            && [&tenant.client, &tenant.host].into_iter().all(|ops| {
                ops.wire.is_quiet()
                    && ops.send.is_none()
                    && matches!(ops.receive, None | Some(Into::Any(_)))
                    && ops.sealing.as_ref().is_none_or(Sealing::is_out)
                    && ops.opening.as_ref().is_none_or(Opening::is_empty)
            })
    }

    /// Says what becomes of the connect that a session has asked for.
    pub(crate) fn dial(&mut self, key: SlotKey, plan: &Plan) {
        let at = self.now + Duration::from_millis(self.chance.below(20) as u64);
        if let Some(tenant) = self.tenants.iter_mut().find(|tenant| tenant.key == key)
            && tenant.dialling
        {
            tenant.dialling = false;
            tenant.dialled = Some((plan.dial, at));
        }
    }

    /// When something will happen by itself.
    pub(crate) fn next(&self) -> Option<Moment> {
        let dials = self.tenants.iter().filter_map(|tenant| tenant.dialled.filter(|(dial, _)| *dial != Dial::Silent));
        let releases = self.tenants.iter().filter_map(|tenant| tenant.released_at);
        dials.map(|(_, at)| at).chain(releases).min()
    }

    fn tenant(&mut self, key: SlotKey) -> &mut Tenant {
        self.tenants.iter_mut().find(|tenant| tenant.key == key).expect("an intent for a session that is not there")
    }

    fn take(&mut self, class: Class) -> Option<Buf> {
        if self.chance.percent(self.faults.dry) {
            self.tally.starved += 1;
            return None;
        }
        let buf = Class::ALL.into_iter().rev().filter(|smaller| *smaller <= class).find_map(|class| self.pool.take(class));
        self.tally.starved += u64::from(buf.is_none());
        buf
    }

    fn pass(&mut self, happened: &mut Vec<Happening>) {
        let mut order: Vec<usize> = (0..self.tenants.len()).collect();
        for n in (1..order.len()).rev() {
            order.swap(n, self.chance.below(n + 1));
        }
        for at in order {
            if self.tenants[at].released_at.is_some() {
                continue;
            }
            self.answers(at, happened);
            self.dials(at, happened);
            for leg in if self.chance.percent(50) { [Leg::Client, Leg::Host] } else { [Leg::Host, Leg::Client] } {
                if !self.chance.percent(self.faults.slow) {
                    self.work(at, leg, happened);
                }
            }
        }
        self.releases(happened);
    }

    /// Real engines answer in the same turn. Here other things may happen first.
    fn answers(&mut self, at: usize, happened: &mut Vec<Happening>) {
        if self.tenants[at].answers.is_empty() || self.chance.percent(self.faults.slow) {
            return;
        }
        let tenant = &mut self.tenants[at];
        let key = tenant.key;
        for event in std::mem::take(&mut tenant.answers) {
            if let Event::HandedOver { leg, way, .. } = event {
                tenant.ops(leg).asked.retain(|asked| *asked != way);
            }
            happened.push(Happening::Session { key, event });
        }
    }

    fn work(&mut self, at: usize, leg: Leg, happened: &mut Vec<Happening>) {
        let key = self.tenants[at].key;
        if let Some(event) = self.send_some(at, leg) {
            happened.push(Happening::Session { key, event });
        }
        if let Some(event) = self.receive_some(at, leg) {
            happened.push(Happening::Session { key, event });
        }
    }

    fn send_some(&mut self, at: usize, leg: Leg) -> Option<Event> {
        let ops = self.tenants[at].ops(leg);
        if ops.sealing.is_some() && !ops.wire.reset_by_peer && !ops.lost {
            return self.seal_some(at, leg);
        }
        let mut chain = ops.send.take()?;
        if ops.wire.reset_by_peer || ops.lost {
            ops.lost = true;
            self.pool.give(chain.into_buf());
            return Some(Event::Failed { leg, during: Doing::Sending, fault: Fault::Reset });
        }
        let room = WIRE_BYTES.saturating_sub(ops.wire.to_peer.bytes.len());
        let mut n = room.min(chain.bytes());
        if self.chance.percent(self.faults.partial_send) {
            n = self.chance.size(n);
        }
        let ops = self.tenants[at].ops(leg);
        let bytes: Vec<u8> = chain.slices().flatten().copied().take(n).collect();
        ops.sent.pass(&bytes);
        ops.wire.to_peer.bytes.extend(bytes);
        chain.taken(n);
        self.moved |= n > 0;
        let ops = self.tenants[at].ops(leg);
        if chain.bytes() > 0 {
            ops.send = Some(chain);
            return None;
        }
        ops.wire.to_peer.fin = ops.finished;
        self.pool.give(chain.into_buf());
        Some(Event::Sent { leg })
    }

    /// The kernel seals: what lies there from before goes first, and while some of it has no room nothing more is taken.
    fn seal_some(&mut self, at: usize, leg: Leg) -> Option<Event> {
        let (cut, slow) = (self.chance.percent(self.faults.partial_send), self.chance.percent(self.faults.partial_send));
        let ops = self.tenants[at].ops(leg);
        let sealing = ops.sealing.as_mut()?;
        let mut room = WIRE_BYTES.saturating_sub(ops.wire.to_peer.bytes.len());
        if slow {
            room = self.chance.size(room);
        }
        loop {
            let out = sealing.drain(room);
            room -= out.len();
            self.moved |= !out.is_empty();
            ops.wire.to_peer.bytes.extend(out);
            match &mut ops.send {
                Some(chain) if chain.bytes() > 0 && sealing.is_out() && room > 0 => {
                    sealing.take(chain, cut, &mut self.chance);
                    self.moved = true;
                }
                Some(_) | None => break,
            }
        }
        let is_taken = ops.send.as_ref().is_none_or(|chain| chain.bytes() == 0);
        if is_taken && sealing.is_out() {
            // No FIN goes out in front of bytes.
            ops.wire.to_peer.fin = ops.finished;
        }
        let chain = ops.send.take()?;
        if !is_taken || (chain.follows() == Then::Fin && !sealing.is_out()) {
            ops.send = Some(chain);
            return None;
        }
        self.pool.give(chain.into_buf());
        Some(Event::Sent { leg })
    }

    /// How many of `there` bytes a receive brings.
    fn brings(&mut self, there: usize) -> usize {
        if self.chance.percent(self.faults.one_byte) {
            1
        } else if self.chance.percent(self.faults.short) {
            self.chance.size(there).max(1)
        } else {
            there
        }
    }

    fn receive_some(&mut self, at: usize, leg: Leg) -> Option<Event> {
        let ops = self.tenants[at].ops(leg);
        let class = match ops.receive.as_ref()? {
            Into::Any(class) => Some(*class),
            Into::Behind(_) => None,
        };
        let there = ops.wire.to_gateway.bytes.len();
        if ops.wire.reset_by_peer || ops.lost {
            ops.lost = true;
            if let Some(Into::Behind(buf)) = ops.receive.take() {
                self.pool.give(buf);
            }
            return Some(Event::Failed { leg, during: Doing::Receiving, fault: Fault::Reset });
        }
        if let Some(opening) = &mut ops.opening {
            let class = class.expect("the kernel opens whole records: nothing is received behind the beginning of one");
            match opening.fetch(&mut ops.wire.to_gateway.bytes, class.reads()) {
                Brought::Data => {
                    let fresh = self.take(class)?;
                    return Some(self.receive_opened(at, leg, fresh));
                }
                Brought::Control(record) => {
                    ops.receive = None;
                    return Some(Event::Control { leg, record });
                }
                Brought::Fault(fault) => {
                    ops.receive = None;
                    return Some(Event::Failed { leg, during: Doing::Receiving, fault: Fault::Record(fault) });
                }
                // What there is of a record is nothing to whom the kernel opens.
                Brought::Nothing if !ops.wire.to_gateway.fin => return None,
                Brought::Nothing => {}
            }
        }
        if there == 0 || ops.opening.is_some() {
            if !ops.wire.to_gateway.fin {
                return None;
            }
            ops.ended = true;
            let kept = match ops.receive.take() {
                Some(Into::Behind(buf)) => Some(buf),
                Some(Into::Any(_)) | None => None,
            };
            return Some(Event::Eof { leg, kept });
        }
        let fresh = match class {
            Some(class) => Some(self.take(class)?),
            None => None,
        };
        let n = self.brings(there);
        let ops = self.tenants[at].ops(leg);
        let mut buf = match (ops.receive.take(), fresh) {
            (Some(Into::Behind(buf)), None) => buf,
            (_, Some(buf)) => buf,
            (_, None) => unreachable!("a receive was there"),
        };
        let n = n.min(buf.spare());
        let bytes: Vec<u8> = ops.wire.to_gateway.bytes.drain(..n).collect();
        ops.received.pass(&bytes);
        assert_eq!(buf.append(&bytes), n);
        let more = !ops.wire.to_gateway.bytes.is_empty();
        Some(Event::Received { leg, buf, more })
    }

    /// Data that the kernel has opened.
    fn receive_opened(&mut self, at: usize, leg: Leg, mut buf: Buf) -> Event {
        let there = self.tenants[at].ops(leg).opening.as_ref().map_or(0, |opening| opening.plain.len());
        let n = self.brings(there).min(buf.spare());
        let ops = self.tenants[at].ops(leg);
        ops.receive = None;
        if let Some(opening) = &mut ops.opening {
            let bytes: Vec<u8> = opening.plain.drain(..n).collect();
            assert_eq!(buf.append(&bytes), n);
        }
        let more = !ops.wire.to_gateway.bytes.is_empty() || ops.opening.as_ref().is_some_and(|opening| !opening.is_empty());
        Event::Received { leg, buf, more }
    }

    fn hand_over(&mut self, key: SlotKey, leg: Leg, way: Way, keys: &TrafficKeys) {
        assert_eq!(leg, Leg::Client, "hosts' keys stay here");
        let taken = !self.chance.percent(self.faults.refused_key);
        let tenant = self.tenant(key);
        let id = tenant.id;
        let ops = tenant.ops(leg);
        ops.offer(way);
        match way {
            Way::Transmit => ops.sealing = taken.then(|| Sealing::new(keys)),
            Way::Receive => ops.opening = taken.then(|| Opening::new(keys)),
        }
        tenant.answers.push(Event::HandedOver { leg, way, taken });
        if taken {
            self.taken.entry(id).or_default().push(way);
        }
    }

    fn dials(&mut self, at: usize, happened: &mut Vec<Happening>) {
        let now = self.now;
        let tenant = &mut self.tenants[at];
        let Some((dial, _)) = tenant.dialled.filter(|(_, at)| *at <= now) else { return };
        let fault = match dial {
            Dial::Silent => return,
            Dial::Connects => None,
            Dial::Fails(fault) => Some(fault),
        };
        tenant.dialled = None;
        tenant.connected = fault.is_none();
        let event = match fault {
            None => Event::Connected,
            Some(fault) => Event::Failed { leg: Leg::Host, during: Doing::Connecting, fault },
        };
        happened.push(Happening::Session { key: tenant.key, event });
    }

    fn releases(&mut self, happened: &mut Vec<Happening>) {
        let now = self.now;
        let mut at = 0;
        while at < self.tenants.len() {
            if self.tenants[at].released_at.is_none_or(|when| when > now) {
                at += 1;
                continue;
            }
            let tenant = self.tenants.swap_remove(at);
            happened.push(Happening::Released(tenant.key));
            self.gone.push((tenant.id, tenant.client.close(), tenant.host.close()));
        }
    }
}

impl Ops {
    fn holds(&self) -> usize {
        let send = self.send.as_ref().map_or(0, |chain| chain.class().payload());
        let receive = match &self.receive {
            Some(Into::Behind(buf)) => buf.class().payload(),
            Some(Into::Any(_)) | None => 0,
        };
        send + receive
    }

    /// A key is offered: is this the time?
    fn offer(&mut self, way: Way) {
        assert!(!self.offered.contains(&way), "a key offered twice");
        self.offered.push(way);
        self.asked.push(way);
        match way {
            Way::Transmit => {
                assert!(self.send.is_none(), "a key to seal with, offered during a send");
                assert!(self.sent.is_between_records(), "a key to seal with, offered while half a record is sent");
            }
            Way::Receive => {
                assert!(self.receive.is_none(), "a key to open with, offered during a receive");
                assert!(self.received.is_between_records(), "a key to open with, offered while half a record is opened");
            }
        }
    }

    /// A key that is with two may be used by none of them.
    fn assert_decided(&self, way: Way) {
        assert!(!self.asked.contains(&way), "{way:?} is asked for before it is known who has its key");
    }

    /// Is `chain` what is to be sent here?
    fn assert_sealed_once(&self, chain: &Chain) {
        self.assert_decided(Way::Transmit);
        if self.sealing.is_none() {
            assert_eq!(chain.typed(), None, "a type for a record that the kernel does not seal");
            return;
        }
        let bytes: Vec<u8> = chain.slices().flatten().copied().collect();
        if let [21..=23, 3, 3, high, low, rest @ ..] = &bytes[..] {
            assert_ne!(usize::from(u16::from_be_bytes([*high, *low])), rest.len(), "sealed by both");
        }
    }

    /// The socket is closed. Unread bytes make that a reset, which may overtake what was sent. What the kernel has sealed and could not
    /// send is lost.
    fn close(mut self) -> Wire {
        self.wire.closed = true;
        self.wire.to_peer.fin = true;
        let opened = self.opening.as_ref().is_none_or(Opening::is_empty);
        if self.abort || !opened || !self.wire.to_gateway.bytes.is_empty() {
            self.wire.reset_by_gateway = true;
        }
        self.wire
    }
}

impl Tenant {
    fn ops(&mut self, leg: Leg) -> &mut Ops {
        match leg {
            Leg::Client => &mut self.client,
            Leg::Host => &mut self.host,
        }
    }
}

impl Engine for Sim {
    fn name(&self) -> &str {
        "sim"
    }

    fn listen(&mut self, _: ListenerId, _: TcpListener) -> Result<(), EngineFault> {
        Ok(())
    }

    fn unlisten(&mut self, _: ListenerId) {}

    fn accept(&mut self, _: bool) {}

    fn wake_on(&mut self, _: OwnedFd) -> Result<(), EngineFault> {
        Ok(())
    }

    fn adopt(&mut self, door: Door, key: SlotKey) {
        let at = self.doors.iter().position(|(waiting, ..)| *waiting == door).expect("no such door");
        let (_, _, id) = self.doors.swap_remove(at);
        self.tenants.push(Tenant {
            key,
            id,
            client: Ops::default(),
            host: Ops::default(),
            dialled: None,
            connected: false,
            dialling: false,
            answers: Vec::new(),
            released_at: None,
        });
    }

    fn refuse(&mut self, door: Door) {
        self.doors.retain(|(waiting, ..)| *waiting != door);
    }

    fn give_away(&mut self, _door: Door) -> Option<OwnedFd> {
        panic!("there is one worker")
    }

    fn take_in(&mut self, _socket: OwnedFd) -> Option<(Door, SocketAddr, SocketAddr)> {
        panic!("there is one worker")
    }

    fn act(&mut self, key: SlotKey, intent: Intent) {
        let tenant = self.tenant(key);
        assert!(tenant.released_at.is_none(), "an intent after release");
        match intent {
            Intent::Receive { leg, into } => {
                assert!(leg == Leg::Client || tenant.connected, "a receive from nobody");
                if let Into::Behind(buf) = &into {
                    assert!(buf.spare() > 0, "a receive without room");
                }
                let ops = tenant.ops(leg);
                ops.assert_decided(Way::Receive);
                assert!(ops.receive.replace(into).is_none(), "two receives in flight on the {leg:?} leg");
            }
            Intent::Send { leg, chain } => {
                assert!(leg == Leg::Client || tenant.connected, "a send to nobody");
                assert!(chain.bytes() > 0, "an empty send");
                let ops = tenant.ops(leg);
                assert!(!ops.finished, "a send behind FIN on the {leg:?} leg");
                ops.assert_sealed_once(&chain);
                ops.finished = chain.follows() == Then::Fin;
                assert!(ops.send.replace(chain).is_none(), "two sends in flight on the {leg:?} leg");
            }
            Intent::Connect(_) => {
                assert!(!tenant.connected && !tenant.dialling && tenant.dialled.is_none(), "dialled twice");
                tenant.dialling = true;
            }
            Intent::Finish(leg) => {
                let ops = tenant.ops(leg);
                assert!(!ops.finished, "two FINs on the {leg:?} leg");
                ops.finished = true;
                // A FIN stands behind what was sent, also if that is still with the kernel.
                if ops.send.is_none() && ops.sealing.as_ref().is_none_or(Sealing::is_out) {
                    ops.wire.to_peer.fin = true;
                }
            }
            Intent::Abort(leg) => tenant.ops(leg).abort = true,
            Intent::HandOver { leg, way, keys } => self.hand_over(key, leg, way, &keys),
            Intent::Ask(_) | Intent::Deadline(_) => panic!("not for an engine"),
        }
    }

    fn release(&mut self, key: SlotKey) {
        let most = self.chance.pick(&[0, 3_000]);
        let at = self.now + Duration::from_micros(self.chance.below(most) as u64);
        let tenant = self.tenant(key);
        assert!(tenant.released_at.is_none(), "released twice");
        tenant.released_at = Some(at);
        let mut back = Vec::new();
        for leg in [Leg::Client, Leg::Host] {
            let ops = tenant.ops(leg);
            back.extend(ops.send.take().map(Chain::into_buf));
            if let Some(Into::Behind(buf)) = ops.receive.take() {
                back.push(buf);
            }
        }
        back.into_iter().for_each(|buf| self.pool.give(buf));
    }

    fn send_now(&mut self) -> Result<(), EngineFault> {
        // What this network takes at once is chance, and as good as what it takes in a turn.
        Ok(())
    }

    fn turn(&mut self, wait: Option<Duration>, happened: &mut Vec<Happening>) -> Result<(), EngineFault> {
        self.now = self.now + Duration::from_micros(self.chance.below(100) as u64);
        for (door, listener, id) in &self.doors {
            let port = 1024 + u16::try_from(id % 60_000).unwrap();
            let client = SocketAddr::from(([198, 51, 100, 1], port));
            let local = SocketAddr::from(([192, 0, 2, 1], 443));
            happened.push(Happening::Accepted { listener: *listener, door: *door, client, local });
        }
        self.moved = false;
        self.pass(happened);
        if happened.is_empty() && !self.moved {
            // Before time jumps, faults must have had no part in nothing happening.
            let faults = self.faults;
            self.faults = Faults { slow: 0, partial_send: 0, dry: 0, ..faults };
            self.pass(happened);
            self.faults = faults;
        }
        if happened.is_empty()
            && !self.moved
            && let Some(wait) = wait
        {
            let until = self.now + wait;
            self.now = self.next().map_or(until, |next| until.min(next.max(self.now)));
        }
        Ok(())
    }

    fn pool(&mut self) -> &mut Pool {
        &mut self.pool
    }

    fn tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    fn host_leg_address(&self, _: SlotKey) -> Option<SocketAddr> {
        None
    }

    fn in_flight(&self, key: SlotKey, leg: Leg) -> usize {
        self.tenants.iter().find(|tenant| tenant.key == key).map_or(0, |tenant| match leg {
            Leg::Client => usize::from(tenant.client.send.is_some()) + usize::from(tenant.client.receive.is_some()),
            Leg::Host => usize::from(tenant.host.send.is_some()) + usize::from(tenant.host.receive.is_some()),
        })
    }
}
