//! What the doors may ask of the owner: the whole surface of control state, in one enum, phase by phase.
//!
//! Each action carries the channel for its reply. A door that is gone by then loses nothing but the reply.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use gate_auth::guard::{Source, Wait};
use gate_auth::login::Realm;
use gate_auth::login::scan::ScanNoted;
use gate_auth::seal::SealKey;
use gate_auth::sessions::{Arrival, End, Ended, IcaPolicy, Login, TooManyLogins};
use gate_auth::tickets::{self, Code, Kind, NoSuchTicket, TableFull};
use gate_auth::users::{Check, Users};
use gate_config::expr::Group;
use gate_proto::xml::sta::Value;
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use sluice_link::ask::{Closed, Opened};
use sluice_link::id::{LaunchId, ListenerId, WorkerId};
use sluice_link::spread::Percentiles;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::latency::{Phase, UpTo, VserverLatency};
use crate::login::trace::{Trace, WantedTraces};
use crate::login::{Came, Said, ScanAsked, ScanState, Scanner, Turn};
use crate::random::NoRandom;
use crate::running::{Launch, Running, Wanted};

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

/// A portal says a name and a password. Where that user is it knows, not we.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    /// As typed, with or without a domain in it.
    pub(crate) user: String,
    /// The domain, if it was said apart.
    pub(crate) domain: Option<String>,
    /// What is to be checked.
    pub(crate) password: SecretString,
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

/// An embedded authority's table of tickets: stable while its farm server lives, and never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FarmNumber(pub(crate) u32);

/// What the configuration decides about the owner's tables.
#[derive(Debug)]
pub(crate) struct Tables {
    /// The domain of users who name none.
    pub(crate) nt_domain: Arc<str>,
    /// Local users.
    pub(crate) users: Users,
    /// One table of tickets for each embedded authority; the key is for those that are new.
    pub(crate) farm: Vec<(FarmNumber, SealKey, tickets::Limits)>,
    /// Virtual servers that there are; what was timed at others is forgotten.
    pub(crate) listeners: Vec<ListenerId>,
    /// What holds for logins.
    pub(crate) rules: Rules,
}

/// What the configuration decides about logins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    /// What becomes of ICA sessions when their login ends.
    pub(crate) ica: IcaPolicy,
    /// Most logins at a time.
    pub(crate) users_max: Option<u32>,
    /// What more is said of a virtual server, if anything is.
    pub(crate) vservers: HashMap<Arc<str>, VserverRules>,
}

/// What the configuration decides about logins through a virtual server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct VserverRules {
    /// Most logins at a time.
    pub(crate) users_max: Option<u32>,
    /// A login ends the earlier ones of the same user.
    pub(crate) login_once: bool,
}

/// A ticket as it comes and goes: what of it ties a launch to its login.
pub(crate) struct Presented {
    /// Id of the authority.
    pub(crate) authority: String,
    /// The secret.
    pub(crate) code: SecretString,
}

/// The login for which the portal got a ticket is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the login with which it was launched is over")]
pub(crate) struct LoginOver;

/// Whose a cookie is.
#[derive(Clone, Debug)]
pub(crate) enum Whose {
    /// This login's, with its form token.
    Login(Box<Login>, String),
    /// That of a login that is over, and why.
    Over(End),
    /// Nobody's, as far as is known.
    Nobody,
}

/// What ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Took {
    /// Logins.
    pub(crate) logins: usize,
    /// ICA connections with them.
    pub(crate) connections: usize,
}

/// Which logins. What is not said does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WantedLogins {
    /// Only this one.
    pub(crate) number: Option<u64>,
    /// Of this user, in any spelling of the name.
    pub(crate) user: Option<String>,
    /// Of members of this group.
    pub(crate) group: Option<String>,
}

/// A portal login as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoginSeen {
    pub(crate) number: u64,
    pub(crate) user: Arc<str>,
    pub(crate) domain: Arc<str>,
    pub(crate) groups: Arc<[Group]>,
    pub(crate) arrival: Arrival,
    /// Since when.
    pub(crate) began: Duration,
    /// When it was last used.
    pub(crate) seen: Duration,
    /// When it ends by itself.
    pub(crate) ends: Duration,
    /// ICA connections that were launched with it and run.
    pub(crate) connections: usize,
}

/// Some of what was found, and how many there were.
#[derive(Clone, Debug)]
pub(crate) struct Found<T> {
    /// At most as many as were asked for.
    pub(crate) rows: Vec<T>,
    /// All of them.
    pub(crate) total: usize,
    /// The owner's time, against which ages count.
    pub(crate) now: Duration,
}

/// How full the tables are, and what has been counted since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) logins: usize,
    pub(crate) tickets: usize,
    pub(crate) launches: usize,
    pub(crate) connections: usize,
    /// Logins under way.
    pub(crate) conversations: usize,
    /// Questions that somebody outside is asked for them.
    pub(crate) questions: usize,
    /// Those that wait for that.
    pub(crate) questions_waiting: usize,
    pub(crate) tally: Tally,
}

/// What the owner has counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Passwords of browsers found right.
    pub(crate) logins_right: u64,
    /// Passwords of browsers found wrong.
    pub(crate) logins_wrong: u64,
    /// Logins turned away for a while, since too many failed before.
    pub(crate) logins_held_back: u64,
    /// Portal logins that have begun.
    pub(crate) logins_begun: u64,
    /// Of those, how many ended, and why: in the order of [`End::ALL`].
    pub(crate) logins_ended: [u64; End::ALL.len()],
    /// Tickets that came back to the gateway after their login had ended.
    pub(crate) launches_too_late: u64,
    /// Credentials that portals brought to the embedded XML Service, found right.
    pub(crate) farm_right: u64,
    /// Likewise, found wrong.
    pub(crate) farm_wrong: u64,
    /// Tickets that the embedded authorities have issued.
    pub(crate) tickets_issued: u64,
    /// Tickets that came back to them and were good.
    pub(crate) tickets_redeemed: u64,
    /// Tickets that came back to them and were not.
    pub(crate) tickets_refused: u64,
    /// Sources turned away, since they presented too many bad tickets.
    pub(crate) sources_banned: u64,
    /// Sessions that have run between a client and a host.
    pub(crate) connections: u64,
}

impl Tally {
    /// How many logins ended for one of these reasons.
    pub(crate) fn ended(&self, ends: &[End]) -> u64 {
        ends.iter().filter_map(|end| self.logins_ended.get(end.index())).sum()
    }
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
    /// Whose cookie is that?
    Who { cookie: String, reply: ReplyTo<Whose> },
    /// A login ends, if the form token is its own.
    Leave { cookie: String, form_token: String, reply: ReplyTo<bool> },

    // --- logins under way
    /// Something happened in a login.
    Say { said: Box<Said>, reply: ReplyTo<Turn> },
    /// Somebody outside has answered a question of a login.
    Answered { conversation: u64, question: u64, came: Came },
    /// How far is the look at a client?
    ScanState { at: Scanner, begins: bool, reply: ReplyTo<Option<ScanState>> },
    /// What is the client asked now?
    ScanQuestion { at: Scanner, reply: ReplyTo<Option<ScanAsked>> },
    /// The client says what it has found.
    ScanAnswer { at: Scanner, digits: Option<Zeroizing<Vec<u8>>>, repeats: bool, reply: ReplyTo<Option<ScanNoted>> },
    /// The certificate of the client's machine was judged.
    ScanDevice { at: Scanner, good: bool, reply: ReplyTo<Option<bool>> },
    /// Logins with every decision, the last one first; those that go on before those that are over.
    Traces { wanted: WantedTraces, at_most: usize, reply: ReplyTo<Found<Trace>> },
    /// A user is unlocked in all of `realms`; in how many the user was locked.
    Unlock { user: String, realms: Vec<Realm>, reply: ReplyTo<usize> },

    // --- the embedded farm
    /// A ticket of the embedded authority number `sta`.
    IssueSta { sta: FarmNumber, issuer: IpAddr, kind: Kind, values: Vec<Value>, reply: ReplyTo<Result<Code, NotIssued>> },
    /// A ticket comes back.
    RedeemSta { sta: FarmNumber, code: SecretString, reply: ReplyTo<Result<Vec<Value>, NoSuchTicket>> },
    /// The portal got a ticket for a login that it will hand out; whether the login is still there. `resource` is what it is for.
    Ticketed { login: u64, ticket: Presented, resource: String, reply: ReplyTo<bool> },
    /// A logon ticket for `user`, or a launch reference, which has two digits more.
    IssueLogon { issuer: IpAddr, user: Arc<str>, is_reference: bool, reply: ReplyTo<Result<Code, NotIssued>> },

    // --- tickets at the gateway
    /// May this source present a ticket?
    MayPresent(Source, ReplyTo<bool>),
    /// It presented a bad one.
    PresentedBad(Source),
    /// A ticket led to a host. Whose login is over goes no further.
    Launched(Box<Launch>, Presented, ReplyTo<Result<LaunchId, LoginOver>>),
    /// Its session's bytes flow.
    Opened(Opened),
    /// A session is over.
    Closed(Box<Closed>),

    // --- the owner itself
    /// The configuration has changed. Logins of users who are gone or have another password end; how many those were.
    Settle(Box<Tables>, ReplyTo<usize>),
    /// Sessions that run, at most so many of them.
    Connections { wanted: Wanted, at_most: usize, reply: ReplyTo<Found<Running>> },
    /// Portal logins, at most so many of them.
    Logins { wanted: WantedLogins, at_most: usize, reply: ReplyTo<Found<LoginSeen>> },
    /// Portal logins that ended lately, the last one first, likewise.
    EndedLogins { wanted: WantedLogins, at_most: usize, reply: ReplyTo<Found<Ended>> },
    /// Those logins end, since an operator wants it.
    EndLogins { wanted: WantedLogins, reply: ReplyTo<Took> },
    /// A worker has died, and its sessions with it; how many those were.
    WorkerGone(WorkerId, ReplyTo<usize>),
    /// How long launches took: at one virtual server, or at all of them, since `ClearTimes`.
    Times { listener: Option<ListenerId>, reply: ReplyTo<Vec<(Phase, Percentiles)>> },
    /// For each of `bounds`, how many launches at each of these virtual servers took no longer: phase by phase, since the start.
    UpTo { listeners: Vec<ListenerId>, bounds: &'static [Duration], reply: ReplyTo<Vec<(ListenerId, Vec<UpTo>)>> },
    /// The shown times begin anew.
    ClearTimes(ReplyTo<()>),
    /// How full are the tables?
    Count(ReplyTo<Counts>),
    /// How long did launches take, at each virtual server?
    Latencies(ReplyTo<Vec<VserverLatency>>),
    /// End what is due. Comes every second.
    Tick,
    /// Throw out what has expired.
    Sweep,
    /// Breaks the owner, for the test of what becomes of the others.
    #[cfg(test)]
    Break(ReplyTo<()>),
}

/// Why nobody entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum NotEntered {
    /// The table is full.
    #[error(transparent)]
    TooMany(#[from] TooManyLogins),
    /// As many as the configuration allows are in.
    #[error("as many users as are allowed are logged in")]
    Enough,
    /// It cannot be written down, and then nobody may.
    #[error("the audit log cannot be written")]
    Unaudited,
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
