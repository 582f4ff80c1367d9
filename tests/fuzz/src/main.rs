//! Mutated corpora through every codec.
//!
//! ```text
//!   tests/corpus/NAME/* ─► mutate ─► target(&[u8]) ─► a panic is a finding
//!                            ▲           ▲
//!        stable, here: driver┘           └ libFuzzer, with nightly and coverage: see README.md
//! ```
//!
//! A target ([`target`]) is a function of some bytes that must not panic, and that asserts what must hold of any bytes. The
//! same table serves two drivers. The one here ([`driver`]) needs nothing but stable Rust; it knows no coverage and lives on the
//! corpora. Each of its inputs follows from a printed seed and a number, so that every finding can be had again.
#![forbid(unsafe_code)]
#![cfg_attr(fuzzing, no_main)]

mod target;

#[cfg(not(fuzzing))]
mod driver;
#[cfg(not(fuzzing))]
mod mutate;

#[cfg(not(fuzzing))]
fn main() -> std::process::ExitCode {
    driver::main()
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| (target::chosen().run)(data));
