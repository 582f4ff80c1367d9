//! The addresses of a gateway's name, as the machine looks names up.
//!
//! ```text
//!   linked as usual    ─► the C library, which loads what /etc/nsswitch.conf names
//!   one static file    ─► getent, which every distribution has; if there is none, the C library inside, for files and DNS
//! ```
//!
//! A static program that loads the machine's modules for names, made for the machine's own C library, may crash: so it asks a program of
//! the machine, which is at home there.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::child;

/// Where it is.
const GETENT: [&str; 2] = ["/usr/bin/getent", "/bin/getent"];
/// Most addresses that are tried.
const ADDRESSES_MAX: usize = 16;

/// The addresses of `name`, at `port`; getent may take as long as `wait`.
pub(crate) fn addresses(name: &str, port: u16, wait: Duration) -> io::Result<Vec<SocketAddr>> {
    let getent = GETENT.map(Path::new).into_iter().find(|program| program.is_file());
    match getent.filter(|_| cfg!(target_feature = "crt-static")) {
        Some(program) => by(program, name, port, wait),
        None => Ok((name, port).to_socket_addrs()?.take(ADDRESSES_MAX).collect()),
    }
}

fn by(program: &Path, name: &str, port: u16, wait: Duration) -> io::Result<Vec<SocketAddr>> {
    let mut command = Command::new(program);
    command.args(["ahosts", name]);
    let (code, said) = child::ended(command, "", wait)?;
    match code {
        // Each address comes once for each kind of socket.
        Some(0) => {
            let mut all: Vec<SocketAddr> = Vec::new();
            for address in said.lines().filter_map(|line| line.split_whitespace().next()?.parse::<IpAddr>().ok()) {
                let address = SocketAddr::new(address, port);
                if !all.contains(&address) && all.len() < ADDRESSES_MAX {
                    all.push(address);
                }
            }
            Ok(all)
        }
        Some(_) => Err(io::Error::new(io::ErrorKind::NotFound, "its name is unknown")),
        None => Err(io::ErrorKind::TimedOut.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(30);

    #[test]
    fn the_machines_own_program_finds_names() {
        let program = GETENT.map(Path::new).into_iter().find(|program| program.is_file()).unwrap();
        let found = by(program, "localhost", 443, WAIT).unwrap();
        assert!(
            found.iter().all(|address| address.ip().is_loopback() && address.port() == 443) && !found.is_empty(),
            "{found:?}"
        );
        assert_eq!(by(program, "no-such-name.invalid", 443, WAIT).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_it_says_is_bounded_and_checked() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("getent");
        let says = |script: &str, wait| {
            child::tests::script(&program, script);
            by(&program, "name", 1, wait)
        };
        let two = says("printf '192.0.2.1 STREAM x\\n192.0.2.1 DGRAM\\nodd\\n2001:db8::1 STREAM\\n'", WAIT).unwrap();
        assert_eq!(two, ["192.0.2.1:1".parse().unwrap(), "[2001:db8::1]:1".parse().unwrap()]);
        let many = says("for n in $(seq 100); do echo 192.0.2.$n STREAM; done", WAIT).unwrap();
        assert_eq!(many.len(), ADDRESSES_MAX);
        assert_eq!(says("exec sleep 600", Duration::from_millis(50)).unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(says("exit 0", WAIT).unwrap(), []);
    }
}
