//! The sluicegate binary and the library that assembles a gateway.
#![forbid(unsafe_code)]
