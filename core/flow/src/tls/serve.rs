//! Server configuration from a snapshot.

use std::sync::Arc;

use sluice_link::id::ListenerId;
use sluice_link::port::PublishProblem;
use sluice_link::snapshot::{Cgp, Snapshot};

use super::tickets::TicketKeys;

/// A snapshot with everything that is built from it. Built once by the owner of the workers and shared by all of them.
pub struct Served {
    /// What it was built from.
    pub snapshot: Arc<Snapshot>,
    listeners: Vec<Arc<ServedListener>>,
    hosts: Vec<Arc<HostProfile>>,
}

impl Served {
    /// Parses and tests all certificates, keys and settings.
    ///
    /// # Errors
    /// [`PublishProblem`], naming the object at fault.
    pub fn build(snapshot: Arc<Snapshot>, keys: &Arc<TicketKeys>) -> Result<Self, PublishProblem> {
        let _ = (snapshot, keys);
        todo!()
    }

    /// The virtual server of this id, if this snapshot has it.
    #[must_use]
    pub fn listener(&self, id: ListenerId) -> Option<&Arc<ServedListener>> {
        self.listeners.iter().find(|l| l.id == id)
    }

    /// The TLS profile for hosts of this index ([`sluice_link::tell::HostTls::profile`]).
    #[must_use]
    pub fn host_profile(&self, index: u16) -> Option<&Arc<HostProfile>> {
        self.hosts.get(usize::from(index))
    }
}

/// One virtual server.
pub struct ServedListener {
    /// Stable while the virtual server lives.
    pub id: ListenerId,
    /// As the operator named it.
    pub name: Box<str>,
    /// What happens to CGP openings.
    pub cgp: Cgp,
}

/// TLS towards hosts.
pub struct HostProfile {
    /// As the operator named it.
    pub name: Box<str>,
}
