//! One run: a worker of its own, an engine, a control, and many sessions with their neighbours, all from one seed.
//!
//! ```text
//!   round:  arrivals ─► Sim::turn ─► events (shared out as a worker does) ─► steps ─► intents, asks
//!           control answers ─► deadlines ─► neighbours act ─► (when nothing moves any more: time jumps)
//! ```
//!
//! After every step of every session the rules are looked at; after its end, what its neighbours have got.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use sluice_flow::buf::{Class, Pool, PoolSizes};
use sluice_flow::event::{Event, Way};
use sluice_flow::intent::{Intent, Into, Peer};
use sluice_flow::port::{Engine, Happening};
use sluice_flow::session::{Arrival, Next, Session, Stage, Summary, Turn};
use sluice_flow::share::{Share, buffer_of};
use sluice_flow::slots::Slots;
use sluice_flow::tls::{Served, TicketKeys};
use sluice_flow::wheel::Wheel;
use sluice_link::ask::{Ask, Phases, Wanted};
use sluice_link::count::{Counters, ListenerCounters, ListenerTotals};
use sluice_link::id::{Generation, LaunchId, ListenerId, SessionKey, SlotKey, SnapshotId, WorkerId};
use sluice_link::live::LiveTable;
use sluice_link::reason::Reason;
use sluice_link::snapshot::{CertKey, Cgp, HostTlsProfile, Limits, Listener, Rates, Snapshot, Speeds, Tls};
use sluice_link::tell::{HostTls, Refusal, Target};
use sluice_link::time::Moment;
use zeroize::Zeroizing;

use crate::chance::Chance;
use crate::net::{Faults, Sim};
use crate::peers::{Client, Host};
use crate::plan::{Answer, ENGINES, Ending, Opening, PACED, PACED_BYTES_PER_SECOND, Plan, REJECTS, RELAYS, with_engine};

const START: Moment = Moment(1_000_000_000_000);
const NAME: &str = "gw.example.test";
const WORKER: WorkerId = WorkerId(3);
/// Sessions at a time.
const PLACES: u32 = 24;
/// Bytes of buffers that one session may hold, with those that the engine holds for it: two directions of a buffer that
/// flies, one behind it and one being filled, all of the largest class.
const HELD_MAX: usize = 6 * Class::Bulk.payload();
/// Rounds without any movement after which time may jump.
const CALM: usize = 3;
/// Rounds after which a run is taken to hang.
const ROUNDS_MAX: usize = 3_000_000;

struct Tenant {
    id: usize,
    session: Option<Session>,
    /// Bytes of buffers that the session itself holds.
    held: usize,
    asked: bool,
    killed: bool,
    born: usize,
}

struct Letter {
    at: Moment,
    key: SessionKey,
    verdict: Result<Target, Refusal>,
}

struct Life {
    plan: Plan,
    client: Client,
    host: Host,
    summary: Option<Summary>,
}

/// Certificates and settings, made once per process.
pub(crate) struct Kit {
    served: Arc<Served>,
    client13: Arc<ClientConfig>,
    client12: Arc<ClientConfig>,
    host: Arc<ServerConfig>,
}

impl Kit {
    pub(crate) fn new() -> Self {
        // Signatures of one length: with others, the lengths of flights would differ from run to run.
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let cert = rcgen::CertificateParams::new([NAME.to_owned()]).unwrap().self_signed(&key).unwrap();
        let tls = Tls {
            certificates: vec![CertKey {
                name: "ck".into(),
                chain_pem: cert.pem().into_bytes().into(),
                key_pem: Arc::new(Zeroizing::new(key.serialize_pem().into_bytes())),
            }],
            tls12: true,
            tls13: true,
            post_quantum: false,
            resumption: true,
            ..Tls::default()
        };
        // Of each session only: a rate of all together would carry over from one run to the next.
        let speed = NonZeroU64::new(PACED_BYTES_PER_SECOND);
        let session = Speeds { up: speed, down: speed };
        let listener = |(kind, engine)| Listener {
            id: with_engine(kind, engine),
            name: "vs".into(),
            address: "192.0.2.1:443".parse().unwrap(),
            tls: Tls { engine: ENGINES[engine], ..tls.clone() },
            cgp: if kind == RELAYS { Cgp::Relay } else { Cgp::Reject },
            rates: if kind == PACED { Rates { session, ..Rates::default() } } else { Rates::default() },
        };
        let snapshot = Snapshot {
            id: SnapshotId(1),
            listeners: servers().map(listener).collect(),
            inner: "/run/inner.sock".into(),
            host_tls: vec![HostTlsProfile { id: "hosts".into(), roots_pem: cert.pem().into_bytes().into() }],
            limits: Limits { idle: Some(Duration::from_secs(60)), ..Limits::default() },
        };
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let client = |versions| {
            let mut config = ClientConfig::builder_with_protocol_versions(versions)
                .with_root_certificates(roots.clone())
                .with_no_client_auth();
            // Whether a session is resumed would depend on the order of runs.
            config.resumption = rustls::client::Resumption::disabled();
            Arc::new(config)
        };
        let host_key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut host =
            ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.der().clone()], host_key).unwrap();
        host.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        host.send_tls13_tickets = 1;
        let keys = Arc::new(TicketKeys::new(START).unwrap());
        Self {
            served: Arc::new(Served::build(Arc::new(snapshot), &keys).unwrap()),
            client13: client(&[&rustls::version::TLS13]),
            client12: client(&[&rustls::version::TLS12]),
            host: Arc::new(host),
        }
    }
}

/// What a run amounts to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) sessions: usize,
    pub(crate) clean: usize,
    pub(crate) steps: u64,
    pub(crate) stale: u64,
    pub(crate) starved: u64,
    pub(crate) up_bytes: u64,
    pub(crate) down_bytes: u64,
    /// How often each reason ended a session, by [`Reason::index`].
    pub(crate) reasons: Vec<usize>,
    /// Keys with which the kernel seals, with which it opens, and that it did not take.
    pub(crate) kernel: [u64; 3],
    /// Changes with anything that goes another way.
    pub(crate) trace: u64,
}

pub(crate) struct World<'k> {
    kit: &'k Kit,
    chance: Chance,
    engine: Sim,
    slots: Slots<Tenant>,
    wheel: Wheel,
    share: Share,
    count: Counters,
    listeners: Vec<(ListenerId, ListenerCounters)>,
    traffic: LiveTable,
    lives: HashMap<usize, Life>,
    live: Vec<usize>,
    mail: Vec<Letter>,
    next_id: usize,
    last_id: usize,
    round: usize,
    /// Ends for want of buffers are in order.
    scarce: bool,
    /// Bytes that a neighbour says at most, as a rule.
    most: usize,
    report: Report,
}

impl<'k> World<'k> {
    pub(crate) fn new(kit: &'k Kit, seed: u64, sessions: usize) -> Self {
        let mut chance = Chance::new(seed);
        let scarce = chance.percent(20);
        let sizes = if scarce { PoolSizes { small: 40, large: 24, bulk: 3 } } else { PoolSizes::default() };
        let faults = Faults {
            one_byte: chance.pick(&[0, 0, 5, 60]),
            short: chance.pick(&[0, 30, 70]),
            slow: chance.pick(&[0, 20, 60]),
            partial_send: chance.pick(&[0, 30, 80]),
            dry: chance.pick(&[0, 0, 10]),
            refused_key: chance.pick(&[0, 30, 100]),
        };
        let engine = Sim::new(START, sizes, faults, chance.split());
        Self {
            kit,
            chance,
            engine,
            slots: Slots::new(PLACES),
            wheel: Wheel::new(PLACES, START),
            share: Share::new(),
            count: Counters::default(),
            listeners: servers().map(|(kind, engine)| (with_engine(kind, engine), ListenerCounters::default())).collect(),
            traffic: LiveTable::new(PLACES),
            lives: HashMap::new(),
            live: Vec::new(),
            mail: Vec::new(),
            next_id: 0,
            last_id: sessions,
            round: 0,
            scarce,
            // Where bytes come one by one, fewer of them show the same.
            most: if faults.one_byte > 5 { 500 } else { 30_000 },
            report: Report { reasons: vec![0; Reason::ALL.len()], ..Report::default() },
        }
    }

    /// Runs until every session is over and looked at.
    pub(crate) fn run(mut self) -> Report {
        let mut calm = 0;
        while self.next_id < self.last_id || !self.live.is_empty() {
            self.round += 1;
            assert!(self.round < ROUNDS_MAX, "{} sessions hang", self.live.len());
            self.arrivals();
            let moved = self.turn(calm >= CALM) | self.letters() | self.deadlines() | self.neighbours(calm > 0);
            calm = if moved { 0 } else { calm + 1 };
        }
        for class in Class::ALL {
            assert_eq!(self.engine.pool().lent(class), 0, "buffers of class {class:?} were lost");
        }
        assert!(self.slots.is_empty());
        let totals = self.count.read();
        assert_eq!((totals.spliced, totals.portal), (0, 0), "gauges of nobody");
        let mut all = ListenerTotals::default();
        self.listeners.iter().for_each(|(_, one)| all.add(&one.read()));
        assert_eq!((all.spliced, all.portal), (0, 0), "gauges of nobody");
        assert_eq!(
            (all.handshakes, all.tickets_asked, all.hosts_failed, all.up_bytes, all.down_bytes),
            (totals.handshakes, totals.tickets_asked, totals.hosts_failed, totals.up_bytes, totals.down_bytes),
            "what is counted for the virtual servers is what is counted in all"
        );
        self.report.kernel = [totals.kernel_sealing, totals.kernel_opening, totals.kernel_refused];
        self.report.up_bytes = totals.up_bytes;
        self.report.down_bytes = totals.down_bytes;
        self.report.starved = self.engine.tally().starved;
        self.report
    }

    fn arrivals(&mut self) {
        while self.next_id < self.last_id && self.live.len() < PLACES as usize && self.chance.percent(60) {
            let plan = Plan::new(self.next_id, self.most, &mut self.chance);
            self.next_id += 1;
            let config = if plan.tls12 { &self.kit.client12 } else { &self.kit.client13 };
            let (client, host) = (Client::new(&plan, config), Host::new(&plan, &self.kit.host));
            self.engine.arrive(plan.listener, plan.id);
            self.live.push(plan.id);
            self.lives.insert(plan.id, Life { plan, client, host, summary: None });
        }
    }

    fn turn(&mut self, may_jump: bool) -> bool {
        let wait = if may_jump {
            let mail = self.mail.iter().map(|letter| letter.at).min();
            let next = self.wheel.next().into_iter().chain(mail).min().unwrap_or(self.engine.now + Duration::from_millis(1));
            self.quiet();
            Some(next.since(self.engine.now))
        } else {
            None
        };
        let mut happened = Vec::new();
        self.engine.turn(wait, &mut happened).unwrap();
        self.share.begin(4, 1024 * 1024);
        let moved = !happened.is_empty();
        for happening in happened {
            match happening {
                Happening::Accepted { listener, door, client, local } => {
                    let served = &self.kit.served;
                    let key = self.slots.reserve().expect("more arrivals than places");
                    self.engine.adopt(door, key);
                    let id = usize::from(client.port() - 1024);
                    let arrival = Arrival {
                        key: SessionKey { worker: WORKER, at: key },
                        listener: Arc::clone(served.listener(listener).unwrap()),
                        served: Arc::clone(served),
                        client,
                        local,
                        at: self.engine.now,
                    };
                    let mut out = Vec::new();
                    let now = self.engine.now;
                    let (_, listener) = self.listeners.iter().find(|(id, _)| *id == listener).unwrap();
                    let live = self.traffic.at(key.slot);
                    live.begin(key.generation, now);
                    let newest = &self.kit.served;
                    let mut turn =
                        Turn { now, pool: self.engine.pool(), out: &mut out, count: &self.count, newest, listener, live };
                    let session = Session::begin(arrival, &mut turn);
                    self.slots
                        .put(key, Tenant { id, session: Some(session), held: 0, asked: false, killed: false, born: self.round });
                    self.carry_out(key, out);
                }
                Happening::Session { key, event } => {
                    let stage = self.slots.get(key).and_then(|tenant| tenant.session.as_ref()).map(Session::stage);
                    let event = match stage {
                        Some(stage) => self.share.sort(key, stage, event),
                        None => Some(event),
                    };
                    if let Some(event) = event {
                        self.step(key, event);
                    }
                }
                Happening::Released(key) => {
                    let tenant = self.slots.free(key).expect("released, but never there");
                    self.judge(tenant.id);
                }
                Happening::Woken => {}
            }
        }
        while let Some((key, event)) = self.share.next() {
            self.step(key, event);
        }
        self.kills();
        moved || self.share.waiting()
    }

    fn kills(&mut self) {
        let due: Vec<SlotKey> = self
            .slots
            .keys()
            .filter(|key| {
                self.slots.get(*key).is_some_and(|tenant| {
                    let plan = &self.lives[&tenant.id].plan;
                    plan.killed.is_some_and(|after| tenant.born + after == self.round)
                        || (plan.killed_at_offer && !tenant.killed && self.engine.is_asked(*key))
                })
            })
            .collect();
        for key in due {
            self.slots.get_mut(key).unwrap().killed = true;
            self.step(key, Event::End(Reason::Killed));
        }
    }

    fn step(&mut self, key: SlotKey, event: Event) {
        self.report.steps += 1;
        let now = self.engine.now;
        let Some(tenant) = self.slots.get_mut(key).filter(|tenant| tenant.session.is_some()) else {
            self.report.stale += 1;
            if let Some(buf) = buffer_of(event) {
                self.engine.pool().give(buf);
            }
            return;
        };
        let brought = match &event {
            Event::Received { buf, .. } | Event::Eof { kept: Some(buf), .. } => buf.class().payload(),
            Event::Eof { .. }
            | Event::Sent { .. }
            | Event::Connected
            | Event::Control { .. }
            | Event::HandedOver { .. }
            | Event::Failed { .. }
            | Event::Told(_)
            | Event::Due
            | Event::End(_) => 0,
        };
        let session = tenant.session.take().unwrap();
        let before = lent(self.engine.pool());
        let mut out = Vec::new();
        let (_, listener) = self.listeners.iter().find(|(id, _)| *id == session.listener().id).unwrap();
        let live = self.traffic.at(key.slot);
        let newest = &self.kit.served;
        let mut turn = Turn { now, pool: self.engine.pool(), out: &mut out, count: &self.count, newest, listener, live };
        let next = session.step(event, &mut turn);
        let after = lent(self.engine.pool());
        let tenant = self.slots.get_mut(key).unwrap();
        tenant.held = (tenant.held + brought + after).checked_sub(before).expect("buffers given back that were not its own");
        let ended = match next {
            Next::Stay(session) => {
                tenant.session = Some(session);
                None
            }
            Next::End(summary) => Some(summary),
        };
        self.carry_out(key, out);
        if let Some(summary) = ended {
            let tenant = self.slots.get(key).unwrap();
            assert_eq!(tenant.held, 0, "a session ended with buffers in its hands");
            let id = tenant.id;
            let closed = &summary.closed;
            assert_eq!(closed.key.at, key);
            let traffic = self.traffic.read(key).expect("nobody can see what a session moves");
            assert_eq!((traffic.up_bytes, traffic.down_bytes), (closed.up_bytes, closed.down_bytes), "as seen until the end");
            assert!(traffic.last <= now);
            self.traffic.at(key.slot).end();
            assert!(spent(&closed.phases) <= closed.lived);
            assert!(closed.launch.is_none() || closed.phases.redeem.is_some(), "a launch without an answer");
            self.note(summary.closed.reason.index() as u64);
            self.count.closed(summary.closed.reason);
            self.lives.get_mut(&id).unwrap().summary = Some(summary);
            self.wheel.set(key, Moment::NEVER);
            self.engine.release(key);
        }
    }

    fn carry_out(&mut self, key: SlotKey, intents: Vec<Intent>) {
        for intent in intents {
            let tenant = self.slots.get_mut(key).unwrap();
            let given = match &intent {
                Intent::Send { chain, .. } => chain.class().payload(),
                Intent::Receive { into: Into::Behind(buf), .. } => buf.class().payload(),
                Intent::Receive { into: Into::Any(_), .. }
                | Intent::Connect(_)
                | Intent::Finish(_)
                | Intent::Abort(_)
                | Intent::HandOver { .. }
                | Intent::Ask(_)
                | Intent::Deadline(_) => 0,
            };
            tenant.held = tenant.held.checked_sub(given).expect("a buffer was lent that was not its own");
            let plan = &self.lives[&tenant.id].plan;
            match intent {
                Intent::Ask(ask) => self.asked(key, *ask),
                Intent::Deadline(at) => self.wheel.set(key, at),
                Intent::Connect(peer) => {
                    let meant = if plan.opening == Opening::Http {
                        Peer::Portal(self.kit.served.snapshot.inner.as_path().into())
                    } else {
                        Peer::Host(address(plan.id))
                    };
                    assert_eq!(peer, meant, "a session reached for another's host");
                    self.engine.act(key, Intent::Connect(peer));
                    self.engine.dial(key, plan);
                }
                Intent::Receive { .. } | Intent::Send { .. } | Intent::Finish(_) | Intent::Abort(_) | Intent::HandOver { .. } => {
                    self.engine.act(key, intent)
                }
            }
        }
        let tenant = self.slots.get(key).unwrap();
        let held = tenant.held + self.engine.holds(key);
        assert!(held <= HELD_MAX, "one session holds {held} bytes");
    }

    fn asked(&mut self, key: SlotKey, ask: Ask) {
        let tenant = self.slots.get_mut(key).unwrap();
        let plan = &self.lives[&tenant.id].plan;
        match ask {
            Ask::Redeem(redeem) => {
                assert_eq!(redeem.key, SessionKey { worker: WORKER, at: key });
                let code = redeem.ticket.pairs().next().unwrap().code.to_owned();
                assert_eq!(usize::from_str_radix(&code, 16).unwrap(), plan.id, "a session showed another's ticket");
                assert_eq!(redeem.wanted == Wanted::Cgp, plan.opening == Opening::Cgp);
                assert!(!tenant.asked, "asked twice");
                tenant.asked = true;
                let at = self.engine.now + Duration::from_micros(self.chance.below(5_000) as u64);
                let late = self.engine.now + Duration::from_secs(7);
                let tls = plan.host_tls.then(|| HostTls { profile: "hosts".into(), name: NAME.into() });
                let target = Target { address: address(plan.id), launch: LaunchId(plan.id as u64), tls };
                let wrong = Target { address: address(usize::MAX >> 40), launch: LaunchId(u64::MAX), tls: None };
                let mut send = |at, key, verdict| self.mail.push(Letter { at, key, verdict });
                match plan.answer {
                    Answer::Good => send(at, redeem.key, Ok(target)),
                    Answer::Bad(why) => send(at, redeem.key, Err(why)),
                    Answer::Late => send(late, redeem.key, Ok(target)),
                    Answer::Never => {}
                    Answer::Twice => {
                        send(at, redeem.key, Ok(target));
                        send(at + Duration::from_micros(50), redeem.key, Ok(wrong.clone()));
                    }
                }
                // An answer that crosses: meant for the tenant that this place had before.
                if self.chance.percent(30) {
                    let mut before = redeem.key;
                    before.at.generation = Generation(before.at.generation.0.wrapping_sub(1));
                    self.mail.push(Letter { at, key: before, verdict: Ok(wrong) });
                }
            }
            Ask::Opened(opened) => {
                assert_eq!((opened.launch, opened.listener), (LaunchId(plan.id as u64), plan.listener));
                let phases = &opened.phases;
                assert!([phases.handshake, phases.preface, phases.redeem, phases.connect].iter().all(Option::is_some));
                assert_eq!(spent(phases), opened.took, "phases follow each other without gaps");
            }
            Ask::Closed(_) => panic!("the worker's to say"),
        }
    }

    fn letters(&mut self) -> bool {
        let now = self.engine.now;
        let (due, rest) = std::mem::take(&mut self.mail).into_iter().partition(|letter| letter.at <= now);
        self.mail = rest;
        let due: Vec<Letter> = due;
        let moved = !due.is_empty();
        for Letter { key, verdict, .. } in due {
            match self.slots.get_mut(key.at) {
                Some(tenant) if tenant.asked => {
                    tenant.asked = false;
                    self.step(key.at, Event::Told(verdict));
                }
                Some(_) | None => self.report.stale += 1,
            }
        }
        moved
    }

    fn deadlines(&mut self) -> bool {
        let mut due = Vec::new();
        self.wheel.expire(self.engine.now, &mut due);
        let moved = !due.is_empty();
        for key in due {
            self.step(key, Event::Due);
        }
        moved
    }

    fn neighbours(&mut self, eager: bool) -> bool {
        let mut moved = false;
        for id in &self.live {
            let life = self.lives.get_mut(id).unwrap();
            let Some((client, host)) = self.engine.wires(*id) else { continue };
            moved |= life.client.step(client, &mut self.chance, eager);
            if let Some(host) = host {
                moved |= life.host.step(host, &mut self.chance, eager);
            }
        }
        moved
    }

    /// Nothing moves: then sessions whose bytes flow hold nothing.
    fn quiet(&mut self) {
        for key in self.slots.keys() {
            let tenant = self.slots.get(key).unwrap();
            if let Some(session) = &tenant.session
                && session.stage() == Stage::Splice
                && self.engine.is_quiet(key)
            {
                // What waits for its rate: a piece each way, and part of a record behind it.
                let paced = self.lives[&tenant.id].plan.kind == PACED;
                let most = if paced { 4 * Class::Large.payload() } else { 0 };
                assert!(tenant.held <= most, "an idle session holds {} bytes of buffers", tenant.held);
            }
        }
    }

    /// A session is over and its sockets are closed: what have its neighbours got?
    fn judge(&mut self, id: usize) {
        let mut still = 0;
        let life = self.lives.get_mut(&id).unwrap();
        while still < 3 {
            let (client, host) = self.engine.wires(id).unwrap();
            let mut moved = life.client.step(client, &mut self.chance, true);
            moved |= host.is_some_and(|host| life.host.step(host, &mut self.chance, true));
            still = if moved { 0 } else { still + 1 };
        }
        self.engine.gone.retain(|(gone, ..)| *gone != id);
        self.live.retain(|live| *live != id);
        let Life { plan, client, host, summary } = self.lives.remove(&id).unwrap();
        let summary = summary.expect("released without an end");
        let reason = summary.closed.reason;
        self.report.sessions += 1;
        self.report.reasons[reason.index()] += 1;
        assert_ne!(reason, Reason::Never, "{plan:?}");
        let kernels = self.engine.keys_taken(id);
        for (way, wanted) in [(Way::Transmit, plan.engine.kernel_seals()), (Way::Receive, plan.engine.kernel_opens())] {
            assert!(
                !kernels.contains(&way) || (wanted && plan.opening != Opening::Http),
                "a key that the kernel was not to have"
            );
        }
        let spent = reason == Reason::KeySpent;
        assert!(!spent || (!kernels.is_empty() && plan.key_updates > 0), "a key was spent: {plan:?}");
        assert!(host.up.n as u64 <= summary.closed.up_bytes, "more reached the host than was counted");
        assert!(client.down.n as u64 <= summary.closed.down_bytes, "more reached the client than was counted");
        self.note(host.up.n as u64);
        self.note(client.down.n as u64);
        if !plan.is_clean() || (self.scarce && reason == Reason::Exhausted) {
            return;
        }
        if spent || (plan.killed_at_offer && reason == Reason::Killed) {
            assert!(client.was_told_goodbye(), "the client was cut off: {plan:?}");
            return;
        }
        self.report.clean += 1;
        let orderly = [Reason::ClientClosed, Reason::HostClosed, Reason::Finished];
        assert!(orderly.contains(&reason), "ended as {reason}: {plan:?}");
        assert!(host.up.is_whole(), "{} of {} bytes up: {plan:?}", host.up.n, plan.up.len);
        assert!(client.down.is_whole(), "{} of {} bytes down: {plan:?}", client.down.n, plan.down.len);
        assert!(client.was_told_goodbye(), "the client was cut off: {plan:?}");
        assert!(host.was_told_goodbye(), "the host was cut off: {plan:?}");
        match (plan.client, plan.host) {
            (Ending::First, Ending::Second) => assert_eq!(reason, Reason::ClientClosed, "{plan:?}"),
            (Ending::Second, Ending::First) => assert_eq!(reason, Reason::HostClosed, "{plan:?}"),
            (Ending::First | Ending::Second | Ending::Cut(_) | Ending::Reset(_) | Ending::Silent(_) | Ending::Forged(_), _) => {}
        }
        let talks_socks = !matches!(plan.opening, Opening::Http | Opening::Cgp);
        assert_eq!(client.reply, talks_socks.then_some(0));
    }

    fn note(&mut self, what: u64) {
        self.report.trace = Chance::new(self.report.trace ^ what ^ self.engine.now.0).next();
    }
}

/// Every virtual server: what it is like, and which record engine it has.
fn servers() -> impl Iterator<Item = (ListenerId, usize)> {
    [REJECTS, RELAYS, PACED].into_iter().flat_map(|kind| (0..ENGINES.len()).map(move |engine| (kind, engine)))
}

/// The address of the one host that session `id` may reach.
fn address(id: usize) -> SocketAddr {
    let [.., a, b, c] = id.to_be_bytes();
    SocketAddr::from(([10, a, b, c], 1494))
}

/// The time of all phases that were completed.
fn spent(phases: &Phases) -> Duration {
    [phases.handshake, phases.preface, phases.redeem, phases.connect].into_iter().flatten().sum()
}

/// Bytes of all buffers that are out.
fn lent(pool: &Pool) -> usize {
    Class::ALL.into_iter().map(|class| pool.lent(class) * class.payload()).sum()
}
