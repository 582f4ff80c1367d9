//! RADIUS servers: may this user pass, with this password or this reply to what the server asked back.
//!
//! ```text
//!   ask, reply ─► place ─► addresses, the one that answered last in front ─► socket of its own, a port that nobody knows
//!                64 run,     each has its share of the time                    │ connected: what others send does not come in
//!               512 wait                                                       ▼
//!                                                  request ─► … the same again, until an answer or the time is over
//!                                                                    ▲ datagrams that are not the answer: counted, ignored
//!                           Accepted, Rejected, Challenge ◄──────────┤
//!                                                  Outage ◄──────────┘ 12 s for everything, or less as configured
//! ```
//!
//! The request is sent again as it was, so that a server that has seen it answers as before (RFC 5080 §2.2.2). What is no answer changes
//! nothing: the real one may still come, and whoever could end the wait with one datagram could keep everybody out. An outage says nothing
//! about a user, and is never taken for a wrong password.

mod outcome;
mod plan;

#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gate_config::model::Host;
use gate_config::model::authentication::Radius;
use gate_proto::radius::{Access, PACKET_BYTES_MAX, Random, Reply, Request, Strange, Verdict};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::UdpSocket;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

pub(crate) use self::outcome::{Outage, Outcome, Rejected};
pub(crate) use self::plan::BadSetting;
use self::plan::{Plan, rejected};
use crate::helpers::{Counted, Helpers};
use crate::random;

/// From the question to the answer, waiting included, whatever `-authTimeout` and `-authservRetry` say.
pub(crate) const TOTAL_TIME: Duration = Duration::from_secs(12);
/// Questions to one server at the same time; each has a socket.
pub(crate) const RUNNING_MAX: usize = 64;
/// Questions that may wait for that; beyond, the server counts as busy.
pub(crate) const WAITING_MAX: usize = 512;
/// Datagrams that are ignored in one wait. Nobody sends so many by mistake; each costs a digest.
const IGNORED_MAX: u32 = 1024;

/// One server, as an action describes it.
pub(crate) struct Server {
    name: String,
    host: Host,
    port: u16,
    /// For an answer to one request.
    pause: Duration,
    attempts: u32,
    plan: Plan,
    helpers: Arc<Helpers>,
    places: Semaphore,
    waiting: AtomicUsize,
    is_up: AtomicBool,
    /// Its last answer came without anything that was none.
    is_undisturbed: AtomicBool,
    /// The address that answered last.
    good: Mutex<Option<SocketAddr>>,
}

/// Without secrets.
impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("name", &self.name)
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// What is asked.
struct Question<'q> {
    user: &'q str,
    secret: &'q str,
    /// What the server wanted to have back. `None`: this is no reply.
    state: Option<&'q [u8]>,
    client: IpAddr,
}

/// What was no answer.
#[derive(Clone, Copy, Debug, Default)]
struct Ignored {
    count: u32,
    first: Option<Strange>,
}

impl Server {
    /// The server of the action `name`.
    ///
    /// # Errors
    /// [`BadSetting`]: the operator's fault.
    pub(crate) fn new(
        name: &str,
        settings: &Radius,
        key: Option<SecretString>,
        helpers: Arc<Helpers>,
    ) -> Result<Self, BadSetting> {
        let attempts = u32::from(settings.attempts.max(1));
        Ok(Self {
            name: name.to_owned(),
            host: settings.server.clone(),
            port: settings.port,
            // A pause that leaves no time for the other attempts would let one lost datagram be an outage.
            pause: settings.timeout.min(TOTAL_TIME / attempts),
            attempts,
            plan: Plan::new(settings, key.as_ref())?,
            helpers,
            places: Semaphore::new(RUNNING_MAX),
            waiting: AtomicUsize::new(0),
            is_up: AtomicBool::new(true),
            is_undisturbed: AtomicBool::new(true),
            good: Mutex::new(None),
        })
    }

    /// Whether `user`, who comes from `client`, may pass with `password`.
    pub(crate) async fn ask(&self, user: &str, password: &SecretString, client: IpAddr) -> Outcome {
        self.within_limits(Question { user, secret: password.expose_secret(), state: None, client }).await
    }

    /// The same with what he replied to a challenge that came with `state`.
    pub(crate) async fn reply(&self, user: &str, reply: &SecretString, state: &[u8], client: IpAddr) -> Outcome {
        self.within_limits(Question { user, secret: reply.expose_secret(), state: Some(state), client }).await
    }

    async fn within_limits(&self, question: Question<'_>) -> Outcome {
        let waiting = Counted::new(&self.waiting);
        if waiting.before >= WAITING_MAX {
            return Outcome::Outage(Outage::Busy);
        }
        let until = Instant::now() + TOTAL_TIME;
        let Ok(Ok(_place)) = timeout_at(until, self.places.acquire()).await else { return Outcome::Outage(Outage::Busy) };
        drop(waiting);
        let mut ignored = Ignored::default();
        let outcome = self.converse(&question, until, &mut ignored).await;
        self.note(&outcome, ignored);
        outcome
    }

    async fn converse(&self, question: &Question<'_>, until: Instant, ignored: &mut Ignored) -> Outcome {
        // One that was silent is asked once, to see whether it still is: others may be there to be asked in its place.
        let attempts = if self.is_up.load(Relaxed) { self.attempts } else { 1 };
        let until = until.min(Instant::now() + self.pause * attempts);
        let addresses = match self.addresses(until).await {
            Ok(addresses) => addresses,
            Err(outage) => return Outcome::Outage(outage),
        };
        let mut outage = Outage::Name;
        for (at, address) in addresses.iter().enumerate() {
            let left = until.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
            let Ok(random) = random::bytes().map(|bytes| Random::new(&bytes)) else { return Outcome::Outage(Outage::NoRandom) };
            match self.exchange(question, *address, &random, Instant::now() + share, attempts, ignored).await {
                Ok(reply) => {
                    *self.good.lock().unwrap_or_else(PoisonError::into_inner) = Some(*address);
                    return self.outcome(reply);
                }
                Err(Failed::Unsayable) => return Outcome::Rejected(Rejected::Unsayable),
                Err(Failed::Outage(why)) => outage = why,
            }
        }
        Outcome::Outage(outage)
    }

    async fn addresses(&self, until: Instant) -> Result<Vec<SocketAddr>, Outage> {
        let name = match &self.host {
            Host::Ip(address) => return Ok(vec![SocketAddr::new(*address, self.port)]),
            Host::Name(name) => name.to_string(),
        };
        let found = timeout_at(until, self.helpers.resolve(name, self.port)).await.map_err(|_| Outage::Name)?;
        let mut found = found.map_err(|_| Outage::Busy)?;
        let good = *self.good.lock().unwrap_or_else(PoisonError::into_inner);
        // Stable: the others stay in the resolver's order.
        found.sort_by_key(|address| Some(*address) != good);
        Ok(found)
    }

    /// Asks one address, again and again until it answers or the time is over.
    async fn exchange(
        &self,
        question: &Question<'_>,
        address: SocketAddr,
        random: &Random,
        until: Instant,
        attempts: u32,
        ignored: &mut Ignored,
    ) -> Result<Reply, Failed> {
        let began = Instant::now();
        let socket = connected(address).await?;
        let local = socket.local_addr().map_err(|error| failed(&error))?.ip();
        let station = self.plan.is_client_sent.then(|| question.client.to_canonical().to_string());
        let access = Access {
            user: question.user,
            proof: self.plan.proof(question.secret, question.state.is_some()),
            state: question.state.unwrap_or_default(),
            nas_ip: self.plan.is_nas_ip_sent.then_some(local),
            nas_id: Some(&self.plan.nas_id),
            calling_station: station.as_deref(),
        };
        let request = Request::access(&self.plan.key, random, &access).map_err(|_| Failed::Unsayable)?;
        let mut room = vec![0; PACKET_BYTES_MAX];
        let mut sent = 0;
        while sent < attempts {
            let _whole = socket.send(request.bytes()).await.map_err(|error| failed(&error))?;
            sent += 1;
            // The last request is waited for until the end.
            let again = if sent == attempts { until } else { until.min(Instant::now() + self.pause) };
            while let Ok(came) = timeout_at(again, socket.recv(&mut room)).await {
                let length = came.map_err(|error| failed(&error))?;
                match request.judge(room.get(..length).unwrap_or_default(), self.plan.takes_unsigned) {
                    Ok(reply) => return Ok(reply),
                    Err(strange) => {
                        ignored.first.get_or_insert(strange);
                        ignored.count += 1;
                        if ignored.count >= IGNORED_MAX {
                            return Err(Outage::Strange { ignored: ignored.count, first: strange }.into());
                        }
                    }
                }
            }
            if Instant::now() >= until {
                break;
            }
        }
        Err(Failed::Outage(match ignored.first {
            Some(first) => Outage::Strange { ignored: ignored.count, first },
            None => Outage::Silent { sent, time: began.elapsed() },
        }))
    }

    fn outcome(&self, reply: Reply) -> Outcome {
        match reply.verdict {
            Verdict::Accept => Outcome::Accepted(self.plan.accepted(&reply)),
            Verdict::Reject => Outcome::Rejected(rejected(&reply)),
            Verdict::Challenge => Outcome::Challenge { text: reply.message, state: reply.state },
        }
    }

    /// Tells the operator, once, that a server went away or came back, and that somebody or something answers in its place.
    fn note(&self, outcome: &Outcome, ignored: Ignored) {
        let outage = match outcome {
            // What this user typed says nothing of the server.
            Outcome::Rejected(Rejected::Unsayable) => return,
            Outcome::Accepted(_) | Outcome::Rejected(_) | Outcome::Challenge { .. } => None,
            Outcome::Outage(why) => Some(why),
        };
        let was_up = self.is_up.swap(outage.is_none(), Relaxed);
        match outage {
            Some(why) if was_up => warn!(server = %self.name, %why, "RADIUS server cannot be asked"),
            None if !was_up => info!(server = %self.name, "RADIUS server can be asked again"),
            Some(_) | None => {}
        }
        // Where no answer came at all, what did come has been told.
        if outage.is_none()
            && self.is_undisturbed.swap(ignored.count == 0, Relaxed)
            && let Some(first) = ignored.first
        {
            warn!(server = %self.name, ignored = ignored.count, %first, "what was no answer of the RADIUS server came beside its answer");
        }
    }
}

/// Why one address gave no answer.
enum Failed {
    /// There is nothing that could be sent.
    Unsayable,
    Outage(Outage),
}

impl From<Outage> for Failed {
    fn from(outage: Outage) -> Self {
        Self::Outage(outage)
    }
}

/// A socket that sends to `address` only, and to which only that can send. The system chooses its port.
async fn connected(address: SocketAddr) -> Result<UdpSocket, Failed> {
    let any = match address {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await.map_err(|error| failed(&error))?;
    socket.connect(address).await.map_err(|error| failed(&error))?;
    Ok(socket)
}

fn failed(error: &io::Error) -> Failed {
    let kind = error.kind();
    Failed::Outage(if kind == io::ErrorKind::ConnectionRefused { Outage::Closed } else { Outage::Socket(kind) })
}
