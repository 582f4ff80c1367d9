//! `sluice-epa`, the endpoint agent: looks at this machine when a gateway asks, says yes or no, and nothing else.
//!
//! ```text
//!   nsgcepa:// link ─► link ─► visit: /epatype, /epaq ─► question ─► consent ─► deeds ─► look: one finding each ─► digits ─► /epas
//!                                 ▲                                                                                         │
//!                                 └──────────── rounds: when again, when it is over ◄───────────────────────────────────────┘
//! ```
//!
//! What decides does no I/O: [`question`] reads what is asked, [`rounds`] says what is next and is told the time, [`look`] sees the
//! machine below a root that tests replace. [`line`] and [`http`] speak to the gateway, within lengths and deadlines; [`run`] ties it
//! together. What the gateway says is material of a stranger's: bounded, shown without what could deceive a terminal, and carried out only by
//! [`deeds`], within what the owner of the machine has written down.
#![forbid(unsafe_code)]

mod child;
pub mod consent;
pub mod deeds;
pub mod device;
pub mod dialog;
pub mod explain;
pub mod fault;
pub mod http;
pub mod journal;
pub mod last;
pub mod line;
pub mod link;
pub mod look;
mod names;
pub mod orders;
pub mod question;
pub mod register;
pub mod rounds;
pub mod run;
pub mod status;
pub mod words;
