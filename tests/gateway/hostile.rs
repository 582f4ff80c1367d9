//! What enemies and broken peers do, from outside: each is stopped by the bound that is promised for it, is counted under its
//! name, and costs nobody else anything.
//!
//! One module per place where they stand: before the handshake, inside TLS, in the memory, at the portal, at the
//! login, behind the gateway.

mod behind;
mod handshake;
mod login;
mod memory;
mod records;
mod scans;
mod typed;
mod vanish;
mod web;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use sluicegate_tests::client::Client;
use sluicegate_tests::deadline::{PATIENCE, until};
use sluicegate_tests::gateway::Gateway;

/// Somebody who behaves, and wants to be served as before.
fn still_served(witness: &mut Client) {
    witness.stream.write_all(b"untouched").unwrap();
    let mut back = [0; 9];
    witness.stream.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"untouched");
}

/// A connection without TLS.
fn raw(gateway: &Gateway) -> TcpStream {
    let tcp = TcpStream::connect(gateway.public()).unwrap();
    tcp.set_nodelay(true).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    tcp.set_write_timeout(Some(PATIENCE)).unwrap();
    tcp
}

/// Everything until the other side ends, in whatever way.
fn until_end(mut tcp: &TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    match tcp.read_to_end(&mut all) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("not closed; so far {all:?}"),
        Ok(_) | Err(_) => all,
    }
}

/// Waits until `name` stands at `wanted`.
fn counted(gateway: &Gateway, name: &str, wanted: u64) {
    until(&format!("{name} to be {wanted}"), || (gateway.count(name) == wanted).then_some(()));
}
