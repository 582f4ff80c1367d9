//! The domain of the machine: of its full name, of its Kerberos realm, or that in which it looks up names.
//!
//! None of these proves that it was joined to a directory: a network can hand out the last one.

use super::read::text;
use super::{Finding, Machine, Why, yes_or};

/// Whether the machine is in one of the domains of `list`, divided by commas, or below one.
pub(super) fn find(machine: &Machine, list: &str) -> Finding {
    let wanted: Vec<String> = list.split(',').map(plain).collect();
    if wanted.iter().any(String::is_empty) {
        return Finding::No(Why::Unclear);
    }
    let is_in = |own: &String| wanted.iter().any(|domain| own == domain || own.ends_with(&format!(".{domain}")));
    yes_or(own(machine).iter().any(is_in), Why::NoneOfThem)
}

/// The domains of the machine.
fn own(machine: &Machine) -> Vec<String> {
    let name = text(&machine.at("proc/sys/kernel/hostname")).trim().to_owned();
    let mut all = Vec::new();
    let mut keep = |domain: &str| all.push(plain(domain));
    if let Some((_, domain)) = name.split_once('.') {
        keep(domain);
    }
    for line in text(&machine.at("etc/hosts")).lines() {
        // An address, the full name, others: what `hostname -d` goes by.
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace().skip(1);
        let full = words.next().unwrap_or_default();
        if let Some((first, domain)) = full.split_once('.')
            && !name.is_empty()
            && (first == name || full == name || words.any(|word| word == name))
        {
            keep(domain);
        }
    }
    for line in text(&machine.at("etc/resolv.conf")).lines() {
        let mut words = line.split_whitespace();
        if matches!(words.next(), Some("domain" | "search")) {
            words.for_each(&mut keep);
        }
    }
    for line in text(&machine.at("etc/krb5.conf")).lines() {
        if let Some((key, realm)) = line.split_once('=')
            && key.trim() == "default_realm"
        {
            keep(realm);
        }
    }
    all.retain(|domain| !domain.is_empty());
    all
}

fn plain(domain: &str) -> String {
    domain.trim().trim_matches('.').to_ascii_lowercase()
}
