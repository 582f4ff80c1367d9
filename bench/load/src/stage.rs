//! What a scenario is played on: certificates, the host behind the gateway, the gateway itself, pinned; and the document that the figures
//! go into.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clap::ValueEnum;

use crate::beside::Rank;
use crate::clock::now;
use crate::fault::{Fault, machine};
use crate::measure::Process;
use crate::report::say;

/// How long a process may take to come up.
const STARTUP: Duration = Duration::from_secs(30);
/// The name in the certificate.
pub(crate) const NAME: &str = "gw.example.test";
/// Where the congestion control of new sockets is read and set.
pub(crate) const CONGESTION: &str = "/proc/sys/net/ipv4/tcp_congestion_control";

/// Ports that connections may have: handshakes use up many.
const PORTS: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// The core of the process under load.
pub(crate) const UNDER_LOAD: &str = "0";

/// The core of everything else: the next one, if there is any.
pub(crate) fn beside() -> &'static str {
    if std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1) { "1" } else { UNDER_LOAD }
}

/// A child that is ended, by its own id, when it is dropped, and before it those that it has started.
pub(crate) struct Ended(pub(crate) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            for pid in Process::of(self.0.id()).pids().iter().skip(1) {
                let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).stderr(Stdio::null()).status();
            }
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A gateway that runs.
pub(crate) struct Gateway {
    pub(crate) process: Ended,
    /// Where its public virtual server listens.
    pub(crate) target: SocketAddr,
    /// Where the authority for its tickets listens.
    pub(crate) sta: SocketAddr,
}

/// What a gateway shall be like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'w> {
    pub(crate) binary: &'w Path,
    /// Its folder, with its certificate `gw.pem` and `gw.key` in it.
    pub(crate) dir: &'w Path,
    /// Hosts that it may carry sessions to.
    pub(crate) hosts: &'w [SocketAddr],
    /// Where its public virtual server listens; port 0 lets the system choose. Several may share an address.
    pub(crate) listen: SocketAddr,
    /// The authority for its tickets; none: one of its own.
    pub(crate) sta: Option<SocketAddr>,
    /// Cores of the whole process, control thread included, with commas between. As many workers, one on each.
    pub(crate) cores: &'w str,
    /// Configuration beside that.
    pub(crate) lines: &'w str,
}

impl<'w> Wish<'w> {
    /// One worker on the core under load, and an authority of its own.
    pub(crate) fn under_load(binary: &'w Path, dir: &'w Path, hosts: &'w [SocketAddr], lines: &'w str) -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { binary, dir, hosts, listen, sta: None, cores: UNDER_LOAD, lines }
    }

    fn config(&self) -> String {
        let (inside, cores, listen) = (self.dir.display(), self.cores, self.listen);
        let mut config = format!(
            "enable ns feature SSLVPN AAA\nset ns worker -count {} -cores {cores}\n\
             set ns config -innerSocket {inside}/inner.sock -controlSocket {inside}/control.sock\n\
             add ssl certKey gw -cert gw.pem -key gw.key\nadd vpn vserver vpn1 SSL {} {} -vserverFqdn {NAME}\n\
             bind ssl vserver vpn1 -certkeyName gw\nset ns limits -unprovenPerSource 20000\n",
            cores.split(',').count(),
            listen.ip(),
            listen.port()
        );
        config += &match self.sta {
            Some(sta) => format!("bind vpn vserver vpn1 -staServer http://{sta}\n"),
            None => {
                "add farm server inside 127.0.0.1 0 -ticketLifetime 900\nbind vpn vserver vpn1 -staServer http://127.0.0.1:0\n"
                    .into()
            }
        };
        for (number, host) in self.hosts.iter().enumerate() {
            let (ip, port) = (host.ip(), host.port());
            config += &format!("add vpn allowedHost sink{number} {ip}/32 -port {port} -allowLoopback YES\n");
        }
        config + self.lines
    }
}

impl Gateway {
    /// Starts one and waits until everything listens.
    pub(crate) fn start(wish: &Wish<'_>) -> Result<Self, Fault> {
        let dir = wish.dir;
        fs::write(dir.join("ns.conf"), wish.config()).map_err(machine("write a file"))?;
        let ready = dir.join("ready.json");
        let log = fs::File::create(dir.join("gateway.log")).map_err(machine("write a file"))?;
        let mut command = Command::new("taskset");
        command.args(["-c", wish.cores]).arg(wish.binary).arg("run").arg(dir.join("ns.conf")).arg("--ready-file").arg(&ready);
        let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let mut process = Ended(started.map_err(machine("start the gateway"))?);
        let told = wait_for("the gateway", &mut process, &dir.join("gateway.log"), || {
            serde_json::from_str::<serde_json::Value>(&fs::read_to_string(&ready).ok()?).ok()
        })?;
        let at = |kind: &str| told[kind][0]["address"].as_str().and_then(|text| text.parse().ok());
        match (at("listeners"), at("farm").or(wish.sta)) {
            (Some(target), Some(sta)) => Ok(Self { process, target, sta }),
            _ => Err(Fault::Nothing("the gateway does not say where it listens")),
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }
}

/// A folder for a scenario, removed when it is over.
pub(crate) fn in_folder(play: impl FnOnce(&Path) -> Result<(), Fault>) -> Result<(), Fault> {
    let dir = std::env::temp_dir().join(format!("sluice-load-{}", std::process::id()));
    fs::create_dir_all(&dir).map_err(machine(dir.display().to_string()))?;
    let done = play(&dir);
    let _ = fs::remove_dir_all(&dir);
    done
}

/// Runs this program again with `args` in a network namespace of its own. `false` if that is not allowed here.
pub(crate) fn in_namespace(args: &[String]) -> Result<bool, Fault> {
    let allowed = Command::new("unshare").args(["-n", "true"]).stderr(Stdio::null()).status();
    if !allowed.is_ok_and(|status| status.success()) {
        say("no network namespace of our own is allowed here: figures are taken with the machine's congestion control");
        return Ok(false);
    }
    let me = own_binary()?;
    let script = format!(
        "ip link set lo up; for c in cubic reno; do (echo $c > {CONGESTION}) 2>/dev/null && break; done; \
         (echo 1025 65535 > {PORTS}) 2>/dev/null; ulimit -n $(ulimit -Hn); exec \"$@\""
    );
    let status = Command::new("unshare").args(["-n", "sh", "-c", &script, "sh"]).arg(me).args(args).status();
    let status = status.map_err(machine("run in a network namespace"))?;
    if status.success() {
        return Ok(true);
    }
    Err(Fault::Tool { tool: args.first().cloned().unwrap_or_default(), said: format!("ended with {status}") })
}

/// This program.
pub(crate) fn own_binary() -> Result<PathBuf, Fault> {
    std::env::current_exe().map_err(machine("find the own binary"))
}

/// Runs a tool to its end.
pub(crate) fn tool(program: &str, args: &[&str], dir: &Path) -> Result<(), Fault> {
    let done = Command::new(program).args(args).current_dir(dir).stdin(Stdio::null()).output().map_err(machine(program))?;
    if done.status.success() {
        return Ok(());
    }
    Err(Fault::Tool { tool: program.to_owned(), said: String::from_utf8_lossy(&done.stderr).into_owned() })
}

/// The key of the gateway's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Key {
    /// ECDSA with P-256.
    P256,
    /// RSA with 2048 bits, whose signature costs several times as much.
    Rsa2048,
}

impl Key {
    const fn args(self) -> &'static [&'static str] {
        match self {
            Self::P256 => &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
            Self::Rsa2048 => &["-newkey", "rsa:2048", "-nodes"],
        }
    }
}

/// An authority (`ca.pem`), and a certificate with such a key for [`NAME`]: `gw.pem`, `gw.key`, both in `both.pem`.
pub(crate) fn certificates(dir: &Path, key: Key) -> Result<(), Fault> {
    let ca = ["req", "-x509", "-days", "2", "-subj", "/CN=sluice-load", "-keyout", "ca.key", "-out", "ca.pem"];
    tool("openssl", &[&ca[..], Key::P256.args()].concat(), dir)?;
    tool(
        "openssl",
        &[&["req", "-subj", "/CN=gw.example.test", "-keyout", "gw.key", "-out", "gw.csr"], key.args()].concat(),
        dir,
    )?;
    fs::write(dir.join("san"), format!("subjectAltName=DNS:{NAME}\n")).map_err(machine("write a file"))?;
    let sign = "x509 -req -in gw.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out gw.pem";
    tool("openssl", &sign.split(' ').collect::<Vec<_>>(), dir)?;
    tool("chmod", &["600", "gw.key"], dir)?;
    let both = [fs::read(dir.join("gw.pem")), fs::read(dir.join("gw.key"))];
    let [Ok(chain), Ok(key)] = both else { return Err(Fault::Nothing("no certificate was made")) };
    fs::write(dir.join("both.pem"), [chain, key].concat()).map_err(machine("write a file"))
}

/// The host behind the gateway, beside the core under load.
pub(crate) fn sink(rank: Rank) -> Result<(Ended, SocketAddr), Fault> {
    sink_with(rank, &["--core", beside()])
}

/// The same with other options.
pub(crate) fn sink_with(rank: Rank, args: &[&str]) -> Result<(Ended, SocketAddr), Fault> {
    let started = rank.command().arg(own_binary()?).arg("sink").args(args).stdout(Stdio::piped()).spawn();
    let mut child = Ended(started.map_err(machine("start the sink"))?);
    let out = child.0.stdout.take().ok_or(Fault::Nothing("the sink says nothing"))?;
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line).map_err(machine("read from the sink"))?;
    let address = line.trim().rsplit(' ').next().and_then(|text| text.parse().ok());
    Ok((child, address.ok_or(Fault::Nothing("the sink does not say where it is"))?))
}

/// Waits until a process is as it should be.
pub(crate) fn wait_for<T>(what: &str, process: &mut Ended, log: &Path, mut state: impl FnMut() -> Option<T>) -> Result<T, Fault> {
    let deadline = now() + STARTUP;
    loop {
        if let Some(found) = state() {
            return Ok(found);
        }
        let ended = process.0.try_wait().ok().flatten();
        if ended.is_some() || now() > deadline {
            let said = fs::read_to_string(log).unwrap_or_default();
            return Err(Fault::Tool { tool: what.to_owned(), said: format!("did not come up ({ended:?}): {said}") });
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// A folder of its own for the gateway `name`, with the certificate of `dir` in it.
pub(crate) fn folder(dir: &Path, name: &str) -> Result<PathBuf, Fault> {
    let place = dir.join(name);
    fs::create_dir_all(&place).map_err(machine("make a folder"))?;
    for file in ["gw.pem", "gw.key"] {
        fs::copy(dir.join(file), place.join(file)).map_err(machine("copy a file"))?;
    }
    Ok(place)
}

/// The median of an odd or even number of figures, the lowest and the highest.
pub(crate) fn spread(mut figures: Vec<f64>) -> (f64, f64, f64) {
    figures.sort_by(f64::total_cmp);
    let last = figures.len().saturating_sub(1);
    let at = |index: usize| figures.get(index).copied().unwrap_or(0.0);
    (f64::midpoint(at(last / 2), at(last.div_ceil(2))), at(0), at(last))
}

/// Puts `table` between the marks of the scenario `name` in the document `path`.
pub(crate) fn write_between(path: &Path, name: &str, table: &str) -> Result<(), Fault> {
    let marks = [format!("<!-- {name}: begin -->"), format!("<!-- {name}: end -->")];
    let old = fs::read_to_string(path).map_err(machine(path.display().to_string()))?;
    let (Some(from), Some(to)) = (old.find(&marks[0]), old.find(&marks[1])) else {
        return Err(Fault::Tool { tool: path.display().to_string(), said: format!("lacks the marks {marks:?}") });
    };
    let new = format!("{}{}\n{table}\n{}", &old[..from], marks[0], &old[to..]);
    fs::write(path, new).map_err(machine(path.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_of_the_middle_and_comes_with_its_range() {
        assert_eq!(spread(vec![3.0, 1.0, 2.0]), (2.0, 1.0, 3.0));
        assert_eq!(spread(vec![4.0, 1.0, 2.0, 3.0]), (2.5, 1.0, 4.0));
        assert_eq!(spread(vec![]), (0.0, 0.0, 0.0));
    }

    #[test]
    fn a_table_replaces_what_stood_between_the_marks_and_nothing_else() {
        let path = std::env::temp_dir().join(format!("sluice-load-marks-{}", std::process::id()));
        let between = |text: &str| format!("before\n<!-- x: begin -->\n{text}\n<!-- x: end -->\nafter\n");
        fs::write(&path, between("old")).unwrap();
        write_between(&path, "x", "new").unwrap();
        write_between(&path, "x", "newer").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let refused = write_between(&path, "y", "new");
        fs::remove_file(&path).unwrap();
        assert_eq!(text, between("newer"));
        assert!(matches!(refused, Err(Fault::Tool { .. })));
    }
}
