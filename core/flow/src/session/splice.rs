//! Bytes flow: from the client to the host, and from the host to the client, each direction for itself.
//!
//! ```text
//!                  ┌──────────── up ────────────┐
//!   client leg ───►│ open ─► held ─► (seal) ─► out │───► host leg
//!   (TLS)          └────────────────────────────┘      (plain, TLS, or the portal's socket)
//!              ◄───│ out ◄─ seal ◄─ held ◄─ (open) │◄───
//!                  └─────────── down ───────────┘
//! ```
//!
//! Where an operator wants the kernel to seal or open what the client's leg carries, its key is offered as soon as nothing of that direction
//! is half way: sealed by us and not sent, or received and not opened. Meanwhile that direction stands still; if the kernel does not take
//! the key, we go on with it.
//!
//! A direction ends when its source says so and everything before that has been delivered; the other goes on. What happens when
//! legs end in which order, or break, is a table of its own: `table.md` beside this file. The tests below follow it row by row.

use std::time::Duration;

use sluice_link::ask::{Ask, Opened};
use sluice_link::reason::Reason;
use sluice_link::time::Moment;
use sluice_proto::socks5::Reply;

use crate::buf::{Buf, Chain, Class};
use crate::event::{Doing, Event, Fault, Leg, Way};
use crate::half::{Broken, Half, Key, settle, take};
use crate::intent::Intent;
use crate::never::never;
use crate::outgoing::Outgoing;
use crate::pace::Pace;
use crate::tls::Records;
use crate::wheel::TICK;

use super::client::Client;
use super::drain::{Drain, Say};
use super::facts::Facts;
use super::{Go, State, Turn};

/// What kind of session it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A SOCKS5 client, which waits for a reply.
    Ica,
    /// A CGP client, which does not.
    Cgp,
    /// Somebody who speaks HTTP, with control.
    Portal,
}

/// The host's leg, connected.
pub(super) struct HostLeg {
    pub(super) records: Option<Records>,
    pub(super) out: Outgoing,
    pub(super) receiving: bool,
    /// Received behind its handshake, not opened yet.
    pub(super) left: Option<Buf>,
}

/// Whose end came first. That names the session's end, if nothing worse happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    /// Nobody's yet.
    Nobody,
    /// The client's, with `close_notify`.
    Client,
    /// The client's, without.
    Cut,
    /// The host's.
    Host,
    /// Both: the second came before the first had been passed on.
    Both,
}

pub(super) struct Splice {
    facts: Box<Facts>,
    kind: Kind,
    client: Records,
    client_out: Outgoing,
    host: Option<Records>,
    host_out: Outgoing,
    up: Half,
    down: Half,
    first: First,
    /// A send to the client failed, or to the host. What it still had sent may be read.
    client_lost: bool,
    host_lost: bool,
    /// The client sent FIN.
    client_fin: bool,
    /// When a byte last moved.
    last: Moment,
    /// The deadline that was asked for last.
    armed: Moment,
    /// Received behind the host's handshake, not opened yet.
    left: Option<Buf>,
}

// One of each per session, for hours. What else a session takes while it holds no buffer: docs/memory.md.
const _: () = assert!(size_of::<Splice>() <= 320 && size_of::<Facts>() <= 240);

impl Splice {
    /// Joins the legs. `first_up` goes to the host before everything else.
    pub(super) fn new(
        facts: Box<Facts>,
        client: Client,
        host: HostLeg,
        kind: Kind,
        first_up: Option<Buf>,
        turn: &mut Turn<'_>,
    ) -> Self {
        let Client { records, out, receiving, raw, partial, plain, over, closed } = client;
        let pace = |source| match kind {
            Kind::Ica | Kind::Cgp => Pace::of(source, facts.listener.rates.session, &facts.listener.together),
            Kind::Portal => None,
        };
        let mut up = Half::new(Leg::Client);
        up.receiving = receiving;
        up.ended = closed;
        up.tail = raw;
        up.tail_since = if partial { turn.now } else { Moment::NEVER };
        up.paced(pace(Leg::Client));
        let mut down = Half::new(Leg::Host);
        down.paced(pace(Leg::Host));
        down.cut(facts.listener.records);
        down.receiving = host.receiving;
        if kind != Kind::Portal {
            let key = |wanted: bool| if wanted { Key::ForKernel } else { Key::Settled };
            up.key = key(facts.listener.engine.kernel_opens());
            down.key = key(facts.listener.engine.kernel_seals());
        }
        let mut splice = Self {
            facts,
            kind,
            client: records,
            client_out: out,
            host: host.records,
            host_out: host.out,
            up,
            down,
            first: if closed { First::Client } else { First::Nobody },
            client_lost: false,
            host_lost: false,
            client_fin: false,
            last: turn.now,
            armed: Moment::NEVER,
            left: host.left,
        };
        splice.hold_early(first_up, plain, over, turn);
        splice
    }

    /// What is there for the host already: what the gateway says first, and what the client has sent behind its opening.
    fn hold_early(&mut self, first: Option<Buf>, plain: Option<Buf>, over: Option<Chain>, turn: &mut Turn<'_>) {
        self.up.count(plain.as_ref().map_or(0, Buf::len) + over.as_ref().map_or(0, Chain::bytes), turn);
        let mut plain = plain;
        if let Some(mut first) = first {
            if let Some(mut rest) = plain.take() {
                rest.advance(first.append(rest.filled()));
                if rest.is_empty() {
                    turn.pool.give(rest);
                } else {
                    plain = Some(rest);
                }
            }
            // The portal's leg is fresh and plaintext: nothing can be in front of this.
            self.host_out.push(Chain::whole(first), turn.out);
        }
        for chain in [plain.map(Chain::whole), over].into_iter().flatten() {
            self.up.hold(chain);
        }
    }

    pub(super) fn enter(mut self: Box<Self>, turn: &mut Turn<'_>) -> Go {
        match self.kind {
            Kind::Ica | Kind::Cgp => {
                turn.count.spliced.one();
                turn.listener.spliced.one();
            }
            Kind::Portal => {
                turn.count.portal.one();
                turn.listener.portal.one();
            }
        }
        if self.kind == Kind::Ica {
            let Some(mut reply) = take(turn.pool, Class::Small) else {
                return self.farewell(Reason::Exhausted, Say::Close, turn);
            };
            reply.append(&Reply::Connected.bytes());
            self.down.hold(Chain::whole(reply));
            turn.count.socks_connected.one();
        }
        if let Some(launch) = self.facts.launch {
            turn.listener.launches.one();
            turn.out.push(Intent::Ask(Box::new(Ask::Opened(Opened {
                key: self.facts.key,
                listener: self.facts.listener.id,
                launch,
                took: turn.now.since(self.facts.at),
                phases: self.facts.phases,
                secured: self.facts.secured,
            }))));
        }
        if let Some(left) = self.left.take()
            && let Err(broken) = self.down.take_in(left, false, self.host.as_mut(), turn)
        {
            return self.broken(broken, Leg::Host, turn);
        }
        // In place of the deadline of the state before, whether or not there is one now.
        self.armed = self.due();
        turn.out.push(Intent::Deadline(self.armed));
        self.go_on(turn)
    }

    pub(super) fn on(mut self: Box<Self>, event: Event, turn: &mut Turn<'_>) -> Go {
        match event {
            Event::Received { leg: Leg::Client, buf, more } => {
                self.last = turn.now;
                if let Err(broken) = self.up.take_in(buf, more, Some(&mut self.client), turn) {
                    return self.broken(broken, Leg::Client, turn);
                }
                if self.up.ended {
                    self.ended(First::Client);
                }
            }
            Event::Received { leg: Leg::Host, buf, more } => {
                self.last = turn.now;
                if let Err(broken) = self.down.take_in(buf, more, self.host.as_mut(), turn) {
                    return self.broken(broken, Leg::Host, turn);
                }
                if self.down.ended {
                    self.ended(First::Host);
                }
            }
            Event::Sent { leg: Leg::Client } => {
                self.last = turn.now;
                self.client_out.sent(turn.out);
            }
            Event::Sent { leg: Leg::Host } => {
                self.last = turn.now;
                self.host_out.sent(turn.out);
            }
            Event::Eof { leg: Leg::Client, kept } => {
                self.client_fin = true;
                let orderly = self.up.end(kept, true, turn.pool);
                self.ended(if orderly { First::Client } else { First::Cut });
            }
            Event::Eof { leg: Leg::Host, kept } => {
                // Hosts that speak TLS often leave the close_notify out; ICA has its own framing. So their FIN is an end.
                self.down.end(kept, self.host.is_some(), turn.pool);
                self.ended(First::Host);
            }
            // Nothing that the client sends is looked at any more, as if we had opened it.
            Event::Control { leg: Leg::Client, .. } | Event::Failed { leg: Leg::Client, fault: Fault::Record(_), .. }
                if self.up.passed =>
            {
                self.up.receiving = false;
            }
            Event::Control { leg: Leg::Client, record } => {
                self.last = turn.now;
                self.up.receiving = false;
                match self.client.control(record) {
                    Ok(false) => {}
                    Ok(true) => {
                        self.up.ended = true;
                        self.ended(First::Client);
                    }
                    Err(fault) => return self.broken(Broken::Record(fault), Leg::Client, turn),
                }
            }
            Event::HandedOver { leg: Leg::Client, way, taken } => self.handed_over(way, taken, turn),
            Event::Failed { leg: Leg::Client, during: Doing::Sending, .. } => {
                self.client_lost = true;
                self.down.give_up(&mut self.client_out, turn.pool);
            }
            Event::Failed { leg: Leg::Host, during: Doing::Sending, .. } => {
                self.host_lost = true;
                self.up.give_up(&mut self.host_out, turn.pool);
            }
            Event::Failed { leg: Leg::Client, fault: Fault::Exhausted, .. } => {
                return self.farewell(Reason::Exhausted, Say::Close, turn);
            }
            Event::Failed { leg: Leg::Client, fault: Fault::Record(fault), .. } => {
                self.up.receiving = false;
                return self.broken(Broken::Record(fault), Leg::Client, turn);
            }
            Event::Failed { leg: Leg::Client, .. } => {
                self.up.receiving = false;
                // Somebody who was told goodbye may well answer with a reset.
                if !self.down.passed || self.client_lost {
                    return self.lose(Reason::ClientLost, Leg::Host, turn);
                }
                self.client_fin = true;
                self.up.end(None, false, turn.pool);
            }
            Event::Failed { leg: Leg::Host, .. } => {
                let reason = match self.first {
                    First::Client | First::Both => Reason::ClientClosed,
                    First::Cut => Reason::Truncated,
                    First::Nobody | First::Host => Reason::HostLost,
                };
                return self.lose(reason, Leg::Client, turn);
            }
            Event::Due => {
                self.armed = Moment::NEVER;
                if let Some((reason, say)) = self.overdue(turn.now) {
                    return self.farewell(reason, say, turn);
                }
            }
            Event::End(reason) => return self.farewell(reason, Say::Close, turn),
            Event::Connected => return self.farewell(never("connected twice"), Say::Close, turn),
            Event::Control { leg: Leg::Host, .. } | Event::HandedOver { leg: Leg::Host, .. } => {
                return self.farewell(never("a host's key that nobody handed over"), Say::Close, turn);
            }
            Event::Told(_) => turn.count.stale_answers.one(),
        }
        self.go_on(turn)
    }

    /// Offers the kernel the keys that it shall have, if now is the time.
    fn offer(&mut self, turn: &mut Turn<'_>) {
        let sealing = self.down.key == Key::ForKernel && self.client_out.is_idle() && !self.client_lost && !self.down.passed;
        let opening = self.up.key == Key::ForKernel && self.up.is_between_records();
        for (half, way, now) in [(&mut self.down, Way::Transmit, sealing), (&mut self.up, Way::Receive, opening)] {
            if !now {
                continue;
            }
            half.key = match self.client.offer(way) {
                Some(keys) => {
                    turn.out.push(Intent::HandOver { leg: Leg::Client, way, keys });
                    Key::Offered
                }
                None => Key::Settled,
            };
        }
    }

    fn handed_over(&mut self, way: Way, taken: bool, turn: &Turn<'_>) {
        settle(&mut self.client, way, taken, turn.count);
        match way {
            Way::Transmit => self.down.key = Key::Settled,
            Way::Receive => self.up.key = Key::Settled,
        }
    }

    /// Moves on whatever can move, and sees whether anything is left to do.
    fn go_on(mut self: Box<Self>, turn: &mut Turn<'_>) -> Go {
        turn.live.moved(self.up.bytes, self.down.bytes, self.last);
        self.offer(turn);
        if let Err(broken) = self.up.pump(self.host.as_mut(), &mut self.host_out, turn) {
            return self.broken(broken, Leg::Client, turn);
        }
        if let Err(broken) = self.down.pump(Some(&mut self.client), &mut self.client_out, turn) {
            return self.broken(broken, Leg::Host, turn);
        }
        if self.up.passed && self.down.passed {
            return self.over(turn);
        }
        // Deadlines move later with every byte. Only an earlier one is asked for at once; the others when the old one comes.
        let due = if self.up.starved || self.down.starved { turn.now + TICK } else { self.due() };
        let resumes = [self.up.paced_until(), self.down.paced_until()].into_iter().filter(|until| *until > turn.now).min();
        let due = resumes.map_or(due, |resumes| due.min(resumes));
        if due < self.armed {
            self.armed = due;
            turn.out.push(Intent::Deadline(due));
        }
        Go::Stay(State::Splice(self))
    }

    /// One side ended. The first names the end of the session.
    fn ended(&mut self, by: First) {
        self.first = match (self.first, by) {
            (First::Nobody, _) => by,
            (First::Client, First::Host) if !self.up.passed => First::Both,
            (First::Host, First::Client) if !self.down.passed => First::Both,
            (First::Client | First::Cut | First::Host | First::Both, _) => self.first,
        };
    }

    fn first_reason(&self) -> Reason {
        match self.first {
            First::Client => Reason::ClientClosed,
            First::Cut => Reason::Truncated,
            First::Host => Reason::HostClosed,
            First::Both => Reason::Finished,
            First::Nobody if self.client_lost => Reason::ClientLost,
            First::Nobody => Reason::HostLost,
        }
    }

    /// When something must have happened.
    fn due(&self) -> Moment {
        let moved = self.moved();
        let idle = self.facts.limits().idle.map_or(Moment::NEVER, |idle| moved + idle);
        let closing = self.grace().map_or(Moment::NEVER, |grace| moved + grace);
        idle.min(closing).min(self.up.record_due()).min(self.down.record_due())
    }

    /// When a byte last moved. Nobody can be blamed for the time that one waits for its pace.
    fn moved(&self) -> Moment {
        self.last.max(self.up.paced_until()).max(self.down.paced_until())
    }

    /// How long the session may go on without a byte, once an end of it has come.
    fn grace(&self) -> Option<Duration> {
        match self.first {
            // Nobody says that this client still listens.
            First::Cut => Some(self.facts.limits().linger),
            First::Nobody if !self.client_lost && !self.host_lost => None,
            First::Nobody => Some(self.facts.limits().linger),
            First::Client | First::Host | First::Both => Some(self.facts.limits().half_closed),
        }
    }

    fn overdue(&self, now: Moment) -> Option<(Reason, Say)> {
        if now >= self.up.record_due() {
            return Some((Reason::TlsBroken, Say::Close));
        }
        if now >= self.down.record_due() {
            return Some((Reason::HostTls, Say::Close));
        }
        if self.grace().is_some_and(|grace| now >= self.moved() + grace) {
            let undelivered = self.down.ended && !self.down.passed;
            return Some((if undelivered { Reason::Stuck } else { self.first_reason() }, Say::Close));
        }
        let idle = self.facts.limits().idle?;
        (now >= self.moved() + idle).then_some((Reason::Idle, Say::Close))
    }

    /// Both directions are over. If the client has not sent FIN it is waited for, so that no reset overtakes our last bytes.
    fn over(self: Box<Self>, turn: &mut Turn<'_>) -> Go {
        let reason = self.first_reason();
        if self.client_fin || self.client_lost { self.end(reason, turn) } else { self.farewell(reason, Say::Nothing, turn) }
    }

    /// A leg is lost: the other is reset, so that its side notices at once and takes nothing for complete that is not.
    fn lose(self: Box<Self>, reason: Reason, other: Leg, turn: &mut Turn<'_>) -> Go {
        turn.out.push(Intent::Abort(other));
        self.end(reason, turn)
    }

    fn broken(mut self: Box<Self>, broken: Broken, source: Leg, turn: &mut Turn<'_>) -> Go {
        let reason = broken.reason(source);
        match (broken, source) {
            (Broken::Record(_), Leg::Client) => {
                turn.out.push(Intent::Abort(Leg::Host));
                self.up.give_up(&mut self.host_out, turn.pool);
                self.farewell(reason, Say::about(broken), turn)
            }
            (Broken::Record(_), Leg::Host) => self.lose(reason, Leg::Client, turn),
            (Broken::Seal(_) | Broken::Exhausted, _) => self.farewell(reason, Say::Close, turn),
        }
    }

    /// Ends the session in words. What was received but not sent is dropped.
    fn farewell(mut self: Box<Self>, reason: Reason, say: Say, turn: &mut Turn<'_>) -> Go {
        // A host that speaks TLS may have it behind its close_notify, which is still on its way.
        if !self.up.passed && !self.host_out.has_said_fin() {
            turn.out.push(Intent::Finish(Leg::Host));
        }
        if self.client_lost {
            return self.end(reason, turn);
        }
        let (finished, said) = (self.down.passed, self.down.said_goodbye());
        let (receiving, undecided) = (self.up.receiving || self.up.key == Key::Offered, self.down.key == Key::Offered);
        self.leave(turn);
        self.host_out.give_up(turn.pool);
        let Self { facts, client, client_out, .. } = *self;
        let say = if said { Say::Nothing } else { say };
        let drain = Drain::new(facts, reason, Some(client), client_out, say).receiving(receiving).undecided(undecided);
        Go::To(State::Drain(Box::new(if finished { drain.finished() } else { drain })))
    }

    fn end(mut self: Box<Self>, reason: Reason, turn: &mut Turn<'_>) -> Go {
        self.leave(turn);
        self.host_out.give_up(turn.pool);
        self.client_out.give_up(turn.pool);
        Go::End(self.facts.summary(reason, turn.now))
    }

    fn leave(&mut self, turn: &mut Turn<'_>) {
        match self.kind {
            Kind::Ica | Kind::Cgp => {
                turn.count.spliced.less();
                turn.listener.spliced.less();
            }
            Kind::Portal => {
                turn.count.portal.less();
                turn.listener.portal.less();
            }
        }
        self.up.give_back(turn.pool);
        self.down.give_back(turn.pool);
        if let Some(left) = self.left.take() {
            turn.pool.give(left);
        }
        self.facts.up_bytes = self.up.bytes;
        self.facts.down_bytes = self.down.bytes;
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The client's keys, to wear them out.
    #[cfg(test)]
    pub(super) fn client(&mut self) -> &mut Records {
        &mut self.client
    }
}
