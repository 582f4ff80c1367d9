//! Waits for a whole ClientHello, and turns away what is none before any key work is done.
//!
//! ```text
//!   bytes ─► scan ─┬─ need more ─► receive behind
//!                  ├─ complete ──► handshake, with all bytes that came
//!                  ├─ not TLS ───► End, without an answer
//!                  └─ wrong ─────► alert, drain
//! ```
//!
//! The handshake reads the message again, with the same reader, once it has taken it out of its records: here it is only filtered.

use sluice_link::reason::Reason;
use sluice_proto::hello::{HELLO_BYTES_MAX, HelloStop, scan};
use sluice_proto::reader::Need;

use crate::buf::{Buf, Class};
use crate::event::{Event, Fault, Leg};
use crate::half::{fit, take};
use crate::intent::{Intent, Into};
use crate::never::never;
use crate::outgoing::Outgoing;
use crate::tls;

use super::drain::{Drain, Say};
use super::facts::Facts;
use super::handshake::Handshake;
use super::shake::Shake;
use super::{Go, State, Turn};

/// `decode_error` in plaintext, since there are no keys yet (RFC 8446, sections 5.1 and 6).
const DECODE_ERROR: [u8; 7] = [21, 3, 1, 0, 2, 2, 50];

pub(super) struct Hello {
    facts: Box<Facts>,
}

impl Hello {
    pub(super) fn begin(facts: Box<Facts>, turn: &mut Turn<'_>) -> Box<Self> {
        turn.out.push(Intent::Deadline(facts.at + facts.limits().handshake));
        turn.out.push(Intent::Receive { leg: Leg::Client, into: Into::Any(Class::Small) });
        Box::new(Self { facts })
    }

    pub(super) fn on(self: Box<Self>, event: Event, turn: &mut Turn<'_>) -> Go {
        match event {
            Event::Received { leg: Leg::Client, buf, .. } => self.look(buf, turn),
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
            Event::Sent { .. } | Event::Connected | Event::Control { .. } | Event::HandedOver { .. } => {
                self.end(never("an answer to something not asked for"), turn)
            }
            Event::Told(_) => {
                turn.count.stale_answers.one();
                Go::Stay(State::Hello(self))
            }
        }
    }

    fn look(self: Box<Self>, buf: Buf, turn: &mut Turn<'_>) -> Go {
        match scan(buf.filled()) {
            Ok(_) => {
                let shake = Shake::new(tls::Handshake::accept(&self.facts.listener), Leg::Client);
                Go::To(State::Handshake(Box::new(Handshake::new(self.facts, shake, buf))))
            }
            Err(HelloStop::Need(Need(more))) => self.more(buf, more, turn),
            Err(HelloStop::NotTls(_)) => {
                turn.pool.give(buf);
                self.end(Reason::NotTls, turn)
            }
            Err(HelloStop::TooLarge | HelloStop::Malformed(_)) => {
                let mut answer = buf;
                answer.clear();
                answer.append(&DECODE_ERROR);
                let drain = Drain::before_keys(self.facts, Reason::BadHello, Outgoing::new(Leg::Client), Say::Plain(answer));
                Go::To(State::Drain(Box::new(drain)))
            }
        }
    }

    /// Receives behind what is there, in a larger buffer if it will not fit.
    fn more(self: Box<Self>, buf: Buf, more: usize, turn: &mut Turn<'_>) -> Go {
        let wanted = (buf.len() + more).min(HELLO_BYTES_MAX);
        let room = if buf.len() + buf.spare() >= wanted && buf.spare() > 0 {
            buf
        } else {
            let Some(mut larger) = fit(wanted).and_then(|class| take(turn.pool, class)) else {
                turn.pool.give(buf);
                return self.end(Reason::Exhausted, turn);
            };
            larger.append(buf.filled());
            turn.pool.give(buf);
            larger
        };
        turn.out.push(Intent::Receive { leg: Leg::Client, into: Into::Behind(room) });
        Go::Stay(State::Hello(self))
    }

    fn end(&self, reason: Reason, turn: &mut Turn<'_>) -> Go {
        Go::End(self.facts.summary(reason, turn.now))
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }
}
