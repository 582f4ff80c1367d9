//! First flights: connect, a ClientHello, and gone with a reset once the answer begins.
//!
//! ```text
//!   due ─► connect ─► hello ─┬─► first bytes of the answer: latency ─► reset
//!                            └─► none in time: given up ────────────► reset
//! ```
//!
//! All say the same hello, made once. So the target agrees on keys and signs, which is most of a handshake, and this program does next to
//! nothing: one core offers several times what another can bear, as a crowd, or an attacker, would.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Token};
use rustls::ClientConnection;

use crate::client::dial;
use crate::clock::now;
use crate::drive::hand::{Hand, Share};
use crate::fault::{Fault, machine};

/// How long somebody waits for an answer before he goes.
const PATIENCE: Duration = Duration::from_millis(250);

/// Most that begin before it is looked at who is answered: whoever has connected shall say his hello, however many are due.
const BEGUN_AT_ONCE: usize = 16;

/// Somebody who waits for an answer.
struct Caller {
    stream: TcpStream,
    /// Tells him from whoever has his place later.
    serial: u64,
    due: Instant,
    /// Bytes of the hello that are sent.
    said: usize,
}

struct Callers {
    hello: Vec<u8>,
    slots: Vec<Option<Caller>>,
    free: Vec<usize>,
    /// In the order in which they came: who is first in here goes first.
    waiting: VecDeque<(Instant, usize, u64)>,
    serial: u64,
}

/// First flights as fast as they are answered, `hand.connections` at a time, or `rate` of them per second. What a rate wants beyond
/// that number at a time is not begun, and so not counted.
pub(super) fn run(mut hand: Hand<'_>, rate: Option<f64>) -> Result<Share, Fault> {
    let every = rate.filter(|rate| *rate > 0.0).map(|rate| Duration::from_secs_f64(1.0 / rate));
    let most = hand.connections.max(1);
    let hello = hello(&hand)?;
    let mut callers = Callers { hello, slots: Vec::new(), free: Vec::new(), waiting: VecDeque::new(), serial: 0 };
    let mut next = now();
    hand.window(|hand, events, wait| {
        let mut due = callers.room(most).min(BEGUN_AT_ONCE);
        while due > 0 && every.is_none_or(|_| next <= now()) {
            callers.begin(hand, if every.is_some() { next } else { now() })?;
            next += every.unwrap_or_default();
            due -= 1;
        }
        if every.is_some() && callers.room(most) == 0 {
            next = next.max(now());
        }
        callers.give_up(hand);
        let soon = callers.waiting.front().map(|(begun, _, _)| *begun + PATIENCE);
        let soon = [soon, every.map(|_| next)].into_iter().flatten().min().map(|soon| soon.saturating_duration_since(now()));
        hand.wait(events, [wait, soon].into_iter().flatten().min())?;
        for event in &*events {
            callers.turn(hand, event.token().0);
        }
        Ok(())
    })
}

/// What everybody says.
fn hello(hand: &Hand<'_>) -> Result<Vec<u8>, Fault> {
    let (config, name) = hand.tls.as_ref().ok_or(Fault::Nothing("there is no hello without TLS"))?;
    let mut hello = Vec::new();
    ClientConnection::new(config.clone(), name.clone())?.write_tls(&mut hello).map_err(machine("make a hello"))?;
    Ok(hello)
}

impl Callers {
    /// How many may come beside those that are there.
    fn room(&self, most: usize) -> usize {
        most.saturating_sub(self.slots.len() - self.free.len())
    }

    fn begin(&mut self, hand: &mut Hand<'_>, due: Instant) -> Result<(), Fault> {
        let at = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        // A reset leaves no port behind that nobody may use for a minute.
        let mut stream = dial(hand.load, at, Some(Duration::ZERO))?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        hand.poll.registry().register(&mut stream, Token(at), interest).map_err(machine("watch a connection"))?;
        self.serial += 1;
        self.slots[at] = Some(Caller { stream, serial: self.serial, due, said: 0 });
        self.waiting.push_back((now(), at, self.serial));
        // On loopback it is connected already.
        self.turn(hand, at);
        Ok(())
    }

    fn turn(&mut self, hand: &mut Hand<'_>, at: usize) {
        let Some(caller) = self.slots[at].as_mut() else { return };
        match caller.turn(&self.hello, &mut hand.block) {
            Ok(0) => hand.failed += 1,
            Ok(_) => {
                hand.units += 1;
                hand.record(0, caller.due, now());
            }
            Err(fault) if [io::ErrorKind::WouldBlock, io::ErrorKind::NotConnected].contains(&fault.kind()) => return,
            Err(_) => hand.failed += 1,
        }
        self.leave(at);
    }

    /// Those go whose patience is at its end.
    fn give_up(&mut self, hand: &mut Hand<'_>) {
        while let Some(&(begun, at, serial)) = self.waiting.front() {
            let still = self.slots[at].as_ref().is_some_and(|caller| caller.serial == serial);
            if still && begun.elapsed() < PATIENCE {
                return;
            }
            self.waiting.pop_front();
            if still {
                hand.failed += 1;
                self.leave(at);
            }
        }
    }

    fn leave(&mut self, at: usize) {
        self.slots[at] = None;
        self.free.push(at);
    }
}

impl Caller {
    /// Says what is left to say, and gives the number of bytes of the answer.
    fn turn(&mut self, hello: &[u8], block: &mut [u8]) -> io::Result<usize> {
        while self.said < hello.len() {
            self.said += self.stream.write(&hello[self.said..])?;
        }
        self.stream.read(block)
    }
}
