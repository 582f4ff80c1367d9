//! Real tools as peers: openssl, curl, socat, ncat, nmap, haproxy.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, Command, Stdio};

use crate::deadline;

/// Runs a tool to its end and gives what it printed.
///
/// # Panics
/// If it is missing or fails; what it said is shown.
#[must_use]
pub fn output(tool: &str, args: &[&str]) -> String {
    let done = Command::new(tool).args(args).stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{tool}: {e}"));
    assert!(done.status.success(), "{tool} {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// The beginning of a command line in a mount namespace of its own, where it is root: what is mounted there, nobody else sees. That takes
/// root, or namespaces for everybody.
#[must_use]
pub fn apart() -> Command {
    let mut command = Command::new("unshare");
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    command.args((!is_root).then_some("--map-root-user")).arg("--mount");
    command
}

/// A process that is ended, by its own id, when the test ends.
#[derive(Debug)]
pub struct Running(pub Child);

impl Running {
    /// Starts `command`.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}")))
    }

    /// Waits for its end, with a deadline.
    ///
    /// # Panics
    /// If it does not end.
    pub fn wait(&mut self) -> std::process::ExitStatus {
        deadline::until("a child process to end", || self.0.try_wait().expect("a child of ours"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
