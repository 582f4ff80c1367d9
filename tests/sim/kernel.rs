//! The kernel's TLS (kTLS), played: what Linux does with a key that it was handed over, as far as a session can tell.
//!
//! ```text
//!   chain ─► Sealing ─► records of at most 16 KiB ─► partial (what of a record has no room yet) ─► wire
//!   wire ─► Opening ─► whole records ─► plain, and behind it at most one record that is no data
//! ```
//!
//! Records are made and opened here with AWS-LC alone, by the letter of RFC 8446 and RFC 5246, so that a fault of our record engine
//! cannot hide behind itself.

use std::collections::VecDeque;

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sluice_flow::buf::Chain;
use sluice_flow::event::ControlRecord;
use sluice_flow::tls::{Cipher, RecordFault, TrafficKeys, Version};

use crate::chance::Chance;

/// Most plaintext bytes in a record.
const RECORD_MAX: usize = 16 * 1024;
const HEADER: usize = 5;
const TAG: usize = 16;
/// Bytes of the nonce that TLS 1.2 with AES-GCM shows.
const EXPLICIT: usize = 8;
const ALERT: u8 = 21;
const DATA: u8 = 23;

/// Where records of a stream begin and end, looking at headers only.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    header: Vec<u8>,
    lacks: usize,
}

impl Framing {
    pub(crate) fn pass(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.lacks > 0 {
                let n = self.lacks.min(bytes.len());
                self.lacks -= n;
                bytes = &bytes[n..];
                continue;
            }
            self.header.push(*first);
            bytes = rest;
            if let [_, _, _, high, low] = self.header[..] {
                self.lacks = usize::from(u16::from_be_bytes([high, low]));
                self.header.clear();
            }
        }
    }

    /// No record has begun that has not ended.
    pub(crate) fn is_between_records(&self) -> bool {
        self.header.is_empty() && self.lacks == 0
    }
}

/// A key with its number, and how its records look.
#[derive(Debug)]
struct Key {
    key: LessSafeKey,
    iv: [u8; NONCE_LEN],
    tls13: bool,
    /// Of TLS 1.2 with AES-GCM.
    explicit: Option<u64>,
    seq: u64,
}

impl Key {
    fn new(keys: &TrafficKeys) -> Self {
        let (algorithm, gcm) = match keys.cipher() {
            Cipher::Aes128Gcm => (&AES_128_GCM, true),
            Cipher::Aes256Gcm => (&AES_256_GCM, true),
            Cipher::Chacha20Poly1305 => (&CHACHA20_POLY1305, false),
        };
        let tls13 = keys.version() == Version::Tls13;
        // The engines have the kernel count from here: nonces that vector XOR sequence number can never meet.
        let first = u64::from((keys.iv()[4] & 0x80) ^ 0x80) << 56;
        Self {
            key: LessSafeKey::new(UnboundKey::new(algorithm, keys.key()).unwrap()),
            iv: *keys.iv(),
            tls13,
            explicit: (gcm && !tls13).then_some(first),
            seq: keys.seq(),
        }
    }

    fn overhead(&self) -> usize {
        TAG + if self.tls13 { 1 } else { 0 } + if self.explicit.is_some() { EXPLICIT } else { 0 }
    }

    fn nonce(&self, explicit: Option<&[u8]>) -> Nonce {
        let mut nonce = self.iv;
        match explicit {
            Some(explicit) => nonce[NONCE_LEN - EXPLICIT..].copy_from_slice(explicit),
            None => nonce[NONCE_LEN - EXPLICIT..].iter_mut().zip(self.seq.to_be_bytes()).for_each(|(byte, seq)| *byte ^= seq),
        }
        Nonce::assume_unique_for_key(nonce)
    }

    /// `len` is that of the plaintext.
    fn aad(&self, header: &[u8], len: usize) -> Aad<Vec<u8>> {
        if self.tls13 {
            return Aad::from(header.to_vec());
        }
        let len = u16::try_from(len).unwrap().to_be_bytes();
        Aad::from([&self.seq.to_be_bytes()[..], &header[..3], &len].concat())
    }

    fn seal(&mut self, typ: u8, plain: &[u8]) -> Vec<u8> {
        let body = u16::try_from(plain.len() + self.overhead()).unwrap().to_be_bytes();
        let header = [if self.tls13 { DATA } else { typ }, 3, 3, body[0], body[1]];
        let explicit = self.explicit.map(u64::to_be_bytes);
        let mut sealed = plain.to_vec();
        if self.tls13 {
            sealed.push(typ);
        }
        let (nonce, aad) = (self.nonce(explicit.as_ref().map(|e| &e[..])), self.aad(&header, plain.len()));
        self.key.seal_in_place_append_tag(nonce, aad, &mut sealed).unwrap();
        self.seq += 1;
        self.explicit = self.explicit.map(|n| n.wrapping_add(1));
        [&header[..], explicit.as_ref().map_or(&[], |e| &e[..]), &sealed].concat()
    }

    /// How long the record is that begins like this, if that can be said; checked in the order in which Linux does it.
    fn measure(&self, bytes: &VecDeque<u8>) -> Result<Option<usize>, RecordFault> {
        if bytes.len() < HEADER {
            return Ok(None);
        }
        let body = usize::from(u16::from_be_bytes([bytes[3], bytes[4]]));
        if body > RECORD_MAX + self.overhead() {
            return Err(RecordFault::Overflow);
        }
        if body < self.overhead() {
            return Err(RecordFault::BadMac);
        }
        if bytes[1] != 3 || bytes[2] != 3 {
            return Err(RecordFault::Decode);
        }
        Ok(Some(HEADER + body))
    }

    fn open(&mut self, record: &[u8]) -> Result<(u8, Vec<u8>), RecordFault> {
        let (header, body) = record.split_at(HEADER);
        let (explicit, sealed) = body.split_at(if self.explicit.is_some() { EXPLICIT } else { 0 });
        let (nonce, aad) = (self.nonce(self.explicit.map(|_| explicit)), self.aad(header, body.len() - self.overhead()));
        let mut plain = sealed.to_vec();
        let n = self.key.open_in_place(nonce, aad, &mut plain).map_err(|_| RecordFault::BadMac)?.len();
        plain.truncate(n);
        self.seq += 1;
        if !self.tls13 {
            return Ok((header[0], plain));
        }
        while plain.last() == Some(&0) {
            plain.pop();
        }
        plain.pop().map(|typ| (typ, plain)).ok_or(RecordFault::BadMac)
    }
}

/// One direction of a socket whose records the kernel seals.
#[derive(Debug)]
pub(crate) struct Sealing {
    key: Key,
    /// Sealed, and not on the wire yet. No call tells of it.
    partial: VecDeque<u8>,
}

impl Sealing {
    pub(crate) fn new(keys: &TrafficKeys) -> Self {
        Self { key: Key::new(keys), partial: VecDeque::new() }
    }

    /// Everything that was sealed is on the wire.
    pub(crate) fn is_out(&self) -> bool {
        self.partial.is_empty()
    }

    /// Takes at most `most` bytes of what was sealed before.
    pub(crate) fn drain(&mut self, most: usize) -> Vec<u8> {
        let n = most.min(self.partial.len());
        self.partial.drain(..n).collect()
    }

    /// Takes a record's worth of `chain`, or less by chance. One that has a type is one record.
    pub(crate) fn take(&mut self, chain: &mut Chain, shorter: bool, chance: &mut Chance) {
        let plain: Vec<u8> = chain.slices().flatten().copied().take(RECORD_MAX).collect();
        let n = match chain.typed() {
            Some(typ) => {
                assert_eq!((typ, plain.len(), chain.bytes()), (ALERT, 2, 2), "a record without data is an alert");
                2
            }
            None if shorter => chance.size(plain.len()).max(1),
            None => plain.len(),
        };
        self.partial.extend(self.key.seal(chain.typed().unwrap_or(DATA), &plain[..n]));
        chain.taken(n);
    }
}

/// What a receive brings.
#[derive(Debug)]
pub(crate) enum Brought {
    Data,
    Control(ControlRecord),
    Fault(RecordFault),
    /// No whole record is there.
    Nothing,
}

/// One direction of a socket whose records the kernel opens.
#[derive(Debug)]
pub(crate) struct Opening {
    key: Key,
    /// Opened and not received yet.
    pub(crate) plain: VecDeque<u8>,
    /// What comes behind that.
    next: Option<ControlRecord>,
    /// What comes then, for ever: a record that does not open stays where it is.
    fault: Option<RecordFault>,
}

impl Opening {
    pub(crate) fn new(keys: &TrafficKeys) -> Self {
        Self { key: Key::new(keys), plain: VecDeque::new(), next: None, fault: None }
    }

    /// Nothing is opened that waits to be received.
    pub(crate) fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.next.is_none()
    }

    /// Opens whole records of `wire` until there are `most` bytes of data, and says what a receive brings.
    pub(crate) fn fetch(&mut self, wire: &mut VecDeque<u8>, most: usize) -> Brought {
        while self.plain.len() < most && self.next.is_none() && self.fault.is_none() {
            match self.key.measure(wire) {
                Ok(Some(whole)) if wire.len() >= whole => {
                    let record: Vec<u8> = wire.iter().take(whole).copied().collect();
                    match self.key.open(&record) {
                        Ok((typ, content)) => {
                            wire.drain(..whole);
                            if typ == DATA {
                                self.plain.extend(content);
                            } else {
                                self.next = Some(ControlRecord::new(typ, &content));
                            }
                        }
                        Err(fault) => self.fault = Some(fault),
                    }
                }
                Ok(_) => break,
                Err(fault) => self.fault = Some(fault),
            }
        }
        if !self.plain.is_empty() {
            return Brought::Data;
        }
        match (self.next.take(), self.fault) {
            (Some(record), _) => Brought::Control(record),
            (None, Some(fault)) => Brought::Fault(fault),
            (None, None) => Brought::Nothing,
        }
    }
}
