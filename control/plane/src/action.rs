//! What the doors may ask of the owner: the whole surface of control state, in one enum, phase by phase.
//!
//! Each action carries the channel for its reply. A door that is gone by then loses nothing but the reply.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use gate_auth::guard::{Source, Wait};
use gate_auth::sessions::{Login, Token, TooManyLogins};
use gate_auth::tickets::{Code, Kind, NoSuchTicket, TableFull};
use gate_auth::users::Check;
use gate_proto::xml::sta::Value;
use secrecy::SecretString;
use sluice_link::ask::{Closed, Opened};
use sluice_link::id::LaunchId;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::random::NoRandom;

/// Actions that may wait; a door that finds the queue full waits, within its own deadline.
pub(crate) const ACTIONS_MAX: usize = 1024;

/// The owner has ended, or broke on this very action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the owner of control state did not answer")]
pub(crate) struct NoOwner;

/// A user who is known to be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    /// As the operator wrote it.
    pub(crate) name: Arc<str>,
    /// The domain shown to the farm; may be empty.
    pub(crate) domain: Arc<str>,
    /// Groups.
    pub(crate) groups: Arc<[String]>,
}

/// Somebody says a name and a password.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    /// As typed, with or without a domain in it.
    pub(crate) user: String,
    /// The domain, if it was said apart.
    pub(crate) domain: Option<String>,
    /// What is to be checked.
    pub(crate) password: SecretString,
    /// Where it comes from; `None` if a peer that guards its own users passes it on.
    pub(crate) source: Option<Source>,
}

/// What is to be done about a [`Claim`].
#[derive(Debug)]
pub(crate) enum Trial {
    /// Nothing: it was found right lately.
    Known(Person),
    /// The slow check, then [`Action::Tried`].
    Work(Check),
    /// Not now.
    Wait(Wait),
}

/// A launch, for the log lines about its session.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// The virtual server.
    pub(crate) vserver: Arc<str>,
    /// The client.
    pub(crate) client: SocketAddr,
    /// The host.
    pub(crate) host: SocketAddr,
    /// User, as the authority told; untrusted text.
    pub(crate) user: String,
    /// Domain, likewise.
    pub(crate) domain: String,
    /// Resource, likewise.
    pub(crate) resource: String,
    /// The ticket, masked.
    pub(crate) ticket: String,
}

/// How full the tables are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) logins: usize,
    pub(crate) tickets: usize,
    pub(crate) launches: usize,
}

pub(crate) type ReplyTo<T> = oneshot::Sender<T>;

/// One thing to be done to control state.
pub(crate) enum Action {
    // --- who is it?
    /// A claim is to be checked. Counted as failed until [`Action::Tried`] says otherwise.
    Try(Claim, ReplyTo<Trial>),
    /// The slow check was done and `right` came out.
    Tried { claim: Claim, check: Check, right: bool, reply: ReplyTo<Option<Person>> },

    // --- portal logins
    /// A login begins, and ends the one whose cookie the browser showed before.
    Enter {
        person: Person,
        password: SecretString,
        client: IpAddr,
        replaces: Option<String>,
        reply: ReplyTo<Result<Token, NotEntered>>,
    },
    /// Whose cookie is that?
    Who { cookie: String, reply: ReplyTo<Option<(Login, String)>> },
    /// A login ends, if the form token is its own.
    Leave { cookie: String, form_token: String, reply: ReplyTo<bool> },

    // --- the embedded farm
    /// A ticket of the embedded authority number `sta`.
    IssueSta { sta: usize, issuer: IpAddr, kind: Kind, values: Vec<Value>, reply: ReplyTo<Result<Code, NotIssued>> },
    /// A ticket comes back.
    RedeemSta { sta: usize, code: SecretString, reply: ReplyTo<Result<Vec<Value>, NoSuchTicket>> },
    /// A logon ticket for `user`, or a launch reference, which has two digits more.
    IssueLogon { issuer: IpAddr, user: Arc<str>, is_reference: bool, reply: ReplyTo<Result<Code, NotIssued>> },

    // --- tickets at the gateway
    /// May this source present a ticket?
    MayPresent(Source, ReplyTo<bool>),
    /// It presented a bad one.
    PresentedBad(Source),
    /// A ticket led to a host.
    Launched(Box<Launch>, ReplyTo<LaunchId>),
    /// Its session's bytes flow.
    Opened(Opened),
    /// A session is over.
    Closed(Box<Closed>),

    // --- the owner itself
    /// How full are the tables?
    Count(ReplyTo<Counts>),
    /// Throw out what has expired.
    Sweep,
}

/// Why nobody entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum NotEntered {
    /// The table is full.
    #[error(transparent)]
    TooMany(#[from] TooManyLogins),
    /// No token could be made.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
}

/// Why no ticket was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum NotIssued {
    /// The table is full.
    #[error(transparent)]
    Full(#[from] TableFull),
    /// None could be made.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
}

/// The doors' end of the queue to the owner.
#[derive(Clone, Debug)]
pub(crate) struct Owned {
    queue: mpsc::Sender<Action>,
}

impl Owned {
    pub(crate) fn new(queue: mpsc::Sender<Action>) -> Self {
        Self { queue }
    }

    /// Sends what `make` makes of a reply channel, and waits for the reply.
    pub(crate) async fn ask<T>(&self, make: impl FnOnce(ReplyTo<T>) -> Action) -> Result<T, NoOwner> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(make(reply)).await.map_err(|_| NoOwner)?;
        answer.await.map_err(|_| NoOwner)
    }

    /// Sends an action that has no reply.
    pub(crate) async fn tell(&self, action: Action) {
        // Without an owner there is nobody whom it would concern.
        let _ = self.queue.send(action).await;
    }
}
