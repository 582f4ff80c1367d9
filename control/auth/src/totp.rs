//! One-time codes of a user's device (TOTP, RFC 6238): SHA-1, six digits, thirty seconds.
//!
//! ```text
//!   secret, typed code, time ─► find ─► the step of the code, at most one away ─► Used::accept ─┬─ the first time ─► right
//!                                 └ none: wrong                                                 └─ again, or older ─► not right any more
//! ```
//!
//! A code is good once: what counts of a device is the last step that was accepted, and only later ones are. Devices are told apart by a
//! hash of their secret, so that one device has one count whoever's name stands before it. An entry is of use for as long as its step could
//! still be typed, so the table needs no more room than there are codes in that time; if it were full of such, new codes would be refused
//! rather than old ones forgotten.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::seal::{KEY_BYTES, SEAL_BYTES, SealKey, hex};

/// How long a code is shown.
pub const STEP_TIME: Duration = Duration::from_secs(30);
/// Digits of a code.
pub const DIGITS: usize = 6;
/// Steps by which a device's clock may be ahead or behind.
pub const STEPS_AWAY_MAX: u64 = 1;
/// Bytes of a secret that we make: as many as SHA-1 has (RFC 4226 §4, R6).
pub const SECRET_BYTES: usize = 20;
/// Codes that are remembered as used: 700 a second, for as long as one could be typed again.
pub const USED_MAX: usize = 65_536;

/// One code of 10^[`DIGITS`].
const CODES: u32 = 1_000_000;
/// Longest text that is looked at for a code, in characters.
const TYPED_CHARS_MAX: usize = 32;

/// A time of thirty seconds, counted since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step(pub u64);

impl Step {
    /// The one in which `wall` lies.
    #[must_use]
    pub fn at(wall: SystemTime) -> Self {
        Self(wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / STEP_TIME.as_secs())
    }

    /// Whether a code of this step may still be typed at `now`, or later.
    #[must_use]
    pub const fn is_live(self, now: Self) -> bool {
        self.0.saturating_add(STEPS_AWAY_MAX) >= now.0
    }

    /// Those whose codes may be typed now, the earliest first.
    fn around(self) -> impl Iterator<Item = Self> {
        (self.0.saturating_sub(STEPS_AWAY_MAX)..=self.0.saturating_add(STEPS_AWAY_MAX)).map(Self)
    }
}

/// Six digits that somebody has typed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Code(u32);

impl Code {
    /// Reads what was typed: six digits, also in full width, with blanks or a hyphen between them as devices show them. `None`: it is no code.
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        let (mut value, mut digits) = (0_u32, 0);
        for (at, char) in typed.trim().chars().enumerate() {
            let digit = match char {
                '0'..='9' => u32::from(char) - u32::from('0'),
                '０'..='９' => u32::from(char) - u32::from('０'),
                ' ' | '\u{a0}' | '\u{3000}' | '-' => continue,
                _ => return None,
            };
            digits += 1;
            if digits > DIGITS || at >= TYPED_CHARS_MAX {
                return None;
            }
            value = value * 10 + digit;
        }
        (digits == DIGITS).then_some(Self(value))
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(***)")
    }
}

/// The code of a device at a step (RFC 4226 §5.3).
fn code_at(key: &hmac::Key, step: Step) -> u32 {
    let tag = hmac::sign(key, &step.0.to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag.last().copied().unwrap_or_default() & 15);
    let four = tag.get(offset..offset + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_be_bytes);
    (four & 0x7fff_ffff) % CODES
}

/// The code that the device with this secret shows at `step`, as text.
#[must_use]
pub fn shown(secret: &[u8], step: Step) -> String {
    format!("{:06}", code_at(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret), step))
}

/// The step of which `code` is, at most [`STEPS_AWAY_MAX`] away from `now`. `None`: it is none of this device's. The time that this takes
/// does not depend on the code. Of two steps with one code it is the later: then both are used up with it.
#[must_use]
pub fn find(secret: &[u8], code: &Code, now: Step) -> Option<Step> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let mut found = 0_u64;
    let mut is_found = subtle::Choice::from(0);
    for step in now.around() {
        let same = code_at(&key, step).ct_eq(&code.0);
        found.conditional_assign(&step.0, same);
        is_found |= same;
    }
    bool::from(is_found).then_some(Step(found))
}

/// Which device it is, without its secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceMark([u8; SEAL_BYTES]);

impl DeviceMark {
    /// That of the device with this secret. A secret is random bytes, so nobody finds it from this, and the mark is the same after a
    /// restart.
    #[must_use]
    pub fn of(secret: &[u8]) -> Self {
        Self(*SealKey::new([0; KEY_BYTES]).seal("one-time codes: device", &[secret]).bytes())
    }

    /// As text: 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn to_text(self) -> String {
        hex(&self.0, b"0123456789abcdef")
    }

    /// Reads what [`to_text`](Self::to_text) wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut mark = [0; SEAL_BYTES];
        if text.len() != 2 * SEAL_BYTES || !text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
            return None;
        }
        for (at, byte) in mark.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
        }
        Some(Self(mark))
    }
}

/// Four bytes are enough to tell two apart in a log.
impl fmt::Debug for DeviceMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0[..4], b"0123456789abcdef"))
    }
}

/// A code does not count, though it is the device's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotAccepted {
    /// This one, or a later one of the same device, was used before.
    #[error("the code was used before")]
    Again,
    /// More codes are used than are remembered.
    #[error("too many codes are used at the same time")]
    Full,
}

/// Which codes were used.
#[derive(Debug)]
pub struct Used {
    last: HashMap<DeviceMark, Step>,
    /// The same, the oldest step first.
    order: BTreeSet<(Step, DeviceMark)>,
    entries_max: usize,
}

impl Default for Used {
    fn default() -> Self {
        Self::new(USED_MAX)
    }
}

impl Used {
    /// For at most so many devices.
    #[must_use]
    pub fn new(entries_max: usize) -> Self {
        Self { last: HashMap::new(), order: BTreeSet::new(), entries_max: entries_max.max(1) }
    }

    /// The code of `step` is typed at `now`. If it counts, neither it nor an earlier one of the same device does so again.
    ///
    /// # Errors
    /// [`NotAccepted`].
    pub fn accept(&mut self, device: DeviceMark, step: Step, now: Step) -> Result<(), NotAccepted> {
        let before = self.last.get(&device).copied();
        if before.is_some_and(|before| before >= step) {
            return Err(NotAccepted::Again);
        }
        self.forget(now);
        match before {
            Some(before) => drop(self.order.remove(&(before, device))),
            None if self.last.len() >= self.entries_max => return Err(NotAccepted::Full),
            None => {}
        }
        self.last.insert(device, step);
        self.order.insert((step, device));
        Ok(())
    }

    /// Those that could still be typed at `now`.
    pub fn live(&self, now: Step) -> impl Iterator<Item = (DeviceMark, Step)> {
        self.order.iter().rev().take_while(move |(step, _)| step.is_live(now)).map(|(step, device)| (*device, *step))
    }

    /// How many are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.last.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.last.is_empty()
    }

    fn forget(&mut self, now: Step) {
        while let Some((step, device)) = self.order.first().copied()
            && !step.is_live(now)
        {
            self.order.remove(&(step, device));
            // What was replaced by a later step has left the order already.
            self.last.remove(&device);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Secret of RFC 6238, Appendix B.
    const SECRET: &[u8] = b"12345678901234567890";

    fn code(text: &str) -> Code {
        Code::parse(text).unwrap()
    }

    /// RFC 6238, Appendix B, in six digits of the eight there.
    #[test]
    fn codes_are_those_of_the_rfc() {
        for (seconds, wanted) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let step = Step::at(UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(shown(SECRET, step), wanted, "{seconds}");
            assert_eq!(find(SECRET, &code(wanted), step), Some(step), "{seconds}");
        }
        // RFC 4226, Appendix D: the same with a counter.
        let counted: Vec<String> = (0..5).map(|step| shown(SECRET, Step(step))).collect();
        assert_eq!(counted, ["755224", "287082", "359152", "969429", "338314"]);
    }

    #[test]
    fn a_clock_may_be_one_step_away_and_no_more() {
        let now = Step(40_000_000);
        for (away, wanted) in [(-2_i64, false), (-1, true), (0, true), (1, true), (2, false)] {
            let step = Step(now.0.checked_add_signed(away).unwrap());
            assert_eq!(find(SECRET, &code(&shown(SECRET, step)), now), wanted.then_some(step), "{away}");
        }
        assert_eq!(find(SECRET, &code("755224"), Step(0)), Some(Step(0)), "the first of all times");
        assert_eq!(find(b"another secret of 20", &code(&shown(SECRET, now)), now), None);
    }

    #[test]
    fn codes_are_read_as_devices_show_them() {
        for typed in ["287082", " 287 082 ", "287-082", "２８７０８２", "2 8 7 0 8 2", "287\u{a0}082"] {
            assert_eq!(code(typed).0, 287_082, "{typed}");
        }
        for typed in
            ["", "28708", "2870820", "28708x", "+28708", "287.082", "٢٨٧٠٨٢", &" ".repeat(99), &format!("2{}", " ".repeat(40))]
        {
            assert!(Code::parse(typed).is_none(), "{typed}");
        }
        assert_eq!(code("000000").0, 0);
        assert_eq!(format!("{:?}", code("287082")), "Code(***)");
    }

    #[test]
    fn a_code_counts_once_and_never_after_a_later_one() {
        let (one, other) = (DeviceMark::of(SECRET), DeviceMark::of(b"other"));
        let now = Step(1000);
        let mut used = Used::default();
        assert_eq!(used.accept(one, now, now), Ok(()));
        assert_eq!(used.accept(one, now, now), Err(NotAccepted::Again));
        assert_eq!(used.accept(other, now, now), Ok(()), "somebody else's");
        assert_eq!(used.accept(one, Step(1001), now), Ok(()));
        assert_eq!(used.accept(one, now, Step(1001)), Err(NotAccepted::Again));
        assert_eq!(used.accept(one, Step(999), now), Err(NotAccepted::Again), "older than the last");
    }

    #[test]
    fn room_is_made_by_time_and_never_by_number() {
        let mark = |n: u8| DeviceMark::of(&[n]);
        let mut used = Used::new(2);
        assert_eq!(used.accept(mark(1), Step(10), Step(10)), Ok(()));
        assert_eq!(used.accept(mark(2), Step(11), Step(10)), Ok(()));
        assert_eq!(used.accept(mark(3), Step(10), Step(10)), Err(NotAccepted::Full));
        assert_eq!(used.accept(mark(3), Step(11), Step(11)), Err(NotAccepted::Full), "the first can still be typed");
        assert_eq!(used.accept(mark(3), Step(12), Step(12)), Ok(()));
        assert_eq!(used.live(Step(12)).collect::<Vec<_>>(), [(mark(3), Step(12)), (mark(2), Step(11))]);
        assert_eq!(used.len(), 2);
    }

    #[test]
    fn a_mark_is_the_same_for_ever_and_reads_back() {
        let mark = DeviceMark::of(SECRET);
        assert_eq!(mark.to_text(), "f036c707d458ed22488508b4ba8f7c0bb6bc8a4c936dabd4e0282d20918d00d7");
        assert_eq!(DeviceMark::parse(&mark.to_text()), Some(mark));
        for text in ["", "00", &"0".repeat(63), &"g".repeat(64), &"A".repeat(64), &"+0".repeat(32), &"é".repeat(32)] {
            assert_eq!(DeviceMark::parse(text), None, "{text}");
        }
        assert_eq!(format!("{mark:?}").len(), 8);
    }

    proptest! {
        #[test]
        fn any_text_is_answered(typed in "\\PC{0,40}") {
            if let Some(code) = Code::parse(&typed) {
                prop_assert!(code.0 < CODES);
            }
        }

        /// Whatever is typed in whatever order, each step of a device is accepted at most once, and none after a later one.
        #[test]
        fn no_code_counts_twice(typed in proptest::collection::vec((0u8..3, 0u64..6, 0u64..2), 0..80)) {
            let mut used = Used::new(3);
            let mut now = 100;
            let mut last: HashMap<u8, u64> = HashMap::new();
            for (device, step, passes) in typed {
                now += passes;
                let step = now + step - 3;
                if !(now - 1..=now + 1).contains(&step) {
                    continue;
                }
                let wanted = last.get(&device).is_none_or(|last| *last < step);
                let accepted = used.accept(DeviceMark::of(&[device]), Step(step), Step(now)).is_ok();
                prop_assert_eq!(accepted, wanted);
                if accepted {
                    last.insert(device, step);
                }
                prop_assert_eq!(used.order.len(), used.last.len());
            }
        }
    }
}
