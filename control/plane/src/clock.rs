//! The control plane's two clocks, read here and nowhere else.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sluice_link::time::Moment;

/// The monotonic clock, counted from an origin that all threads of the process share.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// Counts from `origin`.
    #[must_use]
    pub fn new(origin: Instant) -> Self {
        Self { origin }
    }

    /// Since the origin: what the tables of gate-auth are told.
    #[must_use]
    pub fn now(&self) -> Duration {
        #[expect(clippy::disallowed_methods, reason = "the control plane's one read of the monotonic clock")]
        let now = Instant::now();
        now.saturating_duration_since(self.origin)
    }

    /// The same, as the data plane speaks of it.
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment::default() + self.now()
    }
}

/// Wall-clock time as seconds since 1970, for log text only: nothing is decided by it.
#[must_use]
pub fn wall_seconds() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "wall clock for log text")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
