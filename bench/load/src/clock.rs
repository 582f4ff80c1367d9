//! The generator's clock.

use std::time::Instant;

/// Now, on the monotonic clock.
pub(crate) fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "a load generator measures time; this is the one place where it is read")]
    Instant::now()
}
