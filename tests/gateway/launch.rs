//! A ticket opens a session: all openings, dual tickets, the host speaks first.

use std::io::{Read as _, Write as _};

use sluicegate_tests::client::{Opening, request};
use sluicegate_tests::host::Host;
use sluicegate_tests::sta::{self, Answer};

use crate::wish;

on_each_engine!(
    three_openings_reach_the_host,
    openings_may_come_one_byte_per_record,
    bytes_right_behind_the_request_belong_to_the_host,
    host_speaks_first,
    dual_ticket_uses_the_second_when_the_first_is_out,
    dual_ticket_uses_the_second_when_the_first_is_refused,
    rsa_certificate_serves_too,
    session_reliability_is_passed_on_if_switched_on,
);

fn three_openings_reach_the_host(engine: &'static str) {
    let (gateway, host) = (wish(engine).start(), Host::echo());
    for opening in Opening::ALL {
        let mut client = gateway.connect();
        assert_eq!(client.present(&gateway.ticket(host.address).single(), opening).unwrap(), 0, "{opening:?}");
        client.stream.write_all(b"through the sluice").unwrap();
        let mut back = [0; 18];
        client.stream.read_exact(&mut back).unwrap();
        assert_eq!(&back, b"through the sluice");
    }
    assert_eq!(host.accepted(), 3);
    assert_eq!(gateway.count("socks_connected"), 3);
}

fn openings_may_come_one_byte_per_record(engine: &'static str) {
    let (gateway, host) = (wish(engine).start(), Host::echo());
    for with_greeting in [true, false] {
        let mut client = gateway.connect();
        let mut opening = request(gateway.ticket(host.address).single().as_bytes());
        if with_greeting {
            opening.splice(0..0, [5, 1, 0]);
        }
        for byte in opening {
            // Each write and flush makes one record of one byte.
            client.stream.write_all(&[byte]).unwrap();
            client.stream.flush().unwrap();
        }
        if with_greeting {
            let mut answer = [0; 2];
            client.stream.read_exact(&mut answer).unwrap();
            assert_eq!(answer, [5, 0]);
        }
        assert_eq!(client.reply().unwrap(), 0);
    }
}

fn bytes_right_behind_the_request_belong_to_the_host(engine: &'static str) {
    let (gateway, host) = (wish(engine).start(), Host::echo());
    let mut client = gateway.connect();
    let ticket = gateway.ticket(host.address).single();
    let flight = [&[5, 1, 0], request(ticket.as_bytes()).as_slice(), b"early bird"].concat();
    client.stream.write_all(&flight).unwrap();
    let mut answer = [0; 2];
    client.stream.read_exact(&mut answer).unwrap();
    assert_eq!(client.reply().unwrap(), 0);
    client.stream.write_all(b" and late").unwrap();
    let mut back = [0; 19];
    client.stream.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"early bird and late");
}

fn host_speaks_first(engine: &'static str) {
    let (gateway, host) = (wish(engine).start(), Host::greets(b"\x7f\x7fICA\0"));
    let mut client = gateway.launch(host.address);
    let mut hello = [0; 6];
    client.stream.read_exact(&mut hello).unwrap();
    assert_eq!(&hello, b"\x7f\x7fICA\0");
}

fn dual_ticket_uses_the_second_when_the_first_is_out(engine: &'static str) {
    let out = sta::misbehaving("STAOUT", Answer::Status(500));
    let gateway = wish(engine).line(format!("bind vpn vserver vpn1 -staServer http://{}", out.address)).start();
    let host = Host::echo();
    let broken = sta::Issued { sta_id: "STAOUT".into(), code: "00112233445566778899AABBCCDDEEFF".into() };
    let mut client = gateway.connect();
    let ticket = sta::dual(&broken, &gateway.ticket(host.address));
    assert_eq!(client.present(&ticket, Opening::Pipelined).unwrap(), 0);
}

fn dual_ticket_uses_the_second_when_the_first_is_refused(engine: &'static str) {
    let (gateway, host) = (wish(engine).start(), Host::echo());
    let good = gateway.ticket(host.address);
    let unknown = sta::Issued { code: "00112233445566778899AABBCCDDEEFF".into(), ..good.clone() };
    let mut client = gateway.connect();
    assert_eq!(client.present(&sta::dual(&unknown, &good), Opening::Bare).unwrap(), 0);
}

fn session_reliability_is_passed_on_if_switched_on(engine: &'static str) {
    let gateway = wish(engine).line("set vpn vserver vpn1 -cgp RELAY").start();
    let (ica, cgp) = (Host::echo(), Host::echo());
    let values = [("ICAAddress", ica.address.to_string()), ("CGPAddress", cgp.address.to_string())];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    let ticket = sta::issue_for(gateway.address("inside"), &values, true).single();
    // What the opening looks like is not public but for its first bytes and the ticket in it: it is passed on as it came. A
    // client that comes back presents the same ticket.
    let opening = [b"\x1aCGP/01\x00\x42Citrix.TcpProxyService\x00", ticket.as_bytes(), b"\x00\x01rest"].concat();
    for _ in 0..2 {
        let mut client = gateway.connect();
        client.stream.write_all(&opening).unwrap();
        let mut back = vec![0; opening.len()];
        client.stream.read_exact(&mut back).unwrap();
        assert_eq!(back, opening);
    }
    assert_eq!((ica.accepted(), cgp.accepted()), (0, 2));
}

fn rsa_certificate_serves_too(engine: &'static str) {
    let (gateway, host) = (wish(engine).rsa().start(), Host::echo());
    let mut client = gateway.launch(host.address);
    client.stream.write_all(b"x").unwrap();
    client.stream.read_exact(&mut [0]).unwrap();
}
