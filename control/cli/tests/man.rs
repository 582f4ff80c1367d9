//! The manual page knows every option of every command, and no other.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails loudly")]

use std::collections::BTreeSet;
use std::process::Command;

fn help(command: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_sluicectl")).args(command).arg("--help").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The options that a help text explains: first words of lines that begin with a dash.
fn explained(help: &str) -> BTreeSet<String> {
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-') && !line.starts_with("- "));
    lines
        .flat_map(|line| line.split("  ").next().unwrap_or_default().split([' ', ',']).map(str::to_owned))
        .filter(|w| w.starts_with('-'))
        .collect()
}

#[test]
fn every_option_stands_in_the_manual() {
    let page = include_str!("../../../docs/man/sluicectl.1").replace("\\-", "-").replace("\\(aq", "'");
    let (front, commands) = page.split_once("\n.SH COMMANDS\n").unwrap();
    let of = |text: &str| -> BTreeSet<String> {
        let entries = text.split("\n.TP\n").skip(1).map(|entry| entry.lines().next().unwrap_or_default());
        entries.flat_map(|line| line.split([' ', '"', ',']).map(str::to_owned)).filter(|word| word.starts_with('-')).collect()
    };
    assert_eq!(of(front), explained(&help(&[])));
    let common: BTreeSet<String> = ["-h", "--help", "--socket"].map(str::to_owned).into();
    let commands = commands.split_once("\n.SH ").unwrap().0;
    let sections: Vec<&str> = commands.split(".SS ").skip(1).collect();
    let all: &[&[&str]] = &[&["top"], &["diff", "running"], &["audit", "verify"], &["launch"], &["demo"]];
    assert_eq!(sections.len(), all.len());
    for (section, command) in sections.iter().zip(all) {
        assert!(section.starts_with(&command.join(" ")), "{section}");
        let wanted: BTreeSet<String> = explained(&help(command)).difference(&common).cloned().collect();
        assert_eq!(of(section), wanted, "{command:?}");
    }
}
