//! A hashed timer wheel: one deadline per slot, set and removed in constant time.
//!
//! ```text
//!   level 0   64 buckets of one tick (10 ms)        0.64 s
//!   level 1   64 buckets of 64 ticks               41    s
//!   level 2   64 buckets of 64² ticks              44    min
//!   level 3   64 buckets of 64³ ticks              46    h      later ones wait in its last bucket and move on from there
//! ```
//!
//! A deadline goes into the bucket that its distance calls for, and moves one level down each time the clock reaches that
//! bucket. Buckets are lists threaded through one array with an entry per slot, whose room is set aside at the start and taken up
//! when a slot has its first deadline. A deadline never fires early, and at most one tick late once [`Wheel::expire`] is called.

use std::time::Duration;

use sluice_link::id::{Generation, SlotKey};
use sluice_link::time::Moment;

/// One tick.
pub const TICK: Duration = Duration::from_millis(10);

const TICK_NANOS: u64 = 10_000_000;
const LEVELS: usize = 4;
const BITS: u32 = 6;
const BUCKETS: usize = 1 << BITS;
/// Ticks that the wheel spans.
const SPAN: u64 = 1 << (BITS * 4);
/// The farthest that an entry is put from where the clock stands, in ticks.
const REACH: u64 = SPAN - SPAN / BUCKETS as u64;
const NONE: u32 = u32::MAX;

const _: () = assert!(TICK.as_nanos() == TICK_NANOS as u128);
const _: () = assert!(SPAN == (BUCKETS * BUCKETS * BUCKETS * BUCKETS) as u64 && LEVELS == 4);

#[derive(Clone, Copy, Debug)]
struct Entry {
    generation: Generation,
    /// Place in the bucket array, or [`NONE`].
    bucket: u32,
    prev: u32,
    next: u32,
    /// Tick at which it is due.
    due: u64,
}

impl Entry {
    const UNSET: Self = Self { generation: Generation(0), bucket: NONE, prev: NONE, next: NONE, due: 0 };
}

/// Deadlines of all slots of one worker.
#[derive(Debug)]
pub struct Wheel {
    entries: Vec<Entry>,
    capacity: usize,
    heads: [u32; LEVELS * BUCKETS],
    /// Per level, which buckets have something in them.
    filled: [u64; LEVELS],
    /// Tick up to which everything has been expired.
    at: u64,
}

impl Wheel {
    /// A wheel for slots `0..capacity`, whose clock stands at `now`.
    #[must_use]
    pub fn new(capacity: u32, now: Moment) -> Self {
        Self {
            entries: Vec::with_capacity(capacity as usize),
            capacity: capacity as usize,
            heads: [NONE; LEVELS * BUCKETS],
            filled: [0; LEVELS],
            at: now.0 / TICK_NANOS,
        }
    }

    /// Sets the one deadline of `key`'s slot, in place of any earlier one, also of an earlier tenant. [`Moment::NEVER`] removes
    /// it. A slot beyond the capacity has no deadlines.
    pub fn set(&mut self, key: SlotKey, when: Moment) {
        let slot = key.slot.0;
        let at = slot as usize;
        if at < self.entries.len() {
            self.unlink(slot);
        }
        if when == Moment::NEVER || at >= self.capacity {
            return;
        }
        if at >= self.entries.len() {
            self.entries.resize(at + 1, Entry::UNSET);
        }
        let entry = &mut self.entries[slot as usize];
        entry.generation = key.generation;
        entry.due = when.0.div_ceil(TICK_NANOS);
        self.link(slot);
    }

    /// When [`Wheel::expire`] is to be called next: not after the earliest deadline, and before it only to move far deadlines
    /// closer, which happens at most three times for each.
    #[must_use]
    pub fn next(&self) -> Option<Moment> {
        self.first().map(|(_, _, tick)| Moment(tick.saturating_mul(TICK_NANOS)))
    }

    /// Removes every deadline that has come by `now` and appends its key to `due`, earliest tick first.
    pub fn expire(&mut self, now: Moment, due: &mut Vec<SlotKey>) {
        let until = now.0 / TICK_NANOS;
        while let Some((level, bucket, tick)) = self.first() {
            if tick > until {
                break;
            }
            self.at = self.at.max(tick);
            let mut slot = self.detach(level, bucket);
            while slot != NONE {
                let entry = &mut self.entries[slot as usize];
                let next = entry.next;
                entry.bucket = NONE;
                if entry.due <= self.at {
                    due.push(SlotKey { slot: sluice_link::id::Slot(slot), generation: entry.generation });
                } else {
                    self.link(slot);
                }
                slot = next;
            }
        }
        self.at = self.at.max(until);
    }

    /// The next bucket that the clock will reach, and the tick at which it does.
    fn first(&self) -> Option<(usize, usize, u64)> {
        (0..LEVELS).filter_map(|level| self.first_of(level)).min_by_key(|&(_, _, tick)| tick)
    }

    fn first_of(&self, level: usize) -> Option<(usize, usize, u64)> {
        let filled = self.filled[level];
        if filled == 0 {
            return None;
        }
        let shift = BITS * u32::try_from(level).ok()?;
        let here = (self.at >> shift) & (BUCKETS as u64 - 1);
        let ahead = filled.rotate_right(u32::try_from(here).ok()?).trailing_zeros();
        let bucket = (here + u64::from(ahead)) & (BUCKETS as u64 - 1);
        let tick = ((self.at >> shift) + u64::from(ahead)) << shift;
        Some((level, usize::try_from(bucket).ok()?, tick.max(self.at)))
    }

    fn link(&mut self, slot: u32) {
        // What is due already goes where the clock stands. What is farther than the span waits at its end, one bucket short of
        // the whole round: there it would meet the clock at once.
        let due = self.entries[slot as usize].due.clamp(self.at, self.at.saturating_add(REACH));
        let differing = (due ^ self.at) | (BUCKETS as u64 - 1);
        let level = (((63 - differing.leading_zeros()) / BITS) as usize).min(LEVELS - 1);
        #[expect(clippy::cast_possible_truncation, reason = "masked to six bits")]
        let bucket = ((due >> (BITS as usize * level)) & (BUCKETS as u64 - 1)) as usize;
        let place = level * BUCKETS + bucket;
        let head = self.heads[place];
        if head != NONE {
            self.entries[head as usize].prev = slot;
        }
        self.heads[place] = slot;
        self.filled[level] |= 1 << bucket;
        let entry = &mut self.entries[slot as usize];
        entry.prev = NONE;
        entry.next = head;
        #[expect(clippy::cast_possible_truncation, reason = "there are 256 buckets")]
        let place = place as u32;
        entry.bucket = place;
    }

    fn unlink(&mut self, slot: u32) {
        let entry = self.entries[slot as usize];
        if entry.bucket == NONE {
            return;
        }
        let place = entry.bucket as usize;
        if entry.prev == NONE {
            self.heads[place] = entry.next;
        } else {
            self.entries[entry.prev as usize].next = entry.next;
        }
        if entry.next != NONE {
            self.entries[entry.next as usize].prev = entry.prev;
        }
        if self.heads[place] == NONE {
            self.filled[place / BUCKETS] &= !(1 << (place % BUCKETS));
        }
        self.entries[slot as usize].bucket = NONE;
    }

    fn detach(&mut self, level: usize, bucket: usize) -> u32 {
        self.filled[level] &= !(1 << bucket);
        std::mem::replace(&mut self.heads[level * BUCKETS + bucket], NONE)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use sluice_link::id::Slot;

    use super::*;

    fn key(slot: u32) -> SlotKey {
        SlotKey { slot: Slot(slot), generation: Generation(slot + 7) }
    }

    fn millis(ms: u64) -> Moment {
        Moment(ms * 1_000_000)
    }

    #[test]
    fn a_deadline_fires_once_not_early_and_within_a_tick() {
        let mut wheel = Wheel::new(4, millis(1_000_003));
        let mut due = Vec::new();
        wheel.set(key(1), millis(1_000_055));
        wheel.expire(millis(1_000_054), &mut due);
        assert_eq!(due, []);
        wheel.expire(millis(1_000_060), &mut due);
        assert_eq!(due, [key(1)]);
        wheel.expire(millis(2_000_000), &mut due);
        assert_eq!((due.len(), wheel.next()), (1, None));
    }

    #[test]
    fn a_new_deadline_replaces_the_old_and_never_removes_it() {
        let mut wheel = Wheel::new(4, Moment(0));
        let mut due = Vec::new();
        wheel.set(key(2), millis(100));
        wheel.set(key(2), millis(5_000));
        wheel.set(key(3), millis(100));
        wheel.set(key(3), Moment::NEVER);
        wheel.expire(millis(4_999), &mut due);
        assert_eq!(due, []);
        wheel.expire(millis(5_000), &mut due);
        assert_eq!(due, [key(2)]);
    }

    #[test]
    fn the_past_fires_at_once_and_a_year_is_not_lost() {
        let year = Duration::from_secs(365 * 86_400);
        let start = Moment(123_456_789_012_345);
        let mut wheel = Wheel::new(2, start);
        let mut due = Vec::new();
        wheel.set(key(0), Moment(5));
        wheel.set(key(1), start + year);
        wheel.expire(start, &mut due);
        assert_eq!(due, [key(0)]);
        due.clear();
        let mut calls = 0;
        while due.is_empty() {
            let next = wheel.next().unwrap();
            assert!(next <= start + year + TICK);
            wheel.expire(next, &mut due);
            calls += 1;
        }
        assert_eq!(due, [key(1)]);
        assert!(calls < 1000, "{calls} calls to carry one deadline through a year");
    }

    proptest! {
        /// The wheel does what a sorted map does.
        #[test]
        fn it_agrees_with_a_sorted_map(
            start in 0..u64::MAX / 4,
            acts in prop::collection::vec((0_u32..16, 0_u32..40, any::<u16>(), any::<bool>()), 1..120),
        ) {
            let mut now = Moment(start);
            let mut wheel = Wheel::new(16, now);
            let mut model: BTreeMap<u32, Moment> = BTreeMap::new();
            for (slot, scale, amount, advance) in acts {
                let step = Duration::from_nanos(u64::from(amount) << scale);
                if advance {
                    now = now + step;
                    let mut due = Vec::new();
                    wheel.expire(now, &mut due);
                    for fired in &due {
                        let when = model.remove(&fired.slot.0);
                        prop_assert!(when.is_some_and(|when| when <= now));
                        prop_assert_eq!(fired.generation, Generation(fired.slot.0 + 7));
                    }
                    prop_assert!(model.values().all(|when| *when + TICK > now), "late by more than a tick");
                } else {
                    wheel.set(key(slot), now + step);
                    model.insert(slot, now + step);
                }
                let earliest = model.values().min();
                prop_assert_eq!(wheel.next().is_some(), earliest.is_some());
                if let (Some(next), Some(earliest)) = (wheel.next(), earliest) {
                    prop_assert!(next <= *earliest + TICK);
                }
            }
        }
    }
}
