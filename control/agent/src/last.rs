//! What each gateway asked last, and how it went: for `sluice-epa status` and `sluice-epa explain`.
//!
//! ```text
//! ~/.local/state/sluice-epa/last/HOST:PORT:    SECONDS VERDICT          since 1970; passed, failed, untold
//!                                              yes proc_2_firefox       a line for each string, as it was answered
//! ```
//!
//! Why something was answered with no is not kept: `explain` looks again.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use gate_proto::epa::ClientString;
use gate_proto::host_port::HostPort;

use crate::consent::state;
use crate::rounds::Verdict;

/// Most gateways that are remembered; the one that has not asked for longest is forgotten.
pub const GATEWAYS_MAX: usize = 64;
/// Longest note of one, in bytes: a question has 24 KiB at most.
const LAST_BYTES_MAX: u64 = 64 * 1024;
/// Most entries of the folder that are looked at.
const ENTRIES_MAX: usize = 1024;
/// The port of a gateway that none is said for; a name always has one.
const NO_PORT: u16 = 0;

/// What was asked last, and answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Last {
    /// By whom, `HOST:PORT`.
    pub gateway: String,
    /// When, in seconds since 1970.
    pub seconds: u64,
    /// What the gateway said to it.
    pub verdict: Verdict,
    /// What, and whether the answer was yes.
    pub answers: Vec<(ClientString, bool)>,
}

/// Where the user whose environment is `variable` has them.
#[must_use]
pub fn folder(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    state(variable).map(|state| state.join("last"))
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::Untold => "untold",
    }
}

impl Last {
    /// Writes it into `folder`, in place of the one before.
    ///
    /// # Errors
    /// As the file system reports it.
    pub fn keep(&self, folder: &Path) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut text = format!("{} {}\n", self.seconds, word(self.verdict));
        for (string, is_yes) in &self.answers {
            text += &format!("{} {string}\n", if *is_yes { "yes" } else { "no" });
        }
        let file = folder.join(&self.gateway);
        let new = folder.join(format!(".{}", std::process::id()));
        let mut out = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        out.write_all(text.as_bytes())?;
        fs::rename(&new, &file)?;
        let mut all = all(folder);
        if all.len() > GATEWAYS_MAX {
            all.sort_by_key(|last| last.seconds);
            for old in &all[..all.len() - GATEWAYS_MAX] {
                fs::remove_file(folder.join(&old.gateway))?;
            }
        }
        Ok(())
    }

    fn read(file: &Path) -> Option<Self> {
        let gateway = file.file_name()?.to_str()?.to_owned();
        HostPort::parse(&gateway, NO_PORT).ok().filter(|gateway| gateway.port != NO_PORT)?;
        let mut text = String::new();
        fs::File::open(file).ok()?.take(LAST_BYTES_MAX).read_to_string(&mut text).ok()?;
        let mut lines = text.lines();
        let (seconds, said) = lines.next()?.split_once(' ')?;
        let verdict = [Verdict::Passed, Verdict::Failed, Verdict::Untold].into_iter().find(|verdict| word(*verdict) == said)?;
        let answer = |line: &str| {
            let (answer, string) = line.split_once(' ')?;
            Some((ClientString::parse(string).ok()?, answer == "yes"))
        };
        Some(Self { gateway, seconds: seconds.parse().ok()?, verdict, answers: lines.map(answer).collect::<Option<_>>()? })
    }
}

/// All that are in `folder`, by name.
#[must_use]
pub fn all(folder: &Path) -> Vec<Last> {
    let entries = fs::read_dir(folder).into_iter().flatten().take(ENTRIES_MAX).filter_map(Result::ok);
    let mut all: Vec<Last> = entries.filter_map(|entry| Last::read(&entry.path())).collect();
    all.sort_by(|left, right| left.gateway.cmp(&right.gateway));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(gateway: &str, seconds: u64) -> Last {
        let answers = vec![(ClientString::parse("proc_2_a b").unwrap(), true), (ClientString::parse("reg_0_x").unwrap(), false)];
        Last { gateway: gateway.to_owned(), seconds, verdict: Verdict::Failed, answers }
    }

    #[test]
    fn the_last_one_of_each_gateway_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        last("b:443", 1).keep(folder.path()).unwrap();
        last("[2001:db8::1]:443", 2).keep(folder.path()).unwrap();
        last("b:443", 3).keep(folder.path()).unwrap();
        assert_eq!(all(folder.path()), [last("[2001:db8::1]:443", 2), last("b:443", 3)]);
    }

    #[test]
    fn there_is_an_end_to_it() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..=GATEWAYS_MAX as u64 {
            last(&format!("g{n}:443"), 1000 + n).keep(folder.path()).unwrap();
        }
        let all = all(folder.path());
        assert!(all.len() == GATEWAYS_MAX && all.iter().all(|last| last.gateway != "g0:443"));
        for (name, text) in [
            ("x:443", ""),
            ("x:443", "1 odd\n"),
            ("x:443", "x failed\n"),
            ("x:443", "1 failed\nyes what\n"),
            ("noport", "1 failed\n"),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
            assert_eq!(super::all(folder.path()).len(), GATEWAYS_MAX, "{text:?}");
        }
    }
}
