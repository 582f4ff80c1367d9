//! The `sluicectl` binary: arguments in, exit code out.
#![forbid(unsafe_code)]

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use gate_cli::audit::Audit;
use gate_cli::demo::Demo;
use gate_cli::launch::run::Launch;

/// Operator's tool of the Sluicegate ICA gateway.
#[derive(Debug, Parser)]
#[command(name = "sluicectl", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Launch(Launch),
    Demo(Demo),
    Audit(Audit),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command {
        Command::Launch(launch) => match launch.run(&mut io::stderr(), &mut io::stdout()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(fault) => {
                // If standard error is gone, the exit code still says it.
                let _said = writeln!(io::stderr(), "sluicectl: {}", fault.in_words());
                ExitCode::from(fault.exit_code())
            }
        },
        Command::Demo(demo) => match demo.run(&mut io::stdout()) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                let _said = writeln!(io::stderr(), "sluicectl: demo: {error}");
                ExitCode::FAILURE
            }
        },
        Command::Audit(audit) => match audit.run(&mut io::stdout()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(not) => {
                let _said = writeln!(io::stderr(), "sluicectl: {not}");
                ExitCode::from(not.exit_code())
            }
        },
    }
}
