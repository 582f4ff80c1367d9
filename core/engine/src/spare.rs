//! What to do when the process has no descriptors left and clients keep coming.
//!
//! A connection that cannot be accepted stays in the backlog, and the listener stays ready: a loop that only tries again would
//! spin. So one descriptor is kept in reserve. When accepting fails it is given up, a few of the waiting connections are taken and
//! reset, so that those clients learn at once that they must go elsewhere, and it is opened again. Then accepting pauses.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::doors;
use crate::sock::{self, Mode};

/// How long a listener is left alone after descriptors have run out.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many connections are reset at the beginning of each pause.
const SHED_AT_ONCE: usize = 16;

#[derive(Debug)]
pub(crate) struct Spare(Option<OwnedFd>);

impl Spare {
    pub(crate) fn new() -> Self {
        Self(open())
    }

    /// Resets some of the connections that wait at `listener`.
    pub(crate) fn shed(&mut self, listener: BorrowedFd<'_>) {
        self.0 = None;
        for _ in 0..SHED_AT_ONCE {
            // A blocking listener must not be asked unless somebody is there.
            if !sock::readable(listener) {
                break;
            }
            let Ok(socket) = sock::accept(listener, Mode::NonBlocking) else { break };
            doors::reset(socket);
        }
        self.0 = open();
    }
}

/// Any descriptor will do; a socket is what a worker may still make when it is locked in. Without one, shedding does nothing.
fn open() -> Option<OwnedFd> {
    UnixDatagram::unbound().ok().map(OwnedFd::from)
}

/// Why accepting failed, by what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It was taken back, or that one connection broke before it was taken, or a firewall said no: go on.
    None,
    /// This process or the machine has no descriptors or memory left: shed and pause.
    RanOut,
    /// Something else, which trying again at once would most likely meet again: pause.
    Strange,
}

pub(crate) fn trouble(errno: i32) -> Trouble {
    match errno {
        libc::ECANCELED
        | libc::EINTR
        | libc::EAGAIN
        | libc::ECONNABORTED
        | libc::ECONNRESET
        | libc::EPERM
        | libc::EPROTO
        | libc::ETIMEDOUT => Trouble::None,
        libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM => Trouble::RanOut,
        _ => Trouble::Strange,
    }
}
