//! How many instructions an operation takes, against what it took when `instructions.txt` was written: a regression shows without a quiet
//! machine.
//!
//! ```text
//!   cargo build, one fixed profile ─► valgrind: callgrind, within measure::counted only ─► one part per benchmark
//!                                     ─► own instructions, calls that leave our code ─► at most 5 % above instructions.txt
//! ```
//!
//! What is counted, so that it says the same everywhere:
//!
//! * Own code is whatever has a Rust name: ours, and what of std and rustls it runs. AWS-LC and libc choose their code by the features of the
//!   processor, so their instructions are left out, and calls of them are counted instead: one copy, allocation or encryption more shows there.
//! * Our crates are built as for release, each as one unit. What they use comes from the development build, which tests have made anyway:
//!   a release build of AWS-LC would cost minutes.
//! * Another compiler makes other code. With one that is not named in `instructions.txt` figures are shown, and nothing is judged.
#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking where it did")]
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// What may be added before it counts as a regression, in percent.
const MORE_PERCENT: u64 = 5;
/// Instructions or calls that may be added to an operation that has few.
const MORE: u64 = 2;
/// Crates that are built as for release.
const OURS: [&str; 4] = ["sluice-proto", "sluice-link", "sluice-flow", "bench-micro"];
/// As `[profile.release]` has it, but each crate in one unit, so that what is inlined does not depend on how it was cut.
const PROFILE: [&str; 4] = ["opt-level=3", "codegen-units=1", "debug-assertions=false", "overflow-checks=true"];
/// The function within which is counted.
const COUNTED: &str = "bench_micro::measure::counted";

/// What one operation takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cost {
    /// Of our own code.
    instructions: u64,
    /// Calls from our own code into what is not.
    calls: u64,
}

#[test]
fn no_operation_takes_more_instructions_than_it_did() {
    let dir = tempfile::tempdir().unwrap();
    let costs = count(&build(dir.path()), dir.path());
    assert!(costs.len() > 15, "only {} operations were counted", costs.len());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.txt");
    let compiler = compiler();
    if env::var_os("UPDATE").is_some() {
        fs::write(&file, written(&compiler, &costs)).unwrap();
    }
    let (before_by, before) = read(&fs::read_to_string(&file).unwrap());
    let worse = compare(&before, &costs);
    if compiler != before_by {
        println!("instructions.txt is by {before_by}, this is {compiler}: shown, not judged\n{}", worse.join("\n"));
        return;
    }
    assert!(
        worse.is_empty(),
        "more than {MORE_PERCENT} % above bench/micro/instructions.txt (accept with UPDATE=1 cargo test -p bench-micro):\n{}",
        worse.join("\n")
    );
}

/// Builds the benchmarks in the fixed profile and says where they are.
fn build(dir: &Path) -> PathBuf {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "-p", "bench-micro", "--message-format", "json-render-diagnostics"]);
    for (package, setting) in OURS.iter().flat_map(|package| PROFILE.map(|setting| (package, setting))) {
        cargo.args(["--config", &format!("profile.dev.package.{package}.{setting}")]);
    }
    let done = cargo.env("CARGO_INCREMENTAL", "0").current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let messages = String::from_utf8_lossy(&done.stdout).into_owned();
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let built = messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).next_back().unwrap();
    // Whoever builds the same program in another profile writes to the same place.
    let own = dir.join("bench-micro");
    fs::copy(built, &own).unwrap();
    own
}

/// Runs them under callgrind.
fn count(program: &Path, dir: &Path) -> Vec<(String, Cost)> {
    let out = dir.join("out");
    let done = Command::new("valgrind")
        .arg("--tool=callgrind")
        .args(["toggle-collect", "dump-before", "dump-after"].map(|what| format!("--{what}={COUNTED}")))
        .arg(format!("--callgrind-out-file={}", out.display()))
        .args(["--compress-strings=no", "--compress-pos=no"])
        .arg(program)
        .arg("--instructions")
        .stdin(Stdio::null())
        .output()
        .expect("valgrind is installed: tests/packages.sh test");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let named: Vec<(&str, u64)> =
        said.lines().map(|line| line.split_once('\t').unwrap()).map(|(n, t)| (n, t.parse().unwrap())).collect();
    // Odd parts are what came before each.
    let part = |at: usize| dir.join(format!("out.{}", 2 * at));
    named
        .iter()
        .zip(1..)
        .map(|((name, times), at)| {
            let all = cost(&fs::read_to_string(part(at)).unwrap());
            assert!(all.instructions > 0, "{name}: nothing was counted; is {COUNTED} still a function of its own?");
            ((*name).to_owned(), Cost { instructions: all.instructions / times, calls: all.calls / times })
        })
        .collect()
}

/// Adds up one of callgrind's files: lines `LINE COST` belong to the last `fn=`, but one behind `calls=` is the callee's.
fn cost(text: &str) -> Cost {
    let mut cost = Cost::default();
    let (mut own, mut callee_own, mut of_callee) = (false, false, false);
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("fn=") {
            own = is_own(name);
        } else if let Some(name) = line.strip_prefix("cfn=") {
            callee_own = is_own(name);
        } else if let Some(rest) = line.strip_prefix("calls=") {
            of_callee = true;
            if own && !callee_own {
                cost.calls += rest.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
            }
        } else if line.starts_with(|first: char| first.is_ascii_digit()) && !std::mem::take(&mut of_callee) && own {
            cost.instructions += line.split(' ').nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    cost
}

/// Whether a function is Rust's: names of C have no path.
fn is_own(name: &str) -> bool {
    name.contains("::") || name.starts_with('<')
}

/// What takes more than it did, what is new, and what is gone.
fn compare(before: &BTreeMap<String, Cost>, now: &[(String, Cost)]) -> Vec<String> {
    let more = |was: u64, is: u64| is > was + (was * MORE_PERCENT / 100).max(MORE);
    let mut worse = Vec::new();
    for (name, is) in now {
        match before.get(name) {
            None => worse.push(format!("{name}: is not in the file")),
            Some(was) if more(was.instructions, is.instructions) || more(was.calls, is.calls) => worse.push(format!(
                "{name}: {} instructions and {} calls, was {} and {}",
                is.instructions, is.calls, was.instructions, was.calls
            )),
            Some(_) => {}
        }
    }
    let gone = before.keys().filter(|name| now.iter().all(|(other, _)| other != *name));
    worse.extend(gone.map(|name| format!("{name}: is in the file and was not counted")));
    worse
}

/// Compiler and target.
fn compiler() -> String {
    let said = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("-vV").output().unwrap().stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    let line = |start: &str| said.lines().find_map(|line| line.strip_prefix(start)).unwrap_or_default().to_owned();
    format!("rustc {} {}", line("rustc "), line("host: "))
}

fn written(compiler: &str, costs: &[(String, Cost)]) -> String {
    let mut text = format!(
        "# Instructions of our own code for one operation, and calls from it into libc and AWS-LC.\n\
         # tests/instructions.rs holds them; `UPDATE=1 cargo test -p bench-micro` writes this file.\n# {compiler}\n"
    );
    for (name, cost) in costs {
        let _ = writeln!(text, "{name:<28} {:>8} {:>6}", cost.instructions, cost.calls);
    }
    text
}

fn read(text: &str) -> (String, BTreeMap<String, Cost>) {
    let compiler = text.lines().filter_map(|line| line.strip_prefix("# rustc ")).map(|rest| format!("rustc {rest}")).next_back();
    let costs = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (name, numbers) = fields.split_at(fields.len() - 2);
        (name.join(" "), Cost { instructions: numbers[0].parse().unwrap(), calls: numbers[1].parse().unwrap() })
    });
    (compiler.unwrap_or_default(), costs.collect())
}

#[test]
fn only_what_is_ours_is_counted() {
    let text = "fn=bench_micro::measure::counted\n0 5\ncfn=sluice_flow::half::Half::pump\ncalls=2 0\n0 900\n\
                fn=sluice_flow::half::Half::pump\n0 30\n0 7\ncob=/lib/libc.so.6\ncfn=__memcpy_avx\ncalls=3 0\n0 80\n\
                fn=__memcpy_avx\n0 80\ncfn=aes\ncalls=9 0\n0 1\n";
    assert_eq!(cost(text), Cost { instructions: 42, calls: 3 });
}

#[test]
fn five_percent_more_is_a_regression_and_less_is_none() {
    let before = BTreeMap::from([("a b".to_owned(), Cost { instructions: 1000, calls: 4 })]);
    let now = |instructions, calls| vec![("a b".to_owned(), Cost { instructions, calls })];
    assert!(compare(&before, &now(1050, 4)).is_empty());
    assert!(compare(&before, &now(10, 0)).is_empty());
    assert_eq!(compare(&before, &now(1051, 4)).len(), 1);
    assert_eq!(compare(&before, &now(1000, 7)).len(), 1, "a copy more");
    assert_eq!(compare(&before, &[]), ["a b: is in the file and was not counted"]);
    let text = written("rustc 1 x", &now(1000, 4));
    assert_eq!(read(&text), ("rustc 1 x".to_owned(), before));
}
