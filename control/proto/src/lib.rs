//! XML Service, STA, ICA file, forms, cookies: bytes to meaning.
#![forbid(unsafe_code)]
