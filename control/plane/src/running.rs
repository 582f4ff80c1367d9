//! Launches and what became of them: from the redeemed ticket to the end of its session.
//!
//! ```text
//!   redeemed ─► waiting (oldest out) ──Opened──► running ──Closed──► gone
//!                        └─────────────Closed────────────────────────┘
//! ```
//!
//! What runs is never thrown out to make room: workers say once that a session has begun and once that it has ended, so the
//! table is as large as theirs. Only a worker that died says nothing more; its sessions died with it.
//!
//! A launch knows the login that it belongs to, if the portal got its ticket. When that ends by force, what runs is to be ended, and what
//! waits is doomed: it ends as soon as it runs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gate_auth::Now;
use gate_auth::oldest::OldestOut;
use gate_auth::sessions::plain;
use sluice_link::ask::{Opened, Secured};
use sluice_link::id::{LaunchId, SessionKey, WorkerId};

/// Launches remembered that no session has begun with.
const WAITING_MAX: usize = 200_000;

/// A launch, for the log lines about its session.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Id of the authority that redeemed it.
    pub(crate) sta: String,
    /// Number of the login for which the portal got the ticket. `None`: somebody else got it.
    pub(crate) login: Option<u64>,
}

/// A launch that no session has begun with.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Waiting {
    launch: Launch,
    /// Its login is over and has taken it along.
    is_doomed: bool,
}

/// A session has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Begun<'l> {
    pub(crate) launch: &'l Launch,
    /// It must end at once.
    pub(crate) is_doomed: bool,
}

/// A session whose bytes flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    /// Its launch.
    pub(crate) id: LaunchId,
    /// Its name among the workers.
    pub(crate) key: SessionKey,
    /// Since when.
    pub(crate) since: Now,
    /// What was launched.
    pub(crate) launch: Launch,
    /// What the client's TLS came to.
    pub(crate) secured: Option<Secured>,
}

/// Which sessions. What is not said does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Only this one.
    pub(crate) id: Option<LaunchId>,
    /// Of this user, in any spelling of the name.
    pub(crate) user: Option<String>,
    /// Through this virtual server.
    pub(crate) vserver: Option<String>,
    /// From this address.
    pub(crate) client: Option<std::net::IpAddr>,
    /// Launched with this login.
    pub(crate) login: Option<u64>,
    /// That have run for at least this long.
    pub(crate) older_than: Option<Duration>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Launches {
    waiting: OldestOut<u64, Waiting>,
    /// In boxes: nodes of a tree that grows at its end are half empty.
    running: BTreeMap<u64, Box<Running>>,
    /// Of each login, what waits and what runs.
    by_login: HashMap<u64, BTreeSet<u64>>,
    last: u64,
    opened: u64,
}

impl Default for Launches {
    fn default() -> Self {
        Self { waiting: OldestOut::new(WAITING_MAX), running: BTreeMap::new(), by_login: HashMap::new(), last: 0, opened: 0 }
    }
}

impl Launches {
    /// A ticket led to a host.
    pub(crate) fn launched(&mut self, launch: Launch) -> LaunchId {
        self.last += 1;
        if let Some(login) = launch.login {
            self.by_login.entry(login).or_default().insert(self.last);
        }
        if let Some((id, out)) = self.waiting.put(&self.last, Waiting { launch, is_doomed: false }) {
            self.forget(id, out.launch.login);
        }
        LaunchId(self.last)
    }

    /// Its session runs. `None` for a launch that is not known any more.
    pub(crate) fn opened(&mut self, opened: &Opened, now: Now) -> Option<Begun<'_>> {
        let (id, key, secured) = (opened.launch, opened.key, opened.secured);
        let Waiting { launch, is_doomed } = self.waiting.remove(&id.0)?;
        self.opened += 1;
        let launch =
            &self.running.entry(id.0).or_insert_with(|| Box::new(Running { id, key, since: now, launch, secured })).launch;
        Some(Begun { launch, is_doomed })
    }

    /// Its session is over, or never came to be.
    pub(crate) fn closed(&mut self, id: LaunchId) -> Option<Launch> {
        let launch = match self.running.remove(&id.0) {
            Some(running) => running.launch,
            None => self.waiting.remove(&id.0)?.launch,
        };
        self.forget(id.0, launch.login);
        Some(launch)
    }

    /// A worker has died, and its sessions with it; how many those were.
    pub(crate) fn lost(&mut self, worker: WorkerId) -> usize {
        let lost: Vec<LaunchId> =
            self.running.values().filter(|running| running.key.worker == worker).map(|running| running.id).collect();
        lost.into_iter().filter(|id| self.closed(*id).is_some()).count()
    }

    /// A login takes along what belongs to it: the sessions that are to be ended. What waits is doomed.
    pub(crate) fn doom(&mut self, login: u64) -> Vec<SessionKey> {
        let mut keys = Vec::new();
        for id in self.by_login.get(&login).into_iter().flatten() {
            if let Some(running) = self.running.get(id) {
                keys.push(running.key);
            } else if let Some(waiting) = self.waiting.peek_mut(id) {
                waiting.is_doomed = true;
            }
        }
        keys
    }

    /// Sessions of a login that run.
    pub(crate) fn running_of(&self, login: u64) -> usize {
        self.by_login.get(&login).into_iter().flatten().filter(|id| self.running.contains_key(id)).count()
    }

    fn forget(&mut self, id: u64, login: Option<u64>) {
        let Some(login) = login else { return };
        if let Some(own) = self.by_login.get_mut(&login) {
            own.remove(&id);
            if own.is_empty() {
                self.by_login.remove(&login);
            }
        }
    }

    /// The sessions that run and are wanted, oldest first.
    pub(crate) fn find<'l>(&'l self, wanted: &'l Wanted, now: Now) -> impl Iterator<Item = &'l Running> {
        let user = wanted.user.as_deref().map(plain);
        self.running.values().map(Box::as_ref).filter(move |running| {
            wanted.id.is_none_or(|id| id == running.id)
                && user.as_ref().is_none_or(|user| *user == plain(&running.launch.user))
                && wanted.vserver.as_ref().is_none_or(|vserver| **vserver == *running.launch.vserver)
                && wanted.client.is_none_or(|client| client.to_canonical() == running.launch.client.ip().to_canonical())
                && wanted.login.is_none_or(|login| running.launch.login == Some(login))
                && wanted.older_than.is_none_or(|time| now.saturating_sub(running.since) >= time)
        })
    }

    /// Sessions that run.
    pub(crate) fn running(&self) -> usize {
        self.running.len()
    }

    /// Sessions that have run since the start, those that still do included.
    pub(crate) fn opened_ever(&self) -> u64 {
        self.opened
    }

    /// Launches whose session has not ended, or not yet begun.
    pub(crate) fn len(&self) -> usize {
        self.running.len() + self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use sluice_link::ask::Phases;
    use sluice_link::id::{Generation, ListenerId, Slot, SlotKey};

    use super::*;

    fn launch(user: &str, vserver: &str) -> Launch {
        Launch {
            vserver: vserver.into(),
            client: "198.51.100.7:50123".parse().unwrap(),
            host: "10.0.0.1:1494".parse().unwrap(),
            user: user.to_owned(),
            domain: String::new(),
            resource: String::new(),
            ticket: String::new(),
            sta: String::new(),
            login: None,
        }
    }

    fn key(worker: u16, slot: u32) -> SessionKey {
        SessionKey { worker: WorkerId(worker), at: SlotKey { slot: Slot(slot), generation: Generation(0) } }
    }

    fn opened(launch: LaunchId, key: SessionKey) -> Opened {
        Opened { key, listener: ListenerId(1), launch, took: Duration::ZERO, phases: Phases::default(), secured: None }
    }

    const fn at(seconds: u64) -> Now {
        Now::from_secs(seconds)
    }

    #[test]
    fn what_runs_is_found_by_what_it_is() {
        let mut all = Launches::default();
        let ids: Vec<_> = [("alice", "gw"), ("DEMO\\Alice", "gw2"), ("bob", "gw"), ("never", "gw")]
            .into_iter()
            .map(|(user, vserver)| all.launched(launch(user, vserver)))
            .collect();
        for (slot, id) in (0..).zip(&ids[..3]) {
            assert!(all.opened(&opened(*id, key(0, slot)), at(u64::from(slot) * 10)).is_some());
        }
        assert!(all.opened(&opened(ids[0], key(0, 0)), at(9)).is_none(), "said twice");
        let found = |wanted: Wanted| all.find(&wanted, at(25)).map(|running| running.id.0).collect::<Vec<_>>();
        assert_eq!(found(Wanted::default()), [1, 2, 3]);
        assert_eq!(found(Wanted { user: Some("ALICE@demo".into()), ..Wanted::default() }), [1, 2]);
        assert_eq!(found(Wanted { vserver: Some("gw".into()), ..Wanted::default() }), [1, 3]);
        assert_eq!(found(Wanted { older_than: Some(at(15)), ..Wanted::default() }), [1, 2]);
        assert_eq!(found(Wanted { id: Some(LaunchId(3)), ..Wanted::default() }), [3]);
        assert_eq!(found(Wanted { client: Some("::ffff:198.51.100.7".parse().unwrap()), ..Wanted::default() }), [1, 2, 3]);
        assert_eq!(found(Wanted { user: Some("alice".into()), vserver: Some("gw".into()), ..Wanted::default() }), [1]);
        assert_eq!((all.running(), all.len(), all.opened_ever()), (3, 4, 3));
    }

    #[test]
    fn ends_are_ends_whether_it_ran_or_not() {
        let mut all = Launches::default();
        let (ran, never) = (all.launched(launch("a", "gw")), all.launched(launch("b", "gw")));
        all.opened(&opened(ran, key(1, 0)), at(0));
        assert_eq!(all.closed(ran), Some(launch("a", "gw")));
        assert_eq!(all.closed(never), Some(launch("b", "gw")));
        assert_eq!(all.closed(never), None);
        assert_eq!((all.running(), all.len()), (0, 0));
    }

    #[test]
    fn sessions_die_with_their_worker() {
        let mut all = Launches::default();
        for worker in [0, 1, 1] {
            let id = all.launched(launch("a", "gw"));
            all.opened(&opened(id, key(worker, 0)), at(0));
        }
        assert_eq!(all.lost(WorkerId(1)), 2);
        assert_eq!(all.lost(WorkerId(1)), 0);
        assert_eq!(all.find(&Wanted::default(), at(0)).map(|running| running.key.worker.0).collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn a_login_takes_along_what_was_launched_with_it_and_nothing_else() {
        let mut all = Launches::default();
        let of = |login| Launch { login, ..launch("a", "gw") };
        let ids: Vec<_> = [Some(7), Some(7), Some(8), None].into_iter().map(|login| all.launched(of(login))).collect();
        for (slot, id) in [(0, ids[0]), (2, ids[2]), (3, ids[3])] {
            assert!(!all.opened(&opened(id, key(0, slot)), at(0)).unwrap().is_doomed);
        }
        assert_eq!((all.running_of(7), all.running_of(8), all.running_of(9)), (1, 1, 0));
        assert_eq!(all.doom(7), [key(0, 0)]);
        assert!(all.opened(&opened(ids[1], key(0, 1)), at(1)).unwrap().is_doomed, "it waited when its login ended");
        assert_eq!(all.doom(9), []);
        let found =
            all.find(&Wanted { login: Some(8), ..Wanted::default() }, at(1)).map(|running| running.id).collect::<Vec<_>>();
        assert_eq!(found, [ids[2]]);
        assert_eq!(all.lost(WorkerId(0)), 4);
        assert!(all.by_login.is_empty());
    }

    #[test]
    fn a_launch_that_makes_room_is_forgotten_by_its_login() {
        let mut all = Launches { waiting: OldestOut::new(1), ..Launches::default() };
        all.launched(Launch { login: Some(7), ..launch("a", "gw") });
        all.launched(Launch { login: Some(8), ..launch("b", "gw") });
        assert_eq!(all.by_login.keys().copied().collect::<Vec<_>>(), [8]);
    }
}
