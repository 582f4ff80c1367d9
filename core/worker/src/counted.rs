//! Counters of virtual servers: how they come to the workers, and when they go.
//!
//! ```text
//!   publication ─► Ledger (control): one ListenerCounters for each worker and virtual server
//!                    │ a share of each, with the publication
//!                    ▼
//!                  Counted (worker): writes; lets go when the virtual server is gone and its last session, too
//!                    │ the share is dropped
//!                    ▼
//!                  Ledger: nobody else has one any more, so nothing will be counted again: forgotten
//! ```
//!
//! A virtual server that stays keeps its numbers through every publication, since its id stays. Nothing is locked: the only
//! thing that either side learns of the other is whether it still holds its share.

use std::sync::Arc;

use crossbeam_utils::CachePadded;
use sluice_link::count::{ListenerCounters, ListenerTotals};
use sluice_link::id::ListenerId;
use sluice_link::snapshot::Snapshot;

/// One worker's counters for one virtual server.
pub(crate) type Share = (ListenerId, Arc<CachePadded<ListenerCounters>>);

/// Control's end.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Vec<Account>);

#[derive(Debug)]
struct Account {
    id: ListenerId,
    /// The newest settings have this virtual server.
    in_force: bool,
    /// One for each worker.
    counts: Vec<Arc<CachePadded<ListenerCounters>>>,
}

impl Account {
    /// Somebody may still count.
    fn is_open(&self) -> bool {
        self.in_force || self.counts.iter().any(|count| Arc::strong_count(count) > 1)
    }
}

impl Ledger {
    /// New settings: gives the shares of each of `workers` workers.
    pub(crate) fn publish(&mut self, snapshot: &Snapshot, workers: usize) -> Vec<Vec<Share>> {
        // First of all, so that one which is over and comes back begins anew.
        self.0.retain(Account::is_open);
        for account in &mut self.0 {
            account.in_force = snapshot.listeners.iter().any(|listener| listener.id == account.id);
        }
        for listener in &snapshot.listeners {
            if self.0.iter().all(|account| account.id != listener.id) {
                let counts = (0..workers).map(|_| Arc::default()).collect();
                self.0.push(Account { id: listener.id, in_force: true, counts });
            }
        }
        let of = |worker: usize| {
            let mine = self.0.iter().filter(|account| account.in_force);
            mine.filter_map(|account| Some((account.id, Arc::clone(account.counts.get(worker)?)))).collect()
        };
        (0..workers).map(of).collect()
    }

    /// The sums over all workers.
    pub(crate) fn totals(&self) -> Vec<(ListenerId, ListenerTotals)> {
        let sum = |account: &Account| {
            let mut sum = ListenerTotals::default();
            account.counts.iter().for_each(|count| sum.add(&count.read()));
            (account.id, sum)
        };
        self.0.iter().filter(|account| account.is_open()).map(sum).collect()
    }
}

/// Where the counters of a virtual server stand with this worker. Good for as long as a session of it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(usize);

/// A worker's end.
#[derive(Debug, Default)]
pub(crate) struct Counted(Vec<Option<Counts>>);

#[derive(Debug)]
struct Counts {
    id: ListenerId,
    count: Arc<CachePadded<ListenerCounters>>,
    /// The settings do not have it any more; it waits for its last session.
    gone: bool,
}

impl Counted {
    pub(crate) fn new(shares: Vec<Share>) -> Self {
        let mut counted = Self::default();
        counted.publish(shares);
        counted
    }

    /// New settings have these virtual servers.
    pub(crate) fn publish(&mut self, shares: Vec<Share>) {
        for place in &mut self.0 {
            if let Some(counts) = place {
                counts.gone = shares.iter().all(|(id, _)| *id != counts.id);
                if counts.is_over() {
                    *place = None;
                }
            }
        }
        for (id, count) in shares {
            if self.find(id).is_none() {
                let counts = Some(Counts { id, count, gone: false });
                match self.0.iter_mut().find(|place| place.is_none()) {
                    Some(place) => *place = counts,
                    None => self.0.push(counts),
                }
            }
        }
    }

    pub(crate) fn find(&self, id: ListenerId) -> Option<Place> {
        self.0.iter().position(|place| place.as_ref().is_some_and(|counts| counts.id == id)).map(Place)
    }

    pub(crate) fn at(&self, place: Place) -> Option<&ListenerCounters> {
        Some(&self.0.get(place.0)?.as_ref()?.count)
    }

    /// A session of this virtual server begins.
    pub(crate) fn enter(&self, place: Place) {
        if let Some(count) = self.at(place) {
            count.sessions.one();
        }
    }

    /// A session of this virtual server has left its slot.
    pub(crate) fn leave(&mut self, place: Place) {
        let Some(place) = self.0.get_mut(place.0) else { return };
        if let Some(counts) = place {
            counts.count.sessions.less();
            if counts.is_over() {
                *place = None;
            }
        }
    }
}

impl Counts {
    fn is_over(&self) -> bool {
        self.gone && self.count.sessions.read() == 0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // The worker is gone, and its sessions with it.
        self.0.iter().flatten().for_each(|counts| counts.count.rest());
    }
}

#[cfg(test)]
mod tests {
    use sluice_link::id::SnapshotId;
    use sluice_link::snapshot::{Cgp, Limits, Listener, Rates, Tls};

    use super::*;

    fn snapshot(ids: &[u32]) -> Snapshot {
        let tls = Tls { certificates: vec![], tls12: true, tls13: true, post_quantum: true, resumption: true, ..Tls::default() };
        let listener = |id: &u32| Listener {
            id: ListenerId(*id),
            name: format!("vs{id}"),
            address: "192.0.2.1:443".parse().unwrap(),
            tls: tls.clone(),
            cgp: Cgp::Reject,
            rates: Rates::default(),
        };
        Snapshot {
            id: SnapshotId(1),
            listeners: ids.iter().map(listener).collect(),
            inner: "/nowhere".into(),
            host_tls: vec![],
            limits: Limits::default(),
        }
    }

    /// Control and two workers.
    struct House {
        ledger: Ledger,
        workers: [Counted; 2],
    }

    impl House {
        fn new(ids: &[u32]) -> Self {
            let mut house = Self { ledger: Ledger::default(), workers: Default::default() };
            house.publish(ids);
            house
        }

        fn publish(&mut self, ids: &[u32]) {
            let shares = self.ledger.publish(&snapshot(ids), 2);
            self.workers.iter_mut().zip(shares).for_each(|(worker, shares)| worker.publish(shares));
        }

        /// Accepted connections and sessions of each virtual server that is listed.
        fn seen(&self) -> Vec<(u32, u64, u64)> {
            self.ledger.totals().iter().map(|(id, totals)| (id.0, totals.accepted, totals.sessions)).collect()
        }

        fn arrive(&self, worker: usize, id: u32) -> Place {
            let place = self.workers[worker].find(ListenerId(id)).unwrap();
            self.workers[worker].at(place).unwrap().accepted.one();
            self.workers[worker].enter(place);
            place
        }
    }

    #[test]
    fn numbers_live_across_publications_and_are_summed_over_workers() {
        let mut house = House::new(&[1, 2]);
        house.arrive(0, 1);
        house.arrive(1, 1);
        house.publish(&[3, 1]);
        house.arrive(0, 1);
        assert_eq!(house.seen(), [(1, 3, 3), (3, 0, 0)]);
    }

    #[test]
    fn a_virtual_server_that_is_gone_is_forgotten_with_its_last_session() {
        let mut house = House::new(&[1, 2]);
        let first = house.arrive(0, 1);
        let second = house.arrive(1, 1);
        house.publish(&[2]);
        assert_eq!(house.seen(), [(1, 2, 2), (2, 0, 0)]);
        house.workers[0].leave(first);
        house.publish(&[2]);
        assert_eq!(house.seen(), [(1, 2, 1), (2, 0, 0)]);
        house.workers[1].leave(second);
        assert_eq!(house.seen(), [(2, 0, 0)]);
        house.publish(&[2, 1]);
        assert_eq!(house.seen(), [(2, 0, 0), (1, 0, 0)], "another one of that id begins anew");
        assert_eq!(house.ledger.0.len(), 2);
    }

    #[test]
    fn a_virtual_server_that_comes_back_in_time_goes_on_counting() {
        let mut house = House::new(&[1]);
        let place = house.arrive(0, 1);
        house.publish(&[]);
        house.publish(&[1]);
        house.workers[0].leave(place);
        house.arrive(0, 1);
        assert_eq!(house.seen(), [(1, 2, 1)]);
    }

    #[test]
    fn places_are_given_away_again() {
        let mut house = House::new(&[0]);
        for id in 1..100 {
            house.publish(&[id]);
        }
        // The one before was still held by the workers when this one came.
        assert_eq!((house.workers[0].0.len(), house.ledger.0.len()), (1, 2));
    }

    #[test]
    fn a_worker_that_dies_leaves_no_sessions_behind() {
        let mut house = House::new(&[1]);
        house.arrive(0, 1);
        house.workers[0] = Counted::default();
        assert_eq!(house.seen(), [(1, 1, 0)]);
        house.publish(&[]);
        assert_eq!(house.seen(), []);
    }
}
