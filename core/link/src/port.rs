//! What control sees of the workers, without knowing them.

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use thiserror::Error;

use crate::ask::Ask;
use crate::count::{ListenerTotals, Totals};
use crate::id::{ListenerId, SessionKey, WorkerId};
use crate::live::Traffic;
use crate::snapshot::Snapshot;
use crate::spread::Times;
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

    /// Takes new clients again after [`Tell::Drain`]: virtual servers listen again where they did. Sessions that run go on.
    ///
    /// # Errors
    /// [`PublishProblem`]: an address is in use by now. The drain goes on.
    fn resume(&mut self) -> Result<(), PublishProblem>;

    /// The counters of every worker, in order of worker.
    fn totals(&self) -> Vec<Totals>;

    /// The counters of every virtual server, summed over the workers, in no particular order. One that was taken out of the
    /// snapshot stays in the list until its last session has ended.
    fn listener_totals(&self) -> Vec<(ListenerId, ListenerTotals)>;

    /// What a session has moved until now; `None` if it is over. It costs three loads, and the worker nothing.
    fn traffic(&self, key: SessionKey) -> Option<Traffic>;

    /// How long the turns of every worker's loop took, from waking to going back to the engine, in order of worker. A byte that
    /// comes in waits for the turn under way and for its own, so twice this is the most that a worker adds to its way.
    fn turn_times(&self) -> Vec<Times>;

    /// Where each virtual server really listens, in the order of the snapshot. Differs from what was configured where that left
    /// the port to the system.
    fn addresses(&self) -> Vec<(ListenerId, SocketAddr)>;

    /// How each worker was started, in order of worker.
    fn reports(&self) -> &[WorkerReport];

    /// Whether the thread of `worker` still runs. One that does not has lost its sessions and takes no new ones.
    fn alive(&self, worker: WorkerId) -> bool;

    /// Answers every ticket that was taken from the queue and not answered with `Busy`, and says how many those were. For a
    /// control plane that has been rebuilt and knows nothing of them: each answer that never comes would cost its worker one of
    /// the tickets that it may ask about at a time.
    fn abandon(&mut self) -> usize {
        0
    }
}

/// How a worker was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerReport {
    /// Which.
    pub worker: WorkerId,
    /// The processor that it is for, if there was a choice.
    pub core: Option<usize>,
    /// It is tied to that processor.
    pub pinned: bool,
    /// Its engine with the variant chosen.
    pub engine: String,
    /// Why it has not the engine hoped for, if it has another.
    pub fallback: Option<String>,
    /// Sessions that its table holds. Settings may allow fewer, never more.
    pub sessions: u32,
    /// Questions that may wait for control, those of the other workers included: they share one queue.
    pub asks: u32,
    /// Buffers that it may have, of all classes together.
    pub buffers: u32,
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
        address: SocketAddr,
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
