//! `sluice-load`: load on a gateway, or on a plain TLS-to-TCP proxy beside it, measured as CPU time of the process under load.
//!
//! ```text
//!   sluice-load MODE ──TLS──► gateway or proxy (pinned elsewhere) ──TCP──► sluice-load sink
//!        │                          │
//!        │ bytes, handshakes,       └── CPU seconds, memory: from /proc
//!        └ latencies ─────────────────► table and JSON
//! ```
//!
//! It has a client side of its own, on mio and rustls: it shares no code with the gateway's data plane, so that one fault cannot
//! hide on both sides.
#![forbid(unsafe_code)]

mod client;
mod clock;
mod compare;
mod drive;
mod fault;
mod logins;
mod measure;
mod radius;
mod report;
mod sink;
mod stage;
mod storm;
mod tickets;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Load generator for the gateway and its peers.
#[derive(Debug, Parser)]
#[command(name = "sluice-load", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The host behind the gateway: echoes, swallows or pours, as each connection asks.
    Sink {
        /// Where to listen; port 0 lets the system choose.
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// Pin to this core.
        #[arg(long)]
        core: Option<usize>,
    },
    /// Full handshakes, each with a ticket of its own if it is a gateway, one byte there and back, close.
    Connect(Load),
    /// Bytes as fast as they go.
    Bulk {
        #[command(flatten)]
        load: Load,
        /// In which direction.
        #[arg(long, value_enum, default_value_t = Direction::Up)]
        direction: Direction,
    },
    /// Messages there and back. Without a rate each connection sends its next when the last is back (closed loop); with one, they
    /// are sent on schedule, and latency counts from the moment at which each should have been sent.
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
    /// Connections that say nothing: memory per session.
    Idle(Load),
    /// Logins with name and password, as scripts do them.
    Logins {
        #[command(flatten)]
        load: Load,
        #[command(flatten)]
        crowd: logins::Crowd,
    },
    /// Logins through a real directory, and what running streams notice of them, in a network namespace of its own.
    Storm(storm::Plan),
    /// The gateway against Debian's HAProxy, in turns, in a network namespace of its own.
    Compare(compare::Plan),
}

/// In which direction bulk goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Direction {
    /// Client to host.
    Up,
    /// Host to client.
    Down,
}

/// What every mode needs.
#[derive(Clone, Debug, Args)]
pub(crate) struct Load {
    /// The gateway or proxy.
    #[arg(long)]
    pub(crate) target: SocketAddr,
    /// The name in its certificate.
    #[arg(long, default_value = "gw.example.test")]
    pub(crate) name: String,
    /// Authority to trust, PEM.
    #[arg(long)]
    pub(crate) ca: PathBuf,
    /// Where to get tickets (an STA that speaks HTTP). Without it the target is a plain TLS proxy, and no SOCKS5 is spoken.
    #[arg(long)]
    pub(crate) sta: Option<SocketAddr>,
    /// The host to ask tickets for: the sink.
    #[arg(long)]
    pub(crate) host: Option<SocketAddr>,
    /// Connections at a time.
    #[arg(long, default_value_t = 8)]
    pub(crate) connections: usize,
    /// Length of the measured window, in seconds.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) seconds: f64,
    /// Process whose CPU time and memory count.
    #[arg(long)]
    pub(crate) pid: Option<u32>,
    /// Threads that share the connections.
    #[arg(long, default_value_t = 1)]
    pub(crate) threads: usize,
    /// Pin to this core; further threads to those that follow it.
    #[arg(long)]
    pub(crate) core: Option<usize>,
    /// Congestion control of the connections, such as `cubic`. Default: the machine's own.
    #[arg(long)]
    pub(crate) congestion: Option<String>,
    /// Write the result as JSON to this file, `-` for standard output instead of the table.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Sink { listen, core } => sink::run(listen, core),
        Command::Connect(load) => drive::run(&load, drive::Work::Connect).and_then(|result| report::show(&load, &result)),
        Command::Bulk { load, direction } => {
            drive::run(&load, drive::Work::Bulk(direction)).and_then(|result| report::show(&load, &result))
        }
        Command::Echo { load, size, rate } => {
            drive::run(&load, drive::Work::Echo { size, rate }).and_then(|result| report::show(&load, &result))
        }
        Command::Idle(load) => drive::run(&load, drive::Work::Idle).and_then(|result| report::show(&load, &result)),
        Command::Logins { load, crowd } => logins::run(&load, &crowd).and_then(|result| report::show(&load, &result)),
        Command::Storm(plan) => storm::run(&plan),
        Command::Compare(plan) => compare::run(&plan),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            report::complain(&fault);
            ExitCode::FAILURE
        }
    }
}
