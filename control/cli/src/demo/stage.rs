//! A gateway of its own: certificates, configuration, process.
//!
//! ```text
//!  directory/ca.pem           whom the demonstration trusts, made now, its key never written
//!            server.pem .key  for "localhost"
//!            ns.conf          virtual server, farm, demo host, user: all on loopback
//!            gateway.log      what the gateway says
//!            ready.json       where it listens, written by it once it does
//! ```

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};
use thiserror::Error;

use crate::clock::Deadline;
use crate::console::talk::Talk;
use crate::launch::fault::chain;

/// The gateway's name: it resolves everywhere, and it is not the host's address.
pub const GATEWAY_NAME: &str = "localhost";
/// The demonstration's user.
pub const USER: &str = "alice";
/// The address of everything inside.
pub const INSIDE: &str = "127.0.0.1";
/// How long the gateway may take to listen.
const START_WAIT: Duration = Duration::from_secs(30);
/// How long it may take to stop.
const STOP_WAIT: Duration = Duration::from_secs(10);
/// How long the gateway may take to say what it has counted.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Lines of the gateway's log that are shown if it does not start.
const LOG_LINES_SHOWN: usize = 12;

/// Why there is no gateway.
#[derive(Debug, Error)]
pub enum NoStage {
    /// A file cannot be written.
    #[error("cannot write {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No certificate could be made.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// No free port, or no random bytes.
    #[error("cannot prepare {what}")]
    Machine {
        /// What.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The program cannot be started.
    #[error("cannot start {program}")]
    Program {
        /// Which.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It ended before it listened.
    #[error("the gateway ended before it listened; its log ends:\n{log}")]
    Ended {
        /// The end of its log.
        log: String,
    },
    /// It did not listen in time.
    #[error("the gateway does not listen after {} s; its log ends:\n{log}", START_WAIT.as_secs())]
    Late {
        /// The end of its log.
        log: String,
    },
    /// What it reports makes no sense.
    #[error("the gateway's report {path} names no listener")]
    Report {
        /// Which.
        path: PathBuf,
    },
}

/// A gateway that runs, with all that is known of it.
#[derive(Debug)]
pub struct Stage {
    /// Where clients come in.
    pub listens: SocketAddr,
    /// Where STA and XML Service listen.
    pub farm: SocketAddr,
    /// Where the demo host listens. No client may learn it.
    pub host: SocketAddr,
    /// The user's password.
    pub password: String,
    /// Everything of it is in here.
    pub directory: PathBuf,
    /// Removes the directory at the end, unless it was given.
    _temporary: Option<tempfile::TempDir>,
    child: Child,
}

impl Stage {
    /// Prepares everything and starts `program`. `directory` is made if it is not there; without one, a temporary one. `record_engine` has the
    /// records, if one is named.
    ///
    /// # Errors
    /// [`NoStage`].
    pub fn start(program: &Path, directory: Option<&Path>, record_engine: Option<&str>) -> Result<Self, NoStage> {
        let machine = |what| move |source| NoStage::Machine { what, source };
        let (directory, temporary) = match directory {
            Some(directory) => {
                let made = fs::create_dir_all(directory).and_then(|()| directory.canonicalize());
                (made.map_err(|source| NoStage::File { path: directory.to_owned(), source })?, None)
            }
            None => {
                let made = tempfile::Builder::new().prefix("sluicegate-demo-").tempdir();
                let made = made.map_err(machine("a directory"))?;
                (made.path().to_owned(), Some(made))
            }
        };
        certify(&directory)?;
        let (farm, host) = free_ports().map_err(machine("free ports"))?;
        let password = random_text().map_err(machine("a password"))?;
        let mut text = configuration(&directory, farm, host, &password);
        if let Some(engine) = record_engine {
            text.push_str(&format!("set ssl vserver demo -recordEngine {engine}\n"));
        }
        write(&directory.join("ns.conf"), text.as_bytes(), 0o600)?;
        let ready = directory.join("ready.json");
        // One of an earlier run would tell of a gateway that is gone.
        if let Err(source) = fs::remove_file(&ready)
            && source.kind() != io::ErrorKind::NotFound
        {
            return Err(NoStage::File { path: ready, source });
        }
        let log_path = directory.join("gateway.log");
        let log = fs::File::create(&log_path).map_err(|source| NoStage::File { path: log_path.clone(), source })?;
        let both = log.try_clone().map_err(|source| NoStage::File { path: log_path.clone(), source })?;
        let child = Command::new(program)
            .arg("run")
            .arg(directory.join("ns.conf"))
            .arg("--ready-file")
            .arg(&ready)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(both)
            .spawn()
            .map_err(|source| NoStage::Program { program: program.to_owned(), source })?;
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut stage = Self { listens: unknown, farm, host, password, directory, _temporary: temporary, child };
        stage.listens = stage.wait_until_it_listens(&ready)?;
        Ok(stage)
    }

    /// The gateway's process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether the gateway still runs.
    #[must_use]
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// What the kernel has to do with the records so far, as the gateway counts it.
    #[must_use]
    pub fn kernel_keys(&self) -> String {
        let socket = self.directory.join("control.sock");
        let said = Talk::new(socket, Arc::default()).small("stat ssl -format json", ANSWER_WAIT);
        let told = match said {
            Ok(Ok(json)) => serde_json::from_str::<serde_json::Value>(&json).ok(),
            Ok(Err(_)) | Err(_) => None,
        };
        let number = |name: &str| told.as_ref()?["ssl"][0][name].as_u64();
        match (number("kernelSealing"), number("kernelOpening"), number("kernelRefused")) {
            (Some(sealing), Some(opening), Some(refused)) => {
                format!("sealed for {sealing}, opened for {opening} sessions; {refused} keys not taken")
            }
            (None, ..) | (_, None, _) | (.., None) => "the gateway does not tell".to_owned(),
        }
    }

    /// The end of the gateway's log.
    #[must_use]
    pub fn log_end(&self) -> String {
        let log = fs::read(self.directory.join("gateway.log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        let lines: Vec<_> = text.lines().collect();
        let shown = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
        shown.iter().map(|line| format!("    {}", line.replace(char::is_control, " "))).collect::<Vec<_>>().join("\n")
    }

    /// Asks the gateway to stop and waits. True if it ended well by itself.
    pub fn stop(mut self) -> bool {
        self.end()
    }

    fn wait_until_it_listens(&mut self, ready: &Path) -> Result<SocketAddr, NoStage> {
        let deadline = Deadline::after(START_WAIT);
        loop {
            if let Ok(text) = fs::read(ready) {
                let report: Option<serde_json::Value> = serde_json::from_slice(&text).ok();
                let address = report.and_then(|report| report["listeners"][0]["address"].as_str()?.parse().ok());
                return address.ok_or_else(|| NoStage::Report { path: ready.to_owned() });
            }
            if !self.is_running() {
                return Err(NoStage::Ended { log: self.log_end() });
            }
            if deadline.left().is_err() {
                return Err(NoStage::Late { log: self.log_end() });
            }
            pause();
        }
    }

    fn end(&mut self) -> bool {
        if !self.is_running() {
            return false;
        }
        let pid = self.child.id().to_string();
        // The standard library can only kill; the shell knows how to ask.
        let _asked = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &pid]).status();
        let deadline = Deadline::after(STOP_WAIT);
        while deadline.left().is_ok() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.success();
            }
            pause();
        }
        // It ran against its deadline; there is nobody left to tell if this fails, too.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
        false
    }
}

/// The gateway does not outlive the demonstration.
impl Drop for Stage {
    fn drop(&mut self) {
        self.end();
    }
}

fn pause() {
    #[expect(clippy::disallowed_methods, reason = "another process's file and end can only be looked for, with a deadline")]
    thread::sleep(LOOK_EVERY);
}

/// A certificate authority for this run alone, and a certificate under it.
fn certify(directory: &Path) -> Result<(), NoStage> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.distinguished_name.push(DnType::CommonName, "Sluicegate demonstration, not for use");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let mut server = CertificateParams::new(vec![GATEWAY_NAME.to_owned()])?;
    server.distinguished_name.push(DnType::CommonName, GATEWAY_NAME);
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let server = server.signed_by(&key, &authority)?;
    write(&directory.join("ca.pem"), authority.pem().as_bytes(), 0o644)?;
    write(&directory.join("server.pem"), server.pem().as_bytes(), 0o644)?;
    write(&directory.join("server.key"), key.serialize_pem().as_bytes(), 0o600)
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), NoStage> {
    let file = |source| NoStage::File { path: path.to_owned(), source };
    let mut open = fs::OpenOptions::new();
    let mut opened = open.write(true).create(true).truncate(true).mode(mode).open(path).map_err(file)?;
    io::Write::write_all(&mut opened, bytes).map_err(file)
}

/// Two ports that were free a moment ago. The configuration has to name them, so the system cannot choose later.
fn free_ports() -> io::Result<(SocketAddr, SocketAddr)> {
    let one = TcpListener::bind((INSIDE, 0))?;
    let two = TcpListener::bind((INSIDE, 0))?;
    Ok((one.local_addr()?, two.local_addr()?))
}

fn random_text() -> io::Result<String> {
    let mut bytes = [0; 6];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| io::Error::other("no random bytes"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn configuration(directory: &Path, farm: SocketAddr, host: SocketAddr, password: &str) -> String {
    let directory = directory.display();
    let (farm_port, host_port) = (farm.port(), host.port());
    format!(
        "# Written by `sluicectl demo`. Everything on one machine: gateway, farm, host and user.\n\
         set ns config -innerSocket \"{directory}/inner.sock\" -controlSocket \"{directory}/control.sock\"\n\
         enable ns feature SSLVPN AAA\n\
         set ns hostName demo\n\
         add ssl certKey demo -cert server.pem -key server.key\n\
         add vpn vserver demo SSL {INSIDE} 0 -vserverFqdn {GATEWAY_NAME} -icaOnly ON\n\
         bind ssl vserver demo -certkeyName demo\n\
         bind vpn vserver demo -staServer http://{INSIDE}:{farm_port}\n\
         set vpn parameter -ntDomain DEMO\n\
         add vpn allowedHost demo {INSIDE} -port {host_port} -allowLoopback YES\n\
         add farm server inside {INSIDE} {farm_port}\n\
         add farm host echo {INSIDE} {host_port}\n\
         add aaa user {USER} -password {password}\n\
         add farm resource Notepad -host {INSIDE}:{host_port} -displayName \"Notepad\" -description \"Plain text editor\"\n\
         add farm resource Desktop -host {INSIDE}:{host_port} -displayName \"Demo Desktop\" -type DESKTOP\n\
         bind farm resource Notepad -userName {USER}\n\
         bind farm resource Desktop -everyone\n"
    )
}

/// The whole chain of causes in one line.
#[must_use]
pub fn in_words(why: &NoStage) -> String {
    chain(why)
}
