//! The control thread's main loop: what the workers ask, what became of it, and what the process wants.

use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::time::Duration;

use sluice_link::ask::Ask;
use sluice_link::id::WorkerId;
use sluice_link::port::Sluice;
use sluice_link::tell::Tell;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::action::Action;
use crate::clock::Clock;
use crate::quiet::Quiet;
use crate::redeem::{self, Desk, REDEMPTIONS_MAX, Verdict, Why};
use crate::{Command, PlaneFault, StaStatus, Status};

/// Asks taken before others get their turn.
const ASKS_PER_TURN: usize = 256;
/// How often a drain looks whether sessions are left.
const DRAIN_LOOK: Duration = Duration::from_millis(50);
/// For workers to end their sessions and say so, after [`Tell::Stop`].
const STOP_TIME: Duration = Duration::from_secs(2);

/// The loop and what it owns.
pub(crate) struct Turn {
    sluice: Box<dyn Sluice>,
    wake: AsyncFd<std::fs::File>,
    desk: Desk,
    clock: Clock,
    done: mpsc::Sender<Verdict>,
    verdicts: mpsc::Receiver<Verdict>,
    under_way: usize,
    quiet: Quiet,
}

/// What a command asks of the loop.
enum Next {
    GoOn,
    Drain(Duration),
    Stop,
}

impl Turn {
    pub(crate) fn new(sluice: Box<dyn Sluice>, desk: Desk, clock: Clock) -> Result<Self, PlaneFault> {
        let watch = |source| PlaneFault::Watch { what: "the workers' wake descriptor".to_owned(), source };
        let wake: OwnedFd = sluice.wake().try_clone_to_owned().map_err(watch)?;
        let wake = std::fs::File::from(wake);
        #[expect(
            deprecated,
            reason = "its successor is unsafe since any AsRawFd may lie; a File does not, and owns its descriptor"
        )]
        let wake = AsyncFd::with_interest(wake, tokio::io::Interest::READABLE).map_err(watch)?;
        let (done, verdicts) = mpsc::channel(REDEMPTIONS_MAX);
        Ok(Self { sluice, wake, desk, clock, done, verdicts, under_way: 0, quiet: Quiet::default() })
    }

    /// Runs until told to stop, drained, or left alone by every sender of `commands`.
    pub(crate) async fn run(&mut self, mut commands: mpsc::Receiver<Command>) {
        let mut drain: Option<Instant> = None;
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
                    Next::Drain(within) => drain = Some(Instant::now() + within),
                },
                () = tokio::task::yield_now(), if !may_sleep => {}
                Some(verdict) = self.verdicts.recv() => self.tell(verdict),
                woken = self.wake.readable() => {
                    if let Ok(mut ready) = woken {
                        // Until it would block: that is what re-arms the descriptor. The look at the queue decides the rest.
                        while ready.try_io(|wake| wake.get_ref().read(&mut [0; 8])).is_ok_and(|read| read.is_ok_and(|n| n > 0)) {}
                    }
                }
                () = tokio::time::sleep(DRAIN_LOOK), if drain.is_some() => {}
            }
            if drain.is_some_and(|by| Instant::now() >= by || self.sessions() == 0) {
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
            Command::Drain { within } => {
                info!(within_s = within.as_secs(), "draining");
                let deadline = self.clock.moment() + within;
                self.tell_all(&Tell::Drain { deadline });
                return Next::Drain(within);
            }
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
