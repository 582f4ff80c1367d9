//! The rules of the house that span crates: who may use whom, and what may stand in no file.
//!
//! ```text
//!   docs/architecture.md draws      ARROWS holds          cargo metadata tells            this compares
//!   Cargo.toml's comments name the home of each third-party crate, and this compares them, too
//! ```
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

/// Each package of ours, and those of ours that it may use. An arrow points down, as drawn in docs/architecture.md.
const ARROWS: &[(&str, &[&str])] = &[
    ("sluice-proto", &[]),
    ("sluice-link", &["sluice-proto"]),
    ("sluice-trust", &["sluice-link"]),
    ("sluice-flow", &["sluice-link", "sluice-proto", "sluice-trust"]),
    ("sluice-engine", &["sluice-flow", "sluice-link"]),
    ("sluice-worker", &["sluice-engine", "sluice-flow", "sluice-link"]),
    ("gate-proto", &[]),
    // It lowers the model to a snapshot.
    ("gate-config", &["gate-proto", "sluice-link", "sluice-proto"]),
    ("gate-auth", &["gate-config"]),
    ("gate-plane", &["gate-auth", "gate-config", "gate-proto", "sluice-link", "sluice-proto", "sluice-trust"]),
    // The only one that sees both planes.
    ("gate-daemon", &["gate-config", "gate-plane", "sluice-link", "sluice-worker"]),
    ("gate-cli", &["gate-config", "gate-proto"]),
    ("gate-agent", &["gate-proto"]),
    // Counters and reasons cross the C boundary by their own names.
    ("sluicegate-ffi", &["gate-daemon", "sluice-link"]),
    // Its own client side, so that one fault cannot hide on both.
    ("bench-load", &[]),
    // A peer shares nothing with what it is compared to.
    ("bench-peer-tokio", &[]),
    ("bench-micro", &["gate-config", "gate-proto", "sluice-flow", "sluice-link", "sluice-proto"]),
    ("sluicegate-fuzz", &["gate-config", "gate-proto", "sluice-flow", "sluice-link", "sluice-proto"]),
    // The kit plays the gateway's neighbours and must not share their faults; simulation needs the machine.
    ("sluicegate-tests", &["gate-auth", "gate-config", "sluice-flow", "sluice-link", "sluice-proto"]),
];

/// What tests may use beyond [`ARROWS`].
const TEST_ARROWS: &[(&str, &[&str])] = &[
    ("gate-daemon", &["sluicegate-tests"]),
    // Directories, which only it talks to.
    ("gate-plane", &["sluicegate-tests"]),
    ("sluicegate-ffi", &["sluicegate-tests"]),
    // Its tests play control, which knows tickets.
    ("sluice-worker", &["sluice-proto"]),
];

/// Packages that may hold `unsafe`: the one that talks to the kernel, and the C boundary.
const UNSAFE: &[&str] = &["sluice-engine", "sluicegate-ffi"];

/// What no source file may hold. Written in halves, so that this file passes its own test.
const FORBIDDEN: &[(&str, &str)] = &[("todo", "!("), ("unimplemented", "!("), ("dbg", "!("), ("TO", "DO"), ("FIX", "ME")];

#[test]
fn every_package_is_in_the_table_and_uses_only_what_is_below_it() {
    let mut wrong = Vec::new();
    let packages = packages();
    for (name, _) in ARROWS {
        if !packages.iter().any(|package| package.name == *name) {
            wrong.push(format!("{name} is in ARROWS but not in the workspace"));
        }
    }
    let ours: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    for package in &packages {
        let Some(allowed) = row(ARROWS, &package.name) else {
            wrong
                .push(format!("{} is not in ARROWS: decide where it belongs, and draw it in docs/architecture.md", package.name));
            continue;
        };
        let in_tests = row(TEST_ARROWS, &package.name).unwrap_or_default();
        for used in package.uses.iter().filter(|used| ours.contains(used.name.as_str())) {
            let fine = allowed.contains(&used.name.as_str()) || used.in_tests && in_tests.contains(&used.name.as_str());
            if !fine {
                wrong.push(format!("{} must not use {}", package.name, used.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn arrows_make_no_circle() {
    fn depth(name: &str, above: &mut Vec<String>) -> usize {
        assert!(!above.iter().any(|seen| seen == name), "a circle: {} > {name}", above.join(" > "));
        above.push(name.to_owned());
        let below = row(ARROWS, name).unwrap_or_default().iter().map(|used| depth(used, above)).max();
        above.pop();
        1 + below.unwrap_or_default()
    }
    assert!(ARROWS.iter().map(|(name, _)| depth(name, &mut Vec::new())).max() > Some(3));
}

#[test]
fn a_third_party_crate_is_used_only_where_the_root_manifest_says() {
    let homes = homes();
    assert!(homes.len() > 20, "the comments of [workspace.dependencies] could not be read: {homes:?}");
    let packages = packages();
    let ours: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut wrong = Vec::new();
    let mut used_somewhere = BTreeSet::new();
    for package in &packages {
        for used in package.uses.iter().filter(|used| !ours.contains(used.name.as_str())) {
            used_somewhere.insert(used.name.as_str());
            match homes.get(&used.name) {
                None => wrong.push(format!("{} uses {}, which [workspace.dependencies] does not have", package.name, used.name)),
                Some(users) if users.contains("everywhere") || users.contains(&package.name) => {}
                Some(users) => {
                    let users = users.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                    wrong.push(format!("{} uses {}, whose comment names {users}", package.name, used.name));
                }
            }
        }
    }
    for (name, users) in &homes {
        if users.is_empty() {
            wrong.push(format!("{name} has no home in its comment"));
        }
        for user in users.iter().filter(|user| *user != "everywhere" && !ours.contains(user.as_str())) {
            wrong.push(format!("the comment of {name} names {user}, which is no package of ours"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_crate_root_forbids_unsafe_code() {
    let mut roots = 0;
    for package in packages().iter().filter(|package| !UNSAFE.contains(&package.name.as_str())) {
        for root in &package.roots {
            let text = fs::read_to_string(root).unwrap();
            assert!(text.lines().any(|line| line == "#![forbid(unsafe_code)]"), "{} does not forbid unsafe code", root.display());
            roots += 1;
        }
    }
    assert!(roots >= ARROWS.len() - UNSAFE.len());
}

#[test]
fn nothing_is_left_for_later() {
    let needles: Vec<String> = FORBIDDEN.iter().map(|(a, b)| [*a, *b].concat()).collect();
    let mut found = Vec::new();
    let files = sources(&house());
    assert!(files.len() > 30, "only {} source files found", files.len());
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        for (number, line) in text.lines().enumerate() {
            if let Some(needle) = needles.iter().find(|needle| line.contains(*needle)) {
                found.push(format!("{}:{}: {needle}", file.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// A package as its manifest declares it.
struct Package {
    name: String,
    uses: Vec<Use>,
    /// First files of its library and binaries.
    roots: Vec<PathBuf>,
}

struct Use {
    name: String,
    in_tests: bool,
}

/// Reads all manifests as cargo does, so that renamed, optional and target-specific dependencies are seen as well.
#[expect(clippy::unwrap_used, reason = "a test's helper: output that cannot be read fails the test")]
fn packages() -> Vec<Package> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(house())
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let package = |package: &Value| Package {
        name: text(&package["name"]),
        uses: package["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|used| Use { name: text(&used["name"]), in_tests: used["kind"] == "dev" })
            .collect(),
        roots: package["targets"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|target| {
                let is = |kind| target["kind"].as_array().unwrap().iter().any(|k| k == kind);
                !is("test") && !is("bench") && !is("custom-build") && !is("example")
            })
            .map(|target| text(&target["src_path"]).into())
            .collect(),
    };
    metadata["packages"].as_array().unwrap().iter().map(package).collect()
}

/// Third-party crates and who may use them, from the comments in the root manifest.
#[expect(clippy::unwrap_used, reason = "a test's helper: a manifest that cannot be read fails the test")]
fn homes() -> BTreeMap<String, BTreeSet<String>> {
    let manifest = fs::read_to_string(house().join("Cargo.toml")).unwrap();
    let lines =
        manifest.lines().skip_while(|line| *line != "[workspace.dependencies]").skip(1).take_while(|line| !line.starts_with('['));
    lines
        .filter(|line| !line.starts_with('#') && !line.contains("path = "))
        .filter_map(|line| {
            let (name, rest) = line.split_once(" = ")?;
            let comment = rest.split_once('#').map_or("", |(_, comment)| comment);
            let users = comment.split(':').next().unwrap_or_default();
            let users = users.split([';', ',']).map(str::trim).filter(|user| !user.is_empty());
            Some((name.to_owned(), users.map(str::to_owned).collect()))
        })
        .collect()
}

fn row<'t>(table: &[(&str, &'t [&'t str])], name: &str) -> Option<&'t [&'t str]> {
    table.iter().find(|(row, _)| *row == name).map(|(_, uses)| *uses)
}

/// The repository.
fn house() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new("/")).to_owned()
}

/// All Rust files below `folder`, without what git and cargo keep for themselves.
#[expect(clippy::unwrap_used, reason = "a test's helper: a folder that cannot be read fails the test")]
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            if name != "target" && !name.to_string_lossy().starts_with('.') {
                found.extend(sources(&path));
            }
        } else if path.extension() == Some(OsStr::new("rs")) {
            found.push(path);
        }
    }
    found
}
