//! What the agent has said and done, in a file of the user's: `~/.local/state/sluice-epa/log`.
//!
//! ```text
//! 2026-11-29T21:03:29Z 4711 vpn.example.test:443 yes  proc_2_firefox          4711: the agent's process
//! ```
//!
//! At [`JOURNAL_BYTES_MAX`] it becomes `log.1`, in place of the one before. Several agents write one file, a line at a time.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use rustix::fs::{FlockOperation, flock};

use crate::consent::state;

/// Longest journal, in bytes; there are at most two.
pub const JOURNAL_BYTES_MAX: u64 = 256 * 1024;
/// Longest line, in bytes. A line about a string of a gateway's has its first 120 characters.
const LINE_BYTES_MAX: usize = 2048;
/// How often it is looked whether another agent has just begun a new file.
const TRIES_MAX: usize = 8;

/// The journal of a user.
#[derive(Clone, Debug)]
pub struct Journal {
    file: Option<PathBuf>,
}

impl Journal {
    /// That of the user whose environment is `variable`.
    #[must_use]
    pub fn of(variable: impl Fn(&str) -> Option<PathBuf>) -> Self {
        Self { file: state(variable).map(|state| state.join("log")) }
    }

    /// Where it is, if anywhere.
    #[must_use]
    pub fn place(&self) -> Option<&PathBuf> {
        self.file.as_ref()
    }

    /// Writes a line about `gateway` at `seconds` since 1970.
    ///
    /// # Errors
    /// As the file system reports it; [`io::ErrorKind::NotFound`] without a place.
    pub fn write(&self, seconds: u64, gateway: &str, text: &str) -> io::Result<()> {
        let mut line = format!("{} {} {gateway} {}", stamp(seconds), std::process::id(), text.replace('\n', " "));
        while line.len() > LINE_BYTES_MAX {
            line.pop();
        }
        line.push('\n');
        self.opened(line.len() as u64)?.write_all(line.as_bytes())
    }

    /// The file, locked, with room for `length` bytes.
    fn opened(&self, length: u64) -> io::Result<File> {
        let path = self.file.as_deref().ok_or(io::ErrorKind::NotFound)?;
        let folder = path.parent().ok_or(io::ErrorKind::NotFound)?;
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        for _ in 0..TRIES_MAX {
            let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
            flock(&file, FlockOperation::LockExclusive)?;
            let held = file.metadata()?;
            // Whoever waited for the lock may hold the old one.
            if !std::fs::metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (held.dev(), held.ino())) {
                continue;
            }
            if held.len() + length <= JOURNAL_BYTES_MAX {
                return Ok(file);
            }
            std::fs::rename(path, path.with_extension("1"))?;
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }
}

/// `2026-11-29T21:03:29Z`, in the Gregorian calendar.
#[must_use]
pub fn stamp(seconds: u64) -> String {
    // Years begin in March, so that the day that is sometimes missing is the last one.
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let second = seconds % 86_400;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn times_are_written_as_people_read_them() {
        for (seconds, wanted) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_498_797_356, "2017-06-30T04:35:56Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(stamp(seconds), wanted);
        }
    }

    #[test]
    fn it_is_the_users_alone_and_does_not_grow_for_ever() {
        let home = tempfile::tempdir().unwrap();
        let journal = Journal::of(|name| (name == "XDG_STATE_HOME").then(|| home.path().into()));
        let file = journal.place().unwrap().clone();
        journal.write(0, "vpn.example.test:443", "first\nof all").unwrap();
        let line = format!("1970-01-01T00:00:00Z {} vpn.example.test:443 first of all\n", std::process::id());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), line);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let long = "端末".repeat(2000);
        for _ in 0..400 {
            journal.write(1, "vpn.example.test:443", &long).unwrap();
        }
        for file in [&file, &file.with_extension("1")] {
            let text = std::fs::read_to_string(file).unwrap();
            assert!(
                !text.is_empty()
                    && text.len() as u64 <= JOURNAL_BYTES_MAX
                    && text.lines().all(|line| line.len() <= LINE_BYTES_MAX)
            );
        }
        assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 2);
    }

    #[test]
    fn lines_of_several_do_not_mix() {
        let home = tempfile::tempdir().unwrap();
        let journal = Journal::of(|name| (name == "XDG_STATE_HOME").then(|| home.path().into()));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..400).for_each(|_| journal.write(0, "g", &"x".repeat(400)).unwrap()));
            }
        });
        let file = journal.place().unwrap();
        let both = [file.with_extension("1"), file.clone()].map(|file| std::fs::read_to_string(file).unwrap()).concat();
        assert!(both.lines().all(|line| line.ends_with(&format!(" g {}", "x".repeat(400)))));
        Journal::of(|_| None).write(0, "g", "x").unwrap_err();
    }
}
