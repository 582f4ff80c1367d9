//! Tools that know nothing of us reach the demo host with a ticket from a downloaded ICA file.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};

use sluicegate_tests::browser::Browser;
use sluicegate_tests::client::request;
use sluicegate_tests::deadline::until;
use sluicegate_tests::gateway::{Gateway, NAME};
use sluicegate_tests::tools::{Running, output};

use crate::portal::ica_value;
use crate::wish;

/// What the demo host says first.
const HELLO: &[u8] = b"\x7f\x7fICA\0";

/// One gateway that runs the demo host, and one that publishes it.
fn with_demo_host() -> (Gateway, Gateway) {
    let inside = wish("AUTO").line("add farm host demo 127.0.0.1 0").start();
    let gateway = wish("AUTO")
        .line("add aaa user alice -password \"correct horse\"")
        .line(format!("add farm resource Demo -host {}", inside.address("demo")))
        .line("bind farm resource Demo -everyone")
        .start();
    (inside, gateway)
}

/// Logs in, clicks, and gives the ticket that stands in the ICA file.
fn download(gateway: &Gateway) -> String {
    let browser = Browser::new(gateway);
    let page = browser.log_in("alice", "correct horse");
    let file = crate::portal::click(&browser, &page, "Demo");
    ica_value(&file.body, "Address").to_owned()
}

/// A local plain-text port that socat carries to the gateway over TLS.
fn tunnel(gateway: &Gateway) -> (Running, u16) {
    let port = sluicegate_tests::host::nobody().port();
    let to = format!(
        "OPENSSL:127.0.0.1:{},cafile={},commonname={NAME},snihost={NAME}",
        gateway.public().port(),
        gateway.ca_file.display()
    );
    let running = Running::start(
        Command::new("socat").arg(format!("TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork")).arg(to).stdin(Stdio::null()),
    );
    let listening = || output("ss", &["-Hltn", &format!("sport = :{port}")]).contains(&port.to_string()).then_some(());
    until("socat to listen", listening);
    (running, port)
}

/// Reads until `wanted` has been seen.
fn read_until(from: &mut impl std::io::Read, wanted: &[u8]) -> Vec<u8> {
    let (mut seen, mut buf) = (Vec::new(), [0; 4096]);
    while !seen.windows(wanted.len()).any(|part| part == wanted) {
        let n = from.read(&mut buf).unwrap();
        assert!(n > 0, "ended after {:?}", String::from_utf8_lossy(&seen));
        seen.extend(&buf[..n]);
    }
    seen
}

#[test]
fn openssl_s_client() {
    let (_inside, gateway) = with_demo_host();
    let mut command = Command::new("openssl");
    command
        .args([
            "s_client",
            "-quiet",
            "-verify_return_error",
            "-servername",
            NAME,
            "-connect",
            &gateway.public().to_string(),
            "-CAfile",
        ])
        .arg(&gateway.ca_file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut running = Running::start(&mut command);
    let mut to = running.0.stdin.take().unwrap();
    let mut from = running.0.stdout.take().unwrap();
    to.write_all(&[&[5, 1, 0], request(download(&gateway).as_bytes()).as_slice()].concat()).unwrap();
    let _ = read_until(&mut from, HELLO);
    to.write_all(&[HELLO, b"echo this"].concat()).unwrap();
    let _ = read_until(&mut from, b"echo this");
}

#[test]
fn curl_through_socat() {
    let (_inside, gateway) = with_demo_host();
    let (_socat, port) = tunnel(&gateway);
    let mut command = Command::new("curl");
    command
        .args(["-sS", "-N", "--max-time", "60", "--socks5-hostname", &format!("127.0.0.1:{port}")])
        // A URL cannot hold a ticket; the name asked of the proxy can.
        .args(["--connect-to", &format!("ica.test:1494:{}:1494", download(&gateway)), "telnet://ica.test:1494"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut running = Running::start(&mut command);
    let mut from = running.0.stdout.take().unwrap();
    let _ = read_until(&mut from, HELLO);
    let mut to = running.0.stdin.take().unwrap();
    to.write_all(&[HELLO, b"echo this"].concat()).unwrap();
    let _ = read_until(&mut from, b"echo this");
}

#[test]
fn ncat_through_socat() {
    let (_inside, gateway) = with_demo_host();
    let (_socat, port) = tunnel(&gateway);
    let mut command = Command::new("ncat");
    command
        .args(["--proxy", &format!("127.0.0.1:{port}"), "--proxy-type", "socks5", "--proxy-dns", "remote"])
        .args([&download(&gateway), "1494"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut running = Running::start(&mut command);
    let mut from = running.0.stdout.take().unwrap();
    let mut to = running.0.stdin.take().unwrap();
    let _ = read_until(&mut from, HELLO);
    to.write_all(&[HELLO, b"echo this"].concat()).unwrap();
    let _ = read_until(&mut from, b"echo this");
}

#[test]
fn nmap_knows_the_demo_host_and_lists_the_farm() {
    let (inside, gateway) = with_demo_host();
    let port = inside.address("demo").port().to_string();
    let said = output("nmap", &["-Pn", "-n", "-sV", "--version-all", "-p", &port, "127.0.0.1"]);
    assert!(said.contains("citrix-ica"), "{said}");
    let port = gateway.address("inside").port().to_string();
    let script = "+citrix-enum-servers-xml,+citrix-enum-apps-xml";
    let said = output("nmap", &["-Pn", "-n", "-p", &port, "--script", script, "127.0.0.1"]);
    assert!(said.contains("Application: Demo"), "{said}");
}

/// The operators' tool, of today: one that is there may be of yesterday.
pub(crate) fn sluicectl() -> Command {
    static BUILT: std::sync::Once = std::sync::Once::new();
    BUILT.call_once(|| {
        let built = Command::new(env!("CARGO")).args(["build", "-q", "-p", "gate-cli"]).status().unwrap();
        assert!(built.success());
    });
    Command::new(std::path::Path::new(env!("CARGO_BIN_EXE_sluicegate")).with_file_name("sluicectl"))
}

/// `sluicectl launch` with a file downloaded just now, not started yet.
fn launch(gateway: &Gateway) -> Command {
    let browser = Browser::new(gateway);
    let page = browser.log_in("alice", "correct horse");
    let file = sluicegate_tests::certs::write(gateway.dir(), "Demo.ica", &crate::portal::click(&browser, &page, "Demo").body);
    let mut command = sluicectl();
    // The name in the file is not in any resolver; the tool is told where it is as a person would do with /etc/hosts.
    command.arg("launch").arg(file).arg("--at").arg(gateway.public().to_string());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

#[test]
fn sluicectl_opens_an_ica_file_on_a_pipe() {
    let (_inside, gateway) = with_demo_host();
    let mut running = Running::start(launch(&gateway).arg("--stdio").arg("--ca").arg(&gateway.ca_file));
    let (mut to, mut from) = (running.0.stdin.take().unwrap(), running.0.stdout.take().unwrap());
    let _ = read_until(&mut from, HELLO);
    to.write_all(&[HELLO, b"echo this"].concat()).unwrap();
    let _ = read_until(&mut from, b"echo this");
    drop(to);
    let mut rest = Vec::new();
    from.read_to_end(&mut rest).unwrap();
    assert!(running.wait().success());
}

#[test]
fn sluicectl_opens_an_ica_file_on_a_local_port() {
    let (_inside, gateway) = with_demo_host();
    let mut running = Running::start(launch(&gateway).args(["--listen", "127.0.0.1:0", "--ca"]).arg(&gateway.ca_file));
    let mut address = String::new();
    BufReader::new(running.0.stdout.take().unwrap()).read_line(&mut address).unwrap();
    let mut local = TcpStream::connect(address.trim()).unwrap();
    let _ = read_until(&mut local, HELLO);
    let sent = crate::Pattern::new(5).bytes(300_000);
    local.write_all(HELLO).unwrap();
    let mut writer = local.try_clone().unwrap();
    let copy = sent.clone();
    let writing = std::thread::spawn(move || {
        writer.write_all(&copy).unwrap();
        // One direction may end alone, here too.
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut back = Vec::new();
    local.read_to_end(&mut back).unwrap();
    writing.join().unwrap();
    // The host says hello until it is answered, so there may be more than the one already read.
    assert!(back.ends_with(&sent));
    assert!(back[..back.len() - sent.len()].chunks(HELLO.len()).all(|part| part == HELLO));
    assert!(running.wait().success());
}

#[test]
fn sluicectl_says_in_its_exit_code_why_not() {
    let (_inside, gateway) = with_demo_host();
    // Its authority is not among the system's: nothing is sent, the ticket stays good.
    let mut untrusting = launch(&gateway);
    assert_eq!(Running::start(untrusting.arg("--stdio")).wait().code(), Some(13));
    let mut first = launch(&gateway);
    let mut running = Running::start(first.arg("--stdio").arg("--ca").arg(&gateway.ca_file));
    let _ = read_until(&mut running.0.stdout.take().unwrap(), HELLO);
    // The same file again, as it lies there: its ticket was good once.
    let mut again = Command::new(first.get_program());
    again.args(first.get_args()).stdin(Stdio::null()).stdout(Stdio::null());
    assert_eq!(Running::start(&mut again).wait().code(), Some(22));
}
