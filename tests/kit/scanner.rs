//! An endpoint scanner as a gateway sees one: three requests with a token, answers in digits, repeated while the session lasts.
//!
//! ```text
//!   /epatype ─► "Epa:on"?     /epaq ─► CSEC: what is asked     /epas + CSEC: one digit each, 0 passed, 3 failed
//! ```
//!
//! The encryption is written down here a second time, from the published description, so that one mistake cannot hide on both sides.

use std::io;

use aws_lc_rs::cipher::{
    AES_128, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::iv::FixedLength;

use crate::gateway::{Gateway, NAME};
use crate::web::Web;

/// What a scanner has as its date: any will do, since it only enters the key.
const DATE: &str = "1498797356";

/// A scanner that was started with a token.
#[derive(Clone, Debug)]
pub struct Scanner {
    token: String,
    repeats: bool,
}

/// An answer of the gateway's to a question of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// What is to be looked at.
    Strings(Vec<String>),
    /// Nothing yet: to be asked again in so many seconds.
    Later(u64),
    /// The token is worth nothing, with this status.
    Refused(u16),
}

impl Scanner {
    /// One that scans once.
    #[must_use]
    pub fn new(token: impl Into<String>) -> Self {
        Self { token: token.into(), repeats: false }
    }

    /// One that says that it will repeat.
    #[must_use]
    pub fn that_repeats(self) -> Self {
        Self { repeats: true, ..self }
    }

    /// The token in the link that a page starts the agent with.
    ///
    /// # Panics
    /// If the page has no such link.
    #[must_use]
    pub fn token_in(page: &str) -> String {
        let link = page.split("nsgcepa://nsgcepa/epav2plugin/").nth(1).unwrap_or_else(|| panic!("no link to the agent: {page}"));
        link.split('/').nth(1).unwrap_or_default().to_owned()
    }

    /// Whether a scan is wanted.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn is_wanted(&self, gateway: &Gateway) -> io::Result<bool> {
        let answer = self.ask(gateway, "/epatype", None)?;
        Ok(answer.status == 200 && answer.body.contains("Epa:on"))
    }

    /// What is to be looked at.
    ///
    /// # Errors
    /// If the connection breaks, or what is asked cannot be deciphered.
    pub fn question(&self, gateway: &Gateway) -> io::Result<Asked> {
        let answer = self.ask(gateway, "/epaq", None)?;
        if answer.status != 200 {
            return Ok(Asked::Refused(answer.status));
        }
        let plain = self.opened(answer.header("csec"), &host(gateway))?;
        let plain = String::from_utf8(plain).map_err(io::Error::other)?;
        if let (true, Ok(seconds)) = (plain.is_empty(), answer.header("retry-after").parse()) {
            return Ok(Asked::Later(seconds));
        }
        Ok(Asked::Strings(plain.split_terminator(';').map(str::to_owned).collect()))
    }

    /// Answers, and says with which status that was taken.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn answer(&self, gateway: &Gateway, digits: &str) -> io::Result<u16> {
        let sealed = self.sealed(digits, &host(gateway));
        Ok(self.ask(gateway, "/epas", Some(&sealed))?.status)
    }

    fn ask(&self, gateway: &Gateway, path: &str, payload: Option<&str>) -> io::Result<crate::browser::Answer> {
        let cookie = format!("NSC_EPAC={}", self.token);
        let mut headers = vec![
            ("Cookie", cookie.as_str()),
            ("Date", DATE),
            ("User-Agent", "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 6.0; AGEE 8.0;) NAC/1.0 plugin 23.8.1.11"),
        ];
        if let Some(payload) = payload {
            headers.push(("CSEC", payload));
        }
        if self.repeats {
            headers.push(("X-Sluicegate-EPA", "periodic"));
        }
        Web::new(gateway).request("GET", path, &headers, b"")
    }

    /// Key and initialisation vector of this token with a host.
    fn key(&self, host: &str) -> ([u8; 16], [u8; 16]) {
        let first = self.token.get(..32).expect("a token begins with 32 hex digits");
        let raw: Vec<u8> = (0..16).map(|n| u8::from_str_radix(&first[2 * n..2 * n + 2], 16).expect("hex digits")).collect();
        let text = [format!("NSC_EPAC={first}\r\n{DATE}\r\n{host}\r\n").as_bytes(), &raw].concat();
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &text);
        (hash.as_ref()[..16].try_into().expect("16 of 20 bytes"), raw.try_into().expect("16 bytes"))
    }

    fn sealed(&self, plain: &str, host: &str) -> String {
        let (key, iv) = self.key(host);
        let key = UnboundCipherKey::new(&AES_128, &key).and_then(PaddedBlockEncryptingKey::cbc_pkcs7).expect("a key");
        let mut bytes = plain.as_bytes().to_vec();
        key.less_safe_encrypt(&mut bytes, EncryptionContext::Iv128(FixedLength::from(iv))).expect("any text can be enciphered");
        base64(&bytes)
    }

    fn opened(&self, payload: &str, host: &str) -> io::Result<Vec<u8>> {
        let (key, iv) = self.key(host);
        let key =
            UnboundCipherKey::new(&AES_128, &key).and_then(PaddedBlockDecryptingKey::cbc_pkcs7).map_err(io::Error::other)?;
        let mut bytes = of_base64(payload).ok_or_else(|| io::Error::other("not Base64"))?;
        let plain = key.decrypt(&mut bytes, DecryptionContext::Iv128(FixedLength::from(iv))).map_err(io::Error::other)?;
        Ok(plain.to_vec())
    }
}

/// As [`Web`] names the gateway.
fn host(_gateway: &Gateway) -> String {
    NAME.to_owned()
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let n = (0..3).fold(0_usize, |n, at| n << 8 | usize::from(*chunk.get(at).unwrap_or(&0)));
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            text.push(if at <= chunk.len() { char::from(DIGITS[n >> shift & 63]) } else { '=' });
        }
    }
    text
}

fn of_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for chunk in text.trim_end_matches('=').as_bytes().chunks(4) {
        let value = |digit: &u8| DIGITS.iter().position(|one| one == digit);
        let n = (0..4).try_fold(0_usize, |n, at| Some(n << 6 | chunk.get(at).map_or(Some(0), value)?))?;
        bytes.extend([n >> 16, n >> 8, n].iter().take(chunk.len().saturating_sub(1)).map(|n| u8::try_from(n & 255).unwrap_or(0)));
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_exchange_is_read_and_written() {
        let scanner = Scanner::new("981005eef29ce34c80f535f9e78f4b4d");
        let asked =
            "WWoNstbK760pVoPwPzHbs9pEf6Tj/iBk55gnHYwptPohBR0bKsiVVZmDN8J8530G4ISIFkRcC/1IaQSiOr8ouOYC84T5Hzbs2yH3Wq/KToo=";
        let plain = scanner.opened(asked, "vpn.example.com").unwrap();
        assert_eq!(plain, b"app_0_HD-ENC_180_VERSION_<_2.2;sys_0_DOMAIN_SUFFIX_anyof_example.com;");
        for (digits, sealed) in [
            ("0", "o1zuW94GIy9+ZKKiBEXqnw=="),
            ("3", "9SkQnVLn10BU+oIFvtdkkQ=="),
            ("00", "FzZN5UdmqU5c38BQG0jeTw=="),
            ("30", "tbhLNVRWVkeM6HzGiRP3ng=="),
        ] {
            assert_eq!(scanner.sealed(digits, "vpn.example.com"), sealed);
        }
    }
}
