//! `sluice-epa`, the endpoint agent: looks at this machine when a gateway asks, says yes or no, and nothing else.
//!
//! ```text
//!   nsgcepa:// link ─► link ─► visit: /epatype, /epaq ─► question ─► consent ─► look: one finding each ─► digits ─► /epas
//!                                 ▲                                                                               │
//!                                 └──────────── rounds: when again, when it is over ◄─────────────────────────────┘
//! ```
//!
//! What decides does no I/O: [`question`] reads what is asked, [`rounds`] says what is next and is told the time, [`look`] sees the
//! machine below a root that tests replace.
#![forbid(unsafe_code)]

pub mod link;
pub mod look;
pub mod orders;
pub mod question;
pub mod rounds;
