//! Records that nobody honest sends, made here byte by byte with keys that we chose.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use proptest::prelude::*;
use rustls::ConnectionTrafficSecrets;
use rustls::crypto::cipher::{AeadKey, Iv};

use super::super::rekey::{KeyLimits, Rekey};
use super::super::secret::{OpeningKey, SealingKey, content};
use super::*;

const KEY: [u8; 32] = [0x5a; 32];
const IV: [u8; 12] = *b"vector of 12";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Cipher {
    Aes128,
    Aes256,
    Chacha,
}

/// Every layout and cipher.
const FORMS: [(Version, Cipher); 6] = [
    (Version::Tls13, Cipher::Aes128),
    (Version::Tls13, Cipher::Aes256),
    (Version::Tls13, Cipher::Chacha),
    (Version::Tls12, Cipher::Aes256),
    (Version::Tls12, Cipher::Chacha),
    (Version::Tls12, Cipher::Aes128),
];

fn secrets(cipher: Cipher) -> ConnectionTrafficSecrets {
    let (key, iv) = (AeadKey::from(KEY), Iv::from(IV));
    match cipher {
        Cipher::Aes128 => ConnectionTrafficSecrets::Aes128Gcm { key, iv },
        Cipher::Aes256 => ConnectionTrafficSecrets::Aes256Gcm { key, iv },
        Cipher::Chacha => ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv },
    }
}

/// An engine that seals and opens with the same key from number `seq` on.
fn engine((version, cipher): (Version, Cipher), seq: u64) -> Records {
    let opening = OpeningKey::new(version, (seq, secrets(cipher))).unwrap();
    let sealing = SealingKey::new(version, (seq, secrets(cipher))).unwrap();
    let mut records = Records::own(version, opening, sealing, Rekey::Never, None);
    records.inner().limit(KeyLimits { records: u64::MAX, blocks: u64::MAX });
    records
}

/// A sealed record with any header and any content, made without the code under test.
fn craft((version, cipher): (Version, Cipher), seq: u64, header: [u8; 3], inner: &[u8]) -> Vec<u8> {
    let algorithm = match cipher {
        Cipher::Aes128 => &AES_128_GCM,
        Cipher::Aes256 => &AES_256_GCM,
        Cipher::Chacha => &CHACHA20_POLY1305,
    };
    let key = LessSafeKey::new(UnboundKey::new(algorithm, &KEY[..algorithm.key_len()]).unwrap());
    let explicit = version == Version::Tls12 && cipher != Cipher::Chacha;
    let mut nonce = IV;
    nonce[4..].iter_mut().zip(seq.to_be_bytes()).for_each(|(n, s)| *n ^= s);
    let body = inner.len() + 16 + if explicit { 8 } else { 0 };
    let mut record = header.to_vec();
    record.extend(u16::try_from(body).unwrap().to_be_bytes());
    let aad = match version {
        Version::Tls13 => record.clone(),
        Version::Tls12 => {
            let len = u16::try_from(inner.len()).unwrap().to_be_bytes();
            [&seq.to_be_bytes()[..], &header, &len].concat()
        }
    };
    if explicit {
        record.extend(&nonce[4..]);
    }
    let mut sealed = inner.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut sealed).unwrap();
    record.extend(sealed);
    record
}

const AES13: (Version, Cipher) = FORMS[0];
const AES12: (Version, Cipher) = FORMS[3];
const OUTER: [u8; 3] = [content::DATA, 3, 3];

/// What a TLS 1.3 engine makes of records with these inner contents.
fn open_inner(inner: &[&[u8]]) -> Result<(Vec<u8>, Opened), RecordFault> {
    let wire: Vec<u8> = (0..).zip(inner).flat_map(|(seq, inner)| craft(AES13, seq, OUTER, inner)).collect();
    open_all(&mut engine(AES13, 0), &wire)
}

#[test]
fn padding_is_taken_off() {
    let (plain, opened) = open_inner(&[b"one\x17", b"two\x17\0", b"three\0\x17\0\0\0\0\0\0\0\0"]).unwrap();
    assert_eq!((&plain[..], opened.records), (&b"onetwothree\0"[..], 3));
    let padded = [&b"x\x17"[..], &[0; RECORD_MAX - 1]].concat();
    assert_eq!(open_inner(&[&padded]).unwrap().0, b"x");
    let padded = [&b"x\x17"[..], &[0; RECORD_MAX]].concat();
    assert_eq!(open_inner(&[&padded]), Err(RecordFault::Overflow));
    assert_eq!(open_inner(&[&[0; 100]]), Err(RecordFault::Unexpected));
    assert_eq!(open_inner(&[&[]]), Err(RecordFault::BadMac), "shorter than type and tag");
}

#[test]
fn a_record_holds_16_kib_and_no_more() {
    let full = [vec![b'a'; RECORD_MAX], vec![content::DATA]].concat();
    assert_eq!(open_inner(&[&full]).unwrap().1.bytes, RECORD_MAX);
    let over = [vec![b'a'; RECORD_MAX + 1], vec![content::DATA]].concat();
    assert_eq!(open_inner(&[&over]), Err(RecordFault::Overflow));
    for form in FORMS.into_iter().filter(|form| form.0 == Version::Tls12) {
        let (full, over) = (vec![b'a'; RECORD_MAX], vec![b'a'; RECORD_MAX + 1]);
        assert_eq!(open_all(&mut engine(form, 0), &craft(form, 0, OUTER, &full)).unwrap().1.bytes, RECORD_MAX);
        assert_eq!(open_all(&mut engine(form, 0), &craft(form, 0, OUTER, &over)), Err(RecordFault::Overflow));
    }
}

#[test]
fn headers_are_judged_before_the_record_is_there() {
    let judge = |form, header: [u8; 5]| open_all(&mut engine(form, 0), &header).map(|(_, opened)| opened.lacks);
    for form in FORMS {
        let body_max: u16 = if form.0 == Version::Tls13 { 16384 + 256 } else { 16384 + 2048 };
        let [hi, lo] = body_max.to_be_bytes();
        assert_eq!(judge(form, [23, 3, 3, hi, lo]), Ok(usize::from(body_max)));
        let [hi, lo] = (body_max + 1).to_be_bytes();
        assert_eq!(judge(form, [23, 3, 3, hi, lo]), Err(RecordFault::Overflow));
        assert_eq!(judge(form, [23, 3, 1, 0, 100]), Err(RecordFault::Decode));
        assert_eq!(judge(form, [23, 2, 0, 0, 100]), Err(RecordFault::Decode));
        assert_eq!(judge(form, [23, 3, 3, 0, 15]), Err(RecordFault::BadMac));
        assert_eq!(judge(form, [23, 3, 3, 0, 0]), Err(RecordFault::BadMac));
        // change_cipher_spec has no place any more, nor what is no TLS at all.
        assert_eq!(judge(form, [20, 3, 3, 0, 1]), Err(RecordFault::Unexpected));
        assert_eq!(judge(form, *b"GET /"), Err(RecordFault::Unexpected));
        // In TLS 1.3 everything comes as application data.
        let naked = judge(form, [21, 3, 3, 0, 100]);
        assert_eq!(naked, if form.0 == Version::Tls13 { Err(RecordFault::Unexpected) } else { Ok(100) });
    }
}

#[test]
fn only_so_many_empty_records_in_a_row() {
    for form in FORMS {
        let empty: &[u8] = if form.0 == Version::Tls13 { &[content::DATA, 0, 0] } else { &[] };
        let data: &[u8] = if form.0 == Version::Tls13 { &[b'x', content::DATA] } else { b"x" };
        let mut records = engine(form, 0);
        let mut seq = 0..;
        let mut send =
            |inner: &[u8]| open_all(&mut records, &craft(form, seq.next().unwrap(), OUTER, inner)).map(|(plain, _)| plain);
        for _ in 0..3 {
            for _ in 0..32 {
                assert_eq!(send(empty), Ok(vec![]));
            }
            assert_eq!(send(data), Ok(vec![b'x']));
        }
        for _ in 0..32 {
            assert_eq!(send(empty), Ok(vec![]));
        }
        assert_eq!(send(empty), Err(RecordFault::TooManyEmpty));
        assert_eq!(send(data), Err(RecordFault::Never), "broken for good");
    }
}

#[test]
fn padding_does_not_make_empty_records_any_fuller() {
    let padded = [&[content::DATA][..], &[0; 1000]].concat();
    assert_eq!(open_inner(&vec![&padded[..]; 32]).unwrap().1.records, 32);
    assert_eq!(open_inner(&vec![&padded[..]; 33]), Err(RecordFault::TooManyEmpty));
}

#[test]
fn alerts_end_a_session_with_what_they_say() {
    assert!(open_inner(&[&[1, 0, content::ALERT]]).unwrap().1.closed);
    assert!(open_inner(&[&[2, 0, content::ALERT]]).unwrap().1.closed, "the level means nothing");
    assert_eq!(open_inner(&[&[2, 40, content::ALERT]]), Err(RecordFault::Alerted(40)));
    assert_eq!(open_inner(&[&[1, 112, content::ALERT]]), Err(RecordFault::Alerted(112)));
    assert_eq!(open_inner(&[&[1, content::ALERT]]), Err(RecordFault::Decode));
    assert_eq!(open_inner(&[&[content::ALERT]]), Err(RecordFault::Decode));
    assert_eq!(open_inner(&[&[1, 0, 1, 0, content::ALERT]]), Err(RecordFault::Decode));
    let canceled: &[u8] = &[1, 90, content::ALERT];
    assert!(!open_inner(&[canceled; 4]).unwrap().1.closed);
    assert_eq!(open_inner(&[canceled; 5]), Err(RecordFault::TooManyWarnings));
    let naked = craft(AES12, 0, [content::ALERT, 3, 3], &[2, 40]);
    assert_eq!(open_all(&mut engine(AES12, 0), &naked), Err(RecordFault::Alerted(40)));
}

#[test]
fn no_handshake_message_but_a_key_update_is_taken() {
    for message in
        [&[0, 0, 0, 0][..], &[1, 0, 0, 0], &[4, 0, 0, 0], &[11, 0, 0, 0], &[13, 0, 0, 0], &[20, 0, 0, 0], &[24], &[24, 0, 0, 1]]
    {
        let inner = [message, &[content::HANDSHAKE]].concat();
        assert_eq!(open_inner(&[&inner]), Err(RecordFault::Unexpected), "{message:?}");
    }
    for message in [&[24, 0, 0, 1, 0, 24, 0, 0, 1, 0][..], &[24, 0, 0, 2, 0, 0], &[24, 0, 0, 1, 0, 0]] {
        let inner = [message, &[content::HANDSHAKE]].concat();
        assert_eq!(open_inner(&[&inner]), Err(RecordFault::Unexpected), "{message:?}");
    }
    assert_eq!(open_inner(&[&[24, 0, 0, 1, 2, content::HANDSHAKE]]), Err(RecordFault::IllegalParameter));
    assert_eq!(open_inner(&[&[content::HANDSHAKE]]), Err(RecordFault::Unexpected), "empty");
    for typ in [0x14, 0x18, 0xff] {
        assert_eq!(open_inner(&[&[1, typ]]), Err(RecordFault::Unexpected));
    }
}

#[test]
fn nobody_renegotiates() {
    for message in [1, 0] {
        let wire = craft(AES12, 0, [content::HANDSHAKE, 3, 3], &[message, 0, 0, 0]);
        let mut records = engine(AES12, 0);
        let fault = open_all(&mut records, &wire).unwrap_err();
        assert_eq!((fault, fault.alert()), (RecordFault::Renegotiation, Some(Alert::NO_RENEGOTIATION)));
        let mut out = buf(Class::Small);
        records.alert(fault.alert().unwrap(), &mut out).unwrap();
        assert_eq!(open_all(&mut engine(AES12, 0), out.filled()), Err(RecordFault::Alerted(100)));
    }
    let wire = craft(AES12, 0, [content::HANDSHAKE, 3, 3], &[20, 0, 0, 0]);
    assert_eq!(open_all(&mut engine(AES12, 0), &wire), Err(RecordFault::Unexpected));
}

#[test]
fn every_fault_says_what_is_sent_and_what_is_logged() {
    use sluice_link::reason::Reason;

    use crate::event::Leg;

    let faults = [
        (RecordFault::BadMac, Some(20)),
        (RecordFault::Overflow, Some(22)),
        (RecordFault::Unexpected, Some(10)),
        (RecordFault::Decode, Some(50)),
        (RecordFault::IllegalParameter, Some(47)),
        (RecordFault::TooManyEmpty, Some(10)),
        (RecordFault::TooManyKeyUpdates, Some(10)),
        (RecordFault::TooManyWarnings, Some(10)),
        (RecordFault::Renegotiation, Some(100)),
        (RecordFault::Alerted(40), None),
        (RecordFault::Never, Some(80)),
    ];
    for (fault, description) in faults {
        assert_eq!(fault.alert().map(|alert| alert.description), description);
        let (client, host) = if fault == RecordFault::Never {
            (Reason::Never, Reason::Never)
        } else if description.is_none() {
            (Reason::TlsAlert, Reason::HostTls)
        } else {
            (Reason::TlsBroken, Reason::HostTls)
        };
        assert_eq!((fault.reason(Leg::Client), fault.reason(Leg::Host)), (client, host));
    }
}

#[test]
fn many_small_records_share_few_slices() {
    let pieces: Vec<Vec<u8>> = (0..400).map(|i| noise([1, 40, 600, 513, 512][i % 5], i)).collect();
    for form in FORMS {
        let mut records = engine(form, 9);
        let mut out = buf(Class::Bulk);
        for piece in &pieces {
            records.inner().seal_raw(content::DATA, piece, &mut out);
        }
        // Within there are also updates of `parts` for records that carry nothing.
        let mut parts = Parts::new();
        let opened = records.open(&mut out, &mut parts, START).unwrap();
        assert_eq!((opened.records, opened.rest), (400, out.len()));
        assert!(parts.slices().len() <= crate::buf::PARTS_MAX);
        let chain = crate::buf::Chain::of(out, parts.slices());
        assert!(chain.slices().flatten().copied().eq(pieces.iter().flatten().copied()));
    }
}

#[test]
fn a_tls12_key_is_spent_after_so_many_blocks() {
    let mut records = engine(AES12, 0);
    records.inner().limit(KeyLimits { records: 1, blocks: 100 });
    let mut blocks = 0;
    while blocks < 100 {
        assert!(!sealed(&mut records, &[7; 160]).is_empty());
        blocks += 11;
    }
    let mut out = buf(Class::Small);
    assert_eq!(records.seal_into(b"more", &mut out), Err(SealFault::KeySpent));
    out.append(b"more");
    assert_eq!(records.seal_in_place(&mut out), Err(SealFault::KeySpent));
    out.clear();
    // Goodbye can still be said.
    assert_eq!(records.close_notify(&mut out), Ok(()));
    assert!(!out.is_empty());

    // What fitted before the bound is not lost.
    let mut records = engine(AES12, 0);
    records.inner().limit(KeyLimits { records: 1, blocks: 1500 });
    let mut out = buf(Class::Bulk);
    assert_eq!(records.seal_into(&[7; 100_000], &mut out), Ok(2 * RECORD_MAX));
    assert_eq!(records.seal_into(&[7; 100_000], &mut out), Err(SealFault::KeySpent));

    // ChaCha20-Poly1305 does not wear off.
    let mut records = engine((Version::Tls12, Cipher::Chacha), 0);
    records.inner().limit(KeyLimits { records: 1, blocks: 1 });
    for _ in 0..10 {
        assert!(!sealed(&mut records, b"on and on").is_empty());
    }
}

#[test]
fn the_last_number_is_never_used() {
    for form in FORMS {
        let mut records = engine(form, u64::MAX - 1);
        let mut out = buf(Class::Small);
        assert_eq!(records.seal_into(b"last", &mut out), Ok(4));
        assert!(matches!(records.seal_into(b"one more", &mut out), Err(SealFault::Never | SealFault::KeySpent)));
    }
}

#[test]
fn callers_without_room_are_told() {
    let mut records = engine(AES13, 0);
    let mut full = buf(Class::Small);
    full.append(&[1; 4096]);
    assert_eq!(records.seal_into(b"x", &mut full), Ok(0));
    assert_eq!(records.close_notify(&mut full), Err(SealFault::NoRoom));
    full.widen(40, 0);
    assert_eq!(records.seal_in_place(&mut full), Err(SealFault::NoRoom));
    let mut bulk = buf(Class::Bulk);
    bulk.append(&vec![1; 2 * RECORD_MAX + 1]);
    assert_eq!(records.seal_in_place(&mut bulk), Err(SealFault::NoRoom));
    // Nothing of this cost a number.
    let wire = sealed(&mut records, b"fine");
    assert_eq!(open_all(&mut engine(AES13, 0), &wire).unwrap().0, b"fine");
    // A short buffer takes what fits.
    let mut small = buf(Class::Small);
    let taken = records.seal_into(&[7; 5000], &mut small).unwrap();
    assert_eq!((taken, small.spare()), (2048 - 22, 0));
}

/// A few records of one stream, and what they hold together.
fn stream(form: (Version, Cipher), seq: u64, lengths: &[usize]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut sender = engine(form, seq);
    let pieces: Vec<_> = lengths.iter().enumerate().map(|(i, len)| noise(*len, i)).collect();
    (pieces.iter().flat_map(|piece| sealed(&mut sender, piece)).collect(), pieces)
}

#[test]
fn a_stream_cut_once_anywhere_is_the_same_stream() {
    for form in FORMS {
        let (wire, pieces) = stream(form, 3, &[1, 30, 700, 5]);
        let plain = pieces.concat();
        for cut in 0..=wire.len() {
            let mut records = engine(form, 3);
            let (mut got, first) = open_all(&mut records, &wire[..cut]).unwrap();
            assert!(cut + first.lacks <= wire.len());
            assert_eq!(first.lacks == 0, first.rest == cut);
            let (rest, second) = open_all(&mut records, &wire[first.rest..]).unwrap();
            got.extend(rest);
            assert_eq!((second.lacks, first.records + second.records), (0, 4));
            assert!(got == plain, "{form:?} cut at {cut}");
        }
    }
}

#[test]
fn a_record_twice_or_left_out_or_out_of_order_does_not_open() {
    for form in FORMS {
        let mut sender = engine(form, 0);
        let wires: Vec<_> = (0..3).map(|i| sealed(&mut sender, &noise(50, i))).collect();
        for order in [&[0, 0][..], &[1], &[0, 2], &[1, 0]] {
            let wire: Vec<u8> = order.iter().flat_map(|i: &usize| wires[*i].clone()).collect();
            assert_eq!(open_all(&mut engine(form, 0), &wire), Err(RecordFault::BadMac), "{order:?}");
        }
    }
}

proptest! {
    /// One changed byte: what comes out is what stood in whole records before it, or nothing.
    #[test]
    fn changed_bytes_never_become_plaintext(
        form in 0usize..FORMS.len(),
        lengths in proptest::collection::vec(1usize..300, 1..5),
        at in any::<prop::sample::Index>(),
        flip in 1u8..,
    ) {
        let form = FORMS[form];
        let (mut wire, pieces) = stream(form, 0, &lengths);
        let at = at.index(wire.len());
        let mut whole = 0;
        let mut end = 0;
        for piece in &pieces {
            end += sealed(&mut engine(form, 0), piece).len();
            if end > at {
                break;
            }
            whole += piece.len();
        }
        wire[at] ^= flip;
        match open_all(&mut engine(form, 0), &wire) {
            Err(fault) => prop_assert!(fault != RecordFault::Never, "{fault:?}"),
            // Only a length that became longer than what is there looks like the beginning of something.
            Ok((plain, opened)) => {
                prop_assert!(opened.lacks > 0);
                prop_assert_eq!(&plain[..], &pieces.concat()[..whole]);
            }
        }
    }

    #[test]
    fn noise_never_panics_and_never_opens(form in 0usize..FORMS.len(), mut bytes in proptest::collection::vec(any::<u8>(), 0..600), honest in any::<bool>()) {
        let form = FORMS[form];
        if honest && bytes.len() >= 5 {
            let [hi, lo] = u16::try_from(bytes.len() - 5).unwrap().to_be_bytes();
            bytes[..5].copy_from_slice(&[content::DATA, 3, 3, hi, lo]);
        }
        match open_all(&mut engine(form, 0), &bytes) {
            Ok((plain, opened)) => prop_assert!(plain.is_empty() && opened.records == 0),
            Err(fault) => prop_assert!(fault != RecordFault::Never),
        }
    }

    #[test]
    fn what_is_sealed_opens(
        form in 0usize..FORMS.len(),
        seq in prop_oneof![0u64..5, any::<u64>().prop_map(|n| n / 2)],
        len in 1usize..17_408,
    ) {
        let form = FORMS[form];
        let plain = noise(len, len);
        let wire = sealed(&mut engine(form, seq), &plain);
        let mut out = buf(Class::Bulk);
        prop_assert_eq!(engine(form, seq).seal_into(&plain, &mut out), Ok(len));
        prop_assert!(out.filled() == wire, "in place and out of place agree");
        prop_assert!(open_all(&mut engine(form, seq), &wire).unwrap().0 == plain);
    }
}
