//! Listening sockets: one per worker and address, all in one reuseport group.

use std::io;
use std::net::{SocketAddr, TcpListener};

use crate::sock;

/// Listens at `addr` with `SO_REUSEPORT`, so that each worker has a socket of its own there and the kernel spreads connections
/// over them. The backlog is [`BACKLOG_MAX`]. An IPv6 address means IPv6 only.
///
/// With port 0 the kernel chooses one; bind the other workers' sockets to the address of the first.
///
/// # Errors
/// Those of `socket`, `setsockopt`, `bind` and `listen`.
pub fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    sock::listener(addr, BACKLOG_MAX)
}

/// Connections that may wait to be accepted, for each worker and address, unless `net.core.somaxconn` allows fewer. They are as many as a worker
/// answers in some tenths of a second. Whoever comes when so many wait is not answered by the kernel, and tries again after a second, which costs
/// nothing; with many more than this, those whose turn it is would have given up while they waited, and only such would be served.
pub(crate) const BACKLOG_MAX: i32 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_may_listen_at_one_address() {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let first = bind(any.parse().unwrap()).unwrap();
            let second = bind(first.local_addr().unwrap()).unwrap();
            assert_eq!(first.local_addr().unwrap(), second.local_addr().unwrap());
        }
    }
}
