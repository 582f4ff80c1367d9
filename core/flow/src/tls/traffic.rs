//! Keys that leave this process for the kernel (kTLS).
//!
//! ```text
//!   secrets ─┬─► OpeningKey, SealingKey          ours
//!            └─► Material, if an operator wants  ─ Records::offer ─► TrafficKeys ─► setsockopt
//! ```
//!
//! The material lies beside our own key until it is handed over, and is wiped then. Whoever has it makes the same records as we would: so
//! from the offer on, our key of that direction is not used any more, unless the kernel says that it did not take it.
//!
//! How the kernel wants to have them ([`CryptoInfo`]) is from linux/tls.h.

use std::fmt;

use aws_lc_rs::aead::NONCE_LEN;
use rustls::ConnectionTrafficSecrets;
use zeroize::Zeroizing;

use super::handshake::Version;
use super::secret::{EXPLICIT, Form};

/// Bytes of the longest key.
const KEY_MAX: usize = 32;

/// What records are sealed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cipher {
    /// AES-128-GCM.
    Aes128Gcm,
    /// AES-256-GCM.
    Aes256Gcm,
    /// ChaCha20-Poly1305.
    Chacha20Poly1305,
}

impl Cipher {
    /// All that we have.
    pub const ALL: [Self; 3] = [Self::Aes128Gcm, Self::Aes256Gcm, Self::Chacha20Poly1305];

    const fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm => 16,
            Self::Aes256Gcm | Self::Chacha20Poly1305 => KEY_MAX,
        }
    }
}

/// Key and initialisation vector of one direction.
pub(super) struct Material {
    cipher: Cipher,
    /// On the heap, so that what is moved is a pointer: a copy that a move left behind would not be wiped.
    secret: Box<Secret>,
}

struct Secret {
    key: Zeroizing<[u8; KEY_MAX]>,
    iv: Zeroizing<[u8; NONCE_LEN]>,
}

impl Material {
    fn zeros(cipher: Cipher) -> Self {
        let secret = Secret { key: Zeroizing::new([0; KEY_MAX]), iv: Zeroizing::new([0; NONCE_LEN]) };
        Self { cipher, secret: Box::new(secret) }
    }

    /// None of a cipher that is none of ours.
    pub(super) fn of(secrets: &ConnectionTrafficSecrets) -> Option<Self> {
        // The enum is open-ended; its other variants belong to suites that our provider does not have.
        let (cipher, key, iv) = if let ConnectionTrafficSecrets::Aes128Gcm { key, iv } = secrets {
            (Cipher::Aes128Gcm, key, iv)
        } else if let ConnectionTrafficSecrets::Aes256Gcm { key, iv } = secrets {
            (Cipher::Aes256Gcm, key, iv)
        } else if let ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } = secrets {
            (Cipher::Chacha20Poly1305, key, iv)
        } else {
            return None;
        };
        let mut material = Self::zeros(cipher);
        let len = cipher.key_len();
        // TLS 1.3 keeps keys in a place for the largest one.
        material.secret.key.get_mut(..len)?.copy_from_slice(key.as_ref().get(..len)?);
        *material.secret.iv = iv.as_ref().try_into().ok()?;
        Some(material)
    }
}

/// The key of one direction, as the kernel wants to have it. It is wiped when it is dropped.
pub struct TrafficKeys {
    version: Version,
    material: Material,
    seq: u64,
}

impl TrafficKeys {
    pub(super) fn new(version: Version, material: Material, seq: u64) -> Self {
        Self { version, material, seq }
    }

    /// Keys that protect nothing, to find out whether the kernel would take such.
    #[must_use]
    pub fn to_try(version: Version, cipher: Cipher) -> Self {
        Self { version, material: Material::zeros(cipher), seq: 0 }
    }

    /// Of which version of the protocol.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// For which cipher.
    #[must_use]
    pub fn cipher(&self) -> Cipher {
        self.material.cipher
    }

    /// The key: 16 or 32 bytes.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        self.material.secret.key.get(..self.material.cipher.key_len()).unwrap_or_default()
    }

    /// The initialisation vector, of which the nonces are made.
    #[must_use]
    pub fn iv(&self) -> &[u8; NONCE_LEN] {
        &self.material.secret.iv
    }

    /// The sequence number of the next record.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Bytes that a record of the kernel's has more than its plaintext: header, explicit nonce, type and tag.
    #[must_use]
    pub fn record_overhead(&self) -> usize {
        Form::of(self.version, self.cipher() == Cipher::Chacha20Poly1305).overhead()
    }

    /// All of it as the kernel takes it.
    #[must_use]
    pub fn crypto_info(&self) -> CryptoInfo {
        let mut info = CryptoInfo::blank(self.cipher());
        let salt_len = info.salt_len;
        let (salt, vector) = self.iv().split_at(salt_len);
        let mut explicit = [0; EXPLICIT];
        let vector = if self.version == Version::Tls12 && salt_len > 0 {
            // The kernel counts on from here as one number, we and rustls took vector XOR sequence number. With the highest bit turned and
            // nothing below it, neither meets the other's within 2^63 records: no nonce is used twice.
            explicit[0] = (vector[0] & 0x80) ^ 0x80;
            &explicit[..]
        } else {
            vector
        };
        let version: u16 = if self.version == Version::Tls13 { 0x304 } else { 0x303 };
        let mut at = 0;
        let parts = [
            &version.to_ne_bytes()[..],
            &cipher_number(self.cipher()).to_ne_bytes(),
            vector,
            self.key(),
            salt,
            &self.seq.to_be_bytes(),
        ];
        for part in parts {
            info.bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        debug_assert_eq!(at, info.len);
        info
    }
}

/// As linux/tls.h numbers them.
fn cipher_number(cipher: Cipher) -> u16 {
    match cipher {
        Cipher::Aes128Gcm => 51,
        Cipher::Aes256Gcm => 52,
        Cipher::Chacha20Poly1305 => 54,
    }
}

/// `struct tls12_crypto_info_…`: version and cipher, then initialisation vector, key, salt, number of the next record. Wiped when it is
/// dropped.
pub struct CryptoInfo {
    /// On the heap for the same reason as [`Material`]'s.
    bytes: Box<Zeroizing<[u8; INFO_MAX]>>,
    len: usize,
    salt_len: usize,
}

/// Version, cipher, vector and salt together, the longest key, the number.
const INFO_MAX: usize = 2 + 2 + NONCE_LEN + KEY_MAX + 8;

impl CryptoInfo {
    /// Room for what the kernel says of a key of this kind.
    #[must_use]
    pub fn blank(cipher: Cipher) -> Self {
        let salt_len = if cipher == Cipher::Chacha20Poly1305 { 0 } else { NONCE_LEN - EXPLICIT };
        Self { bytes: Box::new(Zeroizing::new([0; INFO_MAX])), len: INFO_MAX - KEY_MAX + cipher.key_len(), salt_len }
    }

    /// As the kernel takes it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Where the kernel writes it.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.len).unwrap_or_default()
    }

    /// The sequence number of the next record.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.bytes().last_chunk().map_or(0, |seq| u64::from_be_bytes(*seq))
    }
}

impl fmt::Debug for CryptoInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CryptoInfo").field("seq", &self.seq()).finish_non_exhaustive()
    }
}

impl fmt::Debug for TrafficKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrafficKeys").field("version", &self.version).field("cipher", &self.cipher()).finish_non_exhaustive()
    }
}
