//! Keys of one direction, and how a single record is sealed and opened with them.
//!
//! ```text
//!   TLS 1.3            | header 5 |               payload | type 1 | tag 16 |
//!   TLS 1.2 AES-GCM    | header 5 | nonce 8 |     payload          | tag 16 |
//!   TLS 1.2 ChaCha20   | header 5 |               payload          | tag 16 |
//!                      '------ head ------'               '----- tail -----'
//! ```
//!
//! A key goes with its sequence number for ever: both live in one value that cannot be cloned, and the number only grows, so
//! that no nonce is used twice. For TLS 1.2 with AES-GCM the explicit part of the nonce continues what rustls did for the
//! records before ours (initialisation vector XOR sequence number): any other scheme could meet one of those again.
//!
//! Sealing uses [`LessSafeKey`] and not aws-lc's record-sealing key on purpose: that one takes the first nonce that it sees for
//! sequence 0, and a connection taken over from rustls begins later.

use std::ops::Range;

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use rustls::ConnectionTrafficSecrets;
use zeroize::Zeroizing;

use super::RECORD_MAX;
use super::alert::RecordFault;
use super::handshake::Version;

/// Bytes of a record's header: type, version, length.
pub(super) const HEADER: usize = 5;
/// Bytes of every suite's tag.
const TAG: usize = 16;
/// Bytes of the nonce that TLS 1.2 AES-GCM puts before the payload.
pub(super) const EXPLICIT: usize = 8;
/// Most bytes that stand before the payload of a record.
pub(super) const HEAD_MAX: usize = HEADER + EXPLICIT;
/// Most bytes that stand behind it.
pub(super) const TAIL_MAX: usize = TAG + 1;
/// What both versions write into the header.
const WIRE_VERSION: [u8; 2] = [3, 3];
/// Most bytes that a sealed TLS 1.3 record may have more than its plaintext (RFC 8446, section 5.2).
const EXPANSION_13: usize = 256;
/// The same for TLS 1.2 (RFC 5246, section 6.2.3).
const EXPANSION_12: usize = 2048;

/// Content types.
pub(super) mod content {
    pub(crate) const ALERT: u8 = 21;
    pub(crate) const HANDSHAKE: u8 = 22;
    pub(crate) const DATA: u8 = 23;
}

/// How records are laid out and authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Tls13,
    Tls12Gcm,
    Tls12Chacha,
}

impl Form {
    pub(super) fn of(version: Version, chacha: bool) -> Self {
        match version {
            Version::Tls13 => Self::Tls13,
            Version::Tls12 if chacha => Self::Tls12Chacha,
            Version::Tls12 => Self::Tls12Gcm,
        }
    }

    /// Bytes that a record has more than its plaintext.
    pub(super) fn overhead(self) -> usize {
        self.head() + self.tail()
    }

    fn head(self) -> usize {
        match self {
            Self::Tls13 | Self::Tls12Chacha => HEADER,
            Self::Tls12Gcm => HEADER + EXPLICIT,
        }
    }

    fn tail(self) -> usize {
        match self {
            Self::Tls13 => TAG + 1,
            Self::Tls12Chacha | Self::Tls12Gcm => TAG,
        }
    }

    /// Most bytes behind the header.
    fn body_max(self) -> usize {
        match self {
            Self::Tls13 => RECORD_MAX + EXPANSION_13,
            Self::Tls12Chacha | Self::Tls12Gcm => RECORD_MAX + EXPANSION_12,
        }
    }
}

/// A key that failed where it cannot: the library did not take what it made itself, or the sequence number is used up.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyFault;

/// Key, initialisation vector and sequence number of one direction.
struct Direction {
    key: LessSafeKey,
    iv: Zeroizing<[u8; NONCE_LEN]>,
    form: Form,
    /// Of the next record.
    seq: u64,
}

impl Direction {
    fn new(version: Version, (seq, secrets): (u64, ConnectionTrafficSecrets)) -> Result<Self, KeyFault> {
        // The enum is open-ended; its other variants belong to suites that our provider does not have.
        let (algorithm, key, iv) = if let ConnectionTrafficSecrets::Aes128Gcm { key, iv } = &secrets {
            (&AES_128_GCM, key, iv)
        } else if let ConnectionTrafficSecrets::Aes256Gcm { key, iv } = &secrets {
            (&AES_256_GCM, key, iv)
        } else if let ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } = &secrets {
            (&CHACHA20_POLY1305, key, iv)
        } else {
            return Err(KeyFault);
        };
        // TLS 1.3 keeps keys in a place for the largest one.
        let key = key.as_ref().get(..algorithm.key_len()).ok_or(KeyFault)?;
        let key = LessSafeKey::new(UnboundKey::new(algorithm, key).map_err(|_| KeyFault)?);
        let iv = Zeroizing::new(iv.as_ref().try_into().map_err(|_| KeyFault)?);
        Ok(Self { key, iv, form: Form::of(version, *algorithm == CHACHA20_POLY1305), seq })
    }

    /// Initialisation vector XOR sequence number.
    fn nonce(&self) -> [u8; NONCE_LEN] {
        let mut nonce = *self.iv;
        for (byte, seq) in nonce[NONCE_LEN - 8..].iter_mut().zip(self.seq.to_be_bytes()) {
            *byte ^= seq;
        }
        nonce
    }

    /// What is authenticated beside the payload. `len` is that of the plaintext.
    fn aad(&self, header: [u8; HEADER], len: u16) -> Aad<Additional> {
        Aad::from(match self.form {
            Form::Tls13 => Additional::Header(header),
            Form::Tls12Gcm | Form::Tls12Chacha => {
                let mut aad = [0; 13];
                aad[..8].copy_from_slice(&self.seq.to_be_bytes());
                aad[8..11].copy_from_slice(&header[..3]);
                aad[11..].copy_from_slice(&len.to_be_bytes());
                Additional::Sequenced(aad)
            }
        })
    }
}

enum Additional {
    Header([u8; HEADER]),
    Sequenced([u8; 13]),
}

impl AsRef<[u8]> for Additional {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Header(bytes) => bytes,
            Self::Sequenced(bytes) => bytes,
        }
    }
}

/// Opens what the other side seals.
pub(super) struct OpeningKey(Direction);

impl OpeningKey {
    pub(super) fn new(version: Version, secrets: (u64, ConnectionTrafficSecrets)) -> Result<Self, KeyFault> {
        Direction::new(version, secrets).map(Self)
    }

    /// The sequence number of the next record.
    pub(super) fn seq(&self) -> u64 {
        self.0.seq
    }

    /// Checks a record's header and says how long the whole record is.
    pub(super) fn measure(&self, header: [u8; HEADER]) -> Result<usize, RecordFault> {
        let [typ, major, minor, hi, lo] = header;
        let known = match self.0.form {
            // Everything is disguised as application data, and change_cipher_spec has no place after the handshake.
            Form::Tls13 => typ == content::DATA,
            Form::Tls12Gcm | Form::Tls12Chacha => matches!(typ, content::ALERT..=content::DATA),
        };
        if !known {
            return Err(RecordFault::Unexpected);
        }
        if [major, minor] != WIRE_VERSION {
            return Err(RecordFault::Decode);
        }
        let body = usize::from(u16::from_be_bytes([hi, lo]));
        if body > self.0.form.body_max() {
            return Err(RecordFault::Overflow);
        }
        if HEADER + body < self.0.form.head() + self.0.form.tail() {
            return Err(RecordFault::BadMac);
        }
        Ok(HEADER + body)
    }

    /// Opens the whole record in `record`, of the length that [`Self::measure`] said, where it lies. Returns its type and where in
    /// `record` its content is now.
    pub(super) fn open(&mut self, record: &mut [u8]) -> Result<(u8, Range<usize>), RecordFault> {
        let way = &mut self.0;
        let (Some(header), Some(len)) = (
            record.first_chunk::<HEADER>().copied(),
            // Of the plaintext, for TLS 1.2; without the type byte and the tag, for TLS 1.3.
            record.len().checked_sub(way.form.head() + way.form.tail()),
        ) else {
            return Err(RecordFault::Never);
        };
        let mut nonce = way.nonce();
        if way.form == Form::Tls12Gcm {
            nonce[NONCE_LEN - EXPLICIT..].copy_from_slice(&record[HEADER..HEADER + EXPLICIT]);
        }
        let aad = way.aad(header, u16::try_from(len).map_err(|_| RecordFault::Never)?);
        let begin = way.form.head();
        let (sealed, tag) = record[begin..].split_at_mut_checked(len + way.form.tail() - TAG).ok_or(RecordFault::Never)?;
        way.key
            .open_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, tag, sealed)
            .map_err(|_| RecordFault::BadMac)?;
        way.seq = way.seq.checked_add(1).ok_or(RecordFault::Never)?;
        if way.form != Form::Tls13 {
            return if len > RECORD_MAX { Err(RecordFault::Overflow) } else { Ok((header[0], begin..begin + len)) };
        }
        // RFC 8446, section 5.4: content, type, zeros; together at most 2^14 + 1 bytes.
        if sealed.len() > RECORD_MAX + 1 {
            return Err(RecordFault::Overflow);
        }
        match last_of_content(sealed) {
            Some(last) => Ok((sealed[last], begin..begin + last)),
            None => Err(RecordFault::Unexpected),
        }
    }
}

/// Where the last byte stands that is no padding. Mostly there is none; but there may be 16 KiB, so whole cache lines are looked at at once.
fn last_of_content(inner: &[u8]) -> Option<usize> {
    let mut rest = inner;
    if let Some((last, before)) = rest.split_last()
        && *last != 0
    {
        return Some(before.len());
    }
    while let Some((before, line)) = rest.split_last_chunk::<64>()
        && line.as_chunks::<16>().0.iter().fold(0, |all, word| all | u128::from_ne_bytes(*word)) == 0
    {
        rest = before;
    }
    rest.iter().rposition(|&byte| byte != 0)
}

/// Seals what the other side opens.
pub(super) struct SealingKey {
    way: Direction,
    /// Records sealed with this key.
    records: u64,
    /// Blocks of 16 bytes sealed with this key, and one for each record.
    blocks: u64,
}

impl SealingKey {
    pub(super) fn new(version: Version, secrets: (u64, ConnectionTrafficSecrets)) -> Result<Self, KeyFault> {
        let records = secrets.0;
        Ok(Self { way: Direction::new(version, secrets)?, records, blocks: records })
    }

    /// The sequence number of the next record.
    pub(super) fn seq(&self) -> u64 {
        self.way.seq
    }

    /// Notes what somebody else has sealed with it: so many bytes in so many records.
    pub(super) fn spent(&mut self, bytes: u64, records: u64) {
        self.records = self.records.saturating_add(records);
        self.blocks = self.blocks.saturating_add(bytes.div_ceil(16)).saturating_add(2 * records);
    }

    /// Bytes before the payload.
    pub(super) fn head(&self) -> usize {
        self.way.form.head()
    }

    /// Bytes behind it.
    pub(super) fn tail(&self) -> usize {
        self.way.form.tail()
    }

    /// Records sealed with this key.
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// Blocks of 16 bytes sealed with this key, and one for each record.
    pub(super) fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Whether this key may protect a limited amount only: AES-GCM's proof wears off, that of ChaCha20-Poly1305 does not.
    pub(super) fn wears_off(&self) -> bool {
        *self.way.key.algorithm() != CHACHA20_POLY1305
    }

    /// Seals a record of type `typ` where it lies: `record` is head, payload, tail.
    pub(super) fn seal_in_place(&mut self, typ: u8, record: &mut [u8]) -> Result<(), KeyFault> {
        let len = record.len().checked_sub(self.head() + self.tail()).ok_or(KeyFault)?;
        let (nonce, aad) = self.begin(typ, len, record)?;
        let inner = self.inner(typ);
        let (payload, tail) = record[self.head()..].split_at_mut_checked(len).ok_or(KeyFault)?;
        self.way.key.seal_in_place_scatter(nonce, aad, payload, inner.as_slice(), tail).map_err(|_| KeyFault)?;
        self.end(len)
    }

    /// Seals `plain` as a record of type `typ` into `record`, which has room for head, payload and tail exactly.
    pub(super) fn seal_to(&mut self, typ: u8, plain: &[u8], record: &mut [u8]) -> Result<(), KeyFault> {
        let len = plain.len();
        if record.len() != self.head() + len + self.tail() {
            return Err(KeyFault);
        }
        let (nonce, aad) = self.begin(typ, len, record)?;
        let inner = self.inner(typ);
        let (sealed, tail) = record[self.head()..].split_at_mut_checked(len).ok_or(KeyFault)?;
        self.way.key.seal_out_of_place_scatter(nonce, aad, plain, sealed, inner.as_slice(), tail).map_err(|_| KeyFault)?;
        self.end(len)
    }

    /// Writes header and explicit nonce, and makes what the cipher needs.
    fn begin(&self, typ: u8, len: usize, record: &mut [u8]) -> Result<(Nonce, Aad<Additional>), KeyFault> {
        let way = &self.way;
        // The last number is never used: after it there would be none, and this is checked before a nonce is spent.
        if way.seq == u64::MAX || len > RECORD_MAX {
            return Err(KeyFault);
        }
        let nonce = way.nonce();
        let outer = if way.form == Form::Tls13 { content::DATA } else { typ };
        let body = u16::try_from(record.len() - HEADER).map_err(|_| KeyFault)?.to_be_bytes();
        let header = [outer, WIRE_VERSION[0], WIRE_VERSION[1], body[0], body[1]];
        record[..HEADER].copy_from_slice(&header);
        if way.form == Form::Tls12Gcm {
            record[HEADER..HEADER + EXPLICIT].copy_from_slice(&nonce[NONCE_LEN - EXPLICIT..]);
        }
        let aad = way.aad(header, u16::try_from(len).map_err(|_| KeyFault)?);
        Ok((Nonce::assume_unique_for_key(nonce), aad))
    }

    fn inner(&self, typ: u8) -> Inner {
        if self.way.form == Form::Tls13 { Inner::Type([typ]) } else { Inner::None }
    }

    fn end(&mut self, len: usize) -> Result<(), KeyFault> {
        self.way.seq += 1;
        self.records = self.records.saturating_add(1);
        self.blocks = self.blocks.saturating_add(u64::try_from(len.div_ceil(16)).map_err(|_| KeyFault)? + 1);
        Ok(())
    }
}

/// What is sealed behind the payload: TLS 1.3 hides the type there.
enum Inner {
    Type([u8; 1]),
    None,
}

impl Inner {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Type(typ) => typ,
            Self::None => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_ends_where_it_ends_bytewise_or_not() {
        for len in 0..200 {
            for last in (0..len).map(Some).chain([None]) {
                let mut inner = vec![0; len];
                if let Some(last) = last {
                    inner[..=last].fill(23);
                }
                assert_eq!(last_of_content(&inner), last, "{len}");
                assert_eq!(inner.iter().rposition(|&byte| byte != 0), last);
            }
        }
    }
}
