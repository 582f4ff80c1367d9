//! Text that others have chosen, shown so that it can do nothing: not move a cursor, not begin a line, not turn a word round.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character does something to a terminal, a log or the order of letters instead of being seen: C0, DEL, C1, line and
/// paragraph separators, the marks and overrides of bidirectional text, and invisible characters that make two names look alike.
#[must_use]
pub const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// `text` with every unseen character as `\u{…}`. Borrowed if there is none, which is nearly always.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unseen(c) {
            // Writing to a `String` cannot fail.
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// JSON in which what is unseen is escaped as JSON escapes it, so that it reads back equal. JSON itself leaves much of it as it is;
/// it can only stand in strings, so all of it may be escaped.
#[must_use]
pub fn visible_json(json: String) -> String {
    if !json.contains(is_unseen) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_unseen(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_acts_is_shown_and_what_is_seen_stays() {
        for (text, shown) in [
            ("plain ünïcödé 日本", "plain ünïcödé 日本"),
            ("a\nb\r\tc", "a\\u{a}b\\u{d}\\u{9}c"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("user\u{202e}nimda", "user\\u{202e}nimda"),
            ("x\u{2028}y\u{85}z", "x\\u{2028}y\\u{85}z"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }

    proptest! {
        #[test]
        fn nothing_unseen_is_left(text in any::<String>()) {
            let shown = visible(&text);
            prop_assert!(!shown.contains(is_unseen));
            prop_assert!(!shown.chars().any(char::is_control));
            prop_assert_eq!(matches!(shown, Cow::Borrowed(_)), !text.contains(is_unseen));
        }
    }
}
