//! Before the handshake is over: hellos of every size and speed, and crowds that never finish.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use sluicegate_tests::client::{fragments, hello, tcp_from};
use sluicegate_tests::deadline::{Deadline, PATIENCE, until};
use sluicegate_tests::gateway::NAME;
use sluicegate_tests::host::Host;

use super::{counted, raw, still_served, until_end};
use crate::wish;

on_each_engine!(
    hellos_of_up_to_16_kib_are_read_and_longer_ones_refused,
    a_hello_may_come_byte_by_byte,
    who_does_not_finish_a_hello_is_closed_in_time,
    a_source_that_never_finishes_has_its_share_and_no_more,
    who_stops_in_the_handshake_is_closed_in_time,
    a_flood_of_connections_comes_in_as_fast_as_turns_go_and_no_faster,
);

/// The most bytes that a hello may have, record headers included.
const HELLO_BYTES_MAX: usize = 16 * 1024;
const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;

/// T05: the cap holds at the byte, however the hello is cut into records.
fn hellos_of_up_to_16_kib_are_read_and_longer_ones_refused(engine: &'static str) {
    let gateway = wish(engine).start();
    let mut refused = 0;
    for bytes in [0, 2_000, 4_096, 8_192, HELLO_BYTES_MAX - 1, HELLO_BYTES_MAX, HELLO_BYTES_MAX + 1, HELLO_BYTES_MAX + 5] {
        let whole = hello(NAME, &gateway.tls, bytes);
        // In records of 1000 bytes each has a header of its own, which counts.
        for cut in [usize::from(u16::MAX), 1_000] {
            let said = fragments(&whole, cut);
            let mut tcp = raw(&gateway);
            tcp.write_all(&said).unwrap();
            let mut kind = [0];
            tcp.read_exact(&mut kind).unwrap();
            if said.len() <= HELLO_BYTES_MAX {
                assert_eq!(kind[0], HANDSHAKE, "{bytes} bytes in records of {cut}: a ServerHello");
            } else {
                refused += 1;
                assert_eq!(kind[0], ALERT, "{bytes} bytes in records of {cut}");
                assert!(until_end(&tcp).len() < 7, "one alert and no more");
            }
        }
    }
    counted(&gateway, "closed_bad_hello", refused);
    // More records than anybody needs.
    let tcp = raw(&gateway);
    let _ = (&tcp).write_all(&fragments(&hello(NAME, &gateway.tls, 0), 2));
    assert_eq!(until_end(&tcp).first(), Some(&ALERT));
    counted(&gateway, "closed_bad_hello", refused + 1);
}

/// T05: slowness alone is no fault.
fn a_hello_may_come_byte_by_byte(engine: &'static str) {
    let gateway = wish(engine).line("set ns limits -handshakeTimeoutMs 60000").start();
    let mut tcp = raw(&gateway);
    for byte in fragments(&hello(NAME, &gateway.tls, 0), 700) {
        tcp.write_all(&[byte]).unwrap();
    }
    let mut kind = [0];
    tcp.read_exact(&mut kind).unwrap();
    assert_eq!(kind[0], HANDSHAKE);
}

/// T05: silence, half a hello, and one whose bytes trickle: the deadline runs from the accept and no byte moves it.
fn who_does_not_finish_a_hello_is_closed_in_time(engine: &'static str) {
    let (gateway, host) = (wish(engine).line("set ns limits -handshakeTimeoutMs 500").start(), Host::echo());
    let mut witness = gateway.launch(host.address);
    let said = hello(NAME, &gateway.tls, 0);
    let silent = raw(&gateway);
    let mut half = raw(&gateway);
    half.write_all(&said[..said.len() / 2]).unwrap();
    let trickle = raw(&gateway);
    // A byte at a time, for longer than the deadline is; the hello has many more.
    for byte in &said[..60] {
        let _ = (&trickle).write_all(&[*byte]);
        let pause = Deadline::after(Duration::from_millis(20));
        until("the next byte's time", || pause.passed().then_some(()));
    }
    for tcp in [&silent, &half, &trickle] {
        assert_eq!(until_end(tcp), b"");
    }
    counted(&gateway, "closed_tls_timeout", 3);
    still_served(&mut witness);
}

/// T04, T23: two thousand connections of one source that never say a word.
fn a_source_that_never_finishes_has_its_share_and_no_more(engine: &'static str) {
    let gateway = wish(engine).line("set ns limits -unprovenPerSource 64 -handshakeTimeoutMs 8000").start();
    let host = Host::echo();
    let before = gateway.descriptors();
    let mut witness = gateway.launch(host.address);
    let neighbour = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    let crowd: Vec<_> = (0..2_000).filter_map(|_| tcp_from(neighbour, gateway.public()).ok()).collect();
    until("the crowd to be let in or not", || {
        let counters = gateway.counters();
        (counters["closed_source_limit"] + counters["closed_tls_timeout"] + counters["sessions"] > 2_000).then_some(())
    });
    assert!(gateway.descriptors() < before + 100, "those beyond the share hold nothing");
    // Others are served, old and new.
    still_served(&mut witness);
    still_served(&mut gateway.launch(host.address));
    drop(crowd);
    // And the source itself, once its crowd has gone.
    until("the crowd to be gone", || (gateway.count("sessions") <= 2).then_some(()));
    let _ = gateway.connect_from(neighbour);
    assert!(gateway.count("closed_source_limit") >= 1_000, "{:?}", gateway.counters());
}

/// T05: the handshake's deadline holds behind the hello, too.
fn who_stops_in_the_handshake_is_closed_in_time(engine: &'static str) {
    let gateway = wish(engine).line("set ns limits -handshakeTimeoutMs 300").start();
    let all: Vec<_> = (0..20)
        .map(|_| {
            let mut tcp = raw(&gateway);
            tcp.write_all(&hello(NAME, &gateway.tls, 0)).unwrap();
            tcp
        })
        .collect();
    for tcp in &all {
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(until_end(tcp).first(), Some(&HANDSHAKE), "the server's flight, then the end");
    }
    counted(&gateway, "closed_tls_timeout", 20);
}

/// T23: what a connection costs is in front of somebody's keystroke a few times, and not a thousand times. By the gateway's own count of turns:
/// that many connections, waiting when it looks, have come in over so many turns.
fn a_flood_of_connections_comes_in_as_fast_as_turns_go_and_no_faster(engine: &'static str) {
    /// A few less than a listener lets wait.
    const FLOOD: u64 = 1_000;
    /// As `sluice_flow::port::ACCEPTS_PER_TURN`: from outside it is a promise, not a constant.
    const A_TURN: u64 = 1;
    let gateway = wish(engine).line("set ns limits -unprovenPerSource 10000 -handshakeTimeoutMs 60000").start();
    let host = Host::echo();
    let descriptors = gateway.descriptors();
    let mut witness = gateway.launch(host.address);
    let before = gateway.counters();
    gateway.signal("STOP");
    // The kernel lets them in, and they wait.
    let crowd: Vec<_> = (0..FLOOD).map(|_| raw(&gateway)).collect();
    witness.stream.write_all(b"key").unwrap();
    gateway.signal("CONT");
    witness.stream.read_exact(&mut [0; 3]).unwrap();
    let after = until("all of them to be in", || {
        let counters = gateway.counters();
        (counters["accepted"] == before["accepted"] + FLOOD).then_some(counters)
    });
    let turns = after["turns"] - before["turns"];
    assert!(turns * A_TURN >= FLOOD, "{FLOOD} came in {turns} turns");
    still_served(&mut witness);
    drop((crowd, witness));
    gateway.settles_at(descriptors);
}
