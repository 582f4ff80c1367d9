//! From the first byte to keys of our own.

use super::alert::TlsFault;
use super::record::Records;
use super::serve::{HostProfile, ServedListener};
use crate::buf::Buf;

/// A handshake under way, with a client or with a host. It copies what it needs out of the buffers that it is shown, so that
/// no buffer of the pool is held while it waits.
pub struct Handshake(Box<()>);

/// What a handshake wants next. Whatever it is: if `out` has something in it, that is to be sent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More must be received. `incoming` has been consumed entirely.
    Waiting,
    /// `out` is full and there is more to send: send it, then call again with an empty one, whether or not something was received.
    Flush,
    /// Finished: send `out`, then [`Handshake::finish`]. What is left in `incoming` is for [`Records::open`].
    Done,
}

impl Handshake {
    /// With a client that arrived at `listener`.
    ///
    /// # Errors
    /// None today that input could cause; [`TlsFault::Never`] if rustls does not take its own configuration.
    pub fn accept(listener: &ServedListener) -> Result<Self, TlsFault> {
        let _ = listener;
        todo!()
    }

    /// With a host whose certificate must be valid for `name`, a DNS name or an IP address. Call [`Handshake::advance`] with an
    /// empty `incoming` to get the first flight.
    ///
    /// # Errors
    /// [`TlsFault::Refused`] if `name` is neither.
    pub fn connect(profile: &HostProfile, name: &str) -> Result<Self, TlsFault> {
        let _ = (profile, name);
        todo!()
    }

    /// Takes received bytes from `incoming` and appends what must be sent to `out`. A buffer of [`crate::buf::Class::Large`] holds
    /// any flight of ours but one with a certificate chain of many kilobytes, for which there is [`Progress::Flush`].
    ///
    /// # Errors
    /// [`TlsFault`]; `out` may hold an alert that should be sent before closing.
    pub fn advance(&mut self, incoming: &mut Buf, out: &mut Buf) -> Result<Progress, TlsFault> {
        let _ = (incoming, out);
        todo!()
    }

    /// Takes the keys over. To be called after [`Progress::Done`] and once what was appended to `out` has been handed to the sender
    /// (which keeps the order: records sealed from now on come behind it).
    ///
    /// # Errors
    /// [`TlsFault::Never`] if called too early.
    pub fn finish(self) -> Result<Established, TlsFault> {
        todo!()
    }
}

/// A connection whose handshake is complete.
pub struct Established {
    /// Opens and seals.
    pub records: Records,
    /// What was agreed on.
    pub facts: Facts,
}

/// Versions of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// What was agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Version of the protocol.
    pub version: Version,
    /// Cipher suite, by its IANA name.
    pub suite: &'static str,
    /// Resumed by a session ticket.
    pub resumed: bool,
    /// The key exchange was a post-quantum hybrid.
    pub post_quantum: bool,
    /// The name that the client asked for (SNI).
    pub sni: Option<Box<str>>,
    /// `http/1.1` was agreed on by ALPN. Nothing else ever is.
    pub http11: bool,
}
