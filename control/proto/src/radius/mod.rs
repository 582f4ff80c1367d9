//! RADIUS (RFC 2865, 2548, 2869, 3579), as much of it as a client needs that asks whether a password is right.
//!
//! ```text
//!   name, proof ─► Request ─► bytes, wiped on drop ────────────────► server
//!                    │ number, authenticator, key
//!                    ▼
//!   datagram ─────► judge ─┬─ Reply { Accept | Reject | Challenge, state, messages, attributes } ◄── server, or somebody else
//!                          └─ Strange: no answer to this request. Whoever waits goes on waiting
//! ```
//!
//! A reply is believed for the key that only we and the server have, and for nothing else: it carries a keyed digest over all of itself and
//! over our request's random authenticator. The digest of RFC 2865 is MD5 over the packet with the key behind it, which can be forged by who
//! stands between (CVE-2024-3596); so each request begins with a Message-Authenticator (HMAC-MD5, RFC 3579 §3.2), and a reply must have one.
//! Where it stands in a reply does not matter, for it covers every byte.
//!
//! Nothing here makes random bytes: they are given, once for each request.

mod attribute;
mod digest;
mod mschap;
mod reply;
mod say;

pub use attribute::{Attribute, Attributes, Malformed, number};
pub use reply::{MsChapError, Reply, Strange, Verdict, message};
pub use say::{Access, Key, Proof, Random, Request, Unsayable};

/// Longest packet, in bytes (RFC 2865 §3).
pub const PACKET_BYTES_MAX: usize = 4096;
/// Longest value of an attribute, in bytes (RFC 2865 §5).
pub const VALUE_BYTES_MAX: usize = 253;
/// Longest password that can be hidden, in bytes (RFC 2865 §5.2).
pub const PASSWORD_BYTES_MAX: usize = 128;
/// Longest text of a server that is shown, in bytes.
pub const TEXT_BYTES_MAX: usize = 1024;
/// Code, number, length, authenticator.
const HEADER_BYTES: usize = 20;
/// Of an authenticator, and of each digest that is MD5.
const DIGEST_BYTES: usize = 16;
// A request with the longest values that it can have is a packet.
const _: () = assert!(HEADER_BYTES + 12 * (VALUE_BYTES_MAX + 2) <= PACKET_BYTES_MAX);

#[cfg(test)]
mod tests;
