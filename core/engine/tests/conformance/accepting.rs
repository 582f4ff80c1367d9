//! Doors: who comes in, who does not, and from where.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use sluice_engine::{Choice, EngineSettings};
use sluice_flow::event::Leg;
use sluice_flow::port::{Engine as _, GONE_PER_TURN, ListenerId};

use crate::kit::{Bench, alone, descriptors, settings};

pub(crate) fn a_client_is_adopted_and_its_addresses_are_known(choice: Choice) {
    let mut bench = Bench::new(choice);
    let addr = bench.listen(3);
    let mut client = TcpStream::connect(addr).unwrap();
    // What is sent before anybody looks is not lost.
    client.write_all(b"hello").unwrap();
    let visitor = bench.visitor();
    assert_eq!(visitor.listener, ListenerId(3));
    assert_eq!(visitor.client, client.local_addr().unwrap());
    assert_eq!(visitor.local, addr);
    let key = bench.fresh_key();
    bench.engine.adopt(visitor.door, key);
    bench.expect_bytes(key, Leg::Client, b"hello");
    bench.send(key, Leg::Client, b"welcome");
    bench.expect_sent(key, Leg::Client);
    let mut got = [0; 7];
    client.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"welcome");
    assert_eq!(bench.engine.host_leg_address(key), None);
    bench.release(key);
    bench.assert_nothing_lent();
}

pub(crate) fn a_refused_client_sees_a_reset(choice: Choice) {
    let mut bench = Bench::new(choice);
    let addr = bench.listen(0);
    let client = TcpStream::connect(addr).unwrap();
    let visitor = bench.visitor();
    bench.engine.refuse(visitor.door);
    expect_reset(client);
}

pub(crate) fn an_unanswered_door_is_refused(choice: Choice) {
    let mut bench = Bench::new(choice);
    let addr = bench.listen(0);
    let client = TcpStream::connect(addr).unwrap();
    let visitor = bench.visitor();
    bench.turn(Some(Duration::ZERO));
    expect_reset(client);
    // And an answer that comes too late finds nothing: the session is there, but has nobody to talk to.
    let key = bench.fresh_key();
    bench.engine.adopt(visitor.door, key);
    assert_eq!(bench.engine.in_flight(key, Leg::Client), 0);
    bench.release(key);
}

/// Also between engines of two kinds, as when one worker could not have its ring.
pub(crate) fn a_connection_goes_from_one_engine_to_another(choice: Choice) {
    for other in [choice, Choice::Mio] {
        let mut from = Bench::new(choice);
        let addr = from.listen(3);
        let mut client = TcpStream::connect(addr).unwrap();
        client.write_all(b"hello").unwrap();
        let visitor = from.visitor();
        let socket = from.engine.give_away(visitor.door).unwrap();
        assert!(from.engine.give_away(visitor.door).is_none());
        from.settle();

        let mut to = Bench::with(other, &settings());
        let (door, peer, local) = to.engine.take_in(socket).unwrap();
        assert_eq!((peer, local), (client.local_addr().unwrap(), addr));
        let key = to.fresh_key();
        to.engine.adopt(door, key);
        to.expect_bytes(key, Leg::Client, b"hello");
        to.send(key, Leg::Client, b"welcome");
        to.expect_sent(key, Leg::Client);
        let mut got = [0; 7];
        client.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"welcome");
        to.release(key);
        to.assert_nothing_lent();
    }
    // One that the worker does not adopt is refused, as any other.
    let mut from = Bench::new(choice);
    let client = TcpStream::connect(from.listen(3)).unwrap();
    let visitor = from.visitor();
    let socket = from.engine.give_away(visitor.door).unwrap();
    let mut to = Bench::new(choice);
    assert!(to.engine.take_in(socket).is_some());
    to.turn(Some(Duration::ZERO));
    expect_reset(client);
}

pub(crate) fn expect_reset(mut client: TcpStream) {
    client.set_read_timeout(Some(crate::kit::DEADLINE)).unwrap();
    assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

pub(crate) fn clients_wait_in_the_backlog_while_accepting_is_off(choice: Choice) {
    let mut bench = Bench::new(choice);
    let addr = bench.listen(0);
    bench.settle();
    bench.engine.accept(false);
    bench.settle();
    let mut waiting = TcpStream::connect(addr).unwrap();
    waiting.write_all(b"patience").unwrap();
    bench.settle();
    assert!(bench.visitors.is_empty());

    // Off and on again in one turn is on.
    bench.engine.accept(true);
    bench.engine.accept(false);
    bench.engine.accept(true);
    let visitor = bench.visitor();
    let key = bench.fresh_key();
    bench.engine.adopt(visitor.door, key);
    bench.expect_bytes(key, Leg::Client, b"patience");

    let second = TcpStream::connect(addr).unwrap();
    let visitor = bench.visitor();
    assert_eq!(visitor.client, second.local_addr().unwrap());
    bench.engine.refuse(visitor.door);
}

pub(crate) fn listeners_come_and_go(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (first, second) = (bench.listen(1), bench.listen(2));
    for (addr, id) in [(first, 1), (second, 2), (first, 1)] {
        let client = TcpStream::connect(addr).unwrap();
        let visitor = bench.visitor();
        assert_eq!(visitor.listener, ListenerId(id));
        bench.engine.refuse(visitor.door);
        drop(client);
    }
    bench.engine.unlisten(ListenerId(1));
    bench.engine.unlisten(ListenerId(99));
    bench.until("the listener is closed", |_| {
        TcpStream::connect(first).is_err_and(|e| e.kind() == ErrorKind::ConnectionRefused).then_some(())
    });
    // The other is not touched, and a new one finds its place.
    let third = bench.listen(3);
    for (addr, id) in [(second, 2), (third, 3)] {
        let _client = TcpStream::connect(addr).unwrap();
        let visitor = bench.until("a visitor of the living", |bench| {
            let visitor = bench.visitors.pop_front()?;
            (visitor.listener == ListenerId(id)).then_some(visitor)
        });
        bench.engine.refuse(visitor.door);
    }
}

pub(crate) fn a_hundred_clients_at_once(choice: Choice) {
    let mut bench = Bench::new(choice);
    let addr = bench.listen(0);
    let clients: Vec<_> = (0..100).map(|_| TcpStream::connect(addr).unwrap()).collect();
    let mut keys = Vec::new();
    while keys.len() < clients.len() {
        let visitor = bench.visitor();
        let key = bench.fresh_key();
        bench.engine.adopt(visitor.door, key);
        keys.push((key, visitor.client));
        while let Some(visitor) = bench.visitors.pop_front() {
            let key = bench.fresh_key();
            bench.engine.adopt(visitor.door, key);
            keys.push((key, visitor.client));
        }
    }
    for (key, from) in &keys {
        let mut client = clients.iter().find(|c| c.local_addr().unwrap() == *from).unwrap();
        client.write_all(from.to_string().as_bytes()).unwrap();
        bench.expect_bytes(*key, Leg::Client, from.to_string().as_bytes());
    }
    for (key, _) in keys {
        bench.release(key);
    }
    bench.assert_nothing_lent();
}

/// More connections than a small ring has room for completions of: those that do not fit must not be lost.
pub(crate) fn a_storm_of_clients_is_served_to_the_last(choice: Choice) {
    if !alone("a_storm_of_clients_is_served_to_the_last", choice, None) {
        return;
    }
    // As many as a listener lets wait, at most.
    let backlog: u64 = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap().trim().parse().unwrap();
    let descriptors = sluice_engine::raise_descriptor_limit(10_000).unwrap();
    let storm = 1000.min(backlog - 1).min(descriptors / 3);
    let mut bench = Bench::with(choice, &EngineSettings { sessions: 8, ..settings() });
    let addr = bench.listen(0);
    let mut clients: HashMap<_, _> = (0..storm)
        .map(|_| {
            let client = TcpStream::connect(addr).unwrap();
            (client.local_addr().unwrap(), client)
        })
        .collect();
    while !clients.is_empty() {
        let visitor = bench.visitor();
        bench.engine.refuse(visitor.door);
        expect_reset(clients.remove(&visitor.client).unwrap());
        while let Some(visitor) = bench.visitors.pop_front() {
            bench.engine.refuse(visitor.door);
            expect_reset(clients.remove(&visitor.client).unwrap());
        }
    }
}

/// Whoever is there is not served behind all those who have left while they waited, as slowly as if they were there.
pub(crate) fn who_has_left_is_passed_over(choice: Choice) {
    const LEFT: usize = 30;
    let mut bench = Bench::new(choice);
    let addr = bench.listen(0);
    for _ in 0..LEFT {
        let client = TcpStream::connect(addr).unwrap();
        socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    }
    let client = TcpStream::connect(addr).unwrap();
    let turns = (1..=LEFT).find(|_| {
        bench.turn(Some(Duration::ZERO));
        !bench.visitors.is_empty()
    });
    let most = LEFT.div_ceil(GONE_PER_TURN + 1) + 2;
    assert!(turns.is_some_and(|turns| turns <= most), "{turns:?} turns, {most} at most");
    let visitor = bench.visitor();
    assert_eq!(visitor.client, client.local_addr().unwrap());
    bench.engine.refuse(visitor.door);
    expect_reset(client);
}

pub(crate) fn without_descriptors_accepting_pauses_and_recovers(choice: Choice) {
    if !alone("without_descriptors_accepting_pauses_and_recovers", choice, Some(64)) {
        return;
    }
    let mut bench = Bench::new(choice);
    let addr = bench.listen(0);
    bench.settle();
    // Fill up the table, leaving room for the client's own socket and not for ours.
    let mut hoard = Vec::new();
    while descriptors() < 64 {
        hoard.push(std::fs::File::open("/dev/null").unwrap());
    }
    // Counting took one itself, so one more may be free.
    while let Ok(one) = std::fs::File::open("/dev/null") {
        hoard.push(one);
    }
    hoard.pop();
    let first = TcpStream::connect(addr).unwrap();
    // It is reset rather than left waiting, and the loop does not spin: most turns sleep.
    bench.settle();
    assert!(bench.visitors.is_empty());
    expect_reset(first);
    let busy = (0..20).filter(|_| bench.turn(Some(Duration::from_millis(5))) > 0).count();
    assert!(busy < 5, "{busy} of 20 turns found something to do");

    hoard.clear();
    let second = TcpStream::connect(addr).unwrap();
    let visitor = bench.visitor();
    assert_eq!(visitor.client, second.local_addr().unwrap());
    bench.engine.refuse(visitor.door);
}
