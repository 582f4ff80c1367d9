//! What was typed before: kept in a file that nobody else reads, without lines that hold secrets.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use gate_config::order::{Order, read, split};
use gate_config::text::lex::lex;

/// Lines that are kept.
pub const LINES_MAX: usize = 1000;
/// Longest file that is read, in bytes; only its end counts.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// The file.
#[derive(Clone, Debug)]
pub struct File(PathBuf);

impl File {
    /// `$XDG_STATE_HOME/sluicectl/history`, or below `~/.local/state`. None if there is no home.
    #[must_use]
    pub fn usual() -> Option<Self> {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
        Some(Self::at(state.join("sluicectl/history")))
    }

    /// This one.
    #[must_use]
    pub const fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// The last lines, oldest first. A file that cannot be read has none; one that has grown long is cut.
    #[must_use]
    pub fn read(&self) -> Vec<String> {
        let mut text = Vec::new();
        let read = fs::File::open(&self.0).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut text));
        if read.is_err() {
            return Vec::new();
        }
        let text = String::from_utf8_lossy(&text);
        let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = all.iter().skip(all.len().saturating_sub(LINES_MAX)).map(|line| (*line).to_owned()).collect::<Vec<_>>();
        if all.len() > 2 * LINES_MAX {
            // If it cannot be cut, it stays long.
            let _ = self.rewrite(&last);
        }
        last
    }

    /// Adds a line.
    ///
    /// # Errors
    /// If it cannot be written, or is not a file of ours.
    pub fn append(&self, line: &str) -> io::Result<()> {
        if let Some(folder) = self.0.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        // Somebody's link must not lead us to write elsewhere.
        if fs::symlink_metadata(&self.0).is_ok_and(|found| !found.is_file()) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.0)?;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
        }
        // In one piece: others may be writing, too.
        file.write_all(format!("{}\n", line.replace(['\n', '\r'], " ")).as_bytes())
    }

    fn rewrite(&self, lines: &[String]) -> io::Result<()> {
        let beside = self.0.with_extension(format!("new.{}", std::process::id()));
        let mut text = lines.join("\n");
        text.push('\n');
        let written = write_new(&beside, &text).and_then(|()| fs::rename(&beside, &self.0));
        if written.is_err() {
            let _ = fs::remove_file(&beside);
        }
        written
    }
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}

/// Whether a line holds a secret, or could: then it is not kept. One that was typed wrong can hold one, too.
#[must_use]
pub fn is_secret(line: &str) -> bool {
    let parts = split(line);
    // A quote that nothing closes leaves nobody sure where a command ends.
    let whole = lex(line).fault.is_some();
    parts.iter().copied().chain(whole.then_some(line)).any(one_is_secret)
}

fn one_is_secret(command: &str) -> bool {
    match read(command) {
        Ok(Order::Change(order)) => order.shown.trim() != command.trim(),
        // What an alias stands for is a command.
        Ok(Order::Ask(order)) if order.ask.verb == "alias" => {
            let words: Vec<&str> = order.texts("replacement").collect();
            !words.is_empty() && is_secret(&words.join(" "))
        }
        Ok(Order::Nothing | Order::Show(_) | Order::Ask(_)) => false,
        Err(problems) => {
            problems.iter().any(|problem| problem.place.as_ref().is_none_or(|place| place.shown.trim() != command.trim()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_kept() {
        for line in [
            "add aaa user ann -password hunter2",
            "ad aaa us ann -pas hunter2",
            "add aaa user ann -pasword hunter2",
            "show worker; set aaa user ann -password hunter2",
            "add aaa user ann -password \"hunter2",
            "add authentication ldapAction l -ldapBindDnPassword hunter2",
            "alias x set aaa user ann \"-password\" hunter2",
        ] {
            assert!(is_secret(line), "{line}");
        }
        for line in [
            "show aaa user",
            "show wrker",
            "add vpn vserver gw SSL 192.0.2.1 443",
            "show x; show y",
            "alias s show worker",
            "# pass",
        ] {
            assert!(!is_secret(line), "{line}");
        }
    }

    #[test]
    fn the_file_is_ours_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::at(folder.path().join("state/sluicectl/history"));
        assert!(file.read().is_empty());
        file.append("show worker").unwrap();
        file.append("show\nsta").unwrap();
        assert_eq!(file.read(), ["show worker", "show sta"]);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file.0), mode(file.0.parent().unwrap())), (0o600, 0o700));
        fs::set_permissions(&file.0, fs::Permissions::from_mode(0o644)).unwrap();
        file.append("exit").unwrap();
        assert_eq!(mode(&file.0), 0o600);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&file.0, &link).unwrap();
        assert!(File::at(link).append("x").is_err());
    }

    #[test]
    fn the_file_does_not_grow_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::at(folder.path().join("history"));
        let lines: String = (0..2 * LINES_MAX + 1).map(|n| format!("show {n}\n")).collect();
        fs::write(&file.0, lines).unwrap();
        assert_eq!(file.read().len(), LINES_MAX);
        assert_eq!(fs::read_to_string(&file.0).unwrap().lines().count(), LINES_MAX);
        assert_eq!(file.read().last().unwrap(), &format!("show {}", 2 * LINES_MAX));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
