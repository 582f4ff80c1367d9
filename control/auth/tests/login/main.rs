//! Logins from configuration text to decisions: what `docs/login.md` promises, rule by rule.
//!
//! A script says what happens (`>`) and what must come of it (`<`); the words are in [`kit`].
#![expect(clippy::unwrap_used, reason = "it is a test")]

mod cascades;
mod certificates;
mod codes;
mod crowd;
mod dialogues;
mod factors;
mod gates;
mod kit;
mod replays;
mod scans;
mod seed;
mod simulation;
mod watches;
