//! An ICA client as the gateway sees one: TLS, SOCKS5 with a ticket, then bytes both ways.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};
use socket2::{Domain, Socket, Type};

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

/// The same for a client that speaks all versions and offers `alpn`.
///
/// # Panics
/// As [`trust`].
#[must_use]
pub fn offering(ca_pem: &str, alpn: &[&str]) -> Arc<ClientConfig> {
    let mut config = ClientConfig::clone(&trust(ca_pem, rustls::ALL_VERSIONS));
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// The same for a client that shows a certificate, with its key, to whoever asks.
///
/// # Panics
/// If certificate or key are none.
#[must_use]
pub fn showing(ca_pem: &str, (chain, key): &(String, String), alpn: &[&str]) -> Arc<ClientConfig> {
    let mut config = ClientConfig::clone(&offering(ca_pem, alpn));
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).map(|der| der.expect("PEM")).collect();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).expect("a key of a kind that is supported");
    config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key)));
    Arc::new(config)
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
        Self::over(TcpStream::connect(gateway)?, name, tls)
    }

    /// Shakes hands over a connection.
    ///
    /// # Errors
    /// Whatever TCP or TLS says.
    pub fn over(tcp: TcpStream, name: &str, tls: &Arc<ClientConfig>) -> io::Result<Self> {
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

    /// Ends the connection with a reset, as a client does that crashes or is cut off.
    ///
    /// # Panics
    /// If the socket does not take the option.
    pub fn reset(self) {
        reset(self.stream.sock);
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

/// Ends a connection with a reset instead of FIN.
///
/// # Panics
/// If the socket does not take the option.
pub fn reset(tcp: TcpStream) {
    socket2::SockRef::from(&tcp).set_linger(Some(Duration::ZERO)).expect("a socket option");
    drop(tcp);
}

/// A connection to `gateway` from the address `source` of this machine.
///
/// # Errors
/// Whatever TCP says.
pub fn tcp_from(source: IpAddr, gateway: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(gateway), Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(source, 0).into())?;
    socket.connect(&gateway.into())?;
    Ok(socket.into())
}

/// The first flight of a client: one record with a ClientHello of TLS 1.3, made `bytes` long by padding if that is longer.
///
/// # Panics
/// If rustls does not begin with a hello as it should.
#[must_use]
pub fn hello(name: &str, tls: &Arc<ClientConfig>, bytes: usize) -> Vec<u8> {
    const HEADERS: usize = 5 + 4;
    const PADDING: [u8; 2] = [0, 21];
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let mut said = Vec::new();
    ClientConnection::new(Arc::clone(tls), name).expect("a client").write_tls(&mut said).expect("a hello");
    assert_eq!((said[0], said[5]), (22, 1), "one record with a hello");
    if bytes < said.len() + 4 {
        return said;
    }
    // The extensions end the message; their length stands behind version, random, session, suites and compressions.
    let session = HEADERS + 2 + 32;
    let suites = session + 1 + usize::from(said[session]);
    let compressions = suites + 2 + usize::from(u16::from_be_bytes([said[suites], said[suites + 1]]));
    let extensions = compressions + 1 + usize::from(said[compressions]);
    let padding = bytes - said.len() - 4;
    said.extend(PADDING);
    said.extend(short(padding));
    said.resize(bytes, 0);
    let lengths = [(extensions, bytes - extensions - 2), (7, bytes - HEADERS), (3, bytes - 5)];
    for (at, length) in lengths {
        said[at..at + 2].copy_from_slice(&short(length));
    }
    said
}

/// `record`, a TLS record, cut into records of at most `bytes` bytes of its content.
///
/// # Panics
/// If `bytes` is more than a record may have.
#[must_use]
pub fn fragments(record: &[u8], bytes: usize) -> Vec<u8> {
    record[5..].chunks(bytes).flat_map(|part| [&record[..3], &short(part.len()), part].concat()).collect()
}

fn short(n: usize) -> [u8; 2] {
    u16::try_from(n).expect("a length of two bytes").to_be_bytes()
}
