//! The launch client against a gateway that does what the test wants.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails loudly")]

mod fake;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use fake::{GRANTED, Gateway, HELLO, TICKET, WAIT, goodbye, grant, say, take, take_request, ticket};
use gate_cli::launch::fault::{Fault, Reply, Stage};
use gate_cli::launch::open::Opening;
use gate_cli::launch::relay::Broken;
use gate_cli::launch::run::{read_file, serve_socket};
use gate_cli::launch::trust::Trust;

#[test]
fn each_opening_is_what_it_says() {
    let negotiated = Gateway::start("localhost", |mut line| grant(&mut line));
    negotiated.plan(Opening::Negotiated).open(&ticket()).unwrap();
    negotiated.join();

    let pipelined = Gateway::start("localhost", |mut line| {
        // Nothing is answered before all of it has come.
        let opening = take(&mut line, 3 + 5 + TICKET.len() + 2);
        assert_eq!(opening[..8], [5, 1, 0, 5, 1, 0, 3, 52]);
        say(&mut line, &[&[5, 0], &GRANTED[..]].concat());
    });
    pipelined.plan(Opening::Pipelined).open(&ticket()).unwrap();
    pipelined.join();

    let bare = Gateway::start("localhost", |mut line| {
        take_request(&mut line);
        say(&mut line, &GRANTED);
    });
    bare.plan(Opening::Bare).open(&ticket()).unwrap();
    bare.join();
}

#[test]
fn each_refusal_has_its_words_and_its_exit_code() {
    for (code, exit, words) in [
        (1, 21, "STA"),
        (2, 22, "ticket refused"),
        (3, 23, "network of the host"),
        (4, 24, "does not answer"),
        (5, 25, "refused the connection"),
        (6, 26, "too long"),
        (7, 27, "CONNECT"),
        (8, 28, "as a name"),
        (0x5C, 29, "reply 5c"),
    ] {
        let gateway = Gateway::start("localhost", move |mut line| {
            take(&mut line, 3);
            say(&mut line, &[5, 0]);
            take_request(&mut line);
            say(&mut line, &[5, code, 0, 1, 0, 0, 0, 0, 0, 0]);
            goodbye(&mut line);
        });
        let fault = gateway.plan(Opening::Negotiated).open(&ticket()).unwrap_err();
        assert!(matches!(fault, Fault::Refused { reply, .. } if Some(reply) == Reply::from_code(code)), "{fault:?}");
        assert!(fault.in_words().contains(words), "{}", fault.in_words());
        assert_eq!(fault.exit_code(), exit);
        gateway.join();
    }
}

#[test]
fn replies_with_a_longer_address_are_taken_whole() {
    for address in [&[4; 19][..], &[3, 4, b'h', b'o', b's', b't', 0, 0]] {
        let reply = [&[5, 0, 0], address].concat();
        let gateway = Gateway::start("localhost", move |mut line| {
            take(&mut line, 3);
            say(&mut line, &[5, 0]);
            take_request(&mut line);
            say(&mut line, &[&reply[..], &HELLO].concat());
            goodbye(&mut line);
        });
        let session = gateway.plan(Opening::Negotiated).open(&ticket()).unwrap();
        let (mut near, far) = pair();
        serve_socket_in_background(session, far);
        assert_eq!(read_all(&mut near), HELLO);
        gateway.join();
    }
}

#[test]
fn a_certificate_must_be_trusted_and_for_the_right_name() {
    let gateway = Gateway::start("localhost", |_| panic!("trusted by mistake"));
    let other = Gateway::start("localhost", |_| panic!("trusted by mistake"));
    let mut plan = gateway.plan(Opening::Negotiated);
    plan.tls = Trust::File(other.ca()).client_config().unwrap();
    let fault = plan.open(&ticket()).unwrap_err();
    assert!(matches!(fault, Fault::NotTrusted { .. }), "{fault:?}");
    assert_eq!(fault.exit_code(), 13);
    gateway.join();

    let named = Gateway::start("gw.example.test", |_| panic!("trusted by mistake"));
    let fault = named.plan(Opening::Negotiated).open(&ticket()).unwrap_err();
    assert!(matches!(fault, Fault::OtherName { .. }), "{fault:?}");
    assert_eq!(fault.exit_code(), 14);
    named.join();

    let anybody = Gateway::start("gw.example.test", |mut line| grant(&mut line));
    let mut plan = anybody.plan(Opening::Negotiated);
    plan.tls = Trust::Nobody.client_config().unwrap();
    plan.open(&ticket()).unwrap();
    anybody.join();
}

#[test]
fn a_file_without_certificates_is_no_trust() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("empty.pem");
    std::fs::write(&path, "nothing").unwrap();
    let fault = Trust::File(path).client_config().unwrap_err();
    assert!(matches!(fault, Fault::Trust { source: None, .. }), "{fault:?}");
    let fault = Trust::File(directory.path().join("absent.pem")).client_config().unwrap_err();
    assert!(matches!(fault, Fault::Trust { source: Some(_), .. }), "{fault:?}");
    assert_eq!(fault.exit_code(), 11);
}

#[test]
fn each_way_of_not_answering_has_its_name() {
    let plain = Gateway::start_plain(|mut socket| socket.write_all(b"220 mail.example.test ESMTP\r\n").unwrap());
    let fault = plain.plan(Opening::Negotiated).open(&ticket()).unwrap_err();
    assert!(matches!(fault, Fault::Tls { .. } | Fault::ClosedWithoutReply { .. }), "{fault:?}");
    plain.join();

    let closed = Gateway::start("localhost", |mut line| {
        take(&mut line, 3);
        goodbye(&mut line);
    });
    let fault = closed.plan(Opening::Negotiated).open(&ticket()).unwrap_err();
    assert!(matches!(fault, Fault::ClosedWithoutReply { stage: Stage::Method, source: None, .. }), "{fault:?}");
    assert_eq!(fault.exit_code(), 17);
    closed.join();

    let http = Gateway::start("localhost", |mut line| {
        take(&mut line, 3);
        say(&mut line, b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let fault = http.plan(Opening::Negotiated).open(&ticket()).unwrap_err();
    assert!(matches!(&fault, Fault::NotSocks { first, .. } if first == b"HT"), "{fault:?}");
    assert_eq!(fault.exit_code(), 18);
    http.join();

    let login = Gateway::start("localhost", |mut line| {
        take(&mut line, 3);
        say(&mut line, &[5, 0xFF]);
    });
    let fault = login.plan(Opening::Negotiated).open(&ticket()).unwrap_err();
    assert_eq!((fault.exit_code(), matches!(fault, Fault::NoMethod { .. })), (19, true));
    login.join();
}

#[test]
fn silence_ends_at_the_deadline() {
    let silent_tls = Gateway::start_plain(|mut socket| drop(socket.read_to_end(&mut Vec::new())));
    let mut plan = silent_tls.plan(Opening::Negotiated);
    plan.wait = Duration::from_millis(300);
    let fault = plan.open(&ticket()).unwrap_err();
    // A busy machine may not even have connected in that time.
    assert!(matches!(fault, Fault::Deadline { stage: Stage::Connect | Stage::Handshake, .. }), "{fault:?}");
    silent_tls.join();

    let (tell, asked) = mpsc::channel();
    let silent_reply = Gateway::start("localhost", move |mut line| {
        take(&mut line, 3);
        say(&mut line, &[5, 0]);
        take_request(&mut line);
        tell.send(()).unwrap();
        let _until_it_gives_up = line.read(&mut [0]);
    });
    let mut plan = silent_reply.plan(Opening::Negotiated);
    plan.wait = Duration::from_secs(2);
    let fault = plan.open(&ticket()).unwrap_err();
    // If the machine was so busy that the request was not even sent, the deadline has found an earlier stage.
    let wanted = |stage| stage == Stage::Reply || asked.try_recv().is_err();
    assert!(matches!(fault, Fault::Deadline { stage, .. } if wanted(stage)), "{fault:?}");
    assert_eq!(fault.exit_code(), 16);
    drop(silent_reply);
}

#[test]
fn nobody_at_the_address_is_said_so() {
    let gateway = Gateway::start_plain(drop);
    let plan = gateway.plan(Opening::Negotiated);
    let _woken = TcpStream::connect(gateway.address).unwrap();
    gateway.join();
    let fault = plan.open(&ticket()).unwrap_err();
    assert!(matches!(fault, Fault::Unreachable { .. }), "{fault:?}");
    assert_eq!(fault.exit_code(), 12);
}

/// What the host says in the flight of the reply must not be swallowed, and must not wait for the client.
#[test]
fn each_side_may_stop_first_and_the_other_goes_on() {
    let gateway = Gateway::start("localhost", |mut line| {
        grant(&mut line);
        assert_eq!(take(&mut line, 4), *b"ping");
        // The client's end of stream arrives while ours goes on.
        assert_eq!(line.read(&mut [0; 8]).unwrap(), 0);
        say(&mut line, b"still here");
        goodbye(&mut line);
    });
    let session = gateway.plan(Opening::Negotiated).open(&ticket()).unwrap();
    let (mut near, far) = pair();
    let served = serve_socket_in_background(session, far);
    let mut hello = [0; 6];
    near.read_exact(&mut hello).unwrap();
    assert_eq!(hello, HELLO);
    near.write_all(b"ping").unwrap();
    near.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut near), b"still here");
    let carried = served.join().unwrap().unwrap();
    assert_eq!((carried.up.bytes, carried.down.bytes), (4, 16));
    assert!(carried.up.end.is_ok() && carried.down.end.is_ok());
    gateway.join();

    let gateway = Gateway::start("localhost", |mut line| {
        grant(&mut line);
        goodbye(&mut line);
        assert_eq!(take(&mut line, 10), *b"still here");
        assert_eq!(line.read(&mut [0; 8]).unwrap(), 0);
    });
    let session = gateway.plan(Opening::Negotiated).open(&ticket()).unwrap();
    let (mut near, far) = pair();
    let served = serve_socket_in_background(session, far);
    assert_eq!(read_all(&mut near), HELLO);
    near.write_all(b"still here").unwrap();
    drop(near);
    let carried = served.join().unwrap().unwrap();
    assert!(carried.up.end.is_ok() && carried.down.end.is_ok(), "{carried:?}");
    gateway.join();
}

/// The gateway reads nothing until it has written everything; the client does both at once.
#[test]
fn two_full_directions_do_not_wait_for_each_other() {
    const BYTES: usize = 24 * 1024 * 1024;
    let pattern = |from: usize| (from..from + BYTES).map(|n| u8::try_from(n % 251).unwrap()).collect::<Vec<u8>>();
    let gateway = Gateway::start("localhost", move |mut line| {
        grant(&mut line);
        say(&mut line, &pattern(7));
        goodbye(&mut line);
        assert!(take(&mut line, BYTES) == pattern(3));
        assert_eq!(line.read(&mut [0; 8]).unwrap(), 0);
    });
    let session = gateway.plan(Opening::Negotiated).open(&ticket()).unwrap();
    let (mut near, far) = pair();
    let served = serve_socket_in_background(session, far);
    let mut writing = near.try_clone().unwrap();
    let writer = thread::spawn(move || {
        writing.write_all(&pattern(3)).unwrap();
        writing.shutdown(Shutdown::Write).unwrap();
    });
    let all = read_all(&mut near);
    assert!(all[HELLO.len()..] == pattern(7));
    writer.join().unwrap();
    let carried = served.join().unwrap().unwrap();
    assert!(carried.up.end.is_ok() && carried.down.end.is_ok(), "{carried:?}");
    gateway.join();
}

#[test]
fn an_end_without_goodbye_is_a_session_cut_off() {
    let gateway = Gateway::start("localhost", |mut line| {
        grant(&mut line);
        line.sock.shutdown(Shutdown::Both).unwrap();
    });
    let session = gateway.plan(Opening::Negotiated).open(&ticket()).unwrap();
    let (mut near, far) = pair();
    let served = serve_socket_in_background(session, far);
    assert_eq!(read_all(&mut near), HELLO);
    let carried = served.join().unwrap().unwrap();
    assert!(matches!(&carried.down.end, Err(Broken::Gateway(why)) if why.kind() == std::io::ErrorKind::UnexpectedEof));
    assert_eq!(Fault::CutOff(carried.down.end.unwrap_err()).exit_code(), 30);
    gateway.join();
}

#[test]
fn a_local_end_that_goes_away_ends_the_session() {
    let gateway = Gateway::start("localhost", |mut line| {
        grant(&mut line);
        // More than all buffers on the way hold: it ends because nobody takes it any more.
        let piece = vec![7; 1024 * 1024];
        let sent = (0..4096).try_for_each(|_| line.write_all(&piece));
        assert_ne!(sent.map_err(|error| error.kind()), Ok(()));
    });
    let session = gateway.plan(Opening::Negotiated).open(&ticket()).unwrap();
    let (near, far) = pair();
    let served = serve_socket_in_background(session, far);
    drop(near);
    let carried = served.join().unwrap().unwrap();
    assert!(matches!(&carried.down.end, Err(Broken::Local(_))), "{carried:?}");
    assert_eq!(Fault::CutOff(carried.down.end.unwrap_err()).exit_code(), 31);
    gateway.join();
}

#[test]
fn the_command_serves_a_pipe() {
    let gateway = Gateway::start("localhost", |mut line| {
        grant(&mut line);
        assert_eq!(take(&mut line, 4), *b"ping");
        assert_eq!(line.read(&mut [0; 8]).unwrap(), 0);
        say(&mut line, b"pong");
        goodbye(&mut line);
    });
    let mut child = sluicectl(&gateway).arg("--stdio").spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"ping").unwrap();
    let output = child.wait_with_output().unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{talk}");
    assert_eq!(output.stdout, [&HELLO[..], b"pong"].concat());
    assert!(talk.contains("connected to Notepad through localhost"), "{talk}");
    assert!(!talk.contains("0F1E2D3C"), "a ticket in the talk: {talk}");
    gateway.join();
}

#[test]
fn the_command_serves_a_port() {
    let gateway = Gateway::start("localhost", |mut line| {
        grant(&mut line);
        assert_eq!(take(&mut line, 4), *b"ping");
        goodbye(&mut line);
        assert_eq!(line.read(&mut [0; 8]).unwrap(), 0);
    });
    let mut child = sluicectl(&gateway).args(["--listen", "127.0.0.1:0"]).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
    let mut near = TcpStream::connect(line.trim()).unwrap();
    near.set_read_timeout(Some(WAIT)).unwrap();
    near.write_all(b"ping").unwrap();
    assert_eq!(read_all(&mut near), HELLO);
    drop(near);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    gateway.join();
}

#[test]
fn the_command_says_what_is_wrong() {
    let gateway = Gateway::start("localhost", |mut line| {
        take(&mut line, 3);
        say(&mut line, &[5, 0]);
        take_request(&mut line);
        say(&mut line, &[5, 2, 0, 1, 0, 0, 0, 0, 0, 0]);
        goodbye(&mut line);
    });
    let output = sluicectl(&gateway).arg("--stdio").output().unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(22), "{talk}");
    assert!(talk.contains("fetch a new ICA file"), "{talk}");
    gateway.join();

    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("page.ica");
    std::fs::write(&page, "<html>").unwrap();
    assert_eq!(read_file(&page).unwrap_err().exit_code(), 10);
    assert_eq!(read_file(&directory.path().join("absent.ica")).unwrap_err().exit_code(), 10);
}

#[test]
fn trusting_anybody_is_loud() {
    let gateway = Gateway::start("gw.example.test", |mut line| {
        grant(&mut line);
        goodbye(&mut line);
    });
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluicectl"));
    let output = command.arg("launch").arg(gateway.ica_file()).args(["--stdio", "--insecure"]).output().unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && talk.contains("WARNING") && talk.contains("NOT checked"), "{talk}");
    gateway.join();
}

fn sluicectl(gateway: &Gateway) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluicectl"));
    command.arg("launch").arg(gateway.ica_file()).arg("--ca").arg(gateway.ca());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

type Served = thread::JoinHandle<std::io::Result<gate_cli::launch::relay::Carried>>;

fn serve_socket_in_background(session: gate_cli::launch::open::Session, client: TcpStream) -> Served {
    thread::spawn(move || serve_socket(session, client))
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    near.set_read_timeout(Some(WAIT)).unwrap();
    (near, listener.accept().unwrap().0)
}

fn read_all(socket: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    // A session that was cut off ends in a reset; what came before it counts.
    let _end = socket.read_to_end(&mut all);
    all
}
