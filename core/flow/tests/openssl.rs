//! Our TLS against OpenSSL's command-line tools over real sockets: suites, key changes that it asks for, renegotiation that it
//! tries, and both roles.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sluice_flow::buf::{Buf, Chain, Class, Pool, PoolSizes};
use sluice_flow::tls::{Established, Facts, Handshake, Parts, Progress, RecordFault, Served, TicketKeys, Version};
use sluice_link::id::{ListenerId, SnapshotId};
use sluice_link::snapshot::{CertKey, Cgp, HostTlsProfile, Limits, Listener, Rates, RecordEngine, Snapshot, Tls};
use sluice_link::time::Moment;

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(30);
const CERT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/rsa.cert.pem");
const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/rsa.key.pem");
const NAME: &str = "gate.example";

fn served(engine: RecordEngine) -> Served {
    let chain = std::fs::read(CERT).unwrap();
    let certificate =
        CertKey { name: "rsa".into(), chain_pem: chain.clone().into(), key_pem: Arc::new(std::fs::read(KEY).unwrap().into()) };
    let tls = Tls { certificates: vec![certificate], engine, ..Tls::default() };
    let address = ([127, 0, 0, 1], 0).into();
    let snapshot = Snapshot {
        id: SnapshotId(1),
        listeners: vec![Listener {
            id: ListenerId(1),
            name: "vs".into(),
            address,
            tls,
            cgp: Cgp::Reject,
            rates: Rates::default(),
        }],
        inner: "/nowhere".into(),
        host_tls: vec![HostTlsProfile { id: "hosts".into(), roots_pem: chain.into() }],
        limits: Limits::default(),
    };
    Served::build(Arc::new(snapshot), &Arc::new(TicketKeys::new(Moment(0)).unwrap())).unwrap()
}

/// What is tested with both.
const ENGINES: [RecordEngine; 2] = [RecordEngine::Own, RecordEngine::Rustls];

/// One connection, with blocking reads.
struct Line {
    socket: TcpStream,
    pool: Pool,
}

impl Line {
    fn new(socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, pool: Pool::new(PoolSizes::default()) }
    }

    /// Receives behind what is in `buf`; false at the end.
    fn receive(&mut self, buf: &mut Buf) -> bool {
        let n = self.socket.read(buf.spare_mut()).unwrap();
        buf.commit(n);
        n > 0
    }

    /// Carries the handshake through. Returns what came behind it, too.
    fn shake(&mut self, mut handshake: Handshake) -> (Established, Buf) {
        let mut incoming = self.pool.take(Class::Large).unwrap();
        loop {
            let mut out = self.pool.take(Class::Large).unwrap();
            let progress = handshake.advance(&mut incoming, &mut out).unwrap();
            self.socket.write_all(out.filled()).unwrap();
            self.pool.give(out);
            match progress {
                Progress::Waiting => {
                    incoming.clear();
                    assert!(self.receive(&mut incoming), "closed during the handshake");
                }
                Progress::Flush => {}
                Progress::Done => return (handshake.finish().unwrap(), incoming),
            }
        }
    }

    /// Opens what comes and hands it to `each` until the other side says goodbye.
    fn converse(
        &mut self,
        established: &mut Established,
        mut buf: Buf,
        mut each: impl FnMut(&mut Self, &mut Established, &[u8]),
    ) -> Result<usize, RecordFault> {
        let mut key_updates = 0;
        loop {
            let mut parts = Parts::new();
            let opened = established.records.open(&mut buf, &mut parts, Moment(0))?;
            key_updates += opened.key_updates;
            let mut next = self.pool.take(Class::Large).unwrap();
            next.append(&buf.filled()[opened.rest..]);
            let chain = Chain::of(buf, parts.slices());
            for slice in chain.slices() {
                each(self, established, slice);
            }
            self.pool.give(chain.into_buf());
            buf = next;
            if opened.closed {
                return Ok(key_updates);
            }
            assert!(self.receive(&mut buf), "closed without goodbye");
        }
    }

    fn send(&mut self, established: &mut Established, mut plain: &[u8]) {
        while !plain.is_empty() {
            let mut out = self.pool.take(Class::Large).unwrap();
            let taken = established.records.seal_into(plain, &mut out).unwrap();
            plain = &plain[taken..];
            self.socket.write_all(out.filled()).unwrap();
            self.pool.give(out);
        }
    }
}

/// What one connection to the echo server came to.
type Outcome = (Facts, Result<usize, RecordFault>);

/// Echoes one connection.
fn echo(served: &Arc<Served>) -> (u16, JoinHandle<Outcome>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = Arc::clone(served);
    let echo = thread::spawn(move || {
        let mut line = Line::new(listener.accept().unwrap().0);
        let (mut established, rest) = line.shake(Handshake::accept(served.listener(ListenerId(1)).unwrap()));
        let ended = line.converse(&mut established, rest, |line, established, bytes| line.send(established, bytes));
        let mut out = line.pool.take(Class::Small).unwrap();
        match ended.err().map(RecordFault::alert) {
            None => established.records.close_notify(&mut out).unwrap(),
            Some(Some(alert)) => established.records.alert(alert, &mut out).unwrap(),
            Some(None) => {}
        }
        line.socket.write_all(out.filled()).unwrap();
        line.socket.shutdown(Shutdown::Write).unwrap();
        (established.facts, ended)
    });
    (port, echo)
}

/// A tool whose output is read line by line.
struct Tool {
    child: Child,
    lines: Receiver<String>,
}

impl Tool {
    fn openssl(args: &[&str]) -> Self {
        let mut child = Command::new("openssl")
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("openssl is one of the packages that the tests need");
        let (sender, lines) = channel();
        let outputs: [Box<dyn Read + Send>; 2] = [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for output in outputs {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Self { child, lines }
    }

    fn client(port: u16, more: &[&str]) -> Self {
        let address = format!("127.0.0.1:{port}");
        let args = ["s_client", "-connect", &address, "-servername", NAME, "-CAfile", CERT, "-verify_return_error"];
        Self::openssl(&[&args, more].concat())
    }

    fn say(&mut self, words: &str) {
        self.child.stdin.as_mut().unwrap().write_all(words.as_bytes()).unwrap();
    }

    /// Waits for a line that has `words` in it.
    fn hear(&self, words: &str) -> String {
        let mut heard = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(words) => return line,
                Ok(line) => heard.push(line),
                Err(_) => panic!("openssl never said {words:?} but\n{}", heard.join("\n")),
            }
        }
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn clients_of_every_suite_echo_and_say_goodbye() {
    let suites = [
        (Version::Tls13, "-ciphersuites", "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"),
        (Version::Tls13, "-ciphersuites", "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
        (Version::Tls13, "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256"),
        (Version::Tls12, "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
        (Version::Tls12, "-cipher", "ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
        (Version::Tls12, "-cipher", "ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
    ];
    for (engine, (version, option, suite, name)) in ENGINES.into_iter().flat_map(|engine| suites.map(|suite| (engine, suite))) {
        let served = Arc::new(served(engine));
        let (port, echo) = echo(&served);
        let flag = if version == Version::Tls13 { "-tls1_3" } else { "-tls1_2" };
        let mut client = Tool::client(port, &[flag, option, suite, "-alpn", "h2,http/1.1"]);
        for round in 0..20 {
            client.say(&format!("ping {round}\n"));
            client.hear(&format!("ping {round}"));
        }
        client.say("Q\n");
        let (facts, ended) = echo.join().unwrap();
        assert_eq!((facts.version, facts.suite, facts.http11, facts.sni.as_deref()), (version, name, true, Some(NAME)));
        assert_eq!(ended, Ok(0));
    }
}

#[test]
fn key_changes_that_openssl_makes_and_asks_for_are_followed_and_answered() {
    for engine in ENGINES {
        let (port, echo) = echo(&Arc::new(served(engine)));
        let mut client = Tool::client(port, &["-tls1_3"]);
        client.say("begin\n");
        client.hear("begin");
        for (round, command) in ["k\n", "K\n", "K\n", "k\n"].into_iter().enumerate() {
            client.say(command);
            client.hear("KEYUPDATE");
            client.say(&format!("ping {round}\n"));
            client.hear(&format!("ping {round}"));
        }
        client.say("Q\n");
        assert_eq!(echo.join().unwrap().1, Ok(4));
    }
}

#[test]
fn a_renegotiation_is_refused() {
    for engine in ENGINES {
        let (port, echo) = echo(&Arc::new(served(engine)));
        let mut client = Tool::client(port, &["-tls1_2"]);
        client.say("begin\n");
        client.hear("begin");
        client.say("R\n");
        client.hear("RENEGOTIATING");
        assert_eq!(echo.join().unwrap().1, Err(RecordFault::Renegotiation));
        client.hear("no renegotiation");
    }
}

#[test]
fn a_session_is_resumed() {
    let served = Arc::new(served(RecordEngine::Own));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("session");
    let file = file.to_str().unwrap();
    for flag in ["-tls1_2", "-tls1_3"] {
        for (resumed, option) in [(false, "-sess_out"), (true, "-sess_in")] {
            let (port, echo) = echo(&served);
            let mut client = Tool::client(port, &[flag, option, file]);
            client.say("ping\n");
            client.hear("ping");
            client.say("Q\n");
            let (facts, ended) = echo.join().unwrap();
            assert_eq!((facts.resumed, ended), (resumed, Ok(0)), "{flag}");
            client.child.wait().unwrap();
        }
        assert!(Path::new(file).exists());
    }
}

#[test]
fn old_versions_and_suites_are_refused() {
    let served = Arc::new(served(RecordEngine::Own));
    for options in [
        &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"][..],
        &["-tls1_2", "-cipher", "AES128-SHA"],
        &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA"],
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Tool::client(listener.local_addr().unwrap().port(), options);
        let mut line = Line::new(listener.accept().unwrap().0);
        let mut handshake = Handshake::accept(served.listener(ListenerId(1)).unwrap());
        let (mut incoming, mut out) = (line.pool.take(Class::Large).unwrap(), line.pool.take(Class::Small).unwrap());
        let fault = loop {
            assert!(line.receive(&mut incoming));
            match handshake.advance(&mut incoming, &mut out) {
                Ok(progress) => assert_eq!(progress, Progress::Waiting),
                Err(fault) => break fault,
            }
            incoming.clear();
        };
        assert_eq!(fault.reason(sluice_flow::event::Leg::Client), sluice_link::reason::Reason::TlsRefused, "{fault:?}");
        line.socket.write_all(out.filled()).unwrap();
        client.hear("alert");
    }
}

#[test]
fn hosts_that_are_openssl_are_spoken_to() {
    let served = served(RecordEngine::Own);
    for (version, flag) in [(Version::Tls12, "-tls1_2"), (Version::Tls13, "-tls1_3")] {
        let host = Tool::openssl(&["s_server", "-accept", "127.0.0.1:0", "-cert", CERT, "-key", KEY, "-rev", flag]);
        let address = host.hear("ACCEPT").replace("ACCEPT ", "");
        for (resumed, engine) in [(false, RecordEngine::Own), (true, RecordEngine::Own), (true, RecordEngine::Rustls)] {
            let mut line = Line::new(TcpStream::connect(&address).unwrap());
            let (mut established, rest) =
                line.shake(Handshake::connect(served.host_profile(&"hosts".into()).unwrap(), NAME, engine).unwrap());
            assert_eq!((established.facts.version, established.facts.resumed), (version, resumed));
            line.send(&mut established, b"forwards\n");
            let mut heard = Vec::new();
            let ended = line.converse(&mut established, rest, |line, established, bytes| {
                heard.extend_from_slice(bytes);
                if heard.ends_with(b"\n") {
                    // It closes when told so.
                    line.send(established, b"CLOSE\n");
                }
            });
            assert_eq!((&heard[..], ended), (&b"sdrawrof\n"[..], Ok(0)));
        }
    }
}
