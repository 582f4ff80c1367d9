//! Behind the gateway: hosts and authorities that are not who they should be, or break.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use sluicegate_tests::certs::{Ca, write};
use sluicegate_tests::client::{Opening, request, reset};
use sluicegate_tests::deadline::until;
use sluicegate_tests::gateway::{Gateway, Wish};
use sluicegate_tests::host::{Host, nobody};
use sluicegate_tests::tools::{Running, output};

use super::{counted, still_served};
use crate::wish;

on_each_engine_and_whoever_has_the_records!(a_host_with_tls_is_verified, a_host_that_resets_costs_its_session_only,);

mod authority {
    on_each_engine!(an_authority_with_a_wrong_certificate_is_not_asked);

    use super::an_authority_with_a_wrong_certificate_is_not_asked;
}

/// The name that hosts shall have.
const HOST_NAME: &str = "vda.example.test";

/// Item 6: TLS towards hosts, verified by name and authority; nothing is said to a host that is not the right one.
fn a_host_with_tls_is_verified(wish: Wish) {
    let (ours, theirs) = (Ca::new(), Ca::new());
    let serve = |ca: &Ca, name: &str| {
        let (chain, key) = ca.server(&[name]);
        Host::tls_echo(&chain, &key)
    };
    let gateway = wish
        .file("hosts.pem", ours.pem.clone())
        .line(format!("add farm hostTls vdas -address 127.0.0.1 -CACert hosts.pem -serverName {HOST_NAME}"))
        .start();
    let before = gateway.descriptors();
    let good = serve(&ours, HOST_NAME);
    let mut client = gateway.launch(good.address);
    for _ in 0..10 {
        still_served(&mut client);
    }
    let bad = [
        ("another name", serve(&ours, "other.example.test")),
        ("another authority", serve(&theirs, HOST_NAME)),
        ("no TLS at all", Host::greets(b"\x7f\x7fICA\0")),
        ("the end instead of TLS", Host::start(|_| Ok(()))),
    ];
    for (n, (what, host)) in bad.iter().enumerate() {
        let mut client = gateway.connect();
        let reply = client.present(&gateway.ticket(host.address).single(), Opening::Pipelined).unwrap();
        assert_eq!(reply, 1, "{what}");
        assert_eq!(client.rest().unwrap(), b"", "{what}");
        counted(&gateway, "closed_host_tls", n as u64 + 1);
    }
    still_served(&mut client);
    drop(client);
    gateway.settles_at(before);
}

/// Section 18 "VDA resets": while its client reads, and while he does not.
fn a_host_that_resets_costs_its_session_only(wish: Wish) {
    let host = Host::start(|mut connection| {
        connection.write_all(&[0x33; 3_000_000])?;
        reset(connection);
        Ok(())
    });
    let deaf = Host::start(|mut connection| {
        connection.read_exact(&mut [0])?;
        reset(connection);
        Ok(())
    });
    let (gateway, echo) = (wish.start(), Host::echo());
    let before = gateway.descriptors();
    let mut witness = gateway.launch(echo.address);
    for _ in 0..10 {
        // The reset is passed on, and may overtake everything: the reply, and even the news that the host had been reached.
        let mut reads = gateway.connect();
        let reply = reads.present(&gateway.ticket(host.address).single(), Opening::Pipelined);
        assert!(matches!(reply, Err(_) | Ok(0 | 1 | 5)), "{reply:?}");
        let mut got = Vec::new();
        let _ = reads.stream.read_to_end(&mut got);
        assert!(got.len() <= 3_000_000 && got.iter().all(|byte| *byte == 0x33));
        let mut writes = gateway.launch(deaf.address);
        let _ = writes.stream.write_all(&[0; 500_000]);
    }
    // One who never reads: the gateway waits for him only as long as it must.
    let mut deaf_client = gateway.connect();
    let _ = deaf_client.stream.write_all(&request(gateway.ticket(host.address).single().as_bytes()));
    still_served(&mut witness);
    drop((witness, deaf_client));
    gateway.settles_at(before);
}

/// An HTTPS front for `plain`, with this certificate.
fn https(gateway: &Gateway, name: &str, (chain, key): (String, String), plain: SocketAddr) -> (Running, SocketAddr) {
    let address = nobody();
    let pem = write(gateway.dir(), name, &(chain + &key));
    let listen = format!("OPENSSL-LISTEN:{},bind=127.0.0.1,reuseaddr,fork,verify=0,cert={}", address.port(), pem.display());
    let running =
        Running::start(Command::new("socat").arg(listen).arg(format!("TCP:{plain}")).stdin(Stdio::null()).stderr(Stdio::null()));
    let port = address.port().to_string();
    until("socat to listen", || output("ss", &["-Hltn", &format!("sport = :{port}")]).contains(&port).then_some(()));
    (running, address)
}

/// T59: an authority in between learns no ticket, and opens nothing.
fn an_authority_with_a_wrong_certificate_is_not_asked(engine: &'static str) {
    let (ours, theirs) = (Ca::new(), Ca::new());
    let inside = wish("MIO").start();
    let host = Host::echo();
    let cases = [
        ("good", ours.server(&["127.0.0.1"]), true),
        ("another-name", ours.server(&["sta.example.test"]), false),
        ("another-authority", theirs.server(&["127.0.0.1"]), false),
    ];
    for (what, pair, good) in cases {
        let (_socat, address) = https(&inside, what, pair, inside.address("inside"));
        let gateway = wish(engine)
            .no_farm()
            .file("sta.pem", ours.pem.clone())
            .line(format!("bind vpn vserver vpn1 -staServer https://{address} -CACert sta.pem"))
            .start();
        let ticket = inside.ticket(host.address).single();
        let reply = gateway.connect().present(&ticket, Opening::Pipelined).unwrap();
        assert_eq!(reply == 0, good, "{what}: {reply}");
        if !good {
            // The ticket was not shown to anybody: it can still be used where it was issued.
            assert_eq!(inside.connect().present(&ticket, Opening::Pipelined).unwrap(), 0, "{what}");
        }
    }
}
