//! LDAP (RFC 4511), as much of it as must not be left to a library: what a directory says before anybody believes it, and what
//! carries a password.
//!
//! ```text
//!   directory ─► Guard ─► Message ─┬─ Reply        of a bind, of StartTLS, of a changed password: Judged with its code
//!                 │                └─ entries      of a search: bytes, for the client library
//!                 └─ Hostile: the connection is over
//!   password ─► say::bind, say::change_… ─► bytes, wiped on drop
//!   typed name ─► filter::escape ─► part of a filter           distinguished name ─► dn::first ─► a group's name
//! ```
//!
//! A search carries no secret, and is a library's to write and to read. A bind carries one, and a library that copies it into
//! buffers of its own does not wipe them; so the few messages with a password are written here.

mod ber;
pub mod code;
pub mod dn;
pub mod filter;
pub mod guard;
pub mod reply;
pub mod say;

pub use guard::{Caps, Guard, Hostile, Message, Op};
pub use reply::Reply;
