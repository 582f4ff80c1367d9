//! The poll engine: mio, which is epoll, edge-triggered.
//!
//! ```text
//!   act ──► slot remembers the wish ─┐                       ┌─► happened
//!                                    ├─► run list ──► work ──┤
//!   epoll ─► slot remembers the edge ┘      ▲                └─ not done, and still ready: back to the end
//!                                           └──────────────────────┘
//! ```
//!
//! A wish is worked on when it is made and its socket is believed ready, or when its socket becomes ready: so each step of a
//! session is on the run list at most once, and the list is its own fairness. Both directions stay registered for the life of a
//! socket; no `epoll_ctl` is needed in between. Since an edge is told only once, it is remembered in the slot until a call says
//! `EAGAIN`.
//!
//! Waiting is rounded up to whole milliseconds by mio.

mod io;
mod slot;
mod token;

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use sluice_flow::buf::Pool;
use sluice_flow::event::{Event, Leg, Way};
use sluice_flow::intent::Intent;
use sluice_flow::port::{Door, Engine, EngineFault, HAPPENINGS_PER_TURN, Happening, ListenerId, Moment, SlotKey, Tally};
use sluice_flow::tls::TrafficKeys;

use crate::EngineSettings;
use crate::doors::Doors;
use crate::give_back::{forget, give_back};
use crate::ktls::Finishing;
use crate::machine::now;
use crate::queue::{BULK_PER_TURN, Ready, Waiting};
use crate::sock::{self, Mode};
use crate::spare::Spare;
use slot::{Slot, Wish};
use token::{SLOTS_MAX, Source};

/// Readiness events taken from the kernel at once.
const EVENTS_PER_CALL: usize = 1024;

/// Turns that may pass without looking for new readiness while the run list keeps giving. Looking costs a system call; not
/// looking would starve those who wait.
const TURNS_BETWEEN_LOOKS: u32 = 4;
/// And the time: turns that are full of handshakes last a hundred times as long as others.
const TIME_BETWEEN_LOOKS: Duration = Duration::from_micros(50);

/// One thing to try.
#[derive(Clone, Copy, Debug)]
enum Step {
    Receive(SlotKey, Leg),
    Send(SlotKey, Leg),
    Accept(usize),
}

/// See the module.
pub struct PollEngine {
    poll: Poll,
    events: Events,
    pool: Pool,
    /// As many as there were tenants at a time; room for all is set aside.
    slots: Vec<Slot>,
    listeners: Vec<Option<Listener>>,
    accepting: bool,
    doors: Doors,
    wake: Option<File>,
    run: VecDeque<Step>,
    waiting: Waiting,
    /// Receives into the largest buffers that this turn may still make.
    bulk_left: usize,
    /// What happened without the kernel's help, and so while nobody was listening.
    pending: VecDeque<Happening>,
    spare: Spare,
    finishing: Finishing,
    tally: Tally,
    turns_since_look: u32,
    looked: Moment,
    settings: EngineSettings,
}

#[derive(Debug)]
struct Listener {
    id: ListenerId,
    socket: TcpListener,
    ready: bool,
    queued: bool,
    /// It has given its connection of this turn.
    served: bool,
    /// Left alone until then, since descriptors had run out.
    paused: Option<Moment>,
}

impl std::fmt::Debug for PollEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PollEngine").field("slots", &self.slots.len()).field("run", &self.run.len()).finish_non_exhaustive()
    }
}

fn fault(call: &'static str) -> impl FnOnce(std::io::Error) -> EngineFault {
    move |source| EngineFault::System { call, source }
}

impl PollEngine {
    pub(crate) fn new(settings: &EngineSettings) -> Result<Self, EngineFault> {
        assert!(settings.sessions <= SLOTS_MAX, "{} sessions, {SLOTS_MAX} are possible", settings.sessions);
        Ok(Self {
            poll: Poll::new().map_err(fault("epoll_create"))?,
            events: Events::with_capacity(EVENTS_PER_CALL),
            pool: Pool::new(settings.pool),
            slots: Vec::with_capacity(settings.sessions as usize),
            listeners: Vec::new(),
            accepting: true,
            doors: Doors::default(),
            wake: None,
            run: VecDeque::new(),
            waiting: Waiting::default(),
            bulk_left: 0,
            pending: VecDeque::new(),
            spare: Spare::new(),
            finishing: Finishing::default(),
            tally: Tally::default(),
            turns_since_look: 0,
            looked: Moment(0),
            settings: settings.clone(),
        })
    }

    /// Whether `key` is the present tenant of its slot.
    fn holds(&self, key: SlotKey) -> bool {
        self.slots.get(key.slot.0 as usize).is_some_and(|s| s.taken && s.generation == key.generation)
    }

    /// The slot of a key that [`Self::holds`] was asked about.
    fn slot(&mut self, key: SlotKey) -> &mut Slot {
        &mut self.slots[key.slot.0 as usize]
    }

    fn hand_over(&mut self, key: SlotKey, leg: Leg, way: Way, keys: &TrafficKeys) {
        let side = self.slot(key).side_mut(leg);
        let busy = match way {
            Way::Transmit => side.send.is_some(),
            Way::Receive => side.receive.is_some(),
        };
        let free = side.socket.as_ref().filter(|_| !busy && !side.connecting && side.end.is_none());
        let taken = free.is_some_and(|socket| side.keys.hand_over(socket.as_fd(), way, keys));
        // Of what the kernel had received before it had the key, no edge tells: a whole record may lie there.
        side.readable |= taken && way == Way::Receive;
        self.tell(key, Event::HandedOver { leg, way, taken });
    }

    fn tell(&mut self, key: SlotKey, event: Event) {
        self.pending.push_back(Happening::Session { key, event });
    }

    fn register(&self, socket: &OwnedFd, source: Source) -> std::io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut SourceFd(&socket.as_raw_fd()), source.into(), interest)
    }

    /// Puts what can be tried on this leg on the run list.
    fn queue(&mut self, key: SlotKey, leg: Leg) {
        let side = self.slots[key.slot.0 as usize].side_mut(leg);
        if side.receive.is_some() && side.readable && !side.receive_queued {
            side.receive_queued = true;
            if side.wants_bulk() && side.stay.goes_on() {
                self.run.push_front(Step::Receive(key, leg));
            } else {
                self.run.push_back(Step::Receive(key, leg));
            }
        }
        if side.send.is_some() && side.writable && !side.connecting && !side.send_queued {
            side.send_queued = true;
            self.run.push_back(Step::Send(key, leg));
        }
    }

    fn queue_accept(&mut self, index: usize) {
        if let Some(Some(listener)) = self.listeners.get_mut(index)
            && self.accepting
            && listener.ready
            && !listener.queued
            && listener.paused.is_none()
        {
            listener.queued = true;
            self.run.push_back(Step::Accept(index));
        }
    }

    /// Wakes receives for which there is a buffer again.
    fn feed_waiting(&mut self) {
        // Only those wait here that found no buffer; who waits for a turn stays on the run list.
        let mut any = usize::MAX;
        while let Some(Ready { key, leg, buf, .. }) = self.waiting.next(&mut self.pool, &mut any) {
            let side = self.slot(key).side_mut(leg);
            match side.receive.take() {
                Some(Wish::Any(class)) => side.receive = Some(Wish::Fed(class, buf)),
                // A receive waits in that queue only as long as it is of this kind.
                other @ (Some(Wish::Fed(..) | Wish::Behind(_)) | None) => {
                    side.receive = other;
                    self.pool.give(buf);
                    continue;
                }
            }
            side.receive_queued = false;
            self.queue(key, leg);
        }
    }

    /// Takes what happened without the kernel's help, as far as `room` goes.
    fn drain_pending(&mut self, happened: &mut Vec<Happening>, room: usize) {
        let n = self.pending.len().min(room);
        happened.extend(self.pending.drain(..n));
    }

    /// Lets listeners go on whose pause is over, and says how long the next pause still lasts.
    fn end_pauses(&mut self) -> Option<Duration> {
        if self.listeners.iter().flatten().all(|l| l.paused.is_none()) {
            return None;
        }
        let time = now();
        let mut rest = None;
        for index in 0..self.listeners.len() {
            let Some(listener) = &mut self.listeners[index] else { continue };
            let Some(until) = listener.paused else { continue };
            if until <= time {
                listener.paused = None;
                self.queue_accept(index);
            } else {
                let left = until.since(time);
                rest = Some(rest.map_or(left, |r: Duration| r.min(left)));
            }
        }
        rest
    }

    /// Asks about legs that wait for what the kernel has sealed, and says how long it is to the next.
    fn press_finishing(&mut self) -> Option<Duration> {
        if self.finishing.is_empty() {
            return None;
        }
        let time = now();
        let mut finishing = std::mem::take(&mut self.finishing);
        let next = finishing.press(time, |wait| self.is_over(wait));
        self.finishing = finishing;
        next.map(|at| at.since(time))
    }

    /// Asks epoll what has become ready, waiting for at most `wait`.
    fn look(&mut self, wait: Option<Duration>) -> Result<(), EngineFault> {
        self.turns_since_look = 0;
        let spin = self.settings.busy_poll.filter(|_| wait != Some(Duration::ZERO));
        if let Some(spin) = spin {
            let until = now() + wait.map_or(spin, |w| w.min(spin));
            loop {
                self.ask_epoll(Some(Duration::ZERO))?;
                if !self.events.is_empty() {
                    break;
                }
                if now() >= until {
                    self.ask_epoll(wait.map(|w| w.saturating_sub(spin)))?;
                    break;
                }
                std::hint::spin_loop();
            }
        } else {
            self.ask_epoll(wait)?;
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            self.tally.completions += 1;
            self.note(event);
        }
        self.events = events;
        self.looked = now();
        Ok(())
    }

    fn ask_epoll(&mut self, wait: Option<Duration>) -> Result<(), EngineFault> {
        match self.poll.poll(&mut self.events, wait) {
            Ok(()) => Ok(()),
            // A signal came; the worker looks at its mailbox and comes back.
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => Ok(()),
            Err(e) => Err(fault("epoll_wait")(e)),
        }
    }

    /// Remembers one edge.
    fn note(&mut self, event: &mio::event::Event) {
        match Source::from(event.token()) {
            Source::Wake => {
                if let Some(wake) = &mut self.wake {
                    // Set back to zero. What it counted to does not matter, nor whether somebody else was faster.
                    let _ = wake.read(&mut [0; 8]);
                    self.pending.push_back(Happening::Woken);
                }
            }
            Source::Listener(index) => {
                if let Some(Some(listener)) = self.listeners.get_mut(index) {
                    listener.ready = true;
                    self.queue_accept(index);
                }
            }
            Source::Leg(key, leg) => {
                if !self.holds(key) {
                    self.tally.stale += 1;
                    return;
                }
                let side = self.slot(key).side_mut(leg);
                side.finished |= event.is_read_closed();
                side.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
                side.writable |= event.is_writable() || event.is_write_closed() || event.is_error();
                if side.connecting && side.writable {
                    self.connected(key);
                }
                self.queue(key, leg);
            }
        }
    }
}

impl Engine for PollEngine {
    fn name(&self) -> &str {
        "mio (epoll)"
    }

    fn listen(&mut self, id: ListenerId, socket: TcpListener) -> Result<(), EngineFault> {
        sock::set_mode(socket.as_fd(), Mode::NonBlocking).map_err(fault("fcntl"))?;
        sock::configure(socket.as_fd(), Leg::Client, &self.settings.sockets)
            .map_err(|(call, source)| EngineFault::System { call, source })?;
        let index = self.listeners.iter().position(Option::is_none).unwrap_or(self.listeners.len());
        let token = Token::from(Source::Listener(index));
        let registry = self.poll.registry();
        registry.register(&mut SourceFd(&socket.as_raw_fd()), token, Interest::READABLE).map_err(fault("epoll_ctl"))?;
        let listener = Listener { id, socket, ready: false, queued: false, served: false, paused: None };
        match self.listeners.get_mut(index) {
            Some(place) => *place = Some(listener),
            None => self.listeners.push(Some(listener)),
        }
        Ok(())
    }

    fn unlisten(&mut self, id: ListenerId) {
        // A step that is still on the run list finds nothing, or another listener, which it then tries in vain.
        for place in &mut self.listeners {
            if let Some(listener) = place.take_if(|l| l.id == id) {
                // Closing alone would do only if nobody has a duplicate of it.
                let _ = self.poll.registry().deregister(&mut SourceFd(&listener.socket.as_raw_fd()));
            }
        }
    }

    fn accept(&mut self, on: bool) {
        self.accepting = on;
        for index in 0..self.listeners.len() {
            self.queue_accept(index);
        }
    }

    fn wake_on(&mut self, eventfd: OwnedFd) -> Result<(), EngineFault> {
        sock::set_mode(eventfd.as_fd(), Mode::NonBlocking).map_err(fault("fcntl"))?;
        assert!(self.wake.is_none(), "an engine has one wake descriptor");
        let registry = self.poll.registry();
        registry
            .register(&mut SourceFd(&eventfd.as_raw_fd()), Source::Wake.into(), Interest::READABLE)
            .map_err(fault("epoll_ctl"))?;
        self.wake = Some(File::from(eventfd));
        Ok(())
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
        self.doors.take_in(socket, Mode::NonBlocking)
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
            Intent::Abort(leg) => {
                if let Some(socket) = &self.slot(key).side(leg).socket {
                    // Refused only by a socket that is gone, which needs no reset.
                    let _ = sock::reset_on_close(socket.as_fd());
                }
            }
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
        self.waiting.forget(key, &mut self.pool);
        let slot = &mut self.slots[key.slot.0 as usize];
        slot.taken = false;
        for leg in [Leg::Client, Leg::Host] {
            // Nothing is with the kernel: closing shuts down and ends it.
            slot.side_mut(leg).clear(&mut self.pool);
        }
        forget(&mut self.pending, &mut self.pool, key);
        self.pending.push_back(Happening::Released(key));
    }

    fn send_now(&mut self) -> Result<(), EngineFault> {
        for _ in 0..self.run.len() {
            match self.run.pop_front() {
                Some(Step::Send(key, leg)) if self.holds(key) => {
                    if let Some(event) = self.try_send(key, leg) {
                        self.tell(key, event);
                    }
                }
                other => self.run.extend(other),
            }
        }
        Ok(())
    }

    fn turn(&mut self, wait: Option<Duration>, happened: &mut Vec<Happening>) -> Result<(), EngineFault> {
        let limit = happened.len() + HAPPENINGS_PER_TURN;
        let before = happened.len();
        self.doors.next_turn();
        self.listeners.iter_mut().flatten().for_each(|listener| listener.served = false);
        self.bulk_left = BULK_PER_TURN;
        self.feed_waiting();
        let finishing = self.press_finishing();
        self.drain_pending(happened, limit - happened.len());
        self.work(happened, limit);

        self.turns_since_look += 1;
        let busy = happened.len() > before || !self.run.is_empty() || !self.pending.is_empty();
        if busy && self.turns_since_look < TURNS_BETWEEN_LOOKS && now() < self.looked + TIME_BETWEEN_LOOKS {
            return Ok(());
        }
        let pause = self.end_pauses();
        let busy = busy || !self.run.is_empty();
        let wait = if busy { Some(Duration::ZERO) } else { [wait, pause, finishing].into_iter().flatten().min() };
        self.look(wait)?;
        // A pause that ended during the wait.
        self.end_pauses();
        self.work(happened, limit);
        self.drain_pending(happened, limit.saturating_sub(happened.len()));
        Ok(())
    }

    fn pool(&mut self) -> &mut Pool {
        &mut self.pool
    }

    fn tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    fn host_leg_address(&self, key: SlotKey) -> Option<SocketAddr> {
        if !self.holds(key) {
            return None;
        }
        let side = self.slots[key.slot.0 as usize].side(Leg::Host);
        side.socket.as_ref().filter(|_| !side.connecting).and_then(|s| sock::local_address(s.as_fd()).ok())
    }

    fn in_flight(&self, key: SlotKey, leg: Leg) -> usize {
        if self.holds(key) { self.slots[key.slot.0 as usize].side(leg).waiting() } else { 0 }
    }
}
