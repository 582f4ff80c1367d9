//! Promises about memory: a record that is opened, sealed or passed on allocates nothing, and an idle connection holds little.
//!
//! ```text
//!   records: two ends of ours, each version, as server and as client         sessions: rustls's client, every suite, both directions
//! ```
//!
//! Counted is what the thread of a test asks of our heap. AWS-LC has a heap of its own, C's; it takes from it when a key is made, not
//! when it is used.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod session;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use sluice_flow::buf::{Buf, Chain, Class, Pool, PoolSizes};
use sluice_flow::tls::{Established, Handshake, Parts, Progress, Served, TicketKeys};
use sluice_link::id::{ListenerId, SnapshotId};
use sluice_link::snapshot::{CertKey, Cgp, HostTlsProfile, Limits, Listener, Rates, RecordEngine, Snapshot, Tls};
use sluice_link::time::Moment;

/// Most bytes of our heap that the records of an idle connection with a client may hold. What aws-lc keeps for its two keys
/// (600 bytes each) is not on it.
const IDLE_MAX: usize = 1_100;

/// The same where rustls has the records.
const IDLE_WITH_RUSTLS_MAX: usize = 2_500;
/// Most allocations for a record sealed and opened where rustls has the records.
const CALLS_WITH_RUSTLS_MAX: usize = 4;
/// Listeners from this id on leave their records to rustls.
const WITH_RUSTLS: u32 = 10;
/// Those from this one on, to the kernel.
const WITH_KERNEL: u32 = 20;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

/// Allocations of this thread until now.
fn calls() -> usize {
    CALLS.get()
}

/// Bytes that this thread has asked for and not given back. Others may give back for it.
fn bytes() -> usize {
    BYTES.get()
}

struct Counting;

#[expect(unsafe_code, reason = "an allocator can be counted only by being one")]
// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        BYTES.set(BYTES.get().wrapping_add(layout.size()));
        // SAFETY: the caller keeps the contract of `alloc`, which is the same there.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        BYTES.set(BYTES.get().wrapping_sub(layout.size()));
        // SAFETY: `at` came from `alloc` above with this layout, thus from the system's allocator.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const NAME: &str = "gate.example";

fn served() -> Served {
    let made = rcgen::generate_simple_self_signed(vec![NAME.to_owned()]).unwrap();
    let chain = made.cert.pem();
    let pair = CertKey {
        name: "pair".into(),
        chain_pem: chain.as_bytes().into(),
        key_pem: Arc::new(made.signing_key.serialize_pem().into_bytes().into()),
    };
    let tls = |tls13: bool, engine: RecordEngine| Tls {
        certificates: vec![pair.clone()],
        tls12: !tls13,
        tls13,
        post_quantum: true,
        resumption: true,
        engine,
        ..Tls::default()
    };
    let listener = |id, tls13, engine| Listener {
        id: ListenerId(id),
        name: "vs".into(),
        address: ([127, 0, 0, 1], 0).into(),
        tls: tls(tls13, engine),
        cgp: Cgp::Reject,
        rates: Rates::default(),
    };
    let snapshot = Snapshot {
        id: SnapshotId(1),
        listeners: [(0, RecordEngine::Own), (WITH_RUSTLS, RecordEngine::Rustls), (WITH_KERNEL, RecordEngine::Kernel)]
            .into_iter()
            .flat_map(|(id, engine)| [listener(id + 2, false, engine), listener(id + 3, true, engine)])
            .collect(),
        inner: "/nowhere".into(),
        host_tls: vec![HostTlsProfile { id: "hosts".into(), roots_pem: chain.as_bytes().into() }],
        limits: Limits::default(),
    };
    Served::build(Arc::new(snapshot), &Arc::new(TicketKeys::new(Moment(0)).unwrap())).unwrap()
}

/// A gateway's and a host's side of one connection through listener `id`, which speaks TLS 1.`id`, or 1.`id - WITH_RUSTLS`.
fn connect(served: &Served, id: u32, pool: &mut Pool) -> (Established, Established) {
    let mut server = Handshake::accept(served.listener(ListenerId(id)).unwrap());
    let mut client = Handshake::connect(served.host_profile(&"hosts".into()).unwrap(), NAME, RecordEngine::Own).unwrap();
    let mut to_server = pool.take(Class::Large).unwrap();
    let mut to_client = pool.take(Class::Large).unwrap();
    let (mut client_done, mut server_done) = (false, false);
    while !(client_done && server_done) {
        if !client_done {
            client_done = client.advance(&mut to_client, &mut to_server).unwrap() == Progress::Done;
        }
        if !server_done {
            server_done = server.advance(&mut to_server, &mut to_client).unwrap() == Progress::Done;
        }
    }
    let mut client = client.finish().unwrap();
    client.records.open(&mut to_client, &mut Parts::new(), Moment(0)).unwrap();
    pool.give(to_client);
    pool.give(to_server);
    (server.finish().unwrap(), client)
}

/// Seals, opens, and says how many bytes came through.
fn move_some(from: &mut Established, to: &mut Established, mut plain: Buf, mut wire: Buf) -> (usize, Buf, Buf) {
    from.records.seal_into(plain.filled(), &mut wire).unwrap();
    let mut parts = Parts::new();
    let opened = to.records.open(&mut wire, &mut parts, Moment(0)).unwrap();
    let wire = Chain::of(wire, parts.slices()).into_buf();

    plain.truncate(1000);
    from.records.seal_in_place(&mut plain).unwrap();
    let small = to.records.open(&mut plain, &mut parts, Moment(0)).unwrap();
    (opened.bytes + small.bytes, Chain::of(plain, parts.slices()).into_buf(), wire)
}

#[test]
fn records_cost_no_allocation_and_idle_connections_little() {
    let served = served();
    let mut pool = Pool::new(PoolSizes::default());
    for minor in [2, 3] {
        // Once for whatever is made on first use.
        let (mut server, mut client) = connect(&served, minor, &mut pool);

        let (mut plain, mut wire) = (pool.take(Class::Bulk).unwrap(), pool.take(Class::Bulk).unwrap());
        let before = calls();
        for round in 0..100 {
            plain.clear();
            wire.clear();
            let len = plain.spare().min(1000 + round * 2600);
            plain.commit(len);
            let (bytes, p, w) = if round % 2 == 0 {
                move_some(&mut server, &mut client, plain, wire)
            } else {
                move_some(&mut client, &mut server, plain, wire)
            };
            assert!(bytes > len);
            (plain, wire) = (p, w);
        }
        assert_eq!(calls() - before, 0, "allocations for 100 rounds of records, TLS 1.{minor}");
        pool.give(plain);
        pool.give(wire);

        let each = idle(&served, minor, &mut pool);
        println!("TLS 1.{minor}: an idle connection with a client holds {each} bytes");
        assert!(each < IDLE_MAX, "an idle connection holds {each} bytes");
    }
}

/// What an idle connection with a client holds.
fn idle(served: &Served, id: u32, pool: &mut Pool) -> usize {
    let (servers, clients): (Vec<_>, Vec<_>) = (0..100).map(|_| connect(served, id, pool)).unzip();
    let held = bytes();
    drop(servers);
    let each = (held - bytes()) / 100;
    drop(clients);
    each
}

/// What whoever falls back on rustls pays: docs/copies.md and docs/memory.md say so.
#[test]
fn what_rustls_costs_is_bounded_too() {
    let served = served();
    let mut pool = Pool::new(PoolSizes::default());
    for minor in [2, 3] {
        let (mut server, mut client) = connect(&served, WITH_RUSTLS + minor, &mut pool);
        let mut parts = Parts::new();
        let mut made = [0, 0];
        for _ in 0..2 {
            let before = calls();
            let mut buf = pool.take(Class::Large).unwrap();
            buf.append(&[7; 1000]);
            server.records.seal_in_place(&mut buf).unwrap();
            made[0] = calls() - before;
            assert_eq!(client.records.open(&mut buf, &mut parts, Moment(0)).unwrap().bytes, 1000);
            buf.clear();
            buf.append(&[7; 1000]);
            client.records.seal_in_place(&mut buf).unwrap();
            let before = calls();
            assert_eq!(server.records.open(&mut buf, &mut parts, Moment(0)).unwrap().bytes, 1000);
            made[1] = calls() - before;
            pool.give(buf);
        }
        let each = idle(&served, WITH_RUSTLS + minor, &mut pool);
        println!("TLS 1.{minor}, rustls: {made:?} allocations to seal and to open a record, idle {each} bytes");
        assert!(made.iter().sum::<usize>() <= CALLS_WITH_RUSTLS_MAX, "{made:?} allocations");
        assert!(each < IDLE_WITH_RUSTLS_MAX, "an idle connection holds {each} bytes");
    }
}
