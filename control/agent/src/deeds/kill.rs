//! Ends processes of the user's own, by name.
//!
//! ```text
//!   /proc ─► a process: held by a descriptor ─► its name, whose it is ─► TERM ··· at most TERM_WAIT ··· KILL ··· at most KILL_WAIT
//! ```
//!
//! A descriptor stands for one process and never for another that gets its number later. So what was read after it was opened was read of
//! this process, or the signal reaches nobody.
//!
//! Never ended: what runs as anybody else, in whole or in part; the first process; the agent, its like, and what it was started by: shell, terminal,
//! session.

use std::collections::HashSet;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};

use super::Outcome;
use crate::line::now;
use crate::look::process::is_called;

/// How long a process may take to end in good order.
pub const TERM_WAIT: Duration = Duration::from_secs(5);
/// How long the kernel may take to end it otherwise.
pub const KILL_WAIT: Duration = Duration::from_secs(2);
/// Most processes of one name that are ended. More are not what anybody meant.
pub const PROCESSES_MAX: usize = 64;
/// Most processes above the agent that are looked at.
const ANCESTORS_MAX: usize = 64;
/// Most processes that are gone through; as many as a scan does.
const ENTRIES_MAX: usize = 65_536;
/// Longest status of a process that is read, in bytes.
const STATUS_BYTES_MAX: u64 = 16 * 1024;

/// Who may be ended by whom.
#[derive(Debug)]
pub(super) struct Hunt {
    uid: u32,
    spared: HashSet<u32>,
    /// The agent's own program, by device and inode.
    program: Option<(u64, u64)>,
}

/// What was found under one name.
#[derive(Debug)]
pub(super) enum Found {
    /// These, and perhaps others that are none of ours.
    Processes(Vec<OwnedFd>),
    /// Only such as are never ended.
    Spared,
    /// Nothing of that name runs.
    Nothing,
    /// Too many.
    Many,
}

impl Hunt {
    /// For processes of `uid`, sparing this one and what it came from.
    pub(super) fn of(uid: u32) -> Self {
        let own = number(getpid());
        let mut spared = HashSet::from([1, own]);
        spared.extend(Status::of(&folder(own)).iter().flat_map(Status::led_by));
        let mut at = own;
        for _ in 0..ANCESTORS_MAX {
            let Some(above) = Status::of(&folder(at)).map(|status| status.parent).filter(|above| *above != 0) else { break };
            spared.insert(above);
            at = above;
        }
        Self { uid, spared, program: program(Path::new("/proc/self")).ok() }
    }

    /// The processes that `name` means.
    pub(super) fn find(&self, name: &str) -> Found {
        let (mut found, mut spared) = (Vec::new(), false);
        for entry in std::fs::read_dir("/proc").into_iter().flatten().take(ENTRIES_MAX).filter_map(Result::ok) {
            let Some(number) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            let process = entry.path();
            if !is_called(&process, name) {
                continue;
            }
            // Held first, then looked at once more: from here on it is this one, or nobody.
            let Some(held) =
                i32::try_from(number).ok().and_then(Pid::from_raw).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
            else {
                continue;
            };
            if !is_called(&process, name) {
                continue;
            }
            match self.sight(number, &process) {
                Sight::Gone => {}
                Sight::Spared => spared = true,
                Sight::MayEnd if found.len() == PROCESSES_MAX => return Found::Many,
                Sight::MayEnd => found.push(held),
            }
        }
        match (found.is_empty(), spared) {
            (false, _) => Found::Processes(found),
            (true, true) => Found::Spared,
            (true, false) => Found::Nothing,
        }
    }

    fn sight(&self, number: u32, process: &Path) -> Sight {
        let is_users = Status::of(process).is_some_and(|status| status.uids == [self.uid; 4]);
        if !is_users || self.spared.contains(&number) {
            return Sight::Spared;
        }
        match program(process) {
            Err(error) if error.kind() == ErrorKind::NotFound => Sight::Gone,
            Ok(program) if self.program == Some(program) => Sight::Spared,
            // It may be one that shows its program to nobody: the user's all the same.
            Ok(_) | Err(_) => Sight::MayEnd,
        }
    }
}

/// What a process is to the hunt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    MayEnd,
    /// Never ended.
    Spared,
    /// It has no program any more: it has ended just now. Or it is a part of the kernel.
    Gone,
}

/// Ends `processes`, those of each name together, and says what became of them. All are asked at once, so that many take no longer than one.
pub(super) fn end(processes: &[Vec<OwnedFd>], term_wait: Duration) -> Vec<Outcome> {
    let ask = |process: &OwnedFd, signal| {
        // One that is gone needs none; one that may not be asked is found to run on.
        let _asked = pidfd_send_signal(process, signal);
    };
    for process in processes.iter().flatten() {
        ask(process, Signal::TERM);
    }
    let deadline = now() + term_wait;
    for process in processes.iter().flatten() {
        if !has_ended(process, deadline) {
            ask(process, Signal::KILL);
        }
    }
    let deadline = now() + KILL_WAIT;
    let outcome = |processes: &Vec<OwnedFd>| {
        let left = processes.iter().filter(|process| !has_ended(process, deadline)).count();
        if left == 0 { Outcome::Ended(processes.len()) } else { Outcome::StillRun(left) }
    };
    processes.iter().map(outcome).collect()
}

/// Waits until the process has ended, or until `deadline`.
fn has_ended(process: &OwnedFd, deadline: Instant) -> bool {
    loop {
        let left = deadline.saturating_duration_since(now());
        let left = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&left)) {
            Ok(ended) => return ended == 1,
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

fn number(pid: Pid) -> u32 {
    pid.as_raw_nonzero().get().unsigned_abs()
}

fn folder(number: u32) -> PathBuf {
    Path::new("/proc").join(number.to_string())
}

/// The file of a process's program.
fn program(process: &Path) -> std::io::Result<(u64, u64)> {
    std::fs::metadata(process.join("exe")).map(|file| (file.dev(), file.ino()))
}

/// Of `/proc/N/status`, what counts here.
struct Status {
    parent: u32,
    /// Real, effective, saved, and for files.
    uids: [u32; 4],
    /// The leader of its process group and that of its session; 0 where the leader is outside of this namespace of processes, as in a container
    /// that was entered from without.
    leaders: [u32; 2],
}

impl Status {
    fn of(process: &Path) -> Option<Self> {
        let mut text = String::new();
        File::open(process.join("status")).ok()?.take(STATUS_BYTES_MAX).read_to_string(&mut text).ok()?;
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let uids: Vec<u32> = field("Uid")?.split_whitespace().filter_map(|uid| uid.parse().ok()).collect();
        // A number for each nested namespace, the innermost last: that is the one the rest of `/proc` speaks of.
        let innermost = |name| field(name).and_then(|numbers| numbers.split_whitespace().next_back()?.parse().ok()).unwrap_or(0);
        let leaders = [innermost("NSpgid"), innermost("NSsid")];
        Some(Self { parent: field("PPid")?.trim().parse().ok()?, uids: uids.try_into().ok()?, leaders })
    }

    /// Whose group and session it is in, if they can be seen from here.
    fn led_by(&self) -> impl Iterator<Item = u32> {
        self.leaders.into_iter().filter(|leader| *leader != 0)
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use rustix::process::geteuid;

    use super::*;

    /// A process that is called `name`.
    fn process(folder: &Path, name: &str, script: Option<&str>) -> Child {
        let program = folder.join(name);
        if !program.exists() {
            std::os::unix::fs::symlink(if script.is_some() { "/bin/sh" } else { "/bin/sleep" }, &program).unwrap();
        }
        let mut command = Command::new(&program);
        match script {
            Some(script) => command.args(["-c", script]),
            None => command.arg("600"),
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
    }

    fn named(what: &str) -> String {
        format!("{what}{:x}", std::process::id())
    }

    fn ended(hunt: &Hunt, name: &str, wait: Duration) -> Vec<Outcome> {
        match hunt.find(name) {
            Found::Processes(found) => end(&[found], wait),
            other @ (Found::Spared | Found::Nothing | Found::Many) => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn those_of_one_name_are_ended_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let (name, other) = (named("one"), named("two"));
        let mut wanted = [process(folder.path(), &name, None), process(folder.path(), &name, None)];
        let mut spared = process(folder.path(), &other, None);
        let hunt = Hunt::of(geteuid().as_raw());
        assert_eq!(ended(&hunt, &name, TERM_WAIT), [Outcome::Ended(2)]);
        assert!(wanted.iter_mut().all(|process| process.wait().is_ok()) && spared.try_wait().unwrap().is_none());
        assert!(matches!(hunt.find(&name), Found::Nothing));
        // It belongs to somebody else, as far as this hunt goes.
        assert!(matches!(Hunt::of(geteuid().as_raw() + 1).find(&other), Found::Spared));
        spared.kill().unwrap();
        let _ended = spared.wait().unwrap();
    }

    #[test]
    fn who_does_not_listen_is_ended_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let name = named("deaf");
        let mut deaf = process(folder.path(), &name, Some("trap '' TERM; echo deaf; while :; do read x < /dev/zero; done"));
        // It has said so once it does not listen any more.
        let mut said = [0; 5];
        std::io::Read::read_exact(deaf.stdout.as_mut().unwrap(), &mut said).unwrap();
        assert_eq!(ended(&Hunt::of(geteuid().as_raw()), &name, Duration::from_millis(50)), [Outcome::Ended(1)]);
        assert!(!deaf.wait().unwrap().success());
    }

    #[test]
    fn what_the_agent_stands_on_is_spared() {
        let hunt = Hunt::of(geteuid().as_raw());
        let (own, parent) = (std::process::id(), std::os::unix::process::parent_id());
        let status = Status::of(Path::new("/proc/self")).unwrap();
        for number in [1, own, parent].into_iter().filter(|number| *number != 0).chain(status.led_by()) {
            assert!(hunt.spared.contains(&number) && hunt.sight(number, &folder(number)) == Sight::Spared, "{number}");
        }
        let own = std::fs::read_to_string("/proc/self/comm").unwrap();
        assert!(matches!(hunt.find(own.trim_end()), Found::Spared), "{own}");
        // Another process of the same program is another agent, with another session on it.
        let mut like = Command::new(std::env::current_exe().unwrap());
        let mut like = like
            .args(["--ignored", "--exact", "deeds::kill::tests::lasts"])
            .stdout(Stdio::null())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        assert_eq!(hunt.sight(like.id(), &folder(like.id())), Sight::Spared);
        drop(like.stdin.take());
        assert!(like.wait().unwrap().success());
    }

    #[test]
    fn who_has_ended_and_was_not_asked_about_it_is_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let name = named("gone");
        let mut gone = process(folder.path(), &name, None);
        let hunt = Hunt::of(geteuid().as_raw());
        let Found::Processes(held) = hunt.find(&name) else { panic!("{name} runs") };
        gone.kill().unwrap();
        assert!(held.iter().all(|process| has_ended(process, now() + KILL_WAIT)));
        // As for one that ends between the look at its name and that at its program.
        assert_eq!(hunt.sight(gone.id(), &super::folder(gone.id())), Sight::Gone);
        assert!(matches!(hunt.find(&name), Found::Nothing));
        let _ended = gone.wait().unwrap();
    }

    #[test]
    #[ignore = "a process for what_the_agent_stands_on_is_spared: lasts as long as its standard input"]
    fn lasts() {
        let _read = std::io::read_to_string(std::io::stdin()).unwrap();
    }

    /// In a container that was entered from without, the leaders of the session and of the group, and perhaps the parent, have no number.
    #[test]
    fn what_leads_from_another_namespace_is_nobody() {
        let inside = Command::new("unshare")
            .args(["--pid", "--fork", "--mount-proc"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "deeds::kill::tests::what_the_agent_stands_on_is_spared"])
            .output()
            .unwrap();
        assert!(inside.status.success(), "{}", String::from_utf8_lossy(&inside.stdout));
    }

    #[test]
    fn more_than_anybody_meant_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let name = named("many");
        let mut all: Vec<Child> = (0..=PROCESSES_MAX).map(|_| process(folder.path(), &name, None)).collect();
        assert!(matches!(Hunt::of(geteuid().as_raw()).find(&name), Found::Many));
        for process in &mut all {
            assert!(process.try_wait().unwrap().is_none());
            process.kill().unwrap();
            let _ended = process.wait().unwrap();
        }
    }
}
