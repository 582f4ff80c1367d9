//! How fast bytes may be passed on: by one session, and by all sessions of a virtual server together.
//!
//! ```text
//!   taken in: n bytes ─► charge ─► own bucket: from when? ─► then, in its turn: shared bucket: from when? ─► passed on
//!                                      └───────── nothing is received from the source meanwhile ─────────┘
//! ```
//!
//! A bucket is one number: the moment at which all that it has let through would have flowed at the rate exactly. Whoever wants to
//! pass bytes moves it on by their time and is told the moment from which he may; so there is no queue, those who wait are served in
//! the order in which they came, and nobody is passed over however many ask. It may run [`AHEAD`] before the clock: that is the burst.
//!
//! Nothing is dropped. A direction that waits holds what it has and receives no more, so TCP slows its source down.
//!
//! The bucket of a virtual server is one atomic for all workers, not a share for each: sessions are spread over workers by chance,
//! and a lone session may then use the whole rate. Only sessions of a virtual server with a rate ever touch it, once per buffer.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use sluice_link::snapshot::Speeds;
use sluice_link::time::Moment;

use crate::buf::Class;
use crate::event::Leg;
use crate::wheel::TICK;

/// How far a bucket may run before the clock: so many milliseconds' worth of bytes may pass at once after a pause.
pub const AHEAD: Duration = Duration::from_millis(50);

/// What one buffer may take at the rate, if there is a class that small: so long does somebody who types wait for one neighbour.
pub const BUFFER_TIME: Duration = Duration::from_millis(5);

// Deadlines come up to a tick late. What is lost by that must be made good by the burst, or no rate would be reached.
const _: () = assert!(AHEAD.as_nanos() >= 4 * TICK.as_nanos());

/// A rate that is kept.
#[derive(Debug)]
pub struct Bucket {
    bytes_per_second: NonZeroU64,
    /// When all that was let through would have flowed at the rate, in nanoseconds.
    paid_until: AtomicU64,
}

impl Bucket {
    /// A full bucket.
    #[must_use]
    pub fn new(bytes_per_second: NonZeroU64) -> Self {
        Self { bytes_per_second, paid_until: AtomicU64::new(0) }
    }

    /// What it keeps.
    #[must_use]
    pub fn bytes_per_second(&self) -> NonZeroU64 {
        self.bytes_per_second
    }

    /// Takes `n` bytes, and says from when they may pass: `now` or later.
    pub fn take(&self, n: usize, now: Moment) -> Moment {
        let nanos = u128::from(u64::try_from(n).unwrap_or(u64::MAX)) * 1_000_000_000;
        let cost = u64::try_from(nanos.div_ceil(u128::from(self.bytes_per_second.get()))).unwrap_or(u64::MAX);
        // Only this one number is agreed upon, no other memory hangs on it.
        let took = self.paid_until.fetch_update(Relaxed, Relaxed, |paid| Some(paid.max(now.0).saturating_add(cost)));
        let before = took.unwrap_or_default();
        let ahead = u64::try_from(AHEAD.as_nanos()).unwrap_or(u64::MAX);
        now.max(Moment(before.saturating_sub(ahead)))
    }
}

/// The buckets of a virtual server that all its sessions share.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    up: Option<Arc<Bucket>>,
    down: Option<Arc<Bucket>>,
}

impl Shared {
    /// Full buckets.
    #[must_use]
    pub fn new(speeds: Speeds) -> Self {
        let bucket = |rate: Option<NonZeroU64>| rate.map(|rate| Arc::new(Bucket::new(rate)));
        Self { up: bucket(speeds.up), down: bucket(speeds.down) }
    }

    /// Goes on with the buckets of `before` where the rate is the same: else each publication would let the rate pass once more.
    pub fn go_on_from(&mut self, before: &Self) {
        for (mine, theirs) in [(&mut self.up, &before.up), (&mut self.down, &before.down)] {
            if let (Some(bucket), Some(old)) = (&mine, theirs)
                && bucket.bytes_per_second == old.bytes_per_second
            {
                *mine = Some(Arc::clone(old));
            }
        }
    }
}

/// How fast one direction of one session may pass bytes on.
#[derive(Debug)]
pub(crate) struct Pace {
    own: Option<Bucket>,
    shared: Option<Arc<Bucket>>,
    /// Bytes that are still to be taken from the shared bucket, at `until`. Not earlier: what waits for its own bucket takes nobody's
    /// turn.
    owed: usize,
    /// From when what is held may go.
    until: Moment,
}

impl Pace {
    /// None if both are unlimited.
    pub(crate) fn of(source: Leg, own: Speeds, shared: &Shared) -> Option<Box<Self>> {
        let (own, shared) = match source {
            Leg::Client => (own.up, shared.up.clone()),
            Leg::Host => (own.down, shared.down.clone()),
        };
        (own.is_some() || shared.is_some())
            .then(|| Box::new(Self { own: own.map(Bucket::new), shared, owed: 0, until: Moment(0) }))
    }

    /// The largest class that should be received into.
    pub(crate) fn most(&self) -> Class {
        let rates = [self.own.as_ref(), self.shared.as_deref()];
        let slowest = rates.into_iter().flatten().map(|bucket| bucket.bytes_per_second.get()).min().unwrap_or(u64::MAX);
        let bytes = u128::from(slowest) * BUFFER_TIME.as_micros() / 1_000_000;
        Class::ALL.into_iter().rev().find(|class| class.reads() as u128 <= bytes).unwrap_or(Class::Small)
    }

    /// `n` bytes came in.
    pub(crate) fn charge(&mut self, n: usize, now: Moment) {
        if n == 0 {
            return;
        }
        let own = self.own.as_ref().map_or(now, |own| own.take(n, now));
        self.until = self.until.max(own);
        self.owed += n;
    }

    /// Whether what came in may go.
    pub(crate) fn may_go(&mut self, now: Moment) -> bool {
        if now < self.until {
            return false;
        }
        if let Some(shared) = &self.shared
            && self.owed > 0
        {
            self.until = shared.take(self.owed, now);
        }
        self.owed = 0;
        now >= self.until
    }

    /// From when what is held may go.
    pub(crate) fn until(&self) -> Moment {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(bytes_per_second: u64) -> NonZeroU64 {
        NonZeroU64::new(bytes_per_second).unwrap()
    }

    /// What may pass within `window` at most: the rate, the burst, and one piece.
    fn bound(rate: u64, window: Duration, piece: usize) -> u128 {
        u128::from(rate) * (window + AHEAD).as_nanos() / 1_000_000_000 + piece as u128
    }

    proptest! {
        /// Whatever is asked for and when, in no window more passes than rate and burst; nobody waits longer than for those in front.
        #[test]
        fn no_window_has_more_than_the_rate_and_a_burst(
            rate_of in 1_000_u64..10_000_000_000,
            asked in prop::collection::vec((1_usize..300_000, 0_u64..200_000_000), 1..200),
        ) {
            let bucket = Bucket::new(rate(rate_of));
            let mut now = Moment(5_000_000_000);
            let mut passed: Vec<(Moment, usize)> = Vec::new();
            let mut in_front = 0_u128;
            for (n, pause) in asked {
                now = now + Duration::from_nanos(pause);
                let from = bucket.take(n, now);
                prop_assert!(from >= now);
                let work = in_front * 1_000_000_000 / u128::from(rate_of) + 1_000;
                prop_assert!(from.since(Moment(5_000_000_000)).as_nanos() <= now.since(Moment(5_000_000_000)).as_nanos() + work);
                in_front += n as u128;
                if let Some((before, _)) = passed.last() {
                    prop_assert!(from >= *before, "served out of turn");
                }
                passed.push((from, n));
            }
            for (first, (begin, _)) in passed.iter().enumerate() {
                let (mut sum, mut most) = (0_u128, 0);
                for (end, n) in &passed[first..] {
                    sum += *n as u128;
                    most = most.max(*n);
                    prop_assert!(sum <= bound(rate_of, end.since(*begin), most) + 1, "{sum} bytes in {:?}", end.since(*begin));
                }
            }
        }
    }

    #[test]
    fn a_pause_earns_a_burst_and_no_more() {
        let bucket = Bucket::new(rate(1_000_000));
        let start = Moment(1_000_000_000);
        // 50 ms are 50 kB; the next piece is within them, the one behind that is not.
        assert_eq!(bucket.take(40_000, start), start);
        assert_eq!(bucket.take(40_000, start), start);
        assert_eq!(bucket.take(1_000, start), start + Duration::from_millis(30));
        let later = start + Duration::from_secs(3600);
        assert_eq!(bucket.take(60_000, later), later);
        assert_eq!(bucket.take(1, later), later + Duration::from_millis(10));
    }

    #[test]
    fn who_waits_for_his_own_bucket_takes_nobodys_turn() {
        let speeds = |up| Speeds { up: NonZeroU64::new(up), down: None };
        let shared = Shared::new(speeds(1_000_000));
        let mut slow = Pace::of(Leg::Client, speeds(1_000), &shared).unwrap();
        let mut fast = Pace::of(Leg::Client, Speeds::default(), &shared).unwrap();
        assert!(Pace::of(Leg::Host, speeds(1_000), &shared).is_none());
        let start = Moment(1_000_000_000);
        slow.charge(1_000, start);
        assert!(slow.may_go(start));
        slow.charge(40_000, start);
        assert!(!slow.may_go(start));
        fast.charge(30_000, start);
        assert!(fast.may_go(start), "only what may go now is counted against all");
        let then = slow.until();
        assert_eq!(then, start + Duration::from_millis(950));
        assert!(slow.may_go(then));
    }

    #[test]
    fn a_publication_earns_no_burst() {
        let speeds = |up, down| Speeds { up: NonZeroU64::new(up), down: NonZeroU64::new(down) };
        let before = Shared::new(speeds(1_000, 5_000));
        let now = Moment(7_000_000_000);
        before.up.as_ref().unwrap().take(1_000, now);
        let mut after = Shared::new(speeds(1_000, 6_000));
        after.go_on_from(&before);
        assert!(after.up.as_ref().unwrap().take(1, now) > now);
        assert_eq!(after.down.as_ref().unwrap().bytes_per_second(), rate(6_000));
    }

    #[test]
    fn slow_ones_use_small_buffers() {
        for (mbit, class) in [(1_u64, Class::Small), (10, Class::Small), (100, Class::Large), (1_000, Class::Bulk)] {
            let speeds = Speeds { up: NonZeroU64::new(mbit * 125_000), down: None };
            assert_eq!(Pace::of(Leg::Client, speeds, &Shared::default()).unwrap().most(), class, "{mbit} Mbit/s");
        }
    }
}
