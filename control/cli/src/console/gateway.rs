//! One connection to a gateway's control socket, in frames.
//!
//! ```text
//!   connect ─► `#sluicectl 1` ─► greeting: version, level
//!   run     ─► one line            ◄─ text* warning* error* progress* … end: 0 or the error's number
//!   batch   ─► many lines, go      ◄─ the same
//! ```
//!
//! Requests are answered in order, and here one is sent at a time, so that what is heard belongs to what was asked.

use std::io::{self, Read as _, Write as _};
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gate_config::text::visible::visible;
use gate_proto::frame::{self, Ask, Frame, Frames, HELLO, Say};
use zeroize::Zeroizing;

use crate::clock::Deadline;

use super::fault::Fault;

/// Where a gateway listens that was not told otherwise.
pub const SOCKET: &str = "/run/sluicegate/control.sock";
/// The variable that says otherwise.
pub const SOCKET_VARIABLE: &str = "SLUICEGATE_SOCKET";
/// How long a gateway may take to greet.
const GREETING_WAIT: Duration = Duration::from_secs(10);
/// How often an interrupt is looked for while an answer is awaited.
const GLANCE: Duration = Duration::from_millis(100);
/// How long a gateway may take to accept a part of what is said to it. Batches of others may have to end first.
const WRITE_WAIT: Duration = Duration::from_secs(60);
/// Bytes that are read at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// Longest refusal at the door that is read, in bytes.
const REFUSAL_BYTES_MAX: usize = 1024;

/// What a peer of the gateway may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Look.
    Read,
    /// Look and change.
    Change,
}

/// What the gateway said first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Of the gateway.
    pub version: String,
    /// What we may do.
    pub level: Level,
}

/// Whoever hears an answer while it comes. To stop listening ends the connection.
pub type Hear<'h> = &'h mut dyn FnMut(Say, &str) -> ControlFlow<()>;

/// A connection.
#[derive(Debug)]
pub struct Gateway {
    path: PathBuf,
    stream: UnixStream,
    frames: Frames<Say>,
    /// Read and not yet looked at.
    unread: Vec<u8>,
    greeting: Greeting,
    interrupt: Arc<AtomicBool>,
    /// Until when an answer is awaited; none: as long as it takes.
    patience: Option<Deadline>,
}

impl Gateway {
    /// Connects and waits for the greeting. `interrupt` ends any waiting as soon as it is set.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn connect(path: &Path, interrupt: &Arc<AtomicBool>) -> Result<Self, Fault> {
        let stream = UnixStream::connect(path).map_err(|source| Fault::of_connect(path, source))?;
        let unreachable = |source| Fault::Unreachable { path: path.to_owned(), source };
        stream.set_write_timeout(Some(WRITE_WAIT)).map_err(unreachable)?;
        let mut gateway = Self {
            path: path.to_owned(),
            stream,
            frames: Frames::default(),
            unread: Vec::new(),
            greeting: Greeting { version: String::new(), level: Level::Read },
            interrupt: Arc::clone(interrupt),
            patience: Some(Deadline::after(GREETING_WAIT)),
        };
        // A gateway that turns us away may close before it has read this; what it said is there all the same.
        let _ = gateway.stream.write_all(format!("{HELLO}\n").as_bytes());
        gateway.greeting = gateway.hear_greeting()?;
        gateway.patience = None;
        Ok(gateway)
    }

    /// What the gateway said first.
    #[must_use]
    pub const fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// Whether the gateway has ended the connection meanwhile, as it does when nothing was said for a while, or when it stops.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        if self.stream.set_nonblocking(true).is_err() {
            return true;
        }
        let mut bytes = [0; CHUNK_BYTES];
        let gone = match (&self.stream).read(&mut bytes) {
            // Between requests it has nothing to say: this is a farewell, or not a gateway.
            Ok(_) => true,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        };
        gone || self.stream.set_nonblocking(false).is_err()
    }

    /// Has one line carried out. Answers the number of its error, 0 for Done.
    ///
    /// # Errors
    /// [`Fault`]; then the connection is of no more use.
    pub fn run(&mut self, line: &str, hear: Hear<'_>) -> Result<u16, Fault> {
        let mut said = Zeroizing::new(Vec::with_capacity(line.len() + frame::HEADER_BYTES_MAX));
        frame::write(Ask::Run, line, &mut said);
        self.say(&said)?;
        self.hear(hear)
    }

    /// Has many lines carried out, together.
    ///
    /// # Errors
    /// As with [`run`](Self::run).
    pub fn batch(&mut self, lines: &str, hear: Hear<'_>) -> Result<u16, Fault> {
        let frames = lines.len() / (frame::PAYLOAD_BYTES_MAX - 4) + 2;
        let mut said = Zeroizing::new(Vec::with_capacity(lines.len() + frames * frame::HEADER_BYTES_MAX));
        if !lines.is_empty() {
            frame::write(Ask::Batch, lines, &mut said);
        }
        frame::write(Ask::Go, "", &mut said);
        self.say(&said)?;
        self.hear(hear)
    }

    /// Asks something whose answer is one text, such as JSON. `Err` holds what went wrong in the gateway's words.
    ///
    /// # Errors
    /// As with [`run`](Self::run).
    pub fn text(&mut self, line: &str) -> Result<Result<String, String>, Fault> {
        let (mut text, mut wrong) = (String::new(), String::new());
        let number = self.run(line, &mut |kind, said| {
            match kind {
                Say::Text => text.push_str(said),
                Say::Error => wrong = visible(said).into_owned(),
                Say::Warning | Say::Progress | Say::End => {}
            }
            ControlFlow::Continue(())
        })?;
        Ok(if number == 0 { Ok(text) } else { Err(wrong) })
    }

    /// The same, for what nobody wants to wait long for.
    ///
    /// # Errors
    /// As with [`run`](Self::run), and [`Fault::Lost`] if it takes longer than `most`.
    pub fn small(&mut self, line: &str, most: Duration) -> Result<Result<String, String>, Fault> {
        self.patience = Some(Deadline::after(most));
        let said = self.text(line);
        self.patience = None;
        said
    }

    fn say(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.stream.write_all(bytes).map_err(|source| Fault::Lost { source: Some(source) })
    }

    fn hear(&mut self, hear: Hear<'_>) -> Result<u16, Fault> {
        loop {
            let frame = self.next()?;
            if frame.kind == Say::End {
                return frame.number().ok_or_else(|| self.foreign());
            }
            if hear(frame.kind, &frame.payload).is_break() {
                return Err(Fault::Unread);
            }
        }
    }

    fn hear_greeting(&mut self) -> Result<Greeting, Fault> {
        // Who is turned away is told so in a plain line, which is not a frame.
        while self.unread.is_empty() {
            self.read()?;
        }
        if self.unread.starts_with(b"E") {
            return Err(self.turned_away());
        }
        let greeting = self.next()?;
        let end = self.next()?;
        match (greeting.kind, end.number(), read_greeting(&greeting.payload)) {
            (Say::Text, Some(0), Some(greeting)) => Ok(greeting),
            _ => Err(self.foreign()),
        }
    }

    fn turned_away(&mut self) -> Fault {
        while !self.unread.contains(&b'\n') && self.unread.len() < REFUSAL_BYTES_MAX && self.read().is_ok() {}
        let text = String::from_utf8_lossy(&self.unread);
        match text.lines().next().and_then(|line| line.strip_prefix("ERROR: ")) {
            Some(said) => Fault::Refused { path: self.path.clone(), said: visible(said).into_owned() },
            None => self.foreign(),
        }
    }

    fn foreign(&self) -> Fault {
        Fault::Foreign { path: self.path.clone() }
    }

    fn next(&mut self) -> Result<Frame<Say>, Fault> {
        loop {
            let mut bytes = self.unread.as_slice();
            let before = bytes.len();
            let next = self.frames.next(&mut bytes);
            let taken = before - bytes.len();
            self.unread.drain(..taken);
            match next {
                Ok(Some(frame)) => return Ok(frame),
                Ok(None) => self.read()?,
                Err(_) => return Err(self.foreign()),
            }
        }
    }

    /// Reads what there is, waiting for it.
    fn read(&mut self) -> Result<(), Fault> {
        let mut bytes = [0; CHUNK_BYTES];
        loop {
            if self.interrupt.load(Ordering::Relaxed) {
                return Err(Fault::Interrupted);
            }
            let lost = |source| Fault::Lost { source: Some(source) };
            let left = self.patience.map_or(Ok(GLANCE), Deadline::left).map_err(lost)?;
            self.stream.set_read_timeout(Some(left.min(GLANCE))).map_err(lost)?;
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(Fault::Lost { source: None }),
                Ok(count) => {
                    self.unread.extend_from_slice(bytes.get(..count).unwrap_or_default());
                    return Ok(());
                }
                Err(error) if is_patience(&error) => {}
                Err(error) => return Err(lost(error)),
            }
        }
    }
}

/// Nothing has come yet.
fn is_patience(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// `Sluicegate VERSION LEVEL`.
fn read_greeting(text: &str) -> Option<Greeting> {
    let mut words = text.split_whitespace();
    let (name, version, level) = (words.next()?, words.next()?, words.next()?);
    let level = match level {
        "read" => Level::Read,
        "change" => Level::Change,
        _ => return None,
    };
    (name == "Sluicegate").then(|| Greeting { version: visible(version).into_owned(), level })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greetings() {
        let of = |level| Some(Greeting { version: "0.1.0".into(), level });
        assert_eq!(read_greeting("Sluicegate 0.1.0 change\n"), of(Level::Change));
        assert_eq!(read_greeting("Sluicegate 0.1.0 read"), of(Level::Read));
        assert_eq!(read_greeting("Sluicegate 0.1.0"), None);
        assert_eq!(read_greeting("Sluicegate 0.1.0 root"), None);
        assert_eq!(read_greeting("HTTP/1.1 400 Bad"), None);
    }
}
