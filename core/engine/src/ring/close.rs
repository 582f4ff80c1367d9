//! The end of a session's use of the ring.
//!
//! ```text
//!   release ─► shutdown both legs ─► operations complete ─► close ─► Released
//!                   └─ after CANCEL_AFTER, if some have not: cancel ─┘
//! ```
//!
//! Closing a descriptor neither completes nor cancels what is under way on it: each operation holds the socket by itself. So the
//! sockets are shut down, and closed only when the kernel has let go of all operations. A leg that shall be reset is not shut
//! down, since that would say FIN; its operations are cancelled. So is a connect.

use std::os::fd::AsFd as _;
use std::time::Duration;

use sluice_flow::event::Leg;
use sluice_flow::port::{Happening, Moment, SlotKey};

use super::RingEngine;
use super::slot::{Receive, Side, Tenancy};
use crate::machine::now;
use crate::sock::{self, Half};

/// How long operations may take to notice that their socket has been shut down. They notice at once, unless the kernel has a bug.
pub(super) const CANCEL_AFTER: Duration = Duration::from_secs(1);

/// A released session whose operations have not all ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaving {
    key: SlotKey,
    /// When what is left is cancelled.
    at: Moment,
}

impl RingEngine {
    pub(super) fn abort(&mut self, key: SlotKey, leg: Leg) {
        let side = self.slot(key).side_mut(leg);
        if let Some(socket) = &side.socket {
            side.abort = true;
            // Refused only by a socket that is gone, which needs no reset.
            let _ = sock::reset_on_close(socket.as_fd());
        }
    }

    /// Begins to end the use of a held slot.
    pub(super) fn leave(&mut self, key: SlotKey) {
        let slot = &mut self.slots[key.slot.0 as usize];
        slot.tenancy = Tenancy::Leaving;
        for leg in [Leg::Client, Leg::Host] {
            let side = slot.side_mut(leg);
            if side.receive == Receive::Waiting {
                side.receive = Receive::None;
                self.waiting.forget(key, &mut self.pool);
            }
            let Some(socket) = &side.socket else { continue };
            if side.in_flight() == 0 {
                // Nothing holds it: closing shuts down.
                *side = Side::new(None);
            } else if side.abort || side.connect.is_some() {
                side.tokens().for_each(|token| self.queue.cancel(token));
            } else {
                // Refused if it is not connected any more, and then its operations end by themselves.
                let _ = sock::shutdown(socket.as_fd(), Half::Both);
            }
        }
        if slot.in_flight() == 0 {
            slot.tenancy = Tenancy::Free;
            self.pending.push_back(Happening::Released(key));
        } else {
            self.leaving.push_back(Leaving { key, at: now() + CANCEL_AFTER });
        }
    }

    /// An operation of a released session has ended. Closes what is not used any more, and reports the last.
    pub(super) fn let_go(&mut self, key: SlotKey) -> Option<Happening> {
        self.tally.stale += 1;
        let slot = self.slot(key);
        for leg in [Leg::Client, Leg::Host] {
            let side = slot.side_mut(leg);
            if side.in_flight() == 0 {
                *side = Side::new(None);
            }
        }
        if slot.in_flight() > 0 {
            return None;
        }
        slot.tenancy = Tenancy::Free;
        Some(Happening::Released(key))
    }

    /// Cancels what released sessions still have under way after their time, and says when the next one's time will be.
    pub(super) fn press_leaving(&mut self, time: Moment) -> Option<Moment> {
        while let Some(&Leaving { key, at }) = self.leaving.front() {
            let slot = &self.slots[key.slot.0 as usize];
            let still = slot.tenancy == Tenancy::Leaving && slot.generation == key.generation;
            if still && time < at {
                return Some(at);
            }
            self.leaving.pop_front();
            if still {
                for leg in [Leg::Client, Leg::Host] {
                    slot.side(leg).tokens().for_each(|token| self.queue.cancel(token));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    use sluice_flow::buf::Class;
    use sluice_flow::intent::{Intent, Into};
    use sluice_flow::port::{Engine as _, Generation, Slot};

    use super::super::ladder::{Rung, SUBMISSIONS};
    use super::*;
    use crate::EngineSettings;
    use crate::report::Report;

    fn engine(sessions: u32) -> Option<RingEngine> {
        if std::env::var_os("SLUICE_NO_URING").is_some_and(|v| v == "1") {
            return None;
        }
        let settings = EngineSettings { sessions, ..EngineSettings::default() };
        Some(RingEngine::new(&Rung::ALL, &settings, &mut Report::default()).unwrap())
    }

    fn session(engine: &mut RingEngine, slot: u32) -> (SlotKey, UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        let key = SlotKey { slot: Slot(slot), generation: Generation(slot) };
        engine.open(key, Some(OwnedFd::from(near)));
        engine.act(key, Intent::Receive { leg: Leg::Client, into: Into::Any(Class::Small) });
        (key, far)
    }

    fn turn_until_released(engine: &mut RingEngine, mut left: Vec<SlotKey>) {
        let end = now() + Duration::from_secs(60);
        while !left.is_empty() {
            assert!(now() < end, "{} are not released", left.len());
            let mut happened = Vec::new();
            engine.turn(Some(Duration::from_millis(20)), &mut happened).unwrap();
            for happening in happened {
                match happening {
                    Happening::Released(key) => left.retain(|k| *k != key),
                    other @ (Happening::Session { .. } | Happening::Accepted { .. } | Happening::Woken) => {
                        panic!("{other:?}")
                    }
                }
            }
        }
    }

    #[test]
    fn what_does_not_notice_the_shutdown_is_cancelled_when_its_time_has_come() {
        let Some(mut engine) = engine(1) else { return };
        let (key, _far) = session(&mut engine, 0);
        engine.turn(Some(Duration::ZERO), &mut Vec::new()).unwrap();
        // As if the kernel had not told the receive.
        engine.slot(key).tenancy = Tenancy::Leaving;
        engine.leaving.push_back(Leaving { key, at: Moment(0) });
        turn_until_released(&mut engine, vec![key]);
        assert_eq!(engine.pool.lent(Class::Small), 0);
    }

    #[test]
    fn more_may_be_asked_for_in_one_turn_than_the_queue_has_room_for() {
        let sessions = SUBMISSIONS * 2 + 100;
        let limit = crate::raise_descriptor_limit(u64::from(sessions) * 3).unwrap();
        assert!(limit >= u64::from(sessions) * 3, "this test needs {} descriptors, and {limit} are allowed", sessions * 3);
        let Some(mut engine) = engine(sessions) else { return };
        let all: Vec<_> = (0..sessions).map(|slot| session(&mut engine, slot)).collect();
        engine.turn(Some(Duration::ZERO), &mut Vec::new()).unwrap();
        assert!(all.iter().all(|(key, _)| engine.in_flight(*key, Leg::Client) == 1));
        all.iter().for_each(|(key, _)| engine.release(*key));
        turn_until_released(&mut engine, all.iter().map(|(key, _)| *key).collect());
        assert_eq!(engine.pool.lent(Class::Small), 0);
        assert_eq!(engine.tally().overflows, 0);
    }
}
