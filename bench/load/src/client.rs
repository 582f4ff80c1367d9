//! One connection: TCP, TLS, SOCKS5 if the target is a gateway, an order to the host, then work.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::sync::Arc;
use std::time::Instant;

use mio::net::TcpStream;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use crate::Load;
use crate::fault::{Fault, machine};
use crate::sink::ORDER_BYTES;

/// Most plaintext that waits in rustls for the socket, in bytes.
const OUTGOING_BYTES_MAX: usize = 256 * 1024;

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// TLS is being agreed on.
    Handshake,
    /// The opening has been sent; so many bytes of the answer are there.
    Opening(usize),
    /// The order has been sent; bytes are for the work.
    Working,
    /// The other side has ended.
    Over,
}

/// A connection to the target.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    tls: ClientConnection,
    pub(crate) stage: Stage,
    number: usize,
    opening: Option<Vec<u8>>,
    order: [u8; ORDER_BYTES],
    answer: [u8; 12],
    /// When it was begun.
    pub(crate) begun: Instant,
    /// When messages on their way should have been sent.
    pub(crate) sent: VecDeque<Instant>,
    /// Bytes of the message that is coming back.
    pub(crate) coming: usize,
}

impl Client {
    /// Begins to connect. With a ticket the target is a gateway.
    pub(crate) fn begin(
        number: usize,
        load: &Load,
        name: &ServerName<'static>,
        tls: &Arc<ClientConfig>,
        ticket: Option<&str>,
        order: [u8; ORDER_BYTES],
        now: Instant,
    ) -> Result<Self, Fault> {
        let target = load.target;
        let socket = socket2::Socket::new(socket2::Domain::for_address(target), socket2::Type::STREAM, None);
        let socket = socket.map_err(machine("make a socket"))?;
        socket.set_tcp_nodelay(true).map_err(machine("set no delay"))?;
        if let Some(name) = &load.congestion {
            socket.set_tcp_congestion(name.as_bytes()).map_err(machine(format!("set congestion control {name}")))?;
        }
        socket.set_nonblocking(true).map_err(machine("set non-blocking"))?;
        match socket.connect(&target.into()) {
            // EINPROGRESS is what a non-blocking connect says.
            Err(fault) if fault.raw_os_error() != Some(115) => return Err(machine(format!("connect to {target}"))(fault)),
            _ => {}
        }
        let mut tls = ClientConnection::new(Arc::clone(tls), name.clone())?;
        tls.set_buffer_limit(Some(OUTGOING_BYTES_MAX));
        let opening = ticket.map(|ticket| {
            let length = u8::try_from(ticket.len()).unwrap_or(u8::MAX);
            [&[5, 1, 0, 5, 1, 0, 3, length], ticket.as_bytes(), &1494_u16.to_be_bytes()].concat()
        });
        Ok(Self {
            stream: TcpStream::from_std(socket.into()),
            tls,
            stage: Stage::Handshake,
            number,
            opening,
            order,
            answer: [0; 12],
            begun: now,
            sent: VecDeque::new(),
            coming: 0,
        })
    }

    /// Moves what can be moved. Received plaintext is read into `block` and handed to `got`; returns whether anything moved.
    pub(crate) fn turn(&mut self, block: &mut [u8], mut got: impl FnMut(&[u8])) -> Result<bool, Fault> {
        let mut moved = self.push()?;
        loop {
            match self.tls.read_tls(&mut self.stream) {
                Ok(0) => {
                    self.stage = Stage::Over;
                    return Ok(true);
                }
                Ok(_) => moved = true,
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => break,
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => continue,
                Err(fault) => return Err(self.wrong(format!("reading: {fault}"))),
            }
            self.tls.process_new_packets().map_err(|fault| self.wrong(format!("TLS: {fault}")))?;
            if self.stage == Stage::Handshake && !self.tls.is_handshaking() {
                self.open()?;
            }
            while let Stage::Opening(have) = self.stage {
                match self.tls.reader().read(&mut self.answer[have..]) {
                    Ok(0) => return Err(self.wrong("closed instead of answering".into())),
                    Ok(n) => self.stage = Stage::Opening(have + n),
                    Err(_) => break,
                }
                if self.stage == Stage::Opening(self.answer.len()) {
                    if self.answer[..4] != [5, 0, 5, 0] {
                        return Err(self.wrong(format!("answered {:?}", self.answer)));
                    }
                    self.stage = Stage::Working;
                    self.write(&self.order.clone());
                }
            }
            while self.stage == Stage::Working {
                match self.tls.reader().read(block) {
                    Ok(0) => self.stage = Stage::Over,
                    Ok(n) => got(&block[..n]),
                    Err(_) => break,
                }
            }
            if self.stage == Stage::Over {
                return Ok(true);
            }
        }
        moved |= self.push()?;
        Ok(moved)
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
        self.push().map(drop)
    }

    /// Queues plaintext and says how much was taken.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> usize {
        self.tls.writer().write(bytes).unwrap_or(0)
    }

    /// Sends what is queued, as far as the socket takes it.
    pub(crate) fn push(&mut self) -> Result<bool, Fault> {
        let mut moved = false;
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.stream) {
                Ok(_) => moved = true,
                Err(fault) if [io::ErrorKind::WouldBlock, io::ErrorKind::NotConnected].contains(&fault.kind()) => break,
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                Err(fault) => return Err(self.wrong(format!("writing: {fault}"))),
            }
        }
        Ok(moved)
    }

    /// Says close_notify.
    pub(crate) fn finish(&mut self) -> Result<(), Fault> {
        self.tls.send_close_notify();
        self.push().map(drop)
    }

    fn wrong(&self, what: String) -> Fault {
        Fault::Peer { connection: self.number, what }
    }
}
