//! One POST to one inner server: bounded, timed, and never mixed up with another.
//!
//! ```text
//!   body ──► idle connection, if there is one ──fails before an answer──► fresh connection ──fails──► outage
//!            (one request on it at a time)                                     │
//!   answer read whole, and understood ──► back to the idle ones                │
//!   deadline, cancel, half an answer, nonsense ──► connection destroyed ───────┘  no second try: it may have been done
//! ```
//!
//! A connection carries one request at a time and is destroyed unless its answer was read to the end, so an answer that
//! comes late finds nobody who could take it for his own.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use gate_config::model::{Host, Scheme, Url};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::roots::{BadRoots, Tls};
use crate::helpers::{Counted, Helpers};
use crate::http::AbortOnDrop;

/// To connect, name and TLS included.
pub(crate) const CONNECT_TIME: Duration = Duration::from_secs(1);
/// From the request to the end of the answer.
pub(crate) const REPLY_TIME: Duration = Duration::from_secs(3);
/// Connections to one server at the same time; more wait within their deadline.
pub(crate) const CONNECTIONS_MAX: usize = 256;
/// Connections to one server that may be in the making at the same time: fewer than servers let queue up, since one that
/// falls out of such a queue is tried again by the kernel only after [`CONNECT_TIME`] is over.
const CONNECTING_MAX: usize = 32;
/// Requests to one server that may wait for a connection; beyond that it counts as an outage, so that a server that hangs
/// does not use up what the others need.
pub(crate) const WAITING_MAX: usize = 1024;
/// Connections kept for later.
const IDLE_MAX: usize = 16;
/// How long they are kept. Shorter than servers do, so that few are found dead.
const IDLE_TIME: Duration = Duration::from_secs(20);
/// Fields in the head of an answer.
const FIELDS_MAX: usize = 64;
/// Bytes that a connection may hold of an answer's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Why there is no answer. The server's fault, or its network's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Outage {
    /// Too many requests wait for it already.
    #[error("too many requests wait for it")]
    Busy,
    /// Its name does not resolve.
    #[error("name does not resolve")]
    Name,
    /// It cannot be connected to.
    #[error("cannot connect: {0}")]
    Connect(io::ErrorKind),
    /// TLS failed: certificate, name or handshake.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// It did not answer in time.
    #[error("no answer in time")]
    Time,
    /// It closed, or sent something that is not HTTP.
    #[error("connection ended without an answer (http spoken to https, perhaps)")]
    Ended,
    /// It answered with another status than 200.
    #[error("answered with status {0}")]
    Status(u16),
    /// It answered, but not in its protocol, or to another question.
    #[error("answered outside its protocol: {0}")]
    Protocol(String),
    /// Its answer is longer than allowed, or ended early.
    #[error("answer too long or cut off")]
    Body,
}

/// A server that we call.
#[derive(Debug)]
pub(crate) struct Endpoint {
    host: Host,
    port: u16,
    path: String,
    host_field: HeaderValue,
    tls: Option<Tls>,
    helpers: Arc<Helpers>,
    places: Semaphore,
    connecting: Semaphore,
    waiting: AtomicUsize,
    idle: Mutex<Vec<Idle>>,
    /// What its name resolved to last.
    resolved: Mutex<Vec<SocketAddr>>,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

#[derive(Debug)]
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    _driver: AbortOnDrop<()>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Endpoint {
    /// The server at `url`; without a path in it, `path`.
    pub(crate) fn new(url: &Url, path: &str, roots_pem: Option<&[u8]>, helpers: Arc<Helpers>) -> Result<Self, BadRoots> {
        let host = url.at.host.to_string();
        let (tls, port_default) = match url.scheme {
            Scheme::Http => (None, 80),
            Scheme::Https => (Some(Tls::new(&host, roots_pem)?), 443),
        };
        let field = if url.at.port == port_default { bracketed(&url.at.host) } else { url.at.to_string() };
        Ok(Self {
            host: url.at.host.clone(),
            port: url.at.port,
            path: if url.path.is_empty() { path } else { &url.path }.to_owned(),
            host_field: HeaderValue::from_str(&field).map_err(|_| BadRoots::Name)?,
            tls,
            helpers,
            places: Semaphore::new(CONNECTIONS_MAX),
            connecting: Semaphore::new(CONNECTING_MAX),
            waiting: AtomicUsize::new(0),
            idle: Mutex::new(Vec::new()),
            resolved: Mutex::new(Vec::new()),
        })
    }

    /// Posts `body` and has the answer, of at most `bytes_max` bytes and within [`REPLY_TIME`] of being sent, read by `read`.
    /// If that cannot make sense of it, the connection is not used again: what follows on it may be off by one.
    pub(crate) async fn post<T>(
        &self,
        body: Vec<u8>,
        bytes_max: usize,
        read: impl Fn(&[u8]) -> Result<T, Outage>,
    ) -> Result<T, Outage> {
        let body = Bytes::from(body);
        let waiting = Counted::new(&self.waiting);
        if waiting.before >= WAITING_MAX {
            return Err(Outage::Busy);
        }
        let Ok(_place) = self.places.acquire().await else { return Err(Outage::Busy) };
        drop(waiting);
        if let Some(connection) = self.take_idle() {
            match self.exchange(connection, body.clone(), bytes_max, &read).await {
                Err(Outage::Ended) => {} // it was dead already; a fresh one may not be
                done => return done,
            }
        }
        let first = match self.connect().await {
            Ok(connection) => self.exchange(connection, body.clone(), bytes_max, &read).await,
            Err(outage) => Err(outage),
        };
        match first {
            Err(Outage::Ended | Outage::Connect(_)) => {
                let connection = self.connect().await?;
                self.exchange(connection, body, bytes_max, &read).await
            }
            done => done,
        }
    }

    /// The addresses behind this server, as far as they are known.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        match self.host {
            Host::Ip(address) => vec![SocketAddr::new(address, self.port)],
            Host::Name(_) => self.resolved.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|one| !one.connection.sender.is_closed() && one.since.elapsed() < IDLE_TIME);
        idle.pop().map(|one| one.connection)
    }

    fn put_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX && !connection.sender.is_closed() {
            idle.push(Idle { connection, since: Instant::now() });
        }
    }

    /// One request and its answer. The connection is owned here: whatever ends this future early destroys it.
    async fn exchange<T>(
        &self,
        mut connection: Connection,
        body: Bytes,
        bytes_max: usize,
        read: impl Fn(&[u8]) -> Result<T, Outage>,
    ) -> Result<T, Outage> {
        let exchange = async {
            connection.sender.ready().await.map_err(|_| Outage::Ended)?;
            let mut request = Request::post(self.path.as_str()).body(Full::new(body)).map_err(|_| Outage::Ended)?;
            request.headers_mut().insert(HOST, self.host_field.clone());
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
            let answer = connection.sender.send_request(request).await.map_err(|_| Outage::Ended)?;
            if answer.status() != StatusCode::OK {
                return Err(Outage::Status(answer.status().as_u16()));
            }
            let body = Limited::new(answer.into_body(), bytes_max).collect().await.map_err(|_| Outage::Body)?;
            Ok(body.to_bytes())
        };
        let answer = tokio::time::timeout(REPLY_TIME, exchange).await.map_err(|_| Outage::Time)??;
        let meaning = read(&answer)?;
        self.put_back(connection);
        Ok(meaning)
    }

    async fn connect(&self) -> Result<Connection, Outage> {
        let Ok(_place) = self.connecting.acquire().await else { return Err(Outage::Busy) };
        let stream = tokio::time::timeout(CONNECT_TIME, self.open()).await.map_err(|_| Outage::Time)??;
        let mut builder = http1::Builder::new();
        builder.max_headers(FIELDS_MAX).max_buf_size(HEAD_BYTES_MAX);
        let (sender, driver) = builder.handshake(TokioIo::new(stream)).await.map_err(|_| Outage::Ended)?;
        let driver = tokio::spawn(async move {
            // Its errors reach the one who waits for an answer.
            let _ = driver.await;
        });
        Ok(Connection { sender, _driver: AbortOnDrop(driver) })
    }

    async fn open(&self) -> Result<Box<dyn Stream>, Outage> {
        let addresses = match &self.host {
            Host::Ip(address) => vec![SocketAddr::new(*address, self.port)],
            Host::Name(name) => {
                let found = self.helpers.resolve(name.to_string(), self.port).await.map_err(|_| Outage::Name)?;
                found.clone_into(&mut self.resolved.lock().unwrap_or_else(PoisonError::into_inner));
                found
            }
        };
        let mut outage = Outage::Name;
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => return self.secure(stream).await,
                Err(error) => outage = Outage::Connect(error.kind()),
            }
        }
        Err(outage)
    }

    async fn secure(&self, stream: TcpStream) -> Result<Box<dyn Stream>, Outage> {
        stream.set_nodelay(true).map_err(|error| Outage::Connect(error.kind()))?;
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let secured = tls.connector.connect(tls.name.clone(), stream).await;
        secured.map(|stream| Box::new(stream) as Box<dyn Stream>).map_err(|error| Outage::Tls(error.to_string()))
    }
}

/// A host as it stands in a `Host` field without a port.
fn bracketed(host: &Host) -> String {
    match host {
        Host::Ip(std::net::IpAddr::V6(address)) => format!("[{address}]"),
        Host::Ip(std::net::IpAddr::V4(_)) | Host::Name(_) => host.to_string(),
    }
}
