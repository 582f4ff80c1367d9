//! Keys that are handed over to the kernel: when they are offered, what is said while nobody knows who has them, and what becomes of a
//! session whose records the kernel seals, or opens, or refuses to.
//!
//! The kernel is played by the table ([`super::rig`]), with a record layer that shares nothing with ours.

use rustls::AlertDescription;
use sluice_link::reason::Reason;
use sluice_link::snapshot::{RecordEngine, Suite};

use super::Stage;
use super::rig::{CONNECTED, Rig, TICKET, request, target};
use crate::event::{Event, Leg, Way};
use crate::limits::FAREWELL;

const KERNELS: [RecordEngine; 3] = [RecordEngine::KernelTx, RecordEngine::KernelRx, RecordEngine::Kernel];
/// Suites of each version that our certificate can be used with.
const SUITES: [Suite; 6] =
    [Suite::Tls13Aes256, Suite::Tls13Aes128, Suite::Tls13ChaCha, Suite::EcdsaAes256, Suite::EcdsaAes128, Suite::EcdsaChaCha];

/// A session whose host is connected, before the kernel has answered anything.
fn connected(engine: RecordEngine, suite: Suite) -> Rig {
    let mut rig = Rig::open_at_listener(|listener| {
        listener.tls.engine = engine;
        listener.tls.suites = vec![suite];
    });
    rig.client_writes(&request(TICKET));
    rig.told(Ok(target(None)));
    rig.connected();
    assert_eq!(rig.stage(), Some(Stage::Splice));
    rig
}

/// A session in which both sides have said something, and the kernel has taken what it was offered, or has not.
fn flowing(engine: RecordEngine, suite: Suite, taken: bool) -> Rig {
    let mut rig = connected(engine, suite);
    if engine.kernel_seals() {
        rig.kernel_answers(Way::Transmit, taken);
    }
    assert_eq!(rig.take_at_client(), CONNECTED);
    rig.client_writes(b"first");
    if engine.kernel_opens() {
        rig.kernel_answers(Way::Receive, taken);
    }
    assert_eq!(std::mem::take(&mut rig.at_host), b"first");
    rig
}

/// The client closes its socket, which is not seen where the kernel can open nothing more.
fn ends(mut rig: Rig, reason: Reason) {
    assert_eq!(rig.stage(), Some(Stage::Drain));
    if rig.receives(Leg::Client) {
        rig.eof(Leg::Client);
    } else {
        rig.pass(FAREWELL);
    }
    assert_eq!(rig.reason(), Some(reason));
}

#[test]
fn the_key_to_seal_with_is_offered_before_the_reply_and_once() {
    for engine in KERNELS {
        for taken in [false, true] {
            let mut rig = connected(engine, Suite::Tls13Aes128);
            if !engine.kernel_seals() {
                assert_eq!((rig.keys_offered(), &rig.take_at_client()[..]), (vec![], &CONNECTED[..]));
                continue;
            }
            assert_eq!(rig.keys_offered(), [Way::Transmit], "a receive is armed: the other key has to wait");
            assert_eq!(rig.take_at_client(), [], "nobody knows who is to seal it");
            assert!(!rig.receives(Leg::Host), "what it said would have to be kept");
            rig.kernel_answers(Way::Transmit, taken);
            assert_eq!(rig.take_at_client(), CONNECTED);
            for n in 0..20 {
                rig.host_writes(&[n; 100]);
                assert_eq!(rig.take_at_client(), [n; 100]);
            }
            assert_eq!(rig.offers, 1);
        }
    }
}

#[test]
fn no_key_is_offered_while_something_sealed_is_under_way() {
    let mut rig = Rig::open_at_listener(|listener| listener.tls.engine = RecordEngine::Kernel);
    rig.slow = true;
    rig.client_writes(&[&[5, 1, 0][..], &request(TICKET)].concat());
    rig.told(Ok(target(None)));
    rig.connected();
    assert_eq!(rig.stage(), Some(Stage::Splice));
    assert!(rig.sends(Leg::Client), "the answer to the greeting");
    assert_eq!(rig.offers, 0);
    rig.slow = false;
    rig.flush();
    assert_eq!(rig.take_at_client(), [5, 0]);
    assert_eq!(rig.keys_offered(), [Way::Transmit]);
    rig.kernel_answers(Way::Transmit, true);
    assert_eq!(rig.take_at_client(), CONNECTED);
}

#[test]
fn the_key_to_open_with_is_offered_between_records_and_once() {
    for taken in [false, true] {
        let mut rig = connected(RecordEngine::KernelRx, Suite::Tls13Aes128);
        let record = rig.sealed_by_client(b"in two pieces");
        rig.client_sends_raw(&record[..10]);
        assert_eq!(rig.offers, 0, "a record has begun");
        rig.client_sends_raw(&record[10..]);
        assert_eq!(rig.keys_offered(), [Way::Receive]);
        assert!(!rig.receives(Leg::Client), "nobody knows who is to open it");
        assert_eq!(std::mem::take(&mut rig.at_host), b"in two pieces", "what is open already is passed on");
        rig.client_writes(b"waits");
        assert_eq!(rig.at_host, b"");
        rig.kernel_answers(Way::Receive, taken);
        for n in 0..20 {
            rig.client_writes(&[n; 100]);
        }
        let up: Vec<u8> = (0..20).flat_map(|n| [n; 100]).collect();
        assert_eq!(rig.at_host, [&b"waits"[..], &up].concat());
        assert_eq!(rig.offers, 1);
        assert_eq!(rig.totals().records_opened < 5, taken, "who opens");
    }
}

#[test]
fn who_never_is_between_records_goes_on_with_us() {
    let mut rig = connected(RecordEngine::Kernel, Suite::Tls13Aes128);
    rig.kernel_answers(Way::Transmit, true);
    let said: Vec<u8> = (0..100_000_u32).map(|n| (n % 239) as u8).collect();
    let wire: Vec<u8> = said.chunks(1_000).flat_map(|piece| rig.sealed_by_client(piece)).collect();
    // Every receive ends seven bytes behind the beginning of a record.
    rig.client_sends_raw(&wire[..7]);
    let mut pieces = wire[7..].chunks(2 * (1_000 + 22)).peekable();
    while let Some(piece) = pieces.next() {
        rig.client_sends_raw(piece);
        assert_eq!(rig.keys_offered(), if pieces.peek().is_some() { vec![] } else { vec![Way::Receive] });
    }
    assert_eq!(rig.at_host, said);
}

#[test]
fn every_byte_arrives_whoever_has_the_keys() {
    for engine in KERNELS {
        for suite in SUITES {
            for taken in [false, true] {
                let mut rig = flowing(engine, suite, taken);
                let before = rig.totals();
                let said: Vec<u8> = (0..600_000_u32).map(|n| (n * 7 % 253) as u8).collect();
                for size in [1, 64, 1_460, 16_384, 40_000, 600_000] {
                    rig.host_writes(&said[..size]);
                    assert!(rig.take_at_client() == said[..size], "{engine:?} {suite:?} {taken} {size}");
                    for piece in said[..size].chunks(50_000) {
                        rig.client_writes(piece);
                    }
                    assert!(std::mem::take(&mut rig.at_host) == said[..size], "{engine:?} {suite:?} {taken} {size}");
                }
                assert!(rig.holds_nothing());
                let after = rig.totals();
                assert_eq!(after.records_sealed == before.records_sealed, taken && engine.kernel_seals());
                assert_eq!(after.records_opened == before.records_opened, taken && engine.kernel_opens());
                let counted = [after.kernel_sealing, after.kernel_opening, after.kernel_refused];
                let (seals, opens) = (u64::from(engine.kernel_seals()), u64::from(engine.kernel_opens()));
                assert_eq!(counted, if taken { [seals, opens, 0] } else { [0, 0, seals + opens] });
                assert_eq!(after.key_updates, 0);
            }
        }
    }
}

#[test]
fn the_host_ends_and_the_kernel_seals_the_goodbye() {
    for engine in KERNELS {
        for suite in SUITES {
            for taken in [false, true] {
                let mut rig = flowing(engine, suite, taken);
                rig.host_writes(b"last words");
                rig.eof(Leg::Host);
                assert_eq!(rig.take_at_client(), b"last words");
                assert!(rig.told_goodbye);
                assert!(rig.finished(Leg::Client), "with the goodbye");
                assert_eq!(rig.typed, if taken && engine.kernel_seals() { vec![21] } else { vec![] });
                rig.client_writes(b"goes on");
                assert_eq!(rig.at_host, b"goes on");
                rig.client_says_goodbye();
                ends(rig, Reason::HostClosed);
            }
        }
    }
}

#[test]
fn the_client_ends_and_the_kernel_opens_the_goodbye() {
    for engine in KERNELS {
        for suite in SUITES {
            let mut rig = flowing(engine, suite, true);
            rig.client_writes(b"last words");
            rig.client_says_goodbye();
            assert_eq!(rig.at_host, b"last words");
            assert!(rig.finished(Leg::Host));
            rig.host_writes(b"goes on");
            assert_eq!((&rig.take_at_client()[..], rig.told_goodbye), (&b"goes on"[..], false));
            rig.eof(Leg::Host);
            assert!(rig.told_goodbye);
            ends(rig, Reason::ClientClosed);
        }
    }
}

#[test]
fn a_forged_record_is_answered_with_an_alert_whoever_seals_it() {
    for engine in [RecordEngine::KernelRx, RecordEngine::Kernel] {
        let mut rig = flowing(engine, Suite::Tls13Aes256, true);
        let mut record = rig.sealed_by_client(b"rm -rf");
        let last = record.len() - 1;
        record[last] ^= 1;
        rig.client_sends_raw(&record);
        assert_eq!(rig.at_host, b"");
        assert!(rig.aborted(Leg::Host));
        assert_eq!(rig.alerted, Some(AlertDescription::BadRecordMac));
        assert_eq!(rig.typed, if engine.kernel_seals() { vec![21] } else { vec![] });
        ends(rig, Reason::TlsBroken);
    }
}

#[test]
fn a_client_that_gives_up_ends_as_if_we_had_opened_that() {
    let mut rig = flowing(RecordEngine::Kernel, Suite::Tls13Aes128, true);
    rig.client_gives_up();
    assert!(rig.aborted(Leg::Host));
    ends(rig, Reason::TlsAlert);
}

#[test]
fn a_client_that_changes_its_key_is_told_goodbye_where_the_kernel_opens() {
    for engine in [RecordEngine::KernelRx, RecordEngine::Kernel] {
        let mut rig = flowing(engine, Suite::Tls13Aes128, true);
        rig.client_writes(b"before");
        rig.client_changes_its_key();
        assert_eq!(rig.at_host, b"before");
        assert!(rig.aborted(Leg::Host), "what came is not complete");
        assert!(rig.told_goodbye);
        assert_eq!(rig.alerted, None);
        ends(rig, Reason::KeySpent);
    }
}

#[test]
fn a_client_that_talks_on_behind_a_new_key_is_not_reset_before_it_has_heard_why() {
    for engine in [RecordEngine::KernelRx, RecordEngine::Kernel] {
        let mut rig = flowing(engine, Suite::Tls13Aes128, true);
        rig.slow = true;
        rig.client_changes_its_key();
        rig.client_writes(b"none of this can be opened, and it makes a reset of a closed socket");
        assert_eq!(rig.stage(), Some(Stage::Drain));
        assert!(!rig.receives(Leg::Client), "the kernel would say the same again");
        rig.slow = false;
        rig.flush();
        assert!(rig.told_goodbye);
        assert_eq!(rig.stage(), Some(Stage::Drain), "it may not have read that yet");
        rig.pass(FAREWELL);
        assert_eq!(rig.reason(), Some(Reason::KeySpent));
    }
}

#[test]
fn a_client_that_wants_our_key_changed_is_told_goodbye_where_the_kernel_seals() {
    let mut rig = flowing(RecordEngine::KernelTx, Suite::Tls13Aes128, true);
    rig.client_changes_its_key();
    rig.client_writes(b"after");
    assert_eq!(rig.at_host, b"after", "we can follow");
    assert_eq!((rig.stage(), rig.told_goodbye), (Some(Stage::Splice), false), "nothing has to be sealed yet");
    rig.host_writes(b"with which key?");
    assert_eq!((rig.take_at_client(), rig.told_goodbye), (vec![], true));
    assert!(rig.finished(Leg::Host));
    assert_eq!(rig.typed, [21]);
    ends(rig, Reason::KeySpent);
}

#[test]
fn a_client_that_changes_its_key_early_keeps_its_session_and_the_kernel_gets_none() {
    let mut rig = Rig::open_at_listener(|listener| listener.tls.engine = RecordEngine::Kernel);
    rig.client_writes(&request(TICKET));
    rig.client_changes_its_key();
    rig.told(Ok(target(None)));
    rig.connected();
    assert_eq!(rig.take_at_client(), CONNECTED, "sealed with the new key");
    for n in 0..5 {
        rig.client_writes(&[n; 50]);
        rig.host_writes(&[n; 100]);
        assert_eq!(rig.take_at_client(), [n; 100]);
    }
    assert_eq!((rig.stage(), rig.offers), (Some(Stage::Splice), 0));
}

#[test]
fn whose_host_takes_no_more_is_not_judged_by_what_he_still_sends() {
    for changes in [true, false] {
        for engine in [RecordEngine::Own, RecordEngine::KernelRx, RecordEngine::Kernel] {
            let mut rig = flowing(engine, Suite::Tls13Aes128, true);
            rig.slow = true;
            rig.client_writes(b"up");
            rig.reset_while_sending(Leg::Host);
            rig.slow = false;
            if changes {
                rig.client_changes_its_key();
            } else {
                rig.client_sends_raw(&[&[23, 3, 3, 0, 40][..], &[0; 40]].concat());
            }
            assert_eq!(rig.stage(), Some(Stage::Splice), "{engine:?}");
            rig.host_writes(b"the answer");
            rig.eof(Leg::Host);
            assert_eq!((&rig.take_at_client()[..], rig.told_goodbye), (&b"the answer"[..], true));
            ends(rig, Reason::HostClosed);
        }
    }
}

#[test]
fn a_key_that_has_sealed_enough_in_the_kernel_ends_its_session_unless_it_does_not_wear_off() {
    for suite in SUITES {
        let mut rig = flowing(RecordEngine::KernelTx, suite, true);
        rig.keys_spent_after(1, 200);
        let mut told = 0;
        // 10 blocks each, and two for a record that the kernel may cut.
        for _ in 0..30 {
            rig.host_writes(&[7; 160]);
            told += rig.take_at_client().len();
            if rig.told_goodbye {
                break;
            }
        }
        if matches!(suite, Suite::Tls13ChaCha | Suite::EcdsaChaCha) {
            assert_eq!((rig.stage(), told), (Some(Stage::Splice), 30 * 160), "{suite:?}");
            continue;
        }
        assert!((15 * 160..=17 * 160).contains(&told), "{suite:?}: {told} bytes");
        assert!(rig.told_goodbye);
        assert_eq!(rig.typed, [21]);
        assert!(rig.finished(Leg::Host));
        ends(rig, Reason::KeySpent);
    }
}

#[test]
fn a_session_that_is_killed_before_the_kernel_has_answered_says_goodbye_all_the_same() {
    for suite in SUITES {
        for taken in [false, true] {
            let mut rig = connected(RecordEngine::Kernel, suite);
            rig.event(Event::End(Reason::Killed));
            assert_eq!(rig.stage(), Some(Stage::Drain));
            assert!(!rig.sends(Leg::Client));
            rig.kernel_answers(Way::Transmit, taken);
            assert!(rig.told_goodbye, "{suite:?}");
            assert!(rig.finished(Leg::Client));
            assert_eq!(rig.typed, if taken { vec![21] } else { vec![] });
            let counted = rig.totals();
            assert_eq!((counted.kernel_sealing, counted.kernel_refused), (u64::from(taken), u64::from(!taken)));
            ends(rig, Reason::Killed);
        }
    }
}

#[test]
fn a_session_that_is_killed_reads_on_only_when_it_is_known_who_opens() {
    for taken in [false, true] {
        let mut rig = connected(RecordEngine::KernelRx, Suite::Tls13Aes128);
        rig.client_writes(b"first");
        assert_eq!(rig.keys_offered(), [Way::Receive]);
        rig.event(Event::End(Reason::Killed));
        assert!(rig.told_goodbye, "that does not depend on it");
        assert!(!rig.receives(Leg::Client));
        rig.kernel_answers(Way::Receive, taken);
        assert!(rig.receives(Leg::Client));
        rig.client_writes(b"nobody reads this");
        rig.client_says_goodbye();
        ends(rig, Reason::Killed);
    }
}

#[test]
fn a_kernel_that_does_not_answer_is_not_waited_for_for_ever() {
    let mut rig = connected(RecordEngine::Kernel, Suite::Tls13Aes128);
    rig.event(Event::End(Reason::Killed));
    rig.pass(FAREWELL * 3);
    assert_eq!(rig.reason(), Some(Reason::Killed));
}

#[test]
fn browsers_keep_their_keys_here() {
    for engine in KERNELS {
        let mut rig = Rig::open_at_listener(|listener| listener.tls.engine = engine);
        rig.client_writes(b"GET / HTTP/1.1\r\n\r\n");
        rig.connected();
        assert_eq!(rig.stage(), Some(Stage::Splice));
        rig.host_writes(b"HTTP/1.1 200 OK\r\n\r\n");
        rig.client_writes(b"GET / HTTP/1.1\r\n\r\n");
        assert_eq!(rig.offers, 0);
        assert!(rig.take_at_client().starts_with(b"HTTP/1.1 200"));
    }
}
