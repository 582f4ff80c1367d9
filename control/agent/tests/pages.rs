//! What people read about the program: the help texts (`UPDATE=1` writes them anew), and the manual page, which knows every option and
//! no other.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails loudly")]

use std::collections::BTreeSet;
use std::process::Command;

fn help(command: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_sluice-epa")).args(command).arg("--help").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn help_is_what_was_read_through() {
    for command in [&[][..], &["scan"], &["register"], &["unregister"], &["status"], &["explain"]] {
        let name = if command.is_empty() { "sluice-epa".to_owned() } else { command.join(".") };
        let told = help(command);
        let path = format!("{}/tests/golden/{name}.help.txt", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &told).unwrap();
        }
        assert_eq!(told, std::fs::read_to_string(&path).unwrap_or_default(), "{path}");
    }
}

/// The long options that a help text explains.
fn explained(help: &str) -> BTreeSet<String> {
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let words = lines.flat_map(|line| line.split([' ', ','])).filter(|word| word.starts_with("--"));
    words.filter(|word| *word != "--help").map(str::to_owned).collect()
}

#[test]
fn every_option_stands_in_the_manual() {
    let page = include_str!("../../../docs/man/sluice-epa.1").replace("\\-", "-");
    let of = |text: &str| -> BTreeSet<String> {
        let entries = text.split("\n.TP\n").skip(1).map(|entry| entry.lines().next().unwrap_or_default());
        entries.flat_map(|line| line.split([' ', '"', ',']).map(str::to_owned)).filter(|word| word.starts_with("--")).collect()
    };
    let (front, commands) = page.split_once("\n.SH COMMANDS\n").unwrap();
    let commands = commands.split_once("\n.SH ").unwrap().0;
    assert_eq!(of(front), explained(&help(&[])));
    let sections: Vec<&str> = commands.split(".SS ").skip(1).collect();
    assert_eq!(sections.len(), 5);
    // What both have is told once, in front.
    let front = explained(&help(&[]));
    for (section, command) in sections.iter().zip(["scan", "register", "unregister", "status", "explain"]) {
        assert!(section.starts_with(command), "{section}");
        let wanted: BTreeSet<String> = explained(&help(&[command])).difference(&front).cloned().collect();
        assert_eq!(of(section), wanted, "{command}");
    }
}

#[test]
fn the_manual_is_well_made() {
    let page = format!("{}/../../docs/man/sluice-epa.1", env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("mandoc").args(["-T", "lint", "-W", "style", &page]).output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn every_exit_code_stands_in_the_manual() {
    let page = include_str!("../../../docs/man/sluice-epa.1");
    let codes = page.split_once("\n.SH EXIT STATUS").unwrap().1.split_once("\n.SH ").unwrap().0;
    let told: Vec<&str> = codes.split("\n.TP\n").skip(1).map(|entry| entry.lines().next().unwrap()).collect();
    let all = [
        gate_agent::fault::DONE,
        gate_agent::fault::REFUSED,
        gate_agent::fault::USAGE,
        gate_agent::fault::NO_GATEWAY,
        gate_agent::fault::BAD_GATEWAY,
        gate_agent::fault::NOT_AGREED,
        gate_agent::fault::NOT_WANTED,
    ];
    assert_eq!(told, all.map(|code| code.to_string()));
}
