//! Text: characters to words with places, and values back to words.
//!
//! ```text
//!   file ─line─► numbered lines ─lex─► words with places          value ─word─► one word that reads back
//!                                                                text of strangers ─visible─► text that does nothing
//! ```
//!
//! Nothing here knows what a command is.

pub mod lex;
pub mod line;
pub mod split;
pub mod time;
pub mod visible;
pub mod word;
