//! The data plane's settings: an immutable value, built whole by control and published to every worker.
//!
//! A session keeps the snapshot with which it began; new ones see the newest.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::id::{HostTlsId, ListenerId, SnapshotId};

/// Everything that workers need to know.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Counted up by control.
    pub id: SnapshotId,
    /// The virtual servers.
    pub listeners: Vec<Listener>,
    /// Control's inner listener, to which connections that speak HTTP are spliced.
    pub inner: PathBuf,
    /// TLS profiles for hosts, found by [`crate::tell::HostTls::profile`].
    pub host_tls: Vec<HostTlsProfile>,
    /// Deadlines and caps.
    pub limits: Limits,
}

/// One virtual server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Stable while the virtual server lives.
    pub id: ListenerId,
    /// As the operator named it.
    pub name: String,
    /// Where it listens. Port 0 lets the system choose.
    pub address: SocketAddr,
    /// Its side of TLS.
    pub tls: Tls,
    /// What happens to clients that ask for session reliability.
    pub cgp: Cgp,
    /// How fast bytes may flow.
    pub rates: Rates,
}

/// How fast bytes may flow between clients and hosts. The portal's connections are not slowed down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Each session for itself.
    pub session: Speeds,
    /// All sessions of the virtual server together, over all workers.
    pub together: Speeds,
}

/// Plaintext bytes per second, each way; none is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Speeds {
    /// From clients to hosts.
    pub up: Option<NonZeroU64>,
    /// From hosts to clients.
    pub down: Option<NonZeroU64>,
}

/// What happens to CGP openings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cgp {
    /// Closed, counted, and logged with the cure.
    Reject,
    /// Experimental: the ticket is found in the opening, which is passed on unchanged.
    Relay,
}

/// TLS of a virtual server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The first is shown to clients that send no name or an unknown one.
    pub certificates: Vec<CertKey>,
    /// TLS 1.2 is offered.
    pub tls12: bool,
    /// TLS 1.3 is offered.
    pub tls13: bool,
    /// X25519MLKEM768 is offered, first.
    pub post_quantum: bool,
    /// Sessions may be resumed by tickets.
    pub resumption: bool,
}

/// A certificate chain with its key, as PEM text.
#[derive(Clone, PartialEq, Eq)]
pub struct CertKey {
    /// As the operator named it.
    pub name: String,
    /// Certificates in PEM, the server's own first.
    pub chain_pem: Arc<[u8]>,
    /// Private key in PEM: PKCS#8, PKCS#1 or SEC1. Wiped when the last snapshot that holds it goes.
    pub key_pem: Arc<Zeroizing<Vec<u8>>>,
}

impl fmt::Debug for CertKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertKey").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Trust anchors for TLS towards hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostTlsProfile {
    /// As the operator named it.
    pub id: HostTlsId,
    /// CA certificates in PEM.
    pub roots_pem: Arc<[u8]>,
}

/// Deadlines and caps that operators may tune. Defaults are those of the threat model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sessions per worker. The table is made at start; later changes can only lower it, and nobody is sent away for that.
    pub sessions_per_worker: u32,
    /// From accept to the end of the TLS handshake.
    pub handshake: Duration,
    /// From the end of the handshake to a complete opening.
    pub preface: Duration,
    /// From the ticket to control's answer.
    pub redeem: Duration,
    /// To connect to a host, TLS included.
    pub connect: Duration,
    /// Without a byte either way in a spliced session; `None` is for ever.
    pub idle: Option<Duration>,
    /// After one side has ended: how long the other may go on without a byte. It runs from the last byte moved either way, so a
    /// long answer to a half-closed request is not cut.
    pub half_closed: Duration,
    /// After everything has been said: how long until the sockets are closed hard.
    pub linger: Duration,
    /// Connections of one source address (IPv6: /64) that have not yet presented a valid ticket, per worker.
    pub unproven_per_source: u32,
    /// Connections of one source address that speak HTTP, per worker. They do not count as unproven: many browsers behind one
    /// address must not keep launches out.
    pub portal_per_source: u32,
    /// Handshake steps per turn of the loop; more wait for the next turn.
    pub handshake_steps_per_turn: u32,
    /// Bytes of long reads that are worked on in one turn of the loop; more wait for the next turn.
    pub bulk_bytes_per_turn: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions_per_worker: 8192,
            handshake: Duration::from_secs(5),
            preface: Duration::from_secs(10),
            redeem: Duration::from_secs(6),
            connect: Duration::from_secs(3),
            idle: None,
            half_closed: Duration::from_secs(30),
            linger: Duration::from_secs(2),
            unproven_per_source: 64,
            portal_per_source: 256,
            handshake_steps_per_turn: 64,
            bulk_bytes_per_turn: 1024 * 1024,
        }
    }
}
