//! TLS: rustls for handshakes, our own record engine afterwards, unless an operator wants rustls to go on. No rustls type leaves this module.
//!
//! ```text
//!   Snapshot ─► Served::build ─► ServedListener ─► Handshake::accept ┐
//!                           └──► HostProfile ────► Handshake::connect┤
//!                                                                    ▼
//!      received ciphertext ─► Handshake::advance ─► bytes to send  (Waiting | Flush | Done)
//!                                                                    │ finish
//!                                                                    ▼
//!      received ciphertext ─► Records::open ─► slices of the same buffer       ┐ Established
//!              plaintext ──► Records::seal_in_place, seal_into ─► ciphertext   ┘
//! ```
//!
//! After the handshake nothing is copied and nothing is allocated per record: records are opened where they lie, and sealed
//! where the payload lies or straight into the buffer to be sent. rustls's own record layer copies and allocates for each.
//!
//! * `serve`: certificates, keys and policies of a snapshot, built and tested before it comes into force.
//! * `clients`: certificates of clients, where they are asked for.
//! * `tickets`: session tickets, whose keys all workers share.
//! * `handshake`, which looks at the ClientHello with [`sluice_proto::hello`]: from the first byte to [`Established`].
//! * `record`: both directions of a connection, whichever engine has it. `own`, `secret`, `rekey`: ours, the keys of one direction, when
//!   keys are changed. `kept`: rustls's. `traffic`: keys that the kernel takes over, if an operator wants it to.
//! * `alert`: what went wrong, which alert says so, and which [`sluice_link::reason::Reason`] is logged.

mod alert;
mod clients;
mod handshake;
mod kept;
#[cfg(test)]
pub(crate) mod kernel;
mod own;
mod record;
mod rekey;
mod secret;
mod serve;
#[cfg(test)]
mod tests;
mod tickets;
mod traffic;

pub use alert::{Alert, Cause, RecordFault, SealFault, TlsFault};
pub use handshake::{Established, Facts, Handshake, Progress, Version};
pub use record::{Opened, Parts, Records};
pub use serve::{HostProfile, Served, ServedListener};
pub use tickets::{NoRandom, TicketKeys};
pub use traffic::{Cipher, CryptoInfo, TrafficKeys};

/// Most plaintext bytes in one record.
pub const RECORD_MAX: usize = 16 * 1024;
