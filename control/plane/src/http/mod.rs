//! HTTP/1.1 as every door serves it: hyper, with every deadline and cap set.
//!
//! ```text
//!   socket ─► wire (strict, paced) ─► hyper ─► Door::answer, in a task of its own ─► one whole response
//! ```
//!
//! A request is read whole, at most [`BODY_BYTES_MAX`], before its door sees it; a response is built whole before any of it is
//! sent, so its length is always right. A panic in a door ends that request with 500 and nothing else.

mod pace;
mod strict;
mod wire;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tracing::{debug, error};

use pace::Pace;
use strict::FAULT_FIELD;
use wire::Wire;

/// Longest body of a request, in bytes.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;
/// Requests on one connection.
pub(crate) const REQUESTS_MAX: u32 = 100;

/// A request that was read whole.
pub(crate) type Whole = Request<Bytes>;
/// A response that was built whole.
pub(crate) type Reply = Response<Full<Bytes>>;

/// What stands behind a listener.
pub(crate) trait Door: Send + Sync + 'static {
    /// Who calls, as the listener knows it.
    type Caller: Clone + Send + Sync + 'static;

    /// Answers one request.
    fn answer(self: Arc<Self>, request: Whole, caller: Self::Caller) -> impl Future<Output = Reply> + Send;

    /// Answers for a request that never became one: malformed, too large, or its door broke.
    fn refuse(&self, status: StatusCode) -> Reply;
}

/// Serves one connection until it ends, a deadline passes, or `stop` turns true (then after the answer under way).
pub(crate) async fn serve<D: Door>(
    io: impl AsyncRead + AsyncWrite + Unpin + Send,
    door: Arc<D>,
    caller: D::Caller,
    mut stop: watch::Receiver<bool>,
) {
    let pace = Arc::new(Pace::new());
    let served = AtomicU32::new(0);
    let service = service_fn(|request: Request<Incoming>| {
        let (door, caller, pace) = (door.clone(), caller.clone(), pace.clone());
        let last = served.fetch_add(1, Relaxed) + 1 >= REQUESTS_MAX;
        async move {
            let mut reply = one(door, caller, request, &pace).await;
            if last {
                reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            pace.writing(reply.body().size_hint().exact().unwrap_or_default());
            Ok::<_, std::convert::Infallible>(reply)
        }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    // A client that has said all it has to say may end its side and still be answered; deadlines are the pace's matter.
    builder
        .half_close(true)
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_headers(strict::FIELDS_MAX)
        .max_buf_size(HYPER_BUFFER_BYTES);
    let connection = builder.serve_connection(TokioIo::new(Wire::new(io, pace.clone())), service);
    tokio::pin!(connection);
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = &mut connection => {
                if let Err(error) = ended {
                    debug!(%error, "http connection ended");
                }
                return;
            }
            () = pace.overdue() => return debug!("http connection too slow"),
            _ = stop.wait_for(|stop| *stop), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// What hyper may hold of a connection: a head, and some.
const HYPER_BUFFER_BYTES: usize = 32 * 1024;
const _: () = assert!(HYPER_BUFFER_BYTES > strict::HEAD_BYTES_MAX);

async fn one<D: Door>(door: Arc<D>, caller: D::Caller, request: Request<Incoming>, pace: &Pace) -> Reply {
    if let Some(fault) = request.headers().get(FAULT_FIELD) {
        let status = StatusCode::from_bytes(fault.as_bytes()).unwrap_or(StatusCode::BAD_REQUEST);
        return closing(door.refuse(status));
    }
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            return closing(door.refuse(StatusCode::PAYLOAD_TOO_LARGE));
        }
        Err(_) => return closing(door.refuse(StatusCode::BAD_REQUEST)),
    };
    pace.answering();
    let task = AbortOnDrop(tokio::spawn(door.clone().answer(Request::from_parts(head, body), caller)));
    match task.await {
        Ok(reply) => reply,
        Err(broken) => {
            error!(panic = broken.is_panic(), "a request broke its door");
            closing(door.refuse(StatusCode::INTERNAL_SERVER_ERROR))
        }
    }
}

fn closing(mut reply: Reply) -> Reply {
    reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    reply
}

/// A task that ends with whoever waits for it.
#[derive(Debug)]
pub(crate) struct AbortOnDrop<T>(pub(crate) JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.0).poll(cx)
    }
}
