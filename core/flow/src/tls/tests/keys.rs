//! Key changes: theirs, ours, asked for, too many.

use std::time::Duration;

use rustls::crypto::aws_lc_rs::cipher_suite::*;
use rustls::version::{TLS12, TLS13};

use super::super::rekey::KeyLimits;
use super::super::secret::content;
use super::*;

const SUITES: [SupportedCipherSuite; 3] = [TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256];
const ENDLESS: KeyLimits = KeyLimits { records: u64::MAX, blocks: u64::MAX };

fn pair_of(suite: SupportedCipherSuite) -> (Records, ClientConnection) {
    let config = Arc::new(client_config(&[&ECDSA], &[suite], &[&TLS13]));
    let mut theirs = client(&config, NAME);
    theirs.set_buffer_limit(None);
    let met = meet_client(&serve(tls(&[&ECDSA])), &mut theirs).unwrap();
    (met.established.records, theirs)
}

/// Records of a server and a client, both ours.
fn ours() -> (Records, Records) {
    let (server, client) = meet_ourselves(&serve(tls(&[&ECDSA])), &hosts(&ECDSA));
    (server.records, client.records)
}

/// What rustls knows of the suites: we change keys long before it would, and never where it would not.
#[test]
fn our_bounds_are_within_those_of_rustls() {
    for suite in ALL_CIPHER_SUITES {
        let (limit, version) = match suite {
            SupportedCipherSuite::Tls12(suite) => (suite.common.confidentiality_limit, &TLS12),
            SupportedCipherSuite::Tls13(suite) => (suite.common.confidentiality_limit, &TLS13),
        };
        let config = Arc::new(client_config(&[&ECDSA, &RSA], &[*suite], &[version]));
        let mut theirs = client(&config, NAME);
        let mut ours = meet_client(&serve(tls(&[&ECDSA, &RSA])), &mut theirs).unwrap().established.records;
        let wears_off = ours.inner().wears_off();
        assert_eq!(wears_off, limit < u64::MAX, "{suite:?}");
        assert!(!wears_off || 2 * KeyLimits::STANDARD.records <= limit, "{suite:?}: {limit}");
    }
}

#[test]
fn their_key_updates_are_followed() {
    for suite in SUITES {
        let (mut ours, mut theirs) = pair_of(suite);
        for round in 0..8 {
            let mut wire = theirs_sealed(&mut theirs, b"before");
            theirs.refresh_traffic_keys().unwrap();
            wire.extend(theirs_sealed(&mut theirs, b" and after"));
            let now = START + Duration::from_secs(round);
            let (plain, opened) = open_at(&mut ours, &wire, now).unwrap();
            assert_eq!((&plain[..], opened.key_updates), (&b"before and after"[..], 1));
            // rustls always asks for one in return, and gets it once.
            for update in [5 + 5 + 17, 0] {
                let wire = sealed(&mut ours, b"answer");
                assert_eq!(wire.len(), update + 5 + 6 + 17);
                assert_eq!(push(&mut theirs, &wire).unwrap(), b"answer");
            }
        }
    }
}

#[test]
fn ours_change_after_so_many_records_however_they_are_sealed() {
    for (i, suite) in SUITES.into_iter().enumerate() {
        let (mut ours, mut theirs) = pair_of(suite);
        ours.inner().limit(KeyLimits { records: 10, ..ENDLESS });
        let mut changes = 0;
        for round in 0..200 {
            let before = ours.inner().sealed_with_this_key();
            let plain = noise(1 + round * 37 % 17_000, round);
            let wire = if round % 2 == 0 {
                sealed(&mut ours, &plain)
            } else {
                let mut out = buf(Class::Bulk);
                assert_eq!(ours.seal_into(&plain, &mut out), Ok(plain.len()));
                out.filled().to_vec()
            };
            assert!(push(&mut theirs, &wire).unwrap() == plain);
            assert!(ours.inner().sealed_with_this_key() <= 11 || i == 2);
            changes += usize::from(ours.inner().sealed_with_this_key() < before);
        }
        // ChaCha20-Poly1305 does not wear off.
        assert_eq!(changes > 15, i != 2, "{changes}");
    }
}

#[test]
fn ours_change_after_so_many_blocks() {
    let (mut ours, mut theirs) = pair_of(TLS13_AES_128_GCM_SHA256);
    ours.inner().limit(KeyLimits { blocks: 3000, ..ENDLESS });
    let plain = noise(256 * 1024 - 27, 0);
    let mut out = buf(Class::Bulk);
    let taken = ours.seal_into(&plain, &mut out).unwrap();
    // Three full records for each key: the third goes over the bound. So the sixteenth is the first with its key.
    assert_eq!((taken, ours.inner().sealed_with_this_key()), (plain.len(), 1));
    assert!(push(&mut theirs, out.filled()).unwrap() == plain);
}

#[test]
fn what_is_asked_for_is_answered_once_and_in_front_of_data() {
    let (mut server, mut client) = ours();
    let mut out = buf(Class::Small);
    for _ in 0..3 {
        client.inner().update_key(true, &mut out);
    }
    let opened = open_all(&mut server, out.filled()).unwrap().1;
    assert_eq!((opened.bytes, opened.key_updates, opened.records), (0, 3, 3));
    for (n, updates) in [(0, 1), (1, 0)] {
        let wire = sealed(&mut server, b"data");
        let (plain, opened) = open_all(&mut client, &wire).unwrap();
        assert_eq!((&plain[..], opened.key_updates), (&b"data"[..], updates), "{n}");
    }

    out.clear();
    client.inner().update_key(true, &mut out);
    open_all(&mut server, out.filled()).unwrap();
    out.clear();
    assert_eq!(server.seal_into(b"out of place", &mut out), Ok(12));
    let (plain, opened) = open_all(&mut client, out.filled()).unwrap();
    assert_eq!((&plain[..], opened.key_updates), (&b"out of place"[..], 1));

    // Goodbye needs no new key, and nobody waits for one.
    out.clear();
    client.inner().update_key(true, &mut out);
    open_all(&mut server, out.filled()).unwrap();
    out.clear();
    server.close_notify(&mut out).unwrap();
    assert!(open_all(&mut client, out.filled()).unwrap().1.closed);
}

#[test]
fn a_whole_buffer_and_a_key_update_fit_around_each_other() {
    let (mut server, mut client) = ours();
    let mut out = buf(Class::Small);
    client.inner().update_key(true, &mut out);
    open_all(&mut server, out.filled()).unwrap();
    let plain = noise(Class::Large.payload(), 3);
    let wire = sealed(&mut server, &plain);
    let (got, opened) = open_all(&mut client, &wire).unwrap();
    assert!(got == plain);
    assert_eq!((opened.records, opened.key_updates), (3, 1));

    // And a bulk buffer, in which a key update is in the way of nothing.
    out.clear();
    client.inner().update_key(true, &mut out);
    open_all(&mut server, out.filled()).unwrap();
    let plain = noise(256 * 1024, 3);
    let mut bulk = buf(Class::Bulk);
    assert_eq!(server.seal_into(&plain, &mut bulk), Ok(plain.len()));
    assert!(open_all(&mut client, bulk.filled()).unwrap().0 == plain);
}

#[test]
fn both_change_keys_all_the_time() {
    let (mut server, mut client) = ours();
    let mut now = START;
    for round in 0..200 {
        let mut out = buf(Class::Small);
        client.inner().update_key(round % 2 == 0, &mut out);
        assert_eq!(client.seal_into(b"up", &mut out), Ok(2));
        assert_eq!(open_at(&mut server, out.filled(), now).unwrap().0, b"up");
        out.clear();
        server.inner().update_key(round % 3 == 0, &mut out);
        assert_eq!(server.seal_into(b"down", &mut out), Ok(4));
        assert_eq!(open_at(&mut client, out.filled(), now).unwrap().0, b"down");
        now = now + Duration::from_secs(1);
    }
}

#[test]
fn a_flood_ends_the_session() {
    // Eleven within a second, although there is data between them.
    let (mut server, mut client) = ours();
    let mut fault = None;
    for round in 0..20 {
        let mut out = buf(Class::Small);
        client.inner().update_key(false, &mut out);
        client.seal_into(b"x", &mut out).unwrap();
        if let Err(found) = open_at(&mut server, out.filled(), START + Duration::from_millis(round)) {
            fault = Some((round, found));
            break;
        }
    }
    assert_eq!(fault, Some((10, RecordFault::TooManyKeyUpdates)));

    // Thirty-three without data, although there is time between them.
    let (mut server, mut client) = ours();
    let mut fault = None;
    for round in 0..50 {
        let mut out = buf(Class::Small);
        client.inner().update_key(true, &mut out);
        if let Err(found) = open_at(&mut server, out.filled(), START + Duration::from_secs(round)) {
            fault = Some((round, found));
            break;
        }
    }
    assert_eq!(fault, Some((32, RecordFault::TooManyKeyUpdates)));
}

#[test]
fn a_key_update_must_end_its_record_and_come_in_one() {
    for pieces in [&[&[24, 0, 0, 1, 0, 24, 0, 0, 1, 0][..]][..], &[&[24, 0, 0][..], &[1, 0]]] {
        let (mut server, mut client) = ours();
        let mut out = buf(Class::Small);
        for piece in pieces {
            client.inner().seal_raw(content::HANDSHAKE, piece, &mut out);
        }
        assert_eq!(open_all(&mut server, out.filled()), Err(RecordFault::Unexpected));
    }
}

#[test]
fn hosts_give_tickets_and_nothing_else() {
    // In pieces, with a ticket of nonsense.
    let ticket = |len: u8| [&[4, 0, 0, len][..], &[0; 200][..usize::from(len)]].concat();
    let cases: [(&[&[u8]], RecordFault); 5] = [
        (&[&ticket(30)], RecordFault::Decode),
        (&[&ticket(30)[..10], &ticket(30)[10..]], RecordFault::Decode),
        (&[&[4, 0, 0x40, 1]], RecordFault::Decode),
        (&[&[4, 0, 0, 20, 1]], RecordFault::Unexpected),
        (&[&[13, 0, 0, 1, 0]], RecordFault::Unexpected),
    ];
    for (pieces, expected) in cases {
        let (mut server, mut client) = ours();
        let mut out = buf(Class::Small);
        for piece in pieces {
            server.inner().seal_raw(content::HANDSHAKE, piece, &mut out);
        }
        // Only after a whole message may something else come.
        server.seal_into(b"data", &mut out).unwrap();
        assert_eq!(open_all(&mut client, out.filled()), Err(expected), "{pieces:?}");
    }
    // Clients give none.
    let (mut server, mut client) = ours();
    let mut out = buf(Class::Small);
    client.inner().seal_raw(content::HANDSHAKE, &ticket(30), &mut out);
    assert_eq!(open_all(&mut server, out.filled()), Err(RecordFault::Unexpected));
}

#[test]
fn a_host_that_floods_us_with_tickets_is_left() {
    let mut config = server_config(&ECDSA, &[TLS13_AES_128_GCM_SHA256], &[&TLS13]);
    config.send_tls13_tickets = 33;
    config.max_fragment_size = Some(500);
    let mut theirs = ServerConnection::new(config.into()).unwrap();
    let mut met = meet_host(&hosts(&ECDSA), NAME, &mut theirs).unwrap();
    assert_eq!(open_all(&mut met.established.records, &met.rest), Err(RecordFault::TooManyKeyUpdates));
}
