//! Files that a configuration names: read once, from one descriptor, with caps; keys that others could read are refused.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use gate_config::files::{FileError, Files, Life, Purpose, Useless};
use zeroize::Zeroizing;

/// Largest configuration file, in bytes.
pub const CONFIGURATION_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// `O_NONBLOCK` of Linux: opening a pipe must not wait for somebody to write into it.
const O_NONBLOCK: i32 = 0o4000;
/// `O_NOFOLLOW` of Linux on x86-64 and the architectures that share its numbers.
const O_NOFOLLOW: i32 = if cfg!(any(target_arch = "aarch64", target_arch = "arm")) { 0o100_000 } else { 0o400_000 };
/// Permission bits that a private key must not have: writable by its group, anything for others. The group may read, so that
/// a key can be shared with a group of the gateway's own.
const EXPOSED: u32 = 0o027;

/// Permission bits that a program for users must not have: writable by others than its owner.
const LOOSE: u32 = 0o022;

/// Reads a configuration.
///
/// # Errors
/// If it cannot be read, is larger than [`CONFIGURATION_BYTES_MAX`], or is not UTF-8.
pub fn read_configuration(path: &Path) -> io::Result<String> {
    let (file, _) = open(path, true)?;
    let mut bytes = Vec::new();
    file.take(CONFIGURATION_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > CONFIGURATION_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {CONFIGURATION_BYTES_MAX} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not UTF-8"))
}

/// Opens a regular file once, without waiting and, unless told so, without following a last symbolic link. Length and permission
/// bits are those of the descriptor that is read from.
fn open(path: &Path, follow: bool) -> io::Result<(File, Metadata)> {
    let flags = if follow { O_NONBLOCK } else { O_NONBLOCK | O_NOFOLLOW };
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let facts = file.metadata()?;
    if !facts.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok((file, facts))
}

/// The machine's disk. Relative names are below the configuration's own folder.
#[derive(Clone, Debug)]
pub struct Disk {
    base: PathBuf,
}

impl Disk {
    /// Relative names are below `base`.
    #[must_use]
    pub fn below(base: &Path) -> Self {
        Self { base: base.to_path_buf() }
    }
}

impl Files for Disk {
    fn read(&self, path: &Path, purpose: Purpose) -> Result<Zeroizing<Vec<u8>>, FileError> {
        if purpose == Purpose::Form {
            return gate_plane::files::form(path, |path| self.whole(path, Purpose::Form));
        }
        self.whole(path, purpose)
    }

    fn examine(&self, certificate: &[u8], key: Option<&[u8]>) -> Result<Life, Useless> {
        #[expect(
            clippy::disallowed_methods,
            reason = "certificates are valid by the time of day; a line is warned of, nothing more"
        )]
        let now = SystemTime::now();
        gate_plane::examine(certificate, key, now)
    }

    fn examine_list(&self, list: &[u8]) -> Result<Life, Useless> {
        #[expect(clippy::disallowed_methods, reason = "lists are valid by the time of day; a line is warned of, nothing more")]
        let now = SystemTime::now();
        gate_plane::examine_list(list, now)
    }
}

impl Disk {
    /// A whole file below the base.
    fn whole(&self, path: &Path, purpose: Purpose) -> Result<Zeroizing<Vec<u8>>, FileError> {
        let fault = |source: io::Error| {
            if source.kind() == io::ErrorKind::NotFound {
                FileError::Missing
            } else if source.kind() == io::ErrorKind::PermissionDenied {
                FileError::Denied
            } else {
                FileError::Other(source.to_string())
            }
        };
        // Certificates are often links into a folder of renewals; keys that are links invite a swap, and forms lead out of their folder.
        let follow = match purpose {
            Purpose::Certificate | Purpose::Roots | Purpose::Revoked => true,
            // What users run is what lies there, and nothing that somebody has made it point to.
            Purpose::Key | Purpose::Form | Purpose::Agent => false,
        };
        let (file, facts) = open(&self.base.join(path), follow).map_err(fault)?;
        if purpose == Purpose::Key && facts.mode() & EXPOSED != 0 {
            return Err(FileError::Exposed);
        }
        if purpose == Purpose::Agent && facts.mode() & LOOSE != 0 {
            return Err(FileError::Loose);
        }
        let length = usize::try_from(facts.len()).unwrap_or(usize::MAX);
        if length > purpose.bytes_max() {
            return Err(FileError::TooLong);
        }
        // Room for all of it and one byte more, so that a key is read to its end without being copied to a larger place, which would
        // leave a piece of it behind. The room stays as long as the key does: it is not the largest that there may be.
        let mut bytes = Zeroizing::new(Vec::with_capacity(length + 1));
        file.take(length as u64 + 1).read_to_end(&mut bytes).map_err(fault)?;
        if bytes.len() > length {
            return Err(FileError::Other("it grew while it was being read".to_owned()));
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use gate_config::files::{AGENT_BYTES_MAX, FORM_BYTES_MAX, PEM_BYTES_MAX};

    use super::*;

    #[test]
    fn programs_for_users_are_files_that_nobody_else_changes() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::below(dir.path());
        fs::create_dir(dir.path().join("epa")).unwrap();
        let deb = dir.path().join("epa/nsepa.deb");
        fs::write(&deb, "deb").unwrap();
        for (mode, wanted) in [(0o644, Ok(())), (0o755, Ok(())), (0o664, Err(FileError::Loose)), (0o646, Err(FileError::Loose))] {
            fs::set_permissions(&deb, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(disk.read(Path::new("epa/nsepa.deb"), Purpose::Agent).map(|_| ()), wanted, "{mode:o}");
        }
        fs::set_permissions(&deb, fs::Permissions::from_mode(0o644)).unwrap();
        symlink(&deb, dir.path().join("epa/sluice-epa")).unwrap();
        let _ = disk.read(Path::new("epa/sluice-epa"), Purpose::Agent).unwrap_err();
        let _ = disk.read(Path::new("epa"), Purpose::Agent).unwrap_err();
        assert_eq!(disk.read(Path::new("epa/none"), Purpose::Agent).unwrap_err(), FileError::Missing);
        // One byte too long, and none of it is on the disk.
        File::options().write(true).open(&deb).unwrap().set_len(AGENT_BYTES_MAX as u64 + 1).unwrap();
        assert_eq!(disk.read(Path::new("epa/nsepa.deb"), Purpose::Agent).unwrap_err(), FileError::TooLong);
    }

    #[test]
    fn keys_that_others_may_read_and_links_to_keys_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::below(dir.path());
        let key = dir.path().join("key");
        fs::write(&key, "secret").unwrap();
        for (mode, readable) in [(0o600, true), (0o400, true), (0o640, true), (0o644, false), (0o660, false), (0o604, false)] {
            fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
            let read = disk.read(Path::new("key"), Purpose::Key);
            assert_eq!(read.is_ok(), readable, "{mode:o}");
            let _ = disk.read(Path::new("key"), Purpose::Certificate).unwrap();
        }
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&key, dir.path().join("link")).unwrap();
        let _ = disk.read(Path::new("link"), Purpose::Key).unwrap_err();
        let _ = disk.read(Path::new("link"), Purpose::Roots).unwrap();
        assert_eq!(disk.read(Path::new("none"), Purpose::Key).unwrap_err(), FileError::Missing);
        let _ = disk.read(Path::new("."), Purpose::Roots).unwrap_err();
        // Keys stay in memory for as long as they are configured, so they take no more of it than they need.
        let read = disk.read(Path::new("key"), Purpose::Key).unwrap();
        assert_eq!((read.as_slice(), read.capacity()), (b"secret".as_slice(), b"secret".len() + 1));
    }

    #[test]
    fn forms_are_read_below_their_folder_and_links_out_of_it_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::below(dir.path());
        let shipped = disk.read(Path::new("LoginSchema/SingleAuth.xml"), Purpose::Form).unwrap();
        fs::create_dir_all(dir.path().join("loginschema/LoginSchema")).unwrap();
        let own = [&shipped[..], b"\n"].concat();
        fs::write(dir.path().join("loginschema/LoginSchema/SingleAuth.xml"), &own).unwrap();
        fs::write(dir.path().join("outside.xml"), &own).unwrap();
        for path in ["LoginSchema/SingleAuth.xml", "/nsconfig/loginschema/LoginSchema/SingleAuth.xml"] {
            assert_eq!(disk.read(Path::new(path), Purpose::Form).unwrap().to_vec(), own, "{path}");
        }
        symlink(dir.path().join("outside.xml"), dir.path().join("loginschema/link.xml")).unwrap();
        assert!(matches!(disk.read(Path::new("link.xml"), Purpose::Form), Err(FileError::Other(_))));
        fs::write(dir.path().join("loginschema/long.xml"), vec![b' '; FORM_BYTES_MAX + 1]).unwrap();
        assert_eq!(disk.read(Path::new("long.xml"), Purpose::Form).unwrap_err(), FileError::TooLong);
        fs::write(dir.path().join("loginschema/bad.xml"), "<a>\n  <b></a>").unwrap();
        assert!(matches!(disk.read(Path::new("bad.xml"), Purpose::Form), Err(FileError::Malformed { line: 2, .. })));
        assert_eq!(disk.read(Path::new("../outside.xml"), Purpose::Form).unwrap_err(), FileError::Outside);
        assert_eq!(disk.read(Path::new("none.xml"), Purpose::Form).unwrap_err(), FileError::Missing);
    }

    #[test]
    fn length_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("long"), vec![b'x'; PEM_BYTES_MAX + 1]).unwrap();
        assert_eq!(Disk::below(dir.path()).read(Path::new("long"), Purpose::Roots).unwrap_err(), FileError::TooLong);
        fs::write(dir.path().join("conf"), [0xff, 0xfe]).unwrap();
        let _ = read_configuration(&dir.path().join("conf")).unwrap_err();
    }
}
