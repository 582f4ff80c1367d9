//! From a gateway's name and a ticket to a connected session: TCP, TLS, SOCKS5.
//!
//! ```text
//!  client                                          gateway
//!    │ ── TCP, TLS, certificate for SSLProxyHost ──► │
//!    │ ── 05 01 00 ────────────────────────────────► │  (negotiated: wait for the answer;
//!    │ ◄─ 05 00 ──────────────────────────────────── │   pipelined: do not; bare: leave it out)
//!    │ ── 05 01 00 03 n ";40;STA…;…" 05 d6 ────────► │  asks the authority, dials the host
//!    │ ◄─ 05 00 00 01 00000000 0000 ──────────────── │
//!    │ ◄─ 7f 7f "ICA" 00 ─────────────────────────── │  from here on, the host
//! ```

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use gate_proto::host_port::{Host, HostPort};
use gate_proto::secret::Secret;
use rustls::{CertificateError, ClientConfig, ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;

use super::fault::{Fault, Reply, Stage};
use crate::clock::{Deadline, now};

/// The port that goes with a ticket. Gateways pass over it.
const ICA_PORT: u16 = 1494;
const VERSION: u8 = 0x05;
const GREETING: [u8; 3] = [VERSION, 0x01, 0x00];

/// In which of the three ways to begin. A gateway must understand all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Opening {
    /// Greet, wait for the method, then ask: SOCKS5 by the book.
    #[default]
    Negotiated,
    /// Greet and ask in one flight.
    Pipelined,
    /// Ask without greeting, as some native clients do.
    Bare,
}

/// Where to, and in what way.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The gateway; its certificate must be for this name.
    pub gateway: HostPort,
    /// Where to connect instead of asking the resolver for that name, as a line in `/etc/hosts` would have it.
    pub at: Option<SocketAddr>,
    /// TLS settings, from [`Trust`](super::trust::Trust).
    pub tls: Arc<ClientConfig>,
    /// How to begin.
    pub opening: Opening,
    /// How long all of it may take.
    pub wait: Duration,
}

/// A TLS connection to a gateway, each of whose reads and writes ends at a deadline.
pub type Line = StreamOwned<ClientConnection, Timed>;

/// A connected session: the next byte from the gateway is the host's.
pub struct Session {
    pub(super) line: Line,
    /// How long each part took.
    pub took: Took,
}

/// How long the parts of an opening took.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    /// Name and TCP.
    pub connect: Duration,
    /// TLS.
    pub handshake: Duration,
    /// Ticket to reply.
    pub reply: Duration,
}

impl Plan {
    /// TCP and TLS, up to the point where the first byte can be said.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn dial(&self) -> Result<(Line, Took), Fault> {
        self.dial_until(Deadline::after(self.wait))
    }

    /// All of it: dial, present `ticket`, wait for the reply.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn open(&self, ticket: &Secret) -> Result<Session, Fault> {
        let deadline = Deadline::after(self.wait);
        let (mut line, mut took) = self.dial_until(deadline)?;
        let start = now();
        self.present(&mut line, ticket)?;
        took.reply = now().saturating_duration_since(start);
        line.sock.deadline = None;
        Ok(Session { line, took })
    }

    fn dial_until(&self, deadline: Deadline) -> Result<(Line, Took), Fault> {
        let start = now();
        let socket = self.connect(deadline)?;
        let connected = now();
        let name = match &self.gateway.host {
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| self.unreachable(io::ErrorKind::InvalidInput))?,
            Host::Address(address) => ServerName::from(*address),
        };
        let tls = ClientConnection::new(Arc::clone(&self.tls), name).map_err(Fault::Setup)?;
        let mut line = StreamOwned::new(tls, Timed { socket, deadline: Some(deadline) });
        while line.conn.is_handshaking() {
            line.conn.complete_io(&mut line.sock).map_err(|error| self.handshake_fault(error))?;
        }
        let handshake = now().saturating_duration_since(connected);
        let connect = connected.saturating_duration_since(start);
        Ok((line, Took { connect, handshake, reply: Duration::ZERO }))
    }

    /// Tries each address of the name in turn.
    fn connect(&self, deadline: Deadline) -> Result<TcpStream, Fault> {
        let addresses: Vec<SocketAddr> = match (self.at, &self.gateway.host) {
            (Some(address), _) => vec![address],
            (None, Host::Name(name)) => (name.as_str(), self.gateway.port)
                .to_socket_addrs()
                .map_err(|source| Fault::Unreachable { gateway: self.gateway.clone(), source })?
                .collect(),
            (None, Host::Address(address)) => vec![(*address, self.gateway.port).into()],
        };
        let mut last = self.unreachable(io::ErrorKind::NotFound);
        for address in addresses {
            let tried = deadline.left().and_then(|left| TcpStream::connect_timeout(&address, left));
            match tried.and_then(|socket| socket.set_nodelay(true).map(|()| socket)) {
                Ok(socket) => return Ok(socket),
                Err(error) if is_timeout(&error) => last = self.late(Stage::Connect),
                Err(source) => last = Fault::Unreachable { gateway: self.gateway.clone(), source },
            }
        }
        Err(last)
    }

    fn present(&self, line: &mut Line, ticket: &Secret) -> Result<(), Fault> {
        let request = request(ticket.expose()).ok_or_else(|| self.refused(Reply::AddressNotSupported))?;
        match self.opening {
            Opening::Negotiated => {
                self.send(line, &GREETING, Stage::Method)?;
                self.take_method(line)?;
                self.send(line, &request, Stage::Reply)?;
            }
            Opening::Pipelined => {
                self.send(line, &[&GREETING[..], &request].concat(), Stage::Reply)?;
                self.take_method(line)?;
            }
            Opening::Bare => self.send(line, &request, Stage::Reply)?,
        }
        self.take_reply(line)
    }

    fn send(&self, line: &mut Line, bytes: &[u8], stage: Stage) -> Result<(), Fault> {
        line.write_all(bytes).and_then(|()| line.flush()).map_err(|error| self.stage_fault(error, stage))
    }

    fn take_method(&self, line: &mut Line) -> Result<(), Fault> {
        match self.take::<2>(line, Stage::Method)? {
            [VERSION, 0x00] => Ok(()),
            [VERSION, 0xFF] => Err(Fault::NoMethod { gateway: self.gateway.clone() }),
            other => Err(self.not_socks(&other)),
        }
    }

    /// Takes exactly the reply: what follows belongs to the session.
    fn take_reply(&self, line: &mut Line) -> Result<(), Fault> {
        let [version, code, reserved, form] = self.take::<4>(line, Stage::Reply)?;
        if version != VERSION || reserved != 0 {
            return Err(self.not_socks(&[version, code, reserved, form]));
        }
        match form {
            0x01 => drop(self.take::<6>(line, Stage::Reply)?),
            0x04 => drop(self.take::<18>(line, Stage::Reply)?),
            0x03 => {
                let [length] = self.take::<1>(line, Stage::Reply)?;
                for _ in 0..usize::from(length) + 2 {
                    self.take::<1>(line, Stage::Reply)?;
                }
            }
            _ => return Err(self.not_socks(&[version, code, reserved, form])),
        }
        Reply::from_code(code).map_or(Ok(()), |reply| Err(self.refused(reply)))
    }

    fn take<const N: usize>(&self, line: &mut Line, stage: Stage) -> Result<[u8; N], Fault> {
        let mut taken = [0; N];
        line.read_exact(&mut taken).map_err(|error| self.stage_fault(error, stage))?;
        Ok(taken)
    }

    fn handshake_fault(&self, error: io::Error) -> Fault {
        let gateway = self.gateway.clone();
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(source @ rustls::Error::InvalidCertificate(why)) = tls {
            let other_name = matches!(why, CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. });
            let source = source.clone();
            return if other_name { Fault::OtherName { gateway, source } } else { Fault::NotTrusted { gateway, source } };
        }
        if let Some(rustls::Error::AlertReceived(alert)) = tls {
            return Fault::Alert { gateway, alert: *alert };
        }
        if tls.is_some() {
            return Fault::Tls { gateway, source: error };
        }
        self.stage_fault(error, Stage::Handshake)
    }

    /// An error of the connection once it stands.
    fn stage_fault(&self, error: io::Error, stage: Stage) -> Fault {
        let gateway = self.gateway.clone();
        if is_timeout(&error) {
            return self.late(stage);
        }
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::AlertReceived(alert)) = tls {
            return Fault::Alert { gateway, alert: *alert };
        }
        if tls.is_some() {
            return Fault::Tls { gateway, source: error };
        }
        let in_order = error.kind() == io::ErrorKind::UnexpectedEof;
        Fault::ClosedWithoutReply { gateway, stage, source: (!in_order).then_some(error) }
    }

    fn late(&self, stage: Stage) -> Fault {
        Fault::Deadline { gateway: self.gateway.clone(), stage, wait: self.wait }
    }

    fn unreachable(&self, kind: io::ErrorKind) -> Fault {
        Fault::Unreachable { gateway: self.gateway.clone(), source: kind.into() }
    }

    fn refused(&self, reply: Reply) -> Fault {
        Fault::Refused { gateway: self.gateway.clone(), reply }
    }

    fn not_socks(&self, first: &[u8]) -> Fault {
        Fault::NotSocks { gateway: self.gateway.clone(), first: first.to_vec() }
    }
}

/// CONNECT to the ticket as if it were a host's name. `None` if it does not fit.
fn request(ticket: &str) -> Option<Vec<u8>> {
    let length = u8::try_from(ticket.len()).ok().filter(|&length| length > 0)?;
    let port = ICA_PORT.to_be_bytes();
    Some([&[VERSION, 0x01, 0x00, 0x03, length], ticket.as_bytes(), &port].concat())
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}

impl Session {
    /// Who is at the other end.
    ///
    /// # Errors
    /// As the socket reports it.
    pub fn gateway_address(&self) -> io::Result<IpAddr> {
        Ok(self.line.sock.socket.peer_addr()?.ip())
    }

    /// Version and cipher suite, for display.
    #[must_use]
    pub fn tls_in_words(&self) -> String {
        tls_in_words(&self.line)
    }
}

/// Version, cipher and key exchange of a line, for display: `TLS 1.3, AES-256-GCM, X25519MLKEM768`.
#[must_use]
pub fn tls_in_words(line: &Line) -> String {
    let version = line.conn.protocol_version().and_then(|version| version.as_str());
    let suite = line.conn.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
    let group = line.conn.negotiated_key_exchange_group().and_then(|group| group.name().as_str());
    let version = version.unwrap_or("TLS ?").replace("TLSv1_", "TLS 1.");
    [version, cipher(suite.unwrap_or("?")), group.unwrap_or("?").to_owned()].join(", ")
}

/// The cipher in a suite's name: what is left without key exchange, signature and hash.
fn cipher(suite: &str) -> String {
    let (_, cipher) = suite.split_once("WITH_").or_else(|| suite.split_once('_')).unwrap_or(("", suite));
    let (cipher, _) = cipher.split_once("_SHA").unwrap_or((cipher, ""));
    cipher.replace('_', "-")
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("took", &self.took).finish_non_exhaustive()
    }
}

/// A socket whose every read and write ends at a deadline, if it has one.
#[derive(Debug)]
pub struct Timed {
    pub(super) socket: TcpStream,
    pub(super) deadline: Option<Deadline>,
}

impl Timed {
    /// Sets when it has to be over.
    pub fn until(&mut self, deadline: Option<Deadline>) {
        self.deadline = deadline;
    }

    /// Ends both directions at once.
    pub fn cut(&self) {
        // It may be closed already; that is what was wanted.
        let _closed = self.socket.shutdown(Shutdown::Both);
    }

    fn arm(&self) -> io::Result<()> {
        let left = self.deadline.map(Deadline::left).transpose()?;
        self.socket.set_read_timeout(left)?;
        self.socket.set_write_timeout(left)
    }
}

impl Read for Timed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.arm()?;
        self.socket.read(into)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.arm()?;
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ciphers_have_short_names() {
        for (suite, name) in [
            ("TLS13_AES_256_GCM_SHA384", "AES-256-GCM"),
            ("TLS13_CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305"),
            ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "AES-128-GCM"),
            ("?", "?"),
        ] {
            assert_eq!(cipher(suite), name);
        }
    }

    #[test]
    fn a_ticket_that_does_not_fit_is_not_sent() {
        assert_eq!(request(""), None);
        assert_eq!(request(&"x".repeat(256)), None);
        assert_eq!(request("ab").unwrap(), [5, 1, 0, 3, 2, b'a', b'b', 0x05, 0xD6]);
    }
}
