//! Sending: one at a time for each leg, the whole chain in one operation.

use std::os::fd::AsFd as _;

use sluice_flow::buf::{Chain, Then};
use sluice_flow::event::{Doing, Event, Fault, Leg};
use sluice_flow::port::{Happening, Moment, SlotKey};

use super::RingEngine;
use super::op::{Op, Outgoing, Place};
use super::push::Completion;
use crate::errno;
use crate::ktls::{Finished, Wait};
use crate::machine::now;

impl RingEngine {
    pub(super) fn send(&mut self, key: SlotKey, leg: Leg, chain: Chain) {
        let side = self.slot(key).side(leg);
        let fault = if side.send.is_some() {
            Some(Fault::Other(libc::EALREADY))
        } else if side.socket.is_none() || side.connect.is_some() {
            Some(Fault::Other(libc::ENOTCONN))
        } else {
            None
        };
        if let Some(fault) = fault {
            self.pool.give(chain.into_buf());
            self.tell(key, Event::Failed { leg, during: Doing::Sending, fault });
            return;
        }
        if chain.bytes() == 0 {
            self.pool.give(chain.into_buf());
            self.tell(key, Event::Sent { leg });
            return;
        }
        self.slot(key).side_mut(leg).finish_after_send |= chain.follows() == Then::Fin;
        let outgoing = match self.outgoing.pop() {
            Some(mut kept) => {
                kept.load(chain);
                kept
            }
            None => Box::new(Outgoing::new(chain)),
        };
        self.start_send(Place { key, leg }, outgoing);
    }

    fn start_send(&mut self, at: Place, mut outgoing: Box<Outgoing>) {
        let side = self.slots[at.key.slot.0 as usize].side_mut(at.leg);
        let Some(socket) = &side.socket else { unreachable!("asked for before") };
        outgoing.sealed(side.keys.seals());
        side.send = Some(self.queue.start(socket.as_fd(), Op::Send { at, outgoing }));
    }

    pub(super) fn sent(&mut self, at: Place, mut outgoing: Box<Outgoing>, completion: &Completion) -> Option<Happening> {
        let Place { key, leg } = at;
        self.slot(key).side_mut(leg).send = None;
        let held = self.holds(key);
        let fault = match usize::try_from(completion.result) {
            Ok(n) => {
                outgoing.taken(n);
                self.slot(key).side_mut(leg).keys.gave(n);
                None
            }
            // A signal came between; nothing was taken.
            Err(_) if completion.result == -libc::EINTR || completion.result == -libc::EAGAIN => None,
            Err(_) => Some(errno::fault(-completion.result)),
        };
        if held && fault.is_none() && outgoing.left() > 0 {
            // The kernel took less than all, which it does seldom; the rest follows.
            self.start_send(at, outgoing);
            return None;
        }
        if let Some(chain) = outgoing.unload() {
            self.pool.give(chain.into_buf());
        }
        self.outgoing.push(outgoing);
        if !held {
            return self.let_go(key);
        }
        if let Some(fault) = fault {
            return Some(Happening::Session { key, event: Event::Failed { leg, during: Doing::Sending, fault } });
        }
        if self.slot(key).side(leg).finish_after_send {
            self.slot(key).side_mut(leg).finish_after_send = false;
            return self.finish_now(key, leg, true);
        }
        Some(Happening::Session { key, event: Event::Sent { leg } })
    }

    pub(super) fn finish(&mut self, key: SlotKey, leg: Leg) {
        let side = self.slot(key).side_mut(leg);
        side.finish_after_send = side.send.is_some();
        if !side.finish_after_send && side.connect.is_none() {
            let _ = self.finish_now(key, leg, false);
        }
    }

    /// Says FIN, at once or when what the kernel has sealed is out. `owes`: the send before it has not been answered.
    fn finish_now(&mut self, key: SlotKey, leg: Leg, owes: bool) -> Option<Happening> {
        let Some(out) = self.try_to_finish(key, leg) else {
            self.finishing.wait(key, leg, owes, now());
            return None;
        };
        out.answer(leg, owes).map(|event| Happening::Session { key, event })
    }

    /// Says FIN if all that was sent is with TCP. None if it is not yet.
    fn try_to_finish(&mut self, key: SlotKey, leg: Leg) -> Option<Finished> {
        let side = self.slot(key).side(leg);
        let Some(socket) = &side.socket else { return Some(Finished::Said) };
        side.keys.finish(socket.as_fd())
    }

    /// Whether a leg need not wait any more; if it has waited to the end, it says FIN.
    fn is_over(&mut self, wait: &Wait) -> bool {
        if !self.holds(wait.key) {
            return true;
        }
        let out = self.try_to_finish(wait.key, wait.leg);
        if let Some(event) = out.and_then(|out| out.answer(wait.leg, wait.owes)) {
            self.tell(wait.key, event);
        }
        out.is_some()
    }

    /// Asks about legs that wait for what the kernel has sealed, and says when the next one's time will be.
    pub(super) fn press_finishing(&mut self, time: Moment) -> Option<Moment> {
        let mut finishing = std::mem::take(&mut self.finishing);
        let next = finishing.press(time, |wait| self.is_over(wait));
        self.finishing = finishing;
        next
    }
}
