//! What the control plane calls on the inside network: ticket authorities and XML Services.
//!
//! ```text
//!   sta, xml: what is asked and what the answer means ──► post: one POST, one connection, one deadline
//! ```

pub(crate) mod post;
pub(crate) mod roots;
pub(crate) mod sta;
pub(crate) mod xml;
