//! A gateway that answers what a test wants: TLS with a certificate of its own, one script for all requests.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use gate_proto::epa::envelope::Envelope;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

pub(crate) const TOKEN: &str = "981005eef29ce34c80f535f9e78f4b4d";
/// Long enough for a busy machine; a test that gets there has failed.
const WAIT: Duration = Duration::from_secs(30);

/// A request, as far as a script needs it.
pub(crate) struct Request {
    pub(crate) path: String,
    fields: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(held, _)| held == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn envelope(&self) -> Envelope {
        let token = self.field("cookie").unwrap().strip_prefix("NSC_EPAC=").unwrap();
        Envelope::derive(token, self.field("date").unwrap().as_bytes(), self.field("host").unwrap().as_bytes()).unwrap()
    }

    /// What the agent answers.
    pub(crate) fn digits(&self) -> String {
        let opened = self.envelope().open(self.field("csec").unwrap().as_bytes()).unwrap();
        String::from_utf8(opened.to_vec()).unwrap()
    }

    /// An answer with a question.
    pub(crate) fn question(&self, text: &str) -> Vec<u8> {
        plain_question(&self.envelope().seal(text.as_bytes()).unwrap())
    }

    /// An answer with a question, and what is to be done before.
    pub(crate) fn orders(&self, text: &str, orders: &str) -> Vec<u8> {
        let seal = |text: &str| self.envelope().seal(text.as_bytes()).unwrap();
        let (question, orders) = (seal(text), seal(orders));
        format!("HTTP/1.1 200 OK\r\nCSEC: {question}\r\nX-Sluicegate-EPA-Actions: {orders}\r\nContent-Length: 0\r\n\r\n")
            .into_bytes()
    }

    /// An answer with a verdict.
    pub(crate) fn verdict(&self, digit: &str) -> Vec<u8> {
        body(&self.envelope().seal(digit.as_bytes()).unwrap())
    }
}

pub(crate) fn plain_question(payload: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nCSEC: {payload}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

pub(crate) fn body(text: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()).into_bytes()
}

pub(crate) fn status(code: u16) -> Vec<u8> {
    format!("HTTP/1.1 {code} X\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

pub(crate) struct Gateway {
    address: SocketAddr,
    directory: tempfile::TempDir,
    stop: Arc<AtomicBool>,
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Gateway {
    /// Answers each request with what `script` makes of it, under a certificate for `name`.
    pub(crate) fn start(name: &str, mut script: impl FnMut(&Request) -> Vec<u8> + Send + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = certified(name, &directory);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (stopped, noted) = (Arc::clone(&stop), Arc::clone(&seen));
        let thread = std::thread::spawn(move || {
            for socket in listener.incoming() {
                if stopped.load(SeqCst) {
                    return;
                }
                serve(&config, socket.unwrap(), &noted, &mut script);
            }
        });
        Self { address, directory, stop, seen, thread: Some(thread) }
    }

    pub(crate) fn host(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    /// The agent with a link that leads here.
    pub(crate) fn agent(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice-epa"));
        command.arg(format!("nsgcepa://nsgcepa/epav2plugin/{}/{TOKEN}/", self.host())).arg("--ca").arg(self.ca()).args(more);
        command.env("XDG_STATE_HOME", self.directory.path()).env("LC_ALL", "C").stdin(Stdio::null());
        // Nobody is asked in a window of whoever runs the tests.
        command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
        command
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        // Wakes the thread; a panic of the script has failed the agent, whose exit code the test looks at.
        let _woken = TcpStream::connect(self.address);
        let _joined = self.thread.take().map(JoinHandle::join);
    }
}

/// One request. What breaks is the agent's right: it may not trust us.
fn serve(config: &Arc<ServerConfig>, socket: TcpStream, seen: &Mutex<Vec<String>>, script: &mut impl FnMut(&Request) -> Vec<u8>) {
    socket.set_read_timeout(Some(WAIT)).unwrap();
    socket.set_write_timeout(Some(WAIT)).unwrap();
    let tls = ServerConnection::new(Arc::clone(config)).unwrap();
    let mut lines = BufReader::new(StreamOwned::new(tls, socket));
    let mut next = || {
        let mut line = String::new();
        lines.read_line(&mut line).ok().filter(|count| *count > 0).map(|_| line.trim_end().to_owned())
    };
    let Some(first) = next() else { return };
    let path = first.strip_prefix("GET ").and_then(|rest| rest.strip_suffix(" HTTP/1.1")).unwrap().to_owned();
    let mut fields = Vec::new();
    while let Some((name, value)) = next().as_deref().and_then(|line| line.split_once(": ")) {
        fields.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    seen.lock().unwrap().push(path.clone());
    let answer = script(&Request { path, fields });
    let mut line = lines.into_inner();
    let _gone = line.write_all(&answer).and_then(|()| line.flush());
    line.conn.send_close_notify();
    let _gone = line.flush();
}

fn certified(name: &str, directory: &tempfile::TempDir) -> Arc<ServerConfig> {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(directory.path().join("ca.pem"), ca.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap())
}

/// Runs it to its end: exit code and what it said, but for the remark that tests run as root.
pub(crate) fn ended(mut command: Command) -> (i32, String) {
    let Output { status, stderr, .. } = command.output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    let lines = said.split_inclusive('\n').filter(|line| !line.contains("This runs as root"));
    (status.code().unwrap(), lines.collect())
}
