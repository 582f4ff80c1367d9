//! The client's first flight: bytes to meaning, nothing else.
#![forbid(unsafe_code)]
