//! One look at a client: what it is asked, and what it claims.
//!
//! ```text
//!   asked ──► question (again: the last counts) ──► answer, within a minute, once ──► claim ──► judged, once
//!                          no answer, an answer before its question, one of another length: all has failed
//! ```
//!
//! What a client says about itself is a claim. It can only choose between groups that the configuration has for it; it proves nobody's
//! identity.

use std::time::Duration;

use super::orders::Orders;
use super::path::Void;
use crate::Now;

/// How long a client may take for its answer.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// How many strings are named that are not as they should be.
pub const LACKING_MAX: usize = 8;
/// The digit of something that is as it should be.
pub const PASSED: u8 = b'0';

/// What a client is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanQuestion {
    /// What it is to look at, in the order in which it answers; at most
    /// [`CLIENT_STRINGS_MAX`](gate_config::model::authentication::CLIENT_STRINGS_MAX). As configured, comments among them.
    pub strings: Vec<Box<str>>,
    /// What it is to do first, if its user agrees.
    pub orders: Orders,
}

/// How far a look at a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Whoever looks has not come yet.
    Waiting,
    /// It has come, and has not answered.
    Begun,
    /// It has answered.
    Answered,
}

/// Why a look at a client was not good enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// There is no answer that counts.
    Void(Void),
    /// These strings would have to be answered otherwise, one of them or all.
    Strings {
        /// The first of them, at most [`LACKING_MAX`]. As configured, comments among them.
        first: Vec<Box<str>>,
        /// How many more.
        more: usize,
    },
}

impl Lack {
    /// `None`: nothing is known.
    pub(super) fn of_strings(all: Vec<&str>) -> Option<Self> {
        let mut first: Vec<Box<str>> = Vec::new();
        for one in all {
            if !first.iter().any(|known| **known == *one) {
                first.push(one.into());
            }
        }
        let more = first.len().saturating_sub(LACKING_MAX);
        first.truncate(LACKING_MAX);
        (!first.is_empty()).then_some(Self::Strings { first, more })
    }
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanNoted {
    /// It counts. `passed`: what was asked about is as some policy wants it.
    Taken {
        /// See above.
        passed: bool,
    },
    /// It counts as if all had failed, since it does not say one thing about each that was asked.
    Malformed,
    /// It does not count: nothing was asked.
    Unasked,
    /// It does not count: the question was too long ago.
    Late,
    /// It does not count: the question was answered before. The first answer stays.
    Repeated,
}

/// A question with its answer.
#[derive(Debug)]
pub(super) struct Exchange {
    strings: Vec<Box<str>>,
    orders: Orders,
    asked: Asked,
    /// Whoever looks has come.
    begun: bool,
    /// The certificate of the client's machine was found good since the latest question.
    device: bool,
}

#[derive(Debug)]
enum Asked {
    /// Not yet.
    No,
    /// Then.
    At(Now),
    /// And answered: what passed, by position, or that it was no answer.
    Answered(Option<Vec<bool>>),
    /// And answered too late.
    Late,
}

impl Exchange {
    pub(super) const fn new(strings: Vec<Box<str>>, orders: Orders) -> Self {
        Self { strings, orders, asked: Asked::No, begun: false, device: false }
    }

    pub(super) fn len(&self) -> usize {
        self.strings.len()
    }

    pub(super) const fn stage(&self) -> Stage {
        match self.asked {
            Asked::Answered(_) | Asked::Late => Stage::Answered,
            Asked::No if !self.begun => Stage::Waiting,
            Asked::No | Asked::At(_) => Stage::Begun,
        }
    }

    /// Whoever looks has come.
    pub(super) const fn begin(&mut self) {
        self.begun = true;
    }

    /// Asks, or asks again: from now on only an answer to this one counts.
    pub(super) fn ask(&mut self, now: Now) -> ScanQuestion {
        self.asked = Asked::At(now);
        self.device = false;
        ScanQuestion { strings: self.strings.clone(), orders: self.orders.clone() }
    }

    /// The certificate of the client's machine is good. Whether that is wanted now.
    pub(super) fn prove_device(&mut self, now: Now) -> bool {
        let is_open = matches!(self.asked, Asked::At(at) if now.saturating_sub(at) <= ANSWER_WITHIN);
        let wanted = is_open && self.strings.iter().any(|string| is_of_device(string));
        self.device |= wanted;
        wanted
    }

    /// One digit for each string, in their order. `None`: what came could not be read.
    pub(super) fn answer(&mut self, digits: Option<&[u8]>, now: Now) -> Result<&[bool], ScanNoted> {
        match self.asked {
            Asked::No => Err(ScanNoted::Unasked),
            Asked::Answered(_) => Err(ScanNoted::Repeated),
            Asked::Late => Err(ScanNoted::Late),
            Asked::At(at) if now.saturating_sub(at) > ANSWER_WITHIN => {
                self.asked = Asked::Late;
                Err(ScanNoted::Late)
            }
            Asked::At(_) => {
                let digits = digits.filter(|digits| digits.len() == self.strings.len());
                // Of its certificate the machine's word is worth nothing.
                let strings = || self.strings.iter().map(|string| &**string);
                let holds = |(digit, string): (&u8, &str)| *digit == PASSED && (self.device || !is_of_device(string));
                self.asked = Asked::Answered(digits.map(|digits| digits.iter().zip(strings()).map(holds).collect()));
                match &self.asked {
                    Asked::Answered(Some(passed)) => Ok(passed),
                    Asked::Answered(None) | Asked::No | Asked::At(_) | Asked::Late => Err(ScanNoted::Malformed),
                }
            }
        }
    }

    /// Takes what was claimed; it is used once.
    pub(super) fn take(self) -> Result<Vec<bool>, Void> {
        match self.asked {
            Asked::No | Asked::At(_) => Err(Void::Missing),
            Asked::Answered(Some(passed)) => Ok(passed),
            Asked::Answered(None) => Err(Void::Malformed),
            Asked::Late => Err(Void::Late),
        }
    }
}

/// Whether `string` asks for the certificate of the client's machine: `device-cert_0_0`. It passes if the client says so and the gate has seen the
/// certificate and the proof of its key ([`Conversation::device_proven`](super::Conversation::device_proven)).
#[must_use]
pub fn is_of_device(string: &str) -> bool {
    string.trim_start().split('_').next().is_some_and(|kind| kind.eq_ignore_ascii_case("device-cert"))
}

/// How often a client is to be asked about `string` again, in minutes: `proc_2_firefox` is asked every 2. 0: never.
#[must_use]
pub fn interval_minutes(string: &str) -> u32 {
    let mut parts = string.trim_start().splitn(3, '_');
    let (Some(_kind), Some(interval), Some(_body)) = (parts.next(), parts.next(), parts.next()) else { return 0 };
    if interval.bytes().all(|b| b.is_ascii_digit()) { interval.parse().unwrap_or(0) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Now = Now::from_secs(100);

    fn exchange() -> Exchange {
        Exchange::new(vec!["proc_0_a".into(), "proc_0_b".into()], Orders::default())
    }

    #[test]
    fn an_answer_belongs_to_its_question_and_counts_once() {
        let mut asked = exchange();
        assert_eq!(asked.answer(Some(b"00"), T0), Err(ScanNoted::Unasked));
        assert_eq!(asked.ask(T0).strings.len(), 2);
        assert_eq!(asked.answer(Some(b"03"), T0 + ANSWER_WITHIN), Ok(&[true, false][..]));
        assert_eq!(asked.answer(Some(b"00"), T0 + ANSWER_WITHIN), Err(ScanNoted::Repeated));
        assert_eq!(asked.take(), Ok(vec![true, false]));
    }

    #[test]
    fn a_question_asked_again_makes_the_answer_to_the_first_worthless() {
        let mut asked = exchange();
        asked.ask(T0);
        asked.answer(Some(b"00"), T0).unwrap();
        asked.ask(T0);
        assert_eq!(asked.take(), Err(Void::Missing));
    }

    #[test]
    fn an_answer_that_is_none_late_or_of_another_length_is_a_failure() {
        assert_eq!(exchange().take(), Err(Void::Missing));
        for digits in [None, Some(&b""[..]), Some(b"0"), Some(b"000")] {
            let mut asked = exchange();
            asked.ask(T0);
            assert_eq!(asked.answer(digits, T0), Err(ScanNoted::Malformed));
            assert_eq!(asked.take(), Err(Void::Malformed));
        }
        let mut asked = exchange();
        asked.ask(T0);
        assert_eq!(asked.answer(Some(b"00"), T0 + ANSWER_WITHIN + Duration::from_millis(1)), Err(ScanNoted::Late));
        assert_eq!(asked.answer(Some(b"00"), T0), Err(ScanNoted::Late), "and stays it");
        assert_eq!(asked.take(), Err(Void::Late));
    }

    #[test]
    fn its_stage_goes_from_coming_to_answering() {
        let mut asked = exchange();
        assert_eq!(asked.stage(), Stage::Waiting);
        asked.begin();
        assert_eq!(asked.stage(), Stage::Begun);
        asked.ask(T0);
        assert_eq!(asked.stage(), Stage::Begun);
        asked.answer(Some(b"03"), T0).unwrap();
        assert_eq!(asked.stage(), Stage::Answered);
        asked.ask(T0);
        assert_eq!(asked.stage(), Stage::Begun, "asked again");
        assert_eq!(asked.answer(Some(b"03"), T0 + ANSWER_WITHIN * 2), Err(ScanNoted::Late));
        assert_eq!(asked.stage(), Stage::Answered);
    }

    #[test]
    fn what_is_lacking_is_named_once_and_within_bounds() {
        assert_eq!(Lack::of_strings(Vec::new()), None);
        let names: Vec<String> = (0..LACKING_MAX + 3).map(|n| format!("proc_0_{n}")).collect();
        let all = names.iter().chain(&names).map(String::as_str).collect();
        let Some(Lack::Strings { first, more }) = Lack::of_strings(all) else { panic!("strings are lacking") };
        assert_eq!((first.len(), more), (LACKING_MAX, 3));
    }

    #[test]
    fn a_machines_certificate_passes_only_if_it_was_seen_since_the_question() {
        let asked = || Exchange::new(vec!["proc_0_a".into(), "device-cert_0_0".into()], Orders::default());
        let mut claimed = asked();
        assert!(!claimed.prove_device(T0), "nothing was asked");
        claimed.ask(T0);
        assert_eq!(claimed.answer(Some(b"00"), T0), Ok(&[true, false][..]));
        let mut proven = asked();
        proven.ask(T0);
        assert!(proven.prove_device(T0));
        assert_eq!(proven.answer(Some(b"00"), T0), Ok(&[true, true][..]));
        assert!(!proven.prove_device(T0), "it was answered");
        let mut denied = asked();
        denied.ask(T0);
        assert!(denied.prove_device(T0));
        assert_eq!(denied.answer(Some(b"03"), T0), Ok(&[true, false][..]));
        let mut earlier = asked();
        earlier.ask(T0);
        assert!(earlier.prove_device(T0));
        earlier.ask(T0);
        assert_eq!(earlier.answer(Some(b"00"), T0), Ok(&[true, false][..]));
        let mut late = asked();
        late.ask(T0);
        assert!(!late.prove_device(T0 + ANSWER_WITHIN + Duration::from_millis(1)));
        let mut unasked = exchange();
        unasked.ask(T0);
        assert!(!unasked.prove_device(T0));
    }

    #[test]
    fn whatever_is_not_a_zero_has_failed() {
        let mut asked = exchange();
        asked.ask(T0);
        assert_eq!(asked.answer(Some(b"1x"), T0), Ok(&[false, false][..]));
    }

    #[test]
    fn the_interval_stands_behind_the_kind() {
        for (string, minutes) in [
            ("proc_2_firefox", 2),
            ("proc_0_notepad.exe", 0),
            ("device-cert_0_0", 0),
            ("app_15_MAC-BROWSER_1001_VERSION_<=_10.0.3", 15),
            ("proc_x_firefox", 0),
            ("proc_+2_firefox", 0),
            ("proc__firefox", 0),
            ("proc_2", 0),
            ("", 0),
            ("proc_99999999999_x", 0),
        ] {
            assert_eq!(interval_minutes(string), minutes, "{string}");
        }
    }
}
