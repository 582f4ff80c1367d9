//! A connection to a directory that is ours down to the byte: addresses, TLS, and the guard that sees everything first.
//!
//! ```text
//!   addresses, the one that worked last in front ─► TCP ─┬─ PLAINTEXT ─────────────────────────────► Talk
//!     each has its share of the time                     ├─ SSL ─► handshake ──────────────────────► Talk
//!                                                        └─ TLS ─► StartTLS ─► nothing else came ──► handshake ─► Talk
//!                                                                     └ something did: Early, the connection is over
//! ```

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gate_config::model::Host;
use gate_config::model::authentication::{Ldap, LdapSecurity};
use gate_proto::ldap::{Caps, Guard, Message, Op, Reply, code, say};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::super::roots::{BadRoots, Tls};
use super::outcome::Outage;
use crate::helpers::Helpers;

/// To connect: name, all addresses, StartTLS and handshake.
pub(super) const CONNECT_TIME: Duration = Duration::from_secs(2);
/// What a directory may bring on one connection.
const CAPS: Caps = Caps { messages: 16 * 1024, bytes: 8 * 1024 * 1024 };
/// Bytes that are read at a time.
const READ_BYTES: usize = 16 * 1024;
/// Numbers of our own messages begin here, so that they are never those of the client library.
const FIRST_ID: u32 = 1 << 16;

/// The stream to a directory.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Where a directory is and how it is spoken to.
pub(super) struct Reach {
    host: Host,
    port: u16,
    security: Security,
    /// For one answer.
    answer_time: Duration,
    helpers: Arc<Helpers>,
    /// The address that worked last.
    good: Mutex<Option<SocketAddr>>,
}

enum Security {
    Clear,
    Start(Tls),
    Whole(Tls),
}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reach").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

impl Reach {
    pub(super) fn new(settings: &Ldap, roots_pem: Option<&[u8]>, helpers: Arc<Helpers>) -> Result<Self, BadRoots> {
        let tls = || {
            let host = settings.host_name.as_ref().map_or_else(|| settings.server.to_string(), ToString::to_string);
            if settings.validate_certificate { Tls::new(&host, roots_pem) } else { Tls::unchecked(&host) }
        };
        Ok(Self {
            host: settings.server.clone(),
            port: settings.port,
            security: match settings.security {
                LdapSecurity::Plaintext => Security::Clear,
                LdapSecurity::StartTls => Security::Start(tls()?),
                LdapSecurity::Tls => Security::Whole(tls()?),
            },
            answer_time: settings.timeout,
            helpers,
            good: Mutex::new(None),
        })
    }

    /// Whether nobody on the way can read along.
    pub(super) const fn is_private(&self) -> bool {
        match self.security {
            Security::Clear => false,
            Security::Start(_) | Security::Whole(_) => true,
        }
    }

    /// Connects to the first address that lets us.
    pub(super) async fn open(&self) -> Result<Talk, Outage> {
        let deadline = Instant::now() + CONNECT_TIME;
        let addresses = timeout(CONNECT_TIME, self.addresses()).await.map_err(|_| Outage::Time)??;
        let mut outage = Outage::Name;
        for (at, address) in addresses.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
            match timeout(share, self.attempt(*address)).await.unwrap_or(Err(Outage::Time)) {
                Ok(talk) => {
                    *self.good.lock().unwrap_or_else(PoisonError::into_inner) = Some(*address);
                    return Ok(talk);
                }
                Err(why) => outage = why,
            }
        }
        Err(outage)
    }

    async fn addresses(&self) -> Result<Vec<SocketAddr>, Outage> {
        let name = match &self.host {
            Host::Ip(address) => return Ok(vec![SocketAddr::new(*address, self.port)]),
            Host::Name(name) => name.to_string(),
        };
        let mut found = self.helpers.resolve(name, self.port).await.map_err(|_| Outage::Busy)?;
        let good = *self.good.lock().unwrap_or_else(PoisonError::into_inner);
        // Stable: the others stay in the resolver's order.
        found.sort_by_key(|address| Some(*address) != good);
        Ok(found)
    }

    async fn attempt(&self, address: SocketAddr) -> Result<Talk, Outage> {
        let connect = |error: std::io::Error| Outage::Connect(error.kind());
        let stream = TcpStream::connect(address).await.map_err(connect)?;
        stream.set_nodelay(true).map_err(connect)?;
        match &self.security {
            Security::Clear => Ok(Talk::new(Box::new(stream), self.answer_time)),
            Security::Whole(tls) => self.secure(tls, stream).await,
            Security::Start(tls) => {
                let mut clear = Talk::new(stream, self.answer_time);
                let message = clear.exchange(Op::Extended, say::start_tls).await?;
                let reply = Reply::read(&message).ok_or(Outage::Nonsense)?;
                if reply.code != code::SUCCESS {
                    return Err(Outage::NoTls(reply.code));
                }
                // Whatever else came in the clear was written by somebody who cannot be known.
                let Talk { stream, guard, .. } = clear;
                if !guard.is_empty() || stream.try_read(&mut [0]).is_ok() {
                    return Err(Outage::Early);
                }
                self.secure(tls, stream).await
            }
        }
    }

    async fn secure(&self, tls: &Tls, stream: TcpStream) -> Result<Talk, Outage> {
        let secured = tls.connector.connect(tls.name.clone(), stream).await.map_err(|error| {
            match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(refused @ (rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented)) => {
                    Outage::Certificate(refused.to_string())
                }
                Some(_) | None => Outage::Tls(error.to_string()),
            }
        })?;
        Ok(Talk::new(Box::new(secured), self.answer_time))
    }
}

/// A connection on which one question is open at a time.
pub(super) struct Talk<S = Box<dyn Stream>> {
    stream: S,
    guard: Guard,
    room: Box<[u8]>,
    next_id: u32,
    answer_time: Duration,
}

impl<S: Stream> Talk<S> {
    fn new(stream: S, answer_time: Duration) -> Self {
        Self { stream, guard: Guard::new(CAPS), room: vec![0; READ_BYTES].into(), next_id: FIRST_ID, answer_time }
    }

    /// Says what `say` writes, under a number of its own, and waits for the answer, which must be of kind `wanted`.
    pub(super) async fn exchange(&mut self, wanted: Op, say: impl FnOnce(u32) -> say::Bytes) -> Result<Message, Outage> {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&say(id)).await?;
        let message = self.receive(id).await?;
        if message.op == wanted { Ok(message) } else { Err(Outage::Nonsense) }
    }

    /// Sends a question. What came before it was no answer to it.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), Outage> {
        if !self.guard.is_empty() {
            return Err(Outage::Crossed);
        }
        let send = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        timeout(self.answer_time, send).await.map_err(|_| Outage::Time)?.map_err(|_| Outage::Ended)
    }

    /// The next message, which must answer the question `id`.
    pub(super) async fn receive(&mut self, id: u32) -> Result<Message, Outage> {
        let message = timeout(self.answer_time, self.next()).await.map_err(|_| Outage::Time)??;
        match (message.id, message.op) {
            (answered, _) if answered == id => Ok(message),
            // A notice of disconnection.
            (0, Op::Extended) => Err(Outage::Ended),
            _ => Err(Outage::Crossed),
        }
    }

    async fn next(&mut self) -> Result<Message, Outage> {
        loop {
            if let Some(message) = self.guard.take()? {
                return Ok(message);
            }
            let count = self.stream.read(&mut self.room).await.map_err(|_| Outage::Ended)?;
            if count == 0 {
                return Err(Outage::Ended);
            }
            self.guard.push(&self.room[..count])?;
        }
    }

    /// Says good-bye; whether it is heard does not matter.
    pub(super) async fn leave(mut self) {
        let id = self.next_id;
        let _: Result<(), Outage> = self.send(&say::unbind(id)).await;
    }
}
