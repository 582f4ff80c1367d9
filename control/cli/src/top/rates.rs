//! How fast counters grow: the difference of two samples over the gateway's own time, and what it was before.

use std::collections::VecDeque;

use super::sample::Sample;

/// Points of a sparkline that are kept.
pub const POINTS_MAX: usize = 240;

/// The rates of one moment, per second. None: not told, or the gateway has started anew.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Bytes from clients to hosts.
    pub up: Option<f64>,
    /// Bytes from hosts to clients.
    pub down: Option<f64>,
    /// TLS handshakes completed.
    pub handshakes: Option<f64>,
    /// TLS handshakes that came to nothing.
    pub handshakes_failed: Option<f64>,
    /// Tickets sent to authorities.
    pub tickets: Option<f64>,
    /// Sessions that ended, other than in order.
    pub refused: Option<f64>,
}

/// Two samples, and so much time between them.
#[derive(Debug)]
pub struct Pair<'s> {
    before: Option<&'s Sample>,
    now: &'s Sample,
    seconds: f64,
}

impl<'s> Pair<'s> {
    /// `waited_s` is our own measure of the time between the samples, used only if the gateway does not tell its own.
    #[must_use]
    pub fn new(before: Option<&'s Sample>, now: &'s Sample, waited_s: f64) -> Self {
        let told = before.and_then(|before| now.at_ms?.checked_sub(before.at_ms?));
        let seconds = told.map_or(waited_s, |ms| f64::from(u32::try_from(ms).unwrap_or(u32::MAX)) / 1000.0);
        // A shorter life than before is another life.
        let same = before.filter(|before| before.at_ms <= now.at_ms && before.uptime_s <= now.uptime_s && seconds > 0.0);
        Self { before: same, now, seconds }
    }

    /// Growth per second of a counter that `of` finds.
    pub fn rate(&self, of: impl Fn(&Sample) -> Option<u64>) -> Option<f64> {
        let grown = of(self.now)?.checked_sub(of(self.before?)?)?;
        #[expect(clippy::cast_precision_loss, reason = "a rate is shown with three digits")]
        let grown = grown as f64;
        Some(grown / self.seconds)
    }

    /// All of them.
    #[must_use]
    pub fn rates(&self) -> Rates {
        Rates {
            up: self.rate(|sample| sample.up_bytes),
            down: self.rate(|sample| sample.down_bytes),
            handshakes: self.rate(|sample| sample.handshakes),
            handshakes_failed: self.rate(|sample| sample.handshakes_failed),
            tickets: self.rate(|sample| sample.tickets),
            refused: self.rate(refused),
        }
    }

    /// The reasons for which sessions were refused or cut off, the most frequent of now first, then those of ever.
    #[must_use]
    pub fn reasons(&self) -> Vec<(String, Option<f64>, u64)> {
        let of = |sample: &Sample, name: &str| sample.reasons.iter().find(|r| r.name == name).map_or(0, |r| r.sessions);
        let mut all: Vec<_> = self
            .now
            .reasons
            .iter()
            .filter(|reason| reason.sessions > 0)
            .map(|reason| (reason.name.clone(), self.rate(|sample| Some(of(sample, &reason.name))), reason.sessions))
            .collect();
        all.sort_by(|a, b| b.1.unwrap_or(0.0).total_cmp(&a.1.unwrap_or(0.0)).then(b.2.cmp(&a.2)).then(a.0.cmp(&b.0)));
        all
    }
}

fn refused(sample: &Sample) -> Option<u64> {
    Some(sample.reasons.iter().map(|reason| reason.sessions).fold(0, u64::saturating_add))
}

/// The last values of what has a sparkline.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Sessions.
    pub sessions: VecDeque<f64>,
    /// Bytes up.
    pub up: VecDeque<f64>,
    /// Bytes down.
    pub down: VecDeque<f64>,
    /// Handshakes.
    pub handshakes: VecDeque<f64>,
    /// Tickets.
    pub tickets: VecDeque<f64>,
    /// Refusals.
    pub refused: VecDeque<f64>,
}

impl Past {
    /// Adds a moment.
    pub fn push(&mut self, sample: &Sample, rates: &Rates) {
        #[expect(clippy::cast_precision_loss, reason = "a sparkline has seven heights")]
        let sessions = sample.sessions.map(|sessions| sessions as f64);
        for (line, value) in [
            (&mut self.sessions, sessions),
            (&mut self.up, rates.up),
            (&mut self.down, rates.down),
            (&mut self.handshakes, rates.handshakes),
            (&mut self.tickets, rates.tickets),
            (&mut self.refused, rates.refused),
        ] {
            if line.len() == POINTS_MAX {
                line.pop_front();
            }
            line.extend(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::Reason;
    use super::*;

    fn at(ms: u64, up_bytes: u64) -> Sample {
        Sample { at_ms: Some(ms), up_bytes: Some(up_bytes), ..Sample::default() }
    }

    #[test]
    fn the_gateways_own_time_counts() {
        let (before, now) = (at(1000, 100), at(3000, 500));
        assert_eq!(Pair::new(Some(&before), &now, 99.0).rates().up, Some(200.0));
        assert_eq!(Pair::new(None, &now, 1.0).rates().up, None);
        let (before, now) = (Sample { at_ms: None, ..before }, Sample { at_ms: None, ..now });
        assert_eq!(Pair::new(Some(&before), &now, 4.0).rates().up, Some(100.0));
        assert_eq!(Pair::new(Some(&before), &now, 0.0).rates().up, None);
    }

    #[test]
    fn another_life_has_no_rates() {
        assert_eq!(Pair::new(Some(&at(9000, 100)), &at(10, 500), 1.0).rates().up, None);
        assert_eq!(Pair::new(Some(&at(10, 500)), &at(20, 100), 1.0).rates().up, None);
    }

    #[test]
    fn reasons_of_now_come_first() {
        let with = |ms, counts: [u64; 3]| Sample {
            reasons: ["a", "b", "c"].iter().zip(counts).map(|(n, s)| Reason { name: (*n).into(), sessions: s }).collect(),
            ..at(ms, 0)
        };
        let (before, now) = (with(0, [90, 1, 0]), with(1000, [90, 3, 0]));
        let pair = Pair::new(Some(&before), &now, 1.0);
        assert_eq!(pair.reasons(), [("b".to_owned(), Some(2.0), 3), ("a".to_owned(), Some(0.0), 90)]);
        assert_eq!(pair.rates().refused, Some(2.0));
    }

    #[test]
    fn the_past_is_bounded() {
        let mut past = Past::default();
        for n in 0..POINTS_MAX + 5 {
            past.push(&Sample { sessions: Some(u64::try_from(n).unwrap()), ..Sample::default() }, &Rates::default());
        }
        assert_eq!((past.sessions.len(), past.sessions[0], past.up.len()), (POINTS_MAX, 5.0, 0));
    }
}
