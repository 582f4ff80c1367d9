//! Peers that send and do not read: the memory that they can bind is bounded, and comes back.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::sync::Mutex;
use std::sync::mpsc::channel;

use sluicegate_tests::client::request;
use sluicegate_tests::deadline::{PATIENCE, until};
use sluicegate_tests::gateway::Gateway;
use sluicegate_tests::host::Host;
use sluicegate_tests::sta::{self, Answer};

use super::still_served;
use crate::{Pattern, wish};

on_each_engine!(
    a_host_that_never_stops_to_clients_that_never_read,
    clients_that_never_stop_to_a_host_that_never_reads,
    megabytes_behind_an_opening_wait_outside,
);

/// So many at once.
const CROWD: usize = 40;
/// A buffer of the largest class.
const BULK_KIB: u64 = 515;
/// What one direction of a session may hold beside those: two buffers of the middle class, and the state.
const SESSION_KIB_MAX: u64 = 34 + 10;
/// Buffers that one direction may hold, of any class and of the largest: what is being sent, what came in behind it, and the rest of a
/// record.
const BUFFERS_MAX: u64 = 3;
const BULK_MAX: u64 = 2;
/// Of the largest that all may hold together.
const BULK_IN_ALL_MAX: u64 = 64;
/// What the process may take beyond that: pools grow in pieces, the allocator keeps some.
const SLACK_KIB: u64 = 8 * 1024;

/// Waits until `name` does not grow any more.
fn comes_to_rest(gateway: &Gateway, name: &str) -> u64 {
    let (mut last, mut same) = (0, 0);
    until("the gateway to stop reading", || {
        let now = gateway.count(name);
        same = if now == last && now > 0 { same + 1 } else { 0 };
        last = now;
        (same == 20).then_some(now)
    })
}

/// What `CROWD` sessions hold whose bytes do not move: by the gateway's own count of its buffers, and by its memory.
fn assert_bounded(gateway: &Gateway, memory_kib: u64) {
    let counters = gateway.counters();
    let crowd = CROWD as u64;
    let [all, bulk] = ["buffers_lent", "buffers_lent_bulk"].map(|name| counters[name]);
    let bulk_max = (crowd * BULK_MAX).min(BULK_IN_ALL_MAX);
    assert!(all <= crowd * BUFFERS_MAX && bulk <= bulk_max, "{all} buffers, {bulk} of them bulk, for {CROWD} sessions");
    assert!(bulk > 0, "if nobody held a buffer, nobody would be slow");
    let grown = gateway.memory_kib().saturating_sub(memory_kib);
    let may = bulk * BULK_KIB + crowd * SESSION_KIB_MAX + SLACK_KIB;
    assert!(grown < may, "{grown} KiB for {CROWD} sessions with {bulk} bulk buffers");
}

/// T72: clients with a zero window.
fn a_host_that_never_stops_to_clients_that_never_read(engine: &'static str) {
    let host = Host::start(|mut connection| {
        loop {
            connection.write_all(&[0x55; 64 * 1024])?;
        }
    });
    let (gateway, echo) = (wish(engine).start(), Host::echo());
    let mut witness = gateway.launch(echo.address);
    let (descriptors, memory) = (gateway.descriptors(), gateway.memory_kib());
    let clients: Vec<_> = (0..CROWD).map(|_| gateway.launch(host.address)).collect();
    comes_to_rest(&gateway, "down_bytes");
    assert_bounded(&gateway, memory);
    still_served(&mut witness);
    drop((clients, witness));
    gateway.settles_at(descriptors);
    until("the host's side to end", || (host.open() == 0).then_some(()));
}

/// T72 the other way: a host with a zero window.
fn clients_that_never_stop_to_a_host_that_never_reads(engine: &'static str) {
    let (end, ended) = channel::<()>();
    let ended = Mutex::new(ended);
    let host = Host::start(move |connection| {
        // Whoever has the lock waits for the end of the test, and the others for him.
        let _ = ended.lock().map(|ended| ended.recv());
        drop(connection);
        Ok(())
    });
    let (gateway, echo) = (wish(engine).start(), Host::echo());
    let mut witness = gateway.launch(echo.address);
    let (descriptors, memory) = (gateway.descriptors(), gateway.memory_kib());
    std::thread::scope(|scope| {
        let sockets: Vec<_> = (0..CROWD)
            .map(|_| {
                let mut client = gateway.launch(host.address);
                let socket = client.stream.sock.try_clone().unwrap();
                scope.spawn(move || while client.stream.write_all(&[0x55; 64 * 1024]).is_ok() {});
                socket
            })
            .collect();
        comes_to_rest(&gateway, "up_bytes");
        assert_bounded(&gateway, memory);
        still_served(&mut witness);
        assert_eq!(gateway.count("spliced"), CROWD as u64 + 1, "nobody was ended for it");
        for socket in sockets {
            let _ = socket.shutdown(Shutdown::Both);
        }
    });
    drop((witness, end));
    gateway.settles_at(descriptors);
}

/// T64: what a client sends on before the verdict waits in its own socket, but for 16 KiB; nothing of it is lost. And the first
/// of two authorities may hang: the second is asked while there is time.
fn megabytes_behind_an_opening_wait_outside(engine: &'static str) {
    const CLIENTS: u64 = 20;
    const BYTES: usize = 4 * 1024 * 1024;
    let hangs = sta::misbehaving("STAHANGS", Answer::Hang);
    let (tell, told) = channel();
    let host = Host::start(move |mut connection| {
        let mut all = Vec::new();
        connection.read_to_end(&mut all)?;
        tell.send(all).map_err(std::io::Error::other)
    });
    let gateway = wish(engine).line(format!("bind vpn vserver vpn1 -staServer http://{}", hangs.address)).start();
    let none = sta::Issued { sta_id: "STAHANGS".into(), code: "00112233445566778899AABBCCDDEEFF".into() };
    let tickets: Vec<_> = (0..CLIENTS).map(|_| sta::dual(&none, &gateway.ticket(host.address))).collect();
    let clients: Vec<_> = (0..CLIENTS).map(|_| gateway.connect()).collect();
    let memory = gateway.memory_kib();
    std::thread::scope(|scope| {
        for (seed, (mut client, ticket)) in (0..).zip(clients.into_iter().zip(tickets)) {
            scope.spawn(move || {
                let opening = [&[5, 1, 0], request(ticket.as_bytes()).as_slice()].concat();
                client.stream.write_all(&[opening, Pattern::new(seed).bytes(BYTES)].concat()).unwrap();
                client.finish().unwrap();
                client.stream.read_exact(&mut [0; 2]).unwrap();
                assert_eq!(client.reply().unwrap(), 0);
                assert_eq!(client.rest().unwrap(), b"");
            });
        }
        until("all tickets to be asked about", || (gateway.count("tickets_asked") == CLIENTS).then_some(()));
        let mut most = 0;
        until("a verdict", || {
            let held = gateway.memory_kib().saturating_sub(memory);
            let decided = gateway.count("hosts_connected") > 0;
            most = if decided { most } else { held.max(most) };
            decided.then_some(())
        });
        assert!(most < CLIENTS * 64 + SLACK_KIB, "{most} KiB for {CLIENTS} openings");
        for _ in 0..CLIENTS {
            let got = told.recv_timeout(PATIENCE).unwrap();
            assert!((0..CLIENTS).any(|seed| got == Pattern::new(seed).bytes(BYTES)), "{} bytes that nobody sent", got.len());
        }
    });
    // Connections to authorities are kept for a while, so descriptors say nothing here.
    gateway.settles_at(usize::MAX);
}
