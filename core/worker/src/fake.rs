//! An engine without a kernel and a clock without time, for the tests of one worker.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking where it did")]

use std::cell::Cell;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use sluice_flow::buf::{Class, Pool, PoolSizes};
use sluice_flow::event::Leg;
use sluice_flow::intent::Intent;
use sluice_flow::port::{Door, Engine, EngineFault, Happening, Tally};
use sluice_flow::tls::{Served, TicketKeys};
use sluice_link::id::{ListenerId, SlotKey, SnapshotId, WorkerId};
use sluice_link::snapshot::{CertKey, Cgp, Limits, Listener, Rates, Snapshot, Tls};
use sluice_link::time::Moment;

use crate::balance::{Balance, balances};
use crate::counted::{Counted, Ledger};
use crate::mailbox::{Asks, Eventfd, Mailbox, Slit, ring};
use crate::meter::Seen;
use crate::turn::{Parts, Worker};
use crate::wake::Bell;

thread_local! {
    static NOW: Cell<Moment> = const { Cell::new(Moment(1_000_000_000)) };
    static STEP: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// The time of this test.
pub(crate) fn now() -> Moment {
    NOW.replace(NOW.get() + STEP.get())
}

/// From now on so much time passes with every look at the clock.
pub(crate) fn passing(step: Duration) {
    STEP.set(step);
}

/// The processor time of this test: it works half the time.
fn used() -> Duration {
    NOW.get().since(Moment(0)) / 2
}

/// Lets time pass.
pub(crate) fn later(time: Duration) {
    NOW.set(NOW.get() + time);
}

/// What the worker did with the engine.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) adopted: Vec<SlotKey>,
    pub(crate) refused: usize,
    pub(crate) given: usize,
    pub(crate) taken: usize,
    pub(crate) released: Vec<SlotKey>,
    pub(crate) unlistened: Vec<ListenerId>,
    pub(crate) accepting: Vec<bool>,
    pub(crate) waits: Vec<Option<Duration>>,
    pub(crate) sent_early: usize,
}

pub(crate) struct Fake {
    pool: Pool,
    /// Reported by the next turn.
    pub(crate) next: Vec<Happening>,
    pub(crate) log: Log,
}

impl Engine for Fake {
    fn name(&self) -> &str {
        "fake"
    }

    fn listen(&mut self, _id: ListenerId, _socket: TcpListener) -> Result<(), EngineFault> {
        Ok(())
    }

    fn unlisten(&mut self, id: ListenerId) {
        self.log.unlistened.push(id);
    }

    fn accept(&mut self, on: bool) {
        self.log.accepting.push(on);
    }

    fn wake_on(&mut self, _eventfd: OwnedFd) -> Result<(), EngineFault> {
        Ok(())
    }

    fn adopt(&mut self, _door: Door, key: SlotKey) {
        self.log.adopted.push(key);
    }

    fn refuse(&mut self, _door: Door) {
        self.log.refused += 1;
    }

    fn give_away(&mut self, _door: Door) -> Option<OwnedFd> {
        self.log.given += 1;
        Some(std::os::unix::net::UnixStream::pair().unwrap().0.into())
    }

    fn take_in(&mut self, _socket: OwnedFd) -> Option<(Door, SocketAddr, SocketAddr)> {
        self.log.taken += 1;
        Some((Door(0), "192.0.2.1:1".parse().unwrap(), "192.0.2.2:443".parse().unwrap()))
    }

    fn act(&mut self, _key: SlotKey, intent: Intent) {
        if let Intent::Send { chain, .. } = intent {
            self.pool.give(chain.into_buf());
        }
    }

    fn release(&mut self, key: SlotKey) {
        self.log.released.push(key);
    }

    fn send_now(&mut self) -> Result<(), EngineFault> {
        self.log.sent_early += 1;
        Ok(())
    }

    fn turn(&mut self, wait: Option<Duration>, happened: &mut Vec<Happening>) -> Result<(), EngineFault> {
        self.log.waits.push(wait);
        happened.append(&mut self.next);
        Ok(())
    }

    fn pool(&mut self) -> &mut Pool {
        &mut self.pool
    }

    fn tally(&mut self) -> Tally {
        Tally::default()
    }

    fn host_leg_address(&self, _key: SlotKey) -> Option<SocketAddr> {
        None
    }

    fn in_flight(&self, _key: SlotKey, _leg: Leg) -> usize {
        0
    }
}

/// A worker on a fake engine, with both ends of its queues.
pub(crate) struct Bench {
    pub(crate) worker: Worker<Fake>,
    pub(crate) slit: Slit,
    pub(crate) asks: Arc<Asks>,
}

impl Bench {
    pub(crate) fn new(sessions: u32) -> Self {
        Self::side_by_side(sessions, 1).remove(0)
    }

    /// So many workers that know each other.
    pub(crate) fn side_by_side(sessions: u32, workers: usize) -> Vec<Self> {
        let bells: Vec<_> = (0..workers).map(|_| Arc::new(Bell::new(Eventfd(sluice_engine::eventfd().unwrap().1)))).collect();
        balances(&bells).into_iter().map(|balance| Self::with(sessions, balance)).collect()
    }

    fn with(sessions: u32, balance: Balance) -> Self {
        let asks = Arc::new(Asks::new(sluice_engine::eventfd().unwrap().1));
        let (slit, mail, _): (Slit, Mailbox, _) = ring(asks.clone(), sluice_engine::eventfd().unwrap().1);
        let keys = Arc::new(TicketKeys::new(now()).unwrap());
        let limits = Limits { sessions_per_worker: sessions, ..Limits::default() };
        let served = Arc::new(Served::build(snapshot(limits), &keys).unwrap());
        let shares = Ledger::default().publish(&served.snapshot, 1).remove(0);
        let worker = Worker::new(Parts {
            id: WorkerId(0),
            engine: Fake { pool: Pool::new(PoolSizes::default()), next: Vec::new(), log: Log::default() },
            clock: now,
            mail,
            served,
            keys,
            used,
            seen: Seen::new(sessions),
            counted: Counted::new(shares),
            stop: Arc::new(AtomicBool::new(false)),
            troubles: Arc::default(),
            balance,
            sessions,
        });
        Self { worker, slit, asks }
    }

    /// A turn in which `happened` is reported.
    pub(crate) fn turn(&mut self, happened: Vec<Happening>) {
        self.worker.engine.next = happened;
        self.worker.turn().unwrap();
    }

    /// So many clients come in one turn; gives the keys of those let in.
    pub(crate) fn arrive(&mut self, clients: u32) -> Vec<SlotKey> {
        let before = self.log().adopted.len();
        let arrivals = (0..clients).map(|n| Happening::Accepted {
            listener: ListenerId(1),
            door: Door(n),
            client: "192.0.2.1:1".parse().unwrap(),
            local: "192.0.2.2:443".parse().unwrap(),
        });
        self.turn(arrivals.collect());
        self.log().adopted[before..].to_vec()
    }

    pub(crate) fn log(&self) -> &Log {
        &self.worker.engine.log
    }

    pub(crate) fn lent(&mut self) -> usize {
        let pool = self.worker.engine.pool();
        Class::ALL.iter().map(|class| pool.lent(*class)).sum()
    }
}

fn snapshot(limits: Limits) -> Arc<Snapshot> {
    let certificate = rcgen::generate_simple_self_signed(["gateway.test".to_owned()]).unwrap();
    let certificates = vec![CertKey {
        name: "test".to_owned(),
        chain_pem: certificate.cert.pem().into_bytes().into(),
        key_pem: Arc::new(certificate.signing_key.serialize_pem().into_bytes().into()),
    }];
    let listener = Listener {
        id: ListenerId(1),
        name: "vs1".to_owned(),
        address: "127.0.0.1:0".parse().unwrap(),
        tls: Tls { certificates, tls12: true, tls13: true, post_quantum: false, resumption: true, ..Tls::default() },
        cgp: Cgp::Reject,
        rates: Rates::default(),
    };
    Arc::new(Snapshot {
        id: SnapshotId(1),
        listeners: vec![listener],
        inner: "/nonexistent/inner.sock".into(),
        host_tls: vec![],
        limits,
    })
}
