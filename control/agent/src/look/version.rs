//! Distribution and kernel.
//!
//! ```text
//! ID "_" METHOD "_" OPERATOR "_" VALUE …       debian_VERSION_>=_12      0_KERNEL_>=_6.1      0: any distribution
//! ```
//!
//! The names of methods are ours: what the vendor's Linux client understands here is not published.

use std::cmp::Ordering;

use super::read::text;
use super::{Finding, Machine, Why};

/// Whether everything in `wanted` holds.
pub(super) fn find(machine: &Machine, wanted: &str) -> Finding {
    let release = text(&machine.at("etc/os-release"));
    let field = |name: &str| {
        let value = release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_default().trim_matches(['"', '\'']).to_owned()
    };
    let mut parts = wanted.split('_');
    let id = parts.next().unwrap_or_default();
    let methods: Vec<&str> = parts.collect();
    if id.is_empty() || !methods.len().is_multiple_of(3) {
        return Finding::No(Why::Unclear);
    }
    if id != "0" && id != field("ID") {
        return Finding::No(Why::NoneOfThem);
    }
    for method in methods.chunks(3) {
        let found = match method[0] {
            "VERSION" => field("VERSION_ID"),
            "KERNEL" => text(&machine.at("proc/sys/kernel/osrelease")).trim().to_owned(),
            _ => return Finding::No(Why::Unknown),
        };
        match holds(&found, method[1], method[2]) {
            Some(true) => {}
            Some(false) => return Finding::No(Why::Version(found)),
            None => return Finding::No(Why::Unclear),
        }
    }
    Finding::Yes
}

/// `None` if it is no comparison, or if one of the two is no version.
fn holds(found: &str, operator: &str, wanted: &str) -> Option<bool> {
    let order = compare(&numbers(found)?, &numbers(wanted)?);
    Some(match operator {
        "==" => order.is_eq(),
        "!=" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        _ => return None,
    })
}

/// The numbers with which a version begins: 6, 1, 0 of `6.1.0-18-amd64`.
fn numbers(version: &str) -> Option<Vec<u64>> {
    let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
    let numbers: Vec<u64> = version[..end].split('.').map_while(|part| part.parse().ok()).collect();
    Some(numbers).filter(|numbers| !numbers.is_empty())
}

/// What is not said is 0: 12 is 12.0.
fn compare(left: &[u64], right: &[u64]) -> Ordering {
    let at = |numbers: &[u64], n: usize| numbers.get(n).copied().unwrap_or(0);
    let places = 0..left.len().max(right.len());
    places.map(|n| at(left, n).cmp(&at(right, n))).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}
