//! C ABI over an assembled gateway.
#![forbid(unsafe_code)]
