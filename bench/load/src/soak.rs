//! Very many idle sessions: held, used once each, and gone without a trace; several times, so that what stays behind would show.
//!
//! ```text
//!   crew of sluice-load idle ──TLS──► one address, shared: gateway 0 (workers, the authority for all), gateway 1 … ──TCP──► sinks
//!
//!   look ─► [ all up ─► look ─► each is used once ─► all close ─► descriptors are those of before ─► look ] × rounds
//! ```
//!
//! A session takes two descriptors of the gateway, one of the crew and one of a sink. Of each there are as many processes as the hard
//! limit on descriptors of a process asks for: one gateway where it is a million, several where it is some thousand. They listen at the
//! same address (`SO_REUSEPORT`), and the kernel spreads connections over them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use clap::Args;

use crate::beside::Rank;
use crate::clock::now;
use crate::drive::Crew;
use crate::fault::{Fault, machine};
use crate::measure::Process;
use crate::progress::Progress;
use crate::report::{Outcome, Provenance, say};
use crate::scenario::Scenario;
use crate::stage::{self, Ended, Gateway, NAME, Wish};

/// Descriptors that a process may have beside those of its sessions.
const DESCRIPTORS_BESIDE: usize = 512;
/// Of the descriptors of a process, the part that is planned for, in percent: the kernel spreads connections evenly, but not exactly.
const PLANNED_PERCENT: usize = 90;
/// Addresses from which the crew comes: one has not enough ports for all.
const SOURCES: usize = 16;
/// Connections to the authority of another that a gateway keeps for its next question, for a while: each has two ends.
const KEPT_TO_AUTHORITY: usize = 16;
/// How long a gateway may take to close everything after its clients have gone.
const CLOSING: Duration = Duration::from_secs(120);
/// What a session may take more in the last round than in the first, in percent: the heap falls into pieces, and a worker that has more
/// sessions than in any round before makes its tables larger. It comes to rest after some rounds; what is lost would not.
const MORE_PERCENT: u64 = 10;
/// Kernel caches that are told apart; of the rest only the sum is.
const CACHES: [&str; 7] = ["TCP", "sock_inode_cache", "filp", "dentry", "io_kiocb", "eventpoll_epi", "tw_sock_TCP"];

/// How to do it.
#[derive(Clone, Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    scenario: Scenario,
    /// Sessions that are there at the same time.
    #[arg(long, default_value_t = 50_000)]
    sessions: usize,
    /// Gateways. Default: as many as the hard limit on descriptors of a process asks for.
    #[arg(long)]
    gateways: Option<usize>,
    /// Cores of each gateway, with commas between: a worker on each. Default: all.
    #[arg(long)]
    cores: Option<String>,
    /// AUTO, URING or MIO.
    #[arg(long, default_value = "AUTO")]
    engine: String,
}

/// Runs it.
pub(crate) fn run(plan: &Plan) -> Result<(), Fault> {
    plan.scenario.play(|dir| soak(plan, dir))
}

/// What the gateways, and the kernel, hold.
struct Look {
    /// Proportional set size by gateway, in bytes.
    memory: Vec<u64>,
    /// By gateway.
    descriptors: Vec<usize>,
    kernel: Kernel,
}

/// What the kernel keeps for all processes of this machine.
struct Kernel {
    /// All slabs, in bytes.
    slab: u64,
    /// Bytes in use by name of the cache; empty if that may not be read.
    caches: BTreeMap<String, u64>,
}

/// One herd.
struct Round {
    /// While all sessions were there.
    full: Look,
    /// After all had gone.
    after: Look,
    /// Until all were up, in seconds.
    opened: f64,
    /// Until each had been used once.
    used: f64,
}

fn soak(plan: &Plan, dir: &Path) -> Result<(), Fault> {
    let quick = plan.scenario.quick;
    let sessions = if quick { 400 } else { plan.sessions };
    let room = descriptors_max()?.saturating_sub(DESCRIPTORS_BESIDE).max(2) * PLANNED_PERCENT / 100;
    let gateways = plan.gateways.unwrap_or_else(|| (2 * sessions).div_ceil(room)).max(if quick { 2 } else { 1 });
    let processes = sessions.div_ceil(room).max(if quick { 2 } else { 1 });
    let cores = plan.cores.clone().unwrap_or_else(all_cores);

    stage::certificates(dir, stage::Key::P256)?;
    let sinks = (0..processes).map(|_| stage::sink_with(Rank::Any, &[])).collect::<Result<Vec<_>, _>>()?;
    let hosts: Vec<_> = sinks.iter().map(|(_, at)| *at).collect();
    let lines = format!("set ns worker -engine {} -sessions {}\n", plan.engine, sessions.div_ceil(gateways).max(64));
    let mut all: Vec<Gateway> = Vec::new();
    for number in 0..gateways {
        let place = stage::folder(dir, &format!("gateway{number}"))?;
        let mut wish = Wish { cores: &cores, ..Wish::under_load(&plan.scenario.gateway, &place, &hosts, &lines) };
        if let Some(first) = all.first() {
            (wish.listen, wish.sta) = (first.target, Some(first.sta));
        }
        all.push(Gateway::start(&wish)?);
    }
    let Some(first) = all.first() else { return Err(Fault::Nothing("no gateway was asked for")) };
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    let mut args: Vec<OsString> = format!(
        "idle --then-use --target {} --name {NAME} --sta {} --host {} --connections {sessions} --sources {SOURCES} --warm-up 0 --seconds 0.1",
        first.target,
        first.sta,
        hosts.join(",")
    )
    .split(' ')
    .map(OsString::from)
    .collect();
    args.extend(["--ca".into(), dir.join("ca.pem").into()]);

    say(&format!(
        "{sessions} sessions, {gateways} gateways with a worker on each of cores {cores}, {processes} clients and sinks"
    ));
    let before = look(&all)?;
    let mut rounds = Vec::new();
    for number in 1..=plan.scenario.rounds() {
        let round = herd(&args, processes, &all, &before)?;
        let held = sum(&round.full.descriptors) - sum(&before.descriptors);
        say(&format!(
            "round {number}: up in {:.1} s, {held} descriptors, {} B of user memory each, used once each in {:.2} s",
            round.opened,
            (total(&round.full.memory).saturating_sub(total(&before.memory))) / sessions as u64,
            round.used
        ));
        if held < 2 * sessions {
            return Err(Fault::Nothing("fewer descriptors are open than that many sessions need"));
        }
        rounds.push(round);
    }
    let table = table(&rounds, &before, sessions, &cores);
    say(&table);
    if !quick {
        grows_not(&rounds, total(&before.memory))?;
    }
    plan.scenario.write("soak", &table)
}

/// Sessions come, are looked at, are used, and go.
fn herd(args: &[OsString], processes: usize, all: &[Gateway], before: &Look) -> Result<Round, Fault> {
    let mut crew = Crew::begin(Rank::Any, args, processes)?;
    let mut progress = Progress::new(true);
    crew.ready(&mut progress)?;
    let full = look(all)?;
    let begun = now();
    crew.go()?;
    let done: Outcome = crew.finish()?;
    let used = now().duration_since(begun).as_secs_f64();
    let deadline = now() + CLOSING;
    let allowed = sum(&before.descriptors) + 2 * KEPT_TO_AUTHORITY * (all.len() - 1);
    while all.iter().map(descriptors).sum::<usize>() > allowed {
        if now() > deadline {
            return Err(Fault::Nothing("descriptors are left over after all sessions have gone"));
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    Ok(Round { full, after: look(all)?, opened: done.opened_seconds.unwrap_or(0.0), used })
}

/// Whether the last round needs no more memory than the first: else something stays behind that is not used again.
fn grows_not(rounds: &[Round], before: u64) -> Result<(), Fault> {
    let [first, .., last] = rounds else { return Ok(()) };
    let took = |round: &Round| total(&round.full.memory).saturating_sub(before);
    if took(last) <= took(first) + took(first) * MORE_PERCENT / 100 {
        return Ok(());
    }
    Err(Fault::Tool { tool: "gateways".to_owned(), said: format!("took {} B, then {} B", took(first), took(last)) })
}

fn look(all: &[Gateway]) -> Result<Look, Fault> {
    Ok(Look {
        memory: all.iter().map(|gateway| Process::of(gateway.pid()).memory_bytes()).collect::<Result<_, _>>()?,
        descriptors: all.iter().map(descriptors).collect(),
        kernel: kernel(),
    })
}

fn descriptors(Gateway { process: Ended(child), .. }: &Gateway) -> usize {
    fs::read_dir(format!("/proc/{}/fd", child.id())).map_or(0, Iterator::count)
}

fn kernel() -> Kernel {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let slab = meminfo.lines().find_map(|line| line.strip_prefix("Slab:")?.split_whitespace().next()?.parse::<u64>().ok());
    let slabinfo = fs::read_to_string("/proc/slabinfo").unwrap_or_default();
    let caches = slabinfo.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let name = words.next()?;
        let active = words.next()?.parse::<u64>().ok()?;
        let bytes = words.nth(1)?.parse::<u64>().ok()?;
        Some((name.to_owned(), active * bytes))
    });
    Kernel { slab: slab.unwrap_or(0) * 1024, caches: caches.collect() }
}

/// The hard limit on descriptors of a process.
fn descriptors_max() -> Result<usize, Fault> {
    let text = fs::read_to_string("/proc/self/limits").map_err(machine("read the limits"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"));
    let hard = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    hard.ok_or(Fault::Nothing("the limit on descriptors is not known"))
}

fn all_cores() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (0..cores).map(|core| core.to_string()).collect::<Vec<_>>().join(",")
}

fn sum(parts: &[usize]) -> usize {
    parts.iter().sum()
}

fn total(parts: &[u64]) -> u64 {
    parts.iter().sum()
}

fn table(rounds: &[Round], before: &Look, sessions: usize, cores: &str) -> String {
    let from = Provenance::here();
    let mut text = format!(
        "Machine: {}. Load average {:.1}. Commit: `{}`.\nCommand: `{}`. {} gateways at one address, a worker on each of cores {cores}.\n\n\
         | {sessions} sessions |",
        from.machine,
        from.load_average,
        from.commit,
        from.command,
        before.memory.len()
    );
    for number in 1..=rounds.len() {
        let _ = write!(text, " round {number} |");
    }
    let _ = write!(text, "\n| --- |{}", " --- |".repeat(rounds.len()));
    let mut line = |what: &str, cell: &dyn Fn(&Round) -> String| {
        let cells: Vec<String> = rounds.iter().map(cell).collect();
        let _ = write!(text, "\n| {what} | {} |", cells.join(" | "));
    };
    let each = |now: u64, then: u64| now.saturating_sub(then) / sessions.max(1) as u64;
    let mib = |bytes: u64| format!("{:.1}", bytes as f64 / f64::from(1 << 20));
    line("all up in, s", &|round| format!("{:.1}", round.opened));
    line("each used once, and all closed by their clients, in, s", &|round| format!("{:.2}", round.used));
    line("descriptors of the gateways: before, full, after", &|round| {
        format!("{}, {}, {}", sum(&before.descriptors), sum(&round.full.descriptors), sum(&round.after.descriptors))
    });
    line("the same by gateway, when full: fewest, most", &|round| {
        let of = &round.full.descriptors;
        format!("{}, {}", of.iter().min().unwrap_or(&0), of.iter().max().unwrap_or(&0))
    });
    line("user memory (PSS) of the gateways, MiB: before, full, after", &|round| {
        format!("{}, {}, {}", mib(total(&before.memory)), mib(total(&round.full.memory)), mib(total(&round.after.memory)))
    });
    line("user memory a session, bytes", &|round| each(total(&round.full.memory), total(&before.memory)).to_string());
    line("slabs of the kernel a session, all four sockets of it, bytes", &|round| {
        each(round.full.kernel.slab, before.kernel.slab).to_string()
    });
    for cache in CACHES.iter().filter(|cache| before.kernel.caches.contains_key(**cache)) {
        let of = |kernel: &Kernel| kernel.caches.get(*cache).copied().unwrap_or(0);
        line(&format!("of that `{cache}`"), &|round| each(of(&round.full.kernel), of(&before.kernel)).to_string());
    }
    text
}
