//! Commands without a conversation: one from the arguments, or the lines of standard input.

use std::io::{self, BufRead, Read as _};
use std::ops::ControlFlow;

use gate_config::text::lex::lex;
use gate_proto::frame::LINE_BYTES_MAX;
use zeroize::Zeroizing;

use super::carry::{Carried, Format, SOME_FAILED, carry};
use super::fault::{self, Fault};
use super::print::Printer;
use super::talk::Talk;

/// How several lines went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    done: u64,
    failed: u64,
    /// Of one line some commands failed, and others did not.
    some: bool,
}

impl Tally {
    /// Counts a line.
    pub const fn add(&mut self, number: u16) {
        match number {
            0 => self.done += 1,
            SOME_FAILED => self.some = true,
            _ => self.failed += 1,
        }
    }

    /// What a shell is told.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match (self.done, self.failed, self.some) {
            (_, 0, false) => 0,
            (0, _, false) => fault::REFUSED,
            (_, _, _) => fault::SOME_FAILED,
        }
    }
}

/// Carries out lines that are at hand.
///
/// # Errors
/// [`Fault`]; what comes after it was not tried.
pub fn lines<'l>(
    talk: &mut Talk,
    lines: impl IntoIterator<Item = &'l str>,
    format: Format,
    printer: &mut Printer<'_>,
) -> Result<Tally, Fault> {
    let mut tally = Tally::default();
    for line in lines {
        if one(talk, line, format, printer, &mut tally)?.is_break() {
            break;
        }
    }
    Ok(tally)
}

/// Carries out lines as they come.
///
/// # Errors
/// [`Fault`]; what comes after it was not tried.
pub fn stream(talk: &mut Talk, input: &mut dyn BufRead, format: Format, printer: &mut Printer<'_>) -> Result<Tally, Fault> {
    let mut tally = Tally::default();
    while let Some(line) = next_line(input) {
        if one(talk, &line, format, printer, &mut tally)?.is_break() {
            break;
        }
    }
    Ok(tally)
}

fn one(
    talk: &mut Talk,
    line: &str,
    format: Format,
    printer: &mut Printer<'_>,
    tally: &mut Tally,
) -> Result<ControlFlow<()>, Fault> {
    let lexed = lex(line);
    if lexed.tokens.is_empty() && lexed.fault.is_none() {
        return Ok(ControlFlow::Continue(()));
    }
    let carried = carry(talk, line, format, &mut |kind, said| printer.hear(kind, said));
    printer.finish().map_err(|_| Fault::Unread)?;
    match carried? {
        Carried::Number(number) => tally.add(number),
        Carried::Leave => return Ok(ControlFlow::Break(())),
        // How answers are shown is not kept from one call to the next.
        Carried::Own(_) => {}
    }
    Ok(ControlFlow::Continue(()))
}

/// The next line of a stream, as much of it as the gateway would take and a bit more, so that it is the gateway that says what is wrong.
/// What is not UTF-8 is replaced by what no command has.
fn next_line(input: &mut dyn BufRead) -> Option<Zeroizing<String>> {
    let most = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX) + 2;
    let mut bytes = Zeroizing::new(Vec::with_capacity(LINE_BYTES_MAX + 2));
    let read = (&mut *input).take(most).read_until(b'\n', &mut bytes);
    if read.is_err() || bytes.is_empty() {
        return None;
    }
    if bytes.last() != Some(&b'\n') && bytes.len() > LINE_BYTES_MAX {
        skip_line(input);
    }
    while matches!(bytes.last(), Some(b'\n' | b'\r')) {
        bytes.pop();
    }
    Some(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()))
}

fn skip_line(input: &mut dyn BufRead) {
    let _: io::Result<usize> = input.skip_until(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes() {
        let code = |numbers: &[u16]| {
            let mut tally = Tally::default();
            numbers.iter().for_each(|number| tally.add(*number));
            tally.exit_code()
        };
        assert_eq!(
            [code(&[]), code(&[0, 0]), code(&[258]), code(&[258, 273]), code(&[0, 258]), code(&[1059])],
            [0, 0, 1, 1, 4, 4]
        );
        assert_eq!(code(&[1060]), 1);
    }

    #[test]
    fn lines_of_a_stream() {
        let long = "x".repeat(LINE_BYTES_MAX + 100);
        let text = format!("a\r\n\n{long}\nb");
        let mut input = text.as_bytes();
        let mut found = Vec::new();
        while let Some(line) = next_line(&mut input) {
            found.push(line.len());
        }
        assert_eq!(found, [1, 0, LINE_BYTES_MAX + 2, 1]);
    }
}
