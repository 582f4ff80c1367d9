//! What a client is to show.

use std::sync::Arc;
use std::time::Duration;

use gate_config::model::{AskedAt, SchemaName};

use super::code::Code;
use super::devices::DevicesView;
use super::scan::Lack;

/// Field of the old password in the form for a new one. It may be left out by a client that has just sent it.
pub const OLD: &str = "oldpwd";
/// Field of the new password.
pub const NEW: &str = "newpwd";
/// Field of the new password once more.
pub const AGAIN: &str = "confirmedpwd";

/// A form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The factor, by the name of its policy label or virtual server. It is no secret.
    pub factor: Arc<str>,
    /// Which form.
    pub kind: ViewKind,
    /// What went wrong with the last one.
    pub error: Option<Code>,
    /// How long a further try is refused.
    pub wait: Option<Duration>,
    /// What was not as it should be at the client, if it goes on in quarantine since the last form.
    pub lack: Option<Lack>,
    /// What may be filled in beforehand.
    pub prefill: Prefill,
    /// Counts what was shown in this conversation. It comes back with [`Event::Posted`](super::Event::Posted), so that a form is used once
    /// and in its order.
    pub step: u32,
}

/// Which form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewKind {
    /// That of a login schema with a file.
    Schema(SchemaName),
    /// User name and password.
    Single,
    /// User name and two passwords.
    Dual,
    /// Old, new and once more the new password. Its fields are [`OLD`], [`NEW`] and [`AGAIN`].
    ChangePassword {
        /// Whose; not to be edited.
        user: Box<str>,
    },
    /// The user's devices for codes. Its fields are those of [`devices`](super::devices).
    Devices(Box<DevicesView>),
    /// A server asks back. The answer is the form's password.
    Challenge {
        /// In the server's words.
        text: Box<str>,
    },
}

impl ViewKind {
    /// What operators call it.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Schema(name) => name.as_str(),
            Self::Single => "built in, one password",
            Self::Dual => "built in, two passwords",
            Self::ChangePassword { .. } => "for a new password",
            Self::Challenge { .. } => "for a reply",
            Self::Devices(_) => "of devices",
        }
    }
}

/// What may be filled in beforehand: what the same conversation has typed or proven.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefill {
    /// The user's name.
    pub user: Option<Box<str>>,
    /// His domain.
    pub domain: Option<Box<str>>,
}

/// The client is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanView {
    /// The factor, as in [`View::factor`].
    pub factor: Arc<str>,
    /// As [`View::step`].
    pub step: u32,
}

/// The client is to show a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateView {
    /// The factor, as in [`View::factor`].
    pub factor: Arc<str>,
    /// As [`View::step`].
    pub step: u32,
    /// Where it is asked for one.
    pub at: AskedAt,
    /// It was asked before, and may have tried in vain.
    pub again: bool,
}
