//! How long somebody who types waits for others, in virtual time: the real [`Share`], and a made-up worker for which each piece of work
//! takes a time that is assumed below. And how evenly those share who have much to say.
//!
//! ```text
//!   keystrokes ─┐
//!   file copies ├─► what has come by now ─► Share ─► work, which takes time ─► the next turn
//!   hellos      ─┘
//! ```
//!
//! What the kernel adds, above all the waking of a sleeping core, is left out: it is the same with and without neighbours.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::VecDeque;
use std::time::Duration;

use sluice_flow::buf::{Class, Pool, PoolSizes};
use sluice_flow::event::{Event, Leg};
use sluice_flow::session::Stage;
use sluice_flow::share::{Share, buffer_of};
use sluice_link::id::{Generation, Slot, SlotKey};
use sluice_link::snapshot::Limits;

/// One turn beside what it does: a system call, timers, numbers.
const TURN_NS: u64 = 3_000;
/// A keystroke or its echo: received, opened or sealed, sent.
const KEY_NS: u64 = 8_000;
/// A long read: 0.4 CPU-s/GiB (docs/performance.md).
const READ_NS: u64 = 5_000;
const BYTE_PS: u64 = 400;
/// First and second step of a handshake with P-256; with RSA-2048 the first takes three times as long.
const HELLO_NS: u64 = 130_000;
const FINISH_NS: u64 = 50_000;
/// Between our flight and the client's answer.
const ROUND_TRIP_NS: u64 = 2_000_000;
/// Connections that may be unproven at a time.
const UNPROVEN_MAX: usize = 2_048;

/// Keystrokes and echoes per second, of all sessions: fifty people who type quickly.
const KEYS_PER_SECOND: u64 = 2_000;
const SECONDS: u64 = 4;

/// What there is beside those who type.
#[derive(Clone, Copy, Default)]
struct Beside {
    copies: u32,
    hellos_per_second: u64,
    rsa: bool,
}

struct Chance(u64);

impl Chance {
    /// A number from `least` to `most`.
    fn within(&mut self, least: usize, most: usize) -> usize {
        self.pause(1);
        least + usize::try_from(self.0 >> 1).unwrap() % (most - least + 1)
    }

    /// A pause before the next of `per_second` independent arrivals.
    fn pause(&mut self, per_second: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        #[expect(clippy::cast_precision_loss, reason = "a random number")]
        let even = ((self.0 >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "below a minute"
        )]
        let pause = (-even.ln() * 1e9 / per_second as f64) as u64;
        pause
    }
}

/// Waits of keystrokes in nanoseconds, sorted, and handshakes completed per second.
fn play(beside: Beside, limits: &Limits) -> (Vec<u64>, u64) {
    let mut pool = Pool::new(PoolSizes { small: 8_192, large: 8, bulk: 64 });
    let mut share = Share::new();
    let mut chance = Chance(0x9E37_79B9_7F4A_7C15);
    let key = |slot: u32| SlotKey { slot: Slot(slot), generation: Generation(0) };
    let (copy, hello, answer) = (1, 1_000, 2_000);
    let (mut now, end) = (0, SECONDS * 1_000_000_000);
    let mut next_key = chance.pause(KEYS_PER_SECOND);
    let mut next_hello = if beside.hellos_per_second > 0 { chance.pause(beside.hellos_per_second) } else { u64::MAX };
    let mut answers: VecDeque<u64> = VecDeque::new();
    let mut ready = beside.copies;
    let (mut unproven, mut done, mut waits) = (0, 0, Vec::new());
    while now < end {
        let begun = now;
        share.begin(limits.handshake_steps_per_turn, limits.bulk_bytes_per_turn);
        now += TURN_NS;
        for at in 0..ready {
            assert!(share.sort(key(copy + at), Stage::Splice, read(&mut pool, Class::Bulk, Class::Bulk.reads())).is_none());
        }
        ready = 0;
        while next_hello <= begun {
            if unproven < UNPROVEN_MAX {
                unproven += 1;
                assert!(share.sort(key(hello), Stage::Hello, read(&mut pool, Class::Small, 300)).is_none());
            }
            next_hello += chance.pause(beside.hellos_per_second);
        }
        while answers.front().is_some_and(|at| *at <= begun) {
            answers.pop_front();
            assert!(share.sort(key(answer), Stage::Handshake, read(&mut pool, Class::Small, 80)).is_none());
        }
        while next_key <= begun {
            let event = share.sort(key(0), Stage::Splice, read(&mut pool, Class::Small, 86)).unwrap();
            give_back(&mut pool, event);
            now += KEY_NS;
            waits.push(now - next_key);
            next_key += chance.pause(KEYS_PER_SECOND);
        }
        while let Some((who, event)) = share.next() {
            let bytes = if let Event::Received { buf, .. } = &event { buf.len() as u64 } else { 0 };
            give_back(&mut pool, event);
            let took = match who.slot.0 {
                1..1_000 => {
                    ready += 1;
                    READ_NS + bytes * BYTE_PS / 1_000
                }
                1_000 => {
                    answers.push_back(now + ROUND_TRIP_NS);
                    if beside.rsa { 3 * HELLO_NS } else { HELLO_NS }
                }
                _ => {
                    unproven -= 1;
                    done += 1;
                    FINISH_NS
                }
            };
            share.took(Duration::from_nanos(took));
            now += took;
        }
        if !share.waiting() && ready == 0 {
            let next = next_key.min(next_hello).min(answers.front().copied().unwrap_or(u64::MAX));
            now = now.max(next);
        }
    }
    waits.sort_unstable();
    (waits, done / SECONDS)
}

fn read(pool: &mut Pool, class: Class, n: usize) -> Event {
    let mut buf = pool.take(class).unwrap();
    buf.commit(n);
    Event::Received { leg: Leg::Client, buf, more: false }
}

fn give_back(pool: &mut Pool, event: Event) {
    buffer_of(event).into_iter().for_each(|buf| pool.give(buf));
}

/// The wait that all but one in `n` stay below.
fn all_but_one_in(n: usize, waits: &[u64]) -> u64 {
    waits[waits.len() - 1 - waits.len() / n]
}

#[test]
fn who_types_waits_for_a_turn_and_no_longer_whatever_others_do() {
    let limits = Limits::default();
    let storm = 4 * 1_000_000_000 / (HELLO_NS + FINISH_NS);
    let copies = |copies| Beside { copies, ..Beside::default() };
    let hellos = Beside { hellos_per_second: storm, ..Beside::default() };
    let all = [
        ("alone", Beside::default()),
        ("beside one file copy", copies(1)),
        ("beside 32 file copies", copies(32)),
        ("beside four times as many handshakes as can be", hellos),
        ("the same with RSA", Beside { rsa: true, ..hellos }),
        ("beside both", Beside { copies: 32, ..hellos }),
    ];
    println!("{:<50} {:>9} {:>9} {:>9} {:>12}", "µs", "p50", "p99", "highest", "handshakes/s");
    // The longest turn: the bulk bytes of one and a read on top, a step of a handshake, and the keystrokes that came meanwhile.
    let bytes = u64::from(limits.bulk_bytes_per_turn) + Class::Bulk.reads() as u64;
    let bulk = bytes * BYTE_PS / 1_000 + 6 * READ_NS;
    for (what, beside) in all {
        let (waits, done) = play(beside, &limits);
        let p99 = all_but_one_in(100, &waits);
        let highest = all_but_one_in(waits.len(), &waits);
        println!("{what:<50} {:>9} {:>9} {:>9} {done:>12}", waits[waits.len() / 2] / 1_000, p99 / 1_000, highest / 1_000);
        // A signature takes all the time that a turn has for handshakes.
        let shake = if beside.rsa { 3 * HELLO_NS } else { HELLO_NS };
        let turn = TURN_NS + if beside.copies > 0 { bulk } else { 0 } + if beside.hellos_per_second > 0 { shake } else { 0 };
        // Its own turn may have begun just before it came; those who came in the same turn are before it.
        assert!(p99 <= turn + 8 * KEY_NS + TURN_NS, "{what}: {p99} ns, a turn takes {turn}");
        if beside.hellos_per_second > 0 && beside.copies == 0 {
            let cost = if beside.rsa { 3 * HELLO_NS } else { HELLO_NS } + FINISH_NS;
            let idle = 1_000_000_000 - KEYS_PER_SECOND * KEY_NS;
            assert!(done * cost * 10 >= idle * 9, "{what}: {done} handshakes a second leave too much of the core unused");
        }
    }
}

/// `SEED=7 cargo test -p sluice-flow --test share -- --nocapture` repeats one.
#[test]
fn bytes_are_shared_out_evenly_whatever_the_reads_are() {
    let seeds: Vec<u64> = match std::env::var("SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (1..=20).collect(),
    };
    for seed in seeds {
        let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let mut pool = Pool::new(PoolSizes { small: 8, large: 256, bulk: 64 });
        let mut share = Share::new();
        // Few have bulk buffers. The others, as many as fill more than a turn, go on with large ones.
        let bulk = chance.within(1, 16);
        let all = bulk + chance.within(120, 200);
        let most = |at: usize| if at < bulk { Class::Bulk } else { Class::Large };
        let mut bytes = vec![0; all];
        let mut ready: Vec<usize> = (0..all).collect();
        for _ in 0..4_000 {
            for at in ready.drain(..) {
                let class = most(at);
                let n = chance.within(class.reads() / 2, class.reads());
                let key = SlotKey { slot: Slot(u32::try_from(at).unwrap()), generation: Generation(0) };
                assert!(share.sort(key, Stage::Splice, read(&mut pool, class, n)).is_none());
            }
            share.begin(1, Limits::default().bulk_bytes_per_turn);
            while let Some((key, event)) = share.next() {
                let at = usize::try_from(key.slot.0).unwrap();
                let Event::Received { buf, .. } = &event else { unreachable!() };
                bytes[at] += buf.len();
                ready.push(at);
                give_back(&mut pool, event);
            }
        }
        let (least, most) = (bytes.iter().min().unwrap(), bytes.iter().max().unwrap());
        println!("SEED={seed}: {bulk} of {all} read 512 KiB at a time; each had {least} to {most} bytes");
        assert!(
            *least > 20 * Class::Bulk.reads() && most - least <= Class::Bulk.reads() + Class::Large.reads(),
            "SEED={seed}: {least} to {most}"
        );
    }
}
