//! Micro-benchmarks of the sans-IO crates: did this change cost something?
//!
//! ```text
//!   bench-micro [--quick|--instructions] [WORD…]      WORD: only benchmarks whose name contains it
//!
//!   first_flight   what one opening costs: hello, preface, SOCKS5, CGP, PROXY, ticket
//!   records        sealing and opening TLS records of three sizes
//!   step           what a session does with one event, each way
//!   tables         slots and timers
//! ```
//!
//! Numbers are of one thread on one core, in nanoseconds an operation, and only good for comparing two commits on one quiet
//! machine: how fast the gateway is, `bench/load` tells. `--quick` runs everything for a moment, so that it keeps working.
//! `--instructions` is for `tests/instructions.rs`, which counts under valgrind: that needs no quiet machine.
#![forbid(unsafe_code)]

mod first_flight;
mod measure;
mod records;
mod served;
mod step;
mod tables;

use measure::{Meter, What};

fn main() {
    let (options, words): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let is = |name: &str| options.iter().any(|option| option == name);
    let what = match (is("--instructions"), is("--quick")) {
        (true, _) => What::Instructions,
        (false, true) => What::Quick,
        (false, false) => What::Time,
    };
    let mut meter = Meter::new(what, words);
    first_flight::run(&mut meter);
    records::run(&mut meter);
    step::run(&mut meter);
    tables::run(&mut meter);
}
