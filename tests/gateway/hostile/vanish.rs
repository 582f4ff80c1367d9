//! Clients that vanish, in every state a session can be in: nothing of them is left.

use std::io::Write as _;
use std::time::Duration;

use sluicegate_tests::client::{Client, Opening, hello, request, reset};
use sluicegate_tests::deadline::{Deadline, until};
use sluicegate_tests::gateway::{Gateway, NAME};
use sluicegate_tests::host::{Host, Void};
use sluicegate_tests::sta::{self, Answer};

use super::{counted, raw, still_served, until_end};
use crate::wish;

on_each_engine!(
    clients_that_vanish_leave_nothing,
    an_opening_that_trickles_ends_at_its_deadline,
    a_host_that_never_answers_ends_at_its_deadline,
);

/// Of each kind.
const CROWD: usize = 10;

fn crowd<T>(make: impl Fn() -> T) -> Vec<T> {
    (0..CROWD).map(|_| make()).collect()
}

/// A client that has said its ticket and does not wait for the reply.
fn asking(gateway: &Gateway, ticket: &str) -> Client {
    let mut client = gateway.connect();
    client.stream.write_all(&request(ticket.as_bytes())).unwrap();
    client.stream.flush().unwrap();
    client
}

/// Section 18 "silent vanish": by FIN and by reset, before a byte, in the hello, in the handshake, in the opening, while the
/// authority hangs, while the host does not answer, and while bytes flow.
fn clients_that_vanish_leave_nothing(engine: &'static str) {
    let hangs = sta::misbehaving("STAHANGS", Answer::Hang);
    // No deadline is short: what ends these sessions is their client's end.
    let limits = "set ns limits -unprovenPerSource 1000 -handshakeTimeoutMs 60000 -prefaceTimeoutMs 60000 -redeemTimeoutMs 60000 \
                  -connectTimeoutMs 60000";
    let gateway = wish(engine).line(format!("bind vpn vserver vpn1 -staServer http://{}", hangs.address)).line(limits).start();
    let (host, void) = (Host::echo(), Void::open());
    let mut witness = gateway.launch(host.address);
    drop(gateway.launch(host.address));
    until("the first session to be gone", || (gateway.count("sessions") == 1).then_some(()));
    let before = gateway.descriptors();
    let said = hello(NAME, &gateway.tls, 0);
    for by_reset in [false, true] {
        let mut sockets = crowd(|| raw(&gateway));
        for part in [&said[..1], &said[..said.len() - 1], &said] {
            sockets.extend(crowd(|| {
                let mut tcp = raw(&gateway);
                tcp.write_all(part).unwrap();
                tcp
            }));
        }
        let mut clients = crowd(|| gateway.connect());
        clients.extend(crowd(|| {
            let mut client = gateway.connect();
            client.stream.write_all(&request(b";40;STA01;0123")[..9]).unwrap();
            client
        }));
        clients.extend(crowd(|| asking(&gateway, ";40;STAHANGS;0123456789ABCDEF0123456789ABCDEF")));
        clients.extend(crowd(|| asking(&gateway, &gateway.ticket(void.address).single())));
        clients.extend(crowd(|| gateway.launch(host.address)));
        until("everybody to be there", || (gateway.count("sessions") == 9 * CROWD as u64 + 1).then_some(()));
        still_served(&mut witness);
        sockets.extend(clients.into_iter().map(|client| client.stream.sock));
        for tcp in sockets {
            if by_reset {
                reset(tcp);
            } else {
                drop(tcp);
            }
        }
        until("nobody but the witness to be left", || (gateway.count("sessions") == 1).then_some(()));
    }
    still_served(&mut witness);
    until("no descriptor to be left over", || (gateway.descriptors() <= before).then_some(()));
    drop(witness);
    gateway.settles_at(before);
}

/// T64: neither silence nor a trickle moves the deadline of the opening.
fn an_opening_that_trickles_ends_at_its_deadline(engine: &'static str) {
    let gateway = wish(engine).line("set ns limits -prefaceTimeoutMs 400").start();
    let silent = gateway.connect();
    let mut trickle = gateway.connect();
    for byte in &request(&[b'A'; 200])[..50] {
        let _ = trickle.stream.write_all(&[*byte]).and_then(|()| trickle.stream.flush());
        let pause = Deadline::after(Duration::from_millis(20));
        until("the next byte's time", || pause.passed().then_some(()));
    }
    until_end(&silent.stream.sock);
    until_end(&trickle.stream.sock);
    counted(&gateway, "closed_opening_timeout", 2);
}

/// Section 18 "VDA silent": not even an answer to the SYN.
fn a_host_that_never_answers_ends_at_its_deadline(engine: &'static str) {
    let (gateway, void) = (wish(engine).line("set ns limits -connectTimeoutMs 300").start(), Void::open());
    let before = gateway.descriptors();
    let mut client = gateway.connect();
    assert_eq!(client.present(&gateway.ticket(void.address).single(), Opening::Pipelined).unwrap(), 4);
    assert_eq!(client.rest().unwrap(), b"");
    drop(client);
    counted(&gateway, "closed_host_timeout", 1);
    gateway.settles_at(before);
}
