//! Inside an established TLS session: records that are wrong, too many, or cut.

use std::io::{Read as _, Write as _};
use std::sync::{Arc, mpsc};

use sluicegate_tests::client::{Client, request, reset};
use sluicegate_tests::deadline::{PATIENCE, until};
use sluicegate_tests::gateway::{Gateway, NAME, Wish};
use sluicegate_tests::host::Host;
use sluicegate_tests::records::{ContentType, Records};

use super::{counted, still_served, until_end};
use crate::{Pattern, wish};

on_each_engine_and_whoever_has_the_records!(
    a_bad_tag_ends_its_session_with_the_alert_for_it,
    a_fatal_alert_ends_both_sides_without_an_answer,
    a_record_cut_by_fin_is_not_delivered,
    a_reset_in_mid_stream_delivers_a_prefix,
    some_empty_records_are_dropped,
    a_thousand_tiny_records_arrive,
    a_flood_of_tiny_records_is_served_in_turn,
    padding_is_dropped,
);

/// The kernel counts no empty records, and changes no keys: see `docs/threat-model.md`.
mod in_this_process {
    on_each_engine_and_with_rustls!(
        empty_records_in_a_row_are_counted,
        a_flood_of_key_updates_is_ended,
        some_key_updates_are_served,
    );

    use super::{a_flood_of_key_updates_is_ended, empty_records_in_a_row_are_counted, some_key_updates_are_served};
}

mod ours {
    on_each_engine!(a_bad_record_ends_its_session_and_no_other, what_is_wrong_costs_no_more_than_what_is_right);

    use super::{a_bad_record_ends_its_session_and_no_other, what_is_wrong_costs_no_more_than_what_is_right};
}

/// A host that tells what it got, up to its end, once per connection.
fn witness_host() -> (Host, mpsc::Receiver<Vec<u8>>) {
    let (tell, told) = mpsc::channel();
    let host = Host::start(move |mut connection| {
        let mut all = Vec::new();
        let mut buf = [0; 4096];
        // A reset is an end, too: what came before it counts.
        while let Ok(n) = connection.read(&mut buf)
            && n > 0
        {
            all.extend(&buf[..n]);
        }
        tell.send(all).map_err(std::io::Error::other)
    });
    (host, told)
}

/// A session whose records are made by hand.
fn by_hand(gateway: &Gateway, host: &Host) -> Records {
    let mut tls = (*gateway.tls).clone();
    tls.enable_secret_extraction = true;
    let ticket = gateway.ticket(host.address).single();
    let connected = gateway.count("socks_connected");
    let client = Client::connect(gateway.public(), NAME, &Arc::new(tls)).unwrap();
    let mut client = Records::of(client);
    let opening = client.data(&request(ticket.as_bytes()));
    client.send(&opening).unwrap();
    counted(gateway, "socks_connected", connected + 1);
    client
}

/// The same without asking the gateway for its counters, which is work, too.
fn by_hand_quietly(gateway: &Gateway, host: &Host) -> Records {
    let mut tls = (*gateway.tls).clone();
    tls.enable_secret_extraction = true;
    let ticket = gateway.ticket(host.address).single();
    let mut client = Records::of(Client::connect(gateway.public(), NAME, &Arc::new(tls)).unwrap());
    let opening = client.data(&request(ticket.as_bytes()));
    client.send(&opening).unwrap();
    // Session tickets, then the reply.
    let mut block = [0; 4096];
    loop {
        let n = client.tcp.read(&mut block).unwrap();
        assert!(n > 0, "refused");
        if client.open(&block[..n]).iter().any(|(_, content)| content.starts_with(&[5, 0])) {
            return client;
        }
    }
}

/// T08: bad tag, a type that may not come, an oversized length, plaintext: an alert or nothing, and the end.
fn a_bad_record_ends_its_session_and_no_other(engine: &'static str) {
    let (gateway, echo, (host, told)) = (wish(engine).start(), Host::echo(), witness_host());
    let mut witness = gateway.launch(echo.address);
    type Bad = fn(&mut Records) -> Vec<u8>;
    // Alerts: bad_record_mac, unexpected_message, record_overflow.
    const MAC: u8 = 20;
    const UNEXPECTED: u8 = 10;
    const OVERFLOW: u8 = 22;
    let bad: [(&str, u8, Bad); 8] = [
        ("bad tag", MAC, |r| {
            let mut sealed = r.data(b"forged");
            *sealed.last_mut().unwrap() ^= 1;
            sealed
        }),
        ("replayed", MAC, |r| {
            let sealed = r.data(b"");
            [sealed.as_slice(), &sealed].concat()
        }),
        ("a hello", UNEXPECTED, |r| r.seal(ContentType::Handshake, &[1, 0, 0, 0])),
        ("change cipher spec inside", UNEXPECTED, |r| r.seal(ContentType::ChangeCipherSpec, &[1])),
        ("too long", OVERFLOW, |_| vec![23, 3, 3, 0xff, 0xff]),
        ("plaintext", MAC, |_| vec![23, 3, 3, 0, 5, b'p', b'l', b'a', b'i', b'n']),
        ("one byte too many inside", OVERFLOW, |r| r.data(&[b'x'; (1 << 14) + 1])),
        ("nothing but padding", UNEXPECTED, |r| r.seal(ContentType::Unknown(0), &[0; 100])),
    ];
    for (n, (what, alert, bytes)) in bad.into_iter().enumerate() {
        let mut client = by_hand(&gateway, &host);
        let good = client.data(b"good");
        client.send(&good).unwrap();
        let bytes = bytes(&mut client);
        client.send(&bytes).unwrap();
        let told_us = until_end(&client.tcp);
        assert_eq!(client.open(&told_us).last(), Some(&(ContentType::Alert, vec![2, alert])), "{what}");
        // The host gets what was whole, or a part of it, and nothing else.
        assert!(b"good".starts_with(&told.recv_timeout(PATIENCE).unwrap()), "{what}");
        counted(&gateway, "closed_tls_broken", n as u64 + 1);
    }
    still_served(&mut witness);
}

/// The same for the one fault that says that somebody has touched the stream.
fn a_bad_tag_ends_its_session_with_the_alert_for_it(wish: Wish) {
    let (gateway, (host, told)) = (wish.start(), witness_host());
    let mut client = by_hand(&gateway, &host);
    let mut sealed = client.data(b"forged");
    *sealed.last_mut().unwrap() ^= 1;
    client.send(&sealed).unwrap();
    let told_us = until_end(&client.tcp);
    assert_eq!(client.open(&told_us).last(), Some(&(ContentType::Alert, vec![2, 20])));
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), b"");
    counted(&gateway, "closed_tls_broken", 1);
}

/// Whoever gives up says why, and is not answered; the host does not take what came for complete.
fn a_fatal_alert_ends_both_sides_without_an_answer(wish: Wish) {
    let (gateway, (host, told)) = (wish.start(), witness_host());
    let mut client = by_hand(&gateway, &host);
    let last = [client.data(b"good"), client.seal(ContentType::Alert, &[2, 80])].concat();
    client.send(&last).unwrap();
    let told_us = until_end(&client.tcp);
    assert!(client.open(&told_us).iter().all(|(typ, _)| *typ != ContentType::Alert));
    assert!(b"good".starts_with(&told.recv_timeout(PATIENCE).unwrap()));
    counted(&gateway, "closed_tls_alert", 1);
}

/// T08: nothing of a record is passed on before its tag has been checked.
fn a_record_cut_by_fin_is_not_delivered(wish: Wish) {
    let (gateway, (host, told)) = (wish.start(), witness_host());
    let mut client = by_hand(&gateway, &host);
    let (whole, cut) = (client.data(b"whole"), client.data(&Pattern::new(7).bytes(10_000)));
    client.send(&[whole.as_slice(), &cut[..cut.len() - 1]].concat()).unwrap();
    client.tcp.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), b"whole");
    drop(client);
    counted(&gateway, "closed_truncated", 1);
}

/// I3: a prefix, then the end; counted as lost, and nothing is left over.
fn a_reset_in_mid_stream_delivers_a_prefix(wish: Wish) {
    let (gateway, (host, told)) = (wish.start(), witness_host());
    let before = gateway.descriptors();
    for seed in 0..20 {
        let mut client = gateway.launch(host.address);
        let sent = Pattern::new(seed).bytes(200_000);
        client.stream.write_all(&sent).unwrap();
        reset(client.stream.sock);
        let got = told.recv_timeout(PATIENCE).unwrap();
        assert!(sent.starts_with(&got), "{} bytes that are no prefix", got.len());
    }
    gateway.settles_at(before);
    assert_eq!(gateway.count("closed_client_lost") + gateway.count("closed_truncated"), 20);
}

/// Empty records bring nothing, and a guard against old attacks sends them: a few are allowed.
fn some_empty_records_are_dropped(wish: Wish) {
    let (gateway, (host, told)) = (wish.start(), witness_host());
    let mut client = by_hand(&gateway, &host);
    for _ in 0..20 {
        let mut flight: Vec<u8> = (0..30).flat_map(|_| client.data(b"")).collect();
        flight.extend(client.data(b"x"));
        client.send(&flight).unwrap();
    }
    let end = client.seal(ContentType::Alert, &[1, 0]);
    client.send(&end).unwrap();
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), [b'x'; 20]);
    assert_eq!(gateway.count("up_bytes"), 20);
}

/// T08: they cost work, and a flood of them is not allowed.
fn empty_records_in_a_row_are_counted(wish: Wish) {
    let (gateway, echo) = (wish.start(), Host::echo());
    let mut witness = gateway.launch(echo.address);
    let mut client = by_hand(&gateway, &echo);
    let flood: Vec<u8> = (0..10_000).flat_map(|_| client.data(b"")).collect();
    let _ = client.send(&flood);
    until_end(&client.tcp);
    counted(&gateway, "closed_tls_broken", 1);
    still_served(&mut witness);
}

/// T08: each KeyUpdate costs a key derivation and an answer.
fn a_flood_of_key_updates_is_ended(wish: Wish) {
    let (gateway, echo) = (wish.start(), Host::echo());
    let mut witness = gateway.launch(echo.address);
    let mut client = gateway.launch(echo.address);
    let flooded = (0..5_000).try_for_each(|_| {
        client.stream.conn.refresh_traffic_keys().map_err(std::io::Error::other)?;
        client.stream.conn.write_tls(&mut client.stream.sock).map(drop)
    });
    let _ = flooded;
    until_end(&client.stream.sock);
    counted(&gateway, "closed_tls_broken", 1);
    assert!(gateway.count("key_updates") < 100, "{}", gateway.count("key_updates"));
    still_served(&mut witness);
}

/// The same message, as often as an honest client might, changes nothing.
fn some_key_updates_are_served(wish: Wish) {
    let (gateway, echo) = (wish.start(), Host::echo());
    let mut client = gateway.launch(echo.address);
    for _ in 0..5 {
        client.stream.conn.refresh_traffic_keys().unwrap();
        still_served(&mut client);
    }
    assert!(gateway.count("key_updates") >= 5);
}

/// Section 18, "1 000 tiny records": in one flight, each with one byte.
fn a_thousand_tiny_records_arrive(wish: Wish) {
    let (gateway, (host, told)) = (wish.start(), witness_host());
    let mut client = by_hand(&gateway, &host);
    let sent = Pattern::new(8).bytes(1_000);
    let mut flight: Vec<u8> = sent.iter().flat_map(|byte| client.data(&[*byte])).collect();
    // close_notify, so that the host's side ends in order.
    flight.extend(client.seal(ContentType::Alert, &[1, 0]));
    client.send(&flight).unwrap();
    assert!(told.recv_timeout(PATIENCE).unwrap() == sent);
    until("the session to end", || (gateway.count("sessions") <= 1).then_some(()));
}

/// T08: each record costs its own, however short. Who sends nothing else is served, and so are the others meanwhile.
fn a_flood_of_tiny_records_is_served_in_turn(wish: Wish) {
    let (gateway, echo, (host, told)) = (wish.start(), Host::echo(), witness_host());
    let mut witness = gateway.launch(echo.address);
    let mut client = by_hand(&gateway, &host);
    let sent = Pattern::new(9).bytes(20_000);
    let mut flood: Vec<u8> = sent.iter().flat_map(|byte| client.data(&[*byte])).collect();
    flood.extend(client.seal(ContentType::Alert, &[1, 0]));
    std::thread::scope(|scope| {
        let tcp = client.tcp.try_clone().unwrap();
        scope.spawn(move || (&tcp).write_all(&flood).unwrap());
        while gateway.count("up_bytes") < 20_000 {
            still_served(&mut witness);
        }
    });
    assert!(told.recv_timeout(PATIENCE).unwrap() == sent);
}

/// T08: a record may be one byte and 16 KiB of padding. It is opened as any other, and the padding goes nowhere.
fn padding_is_dropped(wish: Wish) {
    let (gateway, echo, (host, told)) = (wish.start(), Host::echo(), witness_host());
    let mut witness = gateway.launch(echo.address);
    let mut client = by_hand(&gateway, &host);
    let sent = Pattern::new(10).bytes(300);
    for byte in &sent {
        let padded = client.padded(*byte);
        client.send(&padded).unwrap();
    }
    still_served(&mut witness);
    let end = client.seal(ContentType::Alert, &[1, 0]);
    client.send(&end).unwrap();
    assert!(told.recv_timeout(PATIENCE).unwrap() == sent);
    assert_eq!(gateway.count("up_bytes"), 300 + 9);
}

/// Processor time of the gateway for what hostile peers do, each beside an honest one that puts as much work on the wire. Printed, since
/// times are no verdict: `docs/performance.md` has what a quiet machine said.
#[expect(clippy::print_stdout, reason = "figures for whoever runs it with --nocapture")]
fn what_is_wrong_costs_no_more_than_what_is_right(engine: &'static str) {
    const SESSIONS: usize = 20;
    let (gateway, echo) = (wish(engine).start(), Host::echo());
    let (sink, _told) = witness_host();
    let mut witness = gateway.launch(echo.address);
    let mut cost = |what: &str, units: u32, work: &mut dyn FnMut()| {
        let before = gateway.cpu();
        work();
        still_served(&mut witness);
        println!("{engine:>6} | {what:<52} | {:>9.1} µs", (gateway.cpu() - before).as_secs_f64() * 1e6 / f64::from(units));
    };
    // One session each, from connect to its end.
    let one = |bytes: &mut dyn FnMut(&mut Records) -> Vec<u8>| {
        for _ in 0..SESSIONS {
            let mut client = by_hand_quietly(&gateway, &sink);
            let bytes = bytes(&mut client);
            let _ = client.send(&bytes);
            until_end(&client.tcp);
        }
    };
    let bye = |r: &mut Records| r.seal(ContentType::Alert, &[1, 0]);
    cost("a session: honest, one record, goodbye", 20, &mut || one(&mut |r| [r.data(b"keystroke"), bye(r)].concat()));
    cost("a session: honest, 34 records, goodbye", 20, &mut || {
        one(&mut |r| [(0..34).flat_map(|_| r.data(b"keystroke")).collect(), bye(r)].concat());
    });
    cost("a session: honest, 220,000 bytes, goodbye", 20, &mut || {
        one(&mut |r| [(0..14).flat_map(|_| r.data(&[1; 15_692])).collect(), bye(r)].concat());
    });
    cost("a session: bad tag", 20, &mut || {
        one(&mut |r| {
            let mut bad = r.data(b"keystroke");
            *bad.last_mut().unwrap() ^= 1;
            bad
        });
    });
    cost("a session: a length that may not be", 20, &mut || one(&mut |_| vec![23, 3, 3, 0xff, 0xff]));
    cost("a session: 10,000 empty records", 20, &mut || one(&mut |r| (0..10_000).flat_map(|_| r.data(b"")).collect()));
    cost("a session: 16,385 bytes in a record", 20, &mut || one(&mut |r| r.data(&[1; (1 << 14) + 1])));
    // So many bytes on the wire of one session.
    let stream = |record: &mut dyn FnMut(&mut Records) -> Vec<u8>| {
        let mut client = by_hand_quietly(&gateway, &sink);
        let mut flight = Vec::new();
        while flight.len() < 4 << 20 {
            flight.extend(record(&mut client));
        }
        flight.extend(bye(&mut client));
        client.send(&flight).unwrap();
        until_end(&client.tcp);
    };
    cost("a MiB on the wire: records of 16 KiB", 4, &mut || stream(&mut |r| r.data(&[1; 1 << 14])));
    cost("a MiB on the wire: records of 64 bytes, in one stream", 4, &mut || stream(&mut |r| r.data(&[1; 64])));
    cost("a MiB on the wire: a byte and 16 KiB of padding", 4, &mut || stream(&mut |r| r.padded(1)));
    cost("a MiB on the wire: records of one byte", 4, &mut || stream(&mut |r| r.data(&[1])));
}
