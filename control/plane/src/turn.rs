//! The control thread's main loop: what the workers ask, what became of it, and what the process wants.

use std::io::Read as _;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use sluice_link::ask::Ask;
use sluice_link::count::{ListenerTotals, Totals};
use sluice_link::id::{ListenerId, SessionKey, WorkerId};
use sluice_link::live::Traffic;
use sluice_link::port::{PublishProblem, Sluice, WorkerReport};
use sluice_link::reason::Reason;
use sluice_link::snapshot::Snapshot;
use sluice_link::spread::Times;
use sluice_link::tell::Tell;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::action::{Action, ReplyTo};
use crate::clock::Clock;
use crate::console::Console;
use crate::quiet::Quiet;
use crate::redeem::{self, Desk, REDEMPTIONS_MAX, Verdict, Why};
use crate::{Command, PlaneFault, StaStatus, Status};

/// Asks taken before others get their turn.
const ASKS_PER_TURN: usize = 256;
/// How often a drain looks whether sessions are left.
const DRAIN_LOOK: Duration = Duration::from_millis(50);
/// For workers to end their sessions and say so, after [`Tell::Stop`].
const STOP_TIME: Duration = Duration::from_secs(2);

/// How often rates are measured, and workers looked after.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
/// Orders that may wait for the loop.
pub(crate) const ORDERS_MAX: usize = 256;

/// What the rest of the control plane wants of the workers.
pub(crate) enum Order {
    /// They shall run on this. Answers with where the virtual servers listen, in the order of the snapshot.
    Publish {
        /// On what.
        snapshot: Arc<Snapshot>,
        /// What became of it.
        reply: ReplyTo<Result<Vec<SocketAddr>, NotTaken>>,
    },
    /// These sessions shall end. Answers with how many of them could be told.
    Kill {
        /// Which, and why.
        keys: Vec<(SessionKey, Reason)>,
        /// How many.
        reply: ReplyTo<usize>,
    },
    /// What these sessions have moved.
    Traffic {
        /// Which.
        keys: Vec<SessionKey>,
        /// In their order; `None` for one that is over.
        reply: ReplyTo<Vec<Option<Traffic>>>,
    },
    /// How the workers are.
    Look(ReplyTo<Box<Look>>),
    /// No new sessions; the others have this long.
    Drain {
        /// From now.
        within: Duration,
        /// How it stands now.
        reply: ReplyTo<Draining>,
    },
    /// New sessions again. Answers whether there was a drain.
    Resume(ReplyTo<Result<bool, PublishProblem>>),
}

/// Why the workers did not take a snapshot. They run on as before.
#[derive(Debug)]
pub(crate) enum NotTaken {
    /// Something in it.
    Problem(PublishProblem),
    /// They take no new sessions any more, so new settings mean nothing to them.
    Draining,
}

/// How the workers are.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    /// Each of them, in order.
    pub(crate) workers: Vec<WorkerSeen>,
    /// The counters of virtual servers.
    pub(crate) listeners: Vec<(ListenerId, ListenerTotals)>,
    /// Over the last second.
    pub(crate) rates: Rates,
    /// If no new sessions are taken any more.
    pub(crate) draining: Option<Draining>,
    /// Since the loop began.
    pub(crate) up: Duration,
}

/// A worker as control sees it.
#[derive(Clone, Debug)]
pub(crate) struct WorkerSeen {
    /// How it was started; `None` if nobody has said.
    pub(crate) report: Option<WorkerReport>,
    /// Whether its thread runs.
    pub(crate) is_alive: bool,
    /// Its counters.
    pub(crate) totals: Totals,
    /// How long its turns took.
    pub(crate) turns: Times,
    /// Share of the last second in which it was not waiting, in hundredths.
    pub(crate) busy_percent: u64,
}

/// How much of something there was within the last second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rates {
    pub(crate) handshakes: u64,
    pub(crate) up_bytes: u64,
    pub(crate) down_bytes: u64,
}

/// A drain under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Draining {
    /// Sessions when it began.
    pub(crate) sessions_before: u64,
    /// Sessions that are left.
    pub(crate) sessions: u64,
    /// Since it began.
    pub(crate) elapsed: Duration,
    /// Until those that are left end.
    pub(crate) remaining: Duration,
}

/// A drain as the loop knows it.
#[derive(Clone, Copy)]
struct Drain {
    began: Instant,
    by: Instant,
    sessions_before: u64,
}

/// Counters as they were a second ago, and what that makes of them now.
#[derive(Default)]
struct Sampled {
    totals: Vec<Totals>,
    rates: Rates,
    busy_percent: Vec<u64>,
    dead: Vec<bool>,
}

/// The loop and what it owns.
pub(crate) struct Turn {
    sluice: Box<dyn Sluice>,
    wake: AsyncFd<std::fs::File>,
    desk: Desk,
    console: Arc<Console>,
    clock: Clock,
    done: mpsc::Sender<Verdict>,
    verdicts: mpsc::Receiver<Verdict>,
    under_way: usize,
    quiet: Quiet,
    drain: Option<Drain>,
    sampled: Sampled,
    began: Instant,
}

/// What a command asks of the loop.
enum Next {
    GoOn,
    Stop,
}

impl Turn {
    pub(crate) fn new(sluice: Box<dyn Sluice>, desk: Desk, console: Arc<Console>, clock: Clock) -> Result<Self, PlaneFault> {
        let watch = |source| PlaneFault::Watch { what: "the workers' wake descriptor".to_owned(), source };
        let wake: OwnedFd = sluice.wake().try_clone_to_owned().map_err(watch)?;
        let wake = std::fs::File::from(wake);
        #[expect(
            deprecated,
            reason = "its successor is unsafe since any AsRawFd may lie; a File does not, and owns its descriptor"
        )]
        let wake = AsyncFd::with_interest(wake, tokio::io::Interest::READABLE).map_err(watch)?;
        let (done, verdicts) = mpsc::channel(REDEMPTIONS_MAX);
        Ok(Self {
            sluice,
            wake,
            desk,
            console,
            clock,
            done,
            verdicts,
            under_way: 0,
            quiet: Quiet::default(),
            drain: None,
            sampled: Sampled::default(),
            began: Instant::now(),
        })
    }

    /// Runs until told to stop, drained, or left alone by every sender of `commands`.
    pub(crate) async fn run(&mut self, mut commands: mpsc::Receiver<Command>, mut orders: mpsc::Receiver<Order>) {
        let mut sample = tokio::time::interval(SAMPLE_EVERY);
        sample.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let took_all = self.take_asks().await;
            while let Ok(verdict) = self.verdicts.try_recv() {
                self.tell(verdict);
            }
            // Commands and everybody else get their turn even while asks keep coming.
            let may_sleep = took_all && self.sluice.may_sleep();
            tokio::select! {
                biased;
                command = commands.recv() => match command.map_or(Next::Stop, |command| self.obey(command)) {
                    Next::GoOn => {}
                    Next::Stop => break,
                },
                Some(order) = orders.recv() => self.carry_out(order),
                _ = sample.tick() => self.sample().await,
                () = tokio::task::yield_now(), if !may_sleep => {}
                Some(verdict) = self.verdicts.recv() => self.tell(verdict),
                woken = self.wake.readable() => {
                    if let Ok(mut ready) = woken {
                        // Until it would block: that is what re-arms the descriptor. The look at the queue decides the rest.
                        while ready.try_io(|wake| wake.get_ref().read(&mut [0; 8])).is_ok_and(|read| read.is_ok_and(|n| n > 0)) {}
                    }
                }
                () = tokio::time::sleep(DRAIN_LOOK), if self.drain.is_some() => {}
            }
            if self.drain.is_some_and(|drain| Instant::now() >= drain.by || self.sessions() == 0) {
                break;
            }
        }
        self.stop().await;
    }

    /// Takes what waits, up to a bound; whether that was all.
    async fn take_asks(&mut self) -> bool {
        for _ in 0..ASKS_PER_TURN {
            match self.sluice.next_ask() {
                None => return true,
                Some(Ask::Redeem(ask)) if self.under_way >= REDEMPTIONS_MAX => {
                    let ticket = format!("{:?}", ask.ticket);
                    let result = Err(Why::Busy);
                    self.under_way += 1;
                    self.tell(Verdict { key: ask.key, client: ask.client, ticket, result });
                }
                Some(Ask::Redeem(ask)) => {
                    self.under_way += 1;
                    redeem::begin(&self.desk, ask, self.done.clone());
                }
                Some(Ask::Opened(opened)) => self.desk.owner.tell(Action::Opened(opened)).await,
                Some(Ask::Closed(closed)) => self.desk.owner.tell(Action::Closed(Box::new(closed))).await,
            }
        }
        false
    }

    fn tell(&mut self, verdict: Verdict) {
        self.under_way -= 1;
        let Verdict { key, client, ticket, result } = verdict;
        if let Err(why) = &result
            && let Some(unsaid) = self.quiet.may_say(client.ip().into(), self.clock.now())
        {
            warn!(session = %key, %client, %ticket, %why, unsaid, "ticket led nowhere");
        }
        let verdict = result.map_err(|why| why.refusal());
        if let Err(refused) = self.sluice.tell(key.worker, Tell::Redeemed { key, verdict }) {
            error!(session = %key, %refused, "a verdict could not be delivered");
        }
    }

    fn obey(&mut self, command: Command) -> Next {
        match command {
            Command::Stop => return Next::Stop,
            Command::Reload => {
                let console = self.console.clone();
                tokio::spawn(async move { console.reload().await });
            }
            Command::Drain { within } => drop(self.drain(within)),
            Command::Status(reply) => {
                let (workers, stas) = (self.sluice.totals(), self.stas());
                let owner = self.desk.owner.clone();
                tokio::spawn(async move {
                    let counts = owner.ask(Action::Count).await.unwrap_or_default();
                    let (logins, tickets, launches) = (counts.logins, counts.tickets, counts.launches);
                    let latencies = owner.ask(Action::Latencies).await.unwrap_or_default();
                    // The asker may have given up.
                    let _ = reply.try_send(Status { workers, stas, logins, tickets, launches, latencies });
                });
            }
        }
        Next::GoOn
    }

    fn stas(&self) -> Vec<StaStatus> {
        self.desk.current.now().map(|world| world.stas()).unwrap_or_default()
    }

    fn carry_out(&mut self, order: Order) {
        // Whoever asked may be gone; what was ordered is done all the same.
        match order {
            Order::Publish { snapshot, reply } => drop(reply.send(self.publish(snapshot))),
            Order::Kill { keys, reply } => {
                let killed = keys.into_iter().filter(|(key, reason)| {
                    let kill = Tell::Kill { key: *key, reason: *reason };
                    self.sluice.tell(key.worker, kill).inspect_err(|why| warn!(session = %key, %why, "not ended")).is_ok()
                });
                let killed = killed.count();
                let _ = reply.send(killed);
            }
            Order::Traffic { keys, reply } => {
                let _ = reply.send(keys.into_iter().map(|key| self.sluice.traffic(key)).collect());
            }
            Order::Look(reply) => drop(reply.send(Box::new(self.look()))),
            Order::Drain { within, reply } => drop(reply.send(self.drain(within))),
            Order::Resume(reply) => drop(reply.send(self.resume())),
        }
    }

    fn publish(&mut self, snapshot: Arc<Snapshot>) -> Result<Vec<SocketAddr>, NotTaken> {
        if self.drain.is_some() {
            return Err(NotTaken::Draining);
        }
        let ids: Vec<ListenerId> = snapshot.listeners.iter().map(|listener| listener.id).collect();
        let wanted: Vec<SocketAddr> = snapshot.listeners.iter().map(|listener| listener.address).collect();
        self.sluice.publish(snapshot).map_err(NotTaken::Problem)?;
        let actual = self.sluice.addresses();
        let of = |(id, wanted): (ListenerId, SocketAddr)| actual.iter().find(|(at, _)| *at == id).map_or(wanted, |(_, at)| *at);
        Ok(ids.into_iter().zip(wanted).map(of).collect())
    }

    /// Begins a drain, or gives the one under way another deadline.
    fn drain(&mut self, within: Duration) -> Draining {
        info!(within_s = within.as_secs(), "draining");
        let deadline = self.clock.moment() + within;
        self.tell_all(&Tell::Drain { deadline });
        let now = Instant::now();
        let sessions_before = self.drain.map_or_else(|| self.sessions(), |drain| drain.sessions_before);
        let drain = Drain { began: self.drain.map_or(now, |drain| drain.began), by: now + within, sessions_before };
        self.drain = Some(drain);
        self.draining(drain)
    }

    /// Ends a drain before its time. What it has ended stays ended.
    fn resume(&mut self) -> Result<bool, PublishProblem> {
        if self.drain.is_none() {
            return Ok(false);
        }
        self.sluice.resume()?;
        self.drain = None;
        info!("no longer draining: new sessions are taken again");
        Ok(true)
    }

    fn draining(&self, drain: Drain) -> Draining {
        Draining {
            sessions_before: drain.sessions_before,
            sessions: self.sessions(),
            elapsed: drain.began.elapsed(),
            remaining: drain.by.saturating_duration_since(Instant::now()),
        }
    }

    fn look(&self) -> Look {
        let (totals, turns, reports) = (self.sluice.totals(), self.sluice.turn_times(), self.sluice.reports());
        let workers = (0..).map(WorkerId).zip(totals).map(|(worker, totals)| WorkerSeen {
            report: reports.iter().find(|report| report.worker == worker).cloned(),
            is_alive: self.sluice.alive(worker),
            totals,
            turns: turns.get(usize::from(worker.0)).cloned().unwrap_or_default(),
            busy_percent: self.sampled.busy_percent.get(usize::from(worker.0)).copied().unwrap_or_default(),
        });
        Look {
            workers: workers.collect(),
            listeners: self.sluice.listener_totals(),
            rates: self.sampled.rates,
            draining: self.drain.map(|drain| self.draining(drain)),
            up: self.began.elapsed(),
        }
    }

    /// Measures rates, and says of each worker once that it has died.
    async fn sample(&mut self) {
        let totals = self.sluice.totals();
        let mut rates = Rates::default();
        let mut busy_percent = Vec::with_capacity(totals.len());
        for (now, before) in totals.iter().zip(&self.sampled.totals) {
            rates.handshakes += now.handshakes.saturating_sub(before.handshakes);
            rates.up_bytes += now.up_bytes.saturating_sub(before.up_bytes);
            rates.down_bytes += now.down_bytes.saturating_sub(before.down_bytes);
            let busy = now.busy_ns.saturating_sub(before.busy_ns);
            let whole = busy.saturating_add(now.idle_ns.saturating_sub(before.idle_ns)).max(1);
            busy_percent.push(busy.saturating_mul(100) / whole);
        }
        self.sampled.dead.resize(totals.len(), false);
        self.sampled = Sampled { totals, rates, busy_percent, dead: std::mem::take(&mut self.sampled.dead) };
        for at in 0..self.sluice.workers() {
            let worker = WorkerId(at);
            let Some(dead) = self.sampled.dead.get_mut(usize::from(at)) else { continue };
            if *dead || self.sluice.alive(worker) {
                continue;
            }
            *dead = true;
            let lost = self.desk.owner.ask(|reply| Action::WorkerGone(worker, reply)).await.unwrap_or_default();
            error!(
                worker = at,
                lost, "a worker has died; its sessions have ended, and it takes no new ones until the next start"
            );
        }
    }

    fn sessions(&self) -> u64 {
        self.sluice.totals().iter().map(|totals| totals.sessions).sum()
    }

    fn tell_all(&mut self, tell: &Tell) {
        for worker in (0..self.sluice.workers()).map(WorkerId) {
            if let Err(refused) = self.sluice.tell(worker, tell.clone()) {
                error!(worker = worker.0, %refused, "a worker could not be told");
            }
        }
    }

    /// Ends the workers, and writes down what they still have to say.
    async fn stop(&mut self) {
        for worker in (0..self.sluice.workers()).map(WorkerId) {
            // One that has ended already need not be told.
            let _ = self.sluice.tell(worker, Tell::Stop);
        }
        let by = Instant::now() + STOP_TIME;
        while self.sessions() > 0 && Instant::now() < by {
            self.take_asks().await;
            while let Ok(verdict) = self.verdicts.try_recv() {
                self.under_way -= 1;
                drop(verdict);
            }
            tokio::time::sleep(DRAIN_LOOK / 10).await;
        }
        while !self.take_asks().await {}
    }
}
