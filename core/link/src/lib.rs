//! What crosses the line between the planes: ids, messages, the snapshot, reasons and counters.
//!
//! ```text
//!   worker 0 ─┐                                   ┌─► tell ring of worker 0   (one producer, one consumer)
//!   worker 1 ─┼─► ask queue (many producers) ─► control ─► tell ring of worker 1
//!   worker n ─┘                                   └─► …
//!
//!   ask:  Redeem, Opened, Closed            tell: Redeemed, Drain, Kill, Stop           publish: Snapshot
//! ```
//!
//! Every message is a plain value without borrows. Every message about a session carries its [`id::SessionKey`], whose
//! generation makes a late answer harmless: the slot may have been given to somebody else meanwhile, the generation not.
//! What control likes to know at any time it reads without asking: [`count`], [`live`] and [`spread`] have one writer each, the
//! worker. The queues themselves live with the workers; control sees them through [`port::Sluice`].
#![forbid(unsafe_code)]

pub mod ask;
pub mod count;
pub mod id;
pub mod live;
pub mod port;
pub mod reason;
pub mod snapshot;
pub mod spread;
pub mod tell;
pub mod time;
