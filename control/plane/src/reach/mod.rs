//! What the control plane calls on the inside network: ticket authorities, XML Services, directories and RADIUS servers.
//!
//! ```text
//!   sta, xml: what is asked and what the answer means ──► post: one POST, one connection, one deadline
//!   ldap: who a user is ──► its own connections, one per login
//!   radius: whether a user may pass ──► its own sockets, one per question
//! ```

pub(crate) mod ldap;
pub(crate) mod post;
pub(crate) mod radius;
pub(crate) mod roots;
pub(crate) mod sta;
pub(crate) mod xml;
