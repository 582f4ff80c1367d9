//! The control socket: who may come in, and how many at a time.
//!
//! ```text
//!   accept ─► room for one more? ─► who is it? ─level─► talk: lines or frames ─► console
//!                  │ no                  │ none              one task per connection, one request at a time
//!                  └────────► one line that says why ◄───────┘
//! ```
//!
//! A connection waits for nobody but its own client and its own request: what the console says is held for it (see
//! [`crate::reply`]), so a client that hangs delays neither the console nor the others. A request that was accepted is carried
//! through even if its client goes away; only what merely watches something ends with it.

mod talk;
#[cfg(test)]
mod tests;
mod wire;

use std::fmt::Display;
use std::future::Future;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gate_config::catalog::Level;
use gate_config::model::Operators;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tracing::{debug, error, warn};
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::peer::{Credentials, Peer, group_number, level};
use crate::quiet::Quiet;
use crate::reply::Reply;

/// Connections at a time.
pub(crate) const CONNECTIONS_MAX: usize = 32;
/// Connections that are being told why they are refused, at a time; more are closed without a word.
const REFUSALS_MAX: usize = 32;
/// Batches that are being collected or carried out at a time; each may hold 16 MiB.
const BATCHES_MAX: usize = 2;
/// Pause after the system refused a connection (no descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Somebody who asks, and what they may do.
#[derive(Clone, Debug)]
pub(crate) struct Operator {
    /// Who.
    pub(crate) peer: Peer,
    /// What they may do, as of when they connected.
    pub(crate) level: Level,
}

/// What carries out what comes through this door. It answers with the number of the error, 0 for none.
///
/// A line, a batch: it is carried through even if nobody listens any more; [`Reply::gone`] tells those that only watch.
pub(crate) trait Obey: Send + Sync + 'static {
    /// One line: one command, or several with `;` between.
    fn line(self: Arc<Self>, by: Operator, line: Zeroizing<String>, reply: Reply) -> impl Future<Output = u16> + Send;

    /// Many lines.
    fn batch(self: Arc<Self>, by: Operator, lines: Zeroizing<String>, reply: Reply) -> impl Future<Output = u16> + Send;
}

/// The socket with what is needed to serve it.
pub(crate) struct Settings {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Who connects.
    pub(crate) system: Arc<dyn Credentials>,
    /// Who may, as configured; the latest holds for whoever connects next.
    pub(crate) operators: watch::Receiver<Operators>,
    /// For log lines.
    pub(crate) clock: Clock,
}

/// See the module.
pub(crate) struct Door<C> {
    settings: Settings,
    console: Arc<C>,
    refusals: Arc<Semaphore>,
    batches: Arc<Semaphore>,
    /// By user.
    quiet: Mutex<Quiet<u32>>,
}

impl<C: Obey> Door<C> {
    pub(crate) fn new(settings: Settings, console: Arc<C>) -> Arc<Self> {
        Arc::new(Self {
            settings,
            console,
            refusals: Arc::new(Semaphore::new(REFUSALS_MAX)),
            batches: Arc::new(Semaphore::new(BATCHES_MAX)),
            quiet: Mutex::default(),
        })
    }

    /// Serves `listener` until `stop` turns true; a request under way is answered even then.
    pub(crate) async fn serve(self: Arc<Self>, listener: UnixListener, mut stop: watch::Receiver<bool>) {
        let stopped = stop.clone();
        tokio::select! {
            () = self.clone().keep_group() => {}
            () = self.accept(&listener, &stopped) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn accept(self: &Arc<Self>, listener: &UnixListener, stop: &watch::Receiver<bool>) {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            match listener.accept().await {
                Ok((stream, _)) => self.admit(stream, &room, stop),
                Err(error) => {
                    warn!(%error, "accept on the control socket");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn admit(self: &Arc<Self>, stream: UnixStream, room: &Arc<Semaphore>, stop: &watch::Receiver<bool>) {
        let peer = match self.settings.system.peer(stream.as_fd()) {
            Ok(peer) => peer,
            // It has gone away again, or the system does not say: then it may do nothing.
            Err(error) => return debug!(%error, "nobody is known behind a connection to the control socket"),
        };
        let level = level(&peer, &self.settings.operators.borrow(), &*self.settings.system);
        let Some(level) = level else {
            if let Some(unsaid) = self.may_say(peer.uid) {
                warn!(uid = peer.uid, pid = peer.pid, gid = peer.gid, unsaid, "control socket: this user may not use it");
            }
            return self.refuse(stream, format!("Permission denied [uid {}]", peer.uid));
        };
        let Ok(place) = room.clone().try_acquire_owned() else {
            if let Some(unsaid) = self.may_say(peer.uid) {
                warn!(uid = peer.uid, pid = peer.pid, unsaid, "control socket: too many connections");
            }
            return self.refuse(stream, format!("Session limit exceeded [{CONNECTIONS_MAX} connections]"));
        };
        debug!(uid = peer.uid, pid = peer.pid, level = level.word(), "control socket: connected");
        let operator = Operator { peer, level };
        tokio::spawn(talk::talk(self.clone(), stream, operator, Arc::new(place), stop.clone()));
    }

    fn may_say(&self, uid: u32) -> Option<u64> {
        self.quiet.lock().unwrap_or_else(PoisonError::into_inner).may_say(uid, self.settings.clock.now())
    }

    /// Says why, in a task of its own.
    fn refuse(&self, stream: UnixStream, why: String) {
        let Ok(place) = self.refusals.clone().try_acquire_owned() else { return };
        tokio::spawn(async move {
            let _place: OwnedSemaphorePermit = place;
            if wire::write(&stream, format!("ERROR: {why}\n").as_bytes()).await.is_ok() {
                wire::part(stream).await;
            }
        });
    }

    /// Gives the socket to the group whose members may connect, now and whenever another is configured.
    async fn keep_group(self: Arc<Self>) {
        let mut operators = self.settings.operators.clone();
        let own = std::fs::metadata(&self.settings.path).map(|facts| std::os::unix::fs::MetadataExt::gid(&facts)).ok();
        let mut given = None;
        loop {
            let wanted = operators.borrow_and_update().clone();
            if given.as_ref() != Some(&wanted) {
                open_to(&self.settings.path, &wanted, own, &*self.settings.system);
                given = Some(wanted);
            }
            if operators.changed().await.is_err() {
                // Nobody can change it any more; the door stays open.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Lets the members of one group connect: the file system knows one only. It is the group that may read, if there is one. Who
/// connects is still asked who it is.
fn open_to(path: &Path, operators: &Operators, own: Option<u32>, system: &dyn Credentials) {
    let named = [("readGroup", &operators.read_group), ("changeGroup", &operators.change_group)];
    let mut first = None;
    for (keyword, group) in named.into_iter().filter_map(|(keyword, group)| Some((keyword, group.as_deref()?))) {
        match group_number(group, system) {
            Some(number) => first = first.or(Some(number)),
            None => warn!(keyword, group, "control socket: there is no such group on this machine, so it has no members"),
        }
    }
    let failed = |what: &str, error: &dyn Display| error!(socket = %path.display(), %error, "control socket: cannot {what}");
    if let Some(group) = first.or(own)
        && let Err(error) = std::os::unix::fs::chown(path, None, Some(group))
    {
        failed("be given to its group", &error);
    }
    let mode = if first.is_some() { 0o660 } else { 0o600 };
    if let Err(error) = std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)) {
        failed("be opened for its group", &error);
    }
}
