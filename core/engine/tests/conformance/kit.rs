//! An engine on a bench: sessions with real sockets at both ends, and waiting for a state with a deadline.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hasher as _};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use sluice_engine::{AnyEngine, Choice, EngineSettings};
use sluice_flow::buf::{Buf, Chain, Class, PoolSizes};
use sluice_flow::event::{Event, Leg};
use sluice_flow::intent::{Intent, Into, Peer};
use sluice_flow::port::{ACCEPTS_PER_TURN, Door, Engine as _, Generation, Happening, ListenerId, Slot, SlotKey};

/// After so much time a state that was waited for will not come.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Slots of the engine on the bench.
pub(crate) const SESSIONS: u32 = 256;

#[expect(clippy::print_stderr, reason = "a test that does not test says so")]
pub(crate) fn uring_is_wanted() -> bool {
    let denied = std::env::var_os("SLUICE_NO_URING").is_some_and(|v| v == "1");
    if denied {
        eprintln!("not run: SLUICE_NO_URING=1 says that this machine has no io_uring");
    }
    !denied
}

#[expect(clippy::disallowed_methods, reason = "deadlines of tests")]
pub(crate) fn clock() -> Instant {
    Instant::now()
}

pub(crate) fn small_pool() -> PoolSizes {
    PoolSizes { small: 512, large: 128, bulk: 16 }
}

pub(crate) fn settings() -> EngineSettings {
    EngineSettings { pool: small_pool(), sessions: SESSIONS, ..EngineSettings::default() }
}

/// An accepted connection.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) listener: ListenerId,
    pub(crate) door: Door,
    pub(crate) client: SocketAddr,
    pub(crate) local: SocketAddr,
}

pub(crate) struct Bench {
    pub(crate) engine: AnyEngine,
    pub(crate) visitors: VecDeque<Visitor>,
    pub(crate) events: HashMap<SlotKey, VecDeque<Event>>,
    pub(crate) released: Vec<SlotKey>,
    pub(crate) woken: usize,
    next_slot: u32,
}

impl Bench {
    pub(crate) fn new(choice: Choice) -> Self {
        Self::with(choice, &settings())
    }

    pub(crate) fn with(choice: Choice, settings: &EngineSettings) -> Self {
        let (engine, report) = sluice_engine::open(choice, settings).unwrap_or_else(|e| {
            panic!(
                "{choice:?} cannot be opened here: {e}: {:?}; is io_uring denied? SLUICE_NO_URING=1 leaves it out",
                e.source_text()
            )
        });
        assert_eq!(report.fallback, None);
        Self { engine, visitors: VecDeque::new(), events: HashMap::new(), released: Vec::new(), woken: 0, next_slot: 0 }
    }

    /// One turn, sorted. Answers with how much happened. No listener may bring more than its share.
    pub(crate) fn turn(&mut self, wait: Option<Duration>) -> usize {
        let mut happened = Vec::new();
        self.engine.turn(wait, &mut happened).unwrap();
        let n = happened.len();
        let before = self.visitors.len();
        for happening in happened {
            match happening {
                Happening::Accepted { listener, door, client, local } => {
                    self.visitors.push_back(Visitor { listener, door, client, local });
                }
                Happening::Session { key, event } => self.events.entry(key).or_default().push_back(event),
                Happening::Released(key) => self.released.push(key),
                Happening::Woken => self.woken += 1,
            }
        }
        let mut came = HashMap::new();
        for visitor in self.visitors.iter().skip(before) {
            *came.entry(visitor.listener).or_insert(0) += 1;
        }
        assert!(came.values().all(|came| *came <= ACCEPTS_PER_TURN), "{came:?} in one turn");
        n
    }

    /// Turns until `what` gives something.
    pub(crate) fn until<T>(&mut self, name: &str, mut what: impl FnMut(&mut Self) -> Option<T>) -> T {
        let end = clock() + DEADLINE;
        loop {
            if let Some(found) = what(self) {
                return found;
            }
            assert!(clock() < end, "waited in vain: {name}; events: {:?}", self.events);
            self.turn(Some(Duration::from_millis(20)));
        }
    }

    /// A few turns in which nothing of interest may come.
    pub(crate) fn settle(&mut self) {
        for _ in 0..10 {
            self.turn(Some(Duration::from_millis(2)));
        }
    }

    pub(crate) fn listen(&mut self, id: u32) -> SocketAddr {
        let socket = sluice_engine::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = socket.local_addr().unwrap();
        self.engine.listen(ListenerId(id), socket).unwrap();
        addr
    }

    /// The next visitor. It must be answered before the next turn.
    pub(crate) fn visitor(&mut self) -> Visitor {
        self.until("a visitor", |bench| bench.visitors.pop_front())
    }

    pub(crate) fn fresh_key(&mut self) -> SlotKey {
        let slot = self.next_slot;
        self.next_slot += 1;
        SlotKey { slot: Slot(slot), generation: Generation(7) }
    }

    /// A session with a client, whose end is handed out.
    pub(crate) fn session(&mut self) -> (SlotKey, TcpStream) {
        let key = self.fresh_key();
        (key, self.session_at(key))
    }

    pub(crate) fn session_at(&mut self, key: SlotKey) -> TcpStream {
        let addr = self.listen(1000 + key.slot.0);
        let client = TcpStream::connect(addr).unwrap();
        client.set_nodelay(true).unwrap();
        let visitor = self.visitor();
        assert_eq!(visitor.client, client.local_addr().unwrap());
        self.engine.adopt(visitor.door, key);
        self.engine.unlisten(ListenerId(1000 + key.slot.0));
        client
    }

    /// A session with client and host, whose ends are handed out.
    pub(crate) fn spliced(&mut self) -> (SlotKey, TcpStream, TcpStream) {
        let (key, client) = self.session();
        let host = self.host_of(key);
        (key, client, host)
    }

    pub(crate) fn host_of(&mut self, key: SlotKey) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        self.engine.act(key, Intent::Connect(Peer::Host(listener.local_addr().unwrap())));
        let event = self.event(key);
        assert!(matches!(event, Event::Connected), "{event:?}");
        let host = listener.accept().unwrap().0;
        host.set_nodelay(true).unwrap();
        host
    }

    pub(crate) fn event(&mut self, key: SlotKey) -> Event {
        self.until("an event", |bench| bench.events.get_mut(&key)?.pop_front())
    }

    pub(crate) fn has_events(&self, key: SlotKey) -> bool {
        self.events.get(&key).is_some_and(|e| !e.is_empty())
    }

    pub(crate) fn receive(&mut self, key: SlotKey, leg: Leg, class: Class) {
        self.engine.act(key, Intent::Receive { leg, into: Into::Any(class) });
    }

    /// The bytes of the next event, which must bring some.
    pub(crate) fn received(&mut self, key: SlotKey, from: Leg) -> Buf {
        match self.event(key) {
            Event::Received { leg, buf, .. } if leg == from => {
                assert!(!buf.is_empty());
                buf
            }
            other => panic!("instead of bytes: {other:?}"),
        }
    }

    /// Receives exactly `want`, in as many pieces as it takes.
    pub(crate) fn expect_bytes(&mut self, key: SlotKey, leg: Leg, want: &[u8]) {
        let mut got = Vec::new();
        while got.len() < want.len() {
            self.receive(key, leg, Class::Large);
            let buf = self.received(key, leg);
            got.extend_from_slice(buf.filled());
            self.engine.pool().give(buf);
        }
        assert_eq!(got, want);
    }

    pub(crate) fn expect_eof(&mut self, key: SlotKey, from: Leg) {
        self.receive(key, from, Class::Small);
        match self.event(key) {
            Event::Eof { leg, kept: None } if leg == from => {}
            other => panic!("instead of the end: {other:?}"),
        }
    }

    pub(crate) fn send(&mut self, key: SlotKey, leg: Leg, bytes: &[u8]) {
        let buf = self.filled(bytes);
        self.engine.act(key, Intent::Send { leg, chain: Chain::whole(buf) });
    }

    pub(crate) fn filled(&mut self, bytes: &[u8]) -> Buf {
        let class = Class::ALL.into_iter().find(|c| c.payload() >= bytes.len()).unwrap();
        let mut buf = self.engine.pool().take(class).unwrap();
        assert_eq!(buf.append(bytes), bytes.len());
        buf
    }

    pub(crate) fn expect_sent(&mut self, key: SlotKey, to: Leg) {
        match self.event(key) {
            Event::Sent { leg } if leg == to => {}
            other => panic!("instead of sent: {other:?}"),
        }
    }

    pub(crate) fn release(&mut self, key: SlotKey) {
        self.engine.release(key);
        self.until("released", |bench| bench.released.contains(&key).then_some(()));
        self.released.retain(|k| *k != key);
    }

    /// That no session and no operation holds a buffer.
    pub(crate) fn assert_nothing_lent(&mut self) {
        for class in Class::ALL {
            assert_eq!(self.engine.pool().lent(class), 0, "{class:?} buffers are still out");
        }
    }
}

/// Bytes that repeat nowhere within reach, from a seed.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            chunk.copy_from_slice(&self.0.to_ne_bytes()[..chunk.len()]);
        }
    }
}

/// Length and hash of a stream.
#[derive(Clone, Default)]
pub(crate) struct Digest {
    pub(crate) bytes: u64,
    hasher: DefaultHasher,
}

impl Digest {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        // One at a time: `write` hashes by calls, not by bytes.
        for byte in bytes {
            self.hasher.write_u8(*byte);
        }
    }

    pub(crate) fn result(&self) -> (u64, u64) {
        (self.bytes, self.hasher.finish())
    }
}

/// Writes `total` bytes of noise and then says FIN.
pub(crate) fn pour(mut to: TcpStream, seed: u64, total: usize) -> (u64, u64) {
    let (mut noise, mut digest) = (Noise::new(seed), Digest::default());
    let mut block = vec![0; 64 * 1024];
    let mut left = total;
    while left > 0 {
        let n = left.min(block.len());
        noise.fill(&mut block[..n]);
        digest.add(&block[..n]);
        to.write_all(&block[..n]).unwrap();
        left -= n;
    }
    to.shutdown(std::net::Shutdown::Write).unwrap();
    digest.result()
}

/// Reads until FIN.
pub(crate) fn drain(mut from: TcpStream) -> (u64, u64) {
    let mut digest = Digest::default();
    let mut block = vec![0; 64 * 1024];
    loop {
        let n = from.read(&mut block).unwrap();
        if n == 0 {
            return digest.result();
        }
        digest.add(&block[..n]);
    }
}

/// Open descriptors of this process.
pub(crate) fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// The chain of causes of an error.
pub(crate) trait SourceText {
    fn source_text(&self) -> String;
}

impl<E: std::error::Error> SourceText for E {
    fn source_text(&self) -> String {
        self.source().map(ToString::to_string).unwrap_or_default()
    }
}

/// Runs a script in a process of its own, since it counts or limits what a process has. Answers whether this is that process.
pub(crate) fn alone(script: &str, choice: Choice, descriptors_max: Option<u32>) -> bool {
    let mark = "SLUICE_TEST_ALONE";
    if std::env::var_os(mark).is_some() {
        return true;
    }
    let engine = match choice {
        Choice::Mio => "mio",
        Choice::Uring | Choice::Auto => "uring",
    };
    let limit = descriptors_max.map_or_else(|| "true".to_owned(), |n| format!("ulimit -n {n}"));
    let output = std::process::Command::new("sh")
        .arg("-c")
        .arg(format!("{limit} && exec \"$0\" --exact \"$1\" --nocapture --test-threads=1"))
        .arg(std::env::current_exe().unwrap())
        .arg(format!("{engine}::{script}"))
        .env(mark, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "no such script: {text}");
    false
}
