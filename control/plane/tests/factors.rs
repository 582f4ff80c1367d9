//! Logins in factors over the wire: what native clients and scripts read, what browsers are shown, the exchange with the app that looks at a
//! device, and what becomes of whoever plays with it.
#![expect(clippy::unwrap_used, reason = "what fails here has failed the test")]

#[expect(dead_code, reason = "each test file uses its part of the kit")]
mod kit;

use gate_proto::epa::envelope::Envelope;
use gate_proto::forms::Answer;
use gate_proto::forms::state::State;
use gate_proto::forms::words::{Outcome, Status};
use kit::FQDN;
use kit::operator::{ADMIN, Live};
use kit::somebody::{ALICE, BOB, FIRST, FORM, Somebody, answer};

/// What clients say that scan by themselves.
const SCANS: &str = "X-Citrix-AM-CredentialTypes: none, username, password, nsg-epa\r\n";
const SCANNED: &str = "/nf/auth/doEPA.do";
const PAGE: &str = "/logon/LogonPoint/index.html";

/// A virtual server whose users log in with a password, and then with what `factors` says.
fn config(factors: &str) -> String {
    format!(
        "enable ns feature SSLVPN AAA\nset vpn parameter -ntDomain DEMO\nadd ssl certKey gw -cert gw.pem -key gw.key\n\
         add aaa user alice -password {ALICE} -encrypted -hashmethod ARGON2ID\n\
         add aaa user bob -password {BOB} -encrypted -hashmethod ARGON2ID\n\
         add vpn vserver gw SSL 192.0.2.1 443 -vserverFqdn {FQDN}\nbind ssl vserver gw -certkeyName gw\n\
         add vpn allowedHost all 0.0.0.0/0 -port 1494 -allowLoopback YES\n\
         add farm server farm 127.0.0.1 0 -authorityID STA01\nadd farm resource Notepad -host 10.11.12.13:1494\n\
         bind farm resource Notepad -everyone\n\
         add authentication vserver first SSL 0.0.0.0\nadd authentication Policy password -rule true -action LOCAL\n\
         {factors}\n\
         add authentication authnProfile profile -authnVsName first\nset vpn vserver gw -authnProfile profile\n"
    )
}

/// A password is enough.
fn password() -> Live {
    Live::of(&config("bind authentication vserver first -policy password -priority 10 -gotoPriorityExpression END"))
}

/// A password, then a look at the device.
fn password_and_scan(action: &str) -> Live {
    Live::of(&config(&format!(
        "add authentication epaAction look -csecexpr \"sys.client_expr(\\\"proc_0_firefox\\\") && sys.client_expr(\\\"file_0_/etc/ok\\\")\" {action}\n\
         add authentication Policy look -rule true -action look\n\
         add authentication policylabel device -loginSchema LSCHEMA_INT\n\
         bind authentication policylabel device -policyName look -priority 100 -gotoPriorityExpression END\n\
         bind authentication vserver first -policy password -priority 10 -gotoPriorityExpression END -nextFactor device"
    )))
}

/// What is shown as an error.
fn error_of(answer: &Answer) -> Option<&str> {
    let lines = answer.requirements.iter().flat_map(|form| &form.all);
    let mut errors = lines.filter(|line| line.label.kind.as_str().contains("error")).map(|line| line.label.text.as_deref());
    errors.next().flatten()
}

/// Compares with `tests/golden/NAME`; `UPDATE=1` writes it.
fn golden(name: &str, body: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, body).unwrap();
    }
    assert_eq!(body, std::fs::read_to_string(&path).unwrap(), "{name}");
}

#[test]
fn answers_are_these_to_the_letter() {
    let live = password_and_scan("");
    let mut program = Somebody::new(&live, SCANS);
    golden("first.xml", &program.post("/p/u/getAuthenticationRequirements.do", &[]).text());
    let form = program.begin();
    let fields = [("login", "alice"), ("passwd", "wrong"), ("StateContext", &*form.state)];
    let wrong = program.post(FORM, &fields);
    golden("wrong.xml", &wrong.text());
    let right = [("login", "alice"), ("passwd", "s3cret"), ("StateContext", &*answer(&wrong).state)];
    golden("scan.xml", &program.post(FORM, &right).text());
    program.scan("00");
    golden("success.xml", &program.post(SCANNED, &[("nsg-epa", "success")]).text());
    golden("chosen.xml", &program.post("/p/u/setClient.do", &[("nsg-setclient", "wica")]).text());
    golden("cancelled.xml", &program.post("/nf/auth/doLogoff.do", &[("StateContext", "")]).text());
    let mut stranger = Somebody::new(&live, "");
    golden("lost.xml", &stranger.post(FORM, &[("login", "a"), ("StateContext", "%")]).text());
    golden("methods.xml", &stranger.post("/cgi/GetAuthMethods", &[]).text());
    golden("encryption.json", &stranger.get("/nf/auth/getECdetails").text());
    golden("configuration.xml", &stranger.post("/logon/LogonPoint/Home/Configuration", &[]).text());
}

#[test]
fn a_program_logs_in_with_password_and_scan() {
    let live = password_and_scan("-defaultEPAGroup healthy -killProcess evil.exe");
    let mut program = Somebody::new(&live, SCANS);
    let form = program.begin();
    assert_eq!(form.result, Outcome::MoreInfo);
    let before = program.cookie("NSC_TMAS").unwrap().to_owned();
    assert_eq!((before.len(), program.cookie("NSC_EPAC")), (64, Some(&*before)));

    let wrong = program.log_in(&form, "alice", "wrong");
    assert_eq!(wrong.status, Status::Success, "it was processed");
    assert!(error_of(&wrong).is_some_and(|text| text.contains("Incorrect")), "{wrong:?}");
    let scan = program.log_in(&wrong, "alice", "s3cret");
    assert_eq!(error_of(&scan), None);
    assert_eq!(scan.requirements.as_ref().unwrap().all[0].credential.kind.as_str(), "nsg-epa");
    assert_ne!(program.cookie("NSC_TMAS"), Some(&*before), "a new name at each factor");

    let (question, verdict) = program.scan("00");
    assert_eq!((&*question, &*verdict), ("proc_0_firefox;file_0_/etc/ok;", "0"));
    let done = answer(&program.post(SCANNED, &[("nsg-epa", "success"), ("StateContext", &scan.state)]));
    assert_eq!((&done.result, done.redirect.as_deref()), (&Outcome::Success, Some("/p/u/setClient.do")));
    let login = program.cookie("NSC_AAAC").unwrap();
    assert_eq!(login.len(), 64);
    assert!(program.cookie("NSC_TMAS").is_none() && program.cookie("__Host-sg-flow").is_none());
    let chosen = answer(&program.post("/p/u/setClient.do", &[("nsg-setclient", "wica")]));
    assert_eq!(chosen.redirect.as_deref(), Some("/Citrix/StoreWeb/"));
    assert!(program.get("/portal").text().contains("Notepad"));
    assert_eq!(program.send("GET", "/epaq", "Date: 1\r\n", "").status, 403, "nothing is to be repeated");
}

#[test]
fn what_an_app_is_to_do_goes_to_apps_of_ours_only() {
    let live = password_and_scan("-killProcess evil.exe -deletefiles /tmp/bad");
    let mut program = Somebody::new(&live, SCANS);
    let form = program.begin();
    program.log_in(&form, "alice", "s3cret");
    let theirs = program.send("GET", "/epaq", "Date: 7\r\n", "");
    assert!(theirs.fields("x-sluicegate-epa-actions").is_empty());
    let ours = program.send("GET", "/epaq", "Date: 7\r\nX-Sluicegate-EPA: periodic\r\n", "");
    let envelope = Envelope::derive(program.cookie("NSC_EPAC").unwrap(), b"7", FQDN.as_bytes()).unwrap();
    let orders = envelope.open(ours.field("x-sluicegate-epa-actions").as_bytes()).unwrap();
    assert_eq!(&orders[..], b"kill=evil.exe&delete=%2Ftmp%2Fbad");
}

#[test]
fn a_failed_scan_ends_the_login_unless_there_is_a_quarantine() {
    for (digits, action, is_in) in
        [("30", "", false), ("0", "", false), ("", "", false), ("000", "", false), ("03", "-quarantineGroup apart", true)]
    {
        let live = password_and_scan(action);
        let mut program = Somebody::new(&live, SCANS);
        let form = program.begin();
        let scan = program.log_in(&form, "alice", "s3cret");
        let (_, verdict) = program.scan(digits);
        assert_eq!(verdict, "3", "{digits}");
        let done = answer(&program.post(SCANNED, &[("nsg-epa", "success"), ("StateContext", &scan.state)]));
        assert_eq!(done.result == Outcome::Success, is_in, "{digits} {action}: {done:?}");
        assert_eq!(program.cookie("NSC_AAAC").is_some(), is_in);
        if !is_in {
            assert_eq!(program.cookie("NSC_VPNERR"), Some("4018"));
        }
    }
}

#[test]
fn who_cannot_scan_has_not_passed() {
    for (action, is_in) in [("", false), ("-quarantineGroup apart", true)] {
        let live = password_and_scan(action);
        let mut program = Somebody::new(&live, "");
        let form = program.begin();
        let done = program.log_in(&form, "alice", "s3cret");
        assert_eq!(done.result, if is_in { Outcome::Success } else { Outcome::Fail });
    }
}

#[test]
fn scripts_begin_with_the_form_that_they_know_by_heart() {
    let live = password();
    let mut script = Somebody::new(&live, "");
    let known = State::first().write();
    let wrong = answer(&script.post(FORM, &[("login", "alice"), ("passwd", "wrong"), ("StateContext", &known)]));
    assert!(error_of(&wrong).is_some());
    let right = answer(&script.post(FORM, &[("login", "alice"), ("passwd", "s3cret"), ("StateContext", &known)]));
    assert_eq!(right.result, Outcome::Success, "again, with the cookie that it got");
    assert!(script.cookie("NSC_AAAC").is_some());
    let mut another = Somebody::new(&live, "");
    let right = answer(&another.post("/p/u/doAuthentication.do", &[("login", "bob"), ("passwd", "hunter2")]));
    assert_eq!(right.result, Outcome::Success, "at once, without any context");
}

#[test]
fn old_foreign_and_doubled_steps_never_go_on() {
    let live = password_and_scan("");
    let mut alice = Somebody::new(&live, SCANS);
    let first = alice.begin();
    let wrong = alice.log_in(&first, "alice", "wrong");
    // An old form, though the password in it is right, shows the one of now.
    let again = alice.log_in(&first, "alice", "s3cret");
    assert_eq!(again.state, wrong.state);
    // The first form by heart is still the one that is shown; for the next factor it is not.
    let scan = alice.log_in(&wrong, "alice", "s3cret");
    assert_eq!(alice.log_in(&wrong, "alice", "s3cret").state, scan.state);
    let by_heart = alice.log_in(&Answer { state: State::first().write(), ..first.clone() }, "alice", "s3cret");
    assert_eq!(by_heart.state, scan.state);
    // A scan that was not made has failed, whatever is claimed; an older step does not even count.
    let stale = answer(&alice.post(SCANNED, &[("nsg-epa", "success"), ("StateContext", &wrong.state)]));
    assert_eq!(stale.state, scan.state);

    // Bob's cookie with Alice's context: his own form.
    let mut bob = Somebody::new(&live, SCANS);
    let his = bob.begin();
    assert_eq!(bob.log_in(&scan, "alice", "s3cret").state, his.state);
    // Alice's cookie of before the rotation is nobody's.
    let mut late = Somebody::new(&live, SCANS);
    late.cookies = vec![("NSC_TMAS".into(), "0".repeat(64))];
    let lost = answer(&late.post(SCANNED, &[("nsg-epa", "success"), ("StateContext", &scan.state)]));
    assert_eq!(lost.status, Status::StateInvalid);
    assert!(late.cookie("NSC_AAAC").is_none());
}

#[test]
fn a_cookie_from_before_does_not_become_a_login() {
    let live = password();
    let planted = "ab".repeat(32);
    let mut victim = Somebody::new(&live, "");
    victim.cookies = vec![("NSC_TMAS".into(), planted.clone()), ("NSC_AAAC".into(), planted.clone())];
    let form = victim.begin();
    assert_ne!(victim.cookie("NSC_TMAS"), Some(&*planted));
    let before = victim.cookie("NSC_TMAS").unwrap().to_owned();
    assert_eq!(victim.log_in(&form, "alice", "s3cret").result, Outcome::Success);
    let login = victim.cookie("NSC_AAAC").unwrap();
    assert!(login != planted && login != before);
    for stolen in [planted, before] {
        let mut thief = Somebody::new(&live, "");
        thief.cookies = vec![("NSC_AAAC".into(), stolen.clone()), ("NSC_TMAS".into(), stolen)];
        assert_eq!(thief.get("/portal").status, 303);
        assert_eq!(thief.begin().result, Outcome::MoreInfo, "begins anew");
    }
}

#[test]
fn a_password_alone_is_no_way_round_the_factors() {
    let live = password_and_scan("");
    let mut script = Somebody::new(&live, "");
    let reply = script.post("/cgi/login", &[("login", "alice"), ("passwd", "s3cret")]);
    assert_eq!((reply.status, reply.field("location")), (303, PAGE));
    assert!(script.cookie("NSC_AAAC").is_none());
    for path in ["/", "/vpn/index.html", "/vpn/tmindex.html"] {
        let mut at = path.to_owned();
        for _ in 0..2 {
            let reply = script.get(&at);
            if reply.status == 302 {
                at = reply.field("location").to_owned();
            }
        }
        assert!(at.starts_with("/logon/LogonPoint/"), "{path}: {at}");
    }
}

#[test]
fn a_virtual_server_without_factors_has_none_of_this() {
    let text = config("").replace("set vpn vserver gw -authnProfile profile\n", "");
    let live = Live::of(&text);
    let mut program = Somebody::new(&live, "");
    for path in [FIRST, FORM, SCANNED, "/p/u/doAuthentication.do", "/nf/auth/doLogoff.do"] {
        assert_eq!(program.post(path, &[]).status, 404, "{path}");
    }
    assert_eq!(program.get(PAGE).field("location"), "/vpn/index.html");
    assert_eq!(program.get("/vpn/index.html").status, 200);
    program.cookies = vec![("NSC_EPAC".into(), "ab".repeat(32))];
    assert_eq!(program.send("GET", "/epaq", "Date: 1\r\n", "").status, 403);
}

#[test]
fn a_browser_logs_in_without_scripts() {
    let live = password_and_scan("");
    let mut browser = Somebody::new(&live, "Sec-Fetch-Site: same-origin\r\nAccept-Language: ja\r\n");
    let page = browser.get(PAGE);
    assert!(page.text().contains("<html lang=\"ja\">") && page.text().contains("autocomplete=\"username\""), "{page:?}");
    let context = page.hidden("StateContext");
    let fields = [("login", "alice"), ("passwd", "wrong<b>"), ("StateContext", &*context), ("sg-page", "1")];
    let wrong = browser.post(FORM, &fields);
    assert_eq!(wrong.status, 403, "password managers see that it was wrong");
    assert!(wrong.text().contains("role=\"alert\"") && !wrong.text().contains("<b>"));
    let context = wrong.hidden("StateContext");
    let fields = [("login", "alice"), ("passwd", "s3cret"), ("StateContext", &*context), ("sg-page", "1")];
    let scan = browser.post(FORM, &fields);
    assert_eq!(scan.status, 200);
    let token = browser.cookie("__Host-sg-flow").unwrap().to_owned();
    assert!(scan.text().contains(&format!("nsgcepa://nsgcepa/epav2plugin/{FQDN}/{token}/")), "{scan:?}");
    let policy = scan.field("content-security-policy");
    assert!(
        policy.contains("script-src 'nonce-")
            && policy.contains("connect-src 'self'; frame-src nsgcepa:;")
            && !policy.contains("unsafe"),
        "{policy}"
    );
    let script = scan.text().split("src=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let script = browser.get(&script);
    assert_eq!((script.status, script.field("content-type")), (200, "text/javascript; charset=utf-8"));
    assert!(script.field("cache-control").contains("immutable"));

    let poll = "/logon/LogonPoint/sg/scan";
    assert_eq!(browser.get(poll).text(), "{\"scan\":\"waiting\"}");
    // Who goes on too early is told so, and has not failed.
    let fields = [("nsg-epa", "success"), ("StateContext", &*scan.hidden("StateContext")), ("sg-page", "1")];
    let early = browser.post(SCANNED, &fields);
    assert!(early.status == 200 && early.text().contains("アプリからまだ応答がありません"), "{early:?}");
    let mut app = Somebody::new(&live, "");
    app.cookies = vec![("NSC_EPAC".into(), token)];
    assert_eq!(app.send("GET", "/epatype", "Date: 1\r\n", "").status, 200);
    assert_eq!(browser.get(poll).text(), "{\"scan\":\"begun\"}");
    app.scan("00");
    assert_eq!(browser.get(poll).text(), "{\"scan\":\"done\"}");
    let fields = [("nsg-epa", "success"), ("StateContext", &*scan.hidden("StateContext")), ("sg-page", "1")];
    let done = browser.post(SCANNED, &fields);
    assert_eq!((done.status, done.field("location")), (303, "/portal"));
    assert!(browser.get("/portal").text().contains("Notepad"));
    assert_eq!(browser.get(PAGE).field("location"), "/portal");
}

#[test]
fn two_tabs_are_one_conversation() {
    fn fields<'f>(password: &'f str, context: &'f str) -> [(&'f str, &'f str); 4] {
        [("login", "alice"), ("passwd", password), ("StateContext", context), ("sg-page", "1")]
    }
    let live = password();
    let mut browser = Somebody::new(&live, "Sec-Fetch-Site: same-origin\r\n");
    let (one, other) = (browser.get(PAGE).hidden("StateContext"), browser.get(PAGE).hidden("StateContext"));
    assert_eq!(one, other);
    let wrong = browser.post(FORM, &fields("wrong", &one));
    let stale = browser.post(FORM, &fields("s3cret", &other));
    assert_eq!(stale.hidden("StateContext"), wrong.hidden("StateContext"), "the form of now, and no login");
    assert!(browser.cookie("__Host-sg-login").is_none());
    let now = stale.hidden("StateContext");
    assert_eq!(browser.post(FORM, &fields("s3cret", &now)).field("location"), "/portal");
    let late = browser.post(FORM, &fields("s3cret", &other));
    assert_eq!((late.status, late.field("location")), (303, "/portal"), "in already");
    assert!(late.fields("set-cookie").is_empty());
}

#[test]
fn a_browser_is_told_why_there_is_no_login() {
    let live = password_and_scan("");
    let mut browser = Somebody::new(&live, "Sec-Fetch-Site: same-origin\r\n");
    let page = browser.get(PAGE);
    let fields = [("login", "alice"), ("passwd", "s3cret"), ("StateContext", &*page.hidden("StateContext")), ("sg-page", "1")];
    let scan = browser.post(FORM, &fields);
    let fields = [("nsg-epa", "skipped"), ("StateContext", &*scan.hidden("StateContext")), ("sg-page", "1")];
    let over = browser.post(SCANNED, &fields);
    assert_eq!(over.status, 403);
    assert!(over.text().contains("4018") && over.text().contains(&format!("href=\"{PAGE}\"")), "{over:?}");
    assert!(browser.cookie("__Host-sg-flow").is_none() && browser.cookie("__Host-sg-login").is_none());
    // A page that lay open says so, and shows the form of now.
    let late = browser.post(FORM, &[("login", "alice"), ("StateContext", &scan.hidden("StateContext")), ("sg-page", "1")]);
    assert_eq!(late.status, 200);
    assert!(late.text().contains("open for too long") && late.text().contains("name=\"login\""), "{late:?}");
    let cancelled = browser.post("/nf/auth/doLogoff.do", &[("StateContext", ""), ("sg-page", "1")]);
    assert!(cancelled.text().contains("cancelled"), "{cancelled:?}");
}

#[test]
fn the_next_page_says_why_a_session_is_over() {
    let live = password();
    let mut browser = Somebody::new(&live, "Sec-Fetch-Site: same-origin\r\n");
    let page = browser.get(PAGE);
    let fields = [("login", "alice"), ("passwd", "s3cret"), ("StateContext", &*page.hidden("StateContext")), ("sg-page", "1")];
    assert_eq!(browser.post(FORM, &fields).status, 303);
    live.operator(ADMIN).say("kill aaa session -userName alice").done();
    assert_eq!(browser.get("/portal").status, 303);
    let page = browser.get(PAGE);
    assert!(page.text().contains("An administrator has ended your session."), "{page:?}");
    assert!(browser.cookie("__Host-sg-login").is_none());
    assert!(!browser.get(PAGE).text().contains("administrator"), "said once");
}

#[test]
fn bad_fields_get_a_clean_answer_and_nothing_back() {
    let live = password();
    let long = "x".repeat(65_000);
    for field in ["login", "passwd", "passwd1", "domain", "StateContext", "nsg-x1-logon-button", "unknown"] {
        for (value, status) in [
            (String::new(), 200),
            (field.to_owned(), 200),
            (format!("{field}="), 200),
            (format!("{field}=a&{field}=b"), 400),
            (format!("{field}=a%00b"), 400),
            (format!("{field}=%0d%0aSet-Cookie:x=y"), 200),
            (format!("{field}={long}"), 200),
            (format!("{field}=%3Cscript%3Ecanary%3C/script%3E"), 200),
        ] {
            for (path, page) in
                [(FORM, ""), ("/p/u/doAuthentication.do", "&sg-page=1"), (SCANNED, ""), ("/nf/auth/doCredentialUpdate.do", "")]
            {
                let mut stranger = Somebody::new(&live, "");
                let body = format!("{value}{page}");
                let reply = stranger.send("POST", path, "", body.trim_start_matches('&'));
                let shown = &body[..body.len().min(60)];
                let fits = reply.status == status || (status == 200 && [200, 403].contains(&reply.status));
                assert!(fits, "{path} {shown}: {}", reply.status);
                assert!(!reply.text().contains("canary") && !reply.text().contains("xxxx"), "{path} {shown}");
                assert!(!reply.head.to_lowercase().contains("set-cookie: x"), "{path} {shown}");
                assert!(stranger.cookie("NSC_AAAC").is_none(), "{path} {shown}");
            }
        }
    }
    let mut stranger = Somebody::new(&live, "");
    let too_long = format!("login={}", "x".repeat(64 * 1024));
    assert_eq!(stranger.send("POST", FORM, "", &too_long).status, 413);
}

#[test]
fn other_sites_and_unknown_cookies_get_nothing() {
    let live = password_and_scan("");
    for path in [FIRST, FORM, SCANNED, "/nf/auth/doLogoff.do"] {
        for more in ["Origin: https://evil.test\r\n", "Sec-Fetch-Site: cross-site\r\n"] {
            let mut other = Somebody::new(&live, "");
            let reply = other.send("POST", path, more, "login=alice&passwd=s3cret");
            assert_eq!(reply.status, 403, "{path} {more}");
            assert!(other.cookies.is_empty());
        }
    }
    for path in ["/epatype", "/epaq", "/epas", "/logon/LogonPoint/sg/scan"] {
        for cookies in [vec![], vec![("NSC_EPAC".to_owned(), "0".repeat(64))], vec![("NSC_EPAC".to_owned(), "short".to_owned())]]
        {
            let mut stranger = Somebody::new(&live, "");
            stranger.cookies = cookies;
            let reply = stranger.send("GET", path, "Date: 1498797356\r\nCSEC: AAAA\r\n", "");
            assert_eq!((reply.status, reply.body.len()), (403, 0), "{path}");
            assert!(reply.fields("csec").is_empty());
        }
    }
}

#[test]
fn the_exchange_goes_in_the_clear_if_the_operator_wants_that() {
    let text =
        config("").replace("set vpn parameter -ntDomain DEMO", "set vpn parameter -ntDomain DEMO -encryptCsecExp DISABLED");
    let text = text.replace(
        "add authentication authnProfile",
        "add authentication epaAction look -csecexpr \"sys.client_expr(\\\"proc_0_firefox\\\")\"\n\
         add authentication Policy look -rule true -action look\n\
         bind authentication vserver first -policy look -priority 10 -gotoPriorityExpression END\n\
         add authentication authnProfile",
    );
    let live = Live::of(&text);
    let mut program = Somebody::new(&live, SCANS);
    program.begin();
    assert_eq!(program.get("/epaq").field("csec"), "proc_0_firefox;");
    assert_eq!(program.send("GET", "/epas", "CSEC: 0\r\n", "").text(), "0");
    let done = answer(&program.post(SCANNED, &[("nsg-epa", "success")]));
    assert_eq!(done.result, Outcome::Success, "the scan alone logs in");
    let page = program.get("/portal");
    assert!(page.text().contains("without a user name"), "{page:?}");
}

#[test]
fn every_route_wants_what_its_class_says() {
    let live = password_and_scan("");
    for name in ["nsepa.deb", "sluice-epa", "sluice-epa.tar.gz"] {
        live.disk.put(&format!("epa/{name}"), name);
    }
    live.operator(ADMIN).say("set vpn parameter -epaAgentFolder epa").done();
    let mut in_session = Somebody::new(&live, SCANS);
    let form = in_session.begin();
    let scan = in_session.log_in(&form, "alice", "s3cret");
    let mut flow = Somebody::new(&live, SCANS);
    flow.begin();
    in_session.scan("00");
    assert_eq!(answer(&in_session.post(SCANNED, &[("StateContext", &scan.state)])).result, Outcome::Success);
    let expired = vec![("NSC_AAAC".to_owned(), "1".repeat(64)), ("NSC_TMAS".to_owned(), "2".repeat(64))];
    for (method, path, class) in gate_plane::routes() {
        for (who, cookies) in [("nobody", vec![]), ("flow", flow.cookies.clone()), ("expired", expired.clone())] {
            let mut somebody = Somebody::new(&live, "");
            somebody.cookies = cookies;
            let reply = somebody.send(method, path, "", "");
            let place = reply.fields("location").first().copied().unwrap_or_default().to_owned();
            let refused = match class {
                "open" | "conversation" => reply.status < 400,
                "asking" => reply.status < 400 || (reply.status, reply.body.len()) == (403, 0),
                "scan" if who == "flow" => reply.fields("csec").is_empty(),
                "login form" => reply.status == 303 && place == PAGE,
                "scan" => reply.status == 403,
                "login" | "login and token" => reply.status == 303 && place == PAGE,
                other => panic!("{other}"),
            };
            assert!(refused, "{method} {path} ({class}) as {who}: {reply:?}");
            assert!(!reply.text().contains("Notepad"), "{path} as {who}");
            assert!(somebody.cookie("NSC_AAAC").is_none_or(|held| held == "1".repeat(64)), "{path} as {who}");
        }
        if class == "login and token" {
            assert_eq!(in_session.send(method, path, "", "").status, 403, "{path} without its token");
        }
    }
    assert_eq!(in_session.get("/portal").status, 200, "and the login is still there");
}

#[test]
fn the_agent_is_handed_out_where_there_is_one() {
    let live = password_and_scan("");
    let mut browser = Somebody::new(&live, "Sec-Fetch-Site: same-origin\r\n");
    let paths = ["/epa/scripts/linux/nsepa.deb", "/epa/scripts/linux/sluice-epa", "/epa/scripts/linux/sluice-epa.tar.gz"];
    for path in paths {
        assert_eq!(browser.get(path).status, 404, "{path}");
    }
    // Long enough that it is written in many turns.
    let program: Vec<u8> = (0..3_000_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    live.disk.put("epa/sluice-epa", program.clone());
    live.operator(ADMIN).say("set vpn parameter -epaAgentFolder epa").done();
    let whole = browser.get(paths[1]);
    assert_eq!((whole.status, whole.field("content-type")), (200, "application/octet-stream"));
    assert!(whole.body == program, "{} bytes", whole.body.len());
    assert_eq!(whole.field("x-content-type-options"), "nosniff");
    let tag = whole.field("etag").to_owned();
    let again = browser.send("GET", paths[1], &format!("If-None-Match: {tag}\r\n"), "");
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(browser.get(paths[0]).status, 404);
    for path in ["/epa/scripts/linux/../ns.conf", "/epa/scripts/linux/ns.conf", "/epa/sluice-epa"] {
        assert!([400, 404].contains(&browser.get(path).status), "{path}");
    }
    live.operator(ADMIN).say("unset vpn parameter -epaAgentFolder").done();
    assert_eq!(browser.get(paths[1]).status, 404);
}
