//! Question and answer in the clear.
//!
//! ```text
//!   question   proc_2_firefox;device-cert_0_0;      every string is followed by ;
//!   answer     03                                   one digit per string, in that order: 0 passed, 3 failed
//! ```

use super::client_string::{CLIENT_STRING_BYTES_MAX, ClientString};

/// Most strings that reach a client.
pub const STRINGS_MAX: usize = 256;
/// Longest question, in bytes. It travels in a header, whose readers have their bounds; in its envelope it is a third longer.
pub const QUESTION_BYTES_MAX: usize = 24 * 1024;
/// Longest answer that is looked at, in bytes: the digits, and padding that was left on.
pub const ANSWER_BYTES_MAX: usize = STRINGS_MAX + 32;
const _: () = assert!(CLIENT_STRING_BYTES_MAX < QUESTION_BYTES_MAX);

/// The digit of a check that passed.
const PASSED: u8 = b'0';
/// The digit of a check that failed.
const FAILED: u8 = b'3';

/// What one scan asks: the strings of a factor in the order of its policies and of their texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    text: String,
    sent: usize,
    all: usize,
}

impl Question {
    /// Asks `strings`. Only the first [`STRINGS_MAX`] are sent, and no more than fit into [`QUESTION_BYTES_MAX`]; the others are not, and
    /// count as failed.
    #[must_use]
    pub fn new<'s>(strings: impl IntoIterator<Item = &'s ClientString>) -> Self {
        let mut question = Self { text: String::new(), sent: 0, all: 0 };
        let mut open = true;
        for string in strings {
            question.all += 1;
            let piece = format!("{string};");
            open = open && question.sent < STRINGS_MAX && question.text.len() + piece.len() <= QUESTION_BYTES_MAX;
            if open {
                question.text.push_str(&piece);
                question.sent += 1;
            }
        }
        question
    }

    /// The question as it is sent, before the envelope.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How many strings the client is asked.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.sent
    }

    /// Whether all strings are sent. The operator wants to know if not.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.sent == self.all
    }

    /// One verdict for each string that was to be asked, also for those that were not sent: these have failed. See [`judge`].
    #[must_use]
    pub fn verdicts(&self, answer: Option<&[u8]>) -> Vec<bool> {
        let mut verdicts = judge(self.sent, answer);
        verdicts.resize(self.all, false);
        verdicts
    }
}

/// One verdict for each of `asked` strings: passed or not. Padding that a client left on does not count; any byte but `0` is a failure;
/// and an answer that is missing or has another number of digits is a failure of all.
#[must_use]
pub fn judge(asked: usize, answer: Option<&[u8]>) -> Vec<bool> {
    let digits = answer.map(unpadded).filter(|digits| digits.len() == asked);
    digits.map_or_else(|| vec![false; asked], |digits| digits.iter().map(|digit| *digit == PASSED).collect())
}

/// `bytes` without what a client may have left behind its text: padding, line ends, NUL. All of it is below 20.
pub(super) fn unpadded(bytes: &[u8]) -> &[u8] {
    let text = bytes.iter().rposition(|byte| *byte >= 0x20).map_or(0, |at| at + 1);
    &bytes[..text]
}

/// The digits for `verdicts`: what a client answers.
#[must_use]
pub fn write_digits(verdicts: &[bool]) -> String {
    verdicts.iter().map(|passed| char::from(if *passed { PASSED } else { FAILED })).collect()
}

/// The strings of a question: what a client reads. `None` for what is no question: text without `;` at its end, more than
/// [`STRINGS_MAX`] strings, or more than [`QUESTION_BYTES_MAX`] bytes.
#[must_use]
pub fn read_question(question: &[u8]) -> Option<Vec<&str>> {
    let text = str::from_utf8(question).ok().filter(|text| text.len() <= QUESTION_BYTES_MAX)?;
    if text.is_empty() {
        return Some(Vec::new());
    }
    let strings: Vec<_> = text.strip_suffix(';')?.split(';').take(STRINGS_MAX + 1).collect();
    Some(strings).filter(|strings| strings.len() <= STRINGS_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn strings(count: usize) -> Vec<ClientString> {
        (0..count).map(|n| ClientString::parse(&format!("proc_0_p{n}")).unwrap()).collect()
    }

    #[test]
    fn a_question_is_a_list_of_which_each_part_is_ended() {
        let asked = ["app_0_HD-ENC_180_VERSION_<_2.2", "sys_0_DOMAIN_SUFFIX_anyof_example.com[COMMENT: ours]"];
        let asked = asked.map(|text| ClientString::parse(text).unwrap());
        let question = Question::new(&asked);
        assert_eq!(question.as_str(), "app_0_HD-ENC_180_VERSION_<_2.2;sys_0_DOMAIN_SUFFIX_anyof_example.com;");
        assert_eq!((question.sent(), question.is_whole()), (2, true));
        let read = read_question(question.as_str().as_bytes()).unwrap();
        assert_eq!(read, ["app_0_HD-ENC_180_VERSION_<_2.2", "sys_0_DOMAIN_SUFFIX_anyof_example.com"]);
        assert_eq!(Question::new([]).as_str(), "");
        assert_eq!(read_question(b""), Some(Vec::new()));
        for bad in [&b"proc_0_a"[..], b"proc_0_a;proc_0_b", b"\xff;", "x;".repeat(STRINGS_MAX + 1).as_bytes()] {
            assert_eq!(read_question(bad), None);
        }
    }

    #[test]
    fn of_257_strings_256_are_sent_and_the_last_has_failed() {
        let question = Question::new(&strings(STRINGS_MAX + 1));
        assert_eq!((question.sent(), question.is_whole()), (STRINGS_MAX, false));
        assert_eq!(question.as_str().matches(';').count(), STRINGS_MAX);
        let verdicts = question.verdicts(Some("0".repeat(STRINGS_MAX).as_bytes()));
        assert_eq!(verdicts.len(), STRINGS_MAX + 1);
        assert!(verdicts[..STRINGS_MAX].iter().all(|passed| *passed) && !verdicts[STRINGS_MAX]);
        assert!(question.verdicts(Some("0".repeat(STRINGS_MAX + 1).as_bytes())).iter().all(|passed| !passed));
    }

    #[test]
    fn what_does_not_fit_has_failed() {
        let long = |bytes: usize| ClientString::parse(&format!("proc_0_{}", "x".repeat(bytes))).unwrap();
        let mut asked: Vec<_> = (0..8).map(|_| long(4000)).collect();
        asked.push(long(1));
        let question = Question::new(&asked);
        // The short one at the end would fit, but the client must be able to answer in order.
        assert_eq!((question.sent(), question.is_whole()), (6, false));
        assert_eq!(question.verdicts(Some(b"000000")), [true, true, true, true, true, true, false, false, false]);
    }

    #[test]
    fn only_the_right_number_of_zeros_passes() {
        for (asked, answer, wanted) in [
            (2, Some(&b"00"[..]), &[true, true][..]),
            (2, Some(b"30"), &[false, true]),
            (2, Some(b"03"), &[true, false]),
            (2, Some(b"0x"), &[true, false]),
            (2, Some(b"0 "), &[true, false]),
            (2, Some(b"00\x0e\x0e\x0e"), &[true, true]),
            (2, Some(b"00\r\n\0"), &[true, true]),
            (2, Some(b"0\x000"), &[false, false]),
            (2, Some(b"0"), &[false, false]),
            (2, Some(b"000"), &[false, false]),
            (2, Some(b""), &[false, false]),
            (2, Some(b"\xff\xff"), &[false, false]),
            (2, None, &[false, false]),
            (0, Some(b""), &[]),
            (0, None, &[]),
        ] {
            assert_eq!(judge(asked, answer), wanted, "{answer:?}");
        }
    }

    proptest! {
        #[test]
        fn digits_read_back(verdicts in prop::collection::vec(any::<bool>(), 0..STRINGS_MAX)) {
            let digits = write_digits(&verdicts);
            prop_assert_eq!(judge(verdicts.len(), Some(digits.as_bytes())), verdicts);
        }

        #[test]
        fn no_answer_passes_more_than_it_says(asked in 0..8_usize, answer in prop::collection::vec(any::<u8>(), 0..12)) {
            let verdicts = judge(asked, Some(&answer));
            prop_assert_eq!(verdicts.len(), asked);
            for (passed, digit) in verdicts.iter().zip(answer.iter().copied().chain(std::iter::repeat(0))) {
                prop_assert!(!passed || digit == b'0');
            }
        }
    }
}
