//! At the login: forms that are none, cookies where they do not belong, conversations that nobody goes on with, and steps that are taken
//! many times at once. What is typed into the forms: `typed.rs`. The directory is a real one.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use sluicegate_tests::browser::Answer;
use sluicegate_tests::certs::Ca;
use sluicegate_tests::deadline::until;
use sluicegate_tests::directory::Directory;
use sluicegate_tests::gateway::{Gateway, NAME, Wish};
use sluicegate_tests::host::Host;
use sluicegate_tests::web::Web;

use crate::login::{ANN, Script, assumed, fields, publishing, rows, tagged, with_lines};

/// One factor: the directory.
const LDAP: &[&str] = &[
    "add authentication Policy ldap-auth -rule true -action ldap_server1",
    "bind authentication vserver MFA_AAA_vserver -policy ldap-auth -priority 100",
];

/// Every route of a login in factors, and of what comes after it.
pub(super) const ROUTES: &[(&str, &str)] = &[
    ("GET", "/logon/LogonPoint/index.html"),
    ("GET", "/logon/LogonPoint/tmindex.html"),
    ("GET", "/nf/auth/getAuthenticationRequirements.do"),
    ("POST", "/nf/auth/getAuthenticationRequirements.do"),
    ("POST", "/nf/auth/doAuthentication.do"),
    ("POST", "/nf/auth/doEPA.do"),
    ("POST", "/nf/auth/doCredentialUpdate.do"),
    ("POST", "/nf/auth/doCancelCredentialUpdate.do"),
    ("POST", "/nf/auth/doLogoff.do"),
    ("POST", "/nf/auth/setClient.do"),
    ("POST", "/nf/auth/getECdetails"),
    ("POST", "/p/u/getAuthenticationRequirements.do"),
    ("POST", "/p/u/doAuthentication.do"),
    ("POST", "/p/u/doEPA.do"),
    ("POST", "/p/u/doCredentialUpdate.do"),
    ("POST", "/p/u/doCancelCredentialUpdate.do"),
    ("POST", "/p/u/doLogoff.do"),
    ("POST", "/p/u/setClient.do"),
    ("POST", "/p/u/getECdetails"),
    ("GET", "/epatype"),
    ("GET", "/epaq"),
    ("GET", "/epas"),
    ("POST", "/epas"),
    ("GET", "/logon/LogonPoint/sg/scan"),
    ("GET", "/portal"),
    ("POST", "/portal/launch"),
    ("GET", "/cgi/logout"),
    ("GET", "/cgi/setclient?wica"),
    ("POST", "/logon/LogonPoint/Resources/List"),
    ("POST", "/logon/LogonPoint/Authentication/GetUserName"),
];

/// What no answer may tell (T26).
const INNER: &[&str] = &[
    "panicked",
    ".rs:",
    "src/",
    "slapd",
    "ldap_server1",
    "ldap-auth",
    "dc=example",
    "cn=service",
    "127.0.0.1",
    "rustls",
    "os error",
    "ldap://",
    "/tmp/",
];

/// The answer, which tells nothing of what is behind it.
pub(super) fn discreet(answer: &Answer) -> &Answer {
    let told =
        INNER.iter().find(|word| answer.body.contains(*word) || answer.headers.values().any(|value| value.contains(*word)));
    assert!(told.is_none(), "{told:?}: {answer:?}");
    answer
}

/// One of many addresses: one source may fail only so often.
fn source(n: usize) -> IpAddr {
    Ipv4Addr::from(0x7f00_0201 + u32::try_from(n).unwrap()).into()
}

/// A script that has begun, from address number `n`.
pub(super) fn script(gateway: &Gateway, n: usize) -> Script {
    Script::over(Web::from(gateway, source(n)))
}

/// A gateway that asks `directory`, and nothing else.
pub(super) fn with_directory(directory: &Directory) -> Wish {
    with_lines(assumed("AUTO", directory), LDAP)
}

/// RC01: a Host of any length, on every route of a login.
#[test]
fn a_host_of_any_length_gets_a_whole_answer_on_every_route() {
    let directory = Directory::start(&Ca::new());
    let gateway = publishing(with_directory(&directory), &Host::echo());
    for (method, path) in ROUTES {
        for length in [0, 1, 255, 256, 4096, 16_300, 24_812, 65_536] {
            let mut web = Web::new(&gateway);
            let host = "h".repeat(length);
            web.send(format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n").as_bytes());
            let answer = web.answer().unwrap_or_else(|e| panic!("{path}, {length}: {e}"));
            assert!([400, 421, 431].contains(&answer.status), "{path}, {length}: {answer:?}");
            assert!(!discreet(&answer).body.contains("hhhh"), "echoed: {answer:?}");
            assert_eq!(web.rest().unwrap(), b"", "{path}, {length}");
        }
    }
}

/// RC02: each field bare, empty, twice, with NUL, with a line end, not decodable, longer than a form may be, on every route.
#[test]
fn no_field_of_any_shape_is_echoed_or_lets_in() {
    let directory = Directory::start(&Ca::new());
    let gateway = publishing(with_directory(&directory), &Host::echo());
    let long = format!("F={}CANARY", "v".repeat(65_537));
    let shapes =
        ["F", "F=", "=", "F=CANARY&F=CANARY", "F=%00CANARY", "F=%zz", "F=%c3%28CANARY", "F=CANARY%0d%0aSet-Cookie:x=y", &long];
    for (_, path) in ROUTES.iter().filter(|(method, _)| *method == "POST") {
        for field in ["login", "passwd", "StateContext"] {
            for shape in shapes {
                let mut script = Script::begin(&gateway);
                let body = shape.replace('F', field);
                let answer = script.web.post(path, body.as_bytes()).unwrap_or_else(|e| panic!("{path} {body:.40}: {e}"));
                assert!([200, 302, 303, 400, 401, 403, 404, 413].contains(&answer.status), "{path} {body:.40}: {answer:?}");
                assert!(!discreet(&answer).body.contains("CANARY"), "{path} {body:.40}: {answer:?}");
                assert!(!answer.header("set-cookie").contains("x=y") && !script.is_in(), "{path} {body:.40}: {answer:?}");
                assert_eq!(script.web.rest().unwrap(), b"", "{path} {body:.40}: not a byte more than was told");
            }
        }
    }
    assert!(rows(gateway.console().run("show aaa session -format json")).is_empty());
}

/// T15: of two values of one field none counts, even if both are right.
#[test]
fn a_right_field_that_comes_twice_lets_nobody_in() {
    let directory = Directory::start(&Ca::new());
    let gateway = publishing(with_directory(&directory), &Host::echo());
    for twice in ["login", "passwd", "StateContext", ""] {
        let mut script = Script::begin(&gateway);
        let context = tagged(&script.last, "StateContext").to_owned();
        let mut form = vec![("login", ANN.0), ("passwd", ANN.1), ("StateContext", context.as_str())];
        form.extend(form.clone().into_iter().filter(|(name, _)| *name == twice));
        let answer = script.web.post("/nf/auth/doAuthentication.do", &fields(&form)).unwrap();
        assert!([200, 400].contains(&discreet(&answer).status), "{twice}: {answer:?}");
        assert_eq!(script.is_in(), twice.is_empty(), "{twice}: {answer:?}");
    }
}

/// T14, T21: each route with no cookie, that of a conversation, of a session, of one that has ended, and of another virtual server.
#[test]
fn no_route_gives_anything_of_a_login_without_one() {
    let directory = Directory::start(&Ca::new());
    let wish = with_directory(&directory)
        .line(format!("add vpn vserver vpn2 SSL 127.0.0.1 0 -vserverFqdn {NAME}"))
        .line("bind ssl vserver vpn2 -certkeyName gw")
        .line("set vpn vserver vpn2 -authnProfile nfactor");
    let gateway = publishing(wish, &Host::echo());
    let mut ann = Script::begin(&gateway);
    let context = tagged(&ann.last, "StateContext").to_owned();
    let conversation = format!("NSC_TMAS={0}; NSC_EPAC={0}", ann.web.cookie("NSC_TMAS"));
    let mut ended = Script::begin(&gateway);
    let _ = ended.password(ANN.0, ANN.1);
    let session = format!("NSC_AAAC={}", ended.web.cookie("NSC_AAAC"));
    let seen = |web: &mut Web, cookie: &str| {
        let mut all = Vec::new();
        for (method, path) in ROUTES {
            let headers: &[(&str, &str)] = if cookie.is_empty() { &[] } else { &[("Cookie", cookie)] };
            all.push((*path, web.request(method, path, headers, b"").unwrap()));
        }
        all
    };
    let is_inside = |answer: &Answer| {
        let gives_login = answer.header("set-cookie").lines().any(|line| {
            let value = line.strip_prefix("NSC_AAAC=").or_else(|| line.strip_prefix("__Host-sg-login="));
            value.is_some_and(|value| !value.starts_with(';'))
        });
        gives_login || ["Notepad", "Address=", ">ann<"].iter().any(|word| answer.body.contains(word))
    };
    let inside = seen(&mut Web::new(&gateway), &session);
    assert!(inside.iter().any(|(path, answer)| *path == "/portal" && is_inside(answer)), "{inside:?}");
    let nothing = |vserver: &str, cookie: &str| {
        for (path, answer) in seen(&mut Web::to(&gateway, vserver), cookie) {
            assert!(!is_inside(discreet(&answer)), "{vserver} {path} {cookie}: {answer:?}");
        }
    };
    nothing("vpn1", "");
    nothing("vpn1", &format!("NSC_AAAC={0}; NSC_TMAS={0}; NSC_EPAC={0}", "0123456789abcdef".repeat(4)));
    // At another virtual server of the same name, with the same directory, cookies of this one are worth nothing.
    nothing("vpn2", &session);
    nothing("vpn2", &conversation);
    let form = fields(&[("login", ANN.0), ("passwd", ANN.1), ("StateContext", &context)]);
    let headers = [("Cookie", conversation.as_str()), ("Content-Type", "application/x-www-form-urlencoded")];
    let there = Web::to(&gateway, "vpn2").request("POST", "/nf/auth/doAuthentication.do", &headers, &form).unwrap();
    assert!(!is_inside(&there), "{there:?}");
    let _ = ann.password(ANN.0, ANN.1);
    assert!(ann.is_in(), "it is still good where it belongs: {:?}", ann.last);
    nothing("vpn1", &conversation);
    let _ = gateway.console().run("kill aaa session -userName ann").done();
    nothing("vpn1", &session);
}

/// A thousand conversations that nobody goes on with cost one source's user nothing but memory that is bounded, and others nothing.
#[test]
fn a_thousand_conversations_of_one_source_disturb_nobody() {
    let directory = Directory::start(&Ca::new());
    let gateway = publishing(with_directory(&directory), &Host::echo());
    let mut early = Script::begin(&gateway);
    let before = gateway.memory_kib();
    for _ in 0..20 {
        let mut web = Web::from(&gateway, source(0));
        for _ in 0..50 {
            let begun = web.request("POST", "/nf/auth/getAuthenticationRequirements.do", &[], b"").unwrap();
            assert!(begun.status == 200 && begun.header("set-cookie").contains("NSC_TMAS="), "{begun:?}");
        }
    }
    let grown = gateway.memory_kib().saturating_sub(before);
    assert!(grown < 32 * 1024, "{grown} KiB for a thousand forms that were only looked at");
    let _ = early.password(ANN.0, ANN.1);
    assert!(early.is_in(), "one who began before goes on: {:?}", early.last);
    let mut late = script(&gateway, 1);
    let _ = late.password("bob", "bob's secret 1");
    assert!(late.is_in(), "{:?}", late.last);
}

/// T30: of the same form, posted many times at once, one is judged.
#[test]
fn of_parallel_posts_of_one_form_one_is_judged() {
    const POSTS: usize = 10;
    let directory = Directory::start(&Ca::new());
    let gateway = publishing(with_directory(&directory), &Host::echo());
    let script = Script::begin(&gateway);
    let cookie = format!("NSC_TMAS={}", script.web.cookie("NSC_TMAS"));
    let form = fields(&[("login", ANN.0), ("passwd", ANN.1), ("StateContext", tagged(&script.last, "StateContext"))]);
    let headers = [("Cookie", cookie.as_str()), ("Content-Type", "application/x-www-form-urlencoded")];
    // While the directory does not answer, the one that was first is under way.
    directory.hang();
    let conflicts = AtomicUsize::new(0);
    let granted = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..POSTS {
            scope.spawn(|| {
                let mut web = Web::new(&gateway);
                let answer = web.request("POST", "/nf/auth/doAuthentication.do", &headers, &form).unwrap();
                match discreet(&answer).status {
                    409 => conflicts.fetch_add(1, SeqCst),
                    200 if !web.cookie("NSC_AAAC").is_empty() => granted.fetch_add(1, SeqCst),
                    _ => panic!("{answer:?}"),
                };
            });
        }
        until("all but one to hear of a conflict", || (conflicts.load(SeqCst) == POSTS - 1).then_some(()));
        directory.go_on();
    });
    assert_eq!(granted.load(SeqCst), 1);
    assert_eq!(rows(gateway.console().run("show aaa session -format json")).len(), 1);
}
