//! What happened, as a session is told.

use sluice_link::reason::Reason;
use sluice_link::tell::{Refusal, Target};

use crate::buf::Buf;

/// One of the two connections of a session. Absolute words: there is no "upstream" here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leg {
    /// Towards the client.
    Client,
    /// Towards the host (VDA), or the inner portal listener.
    Host,
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
    /// Anything else, with its errno.
    Other(i32),
}
