//! Fairness within a worker: what is done in this turn, and in which order.
//!
//! ```text
//!             ┌─ short reads, sends, deadlines, answers ─────────► at once
//!   event ────┼─ bytes for a TLS handshake ─► two queues ─► so many steps a turn ─►┐
//!             └─ long reads of streams ─────► queue ──────► so many bytes a turn ──┴► after those
//! ```
//!
//! Interactive work is never behind bulk, and both are before handshakes: a storm of logons must not be felt by somebody who
//! types. Of handshakes those go on first that have begun: who has cost us a signature shall not be too late because others came.
//! What is not done in this turn waits for the next, first come first served, and [`Share::waiting`] says that the engine should not
//! sleep. The order of events of one leg is kept, since a leg has one receive in flight: the next bytes cannot come before the
//! session was given these and asked again.
//!
//! That is round robin with one read as the quantum, and so with a bounded deficit: a direction has one read in the queue at most, and
//! goes to its end with the next. What a read costs beyond its bytes, since it was full of tiny records, is charged behind it
//! ([`Share::spend`]): a turn is over by at most one read, whatever is in it.

use std::collections::VecDeque;

use sluice_link::id::SlotKey;

use crate::buf::Buf;
use crate::event::Event;
use crate::limits::{INTERACTIVE_BYTES_MAX, RECORD_COST_BYTES};
use crate::session::Stage;

/// Events that wait for their turn. Bounded by the number of sessions, two for each.
#[derive(Debug, Default)]
pub struct Share {
    hellos: VecDeque<(SlotKey, Event)>,
    /// Handshakes that we have answered to.
    begun: VecDeque<(SlotKey, Event)>,
    bulk: VecDeque<(SlotKey, Event)>,
    steps_left: u32,
    bytes_left: usize,
}

impl Share {
    /// Nobody waits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A turn begins, with `handshake_steps` and `bulk_bytes` to give away. Of each at least one is done, whatever it costs.
    pub fn begin(&mut self, handshake_steps: u32, bulk_bytes: u32) {
        self.steps_left = handshake_steps.max(1);
        self.bytes_left = (bulk_bytes as usize).max(1);
    }

    /// Gives `event` back if it is to be handled at once, or keeps it. `stage` is that of its session.
    pub fn sort(&mut self, key: SlotKey, stage: Stage, event: Event) -> Option<Event> {
        let Event::Received { buf, .. } = &event else { return Some(event) };
        match stage {
            Stage::Hello => self.hellos.push_back((key, event)),
            Stage::Handshake => self.begun.push_back((key, event)),
            Stage::Splice if buf.len() > INTERACTIVE_BYTES_MAX => self.bulk.push_back((key, event)),
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
            && let Some((key, event)) = self.bulk.pop_front()
        {
            self.bytes_left = self.bytes_left.saturating_sub(bytes(&event));
            return Some((key, event));
        }
        self.steps_left = self.steps_left.checked_sub(1)?;
        self.begun.pop_front().or_else(|| self.hellos.pop_front())
    }

    /// What was done just now opened `records` records. Each costs as much as some bytes do.
    pub fn spend(&mut self, records: u64) {
        let cost = usize::try_from(records).unwrap_or(usize::MAX).saturating_mul(RECORD_COST_BYTES);
        self.bytes_left = self.bytes_left.saturating_sub(cost);
    }

    /// Whether anybody waits, so that the engine shall not.
    #[must_use]
    pub fn waiting(&self) -> bool {
        self.backlog() > 0
    }

    /// Events that wait.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.bulk.len() + self.begun.len() + self.hellos.len()
    }
}

/// The buffer that an event holds, for events whose session is gone.
#[must_use]
pub fn buffer_of(event: Event) -> Option<Buf> {
    match event {
        Event::Received { buf, .. } => Some(buf),
        Event::Eof { kept, .. } => kept,
        Event::Sent { .. } | Event::Connected | Event::Failed { .. } | Event::Told(_) | Event::Due | Event::End(_) => None,
    }
}

fn bytes(event: &Event) -> usize {
    match event {
        Event::Received { buf, .. } => buf.len(),
        Event::Eof { .. }
        | Event::Sent { .. }
        | Event::Connected
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
    use crate::event::Leg;

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
        for slot in 3..10 {
            assert!(share.sort(key(slot), Stage::Splice, read(&mut pool, full)).is_none());
        }
        assert!(share.sort(key(9), Stage::Splice, Event::Sent { leg: Leg::Client }).is_some());
        let in_one_turn = (QUANTUM as usize).div_ceil(full);
        let done: Vec<u32> = std::iter::from_fn(|| share.next()).map(|(key, _)| key.slot.0).collect();
        let bulk: Vec<u32> = (3..10).take(in_one_turn).collect();
        assert_eq!(done, [bulk.as_slice(), &[1]].concat());
        assert!(share.waiting());
        assert!(share.backlog() > 0);
        share.begin(1, QUANTUM);
        let rest: Vec<u32> = std::iter::from_fn(|| share.next()).map(|(key, _)| key.slot.0).collect();
        assert_eq!(rest, [(3..10).skip(in_one_turn).collect::<Vec<_>>().as_slice(), &[2]].concat());
        assert!(!share.waiting());
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
