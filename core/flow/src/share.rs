//! Fairness within a worker: what is done in this turn, and in which order.
//!
//! ```text
//!             ┌─ short reads, sends, deadlines, answers ─────────► at once
//!   event ────┼─ long reads of streams ─────► by bytes ───► so many bytes a turn ─►┐
//!             ├─ a side has ended or is lost ─► in turn ────► so many µs ──────────┐ ├► after those
//!             └─ bytes for a TLS handshake ───► two queues ─► so many steps and µs ┴►┘
//!                                                                        one of the two a turn
//! ```
//!
//! Interactive work is never behind bulk, and both are before ends and handshakes: a storm of logons must not be felt by somebody who
//! types, nor that a crowd leaves all at once. To end a session costs some ten microseconds, most of them for the kernel to close its
//! sockets; thousands of them in one turn, as a network that breaks down or an attacker brings them about, would be a tenth of a
//! second in which nobody's keys arrive.
//!
//! Of handshakes those go on first that have begun: who has cost us a signature shall not be too late because others came.
//! What is not done in this turn waits for the next, first come first served, and [`Share::waiting`] says that the engine should not
//! sleep. The order of events of one leg is kept, since a leg has one receive in flight: the next bytes cannot come before the
//! session was given these and asked again.
//!
//! Long reads are shared out by bytes, not by reads: a direction that gets 17 KiB at a time, since there is no bulk buffer for it, has its
//! turn thirty times as often as one that gets 512 KiB. Each read is given the place on a line of bytes at which it would end if all
//! directions went on at the same pace: behind the one before it, by as many bytes as it has. The lowest is next. That is deficit round
//! robin without rounds (self-clocked fair queueing): two directions that both always have something waiting are never further apart than
//! a read of each. Who has been away for some turns begins where the others are.
//!
//! What a read costs beyond its bytes, since it was full of tiny records, is charged behind it ([`Share::spend`]): a turn is over by at most
//! one read, whatever is in it.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use sluice_link::id::SlotKey;

use crate::buf::Buf;
use crate::event::{Event, Leg};
use crate::limits::{ENDING_TIME_PER_TURN, HANDSHAKE_TIME_PER_TURN, INTERACTIVE_BYTES_MAX, RECORD_COST_BYTES};
use crate::session::Stage;

/// Events that wait for their turn. Bounded by the number of sessions, four for each: of each leg what it received or
/// that it has ended, and that a send has failed.
#[derive(Debug, Default)]
pub struct Share {
    hellos: VecDeque<(SlotKey, Event)>,
    /// Handshakes that we have answered to.
    begun: VecDeque<(SlotKey, Event)>,
    bulk: BinaryHeap<Long>,
    /// Ends of sides.
    ends: VecDeque<(SlotKey, Event)>,
    /// Where the last long read ended that was worked on, on the line of bytes. It is as long as five centuries at 1 GiB/s.
    reached: u64,
    /// Where that was when this turn began, and the one before.
    turns: [u64; 2],
    /// Where the last read of each direction ended, by slot. As long as the highest slot that has had a long read.
    ended: Vec<[u64; 2]>,
    /// Long reads that have come.
    come: u64,
    steps_left: u32,
    /// Of the turn's time for handshakes.
    shake_left: Duration,
    /// Of its time for ends.
    end_left: Duration,
    /// Whether this turn is for ends, and not for handshakes, once that is known. They are never in the same turn, since that is what
    /// somebody who types waits for; if both wait they alternate.
    for_ends: Option<bool>,
    /// Whether the one before was.
    ends_before: bool,
    /// What was given out last.
    gave: Gave,
    bytes_left: usize,
}

/// Whose time it is.
#[derive(Clone, Copy, Debug, Default)]
enum Gave {
    #[default]
    Bulk,
    End,
    Shake,
}

impl Share {
    /// Nobody waits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A turn begins, with `handshake_steps` and `bulk_bytes` to give away. Of bulk at least one read is done, whatever it costs, and either an
    /// end or a step of a handshake; another one of those only while there is time for it, too.
    pub fn begin(&mut self, handshake_steps: u32, bulk_bytes: u32) {
        self.steps_left = handshake_steps.max(1);
        self.shake_left = HANDSHAKE_TIME_PER_TURN;
        self.end_left = ENDING_TIME_PER_TURN;
        self.ends_before = self.for_ends.take().unwrap_or(self.ends_before);
        self.bytes_left = (bulk_bytes as usize).max(1);
        self.turns = [self.reached, self.turns[0]];
    }

    /// Gives `event` back if it is to be handled at once, or keeps it. `stage` is that of its session.
    pub fn sort(&mut self, key: SlotKey, stage: Stage, event: Event) -> Option<Event> {
        let (leg, buf) = match &event {
            Event::Received { leg, buf, .. } => (leg, buf),
            Event::Eof { .. } | Event::Failed { .. } => {
                self.ends.push_back((key, event));
                return None;
            }
            Event::Sent { .. }
            | Event::Connected
            | Event::Control { .. }
            | Event::HandedOver { .. }
            | Event::Told(_)
            | Event::Due
            | Event::End(_) => return Some(event),
        };
        match stage {
            Stage::Hello => self.hellos.push_back((key, event)),
            Stage::Handshake => self.begun.push_back((key, event)),
            Stage::Splice if buf.len() > INTERACTIVE_BYTES_MAX => {
                self.come += 1;
                let ends = self.place(key, *leg, buf.len());
                self.bulk.push(Long { ends, come: self.come, key, event });
            }
            Stage::Splice | Stage::Preface | Stage::Redeem | Stage::Connect | Stage::Drain => return Some(event),
        }
        None
    }

    /// The next event that this turn has room for. To be called until it gives none, after all that could be handled at once.
    ///
    /// The session may be gone or have moved on meanwhile. If it is gone, its buffer goes back to the pool: [`buffer_of`].
    #[expect(clippy::should_implement_trait, reason = "a budget, not a sequence: after `begin` it may give more")]
    pub fn next(&mut self) -> Option<(SlotKey, Event)> {
        if self.bytes_left > 0
            && let Some(Long { ends, key, event, .. }) = self.bulk.pop()
        {
            self.reached = self.reached.max(ends);
            self.bytes_left = self.bytes_left.saturating_sub(bytes(&event));
            self.gave = Gave::Bulk;
            return Some((key, event));
        }
        if self.is_for_ends() {
            self.gave = Gave::End;
            return if self.end_left.is_zero() { None } else { self.ends.pop_front() };
        }
        if self.shake_left.is_zero() {
            return None;
        }
        self.steps_left = self.steps_left.checked_sub(1)?;
        self.gave = Gave::Shake;
        self.begun.pop_front().or_else(|| self.hellos.pop_front())
    }

    /// Whether this turn is for ends, and not for handshakes.
    fn is_for_ends(&mut self) -> bool {
        let shakes = !self.begun.is_empty() || !self.hellos.is_empty();
        let ends = !(self.ends.is_empty() || shakes && self.ends_before);
        *self.for_ends.get_or_insert(ends)
    }

    /// Where on the line of bytes a read of `len` bytes ends: behind the last one of its direction. Who comes back in the next turn is
    /// not behind for that; who was away for longer has saved nothing up.
    fn place(&mut self, key: SlotKey, leg: Leg, len: usize) -> u64 {
        let slot = key.slot.0 as usize;
        if self.ended.len() <= slot {
            self.ended.resize(slot + 1, [0; 2]);
        }
        let ended = &mut self.ended[slot][usize::from(leg == Leg::Host)];
        *ended = (*ended).max(self.turns[1]) + len as u64;
        *ended
    }

    /// What was done just now opened `records` records. Each costs as much as some bytes do.
    pub fn spend(&mut self, records: u64) {
        let cost = usize::try_from(records).unwrap_or(usize::MAX).saturating_mul(RECORD_COST_BYTES);
        self.bytes_left = self.bytes_left.saturating_sub(cost);
    }

    /// What was given out last took so long.
    pub fn took(&mut self, time: Duration) {
        match self.gave {
            Gave::Bulk => {}
            Gave::End => self.end_left = self.end_left.saturating_sub(time),
            Gave::Shake => self.shake_left = self.shake_left.saturating_sub(time),
        }
    }

    /// Whether anybody waits, so that the engine shall not.
    #[must_use]
    pub fn waiting(&self) -> bool {
        self.backlog() > 0
    }

    /// Hellos that wait.
    #[must_use]
    pub fn hellos(&self) -> usize {
        self.hellos.len()
    }

    /// Events that wait.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.bulk.len() + self.ends.len() + self.begun.len() + self.hellos.len()
    }
}

/// A long read that waits.
#[derive(Debug)]
struct Long {
    /// Where it ends on the line of bytes.
    ends: u64,
    /// How many had come before it, and it.
    come: u64,
    key: SlotKey,
    event: Event,
}

impl Ord for Long {
    /// The greatest is next: who ends first, and of those who came first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.ends, other.come).cmp(&(self.ends, self.come))
    }
}

impl PartialOrd for Long {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Long {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Long {}

/// The buffer that an event holds, for events whose session is gone.
#[must_use]
pub fn buffer_of(event: Event) -> Option<Buf> {
    match event {
        Event::Received { buf, .. } => Some(buf),
        Event::Eof { kept, .. } => kept,
        Event::Sent { .. }
        | Event::Connected
        | Event::Control { .. }
        | Event::HandedOver { .. }
        | Event::Failed { .. }
        | Event::Told(_)
        | Event::Due
        | Event::End(_) => None,
    }
}

fn bytes(event: &Event) -> usize {
    match event {
        Event::Received { buf, .. } => buf.len(),
        Event::Eof { .. }
        | Event::Sent { .. }
        | Event::Connected
        | Event::Control { .. }
        | Event::HandedOver { .. }
        | Event::Failed { .. }
        | Event::Told(_)
        | Event::Due
        | Event::End(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use sluice_link::id::{Generation, Slot};

    use super::*;
    use crate::buf::{Class, Pool, PoolSizes};
    use crate::event::{Doing, Fault};

    fn key(slot: u32) -> SlotKey {
        SlotKey { slot: Slot(slot), generation: Generation(0) }
    }

    fn read(pool: &mut Pool, n: usize) -> Event {
        let mut buf = pool.take(Class::Bulk).unwrap();
        buf.append(&vec![1; n]);
        Event::Received { leg: Leg::Host, buf, more: false }
    }

    #[test]
    fn who_types_is_served_at_once_and_bulk_shares_a_budget() {
        let mut pool = Pool::new(PoolSizes::default());
        let mut share = Share::new();
        const QUANTUM: u32 = 1024 * 1024;
        share.begin(1, QUANTUM);
        assert!(share.sort(key(0), Stage::Splice, read(&mut pool, 100)).is_some());
        assert!(share.sort(key(1), Stage::Handshake, read(&mut pool, 100)).is_none());
        assert!(share.sort(key(2), Stage::Handshake, read(&mut pool, 100)).is_none());
        let full = Class::Bulk.payload();
        let in_one_turn = (QUANTUM as usize).div_ceil(full);
        let streams = 3..3 + 2 * u32::try_from(in_one_turn).unwrap() - 1;
        for slot in streams.clone() {
            assert!(share.sort(key(slot), Stage::Splice, read(&mut pool, full)).is_none());
        }
        assert!(share.sort(key(3), Stage::Splice, Event::Sent { leg: Leg::Client }).is_some());
        let done: Vec<u32> = std::iter::from_fn(|| share.next()).map(|(key, _)| key.slot.0).collect();
        let bulk: Vec<u32> = streams.clone().take(in_one_turn).collect();
        assert_eq!(done, [bulk.as_slice(), &[1]].concat());
        assert!(share.waiting());
        assert!(share.backlog() > 0);
        share.begin(1, QUANTUM);
        let rest: Vec<u32> = std::iter::from_fn(|| share.next()).map(|(key, _)| key.slot.0).collect();
        assert_eq!(rest, [streams.skip(in_one_turn).collect::<Vec<_>>().as_slice(), &[2]].concat());
        assert!(!share.waiting());
    }

    #[test]
    fn short_reads_have_their_turn_as_often_as_makes_the_bytes_equal() {
        let mut pool = Pool::new(PoolSizes { bulk: 256, ..PoolSizes::default() });
        let mut share = Share::new();
        const LONG: usize = 240 * 1024;
        const SHORT: usize = 16 * 1024;
        let mut bytes = [0; 70];
        let mut ready: Vec<u32> = (0..70).collect();
        // The first two read much at a time; the short reads of the others fill a turn by themselves.
        let len = |slot: u32| if slot < 2 { LONG } else { SHORT };
        for _ in 0..150 {
            for slot in ready.drain(..) {
                assert!(share.sort(key(slot), Stage::Splice, read(&mut pool, len(slot))).is_none());
            }
            share.begin(1, 1024 * 1024);
            while let Some((key, event)) = share.next() {
                bytes[key.slot.0 as usize] += len(key.slot.0);
                ready.push(key.slot.0);
                buffer_of(event).into_iter().for_each(|buf| pool.give(buf));
            }
        }
        let (least, most) = (bytes.iter().min().unwrap(), bytes.iter().max().unwrap());
        assert!(*least > 5 * LONG && most - least <= LONG + SHORT, "{bytes:?}");
    }

    #[test]
    fn a_signature_that_takes_long_is_the_only_one_of_its_turn() {
        let mut pool = Pool::new(PoolSizes::default());
        let mut share = Share::new();
        for slot in 0..8 {
            assert!(share.sort(key(slot), Stage::Handshake, read(&mut pool, 100)).is_none());
        }
        let mut turn = |took: Duration| {
            share.begin(2, 1);
            std::iter::from_fn(|| share.next().inspect(|_| share.took(took))).count()
        };
        assert_eq!(turn(HANDSHAKE_TIME_PER_TURN / 2), 2);
        assert_eq!(turn(HANDSHAKE_TIME_PER_TURN), 1);
        assert_eq!(turn(Duration::from_millis(9)), 1, "one at least");
        // A long read is no handshake.
        assert!(share.sort(key(9), Stage::Splice, read(&mut pool, 100_000)).is_none());
        let mut turn = || {
            share.begin(2, 1);
            std::iter::from_fn(|| {
                share.next().inspect(|(key, _)| share.took(Duration::from_millis(if key.slot.0 == 9 { 9 } else { 0 })))
            })
            .count()
        };
        assert_eq!(turn(), 3);
    }

    #[test]
    fn ends_are_behind_streams_and_take_turns_with_handshakes() {
        let mut pool = Pool::new(PoolSizes::default());
        let mut share = Share::new();
        let lost = || Event::Failed { leg: Leg::Client, during: Doing::Receiving, fault: Fault::Reset };
        for slot in 0..6 {
            let stage = if slot % 2 == 0 { Stage::Splice } else { Stage::Hello };
            assert!(share.sort(key(slot), stage, lost()).is_none());
        }
        assert!(share.sort(key(6), Stage::Splice, Event::Eof { leg: Leg::Host, kept: None }).is_none());
        for slot in 10..13 {
            assert!(share.sort(key(slot), Stage::Hello, read(&mut pool, 100)).is_none());
        }
        assert!(share.sort(key(20), Stage::Splice, read(&mut pool, 100_000)).is_none());
        assert_eq!((share.backlog(), share.hellos()), (11, 3));
        // A session's end takes a third of the time that a turn has for ends.
        let mut turn = || {
            share.begin(1, 1);
            let each = std::iter::from_fn(|| share.next().inspect(|_| share.took(ENDING_TIME_PER_TURN.div_f64(2.5))));
            each.map(|(key, _)| key.slot.0).collect::<Vec<_>>()
        };
        let turns: Vec<_> = (0..7).map(|_| turn()).collect();
        assert_eq!(turns, [vec![20, 0, 1, 2], vec![10], vec![3, 4, 5], vec![11], vec![6], vec![12], vec![]]);
        // Whoever is alone has every turn.
        for slot in 0..2 {
            share.sort(key(slot), Stage::Preface, lost());
        }
        let mut turn = || {
            share.begin(1, 1);
            std::iter::from_fn(|| share.next().inspect(|_| share.took(Duration::from_secs(1)))).count()
        };
        assert_eq!([turn(), turn(), turn()], [1, 1, 0], "one at least");
    }

    #[test]
    fn handshakes_that_have_begun_go_on_before_others_begin() {
        let mut pool = Pool::new(PoolSizes::default());
        let mut share = Share::new();
        for (slot, stage) in [(0, Stage::Hello), (1, Stage::Handshake), (2, Stage::Hello), (3, Stage::Handshake)] {
            assert!(share.sort(key(slot), stage, read(&mut pool, 100)).is_none());
        }
        let mut order = Vec::new();
        while share.waiting() {
            share.begin(2, 0);
            order.push(std::iter::from_fn(|| share.next()).map(|(key, _)| key.slot.0).collect::<Vec<_>>());
        }
        assert_eq!(order, [[1, 3], [0, 2]]);
    }

    #[test]
    fn tiny_records_use_up_a_turn_as_many_bytes_would() {
        let mut pool = Pool::new(PoolSizes::default());
        let mut share = Share::new();
        for slot in 0..3 {
            assert!(share.sort(key(slot), Stage::Splice, read(&mut pool, 100_000)).is_none());
        }
        share.begin(1, 1024 * 1024);
        assert!(share.next().is_some());
        share.spend(100_000 / 23);
        assert!(share.next().is_none());
        share.begin(1, 1024 * 1024);
        assert!(share.next().is_some());
        share.spend(6);
        assert!(share.next().is_some());
    }

    #[test]
    fn a_quantum_of_next_to_nothing_is_one_read_a_turn() {
        let mut pool = Pool::new(PoolSizes::default());
        let mut share = Share::new();
        share.begin(0, 0);
        for slot in 0..3 {
            assert!(share.sort(key(slot), Stage::Splice, read(&mut pool, 20_000)).is_none());
        }
        for slot in 0..3 {
            share.begin(0, 0);
            let done: Vec<u32> = std::iter::from_fn(|| share.next()).map(|(key, _)| key.slot.0).collect();
            assert_eq!(done, [slot]);
        }
    }
}
