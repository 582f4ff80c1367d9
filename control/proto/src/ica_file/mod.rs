//! The ICA file: what a portal hands out at the end and a client starts from.
//!
//! ```text
//!  server-side records ─► write::Launch ─► INI text ─► read::LaunchFile ─► gateway, ticket, program
//!                         fixed keys,         │
//!                         no injection        └─► leak::find: nothing of the host in it
//! ```
//!
//! Through a gateway, `Address` is a ticket and `SSLProxyHost` the gateway. No address, name or port of the host
//! may stand anywhere in the file.

pub mod leak;
pub mod read;
pub mod write;

/// The media type to serve it under.
pub const MEDIA_TYPE: &str = "application/x-ica";
/// Longest ticket string in `Address`, in bytes.
pub const TICKET_BYTES_MAX: usize = 192;
/// Characters of a logon ticket that go into `ClearPassword`; the rest goes into `Domain`.
const CLEAR_PASSWORD_CHARS: usize = 14;

/// The form of a ticket string, as opposed to an address: `;`, a version, and letters, digits, `_`, `-` and `;`.
fn is_ticket_string(text: &str) -> bool {
    let in_alphabet = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b';' | b'_' | b'-');
    let fields = text.split(';').count();
    text.starts_with(';') && text.len() <= TICKET_BYTES_MAX && text.bytes().all(in_alphabet) && fields >= 4
}
