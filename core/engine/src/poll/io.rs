//! The steps of the poll engine: one system call each, and what its answer means.

use std::io::ErrorKind;
use std::os::fd::{AsFd as _, OwnedFd};

use sluice_flow::buf::{Chain, Class, Then};
use sluice_flow::event::{Doing, Event, Fault, Leg};
use sluice_flow::intent::{Into, Peer};
use sluice_flow::port::{GONE_PER_TURN, Happening, SlotKey};

use super::slot::{End, Side, Slot, Wish};
use super::token::Source;
use super::{PollEngine, Step};
use crate::ktls::{Finished, Wait};
use crate::machine::now;
use crate::queue::Stay;
use crate::sock::{self, Address, Mode};
use crate::spare::{ACCEPT_PAUSE, Trouble, trouble};
use crate::{errno, ktls, queue};

impl PollEngine {
    /// Works through the run list until it is empty or `limit` things have happened. What a step puts on the list waits for the
    /// next turn, so that one pass ends.
    pub(super) fn work(&mut self, happened: &mut Vec<Happening>, limit: usize) {
        for _ in 0..self.run.len() {
            if happened.len() >= limit {
                return;
            }
            let Some(step) = self.run.pop_front() else { return };
            match step {
                Step::Accept(index) => self.try_accept(index, happened),
                Step::Receive(key, leg) if self.holds(key) && self.bulk_left == 0 && self.slot(key).side(leg).wants_bulk() => {
                    self.run.push_back(step);
                }
                Step::Receive(key, leg) if self.holds(key) => {
                    if let Some(event) = self.try_receive(key, leg) {
                        happened.push(Happening::Session { key, event });
                    }
                }
                Step::Send(key, leg) if self.holds(key) => {
                    if let Some(event) = self.try_send(key, leg) {
                        happened.push(Happening::Session { key, event });
                    }
                }
                // Released since it was put on the list.
                Step::Receive(..) | Step::Send(..) => {}
            }
        }
    }

    /// Makes `key` the tenant of its slot.
    pub(super) fn open(&mut self, key: SlotKey, socket: Option<OwnedFd>) {
        let at = key.slot.0;
        assert!(at < self.settings.sessions, "slot {at} of {}", self.settings.sessions);
        if self.slots.len() <= at as usize {
            self.slots.resize_with(at as usize + 1, Slot::new);
        }
        let slot = self.slot(key);
        assert!(!slot.taken, "slot {} was given away twice", key.slot.0);
        slot.taken = true;
        slot.generation = key.generation;
        let mut side = Side::new(socket);
        if let Some(socket) = &side.socket
            && let Err(e) = self.register(socket, Source::Leg(key, Leg::Client))
        {
            // No memory, or no watches left: the session hears it when it asks for something.
            side = Side::new(None);
            side.end = Some(End::Failed(errno::of(&e)));
        }
        *self.slot(key).side_mut(Leg::Client) = side;
        *self.slot(key).side_mut(Leg::Host) = Side::new(None);
    }

    pub(super) fn receive(&mut self, key: SlotKey, leg: Leg, into: Into) {
        let side = self.slot(key).side_mut(leg);
        let refusal = if side.receive.is_some() {
            // The session broke the rule of one receive at a time; the first goes on.
            Some(End::Failed(Fault::Other(libc::EALREADY)))
        } else if side.socket.is_none() || side.connecting {
            Some(side.end.unwrap_or(End::Failed(Fault::Other(libc::ENOTCONN))))
        } else if matches!(&into, Into::Behind(buf) if buf.spare() == 0) {
            // Receiving into no room would look like the end of the stream.
            Some(End::Failed(Fault::Other(libc::ENOBUFS)))
        } else {
            side.end
        };
        match refusal {
            None => {
                side.receive = Some(match into {
                    Into::Any(class) => Wish::Any(class),
                    Into::Behind(buf) => Wish::Behind(buf),
                });
                self.queue(key, leg);
            }
            Some(end) => {
                let event = self.ended(leg, end, into);
                self.tell(key, event);
            }
        }
    }

    /// The answer to a receive where there is nothing more to receive.
    fn ended(&mut self, leg: Leg, end: End, into: Into) -> Event {
        match (end, into) {
            (End::Eof, Into::Behind(buf)) => Event::Eof { leg, kept: Some(buf) },
            (End::Eof, Into::Any(_)) => Event::Eof { leg, kept: None },
            (End::Failed(fault), into) => {
                if let Into::Behind(buf) = into {
                    self.pool.give(buf);
                }
                Event::Failed { leg, during: Doing::Receiving, fault }
            }
        }
    }

    fn try_receive(&mut self, key: SlotKey, leg: Leg) -> Option<Event> {
        let side = self.slots[key.slot.0 as usize].side_mut(leg);
        side.receive_queued = false;
        let socket = side.socket.as_ref()?;
        // The class, if the buffer is ours and not lent by the session.
        let (class, mut buf) = match side.receive.take()? {
            Wish::Behind(buf) => (None, buf),
            Wish::Fed(class, buf) => (Some(class), buf),
            Wish::Any(class) => match queue::take(&mut self.pool, class) {
                Some(buf) => (Some(class), buf),
                None => {
                    self.starve(key, leg, class);
                    return None;
                }
            },
        };
        let room = buf.spare();
        let taken = loop {
            match sock::receive(socket.as_fd(), buf.spare_mut()) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        match taken {
            Ok(0) => {
                side.end = Some(End::Eof);
                if class.is_some() {
                    self.pool.give(buf);
                    return Some(Event::Eof { leg, kept: None });
                }
                Some(Event::Eof { leg, kept: Some(buf) })
            }
            Ok(n) => {
                buf.commit(n);
                if buf.class() == Class::Bulk {
                    self.bulk_left = self.bulk_left.saturating_sub(1);
                }
                let more = n == room || side.finished;
                // A stream gives all it has: less than was asked for means that it is empty now, and the next byte makes an edge. The kernel
                // that opens records stops in front of one that is no data, and no edge tells of that.
                side.readable = more || side.keys.opens();
                if !more {
                    side.stay = Stay::default();
                }
                Some(Event::Received { leg, buf, more })
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                side.readable = false;
                side.receive = Some(match class {
                    Some(class) => {
                        // An idle session holds no buffer.
                        self.pool.give(buf);
                        Wish::Any(class)
                    }
                    None => Wish::Behind(buf),
                });
                None
            }
            Err(e) => {
                self.pool.give(buf);
                let instead = match e.raw_os_error() {
                    Some(errno) if side.keys.opens() => ktls::instead_of_data(socket.as_fd(), errno),
                    _ => Err(errno::of(&e)),
                };
                match instead {
                    Ok(record) => Some(Event::Control { leg, record }),
                    Err(fault) => {
                        side.end = Some(End::Failed(fault));
                        Some(Event::Failed { leg, during: Doing::Receiving, fault })
                    }
                }
            }
        }
    }

    fn starve(&mut self, key: SlotKey, leg: Leg, class: Class) {
        self.tally.starved += 1;
        self.slot(key).side_mut(leg).receive = Some(Wish::Any(class));
        // Not to be tried again until it is fed: as long as this is set, no edge puts it on the run list.
        self.slot(key).side_mut(leg).receive_queued = true;
        self.waiting.push(class, key, leg);
    }

    pub(super) fn send(&mut self, key: SlotKey, leg: Leg, chain: Chain) {
        let side = self.slot(key).side_mut(leg);
        let fault = if side.send.is_some() {
            Some(Fault::Other(libc::EALREADY))
        } else if side.socket.is_none() || side.connecting {
            Some(Fault::Other(libc::ENOTCONN))
        } else {
            None
        };
        match fault {
            None => {
                side.finish_after_send |= chain.follows() == Then::Fin;
                side.send = Some(chain);
                self.queue(key, leg);
            }
            Some(fault) => {
                self.pool.give(chain.into_buf());
                self.tell(key, Event::Failed { leg, during: Doing::Sending, fault });
            }
        }
    }

    pub(super) fn try_send(&mut self, key: SlotKey, leg: Leg) -> Option<Event> {
        let side = self.slots[key.slot.0 as usize].side_mut(leg);
        side.send_queued = false;
        let sealed = side.keys.seals();
        let socket = side.socket.as_ref()?;
        let chain = side.send.as_mut()?;
        while chain.bytes() > 0 {
            match sock::send(socket.as_fd(), chain, sealed) {
                Ok(n) => {
                    chain.taken(n);
                    side.keys.gave(n);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    side.writable = false;
                    return None;
                }
                Err(e) => {
                    let fault = errno::of(&e);
                    if let Some(chain) = side.send.take() {
                        self.pool.give(chain.into_buf());
                    }
                    return Some(Event::Failed { leg, during: Doing::Sending, fault });
                }
            }
        }
        let finish = std::mem::take(&mut side.finish_after_send);
        if let Some(chain) = side.send.take() {
            self.pool.give(chain.into_buf());
        }
        if finish { self.finish_now(key, leg, true) } else { Some(Event::Sent { leg }) }
    }

    pub(super) fn finish(&mut self, key: SlotKey, leg: Leg) {
        let side = self.slot(key).side_mut(leg);
        side.finish_after_send = side.send.is_some();
        if !side.finish_after_send && !side.connecting {
            let _ = self.finish_now(key, leg, false);
        }
    }

    /// Says FIN, at once or when what the kernel has sealed is out. `owes`: the send before it has not been answered.
    fn finish_now(&mut self, key: SlotKey, leg: Leg, owes: bool) -> Option<Event> {
        let Some(out) = self.try_to_finish(key, leg) else {
            self.finishing.wait(key, leg, owes, now());
            return None;
        };
        out.answer(leg, owes)
    }

    /// Whether a leg need not wait any more; if it has waited to the end, it says FIN.
    pub(super) fn is_over(&mut self, wait: &Wait) -> bool {
        if !self.holds(wait.key) {
            return true;
        }
        let out = self.try_to_finish(wait.key, wait.leg);
        if let Some(event) = out.and_then(|out| out.answer(wait.leg, wait.owes)) {
            self.tell(wait.key, event);
        }
        out.is_some()
    }

    /// Says FIN if all that was sent is with TCP. None if it is not yet.
    fn try_to_finish(&mut self, key: SlotKey, leg: Leg) -> Option<Finished> {
        let side = self.slot(key).side(leg);
        let Some(socket) = &side.socket else { return Some(Finished::Said) };
        side.keys.finish(socket.as_fd())
    }

    pub(super) fn connect(&mut self, key: SlotKey, to: &Peer) {
        match self.start_connect(key, to) {
            Ok(true) => self.tell(key, Event::Connected),
            Ok(false) => {}
            Err(fault) => self.connect_failed(key, fault),
        }
    }

    /// Whether it is connected at once.
    fn start_connect(&mut self, key: SlotKey, to: &Peer) -> Result<bool, Fault> {
        if self.slot(key).side(Leg::Host).socket.is_some() {
            return Err(Fault::Other(libc::EISCONN));
        }
        let address = match to {
            Peer::Host(addr) => Address::from(*addr),
            Peer::Portal(path) => Address::unix(path).map_err(|e| errno::of(&e))?,
        };
        let socket = sock::stream(&address, Mode::NonBlocking).map_err(|e| errno::of(&e))?;
        if let Peer::Host(_) = to {
            sock::configure(socket.as_fd(), Leg::Host, &self.settings.sockets).map_err(|(_, e)| errno::of(&e))?;
        }
        let at_once = match sock::connect(socket.as_fd(), &address) {
            Ok(()) => true,
            Err(e) if e.raw_os_error() == Some(libc::EINPROGRESS) => false,
            // A Unix listener whose backlog is full says EAGAIN, and will not say when there is room again.
            Err(e) => return Err(errno::of(&e)),
        };
        self.register(&socket, Source::Leg(key, Leg::Host)).map_err(|e| errno::of(&e))?;
        let side = self.slot(key).side_mut(Leg::Host);
        *side = Side::new(Some(socket));
        side.connecting = !at_once;
        side.writable = at_once;
        Ok(at_once)
    }

    fn connect_failed(&mut self, key: SlotKey, fault: Fault) {
        self.tell(key, Event::Failed { leg: Leg::Host, during: Doing::Connecting, fault });
    }

    /// The connecting host leg of `key` has become writable.
    pub(super) fn connected(&mut self, key: SlotKey) {
        let side = self.slot(key).side_mut(Leg::Host);
        let Some(socket) = &side.socket else { return };
        match sock::take_error(socket.as_fd()) {
            Ok(None) if sock::is_connected(socket.as_fd()) => {
                side.connecting = false;
                self.tell(key, Event::Connected);
            }
            // Not yet.
            Ok(None) => side.writable = false,
            Ok(Some(errno)) => self.connecting_ended(key, errno::fault(errno)),
            Err(e) => self.connecting_ended(key, errno::of(&e)),
        }
    }

    fn connecting_ended(&mut self, key: SlotKey, fault: Fault) {
        let side = self.slot(key).side_mut(Leg::Host);
        *side = Side::new(None);
        side.end = Some(End::Failed(fault));
        self.connect_failed(key, fault);
    }

    /// One connection of somebody who is there: whoever else comes waits in the kernel's backlog, and not in front of those who are here.
    fn try_accept(&mut self, index: usize, happened: &mut Vec<Happening>) {
        let Some(Some(listener)) = self.listeners.get_mut(index) else { return };
        listener.queued = false;
        if !self.accepting {
            return;
        }
        if std::mem::replace(&mut listener.served, true) {
            // A turn looks through its list twice.
            self.queue_accept(index);
            return;
        }
        // Whoever has no address was reset while he waited; nobody is there to talk to.
        for _ in 0..=GONE_PER_TURN {
            match sock::accept(listener.socket.as_fd(), Mode::NonBlocking) {
                Ok(socket) => {
                    let at = socket.as_fd();
                    if let (Ok(client), Ok(local)) = (sock::peer_address(at), sock::local_address(at)) {
                        let door = self.doors.open(socket);
                        happened.push(Happening::Accepted { listener: listener.id, door, client, local });
                        break;
                    }
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    listener.ready = false;
                    return;
                }
                Err(e) => match trouble(e.raw_os_error().unwrap_or_default()) {
                    Trouble::None => break,
                    trouble @ (Trouble::RanOut | Trouble::Strange) => {
                        if trouble == Trouble::RanOut {
                            self.spare.shed(listener.socket.as_fd());
                        }
                        listener.paused = Some(now() + ACCEPT_PAUSE);
                        return;
                    }
                },
            }
        }
        self.queue_accept(index);
    }
}
