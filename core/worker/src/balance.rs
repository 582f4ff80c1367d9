//! Which worker carries a connection: the one that accepted it, or one that has much less to do.
//!
//! ```text
//!   accepted by worker 0 ─► much more than the least loaded? ─ no ──► its own slot
//!                                      │ yes, before a byte is read
//!                                      ▼
//!                           ring 0 ─► 1, bounded ─► bell ─► worker 1 takes it as if it had accepted it
//! ```
//!
//! The kernel spreads connections over the workers by a hash: evenly, as long as all of them live equally long. Sessions live for
//! hours or for seconds, and a worker may have been without some of its listeners. So each worker shows how many connections it has,
//! and whoever has more than five quarters of the least loaded, and [`SLACK`] on top, hands the next one over.
//!
//! There is a ring for each pair, with one producer and one consumer: wait-free at both ends, so that no worker ever waits for
//! another. What finds no room stays where it is. A connection on its way counts for the worker that it goes to; so a batch that is
//! accepted in one turn does not all go the same way.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crossbeam_utils::CachePadded;
use sluice_link::id::ListenerId;

use crate::mailbox::Eventfd;
use crate::wake::Bell;

/// Connections that a worker may have more than five quarters of the least loaded before it hands over.
const SLACK: u64 = 8;
/// Connections that may be on their way from one worker to another.
const HANDED_MAX: usize = 128;
/// Workers that one hands to: so many that come after it, in a circle. With more workers than this, what is too much moves on from
/// circle to circle, and rings for all pairs would take more memory than what is in them.
const PEERS_MAX: usize = 63;
/// Connections that one turn takes from others.
pub(crate) const TAKEN_PER_TURN: usize = 64;

/// An accepted connection of which nothing has been read.
#[derive(Debug)]
pub(crate) struct Handed {
    /// At which virtual server it arrived.
    pub(crate) listener: ListenerId,
    pub(crate) socket: OwnedFd,
}

/// What one worker shows to the others. Nobody looks at it but when a connection comes or goes.
#[derive(Debug)]
struct Stand {
    /// Connections that it has, and those on their way to it.
    active: AtomicU32,
    /// It takes connections.
    open: AtomicBool,
    /// Connections in the rings that lead to it.
    handed: AtomicU32,
    bell: Arc<Bell<Eventfd>>,
}

/// One worker's end.
#[derive(Debug)]
pub(crate) struct Balance {
    me: usize,
    /// Of all workers, each on cache lines of its own.
    stands: Arc<[CachePadded<Stand>]>,
    /// To each of the others.
    to: Vec<Option<rtrb::Producer<Handed>>>,
    from: Vec<rtrb::Consumer<Handed>>,
    /// Whose ring is looked at first.
    next: usize,
}

/// The ends of all workers, in order. `bells` wake them.
pub(crate) fn balances(bells: &[Arc<Bell<Eventfd>>]) -> Vec<Balance> {
    let stand = |bell: &Arc<Bell<Eventfd>>| Stand {
        active: AtomicU32::new(0),
        open: AtomicBool::new(true),
        handed: AtomicU32::new(0),
        bell: Arc::clone(bell),
    };
    let stands: Arc<[CachePadded<Stand>]> = bells.iter().map(|bell| CachePadded::new(stand(bell))).collect();
    let workers = bells.len();
    let mut to: Vec<Vec<_>> = (0..workers).map(|_| Vec::with_capacity(workers)).collect();
    let mut from: Vec<Vec<_>> = (0..workers).map(|_| Vec::with_capacity(PEERS_MAX.min(workers))).collect();
    for (giver, rings) in to.iter_mut().enumerate() {
        for (taker, consumers) in from.iter_mut().enumerate() {
            let ahead = (taker + workers - giver) % workers;
            rings.push((1..=PEERS_MAX).contains(&ahead).then(|| {
                let (producer, consumer) = rtrb::RingBuffer::new(HANDED_MAX);
                consumers.push(consumer);
                producer
            }));
        }
    }
    let ends = to.into_iter().zip(from).enumerate();
    ends.map(|(me, (to, from))| Balance { me, stands: Arc::clone(&stands), to, from, next: 0 }).collect()
}

impl Balance {
    /// The worker that should have the next connection, if it is another one.
    pub(crate) fn lighter(&self) -> Option<usize> {
        let ours = u64::from(self.mine().active.load(Ordering::Relaxed));
        if ours <= SLACK {
            return None;
        }
        let others = self.stands.iter().zip(&self.to).enumerate();
        let (least, lightest) = others
            .filter(|(_, (stand, ring))| {
                let room = ring.as_ref().is_some_and(|ring| ring.slots() > 0 && !ring.is_abandoned());
                room && stand.open.load(Ordering::Relaxed)
            })
            .map(|(at, (stand, _))| (u64::from(stand.active.load(Ordering::Relaxed)), at))
            .min()?;
        (4 * ours > 5 * least + 4 * SLACK).then_some(lightest)
    }

    /// Hands a connection to the worker that [`Balance::lighter`] named. Gives it back if that has no room.
    pub(crate) fn give(&mut self, to: usize, handed: Handed) -> Result<(), Handed> {
        let (Some(stand), Some(Some(ring))) = (self.stands.get(to), self.to.get_mut(to)) else { return Err(handed) };
        ring.push(handed).map_err(|rtrb::PushError::Full(handed)| handed)?;
        stand.active.fetch_add(1, Ordering::Relaxed);
        stand.handed.fetch_add(1, Ordering::Release);
        stand.bell.ring();
        Ok(())
    }

    /// The next connection that another worker has handed over. It counts already ([`Balance::entered`]).
    pub(crate) fn take(&mut self) -> Option<Handed> {
        if self.nothing_handed() {
            return None;
        }
        for _ in 0..self.from.len() {
            let at = self.next;
            self.next = (at + 1) % self.from.len();
            if let Some(Ok(handed)) = self.from.get_mut(at).map(rtrb::Consumer::pop) {
                self.mine().handed.fetch_sub(1, Ordering::Relaxed);
                return Some(handed);
            }
        }
        None
    }

    /// Whether no connection is on its way to this worker. Asked behind the fence before it sleeps.
    pub(crate) fn nothing_handed(&self) -> bool {
        self.mine().handed.load(Ordering::Acquire) == 0
    }

    /// A connection that this worker accepted is its own from now on.
    pub(crate) fn entered(&self) {
        self.mine().active.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection that counted here is gone.
    pub(crate) fn left(&self) {
        self.mine().active.fetch_sub(1, Ordering::Relaxed);
    }

    /// Says whether connections may be handed to this worker.
    pub(crate) fn set_open(&self, open: bool) {
        self.mine().open.store(open, Ordering::Relaxed);
    }

    fn mine(&self) -> &Stand {
        &self.stands[self.me]
    }
}

impl Drop for Balance {
    fn drop(&mut self) {
        // The worker is gone. What is still in its rings is closed with them.
        self.set_open(false);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use sluice_engine::eventfd;
    use sluice_link::count::Counters;

    use super::*;
    use crate::meter::Seen;

    fn bells(n: usize) -> Vec<Arc<Bell<Eventfd>>> {
        (0..n).map(|_| Arc::new(Bell::new(Eventfd(eventfd().unwrap().1)))).collect()
    }

    fn handed() -> Handed {
        Handed { listener: ListenerId(1), socket: UnixStream::pair().unwrap().0.into() }
    }

    #[test]
    fn the_least_loaded_is_named_only_if_it_has_much_less() {
        let all = balances(&bells(3));
        assert_eq!(all[0].lighter(), None);
        (0..8).for_each(|_| all[0].entered());
        assert_eq!(all[0].lighter(), None, "eight more than nothing are not worth the trouble");
        all[0].entered();
        assert_eq!(all[0].lighter(), Some(1));
        all[1].entered();
        assert_eq!(all[0].lighter(), Some(2));
        assert_eq!((all[1].lighter(), all[2].lighter()), (None, None));
        // 100 against 73: five quarters are 91, and 8 on top are 99.
        (0..91).for_each(|_| all[0].entered());
        (0..72).for_each(|_| all[1].entered());
        (0..74).for_each(|_| all[2].entered());
        assert_eq!(all[0].lighter(), Some(1));
        all[0].left();
        assert_eq!(all[0].lighter(), None);
    }

    #[test]
    fn a_batch_spreads_and_a_full_ring_keeps_the_rest_where_it_is() {
        let mut all = balances(&bells(2));
        (0..500).for_each(|_| all[0].entered());
        let mut given = 0;
        while let Some(to) = all[0].lighter() {
            all[0].give(to, handed()).unwrap();
            given += 1;
        }
        assert_eq!(given, HANDED_MAX);
        assert!(all[0].give(1, handed()).is_err());
        assert!(!all[1].nothing_handed() && all[0].nothing_handed());
        let taken = std::iter::from_fn(|| all[1].take()).count();
        assert_eq!((taken, all[1].nothing_handed()), (HANDED_MAX, true));
        assert_eq!(all[0].lighter(), Some(1), "there is room again, and still much less to do");
    }

    #[test]
    fn nobody_is_handed_to_one_that_is_gone_or_takes_nobody() {
        let mut all = balances(&bells(3));
        (0..100).for_each(|_| all[0].entered());
        all[1].set_open(false);
        assert_eq!(all[0].lighter(), Some(2));
        drop(all.pop());
        assert_eq!(all[0].lighter(), None);
        all[1].set_open(true);
        assert_eq!(all[0].lighter(), Some(1));
    }

    #[test]
    fn of_many_each_knows_some() {
        let all = balances(&bells(100));
        for one in &all {
            assert_eq!((one.to.iter().flatten().count(), one.from.len()), (PEERS_MAX, PEERS_MAX));
            assert!(one.to[one.me].is_none());
        }
    }

    #[test]
    fn one_alone_has_nobody_to_hand_to() {
        let mut alone = balances(&bells(1));
        (0..100).for_each(|_| alone[0].entered());
        assert_eq!(alone[0].lighter(), None);
        assert!(alone[0].take().is_none());
    }

    /// What one worker writes in each turn or for each connection shares no pair of cache lines with what another writes.
    #[test]
    fn what_workers_show_lies_on_lines_of_its_own() {
        assert!(align_of::<Bell<Eventfd>>() >= 128);
        let seen = [Seen::new(64), Seen::new(64)];
        let lines = |seen: &Seen| {
            let count = std::ptr::from_ref(&**seen.count).addr();
            (count / 128, (count + size_of::<CachePadded<Counters>>() - 1) / 128)
        };
        let ((begin, end), (other_begin, other_end)) = (lines(&seen[0]), lines(&seen[1]));
        assert!(end < other_begin || other_end < begin);
        let all = balances(&bells(4));
        let at = |n: usize| std::ptr::from_ref(&all[0].stands[n]).addr();
        for n in 1..4 {
            assert!(at(n) - at(n - 1) >= 128 && at(n).is_multiple_of(128), "two lines are fetched together");
        }
    }
}
