//! What the control plane calls on the inside network: ticket authorities, XML Services and directories.
//!
//! ```text
//!   sta, xml: what is asked and what the answer means ──► post: one POST, one connection, one deadline
//!   ldap: who a user is ──► its own connections, one per login
//! ```

pub(crate) mod ldap;
pub(crate) mod post;
pub(crate) mod roots;
pub(crate) mod sta;
pub(crate) mod xml;
