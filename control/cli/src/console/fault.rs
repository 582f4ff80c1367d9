//! Every way in which a gateway cannot be spoken to, with the cure.
//!
//! ```text
//! exit  0  done                          3  no gateway, not permitted, or the connection was lost
//!       1  the gateway said ERROR        4  some commands of several failed
//!       2  arguments
//! ```

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use gate_config::text::visible::visible;
use thiserror::Error;

/// Exit code of a command that the gateway refused.
pub const REFUSED: u8 = 1;
/// Exit code of arguments that make no sense.
pub const USAGE: u8 = 2;
/// Exit code if nobody could be asked.
pub const NO_GATEWAY: u8 = 3;
/// Exit code if some of several commands failed, and some did not.
pub const SOME_FAILED: u8 = 4;

/// Why the gateway cannot be spoken to, or no longer.
#[derive(Debug, Error)]
pub enum Fault {
    /// Nobody has made the socket.
    #[error("{path}: there is no such socket")]
    NoSocket {
        /// Where it should be.
        path: PathBuf,
    },
    /// The socket is there, and nobody listens.
    #[error("{path}: the gateway is not running")]
    NotRunning {
        /// Where the socket is.
        path: PathBuf,
    },
    /// We may not open the socket.
    #[error("{path}: permission denied")]
    Denied {
        /// Where the socket is.
        path: PathBuf,
        /// Whose members may, if that can be seen.
        group: Option<String>,
    },
    /// The gateway turned us away at the door.
    #[error("{path}: the gateway refused: {said}")]
    Refused {
        /// Where the socket is.
        path: PathBuf,
        /// In its words, safe to show.
        said: String,
    },
    /// The system said something else.
    #[error("{path}")]
    Unreachable {
        /// Where the socket is.
        path: PathBuf,
        /// What.
        source: io::Error,
    },
    /// Whoever listens there speaks something else.
    #[error("{path}: this is not the control socket of a gateway of this version")]
    Foreign {
        /// Where the socket is.
        path: PathBuf,
    },
    /// The connection ended before the answer did. The command may have been carried out.
    #[error("the connection to the gateway was lost before it had answered")]
    Lost {
        /// Why, if not simply closed.
        source: Option<io::Error>,
    },
    /// The operator did not want to wait.
    #[error("interrupted; what the gateway had accepted, it carries through")]
    Interrupted,
    /// Whoever reads our output has gone.
    #[error("the output was closed")]
    Unread,
}

impl Fault {
    /// Why a connection could not be made.
    #[must_use]
    pub fn of_connect(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        if source.kind() == io::ErrorKind::NotFound {
            Self::NoSocket { path }
        } else if source.kind() == io::ErrorKind::ConnectionRefused {
            Self::NotRunning { path }
        } else if source.kind() == io::ErrorKind::PermissionDenied {
            let group = group_of(&path);
            Self::Denied { path, group }
        } else {
            Self::Unreachable { path, source }
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn cure(&self) -> Option<String> {
        match self {
            Self::NoSocket { .. } => Some(
                "start the gateway, or say where it listens: --socket PATH or SLUICEGATE_SOCKET; \
                      `set ns config -controlSocket` in its file says where that is"
                    .to_owned(),
            ),
            Self::NotRunning { .. } => Some("start it: systemctl start sluicegate, or sluicegate run FILE".to_owned()),
            Self::Denied { group: Some(group), .. } => {
                Some(format!("become a member of the group `{group}` (usermod -aG {group} YOU, then log in again), or use sudo"))
            }
            Self::Denied { group: None, .. } => {
                Some("become a member of the group that owns the socket and its folder, or use sudo".to_owned())
            }
            Self::Refused { .. } => Some(
                "who may connect is said by `set ns config -readGroup` and `-changeGroup`; show your own groups with: id"
                    .to_owned(),
            ),
            Self::Foreign { .. } => {
                Some("does --socket name the right socket, and is sluicectl as new as the gateway?".to_owned())
            }
            Self::Lost { .. } => Some("is it still running? See its log, and what was done: show ns runningConfig".to_owned()),
            Self::Unreachable { .. } | Self::Interrupted | Self::Unread => None,
        }
    }

    /// With its causes and the cure, for a person.
    #[must_use]
    pub fn in_words(&self) -> String {
        let mut words = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(inner) = cause {
            words.push_str(": ");
            words.push_str(&inner.to_string());
            cause = inner.source();
        }
        if let Some(cure) = self.cure() {
            words.push_str("\ncure: ");
            words.push_str(&cure);
        }
        words
    }
}

/// The name of the group that owns a socket, or its number.
fn group_of(path: &Path) -> Option<String> {
    // If the folder cannot be searched, it is its group that counts.
    let owner = fs::metadata(path).or_else(|_| fs::metadata(path.parent().unwrap_or(path))).ok()?.gid();
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    Some(name_of_group(&groups, owner).unwrap_or_else(|| owner.to_string()))
}

/// From the text of `/etc/group`.
fn name_of_group(groups: &str, gid: u32) -> Option<String> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(gid)).then(|| visible(name).into_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_is_named() {
        let groups = "root:x:0:\nsluice-ops:x:998:ann,bob\nbroken\n:x:7:\n";
        assert_eq!(name_of_group(groups, 998).as_deref(), Some("sluice-ops"));
        assert_eq!(name_of_group(groups, 9), None);
    }

    #[test]
    fn every_refusal_of_the_system_is_told_apart() {
        let path = Path::new("/nonexistent/control.sock");
        let said = |kind: io::ErrorKind| Fault::of_connect(path, kind.into()).in_words();
        assert!(said(io::ErrorKind::NotFound).contains("no such socket\ncure: start the gateway"));
        assert!(said(io::ErrorKind::ConnectionRefused).contains("is not running\ncure: start it"));
        assert!(said(io::ErrorKind::PermissionDenied).contains("permission denied\ncure: become a member"));
        assert!(said(io::ErrorKind::OutOfMemory).starts_with("/nonexistent/control.sock: "));
    }
}
