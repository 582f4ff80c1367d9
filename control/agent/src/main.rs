//! The `sluice-epa` binary: arguments in, exit code out.
#![forbid(unsafe_code)]

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use gate_agent::consent::Memory;
use gate_agent::deeds::policy;
use gate_agent::dialog::{self, Dialog};
use gate_agent::explain;
use gate_agent::fault::{DONE, Fault, REFUSED};
use gate_agent::journal::Journal;
use gate_agent::last;
use gate_agent::line::{Instead, Way};
use gate_agent::link::{Aim, TOKEN_BYTES_MAX};
use gate_agent::look::Machine;
use gate_agent::register::{self, Places};
use gate_agent::run::{Agreed, Asks, Consent, Hands, Visit, seconds_since_1970};
use gate_agent::status;
use gate_agent::words::Language;
use gate_proto::epa::ClientString;
use zeroize::Zeroizing;

/// How long one exchange with the gateway may take.
const EXCHANGE_WAIT: Duration = Duration::from_secs(20);

/// Endpoint agent: looks at this device when a gateway asks, and answers yes or no to each question.
///
/// A login page starts it with a LINK. It asks for consent on the terminal or in a window, shows what it finds, and stays for as long as the
/// gateway wants the check repeated. It never tells the gateway more than one digit for each question. It ends processes and deletes files
/// only where /etc/sluicegate/epa-policy, which is root's, allows it.
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
    Register(Whose),
    /// Take back what `register` did.
    Unregister(Whose),
    /// Show which checks are being repeated, and how the last ones went.
    Status,
    /// Explain what a gateway asks, whether it holds here, and what to do if not.
    Explain(Explain),
}

#[derive(Debug, Args)]
struct Whose {
    /// For all users of this machine, instead of the one who runs it.
    #[arg(long)]
    system: bool,
}

#[derive(Debug, Args)]
struct Explain {
    /// Strings such as proc_2_firefox; without any, those that each gateway asked last.
    #[arg(value_name = "STRING")]
    strings: Vec<String>,
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
    /// Answer without asking for consent, and let be done what the policy allows.
    #[arg(long)]
    yes: bool,
    /// Trust the authorities in this PEM file instead of the machine's.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A certificate of this machine, PEM, with its key beside it in FILE's name with .key; more than once for several [default:
    /// /etc/sluicegate/device*.crt].
    #[arg(long, value_name = "FILE")]
    device_cert: Vec<PathBuf>,
    /// Connect to ADDRESS[:PORT] for the gateway HOST:PORT.
    #[arg(long, value_name = "HOST:PORT:ADDRESS")]
    resolve: Option<Instead>,
    /// How many seconds a minute of an interval lasts, for laboratories whose gateway has another -periodicEpaMinute.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=60))]
    minute: u64,
    /// End no process and delete no file, but say what would be done.
    #[arg(long)]
    dry_run: bool,
    /// Another policy of what gateways may have done; it must be root's, too.
    #[arg(long, value_name = "FILE", default_value = policy::PLACE)]
    policy: String,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let language = Language::of(|name| std::env::var(name).ok());
    let done = match &arguments.command {
        Some(Command::Register(whose)) => register_here(whose, language),
        Some(Command::Unregister(whose)) => places(whose).and_then(|places| {
            register::unregister(&places).map(|()| DONE).map_err(|source| Fault::Own { action: "unregister", source })
        }),
        Some(Command::Status) => status(language),
        Some(Command::Explain(what)) => explain(what, language),
        Some(Command::Scan(scan)) => token(&scan.token)
            .and_then(|token| Ok(Aim::of_url(&scan.gateway, &token)?))
            .and_then(|aim| visit(aim, &scan.how, None, language)),
        None => match Aim::of_link(arguments.link.as_deref().unwrap_or_default()) {
            Ok(aim) => visit(aim, &arguments.how, window(), language),
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
fn visit(aim: Aim, how: &How, window: Option<Dialog>, language: Language) -> Result<u8, Fault> {
    let uid = rustix::process::geteuid();
    if uid.is_root() {
        say(&language.is_root());
    }
    let way = Way::new(how.ca.as_deref(), how.resolve.clone(), EXCHANGE_WAIT)?;
    let memory = Memory::of(path);
    let mut stdin = io::stdin().lock();
    let asks = if io::stdin().is_terminal() { Asks::Terminal(&mut stdin) } else { window.map_or(Asks::Nobody, Asks::Window) };
    let mut visit = Visit {
        aim,
        way,
        machine: Machine::below("/"),
        consent: if how.yes { Consent::Given } else { Consent::Asked(memory) },
        asks,
        hands: Hands { policy: how.policy.clone(), is_dry: how.dry_run, uid: uid.as_raw() },
        language,
        log: &mut io::stderr(),
        journal: Journal::of(path),
        last: last::folder(path),
        minute: Duration::from_secs(how.minute),
        agreed: Agreed::default(),
        certificates: how.device_cert.clone(),
        notes: status::folder(path),
    };
    let end = visit.run()?;
    say(&language.end(end));
    Ok(end.exit_code())
}

/// The desktop's dialog program, if there is a desktop.
fn window() -> Option<Dialog> {
    let has_screen =
        ["WAYLAND_DISPLAY", "DISPLAY"].iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    has_screen.then(|| Dialog::find(&dialog::FOLDERS.map(Path::new))).flatten()
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

fn places(whose: &Whose) -> Result<Places, Fault> {
    let places = if whose.system { Some(Places::of_machine(Path::new("/"))) } else { Places::of_user(path) };
    places.ok_or_else(|| Fault::Own { action: "register", source: io::ErrorKind::NotFound.into() })
}

fn register_here(whose: &Whose, language: Language) -> Result<u8, Fault> {
    let places = places(whose)?;
    // Without a program for windows the user is asked in a terminal.
    let in_terminal = Dialog::find(&dialog::FOLDERS.map(Path::new)).is_none();
    std::env::current_exe()
        .and_then(|program| register::register(&program, &places, in_terminal))
        .map_err(|source| Fault::Own { action: "register", source })?;
    print(&[&places.desktop, &places.icon, &places.defaults].map(|file| format!("{}\n", file.display())).concat())?;
    say(&language.registered(in_terminal));
    Ok(DONE)
}

/// Lists what is being repeated, and how the last checks went.
fn status(language: Language) -> Result<u8, Fault> {
    let now = seconds_since_1970();
    let repeats = status::folder(path).map_or_else(Vec::new, |folder| status::repeats(&folder, Path::new("/proc")));
    let last = last::folder(path).map_or_else(Vec::new, |folder| last::all(&folder));
    let mut text = if repeats.is_empty() { language.no_repeats() + "\n" } else { String::new() };
    text.extend(repeats.iter().map(|repeat| language.repeat(repeat, now) + "\n"));
    text.extend(last.iter().map(|last| language.last(last, now) + "\n"));
    print(&text)
}

/// Explains strings, or what was asked last. Says with its exit code whether all of it holds.
fn explain(what: &Explain, language: Language) -> Result<u8, Fault> {
    let machine = Machine::below("/");
    let parse = |text: &String| ClientString::parse(text).map_err(|why| Fault::Unexplained { text: text.clone(), why });
    if !what.strings.is_empty() {
        let strings = what.strings.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        let (text, holds) = explain::explain(language, &machine, &strings);
        return print(&text).map(|done| if holds { done } else { REFUSED });
    }
    let all = last::folder(path).map_or_else(Vec::new, |folder| last::all(&folder));
    let (mut text, mut holds) = (String::new(), true);
    for last in &all {
        let strings: Vec<ClientString> = last.answers.iter().map(|(string, _)| string.clone()).collect();
        let (explained, all_hold) = explain::explain(language, &machine, &strings);
        text += &format!("{}\n{explained}", language.last(last, seconds_since_1970()));
        holds &= all_hold;
    }
    if all.is_empty() {
        text = language.no_last() + "\n";
    }
    print(&text).map(|done| if holds { done } else { REFUSED })
}

/// Text for whoever reads standard output. A reader who has read enough is no fault.
fn print(text: &str) -> Result<u8, Fault> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(source) if source.kind() != io::ErrorKind::BrokenPipe => Err(Fault::Own { action: "write", source }),
        Ok(()) | Err(_) => Ok(DONE),
    }
}

/// A path of the environment.
fn path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

/// A line for the user. If standard error is gone, the exit code still says it.
fn say(line: &str) {
    let _said = writeln!(io::stderr(), "sluice-epa: {line}");
}
