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

/// Bytes written to the socket at once.
const WRITE_BYTES: usize = 64 * 1024;
/// Bytes written before other connections have their turn: a long answer to a fast reader would keep them waiting to its end.
const TURN_BYTES: usize = 256 * 1024;

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
    /// Bytes written in this turn.
    written: usize,
}

impl<IO> Wire<IO> {
    pub(crate) fn new(io: IO, pace: Arc<Pace>) -> Self {
        Self { io, pace, framing: Framing::HEAD, raw: Vec::new(), cleared: 0, shut: false, discarded: 0, written: 0 }
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
        let this = &mut *self;
        if this.written >= TURN_BYTES {
            this.written = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let bytes = bytes.get(..WRITE_BYTES).unwrap_or(bytes);
        let done = Pin::new(&mut this.io).poll_write(cx, bytes);
        match &done {
            Poll::Ready(Ok(written)) => this.written += written,
            // Others have their turn meanwhile.
            Poll::Pending | Poll::Ready(Err(_)) => this.written = 0,
        }
        done
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
        if bytes.iter().map(|slice| slice.len()).sum::<usize>() > WRITE_BYTES {
            let first = bytes.iter().find(|slice| !slice.is_empty());
            return self.poll_write(cx, first.map_or(&[], |slice| slice));
        }
        Pin::new(&mut self.io).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// A socket that takes whatever it is given.
    struct Fast(usize);

    impl AsyncRead for Fast {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Fast {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.0 += bytes.len();
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn is_write_vectored(&self) -> bool {
            true
        }
    }

    #[test]
    fn a_long_answer_lets_others_have_their_turn() {
        let long = vec![0; 4 * TURN_BYTES];
        let mut cx = Context::from_waker(Waker::noop());
        let mut wire = Wire::new(Fast(0), Arc::new(Pace::new()));
        let (mut sent, mut turns) = (0, 0);
        while sent < long.len() {
            let slices = [io::IoSlice::new(b""), io::IoSlice::new(&long[sent..])];
            match Pin::new(&mut wire).poll_write_vectored(&mut cx, &slices) {
                Poll::Ready(Ok(bytes)) => {
                    assert!(bytes > 0 && bytes <= WRITE_BYTES);
                    sent += bytes;
                }
                Poll::Ready(Err(error)) => panic!("{error}"),
                Poll::Pending => turns += 1,
            }
        }
        assert_eq!((turns, wire.io.0), (3, long.len()));
    }
}
