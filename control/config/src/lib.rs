//! ns.conf to model and back.
#![forbid(unsafe_code)]
