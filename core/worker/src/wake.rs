//! Waking a consumer that may be asleep, without ever losing a wake-up and without a system call while it is busy.
//!
//! Between a queue and whoever takes from it. The same protocol serves both directions: the worker sleeps on its engine, the
//! control thread on its own poller.
//!
//! ```text
//!   producer                              consumer
//!   ────────                              ────────
//!   queue ◄─ item                         asleep ◄─ true
//!   fence ───────────────────────────────── fence          one of the two sees what the other wrote
//!   asleep? ─ yes ─► asleep ◄─ false      queue empty? ─ no ──► asleep ◄─ false, take
//!                    write to the eventfd              ─ yes ─► sleep on the eventfd
//! ```
//!
//! The two fences make the store-buffer pattern: it cannot happen that the producer misses `asleep` and the consumer misses
//! the item. A busy consumer costs a producer one relaxed load; a needless wake-up does no harm. `tests/loom.rs` runs every
//! interleaving of exactly this code, with a bounded drain and a shutdown.
//!
//! Every write to the flag is a swap: swaps have one order in which each sees the one before, so nobody need ask which of a
//! plain store and a swap came last.
//!
//! The bell knows neither queue nor descriptor, so that the model can put its own in their place.

#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, Ordering, fence};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicBool, Ordering, fence};

/// How a sleeper is woken: a write to an eventfd, outside of tests.
pub trait Rouse {
    /// Makes the sleeper's wait return, now or when it next begins. Several calls may have the effect of one.
    fn rouse(&self);
}

/// The flag that says whether the consumer of a queue sleeps, and the means to wake it. It is written with each sleep and made beside
/// those of the other workers: so it has two cache lines of its own, since processors fetch them in pairs.
#[derive(Debug)]
#[cfg_attr(not(loom), repr(align(128)))]
pub struct Bell<R> {
    asleep: AtomicBool,
    rouse: R,
}

impl<R: Rouse> Bell<R> {
    /// A bell whose consumer is awake.
    pub fn new(rouse: R) -> Self {
        Self { asleep: AtomicBool::new(false), rouse }
    }

    /// Producer: to be called after each item put into the queue, or each flag set that the consumer checks before it sleeps.
    pub fn ring(&self) {
        fence(Ordering::SeqCst);
        // The load spares a busy consumer's cache line; the swap lets one of several producers do the system call.
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::Relaxed) {
            self.rouse.rouse();
        }
    }

    /// Consumer: declares that it is about to sleep. `nothing_to_do` is asked after that. If the answer of this is `false` it
    /// must not sleep.
    #[must_use]
    pub fn may_sleep(&self, nothing_to_do: impl FnOnce() -> bool) -> bool {
        self.asleep.swap(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let sleep = nothing_to_do();
        if !sleep {
            self.awake();
        }
        sleep
    }

    /// Consumer: has woken, for whatever cause.
    pub fn awake(&self) {
        if self.asleep.load(Ordering::Relaxed) {
            self.asleep.swap(false, Ordering::Relaxed);
        }
    }

    /// The means to wake, for its owner's other uses (the descriptor to sleep on).
    pub fn rouse(&self) -> &R {
        &self.rouse
    }
}
