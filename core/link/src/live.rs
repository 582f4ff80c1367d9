//! What each session moves, readable at any time without asking its worker.
//!
//! ```text
//!   worker: begin ─► moved ─► moved … ─► end           one record for each slot, written by the worker alone
//!                       │ plain stores
//!                       ▼
//!   control: read(key) ─► the numbers of this very session, or nothing
//! ```
//!
//! A record is given from tenant to tenant. The name of the tenant stands in it, is taken away before the numbers are wiped, and
//! put in after that; a reader that finds the same name before and behind the numbers has read the numbers of that tenant. The
//! numbers among themselves are no consistent cut: one may be a step ahead of the other. `tests/loom.rs` runs every interleaving
//! of exactly this code.

#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering, fence};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU64, Ordering, fence};

use crate::id::{Generation, Slot, SlotKey};
use crate::time::Moment;

/// What a session has moved so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Plaintext bytes from client to host.
    pub up_bytes: u64,
    /// Plaintext bytes from host to client.
    pub down_bytes: u64,
    /// When a byte last moved; before the first, when the client connected.
    pub last: Moment,
}

/// One slot's record. Two of them share a cache line, and a worker.
#[derive(Debug, Default)]
#[repr(align(32))]
pub struct Live {
    /// Generation and one, or zero: nobody.
    tenant: AtomicU64,
    up_bytes: AtomicU64,
    down_bytes: AtomicU64,
    last: AtomicU64,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Live>() == 32);

impl Live {
    /// A new tenant, who has moved nothing yet.
    pub fn begin(&self, generation: Generation, now: Moment) {
        self.end();
        // Whoever reads a number stored from here on does not find the old name behind it.
        fence(Ordering::Release);
        self.moved(0, 0, now);
        self.tenant.store(name(generation), Ordering::Release);
    }

    /// What the tenant has moved in all, and when it last did.
    pub fn moved(&self, up_bytes: u64, down_bytes: u64, last: Moment) {
        self.up_bytes.store(up_bytes, Ordering::Relaxed);
        self.down_bytes.store(down_bytes, Ordering::Relaxed);
        self.last.store(last.0, Ordering::Relaxed);
    }

    /// The tenant is gone.
    pub fn end(&self) {
        self.tenant.store(0, Ordering::Relaxed);
    }

    /// What the tenant of this generation has moved; `None` if it is another, or nobody.
    #[must_use]
    pub fn read(&self, generation: Generation) -> Option<Traffic> {
        if self.tenant.load(Ordering::Acquire) != name(generation) {
            return None;
        }
        let traffic = Traffic {
            up_bytes: self.up_bytes.load(Ordering::Relaxed),
            down_bytes: self.down_bytes.load(Ordering::Relaxed),
            last: Moment(self.last.load(Ordering::Relaxed)),
        };
        fence(Ordering::Acquire);
        (self.tenant.load(Ordering::Relaxed) == name(generation)).then_some(traffic)
    }
}

fn name(generation: Generation) -> u64 {
    u64::from(generation.0) + 1
}

/// The records of one worker's slots.
#[derive(Debug)]
pub struct LiveTable(Box<[Live]>);

impl LiveTable {
    /// Records for `slots` slots, of nobody.
    #[must_use]
    pub fn new(slots: u32) -> Self {
        Self((0..slots).map(|_| Live::default()).collect())
    }

    /// The record of `slot`, for its worker to write.
    ///
    /// # Panics
    /// If there is no such slot: the table is as large as that of sessions.
    #[must_use]
    pub fn at(&self, slot: Slot) -> &Live {
        &self.0[slot.0 as usize]
    }

    /// What the session `key` has moved; `None` if it is over, or was never there.
    #[must_use]
    pub fn read(&self, key: SlotKey) -> Option<Traffic> {
        self.0.get(key.slot.0 as usize)?.read(key.generation)
    }

    /// The worker is gone and all its sessions with it.
    pub fn clear(&self) {
        self.0.iter().for_each(Live::end);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn key(slot: u32, generation: u32) -> SlotKey {
        SlotKey { slot: Slot(slot), generation: Generation(generation) }
    }

    #[test]
    fn only_the_tenant_of_the_moment_is_found() {
        let table = LiveTable::new(2);
        assert_eq!(table.read(key(0, 0)), None, "nobody has been here, although generations begin at zero");
        table.at(Slot(0)).begin(Generation(0), Moment(5));
        assert_eq!(table.read(key(0, 0)), Some(Traffic { up_bytes: 0, down_bytes: 0, last: Moment(5) }));
        table.at(Slot(0)).moved(10, 20, Moment(6));
        assert_eq!(table.read(key(0, 0)), Some(Traffic { up_bytes: 10, down_bytes: 20, last: Moment(6) }));
        assert_eq!([key(1, 0), key(0, 1), key(2, 0)].map(|key| table.read(key)), [None; 3]);
        table.at(Slot(0)).begin(Generation(u32::MAX), Moment(7));
        assert_eq!(table.read(key(0, 0)), None);
        assert_eq!(table.read(key(0, u32::MAX)).map(|traffic| traffic.up_bytes), Some(0));
        table.clear();
        assert_eq!(table.read(key(0, u32::MAX)), None);
    }
}
