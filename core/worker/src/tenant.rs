//! A session in its slot: let in, stepped, ended.
//!
//! ```text
//!   Accepted ─► here? ─► admission ─► slot, adopt ─► Session::begin ─┬─► intents ─► engine, wheel, mailbox
//!                  └─► refuse            ┌──────────────────┘
//!                                  event ▼
//!                              Session::step ─► intents ─► Stay ─► slot
//!                                   │                └───► End ──► report, release ─► Released ─► slot free
//!                                   └─ panic ─► only this session ends, with `never`
//! ```

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sluice_flow::admit::Standing;
use sluice_flow::event::Event;
use sluice_flow::intent::{Intent, Into};
use sluice_flow::port::{Door, Engine};
use sluice_flow::session::{Arrival, Next, Session, Stage, Turn};
use sluice_flow::share::buffer_of;
use sluice_link::ask::{Ask, Closed, Phases};
use sluice_link::id::{LaunchId, ListenerId, SessionKey, SlotKey};
use sluice_link::reason::Reason;
use sluice_link::time::Moment;

use crate::balance::Handed;
use crate::counted::Place;
use crate::turn::{Phase, Worker};

/// Who has a slot. The worker knows this much itself, so that it can tell of a session that could not.
pub(crate) struct Tenant {
    /// `None` while it is being stepped, and from its end until the engine has let go of it.
    session: Option<Session>,
    /// Its share of admission, until it has proven itself.
    standing: Option<Standing>,
    /// Its ticket is with control.
    pub(crate) asked: bool,
    /// What its ticket was redeemed for.
    pub(crate) launch: Option<LaunchId>,
    listener: ListenerId,
    /// Where the counters of that virtual server stand.
    pub(crate) place: Place,
    client: SocketAddr,
    since: Moment,
}

impl Tenant {
    /// Where its session stands; `None` if that is over.
    pub(crate) fn stage(&self) -> Option<Stage> {
        self.session.as_ref().map(Session::stage)
    }
}

impl<E: Engine> Worker<E> {
    /// Lets a client in, or not: cheapest test first, before a byte is read.
    pub(crate) fn accepted(&mut self, listener: ListenerId, door: Door, client: SocketAddr, local: SocketAddr) {
        self.count.accepted.one();
        if let Some(count) = self.counted.find(listener).and_then(|place| self.counted.at(place)) {
            count.accepted.one();
        }
        if self.hand_over(listener, door) {
            return;
        }
        self.balance.entered();
        if !self.let_in(listener, door, client, local) {
            self.balance.left();
        }
    }

    /// Gives a connection to a worker that has much less to do.
    fn hand_over(&mut self, listener: ListenerId, door: Door) -> bool {
        if self.phase != Phase::Running {
            return false;
        }
        let Some(to) = self.balance.lighter() else { return false };
        let Some(socket) = self.engine.give_away(door) else { return false };
        // There is room, and only this worker fills that ring; if not, what is dropped here is closed.
        if self.balance.give(to, Handed { listener, socket }).is_ok() {
            self.count.handed_over.one();
        }
        true
    }

    /// A connection that another worker accepted, and counted as accepted. It counts for this one since it was handed over.
    pub(crate) fn taken_over(&mut self, listener: ListenerId, socket: OwnedFd) {
        self.count.taken_over.one();
        let let_in = match self.engine.take_in(socket) {
            Some((door, client, local)) => self.let_in(listener, door, client, local),
            None => false, // reset on its way
        };
        if !let_in {
            self.balance.left();
        }
    }

    /// Whether it was.
    fn let_in(&mut self, listener: ListenerId, door: Door, client: SocketAddr, local: SocketAddr) -> bool {
        let place = self.counted.find(listener);
        let served = self.served.listener(listener).filter(|_| self.phase == Phase::Running).cloned();
        let (Some(served_listener), Some(place)) = (served, place) else {
            // It came in while its virtual server went.
            self.refuse(door, place, if self.phase == Phase::Running { Reason::Stopping } else { Reason::Drained });
            return false;
        };
        let standing = match self.admit.enter(client.ip(), self.slots.len(), &self.served.snapshot.limits) {
            Ok(standing) => standing,
            Err(refused) => {
                self.refuse(door, Some(place), refused.reason());
                return false;
            }
        };
        let Some(key) = self.slots.reserve() else {
            self.admit.leave(standing);
            self.refuse(door, Some(place), Reason::Exhausted);
            return false;
        };
        self.engine.adopt(door, key);
        let since = self.now;
        let tenant =
            Tenant { session: None, standing: Some(standing), asked: false, launch: None, listener, place, client, since };
        self.slots.put(key, tenant);
        self.counted.enter(place);
        self.live.at(key.slot).begin(key.generation, self.now);
        let session_key = SessionKey { worker: self.id, at: key };
        let arrival =
            Arrival { key: session_key, listener: served_listener, served: self.served.clone(), client, local, at: self.now };
        let begun = self.contained(key, place, |turn| Session::begin(arrival, turn));
        self.settle(key, begun.map(Next::Stay));
        true
    }

    fn refuse(&mut self, door: Door, place: Option<Place>, reason: Reason) {
        self.engine.refuse(door);
        self.count.accept_refused.one();
        self.count.closed(reason);
        if let Some(count) = place.and_then(|place| self.counted.at(place)) {
            count.accept_refused.one();
            count.closed(reason);
        }
    }

    /// The kernel has let go of a session: its slot may be given away again.
    pub(crate) fn released(&mut self, key: SlotKey) {
        if let Some(tenant) = self.slots.free(key) {
            self.counted.leave(tenant.place);
            self.balance.left();
        }
    }

    /// Tells a session what happened. If it is gone, what the event holds goes back to where it came from.
    pub(crate) fn step(&mut self, key: SlotKey, event: Event) {
        let mut next = Some(event);
        while let Some(event) = next {
            let found = self.slots.get_mut(key).and_then(|tenant| Some((tenant.place, tenant.session.take()?)));
            let Some((place, session)) = found else {
                if let Some(buf) = buffer_of(event) {
                    self.engine.pool().give(buf);
                }
                return;
            };
            let stepped = self.contained(key, place, |turn| session.step(event, turn));
            next = self.settle(key, stepped);
        }
    }

    /// Runs the machine of one session. If it panics, that session is lost and nobody else: it was moved into the call and
    /// died in it with all it owned, what it shares with others are the pool, whose count of buffers lent may stay too high by
    /// the few it held, and counters.
    pub(crate) fn contained<T>(&mut self, key: SlotKey, place: Place, run: impl FnOnce(&mut Turn<'_>) -> T) -> Option<T> {
        let mut turn = Turn {
            now: self.now,
            pool: self.engine.pool(),
            out: &mut self.intents,
            count: &self.count,
            newest: &self.served,
            listener: self.counted.at(place)?,
            live: self.live.at(key.slot),
        };
        catch_unwind(AssertUnwindSafe(|| run(&mut turn))).ok()
    }

    /// Carries out what a step asked for and puts the session back or ends it. Gives an event if the worker itself has
    /// something to tell the session next.
    pub(crate) fn settle(&mut self, key: SlotKey, stepped: Option<Next>) -> Option<Event> {
        let mut told = None;
        let mut intents = std::mem::take(&mut self.intents);
        if stepped.is_some() {
            for intent in intents.drain(..) {
                if let Err(reason) = self.carry_out(key, intent) {
                    told = Some(Event::End(reason));
                }
            }
        } else {
            intents.drain(..).for_each(|intent| self.undo(intent));
        }
        self.intents = intents;
        match stepped {
            Some(Next::Stay(session)) => {
                let tenant = self.slots.get_mut(key)?;
                let browses = session.stage() == Stage::Connect && session.is_portal();
                let proven = session.is_proven();
                tenant.session = Some(session);
                match tenant.standing.take() {
                    Some(standing) if proven => self.admit.leave(standing),
                    Some(standing) if browses => match self.admit.browse(standing, &self.served.snapshot.limits) {
                        Ok(standing) => tenant.standing = Some(standing),
                        Err(refused) => {
                            tenant.standing = Some(standing);
                            told = Some(Event::End(refused.reason()));
                        }
                    },
                    unchanged => tenant.standing = unchanged,
                }
                told
            }
            Some(Next::End(summary)) => {
                self.end(key, summary.closed, summary.ticketed);
                None
            }
            None => {
                self.cut(key, Reason::Never);
                None
            }
        }
    }

    pub(crate) fn carry_out(&mut self, key: SlotKey, intent: Intent) -> Result<(), Reason> {
        match intent {
            Intent::Deadline(when) => self.wheel.set(key, when),
            Intent::Ask(ask) => match *ask {
                Ask::Redeem(redeem) => {
                    if self.mail.redeem(redeem).is_err() {
                        self.count.control_queue_full.one();
                        return Err(Reason::Busy);
                    }
                    if let Some(tenant) = self.slots.get_mut(key) {
                        tenant.asked = true;
                    }
                }
                report @ (Ask::Opened(_) | Ask::Closed(_)) => self.mail.report(report),
            },
            act @ (Intent::Receive { .. }
            | Intent::Send { .. }
            | Intent::Connect(_)
            | Intent::Finish(_)
            | Intent::Abort(_)
            | Intent::HandOver { .. }) => {
                self.spoke |= matches!(act, Intent::Send { .. });
                self.engine.act(key, act);
            }
        }
        Ok(())
    }

    /// Takes back the buffers in a wish of a session that died while it was wishing.
    fn undo(&mut self, intent: Intent) {
        let buf = match intent {
            Intent::Send { chain, .. } => Some(chain.into_buf()),
            Intent::Receive { into: Into::Behind(buf), .. } => Some(buf),
            Intent::Receive { into: Into::Any(_), .. }
            | Intent::Connect(_)
            | Intent::Finish(_)
            | Intent::Abort(_)
            | Intent::HandOver { .. }
            | Intent::Ask(_)
            | Intent::Deadline(_) => None,
        };
        if let Some(buf) = buf {
            self.engine.pool().give(buf);
        }
    }

    /// Ends a session that cannot speak for itself any more.
    pub(crate) fn cut(&mut self, key: SlotKey, reason: Reason) {
        let Some(tenant) = self.slots.get_mut(key) else { return };
        let last = tenant.session.take();
        if reason != Reason::Never && last.is_none() {
            return; // ended already, waits for the engine
        }
        let traffic = self.live.read(key);
        let closed = Closed {
            key: SessionKey { worker: self.id, at: key },
            listener: tenant.listener,
            client: tenant.client,
            launch: tenant.launch,
            reason,
            up_bytes: traffic.map_or(0, |traffic| traffic.up_bytes),
            down_bytes: traffic.map_or(0, |traffic| traffic.down_bytes),
            lived: self.now.since(tenant.since),
            // What one knew that died in a step is lost.
            phases: last.as_ref().map_or_else(Phases::default, Session::phases),
        };
        let ticketed = tenant.asked || tenant.launch.is_some();
        self.end(key, closed, ticketed);
    }

    fn end(&mut self, key: SlotKey, mut closed: Closed, ticketed: bool) {
        self.wheel.set(key, Moment::NEVER);
        self.live.at(key.slot).end();
        self.count.closed(closed.reason);
        let mut asked = false;
        if let Some(tenant) = self.slots.get_mut(key) {
            // Of one that died in a step nobody knows any more whether it had shaken hands, unless it had got further.
            let failed = closed.phases.handshake.is_none() && !tenant.asked && tenant.launch.is_none();
            self.count.handshakes_failed.add(u64::from(failed));
            if let Some(count) = self.counted.at(tenant.place) {
                count.handshakes_failed.add(u64::from(failed));
                count.closed(closed.reason);
            }
            asked = std::mem::take(&mut tenant.asked);
            // A session that had given up when the answer came does not know of its launch.
            closed.launch = closed.launch.or(tenant.launch);
            if let Some(standing) = tenant.standing.take() {
                self.admit.leave(standing);
            }
        }
        self.engine.release(key);
        if asked {
            self.orphans.insert(key, closed);
        } else if ticketed || closed.launch.is_some() {
            self.mail.report(Ask::Closed(closed));
        } else {
            self.mail.mention(closed);
        }
    }
}
