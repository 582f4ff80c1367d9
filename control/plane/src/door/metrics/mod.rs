//! Figures for Prometheus, and whether all is well, over plain HTTP on a loopback address.
//!
//! ```text
//!   accept ─► room? ─► one request, ten seconds in all ─┬─ /metrics ─► room for a scrape? ─► Observe::figures ─► text
//!                                                        ├─ /healthz ─► do control and all workers live?
//!                                                        └─ /readyz  ─► are new sessions taken?
//! ```
//!
//! Whoever reaches the address may ask: it is one of this machine alone. A browser of this machine must not be made to ask on
//! behalf of some page, so the `Host` must be an address or `localhost`. Nothing here changes anything, and nothing says who the
//! users are.

mod process;
mod series;
mod text;

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Response, StatusCode};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::helpers::SCRAPES_MAX;
use crate::http::{self, Door, Reply, Whole};

pub(crate) use series::{Configuration, Figures, LAUNCH_BOUNDS, UnderWay, Vserver, Worker};

/// Connections at a time; more wait in the kernel.
const CONNECTIONS_MAX: usize = 16;
/// For a whole connection: request, answer, end.
const CONNECTION_TIME: Duration = Duration::from_secs(10);
/// For the figures to be collected.
const COLLECT_TIME: Duration = Duration::from_secs(5);
/// Pause after the system refused a connection (no descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The version of the text format.
const TEXT_FORMAT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

const _: () = assert!(COLLECT_TIME.as_secs() < CONNECTION_TIME.as_secs());

/// Who knows the figures.
pub(crate) trait Observe: Send + Sync + 'static {
    /// All of them but those of the process. `None`: the gateway stops.
    fn figures(&self) -> impl Future<Output = Option<Figures>> + Send;

    /// How it is. `None`: the gateway stops.
    fn health(&self) -> impl Future<Output = Option<Health>> + Send;
}

/// How the gateway is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Health {
    /// Workers that there should be.
    pub(crate) workers: usize,
    /// Those whose thread runs.
    pub(crate) alive: usize,
    /// Those that take new clients.
    pub(crate) accepting: u64,
    /// No new sessions are taken any more.
    pub(crate) is_draining: bool,
}

impl Health {
    /// What is wrong with it, if something is.
    fn fault(&self) -> Option<String> {
        (self.alive < self.workers).then(|| format!("{} of {} workers have died", self.workers - self.alive, self.workers))
    }

    /// Why it takes no new sessions, if it does not.
    fn closed(&self) -> Option<String> {
        match self {
            Self { is_draining: true, .. } => Some("draining".to_owned()),
            Self { alive: 0, .. } => Some("no worker lives".to_owned()),
            Self { accepting: 0, .. } => Some("no worker has room for another client".to_owned()),
            Self { .. } => None,
        }
    }
}

/// See the module.
pub(crate) struct Metrics<O> {
    observe: O,
    /// Held by whatever works at an answer, even if nobody waits for it any more.
    scrapes: Arc<Semaphore>,
}

impl<O: Observe> Metrics<O> {
    pub(crate) fn new(observe: O) -> Arc<Self> {
        Arc::new(Self { observe, scrapes: Arc::new(Semaphore::new(SCRAPES_MAX)) })
    }

    /// Serves `listener` until `stop` turns true.
    pub(crate) async fn serve(self: Arc<Self>, listener: &TcpListener, mut stop: watch::Receiver<bool>) {
        let stopped = stop.clone();
        tokio::select! {
            never = self.accept(listener, &stopped) => match never {},
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn accept(self: &Arc<Self>, listener: &TcpListener, stop: &watch::Receiver<bool>) -> Infallible {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let place = room.clone().acquire_owned().await;
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let connection = self.clone().connection(stream, peer, stop.clone());
                    tokio::spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    warn!(%error, "accept for figures");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, stop: watch::Receiver<bool>) {
        let served = timeout(CONNECTION_TIME, http::serve(stream, self, (), stop));
        if served.await.is_err() {
            debug!(%peer, "a client for figures was too slow");
        }
    }

    async fn scrape(&self) -> Reply {
        let Ok(place) = self.scrapes.clone().try_acquire_owned() else {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "too many scrapes at a time\n");
        };
        let Ok(Some(mut figures)) = timeout(COLLECT_TIME, self.observe.figures()).await else {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "the figures cannot be had\n");
        };
        // The kernel may take its time to count descriptors, and many series take some to write.
        let written = tokio::task::spawn_blocking(move || {
            figures.process = process::Process::read();
            let text = series::write(figures);
            drop(place);
            text
        });
        match timeout(COLLECT_TIME, written).await {
            Ok(Ok(text)) => reply(StatusCode::OK, text, TEXT_FORMAT),
            Ok(Err(_)) | Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "the figures cannot be had\n"),
        }
    }

    async fn health(&self, wrong: impl FnOnce(&Health) -> Option<String>) -> Reply {
        match timeout(COLLECT_TIME, self.observe.health()).await {
            Ok(Some(health)) => match wrong(&health) {
                None => plain(StatusCode::OK, "ok\n"),
                Some(why) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
            },
            Ok(None) | Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "the control thread does not answer\n"),
        }
    }
}

impl<O: Observe> Door for Metrics<O> {
    type Caller = ();

    async fn answer(self: Arc<Self>, request: Whole, (): ()) -> Reply {
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        if !host.is_some_and(is_of_this_machine) {
            return plain(StatusCode::MISDIRECTED_REQUEST, "ask for an address or localhost\n");
        }
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let mut reply = plain(StatusCode::METHOD_NOT_ALLOWED, "GET only\n");
            reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return reply;
        }
        match request.uri().path() {
            "/metrics" => self.scrape().await,
            "/healthz" => self.health(Health::fault).await,
            "/readyz" => self.health(Health::closed).await,
            _ => plain(StatusCode::NOT_FOUND, "/metrics, /healthz, /readyz\n"),
        }
    }

    fn refuse(&self, status: StatusCode) -> Reply {
        plain(status, "")
    }
}

/// Whether a `Host` field names an address or `localhost`, with or without a port: no name that somebody else gave this address.
fn is_of_this_machine(host: &str) -> bool {
    let bare = |text: &str| text.parse::<IpAddr>().is_ok() || text.eq_ignore_ascii_case("localhost");
    let without_port =
        host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(host, |(name, _)| name);
    let without_brackets = without_port.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    bare(without_brackets.unwrap_or(without_port))
}

fn plain(status: StatusCode, body: impl Into<String>) -> Reply {
    reply(status, body.into(), PLAIN)
}

/// One request, one connection: nothing is gained by keeping it for the next scrape.
fn reply(status: StatusCode, body: String, kind: HeaderValue) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(body)));
    *reply.status_mut() = status;
    let fields = reply.headers_mut();
    fields.insert(CONTENT_TYPE, kind);
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(CONNECTION, HeaderValue::from_static("close"));
    reply
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::Notify;

    use super::*;

    const WELL: Health = Health { workers: 2, alive: 2, accepting: 2, is_draining: false };

    struct Rig {
        health: Mutex<Option<Health>>,
        /// Scrapes wait for this as long as it is there.
        hold: Mutex<Option<Arc<Notify>>>,
        held: AtomicUsize,
    }

    impl Observe for Arc<Rig> {
        async fn figures(&self) -> Option<Figures> {
            let hold = self.hold.lock().unwrap().clone();
            if let Some(hold) = hold {
                let notified = hold.notified();
                self.held.fetch_add(1, Relaxed);
                notified.await;
            }
            Some(Figures::default())
        }

        async fn health(&self) -> Option<Health> {
            *self.health.lock().unwrap()
        }
    }

    async fn rig() -> (Arc<Rig>, SocketAddr) {
        let rig = Arc::new(Rig { health: Mutex::new(Some(WELL)), hold: Mutex::default(), held: AtomicUsize::new(0) });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let metrics = Metrics::new(rig.clone());
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(async move {
            metrics.serve(&listener, stopped).await;
            drop(stop);
        });
        (rig, address)
    }

    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }

    async fn get(address: SocketAddr, path: &str) -> String {
        ask(address, &format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:9464\r\n\r\n")).await
    }

    #[tokio::test(flavor = "current_thread")]
    async fn figures_are_served_and_nothing_else() {
        let (_, address) = rig().await;
        let answer = get(address, "/metrics").await;
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("content-type: text/plain; version=0.0.4"),
            "{answer}"
        );
        assert!(answer.contains("\nsluicegate_build_info{version=") && answer.contains("\nprocess_open_fds "), "{answer}");
        let head = ask(address, "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
        for (request, status) in [
            ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "404"),
            ("GET /metrics/../x HTTP/1.1\r\nHost: localhost\r\n\r\n", "404"),
            ("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", "405"),
            ("GET /metrics HTTP/1.1\r\nHost: evil.example.test\r\n\r\n", "421"),
            ("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1.example.test:9464\r\n\r\n", "421"),
            ("GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"),
            ("GET /metrics HTTP/3\r\nHost: a\r\n\r\n", "505"),
        ] {
            let answer = ask(address, request).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request}: {answer}");
        }
    }

    #[test]
    fn only_addresses_and_localhost_are_of_this_machine() {
        for host in ["127.0.0.1", "127.0.0.1:9464", "[::1]:9464", "[::1]", "localhost", "LOCALHOST:1"] {
            assert!(is_of_this_machine(host), "{host}");
        }
        for host in ["", ":9464", "localhost.example.test", "127.0.0.1.nip.test", "a:1", "[localhost", "127.0.0.1:x", "::1"] {
            assert!(!is_of_this_machine(host), "{host}");
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn health_says_what_is_wrong() {
        let (rig, address) = rig().await;
        let full = Health { accepting: 0, ..WELL };
        for (health, healthy, ready) in [
            (Some(WELL), None, None),
            (Some(Health { alive: 1, ..WELL }), Some("1 of 2 workers have died"), None),
            (Some(Health { alive: 0, ..full }), Some("2 of 2 workers have died"), Some("no worker lives")),
            (Some(full), None, Some("no worker has room for another client")),
            (Some(Health { is_draining: true, ..WELL }), None, Some("draining")),
            (None, Some("the control thread does not answer"), Some("the control thread does not answer")),
        ] {
            *rig.health.lock().unwrap() = health;
            for (path, wrong) in [("/healthz", healthy), ("/readyz", ready)] {
                let answer = get(address, path).await;
                let (status, body) = wrong.map_or(("200", "ok"), |why| ("503", why));
                assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path} {health:?}: {answer}");
                assert!(answer.ends_with(&format!("\r\n\r\n{body}\n")), "{path} {health:?}: {answer}");
            }
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn scrapes_are_few_at_a_time() {
        let (rig, address) = rig().await;
        let hold = Arc::new(Notify::new());
        *rig.hold.lock().unwrap() = Some(hold.clone());
        let mut held = Vec::new();
        for taken in 1..=SCRAPES_MAX {
            held.push(tokio::spawn(async move { get(address, "/metrics").await }));
            while rig.held.load(Relaxed) < taken {
                tokio::task::yield_now().await;
            }
        }
        let refused = get(address, "/metrics").await;
        assert!(refused.starts_with("HTTP/1.1 503") && refused.ends_with("too many scrapes at a time\n"), "{refused}");
        assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200"));
        hold.notify_waiters();
        for one in held {
            assert!(one.await.unwrap().starts_with("HTTP/1.1 200"));
        }
        *rig.hold.lock().unwrap() = None;
        assert!(get(address, "/metrics").await.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn who_is_slow_or_silent_is_cut_off() {
        let (rig, address) = rig().await;
        let begun = tokio::time::Instant::now();
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut rest = Vec::new();
        let _ = silent.read_to_end(&mut rest).await;
        assert!(begun.elapsed() <= CONNECTION_TIME + Duration::from_secs(1), "{:?}", begun.elapsed());
        *rig.hold.lock().unwrap() = Some(Arc::default());
        let answer = get(address, "/metrics").await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.ends_with("the figures cannot be had\n"), "{answer}");
    }
}
