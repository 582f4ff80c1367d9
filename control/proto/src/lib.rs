//! XML Service, STA, ICA file, forms, cookies, paths: bytes to meaning, and back.
//!
//! ```text
//!  portal door     form, cookie, path      what a browser sent, bounded, absent told apart from empty
//!                  ica_file                what it gets at the end: a gateway's name and a ticket, never a host
//!  XML Service     xml::nfuse  ctx1        enumerate, resolve, logon tickets          both sides
//!  STA             xml::sta                issue and redeem session tickets           both sides
//!                  xml                     the rules both dialects share: caps, encodings, no entities
//!  directory       ldap                   what it says, bounded; what carries a password to it
//!  RADIUS          radius                 what is asked of it, signed; whether an answer is its own
//!  login           forms                  what a login asks and answers, login schemas           both sides
//!                  epa                    what the client's machine is asked, and what it says   both sides
//!                  otp                    a user's devices for one-time codes, as a directory holds them   both sides
//!                  certificate            what a client's certificate says about its owner
//!  audit log       audit                  who did what, in lines chained to each other
//! ```
//!
//! Nothing in here opens a socket, reads a clock or writes a log. Every reader has its caps beside it as
//! constants, returns an error that says which clause was broken, and cannot panic on any input.
#![forbid(unsafe_code)]

pub mod audit;
pub mod certificate;
pub mod cookie;
pub mod ctx1;
pub mod epa;
pub mod form;
pub mod forms;
pub mod frame;
pub mod host_port;
pub mod ica_file;
pub mod ldap;
pub mod otp;
pub mod path;
pub mod radius;
pub mod secret;
pub mod sha256;
pub mod xml;
