//! Hosts (VDAs) of many characters. Each listens on a port of its own and serves every connection on a thread.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::{Domain, Socket, Type};

/// A host.
#[derive(Debug)]
pub struct Host {
    /// Where it listens.
    pub address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
}

impl Host {
    /// A host that does `serve` with each connection. Connections end when `serve` returns.
    ///
    /// # Panics
    /// If no port is to be had.
    pub fn start(serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (accepted, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counted, opened) = (Arc::clone(&accepted), Arc::clone(&open));
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let Ok(connection) = connection else { continue };
                counted.fetch_add(1, SeqCst);
                opened.fetch_add(1, SeqCst);
                let (serve, opened) = (Arc::clone(&serve), Arc::clone(&opened));
                std::thread::spawn(move || {
                    let _ = connection.set_nodelay(true);
                    let _ = serve(connection);
                    opened.fetch_sub(1, SeqCst);
                });
            }
        });
        Self { address, accepted, open }
    }

    /// Echoes every byte; passes a half-close on.
    #[must_use]
    pub fn echo() -> Self {
        Self::greets(b"")
    }

    /// Speaks first with `greeting`, then echoes.
    #[must_use]
    pub fn greets(greeting: &'static [u8]) -> Self {
        Self::start(move |mut connection| {
            connection.write_all(greeting)?;
            let mut buf = vec![0; 64 * 1024];
            loop {
                match connection.read(&mut buf)? {
                    0 => return connection.shutdown(Shutdown::Write),
                    n => connection.write_all(&buf[..n])?,
                }
            }
        })
    }

    /// Echoes inside TLS, with this certificate chain and key.
    ///
    /// # Panics
    /// If they are none.
    #[must_use]
    pub fn tls_echo(chain_pem: &str, key_pem: &str) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let chain = CertificateDer::pem_slice_iter(chain_pem.as_bytes()).map(|one| one.expect("PEM")).collect();
        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).expect("a key");
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
        let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, key).expect("a certificate"));
        Self::start(move |connection| {
            let tls = ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
            let mut stream = StreamOwned::new(tls, connection);
            let mut buf = vec![0; 16 * 1024];
            loop {
                match stream.read(&mut buf)? {
                    0 => return Ok(()),
                    n => stream.write_all(&buf[..n])?,
                }
                stream.flush()?;
            }
        })
    }

    /// Accepts and says nothing until the other side ends.
    #[must_use]
    pub fn silent() -> Self {
        Self::start(|mut connection| io::copy(&mut connection, &mut io::sink()).map(drop))
    }

    /// How many connections it has ever accepted.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.accepted.load(SeqCst)
    }

    /// How many of them are still open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(SeqCst)
    }
}

/// An address at which nobody listens.
///
/// # Panics
/// If no port is to be had.
#[must_use]
pub fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port")
}

/// A listener whose queue is full: who connects gets no answer at all, as from a machine that is switched off.
#[derive(Debug)]
pub struct Void {
    /// Where it is.
    pub address: SocketAddr,
    _listener: Socket,
    _queued: Vec<Socket>,
}

impl Void {
    /// Opens one.
    ///
    /// # Panics
    /// If no port is to be had.
    #[must_use]
    pub fn open() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a port");
        listener.listen(0).expect("a listener");
        let address = listener.local_addr().ok().and_then(|a| a.as_socket()).expect("an address");
        // A queue of length 0 holds one; the second may still be answered, the others are not.
        let queued = (0..4).map(|_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            socket.set_nonblocking(true).expect("a socket option");
            let _ = socket.connect(&address.into());
            socket
        });
        Self { address, _queued: queued.collect(), _listener: listener }
    }
}
