//! The demonstration's own parts. The walk itself needs a gateway and is run with the real one.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails loudly")]

#[expect(dead_code, reason = "the launch tests use the rest")]
mod fake;

use std::process::Command;

use fake::{Gateway, Line, say};
use gate_cli::demo::http::{Browser, NoPage};
use gate_cli::launch::open::Opening;

#[test]
fn a_browser_keeps_its_line_its_cookies_and_its_origin() {
    let gateway = Gateway::start("localhost", |mut line| {
        let first = request(&mut line);
        assert!(first.starts_with("GET / HTTP/1.1\r\nHost: localhost:") && !first.contains("Cookie"), "{first}");
        say(
            &mut line,
            b"HTTP/1.1 302 Found\r\nLocation: /vpn/index.html\r\nSet-Cookie: __Host-a=1; Path=/\r\nContent-Length: 0\r\n\r\n",
        );
        let second = request(&mut line);
        assert!(second.contains("Cookie: __Host-a=1\r\n") && second.contains("Origin: https://localhost:"), "{second}");
        assert!(second.ends_with("Content-Length: 9\r\n\r\n"), "{second}");
        assert_eq!(fake::take(&mut line, 9), *b"a=b+c%26d");
        say(&mut line, b"HTTP/1.1 200 OK\r\nSet-Cookie: __Host-a=; Max-Age=0\r\ncontent-length: 4\r\n\r\nb\xC3\xBCx");
        assert!(!request(&mut line).contains("Cookie"));
        say(&mut line, b"HTTP/1.1 204 No Content\r\n\r\n");
    });
    let mut browser = Browser::new(gateway.plan(Opening::Negotiated));
    let words = browser.connect().unwrap();
    assert!(words.starts_with("TLS 1.3, "), "{words}");
    let page = browser.fetch("/").unwrap();
    assert_eq!((page.status, page.header("location")), (302, Some("/vpn/index.html")));
    assert_eq!(browser.post("/x", &[("a", "b c&d")]).unwrap().body, "büx");
    assert_eq!(browser.fetch("/").unwrap().status, 204);
    gateway.join();
}

#[test]
fn answers_without_a_clear_end_are_refused() {
    for answer in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 200 OK\nContent-Length: 1\n\nx",
        "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "220 mail.example.test ESMTP\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\u{fc}x",
    ] {
        let bytes = if answer.ends_with("\u{fc}x") {
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xFCx".to_vec()
        } else {
            answer.into()
        };
        let gateway = Gateway::start("localhost", move |mut line| {
            request(&mut line);
            say(&mut line, &bytes);
        });
        let outcome = Browser::new(gateway.plan(Opening::Negotiated)).fetch("/");
        assert!(matches!(outcome, Err(NoPage::Malformed(_))), "{answer:?}: {outcome:?}");
        gateway.join();
    }
}

#[test]
fn a_gateway_that_does_not_start_is_said_so() {
    for (program, words) in
        [("/bin/false", "ended before it listened"), ("/nowhere/sluicegate", "cannot start /nowhere/sluicegate")]
    {
        let output =
            Command::new(env!("CARGO_BIN_EXE_sluicectl")).args(["demo", "--once", "--gateway", program]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(words), "{told}");
        assert!(!told.contains('\x1b'), "colour without a terminal: {told}");
    }
}

fn request(line: &mut Line) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(fake::take(line, 1));
    }
    String::from_utf8(head).unwrap()
}
