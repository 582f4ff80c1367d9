//! The one place of this crate that reads a clock.

use std::io;
use std::time::{Duration, Instant};

/// The monotonic time.
#[must_use]
pub fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "the named place: a client tool waits for real sockets")]
    Instant::now()
}

/// A moment until which something must have happened.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// `wait` from now.
    #[must_use]
    pub fn after(wait: Duration) -> Self {
        Self(now() + wait)
    }

    /// How long it still is, never zero.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] once it has passed.
    pub fn left(self) -> io::Result<Duration> {
        let left = self.0.saturating_duration_since(now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}
