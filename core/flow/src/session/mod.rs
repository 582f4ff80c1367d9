//! One client connection, from accept to freed slot: a value that is told what happened and answers what it wants.
//!
//! ```text
//!  begin ─► hello ─► handshake ─► preface ─┬─ ticket ─► redeem ─► connect ─► splice ─► drain ─► End
//!                                          └─ HTTP ───────────────►┘                     ▲
//!             every state, when it refuses or fails after it has begun to answer ────────┘
//!             every state, when there is nobody to answer to ─────────────────────────────────► End
//! ```

use std::net::SocketAddr;
use std::sync::Arc;

use sluice_link::ask::Closed;
use sluice_link::count::Counters;
use sluice_link::id::SessionKey;
use sluice_link::time::Moment;

use crate::buf::Pool;
use crate::event::Event;
use crate::intent::Intent;
use crate::tls::{Served, ServedListener};

/// What a session is given for one step.
#[expect(missing_debug_implementations, reason = "borrows for one call; its parts can be printed")]
pub struct Turn<'a> {
    /// The time, read once per turn of the loop.
    pub now: Moment,
    /// The worker's buffers.
    pub pool: &'a mut Pool,
    /// Wishes are appended here, in the order in which they are to be carried out.
    pub out: &'a mut Vec<Intent>,
    /// The worker's counters.
    pub count: &'a Counters,
}

/// A connection that was let in.
#[expect(missing_debug_implementations, reason = "holds certificates and keys")]
pub struct Arrival {
    /// Its name from now on.
    pub key: SessionKey,
    /// The virtual server at which it arrived.
    pub listener: Arc<ServedListener>,
    /// The settings in force when it arrived. It keeps them.
    pub served: Arc<Served>,
    /// The client's address.
    pub client: SocketAddr,
    /// The address it connected to.
    pub local: SocketAddr,
    /// When.
    pub at: Moment,
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Waits for a whole ClientHello.
    Hello,
    /// TLS handshake with the client.
    Handshake,
    /// Waits for the opening.
    Preface,
    /// A ticket is with control.
    Redeem,
    /// The host is being connected to.
    Connect,
    /// Bytes flow.
    Splice,
    /// Everything has been decided; what is left is to say goodbye.
    Drain,
}

/// What comes after a step.
#[expect(missing_debug_implementations, reason = "a session holds keys")]
#[must_use]
pub enum Next {
    /// The session goes on.
    Stay(Session),
    /// It is over, and has given all its buffers back. The worker releases the key at the engine, counts the reason
    /// ([`Counters::closed`]), sends [`sluice_link::ask::Ask::Closed`], and frees the slot once the engine reports it released.
    /// Intents of this step are carried out before that.
    End(Summary),
}

/// What is to be said about a session that is over.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The record for control, with the reason.
    pub closed: Closed,
    /// It had presented a ticket, so control must get the record even if the queue is nearly full.
    pub ticketed: bool,
}

/// One client connection.
#[expect(missing_debug_implementations, reason = "holds keys")]
pub struct Session(());

impl Session {
    /// Takes over a connection that was let in, and asks for its first bytes.
    #[must_use]
    pub fn begin(arrival: Arrival, turn: &mut Turn<'_>) -> Self {
        let _ = (arrival, turn);
        todo!()
    }

    /// Tells the session what happened.
    pub fn step(self, event: Event, turn: &mut Turn<'_>) -> Next {
        let _ = (event, turn);
        todo!()
    }

    /// Where it stands.
    #[must_use]
    pub fn stage(&self) -> Stage {
        todo!()
    }

    /// Whether it has presented a ticket that was accepted. Until then it counts against its source ([`crate::admit::Admit`]).
    #[must_use]
    pub fn is_proven(&self) -> bool {
        todo!()
    }
}
