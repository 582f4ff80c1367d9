//! The gateway against Debian's HAProxy: the same work, the same core, in turns, within one run.
//!
//! ```text
//!   core 0: sluicegate (1 worker)   and   haproxy (1 thread)         core 1: sluice-load MODE, sluice-load sink
//! ```
//!
//! It runs in a network namespace of its own with `cubic`, or where that is not allowed `reno`: the machine's own choice may pace
//! with timers, which on loopback costs both sides and says nothing about either. Only ratios within one run count; the machine drifts between runs.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clap::Args;

use crate::clock::now;
use crate::drive::free_port;
use crate::fault::{Fault, machine};
use crate::report::{Outcome, Provenance, say};

/// How long a process may take to come up.
const STARTUP: Duration = Duration::from_secs(30);
/// The name in the certificate.
const NAME: &str = "gw.example.test";
/// Where the congestion control of new sockets is read and set.
const CONGESTION: &str = "/proc/sys/net/ipv4/tcp_congestion_control";
/// Between these lines of the file the table is written.
const MARKS: [&str; 2] = ["<!-- compare: begin -->", "<!-- compare: end -->"];

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

/// A child that is ended, by its own id, when it is dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
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
    if !plan.inside && in_namespace(plan)? {
        return Ok(());
    }
    let dir = std::env::temp_dir().join(format!("sluice-load-{}", std::process::id()));
    fs::create_dir_all(&dir).map_err(machine(dir.display().to_string()))?;
    let done = compare(plan, &dir);
    let _ = fs::remove_dir_all(&dir);
    done
}

/// Runs this program again in a network namespace of its own. `false` if that is not allowed here.
fn in_namespace(plan: &Plan) -> Result<bool, Fault> {
    let allowed = Command::new("unshare").args(["-n", "true"]).stderr(Stdio::null()).status();
    if !allowed.is_ok_and(|status| status.success()) {
        say("no network namespace of our own is allowed here: figures are taken with the machine's congestion control");
        return Ok(false);
    }
    let me = std::env::current_exe().map_err(machine("find the own binary"))?;
    let script =
        format!("ip link set lo up; for c in cubic reno; do (echo $c > {CONGESTION}) 2>/dev/null && break; done; exec \"$@\"");
    let mut command = Command::new("unshare");
    command.args(["-n", "sh", "-c", &script, "sh"]).arg(me).arg("compare").arg("--inside");
    command.arg("--gateway").arg(&plan.gateway).arg("--haproxy").arg(&plan.haproxy);
    command.args(["--rounds", &plan.rounds.to_string(), "--seconds", &plan.seconds.to_string()]);
    if plan.quick {
        command.arg("--quick");
    }
    if let Some(path) = &plan.write {
        command.arg("--write").arg(path);
    }
    let status = command.status().map_err(machine("run in a network namespace"))?;
    if status.success() {
        return Ok(true);
    }
    Err(Fault::Tool { tool: "compare".to_owned(), said: format!("ended with {status}") })
}

fn compare(plan: &Plan, dir: &Path) -> Result<(), Fault> {
    certificates(dir)?;
    let (_sink, host) = sink()?;
    let mut peers = vec![gateway(plan, dir, host)?, haproxy(plan, dir, host, "haproxy-64k", Some(65536))?];
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
        write_between(path, &table)?;
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
    let me = std::env::current_exe().map_err(machine("find the own binary"))?;
    let mut command = Command::new(me);
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

/// The median of an odd or even number of figures, the lowest and the highest.
fn spread(mut figures: Vec<f64>) -> (f64, f64, f64) {
    figures.sort_by(f64::total_cmp);
    let last = figures.len().saturating_sub(1);
    let at = |index: usize| figures.get(index).copied().unwrap_or(0.0);
    (f64::midpoint(at(last / 2), at(last.div_ceil(2))), at(0), at(last))
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

fn write_between(path: &Path, table: &str) -> Result<(), Fault> {
    let old = fs::read_to_string(path).map_err(machine(path.display().to_string()))?;
    let (Some(from), Some(to)) = (old.find(MARKS[0]), old.find(MARKS[1])) else {
        return Err(Fault::Tool { tool: path.display().to_string(), said: format!("lacks the marks {MARKS:?}") });
    };
    let new = format!("{}{}\n{table}\n{}", &old[..from], MARKS[0], &old[to..]);
    fs::write(path, new).map_err(machine(path.display().to_string()))
}

fn tool(program: &str, args: &[&str], dir: &Path) -> Result<(), Fault> {
    let done = Command::new(program).args(args).current_dir(dir).stdin(Stdio::null()).output().map_err(machine(program))?;
    if done.status.success() {
        return Ok(());
    }
    Err(Fault::Tool { tool: program.to_owned(), said: String::from_utf8_lossy(&done.stderr).into_owned() })
}

fn certificates(dir: &Path) -> Result<(), Fault> {
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let ca = ["req", "-x509", "-days", "2", "-subj", "/CN=sluice-load", "-keyout", "ca.key", "-out", "ca.pem"];
    tool("openssl", &[&ca[..], &key[..]].concat(), dir)?;
    tool("openssl", &[&["req", "-subj", "/CN=gw.example.test", "-keyout", "gw.key", "-out", "gw.csr"], &key[..]].concat(), dir)?;
    fs::write(dir.join("san"), format!("subjectAltName=DNS:{NAME}\n")).map_err(machine("write a file"))?;
    let sign = "x509 -req -in gw.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out gw.pem";
    tool("openssl", &sign.split(' ').collect::<Vec<_>>(), dir)?;
    tool("chmod", &["600", "gw.key"], dir)?;
    let both = [fs::read(dir.join("gw.pem")), fs::read(dir.join("gw.key"))];
    let [Ok(chain), Ok(key)] = both else { return Err(Fault::Nothing("no certificate was made")) };
    fs::write(dir.join("both.pem"), [chain, key].concat()).map_err(machine("write a file"))
}

fn sink() -> Result<(Ended, SocketAddr), Fault> {
    let me = std::env::current_exe().map_err(machine("find the own binary"))?;
    let started = Command::new(me).args(["sink", "--core", "1"]).stdout(Stdio::piped()).spawn();
    let mut child = Ended(started.map_err(machine("start the sink"))?);
    let out = child.0.stdout.take().ok_or(Fault::Nothing("the sink says nothing"))?;
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line).map_err(machine("read from the sink"))?;
    let address = line.trim().rsplit(' ').next().and_then(|text| text.parse().ok());
    Ok((child, address.ok_or(Fault::Nothing("the sink does not say where it is"))?))
}

fn gateway(plan: &Plan, dir: &Path, host: SocketAddr) -> Result<Peer, Fault> {
    let inside = dir.display();
    let config = format!(
        "enable ns feature SSLVPN AAA\nset ns worker -count 1 -cores 0\n\
         set ns config -innerSocket {inside}/inner.sock -controlSocket {inside}/control.sock\n\
         add ssl certKey gw -cert gw.pem -key gw.key\nadd vpn vserver vpn1 SSL 127.0.0.1 0 -vserverFqdn {NAME}\n\
         bind ssl vserver vpn1 -certkeyName gw\nadd farm server inside 127.0.0.1 0\n\
         bind vpn vserver vpn1 -staServer http://127.0.0.1:0\n\
         add vpn allowedHost sink {}/32 -port {} -allowLoopback YES\nset ns limits -unprovenPerSource 20000\n",
        host.ip(),
        host.port()
    );
    fs::write(dir.join("ns.conf"), config).map_err(machine("write a file"))?;
    let ready = dir.join("ready.json");
    let log = fs::File::create(dir.join("gateway.log")).map_err(machine("write a file"))?;
    // The whole process on core 0, control thread included: its share of a launch counts.
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(&plan.gateway).arg("run").arg(dir.join("ns.conf")).arg("--ready-file").arg(&ready);
    let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
    let mut process = Ended(started.map_err(machine("start the gateway"))?);
    let told = wait_for("the gateway", &mut process, &dir.join("gateway.log"), || {
        serde_json::from_str::<serde_json::Value>(&fs::read_to_string(&ready).ok()?).ok()
    })?;
    let at = |kind: &str| told[kind][0]["address"].as_str().and_then(|text| text.parse().ok());
    match (at("listeners"), at("farm")) {
        (Some(target), Some(sta)) => Ok(Peer { name: "sluicegate".to_owned(), target, sta: Some(sta), process }),
        _ => Err(Fault::Nothing("the gateway does not say where it listens")),
    }
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

fn wait_for<T>(what: &str, process: &mut Ended, log: &Path, mut state: impl FnMut() -> Option<T>) -> Result<T, Fault> {
    let deadline = now() + STARTUP;
    loop {
        if let Some(found) = state() {
            return Ok(found);
        }
        let ended = process.0.try_wait().ok().flatten();
        if ended.is_some() || now() > deadline {
            let said = fs::read_to_string(log).unwrap_or_default();
            return Err(Fault::Tool { tool: what.to_owned(), said: format!("did not come up ({ended:?}): {said}") });
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_of_the_middle_and_comes_with_its_range() {
        assert_eq!(spread(vec![3.0, 1.0, 2.0]), (2.0, 1.0, 3.0));
        assert_eq!(spread(vec![4.0, 1.0, 2.0, 3.0]), (2.5, 1.0, 4.0));
        assert_eq!(spread(vec![]), (0.0, 0.0, 0.0));
    }

    #[test]
    fn a_table_replaces_what_stood_between_the_marks_and_nothing_else() {
        let path = std::env::temp_dir().join(format!("sluice-load-marks-{}", std::process::id()));
        fs::write(&path, format!("before\n{}\nold\n{}\nafter\n", MARKS[0], MARKS[1])).unwrap();
        write_between(&path, "new").unwrap();
        write_between(&path, "newer").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, "no marks").unwrap();
        let refused = write_between(&path, "new");
        fs::remove_file(&path).unwrap();
        assert_eq!(text, format!("before\n{}\nnewer\n{}\nafter\n", MARKS[0], MARKS[1]));
        assert!(matches!(refused, Err(Fault::Tool { .. })));
    }
}
