//! What expressions can be asked about.

pub use facts::{ATTRIBUTES, BODY_BYTES_MAX, Certificate, Group, GroupOrigin, Method, Person, Request, Tls, Typed};

mod facts;
