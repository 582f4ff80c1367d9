//! Launches and what became of them: from the redeemed ticket to the end of its session.
//!
//! ```text
//!   redeemed ─► waiting (oldest out) ──Opened──► running ──Closed──► gone
//!                        └─────────────Closed────────────────────────┘
//! ```
//!
//! What runs is never thrown out to make room: workers say once that a session has begun and once that it has ended, so the
//! table is as large as theirs. Only a worker that died says nothing more; its sessions died with it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gate_auth::Now;
use gate_auth::oldest::OldestOut;
use gate_auth::users::canonical;
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
    /// That have run for at least this long.
    pub(crate) older_than: Option<Duration>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Launches {
    waiting: OldestOut<u64, Launch>,
    running: BTreeMap<u64, Running>,
    last: u64,
    opened: u64,
}

impl Default for Launches {
    fn default() -> Self {
        Self { waiting: OldestOut::new(WAITING_MAX), running: BTreeMap::new(), last: 0, opened: 0 }
    }
}

impl Launches {
    /// A ticket led to a host.
    pub(crate) fn launched(&mut self, launch: Launch) -> LaunchId {
        self.last += 1;
        self.waiting.touch(&self.last, || launch);
        LaunchId(self.last)
    }

    /// Its session runs. `None` for a launch that is not known any more.
    pub(crate) fn opened(&mut self, id: LaunchId, key: SessionKey, now: Now) -> Option<&Launch> {
        let launch = self.waiting.remove(&id.0)?;
        self.opened += 1;
        Some(&self.running.entry(id.0).or_insert(Running { id, key, since: now, launch }).launch)
    }

    /// Its session is over, or never came to be.
    pub(crate) fn closed(&mut self, id: LaunchId) -> Option<Launch> {
        match self.running.remove(&id.0) {
            Some(running) => Some(running.launch),
            None => self.waiting.remove(&id.0),
        }
    }

    /// A worker has died, and its sessions with it; how many those were.
    pub(crate) fn lost(&mut self, worker: WorkerId) -> usize {
        let before = self.running.len();
        self.running.retain(|_, running| running.key.worker != worker);
        before - self.running.len()
    }

    /// The sessions that run and are wanted, oldest first.
    pub(crate) fn find<'l>(&'l self, wanted: &'l Wanted, now: Now) -> impl Iterator<Item = &'l Running> {
        let user = wanted.user.as_deref().map(name);
        self.running.values().filter(move |running| {
            wanted.id.is_none_or(|id| id == running.id)
                && user.as_ref().is_none_or(|user| *user == name(&running.launch.user))
                && wanted.vserver.as_ref().is_none_or(|vserver| **vserver == *running.launch.vserver)
                && wanted.client.is_none_or(|client| client.to_canonical() == running.launch.client.ip().to_canonical())
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

/// A user's name without regard to domain and spelling. An authority's text that cannot be a name is compared as it is.
pub(crate) fn name(user: &str) -> String {
    canonical(user).map_or_else(|| user.to_owned(), |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use sluice_link::id::{Generation, Slot, SlotKey};

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
        }
    }

    fn key(worker: u16, slot: u32) -> SessionKey {
        SessionKey { worker: WorkerId(worker), at: SlotKey { slot: Slot(slot), generation: Generation(0) } }
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
            assert!(all.opened(*id, key(0, slot), at(u64::from(slot) * 10)).is_some());
        }
        assert!(all.opened(ids[0], key(0, 0), at(9)).is_none(), "said twice");
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
        all.opened(ran, key(1, 0), at(0));
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
            all.opened(id, key(worker, 0), at(0));
        }
        assert_eq!(all.lost(WorkerId(1)), 2);
        assert_eq!(all.lost(WorkerId(1)), 0);
        assert_eq!(all.find(&Wanted::default(), at(0)).map(|running| running.key.worker.0).collect::<Vec<_>>(), [0]);
    }
}
