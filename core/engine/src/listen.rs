//! Listening sockets: one per worker and address, all in one reuseport group.

use std::io;
use std::net::{SocketAddr, TcpListener};

use crate::sock;

/// Listens at `addr` with `SO_REUSEPORT`, so that each worker has a socket of its own there and the kernel spreads connections
/// over them. The backlog is the largest that the machine allows (`net.core.somaxconn`). An IPv6 address means IPv6 only.
///
/// With port 0 the kernel chooses one; bind the other workers' sockets to the address of the first.
///
/// # Errors
/// Those of `socket`, `setsockopt`, `bind` and `listen`.
pub fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    sock::listener(addr, backlog())
}

/// `net.core.somaxconn`, or 4096, which is what Linux has had as its default since 5.4.
fn backlog() -> i32 {
    let said = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap_or_default();
    said.trim().parse().unwrap_or(4096)
}

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
