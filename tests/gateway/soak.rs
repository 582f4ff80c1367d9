//! Everything at once, for a while: afterwards nothing is left over, and memory has not grown.
//!
//! A few seconds in every run of the suite; `make soak MINUTES=60` for longer. A failure prints the seed of its thread.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use sluicegate_tests::client::Opening;
use sluicegate_tests::deadline::Deadline;
use sluicegate_tests::gateway::Gateway;
use sluicegate_tests::host::Host;

use crate::{Pattern, wish};

on_each_engine!(mixed_sessions_leave_nothing);

/// Clients at a time.
const CLIENTS: u64 = 12;
/// How long, unless `SLUICE_SOAK_SECONDS` says otherwise.
const SECONDS: u64 = 4;

fn mixed_sessions_leave_nothing(engine: &'static str) {
    let seconds = std::env::var("SLUICE_SOAK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SECONDS);
    let gateway = wish(engine).line("set ns limits -unprovenPerSource 1000").start();
    let (echo, silent) = (Host::echo(), Host::silent());
    let round = |time: Duration, from: u64| {
        let until = Deadline::after(time);
        std::thread::scope(|scope| {
            for seed in from..from + CLIENTS {
                let (gateway, echo, silent) = (&gateway, &echo, &silent);
                scope.spawn(move || {
                    let mut chance = Pattern::new(seed);
                    let mut n = 0;
                    while !until.passed() {
                        let dice = chance.bytes(4);
                        let one = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                            visit(gateway, echo, silent, &dice, seed + n)
                        }));
                        assert!(one.is_ok(), "seed {seed}, visit {n}, dice {dice:?}");
                        n += 1;
                    }
                });
            }
        });
        (gateway.quiet(), resident(&gateway))
    };
    // The first quarter brings pools and tables to the size that this load needs.
    let (descriptors, memory) = round(Duration::from_secs(seconds.div_ceil(4)), 1);
    let (after, grown) = round(Duration::from_secs(seconds), 1000);
    assert_eq!(after, descriptors, "descriptors");
    assert_eq!((gateway.count("buffers_lent"), gateway.count("spliced")), (0, 0));
    assert!(grown < memory + memory / 4 + 4096, "{memory} KiB have become {grown} KiB");
    assert_eq!(gateway.count("closed_never"), 0);
}

/// Resident memory, in KiB.
fn resident(gateway: &Gateway) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// One client of one of the kinds that there are.
fn visit(gateway: &Gateway, echo: &Host, silent: &Host, dice: &[u8], seed: u64) {
    let bytes = 1 + usize::from(dice[1]) * usize::from(dice[2]) * 8;
    match dice[0] % 10 {
        // Not even TLS, and gone.
        0 => {
            let mut tcp = TcpStream::connect(gateway.public()).unwrap();
            let _ = tcp.write_all(&dice[..usize::from(dice[3] % 4)]);
        }
        // TLS, and gone at once or after a broken opening.
        1 => {
            let mut client = gateway.connect();
            let _ = client.stream.write_all(&dice[..usize::from(dice[3] % 4)]);
        }
        // An address instead of a ticket. (Bad tickets would soon have this source turned away.)
        2 => {
            let mut client = gateway.connect();
            client.stream.write_all(&[5, 1, 0, 1, 127, 0, 0, 1, 5, 214]).unwrap();
            assert_eq!(client.reply().unwrap(), 8);
        }
        // A host that never speaks; the client vanishes.
        3 => {
            let mut client = gateway.launch_with(silent.address, Opening::Bare);
            client.stream.write_all(&vec![7; bytes]).unwrap();
        }
        // The client vanishes while bytes are on their way back.
        4 => {
            let mut client = gateway.launch_with(echo.address, Opening::Pipelined);
            client.stream.write_all(&vec![7; bytes.min(60_000)]).unwrap();
        }
        // Everything as it should be.
        _ => {
            let mut client = gateway.launch_with(echo.address, Opening::Bare);
            let sent = Pattern::new(seed).bytes(bytes);
            for part in sent.chunks(30_000) {
                client.stream.write_all(part).unwrap();
                let mut back = vec![0; part.len()];
                client.stream.read_exact(&mut back).unwrap();
                assert!(back == part, "bytes differ");
            }
            client.finish().unwrap();
            assert_eq!(client.rest().unwrap(), b"");
        }
    }
}
