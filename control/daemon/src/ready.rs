//! Tells whoever started the gateway that everything listens, and where: port 0 in a configuration lets the system choose.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use crate::{Addresses, NamedAddress};

/// Writes `path` in one step: a reader sees the whole file or none.
///
/// # Errors
/// If the folder cannot be written.
pub fn write(path: &Path, addresses: &Addresses) -> io::Result<()> {
    let list = |named: &[NamedAddress]| -> Vec<Value> {
        named.iter().map(|one| json!({ "name": one.name, "address": one.address.to_string() })).collect()
    };
    let told = json!({
        "pid": std::process::id(),
        "listeners": list(&addresses.listeners),
        "farm": list(&addresses.farm),
        "hosts": list(&addresses.hosts),
    });
    let beside = path.with_extension("tmp");
    fs::write(&beside, format!("{told}\n"))?;
    fs::rename(beside, path)
}
