//! Which services of systemd run: those whose control group has processes. It can be read without asking systemd, and without root.

use super::read::text;
use super::{Finding, Machine, Why, yes_or};

/// Longest name of a unit, in bytes; systemd's own limit.
const NAME_BYTES_MAX: usize = 255;

/// Whether the service `name` runs, with or without `.service` at its end.
pub(super) fn find(machine: &Machine, name: &str) -> Finding {
    let name = name.strip_suffix(".service").unwrap_or(name);
    let in_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.starts_with('.') || !name.bytes().all(in_alphabet) {
        return Finding::No(Why::Unclear);
    }
    yes_or(is_running(machine, name), Why::NotRunning)
}

/// Whether processes of the service run. `name` is a unit's without `.service`.
pub(super) fn is_running(machine: &Machine, name: &str) -> bool {
    // Instances of a template lie in a slice of their own.
    let slice = name.split_once('@').map(|(template, _)| format!("system-{template}.slice/")).unwrap_or_default();
    let below = |tree: &str| machine.at(tree).join(format!("system.slice/{slice}{name}.service"));
    let unified = ["sys/fs/cgroup", "sys/fs/cgroup/unified"];
    unified.iter().any(|tree| text(&below(tree).join("cgroup.events")).lines().any(|line| line == "populated 1"))
        || !text(&below("sys/fs/cgroup/systemd").join("cgroup.procs")).trim().is_empty()
}
