//! Inputs from inputs: small wounds, some of them clever.

/// Longest input made, in bytes: beyond the largest cap of the codecs under test.
pub(crate) const INPUT_BYTES_MAX: usize = 72 * 1024;
/// Most wounds in one input.
const WOUNDS_MAX: u64 = 6;
/// Values at which lengths and counts go wrong.
const EDGES: [u8; 10] = [0x00, 0x01, 0x02, 0x04, 0x05, 0x20, 0x7f, 0x80, 0xfe, 0xff];

/// A stream of numbers that follows from its seed (splitmix64). For tests only.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The stream for the `n`-th input of a run.
    pub(crate) fn new(seed: u64, n: u64) -> Self {
        let mut dice = Self(seed ^ n.wrapping_mul(0xa076_1d64_78bd_642f));
        dice.roll();
        dice
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `sides`; zero if that is zero.
    pub(crate) fn below(&mut self, sides: usize) -> usize {
        let sides = u64::try_from(sides).unwrap_or(u64::MAX);
        self.roll().checked_rem(sides).and_then(|n| usize::try_from(n).ok()).unwrap_or_default()
    }

    fn byte(&mut self) -> u8 {
        self.roll().to_le_bytes()[0]
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> Option<&'a T> {
        let at = self.below(from.len());
        from.get(at).copied()
    }
}

/// One input out of `corpus`.
pub(crate) fn input(dice: &mut Dice, corpus: &[Vec<u8>], words: &[&[u8]]) -> Vec<u8> {
    let seeds: Vec<&[u8]> = corpus.iter().map(Vec::as_slice).collect();
    let mut input = dice.pick(&seeds).unwrap_or_default().to_vec();
    for _ in 0..=dice.roll() % WOUNDS_MAX {
        wound(dice, &mut input, &seeds, words);
        input.truncate(INPUT_BYTES_MAX);
    }
    input
}

fn wound(dice: &mut Dice, input: &mut Vec<u8>, seeds: &[&[u8]], words: &[&[u8]]) {
    let at = dice.below(input.len() + 1);
    let run = at..(at + 1 + dice.below(16)).min(input.len());
    match dice.below(10) {
        0 => flip(dice, input, at),
        1 => overwrite(input, at, &[EDGES[dice.below(EDGES.len())]]),
        2 => overwrite(input, at, &[dice.byte()]),
        3 => drop(input.drain(run.start.min(run.end)..run.end)),
        4 => insert(input, at, &[dice.byte()]),
        5 => {
            let copy = input[run.start.min(run.end)..run.end].repeat(1 + dice.below(64));
            insert(input, at, &copy);
        }
        6 => input.truncate(at),
        7 => {
            let word = dice.pick(words).unwrap_or_default();
            insert(input, at, word);
        }
        8 => {
            let word = dice.pick(words).unwrap_or_default();
            overwrite(input, at, word);
        }
        _ => {
            // The front of this one, the back of another.
            let other = dice.pick(seeds).unwrap_or_default();
            input.truncate(at);
            input.extend(&other[dice.below(other.len() + 1)..]);
        }
    }
}

fn flip(dice: &mut Dice, input: &mut [u8], at: usize) {
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << dice.below(8);
    }
}

fn overwrite(input: &mut [u8], at: usize, with: &[u8]) {
    for (place, byte) in input.iter_mut().skip(at).zip(with) {
        *place = *byte;
    }
}

fn insert(input: &mut Vec<u8>, at: usize, what: &[u8]) {
    input.splice(at..at, what.iter().copied());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_follows_from_seed_and_number() {
        let corpus = [b"first seed".to_vec(), b"second".to_vec(), Vec::new()];
        let made = |seed, n| input(&mut Dice::new(seed, n), &corpus, &[b"word"]);
        assert_eq!(made(7, 3), made(7, 3));
        let different: std::collections::HashSet<_> = (0..100).map(|n| made(7, n)).collect();
        assert!(different.len() > 50, "only {} of 100 inputs differ", different.len());
        assert_ne!((0..9).map(|n| made(7, n)).collect::<Vec<_>>(), (0..9).map(|n| made(8, n)).collect::<Vec<_>>());
    }
}
