//! Connections that come, do a little, and go: handshakes, storms of them, churn.
//!
//! ```text
//!   due ─► connect ─► TLS ─► order ─► "x" ──► "x" back: latency ─┬─ hold ─► close ─► the other side's end
//!    ▲                                                          │
//!    └──────────── without a rate: the next is due ─────────────┘
//! ```
//!
//! With a rate, connections are due on schedule. One that cannot be begun yet waits here, and its latency counts from when it was due.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use crate::client::{Client, Stage};
use crate::clock::now;
use crate::drive::hand::{Hand, Share};
use crate::fault::Fault;
use crate::load::part;

/// Connections that may be waiting for the other side's end, for each that works.
const CLOSING_PER_CONNECTION: usize = 4;
/// And at least so many.
const CLOSING: usize = 256;

/// How connections come and go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Connect {
    /// Connections per second; without it, the next begins when one is done.
    pub(crate) rate: Option<f64>,
    /// How long one stays after its byte has come back.
    pub(crate) hold: Duration,
    /// Whether tickets of TLS are used.
    pub(crate) resume: bool,
}

impl Connect {
    /// What number `at` of `shares` does of it.
    pub(crate) fn part(&self, shares: usize, at: usize) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a handful of threads")]
        let all = |rate: f64| rate * part(1000, shares, at) as f64 / 1000.0;
        Self { rate: self.rate.map(all), ..*self }
    }

    pub(crate) fn unit(&self) -> &'static str {
        if self.resume { "resumption" } else { "handshake" }
    }
}

struct Crowd {
    /// Connections that were due then and have not begun.
    due: VecDeque<Instant>,
    slots: Vec<Option<Client>>,
    free: Vec<usize>,
    /// When which connection, begun when, is to close.
    holds: BinaryHeap<Reverse<(Instant, usize, Instant)>>,
    /// Connections that count as there.
    live: usize,
    closing: VecDeque<(usize, Instant)>,
}

pub(super) fn run(mut hand: Hand<'_>, how: &Connect) -> Result<Share, Fault> {
    let every = how.rate.filter(|rate| *rate > 0.0).map(|rate| Duration::from_secs_f64(1.0 / rate));
    let most = hand.connections.max(1);
    let how = *how;
    let mut crowd = Crowd {
        due: VecDeque::new(),
        slots: Vec::new(),
        free: Vec::new(),
        holds: BinaryHeap::new(),
        live: 0,
        closing: VecDeque::new(),
    };
    let mut next = now();
    if every.is_none() && how.rate.is_none() {
        crowd.due.extend((0..most).map(|_| next));
    }
    hand.window(|hand, events, wait| {
        if let Some(every) = every {
            while next <= now() {
                crowd.due.push_back(next);
                next += every;
            }
        }
        while crowd.live < most
            && let Some(due) = crowd.due.pop_front()
        {
            crowd.begin(hand, due)?;
        }
        crowd.close_held(&how)?;
        let soon = [every.map(|_| next), crowd.holds.peek().map(|Reverse((until, _, _))| *until)].into_iter().flatten().min();
        let soon = soon.map(|soon| soon.saturating_duration_since(now()));
        hand.wait(events, [wait, soon].into_iter().flatten().min())?;
        let ready: Vec<usize> = events.iter().map(|event| event.token().0).collect();
        for at in ready {
            crowd.turn(hand, at, &how)?;
        }
        Ok(())
    })
}

impl Crowd {
    fn begin(&mut self, hand: &mut Hand<'_>, due: Instant) -> Result<(), Fault> {
        let at = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[at] = Some(hand.begin(at, due)?);
        self.live += 1;
        Ok(())
    }

    fn turn(&mut self, hand: &mut Hand<'_>, at: usize, how: &Connect) -> Result<(), Fault> {
        let Some(client) = self.slots[at].as_mut() else { return Ok(()) };
        let before = client.stage;
        let mut echoed = 0;
        let mut done = client.turn(&mut hand.block, |bytes| echoed += bytes.len());
        if done.is_ok() && before != Stage::Working && client.stage == Stage::Working {
            client.write(b"x");
            done = client.push();
        }
        match (before, client.stage, &done) {
            // Nobody waits for it any more, however it ended.
            (Stage::Closing, Stage::Over, _) | (Stage::Closing, _, Err(_)) => {
                self.slots[at] = None;
                self.free.push(at);
            }
            (_, Stage::Over, _) | (_, _, Err(_)) => {
                if how.rate.is_none() {
                    return done.and(Err(Fault::Nothing("a connection was closed before its byte came back")));
                }
                hand.failed += 1;
                self.live -= 1;
                self.slots[at] = None;
                self.free.push(at);
            }
            _ if echoed > 0 && before != Stage::Closing => {
                let (begun, resumed) = (client.begun, client.is_resumed());
                hand.units += 1;
                hand.resumed += u64::from(resumed);
                hand.record(0, begun, now());
                if how.hold.is_zero() {
                    self.close(at, how)?;
                } else {
                    self.holds.push(Reverse((now() + how.hold, at, begun)));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Closes those whose time is over.
    fn close_held(&mut self, how: &Connect) -> Result<(), Fault> {
        while let Some(Reverse((until, at, begun))) = self.holds.peek().copied() {
            if until > now() {
                break;
            }
            self.holds.pop();
            // Another connection may have its place by now.
            if self.slots[at].as_ref().is_some_and(|client| client.begun == begun && client.stage == Stage::Working) {
                self.close(at, how)?;
            }
        }
        Ok(())
    }

    fn close(&mut self, at: usize, how: &Connect) -> Result<(), Fault> {
        let Some(client) = self.slots[at].as_mut() else { return Ok(()) };
        client.finish()?;
        self.live -= 1;
        self.closing.push_back((at, client.begun));
        if how.rate.is_none() {
            self.due.push_back(now());
        }
        // A target that never closes its end must not fill this one's table.
        while self.closing.len() > CLOSING.max(self.slots.len() / CLOSING_PER_CONNECTION) {
            let Some((old, begun)) = self.closing.pop_front() else { break };
            let still = self.slots[old].as_ref().is_some_and(|client| client.stage == Stage::Closing && client.begun == begun);
            if still {
                self.slots[old] = None;
                self.free.push(old);
            }
        }
        Ok(())
    }
}
