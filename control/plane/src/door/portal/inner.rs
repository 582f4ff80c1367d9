//! The inner listener: connections that workers bring, each with a PROXY v2 header in front that says who the client is.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sluice_link::snapshot::DEVICE_ALPN;
use sluice_proto::proxy::{Header, WHOLE_BYTES_MAX};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::UnixListener;
use tokio::sync::{Semaphore, watch};
use tracing::{debug, warn};

use super::Portal;
use super::certificate::Shown;
use crate::http;

/// Connections at a time.
const CONNECTIONS_MAX: usize = 4096;
/// For the PROXY header, which the worker sends at once.
const HEADER_TIME: Duration = Duration::from_secs(5);
/// Bytes of the header before its length ends.
const FIXED_BYTES: usize = 16;
/// Pause after the system refused a connection (no descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who calls, as the worker told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The client.
    pub(crate) client: SocketAddr,
    /// The address at which it arrived.
    pub(crate) arrived: SocketAddr,
    /// The version of its TLS, as it stands on the wire. `None`: the worker did not say.
    pub(crate) tls: Option<u16>,
    /// It is a program that has come to show its machine's certificate, and for nothing else.
    pub(crate) is_for_machine: bool,
    /// The certificates that it has shown; the key of the first it has.
    pub(crate) shown: Option<Arc<Shown>>,
}

/// Why a connection was not let in. The fault of whoever could open the socket: nobody but workers should.
#[derive(Debug, Error)]
enum NotLetIn {
    #[error("no PROXY header in time")]
    Time,
    #[error("connection ended inside the PROXY header")]
    Ended(#[source] io::Error),
    #[error("PROXY header is longer than {WHOLE_BYTES_MAX} bytes")]
    Long,
    #[error("PROXY header is malformed: {0}")]
    Malformed(String),
}

/// Serves `listener` until `stop` turns true.
pub(crate) async fn serve(portal: Arc<Portal>, listener: UnixListener, mut stop: watch::Receiver<bool>) {
    let stopped = stop.clone();
    let accepting = accept(&portal, &listener, &stopped);
    tokio::select! {
        never = accepting => match never {},
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

async fn accept(portal: &Arc<Portal>, listener: &UnixListener, stop: &watch::Receiver<bool>) -> Infallible {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let place = room.clone().acquire_owned().await;
        match listener.accept().await {
            Ok((mut stream, _)) => {
                let (portal, stop) = (portal.clone(), stop.clone());
                tokio::spawn(async move {
                    match read_caller(&mut stream).await {
                        Ok(caller) => http::serve(stream, portal, caller, stop).await,
                        Err(why) => debug!(%why, "inner connection not let in"),
                    }
                    drop(place);
                });
            }
            Err(error) => {
                warn!(%error, "inner listener: accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Reads the header and not one byte more: what follows is the client's.
async fn read_caller(stream: &mut (impl AsyncRead + Unpin)) -> Result<Caller, NotLetIn> {
    tokio::time::timeout(HEADER_TIME, async {
        let mut room = vec![0; FIXED_BYTES];
        stream.read_exact(&mut room).await.map_err(NotLetIn::Ended)?;
        let rest = usize::from(u16::from_be_bytes([room[FIXED_BYTES - 2], room[FIXED_BYTES - 1]]));
        if FIXED_BYTES + rest > WHOLE_BYTES_MAX {
            return Err(NotLetIn::Long);
        }
        room.resize(FIXED_BYTES + rest, 0);
        stream.read_exact(&mut room[FIXED_BYTES..]).await.map_err(NotLetIn::Ended)?;
        let (header, _) = Header::read(&room).map_err(|stop| NotLetIn::Malformed(format!("{stop:?}")))?;
        Ok(Caller {
            client: header.source,
            arrived: header.destination,
            tls: header.tls.and_then(version),
            is_for_machine: header.alpn == Some(DEVICE_ALPN),
            shown: header.certificates.map(|list| Arc::new(Shown::new(list))),
        })
    })
    .await
    .unwrap_or(Err(NotLetIn::Time))
}

fn version(text: &str) -> Option<u16> {
    match text {
        "TLSv1.2" => Some(0x0303),
        "TLSv1.3" => Some(0x0304),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use sluice_proto::certificates::{self, Certificates};
    use sluice_proto::proxy::HEADER_BYTES_MAX;

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn the_header_is_read_and_nothing_behind_it() {
        let header = Header {
            source: "198.51.100.7:50123".parse().unwrap(),
            destination: "192.0.2.1:443".parse().unwrap(),
            authority: Some("gw.example.test"),
            tls: Some("TLSv1.3"),
            unique_id: None,
            alpn: None,
            certificates: None,
        };
        let mut room = [0; HEADER_BYTES_MAX];
        let bytes = [header.write(&mut room).unwrap(), b"GET / HTTP/1.1\r\n"].concat();
        let mut stream = bytes.as_slice();
        let caller = read_caller(&mut stream).await.unwrap();
        let wanted =
            Caller { client: header.source, arrived: header.destination, tls: Some(0x0304), is_for_machine: false, shown: None };
        assert_eq!(caller, wanted);
        assert_eq!(stream, b"GET / HTTP/1.1\r\n");
        // With certificates behind it.
        let list = certificates::write([&b"own"[..], b"issuer"].into_iter()).unwrap();
        let list = Certificates::read(&list).unwrap();
        for (alpn, is_for_machine) in [(None, false), (Some("http/1.1"), false), (Some(DEVICE_ALPN), true)] {
            let shown = Header { alpn, certificates: Some(list), ..header };
            let bytes = [shown.write(&mut room).unwrap(), list.as_bytes(), b"GET / HTTP/1.1\r\n"].concat();
            let mut stream = bytes.as_slice();
            let caller = read_caller(&mut stream).await.unwrap();
            assert_eq!(caller, Caller { is_for_machine, shown: Some(Arc::new(Shown::new(list))), ..wanted.clone() });
            assert_eq!(stream, b"GET / HTTP/1.1\r\n");
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn anything_else_is_not_let_in() {
        let long = [&sluice_proto::proxy::SIGNATURE[..], &[0x21, 0x11, 0xff, 0xff], &[0; 70_000]].concat();
        for bytes in [&b""[..], b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", &long] {
            let mut stream = bytes;
            read_caller(&mut stream).await.unwrap_err();
        }
    }
}
