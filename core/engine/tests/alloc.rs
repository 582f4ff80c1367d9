//! A message through an engine takes nothing from our heap: neither to arm a receive, nor to be told of it, nor to send.
//!
//! ```text
//!   client (socket) ──► engine: receive, send ──► host (socket)        and back; counted are act and turn
//! ```
//!
//! That a session between the two takes nothing either is shown in `core/flow/tests/alloc`.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use sluice_engine::{AnyEngine, Choice, EngineSettings};
use sluice_flow::buf::{Chain, Class};
use sluice_flow::event::{Event, Leg};
use sluice_flow::intent::{Intent, Into, Peer};
use sluice_flow::port::{Engine as _, Generation, Happening, Slot, SlotKey};

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[expect(unsafe_code, reason = "an allocator can be counted only by being one")]
// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`, which is the same there.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: `at` came from `alloc` above with this layout, thus from the system's allocator.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const KEY: SlotKey = SlotKey { slot: Slot(0), generation: Generation(0) };
/// A keystroke, a record, and as much as one read takes.
const SIZES: [(usize, Class); 3] = [(64, Class::Small), (16_384, Class::Large), (200_000, Class::Bulk)];
/// Messages each way of each size, once to warm up and once counted.
const ROUNDS: usize = 50;

struct Bench {
    engine: AnyEngine,
    happened: Vec<Happening>,
    client: TcpStream,
    host: Option<TcpStream>,
    /// Allocations in the engine.
    made: usize,
}

impl Bench {
    fn new(choice: Choice) -> Self {
        let (mut engine, report) = sluice_engine::open(choice, &EngineSettings::default()).unwrap();
        assert_eq!(report.fallback, None);
        let pair = |to: &TcpListener| TcpStream::connect(to.local_addr().unwrap()).unwrap();
        let outside = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = pair(&outside);
        let (door, ..) = engine.take_in(outside.accept().unwrap().0.into()).unwrap();
        engine.adopt(door, KEY);
        let inside = TcpListener::bind("127.0.0.1:0").unwrap();
        engine.act(KEY, Intent::Connect(Peer::Host(inside.local_addr().unwrap())));
        let mut bench = Self { engine, happened: Vec::with_capacity(64), client, host: None, made: 0 };
        assert!(matches!(bench.event(), Event::Connected));
        bench.host = Some(inside.accept().unwrap().0);
        bench
    }

    fn act(&mut self, intent: Intent) {
        let before = CALLS.get();
        self.engine.act(KEY, intent);
        self.made += CALLS.get() - before;
    }

    fn event(&mut self) -> Event {
        loop {
            if let Some(Happening::Session { event, .. }) = self.happened.pop() {
                return event;
            }
            let before = CALLS.get();
            self.engine.turn(Some(Duration::from_secs(60)), &mut self.happened).unwrap();
            self.made += CALLS.get() - before;
            assert!(self.happened.len() <= 1, "one operation is under way");
        }
    }

    /// `bytes` from one side to the other, through the engine.
    fn pass(&mut self, from: Leg, bytes: &[u8], class: Class, back: &mut [u8]) {
        let (client, host) = (self.client.try_clone().unwrap(), self.host.as_ref().unwrap().try_clone().unwrap());
        let (mut writer, mut reader, to) = match from {
            Leg::Client => (client, host, Leg::Host),
            Leg::Host => (host, client, Leg::Client),
        };
        std::thread::scope(|scope| {
            scope.spawn(move || writer.write_all(bytes).unwrap());
            scope.spawn(|| reader.read_exact(&mut back[..bytes.len()]).unwrap());
            let mut left = bytes.len();
            while left > 0 {
                self.act(Intent::Receive { leg: from, into: Into::Any(class) });
                let Event::Received { buf, .. } = self.event() else { panic!("nothing was received") };
                left -= buf.len();
                self.act(Intent::Send { leg: to, chain: Chain::whole(buf) });
                assert!(matches!(self.event(), Event::Sent { .. }));
            }
        });
        assert!(back[..bytes.len()] == *bytes);
    }
}

fn costs_no_allocation(choice: Choice) {
    let mut bench = Bench::new(choice);
    let bytes: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
    let mut back = vec![0; bytes.len()];
    for (size, class) in SIZES {
        for counted in [false, true] {
            bench.made = 0;
            for _ in 0..ROUNDS {
                bench.pass(Leg::Client, &bytes[..size], class, &mut back);
                bench.pass(Leg::Host, &bytes[..size], class, &mut back);
            }
            assert!(!counted || bench.made == 0, "{} allocations for {ROUNDS} messages of {size} bytes each way", bench.made);
        }
    }
}

#[test]
fn a_message_through_the_ring_costs_no_allocation() {
    if std::env::var_os("SLUICE_NO_URING").is_none_or(|denied| denied != "1") {
        costs_no_allocation(Choice::Uring);
    }
}

#[test]
fn a_message_through_mio_costs_no_allocation() {
    costs_no_allocation(Choice::Mio);
}
