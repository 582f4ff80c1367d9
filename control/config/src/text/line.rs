//! A file to its lines: numbered, without line ends.

/// Longest file, in bytes.
pub const FILE_BYTES_MAX: usize = 16 << 20;
/// Longest line, in bytes.
pub const LINE_BYTES_MAX: usize = 16 << 10;

/// A line of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'t> {
    /// Counted from 1.
    pub number: usize,
    /// Without its end.
    pub text: &'t str,
}

/// Why a text cannot be read as one line.
pub(crate) fn not_a_line(text: &str) -> Option<String> {
    if text.len() > LINE_BYTES_MAX {
        return Some(format!("a line has at most {LINE_BYTES_MAX} bytes"));
    }
    // Kept as it is, it would be two lines when it is printed.
    text.trim_end_matches(['\r', '\n']).contains('\n').then(|| "a line ends with its line feed, and has none before".to_owned())
}

/// The lines of `text`. Ends may be LF or CRLF; a byte order mark is dropped.
pub fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.lines().enumerate().map(|(at, text)| Line { number: at + 1, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line() {
        for (text, is) in [("", true), ("a b\r\n", true), ("a\rb", true), ("a\nb", false), ("\na", false), ("a\n\n", true)] {
            assert_eq!(not_a_line(text).is_none(), is, "{text:?}");
        }
        assert!(not_a_line(&"a".repeat(LINE_BYTES_MAX)).is_none());
        assert!(not_a_line(&"a".repeat(LINE_BYTES_MAX + 1)).is_some());
    }

    #[test]
    fn ends_and_mark_are_dropped() {
        let read: Vec<_> = lines("\u{feff}a\r\n\n b \nc").map(|l| (l.number, l.text)).collect();
        assert_eq!(read, [(1, "a"), (2, ""), (3, " b "), (4, "c")]);
    }
}
