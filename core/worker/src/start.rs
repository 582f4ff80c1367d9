//! Threads: started together or not at all, stopped in an orderly way.
//!
//! ```text
//!   place ─► build, bind ─► thread per worker: pin ─► open engine ─► listen ─► ready ─┬─► all ready: Workers, Post
//!                                                                                      └─► one failed: all stop
//! ```
//!
//! Everything that can fail for the operator's reasons fails before the first client is taken.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_utils::CachePadded;
use sluice_engine::{AnyEngine, Choice, EngineSettings, Report, SocketSettings, eventfd};
use sluice_flow::buf::PoolSizes;
use sluice_flow::port::{Engine as _, EngineFault};
use sluice_flow::tls::{NoRandom, Served, TicketKeys};
use sluice_link::count::{Cell, Totals};
use sluice_link::id::{ListenerId, WorkerId};
use sluice_link::port::{PublishProblem, WorkerReport};
use sluice_link::snapshot::Snapshot;
use sluice_link::time::Moment;
use thiserror::Error;

use crate::balance::{Balance, balances};
use crate::counted::{Counted, Ledger, Share};
use crate::listen::Doors;
use crate::mailbox::{ASK_FULL, Asks, Eventfd, Mailbox, Slit, ring};
use crate::meter::{Presence, Seen, Troubles};
use crate::pin::{self, Misplaced, Placement};
use crate::post::Post;
use crate::turn::{Parts, Worker};
use crate::wake::Bell;

/// Descriptors that the process may need beside those of sessions.
const DESCRIPTORS_BESIDE: u64 = 1024;

/// How the workers shall be. Deadlines, caps and the size of the tables of sessions are in the snapshot.
#[derive(Clone, Debug, Default)]
pub struct WorkerSettings {
    /// How many, and on which processors.
    pub placement: Placement,
    /// io_uring or mio.
    pub engine: Choice,
    /// Buffers of each worker, where that is not left to the number of sessions.
    pub buffers: Buffers,
    /// How long to look for work before sleeping; see [`EngineSettings::busy_poll`].
    pub busy_poll: Option<Duration>,
    /// Options of TCP sockets, congestion control among them.
    pub sockets: SocketSettings,
}

/// How many buffers of each class a worker may have; `None` is as many as [`PoolSizes::for_sessions`] says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buffers {
    /// Of [`Class::Small`](sluice_flow::buf::Class::Small).
    pub small: Option<u32>,
    /// Of [`Class::Large`](sluice_flow::buf::Class::Large).
    pub large: Option<u32>,
    /// Of [`Class::Bulk`](sluice_flow::buf::Class::Bulk).
    pub bulk: Option<u32>,
}

impl Buffers {
    fn sizes(self, sessions: u32) -> PoolSizes {
        let PoolSizes { small, large, bulk } = PoolSizes::for_sessions(sessions);
        let or = |said: Option<u32>, derived| said.map_or(derived, |said| said as usize);
        PoolSizes { small: or(self.small, small), large: or(self.large, large), bulk: or(self.bulk, bulk) }
    }
}

/// Why the workers could not be started. Nothing is left running or bound.
#[derive(Debug, Error)]
pub enum StartProblem {
    /// Number or place of the workers. The operator's fault.
    #[error(transparent)]
    Misplaced(#[from] Misplaced),
    /// The snapshot. The operator's fault.
    #[error(transparent)]
    Publish(#[from] PublishProblem),
    /// The engine that was asked for does not work here. The machine's fault.
    #[error("worker {} has no engine", .worker.0)]
    Engine {
        /// Whose.
        worker: WorkerId,
        /// What failed.
        source: EngineFault,
    },
    /// No random numbers for the keys of session tickets. The machine's fault.
    #[error(transparent)]
    Random(#[from] NoRandom),
    /// No descriptor for waking. The machine's fault.
    #[error("no descriptor is to be had")]
    Descriptor(#[source] io::Error),
    /// No thread. The machine's fault.
    #[error("worker {} cannot be started", .worker.0)]
    Thread {
        /// Which.
        worker: WorkerId,
        /// How the system refused.
        source: io::Error,
    },
    /// The thread panicked while it started. Our fault.
    #[error("worker {} died while it started", .0.0)]
    Died(WorkerId),
}

/// What became of one worker at its start, for the log.
#[derive(Clone, Debug)]
pub struct Started {
    /// How it was started.
    pub report: WorkerReport,
    /// What opening the engine found out.
    pub found: Report,
}

/// What the threads and both handles share. Nothing in here is touched on the way of bytes but the counters, which have one
/// writer each.
pub(crate) struct Shared {
    pub(crate) asks: Arc<Asks>,
    pub(crate) keys: Arc<TicketKeys>,
    /// What each worker shows.
    pub(crate) seen: Vec<Seen>,
    /// Messages of each worker taken from the queue; written by control alone.
    taken: Vec<CachePadded<Cell>>,
    /// Letters put into each worker's ring; written by control alone.
    letters: Vec<Arc<CachePadded<Cell>>>,
    since: Moment,
    stop: Arc<AtomicBool>,
    troubles: Arc<Troubles>,
    bells: Vec<Arc<Bell<Eventfd>>>,
    addresses: Mutex<Vec<(ListenerId, SocketAddr)>>,
}

impl Shared {
    pub(crate) fn workers(&self) -> u16 {
        u16::try_from(self.seen.len()).unwrap_or(u16::MAX)
    }

    pub(crate) fn totals(&self) -> Vec<Totals> {
        let lived = sluice_engine::now().since(self.since).as_nanos();
        let lived = u64::try_from(lived).unwrap_or(u64::MAX);
        let all = self.seen.iter().zip(&self.taken).zip(&self.letters);
        all.map(|((seen, taken), letters)| {
            let mut totals = seen.count.read();
            // Both ends go on counting while this reads: a queue may seem a little shorter than it is, never below nothing.
            totals.asks_queued = totals.asks.saturating_sub(taken.read());
            totals.tells_queued = letters.read().saturating_sub(totals.tells);
            totals.idle_ns = lived.saturating_sub(totals.busy_ns);
            totals
        })
        .collect()
    }

    /// Control has taken a message of `worker` from the queue.
    pub(crate) fn taken(&self, worker: WorkerId) {
        if let Some(taken) = self.taken.get(usize::from(worker.0)) {
            taken.one();
        }
    }

    pub(crate) fn set_addresses(&self, addresses: Vec<(ListenerId, SocketAddr)>) {
        *self.addresses.lock().unwrap_or_else(PoisonError::into_inner) = addresses;
    }
}

/// The running threads. Dropping it stops them.
pub struct Workers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Result<(), EngineFault>>>,
    reports: Vec<Started>,
}

/// How a worker ended that should not have.
#[derive(Debug, Error)]
pub enum WorkerEnd {
    /// Its engine broke.
    #[error("worker {} lost its engine", .worker.0)]
    Engine {
        /// Whose.
        worker: WorkerId,
        /// What failed.
        source: EngineFault,
    },
    /// It panicked.
    #[error("worker {} panicked", .0.0)]
    Panicked(WorkerId),
}

impl Workers {
    /// Starts the workers with the settings of `snapshot`. Gives the threads to whoever answers for them, and control's end of
    /// the queues to whoever is control.
    ///
    /// # Errors
    /// [`StartProblem`]; nothing is left running.
    pub fn start(settings: &WorkerSettings, snapshot: Arc<Snapshot>) -> Result<(Self, Post), StartProblem> {
        let cores = pin::place(&settings.placement, &pin::allowed())?;
        let sessions = snapshot.limits.sessions_per_worker;
        let descriptors = 2 * u64::from(sessions) * cores.len() as u64 + DESCRIPTORS_BESIDE;
        // Too low a limit shows as refused connections, which are counted; it is no reason not to start.
        let _ = sluice_engine::raise_descriptor_limit(descriptors);

        let keys = Arc::new(TicketKeys::new(sluice_engine::now())?);
        let served = Arc::new(Served::build(snapshot, &keys)?);
        let mut doors = Doors::default();
        let (_, open) = doors.commit(doors.change(&served.snapshot, cores.len())?);

        let (wake, waker) = eventfd().and_then(|(fd, waker)| Ok((nonblocking(fd)?, waker))).map_err(StartProblem::Descriptor)?;
        let asks = Arc::new(Asks::new(waker));
        let stop = Arc::new(AtomicBool::new(false));
        let troubles = Arc::<Troubles>::default();
        let seen: Vec<Seen> = cores.iter().map(|_| Seen::new(sessions)).collect();
        let mut ledger = Ledger::default();
        let shares = ledger.publish(&served.snapshot, cores.len());
        let (mut slits, mut bells, mut mails) = (Vec::new(), Vec::new(), Vec::new());
        for _ in &cores {
            let (eventfd, waker) = eventfd().map_err(StartProblem::Descriptor)?;
            let (slit, mail, bell) = ring(asks.clone(), waker);
            slits.push(slit);
            bells.push(bell);
            mails.push((eventfd, mail));
        }
        let mut births = Vec::new();
        let ends = mails.into_iter().zip(balances(&bells));
        for (((((at, core), open), seen), shares), ((eventfd, mail), balance)) in
            (0..).zip(&cores).zip(open).zip(&seen).zip(shares).zip(ends)
        {
            births.push(Birth {
                worker: WorkerId(at),
                core: *core,
                choice: settings.engine,
                engine: EngineSettings {
                    pool: settings.buffers.sizes(sessions),
                    sessions,
                    busy_poll: settings.busy_poll,
                    sockets: settings.sockets.clone(),
                },
                eventfd,
                open,
                mail,
                served: served.clone(),
                keys: keys.clone(),
                seen: seen.clone(),
                shares,
                stop: stop.clone(),
                troubles: troubles.clone(),
                balance,
            });
        }
        let addresses = Mutex::new(doors.addresses());
        let taken = cores.iter().map(|_| CachePadded::default()).collect();
        let letters = slits.iter().map(Slit::letters).collect();
        let since = sluice_engine::now();
        let shared = Arc::new(Shared { asks, keys, seen, taken, letters, since, stop, troubles, bells, addresses });
        let mut workers = Self { shared: shared.clone(), threads: Vec::new(), reports: Vec::new() };
        workers.spawn(births)?; // what did start is stopped when `workers` is dropped
        let reports = workers.reports.iter().map(|started| started.report.clone()).collect();
        Ok((workers, Post::new(shared, slits, wake, doors, ledger, reports, served)))
    }

    fn spawn(&mut self, births: Vec<Birth>) -> Result<(), StartProblem> {
        let (ready, answers) = mpsc::channel();
        for birth in births {
            let (worker, ready) = (birth.worker, ready.clone());
            let thread = thread::Builder::new()
                .name(format!("sluice-{}", worker.0))
                .spawn(move || birth.live(&ready))
                .map_err(|source| StartProblem::Thread { worker, source })?;
            self.threads.push(thread);
        }
        drop(ready);
        for answer in answers.iter().take(self.threads.len()) {
            self.reports.push(answer?);
        }
        self.reports.sort_by_key(|started| started.report.worker);
        // One that panicked has sent nothing.
        match (0..)
            .map(WorkerId)
            .zip(&self.threads)
            .find(|(worker, _)| self.reports.iter().all(|one| one.report.worker != *worker))
        {
            Some((worker, _)) => Err(StartProblem::Died(worker)),
            None => Ok(()),
        }
    }

    /// What became of each worker at its start, for the log.
    #[must_use]
    pub fn reports(&self) -> &[Started] {
        &self.reports
    }

    /// Where each virtual server really listens, in the order of the snapshot last published.
    #[must_use]
    pub fn addresses(&self) -> Vec<(ListenerId, SocketAddr)> {
        self.shared.addresses.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The counters of every worker, in order of worker.
    #[must_use]
    pub fn totals(&self) -> Vec<Totals> {
        self.shared.totals()
    }

    /// What went wrong at workers that go on nevertheless, since the last call; for the log.
    #[must_use]
    pub fn troubles(&self) -> Vec<(WorkerId, EngineFault)> {
        self.shared.troubles.take()
    }

    /// Whether all threads are still there. If one is not, [`Workers::stop`] says why.
    #[must_use]
    pub fn are_alive(&self) -> bool {
        !self.threads.iter().any(JoinHandle::is_finished)
    }

    /// Ends all sessions and threads, in a few seconds at most. It does not need control.
    ///
    /// # Errors
    /// [`WorkerEnd`] of the first worker that had not gone on until now.
    pub fn stop(mut self) -> Result<(), WorkerEnd> {
        self.halt()
    }

    fn halt(&mut self) -> Result<(), WorkerEnd> {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.bells.iter().for_each(|bell| bell.ring());
        let mut end = Ok(());
        for (worker, thread) in (0..).map(WorkerId).zip(self.threads.drain(..)) {
            let this = match thread.join() {
                Ok(lived) => lived.map_err(|source| WorkerEnd::Engine { worker, source }),
                Err(_) => Err(WorkerEnd::Panicked(worker)),
            };
            end = end.and(this);
        }
        end
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        let _ = self.halt();
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("reports", &self.reports).finish_non_exhaustive()
    }
}

/// What a thread is given to become a worker.
struct Birth {
    worker: WorkerId,
    core: Option<usize>,
    choice: Choice,
    engine: EngineSettings,
    eventfd: OwnedFd,
    open: Vec<(ListenerId, TcpListener)>,
    mail: Mailbox,
    served: Arc<Served>,
    keys: Arc<TicketKeys>,
    seen: Seen,
    shares: Vec<Share>,
    stop: Arc<AtomicBool>,
    troubles: Arc<Troubles>,
    balance: Balance,
}

impl Birth {
    /// The thread. Pinned first, so that its memory is near it; the engine is opened here since it takes orders from the thread
    /// that opened it and no other.
    fn live(self, ready: &mpsc::Sender<Result<Started, StartProblem>>) -> Result<(), EngineFault> {
        let (worker, core) = (self.worker, self.core);
        let pinned = core.is_some_and(pin::pin);
        let sessions = self.engine.sessions;
        let (asks, buffers) = (u32::try_from(ASK_FULL).unwrap_or(u32::MAX), self.engine.pool.all());
        let _presence = Presence(self.seen.clone());
        match self.set_up() {
            Ok((born, found)) => {
                let engine = born.engine.name().to_owned();
                let fallback = found.fallback.clone();
                let report = WorkerReport { worker, core, pinned, engine, fallback, sessions, asks, buffers };
                let _ = ready.send(Ok(Started { report, found }));
                born.run()
            }
            Err(source) => {
                let _ = ready.send(Err(StartProblem::Engine { worker, source }));
                Ok(())
            }
        }
    }

    fn set_up(self) -> Result<(Worker<AnyEngine>, Report), EngineFault> {
        let (mut engine, found) = sluice_engine::open(self.choice, &self.engine)?;
        engine.wake_on(self.eventfd)?;
        for (id, socket) in self.open {
            engine.listen(id, socket)?;
        }
        let worker = Worker::new(Parts {
            id: self.worker,
            engine,
            clock: sluice_engine::now,
            mail: self.mail,
            served: self.served,
            keys: self.keys,
            used: sluice_engine::used,
            seen: self.seen,
            counted: Counted::new(self.shares),
            stop: self.stop,
            troubles: self.troubles,
            balance: self.balance,
            sessions: self.engine.sessions,
        });
        Ok((worker, found))
    }
}

/// Makes a descriptor one that does not block. For std a stream socket is any descriptor, and this works on all of them.
fn nonblocking(fd: OwnedFd) -> io::Result<OwnedFd> {
    let stream = UnixStream::from(fd);
    stream.set_nonblocking(true)?;
    Ok(stream.into())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read as _;

    use super::*;

    #[test]
    fn an_eventfd_can_be_read_without_waiting() {
        let (fd, waker) = eventfd().unwrap();
        let mut file = File::from(nonblocking(fd).unwrap());
        let mut count = [0; 8];
        assert_eq!(file.read(&mut count).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        waker.wake().unwrap();
        assert_eq!(file.read(&mut count).unwrap(), 8);
    }
}
