//! What a session asks for.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use sluice_link::ask::Ask;
use sluice_link::time::Moment;

use crate::buf::{Buf, Chain, Class};
use crate::event::{Leg, Way};
use crate::tls::TrafficKeys;

/// One wish of a session. At most one receive and one send per leg may be outstanding: two sends on one stream could be
/// reordered, and buffer ownership stays trivial.
#[derive(Debug)]
pub enum Intent {
    /// Receive whatever comes. Answered by [`crate::event::Event::Received`], `Eof` or `Failed`.
    Receive {
        /// From which leg.
        leg: Leg,
        /// Where to.
        into: Into,
    },
    /// Send all of it. Answered by [`crate::event::Event::Sent`] once the kernel has taken every byte, or `Failed`.
    Send {
        /// To which leg.
        leg: Leg,
        /// What.
        chain: Chain,
    },
    /// Connect the host leg. Answered by [`crate::event::Event::Connected`] or `Failed`.
    Connect(Peer),
    /// Say that no more bytes will come on this leg (FIN).
    Finish(Leg),
    /// Discard what the kernel still holds to send on this leg and reset it when it is closed.
    Abort(Leg),
    /// Let the kernel seal what is sent on this leg from now on, or open what is received. Only while nothing is being sent, or received,
    /// on it. Answered by [`crate::event::Event::HandedOver`]. If the kernel took the key:
    /// * of [`Way::Transmit`], chains hold plaintext, and one that has a type ([`Chain::typed`]) becomes a record of that type. A FIN goes out when
    ///   all before it has, which may be some time after the kernel took it; only then is the send that it goes with answered.
    /// * of [`Way::Receive`], plaintext is received. A record that is no data is [`crate::event::Event::Control`], and one that cannot be
    ///   opened a failure with [`crate::event::Fault::Record`].
    HandOver {
        /// On which leg.
        leg: Leg,
        /// Which direction.
        way: Way,
        /// Its key. In a box: it is seldom asked for, and a box can be wiped where it lies.
        keys: Box<TrafficKeys>,
    },
    /// Put this into the queue to control. If it is full, the worker answers with [`crate::event::Event::End`] and `Busy`. In a box:
    /// a session asks three times in its life, and moves intents with every byte.
    Ask(Box<Ask>),
    /// Send [`crate::event::Event::Due`] at this moment; it replaces the one asked for earlier. [`Moment::NEVER`] removes it.
    Deadline(Moment),
}

/// Where received bytes shall go.
#[derive(Debug)]
pub enum Into {
    /// A buffer of this class, taken when bytes are there: an idle session holds none. If the pool has none of this class, a
    /// smaller one serves; if it has none at all, the receive waits in a queue until one comes back.
    Any(Class),
    /// Behind what this buffer already holds. It must have spare room.
    Behind(Buf),
}

/// Whom to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A host, over TCP.
    Host(SocketAddr),
    /// The inner portal listener, a Unix stream socket.
    Portal(Arc<Path>),
}
