//! Nothing of a session outlives it: no event, no buffer, no descriptor, no operation.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use sluice_engine::Choice;
use sluice_flow::buf::{Chain, Class};
use sluice_flow::event::{Event, Leg};
use sluice_flow::intent::{Intent, Into, Peer};
use sluice_flow::port::{Engine as _, Generation, ListenerId, Slot, SlotKey};

use crate::kit::{Bench, DEADLINE, alone, descriptors};

pub(crate) fn an_idle_session_is_released(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, mut client, mut host) = bench.spliced();
    bench.release(key);
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    assert_eq!(host.read(&mut [0]).unwrap(), 0);
    // Twice is once.
    bench.engine.release(key);
    bench.settle();
    assert!(bench.released.is_empty());
    bench.assert_nothing_lent();
}

pub(crate) fn armed_operations_end_with_the_session(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, mut client, mut host) = bench.spliced();
    bench.receive(key, Leg::Client, Class::Bulk);
    let lent = bench.filled(b"held");
    bench.engine.act(key, Intent::Receive { leg: Leg::Host, into: Into::Behind(lent) });
    bench.settle();
    assert_eq!((bench.engine.in_flight(key, Leg::Client), bench.engine.in_flight(key, Leg::Host)), (1, 1));
    bench.release(key);
    assert_eq!((bench.engine.in_flight(key, Leg::Client), bench.engine.in_flight(key, Leg::Host)), (0, 0));
    assert!(!bench.has_events(key));
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    assert_eq!(host.read(&mut [0]).unwrap(), 0);
    bench.assert_nothing_lent();

    // The same before the engine had a turn to start them.
    let (key, _client, _host) = bench.spliced();
    bench.receive(key, Leg::Client, Class::Small);
    bench.receive(key, Leg::Host, Class::Small);
    bench.release(key);
    assert!(!bench.has_events(key));
    bench.assert_nothing_lent();
}

pub(crate) fn a_connect_under_way_ends_with_the_session(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, _client) = bench.session();
    // A listener whose backlog is full answers no more.
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    listener.listen(0).unwrap();
    let addr = listener.local_addr().unwrap().as_socket().unwrap();
    let full: Vec<_> = (0..4)
        .map(|_| {
            let one = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            one.set_nonblocking(true).unwrap();
            let _ = one.connect(&addr.into());
            one
        })
        .collect();
    bench.engine.act(key, Intent::Connect(Peer::Host(addr)));
    bench.settle();
    assert_eq!(bench.engine.in_flight(key, Leg::Host), 1);
    assert!(!bench.has_events(key));
    // Until it is connected nothing else can be done with it.
    bench.receive(key, Leg::Host, Class::Small);
    let event = bench.event(key);
    assert!(matches!(event, Event::Failed { leg: Leg::Host, .. }), "{event:?}");
    bench.release(key);
    bench.settle();
    assert!(!bench.has_events(key));
    bench.assert_nothing_lent();
    drop(full);
}

pub(crate) fn a_send_under_way_ends_with_the_session(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, client) = bench.session();
    // Nobody reads, so at some point a send stays.
    let mut quiet = 0;
    while quiet < 20 {
        if bench.engine.in_flight(key, Leg::Client) == 0 {
            let mut buf = bench.engine.pool().take(Class::Bulk).unwrap();
            buf.append(&vec![1; Class::Bulk.payload()]);
            let parts = [(0, 1000), (2000, Class::Bulk.payload() - 2000)];
            bench.engine.act(key, Intent::Send { leg: Leg::Client, chain: Chain::of(buf, &parts) });
            quiet = 0;
        }
        bench.turn(Some(std::time::Duration::from_millis(2)));
        quiet += 1;
    }
    bench.events.clear();
    bench.release(key);
    assert!(!bench.has_events(key));
    bench.assert_nothing_lent();
    drop(client);
}

pub(crate) fn nothing_is_told_after_release(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, mut client) = bench.session();
    bench.receive(key, Leg::Client, Class::Small);
    bench.settle();
    // The bytes are there, the kernel may have delivered them, but the session is over.
    client.write_all(b"too late").unwrap();
    bench.engine.release(key);
    // Neither are answers that were given without the kernel.
    let (other, _other_client) = bench.session();
    bench.receive(other, Leg::Host, Class::Small);
    let lent = bench.filled(b"x");
    bench.engine.act(other, Intent::Receive { leg: Leg::Host, into: Into::Behind(lent) });
    bench.engine.release(other);
    bench.until("both released", |bench| (bench.released.contains(&key) && bench.released.contains(&other)).then_some(()));
    bench.settle();
    assert!(!bench.has_events(key));
    assert!(!bench.has_events(other));
    bench.assert_nothing_lent();
}

pub(crate) fn a_late_intent_gives_its_buffers_back(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, _client) = bench.session();
    bench.release(key);
    bench.engine.tally();
    bench.send(key, Leg::Client, b"late");
    let lent = bench.filled(b"late");
    bench.engine.act(key, Intent::Receive { leg: Leg::Client, into: Into::Behind(lent) });
    bench.receive(key, Leg::Client, Class::Small);
    bench.engine.act(key, Intent::Finish(Leg::Client));
    let unknown = SlotKey { slot: Slot(u32::MAX), generation: Generation(0) };
    bench.engine.act(unknown, Intent::Finish(Leg::Client));
    bench.engine.release(unknown);
    assert!(bench.engine.tally().stale >= 5);
    bench.settle();
    assert!(!bench.has_events(key));
    bench.assert_nothing_lent();
}

pub(crate) fn a_slot_serves_many_tenants(choice: Choice) {
    let mut bench = Bench::new(choice);
    let mut last: Option<(SlotKey, TcpStream)> = None;
    for tenant in 0..50u32 {
        let key = SlotKey { slot: Slot(0), generation: Generation(tenant.wrapping_sub(3)) };
        let mut client = bench.session_at(key);
        bench.receive(key, Leg::Client, Class::Small);
        if let Some((old, mut old_client)) = last.take() {
            // Whatever the earlier tenant's client still sends, nobody hears it; nor does the old key act on the new tenant.
            let _ = old_client.write_all(b"from the past");
            bench.engine.act(old, Intent::Abort(Leg::Client));
            bench.engine.act(old, Intent::Finish(Leg::Client));
            bench.engine.release(old);
        }
        let text = format!("tenant {tenant}");
        client.write_all(text.as_bytes()).unwrap();
        let buf = bench.received(key, Leg::Client);
        assert_eq!(buf.filled(), text.as_bytes());
        bench.engine.pool().give(buf);
        // Half of them leave with a receive armed.
        if tenant % 2 == 0 {
            bench.receive(key, Leg::Client, Class::Large);
            bench.turn(Some(std::time::Duration::ZERO));
        }
        bench.release(key);
        last = Some((key, client));
    }
    bench.assert_nothing_lent();
}

pub(crate) fn a_thousand_connections_leave_nothing_behind(choice: Choice) {
    if !alone("a_thousand_connections_leave_nothing_behind", choice, None) {
        return;
    }
    let mut bench = Bench::new(choice);
    let addr = bench.listen(0);
    let mut warm = None;
    for round in 0..1000u32 {
        let key = SlotKey { slot: Slot(round % 7), generation: Generation(round / 7) };
        let mut client = TcpStream::connect(addr).unwrap();
        let visitor = bench.visitor();
        bench.engine.adopt(visitor.door, key);
        let mut host = bench.host_of(key);
        client.write_all(&round.to_ne_bytes()).unwrap();
        bench.expect_bytes(key, Leg::Client, &round.to_ne_bytes());
        bench.send(key, Leg::Host, &round.to_ne_bytes());
        bench.expect_sent(key, Leg::Host);
        let mut got = [0; 4];
        host.read_exact(&mut got).unwrap();
        assert_eq!(got, round.to_ne_bytes());
        if round % 3 == 0 {
            bench.receive(key, Leg::Client, Class::Small);
            bench.receive(key, Leg::Host, Class::Bulk);
        }
        if round % 5 == 0 {
            bench.engine.act(key, Intent::Abort(Leg::Host));
        }
        bench.release(key);
        drop((client, host));
        if round == 10 {
            warm = Some(descriptors());
        }
    }
    assert_eq!(Some(descriptors()), warm);
    bench.assert_nothing_lent();
    let before = descriptors();
    bench.engine.unlisten(ListenerId(0));
    bench.settle();
    assert_eq!(descriptors(), before - 1);
}

pub(crate) fn an_engine_dropped_in_the_middle_closes_everything(choice: Choice) {
    if !alone("an_engine_dropped_in_the_middle_closes_everything", choice, None) {
        return;
    }
    let before = descriptors();
    let mut bench = Bench::new(choice);
    bench.listen(0);
    let (wake, waker) = sluice_engine::eventfd().unwrap();
    bench.engine.wake_on(wake).unwrap();
    let mut ends = Vec::new();
    for _ in 0..20 {
        let (key, client, host) = bench.spliced();
        bench.receive(key, Leg::Client, Class::Bulk);
        let lent = bench.filled(b"lent");
        bench.engine.act(key, Intent::Receive { leg: Leg::Host, into: Into::Behind(lent) });
        ends.push((client, host));
    }
    bench.settle();
    drop(bench);
    drop(waker);
    // What is written now has nowhere to go: the memory of the engine is not written to, and the sockets are closed.
    for (mut client, mut host) in ends {
        for end in [&mut client, &mut host] {
            end.set_read_timeout(Some(DEADLINE)).unwrap();
            let _ = end.write_all(b"anybody?");
            assert!(end.read(&mut [0]).map_or(true, |n| n == 0));
        }
    }
    // A ring is torn down in the background.
    let end = crate::kit::clock() + DEADLINE;
    while descriptors() > before {
        assert!(crate::kit::clock() < end, "{} descriptors instead of {before}", descriptors());
        thread::yield_now();
    }
}
