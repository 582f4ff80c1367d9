//! When to scan, when again, and when it is over. No I/O; the time is told, as what has passed since any fixed moment.
//!
//! ```text
//!   first scan ── answered, nothing to repeat ─► Passed        not what the gateway wants ─► Refused
//!       │ answered, with an interval                            403 ─► Forgotten
//!       ▼                                                       not reached ─► Lost, at once the first time
//!   wait for the interval ─► scan ─► …                                         after RETRIES_MAX the next times
//!                             │ not now: somebody still types a further factor
//!                             └─► wait for as long as the gateway says ─► scan
//! ```

use std::time::Duration;

/// How long after a scan that did not get through the next one is tried. Well within a gateway's grace of 30 s.
pub const RETRY_WAIT: Duration = Duration::from_secs(5);
/// How long a login may take at all, and with it whatever waits for its user.
pub const LOGIN_MAX: Duration = Duration::from_secs(10 * 60);
/// Shortest and longest wait that a gateway may ask for.
pub const LATER: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];
/// How many in a row may not get through.
pub const RETRIES_MAX: u32 = 6;

/// What a gateway said to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is satisfied.
    Passed,
    /// It is not.
    Failed,
    /// It did not say so in a way that we know. Other gateways' words are unknown.
    Untold,
}

/// What came of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The answer was taken.
    Answered {
        /// Minutes until it is asked again, if it is.
        interval_minutes: Option<u16>,
        /// What the gateway said.
        verdict: Verdict,
    },
    /// The gateway has nothing to ask yet, and wants to be asked again in so long.
    NotNow(Duration),
    /// The gateway does not know the token, or no longer.
    Forgotten,
    /// The gateway was not reached, or is busy.
    Unreached,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Answered, and nothing is to be repeated.
    Passed,
    /// The gateway is not satisfied with this machine.
    Refused,
    /// The gateway has ended it: the session is over, or another scan is the one that is repeated.
    Forgotten,
    /// The gateway never knew this scan, or has waited too long for it.
    NeverKnown,
    /// The gateway cannot be reached.
    Lost,
}

/// What is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Scan now.
    Scan,
    /// Wait for this long.
    Wait(Duration),
    /// Stop.
    End(End),
}

/// The rounds of one scan.
#[derive(Clone, Debug)]
pub struct Rounds {
    minute: Duration,
    due: Duration,
    /// An answer was taken.
    is_answered: bool,
    misses: u32,
    end: Option<End>,
}

impl Rounds {
    /// Begins; the first scan is due at once. `minute` is how long a minute of intervals lasts.
    #[must_use]
    pub fn new(minute: Duration) -> Self {
        Self { minute, due: Duration::ZERO, is_answered: false, misses: 0, end: None }
    }

    /// What is next at `now`.
    #[must_use]
    pub fn next(&self, now: Duration) -> Next {
        match self.end {
            Some(end) => Next::End(end),
            None if now >= self.due => Next::Scan,
            None => Next::Wait(self.due - now),
        }
    }

    /// Takes in what came of a scan that was over at `now`.
    pub fn heard(&mut self, heard: Heard, now: Duration) {
        match heard {
            Heard::Answered { verdict: Verdict::Failed, .. } => self.end = Some(End::Refused),
            Heard::Answered { interval_minutes: None, verdict: Verdict::Passed | Verdict::Untold } => {
                self.end = Some(End::Passed);
            }
            Heard::Answered { interval_minutes: Some(minutes), verdict: Verdict::Passed | Verdict::Untold } => {
                self.is_answered = true;
                self.misses = 0;
                self.due = now.saturating_add(self.minute.saturating_mul(u32::from(minutes)));
            }
            Heard::NotNow(wait) => {
                let [least, most] = LATER;
                self.misses = 0;
                self.due = now.saturating_add(wait.clamp(least, most));
            }
            Heard::Forgotten => self.end = Some(if self.is_answered { End::Forgotten } else { End::NeverKnown }),
            Heard::Unreached => {
                self.misses += 1;
                if !self.is_answered || self.misses > RETRIES_MAX {
                    self.end = Some(End::Lost);
                } else {
                    self.due = now.saturating_add(RETRY_WAIT);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn answered(interval_minutes: Option<u16>, verdict: Verdict) -> Heard {
        Heard::Answered { interval_minutes, verdict }
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_scan_without_interval_is_made_once() {
        let mut rounds = Rounds::new(MINUTE);
        assert_eq!(rounds.next(seconds(0)), Next::Scan);
        rounds.heard(answered(None, Verdict::Untold), seconds(1));
        assert_eq!(rounds.next(seconds(1)), Next::End(End::Passed));
    }

    #[test]
    fn it_is_repeated_until_the_gateway_has_had_enough() {
        let mut rounds = Rounds::new(MINUTE);
        rounds.heard(answered(Some(2), Verdict::Passed), seconds(1));
        assert_eq!(rounds.next(seconds(1)), Next::Wait(seconds(120)));
        assert_eq!(rounds.next(seconds(120)), Next::Wait(seconds(1)));
        assert_eq!(rounds.next(seconds(121)), Next::Scan);
        // The interval of the latest question counts.
        rounds.heard(answered(Some(1), Verdict::Passed), seconds(122));
        assert_eq!(rounds.next(seconds(122)), Next::Wait(seconds(60)));
        rounds.heard(Heard::Forgotten, seconds(182));
        assert_eq!(rounds.next(seconds(182)), Next::End(End::Forgotten));
    }

    #[test]
    fn a_login_that_goes_on_behind_the_scan_is_waited_for() {
        let mut rounds = Rounds::new(MINUTE);
        rounds.heard(answered(Some(1), Verdict::Passed), seconds(0));
        let [least, most] = LATER;
        for (wait, waited) in [(seconds(15), seconds(15)), (Duration::ZERO, least), (Duration::MAX, most)] {
            assert_eq!(rounds.next(seconds(60)), Next::Scan);
            let mut asked = rounds.clone();
            asked.heard(Heard::NotNow(wait), seconds(60));
            assert_eq!(asked.next(seconds(60)), Next::Wait(waited));
        }
        // It is complete at last, and another scan is the one that is repeated.
        rounds.heard(Heard::Forgotten, seconds(60));
        assert_eq!(rounds.next(seconds(60)), Next::End(End::Forgotten));
    }

    #[test]
    fn the_gateways_verdict_ends_it() {
        for first in [answered(None, Verdict::Failed), answered(Some(2), Verdict::Failed)] {
            let mut rounds = Rounds::new(MINUTE);
            rounds.heard(first, seconds(1));
            assert_eq!(rounds.next(seconds(1)), Next::End(End::Refused));
        }
        let mut rounds = Rounds::new(MINUTE);
        rounds.heard(Heard::Forgotten, seconds(1));
        assert_eq!(rounds.next(seconds(1)), Next::End(End::NeverKnown));
    }

    #[test]
    fn an_outage_is_bridged_within_bounds() {
        let mut rounds = Rounds::new(MINUTE);
        rounds.heard(Heard::Unreached, seconds(0));
        assert_eq!(rounds.next(seconds(0)), Next::End(End::Lost), "somebody waits for the first one");
        let mut rounds = Rounds::new(MINUTE);
        rounds.heard(answered(Some(2), Verdict::Passed), seconds(0));
        for miss in 0..RETRIES_MAX {
            rounds.heard(Heard::Unreached, seconds(120 + u64::from(miss)));
            assert_eq!(rounds.next(seconds(120 + u64::from(miss))), Next::Wait(RETRY_WAIT));
        }
        let mut lasting = rounds.clone();
        lasting.heard(Heard::Unreached, seconds(200));
        assert_eq!(lasting.next(seconds(200)), Next::End(End::Lost));
        rounds.heard(answered(Some(2), Verdict::Passed), seconds(200));
        rounds.heard(Heard::Unreached, seconds(320));
        assert_eq!(rounds.next(seconds(320)), Next::Wait(RETRY_WAIT), "counted in a row");
    }

    proptest! {
        #[test]
        fn it_never_spins(intervals in prop::collection::vec(1..=10080u16, 1..20), second in 1..=60u64) {
            let mut rounds = Rounds::new(seconds(second));
            let mut now = Duration::ZERO;
            for interval in intervals {
                prop_assert_eq!(rounds.next(now), Next::Scan);
                rounds.heard(answered(Some(interval), Verdict::Passed), now);
                let Next::Wait(wait) = rounds.next(now) else { return Err(TestCaseError::fail("no wait")) };
                prop_assert!(wait >= seconds(1));
                now += wait;
            }
        }
    }
}
