//! Receives that found no buffer, in the order in which they came.
//!
//! A receive that asks for a class is content with a smaller one, so each class has a queue of its own, and whoever has waited
//! longest among those that can be served is served first. Nothing here runs on a timer: the engine looks when a turn begins,
//! since buffers come back between turns.

use std::collections::VecDeque;

use sluice_flow::buf::{Buf, Class, Pool};
use sluice_flow::event::Leg;
use sluice_flow::port::SlotKey;

#[derive(Debug, Default)]
pub(crate) struct Starved {
    queues: [VecDeque<Waiting>; 3],
    /// Counts up with each arrival: who has waited longest has the smallest.
    arrivals: u64,
}

#[derive(Debug)]
struct Waiting {
    arrival: u64,
    key: SlotKey,
    leg: Leg,
}

/// A buffer of `class`, or the largest smaller one that is to be had.
pub(crate) fn take(pool: &mut Pool, class: Class) -> Option<Buf> {
    Class::ALL.into_iter().rev().filter(|c| *c <= class).find_map(|c| pool.take(c))
}

impl Starved {
    pub(crate) fn is_empty(&self) -> bool {
        self.queues.iter().all(VecDeque::is_empty)
    }

    /// Queues the receive on `leg` of `key`. There is at most one for each leg, which bounds the queues.
    pub(crate) fn push(&mut self, class: Class, key: SlotKey, leg: Leg) {
        self.arrivals += 1;
        let waiting = Waiting { arrival: self.arrivals, key, leg };
        self.queue(class).push_back(waiting);
    }

    /// The longest waiting among those for which `pool` has a buffer, with that buffer.
    pub(crate) fn next(&mut self, pool: &mut Pool) -> Option<(SlotKey, Leg, Buf)> {
        if self.is_empty() {
            return None;
        }
        let class = Class::ALL
            .into_iter()
            .filter(|class| Class::ALL.iter().any(|c| c <= class && pool.left(*c) > 0))
            .filter_map(|class| self.queue(class).front().map(|w| (w.arrival, class)))
            .min_by_key(|(arrival, _)| *arrival)?
            .1;
        let buf = take(pool, class)?;
        let waiting = self.queue(class).pop_front()?;
        Some((waiting.key, waiting.leg, buf))
    }

    /// Forgets the receives of `key`.
    pub(crate) fn forget(&mut self, key: SlotKey) {
        for queue in &mut self.queues {
            queue.retain(|w| w.key != key);
        }
    }

    fn queue(&mut self, class: Class) -> &mut VecDeque<Waiting> {
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
        let mut starved = Starved::default();
        starved.push(Class::Small, key(1), Leg::Client);
        starved.push(Class::Large, key(2), Leg::Client);
        starved.push(Class::Bulk, key(3), Leg::Host);
        assert!(starved.next(&mut pool).is_none());

        pool.give(large);
        let (who, _, large) = starved.next(&mut pool).unwrap();
        assert_eq!((who, large.class()), (key(2), Class::Large), "the first cannot use a large buffer");
        pool.give(small);
        let (who, _, small) = starved.next(&mut pool).unwrap();
        assert_eq!(who, key(1));
        pool.give(small);
        let (who, leg, small) = starved.next(&mut pool).unwrap();
        assert_eq!((who, leg, small.class()), (key(3), Leg::Host, Class::Small));
        assert!(starved.is_empty());
        pool.give(small);
        pool.give(large);
    }

    #[test]
    fn the_released_are_forgotten() {
        let mut pool = Pool::new(PoolSizes::default());
        let mut starved = Starved::default();
        starved.push(Class::Small, key(1), Leg::Client);
        starved.push(Class::Bulk, key(1), Leg::Host);
        starved.push(Class::Bulk, key(2), Leg::Host);
        starved.forget(key(1));
        let (who, _, buf) = starved.next(&mut pool).unwrap();
        assert_eq!(who, key(2));
        assert!(starved.is_empty());
        pool.give(buf);
    }
}
