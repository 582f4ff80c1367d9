//! What a session does next: session machine, TLS records, timers; no I/O.
#![forbid(unsafe_code)]
