//! Accepting: one operation that goes on, or one after the other.
//!
//! Going on ("multishot") gave invalid descriptors under load on kernels 6.6 to 6.8-rc with deferred task running, so older ones
//! accept one by one. Either way the completion has no address; two calls ask the socket.

use std::net::TcpListener;
use std::os::fd::{AsFd as _, OwnedFd};

use sluice_flow::event::Leg;
use sluice_flow::port::{EngineFault, Happening, ListenerId, Moment};

use super::RingEngine;
use super::op::Op;
use super::push::Accepted;
use super::token::Token;
use crate::doors;
use crate::machine::{kernel_version, now};
use crate::report::{Outcome, Report};
use crate::sock::{self, Mode};
use crate::spare::{ACCEPT_PAUSE, Trouble, trouble};

/// Listeners that an engine may have, closing ones included.
pub(crate) const LISTENERS_MAX: usize = 1024;

/// The first kernel on which accepting many at once is trusted.
const MANY_SINCE: (u32, u32) = (6, 8);

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

/// Whether this kernel may accept many at once.
pub(crate) fn many(report: &mut Report) -> bool {
    let (major, minor) = kernel_version();
    let many = (major, minor) >= MANY_SINCE;
    let outcome = if many { Outcome::Works } else { Outcome::Without };
    report.note("multishot accept", outcome, format!("kernel {major}.{minor}"));
    many
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
            let op = Op::Accept { listener: index, many: self.accept_many };
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

    /// What an accept brought. Unless it goes on, its listener is looked after.
    pub(super) fn accepted(&mut self, accepted: Accepted, goes_on: bool) -> Option<Happening> {
        let Accepted { listener, socket } = accepted;
        let errno = socket.as_ref().err().copied();
        let happening = socket.ok().and_then(|socket| self.admit(listener, socket));
        if !goes_on {
            self.accept_ended(listener, errno);
        }
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

    /// The accept of the listener at `index` will bring no more.
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::TcpStream;
    use std::time::Duration;

    use sluice_flow::port::Engine as _;

    use super::super::ladder::Rung;
    use super::*;
    use crate::{EngineSettings, bind};

    /// As on kernels where accepting many at once is not trusted.
    #[test]
    fn one_by_one_serves_everybody_too() {
        if std::env::var_os("SLUICE_NO_URING").is_some_and(|v| v == "1") {
            return;
        }
        let settings = EngineSettings { sessions: 4, ..EngineSettings::default() };
        let mut engine = RingEngine::new(&Rung::ALL, &settings, &mut Report::default()).unwrap();
        engine.accept_many = false;
        let socket = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = socket.local_addr().unwrap();
        engine.listen(ListenerId(0), socket).unwrap();
        let clients: Vec<_> = (0..50).map(|_| TcpStream::connect(addr).unwrap()).collect();
        let mut waiting: HashSet<_> = clients.iter().map(|c| c.local_addr().unwrap()).collect();
        let end = now() + Duration::from_secs(60);
        while !waiting.is_empty() {
            assert!(now() < end, "{} wait", waiting.len());
            let mut happened = Vec::new();
            engine.turn(Some(Duration::from_millis(20)), &mut happened).unwrap();
            for happening in happened {
                match happening {
                    Happening::Accepted { door, client, .. } => {
                        assert!(waiting.remove(&client));
                        engine.refuse(door);
                    }
                    other @ (Happening::Session { .. } | Happening::Released(_) | Happening::Woken) => panic!("{other:?}"),
                }
            }
        }
        assert!(engine.listeners[0].as_ref().is_some_and(|l| l.armed.is_some()));
        engine.unlisten(ListenerId(0));
        while engine.listeners[0].is_some() {
            assert!(now() < end);
            engine.turn(Some(Duration::from_millis(20)), &mut Vec::new()).unwrap();
        }
    }
}
