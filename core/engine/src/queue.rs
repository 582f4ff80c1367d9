//! Receives that wait: for a buffer, or for their turn.
//!
//! ```text
//!   no buffer left ─────────────────┐
//!                                   ├─► one queue per class ──┐
//!   long reads beyond the allowance ┤                         ├─► next: the longest waiting that can be served ─► into this buffer
//!                                   └─► one for lent buffers ─┘        └─ BULK_PER_TURN of the largest class a turn
//! ```
//!
//! What is received is opened, sealed and sent from where it lies, so it should still be in the processor's cache then. If all streams that have
//! something were read at once, as one enter or one call of epoll would have it, each buffer would be gone from there before its turn comes,
//! twice. So few long reads are made at a time, one after the other in the order in which they were asked for, and each is passed on before
//! others are made. That is round robin between streams, too: each has a turn of [`LONG_READS_IN_A_ROW`], and a stream that has run dry before has had
//! its own.
//!
//! A receive that asks for a class is content with a smaller one, so each class has a queue of its own, and whoever has waited
//! longest among those that can be served is served first. A session that has lent its buffer needs none, and does not wait behind those
//! that do: they may wait for that very buffer. Nothing here runs on a timer: the engine looks when a turn begins,
//! since buffers come back between turns.

use std::collections::VecDeque;

use sluice_flow::buf::{Buf, Class, Pool};
use sluice_flow::event::Leg;
use sluice_flow::port::SlotKey;

/// Most receives into buffers of the largest class that are made in a turn: a MiB, which is what the second-level cache of a server's core
/// holds. What it brings is measured in `docs/performance.md`.
pub const BULK_PER_TURN: usize = 1024 * 1024 / Class::Bulk.reads();
const _: () = assert!(BULK_PER_TURN > 0);

/// Long reads that a stream makes one after the other before it is somebody else's turn. What the kernel has for a stream that was read a moment
/// ago is still in the cache, in part; of 64 streams, each read once in a round, nothing is. More than these 4 MiB would bring
/// more, but others wait meanwhile. What it brings is measured in `docs/performance.md`.
pub(crate) const LONG_READS_IN_A_ROW: u8 = 8;

/// How many more long reads a stream may make before it is somebody else's turn.
#[derive(Debug, Default)]
pub(crate) struct Stay(u8);

impl Stay {
    /// Whether this long read belongs to the stream's turn, and is made before those of others. If not, it waits behind them, and begins the
    /// stream's next turn. A stream that has run dry begins anew, with [`Stay::default`].
    pub(crate) fn goes_on(&mut self) -> bool {
        let goes_on = self.0 > 0;
        self.0 = if goes_on { self.0 - 1 } else { LONG_READS_IN_A_ROW - 1 };
        goes_on
    }
}

/// Receives of a class for which there is room from the start: the first to wait costs no allocation in the middle of a stream.
const ROOM: usize = 64;

#[derive(Debug)]
pub(crate) struct Waiting {
    queues: [VecDeque<One>; 3],
    /// Long reads into buffers that sessions have lent.
    lent: VecDeque<(One, Buf)>,
    /// Counts up with each arrival: who has waited longest has the smallest.
    arrivals: u64,
}

#[derive(Debug)]
struct One {
    arrival: u64,
    key: SlotKey,
    leg: Leg,
}

/// A receive whose turn it is.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) key: SlotKey,
    pub(crate) leg: Leg,
    pub(crate) buf: Buf,
    /// The buffer is the pool's, and not lent by the session.
    pub(crate) fed: bool,
}

/// A buffer of `class`, or the largest smaller one that is to be had.
pub(crate) fn take(pool: &mut Pool, class: Class) -> Option<Buf> {
    Class::ALL.into_iter().rev().filter(|c| *c <= class).find_map(|c| pool.take(c))
}

impl Default for Waiting {
    fn default() -> Self {
        let queues = std::array::from_fn(|_| VecDeque::with_capacity(ROOM));
        Self { queues, lent: VecDeque::with_capacity(ROOM), arrivals: 0 }
    }
}

impl Waiting {
    pub(crate) fn is_empty(&self) -> bool {
        self.queues.iter().all(VecDeque::is_empty) && self.lent.is_empty()
    }

    /// Queues the receive on `leg` of `key`, which wants a buffer of `class`. There is at most one for each leg, which bounds the queues.
    pub(crate) fn push(&mut self, class: Class, key: SlotKey, leg: Leg) {
        let one = self.one(key, leg);
        self.queue(class).push_back(one);
    }

    /// Queues the long read on `leg` of `key`, which goes on with its turn: in front.
    pub(crate) fn push_first(&mut self, key: SlotKey, leg: Leg) {
        self.queue(Class::Bulk).push_front(One { arrival: 0, key, leg });
    }

    /// Queues the long read on `leg` of `key`, which has lent `buf` for it; in front if it `goes_on` with its turn.
    pub(crate) fn push_lent(&mut self, buf: Buf, key: SlotKey, leg: Leg, goes_on: bool) {
        if goes_on {
            self.lent.push_front((One { arrival: 0, key, leg }, buf));
        } else {
            let one = self.one(key, leg);
            self.lent.push_back((one, buf));
        }
    }

    fn one(&mut self, key: SlotKey, leg: Leg) -> One {
        self.arrivals += 1;
        One { arrival: self.arrivals, key, leg }
    }

    /// The longest waiting among those for which there is a buffer and, for long reads, some of the allowance `bulk_left`.
    pub(crate) fn next(&mut self, pool: &mut Pool, bulk_left: &mut usize) -> Option<Ready> {
        if self.is_empty() {
            return None;
        }
        let may = |class| class != Class::Bulk || *bulk_left > 0;
        let has_buffer = |class| Class::ALL.iter().any(|c| *c <= class && pool.left(*c) > 0);
        let lent = self.lent.front().filter(|_| may(Class::Bulk)).map(|(one, _)| (one.arrival, None));
        let (_, class) = Class::ALL
            .into_iter()
            .filter(|class| may(*class) && has_buffer(*class))
            .filter_map(|class| self.queue(class).front().map(|one| (one.arrival, Some(class))))
            .chain(lent)
            .min_by_key(|(arrival, _)| *arrival)?;
        let (One { key, leg, .. }, buf) = match class {
            None => self.lent.pop_front()?,
            Some(class) => (self.queue(class).pop_front()?, take(pool, class)?),
        };
        *bulk_left -= usize::from(matches!(class, None | Some(Class::Bulk)));
        Some(Ready { key, leg, buf, fed: class.is_some() })
    }

    /// Forgets the receives of `key`, and gives back what they have.
    pub(crate) fn forget(&mut self, key: SlotKey, pool: &mut Pool) {
        for queue in &mut self.queues {
            queue.retain(|one| one.key != key);
        }
        while let Some((_, buf)) = self.lent.iter().position(|(one, _)| one.key == key).and_then(|at| self.lent.remove(at)) {
            pool.give(buf);
        }
    }

    fn queue(&mut self, class: Class) -> &mut VecDeque<One> {
        match class {
            Class::Small => &mut self.queues[0],
            Class::Large => &mut self.queues[1],
            Class::Bulk => &mut self.queues[2],
        }
    }
}

#[cfg(test)]
mod tests {
    use sluice_flow::buf::PoolSizes;
    use sluice_flow::port::{Generation, Slot};

    use super::*;

    fn key(slot: u32) -> SlotKey {
        SlotKey { slot: Slot(slot), generation: Generation(0) }
    }

    #[test]
    fn who_waits_longest_and_can_be_served_is_next() {
        let mut pool = Pool::new(PoolSizes { small: 1, large: 1, bulk: 0 });
        let (small, large) = (pool.take(Class::Small).unwrap(), pool.take(Class::Large).unwrap());
        let mut queue = Waiting::default();
        let next = |queue: &mut Waiting, pool: &mut Pool| queue.next(pool, &mut 9).map(|ready| (ready.key, ready.buf));
        queue.push(Class::Small, key(1), Leg::Client);
        queue.push(Class::Large, key(2), Leg::Client);
        queue.push(Class::Bulk, key(3), Leg::Host);
        assert!(next(&mut queue, &mut pool).is_none());

        pool.give(large);
        let (who, large) = next(&mut queue, &mut pool).unwrap();
        assert_eq!((who, large.class()), (key(2), Class::Large), "the first cannot use a large buffer");
        pool.give(small);
        let (who, small) = next(&mut queue, &mut pool).unwrap();
        assert_eq!(who, key(1));
        pool.give(small);
        let (who, small) = next(&mut queue, &mut pool).unwrap();
        assert_eq!((who, small.class()), (key(3), Class::Small));
        assert!(queue.is_empty());
        pool.give(small);
        pool.give(large);
    }

    #[test]
    fn who_has_lent_a_buffer_does_not_wait_for_one() {
        let mut pool = Pool::new(PoolSizes { small: 0, large: 0, bulk: 1 });
        let mut queue = Waiting::default();
        let lent = pool.take(Class::Bulk).unwrap();
        queue.push(Class::Bulk, key(1), Leg::Host);
        queue.push_lent(lent, key(2), Leg::Client, false);
        queue.push(Class::Bulk, key(3), Leg::Host);
        for who in [2, 1, 3] {
            let ready = queue.next(&mut pool, &mut 1).unwrap();
            assert_eq!(ready.key, key(who), "the one buffer goes from one to the next");
            assert!(queue.next(&mut pool, &mut 1).is_none());
            pool.give(ready.buf);
        }
        assert!(queue.is_empty());
    }

    #[test]
    fn long_reads_come_one_after_the_other_and_hold_nobody_else_up() {
        let mut pool = Pool::new(PoolSizes::default());
        let mut queue = Waiting::default();
        let lent = pool.take(Class::Bulk).unwrap();
        queue.push(Class::Bulk, key(1), Leg::Host);
        queue.push_lent(lent, key(2), Leg::Client, false);
        queue.push(Class::Bulk, key(3), Leg::Host);
        queue.push(Class::Small, key(4), Leg::Client);
        let mut turn = |queue: &mut Waiting| {
            let mut left = 2;
            let ready: Vec<Ready> = std::iter::from_fn(|| queue.next(&mut pool, &mut left)).collect();
            let who: Vec<_> = ready.iter().map(|ready| (ready.key.slot.0, ready.fed)).collect();
            ready.into_iter().for_each(|ready| pool.give(ready.buf));
            who
        };
        assert_eq!(turn(&mut queue), [(1, true), (2, false), (4, true)]);
        assert_eq!(turn(&mut queue), [(3, true)]);
        assert!(queue.is_empty());
    }

    #[test]
    fn who_has_the_turn_goes_on_with_it_so_many_times_and_no_more() {
        let mut pool = Pool::new(PoolSizes { small: 0, large: 0, bulk: 2 });
        let mut queue = Waiting::default();
        let mut stays = [Stay::default(), Stay::default()];
        let mut order = Vec::new();
        for slot in 0..2 {
            assert!(!stays[slot as usize].goes_on(), "a new turn");
            queue.push(Class::Bulk, key(slot), Leg::Host);
        }
        while order.len() < 4 * usize::from(LONG_READS_IN_A_ROW) {
            let ready = queue.next(&mut pool, &mut 1).unwrap();
            // One lends its buffer, the other does not.
            let goes_on = stays[ready.key.slot.0 as usize].goes_on();
            match ready.key.slot.0 {
                0 => queue.push_lent(ready.buf, ready.key, ready.leg, goes_on),
                _ => {
                    pool.give(ready.buf);
                    if goes_on {
                        queue.push_first(ready.key, ready.leg);
                    } else {
                        queue.push(Class::Bulk, ready.key, ready.leg);
                    }
                }
            }
            order.push(ready.key.slot.0);
        }
        let turns: Vec<_> = order.chunk_by(|a, b| a == b).map(|turn| (turn[0], turn.len())).collect();
        let whole = usize::from(LONG_READS_IN_A_ROW);
        assert_eq!(turns, [(0, whole), (1, whole), (0, whole), (1, whole)]);
    }

    #[test]
    fn the_released_are_forgotten_and_what_they_lent_is_given_back() {
        let mut pool = Pool::new(PoolSizes::default());
        let mut queue = Waiting::default();
        let lent = pool.take(Class::Bulk).unwrap();
        queue.push(Class::Small, key(1), Leg::Client);
        queue.push_lent(lent, key(1), Leg::Host, false);
        queue.push(Class::Bulk, key(2), Leg::Host);
        queue.forget(key(1), &mut pool);
        assert_eq!(pool.lent(Class::Bulk), 0);
        let ready = queue.next(&mut pool, &mut 1).unwrap();
        assert_eq!(ready.key, key(2));
        assert!(queue.is_empty());
        pool.give(ready.buf);
    }
}
