//! How long something took, many times over: counted by a worker in fixed buckets, read by others as percentiles.
//!
//! ```text
//!   nanoseconds  0 ─ 32 ─ 64 ─ … ─ 1024 ─── 1056 ─── … ─── 2048 ───── 2112 ───── … ─── 60 s, and all above
//!   bucket       0   1    2        32       33             64         65               the last
//!                linear, 32 ns each  each doubling is cut into 32: no bucket is wider than a thirty-second of what it holds
//! ```

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Buckets of one doubling, as a power of two.
const CUT_BITS: u32 = 5;
/// Width of the smallest buckets in nanoseconds, as a power of two.
const UNIT_BITS: u32 = 5;
/// What is longer than this, in nanoseconds, is counted as this: 60 s.
const LONGEST_NS: u64 = 60_000_000_000;
/// So many buckets, 7 KiB of them.
const BUCKETS: usize = bucket(LONGEST_NS) + 1;

const _: () = assert!(BUCKETS < 1024);

/// The shape of many times: what people are shown of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percentiles {
    /// How many there were. If none, the others are zero.
    pub count: u64,
    /// Half of them took no longer.
    pub p50: Duration,
    /// Nine in ten took no longer.
    pub p90: Duration,
    /// 99 in a hundred took no longer.
    pub p99: Duration,
    /// 999 in a thousand took no longer.
    pub p999: Duration,
    /// None took longer.
    pub max: Duration,
}

/// Times counted by one thread. A record costs a shift, a load and a store.
#[derive(Debug)]
pub struct Clocked(Box<[AtomicU64]>);

impl Default for Clocked {
    fn default() -> Self {
        Self((0..BUCKETS).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Clocked {
    /// Counts one time. By one thread only: two would lose counts.
    pub fn record(&self, time: Duration) {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).min(LONGEST_NS);
        let count = &self.0[bucket(ns)];
        count.store(count.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// What was counted until now.
    #[must_use]
    pub fn read(&self) -> Times {
        Times(self.0.iter().map(|count| count.load(Relaxed)).collect())
    }
}

/// Times read from [`Clocked`], or the sum of several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times(Vec<u64>);

impl Times {
    /// Their shape. Each is the upper edge of its bucket: too high by a thirty-second at most, never too low.
    #[must_use]
    pub fn percentiles(&self) -> Percentiles {
        let count: u64 = self.0.iter().sum();
        let at = |per_mille: u64| {
            // The rank is rounded up: of three, half are two.
            let rank = u128::from(count) * u128::from(per_mille);
            let rank = u64::try_from(rank.div_ceil(1000)).unwrap_or(count);
            let mut below = 0;
            let found = self.0.iter().position(|here| {
                below += here;
                below >= rank && rank > 0
            });
            found.map_or(Duration::ZERO, |bucket| Duration::from_nanos(edge(bucket)))
        };
        Percentiles { count, p50: at(500), p90: at(900), p99: at(990), p999: at(999), max: at(1000) }
    }

    /// For each of `bounds`, which ascend, how many took no longer, as far as buckets can tell: one that holds a bound counts as
    /// below it. Then how many there are, and how long they took together, to a thirty-second.
    #[must_use]
    pub fn up_to(&self, bounds: &[Duration]) -> (Vec<u64>, u64, Duration) {
        let mut below = vec![0; bounds.len()];
        let (mut count, mut sum) = (0, Duration::ZERO);
        for (at, here) in self.0.iter().enumerate().filter(|(_, here)| **here > 0) {
            let lowest = Duration::from_nanos(at.checked_sub(1).map_or(0, |before| edge(before) + 1));
            bounds.iter().zip(&mut below).filter(|(bound, _)| lowest <= **bound).for_each(|(_, below)| *below += here);
            count += here;
            sum = sum.saturating_add(lowest.saturating_mul(u32::try_from(*here).unwrap_or(u32::MAX)));
        }
        (below, count, sum)
    }

    /// Those that have come since `earlier` was read, of the same worker.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = earlier.0.iter().copied().chain(std::iter::repeat(0));
        Self(self.0.iter().zip(before).map(|(now, then)| now.saturating_sub(then)).collect())
    }

    /// Adds those of another worker.
    pub fn add(&mut self, other: &Self) {
        self.0.resize(self.0.len().max(other.0.len()), 0);
        self.0.iter_mut().zip(&other.0).for_each(|(mine, theirs)| *mine += theirs);
    }
}

/// The bucket of so many nanoseconds.
const fn bucket(ns: u64) -> usize {
    let units = ns >> UNIT_BITS;
    if units < 1 << CUT_BITS {
        return units as usize;
    }
    let doubling = units.ilog2() - CUT_BITS;
    ((doubling as usize) << CUT_BITS) + (units >> doubling) as usize
}

/// The longest time in nanoseconds that falls into this bucket.
const fn edge(bucket: usize) -> u64 {
    let (doubling, cut) = match (bucket >> CUT_BITS).checked_sub(1) {
        None | Some(0) => (0, bucket as u64),
        Some(doubling) => (doubling, (bucket - (doubling << CUT_BITS)) as u64),
    };
    (((cut + 1) << doubling) << UNIT_BITS) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(all: impl IntoIterator<Item = u64>) -> Times {
        let clocked = Clocked::default();
        all.into_iter().for_each(|ns| clocked.record(Duration::from_nanos(ns)));
        clocked.read()
    }

    #[test]
    fn every_time_lies_in_its_bucket_and_no_bucket_is_wide() {
        for at in 0..BUCKETS {
            let edge = edge(at);
            assert_eq!((bucket(edge), bucket(edge + 1)), (at, at + 1));
        }
        for ns in (0..100).chain((7..).map(|bits| 1_u64 << bits).take(29)).flat_map(|ns| [ns, ns + 1, ns * 3 / 2]) {
            let edge = edge(bucket(ns));
            assert!(edge >= ns && edge - ns <= (ns / 32).max(31), "{ns} becomes {edge}");
        }
    }

    #[test]
    fn percentiles_are_those_of_the_times() {
        assert_eq!(Times::default().percentiles(), Percentiles::default());
        assert_eq!(times([]).percentiles(), Percentiles::default());
        let us = |us: u64| Duration::from_micros(us);
        let shape = times((1..=1000).map(|n| n * 1000)).percentiles();
        assert_eq!(shape.count, 1000);
        for (found, exact) in
            [(shape.p50, us(500)), (shape.p90, us(900)), (shape.p99, us(990)), (shape.p999, us(999)), (shape.max, us(1000))]
        {
            assert!(found >= exact && found <= exact + exact / 32, "{found:?} for {exact:?}");
        }
        let one = times([5_000]).percentiles();
        assert!(one.p50 == one.max && one.p50 >= us(5));
    }

    #[test]
    fn what_took_no_longer_than_a_bound_is_counted_below_it() {
        let us = Duration::from_micros;
        let (below, count, sum) = times([1_000, 10_000, 10_001, 200_000]).up_to(&[us(1), us(10), us(100), us(1000)]);
        assert_eq!((below, count), (vec![1, 3, 3, 4], 4));
        assert!(sum <= us(222) && sum >= us(210), "{sum:?}");
        assert_eq!(Times::default().up_to(&[us(1)]), (vec![0], 0, Duration::ZERO));
    }

    #[test]
    fn what_takes_longer_than_anything_is_counted_all_the_same() {
        let shape = times([0, u64::MAX]).percentiles();
        assert_eq!(shape.count, 2);
        assert!(shape.max >= Duration::from_nanos(LONGEST_NS) && shape.max < Duration::from_secs(62));
    }

    #[test]
    fn a_stretch_between_two_looks_and_the_sum_of_two_workers() {
        let clocked = Clocked::default();
        clocked.record(Duration::from_secs(1));
        let before = clocked.read();
        clocked.record(Duration::from_micros(10));
        let stretch = clocked.read().since(&before);
        assert_eq!(stretch.percentiles().count, 1);
        assert!(stretch.percentiles().max < Duration::from_micros(11));
        assert_eq!(clocked.read().since(&Times::default()), clocked.read());
        let mut sum = Times::default();
        sum.add(&before);
        sum.add(&stretch);
        assert_eq!(sum, clocked.read());
    }
}
