//! The help texts, as people read them. `UPDATE=1` writes them anew.

use std::process::Command;

#[test]
fn help_is_what_was_read_through() {
    for command in [&[][..], &["launch"], &["demo"], &["top"], &["audit"], &["audit", "verify"], &["diff"], &["diff", "running"]]
    {
        let name = if command.is_empty() { "sluicectl".to_owned() } else { command.join(".") };
        let output = Command::new(env!("CARGO_BIN_EXE_sluicectl")).args(command).arg("--help").output().unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        let path = format!("{}/tests/golden/{name}.help.txt", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &told).unwrap();
        }
        assert_eq!(told, std::fs::read_to_string(&path).unwrap_or_default(), "{path}");
    }
}
