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
    /// Cipher suites that are offered; empty: all of [`Suite::ALL`].
    pub suites: Vec<Suite>,
    /// Groups for the key exchange, best first as far as clients guess right; empty: all of [`KeyGroup::ALL`], the first of them if `post_quantum` says so.
    pub groups: Vec<KeyGroup>,
    /// How what clients are sent is cut into records.
    pub records: RecordSizes,
    /// Who opens and seals records, once a handshake is over.
    pub engine: RecordEngine,
    /// Whose certificates are asked for.
    pub clients: Clients,
}

impl Default for Tls {
    /// Everything, for no certificate.
    fn default() -> Self {
        Self {
            certificates: Vec::new(),
            tls12: true,
            tls13: true,
            post_quantum: true,
            resumption: true,
            suites: Vec::new(),
            groups: Vec::new(),
            records: RecordSizes::default(),
            engine: RecordEngine::default(),
            clients: Clients::default(),
        }
    }
}

/// Certificates that clients are asked for. Where everybody is asked, sessions are not resumed: a ticket proves no key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clients {
    /// Who is asked.
    pub asked: Asked,
    /// Who may have issued them.
    pub authorities: Vec<Authority>,
    /// Who may have issued those of machines. Asked for one is who offers [`DEVICE_ALPN`]; empty: nobody.
    pub devices: Vec<Authority>,
    /// Lists of what was revoked, in PEM or DER.
    pub revoked: Vec<Arc<[u8]>>,
}

/// Application protocol of a program that has come to show its machine's certificate.
pub const DEVICE_ALPN: &str = "sluicegate-epadc/1";

/// Who is asked for a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asked {
    /// Nobody.
    #[default]
    Nobody,
    /// Everybody, and it is taken as it comes; control judges it.
    Optional,
    /// Everybody, and there is no connection without one that is good.
    Mandatory,
}

/// Who issues certificates of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// As the operator named it.
    pub name: String,
    /// Its certificate in PEM; all in the file are trusted.
    pub pem: Arc<[u8]>,
    /// Whether it must be known that certificates were not revoked.
    pub revocation: Revocation,
    /// Clients are told that it is one of those whose certificates are wanted.
    pub named: bool,
}

/// Whether it must be known that certificates were not revoked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Revocation {
    /// Nobody looks.
    #[default]
    Ignored,
    /// They must not be in a list that is there.
    Optional,
    /// They must not be in a list that is there and not out of date, and there must be one.
    Mandatory,
    /// A server must be asked about them, and none ever is: no certificate is good.
    Unanswered,
}

/// How a stream is cut into records. A client can use no byte of a record before it has all of it, so on a slow line small ones
/// show sooner; large ones cost less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordSizes {
    /// Most plaintext bytes in a record, 512 to 16,384.
    pub most: u16,
    /// So many bytes after a pause go in small records; 0 is none.
    pub ramp_bytes: u32,
}

impl Default for RecordSizes {
    fn default() -> Self {
        Self { most: 16 * 1024, ramp_bytes: 64 * 1024 }
    }
}

/// Who opens and seals records, once a handshake is over: with the client, and with the host if that speaks TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordEngine {
    /// We do, in place.
    #[default]
    Own,
    /// rustls does, with copies and allocations: what to fall back on, should a fault be found in ours.
    Rustls,
    /// We do, but for what clients of ICA sessions are sent: those records the kernel seals (kTLS, `TLS_TX`), if it can.
    KernelTx,
    /// We do, but for what clients of ICA sessions send: those records the kernel opens (kTLS, `TLS_RX`), if it can.
    KernelRx,
    /// The kernel does both for clients of ICA sessions, if it can, and we do all the rest.
    Kernel,
}

impl RecordEngine {
    /// The kernel shall seal what clients are sent.
    #[must_use]
    pub const fn kernel_seals(self) -> bool {
        matches!(self, Self::KernelTx | Self::Kernel)
    }

    /// The kernel shall open what clients send.
    #[must_use]
    pub const fn kernel_opens(self) -> bool {
        matches!(self, Self::KernelRx | Self::Kernel)
    }
}

macro_rules! named {
    ($(#[doc = $doc:literal])+ $name:ident: $($(#[doc = $own:literal])+ $variant:ident = $first:literal $(, $other:literal)*;)+) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[doc = $own])+ $variant,)+
        }

        impl $name {
            /// All that there are, best first.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// As `NetScaler` spells it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $first,)+ }
            }

            /// Found by any of its spellings, in any case.
            #[must_use]
            pub fn find(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| match one {
                    $(Self::$variant => [$first $(, $other)*].iter().any(|known| known.eq_ignore_ascii_case(name)),)+
                })
            }
        }
    };
}

named! {
    /// A cipher suite that can be offered.
    Suite:
    /// TLS 1.3.
    Tls13Aes256 = "TLS1.3-AES256-GCM-SHA384", "TLS_AES_256_GCM_SHA384", "TLS13_AES_256_GCM_SHA384";
    /// TLS 1.3.
    Tls13Aes128 = "TLS1.3-AES128-GCM-SHA256", "TLS_AES_128_GCM_SHA256", "TLS13_AES_128_GCM_SHA256";
    /// TLS 1.3.
    Tls13ChaCha = "TLS1.3-CHACHA20-POLY1305-SHA256", "TLS_CHACHA20_POLY1305_SHA256", "TLS13_CHACHA20_POLY1305_SHA256";
    /// TLS 1.2, for certificates with ECDSA or Ed25519.
    EcdsaAes256 = "TLS1.2-ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384";
    /// TLS 1.2, for certificates with ECDSA or Ed25519.
    EcdsaAes128 = "TLS1.2-ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
    /// TLS 1.2, for certificates with ECDSA or Ed25519.
    EcdsaChaCha = "TLS1.2-ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256";
    /// TLS 1.2, for certificates with RSA.
    RsaAes256 = "TLS1.2-ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384";
    /// TLS 1.2, for certificates with RSA.
    RsaAes128 = "TLS1.2-ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";
    /// TLS 1.2, for certificates with RSA.
    RsaChaCha = "TLS1.2-ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256";
}

named! {
    /// A group for the key exchange.
    KeyGroup:
    /// Classical and post-quantum together; TLS 1.3 only.
    X25519MlKem768 = "X25519MLKEM768";
    /// Curve25519.
    X25519 = "X_25519", "X25519";
    /// NIST P-256.
    P256 = "P_256", "secp256r1";
    /// NIST P-384.
    P384 = "P_384", "secp384r1";
}

impl Suite {
    /// Whether it is one of TLS 1.3; else it is one of TLS 1.2.
    #[must_use]
    pub const fn is_tls13(self) -> bool {
        match self {
            Self::Tls13Aes256 | Self::Tls13Aes128 | Self::Tls13ChaCha => true,
            Self::EcdsaAes256 | Self::EcdsaAes128 | Self::EcdsaChaCha | Self::RsaAes256 | Self::RsaAes128 | Self::RsaChaCha => {
                false
            }
        }
    }
}

impl Tls {
    /// Whether a version is offered and has a suite and a group to go with it.
    #[must_use]
    pub fn speaks(&self, tls13: bool) -> bool {
        let on = if tls13 { self.tls13 } else { self.tls12 };
        let suite = self.suites.is_empty() || self.suites.iter().any(|suite| suite.is_tls13() == tls13);
        let group = self.groups.is_empty() || tls13 || self.groups.iter().any(|group| *group != KeyGroup::X25519MlKem768);
        on && suite && group
    }
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
    /// Handshake steps per turn of the loop; more wait for the next turn. A step is a signature and a key agreement, 0.15 to 0.5 ms: few
    /// keep a storm from being felt, and a turn more costs a hundredth of that.
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
            handshake_steps_per_turn: 2,
            bulk_bytes_per_turn: 1024 * 1024,
        }
    }
}
