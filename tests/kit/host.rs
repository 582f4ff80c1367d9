//! Hosts (VDAs) of many characters. Each listens on a port of its own and serves every connection on a thread.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

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
