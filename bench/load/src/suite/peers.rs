//! Who is compared: the gateway with each of its engines, and what an operator could put in its place. Each on the core under load.
//!
//! ```text
//!   sluicegate        io_uring            tokio-64k      a program of an afternoon (bench/peer-tokio)
//!   sluicegate-mio    mio                 haproxy-64k, nginx-64k, hitch, stunnel     Debian's
//!   sluicegate-spin   io_uring, and a     tcp-copy       HAProxy without TLS: what the kernel alone costs, with a proxy
//!                     worker that looks   floor-64k      receive, AES-128-GCM in place, send, and nothing else: what kernel and
//!                     for 50 µs before    floor-256k     cipher cost, so that nobody can be below
//!                     it sleeps           floor-512k
//!                                         floor-turns    the same with 512 KiB, and a stream's turn ends where it does in the gateway
//! ```
//!
//! All have the same certificate, TLS 1.3 and one thread or process that carries bytes. A peer that is not installed is left out.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::drive::free_port;
use crate::fault::{Fault, machine};
use crate::report::say;
use crate::stage::{self, Ended, Gateway, UNDER_LOAD, Wish, wait_for};
use crate::suite::Plan;

/// Who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The gateway.
    Ours,
    /// The gateway, with a worker that spins before it sleeps.
    Spinning,
    /// A TLS-to-TCP proxy.
    Peer,
    /// Something between TCP and TCP.
    Copy,
}

/// A process that can be put under load.
pub(super) struct Target {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) address: SocketAddr,
    /// Where tickets are to be had.
    pub(super) sta: Option<SocketAddr>,
    pub(super) process: Ended,
}

/// Starts all that are wanted and installed.
pub(super) fn start(plan: &Plan, dir: &Path, host: SocketAddr) -> Result<Vec<Target>, Fault> {
    let mut targets = Vec::new();
    let mut add = |target: Option<Target>| targets.extend(target);
    for (name, kind, lines) in [
        ("sluicegate", Kind::Ours, "set ns worker -engine URING"),
        ("sluicegate-mio", Kind::Ours, "set ns worker -engine MIO"),
        ("sluicegate-spin", Kind::Spinning, "set ns worker -engine URING -busyPollUs 50"),
    ] {
        if plan.wants(name) {
            add(Some(ours(&plan.scenario.gateway, dir, host, name, kind, lines)?));
        }
    }
    let place = Place { dir, host };
    for (name, binary, begin) in [
        ("tokio-64k", plan.tokio()?, tokio as Begin),
        ("haproxy-64k", plan.haproxy.clone(), haproxy),
        ("nginx-64k", plan.nginx.clone(), nginx),
        ("hitch", plan.hitch.clone(), hitch),
        ("stunnel", plan.stunnel.clone(), stunnel),
        ("tcp-copy", plan.haproxy.clone(), copy),
        ("floor-64k", plan.tokio()?, floor_64k),
        ("floor-256k", plan.tokio()?, floor_256k),
        ("floor-512k", plan.tokio()?, floor_512k),
        ("floor-turns", plan.tokio()?, floor_turns),
    ] {
        if plan.wants(name) {
            add(if binary.exists() { Some(begin(&place, name, &binary)?) } else { missing(name, &binary) });
        }
    }
    Ok(targets)
}

fn missing(name: &str, binary: &Path) -> Option<Target> {
    say(&format!("{name}: {} is not installed, so it is left out", binary.display()));
    None
}

type Begin = fn(&Place<'_>, &'static str, &Path) -> Result<Target, Fault>;

/// Where peers find what they need.
struct Place<'p> {
    dir: &'p Path,
    host: SocketAddr,
}

fn ours(binary: &Path, dir: &Path, host: SocketAddr, name: &'static str, kind: Kind, lines: &str) -> Result<Target, Fault> {
    let place = stage::folder(dir, name)?;
    let lines = format!("{lines} -sessions 16384\n");
    let Gateway { process, target, sta } = Gateway::start(&Wish::under_load(binary, &place, &[host], &lines))?;
    Ok(Target { name, kind, address: target, sta: Some(sta), process })
}

impl Place<'_> {
    fn file(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    /// Writes a configuration and says where.
    fn config(&self, name: &str, text: &str) -> Result<String, Fault> {
        let path = self.file(name);
        fs::write(&path, text).map_err(machine("write a file"))?;
        Ok(path)
    }

    /// Starts a peer and waits until it accepts.
    fn begin(&self, name: &'static str, kind: Kind, address: SocketAddr, binary: &Path, args: &[&str]) -> Result<Target, Fault> {
        let log = self.dir.join(format!("{name}.log"));
        let out = fs::File::create(&log).map_err(machine("write a file"))?;
        let both = out.try_clone().map_err(machine("write a file"))?;
        let mut command = Command::new("taskset");
        command.args(["-c", UNDER_LOAD]).arg(binary).args(args);
        let started = command.stdin(Stdio::null()).stdout(both).stderr(out).spawn();
        let mut process = Ended(started.map_err(machine(format!("start {name}")))?);
        wait_for(name, &mut process, &log, || TcpStream::connect(address).ok())?;
        Ok(Target { name, kind, address, sta: None, process })
    }
}

fn tokio(place: &Place<'_>, name: &'static str, binary: &Path) -> Result<Target, Fault> {
    let address = free_port()?;
    let args = ["--listen", &address.to_string(), "--host", &place.host.to_string()].map(str::to_owned);
    let args = [&args[..], &["--cert".into(), place.file("gw.pem"), "--key".into(), place.file("gw.key")]].concat();
    place.begin(name, Kind::Peer, address, binary, &args.iter().map(String::as_str).collect::<Vec<_>>())
}

fn floor(place: &Place<'_>, name: &'static str, binary: &Path, more: &[&str]) -> Result<Target, Fault> {
    let address = free_port()?;
    let (listen, host) = (address.to_string(), place.host.to_string());
    let args = [&["--floor", "--listen", &listen, "--host", &host], more].concat();
    place.begin(name, Kind::Copy, address, binary, &args)
}

fn floor_64k(place: &Place<'_>, name: &'static str, binary: &Path) -> Result<Target, Fault> {
    floor(place, name, binary, &["--buffer", "65536"])
}

fn floor_256k(place: &Place<'_>, name: &'static str, binary: &Path) -> Result<Target, Fault> {
    floor(place, name, binary, &["--buffer", "262144"])
}

fn floor_512k(place: &Place<'_>, name: &'static str, binary: &Path) -> Result<Target, Fault> {
    floor(place, name, binary, &["--buffer", "524288"])
}

/// The same, with turns as long as the gateway's.
fn floor_turns(place: &Place<'_>, name: &'static str, binary: &Path) -> Result<Target, Fault> {
    floor(place, name, binary, &["--buffer", "524288", "--turn", "4194304"])
}

/// What HAProxy is told in either role.
fn haproxy_config(place: &Place<'_>, address: SocketAddr, bind: &str) -> String {
    format!(
        "global\n  nbthread 1\n  maxconn 9500\n  tune.bufsize 65536\n  ssl-default-bind-options ssl-min-ver TLSv1.3\n\
         defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 10m\n  timeout server 10m\n\
         frontend f\n  bind {address}{bind}\n  default_backend b\nbackend b\n  server s {}\n",
        place.host
    )
}

fn haproxy(place: &Place<'_>, name: &'static str, binary: &Path) -> Result<Target, Fault> {
    let address = free_port()?;
    let bind = format!(" ssl crt {} curves X25519 ciphersuites TLS_AES_128_GCM_SHA256", place.file("both.pem"));
    let config = place.config("haproxy.cfg", &haproxy_config(place, address, &bind))?;
    place.begin(name, Kind::Peer, address, binary, &["-db", "-f", &config])
}

fn copy(place: &Place<'_>, name: &'static str, binary: &Path) -> Result<Target, Fault> {
    let address = free_port()?;
    let config = place.config("copy.cfg", &haproxy_config(place, address, ""))?;
    place.begin(name, Kind::Copy, address, binary, &["-db", "-f", &config])
}

fn nginx(place: &Place<'_>, name: &'static str, binary: &Path) -> Result<Target, Fault> {
    let address = free_port()?;
    let text = format!(
        "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\nuser root;\ndaemon off;\nmaster_process off;\nworker_processes 1;\n\
         pid {0}/nginx.pid;\nerror_log stderr crit;\nworker_rlimit_nofile 20000;\nevents {{ worker_connections 20000; }}\n\
         stream {{\n  server {{\n    listen {address} ssl;\n    ssl_certificate {0}/gw.pem;\n    ssl_certificate_key {0}/gw.key;\n    \
         ssl_protocols TLSv1.3;\n    ssl_ecdh_curve X25519;\n    ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;\n    \
         proxy_pass {1};\n    proxy_buffer_size 64k;\n  }}\n}}\n",
        place.dir.display(),
        place.host
    );
    let config = place.config("nginx.conf", &text)?;
    place.begin(name, Kind::Peer, address, binary, &["-e", "stderr", "-c", &config])
}

fn hitch(place: &Place<'_>, name: &'static str, binary: &Path) -> Result<Target, Fault> {
    let address = free_port()?;
    let text = format!(
        "frontend = {{\n  host = \"{}\"\n  port = \"{}\"\n}}\nbackend = \"[{}]:{}\"\npem-file = \"{}\"\nworkers = 1\ndaemon = off\n\
         user = \"root\"\ntls-protos = TLSv1.3\nciphersuites = \"TLS_AES_128_GCM_SHA256\"\necdh-curve = \"X25519\"\nlog-level = 0\n",
        address.ip(),
        address.port(),
        place.host.ip(),
        place.host.port(),
        place.file("both.pem")
    );
    let config = place.config("hitch.conf", &text)?;
    place.begin(name, Kind::Peer, address, binary, &["--config", &config])
}

fn stunnel(place: &Place<'_>, name: &'static str, binary: &Path) -> Result<Target, Fault> {
    let address = free_port()?;
    let text = format!(
        "foreground = yes\npid =\ndebug = crit\nsyslog = no\nsocket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\n[s]\naccept = {address}\n\
         connect = {}\ncert = {}\nsslVersionMin = TLSv1.3\nciphersuites = TLS_AES_128_GCM_SHA256\ncurves = X25519\n",
        place.host,
        place.file("both.pem")
    );
    let config = place.config("stunnel.conf", &text)?;
    place.begin(name, Kind::Peer, address, binary, &[&config])
}
