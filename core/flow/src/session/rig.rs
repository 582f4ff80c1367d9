//! One session on a table, for tests: a real TLS client on one side, a script on the other, and every event by hand.
//!
//! What a session asks for is held here until the test lets it happen, and every rule about asking is checked when it asks.

use std::io::{Read, Write};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig};
use sluice_link::ask::{Ask, Opened, Redeem};
use sluice_link::count::{Counters, ListenerCounters, ListenerTotals, Totals};
use sluice_link::id::{Generation, LaunchId, ListenerId, SessionKey, Slot, SlotKey, SnapshotId, WorkerId};
use sluice_link::live::{LiveTable, Traffic};
use sluice_link::reason::Reason;
use sluice_link::snapshot::{CertKey, Cgp, HostTlsProfile, Limits, Listener, Rates, Snapshot, Tls};
use sluice_link::tell::{HostTls, Refusal, Target};
use sluice_link::time::Moment;
use zeroize::Zeroizing;

use super::{Arrival, Next, Session, Stage, State, Summary, Turn};
use crate::buf::{Buf, Chain, Class, Pool, PoolSizes, Then};
use crate::event::{ControlRecord, Doing, Event, Fault, Leg, Way};
use crate::intent::{Intent, Into, Peer};
use crate::tls::kernel::Kernel;
use crate::tls::{RecordFault, Served, TicketKeys, TrafficKeys};

pub(super) const TICKET: &str = ";40;STA02005E10A1B2;0F1E2D3C4B5A69788796A5B4C3D2E1F0";
pub(super) const CONNECTED: [u8; 10] = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
const START: Moment = Moment(1_000_000_000_000);
const NAME: &str = "gw.example.test";
pub(super) const REJECTS: ListenerId = ListenerId(1);
const RELAYS: ListenerId = ListenerId(2);
/// Type of records with data.
const DATA: u8 = 23;
const KEY: SlotKey = SlotKey { slot: Slot(3), generation: Generation(7) };

struct Kit {
    served: Arc<Served>,
    /// Published later: another TLS profile for hosts in place of the one that was there.
    newer: Arc<Served>,
    keys: Arc<TicketKeys>,
    client: Arc<ClientConfig>,
    host: Arc<ServerConfig>,
}

fn kit() -> &'static Kit {
    static KIT: OnceLock<Kit> = OnceLock::new();
    KIT.get_or_init(|| {
        let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
        let tls = Tls {
            certificates: vec![CertKey {
                name: "ck".into(),
                chain_pem: cert.pem().into_bytes().into(),
                key_pem: Arc::new(Zeroizing::new(signing_key.serialize_pem().into_bytes())),
            }],
            tls12: true,
            tls13: true,
            post_quantum: false,
            resumption: true,
            ..Tls::default()
        };
        let address = "192.0.2.1:443".parse().unwrap();
        let listener = |id, cgp| Listener { id, name: "vs".into(), address, tls: tls.clone(), cgp, rates: Rates::default() };
        let snapshot = |id, profile: &str| Snapshot {
            id: SnapshotId(id),
            listeners: vec![listener(REJECTS, Cgp::Reject), listener(RELAYS, Cgp::Relay)],
            inner: "/run/inner.sock".into(),
            host_tls: vec![HostTlsProfile { id: profile.into(), roots_pem: cert.pem().into_bytes().into() }],
            limits: Limits { idle: Some(Duration::from_secs(3600)), ..Limits::default() },
        };
        let keys = Arc::new(TicketKeys::new(START).unwrap());
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let host = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
        Kit {
            served: Arc::new(Served::build(Arc::new(snapshot(1, "hosts")), &keys).unwrap()),
            newer: Arc::new(Served::build(Arc::new(snapshot(2, "later")), &keys).unwrap()),
            keys,
            client: Arc::new(client),
            host: Arc::new(host),
        }
    })
}

/// What one leg has asked for and not been answered yet.
#[derive(Default)]
struct Asked {
    receive: Option<Into>,
    send: Option<Chain>,
    finished: bool,
    aborted: bool,
}

pub(super) struct Rig {
    served: Arc<Served>,
    session: Option<Session>,
    pub(super) over: Option<Summary>,
    pub(super) pool: Pool,
    count: Counters,
    listener: ListenerCounters,
    live: LiveTable,
    pub(super) now: Moment,
    deadline: Moment,
    client_leg: Asked,
    host_leg: Asked,
    dialled: Option<Peer>,
    asks: Vec<Ask>,
    /// Keys that the kernel was offered and has not answered for.
    pub(super) offered: Vec<(Leg, Way, Box<TrafficKeys>)>,
    /// Offers until now.
    pub(super) offers: usize,
    /// What the kernel has taken, of the client's leg.
    sealing: Option<Kernel>,
    opening: Option<Kernel>,
    /// Opened by the kernel and not received yet.
    opened: Vec<u8>,
    /// Types of chains that the kernel sealed as something else than data.
    pub(super) typed: Vec<u8>,
    tls: ClientConnection,
    /// Sends stay with the kernel until [`Rig::flush`].
    pub(super) slow: bool,
    /// Most bytes that one receive brings.
    pub(super) at_once: usize,
    /// Receives answered.
    pub(super) reads: usize,
    to_gateway: Vec<u8>,
    /// Plaintext that the client has received.
    pub(super) at_client: Vec<u8>,
    /// Lengths of the records that the client has received, without their headers.
    pub(super) records_at_client: Vec<usize>,
    /// Bytes that the host has received.
    pub(super) at_host: Vec<u8>,
    /// The client has seen `close_notify`.
    pub(super) told_goodbye: bool,
    /// The client has seen this fatal alert.
    pub(super) alerted: Option<rustls::AlertDescription>,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::at(REJECTS)
    }

    pub(super) fn relaying() -> Self {
        Self::at(RELAYS)
    }

    fn at(listener: ListenerId) -> Self {
        Self::of(&kit().served, listener)
    }

    /// A session whose bytes flow, but only so fast.
    pub(super) fn paced(rates: Rates) -> Self {
        Self::at_listener(|listener| listener.rates = rates)
    }

    /// A session whose bytes flow, at a virtual server that is a little different.
    pub(super) fn at_listener(change: impl FnMut(&mut Listener)) -> Self {
        let mut rig = Self::open_at_listener(change);
        rig.begin();
        rig
    }

    /// A session whose handshake is complete, at a virtual server that is a little different.
    pub(super) fn open_at_listener(change: impl FnMut(&mut Listener)) -> Self {
        let kit = kit();
        let mut snapshot = Snapshot::clone(&kit.served.snapshot);
        snapshot.listeners.iter_mut().for_each(change);
        let served = Arc::new(Served::build(Arc::new(snapshot), &kit.keys).unwrap());
        let mut rig = Self::of(&served, REJECTS);
        rig.shake();
        rig
    }

    /// Another session of the same virtual server at the same time.
    pub(super) fn beside(&self) -> Self {
        let mut rig = Self::of(&self.served, REJECTS);
        rig.now = self.now;
        rig.shake();
        rig.begin();
        rig
    }

    fn of(served: &Arc<Served>, listener: ListenerId) -> Self {
        let kit = kit();
        let name = ServerName::try_from(NAME).unwrap();
        let mut rig = Self {
            served: Arc::clone(served),
            session: None,
            over: None,
            pool: Pool::new(PoolSizes::default()),
            count: Counters::default(),
            listener: ListenerCounters::default(),
            live: LiveTable::new(KEY.slot.0 + 1),
            now: START,
            deadline: Moment::NEVER,
            client_leg: Asked::default(),
            host_leg: Asked::default(),
            dialled: None,
            asks: Vec::new(),
            offered: Vec::new(),
            offers: 0,
            sealing: None,
            opening: None,
            opened: Vec::new(),
            typed: Vec::new(),
            tls: ClientConnection::new(Arc::clone(&kit.client), name).unwrap(),
            slow: false,
            at_once: usize::MAX,
            reads: 0,
            to_gateway: Vec::new(),
            at_client: Vec::new(),
            records_at_client: Vec::new(),
            at_host: Vec::new(),
            told_goodbye: false,
            alerted: None,
        };
        rig.live.at(KEY.slot).begin(KEY.generation, START);
        let arrival = Arrival {
            key: SessionKey { worker: WorkerId(0), at: KEY },
            listener: Arc::clone(served.listener(listener).unwrap()),
            served: Arc::clone(served),
            client: "198.51.100.7:50000".parse().unwrap(),
            local: "192.0.2.1:443".parse().unwrap(),
            at: START,
        };
        let mut out = Vec::new();
        let mut turn = Turn {
            now: rig.now,
            pool: &mut rig.pool,
            out: &mut out,
            count: &rig.count,
            newest: &kit.newer,
            listener: &rig.listener,
            live: rig.live.at(KEY.slot),
        };
        rig.session = Some(Session::begin(arrival, &mut turn));
        rig.carry_out(out);
        rig
    }

    /// A session whose handshake is complete.
    pub(super) fn open() -> Self {
        let mut rig = Self::new();
        rig.shake();
        rig
    }

    /// A session whose bytes flow.
    pub(super) fn spliced() -> Self {
        let mut rig = Self::open();
        rig.begin();
        rig
    }

    fn begin(&mut self) {
        self.client_writes(&request(TICKET));
        self.told(Ok(target(None)));
        self.connected();
        assert_eq!(self.take_at_client(), CONNECTED);
        assert_eq!(self.stage(), Some(Stage::Splice));
    }

    pub(super) fn shake(&mut self) {
        while self.tls.is_handshaking() {
            self.tls_to_gateway();
        }
        self.tls_to_gateway();
        assert_eq!(self.stage(), Some(Stage::Preface));
    }

    pub(super) fn stage(&self) -> Option<Stage> {
        self.session.as_ref().map(Session::stage)
    }

    /// Keys towards the client protect no more than so many records and blocks from now on.
    pub(super) fn keys_spent_after(&mut self, records: u64, blocks: u64) {
        let Some(Session(State::Splice(splice))) = &mut self.session else { panic!("no bytes flow") };
        splice.client().spend_after(records, blocks);
    }

    pub(super) fn is_proven(&self) -> bool {
        self.session.as_ref().is_some_and(Session::is_proven)
    }

    /// Why it ended. Everything that it held must be back by then.
    pub(super) fn reason(&mut self) -> Option<Reason> {
        let reason = self.over.as_ref()?.closed.reason;
        for leg in [&mut self.client_leg, &mut self.host_leg] {
            if let Some(chain) = leg.send.take() {
                self.pool.give(chain.into_buf());
            }
            if let Some(Into::Behind(buf)) = leg.receive.take() {
                self.pool.give(buf);
            }
        }
        let lent: Vec<usize> = Class::ALL.into_iter().map(|class| self.pool.lent(class)).collect();
        assert_eq!(lent, [0, 0, 0], "buffers lost at the end");
        Some(reason)
    }

    pub(super) fn totals(&self) -> Totals {
        self.count.read()
    }

    pub(super) fn listener_totals(&self) -> ListenerTotals {
        self.listener.read()
    }

    /// What anybody may read of the session while it lives.
    pub(super) fn traffic(&self) -> Traffic {
        self.live.read(KEY).unwrap()
    }

    pub(super) fn event(&mut self, event: Event) {
        let session = self.session.take().expect("the session is over");
        let mut out = Vec::new();
        let mut turn = Turn {
            now: self.now,
            pool: &mut self.pool,
            out: &mut out,
            count: &self.count,
            newest: &kit().newer,
            listener: &self.listener,
            live: self.live.at(KEY.slot),
        };
        match session.step(event, &mut turn) {
            Next::Stay(session) => self.session = Some(session),
            Next::End(summary) => self.over = Some(summary),
        }
        self.carry_out(out);
        if !self.slow {
            self.flush();
        }
    }

    fn carry_out(&mut self, intents: Vec<Intent>) {
        for intent in intents {
            match intent {
                Intent::Receive { leg, into } => {
                    if let Into::Behind(buf) = &into {
                        assert!(buf.spare() > 0, "a receive without room");
                    }
                    self.assert_decided(leg, Way::Receive);
                    let asked = self.leg(leg);
                    assert!(asked.receive.replace(into).is_none(), "two receives on the {leg:?} leg");
                }
                Intent::Send { leg, chain } => {
                    assert!(chain.bytes() > 0);
                    self.assert_decided(leg, Way::Transmit);
                    assert!(chain.typed().is_none() || self.sealing.is_some(), "a type where the kernel seals nothing");
                    let asked = self.leg(leg);
                    assert!(!asked.finished, "a send behind FIN on the {leg:?} leg");
                    asked.finished = chain.follows() == Then::Fin;
                    assert!(asked.send.replace(chain).is_none(), "two sends on the {leg:?} leg");
                }
                Intent::Connect(peer) => assert!(self.dialled.replace(peer).is_none(), "dialled twice"),
                Intent::Finish(leg) => {
                    let asked = self.leg(leg);
                    assert!(!asked.finished, "two FINs on the {leg:?} leg");
                    asked.finished = true;
                }
                Intent::Abort(leg) => self.leg(leg).aborted = true,
                Intent::HandOver { leg, way, keys } => {
                    let asked = self.leg(leg);
                    match way {
                        Way::Transmit => assert!(asked.send.is_none(), "a key to seal with, offered during a send"),
                        Way::Receive => assert!(asked.receive.is_none(), "a key to open with, offered during a receive"),
                    }
                    self.offered.push((leg, way, keys));
                    self.offers += 1;
                }
                Intent::Ask(ask) => self.asks.push(*ask),
                Intent::Deadline(at) => self.deadline = at,
            }
        }
    }

    /// A key that is with two may be used by none of them.
    fn assert_decided(&self, leg: Leg, way: Way) {
        let asked = self.offered.iter().any(|(of, which, _)| (*of, *which) == (leg, way));
        assert!(!asked, "{way:?} on the {leg:?} leg before it is known who has its key");
    }

    /// Which keys of the client's leg the kernel has been offered and has not answered for.
    pub(super) fn keys_offered(&self) -> Vec<Way> {
        self.offered.iter().map(|(_, way, _)| *way).collect()
    }

    /// The kernel takes the key that it was offered, or not.
    pub(super) fn kernel_answers(&mut self, way: Way, taken: bool) {
        let at =
            self.offered.iter().position(|(leg, which, _)| (*leg, *which) == (Leg::Client, way)).expect("no key was offered");
        let (leg, way, keys) = self.offered.remove(at);
        if taken {
            match way {
                Way::Transmit => self.sealing = Some(Kernel::new(&keys)),
                Way::Receive => self.opening = Some(Kernel::new(&keys)),
            }
        }
        self.event(Event::HandedOver { leg, way, taken });
        self.deliver();
    }

    fn leg(&mut self, leg: Leg) -> &mut Asked {
        match leg {
            Leg::Client => &mut self.client_leg,
            Leg::Host => &mut self.host_leg,
        }
    }

    pub(super) fn finished(&mut self, leg: Leg) -> bool {
        self.leg(leg).finished
    }

    pub(super) fn aborted(&mut self, leg: Leg) -> bool {
        self.leg(leg).aborted
    }

    pub(super) fn receives(&mut self, leg: Leg) -> bool {
        self.leg(leg).receive.is_some()
    }

    pub(super) fn sends(&mut self, leg: Leg) -> bool {
        self.leg(leg).send.is_some()
    }

    /// Lets all sends happen.
    pub(super) fn flush(&mut self) {
        for leg in [Leg::Client, Leg::Host] {
            while let Some(chain) = self.leg(leg).send.take() {
                let mut bytes: Vec<u8> = chain.slices().flatten().copied().collect();
                if leg == Leg::Client
                    && let Some(kernel) = &mut self.sealing
                {
                    bytes = kernel.seal(chain.typed().unwrap_or(DATA), &bytes);
                    self.typed.extend(chain.typed());
                }
                self.pool.give(chain.into_buf());
                match leg {
                    Leg::Client => self.client_reads(&bytes),
                    Leg::Host => self.at_host.extend(bytes),
                }
                if self.session.is_none() {
                    return;
                }
                self.event(Event::Sent { leg });
            }
        }
    }

    fn client_reads(&mut self, mut bytes: &[u8]) {
        // The gateway sends whole records.
        let mut rest = bytes;
        while let [_, _, _, high, low, body @ ..] = rest {
            let len = usize::from(u16::from_be_bytes([*high, *low]));
            self.records_at_client.push(len);
            rest = body.get(len..).unwrap_or_default();
        }
        while !bytes.is_empty() {
            self.tls.read_tls(&mut bytes).unwrap();
            let state = match self.tls.process_new_packets() {
                Ok(state) => state,
                Err(rustls::Error::AlertReceived(alert)) => {
                    self.alerted = Some(alert);
                    return;
                }
                Err(other) => panic!("the client does not understand: {other}"),
            };
            self.told_goodbye |= state.peer_has_closed();
            let mut plain = vec![0; state.plaintext_bytes_to_read()];
            self.tls.reader().read_exact(&mut plain).unwrap();
            self.at_client.extend(plain);
        }
    }

    pub(super) fn take_at_client(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.at_client)
    }

    /// The client says something: one record, or as many as it takes.
    pub(super) fn client_writes(&mut self, plain: &[u8]) {
        self.tls.writer().write_all(plain).unwrap();
        self.tls_to_gateway();
    }

    pub(super) fn client_says_goodbye(&mut self) {
        let goodbye = self.sealed_goodbye();
        self.client_sends_raw(&goodbye);
    }

    /// The client's last record, kept here.
    pub(super) fn sealed_goodbye(&mut self) -> Vec<u8> {
        self.tls.send_close_notify();
        self.sealed_by_client(b"")
    }

    fn tls_to_gateway(&mut self) {
        let mut bytes = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut bytes).unwrap();
        }
        self.to_gateway.extend(bytes);
        self.deliver();
    }

    /// Ciphertext, or what pretends to be.
    pub(super) fn client_sends_raw(&mut self, bytes: &[u8]) {
        self.to_gateway.extend_from_slice(bytes);
        self.deliver();
    }

    /// Ciphertext of the client for `plain`, kept here.
    pub(super) fn sealed_by_client(&mut self, plain: &[u8]) -> Vec<u8> {
        self.tls.writer().write_all(plain).unwrap();
        let mut bytes = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut bytes).unwrap();
        }
        bytes
    }

    /// Delivers what the client has sent, as far as the session takes it.
    pub(super) fn deliver(&mut self) {
        if self.opening.is_some() {
            return self.deliver_opened();
        }
        while !self.to_gateway.is_empty() && self.session.is_some() && self.client_leg.receive.is_some() {
            let mut bytes = std::mem::take(&mut self.to_gateway);
            let n = self.receive(Leg::Client, &bytes);
            self.to_gateway = bytes.split_off(n);
        }
    }

    /// The same, where the kernel opens: one record a receive at most.
    fn deliver_opened(&mut self) {
        while self.session.is_some() && self.client_leg.receive.is_some() {
            if !self.opened.is_empty() {
                let mut opened = std::mem::take(&mut self.opened);
                let n = self.receive(Leg::Client, &opened);
                self.opened = opened.split_off(n);
                continue;
            }
            let Some(kernel) = &mut self.opening else { return };
            let Some(opened) = kernel.open(&mut self.to_gateway) else { return };
            match opened {
                Some((DATA, plain)) => self.opened = plain,
                Some((typ, content)) => {
                    self.client_leg.receive = None;
                    self.event(Event::Control { leg: Leg::Client, record: ControlRecord::new(typ, &content) });
                }
                None => self.kernel_cannot_open(RecordFault::BadMac),
            }
        }
    }

    /// The receive that is armed on the client's leg fails.
    pub(super) fn kernel_cannot_open(&mut self, fault: RecordFault) {
        assert!(matches!(self.client_leg.receive.take(), Some(Into::Any(_))), "the kernel opens whole records");
        self.event(Event::Failed { leg: Leg::Client, during: Doing::Receiving, fault: Fault::Record(fault) });
    }

    /// The client changes its key and asks for a change of ours.
    pub(super) fn client_changes_its_key(&mut self) {
        self.tls.refresh_traffic_keys().unwrap();
        self.tls_to_gateway();
    }

    /// The deadline that was asked for last.
    pub(super) fn deadline(&self) -> Moment {
        self.deadline
    }

    /// Bytes of the client that the session has not asked for.
    pub(super) fn waiting(&self) -> usize {
        self.to_gateway.len()
    }

    /// Answers the receive of `leg`, and says how many bytes went into it.
    fn receive(&mut self, leg: Leg, bytes: &[u8]) -> usize {
        let mut buf = match self.leg(leg).receive.take().expect("no receive is armed") {
            Into::Any(class) => self.pool.take(class).unwrap(),
            Into::Behind(buf) => buf,
        };
        self.reads += 1;
        let n = buf.append(&bytes[..bytes.len().min(self.at_once)]);
        self.event(Event::Received { leg, buf, more: n < bytes.len() });
        n
    }

    /// The host says something; all of it, as the session asks for it.
    pub(super) fn host_writes(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let n = self.receive(Leg::Host, bytes);
            bytes = &bytes[n..];
        }
    }

    /// The host says as much of it as one receive takes; gives how much that was.
    pub(super) fn host_offers(&mut self, bytes: &[u8]) -> usize {
        self.receive(Leg::Host, bytes)
    }

    pub(super) fn eof(&mut self, leg: Leg) {
        let kept = match self.leg(leg).receive.take().expect("no receive is armed") {
            Into::Any(_) => None,
            Into::Behind(buf) => Some(buf),
        };
        self.event(Event::Eof { leg, kept });
    }

    pub(super) fn reset_while_receiving(&mut self, leg: Leg) {
        if let Into::Behind(buf) = self.leg(leg).receive.take().expect("no receive is armed") {
            self.pool.give(buf);
        }
        self.event(Event::Failed { leg, during: Doing::Receiving, fault: Fault::Reset });
    }

    pub(super) fn reset_while_sending(&mut self, leg: Leg) {
        let chain = self.leg(leg).send.take().expect("nothing is being sent");
        self.pool.give(chain.into_buf());
        self.event(Event::Failed { leg, during: Doing::Sending, fault: Fault::Reset });
    }

    pub(super) fn told(&mut self, verdict: Result<Target, Refusal>) {
        self.event(Event::Told(verdict));
    }

    pub(super) fn dialled(&mut self) -> Option<Peer> {
        self.dialled.take()
    }

    pub(super) fn connected(&mut self) {
        assert!(self.dialled.take().is_some(), "nobody was dialled");
        self.event(Event::Connected);
    }

    pub(super) fn dial_fails(&mut self, fault: Fault) {
        assert!(self.dialled.take().is_some(), "nobody was dialled");
        self.event(Event::Failed { leg: Leg::Host, during: Doing::Connecting, fault });
    }

    pub(super) fn asked(&mut self) -> Option<Redeem> {
        let at = self.asks.iter().position(|ask| matches!(ask, Ask::Redeem(_)))?;
        match self.asks.remove(at) {
            Ask::Redeem(redeem) => Some(redeem),
            Ask::Opened(_) | Ask::Closed(_) => None,
        }
    }

    pub(super) fn opened(&self) -> Option<&Opened> {
        self.asks.iter().find_map(|ask| match ask {
            Ask::Opened(opened) => Some(opened),
            Ask::Redeem(_) | Ask::Closed(_) => None,
        })
    }

    /// Time passes. Deadlines come when they come.
    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while self.deadline <= until && self.session.is_some() {
            self.now = self.now.max(self.deadline);
            self.deadline = Moment::NEVER;
            self.event(Event::Due);
        }
        self.now = until;
    }

    /// Nothing is held: neither by the session nor by what it has asked for.
    pub(super) fn holds_nothing(&self) -> bool {
        Class::ALL.into_iter().all(|class| self.pool.lent(class) == 0)
    }

    pub(super) fn host_tls() -> Arc<ServerConfig> {
        Arc::clone(&kit().host)
    }

    /// Keeps what is being sent on `leg` from going out with the next [`Rig::flush`].
    pub(super) fn hold_back(&mut self, leg: Leg) -> Chain {
        self.leg(leg).send.take().expect("nothing is being sent")
    }

    pub(super) fn bring_back(&mut self, leg: Leg, chain: Chain) {
        assert!(self.leg(leg).send.replace(chain).is_none());
    }

    /// The client is shown something that it cannot accept, and says so.
    pub(super) fn client_gives_up(&mut self) {
        let mut nonsense = &[23, 3, 3, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..];
        self.tls.read_tls(&mut nonsense).unwrap();
        self.tls.process_new_packets().unwrap_err();
        self.tls_to_gateway();
    }

    /// Takes a buffer away, so that the session finds fewer.
    pub(super) fn starve(&mut self, class: Class, leave: usize) -> Vec<Buf> {
        let mut taken = Vec::new();
        while self.pool.left(class) > leave {
            taken.extend(self.pool.take(class));
        }
        taken
    }
}

/// A bare request with `name` in the place of the host's name.
pub(super) fn request(name: &str) -> Vec<u8> {
    [&[5, 1, 0, 3, u8::try_from(name.len()).unwrap()], name.as_bytes(), &[0x05, 0xd6]].concat()
}

pub(super) fn target(tls: Option<&str>) -> Target {
    verified_by("hosts", tls)
}

/// A host that is to be verified by `profile`, if it has a name.
pub(super) fn verified_by(profile: &str, tls: Option<&str>) -> Target {
    Target {
        address: "192.0.2.20:1494".parse().unwrap(),
        launch: LaunchId(42),
        tls: tls.map(|name| HostTls { profile: profile.into(), name: name.into() }),
    }
}
