//! Does what a gateway wants done on this machine, where its owner allows it and its user agrees.
//!
//! ```text
//!   orders ─► plan: plain? policy of root's? mode? ─► denied ──────────────────────────────► shown
//!                              │
//!                              └► would, will ─► the user is asked ─► kill, delete ─► outcome ─► shown, logged
//! ```
//!
//! Nothing is allowed unless [`policy`] says so for this gateway and this very name or path. Even then only the user's own processes are
//! ended ([`kill`]) and only his own files are deleted ([`delete`]); and nothing by an agent that runs as root.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use gate_proto::host_port::HostPort;
use rustix::fs::{Mode, OFlags, open};

use crate::orders::Order;
use kill::{Found, Hunt};
use policy::{Policy, Switch, Void};

pub mod delete;
pub mod kill;
pub mod policy;
pub mod walk;

pub use delete::Kept;

/// Why something is not even tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// It does not name one process or one file.
    Unclear,
    /// The agent runs as root, whose processes and files are nobody's to give.
    Root,
    /// The owner of the machine lets nobody do anything.
    Off,
    /// He lets others do something, or this gateway something else.
    NotAllowed,
    /// What he allows is not believed, for this reason.
    Void(String),
    /// The user was not asked, and has not agreed before.
    NotAgreed,
    /// It could not be written down beforehand.
    NotLogged,
}

/// What is going to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Nothing.
    Denied(Denied),
    /// It is looked whether it could be done.
    Would,
    /// It is done, if the user agrees.
    Will,
}

/// An order, and what is going to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// What is wanted.
    pub order: Order,
    /// What is going to happen.
    pub plan: Plan,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing.
    Denied(Denied),
    /// So many processes would have been ended.
    WouldEnd(usize),
    /// So many were.
    Ended(usize),
    /// So many run on, though they were told.
    StillRun(usize),
    /// Nothing of that name runs.
    NothingRuns,
    /// Only such run as are never ended.
    Spared,
    /// So many run that nobody can have meant them all.
    Many,
    /// The file would have been deleted.
    WouldDelete,
    /// It was.
    Deleted,
    /// There is none.
    NoSuchFile,
    /// It stays, for this reason.
    Kept(Kept),
}

/// What is going to happen of what `gateway` wants. With `is_dry`, nothing is done, whatever the policy says; `uid` is whom the agent runs as.
#[must_use]
pub fn plan(orders: Vec<Order>, gateway: &HostPort, policy: &Result<Policy, Void>, is_dry: bool, uid: u32) -> Vec<Deed> {
    let of = |order: &Order| {
        if !order.is_plain() {
            return Plan::Denied(Denied::Unclear);
        }
        let policy = match policy {
            Ok(policy) => policy,
            Err(why) => return Plan::Denied(Denied::Void(why.to_string())),
        };
        match policy.switch {
            Switch::Off => Plan::Denied(Denied::Off),
            Switch::DryRun | Switch::On if !policy.allows(gateway, order) => Plan::Denied(Denied::NotAllowed),
            Switch::DryRun | Switch::On if uid == 0 => Plan::Denied(Denied::Root),
            Switch::DryRun => Plan::Would,
            Switch::On if is_dry => Plan::Would,
            Switch::On => Plan::Will,
        }
    };
    orders.into_iter().map(|order| Deed { plan: of(&order), order }).collect()
}

/// Does what is planned, as the user `uid` on the tree below `root`; processes first, which may hold the files. One outcome for each deed.
#[must_use]
pub fn carry_out(deeds: &[Deed], root: &Path, uid: u32, term_wait: Duration) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = deeds.iter().map(denied).collect();
    let hunt = Hunt::of(uid);
    let (mut places, mut processes) = (Vec::new(), Vec::new());
    for (at, deed) in deeds.iter().enumerate() {
        let Order::Kill(name) = &deed.order else { continue };
        let found = match deed.plan {
            Plan::Denied(_) => continue,
            Plan::Would | Plan::Will => hunt.find(name),
        };
        outcomes[at] = match found {
            Found::Nothing => Outcome::NothingRuns,
            Found::Spared => Outcome::Spared,
            Found::Many => Outcome::Many,
            Found::Processes(found) if deed.plan == Plan::Will => {
                places.push(at);
                let count = found.len();
                processes.push(found);
                Outcome::StillRun(count)
            }
            Found::Processes(found) => Outcome::WouldEnd(found.len()),
        };
    }
    for (at, outcome) in places.into_iter().zip(kill::end(&processes, term_wait)) {
        outcomes[at] = outcome;
    }
    for (at, deed) in deeds.iter().enumerate() {
        let Order::Delete(path) = &deed.order else { continue };
        let is_dry = match deed.plan {
            Plan::Denied(_) => continue,
            Plan::Would => true,
            Plan::Will => false,
        };
        outcomes[at] = match opened(root) {
            Ok(root) => delete::delete(root, path, uid, is_dry, || ()),
            Err(errno) => Outcome::Kept(Kept::System(errno.raw_os_error())),
        };
    }
    outcomes
}

/// What is not even tried.
fn denied(deed: &Deed) -> Outcome {
    match &deed.plan {
        Plan::Denied(why) => Outcome::Denied(why.clone()),
        // Only what names a process or a file is planned otherwise.
        Plan::Would | Plan::Will => Outcome::Denied(Denied::Unclear),
    }
}

fn opened(root: &Path) -> Result<OwnedFd, rustix::io::Errno> {
    open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "mode on\ngateway vpn.example.test\nkill notepad\ndelete /var/tmp/x\n";

    fn gateway() -> HostPort {
        HostPort::parse("vpn.example.test", 443).unwrap()
    }

    fn planned(policy: Result<Policy, Void>, is_dry: bool, uid: u32) -> Vec<Plan> {
        let orders = vec![
            Order::Kill("notepad".into()),
            Order::Delete("/var/tmp/y".into()),
            Order::Delete("/var/tmp/../x".into()),
            Order::Unclear,
        ];
        plan(orders, &gateway(), &policy, is_dry, uid).into_iter().map(|deed| deed.plan).collect()
    }

    #[test]
    fn nothing_happens_that_is_not_allowed() {
        use Denied::{NotAllowed, Off, Root, Unclear};
        let denied = |all: [Denied; 4]| all.map(Plan::Denied).to_vec();
        assert_eq!(planned(Ok(Policy::default()), false, 1000), denied([Off, Off, Unclear, Unclear]));
        let policy = || Policy::parse(POLICY);
        for (is_dry, first) in [(false, Plan::Will), (true, Plan::Would)] {
            let others = [NotAllowed, Unclear, Unclear].map(Plan::Denied);
            let planned = planned(policy(), is_dry, 1000);
            assert!(planned[0] == first && planned[1..] == others, "{planned:?}");
        }
        assert_eq!(planned(policy(), false, 0), denied([Root, NotAllowed, Unclear, Unclear]));
        for mode in ["off", "dry-run"] {
            let first = planned(Policy::parse(&POLICY.replace("mode on", &format!("mode {mode}"))), false, 1000).remove(0);
            assert_eq!(first, if mode == "off" { Plan::Denied(Off) } else { Plan::Would });
        }
        let void = planned(Err(Void::NotRoots), false, 1000);
        assert!(matches!(&void[..2], [Plan::Denied(Denied::Void(_)), Plan::Denied(Denied::Void(_))]), "{void:?}");
    }

    #[test]
    fn what_is_denied_is_not_done() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("file"), "x").unwrap();
        let uid = rustix::process::geteuid().as_raw();
        let deed = |plan| [Deed { order: Order::Delete("/file".into()), plan }];
        let done = |plan| carry_out(&deed(plan), root.path(), uid, Duration::ZERO);
        assert_eq!(done(Plan::Denied(Denied::Off)), [Outcome::Denied(Denied::Off)]);
        assert_eq!(done(Plan::Would), [Outcome::WouldDelete]);
        assert!(root.path().join("file").exists());
        assert_eq!(done(Plan::Will), [Outcome::Deleted]);
        assert_eq!(done(Plan::Will), [Outcome::NoSuchFile]);
        let unclear = [Deed { order: Order::Unclear, plan: Plan::Will }];
        assert_eq!(carry_out(&unclear, root.path(), uid, Duration::ZERO), [Outcome::Denied(Denied::Unclear)]);
    }
}
