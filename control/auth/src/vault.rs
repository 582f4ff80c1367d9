//! Secrets that must be recovered: passwords that the gateway itself presents to a directory, a RADIUS server, an identity provider.
//!
//! ```text
//!   key (32 random bytes, in a file of their own) ─┬─► key of AES-256-GCM
//!                                                  └─► key of nonces: nonce = BLAKE2s(keyword, secret), cut to 96 bits
//!   sealed = nonce ‖ AES-256-GCM(secret; the keyword is authenticated, too), in hexadecimal digits
//! ```
//!
//! The nonce comes from what is sealed and not from chance. So nothing random is needed here, one secret at one keyword always
//! gives one text — a file that is read again changes nothing — and a nonce meets another secret only if the hash collides.
//! The price: whoever sees two texts knows whether two secrets are the same.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use gate_config::model::{NotOpened, SEAL_EXTRA_BYTES, SEALABLE_BYTES_MAX, SealFailed, Sealer, Secret};
use zeroize::Zeroizing;

use crate::seal::{KEY_BYTES, SealKey, hex};

/// Bytes of the nonce of AES-GCM.
const NONCE_BYTES: usize = 12;
const DIGITS: &[u8; 16] = b"0123456789abcdef";
const _: () = assert!(SEAL_EXTRA_BYTES == NONCE_BYTES + 16);

/// Seals secrets under one key, and opens them again.
pub struct Vault {
    cipher: LessSafeKey,
    nonces: SealKey,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(***)")
    }
}

impl Vault {
    /// Takes `key`, which must once have come from the system's generator.
    ///
    /// # Errors
    /// [`SealFailed`] if the library takes no key of this length, which would be its fault or ours.
    pub fn new(key: [u8; KEY_BYTES]) -> Result<Self, SealFailed> {
        let root = SealKey::new(key);
        let mut of_cipher = root.seal("vault: key of the cipher", &[]);
        let cipher = UnboundKey::new(&AES_256_GCM, of_cipher.bytes()).map(LessSafeKey::new);
        let nonces = SealKey::new(*root.seal("vault: key of the nonces", &[]).bytes());
        of_cipher.wipe();
        Ok(Self { cipher: cipher.map_err(|_| failed("no key for AES-256-GCM"))?, nonces })
    }

    fn nonce(&self, purpose: &str, secret: &Secret) -> [u8; NONCE_BYTES] {
        let hash = self.nonces.seal("vault: nonce", &[purpose.as_bytes(), secret.expose().as_bytes()]);
        std::array::from_fn(|at| hash.bytes()[at])
    }
}

impl Sealer for Vault {
    fn seal(&self, purpose: &str, secret: &Secret) -> Result<String, SealFailed> {
        if secret.expose().len() > SEALABLE_BYTES_MAX {
            return Err(failed("the secret is too long"));
        }
        let nonce = self.nonce(purpose, secret);
        let mut text = Zeroizing::new(secret.expose().as_bytes().to_vec());
        let tag = self
            .cipher
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(purpose.as_bytes()), &mut text)
            .map_err(|_| failed("AES-256-GCM does not work"))?;
        Ok([&nonce[..], &text, tag.as_ref()].iter().map(|part| hex(part, DIGITS)).collect())
    }

    fn open(&self, purpose: &str, sealed: &str) -> Result<Secret, NotOpened> {
        let mut bytes = Zeroizing::new(unhex(sealed).ok_or(NotOpened)?);
        let (nonce, text) = bytes.split_at_mut_checked(NONCE_BYTES).ok_or(NotOpened)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| NotOpened)?;
        let open = self.cipher.open_in_place(nonce, Aad::from(purpose.as_bytes()), text).map_err(|_| NotOpened)?;
        std::str::from_utf8(open).map(Secret::new).map_err(|_| NotOpened)
    }
}

fn failed(cause: &str) -> SealFailed {
    SealFailed { cause: cause.to_owned() }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || text.len() > 2 * (SEALABLE_BYTES_MAX + SEAL_EXTRA_BYTES) {
        return None;
    }
    let digit = |byte: u8| DIGITS.iter().position(|digit| *digit == byte).and_then(|at| u8::try_from(at).ok());
    text.as_bytes().chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vault(byte: u8) -> Vault {
        Vault::new([byte; KEY_BYTES]).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_with_its_key_at_its_keyword_and_nowhere_else() {
        let secret = Secret::new("correct horse");
        let sealed = vault(7).seal("radKey", &secret).unwrap();
        assert_eq!(sealed.len(), 2 * (SEAL_EXTRA_BYTES + "correct horse".len()));
        assert!(vault(7).open("radKey", &sealed).is_ok_and(|open| open == secret));
        assert_eq!(vault(7).open("clientSecret", &sealed).err(), Some(NotOpened));
        assert_eq!(vault(8).open("radKey", &sealed).err(), Some(NotOpened));
        for at in 0..sealed.len() {
            let mut other = sealed.clone().into_bytes();
            other[at] = if other[at] == b'0' { b'1' } else { b'0' };
            let other = String::from_utf8(other).unwrap();
            assert_eq!(vault(7).open("radKey", &other).err(), Some(NotOpened), "digit {at}");
            assert_eq!(vault(7).open("radKey", &sealed[..at]).err(), Some(NotOpened), "cut at {at}");
        }
    }

    /// A text that was written once must open for ever.
    #[test]
    fn the_form_stays() {
        let sealed = vault(1).seal("radKey", &Secret::new("x")).unwrap();
        assert_eq!(sealed, "a274050014944cffde8f522e7b87c4796d3f48a36c9b86679743ca157a");
    }

    #[test]
    fn the_same_gives_the_same_and_others_differ_in_the_nonce() {
        let sealed = |purpose: &str, secret: &str| vault(7).seal(purpose, &Secret::new(secret)).unwrap();
        assert_eq!(sealed("radKey", "a"), sealed("radKey", "a"));
        let nonces = [sealed("radKey", "a"), sealed("radKey", "b"), sealed("password", "a")].map(|text| text[..24].to_owned());
        assert!(nonces[0] != nonces[1] && nonces[0] != nonces[2] && nonces[1] != nonces[2]);
    }

    #[test]
    fn length_is_bounded_and_nothing_is_printed() {
        let longest = Secret::new(&"x".repeat(SEALABLE_BYTES_MAX));
        assert!(vault(7).open("k", &vault(7).seal("k", &longest).unwrap()).is_ok_and(|open| open == longest));
        let _ = vault(7).seal("k", &Secret::new(&"x".repeat(SEALABLE_BYTES_MAX + 1))).unwrap_err();
        assert_eq!(format!("{:?}", vault(7)), "Vault(***)");
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "\\PC{0,80}") {
            prop_assert_eq!(vault(7).open("k", &text).err(), Some(NotOpened));
        }
    }
}
