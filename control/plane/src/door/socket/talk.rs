//! One connection: requests in, answers out, one after the other.
//!
//! ```text
//!   first line ─┬─ HELLO ─► greeting ─► frames ─► Requests ─┐
//!               └─ other ─► lines ──────────────────────────┴─► console, in a task of its own ─► Said … ─► text or frames
//! ```

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use gate_proto::frame::{self, Ask, BadFrame, BadRequest, Frames, HELLO, LINE_BYTES_MAX, Line, Lines, Request, Requests, Say};
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, timeout_at};
use tracing::{debug, error};
use zeroize::Zeroizing;

use super::wire::{self, Input};
use super::{Door, Obey, Operator};
use crate::reply::{Heard, Said, reply};

/// From one answer to the next request, which must be complete by then.
pub(super) const IDLE_TIME: Duration = Duration::from_secs(5 * 60);
/// From the first part of a batch to its `go`.
pub(super) const BATCH_TIME: Duration = Duration::from_secs(60);
/// How often to look whether the client of a request under way is still there.
const LEFT_LOOK: Duration = Duration::from_millis(500);
/// Bytes of an answer that are put together before they are written.
const OUT_BYTES: usize = 64 * 1024;
/// The error number of a request that is no good before the console sees it.
const INVALID_ARGUMENT: u16 = 278;
/// The error number of a client that said nothing for too long.
const EXPIRED: u16 = 444;
/// The error number of a request that broke the console. Ours.
const INTERNAL: u16 = 1;

/// The first line of a client of ours, of whatever version.
const HELLO_BEGINS: &str = "#sluicectl ";

/// Why a connection ends.
enum End {
    /// The client is through, or has gone away, or cannot be written to.
    Gone,
    /// It may still hear why.
    Parting,
}

/// Serves `stream` to its end.
pub(super) async fn talk<C: Obey>(
    door: Arc<Door<C>>,
    stream: UnixStream,
    operator: Operator,
    place: Arc<OwnedSemaphorePermit>,
    stop: watch::Receiver<bool>,
) {
    let mut talk = Talk { door, stream, operator, place, stop, input: Input::new(), framed: false, out: Vec::new() };
    let ended = talk.run().await;
    let (uid, pid) = (talk.operator.peer.uid, talk.operator.peer.pid);
    match ended {
        Ok(End::Gone) => {}
        Ok(End::Parting) => {
            // Its place is free for others meanwhile.
            drop(talk.place);
            wire::part(talk.stream).await;
        }
        Err(error) => debug!(uid, pid, %error, "control socket: connection lost"),
    }
    debug!(uid, pid, "control socket: closed");
}

struct Talk<C> {
    door: Arc<Door<C>>,
    stream: UnixStream,
    operator: Operator,
    /// Held by requests under way, too: they may outlive the connection.
    place: Arc<OwnedSemaphorePermit>,
    stop: watch::Receiver<bool>,
    input: Input,
    framed: bool,
    out: Vec<u8>,
}

/// What waiting for the client led to.
enum Came<T> {
    /// That.
    This(T),
    /// It has ended its direction.
    End,
    /// Nothing in time.
    Nothing,
    /// The gateway stops.
    Stop,
}

impl<C: Obey> Talk<C> {
    async fn run(&mut self) -> io::Result<End> {
        let mut lines = Lines::default();
        let mut is_first = true;
        loop {
            let deadline = Instant::now() + IDLE_TIME;
            let line = match self.line(&mut lines, deadline).await? {
                Came::This(line) => line,
                Came::End => match lines.rest() {
                    Some(line) => line,
                    None => return Ok(End::Gone),
                },
                Came::Nothing => return self.idle().await,
                Came::Stop => return Ok(End::Gone),
            };
            match line {
                Line::Text(text) if is_first && *text == *HELLO => {
                    self.framed = true;
                    return self.frames().await;
                }
                Line::Text(text) if is_first && text.starts_with(HELLO_BEGINS) => {
                    self.error(INVALID_ARGUMENT, &format!("Invalid argument [this gateway speaks {HELLO}]")).await?;
                    return Ok(End::Parting);
                }
                Line::Text(text) => match text.trim() {
                    "" => {}
                    comment if comment.starts_with('#') => {}
                    word if ["exit", "quit"].iter().any(|exit| word.eq_ignore_ascii_case(exit)) => return Ok(End::Parting),
                    _ => self.request(Request::Run(text), None).await?,
                },
                Line::TooLong => {
                    let why = format!("Invalid argument [a line has at most {LINE_BYTES_MAX} bytes]");
                    self.error(INVALID_ARGUMENT, &why).await?;
                }
                Line::NotText => self.error(INVALID_ARGUMENT, "Invalid argument [a line is UTF-8]").await?,
            }
            is_first = false;
        }
    }

    async fn frames(&mut self) -> io::Result<End> {
        let greeting = format!("Sluicegate {} {}\n", env!("CARGO_PKG_VERSION"), self.operator.level.word());
        frame::write(Say::Text, &greeting, &mut self.out);
        self.end(0).await?;
        let (mut frames, mut requests) = (Frames::<Ask>::default(), Requests::default());
        loop {
            let mut deadline = Instant::now() + IDLE_TIME;
            let mut batch_place = None;
            let request = loop {
                let frame = match self.frame(&mut frames, deadline).await? {
                    Came::This(Ok(frame)) => frame,
                    Came::This(Err(fault)) => {
                        self.error(INVALID_ARGUMENT, &format!("Invalid syntax in term [{fault}]")).await?;
                        return Ok(End::Parting);
                    }
                    Came::End | Came::Stop => return Ok(End::Gone),
                    Came::Nothing => return self.idle().await,
                };
                if frame.kind == Ask::Batch && batch_place.is_none() {
                    let Ok(Ok(place)) = timeout_at(deadline, self.door.batches.clone().acquire_owned()).await else {
                        return self.idle().await;
                    };
                    batch_place = Some(place);
                    deadline = deadline.min(Instant::now() + BATCH_TIME);
                }
                match requests.take(frame) {
                    Ok(None) => {}
                    Ok(Some(request)) => break Ok(request),
                    Err(bad) => break Err(bad),
                }
            };
            match request {
                Ok(request) => self.request(request, batch_place).await?,
                Err(bad) => self.bad(bad).await?,
            }
        }
    }

    async fn bad(&mut self, bad: BadRequest) -> io::Result<()> {
        self.error(INVALID_ARGUMENT, &format!("Invalid argument [{bad}]")).await
    }

    async fn line(&mut self, lines: &mut Lines, deadline: Instant) -> io::Result<Came<Line>> {
        self.next(deadline, |bytes| lines.next(bytes)).await
    }

    async fn frame(
        &mut self,
        frames: &mut Frames<Ask>,
        deadline: Instant,
    ) -> io::Result<Came<Result<frame::Frame<Ask>, BadFrame>>> {
        self.next(deadline, |bytes| frames.next(bytes).transpose()).await
    }

    /// What `read` finds in what the client sends, however many pieces it comes in.
    async fn next<T>(&mut self, deadline: Instant, mut read: impl FnMut(&mut &[u8]) -> Option<T>) -> io::Result<Came<T>> {
        loop {
            if let Some(found) = self.input.take(&mut read) {
                return Ok(Came::This(found));
            }
            let more = tokio::select! {
                more = timeout_at(deadline, self.input.more(&self.stream)) => more,
                _ = self.stop.wait_for(|stop| *stop) => return Ok(Came::Stop),
            };
            match more {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => return Ok(Came::End),
                Ok(Err(error)) => return Err(error),
                Err(_) => return Ok(Came::Nothing),
            }
        }
    }

    async fn idle(&mut self) -> io::Result<End> {
        self.error(EXPIRED, "Session expired or killed. Please login again [no whole request in time]").await?;
        Ok(End::Parting)
    }

    /// Has `request` carried out, and writes what is said about it.
    async fn request(&mut self, request: Request, batch_place: Option<OwnedSemaphorePermit>) -> io::Result<()> {
        let (reply, heard) = reply();
        let (console, by) = (self.door.console.clone(), self.operator.clone());
        let places = (self.place.clone(), batch_place);
        let task = tokio::spawn(async move {
            let number = match request {
                Request::Run(line) => console.line(by, line, reply).await,
                Request::Batch(lines) => console.batch(by, lines, reply).await,
            };
            drop(places);
            number
        });
        let cut = self.hear(heard).await?;
        match task.await {
            Ok(number) if cut => {
                self.put(Said::Error("the answer is longer than what can be held: ask for less".to_owned()));
                self.end(if number == 0 { INVALID_ARGUMENT } else { number }).await
            }
            Ok(number) => self.end(number).await,
            Err(broken) => {
                error!(panic = broken.is_panic(), "a request broke the console");
                self.put(Said::Error("Internal error".to_owned()));
                self.end(INTERNAL).await
            }
        }
    }

    /// Writes what is said until all is said; whether something is missing. Ends early if the client has gone away.
    async fn hear(&mut self, mut heard: Heard) -> io::Result<bool> {
        let mut look = tokio::time::interval(LEFT_LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let next = tokio::select! {
                biased;
                said = heard.next() => ControlFlow::Continue(said),
                _ = look.tick() => ControlFlow::Break(wire::has_left(&self.stream).await),
            };
            match next {
                ControlFlow::Break(true) => return Err(io::ErrorKind::ConnectionAborted.into()),
                ControlFlow::Break(false) => {}
                ControlFlow::Continue(None) => return Ok(heard.has_dropped()),
                ControlFlow::Continue(Some(said)) => {
                    self.put(said);
                    while self.out.len() < OUT_BYTES
                        && let Some(said) = heard.at_hand()
                    {
                        self.put(said);
                    }
                    self.flush().await?;
                }
            }
        }
    }

    fn put(&mut self, said: Said) {
        if self.framed {
            match said {
                Said::Text(text) => frame::write(Say::Text, &text, &mut self.out),
                Said::Warning(text) => frame::write(Say::Warning, &text, &mut self.out),
                Said::Error(text) => frame::write(Say::Error, &text, &mut self.out),
                Said::Progress(text) => frame::write(Say::Progress, &text, &mut self.out),
                // The client knows by the end of the whole request.
                Said::Done => {}
            }
            return;
        }
        let (word, text) = match &said {
            Said::Text(text) => return self.out.extend_from_slice(text.as_bytes()),
            Said::Warning(text) => ("Warning: ", text.as_str()),
            Said::Error(text) => ("ERROR: ", text.as_str()),
            Said::Progress(text) => ("", text.as_str()),
            Said::Done => (" Done", ""),
        };
        for part in [word, text, "\n"] {
            self.out.extend_from_slice(part.as_bytes());
        }
    }

    /// Ends an answer.
    async fn end(&mut self, number: u16) -> io::Result<()> {
        if self.framed {
            frame::write(Say::End, &number.to_string(), &mut self.out);
        } else if number == 0 {
            self.put(Said::Done);
        }
        self.flush().await
    }

    /// An answer that is nothing but an error.
    async fn error(&mut self, number: u16, text: &str) -> io::Result<()> {
        self.put(Said::Error(text.to_owned()));
        self.end(number).await
    }

    async fn flush(&mut self) -> io::Result<()> {
        let out = Zeroizing::new(std::mem::take(&mut self.out));
        wire::write(&self.stream, &out).await
    }
}
