//! What lies between a connection's socket and its bytes: TLS, or nothing.

use std::io::{self, Read as _, Write as _};
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind};

use crate::client::within;
use crate::fault::Fault;

/// Most bytes that wait here for the socket.
const OUTGOING_BYTES_MAX: usize = 256 * 1024;
/// Bytes of plain TCP that are read at once.
const PLAIN_BYTES: usize = 64 * 1024;

/// TLS, or nothing.
#[derive(Debug)]
pub(crate) enum Wire {
    /// rustls.
    Tls(Box<ClientConnection>),
    /// Bytes as they are.
    Plain {
        /// Came in and was not read yet.
        incoming: Vec<u8>,
        /// Of that, so much was.
        read: usize,
        /// Waits for the socket.
        outgoing: Vec<u8>,
    },
}

/// What a socket gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pulled {
    /// There is nothing now.
    Nothing,
    /// So many bytes.
    Some(usize),
    /// The other side has closed its end.
    End,
}

impl Wire {
    pub(crate) fn tls(config: &Arc<ClientConfig>, name: &ServerName<'static>) -> Result<Self, Fault> {
        let mut tls = ClientConnection::new(Arc::clone(config), name.clone())?;
        tls.set_buffer_limit(Some(OUTGOING_BYTES_MAX));
        Ok(Self::Tls(Box::new(tls)))
    }

    pub(crate) fn plain() -> Self {
        Self::Plain { incoming: Vec::new(), read: 0, outgoing: Vec::new() }
    }

    /// Whether bytes of the work may go.
    pub(crate) fn is_open(&self, stream: &TcpStream) -> bool {
        match self {
            Self::Tls(tls) => !tls.is_handshaking(),
            Self::Plain { .. } => stream.peer_addr().is_ok(),
        }
    }

    pub(crate) fn is_resumed(&self) -> bool {
        match self {
            Self::Tls(tls) => tls.handshake_kind() == Some(HandshakeKind::Resumed),
            Self::Plain { .. } => false,
        }
    }

    /// Takes once from the socket, `most` bytes.
    pub(crate) fn pull(&mut self, stream: &mut TcpStream, most: usize) -> io::Result<Pulled> {
        let n = match self {
            Self::Tls(tls) => match tls.read_tls(&mut within(stream, most)) {
                Ok(0) => return Ok(Pulled::End),
                Ok(n) => {
                    tls.process_new_packets().map_err(io::Error::other)?;
                    n
                }
                Err(fault) => return nothing(fault),
            },
            Self::Plain { incoming, read, .. } => {
                incoming.clear();
                *read = 0;
                incoming.resize(PLAIN_BYTES.min(most), 0);
                match stream.read(incoming) {
                    Ok(0) => return Ok(Pulled::End),
                    Ok(n) => {
                        incoming.truncate(n);
                        n
                    }
                    Err(fault) => {
                        incoming.clear();
                        return nothing(fault);
                    }
                }
            }
        };
        Ok(Pulled::Some(n))
    }

    /// Reads what came. An error: there is nothing now; 0: there will be nothing.
    pub(crate) fn read(&mut self, block: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tls(tls) => tls.reader().read(block),
            Self::Plain { incoming, read, .. } => {
                let rest = &incoming[*read..];
                if rest.is_empty() {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                let n = rest.len().min(block.len());
                block[..n].copy_from_slice(&rest[..n]);
                *read += n;
                Ok(n)
            }
        }
    }

    /// Queues bytes and says how many were taken.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> usize {
        match self {
            Self::Tls(tls) => tls.writer().write(bytes).unwrap_or(0),
            Self::Plain { outgoing, .. } => {
                let n = bytes.len().min(OUTGOING_BYTES_MAX - outgoing.len().min(OUTGOING_BYTES_MAX));
                outgoing.extend_from_slice(&bytes[..n]);
                n
            }
        }
    }

    /// Sends what is queued, as far as the socket takes it.
    pub(crate) fn push(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        loop {
            let sent = match self {
                Self::Tls(tls) if tls.wants_write() => tls.write_tls(stream),
                Self::Plain { outgoing, .. } if !outgoing.is_empty() => {
                    stream.write(outgoing).inspect(|n| drop(outgoing.drain(..*n)))
                }
                Self::Tls(_) | Self::Plain { .. } => return Ok(()),
            };
            match sent {
                Ok(_) => {}
                Err(fault) if [io::ErrorKind::WouldBlock, io::ErrorKind::NotConnected].contains(&fault.kind()) => {
                    return Ok(());
                }
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Queues close_notify.
    pub(crate) fn finish(&mut self) {
        match self {
            Self::Tls(tls) => tls.send_close_notify(),
            Self::Plain { .. } => {}
        }
    }
}

fn nothing(fault: io::Error) -> io::Result<Pulled> {
    let nothing = [io::ErrorKind::WouldBlock, io::ErrorKind::NotConnected, io::ErrorKind::Interrupted].contains(&fault.kind());
    if nothing { Ok(Pulled::Nothing) } else { Err(fault) }
}
