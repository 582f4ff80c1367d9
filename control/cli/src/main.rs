//! The `sluicectl` binary: arguments in, exit code out.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use gate_cli::audit::Audit;
use gate_cli::console::carry::Format;
use gate_cli::console::fault::{Fault, NO_GATEWAY, USAGE};
use gate_cli::console::once::{Tally, lines, stream};
use gate_cli::console::paint::{Color, Paint};
use gate_cli::console::print::Printer;
use gate_cli::console::talk::{Talk, socket};
use gate_cli::console::words::{help_instead, line};
use gate_cli::demo::Demo;
use gate_cli::diff::Diff;
use gate_cli::launch::run::Launch;
use gate_cli::shell::Shell;
use gate_cli::top::{Ended, Top};

/// Operator's tool of the Sluicegate ICA gateway.
///
/// What is none of the commands below is a command of the gateway: `sluicectl show vpn vserver`. Without any, a
/// conversation begins on a terminal; in a pipe, each line of standard input is a command. `sluicectl help` lists what
/// can be said.
///
/// Exit codes: 0 done; 1 the gateway said ERROR; 2 arguments; 3 no gateway; 4 some of several commands failed.
#[derive(Debug, Parser)]
#[command(name = "sluicectl", version, verbatim_doc_comment, disable_help_subcommand = true)]
struct Arguments {
    /// Where the gateway listens. Without it, SLUICEGATE_SOCKET, or /run/sluicegate/control.sock.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// How the gateway's answers are written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// When to use colours.
    #[arg(long, value_enum, default_value_t)]
    color: Color,
    /// A line of commands, with `;` between; may be repeated.
    #[arg(short = 'c', value_name = "LINE")]
    lines: Vec<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Top(Top),
    Diff(Diff),
    Launch(Launch),
    Demo(Demo),
    Audit(Audit),
    #[command(external_subcommand)]
    Gateway(Vec<OsString>),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let at = arguments.socket.as_deref();
    let colors = arguments.color.is_on_here(io::stdout().is_terminal());
    match &arguments.command {
        Some(_) if !arguments.lines.is_empty() => fail(USAGE, "either -c LINE or a command, not both"),
        Some(Command::Launch(launch)) => match launch.run(&mut io::stderr(), &mut io::stdout()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(fault) => fail(fault.exit_code(), &fault.in_words()),
        },
        Some(Command::Demo(demo)) => match demo.run(&mut io::stdout()) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => fail(1, &format!("demo: {error}")),
        },
        Some(Command::Audit(audit)) => match audit.run(&mut io::stdout()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(not) => fail(not.exit_code(), &not.to_string()),
        },
        Some(Command::Top(top)) => match top.run(at, colors, &mut io::stdout()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(ended @ Ended::Gateway(_)) => fail(NO_GATEWAY, &ended.to_string()),
            Err(ended @ (Ended::Terminal(_) | Ended::NoTerminal)) => fail(USAGE, &ended.to_string()),
        },
        Some(Command::Diff(diff)) if diff.of_gateway().is_some() => {
            let words = diff.of_gateway().unwrap_or_default();
            gateway(&arguments, at, &[&["diff".into()], words].concat())
        }
        Some(Command::Diff(diff)) => {
            match diff.run(at, Paint { colors, terminal: io::stdout().is_terminal() }, &mut io::stdout()) {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                Err(not) => fail(not.exit_code(), &not.to_string()),
            }
        }
        Some(Command::Gateway(words)) => gateway(&arguments, at, words),
        None if !arguments.lines.is_empty() => commands(&arguments, at, &arguments.lines),
        None if io::stdin().is_terminal() && io::stdout().is_terminal() => {
            match Shell::new(socket(at), arguments.format, colors).and_then(|mut shell| shell.run()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(no_shell) => fail(USAGE, &no_shell.to_string()),
            }
        }
        None => talk(&arguments, at, |talk, printer| stream(talk, &mut io::stdin().lock(), arguments.format, printer)),
    }
}

/// Carries out the words of one command of the gateway.
fn gateway(arguments: &Arguments, at: Option<&Path>, words: &[OsString]) -> ExitCode {
    match words.iter().cloned().map(OsString::into_string).collect() {
        Ok(words) => commands(arguments, at, &[line(&help_instead(words))]),
        Err(word) => fail(USAGE, &format!("not UTF-8: {}", word.display())),
    }
}

/// Carries out lines of the arguments.
fn commands(arguments: &Arguments, at: Option<&Path>, all: &[String]) -> ExitCode {
    let each = all.iter().flat_map(|text| text.lines());
    talk(arguments, at, |talk, printer| lines(talk, each, arguments.format, printer))
}

/// Speaks to the gateway, and says how it went.
fn talk(
    arguments: &Arguments,
    at: Option<&Path>,
    what: impl FnOnce(&mut Talk, &mut Printer<'_>) -> Result<Tally, Fault>,
) -> ExitCode {
    let mut talk = Talk::new(socket(at), Arc::default());
    let mut out = io::BufWriter::new(io::stdout().lock());
    let paint = |terminal| Paint { colors: arguments.color.is_on_here(terminal), terminal };
    let mut printer = Printer {
        out: &mut out,
        paint: paint(io::stdout().is_terminal()),
        talk: &mut io::stderr(),
        talk_paint: paint(io::stderr().is_terminal()),
        progressing: false,
    };
    match what(&mut talk, &mut printer) {
        Ok(tally) => ExitCode::from(tally.exit_code()),
        // A reader that has gone away has seen enough.
        Err(Fault::Unread) => ExitCode::SUCCESS,
        Err(fault) => fail(NO_GATEWAY, &fault.in_words()),
    }
}

/// Says why, and what a shell is told.
fn fail(code: u8, why: &str) -> ExitCode {
    // If standard error is gone, the exit code still says it.
    let _said = writeln!(io::stderr(), "sluicectl: {why}");
    ExitCode::from(code)
}
