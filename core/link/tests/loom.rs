//! The record of a slot, every interleaving of writing and reading it: no reader takes the numbers of one tenant for those of
//! another.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p sluice-link --test loom --release --target-dir target/loom
//! ```
#![cfg(loom)]
#![forbid(unsafe_code)]

use loom::sync::Arc;
use loom::thread;
use sluice_link::id::Generation;
use sluice_link::live::{Live, Traffic};
use sluice_link::time::Moment;

const OLD: Generation = Generation(0);
const NEW: Generation = Generation(1);

/// The old tenant is in, `change` happens, and somebody looks meanwhile, for the old one and for one that may have come.
///
/// At most three forced switches per run keep this to seconds; a mix-up needs two.
fn model(change: fn(&Live)) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(move || {
        let live = Arc::new(Live::default());
        live.begin(OLD, Moment(10));
        live.moved(11, 12, Moment(13));
        let writer = {
            let live = live.clone();
            thread::spawn(move || change(&live))
        };
        if let Some(old) = live.read(OLD) {
            assert_eq!(old, Traffic { up_bytes: 11, down_bytes: 12, last: Moment(13) });
        }
        if let Some(new) = live.read(NEW) {
            assert!([0, 21].contains(&new.up_bytes) && [0, 22].contains(&new.down_bytes), "{new:?}");
            assert!([20, 23].contains(&new.last.0), "{new:?}");
        }
        writer.join().unwrap();
        assert_eq!(live.read(OLD), None);
    });
}

#[test]
fn numbers_are_those_of_the_tenant_who_was_asked_for() {
    model(|live| {
        live.begin(NEW, Moment(20));
        live.moved(21, 22, Moment(23));
    });
}

#[test]
fn nobody_is_found_when_a_tenant_has_gone() {
    model(|live| live.end());
}

/// If the name were not taken away first, the model must find it, or it would prove nothing.
#[test]
#[should_panic(expected = "left == right")]
fn the_model_sees_a_name_that_stays_too_long() {
    model(|live| {
        live.moved(0, 0, Moment(20));
        live.begin(NEW, Moment(20));
    });
}
