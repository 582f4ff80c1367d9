//! Prints an answer while it comes: the text to standard output, what went wrong to standard error.

use std::io::{self, Write};
use std::ops::ControlFlow;

use gate_config::text::visible::visible;
use gate_proto::frame::Say;

use super::paint::{Ink, Paint};

/// Prints answers.
#[expect(missing_debug_implementations, reason = "outputs have none")]
pub struct Printer<'o> {
    /// For answers.
    pub out: &'o mut dyn Write,
    /// How that is painted.
    pub paint: Paint,
    /// For warnings, errors and progress.
    pub talk: &'o mut dyn Write,
    /// How that is painted.
    pub talk_paint: Paint,
    /// Whether a line about progress stands on the terminal.
    pub progressing: bool,
}

impl Printer<'_> {
    /// Prints a piece. Stops if nobody reads any longer.
    pub fn hear(&mut self, kind: Say, said: &str) -> ControlFlow<()> {
        let printed = match kind {
            Say::Text => self.wipe().and_then(|()| self.out.write_all(self.paint.answer(said).as_bytes())),
            Say::Warning => self.tell(Ink::Odd, "Warning", said),
            Say::Error => self.tell(Ink::Bad, "ERROR", said),
            Say::Progress => self.progress(said),
            Say::End => Ok(()),
        };
        if printed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    /// Ends an answer.
    ///
    /// # Errors
    /// If nobody reads any longer.
    pub fn finish(&mut self) -> io::Result<()> {
        self.wipe()?;
        self.out.flush()
    }

    fn tell(&mut self, ink: Ink, word: &str, said: &str) -> io::Result<()> {
        self.wipe()?;
        // What was answered before must stand before.
        self.out.flush()?;
        tell(&mut *self.talk, self.talk_paint, ink, word, said)
    }

    fn progress(&mut self, said: &str) -> io::Result<()> {
        if !self.talk_paint.terminal {
            return Ok(());
        }
        self.progressing = true;
        write!(self.talk, "\r\x1b[K{}", self.talk_paint.ink(Ink::Faint, &visible(said)))?;
        self.talk.flush()
    }

    fn wipe(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.progressing) {
            write!(self.talk, "\r\x1b[K")?;
            self.talk.flush()?;
        }
        Ok(())
    }
}

/// Writes `WORD: said`; further lines of what was said are kept apart from lines of ours.
///
/// # Errors
/// If that cannot be written.
pub fn tell(to: &mut dyn Write, paint: Paint, ink: Ink, word: &str, said: &str) -> io::Result<()> {
    let mut lines = said.lines();
    let first = lines.next().unwrap_or_default();
    writeln!(to, "{} {}", paint.ink(ink, &format!("{word}:")), visible(first))?;
    for line in lines {
        writeln!(to, "  {}", visible(line.trim_start()))?;
    }
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(terminal: bool, said: &[(Say, &str)]) -> (String, String) {
        let (mut out, mut talk) = (Vec::new(), Vec::new());
        let paint = Paint { colors: false, terminal };
        let mut printer = Printer { out: &mut out, paint, talk: &mut talk, talk_paint: paint, progressing: false };
        for (kind, text) in said {
            assert!(printer.hear(*kind, text).is_continue());
        }
        printer.finish().unwrap();
        (String::from_utf8(out).unwrap(), String::from_utf8(talk).unwrap())
    }

    #[test]
    fn each_goes_where_it_belongs() {
        let said = [(Say::Text, "a\n"), (Say::Progress, "5 left"), (Say::Warning, "odd\x1b[2J"), (Say::Error, "bad\n\tmore")];
        let (out, talk) = printed(false, &said);
        assert_eq!((&*out, &*talk), ("a\n", "Warning: odd\\u{1b}[2J\nERROR: bad\n  more\n"));
        let (_, talk) = printed(true, &said);
        assert_eq!(talk, "\r\x1b[K5 left\r\x1b[KWarning: odd\\u{1b}[2J\nERROR: bad\n  more\n");
    }
}
