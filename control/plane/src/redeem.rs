//! Tickets become addresses: asks from the workers in, verdicts out.
//!
//! ```text
//!   next_ask ─► Redeem ─► a task of its own ──────────────────────────────────────────► verdict ─► tell
//!    (bounded)             │ source banned?  pairs in order: authority by id ─► address
//!                          │ name resolved once ─► the resolved address against the allow-list ─► TLS profile
//!                          └─ deadline, panic, too many at once: a verdict too, always exactly one
//!   Opened, Closed ─► owner, for the log
//! ```
//!
//! A task waits for one authority only, so one that hangs holds up nobody's ticket but its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gate_auth::guard::Source;
use gate_config::model::Denied;
use gate_proto::host_port::{Host, HostPort};
use gate_proto::xml::sta::Redeemed;
use sluice_link::ask::{Redeem, Wanted};
use sluice_link::id::SessionKey;
use sluice_link::tell::{Refusal, Target};
use sluice_proto::ticket::Pair;
use thiserror::Error;
use tokio::sync::mpsc;

use crate::action::{Action, LoginOver, Owned, Presented};
use crate::helpers::Helpers;
use crate::reach::sta::{self, NoData, Sta};
use crate::running::Launch;
use crate::world::{Current, World};

/// Tickets being redeemed at the same time; further ones are refused as busy.
pub(crate) const REDEMPTIONS_MAX: usize = 4096;
/// From the ask to the verdict.
pub(crate) const REDEEM_TIME: Duration = Duration::from_secs(5);
/// How long a ticket waits for an authority that has never told its id.
const FIRST_ID_TIME: Duration = Duration::from_secs(2);
/// Port of ICA, if the authority names none.
const ICA_PORT: u16 = 1494;
/// Port of session reliability, likewise.
const CGP_PORT: u16 = 2598;
/// Longest text taken from an authority for log lines, in characters.
const LOG_CHARS_MAX: usize = 256;

/// Why a ticket led nowhere, for the log. The client is told no more than [`Refusal`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Why {
    /// Its source is banned.
    #[error("too many bad tickets from this source")]
    Throttled,
    /// The asker's listener is none of ours. A bug, or a configuration that has just changed.
    #[error("no such virtual server")]
    Listener,
    /// No authority of the virtual server has this id.
    #[error("no ticket authority with id {0} is bound here")]
    UnknownSta(String),
    /// There is one that has never told its id.
    #[error("no ticket authority with id {0} is known, and {1} has never told its own")]
    NeverKnown(String, String),
    /// An authority refused, or could not be asked.
    #[error("{sta}: {why}")]
    Sta {
        /// Its URL.
        sta: String,
        /// What it said.
        why: NoData,
    },
    /// The authority named no address of the wanted kind, or none that can be read.
    #[error("the authority named no usable address")]
    NoAddress,
    /// The address is outside the allow-list.
    #[error("{0} may not be connected to: {1}")]
    Denied(SocketAddr, Denied),
    /// The host's name does not resolve.
    #[error("host name {0} does not resolve")]
    Unresolved(String),
    /// It was launched with a login that is over.
    #[error(transparent)]
    LoginOver(#[from] LoginOver),
    /// Too much to do.
    #[error("too many tickets at once")]
    Busy,
    /// It took too long.
    #[error("not done within {} s", REDEEM_TIME.as_secs())]
    Time,
    /// We broke.
    #[error("the redemption broke")]
    Broke,
}

impl Why {
    /// What the client's session is told.
    pub(crate) fn refusal(&self) -> Refusal {
        match self {
            Self::Throttled => Refusal::Throttled,
            Self::Listener | Self::UnknownSta(_) => Refusal::UnknownSta,
            Self::NeverKnown(..) | Self::Time => Refusal::StaOutage,
            Self::Sta { why: NoData::Refused(_), .. } | Self::LoginOver(_) => Refusal::Ticket,
            Self::Sta { why: NoData::Outage(_), .. } => Refusal::StaOutage,
            Self::NoAddress | Self::Denied(..) => Refusal::Address,
            Self::Unresolved(_) => Refusal::Unresolved,
            Self::Sta { why: NoData::NoOwner, .. } | Self::Busy | Self::Broke => Refusal::Busy,
        }
    }

    /// Whether it counts against the client's source: it may have guessed. Who brings a good ticket too late has not.
    fn is_the_clients_fault(&self) -> bool {
        matches!(self.refusal(), Refusal::Ticket | Refusal::UnknownSta) && !matches!(self, Self::LoginOver(_))
    }
}

/// One virtual server, as far as tickets are concerned.
#[derive(Debug)]
pub(crate) struct Vserver {
    pub(crate) name: Arc<str>,
    pub(crate) stas: Vec<Arc<Sta>>,
}

/// Everything that redemptions need.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) current: Current,
    pub(crate) owner: Owned,
    pub(crate) helpers: Arc<Helpers>,
}

/// One of them, with the world it began with.
struct Redemption {
    world: Arc<World>,
    owner: Owned,
    helpers: Arc<Helpers>,
}

/// A finished redemption.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) key: SessionKey,
    pub(crate) client: SocketAddr,
    pub(crate) ticket: String,
    pub(crate) result: Result<Target, Why>,
}

/// Sends exactly one verdict, whatever becomes of the task that holds it.
struct Promise {
    verdict: Option<Verdict>,
    done: mpsc::Sender<Verdict>,
}

impl Promise {
    fn keep(mut self, result: Result<Target, Why>) {
        if let Some(verdict) = &mut self.verdict {
            verdict.result = result;
        }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if let Some(verdict) = self.verdict.take() {
            // The queue has room for every redemption that may be under way; without a receiver nobody is left to tell.
            let _ = self.done.try_send(verdict);
        }
    }
}

/// Redeems `ask` in a task of its own; the verdict goes into `done`, which must have room for [`REDEMPTIONS_MAX`].
pub(crate) fn begin(desk: &Desk, ask: Redeem, done: mpsc::Sender<Verdict>) {
    let ticket = format!("{:?}", ask.ticket);
    let verdict = Verdict { key: ask.key, client: ask.client, ticket, result: Err(Why::Broke) };
    let promise = Promise { verdict: Some(verdict), done };
    let Some(world) = desk.current.now() else { return promise.keep(Err(Why::Listener)) };
    let redemption = Redemption { world, owner: desk.owner.clone(), helpers: desk.helpers.clone() };
    tokio::spawn(async move {
        let result = tokio::time::timeout(REDEEM_TIME, redemption.redeem(&ask)).await.unwrap_or(Err(Why::Time));
        if result.as_ref().err().is_some_and(Why::is_the_clients_fault) {
            redemption.owner.tell(Action::PresentedBad(Source::from(ask.client.ip()))).await;
        }
        promise.keep(result);
    });
}

impl Redemption {
    async fn redeem(&self, ask: &Redeem) -> Result<Target, Why> {
        let source = Source::from(ask.client.ip());
        if !self.owner.ask(|reply| Action::MayPresent(source, reply)).await.map_err(|_| Why::Busy)? {
            return Err(Why::Throttled);
        }
        let vserver = self.world.vservers.get(&ask.listener).ok_or(Why::Listener)?;
        let (redeemed, pair) = ask_authorities(vserver, ask).await?;
        let address = self.address(&redeemed, ask.wanted).await?;
        let connection = redeemed.connection().unwrap_or_default();
        let launch = Box::new(Launch {
            vserver: vserver.name.clone(),
            client: ask.client,
            host: address,
            user: shortened(&connection.user_name),
            domain: shortened(&connection.user_domain),
            resource: shortened(&connection.application_name),
            ticket: format!("{:?}", ask.ticket),
            sta: shortened(pair.sta_id),
            login: None,
        });
        let ticket = Presented { authority: pair.sta_id.to_owned(), code: pair.code.to_owned().into() };
        let launch = self.owner.ask(|reply| Action::Launched(launch, ticket, reply)).await.map_err(|_| Why::Busy)??;
        Ok(Target { address, launch, tls: self.world.model.host_tls(address) })
    }

    /// The address of the wanted kind, resolved and allowed. What is checked here is what will be dialled.
    async fn address(&self, redeemed: &Redeemed, wanted: Wanted) -> Result<SocketAddr, Why> {
        let (text, port) = match wanted {
            Wanted::Ica => (redeemed.ica_address(), ICA_PORT),
            Wanted::Cgp => (redeemed.cgp_address(), CGP_PORT),
        };
        let named = HostPort::parse(text.ok_or(Why::NoAddress)?, port).map_err(|_| Why::NoAddress)?;
        let addresses = match named.host {
            Host::Address(address) => vec![SocketAddr::new(address, named.port)],
            Host::Name(name) => {
                let found = self.helpers.resolve(name.clone(), named.port).await.map_err(|_| Why::Busy)?;
                if found.is_empty() {
                    return Err(Why::Unresolved(shortened(&name)));
                }
                found
            }
        };
        let mut denied = Why::NoAddress;
        for address in addresses {
            match self.world.check(address) {
                Ok(()) => return Ok(address),
                Err(why) => denied = Why::Denied(address, why),
            }
        }
        Err(denied)
    }
}

/// Tries the ticket's pairs in order, each at every authority that has its id; and which pair it was.
async fn ask_authorities<'a>(vserver: &Vserver, ask: &'a Redeem) -> Result<(Redeemed, Pair<'a>), Why> {
    let mut failed: Option<Why> = None;
    for pair in ask.ticket.pairs() {
        let candidates = candidates(vserver, pair.sta_id).await;
        if candidates.is_empty() {
            let id = pair.sta_id.to_owned();
            let silent = vserver.stas.iter().find(|sta| sta.id().is_none());
            let why = match silent {
                Some(silent) => Why::NeverKnown(id, silent.url.clone()),
                None => Why::UnknownSta(id),
            };
            failed = Some(graver(failed, why));
        }
        for sta in candidates {
            match sta.redeem(ask.ticket.version(), pair).await {
                Ok(redeemed) => return Ok((redeemed, pair)),
                Err(why) => failed = Some(graver(failed, Why::Sta { sta: sta.url.clone(), why })),
            }
        }
    }
    Err(failed.unwrap_or(Why::NoAddress))
}

/// The authorities with that id. While some have never told theirs, those are asked first.
async fn candidates<'v>(vserver: &'v Vserver, id: &str) -> Vec<&'v Arc<Sta>> {
    let known = sta::called(&vserver.stas, id);
    if !known.is_empty() {
        return known;
    }
    let mut silent = tokio::task::JoinSet::new();
    for sta in vserver.stas.iter().filter(|sta| sta.id().is_none()) {
        sta.doubt();
        let sta = sta.clone();
        silent.spawn(async move { sta.known().await });
    }
    let told = async {
        while silent.join_next().await.is_some() {
            if vserver.stas.iter().any(|sta| sta.is_called(id)) {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(FIRST_ID_TIME, told).await;
    sta::called(&vserver.stas, id)
}

/// Of two failures the one to tell: an outage leaves it open whether the ticket is good; a refusal says more than an unknown id.
fn graver(before: Option<Why>, now: Why) -> Why {
    let rank = |why: &Why| match why.refusal() {
        Refusal::StaOutage | Refusal::Busy => 2,
        Refusal::Ticket => 1,
        Refusal::UnknownSta | Refusal::Address | Refusal::Throttled | Refusal::Unresolved => 0,
    };
    match before {
        Some(before) if rank(&before) >= rank(&now) => before,
        _ => now,
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(LOG_CHARS_MAX).collect()
}
