//! At the login: names and passwords that mean something elsewhere, forms that are none, cookies where they do not belong, and many
//! conversations that nobody goes on with. The directory is a real one.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use serde_json::Value;
use sluicegate_tests::browser::{Answer, Browser};
use sluicegate_tests::certs::Ca;
use sluicegate_tests::deadline::until;
use sluicegate_tests::directory::Directory;
use sluicegate_tests::gateway::{Gateway, NAME, Wish};
use sluicegate_tests::host::Host;
use sluicegate_tests::web::Web;

use crate::login::{ANN, Script, assumed, fields, first, publishing, rows, send, tagged, with_lines};

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

fn script(gateway: &Gateway, n: usize) -> Script {
    Script::over(Web::from(gateway, source(n)))
}

fn with_directory(directory: &Directory) -> Wish {
    with_lines(assumed("AUTO", directory), LDAP)
}

/// RC08: names that mean something to a shell, a terminal, a log or a page.
#[test]
fn names_that_mean_something_elsewhere_are_names() {
    const NAMES: &[&str] = &[
        "ann;reboot",
        "`id`",
        "$(id)",
        "${HOME}",
        "%s%n",
        "' or 1=1 --",
        "\"}{\"event\":\"login\"",
        "<script>alert(1)</script>",
        "{{7*7}}",
        "\u{202e}nna",
        "a\u{2028}b",
        "a\nb {\"level\":\"ERROR\"}",
        "a\r\nSet-Cookie: x=y",
        "\u{1b}[31mred",
        "\u{7f}",
    ];
    let directory = Directory::start(&Ca::new());
    for (n, name) in NAMES.iter().enumerate() {
        directory.add(name, &format!("odd{n}"), "an odd secret");
    }
    let wish =
        with_directory(&directory).line("set ns auditParam -file audit.log").line("set ns logParam -format JSON -level DEBUG");
    let mut gateway = publishing(wish, &Host::echo());
    for (n, name) in NAMES.iter().enumerate() {
        let wrong = script(&gateway, n).password(name, "not it").clone();
        assert!(!discreet(&wrong).body.contains(name), "{name:?} is shown again: {wrong:?}");
        let mut script = script(&gateway, n);
        let _ = script.password(name, "an odd secret");
        // Nobody types what cannot be seen.
        assert_eq!(script.is_in(), !name.chars().any(char::is_control), "{name:?}: {:?}", script.last);
        assert!(!script.web.get("/portal").unwrap().body.contains("<script>alert"), "{name:?}");
    }
    let seen = rows(gateway.console().run("show aaa session -format json"));
    let expected = NAMES.iter().filter(|name| !name.chars().any(char::is_control));
    for name in expected.clone() {
        assert!(seen.iter().any(|row| row["userName"] == *name), "{name:?}: {seen:?}");
    }
    assert_eq!(seen.len(), expected.count());
    let is_shown = |c: char| c != '\u{202e}' && c != '\u{2028}' && (!c.is_control() || c == '\n' || c == '\t');
    for question in ["show aaa session", "show authentication trace", "show aaa session -summary", "show aaa user -loggedIn"] {
        let told = gateway.console().run(question).done();
        assert!(told.chars().all(is_shown), "{question}: {told:?}");
    }
    let entered = seen.len();
    gateway.signal("TERM");
    assert!(gateway.wait().success());
    let log = gateway.log();
    assert!(log.chars().all(is_shown), "{log:?}");
    for line in log.lines().skip_while(|line| !line.starts_with('{')) {
        let _: Value = serde_json::from_str(line).unwrap_or_else(|bad| panic!("{bad}: {line:?}"));
    }
    let file = gateway.dir().join("audit.log");
    let audit = std::fs::read_to_string(&file).unwrap();
    assert!(audit.chars().all(is_shown), "{audit:?}");
    let records = audit.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|bad| panic!("{bad}: {line:?}")));
    assert_eq!(records.filter(|record| record["event"] == "login").count(), entered);
    let verified = crate::tools::sluicectl().args(["audit", "verify"]).arg(&file).output().unwrap();
    assert!(verified.status.success(), "{verified:?}");
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

/// Everything that goes to `to`, and back; how many connections there were can be counted.
fn relay(to: SocketAddr) -> Host {
    Host::start(move |mut client| {
        let mut server = TcpStream::connect(to)?;
        let (mut back, mut answers) = (client.try_clone()?, server.try_clone()?);
        let answering = std::thread::spawn(move || {
            let _ = io::copy(&mut answers, &mut back);
            let _ = back.shutdown(Shutdown::Write);
        });
        let _ = io::copy(&mut client, &mut server);
        let _ = server.shutdown(Shutdown::Write);
        let _ = answering.join();
        Ok(())
    })
}

/// T38: what a directory would take for nobody's password does not get as far as a connection.
#[test]
fn passwords_that_mean_nobody_never_reach_the_directory() {
    let directory = Directory::start(&Ca::new());
    let relay = relay(directory.plain);
    let line = format!("set authentication ldapAction ldap_server1 -serverPort {}", relay.address.port());
    let gateway = publishing(with_directory(&directory).line(line), &Host::echo());
    let mut script = Script::begin(&gateway);
    let _ = script.password(ANN.0, ANN.1);
    assert!(script.is_in() && relay.accepted() == 1, "the relay stands between: {:?}", script.last);
    let nul = format!("\0{}", ANN.1);
    for path in ["/nf/auth/doAuthentication.do", "/p/u/doAuthentication.do"] {
        for form in [&[("login", ANN.0)][..], &[("login", ANN.0), ("passwd", "")], &[("login", ANN.0), ("passwd", "\0")]]
            .into_iter()
            .chain([&[("login", ANN.0), ("passwd", nul.as_str())][..], &[("login", ""), ("passwd", ANN.1)], &[("passwd", ANN.1)]])
        {
            let mut script = Script::begin(&gateway);
            let context = tagged(&script.last, "StateContext").to_owned();
            let answer = script.web.post(path, &fields(&[form, &[("StateContext", context.as_str())]].concat())).unwrap();
            assert!([200, 400].contains(&discreet(&answer).status) && !script.is_in(), "{form:?}: {answer:?}");
        }
        let mut script = Script::begin(&gateway);
        let bare = script.web.post(path, b"login=ann&passwd").unwrap();
        assert!([200, 400].contains(&bare.status) && !script.is_in(), "{bare:?}");
    }
    let browser = Browser::new(&gateway);
    let page = send(&browser, &first(&browser), &[("login", ANN.0), ("passwd", "")]);
    assert!(!page.body.contains("Notepad"), "{page:?}");
    assert_eq!(relay.accepted(), 1, "somebody was asked");
}

/// T37: what is typed is compared, and means nothing.
#[test]
fn what_is_typed_means_nothing_to_the_directory() {
    const TYPED: &[&str] = &[
        "ann*",
        "a*",
        "*n*",
        "ann)(uid=*",
        "*)(uid=*))(|(uid=*",
        "ann)(|(uid=*",
        "ann)(userPassword=*",
        "*)(objectClass=*",
        "ann\0",
        "\0ann",
        "ann\\00",
        "\\61nn",
        "\\2a)",
        "(ann",
        "ann))",
        "|(uid=ann)",
        "cn=ann,ou=people,dc=example,dc=test",
        "ann\r\nbob",
        "*)(&",
        "ann)(!(uid=x)",
        "a\u{308}nn",
        "\u{1d41a}nn",
    ];
    let directory = Directory::start(&Ca::new());
    let gateway = publishing(with_directory(&directory), &Host::echo());
    for (n, typed) in TYPED.iter().enumerate() {
        for (m, password) in [ANN.1, "star's secret"].into_iter().enumerate() {
            let mut script = script(&gateway, 2 * n + m);
            let answer = discreet(script.password(typed, password)).clone();
            assert!(!script.is_in() && [200, 400].contains(&answer.status), "{typed:?}: {answer:?}");
        }
    }
    assert!(rows(gateway.console().run("show aaa session -format json")).is_empty());
    // Whoever really is called so gets in.
    let mut star = Script::begin(&gateway);
    let _ = star.password("*", "star's secret");
    assert!(star.is_in(), "{:?}", star.last);
}

/// T42: one user is one, however he is spelled and wherever the guesses come from.
#[test]
fn ten_spellings_of_a_name_share_one_count() {
    let directory = Directory::start(&Ca::new());
    let line = "set authentication vserver MFA_AAA_vserver -maxLoginAttempts 3 -failedLoginTimeout 10";
    let gateway = publishing(with_directory(&directory).line(line), &Host::echo());
    for (n, spelled) in
        ["ann", "ANN", " Ann ", "aNN", "anN", "\u{ff41}nn", "AnN", "ann ", "\u{ff21}NN", "aNn"].into_iter().enumerate()
    {
        let mut script = script(&gateway, n);
        let answer = script.password(spelled, if n < 3 { "not it" } else { ANN.1 }).clone();
        assert!(!script.is_in(), "{spelled:?}: {answer:?}");
        let trace = gateway.console().run("show authentication trace").done();
        assert_eq!(trace.matches("the account is locked here").count(), n.saturating_sub(2), "{spelled:?}: {trace}");
    }
    let mut bob = script(&gateway, 20);
    let _ = bob.password("bob", "bob's secret 1");
    assert!(bob.is_in(), "a lock is one user's: {:?}", bob.last);
    let unlocked = gateway.console().run("unlock aaa user ANN -format json").json();
    assert!(unlocked.to_string().contains("\"unlocked\":1"), "{unlocked}");
    let mut ann = script(&gateway, 21);
    let _ = ann.password(ANN.0, ANN.1);
    assert!(ann.is_in(), "{:?}", ann.last);
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
