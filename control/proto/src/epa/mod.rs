//! Endpoint analysis: what the client's machine is asked, and what it says.
//!
//! ```text
//!   expressions of a factor ─► client_string: what is asked, how often again ─► question ─► envelope ─► CSEC header of /epaq
//!   (classic: the old language)                                                                              │
//!                              verdicts: one per string ◄── judge ◄── envelope ◄── CSEC header of /epas ◄────┘ client
//! ```
//!
//! The client decides what a string means and whether it holds; we number the strings and read one digit for each. So a verdict
//! is a claim of the client's, never a proof, and the envelope keeps it from nobody who has the cookie. See `docs/wire/login.md`.

pub mod classic;
pub mod client_string;
pub mod envelope;
pub mod question;

pub use client_string::{BadClientString, ClientString, Kind};
pub use question::{Question, STRINGS_MAX, judge};

/// Application protocol (ALPN) of the connection on which a machine shows its certificate.
pub const DEVICE_ALPN: &str = "sluicegate-epadc/1";
/// Where it is shown.
pub const DEVICE_PATH: &str = "/epadc";
/// The header of question and answer.
pub const HEADER: &str = "csec";
/// The body of `/epatype` if a scan is wanted.
pub const TYPE_ON: &str = "Epa:on\r\n";
/// The body of `/epatype` if not.
pub const TYPE_OFF: &str = "Epa:off\r\n";
/// The header with which a client says that it will scan again, and its value.
pub const REPEATS: (&str, &str) = ("x-sluicegate-epa", "periodic");
