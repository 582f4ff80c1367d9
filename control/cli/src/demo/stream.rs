//! Bytes through a session and back, counted and hashed at both ends.
//!
//! ```text
//!  Source: the client's hello, then made-up bytes ─► gateway ─► demo host ─┐
//!  Echo:   the host's hellos dropped, the rest hashed ◄─ gateway ◄─────────┘ the same bytes
//! ```

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use aws_lc_rs::digest::{Context, Digest, SHA256};

use crate::launch::relay::Sink;

/// What client and host say first.
pub const ICA_HELLO: [u8; 6] = [0x7F, 0x7F, b'I', b'C', b'A', 0];

/// How far both directions are, in bytes of payload.
#[derive(Debug, Default)]
pub struct Progress {
    /// Made and handed over.
    pub up: AtomicU64,
    /// Come back.
    pub down: AtomicU64,
}

/// What both ends saw, once it is over.
pub type Sum = (u64, Digest);

/// Makes the bytes that go up: no two blocks alike, and never the same in two runs.
pub struct Source {
    hello: &'static [u8],
    left: u64,
    state: u64,
    hash: Option<Context>,
    made: u64,
    progress: Arc<Progress>,
    sum: mpsc::Sender<Sum>,
}

impl Source {
    /// A source of `bytes` bytes; its sum goes to `sum` when the last has been made.
    #[must_use]
    pub fn new(bytes: u64, seed: u64, progress: Arc<Progress>, sum: mpsc::Sender<Sum>) -> Self {
        Self { hello: &ICA_HELLO, left: bytes, state: seed, hash: Some(Context::new(&SHA256)), made: 0, progress, sum }
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if !self.hello.is_empty() {
            return self.hello.read(into);
        }
        let room = u64::try_from(into.len()).unwrap_or(u64::MAX).min(self.left);
        let room = usize::try_from(room).unwrap_or_default();
        if room == 0 {
            if let Some(hash) = self.hash.take() {
                // Nobody listens if the transfer has been given up; then nobody needs it.
                let _sent = self.sum.send((self.made, hash.finish()));
            }
            return Ok(0);
        }
        let piece = &mut into[..room];
        for eight in piece.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            eight.copy_from_slice(&word[..eight.len()]);
        }
        if let Some(hash) = &mut self.hash {
            hash.update(piece);
        }
        let count = u64::try_from(room).unwrap_or_default();
        self.left -= count;
        self.made += count;
        self.progress.up.store(self.made, Ordering::Relaxed);
        Ok(room)
    }
}

/// Takes what comes back.
pub struct Echo {
    head: Vec<u8>,
    hash: Option<Context>,
    hellos: mpsc::Sender<()>,
    greeted: bool,
    taken: u64,
    progress: Arc<Progress>,
    sum: mpsc::Sender<Sum>,
}

impl Echo {
    /// The first hello of the host is reported to `hellos`; the sum goes to `sum` when the host has said all.
    #[must_use]
    pub fn new(progress: Arc<Progress>, hellos: mpsc::Sender<()>, sum: mpsc::Sender<Sum>) -> Self {
        let hash = Some(Context::new(&SHA256));
        Self { head: Vec::new(), hash, hellos, greeted: false, taken: 0, progress, sum }
    }

    fn take(&mut self, payload: &[u8]) {
        if let Some(hash) = &mut self.hash {
            hash.update(payload);
        }
        self.taken += u64::try_from(payload.len()).unwrap_or_default();
        self.progress.down.store(self.taken, Ordering::Relaxed);
    }

    /// Drops hellos in front of the payload: the host repeats its own until it has been answered.
    fn take_head(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let missing = ICA_HELLO.len() - self.head.len();
            let (now, rest) = bytes.split_at(missing.min(bytes.len()));
            self.head.extend_from_slice(now);
            bytes = rest;
            if self.head == ICA_HELLO {
                self.head.clear();
                if !self.greeted {
                    self.greeted = true;
                    let _told = self.hellos.send(());
                }
            } else if self.head.len() == ICA_HELLO.len() || !ICA_HELLO.starts_with(&self.head) {
                if !self.greeted {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "the host did not begin with the ICA hello"));
                }
                let head = std::mem::take(&mut self.head);
                self.take(&head);
                self.take(bytes);
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Write for Echo {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.taken == 0 {
            self.take_head(bytes)?
        } else {
            self.take(bytes)
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Echo {
    fn finish(&mut self) -> io::Result<()> {
        let head = std::mem::take(&mut self.head);
        self.take(&head);
        if let Some(hash) = self.hash.take() {
            let _sent = self.sum.send((self.taken, hash.finish()));
        }
        Ok(())
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("left", &self.left).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Echo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Echo").field("taken", &self.taken).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(count: u64, hellos: usize, piece: usize, change: impl Fn(&mut Vec<u8>)) -> (Option<Sum>, Option<Sum>, bool) {
        let progress = Arc::new(Progress::default());
        let (up_sum, up) = mpsc::channel();
        let (down_sum, down) = mpsc::channel();
        let (hello, greeted) = mpsc::channel();
        let mut bytes = Vec::new();
        Source::new(count, 7, Arc::clone(&progress), up_sum).read_to_end(&mut bytes).unwrap();
        let mut back = ICA_HELLO.repeat(hellos);
        back.extend_from_slice(&bytes[ICA_HELLO.len()..]);
        change(&mut back);
        let mut echo = Echo::new(progress, hello, down_sum);
        let _all = back.chunks(piece).try_for_each(|piece| echo.write_all(piece)).and_then(|()| echo.finish());
        (up.try_recv().ok(), down.try_recv().ok(), greeted.try_recv().is_ok())
    }

    #[test]
    fn what_comes_back_unchanged_has_the_same_sum() {
        for (count, hellos, piece) in [(100_000, 1, 1 << 14), (10_001, 3, 1), (0, 1, 3), (3, 2, 4)] {
            let (up, down, greeted) = run(count, hellos, piece, |_| {});
            let ((up_bytes, up), (down_bytes, down)) = (up.unwrap(), down.unwrap());
            assert_eq!((up_bytes, down_bytes, greeted), (count, count, true));
            assert_eq!(up.as_ref(), down.as_ref());
        }
    }

    #[test]
    fn one_changed_bit_or_lost_byte_is_seen() {
        let (up, down, _) = run(50_000, 1, 1000, |back| back[20_000] ^= 1);
        assert_ne!(up.unwrap().1.as_ref(), down.unwrap().1.as_ref());
        let (up, down, _) = run(50_000, 1, 1000, |back| {
            back.remove(20_000);
        });
        assert_ne!(up.unwrap().0, down.unwrap().0);
    }

    #[test]
    fn a_host_without_a_hello_is_refused() {
        let (_, down, greeted) = run(50_000, 0, 1000, |_| {});
        assert!(down.is_none() && !greeted);
    }
}
