//! The client's first flight: bytes to meaning, nothing else.
//!
//! ```text
//!  raw TCP     hello    enough of a ClientHello to filter before any key work
//!  plaintext   preface  first byte decides:  05 → socks5   1A 'CGP/01' → cgp   'A'..'Z' → HTTP   else → unknown
//!              socks5   the request whose "domain name" is a ticket, and its replies
//!              ticket   ";40;STA…;…" parsed and bounded
//!  to control  proxy    the PROXY v2 header that goes in front of a portal connection
//!              certificates   those that the client has shown, behind that header
//! ```
//!
//! Every reader works on a slice, allocates nothing that the input can size, and tells "more bytes are needed"
//! ([`reader::Need`]) apart from "this is wrong" ([`error::Malformed`]). No socket, no clock, no log.
#![forbid(unsafe_code)]

pub mod certificates;
pub mod cgp;
pub mod error;
pub mod hello;
pub mod name;
pub mod preface;
pub mod proxy;
pub mod reader;
pub mod socks5;
pub mod ticket;
