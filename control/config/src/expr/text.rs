//! What is done with texts: compared, searched, cut. With or without regard to case; either way a text is gone through once.

use std::borrow::Cow;
use std::ops::Range;

use zeroize::Zeroizing;

/// A text as it is compared without regard to case. It has as many bytes as the text itself, and each character stands where it stood:
/// letters whose other case is longer or shorter stay as they are.
pub(super) fn fold(text: &str) -> Zeroizing<String> {
    let mut folded = String::with_capacity(text.len());
    folded.extend(text.chars().map(|c| {
        let mut lower = c.to_lowercase();
        match (lower.next(), lower.next()) {
            (Some(lower), None) if lower.len_utf8() == c.len_utf8() => lower,
            _ => c,
        }
    }));
    Zeroizing::new(folded)
}

/// Two texts, ready to be compared byte by byte.
fn ready<T>(text: &str, other: &str, folded: bool, compare: impl FnOnce(&str, &str) -> T) -> T {
    if folded { compare(&fold(text), &fold(other)) } else { compare(text, other) }
}

pub(super) fn equal(text: &str, other: &str, folded: bool) -> bool {
    text.len() == other.len() && ready(text, other, folded, |text, other| text == other)
}

pub(super) fn starts_with(text: &str, other: &str, folded: bool) -> bool {
    ready(text, other, folded, |text, other| text.starts_with(other))
}

pub(super) fn ends_with(text: &str, other: &str, folded: bool) -> bool {
    ready(text, other, folded, |text, other| text.ends_with(other))
}

/// Where `other` first stands in `text`.
pub(super) fn find(text: &str, other: &str, folded: bool) -> Option<Range<usize>> {
    ready(text, other, folded, |text, other| text.find(other)).map(|at| at..at + other.len())
}

/// Where character number `index` begins; the end if there are not so many.
pub(super) fn at_character(text: &str, index: usize) -> usize {
    text.char_indices().nth(index).map_or(text.len(), |(at, _)| at)
}

/// A text from bytes that may be none: what is not UTF-8 becomes U+FFFD.
pub(super) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Where names and values stand in a text: `a=1;b=2`, without blanks around them.
pub(super) fn pairs(text: &str, equals: char, divider: char) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    let mut start = 0;
    let pieces = text.split(divider).map(move |piece| {
        let range = start..start + piece.len();
        start = range.end + divider.len_utf8();
        range
    });
    pieces.map(move |piece| trimmed(text, piece)).filter(|piece| !piece.is_empty()).map(move |piece| {
        let inside = text.get(piece.clone()).unwrap_or_default();
        let (name, value) = match inside.split_once(equals) {
            None => (piece.clone(), piece.end..piece.end),
            Some((name, value)) => (piece.start..piece.start + name.len(), piece.end - value.len()..piece.end),
        };
        (trimmed(text, name), trimmed(text, value))
    })
}

/// A part of a text without the blanks at its ends.
fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = text.get(range.clone()).unwrap_or_default();
    let start = range.start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_is_a_difference_or_none() {
        assert!(equal("Ann", "aNN", true) && !equal("Ann", "aNN", false));
        assert!(equal("MÜLLER", "müller", true));
        // The small letter of the Kelvin sign is shorter: it stays a letter of its own.
        assert!(!equal("\u{212a}", "k", true));
        assert_eq!(find("user@DOM.example", "@dom.", true), Some(4..9));
        assert_eq!(find("user@DOM.example", "@dom.", false), None);
        assert!(starts_with("CitrixReceiver/1", "citrix", true) && ends_with("a.EXE", ".exe", true));
    }

    #[test]
    fn pairs_are_told_apart() {
        let found = |text: &'static str| pairs(text, '=', ';').map(|(n, v)| (&text[n], &text[v])).collect::<Vec<_>>();
        assert_eq!(found("a=1; b = 2;;c; =x"), [("a", "1"), ("b", "2"), ("c", ""), ("", "x")]);
        assert_eq!(found(""), []);
    }

    proptest! {
        #[test]
        fn folding_keeps_every_place(text in "\\PC{0,40}", at in 0_usize..40) {
            let folded = fold(&text);
            prop_assert_eq!(folded.len(), text.len());
            prop_assert_eq!(folded.is_char_boundary(at), text.is_char_boundary(at));
            let from = at_character(&text, at);
            prop_assert!(text.is_char_boundary(from));
            if let Some(range) = find(&text, &text[from..], true) {
                prop_assert!(text.get(range).is_some());
            } else {
                prop_assert!(false, "a part of a text stands in it");
            }
        }
    }
}
