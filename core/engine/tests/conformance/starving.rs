//! What happens when buffers run out.

use std::io::Write;

use sluice_engine::{BULK_PER_TURN, Choice, EngineSettings};
use sluice_flow::buf::{Class, PoolSizes};
use sluice_flow::event::{Event, Leg};
use sluice_flow::port::Engine as _;

use crate::kit::{Bench, settings};

fn bench_with(choice: Choice, pool: PoolSizes) -> Bench {
    Bench::with(choice, &EngineSettings { pool, ..settings() })
}

pub(crate) fn a_smaller_buffer_serves(choice: Choice) {
    let mut bench = bench_with(choice, PoolSizes { small: 8, large: 8, bulk: 0 });
    let (key, mut client) = bench.session();
    let mut out = Vec::new();
    while let Some(buf) = bench.engine.pool().take(Class::Large) {
        out.push(buf);
    }
    bench.receive(key, Leg::Client, Class::Bulk);
    client.write_all(b"anything will do").unwrap();
    let buf = bench.received(key, Leg::Client);
    assert_eq!((buf.class(), buf.filled()), (Class::Small, &b"anything will do"[..]));
    bench.engine.pool().give(buf);
    for buf in out {
        bench.engine.pool().give(buf);
    }
    // And the wanted one once it is there.
    bench.receive(key, Leg::Client, Class::Large);
    client.write_all(b"thanks").unwrap();
    let buf = bench.received(key, Leg::Client);
    assert_eq!((buf.class(), buf.filled()), (Class::Large, &b"thanks"[..]));
    bench.engine.pool().give(buf);
    bench.assert_nothing_lent();
}

pub(crate) fn who_starves_is_fed_in_order(choice: Choice) {
    let mut bench = bench_with(choice, PoolSizes { small: 2, large: 0, bulk: 0 });
    let mut sessions: Vec<_> = (0..6).map(|_| bench.session()).collect();
    let hoard: Vec<_> = std::iter::from_fn(|| bench.engine.pool().take(Class::Small)).collect();
    assert_eq!(hoard.len(), 2);
    bench.engine.tally();
    // They come one after the other, so their order is known.
    for (i, (key, client)) in sessions.iter_mut().enumerate() {
        client.write_all(format!("guest {i}").as_bytes()).unwrap();
        bench.receive(*key, Leg::Client, Class::Small);
        bench.settle();
    }
    assert!(sessions.iter().all(|(key, _)| !bench.has_events(*key)));
    assert_eq!(bench.engine.tally().starved, 6);
    // Starving costs no work.
    assert_eq!((0..20).map(|_| bench.turn(Some(std::time::Duration::from_millis(1)))).sum::<usize>(), 0);

    // One of them leaves hungry.
    let (gone, _) = sessions.remove(2);
    bench.release(gone);
    for buf in hoard {
        bench.engine.pool().give(buf);
    }
    let mut order = Vec::new();
    while order.len() < sessions.len() {
        let key = bench.until("somebody is fed", |bench| {
            let fed: Vec<_> = sessions.iter().map(|(k, _)| *k).filter(|k| bench.has_events(*k)).collect();
            assert!(fed.len() <= 2, "there are two buffers");
            fed.into_iter().min_by_key(|k| k.slot)
        });
        let buf = bench.received(key, Leg::Client);
        order.push(String::from_utf8(buf.filled().to_vec()).unwrap());
        bench.engine.pool().give(buf);
    }
    assert_eq!(order, ["guest 0", "guest 1", "guest 3", "guest 4", "guest 5"]);
    bench.assert_nothing_lent();
}

pub(crate) fn an_idle_session_holds_no_buffer(choice: Choice) {
    let mut bench = bench_with(choice, PoolSizes { small: 4, large: 4, bulk: 4 });
    let mut sessions: Vec<_> = (0..40).map(|_| bench.session()).collect();
    for (key, _) in &sessions {
        bench.receive(*key, Leg::Client, Class::Bulk);
    }
    bench.settle();
    bench.assert_nothing_lent();
    // Forty receives are armed over twelve buffers, and whoever speaks is heard.
    for (key, client) in sessions.iter_mut().rev() {
        client.write_all(b"now").unwrap();
        let buf = bench.received(*key, Leg::Client);
        assert_eq!(buf.filled(), b"now");
        bench.engine.pool().give(buf);
    }
    // An end needs no buffer to stay.
    for (key, client) in sessions {
        drop(client);
        bench.receive(key, Leg::Client, Class::Bulk);
        let event = bench.event(key);
        assert!(matches!(event, Event::Eof { kept: None, .. }), "{event:?}");
    }
    bench.assert_nothing_lent();
}

/// Whoever has much to read waits until it is his turn, few have theirs at once, and turns come in the order in which they were asked for. How
/// long one lasts depends on how much the kernel has at a time; that it is bounded is shown beside the queue.
pub(crate) fn long_reads_take_turns(choice: Choice) {
    let mut bench = Bench::with(choice, &EngineSettings { pool: PoolSizes { small: 64, large: 64, bulk: 64 }, ..settings() });
    let mut sessions: Vec<_> = (0..3 * BULK_PER_TURN + 1).map(|_| bench.session()).collect();
    for (key, client) in &mut sessions {
        client.set_nonblocking(true).unwrap();
        // As much as the kernel takes, which is more than one read.
        while client.write(&[7; 64 * 1024]).is_ok() {}
        // From this the engine knows that more is there.
        bench.receive(*key, Leg::Client, Class::Small);
        let buf = bench.received(*key, Leg::Client);
        assert_eq!(buf.len(), Class::Small.payload());
        bench.engine.pool().give(buf);
    }
    let keys: Vec<_> = sessions.iter().map(|(key, _)| *key).collect();
    keys.iter().for_each(|key| bench.receive(*key, Leg::Client, Class::Bulk));
    let mut order = Vec::new();
    while order.len() < 2 * keys.len() {
        bench.turn(None);
        let mut read: Vec<_> = keys.iter().copied().filter(|key| bench.has_events(*key)).collect();
        assert!(read.len() <= BULK_PER_TURN, "{} long reads in a turn", read.len());
        read.sort_by_key(|key| (order.iter().filter(|k| *k == key).count(), key.slot));
        for key in read {
            let buf = bench.received(key, Leg::Client);
            assert_eq!(buf.class(), Class::Bulk);
            bench.engine.pool().give(buf);
            order.push(key);
            if order.iter().filter(|k| **k == key).count() == 1 {
                bench.receive(key, Leg::Client, Class::Bulk);
            }
        }
    }
    let turns: Vec<_> = order.iter().enumerate().filter(|(at, key)| !order[..*at].contains(key)).map(|(_, key)| *key).collect();
    assert_eq!(turns, keys);
    bench.assert_nothing_lent();
}
