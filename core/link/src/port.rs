//! What control sees of the workers, without knowing them.

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use thiserror::Error;

use crate::ask::Ask;
use crate::count::Totals;
use crate::id::WorkerId;
use crate::snapshot::Snapshot;
use crate::tell::Tell;

/// The workers as control sees them. Implemented by `sluice-worker`, joined by `gate-daemon`.
///
/// One thread uses it, the control thread: the tell rings have a single producer.
pub trait Sluice: Send {
    /// How many workers there are.
    fn workers(&self) -> u16;

    /// A non-blocking descriptor that becomes readable when asks may be waiting. Read eight bytes from it to re-arm.
    fn wake(&self) -> BorrowedFd<'_>;

    /// Declares that control is about to sleep on [`Sluice::wake`]. Returns `false` if asks are waiting, in which case it must
    /// take them instead. This is the consumer's half of the wake protocol.
    fn may_sleep(&mut self) -> bool;

    /// The next ask, in order per worker.
    fn next_ask(&mut self) -> Option<Ask>;

    /// Puts `tell` into the ring of its worker and wakes it if it sleeps. Never blocks.
    ///
    /// # Errors
    /// [`TellRefused`]: the ring is full, which the credit for outstanding asks makes impossible for answers, or the worker is gone.
    fn tell(&mut self, worker: WorkerId, tell: Tell) -> Result<(), TellRefused>;

    /// Builds everything that workers need from `snapshot` (certificates are parsed and tested here), binds what is new, and
    /// hands it to every worker, or leaves everything as it was.
    ///
    /// # Errors
    /// [`PublishProblem`], naming the object at fault.
    fn publish(&mut self, snapshot: Arc<Snapshot>) -> Result<(), PublishProblem>;

    /// The counters of every worker, in order of worker.
    fn totals(&self) -> Vec<Totals>;

    /// Answers every ticket that was taken from the queue and not answered with `Busy`, and says how many those were. For a
    /// control plane that has been rebuilt and knows nothing of them: each answer that never comes would cost its worker one of
    /// the tickets that it may ask about at a time.
    fn abandon(&mut self) -> usize {
        0
    }
}

/// A tell that could not be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TellRefused {
    /// The ring is full.
    #[error("the worker's ring is full")]
    Full,
    /// There is no such worker, or its thread has ended.
    #[error("there is no such worker")]
    Gone,
}

/// A snapshot that could not be put into force. The operator's fault or the machine's; nothing has changed.
#[derive(Debug, Error)]
pub enum PublishProblem {
    /// A certificate, key or setting of a virtual server does not hold together.
    #[error("virtual server {listener}: {detail}")]
    Listener {
        /// Its name.
        listener: String,
        /// What is wrong.
        detail: String,
    },
    /// The address of a virtual server cannot be bound.
    #[error("virtual server {listener}: cannot listen on {address}")]
    Bind {
        /// Its name.
        listener: String,
        /// The address.
        address: std::net::SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A TLS profile for hosts does not hold together.
    #[error("host TLS profile {profile}: {detail}")]
    HostTls {
        /// Its name.
        profile: String,
        /// What is wrong.
        detail: String,
    },
    /// A worker did not take it.
    #[error("worker {} did not take the settings", .worker.0)]
    Worker {
        /// Which.
        worker: WorkerId,
        /// Why.
        source: TellRefused,
    },
}
