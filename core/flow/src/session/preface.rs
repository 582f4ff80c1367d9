//! Reads the first plaintext bytes and decides: a ticket, the portal, or nothing for us.
//!
//! ```text
//!   05 … ───► SOCKS5: greeting (answered), request ─┬─ ticket ────────────────────────► redeem
//!                                                   └─ command, address, no ticket ───► reply, drain
//!   1A CGP ─► switched off: drain     relayed: its ticket is found, nothing consumed ─► redeem
//!   A..Z ───► HTTP: nothing is consumed ──────────────────────────────────────────────► connect, to the portal
//!   else ───► drain
//! ```
//!
//! Who has come to show a machine's certificate speaks HTTP, and nothing else.
//! Never waits for more bytes than the grammar needs, and never consumes one behind the request: that belongs to the host.

use sluice_link::ask::Wanted;
use sluice_link::reason::Reason;
use sluice_link::snapshot::Cgp;
use sluice_link::time::Moment;
use sluice_proto::cgp::TicketFinder;
use sluice_proto::preface::{self, Preface as Kind};
use sluice_proto::reader::{Need, Stop};
use sluice_proto::socks5::{Answer, GREETING_PAUSE, Opening, Reply, Step, Unserved};
use sluice_proto::ticket::Ticket;

use crate::buf::Buf;
use crate::event::{Event, Fault, Leg};
use crate::half::Broken;
use crate::intent::Intent;
use crate::limits::CGP_TIME_MAX;
use crate::never::never;
use crate::tls;

use super::client::Client;
use super::connect::Connect;
use super::drain::{Drain, Say};
use super::facts::Facts;
use super::redeem::Redeem;
use super::{Go, State, Turn};

pub(super) struct Preface {
    facts: Box<Facts>,
    client: Client,
    tls: tls::Facts,
    /// What came behind the handshake, not opened yet.
    left: Option<Buf>,
    reading: Reading,
    until: Moment,
}

/// What is being read.
#[derive(Debug)]
enum Reading {
    /// The first bytes.
    Nothing,
    /// A SOCKS5 opening.
    Socks(Opening),
    /// A SOCKS5 opening that stands at `05 01 00`, which may be a greeting or the head of a request. Time will tell.
    Pausing(Opening),
    /// A CGP opening, for its ticket.
    Cgp(TicketFinder),
}

/// What a look at the bytes leads to.
enum Found {
    /// More bytes are needed.
    Nothing,
    /// A greeting was consumed and is to be answered; look again.
    Greeting(Answer),
    /// A request was consumed.
    Request(Result<Ticket, Unserved>),
    /// A ticket in a CGP opening, of which nothing was consumed.
    Cgp(Ticket),
    /// A request line begins.
    Http,
    /// Nothing that could go on.
    Wrong(Reason),
}

impl Preface {
    pub(super) fn new(facts: Box<Facts>, client: Client, tls: tls::Facts, left: Option<Buf>) -> Self {
        Self { facts, client, tls, left, reading: Reading::Nothing, until: Moment::NEVER }
    }

    pub(super) fn enter(mut self: Box<Self>, turn: &mut Turn<'_>) -> Go {
        self.until = turn.now + self.facts.limits().preface;
        turn.out.push(Intent::Deadline(self.until));
        if let Some(left) = self.left.take()
            && let Err(broken) = self.client.take_in(left, turn)
        {
            return self.broken(broken, turn);
        }
        self.look(false, turn)
    }

    pub(super) fn on(mut self: Box<Self>, event: Event, turn: &mut Turn<'_>) -> Go {
        match event {
            Event::Received { leg: Leg::Client, buf, .. } => {
                self.client.receiving = false;
                match self.client.take_in(buf, turn) {
                    Ok(()) => self.look(false, turn),
                    Err(broken) => self.broken(broken, turn),
                }
            }
            Event::Sent { leg: Leg::Client } => {
                self.client.out.sent(turn.out);
                Go::Stay(State::Preface(self))
            }
            Event::Due => match self.reading {
                Reading::Pausing(_) if turn.now < self.until => self.look(true, turn),
                Reading::Nothing | Reading::Socks(_) | Reading::Pausing(_) | Reading::Cgp(_) => {
                    self.refuse(Reason::OpeningTimeout, Say::Close, turn)
                }
            },
            Event::Eof { kept, .. } => {
                if let Some(buf) = kept {
                    turn.pool.give(buf);
                }
                self.end(Reason::Truncated, turn)
            }
            Event::Failed { fault: Fault::Exhausted, .. } => self.end(Reason::Exhausted, turn),
            Event::Failed { .. } => self.end(Reason::ClientLost, turn),
            Event::End(reason) => self.refuse(reason, Say::Close, turn),
            Event::Received { leg: Leg::Host, buf, .. } => {
                turn.pool.give(buf);
                self.end(never("bytes of a host before there is one"), turn)
            }
            Event::Sent { leg: Leg::Host } | Event::Connected | Event::Control { .. } | Event::HandedOver { .. } => {
                self.end(never("an answer to something not asked for"), turn)
            }
            Event::Told(_) => {
                turn.count.stale_answers.one();
                Go::Stay(State::Preface(self))
            }
        }
    }

    /// Looks at the bytes so far, as often as that leads on.
    fn look(mut self: Box<Self>, mut pause_passed: bool, turn: &mut Turn<'_>) -> Go {
        loop {
            let found = self.find(pause_passed, turn);
            pause_passed = false;
            match found {
                Found::Nothing if self.client.closed => return self.refuse(Reason::ClientClosed, Say::Close, turn),
                Found::Nothing if self.client.is_full() => return self.refuse(Reason::NotATicket, Say::Close, turn),
                Found::Nothing => {
                    self.client.arm(turn);
                    return Go::Stay(State::Preface(self));
                }
                Found::Greeting(answer) => {
                    turn.count.socks_greetings.one();
                    if answer == Answer::NoneAcceptable {
                        return self.refuse(Reason::BadSocks, Say::Greeting(answer), turn);
                    }
                    if let Err(broken) = self.client.say(&answer.bytes(), turn) {
                        return self.broken(broken, turn);
                    }
                }
                Found::Request(Ok(ticket)) => {
                    turn.count.socks_requests.one();
                    return self.redeem(ticket, Wanted::Ica, turn);
                }
                Found::Request(Err(unserved)) => {
                    turn.count.socks_requests.one();
                    turn.count.socks_refused.one();
                    let reason = match unserved {
                        Unserved::Command(_) => Reason::SocksCommand,
                        Unserved::Address => Reason::SocksAddress,
                        Unserved::NotATicket(_) => Reason::NotATicket,
                    };
                    return self.refuse(reason, Say::Reply(unserved.reply()), turn);
                }
                Found::Cgp(ticket) => return self.redeem(ticket, Wanted::Cgp, turn),
                Found::Http => {
                    turn.count.http_openings.one();
                    let Self { mut facts, client, tls, .. } = *self;
                    facts.phases.preface = facts.lap(turn.now);
                    return Go::To(State::Connect(Box::new(Connect::portal(facts, client, tls))));
                }
                Found::Wrong(reason) => return self.refuse(reason, Say::Close, turn),
            }
        }
    }

    fn find(&mut self, pause_passed: bool, turn: &mut Turn<'_>) -> Found {
        match &mut self.reading {
            Reading::Nothing => match preface::read(self.client.plain()) {
                Err(Need(_)) => Found::Nothing,
                Ok(Kind::Http) => Found::Http,
                Ok(Kind::Unknown) => Found::Wrong(Reason::UnknownOpening),
                // It was not asked for what everybody else is, perhaps. It has come to show a certificate, and control sees to that.
                Ok(Kind::Socks5 | Kind::Cgp) if self.tls.device => Found::Wrong(Reason::UnknownOpening),
                Ok(Kind::Socks5) => self.find_socks(Opening::new(), false, turn),
                Ok(Kind::Cgp) => self.find_cgp(turn),
            },
            Reading::Socks(opening) => {
                let opening = *opening;
                self.find_socks(opening, false, turn)
            }
            Reading::Pausing(opening) => {
                let opening = *opening;
                self.find_socks(opening, pause_passed, turn)
            }
            Reading::Cgp(finder) => found_ticket(finder.read(self.client.plain())),
        }
    }

    fn find_socks(&mut self, mut opening: Opening, pause_passed: bool, turn: &mut Turn<'_>) -> Found {
        let was_pausing = matches!(self.reading, Reading::Pausing(_));
        let plain = self.client.plain();
        let step = if pause_passed { opening.pause_passed(plain) } else { opening.read(plain) };
        let (reading, found, consumed) = match step {
            Err(_) => (Reading::Socks(opening), Found::Wrong(Reason::BadSocks), 0),
            Ok(Step::Need(_)) => (Reading::Socks(opening), Found::Nothing, 0),
            Ok(Step::Ambiguous) => (Reading::Pausing(opening), Found::Nothing, 0),
            Ok(Step::Greeting { consumed, answer }) => (Reading::Socks(opening), Found::Greeting(answer), consumed),
            Ok(Step::Request { consumed, request }) => (Reading::Socks(opening), Found::Request(request.ticket()), consumed),
        };
        let pausing = matches!(reading, Reading::Pausing(_));
        if pausing && !was_pausing {
            turn.out.push(Intent::Deadline(self.until.min(turn.now + GREETING_PAUSE)));
        } else if was_pausing && !pausing {
            turn.out.push(Intent::Deadline(self.until));
        }
        self.reading = reading;
        self.client.advance(consumed, turn.pool);
        found
    }

    fn find_cgp(&mut self, turn: &mut Turn<'_>) -> Found {
        turn.count.cgp_openings.one();
        match self.facts.listener.cgp {
            Cgp::Reject => Found::Wrong(Reason::CgpRejected),
            Cgp::Relay => {
                self.until = self.until.min(turn.now + CGP_TIME_MAX);
                turn.out.push(Intent::Deadline(self.until));
                let mut finder = TicketFinder::default();
                let found = found_ticket(finder.read(self.client.plain()));
                self.reading = Reading::Cgp(finder);
                found
            }
        }
    }

    fn redeem(self, ticket: Ticket, wanted: Wanted, turn: &Turn<'_>) -> Go {
        let Self { mut facts, client, .. } = self;
        facts.phases.preface = facts.lap(turn.now);
        Go::To(State::Redeem(Box::new(Redeem::new(facts, client, ticket, wanted))))
    }

    fn refuse(self, reason: Reason, say: Say, turn: &mut Turn<'_>) -> Go {
        let Self { facts, client, .. } = self;
        Go::To(State::Drain(Box::new(Drain::after_keys(facts, reason, client, say, turn))))
    }

    fn broken(self, broken: Broken, turn: &mut Turn<'_>) -> Go {
        let reason = broken.reason(Leg::Client);
        self.refuse(reason, Say::about(broken), turn)
    }

    fn end(mut self, reason: Reason, turn: &mut Turn<'_>) -> Go {
        self.client.give_up(turn.pool);
        Go::End(self.facts.summary(reason, turn.now))
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }
}

fn found_ticket(read: Result<Ticket, Stop>) -> Found {
    match read {
        Ok(ticket) => Found::Cgp(ticket),
        Err(Stop::Need(_)) => Found::Nothing,
        Err(Stop::Malformed(_)) => Found::Wrong(Reason::NotATicket),
    }
}

/// What a client that speaks `wanted` is told when it is refused.
pub(super) fn refusal(wanted: Wanted, reply: Reply) -> Say {
    match wanted {
        Wanted::Ica => Say::Reply(reply),
        // It does not speak SOCKS, and how a refusal looks in its own protocol is not public.
        Wanted::Cgp => Say::Close,
    }
}
