//! What the kernel does with a key that it was handed, for tests: records made and opened with AWS-LC alone, by the letter of RFC 8446 and
//! RFC 5246, so that a fault of ours cannot hide behind itself.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::secret::content;
use super::traffic::{Cipher, TrafficKeys};
use super::{RECORD_MAX, Version};

const HEADER: usize = 5;
const TAG: usize = 16;
/// Bytes of the nonce that TLS 1.2 with AES-GCM shows.
const EXPLICIT: usize = 8;

/// The key of one direction, in the kernel.
pub(crate) struct Kernel {
    key: LessSafeKey,
    iv: [u8; NONCE_LEN],
    tls13: bool,
    /// Of TLS 1.2 with AES-GCM.
    explicit: Option<u64>,
    seq: u64,
}

impl Kernel {
    pub(crate) fn new(keys: &TrafficKeys) -> Self {
        let (algorithm, gcm) = match keys.cipher() {
            Cipher::Aes128Gcm => (&AES_128_GCM, true),
            Cipher::Aes256Gcm => (&AES_256_GCM, true),
            Cipher::Chacha20Poly1305 => (&CHACHA20_POLY1305, false),
        };
        let tls13 = keys.version() == Version::Tls13;
        // Nonces that vector XOR sequence number can never meet.
        let first = u64::from((keys.iv()[4] & 0x80) ^ 0x80) << 56;
        Self {
            key: LessSafeKey::new(UnboundKey::new(algorithm, keys.key()).unwrap()),
            iv: *keys.iv(),
            tls13,
            explicit: (gcm && !tls13).then_some(first),
            seq: keys.seq(),
        }
    }

    /// Records of type `typ`, each as long as it may be.
    pub(crate) fn seal(&mut self, typ: u8, plain: &[u8]) -> Vec<u8> {
        plain.chunks(RECORD_MAX).flat_map(|piece| self.seal_one(typ, piece)).collect()
    }

    fn seal_one(&mut self, typ: u8, plain: &[u8]) -> Vec<u8> {
        let body = u16::try_from(plain.len() + self.overhead()).unwrap().to_be_bytes();
        let header = [if self.tls13 { content::DATA } else { typ }, 3, 3, body[0], body[1]];
        let explicit = self.explicit.map(u64::to_be_bytes);
        let mut sealed = plain.to_vec();
        if self.tls13 {
            sealed.push(typ);
        }
        let (nonce, aad) = (self.nonce(explicit), self.aad(&header, plain.len()));
        self.key.seal_in_place_append_tag(nonce, aad, &mut sealed).unwrap();
        self.seq += 1;
        self.explicit = self.explicit.map(|n| n.wrapping_add(1));
        [&header[..], explicit.as_ref().map_or(&[], |e| &e[..]), &sealed].concat()
    }

    /// Takes the first record from `wire`, if it is whole: its type and what is in it. None of it if it does not open.
    pub(crate) fn open(&mut self, wire: &mut Vec<u8>) -> Option<Option<(u8, Vec<u8>)>> {
        let header: [u8; HEADER] = *wire.first_chunk()?;
        let whole = HEADER + usize::from(u16::from_be_bytes([header[3], header[4]]));
        let body = wire.get(HEADER..whole)?.to_vec();
        let (shown, sealed) = body.split_at(if self.explicit.is_some() { EXPLICIT } else { 0 });
        let (nonce, aad) = (self.nonce(shown.first_chunk().copied()), self.aad(&header, body.len() - self.overhead()));
        let mut plain = sealed.to_vec();
        let Ok(opened) = self.key.open_in_place(nonce, aad, &mut plain) else { return Some(None) };
        let len = opened.len();
        plain.truncate(len);
        wire.drain(..whole);
        self.seq += 1;
        let typ = if self.tls13 { plain.pop()? } else { header[0] };
        Some(Some((typ, plain)))
    }

    fn overhead(&self) -> usize {
        TAG + usize::from(self.tls13) + if self.explicit.is_some() { EXPLICIT } else { 0 }
    }

    fn nonce(&self, explicit: Option<[u8; EXPLICIT]>) -> Nonce {
        let mut nonce = self.iv;
        let last = &mut nonce[NONCE_LEN - EXPLICIT..];
        match explicit {
            Some(explicit) => last.copy_from_slice(&explicit),
            None => last.iter_mut().zip(self.seq.to_be_bytes()).for_each(|(byte, seq)| *byte ^= seq),
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
}
