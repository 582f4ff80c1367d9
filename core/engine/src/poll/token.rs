//! Whose readiness it is: 64 bits that epoll hands back.
//!
//! ```text
//!   63  62 61       58 57  56            32 31         0
//!   ├─ kind ─┤  unused  │leg│     slot      │ generation │
//! ```

use mio::Token;
use sluice_flow::event::Leg;
use sluice_flow::port::{Generation, Slot, SlotKey};

/// What a readiness event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Leg(SlotKey, Leg),
    /// By its place in the table of listeners.
    Listener(usize),
    Wake,
}

const _: () = assert!(usize::BITS == 64, "a token holds a slot and a generation");

const SLOT_BITS: u32 = 24;
/// Slots that a token can tell apart.
pub(crate) const SLOTS_MAX: u32 = 1 << SLOT_BITS;
const LEG: usize = 1 << 57;
const LISTENER: usize = 1 << 62;
const WAKE: usize = 1 << 63;

impl From<Source> for Token {
    fn from(source: Source) -> Self {
        Self(match source {
            Source::Leg(key, leg) => {
                let leg = match leg {
                    Leg::Client => 0,
                    Leg::Host => LEG,
                };
                leg | (key.slot.0 as usize) << 32 | key.generation.0 as usize
            }
            Source::Listener(index) => LISTENER | index,
            Source::Wake => WAKE,
        })
    }
}

impl From<Token> for Source {
    fn from(Token(bits): Token) -> Self {
        if bits & WAKE != 0 {
            return Self::Wake;
        }
        if bits & LISTENER != 0 {
            return Self::Listener(bits & !LISTENER);
        }
        let leg = if bits & LEG == 0 { Leg::Client } else { Leg::Host };
        #[expect(clippy::cast_possible_truncation, reason = "masked to 24 bits")]
        let slot = Slot((bits >> 32) as u32 & (SLOTS_MAX - 1));
        #[expect(clippy::cast_possible_truncation, reason = "the lower half is the generation")]
        let generation = Generation(bits as u32);
        Self::Leg(SlotKey { slot, generation }, leg)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_as_they_were() {
        for slot in [0, 1, SLOTS_MAX - 1] {
            for generation in [0, 1, u32::MAX] {
                for leg in [Leg::Client, Leg::Host] {
                    let source = Source::Leg(SlotKey { slot: Slot(slot), generation: Generation(generation) }, leg);
                    assert_eq!(Source::from(Token::from(source)), source);
                }
            }
        }
        for source in [Source::Listener(0), Source::Listener(255), Source::Wake] {
            assert_eq!(Source::from(Token::from(source)), source);
        }
    }
}
