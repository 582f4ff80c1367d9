//! When to scan, when again, and when it is over. No I/O; the time is told, as what has passed since any fixed moment.
//!
//! ```text
//!   first scan ── answered, nothing to repeat ─► Passed        not what the gateway wants ─► Refused
//!       │ answered, with an interval                            403 ─► Forgotten; before the first repeat after LOGIN_MAX
//!       ▼                                                       not reached ─► Lost, at once the first time
//!   wait for the interval ─► scan ─► …                                         after RETRIES_MAX the next times
//! ```

use std::time::Duration;

/// How long after a scan that did not get through the next one is tried. Well within a gateway's grace of 30 s.
pub const RETRY_WAIT: Duration = Duration::from_secs(5);
/// How long a login may go on behind its scan: as long as it may take at all. Until it is complete, the token of the scan may be unknown.
pub const LOGIN_MAX: Duration = Duration::from_secs(10 * 60);
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
    /// The gateway has ended it: the session is over, or the login went on without this scan.
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
    /// When the first answer was taken.
    answered: Option<Duration>,
    is_repeated: bool,
    misses: u32,
    end: Option<End>,
}

impl Rounds {
    /// Begins; the first scan is due at once. `minute` is how long a minute of intervals lasts.
    #[must_use]
    pub fn new(minute: Duration) -> Self {
        Self { minute, due: Duration::ZERO, answered: None, is_repeated: false, misses: 0, end: None }
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
                self.is_repeated = self.answered.is_some();
                self.answered = self.answered.or(Some(now));
                self.misses = 0;
                self.due = now.saturating_add(self.minute.saturating_mul(u32::from(minutes)));
            }
            Heard::Forgotten => match self.answered {
                None => self.end = Some(End::NeverKnown),
                // Somebody still types a further factor; the session asks when it is there.
                Some(answered) if !self.is_repeated && now < answered.saturating_add(LOGIN_MAX) => {
                    self.due = now.saturating_add(RETRY_WAIT);
                }
                Some(_) => self.end = Some(End::Forgotten),
            },
            Heard::Unreached => {
                self.misses += 1;
                if self.answered.is_none() || self.misses > RETRIES_MAX {
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
        for second in (60..600).step_by(5) {
            assert_eq!(rounds.next(seconds(second)), Next::Scan);
            rounds.heard(Heard::Forgotten, seconds(second));
            assert_eq!(rounds.next(seconds(second)), Next::Wait(RETRY_WAIT));
        }
        let mut given_up = rounds.clone();
        given_up.heard(Heard::Forgotten, seconds(600));
        assert_eq!(given_up.next(seconds(600)), Next::End(End::Forgotten));
        // It is complete at last; from now on to be forgotten is the end.
        rounds.heard(answered(Some(1), Verdict::Passed), seconds(599));
        rounds.heard(Heard::Forgotten, seconds(659));
        assert_eq!(rounds.next(seconds(659)), Next::End(End::Forgotten));
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
