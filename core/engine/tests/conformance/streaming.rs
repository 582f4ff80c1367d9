//! Bytes: all of them, in order, to the right session.

use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use sluice_engine::Choice;
use sluice_flow::buf::{Chain, Class};
use sluice_flow::event::{Doing, Event, Fault, Leg};
use sluice_flow::intent::{Intent, Into};
use sluice_flow::port::{Engine as _, SlotKey};

use crate::kit::{Bench, DEADLINE, Digest, Noise, drain, pour};

const MIB: usize = 1024 * 1024;

pub(crate) fn single_bytes_arrive_in_order(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, mut client) = bench.session();
    let text = b"each of these bytes is sent in a packet of its own";
    let writer = thread::spawn(move || {
        for byte in text {
            client.write_all(&[*byte]).unwrap();
        }
        client
    });
    bench.expect_bytes(key, Leg::Client, text);
    let mut client = writer.join().unwrap();
    for byte in text {
        bench.send(key, Leg::Client, &[*byte]);
        bench.expect_sent(key, Leg::Client);
    }
    let mut got = vec![0; text.len()];
    client.read_exact(&mut got).unwrap();
    assert_eq!(got, text);
    bench.release(key);
    bench.assert_nothing_lent();
}

pub(crate) fn what_is_said_goes_out_before_long_work(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, mut client) = bench.session();
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    let (other, _other_client) = bench.session();
    bench.receive(other, Leg::Client, Class::Small);
    for text in [b"now".as_slice(), b"and again"] {
        bench.send(key, Leg::Client, text);
        bench.engine.send_now().unwrap();
        // Nobody turns meanwhile.
        let mut got = vec![0; text.len()];
        client.read_exact(&mut got).unwrap();
        assert_eq!(got, text);
        bench.expect_sent(key, Leg::Client);
    }
    bench.release(key);
    bench.release(other);
    bench.assert_nothing_lent();
}

pub(crate) fn bytes_go_behind_those_that_are_there(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, mut client) = bench.session();
    let mut buf = bench.filled(b"half a rec");
    client.write_all(b"ord").unwrap();
    bench.engine.act(key, Intent::Receive { leg: Leg::Client, into: Into::Behind(buf) });
    buf = bench.received(key, Leg::Client);
    assert_eq!(buf.filled(), b"half a record");
    // And again behind that.
    client.write_all(b", then more").unwrap();
    bench.engine.act(key, Intent::Receive { leg: Leg::Client, into: Into::Behind(buf) });
    buf = bench.received(key, Leg::Client);
    assert_eq!(buf.filled(), b"half a record, then more");
    // A buffer without room is not taken for the end of the stream.
    let room = buf.spare();
    buf.append(&vec![0; room]);
    bench.engine.act(key, Intent::Receive { leg: Leg::Client, into: Into::Behind(buf) });
    let event = bench.event(key);
    assert!(matches!(event, Event::Failed { during: Doing::Receiving, .. }), "{event:?}");
    bench.release(key);
    bench.assert_nothing_lent();
}

pub(crate) fn a_chain_is_sent_without_what_lies_between(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, mut client) = bench.session();
    let mut buf = bench.engine.pool().take(Class::Bulk).unwrap();
    let (mut parts, mut want) = (Vec::new(), Vec::new());
    for i in 0..17u8 {
        let from = buf.len();
        buf.append(b"[hdr]");
        parts.push((from + 5, 10_000));
        buf.append(&vec![i; 10_000]);
        want.extend_from_slice(&vec![i; 10_000]);
        buf.append(b"[tag]");
    }
    bench.engine.act(key, Intent::Send { leg: Leg::Client, chain: Chain::of(buf, &parts) });
    let reader = thread::spawn(move || {
        let mut got = vec![0; want.len()];
        client.read_exact(&mut got).unwrap();
        assert!(got == want);
        client
    });
    bench.expect_sent(key, Leg::Client);
    drop(reader.join().unwrap());
    bench.release(key);
    bench.assert_nothing_lent();
}

pub(crate) fn an_empty_chain_is_sent_at_once(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, _client) = bench.session();
    bench.send(key, Leg::Client, b"");
    bench.expect_sent(key, Leg::Client);
    bench.assert_nothing_lent();
}

pub(crate) fn a_second_receive_is_refused_and_the_first_goes_on(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, mut client) = bench.session();
    bench.receive(key, Leg::Client, Class::Small);
    let lent = bench.filled(b"mine");
    bench.engine.act(key, Intent::Receive { leg: Leg::Client, into: Into::Behind(lent) });
    let event = bench.event(key);
    assert!(matches!(event, Event::Failed { during: Doing::Receiving, fault: Fault::Other(_), .. }), "{event:?}");
    client.write_all(b"first").unwrap();
    let buf = bench.received(key, Leg::Client);
    assert_eq!(buf.filled(), b"first");
    bench.engine.pool().give(buf);
    bench.assert_nothing_lent();
}

/// What the splice of a session does, and nothing else: what comes from one leg goes to the other.
fn pump(bench: &mut Bench, keys: &[SlotKey], class: Class) {
    for key in keys {
        bench.receive(*key, Leg::Client, class);
        bench.receive(*key, Leg::Host, class);
    }
    let mut open = keys.len() * 2;
    while open > 0 {
        let ready = bench.until("bytes to pass on", |bench| {
            let ready: Vec<_> = keys.iter().copied().filter(|k| bench.has_events(*k)).collect();
            (!ready.is_empty()).then_some(ready)
        });
        for key in ready {
            for event in std::mem::take(bench.events.get_mut(&key).unwrap()) {
                match event {
                    Event::Received { leg, buf, .. } => {
                        bench.engine.act(key, Intent::Send { leg: other(leg), chain: Chain::whole(buf) });
                    }
                    Event::Sent { leg } => bench.receive(key, other(leg), class),
                    Event::Eof { leg, kept: None } => {
                        bench.engine.act(key, Intent::Finish(other(leg)));
                        open -= 1;
                    }
                    unexpected => panic!("{unexpected:?}"),
                }
            }
        }
    }
}

fn other(leg: Leg) -> Leg {
    match leg {
        Leg::Client => Leg::Host,
        Leg::Host => Leg::Client,
    }
}

pub(crate) fn large_transfers_both_ways_at_once(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, client, host) = bench.spliced();
    let total = 64 * MIB;
    let threads = [(client.try_clone().unwrap(), host.try_clone().unwrap(), 1), (host, client, 2)]
        .map(|(from, to, seed)| (thread::spawn(move || pour(from, seed, total)), thread::spawn(move || drain(to))));
    pump(&mut bench, &[key], Class::Bulk);
    for (writer, reader) in threads {
        assert_eq!(writer.join().unwrap(), reader.join().unwrap());
    }
    bench.release(key);
    bench.assert_nothing_lent();
}

pub(crate) fn many_sessions_keep_their_bytes_apart(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (mut keys, mut threads) = (Vec::new(), Vec::new());
    for i in 0..24 {
        let (key, client, host) = bench.spliced();
        keys.push(key);
        for (from, to, seed) in [(client.try_clone().unwrap(), host.try_clone().unwrap(), 100 + i), (host, client, 200 + i)] {
            threads.push((thread::spawn(move || pour(from, seed, MIB)), thread::spawn(move || drain(to))));
        }
    }
    pump(&mut bench, &keys, Class::Large);
    for (writer, reader) in threads {
        assert_eq!(writer.join().unwrap(), reader.join().unwrap());
    }
    for key in keys {
        bench.release(key);
    }
    bench.assert_nothing_lent();
}

pub(crate) fn a_slow_reader_holds_the_sender_back(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, mut client) = bench.session();
    let mut noise = Noise::new(3);
    let mut sent = Digest::default();
    let mut block = vec![0; Class::Bulk.payload()];
    // Send until the kernel takes no more: nobody reads.
    let mut stuck = 0;
    while stuck < 20 {
        if bench.engine.in_flight(key, Leg::Client) == 0 {
            noise.fill(&mut block);
            sent.add(&block);
            bench.send(key, Leg::Client, &block);
            stuck = 0;
        }
        bench.turn(Some(Duration::from_millis(2)));
        stuck += 1;
        if let Some(events) = bench.events.get_mut(&key) {
            for event in events.drain(..) {
                assert!(matches!(event, Event::Sent { leg: Leg::Client }), "{event:?}");
            }
        }
        assert!(sent.bytes < 1 << 30, "nothing holds the sender back");
    }
    assert_eq!(bench.engine.pool().lent(Class::Bulk), 1, "one send holds one buffer, however long it takes");
    // The other direction is not held up by it.
    client.write_all(b"still here").unwrap();
    bench.expect_bytes(key, Leg::Client, b"still here");

    let total = sent.bytes;
    let reader = thread::spawn(move || {
        let mut got = Digest::default();
        let mut block = vec![0; 10_000];
        client.set_read_timeout(Some(DEADLINE)).unwrap();
        while got.bytes < total {
            let n = client.read(&mut block).unwrap();
            assert!(n > 0);
            got.add(&block[..n]);
        }
        got.result()
    });
    bench.expect_sent(key, Leg::Client);
    assert_eq!(reader.join().unwrap(), sent.result());
    bench.release(key);
    bench.assert_nothing_lent();
}

pub(crate) fn a_full_buffer_says_that_there_is_more(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, mut client) = bench.session();
    let n = Class::Small.payload() + 5;
    client.write_all(&vec![b'x'; n]).unwrap();
    // Give the kernel time to have it all: nothing is asked for yet.
    bench.settle();
    bench.receive(key, Leg::Client, Class::Small);
    match bench.event(key) {
        Event::Received { buf, more, .. } => {
            assert_eq!(buf.len(), Class::Small.payload());
            assert!(more);
            bench.engine.pool().give(buf);
        }
        other => panic!("{other:?}"),
    }
    bench.receive(key, Leg::Client, Class::Small);
    match bench.event(key) {
        Event::Received { buf, more, .. } => {
            assert_eq!(buf.len(), 5);
            assert!(!more);
            bench.engine.pool().give(buf);
        }
        other => panic!("{other:?}"),
    }
    bench.assert_nothing_lent();
}
