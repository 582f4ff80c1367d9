//! The promise, tested from outside: the real binary, real TLS, real sockets, each engine.
//!
//! One module per promise. Every test that says `engine` runs twice, once on io_uring and once on mio.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use sluicegate_tests::gateway::Wish;

/// Makes a test per engine from a function that takes the engine's name.
macro_rules! on_each_engine {
    ($($name:ident),+ $(,)?) => {
        mod uring { $(#[test] fn $name() { super::$name("URING"); })+ }
        mod mio { $(#[test] fn $name() { super::$name("MIO"); })+ }
    };
}

/// Makes a test per engine, and one where rustls has the records, from a function that takes a wish.
macro_rules! on_each_engine_and_with_rustls {
    ($($name:ident),+ $(,)?) => {
        mod uring { $(#[test] fn $name() { super::$name(crate::wish("URING")); })+ }
        mod mio { $(#[test] fn $name() { super::$name(crate::wish("MIO")); })+ }
        mod rustls { $(#[test] fn $name() { super::$name(crate::with_rustls()); })+ }
    };
}

/// Makes a test per engine, one where rustls has the records, and one per engine where the kernel is to have them.
macro_rules! on_each_engine_and_whoever_has_the_records {
    ($($name:ident),+ $(,)?) => {
        on_each_engine_and_with_rustls!($($name),+);
        mod kernel { $(#[test] fn $name() { super::$name(crate::with_kernel("URING")); })+ }
        mod kernel_mio { $(#[test] fn $name() { super::$name(crate::with_kernel("MIO")); })+ }
    };
}

mod agent;
mod certificate;
mod console;
mod control;
mod flows;
mod hostile;
mod kernel;
mod launch;
mod live;
mod login;
mod login_classic;
mod metrics;
mod page;
mod planted;
mod portal;
mod posture;
mod radius;
mod refuse;
mod soak;
mod splice;
mod steady;
mod tools;
mod totp;
mod window;

/// The program. For figures, `SLUICE_BINARY` names another build of it.
fn binary() -> std::ffi::OsString {
    std::env::var_os("SLUICE_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_sluicegate").into())
}

/// A gateway with one worker on `engine`.
fn wish(engine: &'static str) -> Wish {
    Wish::new(binary(), engine)
}

/// A gateway that leaves its records to rustls.
fn with_rustls() -> Wish {
    wish("URING").line("set ssl vserver vpn1 -recordEngine RUSTLS")
}

/// A gateway that leaves what it can of its records to the kernel.
fn with_kernel(engine: &'static str) -> Wish {
    wish(engine).line("set ssl vserver vpn1 -recordEngine KERNEL")
}

/// Bytes that can be checked anywhere in the stream: a different sequence for each seed.
struct Pattern(u64);

impl Pattern {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            chunk.copy_from_slice(&self.0.to_le_bytes()[..chunk.len()]);
        }
    }

    fn bytes(&mut self, n: usize) -> Vec<u8> {
        let mut out = vec![0; n];
        self.fill(&mut out);
        out
    }
}
