//! Certificates of users and of their machines: who gets in with which, and who does not by any trick.
//!
//! ```text
//!   page at the virtual server ─► curl --cert at the authentication virtual server ─► 303 ─► logged in
//!   scan: question ─► a connection with the machine's certificate ─► answer
//! ```

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::json;
use sluicegate_tests::browser::{Answer, Browser};
use sluicegate_tests::certs::{Ca, write};
use sluicegate_tests::chromium::Chromium;
use sluicegate_tests::client::{self, Client, Opening};
use sluicegate_tests::deadline::until;
use sluicegate_tests::gateway::{Gateway, NAME, Wish};
use sluicegate_tests::host::Host;
use sluicegate_tests::rcgen;
use sluicegate_tests::scanner::{Asked, Scanner};
use sluicegate_tests::tools::output;
use sluicegate_tests::web::Web;

use crate::agent::{Agent, program};
use crate::login::{Script, first, followed, send, session};
use crate::page::{alone, unregistered};
use crate::wish;

on_each_engine!(a_certificate_is_a_login, where_there_must_be_one_nobody_connects_without, a_machine_proves_that_it_is_ours);

const DAY: Duration = Duration::from_secs(24 * 3600);

fn now() -> SystemTime {
    #[expect(clippy::disallowed_methods, reason = "certificates are valid from the present time on")]
    SystemTime::now()
}

/// A certificate with its key, for `name`.
fn card(ca: &Ca, name: &str, serial: u64) -> (String, String) {
    ca.client(name, serial, |params| params.distinguished_name.push(rcgen::DnType::OrganizationalUnitName, "staff"))
}

/// A gateway whose users show certificates of `ca` at an address of their own.
fn asking(engine: &'static str, ca: &Ca) -> Wish {
    wish(engine)
        .file("users.pem", &ca.pem)
        .file("users.crl", ca.list(&[66], now() + DAY))
        .line("add ssl certKey users -cert users.pem")
        .line("add ssl crl list users.crl -CAcert users")
        .line("add authentication vserver av SSL 127.0.0.1 0")
        .line("add authentication authnProfile nfactor -authnVsName av")
        .line("set vpn vserver vpn1 -authnProfile nfactor")
        .line("set ssl vserver av -clientAuth ENABLED -clientCert Optional")
        .line("bind ssl vserver av -certkeyName gw")
        .line("bind ssl vserver av -certkeyName users -CA -crlCheck Mandatory")
        .line("add authentication certAction card -groupNameField Subject:OU")
        .line("add authentication Policy p_card -rule true -action card")
}

/// ... and nothing else.
fn only(wish: Wish) -> Gateway {
    wish.line("bind authentication vserver av -policy p_card -priority 10").start()
}

/// Where `page` leads for a certificate.
fn there(page: &Answer) -> String {
    let link = page.body.split("href=\"").skip(1).find(|link| link.contains("doCert.do"));
    link.unwrap_or_else(|| panic!("no way to show a certificate: {page:?}")).split('"').next().unwrap().to_owned()
}

/// Arguments with which curl shows a certificate.
fn with(gateway: &Gateway, name: &str, (chain, key): &(String, String)) -> Vec<String> {
    let file = |kind: &str, text: &str| write(gateway.dir(), &format!("{name}.{kind}"), text).display().to_string();
    vec!["--cert".into(), file("crt", chain), "--key".into(), file("key", key)]
}

fn shown(browser: &Browser, url: &str, args: &[String]) -> Option<Answer> {
    browser.go(url, &args.iter().map(String::as_str).collect::<Vec<_>>())
}

fn a_certificate_is_a_login(engine: &'static str) {
    let ca = Ca::new();
    let gateway = only(asking(engine, &ca));
    for version in ["1.2", "1.3"] {
        let browser = Browser::new(&gateway);
        let page = first(&browser);
        let url = there(&page);
        assert!(url.starts_with(&format!("https://{NAME}:{}/nf/auth/doCert.do?", gateway.address("av").port())), "{url}");
        assert!(page.body.contains("http-equiv=\"refresh\""), "the browser goes there by itself: {page:?}");
        let mut args = with(&gateway, "ann", &card(&ca, "ann", 1));
        args.extend(["--tls-max".into(), version.into()]);
        let back = shown(&browser, &url, &args).unwrap();
        assert_eq!((back.status, back.header("location")), (303, &*format!("{}/portal", browser.origin())), "{back:?}");
        let list = browser.get("/portal", &[]);
        assert!(list.status == 200 && list.body.contains("ann"), "{list:?}");
        let session = session(&gateway, "ann").unwrap();
        assert!(session.to_string().contains("staff"), "{session}");
        // Once is enough.
        let again = shown(&browser, &url, &args).unwrap();
        assert!(again.status >= 400, "{again:?}");
    }
    // There is nothing else there.
    let origin = format!("https://{NAME}:{}", gateway.address("av").port());
    let browser = Browser::new(&gateway);
    for path in ["/", "/vpn/index.html", "/logon/LogonPoint/index.html", "/nf/auth/getAuthenticationRequirements.do", "/epatype"]
    {
        assert_eq!(browser.go(&format!("{origin}{path}"), &[]).unwrap().status, 404, "{path}");
    }
    assert_eq!(browser.go(&format!("{origin}/nf/auth/doCert.do"), &["-X", "POST"]).unwrap().status, 404);
    let host = Host::echo();
    let ticket = gateway.ticket(host.address).single();
    let mut client = Client::connect(gateway.address("av"), NAME, &gateway.tls).unwrap();
    assert_ne!(client.present(&ticket, Opening::Pipelined).unwrap_or(1), 0, "nor a way to a host");
    assert_eq!(gateway.connect().present(&ticket, Opening::Pipelined).unwrap(), 0, "which there is elsewhere");
}

#[test]
fn who_has_no_good_one_is_told_so() {
    let (ca, other) = (Ca::new(), Ca::called("somebody else"));
    let gateway = only(asking("AUTO", &ca));
    let server =
        |params: &mut rcgen::CertificateParams| params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    for (name, made, code, why) in [
        ("none", None, "4101", "the client has shown no certificate"),
        ("strange", Some(card(&other, "ann", 1)), "4102", "no authority that is trusted has issued it"),
        ("old", Some(ca.client("ann", 2, |params| params.not_after = (now() - DAY).into())), "4102", "it has expired"),
        ("early", Some(ca.client("ann", 3, |params| params.not_before = (now() + DAY).into())), "4102", "it is not yet valid"),
        ("revoked", Some(card(&ca, "ann", 66)), "4102", "it was revoked"),
        ("server", Some(ca.client("ann", 4, server)), "4102", "it is not for clients"),
        ("nameless", Some(ca.client("ann\u{202e}", 5, |_| {})), "4102", "no name of a user"),
    ] {
        let browser = Browser::new(&gateway);
        let url = there(&first(&browser));
        let args = made.map(|made| with(&gateway, name, &made)).unwrap_or_default();
        let told = shown(&browser, &url, &args).unwrap();
        assert!(told.status == 403 && told.body.contains(code), "{name}: {told:?}");
        assert!(told.body.contains(&format!("href=\"{}/", browser.origin())), "and can begin anew: {told:?}");
        let trace = gateway.console().run("show authentication trace -format json").done();
        assert!(trace.contains(why), "{name}: {trace}");
    }
    assert!(session(&gateway, "ann").is_none());
    let log = gateway.log();
    assert!(log.contains("a certificate is not good") && log.contains("it was revoked"), "{log}");
}

#[test]
fn a_list_that_is_replaced_counts_at_once_and_an_old_one_never() {
    let ca = Ca::new();
    let gateway = only(asking("AUTO", &ca));
    let args = with(&gateway, "ann", &card(&ca, "ann", 7));
    let status = || {
        let browser = Browser::new(&gateway);
        let url = there(&first(&browser));
        shown(&browser, &url, &args).unwrap().status
    };
    assert_eq!(status(), 303);
    let replaced = |list: String| {
        let _ = write(gateway.dir(), "users.crl", &list);
        let _ = gateway.console().run("set ssl crl list -crlPath users.crl").done();
    };
    replaced(ca.list(&[66, 7], now() + DAY));
    assert_eq!(status(), 403, "revoked");
    replaced(ca.list(&[], now() + DAY));
    assert_eq!(status(), 303);
    replaced(ca.list(&[], now() - DAY));
    assert_eq!(status(), 403, "nobody knows");
    replaced(Ca::called("somebody else").list(&[], now() + DAY));
    assert_eq!(status(), 403, "nobody knows");
    let refused = gateway.console().run("set ssl crl list -crlPath gw.pem");
    assert!(format!("{refused:?}").contains("no list"), "{refused:?}");
}

fn where_there_must_be_one_nobody_connects_without(engine: &'static str) {
    let (ca, other) = (Ca::new(), Ca::called("somebody else"));
    let gateway = only(asking(engine, &ca).line("set ssl vserver av -clientCert Mandatory"));
    let browser = Browser::new(&gateway);
    let url = there(&first(&browser));
    let seven = {
        let (own, key) = card(&ca, "ann", 1);
        (own + &ca.pem.repeat(6), key)
    };
    for (name, made) in [
        ("none", None),
        ("strange", Some(card(&other, "ann", 1))),
        ("revoked", Some(card(&ca, "ann", 66))),
        ("long", Some(seven)),
    ] {
        let args = made.map(|made| with(&gateway, name, &made)).unwrap_or_default();
        let came = shown(&browser, &url, &args);
        assert!(came.is_none(), "{name}: {came:?}");
    }
    until("the ends to be counted", || (gateway.count("closed_client_certificate") >= 4).then_some(()));
    // The ticket is still good, and the page is, too.
    let page = first(&browser);
    assert!(!page.body.contains("http-equiv=\"refresh\""), "who has come back is not led there again by himself: {page:?}");
    let back = shown(&browser, &there(&page), &with(&gateway, "ann", &card(&ca, "ann", 1))).unwrap();
    assert_eq!(back.status, 303, "{back:?}");
}

#[test]
fn a_link_is_worth_nothing_without_its_login() {
    let ca = Ca::new();
    let gateway = only(asking("AUTO", &ca));
    let victim = with(&gateway, "victim", &card(&ca, "victim", 1));
    // Somebody begins a login and has somebody else's browser open its link.
    let attacker = Browser::new(&gateway);
    let url = there(&first(&attacker));
    let bystander = Browser::new(&gateway);
    assert_eq!(shown(&bystander, &url, &victim).unwrap().status, 403, "no cookie");
    let _ = first(&bystander);
    assert_eq!(shown(&bystander, &url, &victim).unwrap().status, 403, "the cookie of a login of his own");
    assert!(gateway.log().contains("for a login that this client has not begun"), "{}", gateway.log());
    assert!(session(&gateway, "victim").is_none());
    // The page shown again has a link of its own, and the one before is worth nothing.
    let later = there(&first(&attacker));
    assert_ne!(later, url);
    let args = with(&gateway, "ann", &card(&ca, "ann", 2));
    assert_eq!(shown(&attacker, &url, &args).unwrap().status, 403);
    for wrong in [format!("{later}0"), later.split('?').next().unwrap().to_owned(), format!("{later}&x=1")] {
        assert_eq!(shown(&attacker, &wrong, &args).unwrap().status, 403, "{wrong}");
    }
    // And it leads back to where its login is, whatever the link says.
    assert_eq!(shown(&attacker, &later, &args).unwrap().status, 303);
}

#[test]
fn nothing_that_is_said_is_a_certificate() {
    let ca = Ca::new();
    let gateway = only(asking("AUTO", &ca));
    let (chain, _) = card(&ca, "ann", 1);
    let one_line: String = chain.lines().filter(|line| !line.contains("-----")).collect();
    let browser = Browser::new(&gateway);
    let url = there(&first(&browser));
    let headers: Vec<String> = ["X-SSL-Client-Cert", "X-Client-Cert", "Client-Cert", "SSL_CLIENT_CERT", "X-ARR-ClientCert"]
        .iter()
        .flat_map(|name| ["-H".to_owned(), format!("{name}: {one_line}")])
        .collect();
    let told = shown(&browser, &url, &headers).unwrap();
    assert!(told.status == 403 && told.body.contains("4101"), "{told:?}");
    // Nor is a header of the inner protocol, sent by a client.
    let mut web = Web::to(&gateway, "av");
    web.send(
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\x10\x10\x10\x10GET /nf/auth/doCert.do HTTP/1.1\r\n\r\n",
    );
    web.answer().unwrap_err();
    let mut web = Web::to(&gateway, "av");
    web.send(b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nGET /nf/auth/doCert.do HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(web.answer().is_ok_and(|answer| answer.status == 400), "a method that does not exist");
}

#[test]
fn openssl_is_asked_told_of_whom_and_never_resumed() {
    let ca = Ca::called("Users of ours");
    let gateway = only(asking("AUTO", &ca));
    let files = with(&gateway, "ann", &card(&ca, "ann", 1));
    for version in ["-tls1_2", "-tls1_3"] {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", &gateway.address("av").to_string(), "-servername", NAME, version, "-ign_eof"]);
        command.args(["-cert", &files[1], "-key", &files[3]]).arg("-CAfile").arg(&gateway.ca_file);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let said = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.contains("Acceptable client certificate CA names") && said.contains("Users of ours"), "{version}: {said}");
        assert!(said.contains("HTTP/1.1 404"), "{version}: {said}");
        assert!(!said.contains("TLS session ticket:") && !said.contains("Reused,"), "{version}: {said}");
    }
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &gateway.address("av").to_string(), "-tls1_2", "-reconnect"]);
    let said = command.args(["-cert", &files[1], "-key", &files[3]]).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("New, TLSv1.2") && !said.contains("Reused,"), "{said}");
}

/// A home whose browser has this certificate, and says so without asking its user, as an administrator may want.
fn holding(home: &Path, (chain, key): &(String, String)) -> Vec<(String, PathBuf)> {
    let place = home.join(".pki/nssdb");
    fs::create_dir_all(&place).unwrap();
    let both = write(home, "card.pem", &format!("{chain}{key}"));
    let packed = home.join("card.p12");
    let store = format!("sql:{}", place.display());
    let run = |program: &str, args: &[&str]| drop(output(program, args));
    let (both, packed) = (both.display().to_string(), packed.display().to_string());
    run("openssl", &["pkcs12", "-export", "-in", &both, "-out", &packed, "-name", "card", "-passout", "pass:"]);
    run("certutil", &["-N", "-d", &store, "--empty-password"]);
    run("pk12util", &["-i", &packed, "-d", &store, "-W", ""]);
    unregistered(home)
}

#[test]
fn a_browser_shows_the_users_certificate_and_goes_on() {
    let _alone = alone();
    let (ca, other) = (Ca::called("Users of ours"), Ca::called("somebody else"));
    let gateway = only(asking("AUTO", &ca));
    let asked_at = format!("https://{NAME}:{}", gateway.address("av").port());
    let rule = json!({ "pattern": asked_at, "filter": {} }).to_string();
    let rules = json!({ "AutoSelectCertificateForUrls": [rule] });

    let chromium = Chromium::ruled(&gateway, &rules, |home| holding(home, &card(&ca, "ann", 1)));
    let tab = chromium.tab();
    tab.open("/");
    tab.until("location.pathname === '/portal' && document.readyState === 'complete'");
    assert!(tab.text().contains("ann"), "{}", tab.text());
    assert!(session(&gateway, "ann").is_some());
    assert_eq!(tab.complaints(), Vec::<String>::new());
    drop(chromium);

    // The gateway has named its authorities: a certificate of another is not shown at all.
    let chromium = Chromium::ruled(&gateway, &rules, |home| holding(home, &card(&other, "bob", 1)));
    let tab = chromium.tab();
    tab.open("/");
    tab.until("document.title.startsWith('Sign-in failed')");
    assert!(tab.text().contains("4101"), "{}", tab.text());
    assert_eq!(tab.value("location.origin"), Some(asked_at.into()));
    assert_eq!(tab.complaints(), Vec::<String>::new());
    assert!(session(&gateway, "bob").is_none());
}

#[test]
fn a_program_shows_it_on_its_own_connection() {
    let ca = Ca::new();
    let gateway = wish("AUTO")
        .file("users.pem", &ca.pem)
        .line("add ssl certKey users -cert users.pem")
        .line("set ssl vserver vpn1 -clientAuth ENABLED -clientCert Optional")
        .line("bind ssl vserver vpn1 -certkeyName users -CA")
        .line("add authentication vserver av SSL 0.0.0.0")
        .line("add authentication authnProfile nfactor -authnVsName av")
        .line("set vpn vserver vpn1 -authnProfile nfactor")
        .line("add authentication certAction card -userNameField SubjectAltName:PrincipalName")
        .line("add authentication Policy p_card -rule true -action card")
        .line("add authentication Policy p_local -rule true -action LOCAL")
        .line("add aaa user bob -password \"bob secret 1\"")
        .line("bind authentication vserver av -policy p_card -priority 10 -gotoPriorityExpression NEXT")
        .line("bind authentication vserver av -policy p_local -priority 20")
        .start();
    let upn = rcgen::SanType::OtherName((
        vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3],
        rcgen::OtherNameValue::Utf8String("ann@demo.test".into()),
    ));
    let made = ca.client("somebody", 1, |params| params.subject_alt_names = vec![upn]);
    let tls = client::showing(&gateway.ca.pem, &made, &[]);
    let mut web = Web::over(Client::connect(gateway.public(), NAME, &tls).unwrap(), &gateway);
    let answer = web.post("/nf/auth/getAuthenticationRequirements.do", b"").unwrap();
    assert!(answer.body.contains("<Result>success</Result>") && !web.cookie("NSC_AAAC").is_empty(), "{answer:?}");
    assert!(session(&gateway, "ann@demo.test").is_some());
    // Who has none types a password.
    let mut script = Script::begin(&gateway);
    let _ = script.password("bob", "bob secret 1");
    assert!(script.is_in());
}

/// Follows an answer of the place where certificates are asked for.
fn back(browser: &Browser, answer: &Answer) -> Answer {
    assert_eq!(answer.status, 303, "{answer:?}");
    browser.go(answer.header("location"), &[]).unwrap()
}

/// Password, scan, and a certificate for whose device is not as it should be.
fn stronger(ca: &Ca) -> Gateway {
    asking("AUTO", ca)
        .line("add aaa user ann -password \"ann secret 1\"")
        .line("add authentication Policy p_local -rule true -action LOCAL")
        .line(r#"add authentication epaAction look -csecexpr "sys.client_expr(\"proc_0_av\")" -defaultEPAGroup healthy -quarantineGroup restricted"#)
        .line("add authentication Policy p_look -rule true -action look")
        .line("add authentication Policy p_restricted -rule AAA.USER.IS_MEMBER_OF(\"restricted\") -action NO_AUTHN")
        .line("add authentication Policy p_others -rule true -action NO_AUTHN")
        .line("add authentication policylabel device -loginSchema LSCHEMA_INT")
        .line("add authentication policylabel branch -loginSchema LSCHEMA_INT")
        .line("add authentication policylabel stronger -loginSchema LSCHEMA_INT")
        .line("bind authentication policylabel stronger -policyName p_card -priority 10")
        .line("bind authentication policylabel branch -policyName p_restricted -priority 10 -nextFactor stronger")
        .line("bind authentication policylabel branch -policyName p_others -priority 20")
        .line("bind authentication policylabel device -policyName p_look -priority 10 -nextFactor branch")
        .line("bind authentication vserver av -policy p_local -priority 10 -nextFactor device")
        .start()
}

#[test]
fn whose_device_does_not_comply_shows_a_certificate_too() {
    let (ca, other) = (Ca::new(), Ca::called("somebody else"));
    let gateway = stronger(&ca);
    let scanned = |digits: Option<&str>| {
        let browser = Browser::new(&gateway);
        let scan = to_scan(&browser);
        let next = match digits {
            Some(digits) => {
                let scanner = Scanner::new(Scanner::token_in(&scan.body));
                assert_eq!(scanner.question(&gateway).unwrap(), Asked::Strings(vec!["proc_0_av".into()]));
                assert_eq!(scanner.answer(&gateway, digits).unwrap(), 200);
                send(&browser, &scan, &[])
            }
            None => {
                let skip = scan.form(1);
                let hidden: Vec<_> = skip.hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                followed(&browser, browser.post(&skip.action, &hidden))
            }
        };
        (browser, next)
    };
    let groups = || session(&gateway, "ann").map(|session| session["groups"].to_string());
    let end = || drop(gateway.console().run("kill aaa session -all").done());

    let (_browser, list) = scanned(Some("0"));
    assert!(list.status == 200 && !list.body.contains("doCert.do"), "whoever complies is asked for nothing more: {list:?}");
    assert!(groups().is_some_and(|groups| groups.contains("healthy")), "{:?}", groups());
    end();

    for digits in [Some("3"), None] {
        // Nothing is open to a login that has come so far, and what is no good certificate ends it.
        for (name, made, code) in [
            ("none", None, "4101"),
            ("strange", Some(card(&other, "ann", 1)), "4102"),
            ("revoked", Some(card(&ca, "ann", 66)), "4102"),
        ] {
            let (browser, page) = scanned(digits);
            let url = there(&page);
            assert!(groups().is_none() && browser.get("/portal", &[]).status != 200, "{digits:?} {name}");
            let args = made.map(|made| with(&gateway, name, &made)).unwrap_or_default();
            let told = shown(&browser, &url, &args).unwrap();
            assert!(told.status == 403 && told.body.contains(code), "{digits:?} {name}: {told:?}");
            assert!(groups().is_none() && browser.get("/portal", &[]).status != 200, "{digits:?} {name}");
        }
        let (browser, page) = scanned(digits);
        let args = with(&gateway, "ann", &card(&ca, "ann", 2));
        let list = back(&browser, &shown(&browser, &there(&page), &args).unwrap());
        assert!(list.status == 200 && list.body.contains("ann"), "{digits:?}: {list:?}");
        let groups = groups().unwrap_or_else(|| panic!("{digits:?}: {}", gateway.log()));
        assert!(groups.contains("restricted") && groups.contains("staff") && !groups.contains("healthy"), "{groups}");
        end();
    }
    let trace = gateway.console().run("show authentication trace").done();
    assert!(trace.contains("quarantine group restricted") && trace.contains("client is asked for a certificate"), "{trace}");
}

#[test]
fn a_certificate_goes_before_a_scan_and_behind_it() {
    let ca = Ca::new();
    let gateway = asking("AUTO", &ca)
        .line(r#"add authentication epaAction look -csecexpr "sys.client_expr(\"proc_0_av\")""#)
        .line("add authentication Policy p_look -rule true -action look")
        .line("add authentication policylabel device -loginSchema LSCHEMA_INT")
        .line("add authentication policylabel once_more -loginSchema LSCHEMA_INT")
        .line("bind authentication policylabel once_more -policyName p_card -priority 10")
        .line("bind authentication policylabel device -policyName p_look -priority 10 -nextFactor once_more")
        .line("bind authentication vserver av -policy p_card -priority 10 -nextFactor device")
        .start();
    let args = with(&gateway, "ann", &card(&ca, "ann", 1));
    for (digits, complies) in [("3", false), ("0", true)] {
        let browser = Browser::new(&gateway);
        let before = there(&first(&browser));
        let scan = back(&browser, &shown(&browser, &before, &args).unwrap());
        let scanner = Scanner::new(Scanner::token_in(&scan.body));
        let early = shown(&browser, &before, &args).unwrap();
        assert_eq!(early.status, 403, "a certificate is no answer to a scan: {early:?}");
        assert_eq!(scanner.question(&gateway).unwrap(), Asked::Strings(vec!["proc_0_av".into()]));
        assert_eq!(scanner.answer(&gateway, digits).unwrap(), 200);
        let next = send(&browser, &scan, &[]);
        assert!(session(&gateway, "ann").is_none());
        if !complies {
            assert!(next.status == 403 && next.body.contains("4018"), "{next:?}");
            continue;
        }
        let behind = there(&next);
        assert_ne!(behind, before);
        assert_eq!(shown(&browser, &before, &args).unwrap().status, 403, "the link of the factor before");
        let list = back(&browser, &shown(&browser, &behind, &args).unwrap());
        assert!(list.status == 200 && session(&gateway, "ann").is_some(), "{list:?}");
    }
}

/// A gateway that wants to see certificates of machines.
fn machines(wish: Wish, ca: &Ca) -> Gateway {
    wish.file("machines.pem", &ca.pem)
        .file("machines.crl", ca.list(&[66], now() + DAY))
        .line("add ssl certKey machines -cert machines.pem")
        .line("add ssl crl list machines.crl")
        .line("set vpn vserver vpn1 -deviceCert ON -certkeyNames machines")
        .line("bind ssl vserver vpn1 -certkeyName machines -CA -crlCheck Mandatory")
        .line(r#"add authentication epaAction look -csecexpr "sys.client_expr(\"device-cert_0_0\")""#)
        .line("add authentication Policy p_look -rule true -action look")
        .line("add authentication Policy p_local -rule true -action LOCAL")
        .line("add authentication policylabel scan -loginSchema LSCHEMA_INT")
        .line("bind authentication policylabel scan -policyName p_look -priority 10")
        .line("add authentication vserver av SSL 0.0.0.0")
        .line("add authentication authnProfile nfactor -authnVsName av")
        .line("set vpn vserver vpn1 -authnProfile nfactor")
        .line("bind authentication vserver av -policy p_local -priority 10 -nextFactor scan")
        .line("add aaa user ann -password \"ann secret 1\"")
        .start()
}

/// The page for a scan.
fn to_scan(browser: &Browser) -> Answer {
    send(browser, &first(browser), &[("login", "ann"), ("passwd", "ann secret 1")])
}

/// Shows `made` for the scan of `token`; status and body of the answer. `None`: no connection.
fn proof(gateway: &Gateway, token: &str, made: &(String, String), alpn: &[&str]) -> Option<(u16, String)> {
    let tls = client::showing(&gateway.ca.pem, made, alpn);
    let mut web = Web::over(Client::connect(gateway.public(), NAME, &tls).ok()?, gateway);
    let answer = web.request("GET", "/epadc", &[("Cookie", &format!("NSC_EPAC={token}"))], b"").ok()?;
    Some((answer.status, answer.body))
}

const ALPN: &[&str] = &["sluicegate-epadc/1"];

fn a_machine_proves_that_it_is_ours(engine: &'static str) {
    let (ca, other) = (Ca::new(), Ca::called("somebody else"));
    let gateway = machines(wish(engine), &ca);
    let good = card(&ca, "pc1", 1);
    let browser = Browser::new(&gateway);
    let page = to_scan(&browser);
    let token = Scanner::token_in(&page.body);
    let scanner = Scanner::new(token.clone());
    let asks = || assert_eq!(scanner.question(&gateway).unwrap(), Asked::Strings(vec!["device-cert_0_0".into()]));
    let complies = |claimed: &str| {
        assert_eq!(scanner.answer(&gateway, claimed).unwrap(), 200);
        let state = browser.get("/logon/LogonPoint/sg/scan", &[]);
        assert!(state.body.contains("done"), "{state:?}");
    };
    // Before the question nothing counts, and what is no machine's never does.
    assert_eq!(proof(&gateway, &token, &good, ALPN), Some((200, "3".into())));
    asks();
    for (made, alpn) in [(&card(&other, "pc1", 1), ALPN), (&card(&ca, "pc1", 66), ALPN)] {
        assert_eq!(proof(&gateway, &token, made, alpn), Some((200, "3".into())));
    }
    for alpn in [&[][..], &["http/1.1"]] {
        assert_eq!(proof(&gateway, &token, &good, alpn), Some((403, String::new())), "nobody asked on this connection");
    }
    assert_eq!(proof(&gateway, &"0".repeat(64), &good, ALPN), Some((403, String::new())));
    // A proof is good for one question.
    assert_eq!(proof(&gateway, &token, &good, ALPN), Some((200, "0".into())));
    asks();
    complies("0");
    let refused = send(&browser, &page, &[]);
    assert!(refused.body.contains("4018") && session(&gateway, "ann").is_none(), "claimed without a proof: {refused:?}");

    let browser = Browser::new(&gateway);
    let page = to_scan(&browser);
    let token = Scanner::token_in(&page.body);
    let scanner = Scanner::new(token.clone());
    assert_eq!(scanner.question(&gateway).unwrap(), Asked::Strings(vec!["device-cert_0_0".into()]));
    assert_eq!(proof(&gateway, &token, &good, ALPN), Some((200, "0".into())));
    assert_eq!(scanner.answer(&gateway, "0").unwrap(), 200);
    let list = send(&browser, &page, &[]);
    assert!(list.status == 200 && session(&gateway, "ann").is_some(), "{list:?} {}", gateway.log());
}

/// A program that offers to show its machine's certificate is not asked for its user's. So it gets nothing for which everybody has to show
/// one: neither pages nor streams.
#[test]
fn what_is_for_a_machine_opens_nothing_else() {
    let (users, ca) = (Ca::called("Users of ours"), Ca::new());
    let gateway = machines(
        wish("AUTO")
            .file("users.pem", &users.pem)
            .line("add ssl certKey users -cert users.pem")
            .line("set ssl vserver vpn1 -clientAuth ENABLED -clientCert Mandatory")
            .line("bind ssl vserver vpn1 -certkeyName users -CA"),
        &ca,
    );
    let (trusted, machine, user) = (gateway.ca.pem.as_str(), card(&ca, "pc1", 1), card(&users, "ann", 1));
    let (strange, host) = (card(&Ca::called("somebody else"), "ann", 1), Host::echo());
    let ticket = gateway.ticket(host.address).single();
    let paths = ["/", "/vpn/index.html", "/logon/LogonPoint/index.html", "/epatype", "/epaq", "/portal"];
    let get = |tls: &_, path: &str| Web::over(Client::connect(gateway.public(), NAME, tls)?, &gateway).get(path);
    assert_eq!(get(&client::showing(trusted, &user, &[]), "/").unwrap().status, 302, "this is how it is meant");
    for tls in [client::offering(trusted, &[]), client::offering(trusted, &["http/1.1"]), client::showing(trusted, &strange, &[])]
    {
        get(&tls, "/").unwrap_err();
    }
    for tls in [client::offering(trusted, ALPN), client::showing(trusted, &machine, ALPN), client::showing(trusted, &user, ALPN)]
    {
        for path in paths {
            assert_eq!(get(&tls, path).unwrap().status, 404, "{path}");
        }
        assert_eq!(get(&tls, "/epadc").unwrap().status, 403);
        let mut client = Client::connect(gateway.public(), NAME, &tls).unwrap();
        client.present(&ticket, Opening::Pipelined).unwrap_err();
    }
    let mut client = Client::connect(gateway.public(), NAME, &client::showing(trusted, &user, &[])).unwrap();
    assert_eq!(client.present(&ticket, Opening::Pipelined).unwrap(), 0, "the ticket is good");
    until("the ends to be counted", || (gateway.count("closed_unknown_opening") >= 3).then_some(()));
}

#[test]
fn the_agent_shows_the_certificate_that_is_wanted() {
    let (ca, other) = (Ca::called("Machines of ours"), Ca::called("somebody else"));
    let gateway = machines(wish("AUTO"), &ca);
    let _ = program();
    let files = |name: &str, made: &(String, String)| -> PathBuf {
        let _ = write(gateway.dir(), &format!("{name}.crt"), &made.0);
        write(gateway.dir(), &format!("{name}.key"), &made.1).with_extension("crt")
    };
    let (good, strange) = (files("device", &card(&ca, "pc1", 1)), files("strange", &card(&other, "pc1", 1)));
    let revoked = files("revoked", &card(&ca, "pc1", 66));
    for (log, shown, word, code) in [
        ("none.log", &[][..], "no certificate of this machine", 1),
        ("other.log", &[&strange], "no certificate of this machine", 1),
        ("revoked.log", &[&revoked], "does not accept", 1),
        ("both.log", &[&strange, &good], "yes  device-cert_0_0", 0),
    ] {
        let browser = Browser::new(&gateway);
        let page = to_scan(&browser);
        let args: Vec<String> = shown.iter().flat_map(|file| ["--device-cert".to_owned(), file.display().to_string()]).collect();
        let mut agent = Agent::with(&gateway, &page, log, &args);
        let ended = agent.running.wait().code();
        assert!(ended == Some(code) && agent.said().contains(word), "{log}: {ended:?} {}", agent.said());
        let _ = send(&browser, &page, &[]);
        assert_eq!(session(&gateway, "ann").is_some(), code == 0, "{log}: {}", gateway.log());
    }
}
