//! Everything has been decided; what is left is to say goodbye so that it arrives.
//!
//! ```text
//!   flush what waits ─► last words ─► FIN ─► read and drop until the client's FIN, so many bytes, or so long ─► End
//! ```
//!
//! A socket that is closed while unread bytes lie in it is reset, and a reset may overtake what was just sent: the client would
//! see a broken connection instead of its refusal. So its bytes are read on for a moment. Where the kernel opens records and cannot open
//! the next, nobody can read on: then that moment is waited for, so that the client has it to take our last words. Nothing that still
//! happens on the host's leg matters here.

use std::time::Duration;

use sluice_link::reason::Reason;
use sluice_link::time::Moment;
use sluice_proto::socks5::{Answer, Reply};

use crate::buf::{Buf, Chain, Class, Then};
use crate::event::{Event, Fault, Leg, Way};
use crate::half::{Broken, settle, take};
use crate::intent::{Intent, Into};
use crate::limits::{DISCARD_BYTES_MAX, FAREWELL};
use crate::outgoing::Outgoing;
use crate::tls::{Alert, Records};

use super::client::{Client, seal_short};
use super::facts::Facts;
use super::{Go, State, Turn};

/// Last words.
#[derive(Debug)]
pub(super) enum Say {
    /// They have been said, or there are none.
    Nothing,
    /// As they are: there are no keys yet.
    Plain(Buf),
    /// `close_notify`.
    Close,
    /// The answer to a greeting, then `close_notify`.
    Greeting(Answer),
    /// A reply, then `close_notify`.
    Reply(Reply),
    /// An HTTP answer that says that the portal is out of order, then `close_notify`.
    Unavailable,
    /// A fatal alert.
    Alert(Alert),
}

impl Say {
    /// What a client is told about a record that broke the rules, or that could not be worked on.
    pub(super) fn about(broken: Broken) -> Self {
        match broken {
            Broken::Record(fault) => fault.alert().map_or(Self::Nothing, Self::Alert),
            Broken::Seal(_) | Broken::Exhausted => Self::Close,
        }
    }
}

/// What a browser is told while the control plane does not take connections.
const UNAVAILABLE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 2\r\nConnection: close\r\n\r\n";

pub(super) struct Drain {
    facts: Box<Facts>,
    reason: Reason,
    records: Option<Records>,
    out: Outgoing,
    say: Say,
    until: Moment,
    /// A receive is armed, or must not be yet: the kernel has been asked to take the key over with which the client's records are opened.
    receiving: bool,
    /// The kernel cannot open what comes next. It stays where it is, and the client's FIN behind it is never seen.
    deaf: bool,
    discarded: usize,
    /// The kernel has been asked to take the key over with which last words are sealed, and has not answered.
    undecided: bool,
    /// FIN was sent.
    finished: bool,
    /// The client sent FIN, or is lost.
    gone: bool,
}

impl Drain {
    /// Before the handshake was complete.
    pub(super) fn before_keys(facts: Box<Facts>, reason: Reason, out: Outgoing, say: Say) -> Self {
        Self::new(facts, reason, None, out, say)
    }

    pub(super) fn new(facts: Box<Facts>, reason: Reason, records: Option<Records>, out: Outgoing, say: Say) -> Self {
        Self {
            facts,
            reason,
            records,
            out,
            say,
            until: Moment::NEVER,
            receiving: false,
            deaf: false,
            discarded: 0,
            undecided: false,
            finished: false,
            gone: false,
        }
    }

    /// After it. What the client had sent for the host is dropped.
    pub(super) fn after_keys(facts: Box<Facts>, reason: Reason, mut client: Client, say: Say, turn: &mut Turn<'_>) -> Self {
        client.give_back(turn.pool);
        let Client { records, out, receiving, .. } = client;
        Self::new(facts, reason, Some(records), out, say).receiving(receiving)
    }

    /// A receive is armed, or must not be yet.
    pub(super) fn receiving(mut self, receiving: bool) -> Self {
        self.receiving = receiving;
        self
    }

    /// The key with which last words are sealed may have been handed over.
    pub(super) fn undecided(mut self, undecided: bool) -> Self {
        self.undecided = undecided;
        self
    }

    /// Everything was said and FIN sent before.
    pub(super) fn finished(mut self) -> Self {
        self.finished = true;
        self
    }

    pub(super) fn enter(mut self: Box<Self>, turn: &mut Turn<'_>) -> Go {
        let long = match self.say {
            Say::Greeting(_) | Say::Reply(_) | Say::Unavailable | Say::Plain(_) | Say::Alert(_) => {
                FAREWELL.min(self.facts.limits().linger)
            }
            Say::Nothing | Say::Close => self.facts.limits().linger,
        };
        self.until = turn.now + long;
        turn.out.push(Intent::Deadline(self.until));
        self.go_on(turn)
    }

    pub(super) fn on(mut self: Box<Self>, event: Event, turn: &mut Turn<'_>) -> Go {
        match event {
            Event::Received { leg: Leg::Client, buf, .. } => {
                self.receiving = false;
                self.discarded += buf.len();
                turn.pool.give(buf);
            }
            Event::Sent { leg: Leg::Client } => self.out.sent(turn.out),
            Event::Eof { leg: Leg::Client, kept } => {
                self.receiving = false;
                self.gone = true;
                if let Some(buf) = kept {
                    turn.pool.give(buf);
                }
            }
            Event::Control { leg: Leg::Client, .. } => self.receiving = false,
            Event::HandedOver { leg: Leg::Client, way, taken } => {
                if let Some(records) = &mut self.records {
                    settle(records, way, taken, turn.count);
                }
                match way {
                    Way::Transmit => self.undecided = false,
                    Way::Receive => self.receiving = false,
                }
            }
            // That is no reason to say nothing, or to let a reset overtake what is said.
            Event::Failed { leg: Leg::Client, fault: Fault::Record(_), .. } => {
                self.receiving = false;
                self.deaf = true;
            }
            Event::Failed { leg: Leg::Client, .. } => return self.end(turn),
            Event::Due => {
                self.reason = if self.out.is_idle() { self.reason } else { stuck(self.reason) };
                return self.end(turn);
            }
            Event::End(_) => return self.end(turn),
            Event::Received { leg: Leg::Host, buf, .. } | Event::Eof { leg: Leg::Host, kept: Some(buf) } => turn.pool.give(buf),
            Event::Told(_) => turn.count.stale_answers.one(),
            Event::Eof { leg: Leg::Host, kept: None }
            | Event::Sent { leg: Leg::Host }
            | Event::Failed { leg: Leg::Host, .. }
            | Event::Control { leg: Leg::Host, .. }
            | Event::HandedOver { leg: Leg::Host, .. }
            | Event::Connected => {}
        }
        self.go_on(turn)
    }

    fn go_on(mut self: Box<Self>, turn: &mut Turn<'_>) -> Go {
        if self.out.has_room() && !self.undecided && !matches!(self.say, Say::Nothing) {
            match self.words(turn) {
                // rustls has no alert for some faults.
                Some(words) if words.is_empty() => turn.pool.give(words),
                Some(words) => {
                    let words = match &self.records {
                        Some(records) => records.said(words),
                        None => Chain::whole(words),
                    };
                    self.out.push(words.then(Then::Fin), turn.out);
                }
                None => return self.end(turn),
            }
        }
        if !self.finished && matches!(self.say, Say::Nothing) && self.out.is_idle() {
            self.finished = true;
            if !self.out.says_fin() {
                turn.out.push(Intent::Finish(Leg::Client));
            }
        }
        if (self.gone && self.finished) || self.discarded > DISCARD_BYTES_MAX {
            return self.end(turn);
        }
        if !self.receiving && !self.gone && !self.deaf {
            self.receiving = true;
            // Who is told goodbye says little more. Who does not stop is read in few pieces: it must not cost more than to serve him.
            let class = if self.discarded < Class::Small.payload() { Class::Small } else { Class::Large };
            turn.out.push(Intent::Receive { leg: Leg::Client, into: Into::Any(class) });
        }
        Go::Stay(State::Drain(self))
    }

    /// Takes the last words, ready to be sent. None if they cannot be said: no buffer, or no keys.
    fn words(&mut self, turn: &mut Turn<'_>) -> Option<Buf> {
        let (reply, alert): (&[u8], Option<Alert>) = match std::mem::replace(&mut self.say, Say::Nothing) {
            Say::Nothing => return None,
            Say::Plain(buf) => return Some(buf),
            Say::Close => (&[], None),
            Say::Greeting(answer) => (&answer.bytes(), None),
            Say::Reply(reply) => (&reply.bytes(), None),
            Say::Unavailable => (UNAVAILABLE, None),
            Say::Alert(alert) => (&[], Some(alert)),
        };
        let records = self.records.as_mut()?;
        let mut buf = if reply.is_empty() { take(turn.pool, Class::Small)? } else { seal_short(records, reply, turn).ok()? };
        let said = match alert {
            Some(alert) => records.alert(alert, &mut buf),
            None => records.close_notify(&mut buf),
        };
        if said.is_err() && buf.is_empty() {
            turn.pool.give(buf);
            return None;
        }
        Some(buf)
    }

    fn end(mut self, turn: &mut Turn<'_>) -> Go {
        self.out.give_up(turn.pool);
        if let Say::Plain(buf) = std::mem::replace(&mut self.say, Say::Nothing) {
            turn.pool.give(buf);
        }
        Go::End(self.facts.summary(self.reason, turn.now))
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }
}

/// An orderly end whose last bytes were not taken was not so orderly. Other reasons tell more as they are.
fn stuck(reason: Reason) -> Reason {
    if matches!(reason, Reason::Finished | Reason::ClientClosed | Reason::HostClosed) { Reason::Stuck } else { reason }
}

const _: () = assert!(FAREWELL.as_nanos() > Duration::ZERO.as_nanos());
const _: () = assert!(UNAVAILABLE.len() < Class::Small.payload() / 2);
