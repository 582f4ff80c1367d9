//! Session tickets.

use sluice_link::time::Moment;

/// Keys of session tickets: shared by all workers and kept over publishes. Random, changed every hour, kept for one hour more.
pub struct TicketKeys(());

impl TicketKeys {
    /// With a first random key, in force from `now` on.
    ///
    /// # Errors
    /// [`NoRandom`]: the system gives no random numbers.
    pub fn new(now: Moment) -> Result<Self, NoRandom> {
        let _ = now;
        todo!()
    }

    /// Changes keys if it is time to. To be called at least every few minutes, by anybody.
    ///
    /// # Errors
    /// [`NoRandom`]; keys that are too old are forgotten nevertheless.
    pub fn rotate(&self, now: Moment) -> Result<(), NoRandom> {
        let _ = now;
        todo!()
    }
}

/// The system gave no random numbers. The machine's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandom;
