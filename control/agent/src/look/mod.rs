//! Looks at this machine: one finding for each string of a question. Needs no root, runs no program, writes nothing.
//!
//! ```text
//!   proc  ─► process    /proc/*/exe, /proc/*/comm               sys MAC_ADDR      ─► address    /sys/class/net
//!   svc   ─► service    cgroups of systemd                      sys DOMAIN_SUFFIX ─► domain     /etc, /proc/sys/kernel
//!   file  ─► here                                               sys LINUX-OS      ─► version    /etc/os-release
//!   app HD-ENC ─► disk  /proc/self/mountinfo, /sys/dev/block    app FIREWALL      ─► firewall   cgroups, /etc
//!   everything else: not answered with yes
//! ```
//!
//! All paths lie below a root, which is `/` but for tests. Every file is read up to a bound, and every folder listed up to one.

mod address;
mod disk;
mod domain;
mod firewall;
pub(crate) mod process;
mod read;
mod service;
mod version;

use std::path::{Path, PathBuf};

use gate_proto::epa::ClientString;
use gate_proto::epa::client_string::Kind;

use process::Processes;

/// What is the case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// What is asked holds.
    Yes,
    /// It does not, or cannot be told.
    No(Why),
}

/// Why not. Shown to the user, and told to nobody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nothing of that name runs.
    NotRunning,
    /// No such file.
    NoFile,
    /// None of the values is this machine's.
    NoneOfThem,
    /// It is this version, which is another.
    Version(String),
    /// The disk below `/` is not encrypted, or one of several.
    NotEncrypted,
    /// No firewall can be seen.
    NoFirewall,
    /// What is asked is not written as this kind of check is.
    Unclear,
    /// This agent does not know such a check.
    Unknown,
    /// The machine has no certificate that the gateway wants to see, or its user may not use it.
    NoCertificate,
    /// The gateway does not accept its certificate, or asks for none.
    Certificate,
}

/// A machine, seen from a root.
#[derive(Clone, Debug)]
pub struct Machine {
    root: PathBuf,
}

impl Machine {
    /// The machine whose `/` is at `root`.
    #[must_use]
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// One finding for each of `strings`, in that order.
    #[must_use]
    pub fn look(&self, strings: &[ClientString]) -> Vec<Finding> {
        // All processes are gone through once, whatever number of them is asked for, and not at all if none is.
        let named = strings.iter().filter(|string| *string.kind() == Kind::Process);
        let processes = Processes::looked_for(self, named.map(ClientString::body));
        strings.iter().map(|string| self.find(string, &processes)).collect()
    }

    fn find(&self, string: &ClientString, processes: &Processes<'_>) -> Finding {
        let body = string.body();
        match string.kind() {
            Kind::Process => yes_or(processes.has(body), Why::NotRunning),
            Kind::File => self.file(body),
            Kind::Service => service::find(self, body),
            Kind::System => {
                if let Some(list) = body.strip_prefix("MAC_ADDR_anyof_") {
                    address::find(self, list)
                } else if let Some(list) = body.strip_prefix("DOMAIN_SUFFIX_anyof_") {
                    domain::find(self, list)
                } else if let Some(wanted) = body.strip_prefix("LINUX-OS_") {
                    version::find(self, wanted)
                } else {
                    Finding::No(Why::Unknown)
                }
            }
            Kind::Application => match any_product(body) {
                Some("HD-ENC" | "LINUX-HD-ENC") => yes_or(disk::is_encrypted(self), Why::NotEncrypted),
                Some("FIREWALL" | "LINUX-FIREWALL") => yes_or(firewall::is_up(self), Why::NoFirewall),
                Some(_) | None => Finding::No(Why::Unknown),
            },
            // Whoever speaks to the gateway shows it: see `Visit`.
            Kind::DeviceCertificate => Finding::No(Why::NoCertificate),
            Kind::Registry | Kind::Other(_) => Finding::No(Why::Unknown),
        }
    }

    fn file(&self, path: &str) -> Finding {
        let Some(relative) = path.strip_prefix('/').filter(|path| !path.split('/').any(|part| part == "..")) else {
            return Finding::No(Why::Unclear);
        };
        yes_or(self.root.join(relative).exists(), Why::NoFile)
    }

    /// Where `path`, relative to `/`, is.
    fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join(path)
    }
}

fn yes_or(holds: bool, why: Why) -> Finding {
    if holds { Finding::Yes } else { Finding::No(why) }
}

/// The type of a product scan that any product passes: `TYPE` or `TYPE_0`, and perhaps that it is switched on. A version of a product, or
/// a product by its number, cannot be told here.
fn any_product(body: &str) -> Option<&str> {
    let mut parts = body.split('_');
    let scan_type = parts.next()?;
    match parts.next() {
        None | Some("0") => {}
        Some(_) => return None,
    }
    let rest: Vec<&str> = parts.collect();
    let is_switch = |method: &[&str]| matches!(method, ["RUNNING" | "ENABLED" | "RTP", "==", "TRUE" | "true" | "YES" | "1"]);
    rest.chunks(3).all(is_switch).then_some(scan_type)
}

#[cfg(test)]
mod tests;
