//! The demonstration host: says the ICA hello, then gives back every byte that comes after the client's own hello.
//!
//! ```text
//!   host   7F 7F 49 43 41 00   at once, and again every second until the client has answered
//!   client 7F 7F 49 43 41 00   six bytes; what they are is not judged
//!   client any bytes ──────────────────────────────────────────────► the same bytes, in order
//!   client ends its side ──► everything echoed ──► host ends its side
//! ```
//!
//! Real hosts repeat their hello, and scanners know them by it. It runs on a thread of its own, so that a stalled control
//! plane does not stop the bytes of sessions that run. A host that is taken out of the configuration takes no new sessions; those
//! that run go on.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tracing::{debug, error, info};

use crate::farm::Bound;

/// What both sides say first.
const ICA_HELLO: [u8; 6] = *b"\x7f\x7fICA\0";
/// Time between two hellos to a silent client.
const HELLO_EVERY: Duration = Duration::from_secs(1);
/// Sessions at a time; more wait in the kernel's queue.
const SESSIONS_MAX: usize = 20_000;
/// Bytes read at once. Grows to this when a client sends much; an idle session holds [`ECHO_BYTES_MIN`].
const ECHO_BYTES_MAX: usize = 256 * 1024;
/// Bytes read at once from a client that sends little.
const ECHO_BYTES_MIN: usize = 4 * 1024;
/// Pause after the system refused a connection (no descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The thread with all demonstration hosts. It is started with the first of them. Dropping this ends all sessions.
#[derive(Default)]
pub(crate) struct Hosts {
    bound: Vec<Bound>,
    thread: Option<Thread>,
}

struct Thread {
    wanted: watch::Sender<Vec<Bound>>,
    handle: JoinHandle<()>,
}

impl Hosts {
    /// Those that there are.
    pub(crate) fn bound(&self) -> &[Bound] {
        &self.bound
    }

    /// Takes all that can fail about `bound` becoming the hosts: there is a thread, if one is needed.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn ready(&mut self, bound: &[Bound]) -> io::Result<()> {
        if self.thread.is_none() && !bound.is_empty() {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
            let (wanted, watched) = watch::channel(Vec::new());
            let thread = std::thread::Builder::new().name("farm-hosts".to_owned());
            let handle = thread.spawn(move || runtime.block_on(all(watched)))?;
            self.thread = Some(Thread { wanted, handle });
        }
        Ok(())
    }

    /// From now on these are the hosts, for which all is [`ready`](Self::ready).
    pub(crate) fn change(&mut self, bound: Vec<Bound>) {
        if let Some(thread) = &self.thread {
            thread.wanted.send_replace(bound.clone());
        }
        self.bound = bound;
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        let Some(Thread { wanted, handle }) = self.thread.take() else { return };
        drop(wanted);
        if handle.join().is_err() {
            error!("the thread of the demonstration hosts had panicked");
        }
    }
}

/// Serves what is wanted until nobody wants anything any more.
async fn all(mut wanted: watch::Receiver<Vec<Bound>>) {
    let (_stop, stopped) = watch::channel(false);
    let mut hosts: Vec<(Bound, tokio::task::AbortHandle)> = Vec::new();
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        let now = wanted.borrow_and_update().clone();
        let is_there = |all: &[Bound], one: &Bound| all.iter().any(|other| Arc::ptr_eq(&other.listener, &one.listener));
        for (gone, task) in hosts.extract_if(.., |(host, _)| !is_there(&now, host)) {
            info!(host = %gone.name, address = %gone.address, "demonstration host takes no more sessions");
            task.abort();
        }
        let running: Vec<Bound> = hosts.iter().map(|(host, _)| host.clone()).collect();
        for host in now.into_iter().filter(|host| !is_there(&running, host)) {
            info!(host = %host.name, address = %host.address, "demonstration host");
            match host.listener.try_clone() {
                Ok(listener) => {
                    let task = tasks.spawn(serve(listener, stopped.clone()));
                    hosts.push((host, task));
                }
                Err(error) => error!(host = %host.name, %error, "demonstration host cannot listen"),
            }
        }
        if wanted.changed().await.is_err() {
            return;
        }
        while tasks.try_join_next().is_some() {}
    }
}

/// Serves `listener`, which must be non-blocking, until `stop` turns true or its sender is gone; sessions that run are cut
/// then.
async fn serve(listener: std::net::TcpListener, mut stop: watch::Receiver<bool>) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let room = Arc::new(Semaphore::new(SESSIONS_MAX));
    let sessions = accept(&listener, &room, stop.clone());
    tokio::select! {
        () = sessions => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    Ok(())
}

async fn accept(listener: &TcpListener, room: &Arc<Semaphore>, stop: watch::Receiver<bool>) {
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                debug!(%error, "farm host: accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let mut stop = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                ended = session(stream) => {
                    if let Err(error) = ended {
                        debug!(%error, "farm host: session");
                    }
                }
                _ = stop.wait_for(|stop| *stop) => {}
            }
            drop(place);
        });
    }
}

async fn session(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    greet(&mut stream).await?;
    echo(&mut stream).await
}

/// Hellos until the client's six bytes are there.
async fn greet(stream: &mut TcpStream) -> io::Result<()> {
    let (mut from, mut to) = stream.split();
    let mut hello = [0; ICA_HELLO.len()];
    let answered = from.read_exact(&mut hello);
    tokio::pin!(answered);
    loop {
        // A hello is a handful of bytes: if even they do not fit, the client reads nothing, and waiting is right.
        to.write_all(&ICA_HELLO).await?;
        tokio::select! {
            answer = &mut answered => return answer.map(drop),
            () = tokio::time::sleep(HELLO_EVERY) => {}
        }
    }
}

/// Gives back what comes, until the client has ended its side.
async fn echo(stream: &mut TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; ECHO_BYTES_MIN];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return stream.shutdown().await;
        }
        stream.write_all(&buffer[..count]).await?;
        if count == buffer.len() && count < ECHO_BYTES_MAX {
            buffer = vec![0; count * 4];
        }
    }
}

const _: () = assert!(ECHO_BYTES_MIN * 4 * 4 * 4 == ECHO_BYTES_MAX);

#[cfg(test)]
mod tests {
    use super::*;

    async fn host() -> (std::net::SocketAddr, watch::Sender<bool>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(serve(listener, stopped));
        (address, stop)
    }

    #[tokio::test(flavor = "current_thread")]
    async fn it_speaks_first_and_again() {
        let (address, _stop) = host().await;
        let mut client = TcpStream::connect(address).await.unwrap();
        let mut twice = [0; 12];
        client.read_exact(&mut twice).await.unwrap();
        assert_eq!(twice[..6], ICA_HELLO);
        assert_eq!(twice[6..], ICA_HELLO);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn it_echoes_what_follows_the_hello_and_ends_last() {
        let (address, _stop) = host().await;
        let mut client = TcpStream::connect(address).await.unwrap();
        let sent: Vec<u8> = (0..3_000_000u32).map(|n| n.to_le_bytes()[usize::from(n % 3 == 0)]).collect();
        let (mut from, mut to) = client.split();
        let send = async {
            // The hello one byte at a time and fused with what follows: neither may matter.
            for byte in &ICA_HELLO[..5] {
                to.write_all(&[*byte]).await.unwrap();
            }
            to.write_all(&[&ICA_HELLO[5..], &sent].concat()).await.unwrap();
            to.shutdown().await.unwrap();
        };
        let receive = async {
            let mut got = Vec::new();
            from.read_to_end(&mut got).await.unwrap();
            got
        };
        let ((), mut got) = tokio::join!(send, receive);
        while got.starts_with(&ICA_HELLO) {
            got.drain(..6);
        }
        assert!(got == sent, "{} of {} bytes", got.len(), sent.len());
    }

    #[test]
    fn hosts_come_and_go_and_sessions_stay() {
        use std::io::{Read as _, Write as _};
        let bound = |name: &str| Bound::take_or_bind(name, "127.0.0.1:0".parse().unwrap(), &[]).unwrap();
        let (one, two) = (bound("one"), bound("two"));
        let mut hosts = Hosts::default();
        hosts.ready(&[]).unwrap();
        assert!(hosts.thread.is_none(), "without a host there is no thread");
        hosts.ready(std::slice::from_ref(&one)).unwrap();
        hosts.change(vec![one.clone()]);
        let mut client = std::net::TcpStream::connect(one.address).unwrap();
        let mut hello = [0; ICA_HELLO.len()];
        client.read_exact(&mut hello).unwrap();
        client.write_all(&ICA_HELLO).unwrap();
        let gone = one.address;
        drop(one);
        hosts.change(vec![two.clone()]);
        std::net::TcpStream::connect(two.address).unwrap().read_exact(&mut hello).unwrap();
        // The thread closed the other one before it served this one.
        assert_eq!(std::net::TcpStream::connect(gone).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        client.write_all(b"still here").unwrap();
        let mut back = Vec::new();
        while !back.ends_with(b"still here") {
            let mut byte = [0; 1];
            client.read_exact(&mut byte).unwrap();
            back.push(byte[0]);
        }
        drop(hosts);
        assert!(client.read_to_end(&mut Vec::new()).is_err() || client.read(&mut [0; 1]).is_ok_and(|count| count == 0));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn stop_ends_sessions() {
        let (address, stop) = host().await;
        let mut client = TcpStream::connect(address).await.unwrap();
        client.read_exact(&mut [0; 6]).await.unwrap();
        stop.send(true).unwrap();
        let mut rest = Vec::new();
        let _ = client.read_to_end(&mut rest).await;
    }
}
