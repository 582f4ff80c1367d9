//! The operator's tool `sluicectl`, as a library so that its parts can be tried without a process.
//!
//! ```text
//!  shell    a conversation with a running gateway: prompt, completion, history, pages
//!  console  one command, or the lines of a file, to a running gateway over its control socket
//!  top      what the gateway does right now, drawn on a terminal
//!  diff     what runs against what a file says
//!  launch   an ICA file ─► TLS to the gateway, ticket as SOCKS5 name ─► a local port or a pipe   (steps 10–14)
//!  audit    is an audit log what the gateway wrote?
//!  demo     a gateway of its own on loopback, and all 14 steps of a launch through it
//! ```
//!
//! Everything here is a client: blocking sockets, two threads per running session, deadlines on every wait for
//! the network.
#![forbid(unsafe_code)]

pub mod audit;
pub mod clock;
pub mod console;
pub mod demo;
pub mod diff;
pub mod launch;
pub mod shell;
pub mod top;
