//! Micro-benchmarks of the sans-IO crates.
#![forbid(unsafe_code)]
