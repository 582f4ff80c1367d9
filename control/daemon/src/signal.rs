//! Signals: SIGTERM and SIGINT stop, SIGUSR1 prints the counters.

use std::io::Write as _;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

use crate::Gateway;

/// How often a drain looks whether the last session has ended.
const DRAIN_LOOK: Duration = Duration::from_millis(200);

/// Starts to collect signals.
///
/// # Errors
/// If the system refuses a handler.
pub fn listen() -> std::io::Result<Signals> {
    Signals::new([SIGTERM, SIGINT, SIGUSR1])
}

/// Serves signals until the gateway shall stop: at the first SIGTERM or SIGINT if `drain` is zero or no session is left,
/// otherwise once they have ended, `drain` has passed or the signal comes again.
pub fn serve(mut signals: Signals, gateway: &Gateway, drain: Duration) {
    for signal in signals.forever() {
        if signal == SIGUSR1 {
            print_counters(gateway);
            continue;
        }
        if drain.is_zero() {
            return;
        }
        break;
    }
    gateway.drain(drain);
    let looks = drain.as_millis() / DRAIN_LOOK.as_millis() + 1;
    for _ in 0..looks {
        if gateway.totals().sessions == 0 {
            return;
        }
        std::thread::park_timeout(DRAIN_LOOK);
        for signal in signals.pending() {
            if signal != SIGUSR1 {
                return;
            }
            print_counters(gateway);
        }
    }
}

/// One line of JSON on standard error, where the log goes: every counter, and ends of sessions by reason as `closed_…`.
fn print_counters(gateway: &Gateway) {
    let line = serde_json::json!({ "counters": gateway.counters() });
    // Nobody to tell if standard error is gone.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
