//! Intents to kernel operations, completions to events: io_uring and mio.
#![forbid(unsafe_code)]
