//! Every way in which a launch can fail.
//!
//! ```text
//! exit  2      arguments            (from the argument parser)
//!      10      the ICA file
//!      11      our own side: certificates to trust, local port
//!      12      no way to the gateway: name, network, port
//!      13      certificate not trusted        14  certificate for another name
//!      15      TLS refused                    16  deadline passed
//!      17      closed without a reply         18  not a SOCKS5 reply      19  no method accepted
//!      21–28   refused, with SOCKS5 reply 01 to 08; 29 for any other
//!      30      cut off after it was connected, by the gateway; 31 by the local end
//! ```

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use gate_proto::host_port::HostPort;
use gate_proto::ica_file::read::NotLaunchable;
use rustls::AlertDescription;
use thiserror::Error;

use super::relay::Broken;

/// Why there is no session. The message says what was tried; the cause is its source.
#[derive(Debug, Error)]
pub enum Fault {
    /// The file cannot be read from disk.
    #[error("cannot read ICA file {path}")]
    FileUnreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not for a launch through a gateway.
    #[error("cannot launch {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: NotLaunchable,
    },
    /// The certificates to trust cannot be used.
    #[error("no usable certificate authority in {path}")]
    Trust {
        /// Which file.
        path: PathBuf,
        /// Why, if it is not simply empty.
        source: Option<rustls_pki_types::pem::Error>,
    },
    /// TLS could not be set up on our side.
    #[error("cannot set up TLS")]
    Setup(#[source] rustls::Error),
    /// The local port cannot be opened, or nobody can connect to it.
    #[error("cannot serve {address}")]
    Local {
        /// Which.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The gateway's name does not resolve, or nothing answers at its address.
    #[error("cannot connect to gateway {gateway}")]
    Unreachable {
        /// Which.
        gateway: HostPort,
        /// Why.
        source: io::Error,
    },
    /// The gateway showed a certificate that nobody we trust vouches for.
    #[error("the certificate of {gateway} is not trusted (use --ca for a private authority)")]
    NotTrusted {
        /// Which.
        gateway: HostPort,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// The gateway showed a certificate for another name.
    #[error("{gateway} showed a certificate for another name: this may be another machine")]
    OtherName {
        /// Which.
        gateway: HostPort,
        /// The names that it is for.
        source: rustls::Error,
    },
    /// The gateway refused the handshake with an alert.
    #[error("{gateway} refused TLS with alert {alert:?}")]
    Alert {
        /// Which.
        gateway: HostPort,
        /// What it said.
        alert: AlertDescription,
    },
    /// What answers does not speak TLS, or not a kind that we speak.
    #[error("TLS with {gateway} failed: is that port a gateway's?")]
    Tls {
        /// Which.
        gateway: HostPort,
        /// Why.
        source: io::Error,
    },
    /// It did not happen in time.
    #[error("{gateway} did not get as far as {stage} within {} s", .wait.as_secs())]
    Deadline {
        /// Which.
        gateway: HostPort,
        /// What was waited for.
        stage: Stage,
        /// How long.
        wait: Duration,
    },
    /// The gateway closed the connection where an answer was due.
    #[error("{gateway} closed the connection without an answer at {stage}")]
    ClosedWithoutReply {
        /// Which.
        gateway: HostPort,
        /// What was waited for.
        stage: Stage,
        /// How it was closed, if not in good order.
        source: Option<io::Error>,
    },
    /// The answer is not of SOCKS5.
    #[error("{gateway} answered something other than SOCKS5, beginning {first:02x?}")]
    NotSocks {
        /// Which.
        gateway: HostPort,
        /// Its first bytes.
        first: Vec<u8>,
    },
    /// The gateway wants a login where a ticket has to do.
    #[error("{gateway} accepts no SOCKS5 method that we offer")]
    NoMethod {
        /// Which.
        gateway: HostPort,
    },
    /// The gateway refused the ticket or could not connect it.
    #[error("{gateway} answered: {reply}")]
    Refused {
        /// Which.
        gateway: HostPort,
        /// Why.
        reply: Reply,
    },
    /// The session broke off after it was connected.
    #[error("the session was cut off")]
    CutOff(#[source] Broken),
}

/// What a launch is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Stage {
    /// TCP.
    #[error("a connection")]
    Connect,
    /// TLS.
    #[error("the end of the TLS handshake")]
    Handshake,
    /// The choice of a SOCKS5 method.
    #[error("the choice of a method")]
    Method,
    /// The reply to the ticket.
    #[error("the reply to the ticket")]
    Reply,
}

/// A SOCKS5 reply other than 00, in words that say what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Reply {
    /// 01
    #[error("it could not ask the ticket's authority (STA), or failed inside (reply 01); try again with a new ICA file")]
    Failure,
    /// 02
    #[error("ticket refused (reply 02): expired, used before or unknown to its authority; fetch a new ICA file")]
    TicketRefused,
    /// 03
    #[error("the network of the host cannot be reached (reply 03)")]
    NetworkUnreachable,
    /// 04
    #[error("the host cannot be reached or does not answer (reply 04)")]
    HostUnreachable,
    /// 05
    #[error("the host refused the connection (reply 05): its ICA service is not running")]
    HostRefused,
    /// 06
    #[error("the way to the host is too long (reply 06)")]
    TtlExpired,
    /// 07
    #[error("it does not support CONNECT (reply 07): is that port a gateway's?")]
    CommandNotSupported,
    /// 08
    #[error("it did not take the ticket as a name (reply 08): is that port a gateway's?")]
    AddressNotSupported,
    /// Anything else.
    #[error("reply {0:02x}, which has no meaning in SOCKS5")]
    Unknown(u8),
}

impl Reply {
    /// The reply that `code` stands for; `None` is success.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0x00 => return None,
            0x01 => Self::Failure,
            0x02 => Self::TicketRefused,
            0x03 => Self::NetworkUnreachable,
            0x04 => Self::HostUnreachable,
            0x05 => Self::HostRefused,
            0x06 => Self::TtlExpired,
            0x07 => Self::CommandNotSupported,
            0x08 => Self::AddressNotSupported,
            other => Self::Unknown(other),
        })
    }

    fn exit_code(self) -> u8 {
        match self {
            Self::Failure => 21,
            Self::TicketRefused => 22,
            Self::NetworkUnreachable => 23,
            Self::HostUnreachable => 24,
            Self::HostRefused => 25,
            Self::TtlExpired => 26,
            Self::CommandNotSupported => 27,
            Self::AddressNotSupported => 28,
            Self::Unknown(_) => 29,
        }
    }
}

impl Fault {
    /// What the process ends with, as in the table above.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::FileUnreadable { .. } | Self::File { .. } => 10,
            Self::Trust { .. } | Self::Setup(_) | Self::Local { .. } => 11,
            Self::Unreachable { .. } => 12,
            Self::NotTrusted { .. } => 13,
            Self::OtherName { .. } => 14,
            Self::Alert { .. } | Self::Tls { .. } => 15,
            Self::Deadline { .. } => 16,
            Self::ClosedWithoutReply { .. } => 17,
            Self::NotSocks { .. } => 18,
            Self::NoMethod { .. } => 19,
            Self::Refused { reply, .. } => reply.exit_code(),
            Self::CutOff(Broken::Gateway(_) | Broken::Ours) => 30,
            Self::CutOff(Broken::Local(_)) => 31,
        }
    }

    /// The whole chain of causes in one line.
    #[must_use]
    pub fn in_words(&self) -> String {
        chain(self)
    }
}

/// An error and its causes, joined by colons.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |words, cause| format!("{words}: {cause}"))
}
