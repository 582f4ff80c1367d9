//! The host leg comes up, or says why not.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;

use sluice_engine::Choice;
use sluice_flow::buf::Class;
use sluice_flow::event::{Doing, Event, Fault, Leg};
use sluice_flow::intent::{Intent, Peer};
use sluice_flow::port::{Engine as _, SlotKey};

use crate::kit::Bench;

pub(crate) fn a_host_is_connected(choice: Choice) {
    let mut bench = Bench::new(choice);
    for any in ["127.0.0.1:0", "[::1]:0"] {
        let (key, _client) = bench.session();
        let listener = TcpListener::bind(any).unwrap();
        bench.engine.act(key, Intent::Connect(Peer::Host(listener.local_addr().unwrap())));
        let event = bench.event(key);
        assert!(matches!(event, Event::Connected), "{event:?}");
        let (mut host, ours) = listener.accept().unwrap();
        assert_eq!(bench.engine.host_leg_address(key), Some(ours));
        // The host speaks first, as a VDA does.
        host.write_all(b"\x7f\x7fICA\0").unwrap();
        bench.expect_bytes(key, Leg::Host, b"\x7f\x7fICA\0");
        bench.send(key, Leg::Host, b"hello");
        bench.expect_sent(key, Leg::Host);
        let mut got = [0; 5];
        host.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"hello");
        // A second connect is refused and does no harm.
        bench.engine.act(key, Intent::Connect(Peer::Host(listener.local_addr().unwrap())));
        expect_connect_fault(&mut bench, key);
        host.write_all(b"still there").unwrap();
        bench.expect_bytes(key, Leg::Host, b"still there");
        bench.release(key);
        assert_eq!(bench.engine.host_leg_address(key), None);
    }
    bench.assert_nothing_lent();
}

pub(crate) fn the_portal_is_connected(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, _client) = bench.session();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portal.sock");
    let listener = UnixListener::bind(&path).unwrap();
    bench.engine.act(key, Intent::Connect(Peer::Portal(Arc::from(path))));
    let event = bench.event(key);
    assert!(matches!(event, Event::Connected), "{event:?}");
    let mut portal = listener.accept().unwrap().0;
    bench.send(key, Leg::Host, b"GET / HTTP/1.1\r\n\r\n");
    bench.expect_sent(key, Leg::Host);
    let mut got = [0; 18];
    portal.read_exact(&mut got).unwrap();
    portal.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    bench.expect_bytes(key, Leg::Host, b"HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(bench.engine.host_leg_address(key), None, "a Unix socket has no such address");
    drop(portal);
    bench.expect_eof(key, Leg::Host);
    bench.release(key);
    bench.assert_nothing_lent();
}

fn expect_connect_fault(bench: &mut Bench, key: SlotKey) -> Fault {
    match bench.event(key) {
        Event::Failed { leg: Leg::Host, during: Doing::Connecting, fault } => fault,
        other => panic!("{other:?}"),
    }
}

fn fault_of(choice: Choice, to: Peer) -> Fault {
    let mut bench = Bench::new(choice);
    let (key, _client) = bench.session();
    bench.engine.act(key, Intent::Connect(to));
    let fault = expect_connect_fault(&mut bench, key);
    // What is asked of it afterwards is answered, too.
    bench.receive(key, Leg::Host, Class::Small);
    let event = bench.event(key);
    assert!(matches!(event, Event::Failed { leg: Leg::Host, during: Doing::Receiving, .. }), "{event:?}");
    assert_eq!(bench.engine.host_leg_address(key), None);
    bench.release(key);
    bench.assert_nothing_lent();
    fault
}

pub(crate) fn a_refused_connect_says_so(choice: Choice) {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(fault_of(choice, Peer::Host(nobody)), Fault::Refused);
}

pub(crate) fn an_unreachable_network_says_so(choice: Choice) {
    // TCP to a broadcast address has no route on any machine.
    let nowhere: SocketAddr = "255.255.255.255:1494".parse().unwrap();
    assert_eq!(fault_of(choice, Peer::Host(nowhere)), Fault::NetUnreachable);
}

pub(crate) fn no_portal_means_refused(choice: Choice) {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent.sock");
    assert_eq!(fault_of(choice, Peer::Portal(Arc::from(absent))), Fault::Refused);
    let dead = folder.path().join("dead.sock");
    drop(UnixListener::bind(&dead).unwrap());
    assert_eq!(fault_of(choice, Peer::Portal(Arc::from(dead))), Fault::Refused);
}

pub(crate) fn an_impossible_path_fails(choice: Choice) {
    let long = "x".repeat(200);
    assert!(matches!(fault_of(choice, Peer::Portal(Arc::from(Path::new(&long)))), Fault::Other(_)));
    assert!(matches!(fault_of(choice, Peer::Portal(Arc::from(Path::new("")))), Fault::Other(_)));
}

pub(crate) fn a_leg_that_is_not_there_fails(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, _client) = bench.session();
    bench.receive(key, Leg::Host, Class::Small);
    let event = bench.event(key);
    assert!(matches!(event, Event::Failed { leg: Leg::Host, during: Doing::Receiving, .. }), "{event:?}");
    bench.send(key, Leg::Host, b"to whom?");
    let event = bench.event(key);
    assert!(matches!(event, Event::Failed { leg: Leg::Host, during: Doing::Sending, .. }), "{event:?}");
    // Neither hurts.
    bench.engine.act(key, Intent::Finish(Leg::Host));
    bench.engine.act(key, Intent::Abort(Leg::Host));
    bench.release(key);
    bench.assert_nothing_lent();
}
