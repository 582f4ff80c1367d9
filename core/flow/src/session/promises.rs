//! What the machine promises to clients, hosts and operators, from opening to relaying.

use std::io::{Read, Write};
use std::time::Duration;

use rustls::{AlertDescription, ServerConnection};
use sluice_link::ask::{Phases, Wanted};
use sluice_link::reason::Reason;
use sluice_link::snapshot::RecordSizes;
use sluice_link::tell::Refusal;

use super::Stage;
use super::rig::{CONNECTED, REJECTS, Rig, TICKET, request, target, verified_by};
use crate::buf::{Class, Pool, PoolSizes};
use crate::event::{Event, Fault, Leg};
use crate::intent::Peer;
use crate::limits::{DISCARD_BYTES_MAX, FAREWELL, PIPELINED_BYTES_MAX};

const HELLO: &[u8] = b"\x7f\x7fICA\0";
const GREETING: &[u8] = &[5, 1, 0];
const PAUSE: Duration = Duration::from_millis(50);

/// Carries a session whose request has been written from redeeming to relaying, and looks at every byte.
fn relays(rig: &mut Rig, early: &[u8]) {
    let asked = rig.asked().expect("no ticket was asked for");
    assert_eq!((asked.ticket.expose(), asked.wanted), (TICKET, Wanted::Ica));
    assert!(!rig.is_proven());
    rig.told(Ok(target(None)));
    assert!(rig.is_proven());
    assert_eq!(rig.take_at_client(), [], "told something before the host was there");
    rig.connected();
    assert_eq!(rig.take_at_client(), CONNECTED);
    assert!(rig.opened().is_some());
    rig.host_writes(HELLO);
    assert_eq!(rig.take_at_client(), HELLO, "the host speaks first");
    assert_eq!(rig.at_host, early);
    rig.client_writes(HELLO);
    assert_eq!(rig.at_host, [early, HELLO].concat());
}

#[test]
fn one_launch_byte_by_byte_as_in_the_book() {
    let mut rig = Rig::open();
    rig.client_writes(GREETING);
    assert_eq!(rig.take_at_client(), []);
    rig.pass(PAUSE);
    assert_eq!(rig.take_at_client(), [5, 0]);
    let request = request(TICKET);
    assert_eq!(request.len(), 5 + 0x34 + 2);
    rig.client_writes(&request);
    relays(&mut rig, b"");
}

#[test]
fn all_three_openings_at_once_and_byte_by_byte() {
    let request = request(TICKET);
    let early = b"early";
    for each_alone in [false, true] {
        for at_once in [usize::MAX, 1, 7] {
            let write = |rig: &mut Rig, bytes: &[u8]| {
                if each_alone {
                    bytes.iter().for_each(|byte| rig.client_writes(&[*byte]));
                } else {
                    rig.client_writes(bytes);
                }
            };
            let mut rig = Rig::new();
            rig.at_once = at_once;
            rig.shake();
            write(&mut rig, GREETING);
            rig.pass(PAUSE);
            assert_eq!(rig.take_at_client(), [5, 0], "negotiated");
            write(&mut rig, &[&request, &early[..]].concat());
            relays(&mut rig, early);

            let mut rig = Rig::new();
            rig.at_once = at_once;
            rig.shake();
            write(&mut rig, &[GREETING, &request, early].concat());
            assert_eq!(rig.take_at_client(), [5, 0], "pipelined");
            relays(&mut rig, early);

            let mut rig = Rig::new();
            rig.at_once = at_once;
            rig.shake();
            write(&mut rig, &[&request, &early[..]].concat());
            assert_eq!(rig.take_at_client(), [], "bare");
            relays(&mut rig, early);
        }
    }
}

#[test]
fn never_waits_for_more_than_the_grammar_needs() {
    let request = request(TICKET);
    let mut rig = Rig::open();
    for (n, byte) in request.iter().enumerate() {
        assert!(rig.asked().is_none(), "asked after {n} bytes");
        rig.client_writes(&[*byte]);
    }
    assert!(rig.asked().is_some(), "the request is complete");

    let mut rig = Rig::open();
    rig.client_writes(&[5, 2, 0, 1]);
    assert_eq!(rig.take_at_client(), [5, 0], "only 05 01 00 can be read in two ways");

    let mut rig = Rig::open();
    rig.client_writes(b"G");
    assert_eq!(rig.stage(), Some(Stage::Connect), "one letter decides");
}

#[test]
fn an_opening_in_the_last_flight_of_the_handshake_is_not_left_lying() {
    let mut rig = Rig::new();
    let mut flight = rig.sealed_by_client(b"");
    rig.client_sends_raw(&flight);
    assert_eq!(rig.stage(), Some(Stage::Handshake));
    // Finished, greeting, request and what is for the host in one receive.
    flight = rig.sealed_by_client(&[GREETING, &request(TICKET), b"x"].concat());
    rig.client_sends_raw(&flight);
    assert_eq!(rig.take_at_client(), [5, 0]);
    relays(&mut rig, b"x");
}

#[test]
fn what_a_client_sends_early_is_bounded_and_arrives_once() {
    let mut rig = Rig::open();
    rig.client_writes(&request(TICKET));
    let early: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
    for piece in early.chunks(3_000) {
        rig.client_writes(piece);
    }
    assert!(rig.waiting() > early.len() / 2, "the client must be slowed down");
    let held: usize = Class::ALL.into_iter().map(|class| rig.pool.lent(class) * class.payload()).sum();
    assert!(held <= 2 * PIPELINED_BYTES_MAX + 4 * Class::Large.payload(), "{held} bytes held");
    assert_eq!(rig.pool.lent(Class::Bulk), 0, "no bulk buffer for somebody unproven");
    rig.told(Ok(target(None)));
    rig.connected();
    rig.deliver();
    assert_eq!(rig.at_host, early);
}

#[test]
fn refusals_say_why_in_the_clients_words_and_close_in_order() {
    for (why, reply, reason) in [
        (Refusal::Ticket, 2, Reason::TicketRefused),
        (Refusal::UnknownSta, 2, Reason::UnknownSta),
        (Refusal::Address, 2, Reason::AddressRefused),
        (Refusal::Throttled, 2, Reason::Throttled),
        (Refusal::StaOutage, 1, Reason::StaOutage),
        (Refusal::Unresolved, 4, Reason::HostUnresolved),
        (Refusal::Busy, 1, Reason::Busy),
    ] {
        let mut rig = Rig::open();
        rig.client_writes(&request(TICKET));
        rig.told(Err(why));
        says_no(&mut rig, reply, reason);
    }
    for (fault, reply, reason) in [
        (Fault::Refused, 5, Reason::HostRefused),
        (Fault::Reset, 5, Reason::HostRefused),
        (Fault::HostUnreachable, 4, Reason::HostUnreachable),
        (Fault::NetUnreachable, 3, Reason::HostUnreachable),
        (Fault::TimedOut, 4, Reason::HostTimeout),
        (Fault::Exhausted, 1, Reason::Exhausted),
        (Fault::Other(99), 1, Reason::HostUnreachable),
    ] {
        let mut rig = Rig::open();
        rig.client_writes(&request(TICKET));
        rig.told(Ok(target(None)));
        rig.dial_fails(fault);
        says_no(&mut rig, reply, reason);
    }
    for (bytes, reply, reason) in [
        (&[5, 1, 0, 1, 10, 0, 0, 1, 5, 0xd6][..], 8, Reason::SocksAddress),
        (&[&[5, 1, 0, 4][..], &[0; 18]].concat(), 8, Reason::SocksAddress),
        (&[5, 1, 0, 5, 2, 0, 3, 1, b'x', 0, 0][..], 7, Reason::SocksCommand),
        (&request("vda.example.test"), 2, Reason::NotATicket),
        (&[5, 1, 0, 3, 0, 0, 0][..], 2, Reason::NotATicket),
    ] {
        let mut rig = Rig::open();
        rig.client_writes(bytes);
        assert!(rig.asked().is_none());
        assert!(rig.dialled().is_none());
        if rig.at_client.starts_with(&[5, 0]) {
            rig.at_client.drain(..2);
        }
        says_no(&mut rig, reply, reason);
    }
}

fn says_no(rig: &mut Rig, reply: u8, reason: Reason) {
    assert_eq!(rig.take_at_client(), [5, reply, 0, 1, 0, 0, 0, 0, 0, 0]);
    assert!(rig.told_goodbye);
    assert!(rig.finished(Leg::Client));
    assert_eq!(rig.stage(), Some(Stage::Drain));
    rig.eof(Leg::Client);
    assert_eq!(rig.reason(), Some(reason));
}

#[test]
fn a_refused_client_that_does_not_close_is_closed_within_a_second() {
    let mut rig = Rig::open();
    rig.client_writes(&request(TICKET));
    rig.told(Err(Refusal::Ticket));
    rig.client_writes(&[7; 1000]);
    rig.pass(FAREWELL);
    assert_eq!(rig.reason(), Some(Reason::TicketRefused));
}

#[test]
fn silence_ends_every_state_in_time() {
    let mut rig = Rig::new();
    rig.pass(Duration::from_secs(5));
    assert_eq!(rig.reason(), Some(Reason::TlsTimeout));

    let mut rig = Rig::new();
    let hello = rig.sealed_by_client(b"");
    rig.client_sends_raw(&hello);
    rig.pass(Duration::from_secs(5));
    assert_eq!(rig.reason(), Some(Reason::TlsTimeout));

    for opening in [&b""[..], &[5, 1], &[5, 1, 0], &request(TICKET)[..20]] {
        let mut rig = Rig::open();
        rig.client_writes(opening);
        rig.pass(Duration::from_secs(9));
        assert_eq!(rig.stage(), Some(Stage::Preface));
        rig.pass(Duration::from_secs(1));
        assert!(rig.told_goodbye);
        rig.eof(Leg::Client);
        assert_eq!(rig.reason(), Some(Reason::OpeningTimeout));
    }

    let mut rig = Rig::open();
    rig.client_writes(&request(TICKET));
    rig.pass(Duration::from_secs(6));
    says_no(&mut rig, 1, Reason::Busy);

    let mut rig = Rig::open();
    rig.client_writes(&request(TICKET));
    rig.told(Ok(target(None)));
    rig.pass(Duration::from_secs(3));
    says_no(&mut rig, 4, Reason::HostTimeout);

    let mut rig = Rig::spliced();
    rig.pass(Duration::from_secs(1800));
    rig.client_writes(b"still here");
    rig.pass(Duration::from_secs(3599));
    assert_eq!(rig.stage(), Some(Stage::Splice));
    rig.pass(Duration::from_secs(1));
    assert!(rig.told_goodbye);
    assert!(rig.finished(Leg::Host));
    rig.eof(Leg::Client);
    assert_eq!(rig.reason(), Some(Reason::Idle));
}

#[test]
fn part_of_a_record_is_not_waited_for_for_ever() {
    let mut rig = Rig::spliced();
    let record = rig.sealed_by_client(b"never complete");
    rig.client_sends_raw(&record[..10]);
    rig.pass(Duration::from_secs(10));
    assert_eq!(rig.stage(), Some(Stage::Drain));
    rig.eof(Leg::Client);
    assert_eq!(rig.reason(), Some(Reason::TlsBroken));
}

#[test]
fn who_goes_on_after_a_fault_is_read_in_few_pieces_and_not_for_ever() {
    let mut rig = Rig::spliced();
    let mut wrong = rig.sealed_by_client(b"forged");
    *wrong.last_mut().unwrap() ^= 1;
    wrong.resize(300_000, 0);
    let before = rig.reads;
    rig.client_sends_raw(&wrong);
    assert_eq!(rig.reason(), Some(Reason::TlsBroken));
    assert!(300_000 - rig.waiting() <= DISCARD_BYTES_MAX + Class::Large.payload() + Class::Small.payload());
    assert!(rig.reads - before <= 6, "{} reads", rig.reads - before);
}

#[test]
fn a_full_queue_to_control_is_told_to_the_client() {
    let mut rig = Rig::open();
    rig.client_writes(&request(TICKET));
    rig.event(Event::End(Reason::Busy));
    says_no(&mut rig, 1, Reason::Busy);
}

#[test]
fn noise_is_told_from_tls_by_its_first_byte() {
    let mut rig = Rig::new();
    rig.client_sends_raw(b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(rig.reason(), Some(Reason::NotTls));
    assert!(!rig.sends(Leg::Client));

    let mut rig = Rig::new();
    rig.client_sends_raw(&[0x16, 3, 1, 0, 5, 2, 0, 0, 1, 0]);
    assert_eq!(rig.alerted, Some(AlertDescription::DecodeError));
    rig.eof(Leg::Client);
    assert_eq!(rig.reason(), Some(Reason::BadHello));
}

#[test]
fn what_is_none_of_three_protocols_is_closed_without_an_answer() {
    for (bytes, reason) in
        [(&[4, 1][..], Reason::UnknownOpening), (b"\x1aCGP/01", Reason::CgpRejected), (&[5, 1, 0, 9], Reason::BadSocks)]
    {
        let mut rig = Rig::open();
        rig.client_writes(bytes);
        assert_eq!(rig.take_at_client(), []);
        assert!(rig.told_goodbye);
        rig.eof(Leg::Client);
        assert_eq!(rig.reason(), Some(reason));
    }
    let mut rig = Rig::open();
    rig.client_writes(&[5, 1, 2]);
    assert_eq!(rig.take_at_client(), [5, 0xff]);
    rig.eof(Leg::Client);
    assert_eq!(rig.reason(), Some(Reason::BadSocks));
}

#[test]
fn a_relayed_cgp_opening_reaches_the_host_unchanged_and_without_a_word_of_ours() {
    let mut rig = Rig::relaying();
    rig.shake();
    let opening = [b"\x1aCGP/01\x01\x02Citrix.TcpProxyService\0", TICKET.as_bytes(), b"\0\x07"].concat();
    for byte in &opening {
        rig.client_writes(&[*byte]);
    }
    let asked = rig.asked().unwrap();
    assert_eq!((asked.ticket.expose(), asked.wanted), (TICKET, Wanted::Cgp));
    rig.told(Ok(target(None)));
    rig.connected();
    rig.client_writes(b"more");
    assert_eq!(rig.at_host, [&opening, &b"more"[..]].concat());
    rig.host_writes(b"answer");
    assert_eq!(rig.take_at_client(), b"answer");

    let mut rig = Rig::relaying();
    rig.shake();
    rig.client_writes(b"\x1aCGP/01 no ticket");
    rig.pass(Duration::from_secs(5));
    assert_eq!(rig.take_at_client(), []);
    rig.eof(Leg::Client);
    assert_eq!(rig.reason(), Some(Reason::OpeningTimeout));
}

#[test]
fn http_goes_to_the_portal_behind_a_proxy_header() {
    let mut rig = Rig::open();
    let get = b"GET /login HTTP/1.1\r\nHost: gw.example.test\r\n\r\n";
    rig.client_writes(get);
    assert!(matches!(rig.dialled(), Some(Peer::Portal(path)) if path.ends_with("inner.sock")));
    rig.event(Event::Connected);
    let (header, n) = sluice_proto::proxy::Header::read(&rig.at_host).unwrap();
    assert_eq!(header.source.to_string(), "198.51.100.7:50000");
    assert_eq!((header.authority, header.tls), (Some("gw.example.test"), Some("TLSv1.3")));
    assert_eq!(header.unique_id, Some("0-3-7"));
    assert_eq!(&rig.at_host[n..], get);
    rig.host_writes(b"HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(rig.take_at_client(), b"HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!((rig.totals().portal, rig.totals().spliced, rig.is_proven()), (1, 0, false));
    rig.eof(Leg::Host);
    rig.eof(Leg::Client);
    assert_eq!(rig.reason(), Some(Reason::HostClosed));
    assert_eq!(rig.totals().portal, 0);

    let mut rig = Rig::open();
    rig.client_writes(get);
    rig.dial_fails(Fault::Refused);
    assert!(rig.take_at_client().starts_with(b"HTTP/1.1 503 "));
    rig.eof(Leg::Client);
    assert_eq!(rig.reason(), Some(Reason::PortalDown));
}

#[test]
fn a_host_over_tls_is_verified_and_its_early_words_come_behind_the_reply() {
    for name in ["gw.example.test", "other.example.test"] {
        let mut rig = Rig::open();
        rig.client_writes(&[&request(TICKET), &b"early"[..]].concat());
        rig.told(Ok(target(Some(name))));
        rig.connected();
        let mut host = ServerConnection::new(Rig::host_tls()).unwrap();
        let mut spoken = false;
        for _ in 0..10 {
            let sent = std::mem::take(&mut rig.at_host);
            if host.read_tls(&mut &sent[..]).is_err() || host.process_new_packets().is_err() {
                break;
            }
            if !host.is_handshaking() && !spoken {
                spoken = true;
                host.writer().write_all(HELLO).unwrap();
            }
            let mut flight = Vec::new();
            while host.wants_write() {
                host.write_tls(&mut flight).unwrap();
            }
            if flight.is_empty() || rig.stage() == Some(Stage::Drain) {
                break;
            }
            rig.host_writes(&flight);
        }
        if name == "other.example.test" {
            says_no(&mut rig, 1, Reason::HostTls);
            continue;
        }
        assert_eq!(rig.take_at_client(), [&CONNECTED[..], HELLO].concat());
        let mut early = [0; 5];
        host.reader().read_exact(&mut early).unwrap();
        assert_eq!(&early, b"early");
        let plain: Vec<u8> = (0..300_000_u32).map(|n| (n % 241) as u8).collect();
        rig.client_writes(&plain[..60_000]);
        let sent = std::mem::take(&mut rig.at_host);
        let mut got = Vec::new();
        let mut left = &sent[..];
        while !left.is_empty() {
            host.read_tls(&mut left).unwrap();
            let n = host.process_new_packets().unwrap().plaintext_bytes_to_read();
            let at = got.len();
            got.resize(at + n, 0);
            host.reader().read_exact(&mut got[at..]).unwrap();
        }
        assert_eq!(got, plain[..60_000]);
        for piece in plain.chunks(40_000) {
            host.writer().write_all(piece).unwrap();
            let mut flight = Vec::new();
            while host.wants_write() {
                host.write_tls(&mut flight).unwrap();
            }
            rig.host_writes(&flight);
        }
        assert_eq!(rig.take_at_client(), plain);
    }
}

#[test]
fn a_host_over_tls_is_sent_one_fin_also_if_somebody_ends_the_session_while_it_is_on_its_way() {
    for waits in [false, true] {
        let mut rig = Rig::open();
        rig.client_writes(&request(TICKET));
        rig.told(Ok(target(Some("gw.example.test"))));
        rig.connected();
        let mut host = ServerConnection::new(Rig::host_tls()).unwrap();
        while rig.stage() != Some(Stage::Splice) {
            let sent = std::mem::take(&mut rig.at_host);
            host.read_tls(&mut &sent[..]).unwrap();
            host.process_new_packets().unwrap();
            let mut flight = Vec::new();
            while host.wants_write() {
                host.write_tls(&mut flight).unwrap();
            }
            rig.host_writes(&flight);
        }
        rig.slow = true;
        if waits {
            rig.client_writes(b"up");
        }
        rig.client_says_goodbye();
        assert_eq!(rig.finished(Leg::Host), !waits, "it goes with the close_notify");
        // The table says so if a second one is asked for.
        rig.event(Event::End(Reason::Killed));
        assert!(rig.finished(Leg::Host));
        rig.slow = false;
        rig.flush();
        rig.eof(Leg::Client);
        assert_eq!(rig.reason(), Some(Reason::Killed));
    }
}

#[test]
fn a_profile_is_found_in_the_sessions_own_settings_or_the_newest_and_without_it_no_host_is_dialled() {
    for (profile, dials) in [("hosts", true), ("later", true), ("gone", false)] {
        let mut rig = Rig::open();
        rig.client_writes(&request(TICKET));
        rig.told(Ok(verified_by(profile, Some("gw.example.test"))));
        assert_eq!(rig.dialled().is_some(), dials, "{profile}");
        if !dials {
            says_no(&mut rig, 1, Reason::HostProfileGone);
            assert!(rig.over.is_some_and(|summary| summary.closed.launch.is_some()), "its launch must be closed");
        }
    }
}

#[test]
fn bulk_grows_its_buffers_and_an_idle_session_holds_none() {
    let mut rig = Rig::spliced();
    assert!(rig.holds_nothing());
    let down: Vec<u8> = (0..3_000_000_u32).map(|n| (n * 7 % 253) as u8).collect();
    rig.host_writes(&down);
    assert_eq!(rig.take_at_client(), down);
    assert!(rig.holds_nothing());
    let sends = rig.totals().records_sealed;
    assert!(sends < 3_000_000 / 16_384 + 60, "{sends} records for three megabytes");
    for piece in down.chunks(50_000) {
        rig.client_writes(piece);
    }
    assert_eq!(rig.at_host, down);
    assert!(rig.holds_nothing());
    assert_eq!((rig.totals().up_bytes, rig.totals().down_bytes), (3_000_000, 3_000_000));
}

#[test]
fn one_bulk_read_becomes_one_send() {
    let mut rig = Rig::spliced();
    for _ in 0..6 {
        rig.host_writes(&vec![1; Class::Bulk.payload()]);
    }
    rig.slow = true;
    let full = vec![2; Class::Bulk.reads()];
    rig.host_writes(&full);
    let sending = rig.hold_back(Leg::Client);
    assert_eq!((sending.bytes(), sending.slices().count()), (full.len() + full.len() / 16_384 * 22, 1));
    rig.bring_back(Leg::Client, sending);
    assert_eq!(rig.pool.lent(Class::Bulk), 1);
    rig.take_at_client();
    rig.slow = false;
    rig.flush();
    assert_eq!(rig.take_at_client(), full);
}

#[test]
fn a_slow_client_stops_the_host_at_about_one_buffer() {
    let mut rig = Rig::spliced();
    rig.slow = true;
    let mut sent = 0;
    while rig.receives(Leg::Host) {
        rig.at_once = 200_000;
        let before = rig.pool.lent(Class::Bulk);
        rig.host_writes(&[9; 1_000]);
        sent += 1_000;
        assert!(rig.pool.lent(Class::Bulk) <= before + 1);
        assert!(sent < 1_000_000, "nothing slows the host down");
    }
    rig.slow = false;
    rig.flush();
    assert_eq!(rig.at_client.len(), sent);
    assert!(rig.receives(Leg::Host));
}

#[test]
fn an_empty_pool_delays_and_loses_nothing() {
    let mut rig = Rig::spliced();
    for _ in 0..5 {
        rig.host_writes(&vec![3; 300_000]);
    }
    rig.take_at_client();
    let bulk = rig.starve(Class::Bulk, 1);
    let large = rig.starve(Class::Large, 0);
    let small = rig.starve(Class::Small, 0);
    rig.at_once = 200_000;
    let down: Vec<u8> = (0..200_000_u32).map(|n| (n % 239) as u8).collect();
    rig.host_writes(&down);
    assert_eq!(rig.take_at_client(), [], "no buffer to seal into");
    for buf in [bulk, large, small].into_iter().flatten() {
        rig.pool.give(buf);
    }
    rig.pass(Duration::from_millis(20));
    assert_eq!(rig.take_at_client(), down);
}

#[test]
fn a_client_is_not_blamed_for_a_record_that_a_slow_host_holds_back() {
    let mut rig = Rig::spliced();
    rig.slow = true;
    let sent: Vec<u8> = (0..400_000_u32).map(|n| (n % 241) as u8).collect();
    // No receive ends where a record does.
    rig.at_once = 1_777;
    let sealed: Vec<u8> = sent.chunks(10_000).flat_map(|part| rig.sealed_by_client(part)).collect();
    rig.client_sends_raw(&sealed);
    assert!(!rig.receives(Leg::Client) && rig.waiting() > 0, "nothing slows the client down");
    rig.pass(Duration::from_secs(600));
    assert_eq!(rig.stage(), Some(Stage::Splice));
    rig.slow = false;
    rig.flush();
    rig.deliver();
    assert_eq!(rig.at_host, sent);
}

#[test]
fn who_finds_no_bulk_buffer_for_half_a_record_takes_a_smaller_one() {
    let mut rig = Rig::spliced();
    let sent: Vec<u8> = (0..1_200_000_u32).map(|n| (n % 241) as u8).collect();
    let (first, second) = sent.split_at(1_000_000);
    let sealed = [first, second].map(|half| half.chunks(10_000).flat_map(|part| rig.sealed_by_client(part)).collect::<Vec<_>>());
    rig.client_sends_raw(&sealed[0]);
    // One for what is received next, none for the record that is cut there.
    let bulk = rig.starve(Class::Bulk, 1);
    rig.at_once = 100_000;
    rig.client_sends_raw(&sealed[1]);
    assert_eq!(rig.stage(), Some(Stage::Splice));
    assert_eq!(rig.at_host, sent);
    for buf in bulk {
        rig.pool.give(buf);
    }
}

#[test]
fn a_launch_says_what_its_time_was_spent_on() {
    let mut rig = Rig::new();
    let ms = Duration::from_millis;
    rig.pass(ms(1));
    rig.shake();
    rig.pass(ms(20));
    rig.client_writes(&request(TICKET));
    rig.pass(ms(300));
    rig.told(Ok(target(None)));
    rig.pass(ms(400));
    assert!(rig.opened().is_none());
    rig.connected();
    let whole = Phases { handshake: Some(ms(1)), preface: Some(ms(20)), redeem: Some(ms(300)), connect: Some(ms(400)) };
    let opened = rig.opened().expect("no report of the launch");
    assert_eq!((opened.listener, opened.took, opened.phases), (REJECTS, ms(721), whole));
    assert!(opened.secured.is_some_and(|tls| tls.tls13 && tls.suite.starts_with("TLS_")), "{:?}", opened.secured);
    rig.pass(ms(10_000));
    rig.event(Event::End(Reason::Killed));
    rig.eof(Leg::Client);
    let closed = rig.over.expect("it was killed").closed;
    assert_eq!((closed.lived, closed.phases), (ms(10_721), whole));
}

#[test]
fn a_session_that_came_to_nothing_says_how_far_it_came() {
    let mut rig = Rig::new();
    let ms = Duration::from_millis;
    rig.event(Event::End(Reason::Killed));
    assert_eq!(rig.over.expect("nobody to answer to").closed.phases, Phases::default());

    let mut rig = Rig::open();
    rig.pass(ms(5));
    rig.client_writes(&request(TICKET));
    rig.pass(ms(900));
    rig.told(Err(Refusal::StaOutage));
    rig.eof(Leg::Client);
    let phases = rig.over.expect("it was refused").closed.phases;
    assert_eq!((phases.preface, phases.redeem, phases.connect), (Some(ms(5)), Some(ms(900)), None));
}

#[test]
fn what_a_session_moves_can_be_seen_while_it_does() {
    let mut rig = Rig::open();
    let born = rig.traffic();
    assert_eq!((born.up_bytes, born.down_bytes, born.last), (0, 0, rig.now));
    rig.client_writes(&[&request(TICKET), &b"early"[..]].concat());
    rig.told(Ok(target(None)));
    rig.pass(Duration::from_secs(1));
    rig.connected();
    assert_eq!((rig.traffic().up_bytes, rig.traffic().down_bytes), (5, 0), "what came behind the opening counts");
    rig.pass(Duration::from_secs(1));
    rig.client_writes(b"up");
    let moved = rig.now;
    assert_eq!((rig.traffic().up_bytes, rig.traffic().last), (7, moved));
    rig.pass(Duration::from_secs(1));
    rig.host_writes(b"down");
    assert_eq!((rig.traffic().up_bytes, rig.traffic().down_bytes, rig.traffic().last), (7, 4, rig.now));
    let totals = rig.listener_totals();
    assert_eq!((totals.up_bytes, totals.down_bytes, totals.handshakes, totals.launches, totals.spliced), (7, 4, 1, 1, 1));
    rig.reset_while_receiving(Leg::Host);
    assert_eq!(rig.listener_totals().spliced, 0);
}

#[test]
fn half_a_record_of_everybody_leaves_nobody_without_a_buffer() {
    const SESSIONS: u32 = 1_100;
    let mut shared = Pool::new(PoolSizes::for_sessions(SESSIONS));
    let sent = vec![5; 16_000];
    let mut rigs: Vec<(Rig, Vec<u8>)> = Vec::new();
    for _ in 0..SESSIONS {
        let mut rig = Rig::spliced();
        std::mem::swap(&mut rig.pool, &mut shared);
        let mut record = rig.sealed_by_client(&sent);
        let rest = record.split_off(9_000);
        rig.client_sends_raw(&record);
        assert_eq!(rig.stage(), Some(Stage::Splice));
        std::mem::swap(&mut rig.pool, &mut shared);
        rigs.push((rig, rest));
    }
    assert!(shared.lent(Class::Large) >= SESSIONS as usize);
    for (rig, rest) in &mut rigs {
        std::mem::swap(&mut rig.pool, &mut shared);
        rig.client_sends_raw(rest);
        assert_eq!(rig.at_host, sent);
        std::mem::swap(&mut rig.pool, &mut shared);
    }
    assert_eq!(Class::ALL.map(|class| shared.lent(class)), [0; 3]);
}

#[test]
fn records_are_small_after_a_pause_and_never_larger_than_said() {
    let sizes = RecordSizes { most: 4_000, ramp_bytes: 20_000 };
    let mut rig = Rig::at_listener(|listener| listener.tls.records = sizes);
    let down: Vec<u8> = (0..200_000_u32).map(|n| (n * 7 % 253) as u8).collect();
    for _ in 0..2 {
        rig.pass(Duration::from_secs(2));
        rig.records_at_client.clear();
        for piece in down.chunks(10_000) {
            rig.host_writes(piece);
        }
        assert_eq!(rig.take_at_client(), down);
        // What TLS adds to 2800 and to 4000 bytes.
        let (ramp, full) = (2_800 + 17, 4_000 + 17);
        let small = rig.records_at_client.iter().take_while(|len| **len <= ramp).count();
        assert!((8..=10).contains(&small), "{small} small records for the first 20000 bytes");
        assert_eq!(rig.records_at_client.iter().max(), Some(&full));
    }

    let mut rig = Rig::at_listener(|listener| listener.tls.records.ramp_bytes = 0);
    rig.records_at_client.clear();
    rig.at_once = 16_000;
    for _ in 0..4 {
        rig.host_writes(&down[..16_000]);
    }
    assert_eq!(rig.records_at_client.iter().max(), Some(&(16_000 + 17)), "without a ramp a record is as long as what came");
}

#[test]
fn a_key_that_cannot_be_changed_ends_its_session_in_order_when_it_is_spent() {
    let mut rig = Rig::at_listener(|listener| listener.tls.tls13 = false);
    rig.keys_spent_after(u64::MAX, 100);
    // 11 blocks each, and one before.
    for round in 0..9 {
        rig.host_writes(&[7; 160]);
        assert_eq!(rig.take_at_client(), [7; 160], "{round}");
    }
    assert_eq!(rig.stage(), Some(Stage::Splice));
    rig.host_writes(b"one too many");
    assert_eq!((rig.take_at_client(), rig.told_goodbye), (vec![], true));
    assert!(rig.finished(Leg::Host));
    rig.eof(Leg::Client);
    assert_eq!(rig.reason(), Some(Reason::KeySpent));
}

#[test]
fn keys_that_can_be_changed_are_and_nobody_notices() {
    let mut rig = Rig::spliced();
    rig.keys_spent_after(10, u64::MAX);
    for round in 0..200_u8 {
        let said = vec![round; 1 + usize::from(round) * 300];
        rig.host_writes(&said);
        assert!(rig.take_at_client() == said, "{round}");
        rig.client_writes(&said);
    }
    assert_eq!(rig.at_host.len(), (0..200).map(|round| 1 + round * 300).sum::<usize>());
    // A record with a KeyUpdate is 5 bytes, a type and a tag.
    assert!(rig.records_at_client.iter().filter(|len| **len == 22).count() >= 20);
}
