//! Times one operation: batches long enough for the clock, many of them, the best and the middle one shown.
//!
//! The best batch is the one that nothing disturbed; that it is far from the middle tells that the machine was not quiet.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long one batch takes at least.
const BATCH: Duration = Duration::from_millis(10);
/// Batches for each benchmark.
const BATCHES: usize = 21;

/// Runs benchmarks and prints them as they end.
#[derive(Debug)]
pub(crate) struct Meter {
    quick: bool,
    words: Vec<String>,
    headed: bool,
}

impl Meter {
    /// `quick`: one short batch. `words`: only benchmarks whose name contains one of them; all if there are none.
    pub(crate) fn new(quick: bool, words: Vec<String>) -> Self {
        Self { quick, words, headed: false }
    }

    /// Measures `operation`, which handles `bytes` bytes; 0 if that means nothing.
    pub(crate) fn bench<T>(&mut self, name: &str, bytes: usize, mut operation: impl FnMut() -> T) {
        if !self.words.is_empty() && !self.words.iter().any(|word| name.contains(word.as_str())) {
            return;
        }
        let (batch, batches) = if self.quick { (BATCH / 10, 1) } else { (BATCH, BATCHES) };
        let mut times: u32 = 1;
        // Grow until one batch takes long enough; this also warms caches and branch predictors.
        while time(times, &mut operation) < batch && times < u32::MAX / 2 {
            times *= 2;
        }
        let mut each: Vec<f64> =
            (0..batches).map(|_| time(times, &mut operation).as_secs_f64() * 1e9 / f64::from(times)).collect();
        each.sort_by(f64::total_cmp);
        self.show(name, bytes, each[0], each[each.len() / 2]);
    }

    fn show(&mut self, name: &str, bytes: usize, best: f64, middle: f64) {
        if !self.headed {
            say(&format!("{:<28} {:>12} {:>12} {:>12}", "", "best ns", "median ns", "best MB/s"));
            self.headed = true;
        }
        let bytes = u32::try_from(bytes).unwrap_or_default();
        let speed = if bytes == 0 { "-".to_owned() } else { format!("{:.0}", f64::from(bytes) / best * 1e3) };
        say(&format!("{name:<28} {best:>12.1} {middle:>12.1} {speed:>12}"));
    }
}

#[expect(clippy::disallowed_methods, reason = "measuring time is what this is for")]
fn time<T>(times: u32, operation: &mut impl FnMut() -> T) -> Duration {
    let begun = Instant::now();
    for _ in 0..times {
        black_box(operation());
    }
    begun.elapsed()
}

#[expect(clippy::print_stdout, reason = "a command-line tool")]
fn say(line: &str) {
    println!("{line}");
}
