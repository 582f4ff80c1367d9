//! Whole sessions: what is taken from our heap for each message that goes through one, and what one holds while nothing does.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedCipherSuite, SupportedProtocolVersion};
use sluice_flow::buf::{Class, Pool, PoolSizes};
use sluice_flow::event::{Event, Leg, Way};
use sluice_flow::intent::{Intent, Into};
use sluice_flow::session::{Arrival, Next, Session, Stage, Turn};
use sluice_flow::tls::Served;
use sluice_link::ask::Ask;
use sluice_link::count::{Counters, ListenerCounters};
use sluice_link::id::{Generation, LaunchId, ListenerId, SessionKey, Slot, SlotKey, WorkerId};
use sluice_link::live::Live;
use sluice_link::tell::Target;
use sluice_link::time::Moment;
use sluice_proto::socks5::Request;
use sluice_proto::ticket::Ticket;

use super::{NAME, WITH_KERNEL, bytes, calls, served};

/// A keystroke, a segment, a record, and more than a buffer of any class.
const SIZES: [usize; 4] = [64, 1_460, 16_384, 600_000];
/// Messages of each size each way that are counted.
const ROUNDS: usize = 5;
/// Allocations for a key that is handed over: the box in which it goes.
const OFFER: usize = 1;
/// Bytes of our heap that an idle session may hold, by version. What it is made of: docs/memory.md.
const IDLE: [(u32, usize); 2] = [(2, 800), (3, 1_600)];
/// The same, of who has its keys, if the kernel was to have any.
const LENT_MAX: usize = 100;

/// Both versions with every suite that our certificate can be used with.
fn suites() -> impl Iterator<Item = (SupportedCipherSuite, u32, &'static SupportedProtocolVersion)> {
    let all = rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES.iter().copied();
    all.filter_map(|suite| match suite {
        SupportedCipherSuite::Tls13(_) => Some((suite, 3, &rustls::version::TLS13)),
        SupportedCipherSuite::Tls12(_) if format!("{:?}", suite.suite()).contains("ECDSA") => {
            Some((suite, 2, &rustls::version::TLS12))
        }
        SupportedCipherSuite::Tls12(_) => None,
    })
}

fn client(served: &Served, suite: SupportedCipherSuite, version: &'static SupportedProtocolVersion) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&served.snapshot.host_tls[0].roots_pem) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites = vec![suite];
    let config = ClientConfig::builder_with_provider(provider.into()).with_protocol_versions(&[version]).unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let mut client = ClientConnection::new(Arc::new(config), ServerName::try_from(NAME).unwrap()).unwrap();
    client.set_buffer_limit(None);
    client
}

/// A session and all that is around it; whatever it wants is carried out at once.
struct Table {
    served: Arc<Served>,
    session: Option<Session>,
    pool: Pool,
    count: Counters,
    listener: ListenerCounters,
    live: Live,
    intents: Vec<Intent>,
    events: VecDeque<Event>,
    receives: [Option<Into>; 2],
    /// What each side was sent.
    sent: [Vec<u8>; 2],
    /// The kernel takes keys.
    takes: bool,
    taken: Vec<Way>,
}

fn index(leg: Leg) -> usize {
    match leg {
        Leg::Client => 0,
        Leg::Host => 1,
    }
}

impl Table {
    fn new(served: &Arc<Served>) -> Self {
        Self {
            served: Arc::clone(served),
            session: None,
            pool: Pool::new(PoolSizes::default()),
            count: Counters::default(),
            listener: ListenerCounters::default(),
            live: Live::default(),
            intents: Vec::with_capacity(16),
            events: VecDeque::with_capacity(16),
            receives: [None, None],
            sent: [Vec::with_capacity(8 << 20), Vec::with_capacity(8 << 20)],
            takes: false,
            taken: Vec::with_capacity(2),
        }
    }

    /// Up to the point where bytes flow.
    fn launch(&mut self, id: u32, client: &mut ClientConnection) {
        let address = ([192, 0, 2, 1], 443).into();
        let arrival = Arrival {
            key: SessionKey { worker: WorkerId(0), at: SlotKey { slot: Slot(0), generation: Generation(0) } },
            listener: Arc::clone(self.served.listener(ListenerId(id)).unwrap()),
            served: Arc::clone(&self.served),
            client: ([198, 51, 100, 7], 50_000).into(),
            local: address,
            at: Moment(0),
        };
        self.session = Some(Session::begin(arrival, &mut self.turn()));
        self.carry_out();
        while client.is_handshaking() {
            let flight = pull(client);
            self.deliver(Leg::Client, &flight);
            self.push(client);
        }
        let mut request = Vec::new();
        let ticket = Ticket::parse(b";40;STA02005E10A1B2;0F1E2D3C4B5A69788796A5B4C3D2E1F0").unwrap();
        Request::connect(&ticket).write(&mut request).unwrap();
        client.writer().write_all(&request).unwrap();
        let flight = pull(client);
        self.deliver(Leg::Client, &flight);
        let reply = if self.taken.is_empty() { self.push(client) } else { std::mem::take(&mut self.sent[0]) };
        assert!(reply.ends_with(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]), "connected");
        assert_eq!(self.session.as_ref().map(Session::stage), Some(Stage::Splice));
    }

    /// Gives the client what it was sent.
    fn push(&mut self, client: &mut ClientConnection) -> Vec<u8> {
        let (mut sent, mut plain) = (self.sent[0].as_slice(), Vec::new());
        while !sent.is_empty() {
            client.read_tls(&mut sent).unwrap();
            let here = client.process_new_packets().unwrap().plaintext_bytes_to_read();
            let from = plain.len();
            plain.resize(from + here, 0);
            client.reader().read_exact(&mut plain[from..]).unwrap();
        }
        self.sent[0].clear();
        plain
    }

    /// Delivers as an engine does: into the buffer that the session lent, or into one of the class that it wants.
    fn deliver(&mut self, leg: Leg, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let mut buf = match self.receives[index(leg)].take().unwrap() {
                Into::Any(class) => self.pool.take(class).unwrap(),
                Into::Behind(buf) => buf,
            };
            let n = buf.spare().min(bytes.len());
            buf.append(&bytes[..n]);
            bytes = &bytes[n..];
            self.step(Event::Received { leg, buf, more: !bytes.is_empty() });
            while let Some(event) = self.events.pop_front() {
                self.step(event);
            }
        }
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

    fn step(&mut self, event: Event) {
        match self.session.take().unwrap().step(event, &mut self.turn()) {
            Next::Stay(session) => self.session = Some(session),
            Next::End(summary) => panic!("{:?}", summary.closed.reason),
        }
        self.carry_out();
    }

    fn carry_out(&mut self) {
        for intent in self.intents.drain(..) {
            match intent {
                Intent::Receive { leg, into } => self.receives[index(leg)] = Some(into),
                Intent::Send { leg, chain } => {
                    chain.slices().for_each(|slice| self.sent[index(leg)].extend_from_slice(slice));
                    self.pool.give(chain.into_buf());
                    self.events.push_back(Event::Sent { leg });
                }
                Intent::Connect(_) => self.events.push_back(Event::Connected),
                Intent::Ask(ask) => {
                    if let Ask::Redeem(_) = *ask {
                        let address = ([192, 0, 2, 20], 1494).into();
                        self.events.push_back(Event::Told(Ok(Target { address, launch: LaunchId(1), tls: None })));
                    }
                }
                Intent::Deadline(_) => {}
                Intent::HandOver { leg, way, .. } => {
                    if self.takes {
                        self.taken.push(way);
                    }
                    self.events.push_back(Event::HandedOver { leg, way, taken: self.takes });
                }
                Intent::Finish(_) | Intent::Abort(_) => panic!("{intent:?}"),
            }
        }
    }
}

fn pull(client: &mut ClientConnection) -> Vec<u8> {
    let mut flight = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut flight).unwrap();
    }
    flight
}

#[test]
fn a_message_through_a_session_costs_no_allocation() {
    let served = Arc::new(served());
    let mut seen = 0;
    for (suite, minor, version) in suites() {
        let mut client = client(&served, suite, version);
        let mut table = Table::new(&served);
        table.launch(minor, &mut client);
        let plain = vec![0x5a; SIZES[3]];
        // Once for the buffers, which are made when they are first wanted and kept.
        for counted in [false, true] {
            for size in SIZES {
                let flights: Vec<Vec<u8>> = (0..ROUNDS)
                    .map(|_| {
                        client.writer().write_all(&plain[..size]).unwrap();
                        pull(&mut client)
                    })
                    .collect();
                table.sent[1].clear();
                let before = calls();
                for flight in &flights {
                    table.deliver(Leg::Client, flight);
                    table.deliver(Leg::Host, &plain[..size]);
                }
                let made = calls() - before;
                assert!(!counted || made == 0, "{made} allocations for {ROUNDS} messages of {size} bytes, {:?}", suite.suite());
                assert_eq!(table.sent[1].len(), ROUNDS * size);
                assert_eq!(table.push(&mut client).len(), ROUNDS * size, "{:?}", suite.suite());
            }
        }
        seen += 1;
    }
    assert_eq!(seen, 6, "three suites of each version");
}

/// Where the kernel has the keys, what a session is given and gives away is plaintext.
#[test]
fn a_message_that_the_kernel_seals_or_opens_costs_no_allocation_and_its_key_one() {
    let served = Arc::new(served());
    let plain = vec![0x5a; SIZES[3]];
    for (suite, minor, version) in suites() {
        for takes in [false, true] {
            let mut client = client(&served, suite, version);
            let mut table = Table::new(&served);
            table.takes = takes;
            table.launch(WITH_KERNEL + minor, &mut client);
            client.writer().write_all(b"first").unwrap();
            let flight = pull(&mut client);
            // Buffers are made when they are first wanted and kept.
            for class in [Class::Small, Class::Small, Class::Large] {
                let buf = table.pool.take(class).unwrap();
                table.pool.give(buf);
            }
            let before = calls();
            table.deliver(Leg::Client, &flight);
            assert_eq!(calls() - before, OFFER, "allocations for a key, {:?}", suite.suite());
            assert_eq!(table.taken, if takes { &[Way::Transmit, Way::Receive][..] } else { &[] });
            assert_eq!(table.sent[1], b"first");
            for counted in [false, true] {
                for size in SIZES {
                    let flights: Vec<Vec<u8>> = (0..ROUNDS)
                        .map(|_| {
                            if takes {
                                return plain[..size].to_vec();
                            }
                            client.writer().write_all(&plain[..size]).unwrap();
                            pull(&mut client)
                        })
                        .collect();
                    table.sent.iter_mut().for_each(Vec::clear);
                    let before = calls();
                    for flight in &flights {
                        table.deliver(Leg::Client, flight);
                        table.deliver(Leg::Host, &plain[..size]);
                    }
                    let made = calls() - before;
                    assert!(
                        !counted || made == 0,
                        "{made} allocations for {ROUNDS} messages of {size} bytes, {:?}",
                        suite.suite()
                    );
                    assert_eq!(table.sent[1].len(), ROUNDS * size);
                    let down = if takes { table.sent[0].len() } else { table.push(&mut client).len() };
                    assert_eq!(down, ROUNDS * size, "{:?}", suite.suite());
                }
            }
        }
    }
}

#[test]
fn an_idle_session_holds_little() {
    let served = Arc::new(served());
    for (base, takes) in [(0, false), (WITH_KERNEL, false), (WITH_KERNEL, true)] {
        for (minor, most) in IDLE {
            let (suite, _, version) = suites().find(|(_, of, _)| *of == minor).unwrap();
            let mut table = Table::new(&served);
            table.takes = takes;
            let mut sessions = Vec::with_capacity(32);
            for _ in 0..32 {
                let mut client = client(&served, suite, version);
                table.taken.clear();
                table.launch(base + minor, &mut client);
                client.writer().write_all(b"first").unwrap();
                let flight = pull(&mut client);
                table.deliver(Leg::Client, &flight);
                sessions.extend(table.session.take());
            }
            let held = bytes();
            drop(sessions);
            let each = (held - bytes()) / 32;
            let most = if base == WITH_KERNEL { most + LENT_MAX } else { most };
            println!("TLS 1.{minor}, kernel {takes}: an idle session holds {each} bytes of our heap");
            assert!(each <= most, "TLS 1.{minor}: an idle session holds {each} bytes");
        }
    }
}
