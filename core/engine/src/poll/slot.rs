//! What the poll engine knows of one session.

use std::os::fd::OwnedFd;

use sluice_flow::buf::{Buf, Chain, Class, Pool};
use sluice_flow::event::{Fault, Leg};
use sluice_flow::port::Generation;

use crate::ktls::Keys;
use crate::queue::Stay;

/// A place in the fixed table.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Of the tenant; of the last one, if there is none.
    pub(crate) generation: Generation,
    pub(crate) taken: bool,
    client: Side,
    host: Side,
}

impl Slot {
    pub(crate) fn new() -> Self {
        Self { generation: Generation(0), taken: false, client: Side::new(None), host: Side::new(None) }
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
}

/// One connection of a session. Readiness is remembered here, since epoll tells each change only once.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) socket: Option<OwnedFd>,
    /// A connect is under way.
    pub(crate) connecting: bool,
    /// Reading may give something. False: an edge will come.
    pub(crate) readable: bool,
    /// The other side has finished: a short read does not mean that the next would find nothing.
    pub(crate) finished: bool,
    /// Writing may take something. False: an edge will come.
    pub(crate) writable: bool,
    /// The receive that waits for an answer.
    pub(crate) receive: Option<Wish>,
    /// The send that waits for an answer.
    pub(crate) send: Option<Chain>,
    /// Say FIN once the send is done.
    pub(crate) finish_after_send: bool,
    /// Its turn among those with long reads.
    pub(crate) stay: Stay,
    /// Receiving is over.
    pub(crate) end: Option<End>,
    /// A receive, send, or both are on the run list.
    pub(crate) receive_queued: bool,
    pub(crate) send_queued: bool,
    /// What the kernel seals and opens here.
    pub(crate) keys: Keys,
}

/// Where received bytes shall go.
#[derive(Debug)]
pub(crate) enum Wish {
    /// A buffer of this class, taken when bytes are there.
    Any(Class),
    /// The same, after it has waited for a buffer and got this one.
    Fed(Class, Buf),
    /// Behind what is in this one, which the session has lent.
    Behind(Buf),
}

/// How receiving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Eof,
    Failed(Fault),
}

impl Side {
    /// Whether its receive is a long one.
    pub(crate) fn wants_bulk(&self) -> bool {
        match &self.receive {
            Some(Wish::Any(class)) => *class == Class::Bulk,
            Some(Wish::Fed(_, buf) | Wish::Behind(buf)) => buf.class() == Class::Bulk,
            None => false,
        }
    }

    pub(crate) fn new(socket: Option<OwnedFd>) -> Self {
        Self {
            socket,
            connecting: false,
            // Registering tells what is there already.
            readable: false,
            finished: false,
            // A fresh socket has room.
            writable: true,
            receive: None,
            send: None,
            finish_after_send: false,
            stay: Stay::default(),
            end: None,
            receive_queued: false,
            send_queued: false,
            keys: Keys::default(),
        }
    }

    /// Gives its buffers back and closes it.
    pub(crate) fn clear(&mut self, pool: &mut Pool) {
        let old = std::mem::replace(self, Self::new(None));
        match old.receive {
            Some(Wish::Fed(_, buf) | Wish::Behind(buf)) => pool.give(buf),
            Some(Wish::Any(_)) | None => {}
        }
        if let Some(chain) = old.send {
            pool.give(chain.into_buf());
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        usize::from(self.receive.is_some()) + usize::from(self.send.is_some()) + usize::from(self.connecting)
    }
}
