//! `sluicegate import`: another product's configuration in, ours out, with a report of what became of every line.
//!
//! It reads one file and writes one, which must be new. Nothing that the file names is opened, and nothing is carried out.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use crate::files;

/// Permissions of the new file: a configuration holds hashes of passwords.
const MODE: u32 = 0o640;

/// Imports `file` into `new`, or to `out` if no name is given. The report goes to `out` beside a new file, else to `report`, as text or as
/// one JSON object. The exit code is 0 if no line was refused, 1 if some were, and 2 if a file could not be read or written.
pub fn import(file: &Path, new: Option<&Path>, json: bool, out: &mut impl Write, report: &mut impl Write) -> ExitCode {
    let text = match files::read_configuration(file) {
        Ok(text) => text,
        Err(source) => return trouble(report, file, &source),
    };
    let imported = gate_config::import::import(&file.display().to_string(), &text);
    let told = if json { format!("{}\n", imported.report.to_json()) } else { imported.report.to_string() };
    let written = match new {
        Some(path) => write_new(path, &imported.text).and_then(|()| out.write_all(told.as_bytes())),
        None => out.write_all(imported.text.as_bytes()).and_then(|()| report.write_all(told.as_bytes())),
    };
    if let Err(source) = written {
        return trouble(report, new.unwrap_or_else(|| Path::new("standard output")), &source);
    }
    if imported.report.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Writes a file that must not be there yet, not even as a link that leads nowhere.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn trouble(report: &mut impl Write, path: &Path, source: &io::Error) -> ExitCode {
    // If even this cannot be written, the exit code says it.
    let _ = writeln!(report, "sluicegate: {}: {source}", path.display());
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    const TEXT: &str = "set ns hostName gw\nadd lb vserver web HTTP 192.0.2.1 80\n";

    fn run(file: &Path, new: Option<&Path>, json: bool) -> (ExitCode, String, String) {
        let (mut out, mut report) = (Vec::new(), Vec::new());
        let code = import(file, new, json, &mut out, &mut report);
        (code, String::from_utf8(out).unwrap(), String::from_utf8(report).unwrap())
    }

    #[test]
    fn text_and_report_go_where_they_belong() {
        let dir = tempfile::tempdir().unwrap();
        let old = dir.path().join("ns.conf");
        fs::write(&old, TEXT).unwrap();
        let (code, out, report) = run(&old, None, false);
        assert_eq!(code, ExitCode::SUCCESS);
        assert!(out.ends_with("\nset ns hostName gw\nadd lb vserver web HTTP 192.0.2.1 80\n"), "{out}");
        assert!(report.contains("carried over: 1 (1 ns hostName)\n"), "{report}");

        let new = dir.path().join("new.conf");
        let (code, out, report) = run(&old, Some(&new), true);
        assert_eq!((code, report.as_str()), (ExitCode::SUCCESS, ""));
        assert!(out.starts_with('{') && out.contains(r#""carried":{"ns hostName":1}"#), "{out}");
        assert!(fs::read_to_string(&new).unwrap().contains("add lb vserver web"));
        assert_eq!(fs::metadata(&new).unwrap().permissions().mode() & 0o137, 0);
    }

    #[test]
    fn nothing_is_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let old = dir.path().join("ns.conf");
        fs::write(&old, TEXT).unwrap();
        let (code, _, report) = run(&old, Some(&old), false);
        assert_eq!(code, ExitCode::from(2), "{report}");
        assert_eq!(fs::read_to_string(&old).unwrap(), TEXT);
        let link = dir.path().join("link");
        symlink(dir.path().join("nowhere"), &link).unwrap();
        assert_eq!(run(&old, Some(&link), false).0, ExitCode::from(2));
        assert!(!dir.path().join("nowhere").exists());
    }

    #[test]
    fn whatever_a_line_says_only_the_named_file_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let old = dir.path().join("ns.conf");
        let inside = dir.path().display();
        let text = format!(
            "source {inside}/other.conf\nbatch -fileName {inside}/other.conf -outfile {inside}/written\nsave ns config\n\
             shell touch {inside}/touched\nadd ssl certKey c -cert {inside}/c.pem -key {inside}/c.key\n\
             set ns auditParam -file {inside}/audit.log\nset ns config -controlSocket {inside}/control.sock\n\
             add system backup b\nimport ssl certKeyFile x http://192.0.2.1/x\ncreate ssl rsakey {inside}/made.key 2048\n\
             add authentication loginSchema s -authenticationSchema {inside}/s.xml\n"
        );
        fs::write(&old, &text).unwrap();
        let there = || {
            let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let before = there();
        let (_, out, _) = run(&old, None, false);
        assert!(!out.is_empty());
        assert_eq!(there(), before);
        run(&old, Some(&dir.path().join("new.conf")), true);
        assert_eq!(there(), ["new.conf", "ns.conf"]);
        assert_eq!(fs::read_to_string(&old).unwrap(), text);
    }

    #[test]
    fn a_refused_line_and_a_missing_file_have_their_exit_codes() {
        let dir = tempfile::tempdir().unwrap();
        let old = dir.path().join("ns.conf");
        fs::write(&old, "set ns hostName \"gw\nnobody knows this\n").unwrap();
        let (code, out, report) = run(&old, None, false);
        assert_eq!(code, ExitCode::FAILURE);
        assert!(out.ends_with("\nnobody knows this\n"), "{out}");
        assert!(report.contains("ns.conf:1:17: 1115: Unmatched quote"), "{report}");
        assert_eq!(run(&dir.path().join("none"), None, false).0, ExitCode::from(2));
    }
}
