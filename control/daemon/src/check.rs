//! `sluicegate check`: every problem of a configuration at once.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use gate_config::Strictness;

use crate::files::{self, Disk};

/// Reports the problems of `file` to `out`, as text or as one JSON object per line, and says whether a gateway could start.
pub fn report(file: &Path, strictness: Strictness, json: bool, out: &mut impl Write) -> ExitCode {
    let text = match files::read_configuration(file) {
        Ok(text) => text,
        Err(source) => {
            let _ = writeln!(std::io::stderr(), "sluicegate: {}: {source}", file.display());
            return ExitCode::from(2);
        }
    };
    let base = file.parent().unwrap_or_else(|| Path::new("."));
    let checked = gate_config::check(&file.display().to_string(), &text, strictness, &Disk::below(base));
    let mut errors = 0;
    let mut warnings = 0;
    for problem in &checked.problems {
        if problem.is_error() {
            errors += 1
        } else {
            warnings += 1
        }
        // A reader that has gone away has seen enough.
        let _ = if json { writeln!(out, "{}", problem.to_json()) } else { writeln!(out, "{problem}") };
    }
    if !json {
        let _ = match (errors, warnings) {
            (0, 0) => writeln!(out, "{}: no problems", file.display()),
            _ => writeln!(out, "{}: {errors} errors, {warnings} warnings", file.display()),
        };
    }
    if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
