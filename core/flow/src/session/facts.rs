//! What stays the same for as long as a session lives, and what is added up on the way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sluice_link::ask::{Closed, Phases, Secured};
use sluice_link::id::{LaunchId, SessionKey};
use sluice_link::reason::Reason;
use sluice_link::snapshot::Limits;
use sluice_link::time::Moment;

use super::{Arrival, Summary};
use crate::tls::{Served, ServedListener};

/// Handed from state to state. Cold: looked at when a state is entered or left.
pub(super) struct Facts {
    pub(super) key: SessionKey,
    pub(super) listener: Arc<ServedListener>,
    pub(super) served: Arc<Served>,
    pub(super) client: SocketAddr,
    pub(super) local: SocketAddr,
    pub(super) at: Moment,
    /// A ticket was handed to control.
    pub(super) ticketed: bool,
    /// The ticket was good, and this is the launch that it was for.
    pub(super) launch: Option<LaunchId>,
    /// It speaks HTTP.
    pub(super) portal: bool,
    pub(super) up_bytes: u64,
    pub(super) down_bytes: u64,
    /// What the time was spent on.
    pub(super) phases: Phases,
    /// What the client's handshake came to, once it has.
    pub(super) secured: Option<Secured>,
    /// When the phase under way began.
    since: Moment,
}

impl Facts {
    pub(super) fn new(arrival: Arrival) -> Self {
        let Arrival { key, listener, served, client, local, at } = arrival;
        Self {
            key,
            listener,
            served,
            client,
            local,
            at,
            ticketed: false,
            launch: None,
            portal: false,
            up_bytes: 0,
            down_bytes: 0,
            phases: Phases::default(),
            secured: None,
            since: at,
        }
    }

    /// A phase is complete and the next begins: how long it took.
    pub(super) fn lap(&mut self, now: Moment) -> Option<Duration> {
        let took = now.since(self.since);
        self.since = now;
        Some(took)
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.served.snapshot.limits
    }

    /// The record of a session that is over.
    pub(super) fn summary(&self, reason: Reason, now: Moment) -> Summary {
        let closed = Closed {
            key: self.key,
            listener: self.listener.id,
            client: self.client,
            launch: self.launch,
            reason,
            up_bytes: self.up_bytes,
            down_bytes: self.down_bytes,
            lived: now.since(self.at),
            phases: self.phases,
        };
        Summary { closed, ticketed: self.ticketed }
    }
}
