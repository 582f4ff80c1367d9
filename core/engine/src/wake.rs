//! Waking a worker that sleeps in its engine.
//!
//! ```text
//!   control ── Waker::wake ──► eventfd ──► engine (kept armed) ──► Happening::Woken ──► worker empties its mailbox
//! ```
//!
//! The eventfd says only *that* something is there; what it is lies in the mailbox. Many writes before the worker looks are one
//! wake-up. Whether a wake-up may be left out since the worker is awake is the mailbox's business, not this module's.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::sync::Arc;

/// Wakes one worker, from any thread.
#[derive(Clone, Debug)]
pub struct Waker(Arc<File>);

impl Waker {
    /// Wakes it. It costs a system call.
    ///
    /// # Errors
    /// Those of `write`. With an eventfd only one is possible: its counter is full since 2⁶⁴-2 wake-ups were never read. In that
    /// case it is readable, so nothing is lost.
    pub fn wake(&self) -> io::Result<()> {
        (&*self.0).write_all(&1u64.to_ne_bytes())
    }
}

/// A new eventfd: one end for [`sluice_flow::port::Engine::wake_on`], one for whoever wakes that engine. Both are the same
/// descriptor underneath; the engine sets it to blocking or not as it needs, and a write of 1 blocks in neither case.
///
/// # Errors
/// Those of `eventfd` and `dup`: no descriptors or no memory.
pub fn eventfd() -> io::Result<(OwnedFd, Waker)> {
    // SAFETY: eventfd takes two numbers and no pointer.
    let raw = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: from_raw_fd demands an open descriptor that nobody else owns; the call above has just made this one.
    let engine = unsafe { OwnedFd::from_raw_fd(raw) };
    let control = engine.try_clone()?;
    Ok((engine, Waker(Arc::new(File::from(control)))))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn writes_add_up_until_read() {
        let (engine, waker) = eventfd().unwrap();
        waker.wake().unwrap();
        waker.wake().unwrap();
        let mut count = [0; 8];
        File::from(engine).read_exact(&mut count).unwrap();
        assert_eq!(u64::from_ne_bytes(count), 2);
    }
}
