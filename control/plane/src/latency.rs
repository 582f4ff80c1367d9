//! How long launches took, for each virtual server and phase: fixed memory, percentiles at any time.
//!
//! ```text
//!   worker ─► Ask::Opened (phases) ─► Latencies::record ─► one histogram for each virtual server and phase
//!                                                             └─► percentiles, for one virtual server or for all
//! ```
//!
//! Times are kept in microseconds with two significant digits, from 1 µs to 60 s: what is shorter or longer counts as that. A
//! virtual server takes about 100 KiB, from its first launch until it is forgotten; with too many of them, the one goes that has
//! been quiet longest.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use sluice_link::ask::Opened;
use sluice_link::id::ListenerId;
use sluice_link::spread::Percentiles;

/// Virtual servers whose times are kept, 50 MiB of them.
pub const VSERVERS_MAX: usize = 512;
/// The longest time that is told from longer ones.
pub const LONGEST: Duration = Duration::from_secs(60);

/// In microseconds.
const LONGEST_US: u64 = 60_000_000;
/// Significant digits that are kept: a time is off by a hundredth at most.
const DIGITS: u8 = 2;

const _: () = assert!(LONGEST_US as u128 == LONGEST.as_micros());

/// A part of a launch that is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// From the client's connect to the end of its TLS handshake.
    Handshake,
    /// Until the client had presented its ticket.
    Preface,
    /// Until the ticket was redeemed.
    Redeem,
    /// Until the host was connected.
    Connect,
    /// From the client's connect to the reply that told it "connected".
    Whole,
}

impl Phase {
    /// All of them, in order of time.
    pub const ALL: [Self; 5] = [Self::Handshake, Self::Preface, Self::Redeem, Self::Connect, Self::Whole];

    /// The word used in commands and metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Preface => "preface",
            Self::Redeem => "redeem",
            Self::Connect => "connect",
            Self::Whole => "whole",
        }
    }

    /// What is timed, as one sentence.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Handshake => "From the client's connect to the end of its TLS handshake.",
            Self::Preface => "From there until the client had presented its ticket.",
            Self::Redeem => "From there until the ticket was redeemed.",
            Self::Connect => "From there until the host was connected, its TLS included.",
            Self::Whole => "From the client's connect to the reply that told it \"connected\".",
        }
    }

    fn of(self, opened: &Opened) -> Option<Duration> {
        match self {
            Self::Handshake => opened.phases.handshake,
            Self::Preface => opened.phases.preface,
            Self::Redeem => opened.phases.redeem,
            Self::Connect => opened.phases.connect,
            Self::Whole => Some(opened.took),
        }
    }
}

/// How many launches took no longer than so much, for several bounds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpTo {
    /// In the order of the bounds.
    pub below: Vec<u64>,
    /// All of them.
    pub count: u64,
    /// How long they took together, to a hundredth.
    pub sum: Duration,
}

impl UpTo {
    /// Adds those of another virtual server, for the same bounds.
    pub fn add(&mut self, other: &Self) {
        self.below.resize(self.below.len().max(other.below.len()), 0);
        self.below.iter_mut().zip(&other.below).for_each(|(mine, theirs)| *mine += theirs);
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
    }
}

/// The shapes of one virtual server's times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VserverLatency {
    /// Which.
    pub listener: ListenerId,
    /// In the order of [`Phase::ALL`].
    pub phases: [(Phase, Percentiles); Phase::ALL.len()],
}

/// The times of one virtual server, in the order of [`Phase::ALL`].
type Phases = [Histogram<u64>; Phase::ALL.len()];

#[derive(Clone, Debug)]
struct Vserver {
    times: Box<Phases>,
    /// Of all launches at all virtual servers, the last one here.
    last: u64,
}

/// The times of all virtual servers.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    vservers: BTreeMap<ListenerId, Vserver>,
    launches: u64,
}

impl Latencies {
    /// Nothing has been timed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one launch.
    pub fn record(&mut self, opened: &Opened) {
        let Some(times) = self.of(opened.listener) else { return };
        for (phase, histogram) in Phase::ALL.into_iter().zip(times) {
            if let Some(time) = phase.of(opened) {
                let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
                histogram.saturating_record(us.clamp(1, LONGEST_US));
            }
        }
    }

    /// The shape of one virtual server's times. All zero if it has none.
    #[must_use]
    pub fn percentiles(&self, listener: ListenerId, phase: Phase) -> Percentiles {
        self.vservers.get(&listener).map_or_else(Percentiles::default, |vserver| shape(at(&vserver.times, phase)))
    }

    /// The shapes of all virtual servers that have any times, in order of id.
    #[must_use]
    pub fn report(&self) -> Vec<VserverLatency> {
        let one = |(listener, vserver): (&ListenerId, &Vserver)| VserverLatency {
            listener: *listener,
            phases: Phase::ALL.map(|phase| (phase, shape(at(&vserver.times, phase)))),
        };
        self.vservers.iter().map(one).collect()
    }

    /// The shape of the times of all virtual servers together.
    #[must_use]
    pub fn of_all(&self, phase: Phase) -> Percentiles {
        let Some(mut sum) = histogram() else { return Percentiles::default() };
        for vserver in self.vservers.values() {
            take_in(&mut sum, at(&vserver.times, phase));
        }
        shape(&sum)
    }

    /// For each of `bounds`, which ascend, how many of one virtual server's launches took no longer, to a
    /// hundredth: a time that cannot be told from a bound counts as below it. All zero if it has none.
    #[must_use]
    pub fn up_to(&self, listener: ListenerId, phase: Phase, bounds: &[Duration]) -> UpTo {
        let mut found = UpTo { below: vec![0; bounds.len()], ..UpTo::default() };
        let Some(vserver) = self.vservers.get(&listener) else { return found };
        let histogram = at(&vserver.times, phase);
        for here in histogram.iter_recorded() {
            let (us, times) = (here.value_iterated_to(), here.count_at_value());
            let lowest = Duration::from_micros(histogram.lowest_equivalent(us));
            bounds.iter().zip(&mut found.below).filter(|(bound, _)| lowest <= **bound).for_each(|(_, below)| *below += times);
            found.count += times;
            let middle = Duration::from_micros(histogram.median_equivalent(us));
            found.sum = found.sum.saturating_add(middle.saturating_mul(u32::try_from(times).unwrap_or(u32::MAX)));
        }
        found
    }

    /// Takes in what `other` has recorded.
    pub fn merge(&mut self, other: &Self) {
        for (listener, theirs) in &other.vservers {
            let mine = self.of(*listener).into_iter().flatten();
            mine.zip(theirs.times.iter()).for_each(|(mine, theirs)| take_in(mine, theirs));
        }
    }

    /// Begins anew for one virtual server.
    pub fn reset(&mut self, listener: ListenerId) {
        if let Some(vserver) = self.vservers.get_mut(&listener) {
            vserver.times.iter_mut().for_each(Histogram::reset);
        }
    }

    /// Begins anew for all.
    pub fn reset_all(&mut self) {
        self.vservers.values_mut().flat_map(|vserver| vserver.times.iter_mut()).for_each(Histogram::reset);
    }

    /// Forgets virtual servers that are gone.
    pub fn retain(&mut self, lives: impl Fn(ListenerId) -> bool) {
        self.vservers.retain(|listener, _| lives(*listener));
    }

    /// The histograms of a virtual server with a launch, new ones if it has none.
    fn of(&mut self, listener: ListenerId) -> Option<&mut Phases> {
        self.launches = self.launches.saturating_add(1);
        if !self.vservers.contains_key(&listener) {
            let quietest = self.vservers.iter().min_by_key(|(_, vserver)| vserver.last).map(|(listener, _)| *listener);
            if let Some(quietest) = quietest.filter(|_| self.vservers.len() >= VSERVERS_MAX) {
                self.vservers.remove(&quietest);
            }
            let fresh = histogram()?;
            let times = Box::new(std::array::from_fn(|_| fresh.clone()));
            self.vservers.insert(listener, Vserver { times, last: 0 });
        }
        let vserver = self.vservers.get_mut(&listener)?;
        vserver.last = self.launches;
        Some(&mut vserver.times)
    }
}

fn at(histograms: &Phases, phase: Phase) -> &Histogram<u64> {
    let [handshake, preface, redeem, connect, whole] = histograms;
    match phase {
        Phase::Handshake => handshake,
        Phase::Preface => preface,
        Phase::Redeem => redeem,
        Phase::Connect => connect,
        Phase::Whole => whole,
    }
}

/// `None` never comes: the bounds are constants, and a test makes one.
fn histogram() -> Option<Histogram<u64>> {
    Histogram::new_with_bounds(1, LONGEST_US, DIGITS).ok()
}

/// Of the same bounds, so that everything in `theirs` has a place in `mine`.
fn take_in(mine: &mut Histogram<u64>, theirs: &Histogram<u64>) {
    let fits = mine.add(theirs);
    debug_assert_eq!(fits, Ok(()), "histograms of different bounds");
}

fn shape(histogram: &Histogram<u64>) -> Percentiles {
    let at = |quantile: f64| Duration::from_micros(histogram.value_at_quantile(quantile).min(LONGEST_US));
    Percentiles {
        count: histogram.len(),
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        max: Duration::from_micros(histogram.max().min(LONGEST_US)),
    }
}

#[cfg(test)]
mod tests {
    use sluice_link::ask;
    use sluice_link::id::{Generation, LaunchId, SessionKey, Slot, SlotKey, WorkerId};

    use super::*;

    const GW: ListenerId = ListenerId(1);

    fn opened(listener: ListenerId, took: Duration) -> Opened {
        Opened {
            key: SessionKey { worker: WorkerId(0), at: SlotKey { slot: Slot(0), generation: Generation(0) } },
            listener,
            launch: LaunchId(1),
            took,
            phases: ask::Phases {
                handshake: Some(took / 2),
                preface: Some(took / 4),
                redeem: Some(took / 8),
                connect: Some(took / 8),
            },
            secured: None,
        }
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn is_near(found: Duration, exact: Duration) -> bool {
        found.abs_diff(exact) <= exact / 100
    }

    #[test]
    fn each_phase_has_its_own_times() {
        let mut all = Latencies::new();
        (1..=1000).for_each(|n| all.record(&opened(GW, ms(n * 8))));
        for (phase, part) in
            [(Phase::Handshake, 2), (Phase::Preface, 4), (Phase::Redeem, 8), (Phase::Connect, 8), (Phase::Whole, 1)]
        {
            let shape = all.percentiles(GW, phase);
            assert_eq!(shape.count, 1000);
            for (found, exact) in [
                (shape.p50, ms(4000)),
                (shape.p90, ms(7200)),
                (shape.p99, ms(7920)),
                (shape.p999, ms(7992)),
                (shape.max, ms(8000)),
            ] {
                assert!(is_near(found, exact / part), "{phase:?}: {found:?} for {:?}", exact / part);
            }
        }
        assert_eq!(all.percentiles(ListenerId(2), Phase::Whole), Percentiles::default());
    }

    #[test]
    fn what_took_no_longer_than_a_bound_is_counted_below_it() {
        let mut all = Latencies::new();
        [1, 10, 10, 900, 70_000].into_iter().for_each(|n| all.record(&opened(GW, ms(n))));
        let bounds = [ms(1), ms(10), ms(1000), ms(30_000)];
        let mut found = all.up_to(GW, Phase::Whole, &bounds);
        assert_eq!((found.below.as_slice(), found.count), (&[1, 3, 4, 4][..], 5));
        assert!(is_near(found.sum, ms(60_921)), "{:?}", found.sum);
        assert_eq!(all.up_to(ListenerId(2), Phase::Whole, &bounds).below, [0; 4]);
        found.add(&all.up_to(GW, Phase::Handshake, &bounds));
        assert_eq!((found.below, found.count), (vec![2, 6, 8, 8], 10));
    }

    #[test]
    fn a_phase_that_was_not_gone_through_is_not_timed() {
        let mut all = Latencies::new();
        let mut half = opened(GW, ms(10));
        half.phases.redeem = None;
        all.record(&half);
        let counts = Phase::ALL.map(|phase| all.percentiles(GW, phase).count);
        assert_eq!(counts, [1, 1, 0, 1, 1]);
    }

    #[test]
    fn what_is_too_short_or_too_long_counts_as_the_shortest_or_longest() {
        let mut all = Latencies::new();
        all.record(&opened(GW, Duration::ZERO));
        all.record(&opened(GW, Duration::MAX));
        let shape = all.percentiles(GW, Phase::Whole);
        assert_eq!((shape.count, shape.p50, shape.max), (2, Duration::from_micros(1), LONGEST));
    }

    #[test]
    fn of_too_many_virtual_servers_the_quietest_is_forgotten() {
        let mut all = Latencies::new();
        let many = u32::try_from(VSERVERS_MAX).unwrap();
        (0..many).for_each(|id| all.record(&opened(ListenerId(id), ms(1))));
        all.record(&opened(ListenerId(0), ms(1)));
        all.record(&opened(ListenerId(many), ms(1)));
        assert_eq!(all.report().len(), VSERVERS_MAX);
        let counts = [0, 1, 2, many].map(|id| all.percentiles(ListenerId(id), Phase::Whole).count);
        assert_eq!(counts, [2, 0, 1, 1]);
        all.retain(|listener| listener.0 == 0);
        assert_eq!(all.report().iter().map(|one| one.listener).collect::<Vec<_>>(), [ListenerId(0)]);
    }

    #[test]
    fn merging_loses_nothing_and_a_reset_begins_anew() {
        let (mut one, mut two) = (Latencies::new(), Latencies::new());
        one.record(&opened(GW, ms(10)));
        two.record(&opened(GW, ms(1000)));
        two.record(&opened(ListenerId(2), ms(500)));
        one.merge(&two);
        assert_eq!(one.percentiles(GW, Phase::Whole).count, 2);
        assert!(is_near(one.percentiles(GW, Phase::Whole).max, ms(1000)));
        assert!(is_near(one.of_all(Phase::Whole).p50, ms(500)));
        one.reset(GW);
        assert_eq!((one.percentiles(GW, Phase::Whole).count, one.of_all(Phase::Whole).count), (0, 1));
        one.reset_all();
        assert_eq!(one.of_all(Phase::Whole), Percentiles::default());
    }

    #[test]
    fn the_memory_of_a_virtual_server_is_what_it_is_said_to_be() {
        let histogram = histogram().expect("the bounds are in order");
        let bytes = histogram.distinct_values() * size_of::<u64>() * Phase::ALL.len();
        assert!((80_000..120_000).contains(&bytes), "{bytes} bytes");
    }
}
