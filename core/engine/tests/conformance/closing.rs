//! How a connection ends, half by half.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::thread;

use sluice_engine::Choice;
use sluice_flow::buf::{Chain, Class, Then};
use sluice_flow::event::{Doing, Event, Fault, Leg};
use sluice_flow::intent::{Intent, Into};
use sluice_flow::port::Engine as _;

use crate::accepting::expect_reset;
use crate::kit::Bench;

pub(crate) fn the_client_finishes_first(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, mut client, mut host) = bench.spliced();
    client.write_all(b"question").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    bench.expect_bytes(key, Leg::Client, b"question");
    bench.expect_eof(key, Leg::Client);
    bench.send(key, Leg::Host, b"question");
    bench.expect_sent(key, Leg::Host);
    bench.engine.act(key, Intent::Finish(Leg::Host));
    let mut got = Vec::new();
    host.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"question");
    // The other direction still flows.
    host.write_all(b"answer").unwrap();
    bench.expect_bytes(key, Leg::Host, b"answer");
    bench.send(key, Leg::Client, b"answer");
    bench.expect_sent(key, Leg::Client);
    drop(host);
    bench.expect_eof(key, Leg::Host);
    bench.engine.act(key, Intent::Finish(Leg::Client));
    let mut got = Vec::new();
    client.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"answer");
    bench.release(key);
    bench.assert_nothing_lent();
}

pub(crate) fn the_host_finishes_first(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, mut client, mut host) = bench.spliced();
    host.write_all(b"banner").unwrap();
    host.shutdown(Shutdown::Write).unwrap();
    bench.expect_bytes(key, Leg::Host, b"banner");
    bench.expect_eof(key, Leg::Host);
    bench.engine.act(key, Intent::Finish(Leg::Client));
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    client.write_all(b"late but welcome").unwrap();
    bench.expect_bytes(key, Leg::Client, b"late but welcome");
    bench.send(key, Leg::Host, b"late but welcome");
    bench.expect_sent(key, Leg::Host);
    let mut got = [0; 16];
    host.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"late but welcome");
    bench.release(key);
    assert_eq!(host.read(&mut [0]).unwrap(), 0);
    bench.assert_nothing_lent();
}

pub(crate) fn after_the_end_every_receive_ends(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, client) = bench.session();
    // Armed while it ends.
    bench.receive(key, Leg::Client, Class::Small);
    bench.settle();
    client.shutdown(Shutdown::Write).unwrap();
    let event = bench.event(key);
    assert!(matches!(event, Event::Eof { leg: Leg::Client, kept: None }), "{event:?}");
    for _ in 0..3 {
        bench.expect_eof(key, Leg::Client);
    }
    assert_eq!(bench.engine.in_flight(key, Leg::Client), 0);
    bench.release(key);
    bench.assert_nothing_lent();
}

pub(crate) fn a_lent_buffer_comes_back_at_the_end(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, client) = bench.session();
    let lent = bench.filled(b"half a record");
    bench.engine.act(key, Intent::Receive { leg: Leg::Client, into: Into::Behind(lent) });
    bench.settle();
    drop(client);
    for _ in 0..2 {
        match bench.event(key) {
            Event::Eof { leg: Leg::Client, kept: Some(buf) } => {
                assert_eq!(buf.filled(), b"half a record");
                // Once more, now that the end is known.
                bench.engine.act(key, Intent::Receive { leg: Leg::Client, into: Into::Behind(buf) });
            }
            other => panic!("{other:?}"),
        }
    }
    bench.until("the third answer", |bench| bench.has_events(key).then_some(()));
    bench.release(key);
    for event in bench.events.remove(&key).unwrap() {
        match event {
            Event::Eof { kept: Some(buf), .. } => bench.engine.pool().give(buf),
            other => panic!("{other:?}"),
        }
    }
    bench.assert_nothing_lent();
}

pub(crate) fn a_reset_fails_the_receive(choice: Choice) {
    for armed in [true, false] {
        let mut bench = Bench::new(choice);
        let (key, client) = bench.session();
        if armed {
            bench.receive(key, Leg::Client, Class::Large);
            bench.settle();
        }
        socket2::SockRef::from(&client).set_linger(Some(std::time::Duration::ZERO)).unwrap();
        drop(client);
        if !armed {
            bench.settle();
            bench.receive(key, Leg::Client, Class::Large);
        }
        let event = bench.event(key);
        assert!(matches!(event, Event::Failed { leg: Leg::Client, during: Doing::Receiving, fault: Fault::Reset }), "{event:?}");
        // Again, with the same answer.
        bench.receive(key, Leg::Client, Class::Large);
        let event = bench.event(key);
        assert!(matches!(event, Event::Failed { leg: Leg::Client, during: Doing::Receiving, fault: Fault::Reset }), "{event:?}");
        bench.release(key);
        bench.assert_nothing_lent();
    }
}

pub(crate) fn finishing_waits_for_the_send(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, client) = bench.session();
    // More than the kernel takes at once, so that the send is under way when the end is asked for.
    let rounds = 40;
    for round in 0..rounds {
        let mut buf = bench.engine.pool().take(Class::Bulk).unwrap();
        buf.append(&vec![round; Class::Bulk.payload()]);
        bench.engine.act(key, Intent::Send { leg: Leg::Client, chain: Chain::whole(buf) });
        if round == rounds - 1 {
            break;
        }
        let reader = client.try_clone().unwrap();
        // Read what was sent before, all but the last.
        let reading = thread::spawn(move || {
            let mut reader = reader;
            reader.read_exact(&mut vec![0; Class::Bulk.payload()]).unwrap();
        });
        bench.expect_sent(key, Leg::Client);
        reading.join().unwrap();
    }
    bench.engine.act(key, Intent::Finish(Leg::Client));
    let reading = thread::spawn(move || {
        let (mut client, mut got) = (client, Vec::new());
        client.read_to_end(&mut got).unwrap();
        got
    });
    bench.expect_sent(key, Leg::Client);
    let got = reading.join().unwrap();
    assert_eq!(got.len(), Class::Bulk.payload());
    assert!(got.iter().all(|b| *b == rounds - 1));
    bench.release(key);
    bench.assert_nothing_lent();
}

pub(crate) fn the_last_bytes_take_fin_along(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, mut client) = bench.session();
    for (text, then) in [("behind this ", Then::Open), ("there is nothing", Then::Fin)] {
        let chain = Chain::whole(bench.filled(text.as_bytes())).then(then);
        bench.engine.act(key, Intent::Send { leg: Leg::Client, chain });
        bench.expect_sent(key, Leg::Client);
    }
    let mut got = String::new();
    client.read_to_string(&mut got).unwrap();
    assert_eq!(got, "behind this there is nothing");
    // The other direction goes on.
    client.write_all(b"and you?").unwrap();
    bench.expect_bytes(key, Leg::Client, b"and you?");
    bench.release(key);
    bench.assert_nothing_lent();
}

pub(crate) fn what_may_wait_comes_all_the_same(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, mut client) = bench.session();
    // Once with something behind it, which takes it along, and once without.
    for texts in [&["one, ", "two"][..], &["three"]] {
        for text in texts {
            let then = if *text == "two" { Then::Open } else { Then::More };
            let chain = Chain::whole(bench.filled(text.as_bytes())).then(then);
            bench.engine.act(key, Intent::Send { leg: Leg::Client, chain });
            bench.expect_sent(key, Leg::Client);
        }
        let whole = texts.concat();
        let mut got = vec![0; whole.len()];
        client.read_exact(&mut got).unwrap();
        assert_eq!(got, whole.as_bytes());
    }
    bench.release(key);
    bench.assert_nothing_lent();
}

pub(crate) fn an_aborted_leg_is_reset(choice: Choice) {
    for armed in [true, false] {
        let mut bench = Bench::new(choice);
        let (key, client, host) = bench.spliced();
        if armed {
            bench.receive(key, Leg::Client, Class::Small);
            bench.receive(key, Leg::Host, Class::Small);
            bench.settle();
        }
        bench.engine.act(key, Intent::Abort(Leg::Client));
        bench.release(key);
        expect_reset(client);
        // The other leg ends in an orderly way.
        let mut host = host;
        assert_eq!(host.read(&mut [0]).unwrap(), 0);
        bench.assert_nothing_lent();
    }
}

pub(crate) fn sending_to_nobody_fails(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, client) = bench.session();
    drop(client);
    // The first may still go into the kernel's buffer, and is answered by a reset.
    let fault = bench.until("the failure", |bench| {
        bench.send(key, Leg::Client, b"anybody there?");
        match bench.event(key) {
            Event::Sent { .. } => None,
            Event::Failed { leg: Leg::Client, during: Doing::Sending, fault } => Some(fault),
            other => panic!("{other:?}"),
        }
    });
    assert_eq!(fault, Fault::Reset);
    bench.release(key);
    bench.assert_nothing_lent();
}
