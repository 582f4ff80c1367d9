//! The doors and the one owner of control state.
//!
//! ```text
//!   workers ══ inner Unix socket ══► door/portal ─┐                                    reach/sta ──► ticket authorities
//!                (PROXY v2, HTTP)                 ├─ Action ─► owner (one task) ◄──┐   reach/xml ──► XML Service
//!   inside network ── TCP, TLS ──► door/sta, xml ─┘           logins, tickets,     │
//!                                                             users, launches      │   reach/ldap, radius ──► directories, RADIUS
//!   workers ══ ask queue ══► redeem ── its own tasks, one per ticket ──────────────┘
//!              tell rings ◄══   │
//! ```
//!
//! All of it runs on one thread, on one runtime ([`run`]). Nothing here touches a byte of a session: if this thread stops,
//! sessions go on. State has one owner, [`owner`]; doors send it an [`action::Action`] and wait for the reply. Passwords are
//! checked, and names resolved, on a few helper threads, since both would stop everybody else.
#![forbid(unsafe_code)]

mod action;
pub mod audit;
mod change;
pub mod clock;
mod console;
mod credentials;
mod door;
mod farm;
mod farm_host;
pub mod files;
mod helpers;
mod house;
mod http;
mod kernel;
pub mod latency;
mod live;
mod login;
mod owner;
mod passwords;
pub mod peer;
mod quiet;
mod random;
mod reach;
mod redeem;
mod reply;
mod running;
mod secrets;
mod turn;
mod used;
mod world;

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use gate_config::files::Loaded;
use gate_config::model::{Log, Model};
use gate_config::{ListenerIds, Strictness};
use sluice_link::count::Totals;
use sluice_link::port::Sluice;
use sluice_link::snapshot::Snapshot;
use thiserror::Error;
use tokio::sync::mpsc;

use crate::audit::Audit;
use crate::files::{ConfigFile, ReadFiles};
use crate::peer::Credentials;
use latency::VserverLatency;

pub use live::certificate::{examine, examine_list};

/// Commands that may wait for the control thread.
pub const COMMANDS_MAX: usize = 16;

/// Everything that the control thread needs to begin.
pub struct PlaneSettings {
    /// The configuration.
    pub model: Arc<Model>,
    /// The files that it names.
    pub files: Arc<Loaded>,
    /// What the workers run on, already published: it ties [`sluice_link::id::ListenerId`] to the name of a virtual server.
    pub snapshot: Arc<Snapshot>,
    /// Where the virtual servers really listen, in the order of `snapshot.listeners` (port 0 resolved). These addresses are
    /// never dialled, and go into launch files of virtual servers without a name of their own.
    pub listening: Vec<SocketAddr>,
    /// The inner listener: bound to `model.paths.inner_socket`, in a directory that nobody else may enter, mode 0600.
    pub inner: UnixListener,
    /// One bound listener for each of `model.farm.servers`, in their order.
    pub farm_servers: Vec<TcpListener>,
    /// One bound listener for each of `model.farm.hosts`, in their order.
    pub farm_hosts: Vec<TcpListener>,
    /// A directory for things that must survive a restart (the made-up id of an embedded authority). `None`: they do not.
    pub state: Option<PathBuf>,
    /// Origin of the monotonic clock, the same as the workers'.
    pub origin: Instant,
    /// The numbers that the virtual servers of `snapshot` were given.
    pub ids: ListenerIds,
    /// Reads the files that a changed configuration names.
    pub reader: ReadFiles,
    /// The file with which the gateway starts. `None`: nothing can be saved or read again.
    pub file: Option<Arc<dyn ConfigFile>>,
    /// What happens with commands that are not known, in lines that are added later as in the file.
    pub strictness: Strictness,
    /// Where it is written down who did what.
    pub audit: Arc<dyn Audit>,
    /// Puts other settings of the log into force.
    pub set_log: Box<dyn Fn(Log) + Send + Sync>,
    /// What the kernel's TLS can do here, or why it can do nothing; asked when a virtual server comes to want it. It may take some milliseconds.
    pub kernel_tls: fn() -> Result<String, String>,
    /// The control socket, bound at `model.paths.control_socket`. `None`: nobody can change this gateway while it runs.
    pub control: Option<ControlSocket>,
}

/// The control socket with what is needed to know who is at its other end.
pub struct ControlSocket {
    /// Bound and listening.
    pub listener: UnixListener,
    /// Where it is.
    pub path: PathBuf,
    /// Who connects.
    pub system: Arc<dyn Credentials>,
}

impl fmt::Debug for ControlSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlSocket").field("path", &self.path).finish_non_exhaustive()
    }
}

impl fmt::Debug for PlaneSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlaneSettings").field("listening", &self.listening).field("inner", &self.inner).finish_non_exhaustive()
    }
}

/// What the rest of the process may ask of the control thread.
#[derive(Debug)]
pub enum Command {
    /// Close all doors, end all sessions, return from [`run`].
    Stop,
    /// Take no new sessions; let the others run on for `within`, then [`Command::Stop`]. Ends earlier when there are none left.
    Drain {
        /// From now.
        within: Duration,
    },
    /// Read the file again and apply the difference. A broken file changes nothing, and is logged.
    Reload,
    /// How things are. Nobody waits if the asker is gone.
    Status(SyncSender<Status>),
}

/// How things are.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// The workers' counters, in order of worker.
    pub workers: Vec<Totals>,
    /// Ticket authorities, one entry for each that is bound to a virtual server.
    pub stas: Vec<StaStatus>,
    /// Portal logins.
    pub logins: usize,
    /// Tickets that the embedded authorities have issued and that were neither used nor have expired.
    pub tickets: usize,
    /// Launches whose session has not ended.
    pub launches: usize,
    /// How long launches took, for each virtual server at which there were any.
    pub latencies: Vec<VserverLatency>,
}

/// What is known of a ticket authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaStatus {
    /// The virtual server that it is bound to.
    pub vserver: String,
    /// As configured.
    pub url: String,
    /// Its id, as it said itself when it was last asked. It is up if and only if there is one.
    pub authority_id: Option<String>,
    /// Another authority of this virtual server has the same id: tickets are tried at both.
    pub ambiguous: bool,
    /// Plain HTTP: tickets travel in the clear.
    pub insecure: bool,
}

/// Why the control thread could not begin. Which side is at fault stands in each variant.
#[derive(Debug, Error)]
pub enum PlaneFault {
    /// The machine: no runtime could be made.
    #[error("cannot make the control thread's runtime")]
    Runtime(#[source] std::io::Error),
    /// The machine: a listener or the workers' wake descriptor cannot be registered.
    #[error("cannot watch {what}")]
    Watch {
        /// Which.
        what: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The machine: something that must survive a restart cannot be kept.
    #[error("cannot keep {}", .file.display())]
    State {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The machine: no random bytes.
    #[error("the system's random generator does not answer")]
    NoRandom,
    /// The operator's: something that the configuration names cannot be used.
    #[error("{what}: {why}")]
    Unusable {
        /// The object.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// Our caller's: settings that do not fit the model (another number of listeners than it names, a file not loaded).
    #[error("{0}")]
    Settings(&'static str),
}

/// Runs the control plane on the calling thread until [`Command::Stop`], the end of a drain, or until every sender of
/// `commands` is gone. `ready` is called once, when all doors are open and tickets are being redeemed.
///
/// The workers are told to stop before it returns.
///
/// # Errors
/// [`PlaneFault`], before `ready` was called.
pub fn run(
    settings: PlaneSettings,
    sluice: Box<dyn Sluice>,
    commands: mpsc::Receiver<Command>,
    ready: impl FnOnce(),
) -> Result<(), PlaneFault> {
    house::run(settings, sluice, commands, ready)
}

/// Every page of the portal: method, path, and who may have it. What is not among them does not exist.
pub fn routes() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    door::portal::routes::ROUTES.iter().map(|route| (route.method.name(), route.path, route.class.name()))
}

impl From<world::Unfit> for PlaneFault {
    fn from(unfit: world::Unfit) -> Self {
        match unfit {
            world::Unfit::Object { what, why } => Self::Unusable { what, why },
            world::Unfit::Bind { what, source, .. } => Self::Watch { what: what.to_string(), source },
            world::Unfit::Password(passwords::Unusable::Password { user, why }) => {
                Self::Unusable { what: format!("user {user}"), why: why.to_string() }
            }
            world::Unfit::Password(passwords::Unusable::NoRandom(_)) | world::Unfit::NoRandom(_) => Self::NoRandom,
        }
    }
}
