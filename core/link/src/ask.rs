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
    /// The virtual server at which the client arrived.
    pub listener: ListenerId,
    /// The launch that its ticket was redeemed for.
    pub launch: LaunchId,
    /// From the client's connect to the reply that told it "connected".
    pub took: Duration,
    /// What that time was spent on; all of them are there.
    pub phases: Phases,
    /// What the client's TLS came to. `None` for one that has shaken no hands, which none does whose bytes flow.
    pub secured: Option<Secured>,
}

/// What a client's TLS came to, for those who look at running sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Secured {
    /// TLS 1.3; else TLS 1.2.
    pub tls13: bool,
    /// Cipher suite, by its IANA name.
    pub suite: &'static str,
    /// The key exchange was a post-quantum hybrid.
    pub post_quantum: bool,
}

/// What the time of a beginning session was spent on: one behind the other, without gaps. A phase that was not completed is not
/// there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// From the client's connect to the end of its TLS handshake.
    pub handshake: Option<Duration>,
    /// Until the opening named a ticket, or was found to be for the portal.
    pub preface: Option<Duration>,
    /// Until control had answered to the ticket, whatever the answer was.
    pub redeem: Option<Duration>,
    /// Until the host, or the portal, was connected, its TLS included.
    pub connect: Option<Duration>,
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
    /// How far it came, and what took how long.
    pub phases: Phases,
}
