//! A connection as hyper sees it: strict on the way in, paced both ways.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::pace::Pace;
use super::strict::{Cleared, Framing, HEAD_BYTES_MAX};

/// Bytes read from the socket at once.
const READ_BYTES: usize = 4096;
/// Bytes that are read and dropped once everything has been said. Closing a socket with unread bytes in it tells the other
/// side of a broken connection, which may overtake the answer on its way to the client.
const DISCARD_BYTES_MAX: usize = 1024 * 1024;

/// See the module.
#[derive(Debug)]
pub(crate) struct Wire<IO> {
    io: IO,
    pace: Arc<Pace>,
    framing: Framing,
    /// Bytes from the socket; the first `cleared` of them may go to hyper.
    raw: Vec<u8>,
    cleared: usize,
    /// The writing half is shut down.
    shut: bool,
    /// Bytes read and dropped since.
    discarded: usize,
}

impl<IO> Wire<IO> {
    pub(crate) fn new(io: IO, pace: Arc<Pace>) -> Self {
        Self { io, pace, framing: Framing::HEAD, raw: Vec::new(), cleared: 0, shut: false, discarded: 0 }
    }

    /// Looks at what is at hand. Returns whether anything may go on to hyper.
    fn clear(&mut self) -> bool {
        if self.cleared == 0 {
            match self.framing.clear(&self.raw) {
                Ok(Cleared::Need) => {}
                Ok(Cleared::Body(bytes)) => self.cleared = bytes,
                Ok(Cleared::Head { bytes, length }) => {
                    self.pace.body(length);
                    self.cleared = bytes;
                }
                Err(fault) => {
                    self.framing = Framing::Refused;
                    self.raw = fault.stand_in();
                    self.cleared = self.raw.len();
                }
            }
        }
        self.cleared > 0
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Wire<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while !this.clear() {
            if this.framing == Framing::Refused {
                return Poll::Ready(Ok(()));
            }
            let mut room = [0; READ_BYTES];
            let mut chunk = ReadBuf::new(&mut room);
            ready!(Pin::new(&mut this.io).poll_read(cx, &mut chunk))?;
            if chunk.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            if matches!(this.framing, Framing::Head(_)) {
                this.pace.head_bytes();
            }
            this.raw.extend_from_slice(chunk.filled());
        }
        let bytes = this.cleared.min(out.remaining());
        out.put_slice(&this.raw[..bytes]);
        this.raw.drain(..bytes);
        this.cleared -= bytes;
        Poll::Ready(Ok(()))
    }
}

// `raw` holds less than a head when more is read, so it never grows beyond one head and one read.
const _: () = assert!(READ_BYTES < HEAD_BYTES_MAX);

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.pace.flushed();
        Poll::Ready(Ok(()))
    }

    /// Says that nothing more will come, then waits for the other side to end, too.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.shut {
            ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
            this.shut = true;
            this.pace.parting();
        }
        while this.discarded < DISCARD_BYTES_MAX {
            let mut room = [0; READ_BYTES];
            let mut chunk = ReadBuf::new(&mut room);
            ready!(Pin::new(&mut this.io).poll_read(cx, &mut chunk))?;
            if chunk.filled().is_empty() {
                break;
            }
            this.discarded += chunk.filled().len();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
