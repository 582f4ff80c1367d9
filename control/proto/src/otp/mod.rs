//! One-time codes: how a user's devices stand in a directory, and how a device learns its secret.
//!
//! ```text
//!   attribute  "#@phone=GEZDGNBV…&,tablet=SG1.3f9a…&,"  ◄─ stored: Devices ─► names, secrets in Base32, seals
//!   secret ─► base32 ─► text for typing          uri: otpauth://totp/…  ─► the QR code that a device reads
//! ```
//!
//! The text is NetScaler's, as far as it is public: what it wrote unencrypted reads here, and what is written here unencrypted reads there.
//! Sealed secrets are our own, see [`stored::SEALED`]. Nothing here seals or opens one.

pub mod base32;
pub mod stored;
pub mod uri;

pub use stored::{BadName, BadStored, Device, DeviceName, Devices, Key, NotAdded};
