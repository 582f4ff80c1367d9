//! The `sluicegate` binary: arguments, log, run, exit code.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use gate_config::Strictness;
use gate_daemon::{Gateway, Options, StartProblem, chain, check, diff, files, import, ready, signal};

/// The ICA gateway: TLS in front, tickets in the middle, hosts behind.
#[derive(Debug, Parser)]
#[command(name = "sluicegate", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway that a configuration file describes, in the foreground.
    Run {
        /// The configuration, in NetScaler's command language.
        file: PathBuf,
        /// Keep commands that are not known, with a warning, instead of refusing the file.
        #[arg(long)]
        lenient: bool,
        /// Write the actual addresses to this file, as JSON, once everything listens.
        #[arg(long, value_name = "PATH")]
        ready_file: Option<PathBuf>,
        /// How long sessions may go on after the first SIGTERM; a second one ends them at once.
        #[arg(long, value_name = "SECONDS", default_value_t = 0)]
        drain: u64,
    },
    /// Report every problem of a configuration file, with line and column. Exit code 1 if there is an error.
    Check {
        /// The configuration.
        file: PathBuf,
        /// Keep commands that are not known, with a warning.
        #[arg(long)]
        lenient: bool,
        /// One JSON object per problem.
        #[arg(long)]
        json: bool,
    },
    /// Compare what runs with what a file says; nothing is applied. Exit code 0: they are equal; 1: they differ; 2: the file cannot be
    /// read; 3: no gateway.
    Diff {
        /// What the file is compared with.
        what: Side,
        /// The file, in the gateway's language.
        file: PathBuf,
        /// Where the gateway listens. Without it, /run/sluicegate/control.sock.
        #[arg(long, value_name = "PATH")]
        socket: Option<PathBuf>,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Read a NetScaler's ns.conf and write ours, with a report of what became of every line. Exit code 1 if a line was refused.
    Import {
        /// The other product's configuration.
        file: PathBuf,
        /// A new file for ours; without it, ours goes to standard output and the report to standard error.
        #[arg(short, long, value_name = "NEW")]
        output: Option<PathBuf>,
        /// The report as one JSON object.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Side {
    /// The gateway as it runs.
    Running,
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Run { file, lenient, ready_file, drain } => run(&file, strictness(lenient), ready_file.as_deref(), drain),
        Command::Check { file, lenient, json } => {
            let mut out = std::io::stdout().lock();
            check::report(&file, strictness(lenient), json, &mut out)
        }
        Command::Diff { what: Side::Running, file, socket, json } => {
            diff::running(&file, socket.as_deref(), json, &mut std::io::stdout().lock())
        }
        Command::Import { file, output, json } => {
            let (mut out, mut report) = (std::io::stdout().lock(), std::io::stderr().lock());
            import::import(&file, output.as_deref(), json, &mut out, &mut report)
        }
    }
}

fn strictness(lenient: bool) -> Strictness {
    if lenient { Strictness::Lenient } else { Strictness::Strict }
}

fn run(file: &Path, strictness: Strictness, ready_file: Option<&Path>, drain: u64) -> ExitCode {
    let text = match files::read_configuration(file) {
        Ok(text) => text,
        Err(source) => return fail(&format!("{}: {source}", file.display())),
    };
    sluice_worker::give_large_memory_back();
    // Before the first thread is started: a signal that comes early must find its handler.
    let signals = match signal::listen() {
        Ok(signals) => signals,
        Err(source) => return fail(&format!("signals: {source}")),
    };
    let base = file.parent().unwrap_or_else(|| Path::new("."));
    let file_again = Some(file.to_path_buf());
    let options = Options { strictness, log: true, file: file_again, control: true, ..Options::below(base) };
    let gateway = match Gateway::start(&file.display().to_string(), &text, &options) {
        Ok(gateway) => gateway,
        Err(StartProblem::Configuration(report)) => return fail(report.trim_end()),
        Err(problem @ StartProblem::Machine { .. }) => return fail(&chain(&problem)),
    };
    if let Some(path) = ready_file
        && let Err(source) = ready::write(path, gateway.addresses())
    {
        gateway.stop();
        return fail(&format!("{}: {source}", path.display()));
    }
    signal::serve(signals, &gateway, Duration::from_secs(drain));
    gateway.stop();
    ExitCode::SUCCESS
}

/// Says why the process cannot go on, to whoever started it.
fn fail(why: &str) -> ExitCode {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "sluicegate: {why}");
    ExitCode::FAILURE
}
