//! The driver for stable Rust: seeds and a clock in, findings out.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::mutate::{Dice, input};
use crate::target::{TARGETS, Target};

const USAGE: &str = "usage: sluicegate-fuzz [TARGET…] [--seconds N] [--runs N] [--seed S] [--file PATH]
  TARGET     only these; all otherwise
  --seconds  for each target; 10 unless told
  --runs     ends a target after so many inputs, if its time has not passed before
  --seed     a number; a random one otherwise
  --file     runs this input only, as it is";

/// Inputs between two looks at the clock.
const INPUTS_PER_LOOK: u64 = 64;

/// What the command line asks for.
#[derive(Debug)]
struct Order {
    targets: Vec<&'static Target>,
    time: Duration,
    runs: u64,
    seed: u64,
    file: Option<PathBuf>,
}

pub(crate) fn main() -> ExitCode {
    let Some(order) = read_order(std::env::args().skip(1)) else {
        say(&format!("{USAGE}\ntargets: {}", TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(" ")));
        return ExitCode::from(2);
    };
    let clean = match &order.file {
        Some(path) => replay(&order, path),
        // Every target runs, also after a finding.
        None => order.targets.iter().filter(|target| !fuzz(target, &order)).count() == 0,
    };
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn read_order(mut arguments: impl Iterator<Item = String>) -> Option<Order> {
    let mut order = Order {
        targets: Vec::new(),
        time: Duration::from_secs(10),
        runs: u64::MAX,
        seed: RandomState::new().build_hasher().finish(),
        file: None,
    };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seconds" => order.time = Duration::try_from_secs_f64(arguments.next()?.parse().ok()?).ok()?,
            "--runs" => order.runs = arguments.next()?.parse().ok()?,
            "--seed" => order.seed = arguments.next()?.parse().ok()?,
            "--file" => order.file = Some(arguments.next()?.into()),
            name => order.targets.push(TARGETS.iter().find(|target| target.name == name)?),
        }
    }
    if order.targets.is_empty() {
        order.targets = TARGETS.iter().collect();
    }
    Some(order)
}

/// Runs one target. Says whether nothing was found.
fn fuzz(target: &Target, order: &Order) -> bool {
    let corpus = match corpus(target) {
        Ok(corpus) if !corpus.is_empty() => corpus,
        Ok(_) | Err(_) => {
            say(&format!("{:<9} no corpus in {}", target.name, folder(target).display()));
            return false;
        }
    };
    for (path, seed) in &corpus {
        if !survives(target, seed) {
            say(&format!("{:<9} FOUND: {}", target.name, path.display()));
            return false;
        }
    }
    let corpus: Vec<Vec<u8>> = corpus.into_iter().map(|(_, seed)| seed).collect();
    let begun = now();
    let mut runs = 0;
    while runs < order.runs && (runs % INPUTS_PER_LOOK != 0 || begun.elapsed() < order.time) {
        let made = input(&mut Dice::new(order.seed, runs), &corpus, target.words);
        if !survives(target, &made) {
            let kept = keep(target, order.seed, runs, &made);
            say(&format!("{:<9} FOUND: input {runs} of seed {}; kept as {kept}", target.name, order.seed));
            return false;
        }
        runs += 1;
    }
    say(&format!("{:<9} {runs} inputs from {} seeds in {:.1?}, seed {}", target.name, corpus.len(), begun.elapsed(), order.seed));
    true
}

fn replay(order: &Order, path: &Path) -> bool {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            say(&format!("{}: {error}", path.display()));
            return false;
        }
    };
    let died: Vec<_> = order.targets.iter().filter(|target| !survives(target, &bytes)).map(|target| target.name).collect();
    say(&if died.is_empty() { "no finding".to_owned() } else { format!("FOUND by {}", died.join(" ")) });
    died.is_empty()
}

/// The standard hook prints where it panicked.
fn survives(target: &Target, bytes: &[u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| (target.run)(bytes))).is_ok()
}

fn folder(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target.name)
}

/// The files of a corpus in order of name, so that a seed means the same everywhere.
fn corpus(target: &Target) -> std::io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut paths = fs::read_dir(folder(target))?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    paths.into_iter().filter(|path| path.is_file()).map(|path| fs::read(&path).map(|bytes| (path, bytes))).collect()
}

/// Keeps an input that did harm, outside the repository's own files, and says where or why not.
fn keep(target: &Target, seed: u64, run: u64, bytes: &[u8]) -> String {
    let folder = std::env::temp_dir().join("sluicegate-fuzz");
    let path = folder.join(format!("{}-{seed}-{run}.bin", target.name));
    match fs::create_dir_all(&folder).and_then(|()| fs::write(&path, bytes)) {
        Ok(()) => path.display().to_string(),
        Err(error) => format!("nothing ({error}); the seed brings it back"),
    }
}

#[expect(clippy::disallowed_methods, reason = "a driver's budget is wall-clock time; no verdict hangs on it")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "a command-line tool")]
fn say(line: &str) {
    println!("{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_corpus_has_a_target_and_passes_it() {
        for target in TARGETS {
            let corpus = corpus(target).unwrap();
            assert!(!corpus.is_empty(), "{} has an empty corpus", target.name);
            for (path, bytes) in corpus {
                assert!(survives(target, &bytes), "{}", path.display());
            }
        }
        for entry in fs::read_dir(folder(&TARGETS[0]).parent().unwrap()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(path.is_file() || TARGETS.iter().any(|target| target.name == name), "no target reads {name}");
        }
    }

    #[test]
    fn an_order_is_read_or_refused_whole() {
        let read = |line: &str| read_order(line.split_whitespace().map(str::to_owned));
        let order = read("socks5 --seconds 0.5 cgp --seed 7 --runs 9").unwrap();
        assert_eq!(order.targets.iter().map(|target| target.name).collect::<Vec<_>>(), ["socks5", "cgp"]);
        assert_eq!((order.time, order.seed, order.runs), (Duration::from_millis(500), 7, 9));
        assert_eq!(read("").unwrap().targets.len(), TARGETS.len());
        for wrong in ["sock5", "--seconds", "--seconds -1", "--seed x", "--help"] {
            assert!(read(wrong).is_none(), "{wrong}");
        }
    }
}
