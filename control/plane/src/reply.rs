//! What the console says to whoever asked, on its way to a door.
//!
//! ```text
//!   console ── Reply::say (never waits) ──► Said, Said, … ──► Heard::next ──► door ──► client
//! ```
//!
//! Saying never waits, so a client that does not read delays nobody but itself: what it was to be told is held for it, up to
//! [`HELD_BYTES_MAX`], and the rest is dropped and counted as such.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use tokio::sync::mpsc;

/// Bytes that one answer may hold at a time, unread.
pub(crate) const HELD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What something said costs beside its text, in bytes.
const SAID_BYTES: usize = 64;

/// One thing said. None of the texts ends with a line end, but [`Said::Text`], whose lines all do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Part of an answer, as shown to people, or JSON: whole lines.
    Text(String),
    /// A warning, without the word.
    Warning(String),
    /// An error, without the word.
    Error(String),
    /// How far something is; replaced by the next.
    Progress(String),
    /// One of several commands of a line has been carried out, and others follow.
    Done,
}

impl Said {
    fn bytes(&self) -> usize {
        let text = match self {
            Self::Text(text) | Self::Warning(text) | Self::Error(text) | Self::Progress(text) => text.len(),
            Self::Done => 0,
        };
        text.saturating_add(SAID_BYTES)
    }
}

/// The console's end.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    said: mpsc::UnboundedSender<Said>,
    held: Arc<Held>,
}

#[derive(Debug, Default)]
struct Held {
    bytes: AtomicUsize,
    has_dropped: AtomicBool,
}

/// The door's end.
#[derive(Debug)]
pub(crate) struct Heard {
    said: mpsc::UnboundedReceiver<Said>,
    held: Arc<Held>,
}

/// A reply that nobody has begun, and where it is heard.
pub(crate) fn reply() -> (Reply, Heard) {
    let (say, said) = mpsc::unbounded_channel();
    let held = Arc::new(Held::default());
    (Reply { said: say, held: held.clone() }, Heard { said, held })
}

impl Reply {
    /// Says it. Nothing happens if the client has gone away, or has too much to read already.
    pub(crate) fn say(&self, said: Said) {
        let bytes = said.bytes();
        if self.held.bytes.fetch_add(bytes, Relaxed).saturating_add(bytes) > HELD_BYTES_MAX {
            self.held.bytes.fetch_sub(bytes, Relaxed);
            self.held.has_dropped.store(true, Relaxed);
            return;
        }
        // The client may be gone.
        let _ = self.said.send(said);
    }

    /// Waits until the client has gone away. Whoever only watches something for it stops then.
    pub(crate) async fn gone(&self) {
        self.said.closed().await;
    }
}

impl Heard {
    /// The next thing said. `None`: all ends of the console are gone, and everything has been heard.
    pub(crate) async fn next(&mut self) -> Option<Said> {
        let said = self.said.recv().await?;
        self.held.bytes.fetch_sub(said.bytes(), Relaxed);
        Some(said)
    }

    /// The next thing said, if it is there already.
    pub(crate) fn at_hand(&mut self) -> Option<Said> {
        let said = self.said.try_recv().ok()?;
        self.held.bytes.fetch_sub(said.bytes(), Relaxed);
        Some(said)
    }

    /// Whether something was dropped since there was too much.
    pub(crate) fn has_dropped(&self) -> bool {
        self.held.has_dropped.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn what_nobody_reads_is_bounded() {
        let (reply, mut heard) = reply();
        let long = "x".repeat(HELD_BYTES_MAX / 2);
        reply.say(Said::Text(long.clone()));
        assert!(!heard.has_dropped());
        reply.say(Said::Text(long.clone()));
        assert!(heard.has_dropped());
        reply.say(Said::Done);
        assert_eq!(heard.next().await, Some(Said::Text(long.clone())));
        reply.say(Said::Text(long.clone()));
        drop(reply);
        assert_eq!(heard.next().await, Some(Said::Done));
        assert_eq!(heard.next().await, Some(Said::Text(long)));
        assert_eq!(heard.next().await, None);
        assert_eq!(heard.held.bytes.load(Relaxed), 0);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn whoever_watches_learns_that_nobody_listens() {
        let (reply, heard) = reply();
        let watch = tokio::spawn({
            let reply = reply.clone();
            async move { reply.gone().await }
        });
        tokio::task::yield_now().await;
        assert!(!watch.is_finished());
        drop(heard);
        watch.await.unwrap();
        reply.say(Said::Done);
    }
}
