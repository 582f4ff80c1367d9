//! The audit log: who did what, in lines that cannot be edited, dropped, moved or cut off without it being seen.
//!
//! ```text
//!   {"n":1,"time":…,"event":"change",…,"chain":C1}      C1 = H(C0 ‖ line without its chain)
//!   {"n":2,"time":…,"event":"kill",…,"chain":C2}        C2 = H(C1 ‖ …)
//!   {"n":3,"time":…,"event":"stamp","mac":M,"chain":C3} M  = MAC(key, C2 ‖ 3): only who has the key can make a chain anew
//!   head file: 3 C3 MAC(key, C3 ‖ 3)                    what the last line must be: shows a tail cut off
//! ```
//!
//! Each line is an object in JSON. H is BLAKE2s-256, MAC is keyed BLAKE2s-256. Reading needs no parser of JSON: number, chain and
//! mac stand at fixed places of the text, and the chain covers every byte before itself.

use std::fmt::Write as _;

use blake2::digest::{Digest as _, KeyInit, Mac as _};
use blake2::{Blake2s256, Blake2sMac256};
use thiserror::Error;
use zeroize::Zeroizing;

/// Length of the key, in bytes.
pub const KEY_BYTES: usize = 32;
/// Longest line, in bytes; longer values are cut by whoever makes them.
pub const LINE_BYTES_MAX: usize = 64 << 10;
/// Length of a hash or mac, in bytes.
const HASH_BYTES: usize = 32;

type Hash = [u8; HASH_BYTES];

/// The key of stamps. Whoever can read it can make an audit log that looks right.
pub struct Key(Zeroizing<[u8; KEY_BYTES]>);

impl Key {
    /// Takes a key.
    #[must_use]
    pub fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads the digits of a key, as [`Key::digits`] writes them.
    #[must_use]
    pub fn parse(digits: &str) -> Option<Self> {
        unhex(digits.trim()).map(Self::new)
    }

    /// The key as digits, for its file.
    #[must_use]
    pub fn digits(&self) -> Zeroizing<String> {
        Zeroizing::new(hex(self.0.as_slice()))
    }

    fn mac(&self, chain: &Hash, n: u64) -> Hash {
        let Ok(mac) = Blake2sMac256::new_from_slice(&*self.0) else {
            // A key of 32 bytes always fits; a mac of nothing but zeros never matches a real one.
            return [0; HASH_BYTES];
        };
        mac.chain_update(chain).chain_update(n.to_be_bytes()).finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

/// A value of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text of anybody's choosing.
    Text(String),
    /// A number.
    Number(u64),
}

/// What is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What happened: `change`, `kill`, `save`, `refused`, `login` …
    pub event: &'static str,
    /// By whom, to what, with which result.
    pub fields: Vec<(&'static str, Value)>,
}

/// Where a chain stands: the number and hash of its last line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    n: u64,
    head: Hash,
}

impl Default for Chain {
    /// Before the first line.
    fn default() -> Self {
        Self { n: 0, head: [0; HASH_BYTES] }
    }
}

impl Chain {
    /// Goes on behind `last_line`, the last of a file that is trusted so far.
    ///
    /// # Errors
    /// [`Fault`] if it is not a line of an audit log.
    pub fn after(last_line: &str) -> Result<Self, Fault> {
        let line = Line::read(last_line)?;
        Ok(Self { n: line.n, head: line.chain })
    }

    /// How many lines there are.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.n
    }

    /// The next line, without its end.
    pub fn line(&mut self, time: &str, entry: &Entry) -> String {
        let mut line = self.begin(time, entry.event);
        for (name, value) in &entry.fields {
            line.push(',');
            string_into(&mut line, name);
            line.push(':');
            match value {
                Value::Text(text) => string_into(&mut line, text),
                Value::Number(number) => drop(write!(line, "{number}")),
            }
        }
        self.end(line)
    }

    /// A stamp, likewise: from here on nobody without the key can have made what stands before.
    pub fn stamp(&mut self, time: &str, key: &Key) -> String {
        let mac = key.mac(&self.head, self.n + 1);
        let mut line = self.begin(time, STAMP);
        let _ = write!(line, ",\"mac\":\"{}\"", hex(&mac));
        self.end(line)
    }

    /// What stands in the head file.
    #[must_use]
    pub fn head(&self, key: &Key) -> String {
        format!("{} {} {}\n", self.n, hex(&self.head), hex(&key.mac(&self.head, self.n)))
    }

    fn begin(&mut self, time: &str, event: &str) -> String {
        self.n += 1;
        let mut line = format!("{{\"n\":{},\"time\":", self.n);
        string_into(&mut line, time);
        line.push_str(",\"event\":");
        string_into(&mut line, event);
        line
    }

    fn end(&mut self, mut line: String) -> String {
        self.head = hash(&self.head, line.as_bytes());
        let _ = write!(line, "{CHAIN}{}\"}}", hex(&self.head));
        line
    }
}

const STAMP: &str = "stamp";
const CHAIN: &str = ",\"chain\":\"";

/// What is wrong with an audit log. Somebody has changed it, or it is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The text is not a line of an audit log.
    #[error("this is no line of an audit log")]
    NotALine,
    /// A line is missing before this one, was added, or moved.
    #[error("this should be record {expected} and is {found}: records are missing, added or moved")]
    Number {
        /// Which it should be.
        expected: u64,
        /// Which it is.
        found: u64,
    },
    /// The line, or one before it, is not what was written.
    #[error("the chain does not hold: this record or the one before it was changed")]
    Chain,
    /// The chain was made by somebody without the key.
    #[error("the stamp was not made with this key: everything since the last good stamp may be made up")]
    Stamp,
    /// The head file says that the log goes on.
    #[error("the log ends at record {found}, and its head file says {expected}: its tail was cut off")]
    Tail {
        /// The last by the head file.
        expected: u64,
        /// The last there is.
        found: u64,
    },
    /// The head file is not one, was made without the key, or belongs to another log.
    #[error("the head file does not belong to this log")]
    Head,
}

/// Reads an audit log line by line.
#[derive(Debug, Default)]
pub struct Verifier {
    chain: Option<Chain>,
    first: u64,
    stamped: u64,
    stamps: u64,
}

/// What a whole log turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Number of the first record; 1 unless older files were taken away.
    pub first: u64,
    /// Number of the last one.
    pub last: u64,
    /// Stamps among them that were made with the key.
    pub stamps: u64,
    /// The last record that a stamp vouches for; those behind it are only chained.
    pub stamped: u64,
}

impl Verifier {
    /// Takes the next line, without its end.
    ///
    /// # Errors
    /// [`Fault`]; nothing behind it can be trusted.
    pub fn take(&mut self, text: &str, key: Option<&Key>) -> Result<(), Fault> {
        let line = Line::read(text)?;
        if let Some(before) = &self.chain {
            if line.n != before.n + 1 {
                return Err(Fault::Number { expected: before.n + 1, found: line.n });
            }
            if hash(&before.head, line.covered.as_bytes()) != line.chain {
                return Err(Fault::Chain);
            }
        } else {
            // The first line of the first file follows nothing; that of a later one follows what is no longer here.
            if line.n == 1 && hash(&[0; HASH_BYTES], line.covered.as_bytes()) != line.chain {
                return Err(Fault::Chain);
            }
            self.first = line.n;
        }
        if let (Some(mac), Some(key), Some(before)) = (line.mac, key, &self.chain) {
            if key.mac(&before.head, line.n) != mac {
                return Err(Fault::Stamp);
            }
            self.stamped = before.n;
            self.stamps += 1;
        }
        self.chain = Some(Chain { n: line.n, head: line.chain });
        Ok(())
    }

    /// Ends, with the content of the head file if there is one.
    ///
    /// # Errors
    /// [`Fault::Tail`] and [`Fault::Head`].
    pub fn finish(self, head: Option<&str>, key: Option<&Key>) -> Result<Verified, Fault> {
        let chain = self.chain.unwrap_or_default();
        if let Some(head) = head {
            let mut words = head.split_ascii_whitespace();
            let n: u64 = words.next().and_then(|word| word.parse().ok()).ok_or(Fault::Head)?;
            let said: Hash = words.next().and_then(unhex).ok_or(Fault::Head)?;
            let mac: Hash = words.next().and_then(unhex).ok_or(Fault::Head)?;
            if key.is_some_and(|key| key.mac(&said, n) != mac) {
                return Err(Fault::Head);
            }
            if n > chain.n {
                return Err(Fault::Tail { expected: n, found: chain.n });
            }
            // The head is written behind the line: a crash in between leaves it one behind.
            if n == chain.n && said != chain.head {
                return Err(Fault::Head);
            }
        }
        Ok(Verified { first: self.first, last: chain.n, stamps: self.stamps, stamped: self.stamped })
    }
}

/// A line taken apart.
struct Line<'l> {
    n: u64,
    /// What the chain covers.
    covered: &'l str,
    chain: Hash,
    mac: Option<Hash>,
}

impl<'l> Line<'l> {
    fn read(text: &'l str) -> Result<Self, Fault> {
        let read = || {
            let (covered, chain) = text.strip_suffix("\"}")?.rsplit_once(CHAIN)?;
            let (n, rest) = covered.strip_prefix("{\"n\":")?.split_once(",\"time\":\"")?;
            // A time has no quotes in it.
            let (_, rest) = rest.split_once("\",\"event\":\"")?;
            let mac = match rest.strip_prefix("stamp\",\"mac\":\"") {
                Some(mac) => Some(unhex(mac.strip_suffix('"')?)?),
                None => None,
            };
            Some(Self { n: n.parse().ok()?, covered, chain: unhex(chain)?, mac })
        };
        if text.len() > LINE_BYTES_MAX { Err(Fault::NotALine) } else { read().ok_or(Fault::NotALine) }
    }
}

fn hash(before: &Hash, covered: &[u8]) -> Hash {
    Blake2s256::new().chain_update(before).chain_update(covered).finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if digits.len() != 64 || !digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// A string of JSON in printable ASCII, so that nothing in a log acts on the terminal that shows it.
fn string_into(line: &mut String, text: &str) {
    line.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            ' '..='~' => line.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(line, "\\u{unit:04x}");
                }
            }
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> Key {
        Key::new([7; KEY_BYTES])
    }

    fn log(entries: usize) -> (Vec<String>, String) {
        let mut chain = Chain::default();
        let mut lines = Vec::new();
        for at in 0..entries {
            if at % 5 == 4 {
                lines.push(chain.stamp("2026-11-22T00:00:00Z", &key()));
            } else {
                let line = Value::Text(format!("set ns hostName \"h{at}\",\"chain\":\"x\"}}"));
                let fields = vec![("uid", Value::Number(at as u64)), ("line", line)];
                lines.push(chain.line("2026-11-22T00:00:00Z", &Entry { event: "change", fields }));
            }
        }
        let head = chain.head(&key());
        (lines, head)
    }

    fn verify(lines: &[String], head: Option<&str>, key: Option<&Key>) -> Result<Verified, (usize, Fault)> {
        let mut verifier = Verifier::default();
        for (at, line) in lines.iter().enumerate() {
            verifier.take(line, key).map_err(|fault| (at, fault))?;
        }
        verifier.finish(head, key).map_err(|fault| (lines.len(), fault))
    }

    #[test]
    fn what_was_written_verifies() {
        let (lines, head) = log(12);
        let whole = Verified { first: 1, last: 12, stamps: 2, stamped: 9 };
        assert_eq!(verify(&lines, Some(&head), Some(&key())), Ok(whole));
        assert_eq!(verify(&lines, None, None), Ok(Verified { stamps: 0, stamped: 0, ..whole }));
        // Older files may be gone.
        assert_eq!(verify(&lines[5..], Some(&head), Some(&key())).map(|v| (v.first, v.last)), Ok((6, 12)));
        // A crash between line and head.
        let (_, behind) = log(11);
        verify(&lines, Some(&behind), Some(&key())).unwrap();
        // It goes on where it ended.
        let mut chain = Chain::after(&lines[11]).unwrap();
        let mut longer = lines;
        longer.push(chain.line("t", &Entry { event: "save", fields: vec![] }));
        assert_eq!(verify(&longer, Some(&head), Some(&key())).map(|v| v.last), Ok(13));
    }

    #[test]
    fn every_kind_of_tampering_is_seen() {
        let (lines, head) = log(12);
        let key = key();
        for at in 0..12 {
            let mut edited = lines.clone();
            edited[at] = edited[at].replacen("2026", "2027", 1);
            assert!(matches!(verify(&edited, Some(&head), Some(&key)), Err((a, Fault::Chain)) if a == at));
            let mut deleted = lines.clone();
            deleted.remove(at);
            // Without its first lines it is a later file; that they were there stands in the number of the first.
            assert!(verify(&deleted, Some(&head), Some(&key)).map_or(true, |v| at == 0 && v.first == 2), "{at}");
            assert_eq!(verify(&lines[..at], Some(&head), Some(&key)), Err((at, Fault::Tail { expected: 12, found: at as u64 })));
            if at > 0 {
                let mut moved = lines.clone();
                moved.swap(at - 1, at);
                verify(&moved, Some(&head), Some(&key)).unwrap_err();
            }
        }
        let mut twice = lines.clone();
        twice.insert(3, lines[3].clone());
        assert_eq!(verify(&twice, None, None), Err((4, Fault::Number { expected: 5, found: 4 })));
    }

    /// Somebody without the key computes the whole chain anew.
    #[test]
    fn a_chain_made_anew_fails_at_its_first_stamp() {
        let (lines, _) = log(12);
        let forger = Key::new([9; KEY_BYTES]);
        let mut chain = Chain::default();
        let forged: Vec<String> = (0..12)
            .map(|at| match at % 5 {
                4 => chain.stamp("t", &forger),
                _ => chain.line("t", &Entry { event: "change", fields: vec![] }),
            })
            .collect();
        assert_eq!(verify(&forged, None, Some(&key())), Err((4, Fault::Stamp)));
        assert_eq!(verify(&lines, Some(&chain.head(&forger)), Some(&key())), Err((12, Fault::Head)));
    }

    proptest! {
        #[test]
        fn any_text_is_kept_and_printable(text in any::<String>()) {
            let mut chain = Chain::default();
            let line = chain.line("t", &Entry { event: "change", fields: vec![("line", Value::Text(text))] });
            prop_assert!(line.bytes().all(|b| (b' '..=b'~').contains(&b)));
            let mut verifier = Verifier::default();
            verifier.take(&line, None).unwrap();
            prop_assert_eq!(Chain::after(&line).unwrap(), chain);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,80}|\\{\"n\":[0-9]{0,30},\"time\":\"[\"a,]{0,9}\",\"event\":\"(stamp\",\"mac\":)?[\"0-9a-f,chain:}]{0,99}") {
            let mut verifier = Verifier::default();
            let _ = verifier.take(&text, Some(&key()));
            let _ = verifier.finish(Some(&text), Some(&key()));
        }
    }
}
