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

/// The lines of `text`. Ends may be LF or CRLF; a byte order mark is dropped.
pub fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.lines().enumerate().map(|(at, text)| Line { number: at + 1, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_mark_are_dropped() {
        let read: Vec<_> = lines("\u{feff}a\r\n\n b \nc").map(|l| (l.number, l.text)).collect();
        assert_eq!(read, [(1, "a"), (2, ""), (3, " b "), (4, "c")]);
    }
}
