//! "Did you mean": the nearest of the words that would have been right.

/// Longest word that is looked at, in characters; nobody mistypes longer ones.
const WORD_CHARS_MAX: usize = 64;
/// Words that are compared; the search costs time for each, and with more the answer is luck anyway.
const KNOWN_MAX: usize = 1024;

/// The word of `known` that is nearest to `written`, if one is near enough to be meant. Case is no difference.
pub(crate) fn nearest<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let written: Vec<char> = written.to_lowercase().chars().collect();
    // With one letter, every other letter would be near.
    if written.len() < 2 || written.len() > WORD_CHARS_MAX {
        return None;
    }
    // One slip for every three letters, at least one.
    let slips = (written.len() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for word in known.into_iter().take(KNOWN_MAX) {
        let distance = distance(&written, &word.to_lowercase().chars().take(WORD_CHARS_MAX).collect::<Vec<_>>());
        if distance <= slips && best.is_none_or(|(so_far, _)| distance < so_far) {
            best = Some((distance, word));
        }
    }
    best.map(|(_, word)| word)
}

/// Letters to change, add, drop, or swap with their neighbour (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            let mut cost = (at(&last, j) + usize::from(x != y)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                cost = cost.min(at(&before, j - 1) + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let known = ["cert", "key", "password", "vserver", "certKey"];
        assert_eq!(nearest("certt", known), Some("cert"));
        assert_eq!(nearest("vsrever", known), Some("vserver"));
        assert_eq!(nearest("CERTKYE", known), Some("certKey"));
        assert_eq!(nearest("kye", known), Some("key"));
        assert_eq!(nearest("banana", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest(&"x".repeat(100), known), None);
    }
}
