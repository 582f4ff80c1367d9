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
    let mut letters: Vec<char> = Vec::new();
    let mut rows = Rows::default();
    for word in known.into_iter().take(KNOWN_MAX) {
        // Each letter more or less is a slip.
        if word.len() + slips < written.len() || word.chars().count() > written.len() + slips {
            continue;
        }
        letters.clear();
        letters.extend(word.chars().flat_map(char::to_lowercase));
        let most = best.map_or(slips, |(so_far, _)| so_far.saturating_sub(1));
        if let Some(distance) = rows.distance(&written, &letters, most) {
            best = Some((distance, word));
            if distance == 0 {
                break;
            }
        }
    }
    best.map(|(_, word)| word)
}

/// The last rows of the table of distances between beginnings of two words.
#[derive(Default)]
struct Rows {
    before: Vec<usize>,
    last: Vec<usize>,
    row: Vec<usize>,
}

impl Rows {
    /// Letters to change, add, drop, or swap with their neighbour (optimal string alignment), if these are at most `most`.
    fn distance(&mut self, a: &[char], b: &[char], most: usize) -> Option<usize> {
        self.before.clear();
        self.last.clear();
        self.last.extend(0..=b.len());
        for (i, x) in a.iter().enumerate() {
            self.row.clear();
            self.row.push(i + 1);
            let mut least = i + 1;
            for (j, y) in b.iter().enumerate() {
                let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
                let mut cost = (at(&self.last, j) + usize::from(x != y)).min(at(&self.last, j + 1) + 1).min(at(&self.row, j) + 1);
                let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
                if swapped {
                    cost = cost.min(at(&self.before, j - 1) + 1);
                }
                least = least.min(cost);
                self.row.push(cost);
            }
            // No later row can fall below the least of two neighbours, and a swap reaches back by one row only.
            if least > most + 1 {
                return None;
            }
            std::mem::swap(&mut self.before, &mut self.last);
            std::mem::swap(&mut self.last, &mut self.row);
        }
        self.last.last().copied().filter(|distance| *distance <= most)
    }
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
