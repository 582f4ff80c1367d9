//! Our own Unix sockets: made with nobody else's access, taken away at the end.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::StartProblem;

/// Mode of a folder that is missing and therefore made: others cannot even look for what is in it. Its group can, since the
/// control socket may be a group's.
const FOLDER_MODE: u32 = 0o750;
/// Mode of a socket: ours alone. The control socket is opened to its group by whoever serves it.
const SOCKET_MODE: u32 = 0o600;

/// A listening Unix socket. Its file goes with it.
pub(crate) struct OwnSocket {
    path: PathBuf,
    listener: Option<UnixListener>,
}

impl OwnSocket {
    /// Makes the folder if it is missing, takes away a socket that an earlier process has left, and listens.
    pub(crate) fn prepare(wanted: &Path) -> Result<Self, StartProblem> {
        let failed = |source: io::Error| StartProblem::machine(format!("listen on {}", wanted.display()))(source);
        if let Some(folder) = wanted.parent().filter(|folder| !folder.exists()) {
            fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder).map_err(failed)?;
        }
        if fs::symlink_metadata(wanted).is_ok_and(|found| found.file_type().is_socket()) {
            // One that answers belongs to a gateway that runs; only one left over is taken away.
            match UnixStream::connect(wanted) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(wanted).map_err(failed)?,
                Err(error) => return Err(failed(error)),
                Ok(_) => return Err(failed(io::ErrorKind::AddrInUse.into())),
            }
        }
        let listener = UnixListener::bind(wanted).map_err(failed)?;
        fs::set_permissions(wanted, fs::Permissions::from_mode(SOCKET_MODE)).map_err(failed)?;
        Ok(Self { path: wanted.to_path_buf(), listener: Some(listener) })
    }

    /// What listens, once more.
    pub(crate) fn listener(&self) -> Result<UnixListener, StartProblem> {
        let gone = || StartProblem::machine(format!("listen on {}", self.path.display()))("the socket is gone");
        let listener = self.listener.as_ref().ok_or_else(gone)?;
        listener.try_clone().map_err(StartProblem::machine(format!("share {}", self.path.display())))
    }

    /// Takes the file away.
    pub(crate) fn remove(&mut self) {
        if self.listener.take().is_some() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for OwnSocket {
    fn drop(&mut self) {
        self.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn only_a_socket_that_nobody_answers_at_is_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/own.sock");
        let mut first = OwnSocket::prepare(&path).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o750));
        let Err(StartProblem::Machine { .. }) = OwnSocket::prepare(&path) else { panic!("two gateways on one socket") };
        UnixStream::connect(&path).unwrap();
        first.remove();
        assert!(!path.exists());

        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "left over");
        let second = OwnSocket::prepare(&path).unwrap();
        UnixStream::connect(&path).unwrap();
        drop(second);

        fs::write(&path, "a file of somebody's").unwrap();
        assert!(OwnSocket::prepare(&path).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "a file of somebody's");
    }
}
