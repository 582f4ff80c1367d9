//! What the agent costs while it repeats a check: memory, and CPU for each round, among many processes.
//!
//! Run as it stands it takes a second and keeps this working. For figures:
//!
//! ```text
//! SLUICE_BINARY=target/agent/sluice-epa SLUICE_PROCESSES=2000 SLUICE_ROUNDS=20 cargo test -p gate-agent --test figures -- --nocapture
//! ```
#![expect(clippy::unwrap_used, reason = "a helper of tests fails loudly")]

#[expect(dead_code, reason = "what other tests ask of this gateway")]
mod fake;

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use fake::{Gateway, TOKEN, body, status};

/// A test that gets there has failed.
const WAIT: Duration = Duration::from_secs(60);

fn wished(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().unwrap())
}

struct Processes(Vec<Child>);

impl Processes {
    fn start(count: usize) -> Self {
        let sleep = || Command::new("/bin/sleep").arg("3600").stdin(Stdio::null()).spawn().unwrap();
        Self((0..count).map(|_| sleep()).collect())
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for process in &mut self.0 {
            // They are at an end with this test, whatever comes of it.
            let _ended = process.kill();
        }
        for process in &mut self.0 {
            let _ended = process.wait();
        }
    }
}

/// What the main thread, the only one, has run so far.
fn cpu(pid: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

/// KiB of a field of the process's memory.
fn memory(pid: u32, field: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

/// Repeats `question`, and tells memory and the CPU of each round, the first one apart.
fn repeated(question: &'static str, rounds: usize) -> Vec<Duration> {
    let (begins, begun) = channel();
    let mut asked = 0;
    let gateway = Gateway::start("localhost", move |request| match request.path.as_str() {
        "/epatype" => body("Epa:on\r\n"),
        "/epaq" => {
            asked += 1;
            begins.send(()).unwrap();
            if asked == rounds + 2 { status(403) } else { request.question(question) }
        }
        _ => request.verdict("0"),
    });
    let binary = std::env::var_os("SLUICE_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_sluice-epa").into());
    let mut command = Command::new(&binary);
    command.args([
        "scan",
        "--yes",
        "--minute",
        "1",
        "--token",
        TOKEN,
        "--gateway",
        &format!("https://{}", gateway.host()),
        "--ca",
    ]);
    command.arg(gateway.ca()).env("XDG_STATE_HOME", gateway.ca().with_file_name("")).stderr(Stdio::null());
    let mut agent = command.spawn().unwrap();
    let mut spent = Vec::new();
    for _ in 0..rounds + 1 {
        begun.recv_timeout(WAIT).unwrap();
        spent.push(cpu(agent.id()));
    }
    let [rss, pss, anonymous] = ["Rss", "Pss", "Anonymous"].map(|field| memory(agent.id(), field));
    begun.recv_timeout(WAIT).unwrap();
    assert!(agent.wait().unwrap().success());
    let mut each: Vec<Duration> = spent.windows(2).map(|pair| pair[1] - pair[0]).collect();
    each.sort();
    tell(&format!(
        "{question}  RSS {rss} KiB  PSS {pss} KiB  anonymous {anonymous} KiB  CPU up to the first question {:?}",
        spent[0]
    ));
    tell(&format!("  CPU a round: median {:?}, lowest {:?}, highest {:?}", each[each.len() / 2], each[0], each[each.len() - 1]));
    each
}

fn tell(words: &str) {
    #[expect(clippy::print_stdout, reason = "figures are what this is for")]
    {
        println!("{words}");
    }
}

#[test]
fn a_round_among_many_processes() {
    let rounds = wished("SLUICE_ROUNDS", 1);
    let _processes = Processes::start(wished("SLUICE_PROCESSES", 20));
    let without = repeated("file_1_/etc/passwd;", rounds);
    let with = repeated("file_1_/etc/passwd;proc_1_no-such-process;", rounds);
    let count = fs::read_dir("/proc")
        .unwrap()
        .filter(|entry| entry.as_ref().is_ok_and(|e| e.file_name().to_string_lossy().parse::<u32>().is_ok()))
        .count();
    let scan = with[with.len() / 2].saturating_sub(without[without.len() / 2]);
    tell(&format!("a scan over {count} processes: {scan:?}"));
    assert!(count >= 20);
}
