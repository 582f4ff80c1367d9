//! Connecting the host leg.

use std::os::fd::AsFd as _;

use sluice_flow::event::{Doing, Event, Fault, Leg};
use sluice_flow::intent::Peer;
use sluice_flow::port::{Happening, SlotKey};

use super::RingEngine;
use super::op::Op;
use super::slot::{End, Side};
use crate::errno;
use crate::sock::{self, Address, Mode};

impl RingEngine {
    pub(super) fn connect(&mut self, key: SlotKey, to: &Peer) {
        if let Err(fault) = self.start_connect(key, to) {
            self.tell(key, Event::Failed { leg: Leg::Host, during: Doing::Connecting, fault });
        }
    }

    fn start_connect(&mut self, key: SlotKey, to: &Peer) -> Result<(), Fault> {
        if self.slot(key).side(Leg::Host).socket.is_some() {
            return Err(Fault::Other(libc::EISCONN));
        }
        let to_fault = |e| errno::of(&e);
        let address = match to {
            Peer::Host(addr) => Address::from(*addr),
            Peer::Portal(path) => Address::unix(path).map_err(to_fault)?,
        };
        let socket = sock::stream(&address, Mode::Blocking).map_err(to_fault)?;
        if let Peer::Host(_) = to {
            sock::configure(socket.as_fd(), Leg::Host, &self.settings.sockets).map_err(|(_, e)| to_fault(e))?;
        }
        let token = self.queue.start(socket.as_fd(), Op::Connect { key, to: Box::new(address) });
        let side = self.slot(key).side_mut(Leg::Host);
        *side = Side::new(Some(socket));
        side.connect = Some(token);
        Ok(())
    }

    pub(super) fn connected(&mut self, key: SlotKey, result: i32) -> Option<Happening> {
        let held = self.holds(key);
        let side = self.slot(key).side_mut(Leg::Host);
        side.connect = None;
        if !held {
            return self.let_go(key);
        }
        let event = if result == 0 {
            Event::Connected
        } else {
            let fault = errno::fault(-result);
            *side = Side::new(None);
            side.end = Some(End::Failed(fault));
            Event::Failed { leg: Leg::Host, during: Doing::Connecting, fault }
        };
        Some(Happening::Session { key, event })
    }
}
