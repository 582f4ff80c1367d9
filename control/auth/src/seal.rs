//! Keyed hashes: what tables store in place of a token, and how one token is derived from another.
//!
//! The key is made at start and never leaves the process, so a copy of a table is worth nothing without it, and the time
//! that a look-up takes says nothing about the token that was looked for.

use std::fmt;

use blake2::Blake2sMac256;
use blake2::digest::{KeyInit, Mac};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes in a key.
pub const KEY_BYTES: usize = 32;
/// Bytes in a seal.
pub const SEAL_BYTES: usize = 32;

/// A process-wide secret that turns tokens into seals.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SealKey([u8; KEY_BYTES]);

/// What is stored in place of a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seal([u8; SEAL_BYTES]);

impl SealKey {
    /// Takes `random`, which must come from the system's generator.
    #[must_use]
    pub fn new(random: [u8; KEY_BYTES]) -> Self {
        Self(random)
    }

    /// Seals `parts` for one `purpose`. Seals for different purposes never meet, nor do different cuts of the same bytes:
    /// each part is preceded by its length.
    #[must_use]
    pub fn seal(&self, purpose: &str, parts: &[&[u8]]) -> Seal {
        let mut mac = Blake2sMac256::new(&self.0.into());
        for part in std::iter::once(purpose.as_bytes()).chain(parts.iter().copied()) {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            mac.update(part);
        }
        Seal(mac.finalize().into_bytes().into())
    }
}

impl Seal {
    /// The bytes, for what is derived from them.
    pub(crate) const fn bytes(&self) -> &[u8; SEAL_BYTES] {
        &self.0
    }

    /// Forgets the bytes of one that was a key.
    pub(crate) fn wipe(&mut self) {
        self.0.zeroize();
    }

    /// As text: 64 lower-case hexadecimal digits, for seals that are handed out (form tokens).
    #[must_use]
    pub fn to_text(self) -> String {
        hex(&self.0, b"0123456789abcdef")
    }

    /// Whether `text` is this seal, in a time that does not depend on where they differ.
    #[must_use]
    pub fn is_text(self, text: &str) -> bool {
        is_same_text(&self.to_text(), text)
    }
}

/// Whether two texts are the same, in a time that depends on their lengths only.
#[must_use]
pub fn is_same_text(a: &str, b: &str) -> bool {
    subtle::ConstantTimeEq::ct_eq(a.as_bytes(), b.as_bytes()).into()
}

/// Writes `bytes` with the sixteen `digits`.
pub(crate) fn hex(bytes: &[u8], digits: &[u8; 16]) -> String {
    bytes.iter().flat_map(|b| [char::from(digits[usize::from(b >> 4)]), char::from(digits[usize::from(b & 15)])]).collect()
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(***)")
    }
}

/// Four bytes are enough to tell two apart in a log.
impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0[..4], b"0123456789abcdef"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purpose_key_and_cut_all_matter() {
        let key = SealKey::new([7; 32]);
        let seal = key.seal("a", &[b"xy", b"z"]);
        assert_eq!(seal, key.seal("a", &[b"xy", b"z"]));
        assert_ne!(seal, key.seal("b", &[b"xy", b"z"]));
        assert_ne!(seal, key.seal("a", &[b"x", b"yz"]));
        assert_ne!(seal, SealKey::new([8; 32]).seal("a", &[b"xy", b"z"]));
    }

    #[test]
    fn text_is_compared_whole() {
        let seal = SealKey::new([7; 32]).seal("a", &[]);
        let text = seal.to_text();
        assert_eq!(text.len(), 64);
        assert!(seal.is_text(&text));
        for wrong in ["", &text[1..], &format!("{text}0"), &text.to_uppercase()] {
            assert!(!seal.is_text(wrong) || wrong == text, "{wrong}");
        }
    }

    #[test]
    fn nothing_secret_is_printed() {
        let key = SealKey::new([0xab; 32]);
        assert_eq!(format!("{key:?}"), "SealKey(***)");
        let seal = key.seal("a", &[b"token"]);
        assert_eq!(format!("{seal:?}").len(), 8);
    }
}
