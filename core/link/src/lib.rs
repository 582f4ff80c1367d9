//! What crosses the line between the planes: ids, messages, snapshot, counters.
#![forbid(unsafe_code)]
