//! Login machine, session and ticket tables.
#![forbid(unsafe_code)]
