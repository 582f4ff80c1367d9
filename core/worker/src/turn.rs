//! One worker and its turns: what the thread does for ever.
//!
//! ```text
//!   sleep in the engine ─► happenings: who types at once; bulk, ends and handshakes into the share
//!        ▲                 letters from control, so many a turn
//!        │                 new connections, connections from other workers, so many a turn
//!        │                 what these said goes out, if anything waits that takes long
//!        │                 what the share has room for
//!        │                 deadlines that have come
//!        └──────────────── numbers
//! ```
//!
//! Each of these is bounded, so that none can keep the others waiting; what is left over is taken up in the next turn, which
//! does not sleep then. Nothing in here waits for control: if that stalls or dies, streams flow on and only new tickets are
//! refused.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_utils::CachePadded;
use sluice_flow::admit::Admit;
use sluice_flow::event::Event;
use sluice_flow::intent::Intent;
use sluice_flow::limits::ENDING_TIME_PER_TURN;
use sluice_flow::port::{Door, Engine, EngineFault, Happening};
use sluice_flow::session::Stage;
use sluice_flow::share::Share;
use sluice_flow::slots::Slots;
use sluice_flow::tls::{Served, TicketKeys};
use sluice_flow::wheel::Wheel;
use sluice_link::ask::Closed;
use sluice_link::count::Counters;
use sluice_link::id::{ListenerId, SessionKey, SlotKey, WorkerId};
use sluice_link::live::LiveTable;
use sluice_link::reason::Reason;
use sluice_link::spread::Clocked;
use sluice_link::tell::{Refusal, Target, Tell};
use sluice_link::time::Moment;

use crate::balance::{Balance, Handed, TAKEN_PER_TURN};
use crate::counted::Counted;
use crate::mailbox::{Letter, Mailbox, Publication};
use crate::meter::{Seen, Troubles};
use crate::tenant::Tenant;

/// Letters from control that one turn takes.
const LETTERS_PER_TURN: usize = 64;
/// Sessions that one turn ends at most when many are to be ended, and there is time.
const ENDINGS_PER_TURN: usize = 256;
/// How long to sleep while control owes room for reports: nobody rings when room comes.
const OWED_RETRY: Duration = Duration::from_millis(50);
/// How often the first worker looks whether the keys of session tickets are to be changed.
const ROTATE_EVERY: Duration = Duration::from_secs(60);
/// How long sessions have to end in an orderly way when the worker stops; longer than the default linger of two seconds.
const STOP_TIME: Duration = Duration::from_secs(3);
/// How long the kernel has after that to let go of what it holds.
const CUT_TIME: Duration = Duration::from_secs(1);

/// Where a worker stands with its own life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It takes whoever comes.
    Running,
    /// It takes nobody; at the deadline it ends those that it has.
    Draining(Moment),
    /// It is ending all sessions; at the deadline it cuts them off.
    Stopping(Moment),
    /// It has cut them off; at the deadline it ends with whatever is left.
    Cut(Moment),
}

/// Everything that one thread owns.
pub(crate) struct Worker<E> {
    pub(crate) id: WorkerId,
    pub(crate) engine: E,
    pub(crate) clock: fn() -> Moment,
    pub(crate) mail: Mailbox,
    pub(crate) served: Arc<Served>,
    pub(crate) keys: Arc<TicketKeys>,
    pub(crate) count: Arc<CachePadded<Counters>>,
    /// Counters of virtual servers.
    pub(crate) counted: Counted,
    /// What each session moves, for whoever wants to see it.
    pub(crate) live: Arc<LiveTable>,
    /// How long each turn took.
    pub(crate) turns: Arc<Clocked>,
    /// Processor time that this thread has used.
    pub(crate) used: fn() -> Duration,
    /// When that is to be looked at next.
    pub(crate) look_at: Moment,
    /// Set from outside: stop as if told so.
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) troubles: Arc<Troubles>,
    pub(crate) slots: Slots<Tenant>,
    pub(crate) wheel: Wheel,
    pub(crate) share: Share,
    pub(crate) admit: Admit,
    /// Which connections are carried by others.
    pub(crate) balance: Balance,
    /// Sessions that ended while their ticket was with control. Their records wait for the answer, so that a launch that was
    /// redeemed for nobody reaches control's books. At most [`crate::mailbox::TELL_CREDIT`].
    pub(crate) orphans: HashMap<SlotKey, Closed>,
    /// Sessions that are to be ended.
    ending: VecDeque<Ending>,
    pub(crate) phase: Phase,
    /// Its listeners give connections.
    pub(crate) accepting: bool,
    /// There is room for more sessions.
    pub(crate) has_room: bool,
    rotate_at: Moment,
    pub(crate) now: Moment,
    pub(crate) intents: Vec<Intent>,
    happened: Vec<Happening>,
    arrived: Vec<Newcomer>,
    due: Vec<SlotKey>,
    /// A session has had something to send since the engine was last told to.
    pub(crate) spoke: bool,
}

/// A connection that the engine has accepted in this turn.
#[derive(Clone, Copy, Debug)]
struct Newcomer {
    listener: ListenerId,
    door: Door,
    client: SocketAddr,
    local: SocketAddr,
}

/// A session that is to be ended.
#[derive(Clone, Copy, Debug)]
struct Ending {
    key: SlotKey,
    reason: Reason,
    /// Only if it has not shown a ticket by then.
    early: bool,
}

/// What a worker is made of.
pub(crate) struct Parts<E> {
    pub(crate) id: WorkerId,
    pub(crate) engine: E,
    pub(crate) clock: fn() -> Moment,
    pub(crate) mail: Mailbox,
    pub(crate) served: Arc<Served>,
    pub(crate) keys: Arc<TicketKeys>,
    pub(crate) used: fn() -> Duration,
    pub(crate) seen: Seen,
    pub(crate) counted: Counted,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) troubles: Arc<Troubles>,
    pub(crate) balance: Balance,
    pub(crate) sessions: u32,
}

impl<E: Engine> Worker<E> {
    pub(crate) fn new(parts: Parts<E>) -> Self {
        let now = (parts.clock)();
        Self {
            id: parts.id,
            engine: parts.engine,
            clock: parts.clock,
            mail: parts.mail,
            served: parts.served,
            keys: parts.keys,
            count: parts.seen.count,
            counted: parts.counted,
            live: parts.seen.live,
            turns: parts.seen.turns,
            used: parts.used,
            look_at: now,
            stop: parts.stop,
            troubles: parts.troubles,
            slots: Slots::new(parts.sessions),
            wheel: Wheel::new(parts.sessions, now),
            share: Share::new(),
            admit: Admit::new(parts.sessions as usize),
            balance: parts.balance,
            orphans: HashMap::new(),
            ending: VecDeque::new(),
            phase: Phase::Running,
            accepting: true,
            has_room: true,
            rotate_at: if parts.id.0 == 0 { now } else { Moment::NEVER },
            now,
            intents: Vec::new(),
            happened: Vec::new(),
            arrived: Vec::new(),
            due: Vec::new(),
            spoke: false,
        }
    }

    /// Turns until it is told to stop.
    ///
    /// # Errors
    /// [`EngineFault`] if the engine is broken; all sessions are gone then.
    pub(crate) fn run(mut self) -> Result<(), EngineFault> {
        while !self.finished() {
            self.turn()?;
        }
        Ok(())
    }

    pub(crate) fn turn(&mut self) -> Result<(), EngineFault> {
        let wait = self.wait();
        let mut happened = std::mem::take(&mut self.happened);
        self.engine.turn(wait, &mut happened)?;
        self.spoke = false;
        self.mail.awake();
        self.now = (self.clock)();
        let limits = &self.served.snapshot.limits;
        self.share.begin(limits.handshake_steps_per_turn, limits.bulk_bytes_per_turn);
        happened.drain(..).for_each(|one| self.happening(one));
        self.happened = happened;
        self.letters();
        self.newcomers();
        self.handed();
        self.speak()?;
        while let Some((key, event)) = self.share.next() {
            let (records, begun) = (self.count.records_opened.read(), (self.clock)());
            self.step(key, event);
            self.share.spend(self.count.records_opened.read().wrapping_sub(records));
            self.share.took((self.clock)().since(begun));
        }
        self.deadlines();
        self.endings();
        self.numbers();
        self.mail.ring();
        self.turns.record((self.clock)().since(self.now));
        Ok(())
    }

    /// How long the engine may sleep: not at all while anything is left to do.
    fn wait(&mut self) -> Option<Duration> {
        let settled = self.mail.settle();
        self.mail.ring();
        let stopping = self.stopping();
        let busy = self.share.waiting() || !self.ending.is_empty();
        if busy || !self.mail.may_sleep(|| self.balance.nothing_handed() && (stopping || !self.stop.load(Ordering::Acquire))) {
            return Some(Duration::ZERO);
        }
        let phase = match self.phase {
            Phase::Running => Moment::NEVER,
            Phase::Draining(at) | Phase::Stopping(at) | Phase::Cut(at) => at,
        };
        let retry = if settled { Moment::NEVER } else { self.now + OWED_RETRY };
        let next = self.wheel.next().unwrap_or(Moment::NEVER).min(phase).min(retry).min(self.rotate_at);
        (next != Moment::NEVER).then(|| next.since(self.now))
    }

    /// Has what was said go out in front of what takes long: a handshake's step, or the reads of a file copy.
    fn speak(&mut self) -> Result<(), EngineFault> {
        if std::mem::take(&mut self.spoke) && self.share.waiting() { self.engine.send_now() } else { Ok(()) }
    }

    fn happening(&mut self, happening: Happening) {
        match happening {
            Happening::Accepted { listener, door, client, local } => {
                self.arrived.push(Newcomer { listener, door, client, local });
            }
            Happening::Session { key, event } => {
                let stage = self.slots.get(key).and_then(Tenant::stage);
                let now = match stage {
                    Some(stage) => self.share.sort(key, stage, event),
                    None => Some(event), // gone: `step` gives its buffer back
                };
                if let Some(event) = now {
                    self.step(key, event);
                }
            }
            Happening::Released(key) => self.released(key),
            Happening::Woken => {} // the letters are taken in every turn
        }
    }

    fn letters(&mut self) {
        for _ in 0..LETTERS_PER_TURN {
            match self.mail.next() {
                Some(Letter::Tell(Tell::Redeemed { key, verdict })) => self.redeemed(key, verdict),
                Some(Letter::Tell(Tell::Drain { deadline })) => self.drain(deadline),
                Some(Letter::Tell(Tell::Kill { key, reason })) if key.worker == self.id => self.step(key.at, Event::End(reason)),
                Some(Letter::Tell(Tell::Kill { .. })) => {}
                Some(Letter::Tell(Tell::Stop)) => self.begin_stop(),
                Some(Letter::Publish(publication)) => self.publish(publication),
                None => break,
            }
        }
        if self.stop.load(Ordering::Acquire) && !self.stopping() {
            self.begin_stop();
        }
    }

    /// Connections of this turn. They come in after the letters: who connects once control has published a configuration is
    /// served by that one, even if both come to this worker in the same turn.
    fn newcomers(&mut self) {
        let mut arrived = std::mem::take(&mut self.arrived);
        arrived.drain(..).for_each(|one| self.accepted(one.listener, one.door, one.client, one.local));
        self.arrived = arrived;
    }

    /// Connections that others have accepted and that are to be carried here.
    fn handed(&mut self) {
        for _ in 0..TAKEN_PER_TURN {
            let Some(Handed { listener, socket }) = self.balance.take() else { break };
            self.taken_over(listener, socket);
        }
    }

    /// An answer. It reaches the session that asked, or nobody: a place that has another tenant by now has another generation.
    fn redeemed(&mut self, key: SessionKey, verdict: Result<Target, Refusal>) {
        let launch = verdict.as_ref().ok().map(|target| target.launch);
        let ours = key.worker == self.id;
        if ours
            && let Some(tenant) = self.slots.get_mut(key.at)
            && tenant.asked
        {
            tenant.asked = false;
            tenant.launch = launch;
            self.mail.answered();
            self.step(key.at, Event::Told(verdict));
            return;
        }
        self.count.stale_answers.one();
        if ours && let Some(closed) = self.orphans.remove(&key.at) {
            self.mail.answered();
            self.mail.report(sluice_link::ask::Ask::Closed(Closed { launch, ..closed }));
        }
    }

    fn publish(&mut self, publication: Publication) {
        if publication.resumes && matches!(self.phase, Phase::Draining(_)) {
            self.phase = Phase::Running;
            self.ending.clear();
        }
        for id in publication.close {
            self.engine.unlisten(id);
        }
        for (id, socket) in publication.open {
            if self.phase == Phase::Running
                && let Err(fault) = self.engine.listen(id, socket)
            {
                // Its clients go to the other workers; sessions of this one are no reason to end.
                self.troubles.note(self.id, fault);
            }
        }
        self.counted.publish(publication.shares);
        self.served = publication.served;
    }

    /// Takes nobody new, and lets go whoever has not shown a ticket; a ticket shown is spent, so its session may go on.
    fn drain(&mut self, deadline: Moment) {
        if self.stopping() {
            return;
        }
        let begins = !matches!(self.phase, Phase::Draining(_));
        self.phase = Phase::Draining(deadline);
        if begins {
            self.close_doors();
            let early: Vec<SlotKey> = self.slots.keys().filter(|&key| self.is_early(key)).collect();
            self.ending.extend(early.into_iter().map(|key| Ending { key, reason: Reason::Drained, early: true }));
        }
    }

    /// Whether a session has not shown a ticket yet.
    fn is_early(&self, key: SlotKey) -> bool {
        let stage = self.slots.get(key).and_then(Tenant::stage);
        matches!(stage, Some(Stage::Hello | Stage::Handshake | Stage::Preface))
    }

    fn begin_stop(&mut self) {
        if !self.stopping() {
            self.close_doors();
            self.phase = Phase::Stopping(self.now + STOP_TIME);
            self.end_all(Reason::Stopping);
        }
    }

    fn close_doors(&mut self) {
        for listener in &self.served.snapshot.listeners {
            self.engine.unlisten(listener.id);
        }
    }

    fn end_all(&mut self, reason: Reason) {
        self.ending.clear();
        self.ending.extend(self.slots.keys().map(|key| Ending { key, reason, early: false }));
    }

    fn stopping(&self) -> bool {
        matches!(self.phase, Phase::Stopping(_) | Phase::Cut(_))
    }

    fn finished(&self) -> bool {
        self.stopping() && self.slots.is_empty() || matches!(self.phase, Phase::Cut(until) if until <= self.now)
    }

    fn deadlines(&mut self) {
        let mut due = std::mem::take(&mut self.due);
        self.wheel.expire(self.now, &mut due);
        due.drain(..).for_each(|key| self.step(key, Event::Due));
        self.due = due;
        match self.phase {
            Phase::Draining(at) if at <= self.now => {
                self.phase = Phase::Draining(Moment::NEVER);
                self.end_all(Reason::Drained);
            }
            Phase::Stopping(at) if at <= self.now => {
                self.phase = Phase::Cut(self.now + CUT_TIME);
                let left: Vec<SlotKey> = self.slots.keys().collect();
                left.into_iter().for_each(|key| self.cut(key, Reason::Stopping));
            }
            Phase::Running | Phase::Draining(_) | Phase::Stopping(_) | Phase::Cut(_) => {}
        }
        if self.rotate_at <= self.now {
            self.rotate_at = self.now + ROTATE_EVERY;
            // Without random numbers old keys are forgotten in time all the same: tickets stop to work, sessions do not.
            let _ = self.keys.rotate(self.now);
        }
    }

    fn endings(&mut self) {
        if self.ending.is_empty() {
            return;
        }
        let begun = (self.clock)();
        for _ in 0..ENDINGS_PER_TURN {
            let Some(Ending { key, reason, early }) = self.ending.pop_front() else { break };
            if !early || self.is_early(key) {
                self.step(key, Event::End(reason));
            }
            // Those who stay shall not notice. Who stops has nobody who stays.
            if !self.stopping() && (self.clock)().since(begun) >= ENDING_TIME_PER_TURN {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sluice_flow::buf::{Chain, Class};
    use sluice_flow::event::{Doing, Fault, Leg};
    use sluice_flow::limits::HELLOS_MAX;
    use sluice_flow::port::Door;
    use sluice_link::ask::Ask;
    use sluice_link::id::Generation;
    use sluice_link::snapshot::Snapshot;

    use super::*;
    use crate::counted::Ledger;
    use crate::fake::{Bench, later, passing};
    use crate::mailbox::Letter;

    fn reasons(bench: &Bench) -> Vec<Reason> {
        std::iter::from_fn(|| bench.asks.pop())
            .filter_map(|ask| match ask {
                Ask::Closed(closed) => Some(closed.reason),
                Ask::Redeem(_) | Ask::Opened(_) => None,
            })
            .collect()
    }

    fn session_key(at: SlotKey) -> SessionKey {
        SessionKey { worker: WorkerId(0), at }
    }

    #[test]
    fn a_place_is_given_away_again_only_when_the_kernel_has_let_go_of_it() {
        let mut bench = Bench::new(1);
        let first = bench.arrive(1)[0];
        let kill = Tell::Kill { key: session_key(first), reason: Reason::Killed };
        bench.slit.put(Letter::Tell(kill)).unwrap();
        bench.turn(vec![]);
        assert_eq!(bench.log().released, [first]);
        assert_eq!(reasons(&bench), [Reason::Killed]);
        assert_eq!((bench.arrive(1), bench.log().refused), (vec![], 1));
        bench.turn(vec![Happening::Released(first)]);
        let second = bench.arrive(1)[0];
        assert_eq!((second.slot, second.generation), (first.slot, Generation(1)));
        assert_eq!(bench.worker.count.read().sessions, 1);
    }

    #[test]
    fn what_is_said_goes_out_before_long_work_and_costs_no_call_without_it() {
        let mut bench = Bench::new(2);
        let keys = bench.arrive(2);
        let wait = |bench: &mut Bench| {
            let buf = bench.worker.engine.pool().take(Class::Small).unwrap();
            let event = Event::Received { leg: Leg::Client, buf, more: false };
            assert!(bench.worker.share.sort(keys[0], Stage::Hello, event).is_none());
        };
        let say = |bench: &mut Bench| {
            let chain = Chain::whole(bench.worker.engine.pool().take(Class::Small).unwrap());
            bench.worker.carry_out(keys[1], Intent::Send { leg: Leg::Client, chain }).unwrap();
        };
        let early = |bench: &mut Bench| {
            bench.worker.speak().unwrap();
            bench.log().sent_early
        };
        say(&mut bench);
        assert_eq!(early(&mut bench), 0, "nothing takes long");
        wait(&mut bench);
        assert_eq!(early(&mut bench), 0, "nothing has been said since");
        say(&mut bench);
        assert_eq!(early(&mut bench), 1);
        assert_eq!(early(&mut bench), 1);
        say(&mut bench);
        bench.turn(vec![]);
        assert_eq!(bench.log().sent_early, 1, "a turn of the engine sends, too");
    }

    #[test]
    fn letters_for_the_dead_and_for_other_workers_reach_nobody() {
        let mut bench = Bench::new(2);
        let key = bench.arrive(1)[0];
        let stale = SlotKey { generation: Generation(7), ..key };
        let elsewhere = SessionKey { worker: WorkerId(1), at: key };
        for key in [session_key(stale), elsewhere] {
            bench.slit.put(Letter::Tell(Tell::Kill { key, reason: Reason::Killed })).unwrap();
            bench.slit.put(Letter::Tell(Tell::Redeemed { key, verdict: Err(Refusal::Ticket) })).unwrap();
        }
        // One that is alive and has asked nothing.
        bench.slit.put(Letter::Tell(Tell::Redeemed { key: session_key(key), verdict: Err(Refusal::Ticket) })).unwrap();
        bench.turn(vec![]);
        assert_eq!(bench.worker.count.read().stale_answers, 3);
        assert!(bench.log().released.is_empty());
    }

    #[test]
    fn a_session_is_seen_for_as_long_as_it_lives() {
        let mut bench = Bench::new(2);
        let live = bench.worker.live.clone();
        let came = bench.worker.now;
        later(Duration::from_secs(1));
        let key = bench.arrive(1)[0];
        let traffic = live.read(key).unwrap();
        assert_eq!((traffic.up_bytes, traffic.down_bytes, traffic.last), (0, 0, came + Duration::from_secs(1)));
        bench.worker.cut(key, Reason::Killed);
        assert_eq!(live.read(key), None, "it is over, although the kernel has not let go of it");
    }

    #[test]
    fn virtual_servers_have_counters_of_their_own() {
        let mut bench = Bench::new(1);
        let totals = |bench: &Bench| {
            let place = bench.worker.counted.find(ListenerId(1)).unwrap();
            bench.worker.counted.at(place).unwrap().read()
        };
        let key = bench.arrive(2)[0];
        let begun = totals(&bench);
        assert_eq!((begun.accepted, begun.accept_refused, begun.sessions, begun.ended(Reason::Exhausted)), (2, 1, 1, 1));
        bench.slit.put(Letter::Tell(Tell::Kill { key: session_key(key), reason: Reason::Killed })).unwrap();
        bench.turn(vec![]);
        let ended = totals(&bench);
        assert_eq!((ended.handshakes_failed, ended.ended(Reason::Killed), ended.sessions), (1, 1, 1), "its slot is not free yet");
        bench.turn(vec![Happening::Released(key)]);
        assert_eq!(totals(&bench).sessions, 0);
        let all = bench.worker.count.read();
        assert_eq!((all.handshakes_failed, all.accept_refused, all.ended(Reason::Killed)), (1, 1, 1));
    }

    #[test]
    fn turns_are_timed_and_queues_are_measured() {
        let mut bench = Bench::new(4);
        passing(Duration::from_micros(10));
        bench.arrive(3);
        bench.turn(vec![]);
        passing(Duration::ZERO);
        let times = bench.worker.turns.read().percentiles();
        assert_eq!(times.count, 2);
        assert!(times.p50 >= Duration::from_micros(10) && times.max < Duration::from_micros(11), "{times:?}");

        let totals = bench.worker.count.read();
        assert_eq!((totals.slots_free, totals.accepting, totals.tickets_open, totals.reports_owed), (1, 1, 0, 0));
        later(Duration::from_secs(2));
        for n in 0..100 {
            let key =
                SessionKey { worker: WorkerId(9), at: SlotKey { slot: sluice_link::id::Slot(n), generation: Generation(0) } };
            bench.slit.put(Letter::Tell(Tell::Kill { key, reason: Reason::Killed })).unwrap();
        }
        bench.turn(vec![]);
        let totals = bench.worker.count.read();
        assert_eq!((bench.slit.letters().read(), totals.tells), (100, LETTERS_PER_TURN as u64));
        assert!(totals.busy_ns >= 1_500_000_000, "half of the time: {}", totals.busy_ns);
    }

    #[test]
    fn clients_wait_outside_while_the_table_is_full() {
        let mut bench = Bench::new(2);
        let keys = bench.arrive(2);
        assert_eq!(bench.log().accepting, [false]);
        bench.worker.cut(keys[0], Reason::Killed);
        bench.turn(vec![Happening::Released(keys[0])]);
        assert_eq!(bench.log().accepting, [false, true]);
    }

    #[test]
    fn clients_wait_outside_while_more_hellos_wait_than_are_answered_soon() {
        let most = u32::try_from(HELLOS_MAX).unwrap();
        let mut bench = Bench::new(2 * most);
        let keys = bench.arrive(most);
        let steps = bench.worker.served.snapshot.limits.handshake_steps_per_turn as usize;
        for key in keys {
            let buf = bench.worker.engine.pool().take(Class::Small).unwrap();
            bench.worker.share.sort(key, Stage::Hello, Event::Received { leg: Leg::Client, buf, more: false });
        }
        bench.worker.numbers();
        assert_eq!(bench.log().accepting, [false]);
        assert_eq!(bench.worker.count.read().accepting, 1, "it is well, and has room");
        let mut turns = 0;
        while bench.log().accepting == [false] {
            bench.turn(vec![]);
            turns += 1;
        }
        assert_eq!((bench.log().accepting.clone(), turns), (vec![false, true], (HELLOS_MAX / 2 + 1).div_ceil(steps)));
    }

    #[test]
    fn a_crowd_that_leaves_at_once_is_shown_out_a_few_a_turn() {
        let mut bench = Bench::new(100);
        let keys = bench.arrive(60);
        let lost = |key: &SlotKey| {
            let event = Event::Failed { leg: Leg::Client, during: Doing::Receiving, fault: Fault::Reset };
            Happening::Session { key: *key, event }
        };
        // Each look at the clock finds it later, and each end is between two of them.
        passing(Duration::from_micros(10));
        bench.turn(keys.iter().map(lost).collect());
        let shown_out = |bench: &mut Bench| bench.log().released.len();
        assert_eq!((shown_out(&mut bench), bench.worker.share.backlog()), (5, 55));
        bench.turn(vec![]);
        assert_eq!((shown_out(&mut bench), bench.log().waits.last()), (10, Some(&Some(Duration::ZERO))));
        // Nor is it otherwise if it is us who end them.
        bench.slit.put(Letter::Tell(Tell::Drain { deadline: Moment::NEVER })).unwrap();
        bench.turn(vec![]);
        passing(Duration::ZERO);
        assert!((11..30).contains(&shown_out(&mut bench)), "{}", shown_out(&mut bench));
        bench.turn(vec![]);
        assert_eq!(bench.log().released.len(), 60);
    }

    #[test]
    fn a_client_that_says_nothing_is_ended_at_its_deadline_and_the_worker_sleeps_until_then() {
        let mut bench = Bench::new(4);
        let key = bench.arrive(1)[0];
        bench.turn(vec![]);
        let wait = bench.log().waits.last().copied().flatten().unwrap();
        assert!(wait <= Duration::from_secs(5) && wait > Duration::from_millis(500), "{wait:?}");
        later(Duration::from_secs(6));
        bench.turn(vec![]);
        assert_eq!(bench.log().released, [key]);
        assert_eq!(reasons(&bench).len(), 1);
    }

    #[test]
    fn a_step_that_panics_costs_one_session() {
        let mut bench = Bench::new(4);
        let keys = bench.arrive(2);
        let place = bench.worker.counted.find(ListenerId(1)).unwrap();
        let stepped = bench.worker.contained(keys[0], place, |turn| {
            let buf = turn.pool.take(Class::Small).unwrap();
            let into = sluice_flow::intent::Into::Behind(buf);
            turn.out.push(Intent::Receive { leg: Leg::Client, into });
            panic!("as a fault in the machine would");
        });
        assert!(bench.worker.settle(keys[0], stepped).is_none());
        assert_eq!(bench.log().released, keys[..1]);
        assert_eq!(reasons(&bench), [Reason::Never]);
        assert_eq!(bench.lent(), 0);
        bench.turn(vec![Happening::Released(keys[0])]);
        assert_eq!(bench.worker.count.read().sessions, 1);
        assert_eq!(bench.worker.admit.unproven(), 1);
    }

    #[test]
    fn a_drain_closes_the_doors_and_lets_go_of_who_has_no_ticket() {
        let mut bench = Bench::new(4);
        let keys = bench.arrive(2);
        bench.slit.put(Letter::Tell(Tell::Drain { deadline: Moment::NEVER })).unwrap();
        bench.turn(vec![]);
        assert_eq!(bench.log().unlistened, [ListenerId(1)]);
        assert_eq!(bench.log().released, keys);
        assert_eq!(reasons(&bench), [Reason::Drained; 2]);
        assert!(bench.arrive(1).is_empty());
        assert_eq!(bench.log().refused, 1);
        // Taken back: its doors are open again. A stop is not taken back.
        let resume = |bench: &mut Bench| {
            let served = bench.worker.served.clone();
            let shares = Ledger::default().publish(&served.snapshot, 1).remove(0);
            let publication = Publication { served, close: Vec::new(), shares, open: Vec::new(), resumes: true };
            bench.slit.put(Letter::Publish(publication)).unwrap();
            bench.turn(vec![]);
        };
        resume(&mut bench);
        assert_eq!(bench.arrive(1).len(), 1);
        bench.slit.put(Letter::Tell(Tell::Stop)).unwrap();
        bench.turn(vec![]);
        resume(&mut bench);
        assert!(bench.arrive(1).is_empty());
    }

    #[test]
    fn who_connects_after_a_change_is_served_by_what_was_changed() {
        let mut bench = Bench::new(8);
        assert_eq!(bench.arrive(2).len(), 2);
        let mut snapshot = Snapshot::clone(&bench.worker.served.snapshot);
        snapshot.limits.unproven_per_source = 3;
        let snapshot = Arc::new(snapshot);
        let served = Arc::new(Served::build(snapshot.clone(), &bench.worker.keys).unwrap());
        let shares = Ledger::default().publish(&snapshot, 1).remove(0);
        let publication = Publication { served, close: Vec::new(), shares, open: Vec::new(), resumes: false };
        bench.slit.put(Letter::Publish(publication)).unwrap();
        // The worker sees both in one turn.
        assert_eq!((bench.arrive(2).len(), bench.log().refused), (1, 1));
    }

    #[test]
    fn a_stop_does_not_wait_for_ever() {
        let mut bench = Bench::new(4);
        bench.arrive(2);
        bench.worker.stop.store(true, Ordering::Release);
        bench.turn(vec![]);
        assert!(!bench.worker.finished());
        assert_eq!(bench.log().released.len(), 2);
        later(STOP_TIME);
        bench.turn(vec![]);
        // The kernel never lets go.
        assert!(!bench.worker.finished());
        later(CUT_TIME);
        bench.turn(vec![]);
        assert!(bench.worker.finished());
    }

    #[test]
    fn connections_go_to_who_has_much_less_to_do_before_a_byte_is_read() {
        let mut both = Bench::side_by_side(256, 2);
        let kept = both[0].arrive(100).len();
        let given = both[0].log().given;
        assert_eq!((kept + given, both[0].worker.count.read().handed_over), (100, given as u64));
        let awake = |bench: &mut Bench| {
            bench.turn(vec![]);
            bench.log().waits.last().copied().flatten()
        };
        // The other one is not let sleep over them, and counts them as its own.
        assert_eq!(awake(&mut both[1]), Some(Duration::ZERO));
        let theirs = both[1].log().adopted.len();
        assert_eq!((theirs, both[1].log().taken), (given, given));
        assert!(4 * kept <= 5 * theirs + 4 * 9, "{kept} and {theirs}");
        let totals = both[1].worker.count.read();
        assert_eq!((totals.accepted, totals.taken_over, totals.sessions), (0, given as u64, given as u64));
        assert_ne!(awake(&mut both[1]), Some(Duration::ZERO));
        // They end there, and only then it is the less loaded one again.
        assert_eq!(both[0].arrive(1).len(), 1);
        let keys = both[1].log().adopted.clone();
        keys.iter().for_each(|key| both[1].worker.cut(*key, Reason::Killed));
        both[1].turn(keys.into_iter().map(Happening::Released).collect());
        assert_eq!((both[1].worker.count.read().sessions, both[0].arrive(5).len()), (0, 0));
    }

    #[test]
    fn a_worker_that_takes_nobody_is_handed_nobody() {
        let mut both = Bench::side_by_side(256, 2);
        both[1].slit.put(Letter::Tell(Tell::Drain { deadline: Moment::NEVER })).unwrap();
        both[1].turn(vec![]);
        assert_eq!(both[0].arrive(50).len(), 50);
        // What was on its way when the drain began is refused.
        let mut both = Bench::side_by_side(256, 2);
        assert!(both[0].arrive(50).len() < 50);
        both[1].slit.put(Letter::Tell(Tell::Drain { deadline: Moment::NEVER })).unwrap();
        both[1].turn(vec![]);
        assert_eq!(both[1].log().refused, both[0].log().given);
        assert_eq!(both[0].arrive(1).len(), 1);
    }

    #[test]
    fn who_came_as_a_virtual_server_went_is_refused() {
        let mut bench = Bench::new(4);
        let (client, local) = ("192.0.2.1:1".parse().unwrap(), "192.0.2.2:443".parse().unwrap());
        bench.turn(vec![Happening::Accepted { listener: ListenerId(9), door: Door(0), client, local }]);
        assert_eq!((bench.log().refused, bench.worker.count.read().accept_refused), (1, 1));
    }
}
