//! The `sluice-epa` binary: arguments in, exit code out.
#![forbid(unsafe_code)]

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use gate_agent::consent::Memory;
use gate_agent::fault::{DONE, Fault, USAGE};
use gate_agent::line::{Instead, Way};
use gate_agent::link::{Aim, TOKEN_BYTES_MAX};
use gate_agent::look::Machine;
use gate_agent::register;
use gate_agent::run::{Consent, Visit};
use gate_agent::status;
use gate_agent::words::Language;
use zeroize::Zeroizing;

/// How long one exchange with the gateway may take.
const EXCHANGE_WAIT: Duration = Duration::from_secs(20);

/// Endpoint agent: looks at this device when a gateway asks, and answers yes or no to each question.
///
/// A login page starts it with a LINK. It asks for consent on the terminal, shows what it finds, and stays for as long as the gateway wants
/// the check repeated. It never tells the gateway more than one digit for each question, and never ends a process or deletes a file.
///
/// Exit codes: 0 done; 1 the gateway is not satisfied with this device; 2 arguments; 3 the gateway cannot be reached or trusted;
/// 4 its answers cannot be understood; 5 no consent; 6 it wants nothing checked, or does not know this check.
#[derive(Debug, Parser)]
#[command(
    name = "sluice-epa",
    version,
    verbatim_doc_comment,
    disable_help_subcommand = true,
    args_conflicts_with_subcommands = true
)]
#[command(subcommand_negates_reqs = true)]
struct Arguments {
    /// nsgcepa://nsgcepa/epav2plugin/HOST[:PORT]/TOKEN/, as a login page has it.
    #[arg(required = true)]
    link: Option<String>,
    /// On a terminal, wait for Enter before ending, so that what was said can be read.
    #[arg(long)]
    hold: bool,
    #[command(flatten)]
    how: How,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check without a link, for scripts.
    Scan(Scan),
    /// Make the desktop start this program for links of login pages.
    Register,
    /// Show which checks are being repeated.
    Status,
}

#[derive(Debug, Args)]
struct Scan {
    /// The gateway, https://HOST or https://HOST:PORT.
    #[arg(long, value_name = "URL")]
    gateway: String,
    /// The value of the login's cookie NSC_EPAC; `-` reads it from standard input, where other users cannot see it.
    #[arg(long, value_name = "TOKEN")]
    token: String,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
struct How {
    /// Answer without asking for consent.
    #[arg(long)]
    yes: bool,
    /// Trust the authorities in this PEM file instead of the machine's.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Connect to ADDRESS[:PORT] for the gateway HOST:PORT.
    #[arg(long, value_name = "HOST:PORT:ADDRESS")]
    resolve: Option<Instead>,
    /// How many seconds a minute of an interval lasts, for laboratories whose gateway has another -periodicEpaMinute.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=60))]
    minute: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let language = Language::of(|name| std::env::var(name).ok());
    let done = match &arguments.command {
        Some(Command::Register) => register_here(),
        Some(Command::Status) => status(language),
        Some(Command::Scan(scan)) => token(&scan.token)
            .and_then(|token| Ok(Aim::of_url(&scan.gateway, &token)?))
            .and_then(|aim| visit(aim, &scan.how, language)),
        None => match Aim::of_link(arguments.link.as_deref().unwrap_or_default()) {
            Ok(aim) => visit(aim, &arguments.how, language),
            Err(why) => Err(why.into()),
        },
    };
    let code = done.unwrap_or_else(|fault| {
        say(&language.fault(&fault));
        fault.exit_code()
    });
    if arguments.hold && io::stdin().is_terminal() {
        say(&language.press_enter());
        let mut line = String::new();
        // Whatever is typed, and however it ends: the window may go.
        let _typed = io::stdin().lock().take(1).read_line(&mut line);
    }
    ExitCode::from(code)
}

/// Scans. Returns the exit code.
fn visit(aim: Aim, how: &How, language: Language) -> Result<u8, Fault> {
    let way = Way::new(how.ca.as_deref(), how.resolve.clone(), EXCHANGE_WAIT)?;
    let memory = Memory::of(path);
    let mut stdin = io::stdin().lock();
    let mut visit = Visit {
        aim,
        way,
        machine: Machine::below("/"),
        consent: if how.yes { Consent::Given } else { Consent::Asked(memory) },
        terminal: if io::stdin().is_terminal() { Some(&mut stdin) } else { None },
        language,
        log: &mut io::stderr(),
        minute: Duration::from_secs(how.minute),
        agreed: Vec::new(),
        notes: status::folder(path),
    };
    let end = visit.run()?;
    say(&language.end(end));
    Ok(end.exit_code())
}

/// The token, or the first line of standard input for `-`.
fn token(said: &str) -> Result<Zeroizing<String>, Fault> {
    if said != "-" {
        return Ok(Zeroizing::new(said.to_owned()));
    }
    let mut line = Zeroizing::new(String::with_capacity(TOKEN_BYTES_MAX + 2));
    let read = io::stdin().lock().take(TOKEN_BYTES_MAX as u64 + 2).read_line(&mut line);
    read.map_err(|source| Fault::Own { action: "read the token", source })?;
    Ok(Zeroizing::new(line.trim_end().to_owned()))
}

fn register_here() -> Result<u8, Fault> {
    let own = |source| Fault::Own { action: "register", source };
    let folder = register::folder(path);
    let folder = folder.ok_or_else(|| own(io::ErrorKind::NotFound.into()))?;
    let file = std::env::current_exe().and_then(|program| register::register(&program, &folder)).map_err(own)?;
    let told = writeln!(io::stdout(), "{}\nxdg-mime default {} {}", file.display(), register::DESKTOP, register::SCHEME);
    Ok(if told.is_ok() { DONE } else { USAGE })
}

/// Lists what is being repeated.
fn status(language: Language) -> Result<u8, Fault> {
    let all = status::folder(path).map_or_else(Vec::new, |folder| status::repeats(&folder, Path::new("/proc")));
    let mut text: String = all.iter().map(|repeat| language.repeat(repeat) + "\n").collect();
    if all.is_empty() {
        text = language.no_repeats() + "\n";
    }
    let told = io::stdout().write_all(text.as_bytes());
    told.map(|()| DONE).map_err(|source| Fault::Own { action: "write", source })
}

/// A path of the environment.
fn path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

/// A line for the user. If standard error is gone, the exit code still says it.
fn say(line: &str) {
    let _said = writeln!(io::stderr(), "sluice-epa: {line}");
}
