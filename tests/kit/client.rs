//! An ICA client as the gateway sees one: TLS, SOCKS5 with a ticket, then bytes both ways.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

use crate::deadline::PATIENCE;

/// The three ways in which a client may open (all are in use, nobody knows by which client generation).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Greeting, wait for its answer, request.
    Negotiated,
    /// Greeting and request in one flight.
    Pipelined,
    /// The request alone.
    Bare,
}

impl Opening {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Negotiated, Self::Pipelined, Self::Bare];
}

/// TLS settings of a client that trusts one authority.
///
/// # Panics
/// If `ca_pem` holds no certificate.
#[must_use]
pub fn trust(ca_pem: &str, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        roots.add(certificate.expect("PEM")).expect("a CA certificate");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).expect("versions");
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

/// A TLS connection to a gateway, without a word said yet.
#[derive(Debug)]
pub struct Client {
    /// For tests that want to write or read by themselves.
    pub stream: StreamOwned<ClientConnection, TcpStream>,
}

impl Client {
    /// Connects and shakes hands.
    ///
    /// # Errors
    /// Whatever TCP or TLS says.
    pub fn connect(gateway: SocketAddr, name: &str, tls: &Arc<ClientConfig>) -> io::Result<Self> {
        let tcp = TcpStream::connect(gateway)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        tcp.set_write_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let tls = ClientConnection::new(Arc::clone(tls), name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(tls, tcp);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self { stream })
    }

    /// Presents a ticket in the given way and returns the reply code of the gateway.
    ///
    /// # Errors
    /// If the connection ends before the reply.
    pub fn present(&mut self, ticket: &str, opening: Opening) -> io::Result<u8> {
        let request = request(ticket.as_bytes());
        match opening {
            Opening::Negotiated => {
                self.stream.write_all(&[5, 1, 0])?;
                self.stream.flush()?;
                self.greeting_answer()?;
                self.stream.write_all(&request)?;
            }
            Opening::Pipelined => {
                self.stream.write_all(&[&[5, 1, 0], request.as_slice()].concat())?;
                self.stream.flush()?;
                self.greeting_answer()?;
            }
            Opening::Bare => self.stream.write_all(&request)?,
        }
        self.stream.flush()?;
        self.reply()
    }

    fn greeting_answer(&mut self) -> io::Result<()> {
        let mut answer = [0; 2];
        self.stream.read_exact(&mut answer)?;
        if answer == [5, 0] { Ok(()) } else { Err(io::Error::other(format!("greeting answered with {answer:?}"))) }
    }

    /// Reads the ten bytes of a reply.
    ///
    /// # Errors
    /// If the connection ends before.
    pub fn reply(&mut self) -> io::Result<u8> {
        let mut reply = [0; 10];
        self.stream.read_exact(&mut reply)?;
        if reply[0] != 5 || reply[2..] != [0, 1, 0, 0, 0, 0, 0, 0] {
            return Err(io::Error::other(format!("malformed reply {reply:?}")));
        }
        Ok(reply[1])
    }

    /// Says close_notify: no more bytes will come from here, but some may still be read.
    ///
    /// # Errors
    /// Whatever TCP says.
    pub fn finish(&mut self) -> io::Result<()> {
        self.stream.conn.send_close_notify();
        while self.stream.conn.wants_write() {
            self.stream.conn.write_tls(&mut self.stream.sock)?;
        }
        Ok(())
    }

    /// Everything up to the other side's close_notify.
    ///
    /// # Errors
    /// If the connection ends without one.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest)?;
        Ok(rest)
    }
}

/// A SOCKS5 CONNECT whose domain name is `name`, port 1494.
///
/// # Panics
/// If `name` is longer than 255 bytes.
#[must_use]
pub fn request(name: &[u8]) -> Vec<u8> {
    let length = u8::try_from(name.len()).expect("a SOCKS5 name of at most 255 bytes");
    [&[5, 1, 0, 3, length], name, &1494_u16.to_be_bytes()].concat()
}
