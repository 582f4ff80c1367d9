//! A whole `ns.conf` of the other product in, ours and a report out.

use std::path::Path;

use gate_config::Strictness;
use gate_config::check;
use gate_config::import::import;

use crate::kit::{Paper, compare, told};

#[test]
fn golden_imports() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "conf") {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let imported = import(&name, &text);
        let out = format!("{}--- imported\n{}", imported.report, imported.text);
        assert!(!out.contains("hunter2") && !imported.report.to_json().contains("hunter2"), "{name}: a secret is told:\n{out}");
        compare(&path.with_extension("out"), &out);
        accounted(&name, &imported);
        seen += 1;
    }
    assert!(seen >= 3, "only {seen} files");
}

/// What was imported loads, and every line has exactly one fate.
fn accounted(name: &str, imported: &gate_config::import::Imported) {
    let mode = if imported.report.needs_lenient() { Strictness::Lenient } else { Strictness::Strict };
    let loaded = check(name, &imported.text, mode, &Paperwork);
    let model = loaded.model.as_ref().unwrap_or_else(|| panic!("{name}\n{}", told(&loaded)));
    let printed = imported.text.split_once("\n# Imported from ").and_then(|(_, rest)| rest.split_once('\n'));
    assert_eq!(printed.map(|(_, rest)| rest), Some(model.print().as_str()), "{name}");
    let report = &imported.report;
    let kept: usize = report.kept.iter().flat_map(|kept| kept.commands.values()).sum();
    let lines: std::collections::BTreeSet<_> = report.refused.iter().filter_map(|p| p.place.as_ref()).map(|p| p.line).collect();
    assert_eq!(report.lines, report.carried.values().sum::<usize>() + kept + lines.len(), "{name}: {report}");
    assert!(report.refused.iter().all(|problem| problem.place.is_some()), "{name}: {report}");
}

/// Every file that an imported configuration names is there.
struct Paperwork;

impl gate_config::files::Files for Paperwork {
    fn read(
        &self,
        path: &Path,
        purpose: gate_config::files::Purpose,
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, gate_config::files::FileError> {
        let name = if purpose == gate_config::files::Purpose::Key { "x.key" } else { "x.pem" };
        assert!(!path.starts_with("/nsconfig"), "{} is not below our folder", path.display());
        Paper.read(Path::new(name), purpose)
    }
}

#[test]
fn a_file_that_is_too_long_is_said_to_be() {
    let imported = import("long", &"#\n".repeat((16 << 20) / 2 + 1));
    assert_eq!(imported.report.refused.len(), 1);
    assert!(imported.report.to_string().contains("a configuration has at most"), "{}", imported.report);
}
