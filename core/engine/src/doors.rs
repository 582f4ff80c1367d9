//! Accepted connections that the worker has not answered yet.
//!
//! They live for one turn: what the worker neither adopts nor refuses is refused when the next turn begins. A door's number
//! grows from turn to turn, so that a late answer finds nothing rather than somebody else's connection.

use std::net::SocketAddr;
use std::os::fd::{AsFd as _, OwnedFd};

use sluice_flow::port::Door;

use crate::sock::{self, Mode};

#[derive(Debug, Default)]
pub(crate) struct Doors {
    /// Number of the first door of this turn.
    first: u32,
    waiting: Vec<Option<OwnedFd>>,
}

impl Doors {
    pub(crate) fn open(&mut self, socket: OwnedFd) -> Door {
        let index = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        self.waiting.push(Some(socket));
        Door(self.first.wrapping_add(index))
    }

    /// Lets in what another engine accepted, which may treat its sockets otherwise. None if it was reset meanwhile.
    pub(crate) fn take_in(&mut self, socket: OwnedFd, mode: Mode) -> Option<(Door, SocketAddr, SocketAddr)> {
        let client = sock::peer_address(socket.as_fd()).ok()?;
        let local = sock::local_address(socket.as_fd()).ok()?;
        sock::set_mode(socket.as_fd(), mode).ok()?;
        Some((self.open(socket), client, local))
    }

    pub(crate) fn take(&mut self, door: Door) -> Option<OwnedFd> {
        let index = usize::try_from(door.0.wrapping_sub(self.first)).ok()?;
        self.waiting.get_mut(index)?.take()
    }

    pub(crate) fn refuse(&mut self, door: Door) {
        if let Some(socket) = self.take(door) {
            reset(socket);
        }
    }

    /// Refuses what is left and goes on counting behind it.
    pub(crate) fn next_turn(&mut self) {
        let count = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        self.first = self.first.wrapping_add(count);
        for socket in self.waiting.drain(..).flatten() {
            reset(socket);
        }
    }
}

/// Closes `socket` with a reset. If the option is refused the socket is gone already, and an ordinary close does.
pub(crate) fn reset(socket: OwnedFd) {
    let _ = sock::reset_on_close(socket.as_fd());
    drop(socket);
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_late_answer_finds_nothing() {
        let mut doors = Doors::default();
        let first = doors.open(UnixStream::pair().unwrap().0.into());
        let second = doors.open(UnixStream::pair().unwrap().0.into());
        assert!(doors.take(second).is_some());
        assert!(doors.take(second).is_none());
        doors.next_turn();
        let third = doors.open(UnixStream::pair().unwrap().0.into());
        assert!(doors.take(first).is_none());
        assert!(doors.take(third).is_some());
    }
}
