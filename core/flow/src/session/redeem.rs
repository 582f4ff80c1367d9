//! The ticket is with control; the client waits.
//!
//! ```text
//!   Ask::Redeem ─► Told ─┬─ target ──► connect
//!                        └─ refusal ─► reply, drain            no answer in time, or no room in the queue ─► the same
//! ```
//!
//! The client may send on: that is for the host, and is kept as far as the bound goes.

use sluice_link::ask::{Ask, Redeem as Question, Wanted};
use sluice_link::reason::Reason;
use sluice_link::tell::{HostTls, Refusal, Target};
use sluice_proto::socks5::Reply;
use sluice_proto::ticket::Ticket;

use crate::event::{Event, Fault, Leg};
use crate::half::Broken;
use crate::intent::Intent;
use crate::never::never;

use super::client::Client;
use super::connect::Connect;
use super::drain::{Drain, Say};
use super::facts::Facts;
use super::preface::refusal;
use super::{Go, State, Turn};

pub(super) struct Redeem {
    facts: Box<Facts>,
    client: Client,
    /// Until it is asked.
    ticket: Option<Ticket>,
    wanted: Wanted,
}

impl Redeem {
    pub(super) fn new(facts: Box<Facts>, client: Client, ticket: Ticket, wanted: Wanted) -> Self {
        Self { facts, client, ticket: Some(ticket), wanted }
    }

    pub(super) fn enter(mut self: Box<Self>, turn: &mut Turn<'_>) -> Go {
        let Some(ticket) = self.ticket.take() else {
            return self.refuse(Reply::Failure, never("a question without a ticket"), turn);
        };
        self.facts.ticketed = true;
        turn.count.tickets_asked.one();
        turn.listener.tickets_asked.one();
        turn.out.push(Intent::Ask(Box::new(Ask::Redeem(Question {
            key: self.facts.key,
            listener: self.facts.listener.id,
            client: self.facts.client,
            ticket,
            wanted: self.wanted,
        }))));
        turn.out.push(Intent::Deadline(turn.now + self.facts.limits().redeem));
        self.client.arm(turn);
        Go::Stay(State::Redeem(self))
    }

    pub(super) fn on(mut self: Box<Self>, event: Event, turn: &mut Turn<'_>) -> Go {
        match event {
            Event::Told(Ok(target)) => self.connect(target, turn),
            Event::Told(Err(why)) => {
                self.facts.phases.redeem = self.facts.lap(turn.now);
                let (reply, reason) = verdict(why);
                self.refuse(reply, reason, turn)
            }
            Event::Received { leg: Leg::Client, buf, .. } => {
                self.client.receiving = false;
                if let Err(broken) = self.client.take_in(buf, turn) {
                    return self.broken(broken, turn);
                }
                self.client.arm(turn);
                Go::Stay(State::Redeem(self))
            }
            Event::Sent { leg: Leg::Client } => {
                self.client.out.sent(turn.out);
                Go::Stay(State::Redeem(self))
            }
            Event::Due => self.refuse(Reply::Failure, Reason::Busy, turn),
            Event::End(reason) => self.refuse(Reply::Failure, reason, turn),
            Event::Eof { kept, .. } => {
                if let Some(buf) = kept {
                    turn.pool.give(buf);
                }
                self.end(Reason::Truncated, turn)
            }
            Event::Failed { fault: Fault::Exhausted, .. } => self.end(Reason::Exhausted, turn),
            Event::Failed { .. } => self.end(Reason::ClientLost, turn),
            Event::Received { leg: Leg::Host, buf, .. } => {
                turn.pool.give(buf);
                self.end(never("bytes of a host before there is one"), turn)
            }
            Event::Sent { leg: Leg::Host } | Event::Connected | Event::Control { .. } | Event::HandedOver { .. } => {
                self.end(never("an answer to something not asked for"), turn)
            }
        }
    }

    /// Control redeems by the newest settings, the session may have older ones: a profile that is newer than the session is taken
    /// from there. One that has been removed meanwhile is in neither, and without it the host could not be verified.
    fn connect(mut self: Box<Self>, target: Target, turn: &mut Turn<'_>) -> Go {
        self.facts.phases.redeem = self.facts.lap(turn.now);
        self.facts.launch = Some(target.launch);
        let tls = match target.tls {
            Some(HostTls { profile, name }) => {
                let found = self.facts.served.host_profile(&profile).or_else(|| turn.newest.host_profile(&profile));
                let Some(profile) = found.cloned() else {
                    return self.refuse(Reply::Failure, Reason::HostProfileGone, turn);
                };
                Some((profile, name))
            }
            None => None,
        };
        let Self { facts, client, wanted, .. } = *self;
        Go::To(State::Connect(Box::new(Connect::host(facts, client, wanted, target.address, tls))))
    }

    fn refuse(self: Box<Self>, reply: Reply, reason: Reason, turn: &mut Turn<'_>) -> Go {
        let Self { facts, client, wanted, .. } = *self;
        if wanted == Wanted::Ica {
            turn.count.socks_refused.one();
        }
        let drain = Drain::after_keys(facts, reason, client, refusal(wanted, reply), turn);
        Go::To(State::Drain(Box::new(drain)))
    }

    fn broken(self: Box<Self>, broken: Broken, turn: &mut Turn<'_>) -> Go {
        let Self { facts, client, .. } = *self;
        let drain = Drain::after_keys(facts, broken.reason(Leg::Client), client, Say::about(broken), turn);
        Go::To(State::Drain(Box::new(drain)))
    }

    fn end(mut self: Box<Self>, reason: Reason, turn: &mut Turn<'_>) -> Go {
        self.client.give_up(turn.pool);
        Go::End(self.facts.summary(reason, turn.now))
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }
}

/// What a refusal is to the client, and in the log.
fn verdict(why: Refusal) -> (Reply, Reason) {
    match why {
        Refusal::Ticket => (Reply::Refused, Reason::TicketRefused),
        Refusal::UnknownSta => (Reply::Refused, Reason::UnknownSta),
        Refusal::Address => (Reply::Refused, Reason::AddressRefused),
        Refusal::Throttled => (Reply::Refused, Reason::Throttled),
        Refusal::StaOutage => (Reply::Failure, Reason::StaOutage),
        Refusal::Unresolved => (Reply::HostUnreachable, Reason::HostUnresolved),
        Refusal::Busy => (Reply::Failure, Reason::Busy),
    }
}
