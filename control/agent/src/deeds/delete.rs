//! Deletes one file of the user's own.
//!
//! ```text
//!   / ─► folder ─► folder ─► the file: held open, looked at ─► still the same under this name? ─► its name is taken out of the folder
//! ```
//!
//! Only a regular file, with this one name, of the user who runs the agent, and no symbolic link on the way to it.
//!
//! Between the last look and the deletion another program can put something else under the name. It must be able to change this folder:
//! so it can delete what is deleted then itself, and gains nothing.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, openat, statat, unlinkat};

use super::Outcome;
use super::walk::{self, Astray};

/// Why a file is not deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is not named by a whole path.
    Path,
    /// A symbolic link is on its path, or it is one.
    Link,
    /// It is no regular file.
    NoFile,
    /// It belongs to somebody else.
    Others,
    /// It has further names elsewhere.
    Names,
    /// Something else was put in its place just now.
    Exchanged,
    /// The system does not let us, with this number of an error.
    System(i32),
}

/// Deletes the file `path` below `root` if it belongs to `uid`; with `is_dry`, only looks whether it would. `in_between` is called between the look and
/// the deletion: a test puts something else there.
pub(super) fn delete(root: OwnedFd, path: &str, uid: u32, is_dry: bool, in_between: impl FnOnce()) -> Outcome {
    let (folder, name) = match walk::folder(root, path, |_| true) {
        Ok(found) => found,
        Err(why) => return outcome(why),
    };
    let file = match openat(&folder, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
        Ok(file) => file,
        Err(errno) => return outcome(walk::astray(errno)),
    };
    let looked_at = match walk::stat_of(&file) {
        Ok(stat) => stat,
        Err(why) => return outcome(why),
    };
    if let Some(why) = kept(&looked_at, uid) {
        return Outcome::Kept(why);
    }
    if is_dry {
        return Outcome::WouldDelete;
    }
    in_between();
    match statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        // Its inode cannot become another's while it is held open.
        Ok(there) if (there.st_dev, there.st_ino) == (looked_at.st_dev, looked_at.st_ino) && kept(&there, uid).is_none() => {}
        Ok(_) | Err(_) => return Outcome::Kept(Kept::Exchanged),
    }
    match unlinkat(&folder, name, AtFlags::empty()) {
        Ok(()) => Outcome::Deleted,
        Err(errno) => outcome(walk::astray(errno)),
    }
}

fn kept(stat: &Stat, uid: u32) -> Option<Kept> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile if stat.st_uid != uid => Some(Kept::Others),
        FileType::RegularFile if stat.st_nlink != 1 => Some(Kept::Names),
        FileType::RegularFile => None,
        FileType::Symlink => Some(Kept::Link),
        FileType::Directory
        | FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => Some(Kept::NoFile),
    }
}

fn outcome(why: Astray) -> Outcome {
    Outcome::Kept(match why {
        Astray::Missing => return Outcome::NoSuchFile,
        Astray::Shape => Kept::Path,
        Astray::Link => Kept::Link,
        Astray::NoFolder => Kept::NoFile,
        Astray::TurnedDown => Kept::Others,
        Astray::System(errno) => Kept::System(errno.raw_os_error()),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, symlink};
    use std::path::Path;

    use rustix::fs::open;
    use rustix::process::geteuid;

    use super::*;

    /// A folder with the file `a/b/file`.
    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a/b")).unwrap();
        fs::write(root.path().join("a/b/file"), "x").unwrap();
        root
    }

    fn opened(root: &Path) -> OwnedFd {
        open(root, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap()
    }

    fn del(root: &Path, path: &str) -> Outcome {
        delete(opened(root), path, geteuid().as_raw(), false, || ())
    }

    #[test]
    fn a_file_of_ones_own_goes_and_its_neighbours_stay() {
        let root = tree();
        fs::write(root.path().join("a/b/other"), "y").unwrap();
        assert_eq!(delete(opened(root.path()), "/a/b/file", geteuid().as_raw(), true, || panic!("dry")), Outcome::WouldDelete);
        assert!(root.path().join("a/b/file").exists());
        assert_eq!(del(root.path(), "/a/b/file"), Outcome::Deleted);
        assert!(!root.path().join("a/b/file").exists() && root.path().join("a/b/other").exists());
        assert_eq!(del(root.path(), "/a/b/file"), Outcome::NoSuchFile);
        assert_eq!(del(root.path(), "/a/none/file"), Outcome::NoSuchFile);
    }

    #[test]
    fn paths_that_are_none_are_refused() {
        let root = tree();
        for path in [
            "",
            "/",
            "a/b/file",
            "./a/b/file",
            "/a/./b/file",
            "/a/../a/b/file",
            "/a//b/file",
            "//a/b/file",
            "/a/b/file/",
            "/a/b/file\0x",
        ] {
            assert_eq!(del(root.path(), path), Outcome::Kept(Kept::Path), "{path:?}");
        }
        assert_eq!(del(root.path(), &format!("/a/b/{}", "x".repeat(2000))), Outcome::Kept(Kept::Path));
        // A star is a letter like any other.
        assert_eq!(del(root.path(), "/a/b/*"), Outcome::NoSuchFile);
        assert!(root.path().join("a/b/file").exists());
    }

    #[test]
    fn no_link_is_followed_or_deleted() {
        let root = tree();
        let b = root.path().join("a/b");
        symlink("file", b.join("link")).unwrap();
        symlink("/nowhere", b.join("dangling")).unwrap();
        symlink(&b, root.path().join("a/folder")).unwrap();
        symlink(root.path().join("a"), root.path().join("top")).unwrap();
        for path in ["/a/b/link", "/a/b/dangling", "/a/folder/file", "/top/b/file"] {
            assert_eq!(del(root.path(), path), Outcome::Kept(Kept::Link), "{path}");
        }
        assert!(b.join("file").exists() && b.join("link").symlink_metadata().is_ok());
    }

    #[test]
    fn only_plain_files_with_one_name_and_of_ones_own_go() {
        let root = tree();
        let b = root.path().join("a/b");
        fs::hard_link(b.join("file"), root.path().join("second")).unwrap();
        assert_eq!(del(root.path(), "/a/b/file"), Outcome::Kept(Kept::Names));
        fs::remove_file(root.path().join("second")).unwrap();
        assert_eq!(delete(opened(root.path()), "/a/b/file", geteuid().as_raw() + 1, false, || ()), Outcome::Kept(Kept::Others));
        rustix::fs::mknodat(rustix::fs::CWD, b.join("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(b.join("socket")).unwrap();
        for path in ["/a/b/pipe", "/a/b/socket", "/a/b", "/a/b/file/x"] {
            assert_eq!(del(root.path(), path), Outcome::Kept(Kept::NoFile), "{path}");
        }
        assert!(b.join("file").exists());
    }

    #[test]
    fn what_was_exchanged_in_between_stays() {
        type Swap = (&'static str, fn(&Path));
        let swaps: [Swap; 4] = [
            ("another file", |b| {
                fs::rename(b.join("file"), b.join("away")).unwrap();
                fs::write(b.join("file"), "precious").unwrap();
            }),
            ("a link", |b| {
                fs::rename(b.join("file"), b.join("away")).unwrap();
                fs::write(b.join("precious"), "precious").unwrap();
                symlink("precious", b.join("file")).unwrap();
            }),
            ("a further name", |b| fs::hard_link(b.join("file"), b.join("away")).unwrap()),
            ("nothing", |b| fs::rename(b.join("file"), b.join("away")).unwrap()),
        ];
        for (what, swap) in swaps {
            let root = tree();
            let b = root.path().join("a/b");
            let before = fs::read_dir(&b).unwrap().count();
            let done = delete(opened(root.path()), "/a/b/file", geteuid().as_raw(), false, || swap(&b));
            assert_eq!(done, Outcome::Kept(Kept::Exchanged), "{what}");
            assert!(b.join("away").exists() && fs::read_dir(&b).unwrap().count() >= before, "{what}");
        }
    }

    #[test]
    fn a_folder_that_was_exchanged_in_between_leads_nowhere_else() {
        let root = tree();
        let (a, elsewhere) = (root.path().join("a"), root.path().join("elsewhere"));
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join("file"), "precious").unwrap();
        let done = delete(opened(root.path()), "/a/b/file", geteuid().as_raw(), false, || {
            fs::rename(a.join("b"), a.join("c")).unwrap();
            symlink(&elsewhere, a.join("b")).unwrap();
        });
        assert_eq!(done, Outcome::Deleted, "what was looked at is deleted");
        assert!(!a.join("c/file").exists() && elsewhere.join("file").exists());
        assert_eq!(fs::metadata(elsewhere.join("file")).unwrap().nlink(), 1);
    }
}
