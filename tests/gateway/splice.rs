//! Bytes both ways: none lost, none changed, none added; each direction may end alone. Whoever opens and seals the records.

use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::sync::mpsc;

use sluicegate_tests::client::{Client, Opening};
use sluicegate_tests::deadline::until;
use sluicegate_tests::gateway::Wish;
use sluicegate_tests::host::Host;

use crate::Pattern;

on_each_engine_and_whoever_has_the_records!(
    single_bytes_arrive_one_by_one,
    client_may_end_its_direction_first,
    host_may_end_its_direction_first,
    host_reset_ends_the_client,
    vanished_client_ends_the_host,
    a_silent_host_costs_nothing,
    two_hundred_sessions_at_once_keep_their_bytes,
    a_slow_reader_gets_everything,
);

fn single_bytes_arrive_one_by_one(wish: Wish) {
    let (gateway, host) = (wish.start(), Host::echo());
    let mut client = gateway.launch(host.address);
    for byte in 0..=255_u8 {
        client.stream.write_all(&[byte]).unwrap();
        let mut back = [0];
        client.stream.read_exact(&mut back).unwrap();
        assert_eq!(back[0], byte);
    }
}

fn client_may_end_its_direction_first(wish: Wish) {
    // The host reads to the end and only then answers with everything, which is more than fits into any socket buffer.
    let host = Host::start(|mut connection| {
        let mut all = Vec::new();
        connection.read_to_end(&mut all)?;
        for _ in 0..64 {
            connection.write_all(&all)?;
        }
        connection.shutdown(Shutdown::Write)
    });
    let gateway = wish.start();
    let mut client = gateway.launch(host.address);
    let sent = Pattern::new(1).bytes(300_000);
    client.stream.write_all(&sent).unwrap();
    client.finish().unwrap();
    let back = client.rest().unwrap();
    assert_eq!(back.len(), 64 * sent.len());
    assert!(back.chunks(sent.len()).all(|part| part == sent));
}

fn host_may_end_its_direction_first(wish: Wish) {
    let (tell, told) = mpsc::channel();
    let host = Host::start(move |mut connection| {
        connection.write_all(b"that is all from me")?;
        connection.shutdown(Shutdown::Write)?;
        let mut all = Vec::new();
        connection.read_to_end(&mut all)?;
        tell.send(all).map_err(io::Error::other)
    });
    let gateway = wish.start();
    let mut client = gateway.launch(host.address);
    assert_eq!(client.rest().unwrap(), b"that is all from me");
    let sent = Pattern::new(2).bytes(1_000_000);
    client.stream.write_all(&sent).unwrap();
    client.finish().unwrap();
    assert!(told.recv().unwrap() == sent, "what the client sent after the host had ended did not arrive whole");
    until("the session to end", || (gateway.count("sessions") == 0).then_some(()));
}

fn host_reset_ends_the_client(wish: Wish) {
    let host = Host::start(|mut connection| {
        let mut one = [0];
        connection.read_exact(&mut one)?;
        // Closing with unread bytes in the socket makes a reset.
        Ok(())
    });
    let gateway = wish.start();
    let mut client = gateway.launch(host.address);
    client.stream.write_all(&[0; 1000]).unwrap();
    // The end is seen, orderly or not, and nothing is made up.
    let mut rest = Vec::new();
    let _ = client.stream.read_to_end(&mut rest);
    assert_eq!(rest, b"");
    until("the session to end", || (gateway.count("sessions") == 0).then_some(()));
}

fn vanished_client_ends_the_host(wish: Wish) {
    let (gateway, host) = (wish.start(), Host::echo());
    let client = gateway.launch(host.address);
    until("the host to be connected", || (host.open() == 1).then_some(()));
    drop(client);
    until("the host's connection to end", || (host.open() == 0).then_some(()));
    assert_eq!(gateway.count("closed_truncated") + gateway.count("closed_client_lost"), 1);
}

fn a_silent_host_costs_nothing(wish: Wish) {
    let (gateway, host) = (wish.start(), Host::silent());
    let mut client = gateway.launch(host.address);
    client.stream.write_all(&Pattern::new(4).bytes(100_000)).unwrap();
    until("all bytes to be with the host", || (gateway.count("up_bytes") == 100_000).then_some(()));
    assert_eq!(gateway.count("buffers_lent"), 0, "a session that waits holds no buffer");
    assert_eq!(gateway.count("spliced"), 1);
    client.finish().unwrap();
    assert_eq!(client.rest().unwrap(), b"");
    until("the session to end", || (gateway.count("sessions") == 0).then_some(()));
}

/// Sends and receives `bytes` at the same time and compares every one.
fn exchange(mut client: Client, seed: u64, bytes: usize) {
    const STEP: usize = 10_000;
    let (mut out, mut back) = (Pattern::new(seed), Pattern::new(seed));
    let mut done = 0;
    while done < bytes {
        let n = STEP.min(bytes - done) & !7;
        client.stream.write_all(&out.bytes(n)).unwrap();
        let mut got = vec![0; n];
        client.stream.read_exact(&mut got).unwrap();
        assert!(got == back.bytes(n), "session {seed}: bytes differ at {done}");
        done += n.max(8);
    }
    client.finish().unwrap();
    assert_eq!(client.rest().unwrap(), b"");
}

fn two_hundred_sessions_at_once_keep_their_bytes(wish: Wish) {
    // All of them come from one address.
    let gateway = wish.line("set ns limits -unprovenPerSource 1000").start();
    let host = Host::echo();
    std::thread::scope(|scope| {
        for seed in 0..200 {
            let (gateway, host) = (&gateway, &host);
            scope.spawn(move || {
                let mut client = gateway.connect();
                let ticket = gateway.ticket(host.address).single();
                assert_eq!(client.present(&ticket, Opening::ALL[seed % 3]).unwrap(), 0);
                exchange(client, seed as u64, 200_000);
            });
        }
    });
    let _ = gateway.quiet();
    assert_eq!(gateway.count("buffers_lent"), 0);
    assert_eq!(host.accepted(), 200);
}

fn a_slow_reader_gets_everything(wish: Wish) {
    let bytes = 24 * 1024 * 1024;
    let host = Host::start(move |mut connection| {
        connection.write_all(&Pattern::new(3).bytes(bytes))?;
        connection.shutdown(Shutdown::Write)?;
        io::copy(&mut connection, &mut io::sink()).map(drop)
    });
    let gateway = wish.start();
    let mut client = gateway.launch(host.address);
    // Until the gateway has filled every buffer on the way and waits.
    let mut last = 0;
    until("the gateway to stop reading from the host", || {
        let now = gateway.count("down_bytes");
        std::mem::replace(&mut last, now).eq(&now).then_some(())
    });
    assert!(last < bytes as u64, "nothing held the gateway back");
    let got = client.rest().unwrap();
    assert!(got == Pattern::new(3).bytes(bytes));
}
