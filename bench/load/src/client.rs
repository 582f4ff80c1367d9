//! One connection: TCP, TLS, SOCKS5 if the target is a gateway, an order to the host, then work.

use std::collections::VecDeque;
use std::io::{self, Read as _};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use crate::Load;
use crate::clock::now;
use crate::fault::{Fault, machine};
use crate::load::source;
use crate::sink::ORDER_BYTES;
use crate::wire::{Pulled, Wire};

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// TCP and TLS are being agreed on.
    Handshake,
    /// The opening has been sent; so many bytes of the answer are there.
    Opening(usize),
    /// The order has been sent; bytes are for the work.
    Working,
    /// Our end is closed; the other side's is waited for, so that nothing is cut short.
    Closing,
    /// The other side has ended.
    Over,
}

/// A message that is on its way there and back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    /// When it should have been sent: a late generator must not hide the target's delay.
    pub(crate) due: Instant,
    /// Which latency it belongs to.
    pub(crate) kind: usize,
    /// Bytes of the answer that are to come.
    pub(crate) left: usize,
    /// When it was sent.
    pub(crate) sent: Instant,
}

impl Message {
    /// One that is due then, and whose answer will be `left` bytes.
    pub(crate) fn new(due: Instant, kind: usize, left: usize) -> Self {
        Self { due, kind, left, sent: due }
    }
}

/// A connection to the target.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    wire: Wire,
    pub(crate) stage: Stage,
    number: usize,
    opening: Option<Vec<u8>>,
    order: [u8; ORDER_BYTES],
    answer: [u8; 12],
    /// When it was due.
    pub(crate) begun: Instant,
    /// Messages whose answers are to come, in order.
    pub(crate) messages: VecDeque<Message>,
}

impl Client {
    /// Begins to connect. With a ticket the target is a gateway; without `tls` it copies TCP.
    pub(crate) fn begin(
        number: usize,
        load: &Load,
        tls: Option<(&Arc<ClientConfig>, &ServerName<'static>)>,
        ticket: Option<&str>,
        order: [u8; ORDER_BYTES],
        due: Instant,
    ) -> Result<Self, Fault> {
        let stream = dial(load, number, None)?;
        let opening = ticket.map(|ticket| {
            let length = u8::try_from(ticket.len()).unwrap_or(u8::MAX);
            [&[5, 1, 0, 5, 1, 0, 3, length], ticket.as_bytes(), &1494_u16.to_be_bytes()].concat()
        });
        Ok(Self {
            stream,
            wire: tls.map_or_else(|| Ok(Wire::plain()), |(config, name)| Wire::tls(config, name))?,
            stage: Stage::Handshake,
            number,
            opening,
            order,
            answer: [0; 12],
            begun: due,
            messages: VecDeque::new(),
        })
    }

    /// Moves what can be moved. Received bytes are read into `block` and handed to `got`.
    pub(crate) fn turn(&mut self, block: &mut [u8], got: impl FnMut(&[u8])) -> Result<(), Fault> {
        self.turn_within(usize::MAX, block, got).map(drop)
    }

    /// The same, but takes no more than about `most` bytes from the socket. Says whether there may be more: readiness will not be told
    /// again.
    pub(crate) fn turn_within(&mut self, most: usize, block: &mut [u8], mut got: impl FnMut(&[u8])) -> Result<bool, Fault> {
        self.push()?;
        let mut left = most;
        while left > 0 {
            match self.wire.pull(&mut self.stream, left).map_err(|fault| self.wrong(&fault))? {
                Pulled::Nothing => break,
                Pulled::End => {
                    self.stage = Stage::Over;
                    return Ok(false);
                }
                Pulled::Some(n) => left = left.saturating_sub(n),
            }
            if self.stage == Stage::Handshake && self.wire.is_open(&self.stream) {
                self.open()?;
            }
            while let Stage::Opening(have) = self.stage {
                match self.wire.read(&mut self.answer[have..]) {
                    Ok(0) => return Err(self.wrong(&"closed instead of answering")),
                    Ok(n) => self.stage = Stage::Opening(have + n),
                    Err(_) => break,
                }
                if self.stage == Stage::Opening(self.answer.len()) {
                    if self.answer[..4] != [5, 0, 5, 0] {
                        return Err(self.wrong(&format!("answered {:?}", self.answer)));
                    }
                    self.stage = Stage::Working;
                    self.write(&self.order.clone());
                }
            }
            while [Stage::Working, Stage::Closing].contains(&self.stage) {
                match self.wire.read(block) {
                    Ok(0) => self.stage = Stage::Over,
                    Ok(n) => got(&block[..n]),
                    Err(_) => break,
                }
            }
            if self.stage == Stage::Over {
                return Ok(false);
            }
        }
        // A plain connection is up without anything having come.
        if self.stage == Stage::Handshake && self.wire.is_open(&self.stream) {
            self.open()?;
        }
        self.push()?;
        Ok(left == 0)
    }

    fn open(&mut self) -> Result<(), Fault> {
        match self.opening.take() {
            Some(opening) => {
                self.stage = Stage::Opening(0);
                self.write(&opening);
            }
            None => {
                self.stage = Stage::Working;
                self.write(&self.order.clone());
            }
        }
        self.push()
    }

    /// Queues bytes and says how many were taken.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> usize {
        self.wire.write(bytes)
    }

    /// Sends a message.
    pub(crate) fn say(&mut self, bytes: &[u8], message: Message) -> Result<(), Fault> {
        let message = Message { sent: now(), ..message };
        self.messages.push_back(message);
        let taken = self.write(bytes);
        if taken < bytes.len() {
            return Err(self.wrong(&"it takes no more: the rate cannot be kept"));
        }
        self.push()
    }

    /// So many bytes of answers have come. Hands out each message that is complete.
    pub(crate) fn came(&mut self, mut bytes: usize, mut done: impl FnMut(Message)) {
        while let Some(first) = self.messages.front_mut() {
            let part = first.left.min(bytes);
            first.left -= part;
            bytes -= part;
            if first.left > 0 {
                break;
            }
            self.messages.pop_front().into_iter().for_each(&mut done);
        }
    }

    /// Sends what is queued, as far as the socket takes it.
    pub(crate) fn push(&mut self) -> Result<(), Fault> {
        self.wire.push(&mut self.stream).map_err(|fault| self.wrong(&format!("writing: {fault}")))
    }

    /// Whether the handshake was a short one.
    pub(crate) fn is_resumed(&self) -> bool {
        self.wire.is_resumed()
    }

    /// Says close_notify and closes this end.
    pub(crate) fn finish(&mut self) -> Result<(), Fault> {
        self.wire.finish();
        self.push()?;
        self.stage = Stage::Closing;
        match self.stream.shutdown(Shutdown::Write) {
            Err(fault) if fault.kind() != io::ErrorKind::NotConnected => Err(self.wrong(&format!("closing: {fault}"))),
            _ => Ok(()),
        }
    }

    fn wrong(&self, what: &dyn std::fmt::Display) -> Fault {
        Fault::Peer { connection: self.number, what: what.to_string() }
    }
}

/// Begins a TCP connection. `linger`: how long closing it may wait; zero resets it.
pub(crate) fn dial(load: &Load, number: usize, linger: Option<Duration>) -> Result<TcpStream, Fault> {
    let target = load.target;
    let socket = socket2::Socket::new(socket2::Domain::for_address(target), socket2::Type::STREAM, None);
    let socket = socket.map_err(machine("make a socket"))?;
    socket.set_tcp_nodelay(true).map_err(machine("set no delay"))?;
    if let Some(name) = &load.congestion {
        socket.set_tcp_congestion(name.as_bytes()).map_err(machine(format!("set congestion control {name}")))?;
    }
    if linger.is_some() {
        socket.set_linger(linger).map_err(machine("set how to close"))?;
    }
    socket.set_nonblocking(true).map_err(machine("set non-blocking"))?;
    if let Some(source) = source(load.sources.unwrap_or(0), number as u64) {
        socket.bind(&SocketAddr::new(source, 0).into()).map_err(machine(format!("connect from {source}")))?;
    }
    match socket.connect(&target.into()) {
        // EINPROGRESS is what a non-blocking connect says.
        Err(fault) if fault.raw_os_error() != Some(115) => return Err(machine(format!("connect to {target}"))(fault)),
        _ => {}
    }
    Ok(TcpStream::from_std(socket.into()))
}

/// What of a socket's bytes is read: at most so many.
pub(crate) fn within(stream: &mut TcpStream, most: usize) -> impl io::Read {
    stream.take(u64::try_from(most).unwrap_or(u64::MAX))
}
