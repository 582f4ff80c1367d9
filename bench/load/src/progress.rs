//! A line on the terminal that says how far a run is. Where standard error is no terminal there is none.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use crate::clock::now;

/// How often the line is written anew.
const EVERY: Duration = Duration::from_millis(100);
/// Width of the bar, in characters.
const WIDTH: usize = 30;

/// The line.
#[derive(Debug)]
pub(crate) struct Progress {
    /// When it was written; none if nobody would see it.
    written: Option<Instant>,
}

impl Progress {
    /// For people at a terminal; `wanted` is false where another process shows it.
    pub(crate) fn new(wanted: bool) -> Self {
        Self { written: (wanted && std::io::stderr().is_terminal()).then(now) }
    }

    /// So much of it is done, from 0 to 1. `what` is asked for only if it will be shown.
    pub(crate) fn show(&mut self, done: f64, what: impl FnOnce() -> String) {
        if self.written.is_none_or(|written| written.elapsed() < EVERY) {
            return;
        }
        self.written = Some(now());
        let _ = write!(std::io::stderr(), "\r\x1b[K{} {}", bar(done), what());
    }

    /// The line goes, so that something else can stand there.
    pub(crate) fn clear(&mut self) {
        if self.written.is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn bar(done: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "within the width")]
    let filled = (done.clamp(0.0, 1.0) * WIDTH as f64).round() as usize;
    format!("[{}{}] {:3.0} %", "#".repeat(filled), "-".repeat(WIDTH - filled), done.clamp(0.0, 1.0) * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_wide_whatever_it_shows() {
        assert_eq!(bar(0.5), format!("[{}{}]  50 %", "#".repeat(15), "-".repeat(15)));
        for done in [-1.0, 0.0, 0.333, 1.0, 7.0, f64::NAN] {
            assert_eq!(bar(done).find(']'), Some(WIDTH + 1), "{done}");
        }
    }
}
