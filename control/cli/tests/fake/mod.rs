//! A gateway that does what a test tells it to: TLS with a certificate of its own, then a script.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use gate_cli::launch::open::{Opening, Plan};
use gate_cli::launch::trust::Trust;
use gate_proto::host_port::HostPort;
use gate_proto::secret::Secret;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

pub(crate) const TICKET: &str = ";40;STA02005E10A1B2;0F1E2D3C4B5A69788796A5B4C3D2E1F0";
pub(crate) const GRANTED: [u8; 10] = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
pub(crate) const HELLO: [u8; 6] = [0x7F, 0x7F, b'I', b'C', b'A', 0];
/// Long enough for a busy machine; a test that gets there has failed.
pub(crate) const WAIT: Duration = Duration::from_secs(30);

/// The gateway's end of one connection.
pub(crate) type Line = StreamOwned<ServerConnection, TcpStream>;

pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) directory: tempfile::TempDir,
    thread: JoinHandle<()>,
}

impl Gateway {
    /// Serves one connection with `script`, under a certificate for `name`.
    pub(crate) fn start(name: &str, script: impl FnOnce(Line) + Send + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = certified(name, &directory);
        Self::listen(directory, move |socket| {
            let tls = ServerConnection::new(config).unwrap();
            let mut line = StreamOwned::new(tls, socket);
            // A client that does not trust us ends the handshake; then there is no script to play.
            while line.conn.is_handshaking() {
                if line.conn.complete_io(&mut line.sock).is_err() {
                    return;
                }
            }
            script(line);
        })
    }

    /// Serves one connection without TLS.
    pub(crate) fn start_plain(script: impl FnOnce(TcpStream) + Send + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let _config = certified("localhost", &directory);
        Self::listen(directory, script)
    }

    fn listen(directory: tempfile::TempDir, script: impl FnOnce(TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            drop(listener);
            socket.set_read_timeout(Some(WAIT)).unwrap();
            socket.set_write_timeout(Some(WAIT)).unwrap();
            script(socket);
        });
        Self { address, directory, thread }
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    pub(crate) fn plan(&self, opening: Opening) -> Plan {
        Plan {
            at: None,
            gateway: HostPort::parse(&format!("localhost:{}", self.address.port()), 443).unwrap(),
            tls: Trust::File(self.ca()).client_config().unwrap(),
            opening,
            wait: WAIT,
        }
    }

    /// Writes an ICA file that leads here.
    pub(crate) fn ica_file(&self) -> PathBuf {
        let port = self.address.port();
        let text = format!(
            "[ApplicationServers]\r\nNotepad=\r\n[Notepad]\r\nAddress={TICKET}\r\nSSLEnable=On\r\n\
             SSLProxyHost=localhost:{port}\r\nTitle=Notepad\r\n"
        );
        let path = self.directory.path().join("launch.ica");
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Waits for the script to end; a panic in it is the test's.
    pub(crate) fn join(self) {
        if let Err(panic) = self.thread.join() {
            std::panic::resume_unwind(panic);
        }
    }
}

/// Writes `ca.pem` into `directory` and makes a certificate for `name` under it.
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

pub(crate) fn ticket() -> Secret {
    Secret::new(TICKET)
}

pub(crate) fn take(line: &mut Line, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    line.read_exact(&mut bytes).unwrap();
    bytes
}

pub(crate) fn say(line: &mut Line, bytes: &[u8]) {
    line.write_all(bytes).unwrap();
    line.flush().unwrap();
}

/// Plays a gateway that grants: the whole opening, then the host's hello in the flight of the reply.
pub(crate) fn grant(line: &mut Line) {
    assert_eq!(take(line, 3), [5, 1, 0]);
    say(line, &[5, 0]);
    take_request(line);
    say(line, &[&GRANTED[..], &HELLO].concat());
}

pub(crate) fn take_request(line: &mut Line) {
    let length = u8::try_from(TICKET.len()).unwrap();
    assert_eq!(take(line, 5), [5, 1, 0, 3, length]);
    assert_eq!(take(line, TICKET.len()), TICKET.as_bytes());
    assert_eq!(take(line, 2), 1494u16.to_be_bytes());
}

pub(crate) fn goodbye(line: &mut Line) {
    line.conn.send_close_notify();
    line.flush().unwrap();
}
