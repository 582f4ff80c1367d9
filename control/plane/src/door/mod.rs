//! The doors: everything that speaks to the control plane from outside comes in through one of these.
//!
//! ```text
//!   inner Unix socket   ► portal   browsers, brought by the workers           reachable from the Internet
//!   inside TCP listener ► sta      portals ask for tickets, gateways redeem   ┐ reachable from the inside network, by those
//!                       ► xml      portals ask for users, resources, hosts    ┘ listed; never through the other door
//!   control socket      ► socket   operators and their tools                  this machine, by user and group
//! ```

pub(crate) mod inside;
pub(crate) mod metrics;
pub(crate) mod portal;
pub(crate) mod socket;
pub(crate) mod sta;
pub(crate) mod xml;
