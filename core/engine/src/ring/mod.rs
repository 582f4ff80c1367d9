//! The ring engine: io_uring, one ring per worker, one system call per turn.
//!
//! ```text
//!   act ──► op, owned ──► push.rs: table + submission queue ──┐
//!                                                             │  turn: one enter submits all, waits, lets completions run
//!   happened ◄── recv.rs send.rs … ◄── op, handed back ◄──────┘
//! ```
//!
//! One operation, one file: `accept`, `recv`, `send`, `connect`, `close`, `wake`. `push` owns what the kernel works on; `group`
//! has the buffers that it chooses from. `ladder`, `restrict` and `probe` are used when the engine is opened, and not again.
//!
//! With deferred task running, completions come only out of an enter that asks for events; each one here does. The turn always
//! ends with the kernel's queue looked at, so there is no way round it.

mod accept;
mod close;
mod connect;
#[expect(unsafe_code, reason = "memory shared with the kernel: provided buffers")]
mod group;
mod ladder;
mod op;
mod probe;
#[expect(unsafe_code, reason = "the only place where entries are put into the submission queue")]
mod push;
mod recv;
mod restrict;
mod send;
mod slot;
#[expect(unsafe_code, reason = "system calls that the io-uring crate lacks")]
mod sys;
mod token;
mod wake;

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use sluice_flow::buf::{Class, Pool};
use sluice_flow::event::{Event, Leg, Way};
use sluice_flow::intent::Intent;
use sluice_flow::port::{
    Door, Engine, EngineFault, GONE_PER_TURN, HAPPENINGS_PER_TURN, Happening, ListenerId, Moment, SlotKey, Tally,
};
use sluice_flow::tls::TrafficKeys;

use self::accept::{LISTENERS_MAX, Listener};
use self::close::Leaving;
use self::ladder::{OPERATIONS_PER_SESSION, Rung};
use self::op::{Op, Outgoing};
use self::push::{Completion, Queue};
use self::slot::{Slot, Tenancy};
use self::sys::Wait;
use self::token::{CANCEL, Token};
use crate::EngineSettings;
use crate::doors::Doors;
use crate::give_back::{forget, give_back};
use crate::ktls::Finishing;
use crate::machine::now;
use crate::queue::{BULK_PER_TURN, Waiting};
use crate::report::{Outcome, Report};
use crate::sock::{self, Mode};
use crate::spare::Spare;

/// Slots that an engine may have: the same as the other engine's.
const SLOTS_MAX: u32 = 1 << 24;

/// See the module.
pub struct RingEngine {
    /// Dropped first: it takes back what the kernel holds.
    queue: Queue,
    rung: Rung,
    /// As many as there were tenants at a time; room for all is set aside.
    slots: Vec<Slot>,
    pool: Pool,
    /// Receives under way that will take a buffer of each class from its group.
    armed: [usize; 3],
    waiting: Waiting,
    /// Receives into the largest buffers that this turn may still make.
    bulk_left: usize,
    listeners: Vec<Option<Listener>>,
    accepting: bool,
    /// A connection has been accepted whose client was gone; the next one is not known yet.
    passed_over: bool,
    doors: Doors,
    spare: Spare,
    wake: Option<OwnedFd>,
    leaving: VecDeque<Leaving>,
    finishing: Finishing,
    /// What happened without the kernel's help, and so while nobody was listening.
    pending: VecDeque<Happening>,
    reaped: Vec<Completion>,
    /// Kept for the next sends: a long chain costs no allocation.
    #[expect(clippy::vec_box, reason = "operations hold them as boxes; taking them out of those would copy and allocate")]
    outgoing: Vec<Box<Outgoing>>,
    tally: Tally,
    settings: EngineSettings,
}

impl std::fmt::Debug for RingEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RingEngine")
            .field("rung", &self.rung)
            .field("queue", &self.queue)
            .field("slots", &self.slots.len())
            .finish_non_exhaustive()
    }
}

/// An engine that has passed the self-test.
///
/// # Errors
/// If io_uring is denied, lacks something, or does not behave.
pub(crate) fn open(settings: &EngineSettings, report: &mut Report) -> Result<RingEngine, EngineFault> {
    // Behaviour is tested on a small ring of its own: the real one starts with nothing in it.
    let rung = probe::behaviour(&Rung::ALL, report)?;
    let mut own = Report::default();
    let engine = RingEngine::new(&[rung], settings, &mut own);
    // What the small ring had to do without, this one has to, too: that is said once.
    own.items.retain(|item| !report.items.contains(item));
    report.items.append(&mut own.items);
    engine
}

/// Why there is no ring, for people.
pub(crate) fn explain(fault: &EngineFault) -> String {
    match fault {
        EngineFault::System { call, source } => format!("{call}: {}", ladder::why(source)),
        EngineFault::SelfTest(_) => fault.to_string(),
    }
}

impl RingEngine {
    fn new(rungs: &[Rung], settings: &EngineSettings, report: &mut Report) -> Result<Self, EngineFault> {
        assert!(settings.sessions <= SLOTS_MAX, "{} sessions, {SLOTS_MAX} are possible", settings.sessions);
        let (ring, rung) = ladder::climb(rungs, settings.sessions, report)?;
        probe::operations(&ring, report)?;
        let operations = settings.sessions as usize * OPERATIONS_PER_SESSION as usize + LISTENERS_MAX + 2;
        let mut queue = Queue::new(ring, operations)?;
        report.note("provided buffers", Outcome::Works, "");
        match queue.register_name() {
            Ok(()) => report.note("registered ring descriptor", Outcome::Works, ""),
            Err(e) => report.note("registered ring descriptor", Outcome::Without, e.to_string()),
        }
        let system = |call| move |source| EngineFault::System { call, source };
        restrict::restrict(queue.ring()).map_err(system("io_uring_register(RESTRICTIONS)"))?;
        report.note("restrictions", Outcome::Works, format!("{} operations allowed", restrict::OPERATIONS.len()));
        queue.ring().submitter().register_enable_rings().map_err(system("io_uring_register(ENABLE_RINGS)"))?;
        Ok(Self {
            queue,
            rung,
            slots: Vec::with_capacity(settings.sessions as usize),
            pool: Pool::new(settings.pool),
            armed: [0; 3],
            waiting: Waiting::default(),
            bulk_left: 0,
            listeners: Vec::new(),
            accepting: true,
            passed_over: false,
            doors: Doors::default(),
            spare: Spare::new(),
            wake: None,
            leaving: VecDeque::new(),
            finishing: Finishing::default(),
            pending: VecDeque::new(),
            reaped: Vec::with_capacity(HAPPENINGS_PER_TURN),
            outgoing: Vec::new(),
            tally: Tally::default(),
            settings: settings.clone(),
        })
    }

    /// Whether `key` is the present tenant of its slot.
    fn holds(&self, key: SlotKey) -> bool {
        self.slots.get(key.slot.0 as usize).is_some_and(|s| s.tenancy == Tenancy::Held && s.generation == key.generation)
    }

    /// The slot of a key that is, or was until it is free again, a tenant's.
    fn slot(&mut self, key: SlotKey) -> &mut Slot {
        &mut self.slots[key.slot.0 as usize]
    }

    fn hand_over(&mut self, key: SlotKey, leg: Leg, way: Way, keys: &TrafficKeys) {
        let side = self.slot(key).side_mut(leg);
        let busy = match way {
            Way::Transmit => side.send.is_some(),
            Way::Receive => side.receive != slot::Receive::None,
        };
        let free = side.socket.as_ref().filter(|_| !busy && side.connect.is_none() && side.end.is_none());
        let taken = free.is_some_and(|socket| side.keys.hand_over(socket.as_fd(), way, keys));
        self.tell(key, Event::HandedOver { leg, way, taken });
    }

    fn tell(&mut self, key: SlotKey, event: Event) {
        self.pending.push_back(Happening::Session { key, event });
    }

    /// Makes `key` the tenant of its slot.
    fn open(&mut self, key: SlotKey, socket: Option<OwnedFd>) {
        let at = key.slot.0;
        assert!(at < self.settings.sessions, "slot {at} of {}", self.settings.sessions);
        if self.slots.len() <= at as usize {
            self.slots.resize_with(at as usize + 1, Slot::new);
        }
        let slot = self.slot(key);
        assert!(slot.tenancy == Tenancy::Free, "slot {} was given away twice", key.slot.0);
        slot.tenancy = Tenancy::Held;
        slot.generation = key.generation;
        *slot.side_mut(Leg::Client) = slot::Side::new(socket);
        *slot.side_mut(Leg::Host) = slot::Side::new(None);
    }

    /// Hands out what the kernel has completed, until `happened` is as long as `limit`.
    fn reap(&mut self, limit: usize, happened: &mut Vec<Happening>) {
        let mut reaped = std::mem::take(&mut self.reaped);
        self.queue.reap(&mut reaped, limit - happened.len());
        for completion in reaped.drain(..) {
            happened.extend(self.handle(completion));
        }
        self.reaped = reaped;
    }

    /// Hands one completion to the file of its operation.
    fn handle(&mut self, mut completion: Completion) -> Option<Happening> {
        self.tally.completions += 1;
        if completion.user_data == CANCEL {
            return None;
        }
        let token = Token::of(completion.user_data);
        if let Some(accepted) = self.queue.claim(&mut completion) {
            self.queue.finish(token);
            return self.accepted(accepted);
        }
        // No operation of ours goes on, and one that has ended is not in the table any more.
        let Some(op) = self.queue.finish(token) else {
            self.tally.stale += 1;
            return None;
        };
        match op {
            Op::ReceiveAny { at, class, wanted, .. } => self.received_any(at, class, wanted, &completion),
            Op::ReceiveInto { at, buf, fed, .. } => self.received_into(at, buf, fed, &completion),
            Op::Send { at, outgoing } => self.sent(at, outgoing, &completion),
            Op::Connect { key, .. } => self.connected(key, completion.result),
            Op::Wake { .. } => self.woken(completion.result),
            Op::Accept { .. } => unreachable!("claimed above"),
            Op::Forbidden => Some(probe::forbidden(completion.result)),
        }
    }

    /// What must be looked at even if nothing happens, and when at the latest.
    fn chores(&mut self) -> Option<Duration> {
        let nothing =
            self.leaving.is_empty() && self.finishing.is_empty() && self.listeners.iter().flatten().all(|l| l.paused.is_none());
        if nothing {
            return None;
        }
        let time = now();
        [self.end_pauses(time), self.press_leaving(time), self.press_finishing(time)]
            .into_iter()
            .flatten()
            .min()
            .map(|at: Moment| at.since(time))
    }

    /// One enter, with the spinning before it if that is wished for.
    fn enter(&mut self, wait: Option<Duration>) -> Result<(), EngineFault> {
        let mut wait = wait;
        if let Some(spin) = self.settings.busy_poll
            && wait != Some(Duration::ZERO)
        {
            self.queue.enter(Wait::No)?;
            let until = now() + wait.map_or(spin, |w| w.min(spin));
            while !self.queue.has_news() && now() < until {
                std::hint::spin_loop();
            }
            wait = if self.queue.has_news() { Some(Duration::ZERO) } else { wait.map(|w| w.saturating_sub(spin)) };
        }
        self.queue.enter(match wait {
            Some(Duration::ZERO) => Wait::No,
            Some(time) => Wait::UpTo(time),
            None => Wait::Forever,
        })
    }
}

impl Engine for RingEngine {
    fn name(&self) -> &str {
        self.rung.name()
    }

    fn listen(&mut self, id: ListenerId, socket: TcpListener) -> Result<(), EngineFault> {
        self.add_listener(id, socket)
    }

    fn unlisten(&mut self, id: ListenerId) {
        self.close_listeners(id);
    }

    fn accept(&mut self, on: bool) {
        self.accept_on(on);
    }

    fn wake_on(&mut self, eventfd: OwnedFd) -> Result<(), EngineFault> {
        self.arm_wake(eventfd)
    }

    fn adopt(&mut self, door: Door, key: SlotKey) {
        let socket = self.doors.take(door);
        self.open(key, socket);
    }

    fn refuse(&mut self, door: Door) {
        self.doors.refuse(door);
    }

    fn give_away(&mut self, door: Door) -> Option<OwnedFd> {
        self.doors.take(door)
    }

    fn take_in(&mut self, socket: OwnedFd) -> Option<(Door, SocketAddr, SocketAddr)> {
        self.doors.take_in(socket, Mode::Blocking)
    }

    fn act(&mut self, key: SlotKey, intent: Intent) {
        if !self.holds(key) {
            self.tally.stale += 1;
            give_back(&mut self.pool, intent);
            return;
        }
        match intent {
            Intent::Receive { leg, into } => self.receive(key, leg, into),
            Intent::Send { leg, chain } => self.send(key, leg, chain),
            Intent::Connect(to) => self.connect(key, &to),
            Intent::Finish(leg) => self.finish(key, leg),
            Intent::Abort(leg) => self.abort(key, leg),
            Intent::HandOver { leg, way, keys } => self.hand_over(key, leg, way, &keys),
            // The worker's own.
            Intent::Ask(_) | Intent::Deadline(_) => {}
        }
    }

    fn release(&mut self, key: SlotKey) {
        if !self.holds(key) {
            self.tally.stale += 1;
            return;
        }
        forget(&mut self.pending, &mut self.pool, key);
        self.leave(key);
    }

    fn send_now(&mut self) -> Result<(), EngineFault> {
        // Receives go with it, and each that finds bytes takes a buffer.
        self.fill_groups();
        self.queue.enter(Wait::No)
    }

    fn turn(&mut self, wait: Option<Duration>, happened: &mut Vec<Happening>) -> Result<(), EngineFault> {
        let limit = happened.len() + HAPPENINGS_PER_TURN;
        self.doors.next_turn();
        self.bulk_left = BULK_PER_TURN;
        self.feed_waiting();
        self.fill_groups();
        let chores = self.chores();

        let n = self.pending.len().min(HAPPENINGS_PER_TURN);
        happened.extend(self.pending.drain(..n));
        // Whoever waits for its turn has bytes that are there.
        let busy = n > 0 || self.bulk_left == 0 && !self.waiting.is_empty();
        let wait = if busy { Some(Duration::ZERO) } else { [wait, chores].into_iter().flatten().min() };
        self.enter(wait)?;
        self.reap(limit, happened);
        for _ in 0..GONE_PER_TURN {
            if !std::mem::take(&mut self.passed_over) || happened.len() == limit {
                break;
            }
            self.queue.enter(Wait::No)?;
            self.reap(limit, happened);
        }
        Ok(())
    }

    fn pool(&mut self) -> &mut Pool {
        &mut self.pool
    }

    fn tally(&mut self) -> Tally {
        self.tally.overflows += self.queue.take_overflows();
        std::mem::take(&mut self.tally)
    }

    fn host_leg_address(&self, key: SlotKey) -> Option<SocketAddr> {
        if !self.holds(key) {
            return None;
        }
        let side = self.slots[key.slot.0 as usize].side(Leg::Host);
        side.socket.as_ref().filter(|_| side.connect.is_none()).and_then(|s| sock::local_address(s.as_fd()).ok())
    }

    fn in_flight(&self, key: SlotKey, leg: Leg) -> usize {
        // Also of one that is leaving: the kernel holds it all the same.
        let slot = self.slots.get(key.slot.0 as usize).filter(|s| s.generation == key.generation);
        slot.map_or(0, |s| s.side(leg).in_flight())
    }
}

fn class_index(class: Class) -> usize {
    usize::from(group::number(class))
}
