//! The deadline of one HTTP connection: which part is under way, and by when it must be over.
//!
//! ```text
//!   Head ──► Body ──► Answering ──► Writing ──► Idle ──► Head …        each with its own deadline; past it, the end
//!                                      └──► Parting
//! ```
//!
//! The reading half says when bytes come, the service when it begins and ends, the writing half when all is out. One
//! watcher per connection sleeps until the deadline that holds at that time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::strict::Length;

/// For a head, from its first byte (the first head: from the connection's begin).
pub(crate) const HEAD_TIME: Duration = Duration::from_secs(5);
/// Without a request.
pub(crate) const IDLE_TIME: Duration = Duration::from_secs(60);
/// For the service to answer. Its own deadlines are shorter; this is for the one that was forgotten.
pub(crate) const ANSWER_TIME: Duration = Duration::from_secs(30);
/// For the other side to end, once everything has been said.
pub(crate) const PARTING_TIME: Duration = Duration::from_secs(2);
/// What a transfer may take in any case.
pub(crate) const TRANSFER_TIME: Duration = Duration::from_secs(5);
/// Slowest transfer beyond that, in bytes per second.
pub(crate) const RATE_MIN: u64 = 200;
/// Where a long transfer begins, in bytes: longer than any page, and than any request.
pub(crate) const LONG_BYTES: u64 = 64 * 1024;
/// Slowest transfer of what is beyond that, in bytes per second.
pub(crate) const LONG_RATE_MIN: u64 = 8 * 1024;
/// For a body of unknown length.
pub(crate) const CHUNKED_TIME: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Head,
    Body,
    Answering,
    Writing,
    Idle,
    Parting,
}

/// See the module. Shared within one connection's task.
#[derive(Debug)]
pub(crate) struct Pace {
    state: Mutex<(Part, Instant)>,
    moved: Notify,
}

impl Pace {
    /// A connection that begins now, with a head.
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new((Part::Head, Instant::now() + HEAD_TIME)), moved: Notify::new() }
    }

    /// Bytes of a head have come.
    pub(crate) fn head_bytes(&self) {
        self.change(|part| (part == Part::Idle).then_some((Part::Head, HEAD_TIME)));
    }

    /// A head is complete and announces a body of `length`.
    pub(crate) fn body(&self, length: Length) {
        let time = match length {
            Length::Bytes(bytes) => transfer_time(bytes),
            Length::Chunked => CHUNKED_TIME,
        };
        self.change(|_| Some((Part::Body, time)));
    }

    /// The service has all that it needs.
    pub(crate) fn answering(&self) {
        self.change(|_| Some((Part::Answering, ANSWER_TIME)));
    }

    /// The answer has `bytes` bytes and is on its way.
    pub(crate) fn writing(&self, bytes: u64) {
        self.change(|_| Some((Part::Writing, transfer_time(bytes))));
    }

    /// Everything written so far has left.
    pub(crate) fn flushed(&self) {
        self.change(|part| (part == Part::Writing).then_some((Part::Idle, IDLE_TIME)));
    }

    /// Everything has been said; the other side may still end.
    pub(crate) fn parting(&self) {
        self.change(|_| Some((Part::Parting, PARTING_TIME)));
    }

    /// Returns when a deadline has passed.
    pub(crate) async fn overdue(&self) {
        loop {
            let moved = self.moved.notified();
            let (_, deadline) = *self.state.lock().unwrap_or_else(PoisonError::into_inner);
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => return,
                () = moved => {}
            }
        }
    }

    fn change(&self, next: impl FnOnce(Part) -> Option<(Part, Duration)>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((part, time)) = next(state.0) {
            *state = (part, Instant::now() + time);
            drop(state);
            self.moved.notify_one();
        }
    }
}

fn transfer_time(bytes: u64) -> Duration {
    let long = bytes.saturating_sub(LONG_BYTES);
    TRANSFER_TIME + Duration::from_secs((bytes - long) / RATE_MIN + long / LONG_RATE_MIN)
}
