//! Test kit: the neighbours of a gateway, ports, canaries and deadlines for tests from outside.
#![forbid(unsafe_code)]
