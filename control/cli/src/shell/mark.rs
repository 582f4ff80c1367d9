//! Which word of a line an error is about, and the `^^^` below it.

use gate_config::order::{read, split};
use gate_config::text::lex::lex;
use ratatui::text::Line;

/// What goes below a line that was typed behind a prompt, so that it marks the word that `complaint` is about. None if that cannot be told, or
/// if the line was longer than the terminal is wide.
#[must_use]
pub fn under(line: &str, complaint: &str, prompt_width: usize, columns: u16) -> Option<String> {
    if split(line).len() > 1 {
        return None;
    }
    let (column, width) = by_grammar(line).or_else(|| by_name(line, complaint))?;
    // Columns count characters; wide ones take two cells.
    let cells = |from: usize, count: usize| Line::raw(line.chars().skip(from).take(count).collect::<String>()).width();
    let before = prompt_width + cells(0, column - 1);
    let marked = cells(column - 1, width).max(1);
    (before + marked <= usize::from(columns)).then(|| format!("{}{}", " ".repeat(before), "^".repeat(marked)))
}

/// The line is wrong by itself.
fn by_grammar(line: &str) -> Option<(usize, usize)> {
    let problems = read(line).err()?;
    let place = problems.first()?.place.as_ref()?;
    // The place fits the line as it is shown; with a secret masked, that is another line.
    (*place.shown == *line).then_some((place.column, place.width))
}

/// The complaint names a word: `No such resource [x]`, `Resource already exists [certkeyName, x]`.
fn by_name(line: &str, complaint: &str) -> Option<(usize, usize)> {
    let first = complaint.lines().next()?;
    let inside = first.split_once('[')?.1.rsplit_once(']')?.0;
    let name = inside.rsplit(", ").next()?.trim_start_matches('-');
    let tokens = lex(line).tokens;
    let token = tokens.iter().rev().find(|token| *token.value == name)?;
    Some((token.span.column, token.span.width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_marked() {
        let line = "show vpn vservre";
        assert_eq!(under(line, "No such command [vservre]", 2, 80).as_deref(), Some("           ^^^^^^^"));
        assert_eq!(under("rm vpn vserver gw", "No such resource [gw]", 2, 80).as_deref(), Some("                 ^^"));
        assert_eq!(
            under("rm vpn vserver \"日 本\"", "No such resource [name, 日 本]", 0, 80).as_deref(),
            Some("               ^^^^^^^")
        );
        assert_eq!(under("rm vpn vserver gw", "Resource in use", 2, 80), None);
        assert_eq!(under("rm vpn vserver gw", "No such resource [gw]", 2, 18), None);
        assert_eq!(under("show x; show y", "No such command [x]", 2, 80), None);
    }
}
