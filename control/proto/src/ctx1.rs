//! `ctx1`, the password obfuscation of the XML Service. Not encryption: anyone can undo it.
//!
//! ```text
//! password ─► UTF-16LE bytes ─► t = t ^ b ^ A5 for each ─► two letters 'A'..'P' per byte
//! ```
//!
//! Four letters stand for one UTF-16 code unit. A decoded text is a cleartext password and is treated as one.

use thiserror::Error;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Longest encoded text accepted, in letters: 1,024 UTF-16 code units.
pub const LETTERS_MAX: usize = 4096;

const MASK: u8 = 0xA5;
const LETTERS_PER_UNIT: usize = 4;

/// Why a text is not ctx1. The sender's fault; the XML Service answers `failed-credentials`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotCtx1 {
    /// Longer than [`LETTERS_MAX`].
    #[error("more than {LETTERS_MAX} letters")]
    TooLong,
    /// Not a whole number of UTF-16 code units.
    #[error("length is not a multiple of four")]
    Length,
    /// A letter outside `A`–`P`.
    #[error("letter outside A to P")]
    Letter,
    /// The bytes below are not UTF-16: a lone surrogate.
    #[error("not valid UTF-16")]
    Text,
}

/// Encodes `password`.
#[must_use]
pub fn encode(password: &str) -> Secret {
    let mut letters = String::with_capacity(password.len() * LETTERS_PER_UNIT);
    let mut running = 0;
    for byte in password.encode_utf16().flat_map(u16::to_le_bytes) {
        running ^= byte ^ MASK;
        letters.push(char::from(b'A' + (running >> 4)));
        letters.push(char::from(b'A' + (running & 0x0F)));
    }
    Secret::new(letters)
}

/// Decodes what [`encode`] wrote.
///
/// # Errors
/// [`NotCtx1`], naming the first clause that is broken.
pub fn decode(letters: &str) -> Result<Secret, NotCtx1> {
    if letters.len() > LETTERS_MAX {
        return Err(NotCtx1::TooLong);
    }
    let (units, rest) = letters.as_bytes().as_chunks::<LETTERS_PER_UNIT>();
    if !rest.is_empty() {
        return Err(NotCtx1::Length);
    }
    let mut running = 0;
    let mut password = Zeroizing::new(Vec::with_capacity(units.len()));
    for &[high1, low1, high2, low2] in units {
        let first = nibble(high1)? << 4 | nibble(low1)?;
        let second = nibble(high2)? << 4 | nibble(low2)?;
        password.push(u16::from_le_bytes([first ^ MASK ^ running, second ^ MASK ^ first]));
        running = second;
    }
    String::from_utf16(&password).map(Secret::new).map_err(|_| NotCtx1::Text)
}

fn nibble(letter: u8) -> Result<u8, NotCtx1> {
    match letter {
        b'A'..=b'P' => Ok(letter - b'A'),
        _ => Err(NotCtx1::Letter),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn published_vectors() {
        for (password, letters) in [
            ("", ""),
            ("a", "MEGB"),
            ("password", "NFHALEBBMHGCLEBBMDGGKMAJNOHLLKBP"),
            ("Pa$$w0rd!", "PFFAJEDBLABFJEDBODEGNDHGKBAEMFGAOEEB"),
            ("ü€", "FJPMPFHA"),
        ] {
            assert_eq!(encode(password).expose(), letters);
            assert_eq!(decode(letters).unwrap().expose(), password);
        }
    }

    #[test]
    fn each_broken_clause_has_its_name() {
        let too_long = "A".repeat(LETTERS_MAX + 4);
        // D800 alone: bytes 00 D8.
        let lone_surrogate = "KFNI";
        for (letters, why) in [
            ("MEG", NotCtx1::Length),
            ("MEGQ", NotCtx1::Letter),
            ("megb", NotCtx1::Letter),
            (lone_surrogate, NotCtx1::Text),
            (too_long.as_str(), NotCtx1::TooLong),
        ] {
            assert_eq!(decode(letters).unwrap_err(), why, "{letters:.8}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(password in ".{0,64}") {
            let letters = encode(&password);
            let decoded = decode(letters.expose()).unwrap();
            prop_assert_eq!(decoded.expose(), password.as_str());
        }

        #[test]
        fn any_text_is_answered(letters in "[A-R]{0,64}") {
            if let Ok(password) = decode(&letters) {
                let again = encode(password.expose());
                prop_assert_eq!(again.expose(), letters.as_str());
            }
        }
    }
}
