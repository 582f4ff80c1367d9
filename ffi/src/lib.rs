//! C ABI over an assembled gateway: start one from configuration text, read its counters, drain it, stop it.
//!
//! ```text
//!   C program ── sg_* functions ──► handle.rs (opaque pointers) ──► gate_daemon::Gateway
//!                     └── guard.rs: no panic crosses, NULL is checked, strings are checked
//! ```
//!
//! # Rules for C
//! * A `sg_gateway *` comes from [`sg_gateway_start`] and is given back to [`sg_gateway_stop`], once. In between it may be used
//!   by any thread.
//! * Every function returns a status; values go through out-parameters, which are untouched on failure.
//! * Strings are UTF-8. Those passed in have an explicit length; those given out are copied into the caller's memory with a
//!   terminating NUL, or `SG_STATUS_TOO_SMALL` is returned and nothing is written.
#![deny(unsafe_code)]

mod gateway;
mod guard;

pub use gateway::{
    sg_counter_name, sg_gateway, sg_gateway_address, sg_gateway_counter, sg_gateway_drain, sg_gateway_start, sg_gateway_stop,
    sg_version,
};
pub use guard::sg_status;
