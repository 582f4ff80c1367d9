//! Whether a firewall is up, as far as this can be seen without root: rules themselves are shown to root only.
//!
//! One of the three that distributions bring: firewalld runs; ufw is switched on; or nftables is enabled with rules for what comes in.

use super::read::text;
use super::{Machine, service};

/// Whether one of them is up.
pub(super) fn is_up(machine: &Machine) -> bool {
    service::is_running(machine, "firewalld") || ufw(machine) || nftables(machine)
}

fn ufw(machine: &Machine) -> bool {
    let settings = text(&machine.at("etc/ufw/ufw.conf"));
    settings.lines().any(|line| line.trim().eq_ignore_ascii_case("enabled=yes"))
}

fn nftables(machine: &Machine) -> bool {
    let wanted_by = ["sysinit.target.wants", "multi-user.target.wants"];
    // A link whose target lies outside of a tree of tests is a link all the same.
    let link = |folder: &&str| machine.at("etc/systemd/system").join(folder).join("nftables.service").symlink_metadata().is_ok();
    let rules = |path: &&str| {
        let is_rule = |line: &str| !line.trim_start().starts_with('#') && line.contains("hook input");
        text(&machine.at(path)).lines().any(is_rule)
    };
    let files = ["etc/nftables.conf", "etc/sysconfig/nftables.conf"];
    machine.at("sys/module/nf_tables").is_dir() && wanted_by.iter().any(link) && files.iter().any(rules)
}
