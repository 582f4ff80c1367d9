//! What people type at a login who hope that it means something elsewhere: to a shell, a terminal, a log, a page, a directory, or to
//! whoever counts guesses. The directory is a real one.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};

use serde_json::Value;
use sluicegate_tests::browser::Browser;
use sluicegate_tests::certs::Ca;
use sluicegate_tests::directory::Directory;
use sluicegate_tests::host::Host;

use super::login::{discreet, script, with_directory};
use crate::login::{ANN, Script, fields, first, publishing, rows, send, tagged};

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
