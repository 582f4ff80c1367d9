//! What control tells a worker.

use std::net::SocketAddr;

use crate::id::{HostTlsId, LaunchId, SessionKey};
use crate::reason::Reason;
use crate::time::Moment;

/// One message to a worker.
#[derive(Clone, Debug)]
pub enum Tell {
    /// The answer to one [`crate::ask::Redeem`].
    Redeemed {
        /// The asker. If it is gone, the answer is dropped and counted as stale.
        key: SessionKey,
        /// Where to connect, or why not.
        verdict: Result<Target, Refusal>,
    },
    /// Take no new connections; let sessions run until `deadline`, then end them with [`Reason::Drained`].
    Drain {
        /// On the monotonic clock.
        deadline: Moment,
    },
    /// End this session.
    Kill {
        /// Which. A stale key is ignored.
        key: SessionKey,
        /// What its record shall say.
        reason: Reason,
    },
    /// End all sessions and the thread.
    Stop,
}

/// Where a redeemed ticket leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The resolved address, already checked against the allow-list. Nothing else is ever dialled.
    pub address: SocketAddr,
    /// The launch that this is.
    pub launch: LaunchId,
    /// TLS towards the host, if it is configured so.
    pub tls: Option<HostTls>,
}

/// TLS towards a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostTls {
    /// Which profile (trust anchors). Looked for in the session's own snapshot; if that is older than the profile, in the newest.
    pub profile: HostTlsId,
    /// The name or address that the host's certificate must be valid for.
    pub name: Box<str>,
}

/// Why a ticket did not lead anywhere. The first three are the client's or its ticket's fault, the rest are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its authority does not know it: never issued, expired or already used.
    Ticket,
    /// No configured authority has the id in the ticket.
    UnknownSta,
    /// The authority named an address outside the allow-list, or none of the wanted kind.
    Address,
    /// Too many failures from this source lately.
    Throttled,
    /// The authority did not answer in time or not in its protocol.
    StaOutage,
    /// The host's name could not be resolved.
    Unresolved,
    /// Control has too much to do, or is being rebuilt.
    Busy,
}
