//! The envelope of question and answer.
//!
//! ```text
//!   C   = the first 32 hexadecimal digits of the cookie, as issued        raw = the 16 bytes that they stand for
//!   K   = first 16 bytes of SHA-1( "NSC_EPAC=" C CR LF DATE CR LF HOST CR LF raw )      DATE, HOST: headers of this request
//!   out = Base64( AES-128-CBC( K, IV = raw, plaintext with PKCS#7 padding ) )
//! ```
//!
//! The key is made of what both sides, and whoever has the cookie, know. The envelope keeps the exchange from nobody else, and
//! nothing vouches for what comes out of it: bytes that were changed on the way come out as other bytes. So opening tells
//! nothing about why it failed, and does not look at the padding, which old clients get wrong for answers of sixteen digits:
//! what lies below 20 at the end is cut off, whatever it is.

use aws_lc_rs::cipher::{
    AES_128, DecryptingKey, DecryptionContext, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use aws_lc_rs::iv::FixedLength;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;
use zeroize::Zeroizing;

use super::question::{QUESTION_BYTES_MAX, unpadded};

/// Bytes of the key, of the initialization vector and of a block.
const BLOCK_BYTES: usize = 16;
/// Longest plaintext, in bytes.
pub const PLAINTEXT_BYTES_MAX: usize = QUESTION_BYTES_MAX;
/// Longest payload, in bytes: the longest plaintext, padded and in Base64.
pub const PAYLOAD_BYTES_MAX: usize = (PLAINTEXT_BYTES_MAX + BLOCK_BYTES).div_ceil(3) * 4;
/// Longest `Date` that is looked at, in bytes: a decimal number of seconds in practice.
pub const DATE_BYTES_MAX: usize = 64;
/// Longest `Host` that is looked at, in bytes.
pub const HOST_BYTES_MAX: usize = 261;

/// Key and initialization vector of one request. Wiped on drop.
pub struct Envelope {
    key: Zeroizing<[u8; BLOCK_BYTES]>,
    iv: Zeroizing<[u8; BLOCK_BYTES]>,
}

/// Not sealed: longer than [`PLAINTEXT_BYTES_MAX`], or the library does not work. Our fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("EPA payload of {0} bytes cannot be encrypted")]
pub struct NotSealed(pub usize);

/// Not opened. It is not told why: whoever sends guesses must not learn from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("EPA payload cannot be decrypted")]
pub struct NotOpened;

impl std::fmt::Debug for Envelope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Envelope(…)")
    }
}

impl Envelope {
    /// Derives the key for a request from its cookie's value and its own `Date` and `Host`, each exactly as sent: a port belongs
    /// to `Host` if the client put it there. `None` if the cookie does not begin with 32 hexadecimal digits, or if a header is
    /// longer than anybody's.
    #[must_use]
    pub fn derive(cookie: &str, date: &[u8], host: &[u8]) -> Option<Self> {
        if date.len() > DATE_BYTES_MAX || host.len() > HOST_BYTES_MAX {
            return None;
        }
        let digits = cookie.as_bytes().first_chunk::<{ 2 * BLOCK_BYTES }>()?;
        let mut iv = Zeroizing::new([0; BLOCK_BYTES]);
        for (byte, pair) in iv.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = hex_value(pair[0])? << 4 | hex_value(pair[1])?;
        }
        let mut hash = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
        for part in [b"NSC_EPAC=", &digits[..], b"\r\n", date, b"\r\n", host, b"\r\n", &iv[..]] {
            hash.update(part);
        }
        let mut key = Zeroizing::new([0; BLOCK_BYTES]);
        for (byte, hashed) in key.iter_mut().zip(hash.finish().as_ref()) {
            *byte = *hashed;
        }
        Some(Self { key, iv })
    }

    /// Seals `plaintext` for the `CSEC` header.
    ///
    /// # Errors
    /// [`NotSealed`].
    pub fn seal(&self, plaintext: &[u8]) -> Result<String, NotSealed> {
        let failed = NotSealed(plaintext.len());
        if plaintext.len() > PLAINTEXT_BYTES_MAX {
            return Err(failed);
        }
        // With room for the padding, so that no copy stays behind when it is appended.
        let mut bytes = Zeroizing::new(Vec::with_capacity(plaintext.len() + BLOCK_BYTES));
        bytes.extend_from_slice(plaintext);
        let key =
            UnboundCipherKey::new(&AES_128, &self.key[..]).and_then(PaddedBlockEncryptingKey::cbc_pkcs7).map_err(|_| failed)?;
        key.less_safe_encrypt(&mut *bytes, EncryptionContext::Iv128(FixedLength::from(&*self.iv))).map_err(|_| failed)?;
        Ok(STANDARD.encode(&bytes[..]))
    }

    /// Opens the value of a `CSEC` header. What comes out has no padding, and is whatever the sender made of it.
    ///
    /// # Errors
    /// [`NotOpened`]: too long, not Base64, or not whole blocks.
    pub fn open(&self, payload: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(NotOpened);
        }
        let mut bytes = Zeroizing::new(STANDARD.decode(payload).map_err(|_| NotOpened)?);
        if bytes.is_empty() || !bytes.len().is_multiple_of(BLOCK_BYTES) {
            return Err(NotOpened);
        }
        let key = UnboundCipherKey::new(&AES_128, &self.key[..]).and_then(DecryptingKey::cbc).map_err(|_| NotOpened)?;
        key.decrypt(&mut bytes, DecryptionContext::Iv128(FixedLength::from(&*self.iv))).map_err(|_| NotOpened)?;
        let text_bytes = unpadded(&bytes).len();
        bytes.truncate(text_bytes);
        Ok(bytes)
    }
}

fn hex_value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::question::{judge, write_digits};
    use super::*;

    const COOKIE: &str = "981005eef29ce34c80f535f9e78f4b4d";

    /// The published sample's.
    fn envelope() -> Envelope {
        Envelope::derive(COOKIE, b"1498797356", b"vpn.example.com").unwrap()
    }

    #[test]
    fn the_published_sample_holds_in_both_directions() {
        let envelope = envelope();
        assert_eq!(*envelope.key, 0xed7f_701c_0f3f_15d7_4688_8c76_8936_84b4_u128.to_be_bytes());
        let question = "app_0_HD-ENC_180_VERSION_<_2.2;sys_0_DOMAIN_SUFFIX_anyof_example.com;";
        let sealed =
            "WWoNstbK760pVoPwPzHbs9pEf6Tj/iBk55gnHYwptPohBR0bKsiVVZmDN8J8530G4ISIFkRcC/1IaQSiOr8ouOYC84T5Hzbs2yH3Wq/KToo=";
        for (text, sealed) in [
            (question, sealed),
            ("0", "o1zuW94GIy9+ZKKiBEXqnw=="),
            ("3", "9SkQnVLn10BU+oIFvtdkkQ=="),
            ("00", "FzZN5UdmqU5c38BQG0jeTw=="),
            ("30", "tbhLNVRWVkeM6HzGiRP3ng=="),
        ] {
            assert_eq!(envelope.seal(text.as_bytes()).as_deref(), Ok(sealed));
            assert_eq!(envelope.open(sealed.as_bytes()).unwrap().as_slice(), text.as_bytes());
        }
        assert_eq!(format!("{envelope:?}"), "Envelope(…)");
    }

    #[test]
    fn every_part_of_the_request_makes_the_key() {
        let sealed = envelope().seal(b"00").unwrap();
        let open = |cookie: &str, date: &[u8], host: &[u8]| {
            let opened = Envelope::derive(cookie, date, host).unwrap().open(sealed.as_bytes());
            opened.is_ok_and(|opened| opened.as_slice() == b"00")
        };
        let longer = format!("{COOKIE}c0ffee");
        assert!(open(COOKIE, b"1498797356", b"vpn.example.com") && open(&longer, b"1498797356", b"vpn.example.com"));
        assert!(!open(&COOKIE.to_uppercase(), b"1498797356", b"vpn.example.com"), "the digits are hashed as issued");
        assert!(!open(&COOKIE.replace('d', "c"), b"1498797356", b"vpn.example.com"));
        assert!(!open(COOKIE, b"1498797357", b"vpn.example.com"));
        assert!(!open(COOKIE, b"1498797356", b"vpn.example.com:443"));
        assert!(!open(COOKIE, b"", b""));
    }

    #[test]
    fn what_makes_no_key_makes_none() {
        for cookie in ["", "98", &COOKIE[1..], "xyz", &COOKIE.replace('9', "g"), &COOKIE.replace("98", "é")] {
            assert!(Envelope::derive(cookie, b"1", b"h").is_none(), "{cookie}");
        }
        assert!(Envelope::derive(COOKIE, &[b'1'; DATE_BYTES_MAX], &[b'h'; HOST_BYTES_MAX]).is_some());
        assert!(Envelope::derive(COOKIE, &[b'1'; DATE_BYTES_MAX + 1], b"h").is_none());
        assert!(Envelope::derive(COOKIE, b"1", &[b'h'; HOST_BYTES_MAX + 1]).is_none());
    }

    #[test]
    fn what_does_not_open_says_nothing() {
        let (envelope, long) = (envelope(), "A".repeat(PAYLOAD_BYTES_MAX + 4));
        for payload in
            ["", "A", "AAAA", "o1zuW94GIy9+ZKKiBEXqnw=", "o1zuW94GIy9+ZKKiBEXqnw==AAAA", "o1zu W94GIy9+ZKKiBEXqnw==", &long]
        {
            assert_eq!(envelope.open(payload.as_bytes()).map(|_| ()), Err(NotOpened), "{payload:.40}");
        }
        let whole = vec![b';'; PLAINTEXT_BYTES_MAX];
        let sealed = envelope.seal(&whole).unwrap();
        assert!(sealed.len() <= PAYLOAD_BYTES_MAX);
        assert_eq!(envelope.open(sealed.as_bytes()).unwrap().as_slice(), whole);
        assert_eq!(envelope.seal(&[b';'; PLAINTEXT_BYTES_MAX + 1]), Err(NotSealed(PLAINTEXT_BYTES_MAX + 1)));
    }

    /// Old clients pad with 16 less the number of digits: with nothing, if there are sixteen.
    #[test]
    fn sixteen_digits_without_padding_are_read() {
        let envelope = envelope();
        let key = UnboundCipherKey::new(&AES_128, &envelope.key[..]).unwrap();
        let key = aws_lc_rs::cipher::EncryptingKey::cbc(key).unwrap();
        let mut block = *b"0000000000000003";
        key.less_safe_encrypt(&mut block, EncryptionContext::Iv128(FixedLength::from(&*envelope.iv))).unwrap();
        let opened = envelope.open(STANDARD.encode(block).as_bytes()).unwrap();
        let verdicts = judge(16, Some(&opened));
        assert_eq!(write_digits(&verdicts), "0000000000000003");
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(text in "[ -~]{0,80}", cookie in "[0-9a-fA-F]{32,40}", date in "[0-9]{1,12}", host in "[a-z.:0-9]{0,40}") {
            let envelope = Envelope::derive(&cookie, date.as_bytes(), host.as_bytes()).unwrap();
            let sealed = envelope.seal(text.as_bytes()).unwrap();
            let opened = envelope.open(sealed.as_bytes()).unwrap();
            prop_assert_eq!(opened.as_slice(), text.as_bytes());
        }

        #[test]
        fn arbitrary_payloads_are_answered(payload in prop::collection::vec(any::<u8>(), 0..128), blocks in prop::collection::vec(any::<[u8; 16]>(), 1..5)) {
            let _answered = envelope().open(&payload);
            prop_assert!(envelope().open(STANDARD.encode(blocks.concat()).as_bytes()).is_ok());
        }
    }
}
