//! What the ring engine knows of one session.

use std::os::fd::OwnedFd;

use sluice_flow::event::{Fault, Leg};
use sluice_flow::port::Generation;

use super::op::Hint;
use super::token::Token;
use crate::ktls::Keys;
use crate::queue::Stay;

/// A place in the fixed table.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Of the tenant; of the last one, if there is none.
    pub(crate) generation: Generation,
    pub(crate) tenancy: Tenancy,
    client: Side,
    host: Side,
}

// What an idle session costs here. Buffers and long sends are elsewhere, and only while they are used.
const _: () = assert!(size_of::<Slot>() <= 192);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tenancy {
    Free,
    Held,
    /// Released, but the kernel still holds something.
    Leaving,
}

impl Slot {
    pub(crate) fn new() -> Self {
        Self { generation: Generation(0), tenancy: Tenancy::Free, client: Side::new(None), host: Side::new(None) }
    }

    pub(crate) fn side(&self, leg: Leg) -> &Side {
        match leg {
            Leg::Client => &self.client,
            Leg::Host => &self.host,
        }
    }

    pub(crate) fn side_mut(&mut self, leg: Leg) -> &mut Side {
        match leg {
            Leg::Client => &mut self.client,
            Leg::Host => &mut self.host,
        }
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.client.in_flight() + self.host.in_flight()
    }
}

/// One connection of a session.
#[derive(Debug)]
pub(crate) struct Side {
    /// Open as long as an operation on it is under way, submitted or not.
    pub(crate) socket: Option<OwnedFd>,
    pub(crate) receive: Receive,
    pub(crate) send: Option<Token>,
    pub(crate) connect: Option<Token>,
    /// Say FIN once the send is done.
    pub(crate) finish_after_send: bool,
    /// Reset it when it is closed.
    pub(crate) abort: bool,
    /// Receiving is over.
    pub(crate) end: Option<End>,
    /// What the last receive left.
    pub(crate) hint: Hint,
    /// Its turn among those with long reads.
    pub(crate) stay: Stay,
    /// What the kernel seals and opens here.
    pub(crate) keys: Keys,
}

/// Where the receive that waits for an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receive {
    None,
    /// With the kernel.
    Armed(Token),
    /// In the queue for buffers and turns.
    Waiting,
}

/// How receiving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Eof,
    Failed(Fault),
}

impl Side {
    pub(crate) fn new(socket: Option<OwnedFd>) -> Self {
        Self {
            socket,
            receive: Receive::None,
            send: None,
            connect: None,
            finish_after_send: false,
            abort: false,
            end: None,
            hint: Hint::Quiet,
            stay: Stay::default(),
            keys: Keys::default(),
        }
    }

    /// Operations that the kernel has.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = Token> + use<> {
        let receive = match self.receive {
            Receive::Armed(token) => Some(token),
            Receive::None | Receive::Waiting => None,
        };
        [receive, self.send, self.connect].into_iter().flatten()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.tokens().count()
    }
}
