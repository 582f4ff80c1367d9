//! Logins as a script or monitor does them: a connection of its own, the first form, name and password, until there is a session.
//!
//! ```text
//!   crowd of N ─┬─ user i ─ TLS ─ getAuthenticationRequirements ─ doAuthentication ─► NSC_AAAC ─ close ─┐
//!               └─ …                                                                                   └─ the next user
//! ```
//!
//! Without a rate each of the crowd begins its next login when the last is done (closed loop). With one, logins are due on schedule, and a
//! login's time counts from the moment at which it was due, so that a slow gateway cannot hide behind a slow generator.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use hdrhistogram::Histogram;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use socket2::{Domain, Socket, Type};

use crate::Load;
use crate::clock::now;
use crate::code;
use crate::drive;
use crate::fault::Fault;
use crate::load::source;
use crate::measure::Process;
use crate::report::Outcome;
use crate::trust::client_config;

/// How long one login may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Addresses from which logins come: a gateway slows down a source with many of them at once.
const SOURCES: u32 = 200;
/// Logins before the window.
const WARM_UP: Duration = Duration::from_millis(500);
/// Longest head of an answer, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Longest body of an answer, in bytes.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// Who logs in.
#[derive(Clone, Debug, Args)]
pub(crate) struct Crowd {
    /// So many users, in turn: PREFIX0 to PREFIXn.
    #[arg(long, default_value_t = 1000)]
    pub(crate) users: usize,
    /// What their names begin with.
    #[arg(long, default_value = "user")]
    pub(crate) prefix: String,
    /// The password of all of them.
    #[arg(long, default_value = "load-test-password")]
    pub(crate) password: String,
    /// Logins per second; without it, as many as come through.
    #[arg(long)]
    pub(crate) rate: Option<u32>,
    /// A one-time code is asked for beside the password.
    #[arg(long)]
    pub(crate) codes: bool,
    /// The number of the first user. A code is good once, so that each user logs in once where codes are asked for.
    #[arg(long, default_value_t = 0)]
    pub(crate) first: usize,
}

/// What all of the crowd have in common.
struct Shared<'l> {
    load: &'l Load,
    crowd: &'l Crowd,
    tls: Arc<ClientConfig>,
    name: ServerName<'static>,
    /// The next login's number.
    next: AtomicU64,
    /// Threads that gave up.
    failed: AtomicUsize,
    begun: Instant,
    from: Instant,
    until: Instant,
}

/// Logs users in and measures it.
pub(crate) fn run(load: &Load, crowd: &Crowd) -> Result<Outcome, Fault> {
    let begun = now();
    let from = begun + WARM_UP;
    let shared = Shared {
        load,
        crowd,
        tls: client_config(load, false)?,
        name: ServerName::try_from(load.name.clone()).map_err(|_| Fault::Nothing("the name is no DNS name"))?,
        next: AtomicU64::new(0),
        failed: AtomicUsize::new(0),
        begun,
        from,
        until: from + Duration::from_secs_f64(load.seconds),
    };
    drive::pin(load.core);
    let (times, cpu) = thread::scope(|scope| {
        let members: Vec<_> = (0..load.connections.max(1))
            .map(|number| {
                scope.spawn({
                    let shared = &shared;
                    move || member(shared, number)
                })
            })
            .collect();
        let cpu = cpu_within(&shared);
        let mut times = drive::histogram()?;
        for member in members {
            let part = member.join().unwrap_or(Err(Fault::Nothing("a thread of the generator died")))?;
            // Both have the same bounds, so this cannot fail.
            let _ = times.add(part);
        }
        Ok::<_, Fault>((times, cpu?))
    })?;
    if times.is_empty() {
        return Err(Fault::Nothing("no login was done in the window"));
    }
    #[expect(clippy::cast_precision_loss, reason = "figures to print")]
    let units = times.len() as f64;
    Ok(Outcome::new("login", units, load.seconds, cpu, &times))
}

/// CPU time of the process under load within the window.
fn cpu_within(shared: &Shared<'_>) -> Result<Option<f64>, Fault> {
    let Some(pid) = shared.load.pid else { return Ok(None) };
    wait_until(shared.from, shared);
    let process = Process::of(pid);
    let before = process.read()?;
    wait_until(shared.until, shared);
    Ok(Some(before.until(&process.read()?).seconds))
}

/// Waits for a time, or until somebody has given up.
fn wait_until(time: Instant, shared: &Shared<'_>) {
    while now() < time && shared.failed.load(Ordering::Relaxed) == 0 {
        thread::park_timeout(time.saturating_duration_since(now()).min(Duration::from_millis(50)));
    }
}

/// One of the crowd, until the window is over.
fn member(shared: &Shared<'_>, number: usize) -> Result<Histogram<u64>, Fault> {
    let mut times = drive::histogram()?;
    let every = shared.crowd.rate.map(|rate| Duration::from_secs(1) / rate.max(1));
    while now() < shared.until && shared.failed.load(Ordering::Relaxed) == 0 {
        let login = shared.next.fetch_add(1, Ordering::Relaxed);
        let due =
            every.map_or_else(now, |every| shared.begun + every.mul_f64(f64::from(u32::try_from(login).unwrap_or(u32::MAX))));
        wait_until(due, shared);
        if due >= shared.until {
            break;
        }
        let turn = usize::try_from(login).unwrap_or(usize::MAX);
        if shared.crowd.codes && turn >= shared.crowd.users {
            shared.failed.fetch_add(1, Ordering::Relaxed);
            return Err(Fault::Nothing("more logins than users, and each has one code at a time"));
        }
        let at = shared.crowd.first + turn % shared.crowd.users.max(1);
        let user = format!("{}{at}", shared.crowd.prefix);
        if let Err(fault) = log_in(shared, &user, at, login) {
            shared.failed.fetch_add(1, Ordering::Relaxed);
            return Err(Fault::Peer { connection: number, what: format!("{user}: {fault}") });
        }
        let done = now();
        if due >= shared.from && done <= shared.until {
            let micros = u64::try_from(done.duration_since(due).as_micros()).unwrap_or(u64::MAX);
            times.saturating_record(micros.max(1));
        }
    }
    Ok(times)
}

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A whole login.
fn log_in(shared: &Shared<'_>, user: &str, number: usize, login: u64) -> io::Result<()> {
    let target = shared.load.target;
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, None)?;
    if let Some(source) = source(shared.load.sources.unwrap_or(SOURCES), login) {
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    socket.connect(&target.into())?;
    let tcp = TcpStream::from(socket);
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    tcp.set_write_timeout(Some(PATIENCE))?;
    let tls = ClientConnection::new(shared.tls.clone(), shared.name.clone()).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(tls, tcp);
    let form = ask(&mut stream, &shared.load.name, "/nf/auth/getAuthenticationRequirements.do", "", "")?;
    let context = form.between("<StateContext>", "</StateContext>");
    let cookie = form.cookie("NSC_TMAS").ok_or_else(|| form.unexpected("no conversation"))?;
    let code = if shared.crowd.codes { format!("&passwd1={}", code::now(number)) } else { String::new() };
    let body = format!(
        "login={user}&passwd={}{code}&savecredentials=false&loginBtn=Log+On&StateContext={}",
        encoded(&shared.crowd.password),
        encoded(context)
    );
    let done =
        ask(&mut stream, &shared.load.name, "/nf/auth/doAuthentication.do", &format!("Cookie: NSC_TMAS={cookie}\r\n"), &body)?;
    done.cookie("NSC_AAAC").ok_or_else(|| done.unexpected("no session"))?;
    stream.conn.send_close_notify();
    let _ = stream.flush();
    Ok(())
}

struct Answer {
    head: String,
    body: String,
}

impl Answer {
    fn cookie(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut cookies = lines.filter(|(header, _)| header.eq_ignore_ascii_case("set-cookie"));
        let value = cookies.find_map(|(_, cookie)| cookie.strip_prefix(name)?.strip_prefix('='))?;
        value.split(';').next().filter(|value| !value.is_empty())
    }

    fn between(&self, before: &str, behind: &str) -> &str {
        let found = self.body.split_once(before).and_then(|(_, rest)| rest.split_once(behind));
        found.map_or("", |(found, _)| found)
    }

    fn unexpected(&self, what: &str) -> io::Error {
        let status = self.head.lines().next().unwrap_or_default();
        io::Error::other(format!("{what}: {status}: {}", self.between("<Result>", "</Result>")))
    }
}

fn ask(stream: &mut Tls, name: &str, path: &str, more: &str, body: &str) -> io::Result<Answer> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {name}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n{more}\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
    stream.flush()?;
    let mut got = Vec::new();
    let mut block = [0; 4096];
    let end = loop {
        if let Some(end) = got.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        match stream.read(&mut block)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n if got.len() + n > HEAD_BYTES_MAX + block.len() => {
                return Err(io::Error::other("the head of an answer has no end"));
            }
            n => got.extend_from_slice(&block[..n]),
        }
    };
    let head = String::from_utf8_lossy(&got[..end]).into_owned();
    let length =
        head.lines().filter_map(|line| line.split_once(": ")).find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|(_, value)| value.parse::<usize>().ok()).unwrap_or(0);
    if length > BODY_BYTES_MAX {
        return Err(io::Error::other("an answer is too long"));
    }
    let mut body = got.split_off(end);
    let have = body.len().min(length);
    body.resize(length, 0);
    stream.read_exact(&mut body[have..])?;
    Ok(Answer { head, body: String::from_utf8_lossy(&body).into_owned() })
}

/// As a form wants it.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_looked_into() {
        let answer = Answer {
            head: "HTTP/1.1 200 OK\r\nset-cookie: NSC_TMAS=0f; Secure\r\nSet-Cookie: NSC_AAAC=; Path=/\r\n\r\n".into(),
            body: "<a><StateContext>bG8=</StateContext></a>".into(),
        };
        assert_eq!(answer.cookie("NSC_TMAS"), Some("0f"));
        assert_eq!(answer.cookie("NSC_AAAC"), None, "cleared is not given");
        assert_eq!(answer.cookie("NSC_TMA"), None);
        assert_eq!(answer.between("<StateContext>", "</StateContext>"), "bG8=");
        assert_eq!(answer.between("<Result>", "</Result>"), "");
    }

    #[test]
    fn forms_carry_any_password() {
        assert_eq!(encoded("a b&c=é~"), "a%20b%26c%3D%C3%A9~");
    }
}
