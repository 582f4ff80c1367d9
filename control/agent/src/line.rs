//! A connection to the gateway: TCP and TLS, the certificate checked for the gateway's name, every read and write until a deadline.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gate_proto::epa::DEVICE_ALPN;
use gate_proto::host_port::{Host, HostPort};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use thiserror::Error;

use crate::device::Certificates;
use crate::fault::Fault;
use crate::names;

/// Where distributions keep the authorities that the machine trusts; the first that is there counts.
const AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];

/// A TLS connection each of whose reads and writes ends at a deadline.
pub type Line = StreamOwned<ClientConnection, Timed>;

/// The monotonic time.
#[must_use]
pub fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "the named place: real sockets and real intervals")]
    Instant::now()
}

/// Another address for a gateway, as a line in `/etc/hosts` would have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instead {
    /// For whom.
    pub gateway: HostPort,
    /// Where.
    pub at: SocketAddr,
}

/// Why a text is no `HOST:PORT:ADDRESS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not HOST:PORT:ADDRESS or HOST:PORT:ADDRESS:PORT")]
pub struct NotInstead;

impl std::str::FromStr for Instead {
    type Err = NotInstead;

    fn from_str(text: &str) -> Result<Self, NotInstead> {
        let mut parts = text.splitn(3, ':');
        let (host, port, at) = (parts.next(), parts.next(), parts.next());
        let (host, port, at) = host.zip(port).zip(at).map(|((host, port), at)| (host, port, at)).ok_or(NotInstead)?;
        let gateway = HostPort::parse(&format!("{host}:{port}"), 0).map_err(|_| NotInstead)?;
        let alone = at.parse::<IpAddr>().map(|address| SocketAddr::new(address, gateway.port));
        let at = alone.or_else(|_| at.parse()).map_err(|_| NotInstead)?;
        Ok(Self { gateway, at })
    }
}

/// How to get to a gateway.
#[derive(Clone, Debug)]
pub struct Way {
    tls: Arc<ClientConfig>,
    instead: Option<Instead>,
    wait: Duration,
}

impl Way {
    /// A way on which the authorities in `ca` are trusted, or the machine's; each exchange takes `wait` at most.
    ///
    /// # Errors
    /// [`Fault::Trust`], [`Fault::Setup`].
    pub fn new(ca: Option<&Path>, instead: Option<Instead>, wait: Duration) -> Result<Self, Fault> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(Fault::Setup)?;
        let machines = || AUTHORITIES.iter().map(PathBuf::from).find(|path| path.exists());
        let path = ca.map(Path::to_owned).or_else(machines).unwrap_or_else(|| AUTHORITIES[0].into());
        let tls = builder.with_root_certificates(authorities(&path)?).with_no_client_auth();
        Ok(Self { tls: Arc::new(tls), instead, wait })
    }

    /// The same way for a connection on which the machine shows its certificate.
    #[must_use]
    pub fn showing(&self, own: Certificates) -> Self {
        let mut tls = ClientConfig::clone(&self.tls);
        tls.alpn_protocols = vec![DEVICE_ALPN.into()];
        tls.client_auth_cert_resolver = Arc::new(own);
        Self { tls: Arc::new(tls), ..self.clone() }
    }

    /// Connects to `gateway` and makes sure that it is the one.
    ///
    /// # Errors
    /// [`Fault::Unreached`], [`Fault::Untrusted`].
    pub fn open(&self, gateway: &HostPort) -> Result<Line, Fault> {
        let deadline = now() + self.wait;
        let name = match &gateway.host {
            Host::Name(name) => {
                ServerName::try_from(name.clone()).map_err(|_| Fault::Unreached(io::ErrorKind::InvalidInput.into()))?
            }
            Host::Address(address) => ServerName::from(*address),
        };
        let socket = self.connect(gateway, deadline).map_err(Fault::Unreached)?;
        let tls = ClientConnection::new(Arc::clone(&self.tls), name).map_err(Fault::Setup)?;
        let mut line = StreamOwned::new(tls, Timed { socket, deadline });
        while line.conn.is_handshaking() {
            line.conn.complete_io(&mut line.sock).map_err(broken)?;
        }
        Ok(line)
    }

    fn connect(&self, gateway: &HostPort, deadline: Instant) -> io::Result<TcpStream> {
        let instead = self.instead.as_ref().filter(|instead| instead.gateway == *gateway).map(|instead| instead.at);
        let addresses: Vec<SocketAddr> = match (instead, &gateway.host) {
            (Some(address), _) => vec![address],
            (None, Host::Name(name)) => names::addresses(name, gateway.port, left(deadline)?)?,
            (None, Host::Address(address)) => vec![(*address, gateway.port).into()],
        };
        let mut last = io::ErrorKind::NotFound.into();
        for address in addresses {
            match left(deadline).and_then(|left| TcpStream::connect_timeout(&address, left)) {
                Ok(socket) => return Ok(socket),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// What an error of the connection means.
#[must_use]
pub fn broken(error: io::Error) -> Fault {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(why @ rustls::Error::InvalidCertificate(_)) => Fault::Untrusted(why.clone()),
        _ => Fault::Unreached(error),
    }
}

fn authorities(path: &Path) -> Result<RootCertStore, Fault> {
    let unusable = |source| Fault::Trust { path: path.to_owned(), source };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let mut store = RootCertStore::empty();
    let (added, _ignored) = store.add_parsable_certificates(certificates.map_err(|error| unusable(Some(error)))?);
    if added == 0 { Err(unusable(None)) } else { Ok(store) }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// A socket whose every read and write ends at a deadline.
#[derive(Debug)]
pub struct Timed {
    socket: TcpStream,
    deadline: Instant,
}

impl Timed {
    fn arm(&self) -> io::Result<()> {
        let left = Some(left(self.deadline)?);
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
    fn other_addresses_are_read() {
        for (text, at) in [
            ("vpn.example.test:443:127.0.0.1", Some("127.0.0.1:443")),
            ("vpn.example.test:443:127.0.0.1:8443", Some("127.0.0.1:8443")),
            ("vpn.example.test:443:::1", Some("[::1]:443")),
            ("vpn.example.test:443:[::1]:8443", Some("[::1]:8443")),
            ("vpn.example.test:443", None),
            ("vpn.example.test:0:127.0.0.1", None),
            ("vpn.example.test:443:localhost", None),
        ] {
            let read = text.parse::<Instead>().ok().map(|instead| instead.at.to_string());
            assert_eq!(read.as_deref(), at, "{text}");
        }
    }
}
