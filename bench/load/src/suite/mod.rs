//! The gateway and its peers: the same work, the same core, in turns, within one run.
//!
//! ```text
//!   core 0: the process under load, all others asleep          core 1: sluice-load MODE, sluice-load sink
//!
//!   for each case, for each round, for each of them: one run ─► ratios against the bars, medians, spread
//! ```
//!
//! It runs in a network namespace of its own with `cubic`, or where that is not allowed `reno`: the machine's own choice may pace
//! with timers, which on loopback costs all sides and says nothing about any. Only ratios within one run count; the machine drifts
//! between runs.

mod bars;
mod cases;
mod peers;

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;

use crate::beside::Rank;
use crate::fault::{Fault, machine};
use crate::progress::Progress;
use crate::report::{self, Bar, Outcome, Provenance, escaped, say};
use crate::scenario::Scenario;
use crate::stage::{self, CONGESTION, NAME, beside, spread};

use cases::{Case, cases};
use peers::{Kind, Target};

/// What to compare.
#[derive(Clone, Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    scenario: Scenario,
    /// HAProxy's binary.
    #[arg(long, default_value = "/usr/sbin/haproxy")]
    haproxy: PathBuf,
    /// nginx's binary; its stream module is Debian's.
    #[arg(long, default_value = "/usr/sbin/nginx")]
    nginx: PathBuf,
    /// hitch's binary.
    #[arg(long, default_value = "/usr/sbin/hitch")]
    hitch: PathBuf,
    /// stunnel's binary.
    #[arg(long, default_value = "/usr/bin/stunnel4")]
    stunnel: PathBuf,
    /// The binary of bench/peer-tokio. Default: sluice-peer-tokio beside this program.
    #[arg(long)]
    tokio: Option<PathBuf>,
    /// Seconds of a window.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Only these, by name, with commas between: sluicegate, sluicegate-mio, sluicegate-spin, tokio-64k, haproxy-64k, nginx-64k, hitch,
    /// stunnel, tcp-copy, floor-64k, floor-256k, floor-512k, floor-turns.
    #[arg(long, value_delimiter = ',')]
    targets: Vec<String>,
    /// Only cases whose name contains this; may be given several times. Names are those that are printed.
    #[arg(long, value_name = "WORDS")]
    cases: Vec<String>,
    /// Write all results to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a page with plots to this file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// What came of one of them in one case.
struct Played {
    name: &'static str,
    kind: Kind,
    /// By round.
    outcomes: Vec<Outcome>,
}

/// What came of a case.
struct Row {
    case: Case,
    played: Vec<Played>,
}

/// Runs the comparison.
pub(crate) fn run(plan: &Plan) -> Result<(), Fault> {
    plan.scenario.play(|dir| compare(plan, dir))
}

impl Plan {
    /// Whether a target of that name takes part.
    fn wants(&self, name: &str) -> bool {
        self.targets.is_empty() || self.targets.iter().any(|target| target == name)
    }

    fn tokio(&self) -> Result<PathBuf, Fault> {
        self.tokio.clone().map_or_else(|| Ok(stage::own_binary()?.with_file_name("sluice-peer-tokio")), Ok)
    }
}

fn compare(plan: &Plan, dir: &Path) -> Result<(), Fault> {
    stage::certificates(dir, stage::Key::P256)?;
    let (_sink, host) = stage::sink(Rank::Any)?;
    let targets = peers::start(plan, dir, host)?;
    let begun = Provenance::here();
    let quick = plan.scenario.quick;
    let (rounds, seconds) = (plan.scenario.rounds(), if quick { 0.2 } else { plan.seconds });
    let cases: Vec<Case> = cases(quick)
        .into_iter()
        .filter(|case| plan.cases.is_empty() || plan.cases.iter().any(|word| case.name.contains(word.as_str())))
        .collect();
    let mut progress = Progress::new(true);
    let whole = cases.len();
    let mut rows = Vec::new();
    for (number, case) in cases.into_iter().enumerate() {
        let part: Vec<&Target> = targets.iter().filter(|target| case.takes(target, quick)).collect();
        let mut played: Vec<Played> =
            part.iter().map(|target| Played { name: target.name, kind: target.kind, outcomes: Vec::new() }).collect();
        for round in 0..if case.once { 1 } else { rounds } {
            for (target, played) in part.iter().zip(&mut played) {
                #[expect(clippy::cast_precision_loss, reason = "a handful of cases")]
                progress.show(number as f64 / whole as f64, || format!("{}, round {}, {}", case.name, round + 1, target.name));
                let outcome = one(&case, target, host, dir, seconds, quick)?;
                let figure = (case.figure)(&outcome);
                progress.clear();
                say(&format!("{:<20} round {} {:<16} {figure:>10.3} {}", case.name, round + 1, target.name, case.unit));
                played.outcomes.push(outcome);
            }
        }
        rows.push(Row { case, played });
    }
    drop(progress);
    show(plan, &begun, &targets, &rows)
}

/// One run: this program again, beside the core under load.
fn one(case: &Case, target: &Target, host: SocketAddr, dir: &Path, seconds: f64, quick: bool) -> Result<Outcome, Fault> {
    let mut command = Command::new(stage::own_binary()?);
    command.args(case.args.split(' ')).args(["--target", &target.address.to_string(), "--core", beside(), "--json", "-"]);
    command.args(["--seconds", &seconds.to_string(), "--pid", &target.process.0.id().to_string()]);
    if quick {
        command.args(["--warm-up", "0.05"]);
    }
    match target.kind {
        Kind::Copy => command.arg("--plain"),
        Kind::Ours | Kind::Spinning | Kind::Peer => command.args(["--name", NAME, "--ca"]).arg(dir.join("ca.pem")),
    };
    if let Some(sta) = target.sta {
        command.args(["--sta", &sta.to_string(), "--host", &host.to_string()]);
    }
    let done = command.stdin(Stdio::null()).stderr(Stdio::piped()).output().map_err(machine("run a load"))?;
    serde_json::from_slice(&done.stdout).map_err(|_| Fault::Tool {
        tool: format!("{} on {}", case.name, target.name),
        said: String::from_utf8_lossy(&done.stderr).into_owned(),
    })
}

fn show(plan: &Plan, begun: &Provenance, targets: &[Target], rows: &[Row]) -> Result<(), Fault> {
    let congestion = fs::read_to_string(CONGESTION).unwrap_or_default();
    let ended = Provenance::here();
    let from = format!(
        "Machine: {}. Load average when it began {:.1}, when it ended {:.1}. Congestion control: {}. Commit: `{}`.\nCommand: `{}`.",
        begun.machine,
        begun.load_average,
        ended.load_average,
        congestion.trim(),
        begun.commit,
        begun.command
    );
    let bars = bars::table(rows, !plan.scenario.quick);
    let medians = medians(targets, rows);
    let text = format!("{from}\n\n{bars}\n\n{medians}");
    say(&text);
    plan.scenario.write("compare", &text)?;
    if let Some(path) = &plan.json {
        let all: Vec<_> =
            rows.iter().flat_map(|row| row.played.iter().map(|played| (row.case.name, played.name, &played.outcomes))).collect();
        report::write(path, &(serde_json::to_string_pretty(&all).unwrap_or_default() + "\n"))?;
    }
    if let Some(path) = &plan.html {
        report::write(path, &page(&from, &bars, rows))?;
    }
    Ok(())
}

/// Every figure: medians, and the lowest and highest behind them.
fn medians(targets: &[Target], rows: &[Row]) -> String {
    let names: Vec<&str> = targets.iter().map(|target| target.name).collect();
    let mut text = format!("| case | {} |\n| --- |{}", names.join(" | "), " --- |".repeat(names.len()));
    for row in rows {
        let cells = names.iter().map(|name| {
            let played = row.played.iter().find(|played| played.name == *name);
            played.map_or_else(|| "–".to_owned(), |played| played.cell(&row.case))
        });
        let _ = write!(text, "\n| {} ({}) | {} |", row.case.name, row.case.unit, cells.collect::<Vec<_>>().join(" | "));
    }
    text
}

impl Played {
    fn spread(&self, case: &Case) -> (f64, f64, f64) {
        spread(self.outcomes.iter().map(case.figure).collect())
    }

    fn cell(&self, case: &Case) -> String {
        let (median, low, high) = self.spread(case);
        let digits = match median {
            big if big >= 1000.0 => 0,
            some if some >= 10.0 => 1,
            _ => 3,
        };
        if self.outcomes.len() > 1 {
            format!("{median:.digits$} ({low:.digits$}–{high:.digits$})")
        } else {
            format!("{median:.digits$}")
        }
    }
}

/// The same with bars that are drawn.
fn page(from: &str, bars: &str, rows: &[Row]) -> String {
    let mut body =
        format!("<p>{}</p>\n<h2>Against the bars</h2>\n<table>\n", escaped(&from.replace('`', "")).replace('\n', "<br>"));
    for (number, line) in bars.lines().enumerate().filter(|(number, _)| *number != 1) {
        let cell = if number == 0 { "th" } else { "td" };
        let _ = write!(body, "<tr>");
        for text in line.trim_matches('|').split('|') {
            let class = if text.contains('✓') {
                " class=\"good\""
            } else if text.contains('✗') {
                " class=\"bad\""
            } else {
                ""
            };
            let _ = write!(body, "<{cell}{class}>{}</{cell}>", escaped(text.trim()));
        }
        body += "</tr>\n";
    }
    body += "</table>\n<p>Below: medians, a line from the lowest to the highest. Shorter is better.</p>\n";
    for Row { case, played } in rows {
        let drawn: Vec<Bar> = played
            .iter()
            .map(|played| {
                let (median, low, high) = played.spread(case);
                Bar { name: played.name.to_owned(), median, low, high, words: played.cell(case) }
            })
            .collect();
        let _ = writeln!(body, "<h2>{}, {}</h2>\n{}", escaped(case.name), escaped(case.unit), report::bars(case.unit, &drawn));
    }
    report::whole("Sluicegate and its peers", &body)
}
