//! What went wrong in TLS: whose fault, which alert says so, which reason is logged.

use std::fmt;

use sluice_link::reason::Reason;
use thiserror::Error;

use crate::event::Leg;

/// An alert to be sent, as level and description of RFC 8446, section 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Alert {
    /// 1 is a warning, 2 is fatal.
    pub level: u8,
    /// What it says.
    pub description: u8,
}

impl Alert {
    /// An orderly end.
    pub const CLOSE_NOTIFY: Self = Self { level: 1, description: 0 };
    /// The answer to a wish for renegotiation.
    pub const NO_RENEGOTIATION: Self = Self { level: 1, description: 100 };

    const fn fatal(description: u8) -> Self {
        Self { level: 2, description }
    }
}

/// What rustls said. For logs; never matched on.
#[derive(Clone)]
pub struct Cause(pub(super) rustls::Error);

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for Cause {}

/// A handshake that failed.
#[derive(Clone, Debug, Error)]
pub enum TlsFault {
    /// The first bytes are not a TLS handshake record. Nothing is to be answered.
    #[error("the first bytes are not TLS")]
    NotTls,
    /// The ClientHello is larger than allowed.
    #[error("the ClientHello is larger than allowed")]
    HelloTooLong,
    /// The handshake does not begin with a ClientHello.
    #[error("the handshake does not begin with a ClientHello")]
    BadHello,
    /// The ClientHello breaks its grammar.
    #[error("the ClientHello is malformed")]
    MalformedHello(#[source] Cause),
    /// A later message breaks its grammar.
    #[error("a handshake message is malformed")]
    Malformed(#[source] Cause),
    /// The handshake is longer than allowed.
    #[error("the handshake is longer than allowed")]
    TooLong,
    /// Nothing in common, or a message that breaks the rules.
    #[error("the handshake failed")]
    Refused(#[source] Cause),
    /// The other side sent a fatal alert.
    #[error("the other side sent alert {0}")]
    Alerted(u8),
    /// The other side said goodbye before the handshake was complete.
    #[error("the other side closed during the handshake")]
    Closed,
    /// The other side's certificate is not acceptable, or it has shown none.
    #[error("the other side's certificate is not acceptable")]
    Certificate(#[source] Cause),
    /// What the host shall be called is neither a DNS name nor an address: the operator's fault, or the authority's.
    #[error("the host's name is neither a DNS name nor an address")]
    BadName,
    /// Something that cannot be: our fault.
    #[error("a state that cannot be was found in a handshake")]
    Never,
}

impl TlsFault {
    /// The reason under which the session ends.
    #[must_use]
    pub fn reason(&self, leg: Leg) -> Reason {
        match (leg, self) {
            (_, Self::Never) => Reason::Never,
            (Leg::Host, _) => Reason::HostTls,
            (Leg::Client, Self::NotTls) => Reason::NotTls,
            (Leg::Client, Self::HelloTooLong | Self::BadHello | Self::MalformedHello(_)) => Reason::BadHello,
            (Leg::Client, Self::Certificate(_)) => Reason::ClientCertificate,
            (Leg::Client, Self::TooLong | Self::Malformed(_) | Self::Refused(_) | Self::BadName) => Reason::TlsRefused,
            (Leg::Client, Self::Alerted(_)) => Reason::TlsAlert,
            (Leg::Client, Self::Closed) => Reason::ClientGone,
        }
    }
}

/// A record that ends the session. Nothing of the buffer in which it was found may be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RecordFault {
    /// It does not authenticate, or is shorter than a tag.
    #[error("a record failed authentication")]
    BadMac,
    /// It is longer than allowed, sealed or opened.
    #[error("a record is longer than allowed")]
    Overflow,
    /// Its type or version has no place here.
    #[error("a record of a type that has no place here")]
    Unexpected,
    /// Its content breaks the grammar.
    #[error("a record that cannot be read")]
    Decode,
    /// A field in it has a value that is not allowed.
    #[error("a record with a value that is not allowed")]
    IllegalParameter,
    /// Too many empty records in a row.
    #[error("too many empty records in a row")]
    TooManyEmpty,
    /// Too many key updates, or too fast.
    #[error("too many key updates")]
    TooManyKeyUpdates,
    /// Too many warnings.
    #[error("too many warning alerts")]
    TooManyWarnings,
    /// A TLS 1.2 peer wants to renegotiate.
    #[error("the other side asked for a renegotiation")]
    Renegotiation,
    /// The other side sent this alert.
    #[error("the other side sent alert {0}")]
    Alerted(u8),
    /// The other side has changed its key, and the kernel has ours and cannot change it. It broke no rule.
    #[error("the other side changed its key, and the kernel cannot")]
    KernelKey,
    /// Something that cannot be: our fault.
    #[error("a state that cannot be was found in the record engine")]
    Never,
}

impl RecordFault {
    /// What the other side is to be told, if anything.
    #[must_use]
    pub fn alert(self) -> Option<Alert> {
        match self {
            Self::BadMac => Some(Alert::fatal(20)),
            Self::Overflow => Some(Alert::fatal(22)),
            Self::Unexpected | Self::TooManyEmpty | Self::TooManyKeyUpdates | Self::TooManyWarnings => Some(Alert::fatal(10)),
            Self::Decode => Some(Alert::fatal(50)),
            Self::IllegalParameter => Some(Alert::fatal(47)),
            Self::Renegotiation => Some(Alert::NO_RENEGOTIATION),
            Self::Alerted(_) => None,
            Self::KernelKey => Some(Alert::CLOSE_NOTIFY),
            Self::Never => Some(Alert::fatal(80)),
        }
    }

    /// The reason under which the session ends.
    #[must_use]
    pub fn reason(self, leg: Leg) -> Reason {
        match (leg, self) {
            (_, Self::Never) => Reason::Never,
            (_, Self::KernelKey) => Reason::KeySpent,
            (Leg::Host, _) => Reason::HostTls,
            (Leg::Client, Self::Alerted(_)) => Reason::TlsAlert,
            (Leg::Client, _) => Reason::TlsBroken,
        }
    }
}

/// Plaintext that could not be sealed. The session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SealFault {
    /// The key has to be changed, which TLS 1.2 cannot, nor the kernel if that has it. A `close_notify` can still be sent.
    #[error("the key has to be changed and cannot be")]
    KeySpent,
    /// An alert has been sent: the caller's fault.
    #[error("nothing may follow an alert")]
    Closed,
    /// More than fits into one call, or no room around the payload: the caller's fault.
    #[error("the payload does not fit")]
    NoRoom,
    /// Something that cannot be: our fault.
    #[error("a state that cannot be was found in the record engine")]
    Never,
}

impl SealFault {
    /// The reason under which the session ends.
    #[must_use]
    pub fn reason(self) -> Reason {
        match self {
            Self::KeySpent => Reason::KeySpent,
            Self::Closed | Self::NoRoom | Self::Never => Reason::Never,
        }
    }
}
