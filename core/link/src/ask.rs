//! What a worker asks of, or reports to, the control thread.

use std::net::SocketAddr;
use std::time::Duration;

use sluice_proto::ticket::Ticket;

use crate::id::{LaunchId, ListenerId, SessionKey};
use crate::reason::Reason;

/// One message to control.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Turn this ticket into an address. Answered by exactly one [`crate::tell::Tell::Redeemed`] with the same key.
    Redeem(Redeem),
    /// The host answered and the client was told so: bytes flow from here on.
    Opened(Opened),
    /// The session is over. Sent once for every session that presented a ticket, and for every one that was refused earlier
    /// as long as the queue has room (those are counted anyway).
    Closed(Closed),
}

/// Which of the addresses behind a ticket is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// `ICAAddress`: the client spoke SOCKS5.
    Ica,
    /// `CGPAddress`: the client spoke CGP and relaying it is switched on.
    Cgp,
}

/// A ticket to redeem.
#[derive(Clone, Debug)]
pub struct Redeem {
    /// Who asks, and where the answer goes.
    pub key: SessionKey,
    /// The virtual server at which the client arrived.
    pub listener: ListenerId,
    /// The client's address.
    pub client: SocketAddr,
    /// What it presented.
    pub ticket: Ticket,
    /// Which address is wanted.
    pub wanted: Wanted,
}

/// A session whose bytes flow.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Which.
    pub key: SessionKey,
    /// The launch that its ticket was redeemed for.
    pub launch: LaunchId,
    /// From the client's connect to the reply that told it "connected".
    pub took: Duration,
}

/// A session that ended.
#[derive(Clone, Debug)]
pub struct Closed {
    /// Which.
    pub key: SessionKey,
    /// The virtual server at which the client arrived.
    pub listener: ListenerId,
    /// The client's address.
    pub client: SocketAddr,
    /// The launch, if a ticket was redeemed.
    pub launch: Option<LaunchId>,
    /// Why.
    pub reason: Reason,
    /// Plaintext bytes from client to host.
    pub up_bytes: u64,
    /// Plaintext bytes from host to client.
    pub down_bytes: u64,
    /// How long the connection lasted.
    pub lived: Duration,
}
