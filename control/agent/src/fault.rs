//! Why the agent has stopped, by whose fault, and the exit code that says so.

use std::io;
use std::path::PathBuf;

use gate_proto::epa::BadClientString;
use thiserror::Error;

use crate::http::Malformed;
use crate::link::NoAim;
use crate::question::BadQuestion;
use crate::rounds::End;

/// Done: the gateway is satisfied, or has ended what it was satisfied with.
pub const DONE: u8 = 0;
/// The gateway is not satisfied with this machine.
pub const REFUSED: u8 = 1;
/// Arguments, link, files of the caller's.
pub const USAGE: u8 = 2;
/// The gateway cannot be reached, or is not who it says.
pub const NO_GATEWAY: u8 = 3;
/// The gateway's answers are none.
pub const BAD_GATEWAY: u8 = 4;
/// The user has not agreed.
pub const NOT_AGREED: u8 = 5;
/// The gateway does not know this scan, or wants none.
pub const NOT_WANTED: u8 = 6;

/// Why nothing was answered.
#[derive(Debug, Error)]
pub enum Fault {
    /// There is nowhere to go.
    #[error(transparent)]
    Aim(#[from] NoAim),
    /// Nobody can be trusted.
    #[error("no certificates of authorities in {}", path.display())]
    Trust {
        /// The file.
        path: PathBuf,
        /// Why, unless it is just empty.
        source: Option<rustls_pki_types::pem::Error>,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
    /// No connection, or it broke.
    #[error("the gateway cannot be reached: {0}")]
    Unreached(#[source] io::Error),
    /// The certificate is not one for this gateway from an authority that is trusted.
    #[error("the gateway's certificate is not to be trusted: {0}")]
    Untrusted(#[source] rustls::Error),
    /// The gateway is busy or broken, with this status.
    #[error("the gateway is busy (status {0})")]
    Busy(u16),
    /// What came is not HTTP as it is accepted here.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A status that has no meaning here.
    #[error("the gateway answers with status {0}")]
    Status(u16),
    /// The question is none.
    #[error(transparent)]
    Question(#[from] BadQuestion),
    /// The answer cannot be sealed.
    #[error("the answer cannot be encrypted")]
    Sealing,
    /// The gateway wants no scan now.
    #[error("the gateway wants no scan now")]
    NotWanted,
    /// The user said no.
    #[error("the user has not agreed")]
    NotAgreed,
    /// There is nobody to ask.
    #[error("nobody can be asked for consent: no terminal")]
    Nobody,
    /// What is to be explained is no question.
    #[error("{text} is no question: {why}")]
    Unexplained {
        /// What was given.
        text: String,
        /// Why.
        why: BadClientString,
    },
    /// Something of the user's cannot be read or written.
    #[error("{action}: {source}")]
    Own {
        /// What was tried.
        action: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl Fault {
    /// What a shell is told.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Aim(_) | Self::Trust { .. } | Self::Setup(_) | Self::Unexplained { .. } | Self::Own { .. } => USAGE,
            Self::Unreached(_) | Self::Untrusted(_) | Self::Busy(_) => NO_GATEWAY,
            Self::Malformed(_) | Self::Status(_) | Self::Question(_) | Self::Sealing => BAD_GATEWAY,
            Self::NotAgreed | Self::Nobody => NOT_AGREED,
            Self::NotWanted => NOT_WANTED,
        }
    }
}

impl End {
    /// What a shell is told.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Passed | Self::Forgotten => DONE,
            Self::Refused => REFUSED,
            Self::NeverKnown => NOT_WANTED,
            Self::Lost => NO_GATEWAY,
        }
    }
}
