//! At the portal: requests that two readers might read in two ways, forms that are none, slow senders, and many users at once.

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr};

use sluicegate_tests::client::Opening;
use sluicegate_tests::deadline::until;
use sluicegate_tests::gateway::NAME;
use sluicegate_tests::host::Host;
use sluicegate_tests::web::Web;

use super::{counted, until_end};
use crate::portal::{ica_value, published};
use crate::wish;

/// Follows every doubtful request. Its answer would tell that the two were divided in another place.
fn canary() -> String {
    format!("GET /vpn/index.html HTTP/1.1\r\nHost: {NAME}\r\n\r\n")
}

/// T12, RC10, RC16: doubtful framing gets one refusal and the end; what follows is not read as a request.
#[test]
fn doubtful_requests_are_refused_and_what_follows_is_never_answered() {
    let gateway = wish("AUTO").start();
    let head = |rest: &str| format!("POST /cgi/login HTTP/1.1\r\nHost: {NAME}\r\n{rest}\r\n\r\n");
    let mut corpus = vec![
        format!("GET / HTTP/1.1\nHost: {NAME}\n\n"),
        format!("GET / HTTP/1.1\r\nHost: {NAME}\nX: y\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost : {NAME}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {NAME}\r\nHost: {NAME}\r\n\r\n"),
        format!("GET  / HTTP/1.1\r\nHost: {NAME}\r\n\r\n"),
        format!("GET /\0 HTTP/1.1\r\nHost: {NAME}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n Host: {NAME}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n: x\r\nHost: {NAME}\r\n\r\n"),
        format!("GET / HTTP/9.9\r\nHost: {NAME}\r\n\r\n"),
        "GET / HTTP/1.1\r\n\r\n".to_owned(),
        format!("POST /cgi/login HTTP/1.0\r\nHost: {NAME}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        head("Content-Length: 0\r\n folded"),
    ];
    for length in ["", "+0", "-1", "0x0", "0 0", "0,0", "0;", "١", "18446744073709551616"] {
        corpus.push(head(&format!("Content-Length: {length}")));
    }
    for pair in [
        ("Content-Length: 0", "Content-Length: 0"),
        ("Content-Length: 0", "Content-Length: 5"),
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
    ] {
        corpus.push(head(&format!("{}\r\n{}", pair.0, pair.1)) + "0\r\n\r\n");
        corpus.push(head(&format!("{}\r\n{}", pair.1, pair.0)) + "0\r\n\r\n");
    }
    for coding in [
        "identity",
        "xchunked",
        "chunked, identity",
        "identity, chunked",
        "chunked\r\nTransfer-Encoding: chunked",
        "\u{b}chunked",
        "\"chunked\"",
        "chunked;q=1",
    ] {
        corpus.push(head(&format!("Transfer-Encoding: {coding}")) + "0\r\n\r\n");
    }
    for chunks in [
        "0\n\n",
        "0;a=b\r\n\r\n",
        " 0\r\n\r\n",
        "0x0\r\n\r\n",
        "000000000\r\n\r\n",
        "2\r\nabX",
        "-1\r\n\r\n",
        "\r\n0\r\n\r\n",
        "0\r\nHost: x\r\n\r\n",
    ] {
        corpus.push(head("Transfer-Encoding: chunked") + chunks);
    }
    let most = corpus.len();
    for doubtful in corpus {
        for whole in [true, false] {
            let mut web = Web::new(&gateway);
            let bytes = doubtful.clone() + &canary();
            if whole {
                web.send(bytes.as_bytes());
            } else {
                for part in bytes.as_bytes().chunks(7) {
                    web.send(part);
                }
            }
            let answer = web.answer().unwrap_or_else(|e| panic!("{doubtful:?}: {e}"));
            assert!([400, 505].contains(&answer.status), "{doubtful:?}: {answer:?}");
            assert_eq!(String::from_utf8_lossy(&web.rest().unwrap()), "", "{doubtful:?}");
        }
    }
    counted(&gateway, "sessions", 0);
    assert_eq!(gateway.count("http_openings"), 2 * most as u64);
}

/// RC01, T16: a Host of any length gets a whole answer with the length that it says, and none but ours is served.
#[test]
fn a_host_of_any_length_gets_a_whole_answer() {
    let gateway = wish("AUTO").start();
    for length in [0, 1, 2, 14, 254, 255, 256, 1024, 4095, 4096, 8000, 12_000, 16_300, 16_384, 24_812, 32_768, 65_535, 65_536] {
        for path in ["/", "/vpn/index.html", "/portal", "/cgi/login"] {
            let mut web = Web::new(&gateway);
            web.send(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", "h".repeat(length)).as_bytes());
            let answer = web.answer().unwrap_or_else(|e| panic!("{path}, {length}: {e}"));
            assert!([400, 421, 431].contains(&answer.status), "{path}, {length}: {answer:?}");
            assert!(!answer.body.contains("hhhh"), "echoed: {answer:?}");
            // Not a byte more than the length that was told.
            assert_eq!(web.rest().unwrap(), b"", "{path}, {length}");
        }
    }
}

/// T15, RC02: each field absent, bare, empty, twice, with NUL, far too long: a refusal or the form again, never an echo.
#[test]
fn forms_that_are_none_get_a_clean_answer() {
    let host = Host::echo();
    let gateway = published("AUTO", &host);
    let long = format!("{}CANARY", "v".repeat(65_537));
    for field in ["login", "passwd", "csrf"] {
        for shape in
            ["", "F", "F=", "=", "F=a&F=b", "F=%00CANARY", "F=%zz", "F=%c3%28CANARY", "F=CANARY%0d%0aSet-Cookie:x=y", "LONG"]
        {
            let mut web = Web::new(&gateway);
            let token = web.get("/vpn/index.html").unwrap().hidden("csrf");
            let value = |name: &str| match name {
                "login" => "login=alice".to_owned(),
                "passwd" => "passwd=correct%20horse".to_owned(),
                _ => format!("csrf={token}"),
            };
            let ours = if shape == "LONG" { format!("{field}={long}") } else { shape.replace('F', field) };
            let others = ["login", "passwd", "csrf"].into_iter().filter(|name| *name != field).map(value);
            let body = std::iter::once(ours.clone()).chain(others).collect::<Vec<_>>().join("&");
            let answer = web.post("/cgi/login", body.as_bytes()).unwrap_or_else(|e| panic!("{field} {shape}: {e}"));
            assert!([200, 303, 400, 401, 403, 413, 429].contains(&answer.status), "{field} {shape}: {answer:?}");
            assert_ne!((answer.status, answer.header("location")), (303, "/portal"), "{field} {shape}");
            assert!(
                !answer.body.contains("CANARY") && !answer.header("set-cookie").contains("x=y"),
                "{field} {shape}: {answer:?}"
            );
            assert_eq!(web.rest().unwrap(), b"", "{field} {shape}: not a byte more than was told");
        }
    }
}

/// T23, RC18: who sends half a head, half a body, or nothing, and who does not take his answers, is let go.
#[test]
fn slow_requests_end_and_leave_nothing() {
    let gateway = wish("AUTO").start();
    let before = gateway.descriptors();
    let begun = [
        format!("GET / HTTP/1.1\r\nHost: {NAME}\r\nX-Slow: "),
        format!("POST /cgi/login HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 100\r\n\r\nlogin="),
        format!("POST /cgi/login HTTP/1.1\r\nHost: {NAME}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nlo"),
        "GET".to_owned(),
    ];
    let mut slow: Vec<_> = begun
        .iter()
        .flat_map(|begin| (0..5).map(move |_| begin))
        .map(|begin| {
            let mut client = gateway.connect();
            std::io::Write::write_all(&mut client.stream, begin.as_bytes()).unwrap();
            client
        })
        .collect();
    // Meanwhile others are served.
    assert_eq!(Web::new(&gateway).get("/vpn/index.html").unwrap().status, 200);
    for client in &mut slow {
        let mut answer = Vec::new();
        let _ = client.stream.read_to_end(&mut answer);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&answer));
    }
    // One who asks for page after page and takes none of them.
    let mut deaf = gateway.connect();
    let flight = canary().repeat(100);
    let _ = std::io::Write::write_all(&mut deaf.stream, flight.as_bytes());
    drop(slow);
    drop(deaf);
    gateway.settles_at(before);
}

/// T11, RC12: the preface of HTTP/2 gets a refusal of HTTP/1, or the end.
#[test]
fn http2_without_asking_is_refused() {
    let gateway = wish("AUTO").start();
    let mut client = gateway.connect();
    std::io::Write::write_all(&mut client.stream, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut answer = Vec::new();
    let _ = client.stream.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 505") || answer.starts_with(b"HTTP/1.1 400"), "{answer:?}");
    let _ = until_end(&client.stream.sock);
    counted(&gateway, "sessions", 0);
}

/// T22, T70, RC06: two hundred users at once, some of whom run away in the middle. Everybody's page, file and stream is his own.
#[test]
fn two_hundred_users_at_once_each_get_their_own() {
    const USERS: usize = 200;
    let hosts: Vec<Host> = (0..USERS)
        .map(|n| {
            Host::start(move |mut connection| {
                std::io::Write::write_all(&mut connection, format!("host{n:03}").as_bytes())?;
                std::io::copy(&mut connection, &mut std::io::sink()).map(drop)
            })
        })
        .collect();
    let mut wish = wish("AUTO").line("set ns limits -unprovenPerSource 2000");
    for (n, host) in hosts.iter().enumerate() {
        wish = wish
            .line(format!("add aaa user user{n:03} -password \"word of {n:03}\""))
            .line(format!("add farm resource App{n:03} -host {} -displayName \"Things of {n:03}\"", host.address))
            .line(format!("bind farm resource App{n:03} -userName user{n:03}"));
    }
    let gateway = wish.start();
    std::thread::scope(|scope| {
        for n in 0..USERS {
            let gateway = &gateway;
            // Each from where he lives: one address may try only so many passwords at the same time.
            let source = IpAddr::V4(Ipv4Addr::new(127, 0, 1, u8::try_from(n).unwrap()));
            scope.spawn(move || {
                if n % 10 == 9 {
                    // Asks, and does not wait for the answer.
                    let mut web = Web::from(gateway, source);
                    let token = web.get("/vpn/index.html").unwrap().hidden("csrf");
                    let form = format!("login=user{n:03}&passwd=word%20of%20{n:03}&csrf={token}");
                    web.send(
                        format!("POST /cgi/login HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: {}\r\n\r\n{form}", form.len())
                            .as_bytes(),
                    );
                }
                let mut web = Web::from(gateway, source);
                let token = web.get("/vpn/index.html").unwrap().hidden("csrf");
                let form = format!("login=user{n:03}&passwd=word%20of%20{n:03}&csrf={token}");
                let answer = web.post("/cgi/login", form.as_bytes()).unwrap();
                assert_eq!((answer.status, answer.header("location")), (303, "/portal"), "user {n}: {answer:?}");
                let page = web.get("/portal").unwrap();
                let things: Vec<&str> =
                    page.body.match_indices("Things of ").map(|(at, _)| &page.body[at + 10..at + 13]).collect();
                assert!(!things.is_empty() && things.iter().all(|thing| *thing == format!("{n:03}")), "user {n} sees {things:?}");
                let form = format!("resource=App{n:03}&csrf={}", page.hidden("csrf"));
                let file = web.post("/portal/launch", form.as_bytes()).unwrap();
                assert_eq!(file.status, 200, "user {n}: {file:?}");
                assert_eq!(ica_value(&file.body, "InitialProgram"), format!("#App{n:03}"), "user {n}");
                let mut client = gateway.connect();
                assert_eq!(client.present(ica_value(&file.body, "Address"), Opening::Pipelined).unwrap(), 0, "user {n}");
                let mut name = [0; 7];
                client.stream.read_exact(&mut name).unwrap();
                assert_eq!(String::from_utf8_lossy(&name), format!("host{n:03}"), "user {n}");
            });
        }
    });
    until("all of them to be gone", || (gateway.count("sessions") == 0).then_some(()));
    assert!(hosts.iter().all(|host| host.accepted() == 1), "each host was called once");
}
