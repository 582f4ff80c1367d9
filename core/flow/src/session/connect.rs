//! Connects the host leg: to a host that a ticket led to, or to the portal's inner listener.
//!
//! ```text
//!   dial ─┬─ connected ──┬─ plain ─────────────────────────────┬─► splice, which first says "connected"
//!         │              └─ TLS ─► Shake ─┬─ done ─────────────┘
//!         │                               └─ failed ─┐
//!         └─ failed, late ───────────────────────────┴─► reply, drain
//! ```
//!
//! The client is told that it is connected when the host is, not earlier; what the host says first waits behind that.

use std::net::SocketAddr;
use std::sync::Arc;

use sluice_link::ask::Wanted;
use sluice_link::reason::{Blame, Reason};
use sluice_link::snapshot::DEVICE_ALPN;
use sluice_proto::certificates::Certificates;
use sluice_proto::proxy::{HEADER_BYTES_MAX, Header};
use sluice_proto::socks5::Reply;

use crate::buf::{Buf, Chain, Class};
use crate::event::{Doing, Event, Fault, Leg};
use crate::half::{Broken, fit, take};
use crate::intent::{Intent, Peer};
use crate::never::never;
use crate::outgoing::Outgoing;
use crate::tls::{self, HostProfile, Version};

use super::client::Client;
use super::drain::{Drain, Say};
use super::facts::Facts;
use super::preface::refusal;
use super::shake::{Shake, Shaken};
use super::splice::{HostLeg, Kind, Splice};
use super::{Go, State, Turn};

pub(super) struct Connect {
    facts: Box<Facts>,
    client: Client,
    to: To,
    shake: Option<Shake>,
}

/// Where to.
enum To {
    Host {
        wanted: Wanted,
        address: SocketAddr,
        /// How it is verified, and by which name.
        tls: Option<(Arc<HostProfile>, Box<str>)>,
    },
    Portal(tls::Facts),
}

impl Connect {
    pub(super) fn host(
        facts: Box<Facts>,
        client: Client,
        wanted: Wanted,
        address: SocketAddr,
        tls: Option<(Arc<HostProfile>, Box<str>)>,
    ) -> Self {
        Self { facts, client, to: To::Host { wanted, address, tls }, shake: None }
    }

    pub(super) fn portal(mut facts: Box<Facts>, client: Client, tls: tls::Facts) -> Self {
        facts.portal = true;
        Self { facts, client, to: To::Portal(tls), shake: None }
    }

    pub(super) fn enter(mut self: Box<Self>, turn: &mut Turn<'_>) -> Go {
        let whom = match &self.to {
            To::Host { address, .. } => Peer::Host(*address),
            To::Portal(_) => Peer::Portal(self.facts.served.snapshot.inner.as_path().into()),
        };
        turn.out.push(Intent::Connect(whom));
        turn.out.push(Intent::Deadline(turn.now + self.facts.limits().connect));
        self.client.arm(turn);
        Go::Stay(State::Connect(self))
    }

    pub(super) fn on(mut self: Box<Self>, event: Event, turn: &mut Turn<'_>) -> Go {
        match event {
            Event::Connected => self.connected(turn),
            Event::Failed { leg: Leg::Host, during: Doing::Connecting, fault } => {
                let (reply, reason) = verdict(fault);
                self.refuse(reply, reason, turn)
            }
            Event::Received { leg: Leg::Host, buf, .. } => match self.shake.take() {
                Some(shake) => {
                    let shaken = shake.received(buf, turn);
                    self.shaken(shaken, turn)
                }
                None => {
                    turn.pool.give(buf);
                    self.refuse(Reply::Failure, never("bytes of a host that were not asked for"), turn)
                }
            },
            Event::Sent { leg: Leg::Host } => match self.shake.take() {
                Some(shake) => {
                    let shaken = shake.sent(turn);
                    self.shaken(shaken, turn)
                }
                None => self.refuse(Reply::Failure, never("an answer to something not asked for"), turn),
            },
            // Only in its handshake is anything else asked of the host.
            Event::Eof { leg: Leg::Host, kept } => {
                if let Some(buf) = kept {
                    turn.pool.give(buf);
                }
                self.refuse(Reply::Failure, Reason::HostTls, turn)
            }
            Event::Failed { leg: Leg::Host, .. } => self.refuse(Reply::Failure, Reason::HostTls, turn),
            Event::Received { leg: Leg::Client, buf, .. } => {
                self.client.receiving = false;
                if let Err(broken) = self.client.take_in(buf, turn) {
                    return self.broken(broken, turn);
                }
                self.client.arm(turn);
                Go::Stay(State::Connect(self))
            }
            Event::Sent { leg: Leg::Client } => {
                self.client.out.sent(turn.out);
                Go::Stay(State::Connect(self))
            }
            Event::Control { .. } | Event::HandedOver { .. } => {
                self.refuse(Reply::Failure, never("an answer to something not asked for"), turn)
            }
            Event::Due => self.refuse(Reply::HostUnreachable, Reason::HostTimeout, turn),
            Event::End(reason) => self.refuse(Reply::Failure, reason, turn),
            Event::Eof { leg: Leg::Client, kept } => {
                if let Some(buf) = kept {
                    turn.pool.give(buf);
                }
                self.end(Reason::Truncated, turn)
            }
            Event::Failed { leg: Leg::Client, fault: Fault::Exhausted, .. } => self.end(Reason::Exhausted, turn),
            Event::Failed { leg: Leg::Client, .. } => self.end(Reason::ClientLost, turn),
            Event::Told(_) => {
                turn.count.stale_answers.one();
                Go::Stay(State::Connect(self))
            }
        }
    }

    fn connected(self: Box<Self>, turn: &mut Turn<'_>) -> Go {
        match &self.to {
            To::Host { tls: Some((profile, name)), .. } => {
                match tls::Handshake::connect(profile, name, self.facts.listener.engine) {
                    Ok(handshake) => {
                        let shaken = Shake::new(handshake, Leg::Host).advance(turn);
                        self.shaken(shaken, turn)
                    }
                    Err(fault) => self.refuse(Reply::Failure, fault.reason(Leg::Host), turn),
                }
            }
            To::Host { tls: None, .. } | To::Portal(_) => {
                let host = HostLeg { records: None, out: Outgoing::new(Leg::Host), receiving: false, left: None };
                self.splice(host, turn)
            }
        }
    }

    fn shaken(mut self: Box<Self>, shaken: Shaken, turn: &mut Turn<'_>) -> Go {
        match shaken {
            Shaken::On(shake) => {
                self.shake = Some(shake);
                Go::Stay(State::Connect(self))
            }
            Shaken::Done { established, out, receiving, left } => {
                self.splice(HostLeg { records: Some(established.records), out, receiving, left }, turn)
            }
            Shaken::Failed { fault, mut out, alert, .. } => {
                match alert {
                    // The engine has it before the leg is given up; whether the host still gets it does not matter.
                    Some(alert) if out.is_idle() => out.push(Chain::whole(alert), turn.out),
                    Some(alert) => turn.pool.give(alert),
                    None => {}
                }
                out.give_up(turn.pool);
                self.refuse(Reply::Failure, fault.reason(Leg::Host), turn)
            }
            Shaken::Exhausted { mut out } => {
                out.give_up(turn.pool);
                self.refuse(Reply::Failure, Reason::Exhausted, turn)
            }
        }
    }

    fn splice(self, host: HostLeg, turn: &mut Turn<'_>) -> Go {
        turn.count.hosts_connected.one();
        let Self { mut facts, client, to, .. } = self;
        facts.phases.connect = facts.lap(turn.now);
        let (kind, first_up) = match to {
            To::Host { wanted: Wanted::Ica, .. } => (Kind::Ica, None),
            To::Host { wanted: Wanted::Cgp, .. } => (Kind::Cgp, None),
            To::Portal(tls) => match header(&facts, &tls, client.plain().len(), turn) {
                Ok(header) => (Kind::Portal, Some(header)),
                Err(reason) => {
                    let drain = Drain::after_keys(facts, reason, client, Say::Unavailable, turn);
                    return Go::To(State::Drain(Box::new(drain)));
                }
            },
        };
        Go::To(State::Splice(Box::new(Splice::new(facts, client, host, kind, first_up, turn))))
    }

    fn refuse(mut self, reply: Reply, reason: Reason, turn: &mut Turn<'_>) -> Go {
        if reason.blame() == Blame::Host {
            turn.count.hosts_failed.one();
            turn.listener.hosts_failed.one();
        }
        if let Some(mut shake) = self.shake.take() {
            shake.give_up(turn);
        }
        let Self { facts, client, to, .. } = self;
        let (say, reason) = match to {
            To::Host { wanted, .. } => {
                if wanted == Wanted::Ica {
                    turn.count.socks_refused.one();
                }
                (refusal(wanted, reply), reason)
            }
            To::Portal(_) => (Say::Unavailable, of_portal(reason)),
        };
        Go::To(State::Drain(Box::new(Drain::after_keys(facts, reason, client, say, turn))))
    }

    fn broken(mut self, broken: Broken, turn: &mut Turn<'_>) -> Go {
        if let Some(mut shake) = self.shake.take() {
            shake.give_up(turn);
        }
        let Self { facts, client, .. } = self;
        let drain = Drain::after_keys(facts, broken.reason(Leg::Client), client, Say::about(broken), turn);
        Go::To(State::Drain(Box::new(drain)))
    }

    fn end(mut self, reason: Reason, turn: &mut Turn<'_>) -> Go {
        if let Some(mut shake) = self.shake.take() {
            shake.give_up(turn);
        }
        self.client.give_up(turn.pool);
        Go::End(self.facts.summary(reason, turn.now))
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }
}

/// What a fault is to the client, and in the log.
fn verdict(fault: Fault) -> (Reply, Reason) {
    match fault {
        Fault::Refused | Fault::Reset => (Reply::HostRefused, Reason::HostRefused),
        Fault::HostUnreachable => (Reply::HostUnreachable, Reason::HostUnreachable),
        Fault::NetUnreachable => (Reply::NetUnreachable, Reason::HostUnreachable),
        Fault::TimedOut => (Reply::HostUnreachable, Reason::HostTimeout),
        Fault::Exhausted => (Reply::Failure, Reason::Exhausted),
        Fault::Cancelled | Fault::Record(_) | Fault::Other(_) => (Reply::Failure, Reason::HostUnreachable),
    }
}

/// A listener of our own that does not take a connection is not a host that is down.
fn of_portal(reason: Reason) -> Reason {
    if matches!(reason, Reason::HostRefused | Reason::HostUnreachable | Reason::HostTimeout) {
        Reason::PortalDown
    } else {
        reason
    }
}

/// The PROXY header for the portal, in a buffer with room for as much of `plain` bytes as one send should carry.
fn header(facts: &Facts, tls: &tls::Facts, plain: usize, turn: &mut Turn<'_>) -> Result<Buf, Reason> {
    let mut room = [0; HEADER_BYTES_MAX];
    let id = facts.key.to_string();
    let version = match tls.version {
        Version::Tls12 => "TLSv1.2",
        Version::Tls13 => "TLSv1.3",
    };
    let header = Header {
        source: facts.client,
        destination: facts.local,
        // A name that is not a host name is left out: the certificate was chosen without it, too.
        authority: tls.sni.as_deref().filter(|name| sluice_proto::name::host_name(name.as_bytes()).is_some()),
        tls: Some(version),
        unique_id: Some(&id),
        alpn: tls.device.then_some(DEVICE_ALPN),
        certificates: tls.certificates.as_deref().and_then(|list| Certificates::read(list).ok()),
    };
    let Ok(head) = header.write(&mut room) else { return Err(never("a PROXY header of our own cannot be written")) };
    let certificates = header.certificates.map_or(&[][..], |certificates| certificates.as_bytes());
    let class = fit(head.len() + certificates.len() + plain).unwrap_or(Class::Large).min(Class::Large);
    let mut buf = take(turn.pool, class).ok_or(Reason::Exhausted)?;
    buf.append(head);
    buf.append(certificates);
    Ok(buf)
}
