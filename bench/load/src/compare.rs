//! The gateway against Debian's HAProxy: the same work, the same core, in turns, within one run.
//!
//! ```text
//!   core 0: sluicegate (1 worker)   and   haproxy (1 thread)         core 1: sluice-load MODE, sluice-load sink
//! ```
//!
//! It runs in a network namespace of its own with `cubic`, or where that is not allowed `reno`: the machine's own choice may pace
//! with timers, which on loopback costs both sides and says nothing about either. Only ratios within one run count; the machine drifts between runs.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;

use crate::drive::free_port;
use crate::fault::{Fault, machine};
use crate::report::{Outcome, Provenance, say};
use crate::stage::{self, CONGESTION, Ended, Gateway, NAME, spread, wait_for};

/// What to compare.
#[derive(Clone, Debug, Args)]
pub(crate) struct Plan {
    /// The gateway's binary.
    #[arg(long)]
    gateway: PathBuf,
    /// HAProxy's binary.
    #[arg(long, default_value = "/usr/sbin/haproxy")]
    haproxy: PathBuf,
    /// A few seconds in all: shows that everything works, its figures mean nothing.
    #[arg(long)]
    quick: bool,
    /// Rounds; medians and ranges are over these.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of a window.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Write the table into this file, between its marks.
    #[arg(long)]
    write: Option<PathBuf>,
    /// The network namespace is there already.
    #[arg(long, hide = true)]
    inside: bool,
}

struct Peer {
    name: String,
    target: SocketAddr,
    sta: Option<SocketAddr>,
    process: Ended,
}

struct Case {
    name: &'static str,
    args: Vec<String>,
    unit: &'static str,
    figure: fn(&Outcome) -> f64,
    /// A second round would find what the first has left behind.
    once: bool,
}

/// Runs the comparison.
pub(crate) fn run(plan: &Plan) -> Result<(), Fault> {
    if !plan.inside && stage::in_namespace(&plan.args())? {
        return Ok(());
    }
    stage::in_folder(|dir| compare(plan, dir))
}

impl Plan {
    /// The same plan for this program run again, inside.
    fn args(&self) -> Vec<String> {
        let path = |path: &Path| path.display().to_string();
        let mut args: Vec<String> = ["compare", "--inside", "--gateway"].map(str::to_owned).to_vec();
        args.extend([path(&self.gateway), "--haproxy".into(), path(&self.haproxy)]);
        args.extend(["--rounds".into(), self.rounds.to_string(), "--seconds".into(), self.seconds.to_string()]);
        args.extend(self.quick.then(|| "--quick".to_owned()));
        args.extend(self.write.iter().flat_map(|file| ["--write".to_owned(), path(file)]));
        args
    }
}

fn compare(plan: &Plan, dir: &Path) -> Result<(), Fault> {
    stage::certificates(dir)?;
    let (_sink, host) = stage::sink()?;
    let Gateway { process, target, sta } = Gateway::start(&plan.gateway, dir, host, "")?;
    let ours = Peer { name: "sluicegate".to_owned(), target, sta: Some(sta), process };
    let mut peers = vec![ours, haproxy(plan, dir, host, "haproxy-64k", Some(65536))?];
    if !plan.quick {
        peers.push(haproxy(plan, dir, host, "haproxy-16k", None)?);
    }
    let (rounds, seconds) = if plan.quick { (1, 0.3) } else { (plan.rounds, plan.seconds) };
    let mut rows = Vec::new();
    for case in cases(plan.quick) {
        let mut figures: Vec<Vec<Outcome>> = peers.iter().map(|_| Vec::new()).collect();
        for round in 0..if case.once { 1 } else { rounds } {
            for (at, peer) in peers.iter().enumerate() {
                let outcome = one(&case, peer, host, dir, seconds)?;
                say(&format!(
                    "{:<22} round {} {:<12} {:>10.3} {}",
                    case.name,
                    round + 1,
                    peer.name,
                    (case.figure)(&outcome),
                    case.unit
                ));
                figures[at].push(outcome);
            }
        }
        rows.push(row(&case, &figures));
    }
    let table = table(&peers, &rows);
    say(&table);
    if let Some(path) = &plan.write {
        stage::write_between(path, "compare", &table)?;
    }
    Ok(())
}

fn cases(quick: bool) -> Vec<Case> {
    let cpu_ms = |outcome: &Outcome| outcome.cpu_per_unit.unwrap_or(0.0);
    let cpu_us = |outcome: &Outcome| outcome.cpu_per_unit.unwrap_or(0.0) * 1e6;
    let p50 = |outcome: &Outcome| outcome.latency_us.first().copied().unwrap_or(0) as f64;
    let memory = |outcome: &Outcome| outcome.bytes_per_session.unwrap_or(0) as f64 / 1024.0;
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let idle = if quick { "idle --connections 100" } else { "idle --connections 4000" };
    vec![
        // First, since memory that a process has kept from earlier work would hide what its sessions need.
        Case { name: "idle", args: words(idle), unit: "KiB each", figure: memory, once: true },
        Case { name: "bulk up, 8", args: words("bulk --direction up"), unit: "CPU s/GiB", figure: cpu_ms, once: false },
        Case { name: "bulk down, 8", args: words("bulk --direction down"), unit: "CPU s/GiB", figure: cpu_ms, once: false },
        Case {
            name: "handshakes, 16",
            args: words("connect --connections 16"),
            unit: "CPU µs each",
            figure: cpu_us,
            once: false,
        },
        Case {
            name: "echo 64 B, 32",
            args: words("echo --size 64 --connections 32"),
            unit: "CPU µs each",
            figure: cpu_us,
            once: false,
        },
        Case {
            name: "echo 256 B, 1, p50", args: words("echo --size 256 --connections 1"), unit: "µs", figure: p50, once: false
        },
        Case {
            name: "echo 10,000/s, 500",
            args: words("echo --size 256 --connections 500 --rate 10000"),
            unit: "CPU µs each",
            figure: cpu_us,
            once: false,
        },
    ]
}

fn one(case: &Case, peer: &Peer, host: SocketAddr, dir: &Path, seconds: f64) -> Result<Outcome, Fault> {
    let mut command = Command::new(stage::own_binary()?);
    command.args(&case.args).arg("--target").arg(peer.target.to_string()).arg("--ca").arg(dir.join("ca.pem"));
    command.args(["--name", NAME, "--core", "1", "--json", "-"]);
    command.args(["--seconds", &seconds.to_string(), "--pid", &peer.process.0.id().to_string()]);
    if let Some(sta) = peer.sta {
        command.args(["--sta", &sta.to_string(), "--host", &host.to_string()]);
    }
    let done = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(machine("run a load"))?;
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    serde_json::from_str(&text).map_err(|_| Fault::Tool { tool: format!("{} on {}", case.name, peer.name), said: text })
}

fn row(case: &Case, figures: &[Vec<Outcome>]) -> String {
    let mut cells = vec![format!("{} ({})", case.name, case.unit)];
    let mut medians = Vec::new();
    for outcomes in figures {
        let (median, low, high) = spread(outcomes.iter().map(case.figure).collect());
        medians.push(median);
        cells.push(format!("{median:.3} ({low:.3}–{high:.3})"));
    }
    let best = medians.iter().skip(1).copied().fold(f64::INFINITY, f64::min);
    let ratio = medians.first().copied().unwrap_or(0.0) / best;
    cells.push(if ratio.is_finite() { format!("{ratio:.2}") } else { "–".to_owned() });
    format!("| {} |", cells.join(" | "))
}

fn table(peers: &[Peer], rows: &[String]) -> String {
    let from = Provenance::here();
    let names: Vec<&str> = peers.iter().map(|peer| peer.name.as_str()).collect();
    let congestion = fs::read_to_string(CONGESTION).unwrap_or_default();
    let mut text = format!(
        "Machine: {}. Congestion control: {}. Commit: `{}`.\nCommand: `{}`.\n\n",
        from.machine,
        congestion.trim(),
        from.commit,
        from.command
    );
    text += &format!("| case | {} | ratio to the better peer |\n|{}\n", names.join(" | "), " --- |".repeat(names.len() + 2));
    text + &rows.join("\n")
}

fn haproxy(plan: &Plan, dir: &Path, host: SocketAddr, name: &str, buffer: Option<u32>) -> Result<Peer, Fault> {
    let target = free_port()?;
    let buffer = buffer.map(|bytes| format!("  tune.bufsize {bytes}\n")).unwrap_or_default();
    let config = format!(
        "global\n  nbthread 1\n  maxconn 9000\n{buffer}  ssl-default-bind-options ssl-min-ver TLSv1.3\n\
         defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 10m\n  timeout server 10m\n\
         frontend f\n  bind {target} ssl crt {} curves X25519 ciphersuites TLS_AES_128_GCM_SHA256\n  default_backend b\n\
         backend b\n  server s {host}\n",
        dir.join("both.pem").display()
    );
    let file = dir.join(format!("{name}.cfg"));
    fs::write(&file, config).map_err(machine("write a file"))?;
    let log = dir.join(format!("{name}.log"));
    let out = fs::File::create(&log).map_err(machine("write a file"))?;
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(&plan.haproxy).arg("-db").arg("-f").arg(file);
    let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(out).spawn();
    let mut process = Ended(started.map_err(machine("start haproxy"))?);
    wait_for(name, &mut process, &log, || std::net::TcpStream::connect(target).ok())?;
    Ok(Peer { name: name.to_owned(), target, sta: None, process })
}
