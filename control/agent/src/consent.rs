//! Whether the user agrees: asked once for each gateway, by name, with what is to be looked at.
//!
//! ```text
//!   --yes ─► agreed                     remembered for this gateway ─► agreed
//!   a terminal ─► asked: once / always (remembered) / no                no terminal ─► refused
//! ```
//!
//! Who has agreed once has agreed to what was shown: what a repeat asks besides is asked for again.

use std::fs;
use std::io::{self, BufRead, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Longest list of gateways, in bytes.
pub const MEMORY_BYTES_MAX: u64 = 64 * 1024;
/// Longest answer that is read, in bytes.
const REPLY_BYTES_MAX: u64 = 256;

/// What the user said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// This time.
    Once,
    /// This time, and whenever this gateway asks.
    Always,
    /// No, or nothing that is clearly a yes.
    No,
}

/// Reads one line.
///
/// # Errors
/// As the terminal reports it.
pub fn reply(from: &mut impl BufRead) -> io::Result<Reply> {
    let mut line = String::new();
    from.take(REPLY_BYTES_MAX).read_line(&mut line)?;
    Ok(match line.trim().to_lowercase().as_str() {
        "y" | "yes" | "はい" => Reply::Once,
        "a" | "always" | "常に" => Reply::Always,
        _ => Reply::No,
    })
}

/// The gateways for which the user has said "always": a file with a `host:port` on each line.
#[derive(Clone, Debug)]
pub struct Memory {
    file: Option<PathBuf>,
}

impl Memory {
    /// That of the user whose environment is `variable`: below `XDG_STATE_HOME`, or below `.local/state` at home. Without either
    /// nothing is remembered.
    #[must_use]
    pub fn of(variable: impl Fn(&str) -> Option<PathBuf>) -> Self {
        let absolute = |name: &str| variable(name).filter(|path| path.is_absolute());
        let state = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
        Self { file: state.map(|state| state.join("sluice-epa/gateways")) }
    }

    /// Whether `gateway` was agreed to for ever.
    #[must_use]
    pub fn holds(&self, gateway: &str) -> bool {
        self.file.as_deref().is_some_and(|file| lines(file).iter().any(|line| line == gateway))
    }

    /// Keeps `gateway`, in a file for the user alone. Nothing is lost if it is cut off.
    ///
    /// # Errors
    /// As the file system reports it, or if the list is full.
    pub fn keep(&self, gateway: &str) -> io::Result<()> {
        let file = self.file.as_deref().ok_or(io::ErrorKind::NotFound)?;
        let folder = file.parent().ok_or(io::ErrorKind::NotFound)?;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut all = lines(file);
        all.retain(|line| line != gateway);
        all.push(gateway.to_owned());
        let text = all.join("\n") + "\n";
        if text.len() as u64 > MEMORY_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let new = folder.join(format!("gateways.{}", std::process::id()));
        let mut out = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        out.write_all(text.as_bytes())?;
        out.sync_all()?;
        fs::rename(&new, file)
    }
}

fn lines(file: &Path) -> Vec<String> {
    let mut text = String::new();
    // What cannot be read remembers nothing: the user is asked.
    let read = fs::File::open(file).and_then(|file| file.take(MEMORY_BYTES_MAX).read_to_string(&mut text));
    if read.is_ok() { text.lines().map(str::to_owned).collect() } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_a_clear_yes_is_one() {
        for (line, wanted) in [
            ("y\n", Reply::Once),
            (" Yes \n", Reply::Once),
            ("A", Reply::Always),
            ("always\n", Reply::Always),
            ("", Reply::No),
            ("\n", Reply::No),
            ("yep\n", Reply::No),
            ("n\ny\n", Reply::No),
        ] {
            assert_eq!(reply(&mut line.as_bytes()).unwrap(), wanted, "{line:?}");
        }
        assert_eq!(reply(&mut "y".repeat(100_000).as_bytes()).unwrap(), Reply::No);
    }

    #[test]
    fn a_gateway_is_remembered_by_its_whole_name() {
        let home = tempfile::tempdir().unwrap();
        let memory = Memory::of(|name| (name == "HOME").then(|| home.path().into()));
        assert!(!memory.holds("vpn.example.test:443"));
        memory.keep("vpn.example.test:443").unwrap();
        memory.keep("other.example.test:443").unwrap();
        memory.keep("vpn.example.test:443").unwrap();
        assert!(memory.holds("vpn.example.test:443") && memory.holds("other.example.test:443"));
        assert!(!memory.holds("vpn.example.test:4430") && !memory.holds("vpn.example.test") && !memory.holds(""));
        let file = home.path().join(".local/state/sluice-epa/gateways");
        assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 2);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "nothing is left lying about");
    }

    #[test]
    fn without_a_place_nothing_is_remembered() {
        let memory = Memory::of(|name| (name == "XDG_STATE_HOME").then(|| "relative".into()));
        memory.keep("vpn.example.test:443").unwrap_err();
        assert!(!memory.holds("vpn.example.test:443"));
    }
}
