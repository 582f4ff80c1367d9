//! What is on its way out of one leg: one chain with the kernel, at most one behind it.
//!
//! ```text
//!   push ─► next ─► flying ─► (kernel) ─► sent
//!             └── sealed records wait here in the order in which they were sealed
//! ```
//!
//! Two sends on one stream could be reordered or cut, so one flies at a time. A second is prepared while it does, but only when
//! little is flying: so that the kernel never waits for us, and a direction never holds more than about one buffer.

use crate::buf::{Chain, Pool, Then};
use crate::event::Leg;
use crate::intent::Intent;
use crate::limits::LOW_MARK_BYTES;

#[derive(Debug)]
pub(crate) struct Outgoing {
    leg: Leg,
    /// Bytes of the chain that the engine has; 0 if it has none.
    flying: usize,
    next: Option<Chain>,
    /// FIN goes with what was pushed last.
    fin: bool,
}

impl Outgoing {
    pub(crate) fn new(leg: Leg) -> Self {
        Self { leg, flying: 0, next: None, fin: false }
    }

    /// One more chain may be pushed.
    pub(crate) fn has_room(&self) -> bool {
        self.next.is_none()
    }

    /// So little is on its way that the next bytes should be fetched.
    pub(crate) fn wants_more(&self) -> bool {
        self.next.is_none() && self.flying <= LOW_MARK_BYTES
    }

    /// Everything has been taken by the kernel.
    pub(crate) fn is_idle(&self) -> bool {
        self.flying == 0 && self.next.is_none()
    }

    /// FIN has gone out, or goes out, with the last bytes: nobody need ask for it.
    pub(crate) fn says_fin(&self) -> bool {
        self.fin
    }

    /// The engine has FIN, with what flies or flew last. One that still waits here is lost by [`Outgoing::give_up`].
    pub(crate) fn has_said_fin(&self) -> bool {
        self.fin && self.next.is_none()
    }

    /// Sends `chain`, now or behind what is flying.
    ///
    /// # Panics
    /// If there is no room, or the chain is empty: a piece of a stream would be lost without anybody noticing.
    pub(crate) fn push(&mut self, chain: Chain, out: &mut Vec<Intent>) {
        assert!(self.next.is_none(), "two chains behind one send");
        assert!(chain.bytes() > 0, "an empty chain");
        self.fin |= chain.follows() == Then::Fin;
        if self.flying == 0 {
            self.flying = chain.bytes();
            out.push(Intent::Send { leg: self.leg, chain });
        } else {
            self.next = Some(chain);
        }
    }

    /// The kernel has taken what was flying.
    pub(crate) fn sent(&mut self, out: &mut Vec<Intent>) {
        self.flying = 0;
        if let Some(chain) = self.next.take() {
            self.push(chain, out);
        }
    }

    /// The leg takes no more: what waits is given back, what flies is the engine's to give back.
    pub(crate) fn give_up(&mut self, pool: &mut Pool) {
        self.flying = 0;
        if let Some(chain) = self.next.take() {
            pool.give(chain.into_buf());
        }
    }
}
