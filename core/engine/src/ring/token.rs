//! What a completion says whose it is: 64 bits of `user_data`.
//!
//! ```text
//!   63              32 31             0
//!   ├─── sequence ────┼──── index ────┤      index: a place in the table of operations
//! ```
//!
//! The sequence counts how often that place has been given away. So a completion, or a cancel, that was meant for an earlier
//! operation never meets a later one; whose operation it is, slot and generation included, stands in the table.

/// An operation that has been started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) index: u32,
    pub(crate) sequence: u32,
}

/// `user_data` of cancels, whose own completions nobody needs. No table is so large that this is a token.
pub(crate) const CANCEL: u64 = u64::MAX;

impl Token {
    pub(crate) fn bits(self) -> u64 {
        u64::from(self.sequence) << 32 | u64::from(self.index)
    }

    pub(crate) fn of(bits: u64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "the lower half is the index")]
        let index = bits as u32;
        let sequence = (bits >> 32) as u32;
        Self { index, sequence }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_as_they_were() {
        for index in [0, 1, 1 << 26] {
            for sequence in [0, 1, u32::MAX] {
                let token = Token { index, sequence };
                assert_eq!(Token::of(token.bits()), token);
                assert_ne!(token.bits(), CANCEL);
            }
        }
    }
}
