//! What happened, as a session is told.

use sluice_link::reason::Reason;
use sluice_link::tell::{Refusal, Target};

use crate::buf::Buf;
use crate::tls::RecordFault;

/// One of the two connections of a session. Absolute words: there is no "upstream" here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leg {
    /// Towards the client.
    Client,
    /// Towards the host (VDA), or the inner portal listener.
    Host,
}

/// One direction of a leg, as seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// From us to the other side.
    Transmit,
    /// From the other side to us.
    Receive,
}

/// A record that is no data, which the kernel has opened: alerts and key updates have six bytes at most. Of a longer one, its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlRecord {
    /// Its content type.
    pub typ: u8,
    len: u8,
    bytes: [u8; Self::MAX],
}

impl ControlRecord {
    /// Most bytes of it that are kept.
    pub const MAX: usize = 6;

    /// A record of type `typ` that begins with `content`.
    #[must_use]
    pub fn new(typ: u8, content: &[u8]) -> Self {
        let mut record = Self { typ, len: 0, bytes: [0; Self::MAX] };
        for (to, from) in record.bytes.iter_mut().zip(content) {
            *to = *from;
            record.len += 1;
        }
        record
    }

    /// What is in it, or the beginning of that.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// One thing that happened to a session.
#[derive(Debug)]
pub enum Event {
    /// Bytes arrived: at least one. They stand behind those that were in the buffer when the receive was asked for.
    Received {
        /// On which leg.
        leg: Leg,
        /// With the bytes. The session owns it now.
        buf: Buf,
        /// The socket had more when it was read. A hint.
        more: bool,
    },
    /// The other side will send no more (FIN). If a buffer with bytes was lent to the receive, it is given back here.
    Eof {
        /// On which leg.
        leg: Leg,
        /// Lent and unchanged.
        kept: Option<Buf>,
    },
    /// The kernel has taken the whole chain; its buffer is back in the pool.
    Sent {
        /// On which leg.
        leg: Leg,
    },
    /// The host leg is connected.
    Connected,
    /// The kernel has opened a record that is no data, on a leg whose opening it has taken over: the answer to a receive.
    Control {
        /// On which leg.
        leg: Leg,
        /// The record.
        record: ControlRecord,
    },
    /// The kernel has been asked to take over a key.
    HandedOver {
        /// On which leg.
        leg: Leg,
        /// Which key.
        way: Way,
        /// It did. Else everything is as it was before.
        taken: bool,
    },
    /// An operation failed; buffers that it held are back in the pool. The leg may be taken as lost.
    Failed {
        /// On which leg.
        leg: Leg,
        /// What was tried.
        during: Doing,
        /// How it failed.
        fault: Fault,
    },
    /// Control's answer to the ticket.
    Told(Result<Target, Refusal>),
    /// The deadline last asked for has come.
    Due,
    /// The session shall end for a reason from outside: killed, drained, stopping.
    End(Reason),
}

/// What was being done when something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// A receive.
    Receiving,
    /// A send.
    Sending,
    /// A connect.
    Connecting,
}

/// Errors of the kernel, by what they mean here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The other side refused (`ECONNREFUSED`).
    Refused,
    /// The other side reset the connection (`ECONNRESET`, `EPIPE`).
    Reset,
    /// No way there (`EHOSTUNREACH`, `EHOSTDOWN`).
    HostUnreachable,
    /// No way there (`ENETUNREACH`, `ENETDOWN`).
    NetUnreachable,
    /// The network gave up waiting (`ETIMEDOUT`).
    TimedOut,
    /// No descriptors, ports, memory or buffers.
    Exhausted,
    /// The operation was cancelled, by us.
    Cancelled,
    /// The kernel, which has the key, could not open a record.
    Record(RecordFault),
    /// Anything else, with its errno.
    Other(i32),
}
