//! Times one operation: batches long enough for the clock, many of them, the best and the middle one shown.
//!
//! The best batch is the one that nothing disturbed; that it is far from the middle tells that the machine was not quiet.
//!
//! To count instructions instead, an operation runs some times inside [`counted`], and callgrind is told to look nowhere else.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long one batch takes at least.
const BATCH: Duration = Duration::from_millis(10);
/// Batches for each benchmark.
const BATCHES: usize = 21;

/// Operations before instructions are counted, so that pools and tables are as they will be. Few, since callgrind counts calls of these, too.
const WARM: u32 = 2;
/// Operations whose instructions are counted.
const COUNTED: u32 = 64;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Time, in many batches.
    Time,
    /// Time, in one short batch: that it works.
    Quick,
    /// Instructions: names and how many operations, one line each; the counting is callgrind's.
    Instructions,
}

/// Runs benchmarks and prints them as they end.
#[derive(Debug)]
pub(crate) struct Meter {
    what: What,
    words: Vec<String>,
    headed: bool,
}

impl Meter {
    /// `words`: only benchmarks whose name contains one of them; all if there are none.
    pub(crate) fn new(what: What, words: Vec<String>) -> Self {
        Self { what, words, headed: false }
    }

    /// Measures `operation`, which handles `bytes` bytes; 0 if that means nothing.
    pub(crate) fn bench<T>(&mut self, name: &str, bytes: usize, mut operation: impl FnMut() -> T) {
        if !self.words.is_empty() && !self.words.iter().any(|word| name.contains(word.as_str())) {
            return;
        }
        let (batch, batches) = match self.what {
            What::Time => (BATCH, BATCHES),
            What::Quick => (BATCH / 10, 1),
            What::Instructions => {
                time(WARM, &mut operation);
                counted(&mut || drop(black_box(operation())));
                say(&format!("{name}\t{COUNTED}"));
                return;
            }
        };
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

/// What callgrind looks into, by its name.
#[inline(never)]
fn counted(operation: &mut dyn FnMut()) {
    for _ in 0..COUNTED {
        operation();
    }
}

#[expect(clippy::print_stdout, reason = "a command-line tool")]
fn say(line: &str) {
    println!("{line}");
}
