//! A terminal for a program: a real pseudo-terminal, and what a person would see on it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Long enough for a busy machine; a test that gets there has failed.
const WAIT: Duration = Duration::from_secs(30);

pub(crate) struct Terminal {
    keys: File,
    shown: Receiver<Vec<u8>>,
    /// Everything that was shown, escape sequences and all.
    pub(crate) raw: String,
    /// So much of it has been looked at.
    seen: usize,
    child: Child,
}

impl Terminal {
    /// Starts the program with this terminal as its own.
    pub(crate) fn start(columns: u16, lines: u16, state: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        tcsetwinsize(&master, Winsize { ws_row: lines, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let end = || File::options().read(true).write(true).open(&name).unwrap();
        let child = Command::new("setsid")
            .args(["--ctty", "--wait", env!("CARGO_BIN_EXE_sluicectl")])
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TERM", "xterm")
            .env("XDG_STATE_HOME", state)
            .envs(variables.iter().copied())
            .stdin(Stdio::from(end()))
            .stdout(Stdio::from(end()))
            .stderr(Stdio::from(end()))
            .spawn()
            .unwrap();
        let keys = File::from(master);
        let mut screen = keys.try_clone().unwrap();
        let (show, shown) = channel();
        let _detached = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The end of the program ends the terminal, which Linux tells as an error.
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                if show.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { keys, shown, raw: String::new(), seen: 0, child }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until `wanted` is to be read behind what was waited for before, and returns what came up to it.
    pub(crate) fn wait(&mut self, wanted: &str) -> String {
        let deadline = deadline();
        loop {
            let plain = plain(&self.raw);
            if let Some(at) = plain.get(self.seen..).and_then(|new| new.find(wanted)) {
                let end = self.seen + at + wanted.len();
                let came = plain[self.seen..end].to_owned();
                self.seen = end;
                return came;
            }
            match self.shown.recv_timeout(deadline.saturating_duration_since(now())) {
                Ok(bytes) => self.raw.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => panic!("waited for {wanted:?} and saw {:?}", plain.get(self.seen..)),
            }
        }
    }

    /// Waits for the program to end.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let deadline = deadline();
        while let Ok(bytes) = self.shown.recv_timeout(deadline.saturating_duration_since(now())) {
            self.raw.push_str(&String::from_utf8_lossy(&bytes));
        }
        assert!(now() < deadline, "it did not end, and shows {:?}", plain(&self.raw).get(self.seen..));
        (self.child.wait().unwrap(), plain(&self.raw))
    }
}

#[expect(clippy::disallowed_methods, reason = "a test waits for a real program, with a deadline")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

pub(crate) fn deadline() -> Instant {
    now() + WAIT
}

impl Drop for Terminal {
    /// A program that a failed test leaves behind is ended; `setsid` passes no signals on, but the end of the terminal does.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Text without escape sequences, roughly what is to be read.
pub(crate) fn plain(raw: &str) -> String {
    let mut text = String::new();
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('\x1b') {
        text.push_str(before);
        rest = match after.strip_prefix('[') {
            Some(sequence) => {
                let end = sequence.find(|c: char| ('@'..='~').contains(&c)).map_or(sequence.len(), |at| at + 1);
                &sequence[end..]
            }
            None => after.get(1..).unwrap_or_default(),
        };
    }
    text.push_str(rest);
    text.replace('\r', "")
}
