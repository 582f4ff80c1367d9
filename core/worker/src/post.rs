//! Control's end of all queues: what `sluice_link::port::Sluice` promises, kept.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;

use sluice_flow::tls::Served;
use sluice_link::ask::{Ask, Closed, Opened, Redeem};
use sluice_link::count::{ListenerTotals, Totals};
use sluice_link::id::{ListenerId, SessionKey, WorkerId};
use sluice_link::live::Traffic;
use sluice_link::port::{PublishProblem, Sluice, TellRefused, WorkerReport};
use sluice_link::snapshot::Snapshot;
use sluice_link::spread::Times;
use sluice_link::tell::{Refusal, Tell};

use crate::counted::Ledger;
use crate::listen::{Change, Doors};
use crate::mailbox::{Letter, Publication, Slit};
use crate::start::Shared;

/// The workers as control sees and uses them. For one thread, the control thread.
pub struct Post {
    shared: Arc<Shared>,
    slits: Vec<Slit>,
    /// Readable when asks may be waiting.
    wake: OwnedFd,
    doors: Doors,
    ledger: Ledger,
    reports: Vec<WorkerReport>,
    /// What was published last.
    served: Arc<Served>,
    /// Tickets that control has taken and not answered yet: at most a worker's credit for each worker.
    unanswered: HashSet<SessionKey>,
}

impl Post {
    pub(crate) fn new(
        shared: Arc<Shared>,
        slits: Vec<Slit>,
        wake: OwnedFd,
        doors: Doors,
        ledger: Ledger,
        reports: Vec<WorkerReport>,
        served: Arc<Served>,
    ) -> Self {
        Self { shared, slits, wake, doors, ledger, reports, served, unanswered: HashSet::new() }
    }
}

impl Post {
    /// Room for one more letter to each worker. Only this thread puts letters in, so what is there now stays.
    fn have_room(&self) -> Result<(), PublishProblem> {
        for (worker, slit) in (0..).map(WorkerId).zip(&self.slits) {
            slit.has_room().map_err(|source| PublishProblem::Worker { worker, source })?;
        }
        Ok(())
    }

    /// Gives every worker its part. Nothing in here can fail.
    fn hand_out(&mut self, served: Arc<Served>, change: Change, resumes: bool) {
        let (close, open) = self.doors.commit(change);
        self.shared.set_addresses(self.doors.addresses());
        self.served = Arc::clone(&served);
        let shares = self.ledger.publish(&served.snapshot, self.slits.len());
        for ((slit, open), shares) in self.slits.iter_mut().zip(open).zip(shares) {
            let publication = Publication { served: served.clone(), close: close.clone(), open, shares, resumes };
            // A worker that has died since has no sessions and no listeners; the others go on with the new settings.
            let _ = slit.put(Letter::Publish(publication));
        }
    }
}

impl Sluice for Post {
    fn workers(&self) -> u16 {
        self.shared.workers()
    }

    fn wake(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    fn may_sleep(&mut self) -> bool {
        self.shared.asks.may_sleep()
    }

    fn next_ask(&mut self) -> Option<Ask> {
        let ask = self.shared.asks.pop()?;
        let (Ask::Redeem(Redeem { key, .. }) | Ask::Opened(Opened { key, .. }) | Ask::Closed(Closed { key, .. })) = &ask;
        self.shared.taken(key.worker);
        if matches!(ask, Ask::Redeem(_)) {
            self.unanswered.insert(*key);
        }
        Some(ask)
    }

    fn tell(&mut self, worker: WorkerId, tell: Tell) -> Result<(), TellRefused> {
        let slit = self.slits.get_mut(usize::from(worker.0)).ok_or(TellRefused::Gone)?;
        if let Tell::Redeemed { key, .. } = &tell
            && key.worker == worker
            && self.unanswered.remove(key)
        {
            let answered = slit.answer(tell);
            debug_assert_ne!(answered, Err(TellRefused::Full), "a worker asked about more tickets than it may");
            return answered;
        }
        slit.put(Letter::Tell(tell))
    }

    fn publish(&mut self, snapshot: Arc<Snapshot>) -> Result<(), PublishProblem> {
        let served = Arc::new(Served::build_after(Some(&self.served), snapshot, &self.shared.keys)?);
        let change = self.doors.change(&served.snapshot, self.slits.len())?;
        self.have_room()?;
        self.hand_out(served, change, false);
        Ok(())
    }

    fn resume(&mut self) -> Result<(), PublishProblem> {
        let change = self.doors.anew(&self.served.snapshot, self.slits.len())?;
        self.have_room()?;
        self.hand_out(Arc::clone(&self.served), change, true);
        Ok(())
    }

    fn totals(&self) -> Vec<Totals> {
        self.shared.totals()
    }

    fn listener_totals(&self) -> Vec<(ListenerId, ListenerTotals)> {
        self.ledger.totals()
    }

    fn traffic(&self, key: SessionKey) -> Option<Traffic> {
        self.shared.seen.get(usize::from(key.worker.0))?.live.read(key.at)
    }

    fn turn_times(&self) -> Vec<Times> {
        self.shared.seen.iter().map(|seen| seen.turns.read()).collect()
    }

    fn addresses(&self) -> Vec<(ListenerId, SocketAddr)> {
        self.doors.addresses()
    }

    fn reports(&self) -> &[WorkerReport] {
        &self.reports
    }

    fn alive(&self, worker: WorkerId) -> bool {
        self.slits.get(usize::from(worker.0)).is_some_and(Slit::is_read)
    }

    fn abandon(&mut self) -> usize {
        let keys: Vec<SessionKey> = self.unanswered.iter().copied().collect();
        for &key in &keys {
            let _ = self.tell(key.worker, Tell::Redeemed { key, verdict: Err(Refusal::Busy) });
        }
        keys.len()
    }
}

impl std::fmt::Debug for Post {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Post")
            .field("workers", &self.slits.len())
            .field("unanswered", &self.unanswered.len())
            .finish_non_exhaustive()
    }
}
