//! Names for numbers: who is meant, across threads and across time.

use std::fmt;
use std::sync::Arc;

/// A worker thread, counted from 0 in the order in which they were started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkerId(pub u16);

/// A place in a worker's fixed table of sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub u32);

/// How often a slot has been given away. It grows by one each time the slot is freed, so that an answer or completion that
/// was meant for an earlier tenant is recognised. It wraps after 2³² lives of one slot; slots are reused in FIFO order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Generation(pub u32);

/// A session within its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotKey {
    /// Place in the table.
    pub slot: Slot,
    /// Which tenant of that place.
    pub generation: Generation,
}

/// A session among all workers. The only name by which control ever speaks of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey {
    /// The worker that owns it.
    pub worker: WorkerId,
    /// The session within that worker.
    pub at: SlotKey,
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.worker.0, self.at.slot.0, self.at.generation.0)
    }
}

/// A virtual server's listener. Chosen by control, stable for the life of that virtual server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListenerId(pub u32);

/// A TLS profile for hosts, by its name. Names are never given to another profile while the process lives, unlike places in a list:
/// so this means the same one in every snapshot, or none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostTlsId(pub Arc<str>);

impl From<&str> for HostTlsId {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for HostTlsId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A published configuration, counted up by control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SnapshotId(pub u64);

/// A redeemed ticket's use: control's name for one launch, shown in logs as `connectionId`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaunchId(pub u64);
