//! Signals: SIGTERM and SIGINT stop, SIGHUP reads the configuration again, SIGUSR1 prints the counters.

use std::io::Write as _;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

use crate::Gateway;

/// How often to look for signals, for trouble at workers, and during a drain for its end.
const LOOK: Duration = Duration::from_millis(200);

/// Starts to collect signals.
///
/// # Errors
/// If the system refuses a handler.
pub fn listen() -> std::io::Result<Signals> {
    Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1])
}

/// Serves signals until the gateway shall stop: when a drain that an operator began is over, or at the first SIGTERM or SIGINT if `drain` is zero or no session is left,
/// otherwise once they have ended, `drain` has passed or the signal comes again.
pub fn serve(mut signals: Signals, gateway: &Gateway, drain: Duration) {
    while !asked_to_stop(&mut signals, gateway) {
        if !gateway.is_running() {
            return;
        }
        gateway.log_troubles();
        std::thread::park_timeout(LOOK);
    }
    if drain.is_zero() {
        return;
    }
    gateway.drain(drain);
    for _ in 0..=drain.as_millis() / LOOK.as_millis() {
        if gateway.totals().sessions == 0 || asked_to_stop(&mut signals, gateway) {
            return;
        }
        std::thread::park_timeout(LOOK);
    }
}

/// Serves what has come; whether a signal to stop was among it.
fn asked_to_stop(signals: &mut Signals, gateway: &Gateway) -> bool {
    let mut stop = false;
    for signal in signals.pending() {
        if signal == SIGUSR1 {
            print_counters(gateway);
        } else if signal == SIGHUP {
            gateway.reload();
        } else {
            stop = true;
        }
    }
    stop
}

/// One line of JSON on standard error, where the log goes: every counter, and ends of sessions by reason as `closed_…`.
fn print_counters(gateway: &Gateway) {
    let line = serde_json::json!({ "counters": gateway.counters() });
    // Nobody to tell if standard error is gone.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
