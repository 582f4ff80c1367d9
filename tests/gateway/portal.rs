//! Steps 1 to 9 as a browser sees them, and what the portal keeps to itself.

use sluicegate_tests::browser::Browser;
use sluicegate_tests::client::Opening;
use sluicegate_tests::gateway::Gateway;
use sluicegate_tests::host::Host;
use sluicegate_tests::sta;

use crate::wish;

on_each_engine!(fourteen_steps);

/// A gateway with two users and two resources on `host`: Notepad for everyone, Payroll for bob only.
pub(crate) fn published(engine: &'static str, host: &Host) -> Gateway {
    wish(engine)
        .line("add aaa user alice -password \"correct horse\"")
        .line("add aaa user bob -password \"battery staple\"")
        .line(format!("add farm resource Notepad -host {} -displayName \"Note & Pad\"", host.address))
        .line("bind farm resource Notepad -everyone")
        .line(format!("add farm resource Payroll -host {} -type DESKTOP", host.address))
        .line("bind farm resource Payroll -userName bob")
        .start()
}

/// Clicks on `resource` on the page that a login gave.
pub(crate) fn click(
    browser: &Browser,
    page: &sluicegate_tests::browser::Answer,
    resource: &str,
) -> sluicegate_tests::browser::Answer {
    browser.post("/portal/launch", &[("resource", resource), ("csrf", &page.hidden("csrf"))])
}

/// The value of `key` in an ICA file.
pub(crate) fn ica_value<'f>(file: &'f str, key: &str) -> &'f str {
    file.lines().find_map(|line| line.strip_prefix(&format!("{key}="))).unwrap_or_default()
}

fn fourteen_steps(engine: &'static str) {
    let host = Host::greets(b"\x7f\x7fICA\0");
    let gateway = published(engine, &host);
    let browser = Browser::new(&gateway);

    let start = browser.get("/", &[]);
    assert_eq!((start.status, start.header("location")), (302, "/vpn/index.html"));
    let page = browser.log_in("alice", "correct horse");
    assert!(page.body.contains("Note &amp; Pad") || page.body.contains("Note &#38; Pad"), "{}", page.body);
    assert!(!page.body.contains("Payroll"), "alice may not see what is bob's");

    let file = click(&browser, &page, "Notepad");
    assert_eq!(file.status, 200, "{file:?}");
    assert!(file.header("content-type").starts_with("application/x-ica"), "{file:?}");
    assert!(file.header("content-disposition").starts_with("attachment"), "{file:?}");
    assert!(file.header("cache-control").contains("no-store"), "{file:?}");
    for (key, value) in
        [("SSLEnable", "On"), ("InitialProgram", "#Notepad"), ("BrowserProtocol", "HTTPonTCP"), ("HTTPBrowserAddress", "!")]
    {
        assert_eq!(ica_value(&file.body, key), value, "{key}");
    }
    assert_eq!(ica_value(&file.body, "SSLProxyHost"), format!("gw.example.test:{}", gateway.public().port()));
    assert_eq!(ica_value(&file.body, "CGPAddress"), "");
    assert!(!file.body.contains(&host.address.port().to_string()) && !file.body.contains("127.0.0.1"), "{}", file.body);

    let mut client = gateway.connect();
    assert_eq!(client.present(ica_value(&file.body, "Address"), Opening::Pipelined).unwrap(), 0);
    let mut hello = [0; 6];
    std::io::Read::read_exact(&mut client.stream, &mut hello).unwrap();
    assert_eq!(&hello, b"\x7f\x7fICA\0");
    sluicegate_tests::deadline::until("the start record with user and application", || {
        let log = gateway.log();
        log.lines().any(|line| line.contains("alice") && line.contains("Notepad")).then_some(())
    });

    let page = browser.get("/portal", &[]);
    let out = browser.post("/cgi/logout", &[("csrf", &page.hidden("csrf"))]);
    assert!(out.status < 400, "{out:?}");
    assert_ne!(browser.get("/portal", &[]).status, 200, "logged out means logged out");
}

#[test]
fn wrong_passwords_and_foreign_resources_get_nothing() {
    let host = Host::echo();
    let gateway = published("AUTO", &host);
    let browser = Browser::new(&gateway);
    let form = browser.get("/vpn/index.html", &[]);
    for (user, password) in [("alice", "wrong"), ("nobody", "wrong"), ("alice", ""), ("", "")] {
        let answer = browser.post("/cgi/login", &[("login", user), ("passwd", password), ("csrf", &form.hidden("csrf"))]);
        assert_ne!((answer.status, answer.header("location")), (303, "/portal"), "{user}: {answer:?}");
        assert_ne!(browser.get("/portal", &[]).status, 200);
    }
    let page = browser.log_in("alice", "correct horse");
    let stolen = click(&browser, &page, "Payroll");
    assert!(stolen.status >= 400 && !stolen.body.contains("Address="), "{stolen:?}");
    let unknown = click(&browser, &page, "../../etc/passwd");
    assert!(unknown.status >= 400, "{unknown:?}");
    assert!(!stolen.body.contains("127.0.0.1") && !unknown.body.contains("passwd"));
}

#[test]
fn forms_without_their_token_or_from_elsewhere_are_refused() {
    let host = Host::echo();
    let gateway = published("AUTO", &host);
    let browser = Browser::new(&gateway);
    let page = browser.log_in("alice", "correct horse");
    let token = page.hidden("csrf");
    assert_eq!(click(&browser, &page, "Notepad").status, 200);
    assert_eq!(browser.post("/portal/launch", &[("resource", "Notepad")]).status, 403);
    assert_eq!(browser.post("/portal/launch", &[("resource", "Notepad"), ("csrf", "0123456789abcdef")]).status, 403);
    let data = format!("resource=Notepad&csrf={token}");
    let foreign = browser.get("/portal/launch", &["-d", &data, "-H", "Origin: https://evil.example.test"]);
    assert_eq!(foreign.status, 403);
    let twice = format!("resource=Notepad&resource=Payroll&csrf={token}");
    let origin = format!("Origin: {}", browser.origin());
    assert_eq!(browser.get("/portal/launch", &["-d", &twice, "-H", &origin]).status, 400);
    assert_ne!(browser.get("/portal/launch", &[]).status, 200, "launching is a POST");
}

#[test]
fn the_inside_is_not_reachable_from_outside() {
    let host = Host::echo();
    let gateway = published("AUTO", &host);
    let browser = Browser::new(&gateway);
    for path in [
        "/scripts/ctxsta.dll",
        "/scripts/wpnbr.dll",
        "/Scripts/CtxSta.dll",
        "/nitro/v1/config/nsconfig",
        "/metrics",
        "/server-status",
    ] {
        for more in [&[][..], &["-d", "<CtxSTAProtocol/>"]] {
            let answer = browser.get(path, more);
            assert!([403, 404, 405].contains(&answer.status), "{path}: {answer:?}");
            assert!(!answer.body.contains("AuthorityID"));
        }
    }
    for path in ["/%2e%2e/portal", "/portal%2f..%2f", "/portal;x=1", "/%00", "/..;/portal", "//portal", "/portal/%252e"] {
        let answer = browser.get(path, &["--path-as-is"]);
        assert!((400..=404).contains(&answer.status) || answer.status == 302, "{path}: {answer:?}");
        assert!(!answer.body.contains("Notepad"));
    }
    // And the other way round: the inside listener speaks neither portal nor TLS.
    let answer = sta::post(gateway.address("inside"), "/portal", "").unwrap();
    assert!(!answer.contains("passwd"), "{answer}");
}

#[test]
fn other_host_names_and_smuggled_requests_are_refused() {
    let host = Host::echo();
    let gateway = published("AUTO", &host);
    let browser = Browser::new(&gateway);
    assert_eq!(browser.get("/vpn/index.html", &["-H", "Host: evil.example.test"]).status, 421);
    let long = format!("Host: {}", "a".repeat(8000));
    assert!([400, 421, 431].contains(&browser.get("/", &["-H", &long]).status));
    let both = browser.get("/cgi/login", &["-H", "Transfer-Encoding: chunked", "-H", "Content-Length: 3", "-d", "a=b"]);
    assert!(both.status >= 400, "{both:?}");
}

#[test]
fn pages_carry_the_headers_that_protect_them() {
    let host = Host::echo();
    let gateway = published("AUTO", &host);
    let browser = Browser::new(&gateway);
    let form = browser.get("/vpn/index.html", &[]);
    let page = browser.log_in("bob", "battery staple");
    for answer in [&form, &page] {
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert!(answer.header("strict-transport-security").contains("max-age="));
        assert!(answer.header("cache-control").contains("no-store"));
        assert_eq!(answer.header("server"), "");
        assert!(!answer.body.contains("<script"), "the page works without JavaScript");
    }
    assert!(page.body.contains("Payroll"), "what is bob's is shown to bob");
    for line in browser.cookies().lines().filter(|line| line.contains("__Host-")) {
        assert!(line.starts_with("#HttpOnly_") && line.split('\t').nth(3) == Some("TRUE"), "HttpOnly and Secure: {line}");
    }
    assert!(browser.cookies().contains("__Host-"), "{}", browser.cookies());
}

#[test]
fn password_is_neither_logged_nor_kept_in_the_file_that_is_shown() {
    let host = Host::echo();
    let gateway = published("AUTO", &host);
    let browser = Browser::new(&gateway);
    let _ = browser.log_in("alice", "correct horse");
    assert!(!gateway.log().contains("correct horse"));
}
