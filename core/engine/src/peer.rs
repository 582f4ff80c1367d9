//! Who is at the other end of a Unix socket, and who we are: the control socket decides by it who may change what.
//!
//! The kernel notes both at the time of `connect` (of `listen`, on the other side), so a peer cannot change them afterwards.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use libc::{c_int, c_void, gid_t, socklen_t};

/// Supplementary groups that are looked at; the kernel's own limit (`NGROUPS_MAX`).
pub const GROUPS_MAX: usize = 65_536;
/// Groups that are asked for without knowing how many there are: enough for nearly everybody.
const GROUPS_FIRST: usize = 64;

/// A process at the other end of a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its number as we see it; 0 if it lives in a namespace that we do not see.
    pub pid: u32,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
    /// Its supplementary groups, at most [`GROUPS_MAX`], in the kernel's order.
    pub groups: Vec<u32>,
}

/// The peer of `socket`, a connected Unix stream socket.
///
/// # Errors
/// Those of `getsockopt`; `ENOTCONN` if it has no peer with credentials.
pub fn peer(socket: BorrowedFd<'_>) -> io::Result<Peer> {
    let mut found = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut len = bytes_of(&found);
    let to = (&raw mut found).cast::<c_void>();
    // SAFETY: getsockopt demands pointers to a length and to that many bytes; `found` is one ucred, on this stack, and a ucred is
    // three numbers, for which any bytes are valid.
    done(unsafe { libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, to, &raw mut len) })?;
    // A socket without a peer answers with nobody: process 0, user and group -1.
    if len != bytes_of(&found) || found.uid == u32::MAX {
        return Err(io::Error::from_raw_os_error(libc::ENOTCONN));
    }
    Ok(Peer {
        pid: u32::try_from(found.pid).unwrap_or_default(),
        uid: found.uid,
        gid: found.gid,
        groups: groups(socket, GROUPS_FIRST)?,
    })
}

/// The effective user of this process.
#[must_use]
pub fn own_uid() -> u32 {
    // SAFETY: geteuid takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}

/// The supplementary groups of the peer. `room` is how many are expected; too few cost a second call.
fn groups(socket: BorrowedFd<'_>, room: usize) -> io::Result<Vec<u32>> {
    let mut found: Vec<gid_t> = vec![0; room.min(GROUPS_MAX)];
    loop {
        let mut len = bytes_of(found.as_slice());
        let to = found.as_mut_ptr().cast::<c_void>();
        // SAFETY: getsockopt demands pointers to a length and to that many bytes that may be written; `len` is the size of
        // `found`, and any bytes are a valid group.
        let answer = unsafe { libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERGROUPS, to, &raw mut len) };
        // Either way it has written how long the list is.
        let count = len as usize / size_of::<gid_t>();
        match done(answer) {
            Ok(()) => {
                found.truncate(count);
                return Ok(found);
            }
            Err(error) if error.raw_os_error() == Some(libc::ERANGE) && found.len() < GROUPS_MAX => {
                found.resize(count.clamp(found.len() + 1, GROUPS_MAX), 0);
            }
            Err(error) => return Err(error),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "what is asked for here has at most 256 KiB")]
fn bytes_of<T: ?Sized>(value: &T) -> socklen_t {
    size_of_val(value) as socklen_t
}

fn done(answer: c_int) -> io::Result<()> {
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    /// The numbers behind `name` in what the kernel writes of this process.
    fn status(name: &str) -> Vec<u32> {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().map(|number| number.parse().unwrap()).collect()
    }

    #[test]
    fn a_socket_pair_has_ourselves_at_both_ends() {
        let (one, other) = UnixStream::pair().unwrap();
        for end in [one, other] {
            let found = peer(end.as_fd()).unwrap();
            // Real, effective, saved, of the file system.
            assert_eq!((found.uid, found.gid), (status("Uid:")[1], status("Gid:")[1]));
            assert_eq!((found.pid, found.uid), (std::process::id(), own_uid()));
            let sorted = |mut groups: Vec<u32>| {
                groups.sort_unstable();
                groups
            };
            assert_eq!(sorted(found.groups), sorted(status("Groups:")));
        }
    }

    #[test]
    fn groups_are_complete_whatever_was_expected() {
        let (one, _other) = UnixStream::pair().unwrap();
        let whole = groups(one.as_fd(), GROUPS_FIRST).unwrap();
        for room in [0, 1, whole.len(), usize::MAX] {
            assert_eq!(groups(one.as_fd(), room).unwrap(), whole, "{room}");
        }
    }

    #[test]
    fn what_has_no_peer_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let alone = std::os::unix::net::UnixDatagram::bind(dir.path().join("alone")).unwrap();
        assert_eq!(peer(alone.as_fd()).unwrap_err().raw_os_error(), Some(libc::ENOTCONN));
        let file = fs::File::open("/proc/self/status").unwrap();
        assert_eq!(peer(file.as_fd()).unwrap_err().raw_os_error(), Some(libc::ENOTSOCK));
    }
}
