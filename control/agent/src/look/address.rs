//! Hardware addresses of the network interfaces.

use super::read::{entries, text};
use super::{Finding, Machine, Why, yes_or};

/// Hexadecimal digits of an address.
const DIGITS: usize = 12;

/// Whether one of the addresses in `list`, divided by commas, is an interface's.
pub(super) fn find(machine: &Machine, list: &str) -> Finding {
    let wanted: Vec<String> = list.split(',').map(plain).collect();
    if wanted.iter().any(|address| address.len() != DIGITS || !address.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return Finding::No(Why::Unclear);
    }
    let mut own = entries(&machine.at("sys/class/net")).map(|entry| plain(&text(&entry.path().join("address"))));
    // The loopback interface has zeros, everywhere.
    let holds = own.any(|address| address.bytes().any(|byte| byte != b'0') && wanted.contains(&address));
    yes_or(holds, Why::NoneOfThem)
}

/// In lower case, without separators.
fn plain(address: &str) -> String {
    address.trim().chars().filter(|c| !matches!(c, ':' | '-')).map(|c| c.to_ascii_lowercase()).collect()
}
