//! Drives the TLS handshake with the client until the keys are ours.
//!
//! ```text
//!   hello ─► Shake ─┬─ done ───► preface, with what came behind the handshake
//!                   ├─ failed ─► alert, drain
//!                   └─ late ───► End
//! ```

use sluice_link::reason::Reason;

use crate::buf::Buf;
use crate::event::{Event, Fault, Leg};
use crate::never::never;

use super::client::Client;
use super::drain::{Drain, Say};
use super::facts::Facts;
use super::preface::Preface;
use super::shake::{Shake, Shaken};
use super::{Go, State, Turn};

pub(super) struct Handshake {
    facts: Box<Facts>,
    shake: Shake,
    hello: Option<Buf>,
}

impl Handshake {
    pub(super) fn new(facts: Box<Facts>, shake: Shake, hello: Buf) -> Self {
        Self { facts, shake, hello: Some(hello) }
    }

    pub(super) fn enter(mut self, turn: &mut Turn<'_>) -> Go {
        let Some(hello) = self.hello.take() else {
            return self.end(never("a handshake begins without a hello"), turn);
        };
        let Self { facts, shake, .. } = self;
        Self::go(facts, shake.received(hello, turn), turn)
    }

    pub(super) fn on(self: Box<Self>, event: Event, turn: &mut Turn<'_>) -> Go {
        match event {
            Event::Received { leg: Leg::Client, buf, .. } => {
                let Self { facts, shake, .. } = *self;
                Self::go(facts, shake.received(buf, turn), turn)
            }
            Event::Sent { leg: Leg::Client } => {
                let Self { facts, shake, .. } = *self;
                Self::go(facts, shake.sent(turn), turn)
            }
            Event::Eof { kept, .. } => {
                if let Some(buf) = kept {
                    turn.pool.give(buf);
                }
                self.end(Reason::ClientGone, turn)
            }
            Event::Failed { fault: Fault::Exhausted, .. } => self.end(Reason::Exhausted, turn),
            Event::Failed { .. } => self.end(Reason::ClientGone, turn),
            Event::Due => self.end(Reason::TlsTimeout, turn),
            Event::End(reason) => self.end(reason, turn),
            Event::Received { leg: Leg::Host, buf, .. } => {
                turn.pool.give(buf);
                self.end(never("bytes of a host before there is one"), turn)
            }
            Event::Sent { leg: Leg::Host } | Event::Connected | Event::Control { .. } | Event::HandedOver { .. } => {
                self.end(never("an answer to something not asked for"), turn)
            }
            Event::Told(_) => {
                turn.count.stale_answers.one();
                Go::Stay(State::Handshake(self))
            }
        }
    }

    fn go(mut facts: Box<Facts>, shaken: Shaken, turn: &mut Turn<'_>) -> Go {
        match shaken {
            Shaken::On(shake) => Go::Stay(State::Handshake(Box::new(Self { facts, shake, hello: None }))),
            Shaken::Done { established, out, receiving, left } => {
                facts.phases.handshake = facts.lap(turn.now);
                facts.secured = Some(established.facts.secured());
                turn.count.handshakes.one();
                turn.listener.handshakes.one();
                if established.facts.resumed {
                    turn.count.resumed.one();
                    turn.listener.resumed.one();
                }
                if established.facts.post_quantum {
                    turn.count.post_quantum.one();
                }
                let client = Client::new(established.records, out, receiving);
                Go::To(State::Preface(Box::new(Preface::new(facts, client, established.facts, left))))
            }
            Shaken::Failed { fault, out, receiving, alert } => {
                let reason = fault.reason(Leg::Client);
                let say = alert.map_or(Say::Nothing, Say::Plain);
                let drain = Drain::before_keys(facts, reason, out, say).receiving(receiving);
                Go::To(State::Drain(Box::new(drain)))
            }
            Shaken::Exhausted { mut out } => {
                out.give_up(turn.pool);
                Go::End(facts.summary(Reason::Exhausted, turn.now))
            }
        }
    }

    fn end(mut self, reason: Reason, turn: &mut Turn<'_>) -> Go {
        self.shake.give_up(turn);
        if let Some(buf) = self.hello.take() {
            turn.pool.give(buf);
        }
        Go::End(self.facts.summary(reason, turn.now))
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }
}
