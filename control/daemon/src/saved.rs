//! The file with which the gateway starts: read again when told to, replaced at once and whole when saved.
//!
//! ```text
//!   write: new file beside it, mode of the old one ─► synced ─► ns.conf.3 ─► .4, … ns.conf ─link─► .0 ─► renamed over ns.conf
//! ```
//!
//! At every moment there is a whole file under its name: the old one or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use gate_config::files::{FileError, Files as _, Purpose};
use gate_plane::files::{ConfigFile, KEY_BYTES, Key};
use zeroize::Zeroizing;

use crate::files::{Disk, read_configuration};

/// Files from before that are kept: `.0`, the newest, to `.4`.
pub const KEPT_MAX: u8 = 5;
/// Mode of a file that is new.
const MODE: u32 = 0o600;
/// The key under which secrets in the file are sealed, beside it: 64 hexadecimal digits.
pub const KEY_FILE: &str = "sluicegate.key";
/// Its mode.
const KEY_MODE: u32 = 0o600;

/// See the module.
#[derive(Clone, Debug)]
pub struct Saved {
    path: PathBuf,
}

impl Saved {
    /// The file at `path`. A symbolic link is followed now: what is replaced later is what it points at.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        let absolute = fs::canonicalize(path).or_else(|_| std::path::absolute(path));
        Self { path: absolute.unwrap_or_else(|_| path.to_path_buf()) }
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or_else(|| Path::new("/"))
    }

    fn beside(&self, end: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    }

    /// Moves the files from before up by one; the oldest goes. The file itself becomes `.0`, too, and stays.
    fn rotate(&self) -> io::Result<()> {
        if !self.path.exists() {
            return Ok(());
        }
        for at in (1..KEPT_MAX).rev() {
            let (from, to) = (self.beside(&format!(".{}", at - 1)), self.beside(&format!(".{at}")));
            if from.exists() {
                fs::rename(from, to)?;
            }
        }
        fs::hard_link(&self.path, self.beside(".0"))
    }
}

impl ConfigFile for Saved {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read(&self) -> io::Result<Zeroizing<String>> {
        read_configuration(&self.path).map(Zeroizing::new)
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let new = self.beside(".new");
        // One that an earlier process left half-written is nobody's.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&new)?;
            file.write_all(text.as_bytes())?;
            if let Ok(facts) = fs::metadata(&self.path) {
                // Who could read it before can read it now; nobody else.
                file.set_permissions(fs::Permissions::from_mode(facts.permissions().mode() & 0o777))?;
            }
            file.sync_all()?;
            self.rotate()?;
            fs::rename(&new, &self.path)?;
            File::open(self.folder())?.sync_all()
        };
        write().inspect_err(|_| drop(fs::remove_file(&new)))
    }

    fn key(&self) -> io::Result<Option<Key>> {
        let text = match Disk::below(self.folder()).read(Path::new(KEY_FILE), Purpose::Key) {
            Ok(text) => text,
            Err(FileError::Missing) => return Ok(None),
            Err(why) => return Err(io::Error::other(format!("{}: {why}", self.folder().join(KEY_FILE).display()))),
        };
        let not = || io::Error::new(io::ErrorKind::InvalidData, format!("{KEY_FILE} does not hold a key"));
        let digits = std::str::from_utf8(&text).map_err(|_| not())?.trim_end_matches('\n');
        if digits.len() != 2 * KEY_BYTES || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(not());
        }
        let mut key = Key::default();
        for (at, byte) in key.iter_mut().enumerate() {
            *byte = digits.get(2 * at..2 * at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()).ok_or_else(not)?;
        }
        Ok(Some(key))
    }

    fn make_key(&self, key: &Key) -> io::Result<()> {
        let (path, new) = (self.folder().join(KEY_FILE), self.folder().join(format!("{KEY_FILE}.new")));
        let mut text = Zeroizing::new(String::with_capacity(2 * KEY_BYTES + 1));
        key.iter().for_each(|byte| text.push_str(&format!("{byte:02x}")));
        text.push('\n');
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(KEY_MODE).open(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            // A link and not a rename: one that is there already is never replaced, or all that it has sealed would be lost.
            fs::hard_link(&new, &path)
        };
        let written = write();
        drop(fs::remove_file(&new));
        written?;
        File::open(self.folder())?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn files_from_before_are_kept_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ns.conf");
        let saved = Saved::at(&path);
        for n in 0..8 {
            saved.write(&format!("version {n}\n")).unwrap();
        }
        assert_eq!(names(folder.path()), ["ns.conf", "ns.conf.0", "ns.conf.1", "ns.conf.2", "ns.conf.3", "ns.conf.4"]);
        assert_eq!(saved.read().unwrap().as_str(), "version 7\n");
        for (at, version) in (0..5).zip([6, 5, 4, 3, 2]) {
            assert_eq!(fs::read_to_string(format!("{}.{at}", path.display())).unwrap(), format!("version {version}\n"));
        }
    }

    #[test]
    fn nobody_can_read_it_who_could_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ns.conf");
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        Saved::at(&path).write("x\n").unwrap();
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        Saved::at(&path).write("y\n").unwrap();
        assert_eq!(mode(), 0o640);
    }

    #[test]
    fn one_that_cannot_be_written_is_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ns.conf");
        fs::write(&path, "before\n").unwrap();
        // A folder where the new file would stand: it can be neither removed as a file nor made.
        fs::create_dir(folder.path().join("ns.conf.new")).unwrap();
        let _ = Saved::at(&path).write("after\n").unwrap_err();
        assert_eq!(fs::read_to_string(&path).unwrap(), "before\n");
        assert_eq!(names(folder.path()), ["ns.conf", "ns.conf.new"]);
    }

    #[test]
    fn a_key_is_made_once_for_nobody_else_to_read() {
        let folder = tempfile::tempdir().unwrap();
        let saved = Saved::at(&folder.path().join("ns.conf"));
        assert!(saved.key().unwrap().is_none());
        let key = Key::new(std::array::from_fn(|at| u8::try_from(7 * at).unwrap()));
        saved.make_key(&key).unwrap();
        assert_eq!(names(folder.path()), [KEY_FILE]);
        let path = folder.path().join(KEY_FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(saved.key().unwrap().is_some_and(|there| there == key));
        let again = saved.make_key(&Key::new([1; 32])).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert!(saved.key().unwrap().is_some_and(|there| there == key), "it was replaced");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(saved.key().unwrap_err().to_string().contains("others than the owner"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for not in ["", "00", &"0".repeat(65), &"g".repeat(64)] {
            fs::write(&path, not).unwrap();
            assert_eq!(saved.key().unwrap_err().kind(), io::ErrorKind::InvalidData, "{not}");
        }
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real.conf"), folder.path().join("ns.conf"));
        fs::write(&real, "before\n").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        Saved::at(&link).write("after\n").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().file_type().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "after\n");
    }
}
