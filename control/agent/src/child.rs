//! Another program, run to its end within a time: what it is given, what it says, how it ends.

use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::line::now;

/// Longest answer that is read, in bytes: what a pipe holds, so that nobody waits for a reader.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Exit code and standard output of `command`, given `input`; no code if it took longer than `wait`, and was ended.
///
/// # Errors
/// If it cannot be run.
pub(crate) fn ended(mut command: Command, input: &str, wait: Duration) -> io::Result<(Option<i32>, String)> {
    let mut running = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    if let Some(mut stdin) = running.stdin.take() {
        // A program that does not read its input ends without.
        let _read = stdin.write_all(input.as_bytes());
    }
    let is_over = waited(&running, wait);
    if !matches!(is_over, Ok(true)) {
        // It may be over meanwhile.
        let _ended = running.kill();
    }
    let status = running.wait()?;
    if !is_over? {
        return Ok((None, String::new()));
    }
    let mut said = Vec::new();
    if let Some(stdout) = running.stdout.take() {
        stdout.take(ANSWER_BYTES_MAX).read_to_end(&mut said)?;
    }
    Ok((status.code(), String::from_utf8_lossy(&said).into_owned()))
}

/// Whether it has ended within `wait`.
fn waited(running: &Child, wait: Duration) -> io::Result<bool> {
    let pid = i32::try_from(running.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::NotFound)?;
    let held: OwnedFd = pidfd_open(pid, PidfdFlags::empty())?;
    let deadline = now() + wait;
    loop {
        let left = deadline.saturating_duration_since(now());
        let left = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&held, PollFlags::IN)], Some(&left)) {
            Ok(ended) => return Ok(ended == 1),
            Err(Errno::INTR) => {}
            Err(other) => return Err(other.into()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    use super::*;

    /// A program at `path` that does `script`. Another process writes it: a file that this one has open for writing is inherited by
    /// whatever other tests start meanwhile, and cannot be run as long as they have it.
    pub(crate) fn script(path: &Path, script: &str) {
        let mut install = Command::new("install");
        install.args(["-m", "755", "/dev/stdin"]).arg(path);
        assert_eq!(ended(install, &format!("#!/bin/sh\n{script}\n"), Duration::from_secs(30)).unwrap().0, Some(0));
    }

    #[test]
    fn who_takes_too_long_is_ended() {
        let mut sleep = Command::new("sleep");
        sleep.arg("600");
        assert_eq!(ended(sleep, "", Duration::from_millis(50)).unwrap().0, None);
        assert_eq!(ended(Command::new("cat"), "text", Duration::from_secs(30)).unwrap(), (Some(0), "text".to_owned()));
        ended(Command::new("/nowhere"), "", Duration::ZERO).unwrap_err();
    }
}
