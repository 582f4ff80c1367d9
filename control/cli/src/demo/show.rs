//! What the demonstration prints: aligned lines, colour where a terminal wants it, a bar while bytes flow.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

/// Columns for the name of a step.
const NAME_COLUMNS: usize = 27;
/// Columns for what happened.
const NEWS_COLUMNS: usize = 52;
/// Cells of the bar.
const BAR_CELLS: u64 = 32;

/// How a step is tied to its neighbours: steps inside the gateway share one time, that of the request that caused them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    /// A step of its own.
    Alone,
    /// First of several.
    First,
    /// Between first and last.
    Middle,
    /// Last of several; the time stands here.
    Last,
}

/// Where lines go.
pub struct Show<'o> {
    out: &'o mut dyn Write,
    colour: bool,
    live: bool,
    said_percent: u64,
}

impl<'o> Show<'o> {
    /// Decides about colour: a terminal, no `NO_COLOR`, not a dumb one.
    #[must_use]
    pub fn new(out: &'o mut dyn Write) -> Self {
        let live = io::stdout().is_terminal();
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let able = std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self { out, colour: live && wanted && able, live, said_percent: 0 }
    }

    /// Never colour, never a bar.
    #[must_use]
    pub fn plain(out: &'o mut dyn Write) -> Self {
        Self { out, colour: false, live: false, said_percent: 0 }
    }

    /// A heading.
    ///
    /// # Errors
    /// If the output is gone.
    pub fn heading(&mut self, text: &str) -> io::Result<()> {
        let text = self.paint("1", text);
        writeln!(self.out, "\n{text}")
    }

    /// A line of plain words.
    ///
    /// # Errors
    /// If the output is gone.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "  {text}")
    }

    /// A name and a value.
    ///
    /// # Errors
    /// If the output is gone.
    pub fn fact(&mut self, name: &str, value: &str) -> io::Result<()> {
        let name = self.paint("2", &format!("{name:<12}"));
        writeln!(self.out, "  {name}{value}")
    }

    /// A step that went well.
    ///
    /// # Errors
    /// If the output is gone.
    pub fn step(&mut self, number: &str, name: &str, news: &str, tie: Tie, took: Option<Duration>) -> io::Result<()> {
        let mark = self.paint("32", "✓");
        let number = self.paint("1", &format!("{number:>2}"));
        let mut line = format!("  {mark} {number}  {}  {}", pad(name, NAME_COLUMNS), pad(news, NEWS_COLUMNS));
        let tie = match tie {
            Tie::Alone => " ",
            Tie::First => "┐",
            Tie::Middle => "│",
            Tie::Last => "┘",
        };
        let took = took.map(in_words).unwrap_or_default();
        let _ = write!(line, " {} {}", self.paint("2", tie), self.paint("2", &format!("{took:>9}")));
        writeln!(self.out, "{}", line.trim_end())
    }

    /// A step that did not.
    ///
    /// # Errors
    /// If the output is gone.
    pub fn failed(&mut self, number: &str, name: &str, why: &str) -> io::Result<()> {
        let mark = self.paint("1;31", "✗");
        let number = self.paint("1", &format!("{number:>2}"));
        writeln!(self.out, "  {mark} {number}  {}  {}", pad(name, NAME_COLUMNS), self.paint("31", why))
    }

    /// How far a transfer is. On a terminal a bar in place; elsewhere a line for each quarter.
    ///
    /// # Errors
    /// If the output is gone.
    pub fn progress(&mut self, up: u64, down: u64, total: u64, since: Duration) -> io::Result<()> {
        let total = total.max(1);
        let percent = down.min(total) * 100 / total;
        let rates = format!("up {} MiB/s  down {} MiB/s", rate(up, since), rate(down, since));
        if self.live {
            let full = usize::try_from(down.min(total) * BAR_CELLS / total).unwrap_or_default();
            let empty = usize::try_from(BAR_CELLS).unwrap_or_default().saturating_sub(full);
            let bar = format!("{}{}", self.paint("36", &"━".repeat(full)), self.paint("2", &"─".repeat(empty)));
            write!(self.out, "\r\x1b[2K        {bar} {percent:>3} %  {rates}")?;
            return self.out.flush();
        }
        if percent >= self.said_percent + 25 {
            self.said_percent = percent - percent % 25;
            writeln!(self.out, "        {percent:>3} %  {rates}")?;
        }
        Ok(())
    }

    /// The transfer is over; the bar goes.
    ///
    /// # Errors
    /// If the output is gone.
    pub fn progress_over(&mut self) -> io::Result<()> {
        self.said_percent = 0;
        if self.live {
            write!(self.out, "\r\x1b[2K")?
        }
        Ok(())
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

impl std::fmt::Debug for Show<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Show").field("colour", &self.colour).field("live", &self.live).finish_non_exhaustive()
    }
}

/// Mebibytes in a second, without a fraction.
#[must_use]
pub fn rate(bytes: u64, in_time: Duration) -> u64 {
    let millis = u64::try_from(in_time.as_millis()).unwrap_or(u64::MAX).max(1);
    bytes.saturating_mul(1000) / millis / (1024 * 1024)
}

/// A duration in the unit that fits.
#[must_use]
pub fn in_words(took: Duration) -> String {
    let micros = took.as_micros();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{}.{} ms", micros / 1000, micros % 1000 / 100),
        _ => format!("{}.{:02} s", micros / 1_000_000, micros % 1_000_000 / 10_000),
    }
}

/// Padded to `columns`, counted in characters; nothing of it is cut off.
fn pad(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(text.chars().count());
    format!("{text}{}", " ".repeat(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_aligned_and_plain_without_a_terminal() {
        let mut out = Vec::new();
        let mut show = Show::plain(&mut out);
        show.step("1", "short", "news", Tie::First, None).unwrap();
        show.step("14", "größer", "news", Tie::Last, Some(Duration::from_micros(1250))).unwrap();
        show.failed("15", "broken", "because").unwrap();
        show.progress(10, 1024 * 1024 * 60, 1024 * 1024 * 100, Duration::from_secs(2)).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<_> = text.lines().collect();
        let column = |line: &str, needle: char| line.chars().position(|c| c == needle).unwrap();
        assert_eq!(column(lines[0], '┐'), column(lines[1], '┘'));
        assert!(lines[1].ends_with("1.2 ms") && !text.contains('\x1b'), "{text}");
        assert!(lines[2].contains("✗ 15  broken") && lines[2].ends_with("because"));
        assert!(lines[3].contains("60 %") && lines[3].contains("down 30 MiB/s"));
    }

    #[test]
    fn durations_have_the_unit_that_fits() {
        for (micros, words) in [(0, "0 µs"), (999, "999 µs"), (1_000, "1.0 ms"), (999_999, "999.9 ms"), (61_234_567, "61.23 s")]
        {
            assert_eq!(in_words(Duration::from_micros(micros)), words);
        }
    }
}
