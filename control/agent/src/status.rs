//! Which checks are being repeated: a note of each running agent's, for `sluice-epa status`.
//!
//! ```text
//! $XDG_RUNTIME_DIR/sluice-epa/PID:   START MINUTES DUE HOST:PORT      START: of the process, as /proc/PID/stat has it
//!                                                                     DUE: when it asks again, in seconds since 1970
//! ```
//!
//! The folder is the user's and goes with his last login. An agent that was killed leaves its note; what runs under its number later has
//! another beginning.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Longest note, in bytes.
const NOTE_BYTES_MAX: u64 = 512;
/// Most notes that are looked at.
const NOTES_MAX: usize = 1024;
/// Where `/proc/PID/stat` has the beginning of a process, behind its name.
const START_FIELD: usize = 19;

/// A check that is being repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// The agent's process.
    pub pid: u32,
    /// The interval.
    pub minutes: u16,
    /// When it is made next, in seconds since 1970.
    pub due: u64,
    /// For whom.
    pub gateway: String,
}

/// A note, gone when dropped.
#[derive(Debug)]
pub struct Note {
    file: PathBuf,
}

/// Where the notes of the user are whose environment is `variable`, if anywhere.
#[must_use]
pub fn folder(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    variable("XDG_RUNTIME_DIR").filter(|path| path.is_absolute()).map(|path| path.join("sluice-epa"))
}

impl Note {
    /// Makes room for the note of this process.
    ///
    /// # Errors
    /// As the file system reports it.
    pub fn begin(folder: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        Ok(Self { file: folder.join(std::process::id().to_string()) })
    }

    /// Notes that this process repeats a check, the next time at `due`.
    ///
    /// # Errors
    /// As the file system reports it.
    pub fn put(&self, minutes: u16, due: u64, gateway: &str) -> io::Result<()> {
        let start = start(Path::new("/proc"), std::process::id()).ok_or(io::ErrorKind::NotFound)?;
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{start} {minutes} {due} {gateway}\n"))?;
        fs::rename(&new, &self.file)
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        // If it cannot be taken away, it is seen to be old.
        let _left = fs::remove_file(&self.file);
    }
}

/// The checks that are repeated by processes that run, by their numbers. `proc` is where they are listed.
#[must_use]
pub fn repeats(folder: &Path, proc: &Path) -> Vec<Repeat> {
    let entries = fs::read_dir(folder).into_iter().flatten().take(NOTES_MAX).filter_map(Result::ok);
    let mut all: Vec<Repeat> = entries.filter_map(|entry| repeat(&entry.path(), proc)).collect();
    all.sort_by_key(|repeat| repeat.pid);
    all
}

fn repeat(file: &Path, proc: &Path) -> Option<Repeat> {
    let pid = file.file_name()?.to_str()?.parse().ok()?;
    let mut text = String::new();
    fs::File::open(file).ok()?.take(NOTE_BYTES_MAX).read_to_string(&mut text).ok()?;
    let mut words = text.strip_suffix('\n')?.splitn(4, ' ');
    let (noted, minutes) = (words.next()?.parse::<u64>().ok()?, words.next()?.parse().ok()?);
    let (due, gateway) = (words.next()?.parse().ok()?, words.next()?);
    (start(proc, pid)? == noted).then(|| Repeat { pid, minutes, due, gateway: gateway.to_owned() })
}

/// When the process began, in ticks since the machine did.
fn start(proc: &Path, pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(proc.join(pid.to_string()).join("stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(START_FIELD)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_lasts_as_long_as_its_agent() {
        let runtime = tempfile::tempdir().unwrap();
        let folder = folder(|name| (name == "XDG_RUNTIME_DIR").then(|| runtime.path().into())).unwrap();
        assert!(repeats(&folder, Path::new("/proc")).is_empty());
        let note = Note::begin(&folder).unwrap();
        for due in [120, 240] {
            note.put(2, due, "vpn.example.test:443").unwrap();
            let wanted = Repeat { pid: std::process::id(), minutes: 2, due, gateway: "vpn.example.test:443".into() };
            assert_eq!(repeats(&folder, Path::new("/proc")), [wanted]);
        }
        // The same number, another process.
        let other = runtime.path().join("proc").join(std::process::id().to_string());
        fs::create_dir_all(&other).unwrap();
        fs::write(other.join("stat"), "1 (sluice-epa) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 7 0 0").unwrap();
        assert!(repeats(&folder, &runtime.path().join("proc")).is_empty());
        drop(note);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn odd_notes_are_passed_over() {
        let runtime = tempfile::tempdir().unwrap();
        let own = std::process::id().to_string();
        for text in ["", "x 2 9 gw:443\n", "1 2 9\n", "1 70000 9 gw:443\n", "1 2 x gw:443\n", "1 2 9 gw:443"] {
            fs::write(runtime.path().join(&own), text).unwrap();
            assert!(repeats(runtime.path(), Path::new("/proc")).is_empty(), "{text:?}");
        }
        assert_eq!(folder(|_| Some("relative".into())), None);
    }
}
