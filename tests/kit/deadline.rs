//! Waiting for a state, with a deadline.

use std::time::{Duration, Instant};

/// How long any state may take to come before a test gives up. Generous, since machines are shared: no verdict depends on it
/// except "it never came".
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A point in time after which waiting ends.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// `time` from now.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the kit is the place where tests read the clock")]
        Self(Instant::now() + time)
    }

    /// [`PATIENCE`] from now.
    #[must_use]
    pub fn patient() -> Self {
        Self::after(PATIENCE)
    }

    /// What is left of it, at least a millisecond so that it may be used as a socket time-out.
    #[must_use]
    pub fn left(self) -> Duration {
        #[expect(clippy::disallowed_methods, reason = "the kit is the place where tests read the clock")]
        let now = Instant::now();
        self.0.saturating_duration_since(now).max(Duration::from_millis(1))
    }

    /// Whether it has passed.
    #[must_use]
    pub fn passed(self) -> bool {
        #[expect(clippy::disallowed_methods, reason = "the kit is the place where tests read the clock")]
        let now = Instant::now();
        now >= self.0
    }
}

/// Looks at a state again and again until it is there.
///
/// # Panics
/// If it is not there within [`PATIENCE`]; `what` says what was waited for.
pub fn until<T>(what: &str, mut state: impl FnMut() -> Option<T>) -> T {
    let deadline = Deadline::patient();
    loop {
        if let Some(found) = state() {
            return found;
        }
        assert!(!deadline.passed(), "waited {PATIENCE:?} in vain for: {what}");
        // A pause between two looks, not a time that anything depends on.
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// How long `what` takes, for figures that are written down; no verdict depends on it.
pub fn timed(what: impl FnOnce()) -> Duration {
    #[expect(clippy::disallowed_methods, reason = "the kit is the place where tests read the clock")]
    let begun = Instant::now();
    what();
    begun.elapsed()
}
