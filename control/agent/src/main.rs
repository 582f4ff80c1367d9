//! `sluice-epa`, the endpoint-analysis agent. It has no gateway to speak to yet: gateways do not ask for scans before the login
//! machine exists. It says so, and says what it is.
#![forbid(unsafe_code)]

use std::io::Write as _;
use std::process::ExitCode;

/// Exit code for "this program cannot do what was asked".
const UNAVAILABLE: u8 = 69;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("--version") {
        let _ = writeln!(std::io::stdout(), "sluice-epa {}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    let _ =
        writeln!(std::io::stderr(), "sluice-epa: this release's gateways do not ask for endpoint scans; there is nothing to do");
    ExitCode::from(UNAVAILABLE)
}
