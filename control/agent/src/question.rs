//! What a gateway asks: a list of client strings, in the clear or in an envelope.

use gate_proto::epa::envelope::Envelope;
use gate_proto::epa::question::read_question;
use gate_proto::epa::{BadClientString, ClientString};
use thiserror::Error;
use zeroize::Zeroizing;

/// Why a question is not answered. The gateway's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadQuestion {
    /// There is no `CSEC` header, or more than one.
    #[error("there is not exactly one question")]
    Missing,
    /// It does not come out of its envelope.
    #[error("the question cannot be decrypted")]
    Sealed,
    /// It is not a list of at most 256 strings and 24 KiB.
    #[error("the question is not a list, or is too long")]
    List,
    /// A string of it is none.
    #[error("part {number} of the question: {why}")]
    String {
        /// Which, from 1.
        number: usize,
        /// Why.
        why: BadClientString,
    },
}

/// A question that was read.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What is asked, in the order of the answer.
    pub strings: Vec<ClientString>,
    /// How the answer is to be wrapped.
    pub is_plain: bool,
}

impl Asked {
    /// Reads the value of a `CSEC` header. A list has a `;`, and Base64 has none: so it is told whether there is an envelope.
    ///
    /// # Errors
    /// [`BadQuestion`].
    pub fn read(payload: &[u8], envelope: &Envelope) -> Result<Self, BadQuestion> {
        let is_plain = payload.is_empty() || payload.contains(&b';');
        let text =
            if is_plain { Zeroizing::new(payload.to_vec()) } else { envelope.open(payload).map_err(|_| BadQuestion::Sealed)? };
        let list = read_question(&text).ok_or(BadQuestion::List)?;
        let read =
            |(at, text): (usize, &&str)| ClientString::parse(text).map_err(|why| BadQuestion::String { number: at + 1, why });
        Ok(Self { strings: list.iter().enumerate().map(read).collect::<Result<_, _>>()?, is_plain })
    }

    /// Minutes until this is to be answered again: the shortest interval of its strings.
    #[must_use]
    pub fn interval_minutes(&self) -> Option<u16> {
        self.strings.iter().filter_map(ClientString::interval_minutes).min()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn envelope() -> Envelope {
        Envelope::derive("981005eef29ce34c80f535f9e78f4b4d", b"1498797356", b"vpn.example.com").unwrap()
    }

    fn read(text: &[u8]) -> Result<Asked, BadQuestion> {
        let sealed = envelope().seal(text).map_err(|_| BadQuestion::Sealed)?;
        Asked::read(sealed.as_bytes(), &envelope())
    }

    #[test]
    fn the_published_question_is_read() {
        let payload =
            b"WWoNstbK760pVoPwPzHbs9pEf6Tj/iBk55gnHYwptPohBR0bKsiVVZmDN8J8530G4ISIFkRcC/1IaQSiOr8ouOYC84T5Hzbs2yH3Wq/KToo=";
        let asked = Asked::read(payload, &envelope()).unwrap_or_else(|why| panic!("{why}"));
        let texts: Vec<_> = asked.strings.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["app_0_HD-ENC_180_VERSION_<_2.2", "sys_0_DOMAIN_SUFFIX_anyof_example.com"]);
        assert!(!asked.is_plain && asked.interval_minutes().is_none());
    }

    #[test]
    fn the_shortest_interval_counts() {
        let asked = Asked::read(b"proc_5_a;proc_2_b;file_0_/c;", &envelope()).unwrap_or_else(|why| panic!("{why}"));
        assert!(asked.is_plain);
        assert_eq!(asked.interval_minutes(), Some(2));
    }

    #[test]
    fn garbage_is_refused_by_name() {
        let many = "proc_0_a;".repeat(257);
        for (text, why) in [
            (&b"proc_0_a"[..], BadQuestion::List),
            (many.as_bytes(), BadQuestion::List),
            (b"proc_0_a;\xff;", BadQuestion::List),
            (b"proc_0_a;firefox;", BadQuestion::String { number: 2, why: BadClientString::Shape }),
            (b"proc_10081_a;", BadQuestion::String { number: 1, why: BadClientString::Interval }),
            (b"proc_-1_a;", BadQuestion::String { number: 1, why: BadClientString::Interval }),
            (b"proc_0_a\x1b[2J;", BadQuestion::String { number: 1, why: BadClientString::Character }),
        ] {
            assert_eq!(read(text).map(|_| ()), Err(why), "{}", String::from_utf8_lossy(text));
        }
        assert_eq!(Asked::read(b"not Base64", &envelope()).map(|_| ()), Err(BadQuestion::Sealed));
        assert!(Asked::read(b"", &envelope()).is_ok_and(|asked| asked.strings.is_empty()));
    }

    proptest! {
        #[test]
        fn arbitrary_payloads_are_answered(payload in prop::collection::vec(any::<u8>(), 0..200)) {
            let _answered = Asked::read(&payload, &envelope()).map(|asked| asked.strings.len());
        }
    }
}
