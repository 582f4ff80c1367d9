//! Slots and timers, as a worker with many sessions uses them.

use std::hint::black_box;
use std::time::Duration;

use sluice_flow::slots::Slots;
use sluice_flow::wheel::Wheel;
use sluice_link::time::Moment;

use crate::measure::Meter;

/// Sessions in the tables.
const SESSIONS: u32 = 8192;

pub(crate) fn run(meter: &mut Meter) {
    let mut slots = Slots::new(SESSIONS);
    let keys: Vec<_> = (0..SESSIONS - 1).filter_map(|n| slots.insert(n).ok()).collect();
    let mut next = 0;
    meter.bench("slots look up", 0, || {
        next = (next + 61) % keys.len();
        assert!(black_box(slots.get(black_box(keys[next]))).is_some());
    });
    meter.bench("slots take and free", 0, || {
        let key = slots.insert(0);
        assert!(key.is_ok_and(|key| slots.free(key).is_some()));
    });

    let mut wheel = Wheel::new(SESSIONS, Moment(0));
    for (&key, n) in keys.iter().zip(1..) {
        wheel.set(key, Moment(0) + Duration::from_millis(10 * n));
    }
    let mut far = 3600;
    meter.bench("wheel move a deadline", 0, || {
        next = (next + 61) % keys.len();
        far += 1;
        wheel.set(black_box(keys[next]), Moment(0) + Duration::from_secs(far));
    });
}
