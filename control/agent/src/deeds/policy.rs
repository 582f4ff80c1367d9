//! What the owner of the machine lets gateways do on it: a file of root's, read when a gateway wants something done.
//!
//! ```text
//! # comment
//! mode on                                   off, dry-run or on; without this line off
//! gateway vpn.example.com                   with ":PORT", or 443; what follows is for it
//! kill notepad                              processes of this name
//! delete /var/tmp/example/old.cfg           one file
//! delete /var/tmp/example/cache/            what is in this folder, and below it
//! ```
//!
//! It is believed only if nobody but root could have written it: the file and each folder on its path belong to root, none of them can be
//! written by others, none is a symbolic link. A line that is not understood makes all of it void, rather than the rest of it valid.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use gate_proto::host_port::HostPort;
use rustix::fs::{FileType, Mode, OFlags, Stat, open, openat};
use thiserror::Error;

use super::walk::{self, Astray};
use crate::orders::{Order, is_file, is_process};

/// Where it is.
pub const PLACE: &str = "/etc/sluicegate/epa-policy";
/// Longest file, in bytes.
pub const POLICY_BYTES_MAX: u64 = 64 * 1024;
/// Most things that are allowed.
pub const RULES_MAX: usize = 1024;
/// Bits of a mode that let others write.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// The port of a gateway that none is said for.
const HTTPS: u16 = 443;
/// A folder whose files may be deleted lies at least so deep: nobody means all of `/home/`.
const FOLDER_DEPTH_MIN: usize = 2;

/// Whether what is allowed is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Switch {
    /// Nothing is.
    #[default]
    Off,
    /// It is told what would be.
    DryRun,
    /// It is done.
    On,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Allowed {
    Kill(String),
    Delete(String),
    /// With a slash at its end.
    DeleteBelow(String),
}

/// What is allowed to whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Whether it is done.
    pub switch: Switch,
    rules: Vec<(String, Allowed)>,
}

/// Why a policy is none. The fault of whoever wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadLine {
    /// Not one of `mode`, `gateway`, `kill`, `delete`.
    #[error("not mode, gateway, kill or delete")]
    Word,
    /// Not one of its three, or said twice.
    #[error("the mode is off, dry-run or on, and is said once")]
    Switch,
    /// No `HOST` or `HOST:PORT`.
    #[error("not HOST or HOST:PORT")]
    Gateway,
    /// Allowed to nobody.
    #[error("stands before the first gateway")]
    Nobody,
    /// Not the name of a process.
    #[error("not the name of a process, without path and wildcards")]
    Process,
    /// Not a whole path.
    #[error("not a whole path without .. and wildcards, or a folder that is too wide")]
    Path,
    /// Too much.
    #[error("more than {RULES_MAX} rules")]
    Many,
}

/// Why a policy is not believed.
#[derive(Debug, Error)]
pub enum Void {
    /// The file, or a folder on its path, belongs to somebody else, or others can write it.
    #[error("others than root can change it, or a folder on its path")]
    NotRoots,
    /// A symbolic link is on its path, or it is no file.
    #[error("it is no plain file, or its path has a symbolic link")]
    NoFile,
    /// Too long, or not text.
    #[error("it is longer than {POLICY_BYTES_MAX} bytes, or no text")]
    NoText,
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unread(#[source] io::Error),
    /// A line of it.
    #[error("line {number}: {why}")]
    Line {
        /// Which, from 1.
        number: usize,
        /// Why.
        why: BadLine,
    },
}

impl Policy {
    /// Reads the text of a policy.
    ///
    /// # Errors
    /// [`Void::Line`], of the first bad line.
    pub fn parse(text: &str) -> Result<Self, Void> {
        let mut policy = Self::default();
        let (mut is_switched, mut gateway) = (false, None);
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            policy.line(line, &mut is_switched, &mut gateway).map_err(|why| Void::Line { number: at + 1, why })?;
        }
        Ok(policy)
    }

    fn line(&mut self, line: &str, is_switched: &mut bool, gateway: &mut Option<String>) -> Result<(), BadLine> {
        let (word, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let value = value.trim();
        let allowed = match word {
            "mode" => {
                self.switch = match value {
                    "off" if !*is_switched => Switch::Off,
                    "dry-run" if !*is_switched => Switch::DryRun,
                    "on" if !*is_switched => Switch::On,
                    _ => return Err(BadLine::Switch),
                };
                *is_switched = true;
                return Ok(());
            }
            "gateway" => {
                *gateway = Some(known_as(&HostPort::parse(value, HTTPS).map_err(|_| BadLine::Gateway)?));
                return Ok(());
            }
            "kill" if is_process(value) => Allowed::Kill(value.to_owned()),
            "kill" => return Err(BadLine::Process),
            "delete" => match value.strip_suffix('/') {
                None if is_file(value) => Allowed::Delete(value.to_owned()),
                Some(folder) if is_file(folder) && folder.matches('/').count() >= FOLDER_DEPTH_MIN => {
                    Allowed::DeleteBelow(value.to_owned())
                }
                None | Some(_) => return Err(BadLine::Path),
            },
            _ => return Err(BadLine::Word),
        };
        if self.rules.len() == RULES_MAX {
            return Err(BadLine::Many);
        }
        self.rules.push((gateway.clone().ok_or(BadLine::Nobody)?, allowed));
        Ok(())
    }

    /// Whether `gateway` may want this.
    #[must_use]
    pub fn allows(&self, gateway: &HostPort, order: &Order) -> bool {
        let gateway = known_as(gateway);
        let names = |allowed: &Allowed| match (allowed, order) {
            (Allowed::Kill(name), Order::Kill(wanted)) => name == wanted,
            (Allowed::Delete(path), Order::Delete(wanted)) => path == wanted,
            // What is deleted is a whole path without "..", or it is not deleted.
            (Allowed::DeleteBelow(folder), Order::Delete(wanted)) => is_file(wanted) && wanted.starts_with(folder),
            (Allowed::Kill(_), Order::Delete(_) | Order::Unclear)
            | (Allowed::Delete(_) | Allowed::DeleteBelow(_), Order::Kill(_) | Order::Unclear) => false,
        };
        self.rules.iter().any(|(whom, allowed)| *whom == gateway && names(allowed))
    }
}

/// Names of hosts are the same in either case.
fn known_as(gateway: &HostPort) -> String {
    gateway.to_string().to_ascii_lowercase()
}

/// Reads the policy at `place` below the folder `root`, which is `/` but for tests. It has to belong to `owner`, who is root but for tests.
///
/// # Errors
/// [`Void`]. If there is no file, nothing is allowed, and that is no error.
pub fn read(root: &Path, place: &str, owner: u32) -> Result<Policy, Void> {
    let unread = |errno: rustix::io::Errno| Void::Unread(errno.into());
    let root = open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(unread)?;
    let is_fine = |stat: &Stat| stat.st_uid == owner && stat.st_mode & WRITABLE_BY_OTHERS == 0;
    let opened = walk::folder(root, place, is_fine).and_then(|(folder, name)| {
        // A pipe in its place keeps nobody waiting.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(folder, name, flags, Mode::empty()).map_err(walk::astray)?;
        walk::stat_of(&file).map(|stat| (file, stat))
    });
    let (file, stat) = match opened {
        Ok(opened) => opened,
        Err(Astray::Missing) => return Ok(Policy::default()),
        Err(Astray::TurnedDown) => return Err(Void::NotRoots),
        Err(Astray::Link | Astray::NoFolder | Astray::Shape) => return Err(Void::NoFile),
        Err(Astray::System(errno)) => return Err(unread(errno)),
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Void::NoFile);
    }
    if !is_fine(&stat) {
        return Err(Void::NotRoots);
    }
    let mut bytes = Vec::new();
    File::from(file).take(POLICY_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(Void::Unread)?;
    if bytes.len() as u64 > POLICY_BYTES_MAX {
        return Err(Void::NoText);
    }
    Policy::parse(&String::from_utf8(bytes).map_err(|_| Void::NoText)?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "# what the office agreed\n\nmode on\ngateway VPN.example.test\nkill notepad\n  delete /var/tmp/x/old.cfg\n\
                        delete /var/tmp/x/cache/\ngateway [2001:db8::1]:8443\nkill My Program\n";

    fn gateway(text: &str) -> HostPort {
        HostPort::parse(text, HTTPS).unwrap()
    }

    fn kill(name: &str) -> Order {
        Order::Kill(name.into())
    }

    fn delete(path: &str) -> Order {
        Order::Delete(path.into())
    }

    #[test]
    fn a_gateway_may_what_stands_below_its_name_and_nothing_else() {
        let policy = Policy::parse(TEXT).unwrap();
        assert_eq!(policy.switch, Switch::On);
        let vpn = gateway("vpn.example.test");
        for order in [kill("notepad"), delete("/var/tmp/x/old.cfg"), delete("/var/tmp/x/cache/a"), delete("/var/tmp/x/cache/b/c")]
        {
            assert!(policy.allows(&vpn, &order), "{order:?}");
            for other in ["vpn.example.test:4430", "example.test", "evil.example.test", "[2001:db8::1]:8443"] {
                assert!(!policy.allows(&gateway(other), &order), "{other} {order:?}");
            }
        }
        assert!(policy.allows(&gateway("[2001:db8::1]:8443"), &kill("My Program")));
        for order in [
            kill("Notepad"),
            kill("notepad2"),
            kill("/usr/bin/notepad"),
            kill("/var/tmp/x/old.cfg"),
            kill("*"),
            kill(""),
            delete("notepad"),
            delete("/var/tmp/x/old.cfg2"),
            delete("/var/tmp/x/cache"),
            delete("/var/tmp/x/cache/"),
            delete("/var/tmp/x/cache/../old"),
            delete("/var/tmp/x/cache/./a"),
            delete("/var/tmp/x/cache//a"),
            delete("/var/tmp/x/cache/*"),
            delete("/var/tmp/x/cache/a\0"),
            delete("/var/tmp/x/cacheb/a"),
            delete("var/tmp/x/cache/a"),
            Order::Unclear,
        ] {
            assert!(!policy.allows(&vpn, &order), "{order:?}");
        }
    }

    #[test]
    fn a_line_that_is_not_understood_makes_it_void() {
        for (text, number, why) in [
            ("mode on\nallow all\n", 2, BadLine::Word),
            ("mode maybe\n", 1, BadLine::Switch),
            ("mode off\nmode on\n", 2, BadLine::Switch),
            ("gateway https://vpn.example.test\n", 1, BadLine::Gateway),
            ("gateway *\n", 1, BadLine::Gateway),
            ("gateway\n", 1, BadLine::Gateway),
            ("kill notepad\n", 1, BadLine::Nobody),
            ("gateway a\nkill /bin/sh\n", 2, BadLine::Process),
            ("gateway a\nkill *\n", 2, BadLine::Process),
            ("gateway a\nkill\n", 2, BadLine::Process),
            ("gateway a\ndelete x\n", 2, BadLine::Path),
            ("gateway a\ndelete /\n", 2, BadLine::Path),
            ("gateway a\ndelete /home/\n", 2, BadLine::Path),
            ("gateway a\ndelete /home/ann/../bob/\n", 2, BadLine::Path),
            ("gateway a\ndelete /home/*/x\n", 2, BadLine::Path),
            ("gateway a\ndelete ~/x\n", 2, BadLine::Path),
        ] {
            match Policy::parse(text) {
                Err(Void::Line { number: at, why: said }) => assert_eq!((at, said), (number, why), "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        let many = format!("gateway a\n{}", "kill x\n".repeat(RULES_MAX + 1));
        assert!(matches!(Policy::parse(&many), Err(Void::Line { why: BadLine::Many, .. })));
        assert_eq!(Policy::parse("").unwrap().switch, Switch::Off);
        assert_eq!(Policy::parse("gateway a\nkill x\n").unwrap().switch, Switch::Off, "off unless it says otherwise");
    }

    /// A tree with a policy in it, whose owner is whoever runs the tests.
    fn tree() -> (tempfile::TempDir, u32) {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("etc/sluicegate")).unwrap();
        fs::write(root.path().join("etc/sluicegate/epa-policy"), TEXT).unwrap();
        for (path, mode) in [("etc", 0o755), ("etc/sluicegate", 0o755), ("etc/sluicegate/epa-policy", 0o644)] {
            fs::set_permissions(root.path().join(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        let owner = fs::metadata(root.path()).unwrap().uid();
        (root, owner)
    }

    #[test]
    fn it_is_read_where_only_its_owner_could_have_written_it() {
        let (root, owner) = tree();
        assert_eq!(read(root.path(), PLACE, owner).unwrap(), Policy::parse(TEXT).unwrap());
        let nothing = tempfile::tempdir().unwrap();
        assert_eq!(read(nothing.path(), PLACE, owner).unwrap(), Policy::default());
        assert!(matches!(read(root.path(), PLACE, owner + 1), Err(Void::NotRoots)), "somebody else's");
        for path in ["etc/sluicegate/epa-policy", "etc/sluicegate", "etc", ""] {
            for mode in [0o020, 0o002] {
                let (root, owner) = tree();
                let path = root.path().join(path);
                let before = fs::metadata(&path).unwrap().permissions().mode();
                fs::set_permissions(&path, fs::Permissions::from_mode(before | mode)).unwrap();
                assert!(matches!(read(root.path(), PLACE, owner), Err(Void::NotRoots)), "{path:?} {mode:o}");
            }
        }
    }

    #[test]
    fn links_pipes_and_what_is_too_long_are_not_believed() {
        for path in ["etc/sluicegate/epa-policy", "etc/sluicegate", "etc"] {
            let (root, owner) = tree();
            fs::rename(root.path().join(path), root.path().join("moved")).unwrap();
            symlink(root.path().join("moved"), root.path().join(path)).unwrap();
            assert!(matches!(read(root.path(), PLACE, owner), Err(Void::NoFile)), "{path}");
        }
        let (root, owner) = tree();
        let file = root.path().join("etc/sluicegate/epa-policy");
        fs::write(&file, "#".repeat(70_000)).unwrap();
        assert!(matches!(read(root.path(), PLACE, owner), Err(Void::NoText)));
        fs::write(&file, b"mode \xff").unwrap();
        assert!(matches!(read(root.path(), PLACE, owner), Err(Void::NoText)));
        fs::remove_file(&file).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &file, FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert!(matches!(read(root.path(), PLACE, owner), Err(Void::NoFile)));
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert!(matches!(read(root.path(), PLACE, owner), Err(Void::NoFile)));
    }

    proptest! {
        #[test]
        fn arbitrary_text_is_answered(text in "(mode|gateway|kill|delete|#)?[ \ta-z/.*:\n]{0,60}") {
            let _answered = Policy::parse(&text).map(|policy| policy.rules.len());
        }
    }
}
