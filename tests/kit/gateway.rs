//! The real binary as a child process: configuration, start, log, counters, end.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustls::ClientConfig;
use serde_json::Value;
use tempfile::TempDir;

use crate::certs::{Ca, write};
use crate::client::{self, Client, Opening, trust};
use crate::console::Console;
use crate::deadline::until;
use crate::sta::{self, Issued};
use crate::tools::Running;

/// The name for which the gateway's certificate is made.
pub const NAME: &str = "gw.example.test";

/// What a gateway shall be like.
#[derive(Debug)]
pub struct Wish {
    binary: PathBuf,
    through: Option<PathBuf>,
    engine: &'static str,
    lines: Vec<String>,
    files: Vec<(String, String)>,
    rsa: bool,
    farm: bool,
}

impl Wish {
    /// A gateway from `binary` (of `CARGO_BIN_EXE_sluicegate`) with one worker, one virtual server `vpn1` and an embedded farm.
    #[must_use]
    pub fn new(binary: impl Into<PathBuf>, engine: &'static str) -> Self {
        Self { binary: binary.into(), through: None, engine, lines: Vec::new(), files: Vec::new(), rsa: false, farm: true }
    }

    /// With one more line of configuration. `DIR` stands for the test's folder.
    #[must_use]
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// With a file in the test's folder, beside the configuration.
    #[must_use]
    pub fn file(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.files.push((name.into(), text.into()));
        self
    }

    /// Started by `program`, which is given the gateway's command line.
    #[must_use]
    pub fn through(mut self, program: PathBuf) -> Self {
        self.through = Some(program);
        self
    }

    /// With an RSA certificate.
    #[must_use]
    pub fn rsa(mut self) -> Self {
        self.rsa = true;
        self
    }

    /// Without an embedded farm.
    #[must_use]
    pub fn no_farm(mut self) -> Self {
        self.farm = false;
        self
    }

    /// Starts it and waits until everything listens.
    ///
    /// # Panics
    /// If it does not come up; its log is shown.
    #[must_use]
    pub fn start(self) -> Gateway {
        let dir = TempDir::new().expect("a folder");
        let ca = Ca::new();
        let (chain, key) = if self.rsa { ca.rsa_server(&[NAME]) } else { ca.server(&[NAME]) };
        let ca_file = ca.write(dir.path());
        let _ = write(dir.path(), "gw.pem", &chain);
        let _ = write(dir.path(), "gw.key", &key);
        for (name, text) in &self.files {
            let _ = write(dir.path(), name, text);
        }
        let inside = dir.path().display();
        let mut config = format!(
            "enable ns feature SSLVPN AAA\n\
             set ns config -innerSocket {inside}/inner.sock -controlSocket {inside}/control.sock\n\
             set ns worker -count 1 -engine {}\n\
             add ssl certKey gw -cert gw.pem -key gw.key\n\
             add vpn vserver vpn1 SSL 127.0.0.1 0 -vserverFqdn {NAME}\n\
             bind ssl vserver vpn1 -certkeyName gw\n\
             add vpn allowedHost loopback 127.0.0.0/8 -port 1-65535 -allowLoopback YES\n",
            self.engine
        );
        if self.farm {
            config.push_str("add farm server inside 127.0.0.1 0\nbind vpn vserver vpn1 -staServer http://127.0.0.1:0\n");
        }
        for line in &self.lines {
            config.push_str(&line.replace("DIR", &dir.path().display().to_string()));
            config.push('\n');
        }
        let config_file = write(dir.path(), "ns.conf", &config);
        let log = dir.path().join("log");
        let program = Program { binary: self.binary, through: self.through, config: config_file };
        let child = program.start(&dir.path().join(READY), &log);
        let tls = trust(&ca.pem, rustls::ALL_VERSIONS);
        let mut gateway = Gateway { child, dir, log, at: BTreeMap::new(), tls, ca_file, ca, program };
        gateway.comes_up();
        gateway
    }
}

/// The file in which it says where it listens.
const READY: &str = "ready.json";

/// What is started.
#[derive(Debug)]
struct Program {
    binary: PathBuf,
    through: Option<PathBuf>,
    config: PathBuf,
}

impl Program {
    fn start(&self, ready: &Path, log: &Path) -> Running {
        let log = fs::OpenOptions::new().create(true).append(true).open(log).expect("a log file");
        let mut command = Command::new(self.through.as_ref().unwrap_or(&self.binary));
        if self.through.is_some() {
            command.arg(&self.binary);
        }
        Running::start(
            command
                .arg("run")
                .arg(&self.config)
                .arg("--ready-file")
                .arg(ready)
                .stdin(Stdio::null())
                .stdout(log.try_clone().expect("a log file"))
                .stderr(log),
        )
    }
}

/// A gateway that runs. It is ended when this is dropped.
#[derive(Debug)]
pub struct Gateway {
    child: Running,
    dir: TempDir,
    log: PathBuf,
    at: BTreeMap<String, SocketAddr>,
    /// A client's settings that trust it.
    pub tls: Arc<ClientConfig>,
    /// Its authority, as a file.
    pub ca_file: PathBuf,
    /// Its authority.
    pub ca: Ca,
    program: Program,
}

impl Gateway {
    /// Waits until everything listens.
    fn comes_up(&mut self) {
        let ready = self.dir.path().join(READY);
        let told = until("the gateway to be ready", || {
            if let Some(status) = self.child.0.try_wait().expect("a child of ours") {
                let config = fs::read_to_string(&self.program.config).unwrap_or_default();
                panic!("the gateway ended with {status}:\n{config}\n{}", self.log());
            }
            serde_json::from_str::<Value>(&fs::read_to_string(&ready).ok()?).ok()
        });
        for kind in ["listeners", "farm", "hosts"] {
            for one in told[kind].as_array().into_iter().flatten() {
                let (Some(name), Some(address)) = (one["name"].as_str(), one["address"].as_str()) else { continue };
                self.at.insert(name.to_owned(), address.parse().expect("an address"));
            }
        }
    }

    /// Ends it with a signal, `TERM` or `KILL`, and starts it again with the same files. It may listen elsewhere then.
    ///
    /// # Panics
    /// If it does not come up again.
    pub fn restart(&mut self, signal: &str) {
        self.signal(signal);
        let _ = self.child.wait();
        let ready = self.dir.path().join(READY);
        let _ = fs::remove_file(&ready);
        // One that was killed leaves its sockets behind.
        for socket in ["inner.sock", "control.sock"] {
            let _ = fs::remove_file(self.dir.path().join(socket));
        }
        self.child = self.program.start(&ready, &self.log);
        self.comes_up();
    }

    /// Where the virtual server, farm server or demo host `name` listens.
    ///
    /// # Panics
    /// If there is none of that name.
    #[must_use]
    pub fn address(&self, name: &str) -> SocketAddr {
        *self.at.get(name).unwrap_or_else(|| panic!("nothing named {name} listens: {:?}", self.at))
    }

    /// Where the public virtual server listens.
    #[must_use]
    pub fn public(&self) -> SocketAddr {
        self.address("vpn1")
    }

    /// Its folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// A connection to its control socket.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn console(&self) -> Console {
        let path = self.dir().join("control.sock");
        Console::connect(&path).unwrap_or_else(|bad| panic!("{bad}\n{}", self.log()))
    }

    /// A ticket of its embedded authority for `host`.
    #[must_use]
    pub fn ticket(&self, host: SocketAddr) -> Issued {
        sta::issue(self.address("inside"), &host.to_string())
    }

    /// A connection after the TLS handshake.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn connect(&self) -> Client {
        Client::connect(self.public(), NAME, &self.tls).unwrap_or_else(|e| panic!("{e}\n{}", self.log()))
    }

    /// The same from another address of this machine, as another source would.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn connect_from(&self, source: IpAddr) -> Client {
        let tcp = client::tcp_from(source, self.public()).expect("a connection");
        Client::over(tcp, NAME, &self.tls).unwrap_or_else(|e| panic!("{e}\n{}", self.log()))
    }

    /// Memory of its process that is not backed by files, in KiB.
    ///
    /// # Panics
    /// If it is gone.
    #[must_use]
    pub fn memory_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the gateway runs");
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a line RssAnon");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Processor time of all its threads.
    ///
    /// # Panics
    /// If it does not run any more.
    #[must_use]
    pub fn cpu(&self) -> std::time::Duration {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid())).expect("the gateway runs");
        let used = |thread: fs::DirEntry| {
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        };
        std::time::Duration::from_nanos(threads.flatten().filter_map(used).sum())
    }

    /// Waits until nobody is connected and no buffer is out, then gives the number of descriptors once it has come to `wanted`.
    ///
    /// # Panics
    /// If that does not come.
    pub fn settles_at(&self, wanted: usize) {
        until("sessions and buffers to be zero", || {
            let counters = self.counters();
            let left = ["sessions", "spliced", "portal", "buffers_lent"].map(|name| counters[name]);
            (left == [0; 4]).then_some(())
        });
        until("no descriptor to be left over", || (self.descriptors() <= wanted).then_some(()));
    }

    /// A session with `host`, spliced.
    ///
    /// # Panics
    /// If the gateway does not say that it is connected.
    #[must_use]
    pub fn launch(&self, host: SocketAddr) -> Client {
        self.launch_with(host, Opening::Negotiated)
    }

    /// The same with another opening.
    ///
    /// # Panics
    /// If the gateway does not say that it is connected.
    #[must_use]
    pub fn launch_with(&self, host: SocketAddr, opening: Opening) -> Client {
        let mut client = self.connect();
        let reply = client.present(&self.ticket(host).single(), opening);
        assert_eq!(reply.ok(), Some(0), "{}", self.log());
        client
    }

    /// Sends it a signal by name: `TERM`, `USR1`, `USR2`.
    pub fn signal(&self, name: &str) {
        let _ = crate::tools::output("kill", &[&format!("-{name}"), &self.pid().to_string()]);
    }

    /// Its counters, as it logs them on `SIGUSR1`.
    ///
    /// # Panics
    /// If it does not.
    #[must_use]
    pub fn counters(&self) -> BTreeMap<String, u64> {
        let seen = self.log().matches("\"counters\"").count();
        self.signal("USR1");
        until("counters in the log", || {
            let log = self.log();
            let line = log.lines().filter(|line| line.contains("\"counters\"")).nth(seen)?;
            let json: Value = serde_json::from_str(&line[line.find('{')?..]).ok()?;
            json["counters"].as_object().map(|all| all.iter().map(|(k, v)| (k.clone(), v.as_u64().unwrap_or(0))).collect())
        })
    }

    /// One counter.
    ///
    /// # Panics
    /// If there is none of that name.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        *self.counters().get(name).unwrap_or_else(|| panic!("no counter {name}"))
    }

    /// How many descriptors its process holds.
    ///
    /// # Panics
    /// If it is gone.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("the gateway runs").count()
    }

    /// Waits until no session is left, then gives the number of descriptors.
    #[must_use]
    pub fn quiet(&self) -> usize {
        until("all sessions to end", || (self.count("sessions") == 0).then_some(()));
        self.descriptors()
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> std::process::ExitStatus {
        self.child.wait()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(60).collect();
            for line in tail.iter().rev() {
                #[expect(clippy::print_stderr, reason = "a failing test shows what the gateway said")]
                {
                    eprintln!("gateway: {line}");
                }
            }
        }
    }
}
