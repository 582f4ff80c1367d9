//! The turn itself: when it returns, and with how much.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use sluice_engine::{Choice, EngineSettings};
use sluice_flow::buf::Class;
use sluice_flow::event::Leg;
use sluice_flow::port::{Engine as _, HAPPENINGS_PER_TURN};

use crate::kit::{Bench, DEADLINE, SESSIONS, clock, settings};

pub(crate) fn a_turn_returns_when_its_time_has_come(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, _client) = bench.session();
    bench.receive(key, Leg::Client, Class::Small);
    bench.settle();
    let begin = sluice_engine::now();
    // Engines may return early with nothing; they must not return late. Only the lower bound can be tested without a race:
    // all these turns together have waited, and each has come back.
    for _ in 0..10 {
        assert_eq!(bench.turn(Some(Duration::from_millis(10))), 0);
    }
    assert!(sluice_engine::now().since(begin) >= Duration::from_millis(80));
}

pub(crate) fn a_turn_without_waiting_returns(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (_key, _client) = bench.session();
    let end = clock() + DEADLINE;
    for _ in 0..10_000 {
        bench.turn(Some(Duration::ZERO));
        assert!(clock() < end);
    }
}

pub(crate) fn no_wake_up_is_lost(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (wake, waker) = sluice_engine::eventfd().unwrap();
    bench.engine.wake_on(wake).unwrap();
    let (writers, each) = (4, 500);
    let said = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..writers)
        .map(|_| {
            let (waker, said) = (waker.clone(), Arc::clone(&said));
            thread::spawn(move || {
                for _ in 0..each {
                    said.fetch_add(1, Ordering::SeqCst);
                    waker.wake().unwrap();
                    thread::yield_now();
                }
            })
        })
        .collect();
    // After each wake-up everything said so far is heard; so if one were lost, the last words would not be.
    let mut heard = 0;
    while heard < writers * each {
        let woken = bench.woken;
        bench.until("a wake-up", |bench| (bench.woken > woken).then_some(()));
        heard = said.load(Ordering::SeqCst);
    }
    for thread in threads {
        thread.join().unwrap();
    }
    bench.settle();
    // It wakes from a sleep without end, too.
    let woken = bench.woken;
    let sleeper = thread::spawn(move || waker.wake().unwrap());
    while bench.woken == woken {
        bench.turn(None);
    }
    sleeper.join().unwrap();
}

pub(crate) fn a_turn_reports_no_more_than_it_may(choice: Choice) {
    let mut bench = Bench::new(choice);
    let (key, _client) = bench.session();
    // Each of these is answered, and without the kernel: there is no host leg.
    let asked = HAPPENINGS_PER_TURN * 2 + 10;
    for _ in 0..asked {
        bench.receive(key, Leg::Host, Class::Small);
    }
    let mut told = Vec::new();
    while told.iter().sum::<usize>() < asked {
        told.push(bench.turn(Some(Duration::ZERO)));
        assert!(told.last().is_some_and(|n| *n <= HAPPENINGS_PER_TURN), "{told:?}");
        assert!(told.len() < 100, "{told:?}");
    }
    assert_eq!(told.iter().sum::<usize>(), asked);
}

pub(crate) fn spinning_finds_what_comes(choice: Choice) {
    let mut bench = Bench::with(choice, &EngineSettings { busy_poll: Some(Duration::from_micros(200)), ..settings() });
    let (key, mut client) = bench.session();
    for round in 0..200u32 {
        let mut sender = client.try_clone().unwrap();
        let sender = thread::spawn(move || sender.write_all(&round.to_ne_bytes()).unwrap());
        bench.expect_bytes(key, Leg::Client, &round.to_ne_bytes());
        sender.join().unwrap();
    }
    client.flush().unwrap();
    bench.release(key);
    bench.assert_nothing_lent();
}

pub(crate) fn completions_are_counted(choice: Choice) {
    let mut bench = Bench::new(choice);
    bench.engine.tally();
    let mut sessions: Vec<_> = (0..SESSIONS / 8).map(|_| bench.session()).collect();
    for (key, client) in &mut sessions {
        client.write_all(b"x").unwrap();
        bench.expect_bytes(*key, Leg::Client, b"x");
    }
    let tally = bench.engine.tally();
    assert!(tally.completions >= sessions.len() as u64, "{tally:?}");
    assert_eq!(tally.overflows, 0);
    assert_eq!(bench.engine.tally().completions, 0);
}
