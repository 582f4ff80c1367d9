//! Receiving: one at a time for each leg, so that a session which does not ask holds the sender back.
//!
//! ```text
//!   Any(class) ──► largest class up to it that has a buffer ──► group ──► kernel chooses one when bytes are there
//!       │                                                        └─ none left ─┐
//!       ├── long, and bytes are there ──► waits, see `queue` ◄─────────────────┘
//!   Behind(buf)                               └─ its turn, and a buffer ──► into that buffer
//!       └── else ─► into that buffer
//! ```

use std::os::fd::AsFd as _;

use sluice_flow::buf::{Buf, Class};
use sluice_flow::event::{Doing, Event, Fault, Leg};
use sluice_flow::intent::Into;
use sluice_flow::port::{Happening, SlotKey};

use super::op::{Hint, Op, Place};
use super::push::Completion;
use super::slot::{End, Receive};
use super::{RingEngine, class_index, group};
use crate::queue::{Ready, Stay};
use crate::{errno, ktls, queue};

impl RingEngine {
    pub(super) fn receive(&mut self, key: SlotKey, leg: Leg, into: Into) {
        let side = self.slot(key).side_mut(leg);
        let refusal = if side.receive != Receive::None {
            // The session broke the rule of one receive at a time; the first goes on.
            Some(End::Failed(Fault::Other(libc::EALREADY)))
        } else if side.socket.is_none() || side.connect.is_some() {
            Some(side.end.unwrap_or(End::Failed(Fault::Other(libc::ENOTCONN))))
        } else if matches!(&into, Into::Behind(buf) if buf.spare() == 0) {
            // Receiving into no room would look like the end of the stream.
            Some(End::Failed(Fault::Other(libc::ENOBUFS)))
        } else {
            side.end
        };
        if let Some(end) = refusal {
            let (lent, fed) = match into {
                Into::Behind(buf) => (Some(buf), false),
                Into::Any(_) => (None, true),
            };
            let event = self.ended(leg, end, lent, fed);
            self.tell(key, event);
            return;
        }
        let at = Place { key, leg };
        match into {
            Into::Any(class) => self.arm_any(at, class),
            Into::Behind(buf) if buf.class() == Class::Bulk && self.slot(key).side(leg).hint == Hint::More => {
                self.slot(key).side_mut(leg).receive = Receive::Waiting;
                let goes_on = self.slot(key).side_mut(leg).stay.goes_on();
                self.waiting.push_lent(buf, key, leg, goes_on);
            }
            Into::Behind(buf) => self.arm_into(at, buf, false),
        }
    }

    fn wait(&mut self, at: Place, class: Class) {
        self.slot(at.key).side_mut(at.leg).receive = Receive::Waiting;
        self.waiting.push(class, at.key, at.leg);
    }

    /// Has the kernel choose a buffer when bytes are there. A long read of what is known to be there waits for its turn.
    fn arm_any(&mut self, at: Place, wanted: Class) {
        if wanted == Class::Bulk && self.slot(at.key).side(at.leg).hint == Hint::More {
            if self.slot(at.key).side_mut(at.leg).stay.goes_on() {
                self.slot(at.key).side_mut(at.leg).receive = Receive::Waiting;
                self.waiting.push_first(at.key, at.leg);
            } else {
                self.wait(at, wanted);
            }
            return;
        }
        let smaller = Class::ALL.into_iter().rev().filter(|c| *c <= wanted);
        // If there is none at all now, there may be when bytes come.
        let class = smaller.into_iter().find(|c| self.has_buffer(*c)).unwrap_or(wanted);
        self.arm_class(at, class, wanted);
    }

    fn arm_class(&mut self, at: Place, class: Class, wanted: Class) {
        self.armed[class_index(class)] += 1;
        let hint = self.slots[at.key.slot.0 as usize].side(at.leg).hint;
        self.arm(at, Op::ReceiveAny { at, class, wanted, hint });
    }

    fn has_buffer(&mut self, class: Class) -> bool {
        self.queue.group(class).len() > 0 || self.pool.left(class) > 0
    }

    fn arm_into(&mut self, at: Place, buf: Buf, fed: bool) {
        let hint = self.slots[at.key.slot.0 as usize].side(at.leg).hint;
        self.arm(at, Op::ReceiveInto { at, buf, fed, hint });
    }

    fn arm(&mut self, at: Place, op: Op) {
        let side = self.slots[at.key.slot.0 as usize].side_mut(at.leg);
        let Some(socket) = &side.socket else { unreachable!("asked for before") };
        side.receive = Receive::Armed(self.queue.start(socket.as_fd(), op));
    }

    /// Lets those go on who wait, as far as buffers and this turn's allowance go.
    pub(super) fn feed_waiting(&mut self) {
        while let Some(Ready { key, leg, buf, fed }) = self.waiting.next(&mut self.pool, &mut self.bulk_left) {
            debug_assert!(self.slot(key).side(leg).receive == Receive::Waiting, "only such are in that queue");
            // Straight into this buffer: nobody who came later can take it.
            self.arm_into(Place { key, leg }, buf, fed);
        }
    }

    /// Lays ready one buffer for each receive that would take one, as far as they go. At most half of a class lies ready: what is
    /// there cannot be taken back, and sessions need buffers for other things, too.
    pub(super) fn fill_groups(&mut self) {
        for class in Class::ALL {
            let half = (self.settings.pool.of(class) / 2).max(1);
            let most = if class == Class::Bulk { self.bulk_left } else { usize::from(group::entries(class)) };
            let wanted = self.armed[class_index(class)].min(most).min(half);
            while self.queue.group(class).len() < wanted {
                let Some(buf) = self.pool.shelve(class) else { break };
                self.queue.group(class).put(buf);
            }
            self.queue.group(class).publish();
        }
    }

    pub(super) fn received_any(&mut self, at: Place, class: Class, wanted: Class, completion: &Completion) -> Option<Happening> {
        self.armed[class_index(class)] -= 1;
        let buf = self.queue.chosen(class, completion);
        if buf.is_some() {
            self.pool.unshelve(class);
        }
        if self.holds(at.key) && buf.is_none() {
            if completion.result == -libc::ENOBUFS {
                self.without_buffer(at, class, wanted);
                return None;
            }
            if disturbed(completion) {
                self.slot(at.key).side_mut(at.leg).hint = Hint::Quiet;
                self.arm_any(at, wanted);
                return None;
            }
        }
        self.answer(at, buf, true, completion)
    }

    pub(super) fn received_into(&mut self, at: Place, buf: Buf, fed: bool, completion: &Completion) -> Option<Happening> {
        if self.holds(at.key) && disturbed(completion) {
            self.slot(at.key).side_mut(at.leg).hint = Hint::Quiet;
            self.arm_into(at, buf, fed);
            return None;
        }
        self.answer(at, Some(buf), fed, completion)
    }

    /// Bytes are there, but the group of `class` was empty. The pool may have more than lies ready; then smaller groups are tried,
    /// each once; then it waits.
    fn without_buffer(&mut self, at: Place, class: Class, wanted: Class) {
        self.slot(at.key).side_mut(at.leg).hint = Hint::More;
        if wanted == Class::Bulk && self.pool.left(wanted) > 0 {
            self.wait(at, wanted);
            return;
        }
        if self.waiting.is_empty()
            && let Some(buf) = queue::take(&mut self.pool, wanted)
        {
            self.arm_into(at, buf, true);
            return;
        }
        let smaller = Class::ALL.into_iter().rev().filter(|c| *c < class);
        if let Some(class) = smaller.into_iter().find(|c| self.has_buffer(*c)) {
            self.arm_class(at, class, wanted);
            return;
        }
        self.tally.starved += 1;
        self.wait(at, wanted);
    }

    /// What a receive brought, as an event. `ours`: the buffer is the pool's and not lent by the session.
    fn answer(&mut self, at: Place, buf: Option<Buf>, ours: bool, completion: &Completion) -> Option<Happening> {
        let Place { key, leg } = at;
        let held = self.holds(key);
        let side = self.slot(key).side_mut(leg);
        side.receive = Receive::None;
        if !held {
            buf.into_iter().for_each(|b| self.pool.give(b));
            return self.let_go(key);
        }
        let event = match (usize::try_from(completion.result), buf) {
            (Ok(n @ 1..), Some(mut buf)) => {
                buf.commit(n);
                let more = completion.left_some();
                side.hint = if more { Hint::More } else { Hint::Quiet };
                if !more {
                    side.stay = Stay::default();
                }
                Event::Received { leg, buf, more }
            }
            (Ok(n @ 1..), None) => unreachable!("{n} bytes have been received into no buffer"),
            (Ok(0), buf) => {
                side.end = Some(End::Eof);
                self.ended(leg, End::Eof, buf, ours)
            }
            (Err(_), buf) if side.keys.opens() => {
                let socket = side.socket.as_ref();
                match socket.map(|socket| ktls::instead_of_data(socket.as_fd(), -completion.result)) {
                    Some(Ok(record)) => {
                        buf.into_iter().for_each(|b| self.pool.give(b));
                        Event::Control { leg, record }
                    }
                    Some(Err(fault)) => {
                        side.end = Some(End::Failed(fault));
                        self.ended(leg, End::Failed(fault), buf, ours)
                    }
                    None => unreachable!("a receive on no socket"),
                }
            }
            (Err(_), buf) => {
                let end = End::Failed(errno::fault(-completion.result));
                side.end = Some(end);
                self.ended(leg, end, buf, ours)
            }
        };
        Some(Happening::Session { key, event })
    }

    /// The answer to a receive where there is nothing more to receive.
    fn ended(&mut self, leg: Leg, end: End, buf: Option<Buf>, ours: bool) -> Event {
        let (kept, unused) = if ours || end != End::Eof { (None, buf) } else { (buf, None) };
        unused.into_iter().for_each(|b| self.pool.give(b));
        match end {
            End::Eof => Event::Eof { leg, kept },
            End::Failed(fault) => Event::Failed { leg, during: Doing::Receiving, fault },
        }
    }
}

/// A signal or the like came between; nothing has been received and nothing is wrong.
fn disturbed(completion: &Completion) -> bool {
    completion.result == -libc::EINTR || completion.result == -libc::EAGAIN
}
