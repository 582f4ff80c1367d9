//! Bytes to and from a client, each with its deadline.

use std::future::ready;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::net::UnixStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;
/// Bytes written at once, for which there is one deadline.
const WRITE_BYTES: usize = 64 * 1024;
/// For a client to take one such piece.
pub(super) const WRITE_TIME: Duration = Duration::from_secs(30);
/// For the other side to end, once everything has been said.
const PARTING_TIME: Duration = Duration::from_secs(1);
/// Bytes that are read and dropped meanwhile.
const PARTING_BYTES_MAX: usize = 256 * 1024;

/// What has come and was not yet used. Wiped, since lines may hold passwords.
pub(super) struct Input {
    bytes: Zeroizing<Vec<u8>>,
    used: usize,
}

impl Input {
    pub(super) fn new() -> Self {
        Self { bytes: Zeroizing::new(Vec::with_capacity(READ_BYTES)), used: 0 }
    }

    /// Lets `read` take from the front of what is there.
    pub(super) fn take<T>(&mut self, read: impl FnOnce(&mut &[u8]) -> T) -> T {
        let mut rest = &self.bytes[self.used..];
        let answer = read(&mut rest);
        self.used = self.bytes.len() - rest.len();
        answer
    }

    /// Waits for more, when all that was there is used. `false`: no more will come.
    pub(super) async fn more(&mut self, stream: &UnixStream) -> io::Result<bool> {
        loop {
            stream.readable().await?;
            self.bytes.resize(READ_BYTES, 0);
            self.used = 0;
            let read = stream.try_read(&mut self.bytes);
            self.bytes.truncate(*read.as_ref().unwrap_or(&0));
            match read {
                Ok(bytes) => return Ok(bytes > 0),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Writes all of `bytes`.
///
/// # Errors
/// The system's; `TimedOut` if the client does not take a piece within [`WRITE_TIME`].
pub(super) async fn write(stream: &UnixStream, bytes: &[u8]) -> io::Result<()> {
    for piece in bytes.chunks(WRITE_BYTES) {
        timeout(WRITE_TIME, write_piece(stream, piece)).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    }
    Ok(())
}

async fn write_piece(stream: &UnixStream, mut piece: &[u8]) -> io::Result<()> {
    while !piece.is_empty() {
        stream.writable().await?;
        match stream.try_write(piece) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(bytes) => piece = &piece[bytes..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether the client has closed the connection. One that has only ended its own direction still waits for its answer.
pub(super) async fn has_left(stream: &UnixStream) -> bool {
    tokio::select! {
        biased;
        state = stream.ready(Interest::WRITABLE) => state.is_ok_and(|state| state.is_write_closed()),
        () = ready(()) => false,
    }
}

/// Closes such that the last words arrive: closing with unread bytes tells the other side of a broken connection.
pub(super) async fn part(mut stream: UnixStream) {
    let parting = async {
        stream.shutdown().await?;
        let (mut input, mut dropped) = (Input::new(), 0);
        while dropped < PARTING_BYTES_MAX && input.more(&stream).await? {
            dropped += input.bytes.len();
        }
        Ok::<(), io::Error>(())
    };
    // It may have gone away, or be slow: both are its own loss.
    drop(timeout(PARTING_TIME, parting).await);
}
