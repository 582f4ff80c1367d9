//! Long answers by the page: through $PAGER if there is one, else our own, which does no more than stop.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::terminal;
use ratatui::text::Line;

/// What the prompt of our own pager says.
const MORE: &str = "-- space: next page, enter: next line, q: enough --";

/// Columns and lines of the terminal.
#[must_use]
pub fn size() -> (u16, u16) {
    terminal::size().ok().filter(|(columns, lines)| *columns > 0 && *lines > 0).unwrap_or((80, 24))
}

/// Shows a text, by the page if it is longer than the terminal is high.
pub fn show(text: &str, by_page: bool) {
    let (columns, lines) = size();
    if !by_page || height(text, columns) < usize::from(lines) {
        super::say(text);
        return;
    }
    match std::env::var("PAGER").ok().filter(|pager| !pager.trim().is_empty()) {
        Some(pager) if through(&pager, text).is_ok() => {}
        Some(_) | None => own(text, columns, lines),
    }
}

fn through(pager: &str, text: &str) -> io::Result<()> {
    let mut command = Command::new("sh");
    command.args(["-c", pager]).stdin(Stdio::piped());
    // Colours are ours, a short rest needs no key, and the answer stays on the screen.
    if std::env::var_os("LESS").is_none() {
        command.env("LESS", "FRX");
    }
    let mut child = command.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // A pager that was left early has shown enough.
        let _ = input.write_all(text.as_bytes());
    }
    let status = child.wait()?;
    // The shell's word for a program that is not there.
    if status.code() == Some(127) { Err(io::ErrorKind::NotFound.into()) } else { Ok(()) }
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Page,
    Line,
    Enough,
    Nothing,
}

fn own(text: &str, columns: u16, lines: u16) {
    let page = usize::from(lines.saturating_sub(1)).max(1);
    let mut room = page;
    for line in text.split_inclusive('\n') {
        let needed = height(line, columns).max(1);
        if needed > room {
            match ask() {
                Step::Page | Step::Nothing => room = page,
                Step::Line => room = needed,
                Step::Enough => return,
            }
        }
        super::say(line);
        room = room.saturating_sub(needed);
    }
}

/// Waits for a key below the page.
fn ask() -> Step {
    super::say(MORE);
    let mut step = Step::Nothing;
    if terminal::enable_raw_mode().is_ok() {
        while step == Step::Nothing {
            step = match event::read() {
                Ok(Event::Key(key)) if key.kind != KeyEventKind::Release => step_of(key),
                Ok(_) => Step::Nothing,
                Err(_) => Step::Enough,
            };
        }
        // A terminal that cannot be given back is gone.
        let _ = terminal::disable_raw_mode();
    }
    super::say("\r\x1b[K");
    step
}

fn step_of(key: KeyEvent) -> Step {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let is = |codes: &[KeyCode]| codes.contains(&key.code);
    let character = |c| KeyCode::Char(c);
    if control && is(&[character('c'), character('d')]) || is(&[character('q'), character('Q'), KeyCode::Esc]) {
        Step::Enough
    } else if is(&[character(' '), character('f'), KeyCode::PageDown]) {
        Step::Page
    } else if is(&[KeyCode::Enter, KeyCode::Down, character('j')]) {
        Step::Line
    } else {
        Step::Nothing
    }
}

/// Lines of the terminal that a text takes.
fn height(text: &str, columns: u16) -> usize {
    text.lines().map(|line| cells(line).div_ceil(usize::from(columns)).max(1)).sum()
}

/// Cells that a line takes: without what only colours it, tabs up to their stops.
fn cells(line: &str) -> usize {
    let mut cells = 0;
    for (at, piece) in line.split('\x1b').enumerate() {
        let seen = if at == 0 { piece } else { piece.split_once('m').map_or("", |(_, seen)| seen) };
        for (at, words) in seen.split('\t').enumerate() {
            if at > 0 {
                cells = cells / 8 * 8 + 8;
            }
            cells += Line::raw(words).width();
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights() {
        assert_eq!(height("", 80), 0);
        assert_eq!(height("a\nb\n", 80), 2);
        assert_eq!(height("\n\n", 80), 2);
        assert_eq!(height(&"x".repeat(81), 80), 2);
        assert_eq!(height("\x1b[31mERROR:\x1b[0m x", 8), 1);
        assert_eq!(cells("\tx"), 9);
        assert_eq!(cells("1)\tName: 日本"), 8 + 10);
    }

    #[test]
    fn keys() {
        let of = |code| step_of(KeyEvent::new(code, KeyModifiers::NONE));
        assert_eq!([of(KeyCode::Char(' ')), of(KeyCode::Enter), of(KeyCode::Char('q'))], [Step::Page, Step::Line, Step::Enough]);
        assert_eq!(step_of(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Step::Enough);
        assert_eq!(of(KeyCode::Char('c')), Step::Nothing);
    }
}
