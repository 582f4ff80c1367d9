//! What does not get in: every bad ticket and opening has its own answer, nobody else is touched.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use sluicegate_tests::client::{Opening, request};
use sluicegate_tests::deadline::{PATIENCE, until};
use sluicegate_tests::gateway::Gateway;
use sluicegate_tests::host::{Host, nobody};
use sluicegate_tests::sta::{self, Answer};

use crate::wish;

on_each_engine!(
    replayed_ticket_is_refused,
    of_twenty_parallel_uses_one_wins,
    expired_ticket_is_refused,
    unknown_ticket_and_unknown_sta_are_refused,
    sta_outage_is_told_apart,
    address_outside_the_allow_list_is_not_dialled,
    an_address_is_never_dialled,
    other_commands_and_names_are_refused,
    host_down_is_told,
    host_that_does_not_accept_is_told,
    cgp_is_refused_with_the_cure,
    garbage_is_closed_and_counted_and_others_go_on,
);

/// Presents `ticket` and gives the reply.
fn reply(gateway: &Gateway, ticket: &str) -> u8 {
    gateway.connect().present(ticket, Opening::Pipelined).unwrap()
}

fn replayed_ticket_is_refused(engine: &'static str) {
    let (gateway, host) = (wish(engine).start(), Host::echo());
    let ticket = gateway.ticket(host.address).single();
    let mut first = gateway.connect();
    assert_eq!(first.present(&ticket, Opening::Pipelined).unwrap(), 0);
    assert_eq!(reply(&gateway, &ticket), 2);
    // The session that the ticket opened goes on.
    first.stream.write_all(b"still here").unwrap();
    first.stream.read_exact(&mut [0; 10]).unwrap();
    assert_eq!(host.accepted(), 1);
}

fn of_twenty_parallel_uses_one_wins(engine: &'static str) {
    let (gateway, host) = (wish(engine).start(), Host::echo());
    let ticket = gateway.ticket(host.address).single();
    let replies: Vec<u8> = std::thread::scope(|scope| {
        let uses: Vec<_> = (0..20).map(|_| scope.spawn(|| gateway.connect().present(&ticket, Opening::Bare).unwrap())).collect();
        uses.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(replies.iter().filter(|r| **r == 0).count(), 1, "{replies:?}");
    assert_eq!(host.accepted(), 1);
}

fn expired_ticket_is_refused(engine: &'static str) {
    let gateway = wish(engine)
        .no_farm()
        .line("add farm server inside 127.0.0.1 0 -ticketLifetime 1")
        .line("bind vpn vserver vpn1 -staServer http://127.0.0.1:0")
        .start();
    let host = Host::echo();
    let ticket = gateway.ticket(host.address).single();
    let aged = sluicegate_tests::deadline::Deadline::after(std::time::Duration::from_millis(1200));
    until("a second to pass", || aged.passed().then_some(()));
    assert_eq!(reply(&gateway, &ticket), 2);
    assert_eq!(host.accepted(), 0);
}

fn unknown_ticket_and_unknown_sta_are_refused(engine: &'static str) {
    let (gateway, host) = (wish(engine).start(), Host::echo());
    // First, since the log has one line per second and source about what strangers do wrong.
    assert_eq!(reply(&gateway, ";40;STANOBODY;0123456789ABCDEF0123456789ABCDEF"), 2);
    until("the unknown authority in the log", || gateway.log().contains("STANOBODY").then_some(()));
    let mut ticket = gateway.ticket(host.address);
    ticket.code = format!("0{}", &ticket.code[1..].to_lowercase());
    assert_eq!(reply(&gateway, &ticket.single()), 2, "codes are compared byte by byte");
    assert!(!gateway.log().contains("0123456789ABCDEF0123456789ABCDEF"), "a ticket stands in the log");
    assert_eq!(host.accepted(), 0);
}

fn sta_outage_is_told_apart(engine: &'static str) {
    for answer in [Answer::Status(500), Answer::Body("not xml at all".into()), Answer::Truncated, Answer::Hang] {
        let faulty = sta::misbehaving("STAFAULTY", answer.clone());
        let gateway = wish(engine).line(format!("bind vpn vserver vpn1 -staServer http://{}", faulty.address)).start();
        let ticket = ";40;STAFAULTY;0123456789ABCDEF0123456789ABCDEF";
        assert_eq!(reply(&gateway, ticket), 1, "{answer:?}");
        until("the outage to be counted", || (gateway.count("closed_sta_outage") == 1).then_some(()));
    }
}

fn address_outside_the_allow_list_is_not_dialled(engine: &'static str) {
    let gateway = wish(engine).start();
    for address in
        ["192.0.2.1:1494", "169.254.169.254:80", "0.0.0.0:1494", "[::1]:1494", "[::ffff:192.0.2.1]:1494", "224.0.0.1:1494"]
    {
        let ticket = sta::issue(gateway.address("inside"), address);
        assert_eq!(reply(&gateway, &ticket.single()), 2, "{address}");
    }
    assert_eq!(gateway.count("hosts_connected") + gateway.count("hosts_failed"), 0);
}

fn an_address_is_never_dialled(engine: &'static str) {
    let (gateway, host) = (wish(engine).start(), Host::echo());
    let mut client = gateway.connect();
    let mut bytes = vec![5, 1, 0, 1, 127, 0, 0, 1];
    bytes.extend(host.address.port().to_be_bytes());
    client.stream.write_all(&bytes).unwrap();
    assert_eq!(client.reply().unwrap(), 8);
    let mut client = gateway.connect();
    let mut bytes = vec![5, 1, 0, 5, 1, 0, 4];
    bytes.extend([0; 15]);
    bytes.push(1);
    bytes.extend(host.address.port().to_be_bytes());
    client.stream.write_all(&bytes).unwrap();
    client.stream.read_exact(&mut [0; 2]).unwrap();
    assert_eq!(client.reply().unwrap(), 8);
    assert_eq!(host.accepted(), 0);
}

fn other_commands_and_names_are_refused(engine: &'static str) {
    let (gateway, host) = (wish(engine).start(), Host::echo());
    for command in [2, 3] {
        let mut client = gateway.connect();
        let mut bytes = request(gateway.ticket(host.address).single().as_bytes());
        bytes[1] = command;
        client.stream.write_all(&[&[5, 1, 0], bytes.as_slice()].concat()).unwrap();
        client.stream.read_exact(&mut [0; 2]).unwrap();
        assert_eq!(client.reply().unwrap(), 7);
    }
    for name in [&b""[..], b"host.example.test", &[b'A'; 255], b";40;STA;short"] {
        let mut client = gateway.connect();
        client.stream.write_all(&request(name)).unwrap();
        assert_eq!(client.reply().unwrap(), 2, "{}", String::from_utf8_lossy(name));
    }
    // A greeting without "no authentication".
    let mut client = gateway.connect();
    client.stream.write_all(&[5, 1, 2]).unwrap();
    let mut answer = [0; 2];
    client.stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, [5, 0xFF]);
    assert_eq!(client.rest().unwrap(), b"");
    assert_eq!(host.accepted(), 0);
}

fn host_down_is_told(engine: &'static str) {
    let gateway = wish(engine).start();
    let ticket = gateway.ticket(nobody()).single();
    let mut client = gateway.connect();
    assert_eq!(client.present(&ticket, Opening::Pipelined).unwrap(), 5);
    assert_eq!(client.rest().unwrap(), b"", "closed with close_notify after the reply");
    drop(client);
    until("the refusal to be counted", || (gateway.count("closed_host_refused") == 1).then_some(()));
}

fn host_that_does_not_accept_is_told(engine: &'static str) {
    // A queue of pending connections that is full: the kernel drops what comes, as a host that hangs does.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let host = socket.local_addr().unwrap().as_socket().unwrap();
    let mut waiting = Vec::new();
    while let Ok(connection) = TcpStream::connect_timeout(&host, std::time::Duration::from_millis(300)) {
        waiting.push(connection);
        assert!(waiting.len() < 10_000, "the queue does not fill");
    }
    let gateway = wish(engine).line("set ns limits -connectTimeoutMs 500").start();
    assert_eq!(reply(&gateway, &gateway.ticket(host).single()), 4);
    until("the time-out to be counted", || (gateway.count("closed_host_timeout") == 1).then_some(()));
}

fn cgp_is_refused_with_the_cure(engine: &'static str) {
    let gateway = wish(engine).start();
    let mut client = gateway.connect();
    client.stream.write_all(b"\x1aCGP/01\x03\x04;40;STA01;0123456789ABCDEF0123456789ABCDEF").unwrap();
    assert_eq!(client.rest().unwrap(), b"");
    drop(client);
    until("the cure in the log", || gateway.log().contains("CGPAddress").then_some(()));
    assert_eq!(gateway.count("closed_cgp_rejected"), 1);
}

fn garbage_is_closed_and_counted_and_others_go_on(engine: &'static str) {
    let (gateway, host) = (wish(engine).start(), Host::echo());
    let mut witness = gateway.launch(host.address);
    let raw: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00",
        b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10",
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
        b"\x16\x03\x01\xff\xff\x01",
        b"\x7f\x7fICA\0",
    ];
    for bytes in raw {
        let mut tcp = TcpStream::connect(gateway.public()).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        tcp.write_all(bytes).unwrap();
        // It is closed, in whatever way; an answer, if any, is an alert.
        let mut answer = Vec::new();
        let _ = tcp.read_to_end(&mut answer);
        assert!(answer.len() <= 7, "{answer:?}");
    }
    let plain: [&[u8]; 3] = [b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00", b"\x00\x01\x02", b"\xff\xff\xff"];
    for bytes in plain {
        let mut client = gateway.connect();
        client.stream.write_all(bytes).unwrap();
        assert_eq!(client.rest().unwrap(), b"");
    }
    until("three unknown openings to be counted", || (gateway.count("closed_unknown_opening") == 3).then_some(()));
    assert!(gateway.count("closed_not_tls") >= 3);
    witness.stream.write_all(b"untouched").unwrap();
    witness.stream.read_exact(&mut [0; 9]).unwrap();
}
