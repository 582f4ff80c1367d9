//! What is promised of records whichever engine has them: whole bytes or none, the right end, and nothing that costs without bringing.
//!
//! The server's records are those of the engine in question; the client is our own engine, made to say what nobody honest says.

use std::time::Duration;

use proptest::prelude::*;

use super::super::secret::content;
use super::*;

/// A record without anything in it.
const EMPTY: (u8, &[u8]) = (content::DATA, &[]);
/// `user_canceled`, the only warning that means nothing.
const WARNING: (u8, &[u8]) = (content::ALERT, &[1, 90]);

/// A server, its records by `engine`, and a client.
fn meet_by(engine: RecordEngine, tls13: bool) -> (Records, Records) {
    let served = serve(Tls { engine, tls13, tls12: !tls13, ..tls(&[&ECDSA]) });
    let (server, client) = meet_ourselves(&served, &hosts(&ECDSA));
    assert_eq!(server.facts.version, if tls13 { Version::Tls13 } else { Version::Tls12 });
    (server.records, client.records)
}

/// Both engines with both versions.
fn cases() -> impl Iterator<Item = (RecordEngine, bool)> {
    ENGINES.into_iter().flat_map(|engine| [(engine, true), (engine, false)])
}

/// Records with these types and contents, as the client seals them.
fn raw(client: &mut Records, records: &[(u8, &[u8])]) -> Vec<u8> {
    let mut out = buf(Class::Bulk);
    for (typ, plain) in records {
        client.inner().seal_raw(*typ, plain, &mut out);
    }
    out.filled().to_vec()
}

/// The alert with which `server` takes leave, as the client hears it.
fn last_words(server: &mut Records, client: &mut Records, fault: RecordFault) -> Option<u8> {
    let mut out = buf(Class::Small);
    if let Some(alert) = fault.alert() {
        server.alert(alert, &mut out).unwrap();
    }
    if fault.alert().is_some() {
        assert_eq!(server.seal_into(b"more", &mut buf(Class::Small)), Err(SealFault::Closed), "nothing follows an alert");
    }
    match open_all(client, out.filled()) {
        Ok((_, opened)) if opened.closed => Some(0),
        Ok((_, opened)) => {
            assert_eq!(opened.records, 0);
            None
        }
        Err(RecordFault::Alerted(description)) => Some(description),
        Err(fault) => panic!("{fault:?}"),
    }
}

#[test]
fn a_stream_cut_anywhere_is_the_same_stream() {
    for (engine, tls13) in cases() {
        let (mut server, mut client) = meet_by(engine, tls13);
        let pieces = [1, 30, 700, 5].map(|len| noise(len, len));
        let mut cut = 0;
        loop {
            let wire: Vec<u8> = pieces.iter().flat_map(|piece| sealed(&mut client, piece)).collect();
            if cut > wire.len() {
                break;
            }
            let (mut got, first) = open_all(&mut server, &wire[..cut]).unwrap();
            assert!(cut + first.lacks <= wire.len());
            assert_eq!(first.lacks == 0, first.rest == cut);
            let (rest, second) = open_all(&mut server, &wire[first.rest..]).unwrap();
            got.extend(rest);
            assert_eq!((second.lacks, first.records + second.records), (0, 4));
            assert!(got == pieces.concat(), "{engine:?} cut at {cut}");
            cut += 1;
        }
    }
}

#[test]
fn key_changes_may_be_cut_anywhere_too() {
    for engine in ENGINES {
        let (mut server, mut client) = meet_by(engine, true);
        let mut now = START;
        let mut cut = 0;
        loop {
            let mut out = buf(Class::Small);
            client.seal_into(b"before", &mut out).unwrap();
            client.inner().update_key(true, &mut out);
            client.seal_into(b"after", &mut out).unwrap();
            let wire = out.filled();
            if cut > wire.len() {
                break;
            }
            let (mut got, first) = open_at(&mut server, &wire[..cut], now).unwrap();
            let (rest, second) = open_at(&mut server, &wire[first.rest..], now).unwrap();
            got.extend(rest);
            assert_eq!((&got[..], first.key_updates + second.key_updates), (&b"beforeafter"[..], 1), "{engine:?} cut at {cut}");
            assert_eq!(open_at(&mut client, &sealed(&mut server, b"answer"), now).unwrap().0, b"answer");
            now = now + Duration::from_secs(1);
            cut += 1;
        }
    }
}

#[test]
fn padding_is_taken_off_however_much_there_is() {
    for engine in ENGINES {
        let (mut server, mut client) = meet_by(engine, true);
        // A record of type 0 whose content ends in another type: that is the type, and what follows is padding.
        for (data, padding) in [(1, 0), (1, 1), (700, 15), (1, RECORD_MAX - 2), (0, 100), (0, RECORD_MAX - 1)] {
            let plain = noise(data, padding);
            let inner = [&plain[..], &[content::DATA], &vec![0; padding]].concat();
            let (got, opened) = open_all(&mut server, &raw(&mut client, &[(0, &inner)])).unwrap();
            assert!((got, opened.records) == (plain, 1), "{engine:?}: {data} and {padding}");
        }
    }
}

/// What a client says, what that is, and the alert that says so; then the same where rustls sees it otherwise, or has no alert for it.
type Wrong = (&'static str, fn(&mut Records) -> Vec<u8>, (RecordFault, Option<u8>), Option<(RecordFault, Option<u8>)>);

const UNEXPECTED: (RecordFault, Option<u8>) = (RecordFault::Unexpected, Some(10));
const BAD_MAC: (RecordFault, Option<u8>) = (RecordFault::BadMac, Some(20));
const OVERFLOW: (RecordFault, Option<u8>) = (RecordFault::Overflow, Some(22));
const ILLEGAL: (RecordFault, Option<u8>) = (RecordFault::IllegalParameter, Some(47));
const DECODE: (RecordFault, Option<u8>) = (RecordFault::Decode, Some(50));
const TOO_MANY_EMPTY: (RecordFault, Option<u8>) = (RecordFault::TooManyEmpty, Some(10));
const TOO_MANY_WARNINGS: (RecordFault, Option<u8>) = (RecordFault::TooManyWarnings, Some(10));
const RENEGOTIATION: (RecordFault, Option<u8>) = (RecordFault::Renegotiation, Some(100));
const ALERTED: (RecordFault, Option<u8>) = (RecordFault::Alerted(40), None);

const WRONG_13: &[Wrong] = &[
    ("bad tag", |c| changed(&sealed(c, b"forged"), 1), BAD_MAC, None),
    ("left out", |c| (sealed(c, b"lost"), sealed(c, b"came")).1, BAD_MAC, None),
    ("twice", |c| sealed(c, b"again").repeat(2), BAD_MAC, None),
    ("plaintext", |_| b"\x17\x03\x03\0\x05plain".to_vec(), BAD_MAC, None),
    ("only padding", |c| raw(c, &[(0, &[0; 100])]), UNEXPECTED, Some((RecordFault::Unexpected, None))),
    ("a hello", |c| raw(c, &[(content::HANDSHAKE, &[1, 0, 0, 0])]), UNEXPECTED, Some(DECODE)),
    ("a key update of no kind", |c| raw(c, &[(content::HANDSHAKE, &[24, 0, 0, 1, 2])]), ILLEGAL, None),
    ("two key updates in one", |c| raw(c, &[(content::HANDSHAKE, &[24, 0, 0, 1, 0, 24, 0, 0, 1, 0])]), UNEXPECTED, None),
    ("a change of cipher", |c| raw(c, &[(20, &[1])]), UNEXPECTED, None),
    ("half a message", |c| raw(c, &[(content::HANDSHAKE, &[24, 0]), EMPTY]), UNEXPECTED, Some((RecordFault::Unexpected, None))),
    ("a type that there is not", |c| raw(c, &[(99, b"x")]), UNEXPECTED, Some(DECODE)),
    ("33 empty records", |c| raw(c, &[EMPTY; 33]), TOO_MANY_EMPTY, Some((RecordFault::TooManyEmpty, None))),
    ("five warnings", |c| raw(c, &[WARNING; 5]), TOO_MANY_WARNINGS, Some((RecordFault::TooManyWarnings, None))),
    ("a fatal alert", |c| raw(c, &[(content::ALERT, &[2, 40])]), ALERTED, None),
    ("a length that may not be", |_| vec![23, 3, 3, 0xff, 0xff], OVERFLOW, Some((RecordFault::Overflow, Some(50)))),
    ("no version", |_| vec![23, 2, 0, 0, 100], DECODE, None),
];

const WRONG_12: &[Wrong] = &[
    ("bad tag", |c| changed(&sealed(c, b"forged"), 1), BAD_MAC, None),
    ("bad nonce", |c| changed(&sealed(c, b"forged"), 6 + 16 + 1), BAD_MAC, None),
    ("left out", |c| (sealed(c, b"lost"), sealed(c, b"came")).1, BAD_MAC, None),
    ("twice", |c| sealed(c, b"again").repeat(2), BAD_MAC, None),
    ("a renegotiation", |c| raw(c, &[(content::HANDSHAKE, HELLO)]), RENEGOTIATION, None),
    ("33 empty records", |c| raw(c, &[EMPTY; 33]), TOO_MANY_EMPTY, Some((RecordFault::TooManyEmpty, None))),
    ("five warnings", |c| raw(c, &[WARNING; 5]), TOO_MANY_WARNINGS, Some((RecordFault::TooManyWarnings, None))),
    ("a fatal alert", |c| raw(c, &[(content::ALERT, &[2, 40])]), ALERTED, None),
    ("a length that may not be", |_| vec![23, 3, 3, 0xff, 0xff], OVERFLOW, Some((RecordFault::Overflow, Some(50)))),
];

/// The smallest ClientHello that can be read: a version, a random number, one suite, one method of compression.
const HELLO: &[u8] = &{
    let mut hello = [0; 4 + 2 + 32 + 1 + 2 + 2 + 2];
    (hello[0], hello[3], hello[4], hello[5]) = (1, 41, 3, 3);
    (hello[40], hello[41], hello[42], hello[43]) = (2, 0x13, 1, 1);
    hello
};

/// `wire` with a bit changed so many bytes before its end.
fn changed(wire: &[u8], before_end: usize) -> Vec<u8> {
    let mut wire = wire.to_vec();
    let at = wire.len() - before_end;
    wire[at] ^= 1;
    wire
}

#[test]
fn what_is_wrong_ends_the_session_with_its_alert() {
    for (engine, tls13) in cases() {
        for (what, say, ours, theirs) in if tls13 { WRONG_13 } else { WRONG_12 } {
            let (mut server, mut client) = meet_by(engine, tls13);
            open_all(&mut server, &sealed(&mut client, b"good")).unwrap();
            let wire = say(&mut client);
            let fault = open_all(&mut server, &wire).unwrap_err();
            assert_eq!(open_all(&mut server, &[]), Err(RecordFault::Never), "for good");
            let alert = last_words(&mut server, &mut client, fault);
            let expected = if engine == RecordEngine::Rustls { theirs.unwrap_or(*ours) } else { *ours };
            assert_eq!((fault, alert), expected, "{engine:?}, TLS 1.3 {tls13}: {what}");
        }
    }
}

#[test]
fn key_updates_are_followed_and_answered_once() {
    for engine in ENGINES {
        let (mut server, mut client) = meet_by(engine, true);
        for round in 0..40 {
            let now = START + Duration::from_millis(200 * round);
            let mut out = buf(Class::Small);
            client.inner().update_key(true, &mut out);
            assert_eq!(client.seal_into(b"up", &mut out), Ok(2));
            let (plain, opened) = open_at(&mut server, out.filled(), now).unwrap();
            assert_eq!((&plain[..], opened.key_updates, opened.records), (&b"up"[..], 1, 2));
            for updates in [1, 0] {
                let (plain, opened) = open_at(&mut client, &sealed(&mut server, b"down"), now).unwrap();
                assert_eq!((&plain[..], opened.key_updates), (&b"down"[..], updates), "{engine:?}");
            }
        }
    }
}

#[test]
fn a_flood_of_key_updates_ends_the_session() {
    for engine in ENGINES {
        // Within a second, with data between them; and without data, with time between them.
        for (data, pause, most) in [(true, Duration::ZERO, 10), (false, Duration::from_secs(1), 32)] {
            let (mut server, mut client) = meet_by(engine, true);
            let mut now = START;
            let followed = (0..100).take_while(|_| {
                let mut out = buf(Class::Small);
                client.inner().update_key(false, &mut out);
                if data {
                    client.seal_into(b"x", &mut out).unwrap();
                }
                now = now + pause;
                match open_at(&mut server, out.filled(), now) {
                    Ok(_) => true,
                    Err(fault) => {
                        assert_eq!(fault, RecordFault::TooManyKeyUpdates);
                        false
                    }
                }
            });
            assert_eq!(followed.count(), most, "{engine:?}");
        }
    }
}

#[test]
fn some_empty_records_and_warnings_are_let_pass() {
    for (engine, tls13) in cases() {
        let (mut server, mut client) = meet_by(engine, tls13);
        let wire = raw(&mut client, &[WARNING; 4]);
        assert_eq!(open_all(&mut server, &wire).unwrap().1.bytes, 0);
        for _ in 0..5 {
            let mut wire = raw(&mut client, &[EMPTY; 32]);
            wire.extend(sealed(&mut client, b"x"));
            assert_eq!(open_all(&mut server, &wire).unwrap().0, b"x", "{engine:?}");
        }
    }
}

#[test]
fn callers_without_room_are_told_and_nothing_is_lost() {
    for (engine, tls13) in cases() {
        let (mut server, mut client) = meet_by(engine, tls13);
        let mut full = buf(Class::Small);
        full.append(&[1; 4096]);
        assert_eq!(server.seal_into(b"x", &mut full), Ok(0));
        assert_eq!(server.close_notify(&mut full), Err(SealFault::NoRoom));
        full.widen(64, 40);
        assert_eq!(server.seal_in_place(&mut full), Err(SealFault::NoRoom));
        let mut long = buf(Class::Bulk);
        long.append(&vec![1; 2 * RECORD_MAX + 1]);
        assert_eq!(server.seal_in_place(&mut long), Err(SealFault::NoRoom));
        assert_eq!(open_all(&mut client, &sealed(&mut server, b"fine")).unwrap().0, b"fine");
        let mut small = buf(Class::Small);
        let taken = server.seal_into(&[7; 5000], &mut small).unwrap();
        assert!((1900..2048).contains(&taken) && small.len() <= Class::Small.payload(), "{engine:?}: {taken}");
        assert_eq!(open_all(&mut client, small.filled()).unwrap().0, [7; 5000][..taken]);
        server.cut_at(1000);
        let mut out = buf(Class::Large);
        assert_eq!(server.seal_into(&[8; 5000], &mut out), Ok(5000));
        assert_eq!(open_all(&mut client, out.filled()).unwrap().1.records, 5);
        assert_eq!(open_all(&mut client, &sealed(&mut server, &[9; 1500])).unwrap().1.records, 2);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// One changed byte: what comes out is what stood in whole records before it, or nothing.
    #[test]
    fn changed_bytes_never_become_plaintext(
        engine in prop::sample::select(&ENGINES[..]),
        tls13 in any::<bool>(),
        lengths in proptest::collection::vec(1usize..300, 1..5),
        at in any::<prop::sample::Index>(),
        flip in 1u8..,
    ) {
        let (mut server, mut client) = meet_by(engine, tls13);
        let pieces: Vec<_> = lengths.iter().enumerate().map(|(i, len)| noise(*len, i)).collect();
        let wires: Vec<_> = pieces.iter().map(|piece| sealed(&mut client, piece)).collect();
        let mut wire = wires.concat();
        let at = at.index(wire.len());
        // What comes before the record that is changed, on the wire and in the clear.
        let before = wires.iter().scan(0, |end, wire| { *end += wire.len(); Some(*end) }).take_while(|end| *end <= at);
        let (begin, whole) = before.zip(&pieces).fold((0, 0), |(_, whole), (end, piece)| (end, whole + piece.len()));
        wire[at] ^= flip;
        match open_all(&mut server, &wire) {
            Err(fault) => prop_assert!(fault != RecordFault::Never, "{:?}", fault),
            // RFC 8446, section 5.1: the version is ignored for all purposes. We do not, rustls does.
            Ok((plain, Opened { lacks: 0, .. })) => {
                prop_assert!(engine == RecordEngine::Rustls && plain == pieces.concat());
                prop_assert!((1..3).contains(&(at - begin)));
            }
            // Only a length that became longer than what is there looks like the beginning of something.
            Ok((plain, opened)) => {
                prop_assert_eq!(opened.rest, begin);
                prop_assert_eq!(&plain[..], &pieces.concat()[..whole]);
            }
        }
    }

    #[test]
    fn noise_never_panics_and_never_opens(
        engine in prop::sample::select(&ENGINES[..]),
        tls13 in any::<bool>(),
        mut bytes in proptest::collection::vec(any::<u8>(), 0..600),
        honest in any::<bool>(),
    ) {
        if honest && bytes.len() >= 5 {
            let [hi, lo] = u16::try_from(bytes.len() - 5).unwrap().to_be_bytes();
            bytes[..5].copy_from_slice(&[content::DATA, 3, 3, hi, lo]);
        }
        match open_all(&mut meet_by(engine, tls13).0, &bytes) {
            Ok((plain, opened)) => prop_assert!(plain.is_empty() && opened.records == 0),
            Err(fault) => prop_assert!(fault != RecordFault::Never),
        }
    }
}
