//! Everything at once, from a seed: sessions come and go, ends write, finish, close and reset, buffers run out.
//!
//! Each byte says to whom it belongs: it is a function of session, direction and position. So a byte that is lost, doubled, out of
//! order or somebody else's is seen at the first place where it turns up: in the engine's event, and at the far end again.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use sluice_engine::{Choice, EngineSettings};
use sluice_flow::buf::{Chain, Class, PoolSizes};
use sluice_flow::event::{Doing, Event, Leg};
use sluice_flow::intent::{Intent, Into, Peer};
use sluice_flow::port::{Engine as _, Generation, Slot, SlotKey};

use crate::kit::{Bench, Noise, settings};

/// Sessions at a time, which is more than there are buffers for.
const SLOTS: u32 = 24;
const STEPS: u32 = 6_000;
const SEEDS: [u64; 3] = [1, 2, 3];

pub(crate) fn whatever_happens_bytes_stay_where_they_belong(choice: Choice) {
    for seed in SEEDS {
        eprint_seed(seed);
        let pool = PoolSizes { small: 12, large: 4, bulk: 2 };
        let bench = Bench::with(choice, &EngineSettings { pool, sessions: SLOTS, ..settings() });
        let hosts = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut chaos = Chaos { bench, hosts, dice: Noise::new(seed), slots: HashMap::new(), lives: 0, bytes: 0, leaving: 0 };
        for _ in 0..STEPS {
            chaos.step();
        }
        chaos.end();
        // That something was tested at all.
        assert!(chaos.lives > 50 && chaos.bytes > 1 << 20, "{} sessions, {} bytes", chaos.lives, chaos.bytes);
    }
}

#[expect(clippy::print_stderr, reason = "shown when the test fails")]
fn eprint_seed(seed: u64) {
    eprintln!("seed {seed}");
}

struct Chaos {
    bench: Bench,
    hosts: TcpListener,
    dice: Noise,
    slots: HashMap<u32, Life>,
    lives: u32,
    /// Seen at far ends.
    bytes: u64,
    leaving: usize,
}

/// One session.
struct Life {
    key: SlotKey,
    number: u32,
    ends: [End; 2],
    connected: bool,
}

/// One connection of a session, with how far each stream on it has come.
#[derive(Default)]
struct End {
    far: Option<TcpStream>,
    /// Written by the far end.
    written: u64,
    /// Told by the engine.
    told: u64,
    /// Read by the far end.
    read: u64,
    receiving: bool,
    sending: bool,
    /// Receiving has ended.
    over: bool,
    /// Sending has failed: what is for it is thrown away.
    broken: bool,
}

/// The byte at `position` of what the far end on `leg` of session `number` writes.
fn byte(number: u32, leg: usize, position: u64) -> u8 {
    let mixed =
        (u64::from(number) << 1 | leg as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ position.wrapping_mul(0xD6E8_FEB8_6659_FD93);
    (mixed >> 29).to_le_bytes()[0]
}

fn check(number: u32, leg: usize, from: u64, bytes: &[u8]) {
    for (position, found) in (from..).zip(bytes) {
        assert_eq!(*found, byte(number, leg, position), "session {number}, leg {leg}, position {position}");
    }
}

const LEGS: [Leg; 2] = [Leg::Client, Leg::Host];

fn index(leg: Leg) -> usize {
    match leg {
        Leg::Client => 0,
        Leg::Host => 1,
    }
}

impl Chaos {
    fn roll(&mut self, below: u64) -> u64 {
        let mut raw = [0; 8];
        self.dice.fill(&mut raw);
        (u64::from_ne_bytes(raw) >> 11) % below
    }

    fn step(&mut self) {
        let slot = u32::try_from(self.roll(u64::from(SLOTS))).unwrap();
        let leg = usize::try_from(self.roll(2)).unwrap();
        match self.roll(1000) {
            0..40 => self.come(slot),
            40..500 => self.write(slot, leg),
            500..900 => self.read(slot, leg),
            900..910 => self.far(slot, leg, |far| far.shutdown(Shutdown::Write).unwrap_or_default()),
            910..915 => {
                self.far(slot, leg, |far| {
                    socket2::SockRef::from(&*far).set_linger(Some(Duration::ZERO)).unwrap_or_default();
                });
                self.drop_far(slot, leg);
            }
            915..920 => self.drop_far(slot, leg),
            920..935 => self.release(slot, None),
            935..940 => self.release(slot, Some(LEGS[leg])),
            _ => {}
        }
        let wait = Duration::from_micros(self.roll(2) * 500);
        self.bench.turn(Some(wait));
        self.events();
    }

    /// A new session, if the slot is free.
    fn come(&mut self, slot: u32) {
        if self.slots.contains_key(&slot) || self.leaving > 0 {
            return;
        }
        self.lives += 1;
        let key = SlotKey { slot: Slot(slot), generation: Generation(self.lives) };
        let client = self.bench.session_at(key);
        client.set_nonblocking(true).unwrap();
        self.bench.engine.act(key, Intent::Connect(Peer::Host(self.hosts.local_addr().unwrap())));
        // The kernel connects it once it has been asked, whether or not anybody accepts.
        self.bench.turn(Some(Duration::ZERO));
        let host = self.hosts.accept().unwrap().0;
        host.set_nonblocking(true).unwrap();
        let ends = [End { far: Some(client), ..End::default() }, End { far: Some(host), ..End::default() }];
        self.slots.insert(slot, Life { key, number: self.lives, ends, connected: false });
    }

    fn write(&mut self, slot: u32, leg: usize) {
        let n = usize::try_from(self.roll(40_000)).unwrap() + 1;
        let Some(life) = self.slots.get_mut(&slot) else { return };
        let end = &mut life.ends[leg];
        let Some(far) = &mut end.far else { return };
        let bytes: Vec<_> = (end.written..).take(n).map(|at| byte(life.number, leg, at)).collect();
        // It may be full, finished or reset; all of that is part of the game.
        if let Ok(n) = far.write(&bytes) {
            end.written += n as u64;
        }
    }

    fn read(&mut self, slot: u32, leg: usize) {
        let mut room = vec![0; 60_000];
        let Some(life) = self.slots.get_mut(&slot) else { return };
        let end = &mut life.ends[leg];
        let Some(far) = &mut end.far else { return };
        match far.read(&mut room) {
            Ok(n) => {
                // What arrives here was written at the other end.
                check(life.number, 1 - leg, end.read, &room[..n]);
                end.read += n as u64;
                self.bytes += n as u64;
            }
            Err(e) => {
                let expected = [ErrorKind::WouldBlock, ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
                assert!(expected.contains(&e.kind()), "{e}");
            }
        }
    }

    fn far(&mut self, slot: u32, leg: usize, what: impl FnOnce(&mut TcpStream)) {
        if let Some(far) = self.slots.get_mut(&slot).and_then(|l| l.ends[leg].far.as_mut()) {
            what(far);
        }
    }

    fn drop_far(&mut self, slot: u32, leg: usize) {
        if let Some(life) = self.slots.get_mut(&slot) {
            life.ends[leg].far = None;
        }
    }

    fn release(&mut self, slot: u32, abort: Option<Leg>) {
        let Some(life) = self.slots.remove(&slot) else { return };
        if let Some(leg) = abort {
            self.bench.engine.act(life.key, Intent::Abort(leg));
        }
        // What has been reported, but not looked at, is the worker's to give back.
        for event in self.bench.events.remove(&life.key).unwrap_or_default() {
            if let Event::Received { buf, .. } | Event::Eof { kept: Some(buf), .. } = event {
                self.bench.engine.pool().give(buf);
            }
        }
        self.bench.engine.release(life.key);
        self.leaving += 1;
        // Nothing else happens in a slot until it is free again.
        self.bench.until("released", |bench| bench.released.contains(&life.key).then_some(()));
        self.bench.released.clear();
        self.leaving -= 1;
        assert!(!self.bench.has_events(life.key));
    }

    /// What a session does: pass on, one receive and one send at a time.
    fn events(&mut self) {
        let slots: Vec<_> = self.slots.keys().copied().collect();
        for slot in slots {
            let Some(key) = self.slots.get(&slot).map(|l| l.key) else { continue };
            for event in self.bench.events.remove(&key).unwrap_or_default() {
                self.event(slot, key, event);
            }
            self.ask(slot);
        }
    }

    fn event(&mut self, slot: u32, key: SlotKey, event: Event) {
        let Some(life) = self.slots.get_mut(&slot) else { panic!("an event for nobody: {event:?}") };
        match event {
            Event::Connected => life.connected = true,
            Event::Received { leg, buf, .. } => {
                let from = &mut life.ends[index(leg)];
                assert!(from.receiving);
                assert!(!from.over, "bytes after the end");
                from.receiving = false;
                let fresh = buf.filled();
                check(life.number, index(leg), from.told, fresh);
                from.told += fresh.len() as u64;
                let to = &mut life.ends[1 - index(leg)];
                assert!(!to.sending);
                if to.broken {
                    self.bench.engine.pool().give(buf);
                    return;
                }
                to.sending = true;
                // In several pieces, to go the other way through the engine.
                let half = buf.len() / 2;
                let parts = [(0, half), (half, buf.len() - half)];
                let chain = if half > 100 { Chain::of(buf, &parts) } else { Chain::whole(buf) };
                self.bench.engine.act(key, Intent::Send { leg: LEGS[1 - index(leg)], chain });
            }
            Event::Sent { leg } => {
                let to = &mut life.ends[index(leg)];
                assert!(to.sending);
                to.sending = false;
            }
            Event::Eof { leg, kept } => {
                if let Some(buf) = kept {
                    self.bench.engine.pool().give(buf);
                }
                let from = &mut life.ends[index(leg)];
                assert!(from.receiving);
                (from.receiving, from.over) = (false, true);
                self.bench.engine.act(key, Intent::Finish(LEGS[1 - index(leg)]));
            }
            Event::Failed { leg, during: Doing::Receiving, .. } => {
                let from = &mut life.ends[index(leg)];
                assert!(from.receiving);
                (from.receiving, from.over) = (false, true);
            }
            Event::Failed { leg, during: Doing::Sending, .. } => {
                let to = &mut life.ends[index(leg)];
                assert!(to.sending);
                (to.sending, to.broken) = (false, true);
            }
            other => panic!("{other:?}"),
        }
    }

    fn ask(&mut self, slot: u32) {
        for leg in LEGS {
            let class = Class::ALL[usize::try_from(self.roll(3)).unwrap()];
            let behind = self.roll(8) == 0;
            let Some(life) = self.slots.get_mut(&slot) else { return };
            let busy = life.ends[1 - index(leg)].sending;
            let end = &mut life.ends[index(leg)];
            if !life.connected || end.receiving || end.over || busy {
                continue;
            }
            let into = match self.bench.engine.pool().take(class) {
                Some(buf) if behind => Into::Behind(buf),
                Some(buf) => {
                    self.bench.engine.pool().give(buf);
                    Into::Any(class)
                }
                None => Into::Any(class),
            };
            end.receiving = true;
            self.bench.engine.act(life.key, Intent::Receive { leg, into });
        }
    }

    fn end(&mut self) {
        let slots: Vec<_> = self.slots.keys().copied().collect();
        for slot in slots {
            self.release(slot, None);
        }
        self.bench.settle();
        self.bench.assert_nothing_lent();
    }
}
