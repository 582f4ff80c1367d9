//! The session machine in a simulated world: virtual time, a network in memory, real TLS on both sides, a kernel that takes keys or
//! not, and every fault that has a name, by chance that can be repeated.
//!
//! ```text
//!   cargo test -p sluicegate-tests --test sim              a few thousand sessions
//!   SEED=7 cargo test -p sluicegate-tests --test sim       one world again, the one that failed
//!   WORLDS=500 cargo test -p sluicegate-tests --test sim   more of them
//! ```
//!
//! What is looked at after every step and at every end is in [`world`]; what goes wrong is in [`plan`] and [`net::Faults`]; what the
//! kernel does with a key is in [`kernel`].
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::unwrap_in_result,
    clippy::print_stderr,
    reason = "a test: panics are its verdict, and the seed must be seen"
)]

mod chance;
mod kernel;
mod net;
mod peers;
mod plan;
mod world;

use sluice_link::reason::Reason;

use world::{Kit, Report, World};

/// Sessions of one world.
const SESSIONS: usize = 120;
/// Worlds of a run in which nobody says otherwise.
const WORLDS: u64 = 24;

fn run(kit: &Kit, seed: u64) -> Report {
    /// Says how to come back to a failure.
    struct Seed(u64);
    impl Drop for Seed {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("replay with SEED={} cargo test -p sluicegate-tests --test sim", self.0);
            }
        }
    }
    let _seed = Seed(seed);
    World::new(kit, seed, SESSIONS).run()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn sessions_keep_their_promises_whatever_their_neighbours_do() {
    let kit = Kit::new();
    let seeds: Vec<u64> = number("SEED").map_or_else(|| (1..=number("WORLDS").unwrap_or(WORLDS)).collect(), |seed| vec![seed]);
    let mut all = Report { reasons: vec![0; Reason::ALL.len()], ..Report::default() };
    for seed in &seeds {
        let report = run(&kit, *seed);
        all.sessions += report.sessions;
        all.clean += report.clean;
        all.steps += report.steps;
        all.stale += report.stale;
        all.starved += report.starved;
        all.up_bytes += report.up_bytes;
        all.down_bytes += report.down_bytes;
        all.kernel.iter_mut().zip(report.kernel).for_each(|(all, one)| *all += one);
        all.reasons.iter_mut().zip(report.reasons).for_each(|(all, one)| *all += one);
    }
    println!("{} sessions in {} worlds, {} of them clean, {} steps", all.sessions, seeds.len(), all.clean, all.steps);
    println!("{} bytes up, {} down, {} stale, {} starved", all.up_bytes, all.down_bytes, all.stale, all.starved);
    println!("keys: the kernel seals {}, opens {}, refused {}", all.kernel[0], all.kernel[1], all.kernel[2]);
    for reason in Reason::ALL {
        println!("  {:5} {reason}", all.reasons[reason.index()]);
    }
    if seeds.len() as u64 >= WORLDS {
        // A simulation that never meets a thing says nothing about it.
        for reason in MET {
            assert!(all.reasons[reason.index()] > 0, "no session ended as {reason}");
        }
        assert!(all.clean > all.sessions / 3);
        assert!(all.stale > 0);
        assert!(all.starved > 0);
        assert!(all.kernel.iter().all(|keys| *keys > 100), "keys taken and refused: {:?}", all.kernel);
    }
}

/// Ends that must occur in a run of the usual length.
const MET: &[Reason] = &[
    Reason::Finished,
    Reason::ClientClosed,
    Reason::HostClosed,
    Reason::Idle,
    Reason::ClientGone,
    Reason::NotTls,
    Reason::TlsTimeout,
    Reason::TlsBroken,
    Reason::Truncated,
    Reason::ClientLost,
    Reason::UnknownOpening,
    Reason::SocksAddress,
    Reason::CgpRejected,
    Reason::TicketRefused,
    Reason::Busy,
    Reason::HostRefused,
    Reason::HostUnreachable,
    Reason::HostTimeout,
    Reason::HostLost,
    Reason::Killed,
    Reason::KeySpent,
];

#[test]
fn one_seed_is_one_run() {
    let kit = Kit::new();
    let again = Kit::new();
    for seed in [3, 11] {
        assert_eq!(run(&kit, seed), run(&again, seed));
    }
}
