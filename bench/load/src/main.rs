//! `sluice-load`: load on a gateway, or on any TLS-to-TCP proxy, measured as CPU time and memory of the process under load.
//!
//! ```text
//!   sluice-load MODE ──TLS──► gateway or proxy (pinned elsewhere) ──TCP──► sluice-load sink
//!        │                          │
//!        │ bytes, handshakes,       └── CPU seconds, memory: from /proc
//!        └ latencies ─────────────────► table, JSON, .hgrm, a page with plots
//! ```
//!
//! It has a client side of its own, on mio and rustls: it shares no code with the gateway's data plane, so that one fault cannot
//! hide on both sides.
#![forbid(unsafe_code)]

mod beside;
mod client;
mod clock;
mod code;
mod drive;
mod fault;
mod load;
mod logins;
mod measure;
mod overload;
mod progress;
mod radius;
mod report;
mod scenario;
mod sink;
mod soak;
mod stage;
mod storm;
mod suite;
mod tickets;
mod trust;
mod wire;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use drive::{Connect, Direction, Mix, Work};
use fault::Fault;
use load::Load;

/// Load on a gateway or on any TLS-to-TCP proxy, and what it costs the process under load.
///
/// Begin the host first (`sluice-load sink`), let the proxy carry connections to it, then begin a mode: see the end of bench/README.md.
#[derive(Debug, Parser)]
#[command(name = "sluice-load", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The host behind the target: echoes, swallows, pours or answers, as each connection asks.
    Sink {
        /// Where to listen; port 0 lets the system choose.
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// Pin to this core.
        #[arg(long)]
        core: Option<usize>,
    },
    /// Handshakes: connect, TLS (each with a ticket of its own if it is a gateway), one byte there and back, close.
    ///
    /// Without a rate the next begins when one is done. With one it is a storm: connections are due on schedule, and the time of each counts
    /// from then; those that come to nothing are counted, not retried.
    Connect {
        #[command(flatten)]
        load: Load,
        /// Connections per second.
        #[arg(long)]
        rate: Option<f64>,
        /// Resume with tickets of TLS where the target gives any.
        #[arg(long)]
        resume: bool,
    },
    /// First flights: a ClientHello, and gone once the answer begins.
    ///
    /// They cost the target most of a handshake, and this program next to nothing. Without a rate the next begins when one is answered.
    Hello {
        #[command(flatten)]
        load: Load,
        /// First flights per second; not more than `--connections` wait at a time, each for 250 ms.
        #[arg(long)]
        rate: Option<f64>,
    },
    /// Sessions that come, stay for a while, and go, so that there are about as many of them all the time.
    Churn {
        #[command(flatten)]
        load: Load,
        /// Seconds that one stays. New ones come at the rate that keeps `--connections` of them there.
        #[arg(long, default_value_t = 1.0)]
        life: f64,
        /// Resume with tickets of TLS where the target gives any.
        #[arg(long)]
        resume: bool,
    },
    /// Bytes as fast as they go.
    Bulk {
        #[command(flatten)]
        load: Load,
        /// In which direction.
        #[arg(long, value_enum, default_value_t = Direction::Up)]
        direction: Direction,
    },
    /// Messages there and back.
    ///
    /// Without a rate each connection sends its next when the last is back (closed loop); with one, they are sent on schedule, and latency
    /// counts from the moment at which each should have been sent (open loop).
    Echo {
        #[command(flatten)]
        load: Load,
        /// Bytes in a message.
        #[arg(long, default_value_t = 256)]
        size: usize,
        /// Messages per second over all connections.
        #[arg(long)]
        rate: Option<u32>,
    },
    /// What ICA sessions look like: typing, pages, printing and video, on schedule, each with the bandwidth that is planned for such a user.
    Ica {
        #[command(flatten)]
        load: Load,
        /// Who does what, in percent: office, web, print, rendered, video, hd.
        #[arg(long, default_value = Mix::DEFAULT, value_parser = Mix::parse)]
        mix: Mix,
    },
    /// Connections that say nothing: memory per session.
    Idle {
        #[command(flatten)]
        load: Load,
        /// Use each once in the end: it must still be there.
        #[arg(long)]
        then_use: bool,
    },
    /// Clients that read more slowly than their hosts pour: memory per session, and that the target bears it.
    Slow {
        #[command(flatten)]
        load: Load,
        /// Bytes that each client reads in a second.
        #[arg(long, default_value_t = 10_000)]
        rate: u32,
    },
    /// Logins with name and password, as scripts do them.
    Logins {
        #[command(flatten)]
        load: Load,
        #[command(flatten)]
        crowd: logins::Crowd,
    },
    /// Logins through a real directory, and what running streams notice of them, in a network namespace of its own.
    Storm(storm::Plan),
    /// More handshakes than the gateway can do, beside running streams, in a network namespace of its own.
    Overload(overload::Plan),
    /// Very many idle sessions, used once each: memory, and that all of it comes back; in a network namespace of its own.
    Soak(soak::Plan),
    /// The gateway against its peers, in turns, in a network namespace of its own.
    Compare(suite::Plan),
    /// One page with plots of several results that were written with --json.
    Report(report::Shown),
}

fn main() -> ExitCode {
    match carry_out(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            report::complain(&fault);
            ExitCode::FAILURE
        }
    }
}

fn carry_out(command: Command) -> Result<(), Fault> {
    let (load, work) = match command {
        Command::Sink { listen, core } => return sink::run(listen, core),
        Command::Logins { load, crowd } => return logins::run(&load, &crowd).and_then(|result| report::show(&load, &result)),
        Command::Storm(plan) => return storm::run(&plan),
        Command::Overload(plan) => return overload::run(&plan),
        Command::Soak(plan) => return soak::run(&plan),
        Command::Compare(plan) => return suite::run(&plan),
        Command::Report(shown) => return report::again(&shown),
        Command::Connect { load, rate, resume } => (load, Work::Connect(Connect { rate, hold: Duration::ZERO, resume })),
        Command::Hello { load, rate } => (load, Work::Hello { rate }),
        Command::Churn { load, life, resume } => churn(load, life, resume),
        Command::Bulk { load, direction } => (load, Work::Bulk(direction)),
        Command::Echo { load, size, rate } => (load, Work::Echo { size, rate }),
        Command::Ica { load, mix } => (load, Work::Ica(mix)),
        Command::Idle { load, then_use } => (load, Work::Idle { then_use }),
        Command::Slow { load, rate } => (load, Work::Slow { rate }),
    };
    report::show(&load, &drive::run(&load, &work)?)
}

/// Sessions that stay for `life` seconds, at the rate that keeps as many of them there as are wanted.
fn churn(load: Load, life: f64, resume: bool) -> (Load, Work) {
    /// Handshakes that are under way beside the sessions that are there.
    const MORE: usize = 2;
    let life = life.clamp(0.001, 86_400.0);
    #[expect(clippy::cast_precision_loss, reason = "a number of connections")]
    let rate = load.connections as f64 / life;
    // Until the first ones go, the population is not what it will be.
    let warm_up = load.warm_up.max(life);
    let load = Load { connections: load.connections * MORE, warm_up, ..load };
    (load, Work::Connect(Connect { rate: Some(rate), hold: Duration::from_secs_f64(life), resume }))
}
