//! Every suite, version and side against rustls, with each record engine: what one seals the other opens, from the first record after the
//! handshake on.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rustls::crypto::aws_lc_rs::cipher_suite::*;
use rustls::version::{TLS12, TLS13};

use super::*;

/// Each suite with the certificate that it needs.
fn suites() -> Vec<(SupportedCipherSuite, &'static Pair)> {
    vec![
        (TLS13_AES_128_GCM_SHA256, &*ECDSA),
        (TLS13_AES_256_GCM_SHA384, &*RSA),
        (TLS13_CHACHA20_POLY1305_SHA256, &*ECDSA),
        (TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, &*ECDSA),
        (TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, &*ECDSA),
        (TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, &*ECDSA),
        (TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, &*RSA),
        (TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, &*RSA),
        (TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, &*RSA),
    ]
}

/// Each suite with each engine.
fn cases() -> impl Iterator<Item = (RecordEngine, SupportedCipherSuite, &'static Pair)> {
    ENGINES.into_iter().flat_map(|engine| suites().into_iter().map(move |(suite, pair)| (engine, suite, pair)))
}

fn version(suite: SupportedCipherSuite) -> &'static SupportedProtocolVersion {
    if suite.tls13().is_some() { &TLS13 } else { &TLS12 }
}

/// Sends 70 records each way, of lengths around what is special, sealed in place and out of place in turns.
fn converse<D: SideData>(ours: &mut Records, theirs: &mut ConnectionCommon<D>) {
    let lengths = [1, 2, 15, 16, 17, 100, 1400, 4096, 16383, 16384];
    for round in 0..70 {
        let plain = noise(lengths[round % lengths.len()], round);
        let sealed = if round % 3 == 0 {
            let mut out = buf(Class::Bulk);
            assert_eq!(ours.seal_into(&plain, &mut out), Ok(plain.len()));
            out.filled().to_vec()
        } else {
            sealed(ours, &plain)
        };
        assert_eq!(push(theirs, &sealed).unwrap(), plain, "ours, round {round}");

        let plain = noise(lengths[(round + 3) % lengths.len()], round + 1000);
        let (opened, what) = open_all(ours, &theirs_sealed(theirs, &plain)).unwrap();
        assert_eq!(opened, plain, "theirs, round {round}");
        assert_eq!((what.lacks, what.closed), (0, false));
    }
}

/// By which a session ticket is cut into so many records that our own first one has number 0 to 4.
const FRAGMENTS: [Option<usize>; 6] = [None, Some(4096), Some(160), Some(120), Some(80), Some(60)];

#[test]
fn as_server_every_suite_and_every_first_number() {
    let mut firsts = BTreeSet::new();
    for (engine, suite, pair) in cases() {
        // What comes later, rustls would cut into pieces of this size, too.
        let fragments = if engine == RecordEngine::Own { &FRAGMENTS[..] } else { &FRAGMENTS[..1] };
        for &fragment in fragments {
            let mut served = serve_by(engine, pair);
            let config = Arc::get_mut(&mut served.configs.silent).unwrap();
            // The session ticket is cut into records, so that our first own one has this number (TLS 1.3).
            config.max_fragment_size = fragment;
            config.send_tls13_tickets = usize::from(fragment.is_some());
            let config = Arc::new(client_config(&[pair], &[suite], &[version(suite)]));
            let mut theirs = client(&config, NAME);
            let Met { mut established, rest } = meet_client(&served, &mut theirs).unwrap();
            assert_eq!(rest, [], "{suite:?}");
            let facts = &established.facts;
            assert_eq!(facts.version, if suite.tls13().is_some() { Version::Tls13 } else { Version::Tls12 });
            assert!(!facts.suite.contains("unknown"), "{suite:?}");
            assert_eq!((facts.resumed, facts.sni.as_deref()), (false, Some(NAME)));
            if engine == RecordEngine::Own {
                firsts.insert(established.records.inner().sealed_with_this_key());
            }
            converse(&mut established.records, &mut theirs);
        }
    }
    assert!((0..=4).all(|first| firsts.contains(&first)), "{firsts:?}");
}

#[test]
fn as_client_every_suite_and_with_tickets_behind_the_handshake() {
    for (engine, suite, pair) in cases() {
        for tickets in [0, 1, 2, 4] {
            let mut config = server_config(pair, &[suite], &[version(suite)]);
            config.send_tls13_tickets = tickets;
            // Cuts the tickets over records, too.
            config.max_fragment_size = (tickets == 4).then_some(64);
            let mut theirs = ServerConnection::new(config.into()).unwrap();
            let Met { mut established, rest } = meet_host_by(engine, &hosts(pair), NAME, &mut theirs).unwrap();
            let (plain, opened) = open_all(&mut established.records, &rest).unwrap();
            assert_eq!((plain.len(), opened.rest, opened.lacks), (0, rest.len(), 0));
            assert_eq!(opened.records > 0, tickets > 0 && suite.tls13().is_some());
            converse(&mut established.records, &mut theirs);
        }
    }
}

#[test]
fn tickets_in_pieces_may_be_cut_anywhere() {
    for engine in ENGINES {
        for step in [1, 7, 100] {
            let mut config = server_config(&ECDSA, &[TLS13_AES_128_GCM_SHA256], &[&TLS13]);
            config.send_tls13_tickets = 4;
            config.max_fragment_size = Some(64);
            let mut theirs = ServerConnection::new(config.into()).unwrap();
            let Met { mut established, rest } = meet_host_by(engine, &hosts(&ECDSA), NAME, &mut theirs).unwrap();
            let mut wire = rest;
            wire.extend(theirs_sealed(&mut theirs, b"and then the host speaks"));
            let (mut got, mut held) = (Vec::new(), Vec::new());
            for piece in wire.chunks(step) {
                held.extend_from_slice(piece);
                let (plain, opened) = open_all(&mut established.records, &held).unwrap();
                got.extend(plain);
                held.drain(..opened.rest);
                // In between somebody may speak.
                assert_eq!(push(&mut theirs, &sealed(&mut established.records, b"up")).unwrap(), b"up");
            }
            assert_eq!(got, b"and then the host speaks", "{engine:?}, {step} bytes at a time");
        }
    }
}

#[test]
fn resumed_sessions_converse_too() {
    for (engine, suite, pair) in cases() {
        let served = serve_by(engine, pair);
        let config = Arc::new(client_config(&[pair], &[suite], &[version(suite)]));
        for resumed in [false, true, true] {
            let mut theirs = client(&config, NAME);
            let Met { mut established, .. } = meet_client(&served, &mut theirs).unwrap();
            assert_eq!(established.facts.resumed, resumed, "{suite:?}");
            converse(&mut established.records, &mut theirs);
        }

        let config = Arc::new(server_config(pair, &[suite], &[version(suite)]));
        let profile = hosts(pair);
        for resumed in [false, true, true] {
            let mut theirs = ServerConnection::new(Arc::clone(&config)).unwrap();
            let Met { mut established, rest } = meet_host_by(engine, &profile, NAME, &mut theirs).unwrap();
            assert_eq!(established.facts.resumed, resumed, "{suite:?}");
            open_all(&mut established.records, &rest).unwrap();
            converse(&mut established.records, &mut theirs);
        }
    }
}

#[test]
fn a_bulk_buffer_becomes_sixteen_records_and_back() {
    for (engine, suite, pair) in cases() {
        let served = serve_by(engine, pair);
        let config = Arc::new(client_config(&[pair], &[suite], &[version(suite)]));
        let mut theirs = client(&config, NAME);
        theirs.set_buffer_limit(None);
        let Met { mut established, .. } = meet_client(&served, &mut theirs).unwrap();
        let plain = noise(256 * 1024, 1);
        let mut out = buf(Class::Bulk);
        assert_eq!(established.records.seal_into(&plain, &mut out), Ok(plain.len()));
        assert!(push(&mut theirs, out.filled()).unwrap() == plain);
        let (opened, what) = open_all(&mut established.records, &theirs_sealed(&mut theirs, &plain)).unwrap();
        assert!(opened == plain);
        assert_eq!(what.records, 16);
    }
}

#[test]
fn what_a_buffer_holds_beyond_one_record_becomes_a_second_one_in_place() {
    for (engine, suite, pair) in cases() {
        let served = serve_by(engine, pair);
        let config = Arc::new(client_config(&[pair], &[suite], &[version(suite)]));
        let mut theirs = client(&config, NAME);
        let Met { mut established, .. } = meet_client(&served, &mut theirs).unwrap();
        for len in [RECORD_MAX - 1, RECORD_MAX, RECORD_MAX + 1, RECORD_MAX + 30, Class::Large.payload()] {
            let plain = noise(len, len);
            let wire = sealed(&mut established.records, &plain);
            assert!(push(&mut theirs, &wire).unwrap() == plain, "{suite:?}, {len}");
        }
        let mut empty = buf(Class::Small);
        assert_eq!(established.records.seal_in_place(&mut empty), Ok(()));
        assert!(empty.is_empty());
    }
}

#[test]
fn both_say_goodbye() {
    for (engine, suite, pair) in cases() {
        let served = serve_by(engine, pair);
        let config = Arc::new(client_config(&[pair], &[suite], &[version(suite)]));
        let mut theirs = client(&config, NAME);
        let Met { mut established, .. } = meet_client(&served, &mut theirs).unwrap();
        let mut wire = theirs_sealed(&mut theirs, b"last words");
        theirs.send_close_notify();
        wire.extend(pull(&mut theirs));
        wire.extend(b"and nonsense, which nobody looks at");
        let (plain, opened) = open_all(&mut established.records, &wire).unwrap();
        assert_eq!((&plain[..], opened.closed, opened.rest), (&b"last words"[..], true, wire.len()));
        assert!(open_all(&mut established.records, b"more of it").unwrap().1.closed);

        // The other direction is still open.
        let wire = sealed(&mut established.records, b"not yet");
        assert_eq!(push(&mut theirs, &wire).unwrap(), b"not yet");
        let mut out = buf(Class::Small);
        established.records.close_notify(&mut out).unwrap();
        push(&mut theirs, out.filled()).unwrap();
        assert!(theirs.process_new_packets().unwrap().peer_has_closed());
        let mut late = buf(Class::Small);
        late.append(b"late");
        assert_eq!(established.records.seal_in_place(&mut late), Err(SealFault::Closed));
        assert_eq!(established.records.seal_into(b"late", &mut late), Err(SealFault::Closed));
        assert_eq!((established.records.close_notify(&mut late), late.filled()), (Ok(()), &b"late"[..]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the lengths and however the stream is cut, the other side gets the same bytes.
    #[test]
    fn any_lengths_and_any_cuts(
        which in 0usize..18,
        lengths in proptest::collection::vec(1usize..40_000, 1..6),
        cuts in proptest::collection::vec(1usize..30_000, 1..40),
    ) {
        let (engine, suite, pair) = cases().nth(which).unwrap();
        let served = serve_by(engine, pair);
        let config = Arc::new(client_config(&[pair], &[suite], &[version(suite)]));
        let mut theirs = client(&config, NAME);
        theirs.set_buffer_limit(None);
        let Met { mut established, .. } = meet_client(&served, &mut theirs).unwrap();
        let (mut wire, mut plain) = (Vec::new(), Vec::new());
        for (i, len) in lengths.into_iter().enumerate() {
            let piece = noise(len, i);
            wire.extend(theirs_sealed(&mut theirs, &piece));
            plain.extend(piece);
        }
        let (mut got, mut held, mut cuts) = (Vec::new(), Vec::new(), cuts.into_iter().cycle());
        let mut left = &wire[..];
        while !left.is_empty() {
            let (now, later) = left.split_at(cuts.next().unwrap().min(left.len()));
            held.extend_from_slice(now);
            let (bytes, opened) = open_all(&mut established.records, &held).unwrap();
            got.extend(bytes);
            held.drain(..opened.rest);
            prop_assert_eq!(opened.lacks == 0, held.is_empty());
            left = later;
        }
        prop_assert!(got == plain);
        prop_assert!(held.is_empty());
    }
}
