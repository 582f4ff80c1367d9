//! A bounded cursor over bytes that may not all be there yet.
//!
//! ```text
//!   bytes so far  ├──── read ────┼──── left ────┤ · · · not yet arrived · · ·
//!                                at             └─ asking beyond gives Need(how many at least), which is not an error
//! ```
//!
//! Whoever holds the bytes keeps them until a reader is done, and calls it again from the front when more have come. So
//! a reader holds no state that a split could get wrong.

use crate::error::Malformed;

/// At least this many more bytes are needed, one or more. Not an error: ask again when they have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need(pub usize);

/// Why a reader has no result yet, or never will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// More bytes are needed.
    Need(Need),
    /// No further byte can make this right.
    Malformed(Malformed),
}

impl From<Need> for Stop {
    fn from(need: Need) -> Self {
        Self::Need(need)
    }
}

impl From<Malformed> for Stop {
    fn from(why: Malformed) -> Self {
        Self::Malformed(why)
    }
}

/// The cursor.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    /// A cursor at the front of `bytes`.
    #[must_use]
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes have been read.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// The next `n` bytes.
    ///
    /// # Errors
    /// [`Need`] if they are not all there; the cursor stays where it was.
    pub fn take(&mut self, n: usize) -> Result<&'b [u8], Need> {
        let left = &self.bytes[self.at..];
        let taken = left.get(..n).ok_or_else(|| Need(n - left.len()))?;
        self.at += n;
        Ok(taken)
    }

    /// The next `N` bytes as an array.
    ///
    /// # Errors
    /// As [`Reader::take`].
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Need> {
        let mut taken = [0; N];
        taken.copy_from_slice(self.take(N)?);
        Ok(taken)
    }

    /// The next byte.
    ///
    /// # Errors
    /// As [`Reader::take`].
    pub fn u8(&mut self) -> Result<u8, Need> {
        self.array::<1>().map(|[b]| b)
    }

    /// The next two bytes, big-endian.
    ///
    /// # Errors
    /// As [`Reader::take`].
    pub fn u16(&mut self) -> Result<u16, Need> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next three bytes, big-endian.
    ///
    /// # Errors
    /// As [`Reader::take`].
    pub fn u24(&mut self) -> Result<u32, Need> {
        self.array().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_beyond_the_end_tells_how_much_is_missing_and_moves_nothing() {
        let mut reader = Reader::new(&[1, 2, 3, 4, 5, 6]);
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.u16(), Ok(0x0203));
        assert_eq!(reader.take(5), Err(Need(2)));
        assert_eq!(reader.at(), 3);
        assert_eq!(reader.u24(), Ok(0x0004_0506));
        assert!(reader.is_empty());
        assert_eq!(reader.u8(), Err(Need(1)));
        assert_eq!(reader.take(0), Ok(&[][..]));
    }
}
