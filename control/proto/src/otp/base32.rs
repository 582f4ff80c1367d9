//! Base32 (RFC 4648 §6), as authenticator apps read and show secrets: upper case, without padding.

use zeroize::Zeroizing;

const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// `bytes` as text, without padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> Zeroizing<String> {
    // As large as it gets: nothing of a secret is left where it grew from.
    let mut text = Zeroizing::new(String::with_capacity(bytes.len().div_ceil(5) * 8));
    for chunk in bytes.chunks(5) {
        let bits = chunk.iter().fold(0_u64, |bits, &byte| bits << 8 | u64::from(byte)) << (8 * (5 - chunk.len()));
        for at in 0..(chunk.len() * 8).div_ceil(5) {
            let digit = bits >> (35 - 5 * at) & 31;
            text.push(char::from(usize::try_from(digit).ok().and_then(|at| DIGITS.get(at)).copied().unwrap_or_default()));
        }
    }
    text
}

/// What `text` stands for: digits in either case, perhaps padded. Bits at the end that make no whole byte are left out, whatever they are:
/// generators of secrets often take a number of digits that fits no number of bytes. `None`: it is no Base32.
#[must_use]
pub fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digits = text.trim_end_matches('=');
    let mut bytes = Zeroizing::new(Vec::with_capacity(digits.len() * 5 / 8));
    let (mut bits, mut held) = (0_u32, 0);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a',
            b'2'..=b'7' => digit - b'2' + 26,
            _ => return None,
        };
        bits = bits << 5 | u32::from(value);
        held += 5;
        if held >= 8 {
            held -= 8;
            let [byte, ..] = (bits >> held).to_le_bytes();
            bytes.push(byte);
            bits &= (1 << held) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 4648 §10.
    #[test]
    fn the_examples_of_the_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "MY======"),
            ("fo", "MZXQ===="),
            ("foo", "MZXW6==="),
            ("foob", "MZXW6YQ="),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI======"),
        ] {
            assert_eq!(encode(bytes.as_bytes()).as_str(), text.trim_end_matches('='));
            for written in [text.to_owned(), text.trim_end_matches('=').to_lowercase()] {
                assert_eq!(decode(&written).unwrap().as_slice(), bytes.as_bytes(), "{written}");
            }
        }
        for text in ["1", "0", "8", "A B", "=A", "é", "A\0"] {
            assert!(decode(text).is_none(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_and_does_not_grow(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let text = encode(&bytes);
            prop_assert!(text.len() <= bytes.len().div_ceil(5) * 8);
            let read = decode(&text).unwrap();
            prop_assert_eq!(read.as_slice(), bytes.as_slice());
        }
    }
}
