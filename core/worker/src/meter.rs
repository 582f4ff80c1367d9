//! What a worker counts about itself, when it lets clients wait outside, and what went wrong without ending it.

use std::sync::{Mutex, PoisonError};

use sluice_flow::buf::Class;
use sluice_flow::port::{Engine, EngineFault};
use sluice_link::id::WorkerId;

use crate::turn::Worker;

/// Troubles that are kept until somebody asks for them; later ones are dropped.
const TROUBLES_MAX: usize = 64;

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
        let lent = Class::ALL.iter().map(|class| pool.lent(*class) as u64).sum();
        let (left, all) = (pool.left(Class::Small), pool.left(Class::Small) + pool.lent(Class::Small));
        let count = &self.count;
        count.turns.one();
        count.completions.add(tally.completions);
        count.stale_completions.add(tally.stale);
        count.queue_overflows.add(tally.overflows);
        count.starved.add(tally.starved);
        count.buffers_lent.set(lent);
        count.sessions.set(self.slots.len() as u64);

        let most = self.slots.capacity().min(self.served.snapshot.limits.sessions_per_worker as usize);
        let sessions = self.slots.len();
        // Closed when nothing is left or a tenth of the buffers; opened again a little below, lest it swing.
        let accept = if self.accepting {
            sessions < most && left * 10 >= all
        } else {
            sessions + most / 64 < most.max(1) && left * 5 >= all
        };
        if accept != self.accepting {
            self.accepting = accept;
            self.engine.accept(accept);
        }
    }
}
