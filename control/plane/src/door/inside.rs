//! The inside listener: who may call, and which of the two services is meant.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gate_proto::path::Path;
use gate_proto::xml::nfuse::XML_PATH;
use gate_proto::xml::sta::STA_PATH;
use http_body_util::Full;
use hyper::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use super::sta;
use crate::action::FarmNumber;
use crate::farm::Served;
use crate::http::{self, Door, Reply, Whole};
use crate::world::{Current, World};

/// Connections to one inside listener.
const CONNECTIONS_MAX: usize = 1024;
/// For the TLS handshake.
const HANDSHAKE_TIME: Duration = Duration::from_secs(5);
/// Pause after the system refused a connection (no descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// One inside listener with what is behind it.
///
/// What is behind it is looked up for each request, in the world that is in force then.
pub(crate) struct Inside {
    pub(crate) number: FarmNumber,
    pub(crate) name: Arc<str>,
    pub(crate) current: Current,
}

/// A caller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    address: IpAddr,
    /// It calls from the very address that it calls: only this machine can.
    is_ourselves: bool,
}

impl Inside {
    /// Serves `listener` until `stop` turns true.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        let stopped = stop.clone();
        let accepting = self.accept(&listener, &stopped);
        tokio::select! {
            never = accepting => match never {},
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn accept(self: &Arc<Self>, listener: &TcpListener, stop: &watch::Receiver<bool>) -> Infallible {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let place = room.clone().acquire_owned().await;
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let address = peer.ip().to_canonical();
                    let is_ourselves = stream.local_addr().is_ok_and(|local| local.ip().to_canonical() == address);
                    let caller = Caller { address, is_ourselves };
                    // One that has just been taken out of the configuration has nobody to answer.
                    let Some((_, served)) = self.now() else { continue };
                    tokio::spawn(self.clone().connection(stream, served.tls.clone(), caller, stop.clone(), place.ok()));
                }
                Err(error) => {
                    warn!(farm = %self.name, %error, "accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// What is in force, and this farm server in it.
    fn now(&self) -> Option<(Arc<World>, Arc<Served>)> {
        let world = self.current.now()?;
        let served = world.farm_server(self.number)?.clone();
        Some((world, served))
    }

    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        tls: Option<TlsAcceptor>,
        caller: Caller,
        stop: watch::Receiver<bool>,
        _place: Option<OwnedSemaphorePermit>,
    ) {
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "no delay");
        }
        match tls {
            None => http::serve(stream, self, caller, stop).await,
            Some(tls) => match tokio::time::timeout(HANDSHAKE_TIME, tls.accept(stream)).await {
                Ok(Ok(stream)) => http::serve(stream, self, caller, stop).await,
                Ok(Err(error)) => debug!(farm = %self.name, client = %caller.address, %error, "TLS handshake"),
                Err(_) => debug!(farm = %self.name, client = %caller.address, "TLS handshake took too long"),
            },
        }
    }
}

impl Door for Inside {
    type Caller = Caller;

    async fn answer(self: Arc<Self>, request: Whole, caller: Caller) -> Reply {
        let Some((world, served)) = self.now() else { return closing(StatusCode::SERVICE_UNAVAILABLE) };
        if !caller.is_ourselves && !served.server.admits(caller.address) {
            warn!(farm = %self.name, client = %caller.address, "caller is not in the list of those who may call");
            return empty(StatusCode::FORBIDDEN);
        }
        let target = request.uri().path_and_query().map_or("", |target| target.as_str());
        let Ok(path) = Path::parse(target) else { return empty(StatusCode::BAD_REQUEST) };
        let is_sta = path.is_any_case(STA_PATH);
        if !is_sta && !path.is_any_case(XML_PATH) {
            return empty(StatusCode::NOT_FOUND);
        }
        if request.method() != Method::POST {
            let mut reply = empty(StatusCode::METHOD_NOT_ALLOWED);
            reply.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            return reply;
        }
        let body = request.into_body();
        if is_sta {
            match sta::Service::of(&served, &world.farm_xml.owner).answer(&body, caller.address).await {
                Ok(answer) => document(answer),
                Err(status) => empty(status),
            }
        } else {
            document(world.farm_xml.answer(&body, caller.address).await)
        }
    }

    fn refuse(&self, status: StatusCode) -> Reply {
        empty(status)
    }
}

fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::new()));
    *reply.status_mut() = status;
    reply
}

fn closing(status: StatusCode) -> Reply {
    let mut reply = empty(status);
    reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    reply
}

fn document(body: Vec<u8>) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(body)));
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}
