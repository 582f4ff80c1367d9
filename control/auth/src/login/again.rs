//! The client is looked at again and again while its session lasts.
//!
//! ```text
//!   login ──interval──► due ──grace──► too late ─► Verdict::Missing
//!     ▲                  │
//!     │                  └─ question ─► answer ─┬─ it still holds ──► next interval, from now
//!     └─────────────────────────────────────────┴─ it does not ─────► Verdict::Failed
//! ```
//!
//! - Asked are the strings that have an interval, all at once, as often as the shortest of these intervals says. What was to be asked once
//!   keeps the answer of the login.
//! - Only the factor that the login passed last and that has such strings is repeated. A client that was let in through quarantine or an
//!   action that always succeeds has passed nothing, so nothing is repeated.
//! - An answer counts once, to the latest question, and within [`ANSWER_WITHIN`](super::scan::ANSWER_WITHIN). Whatever else comes leaves the
//!   deadline where it is.
//!
//! How long a minute is, how long the grace and whether clients are held to it that never announced a repeat, is [`PeriodicScan`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gate_config::model::PeriodicScan;

use super::grant::Periodic;
use super::orders::Orders;
use super::scan::{Exchange, ScanNoted, ScanQuestion, interval_minutes};
use crate::Now;

/// The repeated look at the client of one session.
#[derive(Debug)]
pub struct Watch {
    what: Periodic,
    /// Positions in the expression of what is asked again.
    repeated: Vec<usize>,
    minutes: u32,
    pace: PeriodicScan,
    /// From when the interval is counted.
    since: Now,
    exchange: Exchange,
    /// The client has said that it repeats, or has done so.
    announced: bool,
    verdict: Option<Verdict>,
}

/// The session must end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The client answered, and not what is wanted.
    Failed {
        /// In whose name.
        factor: Arc<str>,
        /// How many of the things that were asked are not as they should be. 0: the answer did not cover what was asked.
        failed: usize,
    },
    /// The client did not answer in time.
    Missing {
        /// In whose name.
        factor: Arc<str>,
        /// How long after its last answer.
        after: Duration,
    },
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { factor, failed: 0 } => write!(f, "the repeated scan of {factor} was answered with something else"),
            Self::Failed { factor, failed } => {
                write!(f, "the repeated scan of {factor} failed: {failed} things are not as they should be")
            }
            Self::Missing { factor, after } => {
                write!(f, "the repeated scan of {factor} did not come within {} s", after.as_secs())
            }
        }
    }
}

impl Watch {
    /// Begins to watch. `None`: nothing in it has an interval.
    #[must_use]
    pub fn new(what: Periodic, pace: PeriodicScan, now: Now) -> Option<Self> {
        let strings = what.strings();
        let repeated: Vec<usize> =
            strings.iter().enumerate().filter(|(_, string)| interval_minutes(string) > 0).map(|(at, _)| at).collect();
        let minutes = repeated.iter().filter_map(|at| strings.get(*at)).map(|string| interval_minutes(string)).min()?;
        let asked = repeated.iter().filter_map(|at| strings.get(*at)).map(|string| (*string).into()).collect();
        let announced = what.announced;
        let exchange = Exchange::new(asked, Orders::default());
        Some(Self { repeated, minutes, pace, since: now, exchange, announced, verdict: None, what })
    }

    /// The factor whose look it is.
    #[must_use]
    pub fn factor(&self) -> &Arc<str> {
        &self.what.factor
    }

    /// How often the client is asked.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.pace.minute.saturating_mul(self.minutes)
    }

    /// When the next answer is due.
    #[must_use]
    pub fn due(&self) -> Now {
        self.since.saturating_add(self.interval())
    }

    /// When it is too late. `None`: the client never said that it would repeat the look, and is not held to it.
    #[must_use]
    pub fn deadline(&self) -> Option<Now> {
        (self.announced || self.pace.strict).then(|| self.due().saturating_add(self.pace.grace))
    }

    /// What the client is asked now. It may be asked at any time, and again: only an answer to the latest question counts.
    pub fn question(&mut self, now: Now) -> ScanQuestion {
        self.announced = true;
        self.exchange.ask(now)
    }

    /// The certificate of the client's machine was found good. Whether that is asked.
    pub fn device_proven(&mut self, now: Now) -> bool {
        self.exchange.prove_device(now)
    }

    /// The client has answered: a digit for each string of the question. `None`: what it sent could not be read.
    pub fn answer(&mut self, digits: Option<&[u8]>, now: Now) -> ScanNoted {
        let passed = match self.exchange.answer(digits, now) {
            Ok(passed) => passed,
            Err(noted) => {
                match noted {
                    ScanNoted::Malformed => {
                        self.fail(0);
                    }
                    ScanNoted::Taken { .. } | ScanNoted::Unasked | ScanNoted::Late | ScanNoted::Repeated => {}
                }
                return noted;
            }
        };
        let failed = passed.iter().filter(|passed| !**passed).count();
        let mut all = self.what.found.clone();
        for (at, passed) in self.repeated.iter().zip(passed) {
            if let Some(there) = all.get_mut(*at) {
                *there = *passed;
            }
        }
        let holds = self.what.holds(&all);
        if holds {
            self.since = now;
        } else {
            self.fail(failed.max(1));
        }
        ScanNoted::Taken { passed: holds }
    }

    /// Whether the session must end, and why. To be asked at least every second.
    pub fn verdict(&mut self, now: Now) -> Option<&Verdict> {
        if self.verdict.is_none() && self.deadline().is_some_and(|deadline| now > deadline) {
            let after = now.saturating_sub(self.since);
            self.verdict = Some(Verdict::Missing { factor: Arc::clone(&self.what.factor), after });
        }
        self.verdict.as_ref()
    }

    /// A verdict is never taken back.
    fn fail(&mut self, failed: usize) {
        let factor = Arc::clone(&self.what.factor);
        self.verdict.get_or_insert(Verdict::Failed { factor, failed });
    }
}

impl Periodic {
    /// All strings of the expression.
    pub(super) fn strings(&self) -> Vec<&str> {
        self.expression.asked(&self.model.names)
    }

    /// Whether the expression is true if `passed` is what was found, by position.
    pub(super) fn holds(&self, passed: &[bool]) -> bool {
        self.expression.holds(&mut |at| passed.get(at).copied().unwrap_or(false), &self.model.names)
    }
}
