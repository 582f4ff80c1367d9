//! What a conversation waits for: one struct for each, with just what is known then.
//!
//! ```text
//!   Fresh ──────────► Form ◄──────────────┐ failed, may try again          Scan ──► the next factor, Granted or Over
//!     │                │ post             │                                  ▲
//!     └──enter a factor┴─► Asking ────────┴─► the next factor ──────────────┘
//!                           │  ▲
//!                must change│  │post
//!                           ▼  │
//!     Certificate, Change, Challenged, Managing ─────────► every state: Over (cancelled, too many tries, refused)
//! ```

use gate_config::model::SchemaName;
use gate_config::model::authentication::ClientExpression;
use secrecy::SecretString;

use super::before::Wanted;
use super::devices::{Deed, DevicesView, Managing};
use super::event::{Denial, Shown};
use super::place::Place;
use super::question::Challenge;
use super::scan::Exchange;
use super::view::{CertificateView, ScanView, View};

/// What is waited for.
pub(super) enum State {
    /// The first event.
    Fresh,
    /// A form to come back.
    Form(Box<Form>),
    /// The client to be looked at.
    Scan(Box<Scanning>),
    /// The client to show a certificate.
    Certificate(Box<Showing>),
    /// Somebody outside to answer.
    Asking(Box<Asking>),
    /// The user's new password.
    Change(Box<Change>),
    /// The user's reply to a server that asked back.
    Challenged(Box<Challenged>),
    /// The user to look after his devices.
    Managing(Box<Managing>),
    /// Nothing more.
    Over(Denial),
}

/// A form of a factor is shown.
pub(super) struct Form {
    pub(super) place: Place,
    pub(super) schema: Option<SchemaName>,
    pub(super) view: View,
    /// The position of the first policy that is tried with what comes back. Those before it have failed without a form.
    pub(super) from: usize,
}

/// The client is being looked at.
pub(super) struct Scanning {
    pub(super) view: ScanView,
    pub(super) exchange: Exchange,
    /// The client has said that it will repeat the look.
    pub(super) announced: bool,
    pub(super) purpose: Purpose,
}

/// What for.
pub(super) enum Purpose {
    /// Classic preauthentication wants it, before the first factor.
    Before(Vec<Wanted>),
    /// A factor wants it.
    Factor {
        /// Which.
        place: Place,
        /// Its policies that were asked about, by ascending priority.
        asked: Vec<Asked>,
    },
    /// Session settings want it, behind the last factor.
    Session {
        /// What must hold.
        expression: ClientExpression,
    },
}

/// One policy whose strings the client was asked.
pub(super) struct Asked {
    /// Its position among the policies of its factor.
    pub(super) at: usize,
    /// The position of its first string in the question.
    pub(super) first: usize,
    /// How many it has.
    pub(super) len: usize,
}

/// Policies of one factor are tried one after the other, with one set of credentials.
pub(super) struct Round {
    pub(super) place: Place,
    /// The position of the policy that is tried.
    pub(super) at: usize,
    /// The form that this came from. `None`: there was none, so that nobody can try again.
    pub(super) form: Option<Box<Form>>,
    pub(super) schema: Option<SchemaName>,
    pub(super) input: Input,
    /// What the last failure said.
    pub(super) failure: Option<super::code::Code>,
    /// Some rule was true.
    pub(super) applied: bool,
    /// Somebody was asked about the secret in it.
    pub(super) guessed: bool,
}

/// Whom a factor is about, and with what he proves it.
#[derive(Clone)]
pub(super) struct Input {
    pub(super) user: String,
    pub(super) domain: String,
    pub(super) password: SecretString,
    /// It is the second password of a form; once it has been used, it is no longer at hand.
    pub(super) second: bool,
}

/// Somebody outside is being asked.
pub(super) struct Asking {
    pub(super) question: u64,
    pub(super) about: About,
    pub(super) round: Round,
}

/// What was asked.
#[derive(Clone)]
pub(super) enum About {
    /// Whether the secret is right.
    Secret,
    /// What is known of a user, without a secret.
    LookUp,
    /// Whether this new password is taken.
    Change(SecretString),
    /// Whether the code is right.
    Code,
    /// Which devices the user has.
    Devices,
    /// What the user does about them, with what is shown and how much was done before.
    Managing(Box<(DevicesView, u32, Deed)>),
}

/// The user is asked for a new password.
pub(super) struct Change {
    pub(super) view: View,
    pub(super) round: Round,
}

/// The client is to show a certificate.
pub(super) struct Showing {
    pub(super) view: CertificateView,
    pub(super) round: Round,
}

/// A server has asked back.
pub(super) struct Challenged {
    pub(super) view: View,
    pub(super) challenge: Challenge,
    pub(super) round: Round,
}

impl State {
    /// The look at the client that is waited for.
    pub(super) fn scanning(&self) -> Option<&Scanning> {
        match self {
            Self::Scan(scanning) => Some(scanning),
            Self::Fresh
            | Self::Form(_)
            | Self::Certificate(_)
            | Self::Asking(_)
            | Self::Change(_)
            | Self::Challenged(_)
            | Self::Managing(_)
            | Self::Over(_) => None,
        }
    }

    /// The same, to go on with it.
    pub(super) fn scanning_mut(&mut self) -> Option<&mut Scanning> {
        match self {
            Self::Scan(scanning) => Some(scanning),
            Self::Fresh
            | Self::Form(_)
            | Self::Certificate(_)
            | Self::Asking(_)
            | Self::Change(_)
            | Self::Challenged(_)
            | Self::Managing(_)
            | Self::Over(_) => None,
        }
    }

    /// What lies before the user.
    pub(super) fn shown(&self) -> Shown {
        match self {
            Self::Form(form) => Shown::Form(form.view.clone()),
            Self::Change(change) => Shown::Form(change.view.clone()),
            Self::Challenged(challenged) => Shown::Form(challenged.view.clone()),
            Self::Managing(managing) => Shown::Form(managing.view.clone()),
            Self::Scan(scanning) => Shown::Scan(scanning.view.clone()),
            Self::Certificate(showing) => Shown::Certificate(showing.view.clone()),
            Self::Fresh | Self::Asking(_) | Self::Over(_) => Shown::Nothing,
        }
    }

    /// The number of what lies before the user.
    pub(super) fn step(&self) -> Option<u32> {
        match self.shown() {
            Shown::Form(view) => Some(view.step),
            Shown::Scan(view) => Some(view.step),
            Shown::Certificate(view) => Some(view.step),
            Shown::Nothing => None,
        }
    }
}
