//! What a worker counts about itself, when it lets clients wait outside, and what went wrong without ending it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_utils::CachePadded;
use sluice_flow::buf::Class;
use sluice_flow::limits::HELLOS_MAX;
use sluice_flow::port::{Engine, EngineFault};
use sluice_link::count::Counters;
use sluice_link::id::WorkerId;
use sluice_link::live::LiveTable;
use sluice_link::spread::Clocked;

use crate::turn::{Phase, Worker};

/// Troubles that are kept until somebody asks for them; later ones are dropped.
const TROUBLES_MAX: usize = 64;
/// How often a worker looks how much processor time it has used: a system call each.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a worker writes and everybody may read.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) count: Arc<CachePadded<Counters>>,
    pub(crate) live: Arc<LiveTable>,
    pub(crate) turns: Arc<Clocked>,
}

impl Seen {
    /// Of a worker with so many slots.
    pub(crate) fn new(slots: u32) -> Self {
        Self { count: Arc::default(), live: Arc::new(LiveTable::new(slots)), turns: Arc::default() }
    }
}

/// Whoever holds this is the worker; when it ends, of whatever cause, nothing is left of its sessions to be seen.
#[derive(Debug)]
pub(crate) struct Presence(pub(crate) Seen);

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.count.rest();
        self.0.live.clear();
    }
}

/// What went wrong at a worker that goes on nevertheless, until somebody asks.
#[derive(Debug, Default)]
pub(crate) struct Troubles(Mutex<Vec<(WorkerId, EngineFault)>>);

impl Troubles {
    pub(crate) fn note(&self, worker: WorkerId, fault: EngineFault) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if list.len() < TROUBLES_MAX {
            list.push((worker, fault));
        }
    }

    pub(crate) fn take(&self) -> Vec<(WorkerId, EngineFault)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<E: Engine> Worker<E> {
    /// Counts, and lets connections wait in the backlog while there is no room for them.
    pub(crate) fn numbers(&mut self) {
        let tally = self.engine.tally();
        let pool = self.engine.pool();
        let lent = Class::ALL.map(|class| pool.lent(class) as u64);
        let (left, all) = (pool.left(Class::Small), pool.left(Class::Small) + pool.lent(Class::Small));
        let count = &self.count;
        count.turns.one();
        count.completions.add(tally.completions);
        count.stale_completions.add(tally.stale);
        count.queue_overflows.add(tally.overflows);
        count.starved.add(tally.starved);
        let [small, large, bulk] = lent;
        count.buffers_lent.set(small + large + bulk);
        count.buffers_lent_small.set(small);
        count.buffers_lent_large.set(large);
        count.buffers_lent_bulk.set(bulk);
        count.events_waiting.set(self.share.backlog() as u64);
        self.mail.count(count);
        if self.look_at <= self.now {
            self.look_at = self.now + LOOK_EVERY;
            count.busy_ns.set(u64::try_from((self.used)().as_nanos()).unwrap_or(u64::MAX));
        }

        let most = self.slots.capacity().min(self.served.snapshot.limits.sessions_per_worker as usize);
        let sessions = self.slots.len();
        count.sessions.set(sessions as u64);
        count.slots_free.set(most.saturating_sub(sessions) as u64);
        // Closed when nothing is left or a tenth of the buffers; opened again a little below, lest it swing.
        self.has_room = if self.has_room {
            sessions < most && left * 10 >= all
        } else {
            sessions + most / 64 < most.max(1) && left * 5 >= all
        };
        // Whoever is let in while more hellos wait than are answered soon has gone by the time he is signed for. Outside he costs nothing,
        // and is passed over if he leaves.
        let accept = self.has_room && self.share.hellos() < if self.accepting { HELLOS_MAX } else { HELLOS_MAX / 2 };
        if accept != self.accepting {
            self.accepting = accept;
            self.engine.accept(accept);
        }
        let takes = self.has_room && self.phase == Phase::Running;
        self.balance.set_open(takes);
        self.count.accepting.set(u64::from(takes));
    }
}
