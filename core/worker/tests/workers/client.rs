//! A client: rustls over a plain socket, SOCKS5 with a ticket in the place of a name. Blocking, with a limit on every wait.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::PATIENCE;

/// How a launch ended that did not reach its host.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The SOCKS5 reply said no.
    Socks(u8),
    /// The connection or its TLS ended.
    #[expect(dead_code, reason = "printed by a test that fails")]
    Io(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

#[derive(Debug)]
pub(crate) struct Client {
    tls: StreamOwned<ClientConnection, TcpStream>,
}

impl Client {
    /// Connects and shakes hands, and says nothing more.
    pub(crate) fn handshake(gateway: SocketAddr, trust: CertificateDer<'static>) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(trust).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut stream = TcpStream::connect(gateway)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut connection = ClientConnection::new(Arc::new(config), "gateway.test".try_into().unwrap()).unwrap();
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        Ok(Self { tls: StreamOwned::new(connection, stream) })
    }

    /// Up to the point where the ticket is with the gateway.
    pub(crate) fn present(gateway: SocketAddr, trust: CertificateDer<'static>, ticket: &str) -> io::Result<Self> {
        let mut client = Self::handshake(gateway, trust)?;
        // Greeting and request in one go, since a greeting alone is looked at for a while: it could be half a request.
        let mut opening = vec![5, 1, 0, 5, 1, 0, 3, u8::try_from(ticket.len()).unwrap()];
        opening.extend(ticket.as_bytes());
        opening.extend(1494u16.to_be_bytes());
        client.tls.write_all(&opening)?;
        client.tls.flush()?;
        let mut chosen = [0; 2];
        client.tls.read_exact(&mut chosen)?;
        assert_eq!(chosen, [5, 0]);
        Ok(client)
    }

    /// Waits for the reply to the request.
    pub(crate) fn connected(mut self) -> Result<Self, Refused> {
        let mut reply = [0; 10];
        self.tls.read_exact(&mut reply)?;
        if reply[1] == 0 { Ok(self) } else { Err(Refused::Socks(reply[1])) }
    }

    /// The whole way to the host.
    pub(crate) fn launch(gateway: SocketAddr, trust: CertificateDer<'static>, ticket: &str) -> Result<Self, Refused> {
        Self::present(gateway, trust, ticket)?.connected()
    }

    /// Sends `bytes`.
    pub(crate) fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.tls.write_all(bytes)?;
        self.tls.flush()
    }

    /// What comes next.
    pub(crate) fn read_some(&mut self) -> Vec<u8> {
        let mut some = vec![0; 256];
        let n = self.tls.read(&mut some).unwrap();
        some.truncate(n);
        some
    }

    /// Sends `bytes` and reads as many, in blocks small enough that neither side waits for the other for ever.
    pub(crate) fn echo(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut back = vec![0; bytes.len()];
        for (sent, got) in bytes.chunks(32 * 1024).zip(back.chunks_mut(32 * 1024)) {
            self.tls.write_all(sent).unwrap();
            self.tls.flush().unwrap();
            self.tls.read_exact(got).unwrap();
        }
        back
    }

    /// Ends in an orderly way, and sees the other side end.
    pub(crate) fn close(mut self) {
        self.tls.conn.send_close_notify();
        self.tls.flush().unwrap();
        self.expect_end();
    }

    /// The gateway ends this connection, one way or another, and sends nothing more.
    pub(crate) fn expect_end(&mut self) {
        let end = self.tls.read(&mut [0; 16]);
        let timed_out = |error: &io::Error| matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
        assert!(!matches!(&end, Ok(1..)) && !end.as_ref().is_err_and(timed_out), "{end:?}");
    }
}
