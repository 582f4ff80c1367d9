//! Where threads, and processes that carry out one load together, wait for each other before the window.
//!
//! ```text
//!   thread: warm ─► arrive ─► works on until the gate is open ─► window
//!   the last to arrive opens it; in one of several processes it says "ready" instead, and the first process says "go" to all
//! ```

use std::io::{BufRead as _, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::fault::Fault;

/// What a process says when all its threads are warm.
pub(crate) const READY: &str = "ready";
/// What it is told then.
pub(crate) const GO: &str = "go";
/// How often a waiting process looks whether its threads are warm.
const LOOK: Duration = Duration::from_millis(1);

/// What the threads of one run have in common.
#[derive(Debug)]
pub(crate) struct Gate {
    threads: usize,
    /// Threads whose connections all work.
    ready: AtomicUsize,
    open: AtomicBool,
    /// One of them gave up: the others must not wait for it.
    failed: AtomicBool,
    /// Work that all of them did in their windows.
    units: AtomicU64,
}

impl Gate {
    pub(crate) fn new(threads: usize) -> Self {
        Self {
            threads,
            ready: AtomicUsize::new(0),
            open: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            units: AtomicU64::new(0),
        }
    }

    /// One more is warm. `alone`: there is no other process to wait for.
    pub(crate) fn arrive(&self, alone: bool) {
        if self.ready.fetch_add(1, Ordering::Relaxed) + 1 == self.threads && alone {
            self.open.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the window may begin; a fault if it never will.
    pub(crate) fn is_open(&self) -> Result<bool, Fault> {
        if self.failed.load(Ordering::Relaxed) {
            return Err(Fault::Another);
        }
        Ok(self.open.load(Ordering::Relaxed))
    }

    /// One gave up.
    pub(crate) fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    /// Counts work, for whoever watches.
    pub(crate) fn add(&self, units: u64) {
        self.units.fetch_add(units, Ordering::Relaxed);
    }

    /// Work in the window so far.
    pub(crate) fn units(&self) -> u64 {
        self.units.load(Ordering::Relaxed)
    }

    /// For one of several processes: says when all threads are warm, and opens when it is told to.
    pub(crate) fn wait_for_go(&self) {
        while self.ready.load(Ordering::Relaxed) < self.threads {
            if self.failed.load(Ordering::Relaxed) {
                return;
            }
            thread::park_timeout(LOOK);
        }
        let mut out = std::io::stdout();
        let said = writeln!(out, "{READY}").and_then(|()| out.flush());
        let mut line = String::new();
        let told = said.and_then(|()| std::io::stdin().lock().read_line(&mut line));
        if told.is_ok() && line.trim() == GO {
            self.open.store(true, Ordering::Relaxed);
        } else {
            self.fail();
        }
    }
}
