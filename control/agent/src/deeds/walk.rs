//! Goes down a whole path folder by folder, each opened in the one above it, and never through a symbolic link.
//!
//! What was looked at is what is held open: whoever exchanges a folder meanwhile exchanges one that nobody goes through any more.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;

/// Longest path that is gone down, in bytes.
pub const PATH_BYTES_MAX: usize = 1024;

/// Why a path leads nowhere.
#[derive(Debug)]
pub enum Astray {
    /// Not a whole path without `.`, `..`, `//` and NUL.
    Shape,
    /// Something on it is not there.
    Missing,
    /// Something on it is a symbolic link.
    Link,
    /// Something on it is no folder.
    NoFolder,
    /// A folder on it was turned down by whoever goes.
    TurnedDown,
    /// The system says otherwise.
    System(Errno),
}

/// Opens the folder in which `path` lies, below `root`; each folder on the way, with `root`, has to pass `is_fine`. Returns it, and the last part of the path.
///
/// # Errors
/// [`Astray`].
pub fn folder(root: OwnedFd, path: &str, is_fine: impl Fn(&Stat) -> bool) -> Result<(OwnedFd, &str), Astray> {
    let relative = Some(path).filter(|path| path.len() <= PATH_BYTES_MAX && !path.contains('\0'));
    let relative = relative.and_then(|path| path.strip_prefix('/')).ok_or(Astray::Shape)?;
    let parts: Vec<&str> = relative.split('/').collect();
    if parts.iter().any(|part| part.is_empty() || matches!(*part, "." | "..")) {
        return Err(Astray::Shape);
    }
    let (last, folders) = parts.split_last().ok_or(Astray::Shape)?;
    let checked = |folder: &OwnedFd| if is_fine(&stat_of(folder)?) { Ok(()) } else { Err(Astray::TurnedDown) };
    let mut at = root;
    checked(&at)?;
    for part in folders {
        at = below(&at, part)?;
        checked(&at)?;
    }
    Ok((at, last))
}

fn below(folder: &OwnedFd, part: &str) -> Result<OwnedFd, Astray> {
    match openat(folder, part, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
        Ok(opened) => Ok(opened),
        // So it is said of links and of files.
        Err(Errno::NOTDIR | Errno::LOOP) => Err(match statat(folder, part, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => Astray::Link,
            Ok(_) | Err(_) => Astray::NoFolder,
        }),
        Err(other) => Err(astray(other)),
    }
}

/// What is open.
///
/// # Errors
/// [`Astray::System`].
pub fn stat_of(open: impl AsFd) -> Result<Stat, Astray> {
    fstat(open).map_err(Astray::System)
}

/// What an error of the system's means for a path.
#[must_use]
pub fn astray(errno: Errno) -> Astray {
    match errno {
        Errno::NOENT => Astray::Missing,
        Errno::LOOP => Astray::Link,
        Errno::NOTDIR => Astray::NoFolder,
        other => Astray::System(other),
    }
}
