//! Whether everything below `/` lies on encrypted devices: dm-crypt, itself or below what is stacked on it.
//!
//! ```text
//!   /proc/self/mountinfo ─► device of / ─► /sys/dev/block/M:N ─► dm/uuid begins with CRYPT-: yes
//!                                                              └► slaves/: all of them, and there is one
//! ```

use std::path::{Path, PathBuf};

use super::Machine;
use super::read::{entries, text};

/// How deep devices may be stacked.
const DEPTH_MAX: usize = 8;
/// How many devices may lie next to each other in one layer.
const SLAVES_MAX: usize = 64;

/// Whether `/` is on encrypted devices only.
pub(super) fn is_encrypted(machine: &Machine) -> bool {
    let mounts = text(&machine.at("proc/self/mountinfo"));
    // The last mount on a place hides those before it.
    let root = mounts.lines().rfind(|line| line.split(' ').nth(4) == Some("/"));
    root.and_then(|line| device(machine, line)).is_some_and(|device| is_device_encrypted(&device, 0))
}

/// The folder of a mount's device in `/sys`.
fn device(machine: &Machine, mount: &str) -> Option<PathBuf> {
    let number = mount.split(' ').nth(2)?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (major, minor) = number.split_once(':').filter(|(major, minor)| is_number(major) && is_number(minor))?;
    if major != "0" {
        return Some(machine.at("sys/dev/block").join(format!("{major}:{minor}")));
    }
    // File systems over several devices, such as btrfs, have a number of their own and name one device. Only if it is a mapped one
    // can it be encrypted.
    let (_, tail) = mount.split_once(" - ")?;
    let name = tail.split(' ').nth(1)?.strip_prefix("/dev/mapper/")?;
    let mut mapped = entries(&machine.at("sys/class/block"));
    mapped.find(|entry| text(&entry.path().join("dm/name")).trim() == name).map(|entry| entry.path())
}

fn is_device_encrypted(device: &Path, depth: usize) -> bool {
    if text(&device.join("dm/uuid")).starts_with("CRYPT-") {
        return true;
    }
    let slaves: Vec<_> = entries(&device.join("slaves")).take(SLAVES_MAX + 1).collect();
    let all = (1..=SLAVES_MAX).contains(&slaves.len()) && depth < DEPTH_MAX;
    all && slaves.iter().all(|slave| is_device_encrypted(&slave.path(), depth + 1))
}
