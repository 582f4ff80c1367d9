//! Whether the user agrees: asked once for each gateway, by name, with what is to be looked at and what is to be done.
//!
//! ```text
//!   --yes ─► agreed                               remembered for this gateway ─► agreed
//!   a terminal, or a dialog on the desktop ─► asked: once / only answer / always (remembered) / no          neither ─► refused
//! ```
//!
//! Who has agreed has agreed to what was shown: what a repeat asks besides is asked for again, and what is to be done is remembered by its
//! name or path.

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
    /// This time, but nothing is to be done.
    AnswerOnly,
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
        "o" | "only" | "回答のみ" => Reply::AnswerOnly,
        "a" | "always" | "常に" => Reply::Always,
        _ => Reply::No,
    })
}

/// What the user has said "always" to, a line each: `host:port` for a gateway's questions, `host:port kill NAME` and
/// `host:port delete PATH` for what it wants done.
#[derive(Clone, Debug)]
pub struct Memory {
    file: Option<PathBuf>,
}

impl Memory {
    /// That of the user whose environment is `variable`. Without a place nothing is remembered.
    #[must_use]
    pub fn of(variable: impl Fn(&str) -> Option<PathBuf>) -> Self {
        Self { file: state(variable).map(|state| state.join("gateways")) }
    }

    /// Whether all of `wanted` was agreed to for ever.
    #[must_use]
    pub fn holds(&self, wanted: &[String]) -> bool {
        let kept = self.file.as_deref().map(lines).unwrap_or_default();
        wanted.iter().all(|wanted| kept.contains(wanted))
    }

    /// Keeps `agreed`, in a file for the user alone. Nothing is lost if it is cut off.
    ///
    /// # Errors
    /// As the file system reports it, or if the list is full.
    pub fn keep(&self, agreed: &[String]) -> io::Result<()> {
        let file = self.file.as_deref().ok_or(io::ErrorKind::NotFound)?;
        let folder = file.parent().ok_or(io::ErrorKind::NotFound)?;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut all = lines(file);
        all.retain(|line| !agreed.contains(line));
        all.extend_from_slice(agreed);
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

/// Where the user whose environment is `variable` keeps what is worth keeping: below `XDG_STATE_HOME`, or below `.local/state` at home.
#[must_use]
pub fn state(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    state.map(|state| state.join("sluice-epa"))
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
            ("o\n", Reply::AnswerOnly),
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
        let line = |text: &str| [text.to_owned()];
        assert!(!memory.holds(&line("vpn.example.test:443")));
        memory.keep(&line("vpn.example.test:443")).unwrap();
        memory.keep(&line("other.example.test:443")).unwrap();
        memory.keep(&["vpn.example.test:443".to_owned(), "vpn.example.test:443 kill notepad".to_owned()]).unwrap();
        for held in ["vpn.example.test:443", "other.example.test:443", "vpn.example.test:443 kill notepad"] {
            assert!(memory.holds(&line(held)), "{held}");
        }
        for other in
            ["vpn.example.test:4430", "vpn.example.test", "", "vpn.example.test:443 kill", "other.example.test:443 kill notepad"]
        {
            assert!(!memory.holds(&line(other)), "{other}");
        }
        assert!(!memory.holds(&["vpn.example.test:443".to_owned(), "vpn.example.test:443 delete /x".to_owned()]));
        let file = home.path().join(".local/state/sluice-epa/gateways");
        assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 3);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "nothing is left lying about");
    }

    #[test]
    fn without_a_place_nothing_is_remembered() {
        let memory = Memory::of(|name| (name == "XDG_STATE_HOME").then(|| "relative".into()));
        memory.keep(&["vpn.example.test:443".to_owned()]).unwrap_err();
        assert!(!memory.holds(&["vpn.example.test:443".to_owned()]));
    }
}
