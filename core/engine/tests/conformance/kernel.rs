//! Keys in the kernel: what it seals is read by rustls, what it opens was written by rustls, every byte compared.
//!
//! ```text
//!   rustls ◄─── handshake through the engine ───► sluice-flow ─ offer ─► HandOver ─► the kernel seals, or opens
//! ```
//!
//! Where the kernel has no TLS only the refusal can be shown; `make old-kernel` says by `SLUICE_KERNEL_TLS=1` that it has.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use sluice_engine::{Choice, kernel_tls};
use sluice_flow::buf::{Chain, Class, Then};
use sluice_flow::event::{ControlRecord, Doing, Event, Fault, Leg, Way};
use sluice_flow::intent::Intent;
use sluice_flow::port::{Engine as _, ListenerId, SlotKey};
use sluice_flow::tls::{Handshake, Progress, RecordFault, Records, Served, TicketKeys};
use sluice_link::id::SnapshotId;
use sluice_link::snapshot::{CertKey, Cgp, Limits, Listener, Rates, RecordEngine, Snapshot, Tls};
use sluice_link::time::Moment;

use crate::kit::{Bench, DEADLINE, Noise};

const NAME: &str = "gateway.test";
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const CLOSE_NOTIFY: [u8; 2] = [1, 0];
const BAD_RECORD_MAC: [u8; 2] = [2, 20];
/// Every suite of ours, with its version; the key exchange's part is of no matter here.
const SUITES: [CipherSuite; 6] = [
    CipherSuite::TLS13_AES_128_GCM_SHA256,
    CipherSuite::TLS13_AES_256_GCM_SHA384,
    CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
];

#[expect(clippy::print_stderr, reason = "a test that does not test says so")]
fn the_kernel_has_it() -> bool {
    let has = kernel_tls().any();
    let wanted = std::env::var_os("SLUICE_KERNEL_TLS").is_some_and(|v| v == "1");
    assert!(has || !wanted, "SLUICE_KERNEL_TLS=1, but of the kernel's TLS: {}", kernel_tls());
    if !has {
        eprintln!("not run, without the kernel's TLS: {}", kernel_tls());
    }
    has
}

type Far = StreamOwned<ClientConnection, TcpStream>;

/// Shakes hands over the client leg of `key`.
fn shake_hands(bench: &mut Bench, key: SlotKey, mut far: TcpStream, suite: CipherSuite) -> (Records, Far) {
    let certified = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
    let listener = Listener {
        id: ListenerId(1),
        name: "vs".into(),
        address: ([127, 0, 0, 1], 0).into(),
        tls: Tls {
            certificates: vec![CertKey {
                name: "c".into(),
                chain_pem: certified.cert.pem().into_bytes().into(),
                key_pem: Arc::new(certified.signing_key.serialize_pem().into_bytes().into()),
            }],
            // Its ticket would be one more thing to send.
            resumption: false,
            engine: RecordEngine::Kernel,
            ..Tls::default()
        },
        cgp: Cgp::Reject,
        rates: Rates::default(),
    };
    let snapshot = Snapshot {
        id: SnapshotId(1),
        listeners: vec![listener],
        inner: "/nowhere".into(),
        host_tls: vec![],
        limits: Limits::default(),
    };
    let served = Served::build(Arc::new(snapshot), &Arc::new(TicketKeys::new(Moment(0)).unwrap())).unwrap();
    let mut roots = RootCertStore::empty();
    let certificate: CertificateDer<'static> = certified.cert.der().clone();
    roots.add(certificate).unwrap();
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|known| known.suite() == suite);
    let version = provider.cipher_suites[0].version();
    let client = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut theirs = ClientConnection::new(Arc::new(client), NAME.try_into().unwrap()).unwrap();
    far.set_read_timeout(Some(DEADLINE)).unwrap();
    let shaken = thread::spawn(move || {
        while theirs.is_handshaking() || theirs.wants_write() {
            theirs.complete_io(&mut far).unwrap();
        }
        StreamOwned::new(theirs, far)
    });
    let mut handshake = Handshake::accept(served.listener(ListenerId(1)).unwrap());
    let mut incoming = bench.engine.pool().take(Class::Large).unwrap();
    loop {
        let mut out = bench.engine.pool().take(Class::Large).unwrap();
        let progress = handshake.advance(&mut incoming, &mut out).unwrap();
        if out.is_empty() {
            bench.engine.pool().give(out);
        } else {
            bench.engine.act(key, Intent::Send { leg: Leg::Client, chain: Chain::whole(out) });
            bench.expect_sent(key, Leg::Client);
        }
        match progress {
            Progress::Waiting => {
                bench.engine.pool().give(incoming);
                bench.receive(key, Leg::Client, Class::Large);
                incoming = bench.received(key, Leg::Client);
            }
            Progress::Flush => {}
            Progress::Done => break,
        }
    }
    assert!(incoming.is_empty(), "nothing was said behind the handshake");
    bench.engine.pool().give(incoming);
    (handshake.finish().unwrap().records, shaken.join().unwrap())
}

fn hand_over(bench: &mut Bench, key: SlotKey, records: &mut Records, way: Way) -> bool {
    let keys = records.offer(way).unwrap();
    bench.engine.act(key, Intent::HandOver { leg: Leg::Client, way, keys });
    match bench.event(key) {
        Event::HandedOver { leg: Leg::Client, way: which, taken } if which == way => taken,
        other => panic!("instead of an answer to the offer: {other:?}"),
    }
}

/// A session whose client has shaken hands and whose direction `way` is the kernel's.
fn handed_over(bench: &mut Bench, suite: CipherSuite, way: Way) -> (SlotKey, Records, Far) {
    let (key, client) = bench.session();
    let (mut records, far) = shake_hands(bench, key, client, suite);
    assert!(hand_over(bench, key, &mut records, way), "{suite:?} {way:?}: the kernel: {}", kernel_tls());
    (key, records, far)
}

/// Sends `bytes` in chains of several slices, with something between them that must not be sent.
fn send_all(bench: &mut Bench, key: SlotKey, bytes: &[u8]) {
    for piece in bytes.chunks(200_000) {
        let (front, back) = piece.split_at(piece.len() / 3);
        let mut buf = bench.engine.pool().take(Class::Bulk).unwrap();
        buf.append(front);
        buf.append(b"between");
        buf.append(back);
        let chain = Chain::of(buf, &[(0, front.len()), (front.len() + 7, back.len())]);
        bench.engine.act(key, Intent::Send { leg: Leg::Client, chain });
        bench.expect_sent(key, Leg::Client);
    }
}

/// Says a record that is no data, with what follows it.
fn say(bench: &mut Bench, key: SlotKey, content: &[u8], then: Then) {
    let words = bench.filled(content);
    bench.engine.act(key, Intent::Send { leg: Leg::Client, chain: Chain::whole(words).as_type(ALERT).then(then) });
}

fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Noise::new(seed).fill(&mut bytes);
    bytes
}

pub(crate) fn a_key_that_the_kernel_does_not_take_changes_nothing(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, client) = bench.session();
    let (mut records, mut far) = shake_hands(&mut bench, key, client, SUITES[0]);
    // Who receives may have something of the old kind already.
    bench.receive(key, Leg::Client, Class::Small);
    assert!(!hand_over(&mut bench, key, &mut records, Way::Receive));
    if !kernel_tls().any() {
        assert!(!hand_over(&mut bench, key, &mut records, Way::Transmit));
        records.settle(Way::Transmit, false);
    }
    records.settle(Way::Receive, false);
    far.write_all(b"sealed by rustls").unwrap();
    let mut buf = bench.received(key, Leg::Client);
    let mut parts = sluice_flow::tls::Parts::new();
    let opened = records.open(&mut buf, &mut parts, Moment(0)).unwrap();
    assert_eq!(opened.bytes, 16);
    bench.engine.pool().give(buf);
    let mut buf = bench.filled(b"sealed by us");
    records.seal_in_place(&mut buf).unwrap();
    bench.engine.act(key, Intent::Send { leg: Leg::Client, chain: Chain::whole(buf) });
    bench.expect_sent(key, Leg::Client);
    let mut came = [0; 12];
    far.read_exact(&mut came).unwrap();
    assert_eq!(&came, b"sealed by us");
    bench.release(key);
    bench.assert_nothing_lent();
}

pub(crate) fn the_kernel_seals_what_is_sent(choice: Choice) {
    if !the_kernel_has_it() {
        return;
    }
    let plain = noise(700_001, 7);
    for suite in SUITES {
        let mut bench = Bench::new(choice);
        let (key, _records, mut far) = handed_over(&mut bench, suite, Way::Transmit);
        let reader = thread::spawn(move || {
            let mut came = Vec::new();
            // Without a close_notify rustls would call the end a cut.
            far.read_to_end(&mut came).unwrap();
            came
        });
        send_all(&mut bench, key, &plain);
        say(&mut bench, key, &CLOSE_NOTIFY, Then::Fin);
        bench.expect_sent(key, Leg::Client);
        let came = reader.join().unwrap();
        assert!(came == plain, "{suite:?}: {} of {} bytes", came.len(), plain.len());
        bench.release(key);
        bench.assert_nothing_lent();
    }
}

pub(crate) fn the_kernel_opens_what_is_received(choice: Choice) {
    if !the_kernel_has_it() {
        return;
    }
    let plain = noise(700_001, 8);
    for suite in SUITES {
        let mut bench = Bench::new(choice);
        let (key, _records, mut far) = handed_over(&mut bench, suite, Way::Receive);
        let sent = plain.clone();
        let writer = thread::spawn(move || {
            far.write_all(&sent).unwrap();
            far.conn.send_close_notify();
            far.flush().unwrap();
            far.sock.shutdown(Shutdown::Write).unwrap();
            far
        });
        let mut came = Vec::new();
        loop {
            bench.receive(key, Leg::Client, Class::Bulk);
            match bench.event(key) {
                Event::Received { leg: Leg::Client, buf, .. } => {
                    came.extend_from_slice(buf.filled());
                    bench.engine.pool().give(buf);
                }
                Event::Control { leg: Leg::Client, record } => {
                    assert_eq!(record, ControlRecord::new(ALERT, &CLOSE_NOTIFY));
                    break;
                }
                other => panic!("{suite:?}: {other:?} after {} bytes", came.len()),
            }
        }
        assert!(came == plain, "{suite:?}: {} of {} bytes", came.len(), plain.len());
        bench.expect_eof(key, Leg::Client);
        drop(writer.join().unwrap());
        bench.release(key);
        bench.assert_nothing_lent();
    }
}

/// A session with little room in its sockets, whose sending is the kernel's and whose client does not read.
fn narrow(bench: &mut Bench, suite: CipherSuite, send_buffer: usize) -> (SlotKey, Far) {
    let socket = sluice_engine::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    // What is accepted inherits it.
    socket2::SockRef::from(&socket).set_send_buffer_size(send_buffer).unwrap();
    let addr = socket.local_addr().unwrap();
    let key = bench.fresh_key();
    bench.engine.listen(ListenerId(key.slot.0), socket).unwrap();
    let client = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    client.set_recv_buffer_size(20_000).unwrap();
    client.connect(&addr.into()).unwrap();
    let visitor = bench.visitor();
    bench.engine.adopt(visitor.door, key);
    let (mut records, far) = shake_hands(bench, key, TcpStream::from(client), suite);
    assert!(hand_over(bench, key, &mut records, Way::Transmit));
    (key, far)
}

const PIECE: usize = 16_000;

/// Sends `plain` in pieces until one of them is not taken, and says how many bytes were before that.
fn fill(bench: &mut Bench, key: SlotKey, plain: &[u8]) -> usize {
    let mut taken = 0;
    for piece in plain.chunks(PIECE) {
        bench.send(key, Leg::Client, piece);
        let sent = (0..10).any(|_| {
            bench.turn(Some(Duration::from_millis(2)));
            bench.has_events(key)
        });
        if !sent {
            break;
        }
        bench.expect_sent(key, Leg::Client);
        taken += piece.len();
    }
    taken
}

/// Of what the kernel has taken, half a record may wait where no call tells of it.
pub(crate) fn no_end_overtakes_what_the_kernel_has_sealed(choice: Choice) {
    if !the_kernel_has_it() {
        return;
    }
    let mut waited = 0;
    for trial in 0..16 {
        let mut bench = Bench::new(choice);
        let (suite, room) = (SUITES[trial % SUITES.len()], 30_000 + 5_000 * trial);
        let plain = noise(2_000_000, 9);
        let (key, _far) = narrow(&mut bench, suite, room);
        let most = fill(&mut bench, key, &plain);
        assert!(most < plain.len(), "the socket has no end");
        bench.release(key);

        // Once more, and no byte more than is taken: FIN goes with the last of them.
        let (key, mut far) = narrow(&mut bench, suite, room);
        let (front, last) = plain[..most].split_at(most - PIECE);
        if fill(&mut bench, key, front) < front.len() {
            // How much goes in hangs on when the other end says what room it has.
            bench.release(key);
            continue;
        }
        let last = bench.filled(last);
        bench.engine.act(key, Intent::Send { leg: Leg::Client, chain: Chain::whole(last).then(Then::Fin) });
        bench.settle();
        waited += usize::from(!bench.has_events(key));
        let reader = thread::spawn(move || {
            let mut came = Vec::new();
            // There was no close_notify, which rustls calls a cut: what came before it is there.
            let _ = far.read_to_end(&mut came);
            came
        });
        bench.expect_sent(key, Leg::Client);
        let came = reader.join().unwrap();
        assert!(came == plain[..most], "trial {trial}: {} of {most} bytes", came.len());
        bench.release(key);
        bench.assert_nothing_lent();
    }
    assert!(waited > 0, "FIN need not wait any more");
}

pub(crate) fn what_the_kernel_cannot_open_is_told(choice: Choice) {
    if !the_kernel_has_it() {
        return;
    }
    let mut false_record = vec![23, 3, 3, 0, 64];
    false_record.extend_from_slice(&noise(64, 3));
    let cases: [(&[u8], RecordFault); 3] = [
        (&false_record, RecordFault::BadMac),
        (&[23, 3, 3, 0xff, 0xff, 0, 0, 0], RecordFault::Overflow),
        (&[23, 9, 9, 0, 64, 0, 0, 0], RecordFault::Decode),
    ];
    for (bytes, fault) in cases {
        let mut bench = Bench::new(choice);
        let (key, mut records, mut far) = handed_over(&mut bench, SUITES[0], Way::Receive);
        assert!(hand_over(&mut bench, key, &mut records, Way::Transmit));
        far.write_all(b"a good one").unwrap();
        far.sock.write_all(bytes).unwrap();
        bench.expect_bytes(key, Leg::Client, b"a good one");
        bench.receive(key, Leg::Client, Class::Small);
        match bench.event(key) {
            Event::Failed { leg: Leg::Client, during: Doing::Receiving, fault: Fault::Record(said) } => assert_eq!(said, fault),
            other => panic!("{fault:?}: {other:?}"),
        }
        // It can be answered all the same.
        say(&mut bench, key, &BAD_RECORD_MAC, Then::Fin);
        bench.expect_sent(key, Leg::Client);
        let refused = far.read(&mut [0; 16]).unwrap_err();
        assert!(format!("{refused}").contains("BadRecordMac"), "{refused}");
        bench.release(key);
        bench.assert_nothing_lent();
    }
}

pub(crate) fn the_kernel_hands_up_a_change_of_keys(choice: Choice) {
    if !the_kernel_has_it() {
        return;
    }
    let mut bench = Bench::new(choice);
    let (key, _records, mut far) = handed_over(&mut bench, SUITES[0], Way::Receive);
    far.write_all(b"with the old key").unwrap();
    far.conn.refresh_traffic_keys().unwrap();
    far.write_all(b"with the new one").unwrap();
    bench.expect_bytes(key, Leg::Client, b"with the old key");
    bench.receive(key, Leg::Client, Class::Large);
    match bench.event(key) {
        Event::Control { leg: Leg::Client, record } => {
            assert_eq!((record.typ, record.content().first()), (HANDSHAKE, Some(&24)), "a KeyUpdate");
        }
        other => panic!("{other:?}"),
    }
    // What follows cannot be opened, however often it is tried.
    for _ in 0..2 {
        bench.receive(key, Leg::Client, Class::Large);
        match bench.event(key) {
            Event::Failed { leg: Leg::Client, during: Doing::Receiving, fault: Fault::Record(RecordFault::BadMac) } => {}
            other => panic!("{other:?}"),
        }
    }
    bench.release(key);
    bench.assert_nothing_lent();
}

pub(crate) fn both_directions_are_the_kernels(choice: Choice) {
    if !the_kernel_has_it() {
        return;
    }
    let mut bench = Bench::new(choice);
    let (key, mut records, mut far) = handed_over(&mut bench, SUITES[0], Way::Transmit);
    // Whatever came before the kernel had the key lies in its socket, whole.
    far.write_all(b"early").unwrap();
    assert!(hand_over(&mut bench, key, &mut records, Way::Receive));
    bench.expect_bytes(key, Leg::Client, b"early");
    for round in 0..200_u32 {
        let words = round.to_be_bytes();
        far.write_all(&words).unwrap();
        bench.expect_bytes(key, Leg::Client, &words);
        bench.send(key, Leg::Client, &words);
        bench.expect_sent(key, Leg::Client);
        let mut came = [0; 4];
        far.read_exact(&mut came).unwrap();
        assert_eq!(came, words);
    }
    // A session that is given up with a send under way and somebody who does not read.
    let buf = bench.filled(&noise(200_000, 4));
    bench.engine.act(key, Intent::Send { leg: Leg::Client, chain: Chain::whole(buf) });
    bench.receive(key, Leg::Client, Class::Small);
    bench.settle();
    bench.release(key);
    bench.assert_nothing_lent();
}
