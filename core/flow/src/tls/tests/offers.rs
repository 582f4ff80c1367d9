//! Keys that are offered to the kernel: that they are those with which rustls goes on, that nobody here uses them meanwhile, and what is
//! made of what the kernel says.

use proptest::prelude::*;
use rustls::crypto::aws_lc_rs::cipher_suite::*;
use rustls::version::{TLS12, TLS13};

use super::super::kernel::Kernel;
use super::super::rekey::KeyLimits;
use super::super::secret::content;
use super::*;
use crate::event::{ControlRecord, Way};

const SUITES: [SupportedCipherSuite; 6] = [
    TLS13_AES_128_GCM_SHA256,
    TLS13_AES_256_GCM_SHA384,
    TLS13_CHACHA20_POLY1305_SHA256,
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
];
const WAYS: [Way; 2] = [Way::Transmit, Way::Receive];
/// A KeyUpdate that asks for one in return.
const KEY_UPDATE: &[u8] = &[24, 0, 0, 1, 1];

/// Our records, and the client's connection.
fn met(engine: RecordEngine, suite: SupportedCipherSuite) -> (Records, ClientConnection) {
    let version = if suite.tls13().is_some() { &TLS13 } else { &TLS12 };
    let config = Arc::new(client_config(&[&ECDSA], &[suite], &[version]));
    let mut theirs = client(&config, NAME);
    theirs.set_buffer_limit(None);
    let met = meet_client(&serve_by(engine, &ECDSA), &mut theirs).unwrap();
    assert_eq!(met.rest, []);
    (met.established.records, theirs)
}

/// Records by the kernel, as far as it takes keys, and a client of ours.
fn ours(engine: RecordEngine, tls13: bool) -> (Records, Records) {
    let served = serve(Tls { engine, tls13, tls12: !tls13, ..tls(&[&ECDSA]) });
    let (server, client) = meet_ourselves(&served, &hosts(&ECDSA));
    (server.records, client.records)
}

/// Some records each way, by us.
fn converse(ours: &mut Records, theirs: &mut ClientConnection, rounds: usize) {
    for round in 0..rounds {
        let plain = noise(1 + 700 * round, round);
        assert_eq!(push(theirs, &sealed(ours, &plain)).unwrap(), plain);
        assert_eq!(open_all(ours, &theirs_sealed(theirs, &plain)).unwrap().0, plain);
    }
}

#[test]
fn the_kernel_goes_on_where_we_were_and_rustls_does_not_notice() {
    for suite in SUITES {
        for rounds in [0, 1, 5] {
            let (mut ours, mut theirs) = met(RecordEngine::Kernel, suite);
            converse(&mut ours, &mut theirs, rounds);
            let mut sealing = Kernel::new(&ours.offer(Way::Transmit).unwrap());
            let mut opening = Kernel::new(&ours.offer(Way::Receive).unwrap());
            WAYS.into_iter().for_each(|way| ours.settle(way, true));
            for round in 0..20 {
                let plain = noise(1 + 1_000 * round, round);
                assert_eq!(ours.passes(plain.len()), Ok(()));
                assert_eq!(push(&mut theirs, &sealing.seal(content::DATA, &plain)).unwrap(), plain, "{suite:?}");
                let mut wire = theirs_sealed(&mut theirs, &plain);
                let mut got = Vec::new();
                while !wire.is_empty() {
                    let (typ, content) = opening.open(&mut wire).unwrap().unwrap();
                    assert_eq!(typ, content::DATA);
                    got.extend(content);
                }
                assert_eq!(got, plain, "{suite:?}");
            }
            let mut out = buf(Class::Small);
            ours.close_notify(&mut out).unwrap();
            let goodbye = ours.said(out);
            assert_eq!(goodbye.typed(), Some(content::ALERT));
            let plain: Vec<u8> = goodbye.slices().flatten().copied().collect();
            push(&mut theirs, &sealing.seal(content::ALERT, &plain)).unwrap();
            assert!(theirs.process_new_packets().unwrap().peer_has_closed());
            assert_eq!(ours.passes(1), Err(SealFault::Closed), "nothing may follow an alert");
        }
    }
}

#[test]
fn a_key_that_the_kernel_does_not_take_is_ours_as_before() {
    for suite in SUITES {
        let (mut ours, mut theirs) = met(RecordEngine::Kernel, suite);
        for way in WAYS {
            assert!(ours.offer(way).is_some());
            assert!(ours.offer(way).is_none(), "once");
            assert!(!ours.is_kernels(way));
        }
        // A goodbye may wait for the answer. It must not be sealed before that, and there must be nothing left of the attempt.
        WAYS.into_iter().for_each(|way| ours.settle(way, false));
        for way in WAYS {
            assert!(!ours.is_kernels(way));
            assert!(ours.offer(way).is_none(), "once");
        }
        converse(&mut ours, &mut theirs, 5);
        let mut out = buf(Class::Small);
        ours.close_notify(&mut out).unwrap();
        let goodbye = ours.said(out);
        assert_eq!(goodbye.typed(), None);
        let wire: Vec<u8> = goodbye.slices().flatten().copied().collect();
        push(&mut theirs, &wire).unwrap();
        assert!(theirs.process_new_packets().unwrap().peer_has_closed());
    }
}

#[test]
fn a_key_that_is_with_the_kernel_or_may_be_is_not_used_here() {
    for settled in [false, true] {
        for wire_first in [false, true] {
            let (mut ours, mut theirs) = met(RecordEngine::Kernel, SUITES[0]);
            for way in WAYS {
                ours.offer(way).unwrap();
                if settled {
                    ours.settle(way, true);
                }
            }
            let mut out = buf(Class::Small);
            if wire_first {
                out.append(b"in place");
                assert_eq!(ours.seal_in_place(&mut out), Err(SealFault::Never));
                assert_eq!(out.filled(), b"in place");
            } else {
                assert_eq!(ours.seal_into(b"out of place", &mut out), Err(SealFault::Never));
                assert!(out.is_empty());
            }
            let wire = theirs_sealed(&mut theirs, b"up");
            assert_eq!(open_all(&mut ours, &wire), Err(RecordFault::Never));
        }
    }
}

#[test]
fn only_what_an_operator_wants_is_offered() {
    for engine in [RecordEngine::Own, RecordEngine::Rustls, RecordEngine::KernelTx, RecordEngine::KernelRx, RecordEngine::Kernel]
    {
        for suite in SUITES {
            let (mut ours, mut theirs) = met(engine, suite);
            assert_eq!(ours.offer(Way::Transmit).is_some(), engine.kernel_seals());
            assert_eq!(ours.offer(Way::Receive).is_some(), engine.kernel_opens());
            WAYS.into_iter().for_each(|way| ours.settle(way, false));
            // An answer that nobody waits for changes nothing.
            WAYS.into_iter().for_each(|way| ours.settle(way, true));
            assert!(WAYS.into_iter().all(|way| !ours.is_kernels(way)));
            converse(&mut ours, &mut theirs, 3);
        }
    }
    // Nor are the keys towards a host.
    let mut theirs = ServerConnection::new(server_config(&ECDSA, &[SUITES[0]], &[&TLS13]).into()).unwrap();
    let mut met = meet_host_by(RecordEngine::Kernel, &hosts(&ECDSA), NAME, &mut theirs).unwrap();
    assert!(WAYS.into_iter().all(|way| met.established.records.offer(way).is_none()));
}

#[test]
fn a_key_that_was_changed_is_not_offered() {
    // Theirs, and ours has to be: they asked for it, and the kernel could not.
    let (mut server, mut theirs) = met(RecordEngine::Kernel, SUITES[0]);
    theirs.refresh_traffic_keys().unwrap();
    assert_eq!(open_all(&mut server, &pull(&mut theirs)).unwrap().1.key_updates, 1);
    assert!(WAYS.into_iter().all(|way| server.offer(way).is_none()));
    converse(&mut server, &mut theirs, 3);
    assert!(WAYS.into_iter().all(|way| server.offer(way).is_none()));

    // Theirs only.
    let (mut server, mut client) = ours(RecordEngine::Kernel, true);
    let mut out = buf(Class::Small);
    client.inner().update_key(false, &mut out);
    open_all(&mut server, out.filled()).unwrap();
    assert!(server.offer(Way::Receive).is_none());
    assert!(server.offer(Way::Transmit).is_some());

    // Ours only: it had sealed enough.
    let (mut server, mut client) = ours(RecordEngine::Kernel, true);
    server.spend_after(1, u64::MAX);
    for _ in 0..3 {
        let wire = sealed(&mut server, b"down");
        assert_eq!(open_all(&mut client, &wire).unwrap().0, b"down");
    }
    assert!(server.offer(Way::Transmit).is_none());
    assert!(server.offer(Way::Receive).is_some());
}

#[test]
fn who_wants_our_key_changed_while_the_kernel_has_it_ends_the_session() {
    for answered in [false, true] {
        let (mut server, mut client) = ours(RecordEngine::KernelTx, true);
        assert!(server.offer(Way::Transmit).is_some());
        if answered {
            server.settle(Way::Transmit, true);
        }
        let mut out = buf(Class::Small);
        client.inner().update_key(true, &mut out);
        assert_eq!(client.seal_into(b"after", &mut out), Ok(5));
        assert_eq!(open_all(&mut server, out.filled()).unwrap().0, b"after");
        server.settle(Way::Transmit, true);
        assert_eq!(server.passes(1), Err(SealFault::KeySpent));
        assert!(server.offer(Way::Transmit).is_none());
        assert!(server.is_kernels(Way::Transmit), "whose a key is does not change by asking");
        let mut out = buf(Class::Small);
        assert_eq!(server.close_notify(&mut out), Ok(()), "that can be said with the old key");
        assert_eq!(out.filled(), [1, 0]);
    }
    // Not if it was ours after all.
    let (mut server, mut client) = ours(RecordEngine::KernelTx, true);
    assert!(server.offer(Way::Transmit).is_some());
    let mut out = buf(Class::Small);
    client.inner().update_key(true, &mut out);
    open_all(&mut server, out.filled()).unwrap();
    server.settle(Way::Transmit, false);
    let (plain, opened) = open_all(&mut client, &sealed(&mut server, b"answer")).unwrap();
    assert_eq!((&plain[..], opened.key_updates), (&b"answer"[..], 1));
}

/// What the kernel opened that is no data, and what comes of it.
type Judged = (u8, &'static [u8], Result<bool, RecordFault>);

const ALWAYS: &[Judged] = &[
    (content::ALERT, &[1, 0], Ok(true)),
    (content::ALERT, &[2, 0], Ok(true)),
    (content::ALERT, &[1, 90], Ok(false)),
    (content::ALERT, &[2, 40], Err(RecordFault::Alerted(40))),
    (content::ALERT, &[], Err(RecordFault::Decode)),
    (content::ALERT, &[1], Err(RecordFault::Decode)),
    (content::ALERT, &[1, 0, 1, 0], Err(RecordFault::Decode)),
    (content::HANDSHAKE, &[], Err(RecordFault::Unexpected)),
    (content::HANDSHAKE, &[4, 0, 0, 9, 0, 0, 0], Err(RecordFault::Unexpected)),
    (20, &[1], Err(RecordFault::Unexpected)),
    (99, b"whatever this is", Err(RecordFault::Unexpected)),
];

const TLS_13: &[Judged] = &[
    (content::HANDSHAKE, KEY_UPDATE, Err(RecordFault::KernelKey)),
    (content::HANDSHAKE, &[24, 0, 0, 1, 0], Err(RecordFault::KernelKey)),
    (content::HANDSHAKE, &[1, 0, 0, 40, 3, 3], Err(RecordFault::Unexpected)),
    (content::HANDSHAKE, &[0, 0, 0, 0], Err(RecordFault::Unexpected)),
];

const TLS_12: &[Judged] = &[
    (content::HANDSHAKE, &[1, 0, 0, 40, 3, 3], Err(RecordFault::Renegotiation)),
    (content::HANDSHAKE, &[0, 0, 0, 0], Err(RecordFault::Renegotiation)),
    (content::HANDSHAKE, KEY_UPDATE, Err(RecordFault::Unexpected)),
];

#[test]
fn what_the_kernel_opens_beside_data_is_judged_as_if_we_had() {
    for tls13 in [false, true] {
        for (typ, what, expected) in ALWAYS.iter().chain(if tls13 { TLS_13 } else { TLS_12 }) {
            let (mut server, _) = ours(RecordEngine::KernelRx, tls13);
            server.offer(Way::Receive).unwrap();
            server.settle(Way::Receive, true);
            assert_eq!(server.control(ControlRecord::new(*typ, what)), *expected, "{typ} {what:?}");
            if expected.is_err() {
                let again = server.control(ControlRecord::new(content::ALERT, &[1, 0]));
                assert_eq!(again, Err(RecordFault::Never), "nothing is looked at after a fault");
            }
        }
        let (mut server, _) = ours(RecordEngine::KernelRx, tls13);
        let warning = ControlRecord::new(content::ALERT, &[1, 90]);
        let judged: Vec<_> = (0..5).map(|_| server.control(warning)).collect();
        assert_eq!(judged, [Ok(false), Ok(false), Ok(false), Ok(false), Err(RecordFault::TooManyWarnings)]);
    }
}

#[test]
fn keys_show_nothing_of_themselves() {
    let (mut ours, _) = met(RecordEngine::Kernel, SUITES[0]);
    let keys = ours.offer(Way::Transmit).unwrap();
    let shown = format!("{keys:?}");
    assert_eq!(shown, "TrafficKeys { version: Tls13, cipher: Aes128Gcm, .. }");
    for (suite, len) in SUITES.into_iter().zip([16, 32, 32, 16, 32, 32]) {
        let (mut ours, _) = met(RecordEngine::Kernel, suite);
        assert_eq!(ours.offer(Way::Receive).unwrap().key().len(), len, "{suite:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The kernel may end a record wherever a page does. However it cuts, it has not sealed more than was counted.
    #[test]
    fn what_the_kernel_seals_is_counted_in_full(
        sends in proptest::collection::vec((1usize..300_000, proptest::collection::vec(1usize..5, 1..8)), 1..12),
    ) {
        let (mut server, _) = ours(RecordEngine::KernelTx, true);
        server.inner().limit(KeyLimits { records: u64::MAX, blocks: u64::MAX });
        server.offer(Way::Transmit).unwrap();
        server.settle(Way::Transmit, true);
        let (mut blocks, before) = (0, server.inner().blocks());
        for (len, pages) in sends {
            prop_assert_eq!(server.passes(len), Ok(()));
            let (mut left, mut pages) = (len, pages.into_iter().cycle());
            while left > 0 {
                // What the record has more than its plaintext lies on the pages, too.
                let record = left.min(RECORD_MAX).min(4096 * pages.next().unwrap() - (5 + 17));
                // Its type is sealed with it, and there is one block more for the tag.
                blocks += (record + 1).div_ceil(16) as u64 + 1;
                left -= record;
            }
        }
        let counted = server.inner().blocks() - before;
        prop_assert!(counted >= blocks, "{} counted, {} sealed", counted, blocks);
    }
}
