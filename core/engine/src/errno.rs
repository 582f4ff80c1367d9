//! What the kernel's errors mean to a session, one sentence each.

use std::io;

use sluice_flow::event::Fault;

/// The meaning of `errno`.
pub(crate) fn fault(errno: i32) -> Fault {
    match errno {
        // Nobody listens there; for a Unix socket also: there is no such socket.
        libc::ECONNREFUSED | libc::ENOENT => Fault::Refused,
        // The other side has reset the connection, or we wrote after it had.
        libc::ECONNRESET | libc::EPIPE | libc::ECONNABORTED => Fault::Reset,
        // A router or the local network says that this host is not to be reached.
        libc::EHOSTUNREACH | libc::EHOSTDOWN => Fault::HostUnreachable,
        // There is no route, or the interface is down.
        libc::ENETUNREACH | libc::ENETDOWN => Fault::NetUnreachable,
        // Keepalive, TCP_USER_TIMEOUT or the retries of SYN ran out.
        libc::ETIMEDOUT => Fault::TimedOut,
        // Descriptors, ports, memory, or the backlog of a Unix listener are used up.
        libc::EMFILE | libc::ENFILE | libc::EADDRNOTAVAIL | libc::EADDRINUSE | libc::ENOMEM | libc::ENOBUFS | libc::EAGAIN => {
            Fault::Exhausted
        }
        // We took it back.
        libc::ECANCELED => Fault::Cancelled,
        // Named by its number; the log prints its text.
        other => Fault::Other(other),
    }
}

/// The meaning of an error of the standard library's or our own system calls.
pub(crate) fn of(error: &io::Error) -> Fault {
    fault(error.raw_os_error().unwrap_or(libc::EIO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_keep_their_meaning() {
        assert_eq!(fault(libc::ECONNREFUSED), Fault::Refused);
        assert_eq!(fault(libc::EPIPE), Fault::Reset);
        assert_eq!(fault(libc::EACCES), Fault::Other(libc::EACCES));
        assert_eq!(of(&io::Error::from_raw_os_error(libc::ETIMEDOUT)), Fault::TimedOut);
        assert_eq!(of(&io::Error::other("not from the kernel")), Fault::Other(libc::EIO));
    }
}
