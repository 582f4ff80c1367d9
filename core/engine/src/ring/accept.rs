//! Accepting: one after the other, so that a listener gives at most one connection a turn.
//!
//! An operation that goes on ("multishot") brings whoever waits at once: a flood of connections is then in front of the keystrokes of those
//! who are here. One by one the flood waits in the kernel's backlog, and comes in as fast as turns, and with them handshakes, go.
//! `docs/scale.md` has what that costs. The completion has no address; two calls ask the socket.

use std::net::TcpListener;
use std::os::fd::{AsFd as _, OwnedFd};

use sluice_flow::event::Leg;
use sluice_flow::port::{EngineFault, Happening, ListenerId, Moment};

use super::RingEngine;
use super::op::Op;
use super::push::Accepted;
use super::token::Token;
use crate::doors;
use crate::machine::now;
use crate::sock::{self, Mode};
use crate::spare::{ACCEPT_PAUSE, Trouble, trouble};

/// Listeners that an engine may have, closing ones included.
pub(crate) const LISTENERS_MAX: usize = 1024;

#[derive(Debug)]
pub(crate) struct Listener {
    id: ListenerId,
    socket: TcpListener,
    armed: Option<Token>,
    /// Its accept has been cancelled, and will end.
    cancelled: bool,
    /// To be closed when its accept has ended.
    closing: bool,
    /// Left alone until then, since descriptors had run out.
    pub(super) paused: Option<Moment>,
}

impl RingEngine {
    pub(super) fn add_listener(&mut self, id: ListenerId, socket: TcpListener) -> Result<(), EngineFault> {
        let index = self.listeners.iter().position(Option::is_none).unwrap_or(self.listeners.len());
        if index >= LISTENERS_MAX {
            let source = std::io::Error::from_raw_os_error(libc::EMFILE);
            return Err(EngineFault::System { call: "listen", source });
        }
        let at = socket.as_fd();
        sock::set_mode(at, Mode::Blocking).map_err(|source| EngineFault::System { call: "fcntl", source })?;
        sock::configure(at, Leg::Client, &self.settings.sockets)
            .map_err(|(call, source)| EngineFault::System { call, source })?;
        let listener = Listener { id, socket, armed: None, cancelled: false, closing: false, paused: None };
        match self.listeners.get_mut(index) {
            Some(place) => *place = Some(listener),
            None => self.listeners.push(Some(listener)),
        }
        self.arm_accept(index);
        Ok(())
    }

    pub(super) fn close_listeners(&mut self, id: ListenerId) {
        for index in 0..self.listeners.len() {
            let Some(listener) = self.listeners[index].as_mut().filter(|l| l.id == id) else { continue };
            listener.closing = true;
            if listener.armed.is_some() {
                self.cancel_accept(index);
            } else {
                self.listeners[index] = None;
            }
        }
    }

    pub(super) fn accept_on(&mut self, on: bool) {
        self.accepting = on;
        for index in 0..self.listeners.len() {
            if on {
                self.arm_accept(index);
            } else {
                self.cancel_accept(index);
            }
        }
    }

    fn arm_accept(&mut self, index: usize) {
        if let Some(Some(listener)) = self.listeners.get_mut(index)
            && self.accepting
            && listener.armed.is_none()
            && listener.paused.is_none()
        {
            let op = Op::Accept { listener: index };
            listener.armed = Some(self.queue.start(listener.socket.as_fd(), op));
        }
    }

    fn cancel_accept(&mut self, index: usize) {
        if let Some(Some(listener)) = self.listeners.get_mut(index)
            && let Some(token) = listener.armed
            && !listener.cancelled
        {
            listener.cancelled = true;
            self.queue.cancel(token);
        }
    }

    /// What an accept brought; the next one follows it.
    pub(super) fn accepted(&mut self, accepted: Accepted) -> Option<Happening> {
        let Accepted { listener, socket } = accepted;
        let errno = socket.as_ref().err().copied();
        let came = socket.is_ok();
        let happening = socket.ok().and_then(|socket| self.admit(listener, socket));
        self.passed_over |= came && happening.is_none();
        self.accept_ended(listener, errno);
        happening
    }

    fn admit(&mut self, index: usize, socket: OwnedFd) -> Option<Happening> {
        let listener = self.listeners.get(index)?.as_ref()?;
        if listener.closing {
            // It came in while its listener was on the way out.
            doors::reset(socket);
            return None;
        }
        let id = listener.id;
        // If it has no address any more it was reset while it waited; nobody is there to talk to.
        let client = sock::peer_address(socket.as_fd()).ok()?;
        let local = sock::local_address(socket.as_fd()).ok()?;
        let door = self.doors.open(socket);
        Some(Happening::Accepted { listener: id, door, client, local })
    }

    /// The accept of the listener at `index` has ended.
    fn accept_ended(&mut self, index: usize, errno: Option<i32>) {
        let Some(Some(listener)) = self.listeners.get_mut(index) else { return };
        listener.armed = None;
        listener.cancelled = false;
        if listener.closing {
            self.listeners[index] = None;
            return;
        }
        match errno.map_or(Trouble::None, trouble) {
            Trouble::None => {}
            Trouble::RanOut => {
                self.spare.shed(listener.socket.as_fd());
                listener.paused = Some(now() + ACCEPT_PAUSE);
            }
            Trouble::Strange => listener.paused = Some(now() + ACCEPT_PAUSE),
        }
        self.arm_accept(index);
    }

    /// Lets listeners go on whose pause is over, and says when the next one will be.
    pub(super) fn end_pauses(&mut self, time: Moment) -> Option<Moment> {
        let mut next = None;
        for index in 0..self.listeners.len() {
            let Some(listener) = &mut self.listeners[index] else { continue };
            let Some(until) = listener.paused else { continue };
            if until <= time {
                listener.paused = None;
                self.arm_accept(index);
            } else {
                next = Some(next.map_or(until, |n: Moment| n.min(until)));
            }
        }
        next
    }
}
