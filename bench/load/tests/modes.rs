//! Every mode of the binary, for a moment each, through a TLS-to-TCP proxy made here, to its own sink.
//!
//! ```text
//!   sluice-load MODE ──TLS──► proxy (a thread per connection) ──TCP──► sluice-load sink
//! ```
#![expect(clippy::unwrap_used, clippy::unwrap_in_result, reason = "a test says what went wrong by panicking where it did")]

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;

use mio::{Events, Interest, Poll, Token};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection};

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn load() -> Command {
    Command::new(env!("CARGO_BIN_EXE_sluice-load"))
}

fn sink() -> (Ended, SocketAddr) {
    let mut child = load().arg("sink").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Ended(child), line.trim().strip_prefix("sink ").unwrap().parse().unwrap())
}

/// A proxy to `host`, with the certificate that clients are to trust.
fn proxy(host: SocketAddr) -> (SocketAddr, String) {
    let made = rcgen::generate_simple_self_signed(["gw.example.test".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let config = config.clone();
            thread::spawn(move || carry(client, host, config));
        }
    });
    (address, made.cert.pem())
}

/// Carries one connection until either side ends it.
fn carry(client: TcpStream, host: SocketAddr, config: Arc<ServerConfig>) -> io::Result<()> {
    let host = TcpStream::connect(host)?;
    for stream in [&client, &host] {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
    }
    let (mut client, mut host) = (mio::net::TcpStream::from_std(client), mio::net::TcpStream::from_std(host));
    let mut tls = ServerConnection::new(config).unwrap();
    let mut poll = Poll::new()?;
    let both = Interest::READABLE | Interest::WRITABLE;
    poll.registry().register(&mut client, Token(0), both)?;
    poll.registry().register(&mut host, Token(1), both)?;
    let mut events = Events::with_capacity(8);
    let (mut up, mut block) = (Vec::new(), vec![0; 64 * 1024]);
    let later = |fault: &io::Error| fault.kind() == io::ErrorKind::WouldBlock;
    loop {
        let mut moved = true;
        while moved {
            moved = false;
            if up.is_empty() {
                match tls.read_tls(&mut client) {
                    Ok(0) => return Ok(()),
                    Ok(_) => moved = true,
                    Err(fault) if later(&fault) => {}
                    Err(fault) => return Err(fault),
                }
                tls.process_new_packets().map_err(io::Error::other)?;
            }
            while let Ok(n @ 1..) = tls.reader().read(&mut block) {
                up.extend_from_slice(&block[..n]);
            }
            match host.write(&up) {
                Ok(n) => {
                    moved |= n > 0;
                    drop(up.drain(..n));
                }
                Err(fault) if later(&fault) => {}
                Err(fault) => return Err(fault),
            }
            if !tls.wants_write() {
                match host.read(&mut block) {
                    Ok(0) => return Ok(()),
                    Ok(n) => {
                        tls.writer().write_all(&block[..n])?;
                        moved = true;
                    }
                    Err(fault) if later(&fault) => {}
                    Err(fault) => return Err(fault),
                }
            }
            while tls.wants_write() {
                match tls.write_tls(&mut client) {
                    Ok(_) => moved = true,
                    Err(fault) if later(&fault) => break,
                    Err(fault) => return Err(fault),
                }
            }
        }
        poll.poll(&mut events, None)?;
    }
}

/// Runs a mode and gives its result.
fn run(target: SocketAddr, ca: &str, mode: &str) -> serde_json::Value {
    let ca_file = std::env::temp_dir().join(format!("sluice-load-test-{}-{}.pem", std::process::id(), target.port()));
    std::fs::write(&ca_file, ca).unwrap();
    let done = load()
        .args(mode.split(' '))
        .args(["--seconds", "0.3", "--json", "-", "--target", &target.to_string()])
        .args(["--pid", &std::process::id().to_string(), "--warm-up", "0.1", "--ca"])
        .arg(&ca_file)
        .output()
        .unwrap();
    std::fs::remove_file(&ca_file).unwrap();
    assert!(done.status.success(), "{mode}: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

#[test]
fn every_mode_does_its_work() {
    let (_sink, host) = sink();
    let (target, ca) = proxy(host);
    for (mode, unit) in [
        ("connect --connections 2", "handshake"),
        ("bulk --direction up --connections 2", "GiB"),
        ("bulk --direction down --connections 2", "GiB"),
        ("bulk --direction up --connections 3 --threads 2", "GiB"),
        ("echo --connections 2 --size 100000", "message"),
        ("echo --connections 4 --rate 500 --threads 2", "message"),
        ("connect --connections 16 --rate 50", "handshake"),
        ("connect --connections 2 --resume --tls 1.2", "resumption"),
        ("hello --connections 4", "first flight"),
        ("hello --connections 16 --rate 100 --sources 3 --processes 2", "first flight"),
        ("churn --connections 5 --life 0.1", "handshake"),
        ("echo --connections 4 --size 64 --processes 2 --cipher chacha20", "message"),
        ("ica --connections 20 --mix office=50,web=10,print=10,video=20,hd=10 --threads 2", "event"),
        ("idle --connections 5 --threads 2 --then-use", "session"),
        ("idle --connections 5 --processes 2", "session"),
        ("slow --connections 3 --rate 100000", "session"),
    ] {
        let result = run(target, &ca, mode);
        assert_eq!(result["unit"], unit, "{mode}");
        assert!(result["units"].as_f64().unwrap() > 0.0, "{mode}: {result}");
        assert!(result["cpu_per_unit"].is_f64(), "{mode}: {result}");
        assert_eq!(result["latency_us"].as_array().unwrap().len(), if ["GiB", "session"].contains(&unit) { 0 } else { 5 });
    }
    assert_eq!(run(target, &ca, "idle --connections 5")["units"], 5.0);
    assert_eq!(run(target, &ca, "idle --connections 5 --processes 3")["units"], 5.0, "parts add up");
}

#[test]
fn what_is_not_full_is_resumed_and_is_counted() {
    let (_sink, host) = sink();
    let (target, ca) = proxy(host);
    assert_eq!(run(target, &ca, "connect --connections 2")["resumed"], 0);
    let result = run(target, &ca, "connect --connections 2 --resume");
    assert!(result["resumed"].as_u64().unwrap() > 0, "{result}");
}

#[test]
fn a_storm_counts_those_that_came_to_nothing() {
    let (_sink, host) = sink();
    let (target, ca) = proxy(host);
    let (gone, _) = proxy(TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    assert_eq!(run(target, &ca, "connect --connections 8 --rate 100")["failed"], 0);
    let ca_file = file(&format!("storm-{}.pem", gone.port()));
    std::fs::write(&ca_file, ca).unwrap();
    let args = ["connect", "--rate", "100", "--seconds", "0.2", "--warm-up", "0", "--any-certificate", "--target"];
    let done = load().args(args).arg(gone.to_string()).args(["--connections", "8"]).output();
    std::fs::remove_file(&ca_file).unwrap();
    assert!(done.is_ok_and(|done| !done.status.success()), "a storm in which nothing succeeded is no figure");
}

#[test]
fn a_plain_proxy_is_driven_without_tls() {
    let (_sink, host) = sink();
    // The sink itself is what a copy of TCP looks like.
    for mode in ["echo --connections 2 --size 70000", "bulk --direction up", "bulk --direction down", "connect --connections 3"] {
        let args = ["--plain", "--seconds", "0.2", "--warm-up", "0.05", "--json", "-", "--target"];
        let done = load().args(mode.split(' ')).args(args).arg(host.to_string()).output().unwrap();
        assert!(done.status.success(), "{mode}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

#[test]
fn a_result_is_written_in_every_form_and_shown_again() {
    let (_sink, host) = sink();
    let (target, _) = proxy(host);
    let [json, hgrm, html, again] = ["a.json", "a.hgrm", "a.html", "again.html"].map(file);
    let done = load()
        .args(["echo", "--connections", "2", "--seconds", "0.3", "--any-certificate", "--target", &target.to_string()])
        .args(["--pid", &std::process::id().to_string()])
        .arg("--json")
        .arg(&json)
        .arg("--hgrm")
        .arg(&hgrm)
        .arg("--html")
        .arg(&html)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(String::from_utf8_lossy(&done.stdout).contains("there and back, µs"));
    assert!(done.stderr.is_empty(), "no progress where nobody looks: {}", String::from_utf8_lossy(&done.stderr));
    let shown = load().arg("report").args([&json, &json]).arg("--html").arg(&again).status().unwrap();
    assert!(shown.success());
    let read = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
    assert!(read(&hgrm).contains("1/(1-Percentile)"));
    assert!(read(&html).contains("Latency by percentile") && read(&again).matches("<polyline").count() > 1);
    for path in [json, hgrm, html, again] {
        std::fs::remove_file(path).unwrap();
    }
}

/// A file of this test run.
fn file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("sluice-load-test-{}-{name}", std::process::id()))
}

#[test]
fn a_target_that_is_not_there_is_a_fault_and_no_figure() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (_, ca) = proxy(gone);
    let ca_file = std::env::temp_dir().join(format!("sluice-load-test-{}-gone.pem", std::process::id()));
    std::fs::write(&ca_file, ca).unwrap();
    let done = load().args(["connect", "--target", &gone.to_string(), "--ca"]).arg(&ca_file).output().unwrap();
    std::fs::remove_file(&ca_file).unwrap();
    assert!(!done.status.success());
    assert!(String::from_utf8_lossy(&done.stderr).contains("refused"), "{}", String::from_utf8_lossy(&done.stderr));
}
