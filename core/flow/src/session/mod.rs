//! One client connection, from accept to freed slot: a value that is told what happened and answers what it wants.
//!
//! ```text
//!  begin ─► hello ─► handshake ─► preface ─┬─ ticket ─► redeem ─► connect ─► splice ─► drain ─► End
//!                                          └─ HTTP ───────────────►┘                     ▲
//!             every state, when it refuses or fails after it has begun to answer ────────┘
//!             every state, when there is nobody to answer to ─────────────────────────────────► End
//! ```

mod client;
mod connect;
mod drain;
mod facts;
mod handshake;
mod hello;
mod preface;
mod redeem;
mod shake;
mod splice;

use std::net::SocketAddr;
use std::sync::Arc;

use sluice_link::ask::{Closed, Phases};
use sluice_link::count::{Counters, ListenerCounters};
use sluice_link::id::SessionKey;
use sluice_link::live::Live;
use sluice_link::time::Moment;

use crate::buf::Pool;
use crate::event::Event;
use crate::intent::Intent;
use crate::tls::{Served, ServedListener};

use connect::Connect;
use drain::Drain;
use facts::Facts;
use handshake::Handshake;
use hello::Hello;
use preface::Preface;
use redeem::Redeem;
use splice::Splice;

/// What a session is given for one step.
#[expect(missing_debug_implementations, reason = "borrows for one call; its parts can be printed")]
pub struct Turn<'a> {
    /// The time, read when the turn of the loop began.
    pub now: Moment,
    /// The worker's buffers.
    pub pool: &'a mut Pool,
    /// Wishes are appended here, in the order in which they are to be carried out.
    pub out: &'a mut Vec<Intent>,
    /// The worker's counters.
    pub count: &'a Counters,
    /// The newest settings. A session keeps those with which it began; this is for what control names that is newer than them.
    pub newest: &'a Served,
    /// The worker's counters of the virtual server at which the client arrived.
    pub listener: &'a ListenerCounters,
    /// Where others read what this session moves.
    pub live: &'a Live,
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

/// One client connection. Small, since it is moved at every step: what a state knows is behind one pointer.
#[expect(missing_debug_implementations, reason = "holds keys")]
pub struct Session(State);

const _: () = assert!(size_of::<Session>() <= 16);

enum State {
    Hello(Box<Hello>),
    Handshake(Box<Handshake>),
    Preface(Box<Preface>),
    Redeem(Box<Redeem>),
    Connect(Box<Connect>),
    Splice(Box<Splice>),
    Drain(Box<Drain>),
}

/// What a state says to a step.
enum Go {
    /// It waits for the next event.
    Stay(State),
    /// The next state, which has not been entered yet.
    To(State),
    /// That was all.
    End(Summary),
}

impl Session {
    /// Takes over a connection that was let in, and asks for its first bytes.
    #[must_use]
    pub fn begin(arrival: Arrival, turn: &mut Turn<'_>) -> Self {
        Self(State::Hello(Hello::begin(Box::new(Facts::new(arrival)), turn)))
    }

    /// Tells the session what happened. If a state hands over with bytes in its hands, the next one works on them at once: no
    /// byte waits for another event.
    pub fn step(self, event: Event, turn: &mut Turn<'_>) -> Next {
        let mut go = match self.0 {
            State::Hello(state) => state.on(event, turn),
            State::Handshake(state) => state.on(event, turn),
            State::Preface(state) => state.on(event, turn),
            State::Redeem(state) => state.on(event, turn),
            State::Connect(state) => state.on(event, turn),
            State::Splice(state) => state.on(event, turn),
            State::Drain(state) => state.on(event, turn),
        };
        // States lead forward only, so this ends after at most as many rounds as there are states.
        loop {
            go = match go {
                Go::Stay(state) => return Next::Stay(Self(state)),
                Go::End(summary) => return Next::End(summary),
                Go::To(State::Hello(state)) => Go::Stay(State::Hello(state)),
                Go::To(State::Handshake(state)) => state.enter(turn),
                Go::To(State::Preface(state)) => state.enter(turn),
                Go::To(State::Redeem(state)) => state.enter(turn),
                Go::To(State::Connect(state)) => state.enter(turn),
                Go::To(State::Splice(state)) => state.enter(turn),
                Go::To(State::Drain(state)) => state.enter(turn),
            };
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match &self.0 {
            State::Hello(_) => Stage::Hello,
            State::Handshake(_) => Stage::Handshake,
            State::Preface(_) => Stage::Preface,
            State::Redeem(_) => Stage::Redeem,
            State::Connect(_) => Stage::Connect,
            State::Splice(_) => Stage::Splice,
            State::Drain(_) => Stage::Drain,
        }
    }

    /// Whether it has presented a ticket that was accepted. Until then it counts against its source ([`crate::admit::Admit`]).
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.facts().launch.is_some()
    }

    /// Whether it speaks HTTP: from then on it counts as the portal's ([`crate::admit::Admit::browse`]).
    #[must_use]
    pub fn is_portal(&self) -> bool {
        self.facts().portal
    }

    /// The virtual server at which it arrived.
    #[must_use]
    pub fn listener(&self) -> &Arc<ServedListener> {
        &self.facts().listener
    }

    /// How far it has come, and what took how long.
    #[must_use]
    pub fn phases(&self) -> Phases {
        self.facts().phases
    }

    fn facts(&self) -> &Facts {
        match &self.0 {
            State::Hello(state) => state.facts(),
            State::Handshake(state) => state.facts(),
            State::Preface(state) => state.facts(),
            State::Redeem(state) => state.facts(),
            State::Connect(state) => state.facts(),
            State::Splice(state) => state.facts(),
            State::Drain(state) => state.facts(),
        }
    }
}

#[cfg(test)]
mod kernel;
#[cfg(test)]
mod promises;
#[cfg(test)]
mod rates;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod table;
