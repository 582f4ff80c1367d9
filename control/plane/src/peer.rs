//! Who speaks to the control socket, and what they may do.
//!
//! ```text
//!   accepted socket ─Credentials::peer─► Peer ─level─► Read │ Change │ refused
//!                                        ▲ groups of the configuration in force, looked up at that time
//! ```
//!
//! The kernel answers who it is; this crate asks through [`Credentials`], since only the data plane's engine may ask the kernel
//! such things.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;

pub use gate_config::catalog::Level;
use gate_config::model::Operators;

/// The operating system's knowledge of users.
pub trait Credentials: Send + Sync {
    /// The process at the other end of a connected Unix stream socket, as it was when it connected.
    ///
    /// # Errors
    /// The system's.
    fn peer(&self, socket: BorrowedFd<'_>) -> io::Result<Peer>;

    /// The number of a group. `None`: there is none of this name.
    fn group(&self, name: &str) -> Option<u32>;

    /// The user that this process runs as.
    fn own_uid(&self) -> u32;
}

/// A process that connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its number; 0 if it cannot be seen from here.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
    /// Its primary group.
    pub gid: u32,
    /// Its supplementary groups.
    pub groups: Vec<u32>,
}

/// For log lines.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "uid {} pid {}", self.uid, self.pid)
    }
}

/// What `peer` may do; `None`: nothing.
#[must_use]
pub fn level(peer: &Peer, operators: &Operators, system: &dyn Credentials) -> Option<Level> {
    let is_in = |group: &Option<Box<str>>| {
        let number = group.as_deref().and_then(|group| group_number(group, system));
        number.is_some_and(|number| peer.gid == number || peer.groups.contains(&number))
    };
    if peer.uid == 0 || peer.uid == system.own_uid() || is_in(&operators.change_group) {
        Some(Level::Change)
    } else if is_in(&operators.read_group) {
        Some(Level::Read)
    } else {
        None
    }
}

/// The number of a group that is given by its number or its name. A name of digits only does not exist: `groupadd` refuses it.
#[must_use]
pub fn group_number(group: &str, system: &dyn Credentials) -> Option<u32> {
    if group.bytes().all(|b| b.is_ascii_digit()) {
        // The kernel's "no group" is none.
        group.parse().ok().filter(|number| *number != u32::MAX)
    } else {
        system.group(group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct System;

    impl Credentials for System {
        fn peer(&self, _: BorrowedFd<'_>) -> io::Result<Peer> {
            Err(io::ErrorKind::NotConnected.into())
        }

        fn group(&self, name: &str) -> Option<u32> {
            (name == "look").then_some(30)
        }

        fn own_uid(&self) -> u32 {
            500
        }
    }

    #[test]
    fn levels_follow_user_and_groups() {
        let groups = |read: &str, change: &str| {
            let group = |text: &str| (!text.is_empty()).then(|| text.into());
            Operators { read_group: group(read), change_group: group(change) }
        };
        let (both, none) = (groups("look", "31"), groups("", ""));
        let twice = groups("look", "look");
        for (uid, gid, more, operators, wanted) in [
            (0, 9, &[][..], &none, Some(Level::Change)),
            (500, 9, &[], &none, Some(Level::Change)),
            (501, 0, &[0], &none, None),
            (501, 9, &[], &both, None),
            (501, 30, &[], &both, Some(Level::Read)),
            (501, 9, &[8, 30], &both, Some(Level::Read)),
            (501, 31, &[], &both, Some(Level::Change)),
            (501, 9, &[8, 31], &both, Some(Level::Change)),
            (501, 30, &[31], &both, Some(Level::Change)),
            (501, 30, &[], &twice, Some(Level::Change)),
            (501, u32::MAX, &[], &groups("4294967295", "99999999999"), None),
            (501, 9, &[0], &groups("nobody-has-it", "unknown"), None),
        ] {
            let peer = Peer { pid: 1, uid, gid, groups: more.to_vec() };
            assert_eq!(level(&peer, operators, &System), wanted, "{peer:?} {operators:?}");
        }
    }
}
