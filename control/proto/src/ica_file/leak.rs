//! Does a file that goes to a client say anything about the host? Used by the demo and the tests on every launch.
//!
//! Searched are the text itself and every run of base64 in it, decoded. Host names and addresses count anywhere,
//! without regard to case; a port counts where it stands alone, since a ticket's digits may hold it by chance.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Shortest run of base64 letters worth decoding.
const RUN_CHARS_MIN: usize = 8;
/// Deepest nesting of base64 in base64.
const DEPTH_MAX: u8 = 3;
/// The one literal that may hold a port: session reliability without an address.
const SESSION_RELIABILITY: &str = "*:2598";

/// What must not be told.
#[derive(Clone, Copy, Debug)]
pub struct HostFacts<'a> {
    /// Addresses and names, in every form in which they might be written.
    pub names: &'a [&'a str],
    /// Ports.
    pub ports: &'a [u16],
}

/// Something that was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// The name, address or port.
    pub fact: String,
    /// How often it was wrapped in base64; 0 is in the open.
    pub wrapped: u8,
}

/// Everything in `text` that tells of the host.
#[must_use]
pub fn find(text: &str, facts: HostFacts<'_>) -> Vec<Leak> {
    let mut leaks = Vec::new();
    search(text, facts, 0, &mut leaks);
    leaks
}

fn search(text: &str, facts: HostFacts<'_>, wrapped: u8, leaks: &mut Vec<Leak>) {
    let lower = text.replace(SESSION_RELIABILITY, "").to_lowercase();
    for name in facts.names.iter().filter(|name| !name.is_empty()) {
        if lower.contains(&name.to_lowercase()) {
            leaks.push(Leak { fact: (*name).to_owned(), wrapped });
        }
    }
    for port in facts.ports {
        let digits = port.to_string();
        let words = lower.split(|c: char| !c.is_alphanumeric());
        if words.into_iter().any(|word| word == digits) {
            leaks.push(Leak { fact: digits, wrapped });
        }
    }
    if wrapped < DEPTH_MAX {
        let in_alphabet = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_');
        let runs = text.split(|c: char| !in_alphabet(c)).filter(|run| run.len() >= RUN_CHARS_MIN);
        for decoded in runs.flat_map(decode_run) {
            search(&decoded, facts, wrapped + 1, leaks);
        }
    }
}

/// A run may begin anywhere in a longer word, so all four alignments are tried, in both alphabets.
fn decode_run(run: &str) -> impl Iterator<Item = String> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let engines = [GeneralPurpose::new(&alphabet::STANDARD, config), GeneralPurpose::new(&alphabet::URL_SAFE, config)];
    let aligned = (0..4).filter_map(move |start| run.get(start..)).map(|run| {
        let whole = if run.len() % 4 == 1 { run.len() - 1 } else { run.len() };
        run.get(..whole).unwrap_or_default()
    });
    aligned.flat_map(move |run| {
        let decoded: Vec<_> = engines.iter().filter_map(|engine| engine.decode(run).ok()).collect();
        decoded.into_iter().flat_map(|bytes| {
            // Text of two bytes per character shows up once the zeros are gone.
            let narrow: Vec<u8> = bytes.iter().copied().filter(|&b| b != 0).collect();
            [String::from_utf8_lossy(&bytes).into_owned(), String::from_utf8_lossy(&narrow).into_owned()]
        })
    })
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.wrapped {
            0 => write!(f, "{} in the open", self.fact),
            times => write!(f, "{} inside base64, {times} deep", self.fact),
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

    use super::super::write::tests::example;
    use super::*;

    const FACTS: HostFacts<'_> = HostFacts { names: &["192.0.2.20", "srv-a.example.test", "srv-a"], ports: &[1494, 2598] };

    #[test]
    fn a_written_file_says_nothing() {
        assert_eq!(find(example("Notepad", "Notepad").unwrap().expose(), FACTS), []);
    }

    #[test]
    fn each_way_of_telling_is_found() {
        let wrap = |text: &str| BASE64_STANDARD.encode(text);
        let wide: Vec<u8> = "192.0.2.20".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (text, fact, wrapped) in [
            ("Address=192.0.2.20:80".to_owned(), "192.0.2.20", 0),
            ("Title=SRV-A".to_owned(), "srv-a", 0),
            ("CGPAddress=host:2598".to_owned(), "2598", 0),
            ("port 1494.".to_owned(), "1494", 0),
            (format!("LaunchReference={}", wrap("to 192.0.2.20")), "192.0.2.20", 1),
            (format!("Key={}", BASE64_URL_SAFE_NO_PAD.encode("??srv-a?>")), "srv-a", 1),
            (format!("Key={}", wrap(&wrap("192.0.2.20"))), "192.0.2.20", 2),
            (format!("Key={}", BASE64_STANDARD.encode(wide)), "192.0.2.20", 1),
            (format!("Key=xyz{}", wrap("to 192.0.2.20 now")), "192.0.2.20", 1),
        ] {
            let leaks = find(&text, FACTS);
            assert!(leaks.contains(&Leak { fact: fact.into(), wrapped }), "{text}: {leaks:?}");
        }
    }

    #[test]
    fn chance_digits_and_the_literal_are_no_leak() {
        assert_eq!(find("Address=;40;STA01;AB1494CD2598EF00AA\r\nCGPAddress=*:2598\r\n", FACTS), []);
    }
}
