//! Ticket authorities: the embedded ones, asked in process, and others, asked over HTTP.
//!
//! ```text
//!   vserver ─► its authorities, in order ─┬─ embedded: an action for the owner
//!                                         └─ remote: POST, with a monitor that asks for its id from time to time
//!                                                    up ⇔ it has told an id        120 s, or 5 s while it is down
//! ```
//!
//! An id in a ticket is client input: it only ever chooses among the configured authorities. Two that tell the same id are
//! reported, and tickets with it are tried at both, in order.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use gate_auth::tickets::Kind;
use gate_config::model::{Scheme, Url};
use gate_proto::secret::Secret;
use gate_proto::xml::REQUEST_CAPS;
use gate_proto::xml::sta::{IssueRequest, IssuedTicket, NotIssued, NotRedeemed, Redeemed, RefusalId, Template, Value};
use sluice_proto::ticket::Pair;
use thiserror::Error;
use tokio::sync::{Notify, watch};
use tracing::{debug, error, info, warn};

use super::post::{Endpoint, Outage};
use crate::action::{self, Action, FarmNumber, Owned};
use crate::world::Current;

/// Time between two probes of an authority that is up.
pub(crate) const PROBE_EVERY: Duration = Duration::from_secs(120);
/// Time between two probes of one that is down.
pub(crate) const PROBE_RETRY: Duration = Duration::from_secs(5);
/// From an outage that a redemption met to the probe that looks into it.
pub(crate) const PROBE_DOUBT: Duration = Duration::from_millis(500);
/// For a whole probe.
pub(crate) const PROBE_TIME: Duration = Duration::from_secs(4);
/// An address that is nobody's (RFC 5737): a probe's ticket leads nowhere.
const PROBE_ADDRESS: &str = "192.0.2.1:1";
/// The version of the tickets that the embedded authorities issue.
pub(crate) const TICKET_VERSION: &str = "40";

/// Why an authority did not turn a ticket into an address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum NoData {
    /// It said no: the ticket is bad, and another authority cannot help.
    #[error("refused: {0}")]
    Refused(NotRedeemed),
    /// The authority cannot be asked.
    #[error("outage: {0}")]
    Outage(#[from] Outage),
    /// We cannot: the owner is gone.
    #[error("the owner of control state did not answer")]
    NoOwner,
}

/// Why an authority did not issue a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum NoTicket {
    /// It does not want to, or not in its protocol.
    #[error(transparent)]
    Refused(#[from] NotIssued),
    /// It cannot be asked.
    #[error("outage: {0}")]
    Outage(#[from] Outage),
    /// The embedded one cannot: table full, or no random bytes.
    #[error("the embedded authority: {0}")]
    Embedded(action::NotIssued),
    /// We cannot: the owner is gone.
    #[error("the owner of control state did not answer")]
    NoOwner,
}

/// One authority.
#[derive(Debug)]
pub(crate) struct Sta {
    /// As configured.
    pub(crate) url: String,
    /// Plain HTTP.
    pub(crate) insecure: bool,
    reach: Reach,
    pub(crate) counts: Counts,
    /// The same for all authorities, those that are gone included.
    all: Arc<Counts>,
    state: watch::Sender<State>,
    /// Somebody met an outage: ask again soon.
    doubt: Notify,
}

/// What became of tickets that were brought back.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Tickets sent.
    pub(crate) asked: AtomicU64,
    /// Tickets that it knew.
    pub(crate) redeemed: AtomicU64,
    /// Tickets that it did not.
    pub(crate) refused: AtomicU64,
    /// Questions without a proper answer.
    pub(crate) failed: AtomicU64,
    /// Of those, the ones for which it could not be connected to.
    pub(crate) unreached: AtomicU64,
    /// How long the last answer took, in microseconds.
    pub(crate) last_us: AtomicU64,
}

impl Counts {
    fn count(&self, came: &Result<Redeemed, NoData>, took: Duration) {
        let one = |count: &AtomicU64| count.fetch_add(1, Relaxed);
        one(&self.asked);
        match came {
            Ok(_) => one(&self.redeemed),
            Err(NoData::Refused(_)) => one(&self.refused),
            Err(NoData::Outage(Outage::Connect(_) | Outage::Name | Outage::Tls(_) | Outage::Busy)) => {
                one(&self.unreached);
                one(&self.failed)
            }
            Err(NoData::Outage(Outage::Time | Outage::Ended | Outage::Status(_) | Outage::Protocol(_) | Outage::Body)) => {
                one(&self.failed)
            }
            Err(NoData::NoOwner) => one(&self.failed),
        };
        if matches!(came, Ok(_) | Err(NoData::Refused(_))) {
            self.last_us.store(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
        }
    }
}

/// What is known of an authority.
#[derive(Clone, Debug, Default)]
struct State {
    /// What it called itself last.
    id: Option<Arc<str>>,
    /// It said so when it was last asked; `None`: it was never asked.
    is_up: Option<bool>,
    /// What was wrong when it was last asked, if it was.
    fault: Option<Arc<str>>,
}

#[derive(Debug)]
enum Reach {
    Embedded { number: FarmNumber, owner: Owned },
    Remote(Box<Remote>),
}

#[derive(Debug)]
struct Remote {
    endpoint: Endpoint,
    template: Template,
}

impl Sta {
    /// The embedded authority `number`, whose id is known.
    pub(crate) fn embedded(url: &Url, number: FarmNumber, id: Arc<str>, owner: Owned, all: Arc<Counts>) -> Self {
        Self::new(url, Reach::Embedded { number, owner }, Some(id), all)
    }

    /// One that is somewhere else. Its id is not known until its monitor has asked.
    pub(crate) fn remote(url: &Url, endpoint: Endpoint, all: Arc<Counts>) -> Self {
        Self::new(url, Reach::Remote(Box::new(Remote { endpoint, template: Template::default() })), None, all)
    }

    fn new(url: &Url, reach: Reach, id: Option<Arc<str>>, all: Arc<Counts>) -> Self {
        let insecure = url.scheme == Scheme::Http && matches!(reach, Reach::Remote(_));
        let state = State { is_up: id.is_some().then_some(true), id, fault: None };
        let (state, doubt) = (watch::Sender::new(state), Notify::new());
        Self { url: url.to_string(), insecure, reach, counts: Counts::default(), all, state, doubt }
    }

    /// What it called itself last, whether it is up now or not: a ticket with that id is still a matter for it alone.
    pub(crate) fn id(&self) -> Option<Arc<str>> {
        self.state.borrow().id.clone()
    }

    /// How it is: `UP`, `DOWN`, or `UNKNOWN` before it was first asked; and what was wrong.
    pub(crate) fn state(&self) -> (&'static str, Option<Arc<str>>) {
        let state = self.state.borrow();
        let word = match state.is_up {
            Some(true) => "UP",
            Some(false) => "DOWN",
            None => "UNKNOWN",
        };
        (word, state.fault.clone())
    }

    /// Whether it told its id when it was last asked.
    pub(crate) fn is_up(&self) -> bool {
        self.state.borrow().is_up == Some(true)
    }

    /// Whether it is the embedded one with that number and id; `None`: whether it is a remote one.
    pub(crate) fn is_embedded_as(&self, embedded: Option<(FarmNumber, &str)>) -> bool {
        match (&self.reach, embedded) {
            (Reach::Embedded { number, .. }, Some((other, id))) => *number == other && self.id().as_deref() == Some(id),
            (Reach::Remote(_), None) => true,
            (Reach::Embedded { .. }, None) | (Reach::Remote(_), Some(_)) => false,
        }
    }

    /// Addresses of the authority itself, which are never hosts.
    pub(crate) fn addresses(&self) -> Vec<std::net::SocketAddr> {
        match &self.reach {
            Reach::Embedded { .. } => Vec::new(),
            Reach::Remote(remote) => remote.endpoint.addresses(),
        }
    }

    /// Brings a ticket back.
    pub(crate) async fn redeem(&self, version: &str, pair: Pair<'_>) -> Result<Redeemed, NoData> {
        let began = tokio::time::Instant::now();
        let came = self.bring_back(version, pair).await;
        for counts in [&self.counts, &*self.all] {
            counts.count(&came, began.elapsed());
        }
        came
    }

    async fn bring_back(&self, version: &str, pair: Pair<'_>) -> Result<Redeemed, NoData> {
        match &self.reach {
            Reach::Embedded { number, owner } => {
                // A dual ticket's version belongs to the pair of pairs; each ticket in it is of the current generation.
                if version != TICKET_VERSION && version != "42" {
                    return Err(NoData::Refused(NotRedeemed::Refused(RefusalId::InvalidTicket)));
                }
                let (sta, code) = (*number, pair.code.to_owned().into());
                let values = owner.ask(|reply| Action::RedeemSta { sta, code, reply }).await.map_err(|_| NoData::NoOwner)?;
                let refused = |_| NoData::Refused(NotRedeemed::Refused(RefusalId::InvalidTicket));
                let redeemed = Redeemed { values: values.map_err(refused)? };
                match (redeemed.ica_address(), redeemed.cgp_address()) {
                    (None, None) => Err(NoData::Refused(NotRedeemed::NoAddress)),
                    _ => Ok(redeemed),
                }
            }
            Reach::Remote(remote) => {
                let id = self.id().unwrap_or_else(|| pair.sta_id.into());
                let version = if version == "42" { TICKET_VERSION } else { version };
                let asked = remote.template.render(&id, pair.code, version);
                let read = |answer: &[u8]| match Redeemed::read(answer, &id, pair.code) {
                    Ok(redeemed) => Ok(Ok(redeemed)),
                    Err(no @ (NotRedeemed::Refused(_) | NotRedeemed::NoAddress)) => Ok(Err(NoData::Refused(no))),
                    // This says nothing about the ticket.
                    Err(nonsense @ (NotRedeemed::Crossed | NotRedeemed::Malformed(_))) => {
                        Err(Outage::Protocol(nonsense.to_string()))
                    }
                };
                remote.endpoint.post(asked, REQUEST_CAPS.document_bytes, read).await.inspect_err(|_| self.doubt())?
            }
        }
    }

    /// Gets a ticket for `values`, as the portal does. `issuer` is accounted for at the embedded authority.
    pub(crate) async fn issue(&self, values: Vec<Value>, refreshable: bool, issuer: IpAddr) -> Result<IssuedTicket, NoTicket> {
        match &self.reach {
            Reach::Embedded { number, owner } => {
                let kind = if refreshable { Kind::Refreshable } else { Kind::Once };
                let sta = *number;
                let issued = owner.ask(|reply| Action::IssueSta { sta, issuer, kind, values, reply }).await;
                let code = issued.map_err(|_| NoTicket::NoOwner)?.map_err(NoTicket::Embedded)?;
                Ok(IssuedTicket {
                    authority_id: self.id().as_deref().unwrap_or_default().to_owned(),
                    ticket: Secret::new(code.expose()),
                    ticket_version: TICKET_VERSION.to_owned(),
                })
            }
            Reach::Remote(remote) => Ok(issue(&remote.endpoint, values, refreshable).await.inspect_err(|_| self.doubt())?),
        }
    }

    /// Asks a remote authority for its id, again and again. Returns at once for an embedded one.
    pub(crate) async fn monitor(&self, current: &Current) {
        let Reach::Remote(remote) = &self.reach else { return };
        loop {
            let probed = tokio::time::timeout(PROBE_TIME, probe(&remote.endpoint)).await;
            let pause = match probed.unwrap_or(Err(NoTicket::Outage(Outage::Time))) {
                Ok(id) => {
                    self.is_now_up(id, current);
                    PROBE_EVERY
                }
                Err(why) => {
                    self.is_now_down(&why);
                    PROBE_RETRY
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                // An outage that somebody else met is looked at soon, not in a storm.
                () = self.doubt.notified() => tokio::time::sleep(PROBE_DOUBT).await,
            }
        }
    }

    /// Asks for a probe soon.
    pub(crate) fn doubt(&self) {
        self.doubt.notify_one();
    }

    /// Waits until the id is known.
    pub(crate) async fn known(&self) {
        // The sender lives as long as `self`, so this only ends with an id.
        let _ = self.state.subscribe().wait_for(|state| state.id.is_some()).await;
    }

    /// Whether its id is `id`, without regard to case.
    pub(crate) fn is_called(&self, id: &str) -> bool {
        self.state.borrow().id.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(id))
    }

    fn is_now_up(&self, id: Arc<str>, current: &Current) {
        let before = self.state.send_replace(State { id: Some(id.clone()), is_up: Some(true), fault: None });
        if before.is_up == Some(true) && before.id.as_ref() == Some(&id) {
            return;
        }
        info!(sta = %self.url, %id, "ticket authority is up");
        let world = current.now();
        if let Some(other) = world.as_ref().and_then(|world| world.twin(self, &id)) {
            error!(sta = %self.url, other = %other.url, %id, "two ticket authorities have one id: tickets are tried at both");
        }
    }

    fn is_now_down(&self, why: &NoTicket) {
        let before = self.state.borrow().is_up;
        self.state.send_modify(|state| {
            state.is_up = Some(false);
            state.fault = Some(why.to_string().into());
        });
        if before == Some(false) {
            debug!(sta = %self.url, %why, "ticket authority is still down");
        } else {
            warn!(sta = %self.url, %why, "ticket authority is down");
        }
    }
}

/// An ordinary request for a ticket that leads nowhere; the answer tells the id, and the ticket is dropped.
async fn probe(endpoint: &Endpoint) -> Result<Arc<str>, NoTicket> {
    let values = vec![Value { name: "ICAAddress".to_owned(), text: PROBE_ADDRESS.to_owned() }];
    Ok(issue(endpoint, values, false).await?.authority_id.into())
}

async fn issue(endpoint: &Endpoint, values: Vec<Value>, refreshable: bool) -> Result<IssuedTicket, NoTicket> {
    let asked = IssueRequest::new(values, refreshable).write();
    let read = |answer: &[u8]| match IssuedTicket::read(answer) {
        Ok(issued) => Ok(Ok(issued)),
        Err(no @ NotIssued::Refused(_)) => Ok(Err(no)),
        Err(nonsense @ NotIssued::Malformed(_)) => Err(Outage::Protocol(nonsense.to_string())),
    };
    Ok(endpoint.post(asked, REQUEST_CAPS.document_bytes, read).await??)
}

/// The authorities of one virtual server that can have issued a ticket with `id`: those of exactly this id, else those whose
/// id differs in case only.
pub(crate) fn called<'s>(stas: &'s [Arc<Sta>], id: &str) -> Vec<&'s Arc<Sta>> {
    let exact: Vec<_> = stas.iter().filter(|sta| sta.id().as_deref() == Some(id)).collect();
    if exact.is_empty() { stas.iter().filter(|sta| sta.is_called(id)).collect() } else { exact }
}
