//! Carrying bytes between a session and its local end, both ways at once.
//!
//! ```text
//!              ┌─ up thread:  local read ─► seal (lock) ─► socket write ─┐
//!  local end ──┤                                                         ├── gateway
//!              └─ down: local write ◄─ open (lock) ◄─ socket read ───────┘
//! ```
//!
//! The lock is held only while bytes change form in memory, never across a read or write, so each direction
//! blocks for itself alone: a local end that does not read stops the down direction and nothing else, and two
//! full directions cannot wait for each other. Only the up thread writes to the socket, so records keep their
//! order; what TLS itself wants to say (a key update) goes out before its next record, as the standard asks.
//!
//! | what ends                 | what follows                                                     |
//! | ---                       | ---                                                              |
//! | local end                 | close_notify to the gateway; the other direction goes on         |
//! | gateway, close_notify     | end of stream at the local end; the other direction goes on      |
//! | gateway, without          | the session is cut off: both directions end, the exit says so    |
//! | local end breaks          | both directions end                                              |

use std::io::{self, BufRead as _, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustls::ClientConnection;
use thiserror::Error;

use super::open::Session;

/// Bytes taken from the local end or the socket at a time: a full TLS record.
const PIECE_BYTES: usize = 16 * 1024;

/// Where down bytes go, and how to say that no more will come.
pub trait Sink: Write {
    /// No more will come.
    ///
    /// # Errors
    /// As the local end reports it.
    fn finish(&mut self) -> io::Result<()>;
}

impl Sink for TcpStream {
    fn finish(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

/// How many bytes went each way, and how each direction ended.
#[derive(Debug)]
pub struct Carried {
    /// From the local end to the host.
    pub up: Way,
    /// From the host to the local end.
    pub down: Way,
}

/// One direction of a finished relay.
#[derive(Debug)]
pub struct Way {
    /// Bytes carried, without TLS.
    pub bytes: u64,
    /// How it ended.
    pub end: Result<(), Broken>,
}

/// Which side broke a session that was running.
#[derive(Debug, Error)]
pub enum Broken {
    /// The local end, while there was still something to say or to hear.
    #[error("the local end went away")]
    Local(#[source] io::Error),
    /// The gateway, without saying goodbye.
    #[error("the gateway ended it without a goodbye")]
    Gateway(#[source] io::Error),
    /// We, by a mistake of ours.
    #[error("a thread of ours panicked")]
    Ours,
}

/// The session as both threads hold it.
struct Shared {
    socket: TcpStream,
    tls: Mutex<ClientConnection>,
}

/// The up direction, once started.
pub struct Up {
    thread: thread::JoinHandle<Way>,
}

/// The down direction, not yet started.
pub struct Down {
    shared: Arc<Shared>,
}

/// Starts the up direction in a thread of its own. The down direction is the caller's to run.
///
/// # Errors
/// If the machine gives no thread or descriptor.
pub fn start(session: Session, from: impl Read + Send + 'static) -> io::Result<(Up, Down)> {
    let (tls, timed) = session.line.into_parts();
    timed.socket.set_read_timeout(None)?;
    timed.socket.set_write_timeout(None)?;
    let shared = Arc::new(Shared { socket: timed.socket, tls: Mutex::new(tls) });
    let held = Arc::clone(&shared);
    let thread = thread::Builder::new().name("up".to_owned()).spawn(move || held.carry_up(from))?;
    Ok((Up { thread }, Down { shared }))
}

impl Up {
    /// Waits until the local end has said all that it had to say.
    #[must_use]
    pub fn wait(self) -> Way {
        self.thread.join().unwrap_or(Way { bytes: 0, end: Err(Broken::Ours) })
    }
}

impl Down {
    /// Carries the down direction until it ends. If it does not end in order, the up direction is cut too; its
    /// thread may still wait for the local end, which is the caller's to close.
    pub fn carry(&self, mut to: impl Sink) -> Way {
        let way = self.shared.carry_down(&mut to);
        if way.end.is_err() {
            // Either it is closed already or it is closed now.
            let _closed = self.shared.socket.shutdown(Shutdown::Both);
        }
        way
    }
}

impl Shared {
    fn carry_up(&self, mut from: impl Read) -> Way {
        let mut piece = vec![0; PIECE_BYTES];
        let mut sealed = Vec::new();
        let mut bytes = 0;
        let end = loop {
            let read = match from.read(&mut piece) {
                Ok(0) => break self.say_goodbye(&mut sealed).map_err(Broken::Gateway),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let _closed = self.socket.shutdown(Shutdown::Both);
                    break Err(Broken::Local(error));
                }
            };
            if let Err(error) = self.seal(&piece[..read], &mut sealed).and_then(|()| (&self.socket).write_all(&sealed)) {
                break Err(Broken::Gateway(error));
            }
            bytes += u64::try_from(read).unwrap_or(u64::MAX);
        };
        Way { bytes, end }
    }

    fn seal(&self, plain: &[u8], sealed: &mut Vec<u8>) -> io::Result<()> {
        sealed.clear();
        let mut tls = self.tls();
        tls.writer().write_all(plain)?;
        drain(&mut tls, sealed)
    }

    fn say_goodbye(&self, sealed: &mut Vec<u8>) -> io::Result<()> {
        sealed.clear();
        let mut tls = self.tls();
        tls.send_close_notify();
        drain(&mut tls, sealed)?;
        drop(tls);
        (&self.socket).write_all(sealed)
    }

    fn carry_down(&self, to: &mut impl Sink) -> Way {
        let mut plain = Vec::with_capacity(4 * PIECE_BYTES);
        let mut sealed = vec![0; 2 * PIECE_BYTES];
        let mut bytes = 0;
        // The host may have spoken in the same flight as the reply: look before waiting.
        let mut arrived = 0;
        let end = loop {
            plain.clear();
            let over = match self.open(&sealed[..arrived], &mut plain) {
                Ok(over) => over,
                Err(error) => break Err(Broken::Gateway(error)),
            };
            if let Err(error) = to.write_all(&plain).and_then(|()| to.flush()) {
                break Err(Broken::Local(error));
            }
            bytes += u64::try_from(plain.len()).unwrap_or(u64::MAX);
            if over {
                break to.finish().map_err(Broken::Local);
            }
            arrived = match (&self.socket).read(&mut sealed) {
                Ok(0) => break Err(Broken::Gateway(io::ErrorKind::UnexpectedEof.into())),
                Ok(arrived) => arrived,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                Err(error) => break Err(Broken::Gateway(error)),
            };
        };
        Way { bytes, end }
    }

    /// Opens what arrived; true means that the gateway has said goodbye.
    fn open(&self, mut sealed: &[u8], plain: &mut Vec<u8>) -> io::Result<bool> {
        let mut tls = self.tls();
        loop {
            if !sealed.is_empty() {
                tls.read_tls(&mut sealed)?;
            }
            let state = tls.process_new_packets().map_err(io::Error::other)?;
            let mut reader = tls.reader();
            loop {
                match reader.fill_buf() {
                    Ok([]) => return Ok(true),
                    Ok(opened) => {
                        plain.extend_from_slice(opened);
                        let taken = opened.len();
                        reader.consume(taken);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
            if sealed.is_empty() || state.peer_has_closed() {
                return Ok(state.peer_has_closed());
            }
        }
    }

    /// A thread that panicked while it held the lock has no session left to protect.
    fn tls(&self) -> MutexGuard<'_, ClientConnection> {
        self.tls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn drain(tls: &mut ClientConnection, sealed: &mut Vec<u8>) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(sealed)?;
    }
    Ok(())
}

impl std::fmt::Debug for Up {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Up").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Down {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Down").finish_non_exhaustive()
    }
}
