//! What the operating system knows of users, for the control socket.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::fd::BorrowedFd;
use std::path::Path;

use gate_plane::peer::{Credentials, Peer};

/// Where groups are looked up. Directories behind the name service are not asked: their answer may take long, and the control
/// socket must work when the network does not. A group that only they know is given by its number.
const GROUPS: &str = "/etc/group";
/// Bytes of that file that are read.
const GROUPS_BYTES_MAX: u64 = 4 << 20;

/// This machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct System;

impl Credentials for System {
    fn peer(&self, socket: BorrowedFd<'_>) -> io::Result<Peer> {
        let sluice_worker::Peer { pid, uid, gid, groups } = sluice_worker::peer(socket)?;
        Ok(Peer { pid, uid, gid, groups })
    }

    fn group(&self, name: &str) -> Option<u32> {
        let found = look_up(Path::new(GROUPS), name);
        found.unwrap_or_else(|why| {
            tracing::warn!(message = "groups cannot be looked up", file = GROUPS, why = %why);
            None
        })
    }

    fn own_uid(&self) -> u32 {
        sluice_worker::own_uid()
    }
}

/// The number of the group `name` in a file of lines `NAME:PASSWORD:NUMBER:MEMBERS`.
fn look_up(file: &Path, name: &str) -> io::Result<Option<u32>> {
    let mut lines = BufReader::new(File::open(file)?.take(GROUPS_BYTES_MAX));
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        let mut parts = line.trim_ascii().split(|byte| *byte == b':');
        if parts.next() == Some(name.as_bytes()) && !name.is_empty() {
            let number = parts.nth(1).and_then(|number| str::from_utf8(number).ok()?.parse().ok());
            return Ok(number.filter(|number| *number != u32::MAX));
        }
        line.clear();
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("group");
        std::fs::write(
            &file,
            b"root:x:0:\n\xff\xfe:x:7:\nadm:x:4:syslog,ann\nbroken\nodd:x:-1:\nall:x:4294967295:\nadm:x:9:\nlast:x:12:",
        )
        .unwrap();
        for (name, number) in [("root", Some(0)), ("adm", Some(4)), ("last", Some(12))] {
            assert_eq!(look_up(&file, name).unwrap(), number, "{name}");
        }
        for name in ["", "ad", "adm:x", "x", "4", "syslog", "broken", "odd", "all"] {
            assert_eq!(look_up(&file, name).unwrap(), None, "{name}");
        }
        let _ = look_up(&dir.path().join("none"), "root").unwrap_err();
        assert_eq!(System.group("root"), Some(0));
    }
}
