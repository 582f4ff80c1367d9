//! Who may pass: the published scenario word for word, with a real directory, scans over the real exchange, and sessions that end with
//! their streams.
//!
//! ```text
//!   first form ─► name and password (slapd) ─► scan ─► session ─► launch ─► stream ··· scan again: passed ··· failed ─► stream and session end
//! ```

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use serde_json::Value;
use sluicegate_tests::browser::{Answer, Browser};
use sluicegate_tests::certs::Ca;
use sluicegate_tests::client::{Client, Opening};
use sluicegate_tests::console::Said;
use sluicegate_tests::deadline::until;
use sluicegate_tests::directory::{self, Directory};
use sluicegate_tests::gateway::{Gateway, Wish};
use sluicegate_tests::host::Host;
use sluicegate_tests::scanner::{Asked, Scanner};
use sluicegate_tests::web::Web;

use crate::portal::{click, ica_value};
use crate::wish;

on_each_engine!(
    the_published_scenario_in_a_browser,
    a_script_passes_the_same_factors,
    who_stops_scanning_loses_session_and_stream,
);

/// Somebody in the directory.
pub(crate) const ANN: (&str, &str) = ("ann", "ann's secret 1");

/// The listing as it is published: inner quotes without backslashes, the two lines of the directory in the middle.
pub(crate) const LISTING: &[&str] = &[
    r#"add authentication epaAction EPA-client-scan -csecexpr "sys.client_expr("proc_2_firefox")""#,
    "add authentication Policy EPA-check -rule true -action EPA-client-scan",
    "add authentication policylabel post-ldap-epa-scan -loginSchema LSCHEMA_INT",
    "bind authentication policylabel post-ldap-epa-scan -policyName EPA-check -priority 100 -gotoPriorityExpression END",
    "add authentication Policy ldap-auth -rule true -action ldap_server1",
    "bind authentication vserver MFA_AAA_vserver -policy ldap-auth -priority 100 -nextFactor post-ldap-epa-scan \
     -gotoPriorityExpression NEXT",
];

/// What the listing takes for granted: virtual servers, the directory. A minute of scans lasts a second here.
pub(crate) fn assumed(engine: &'static str, directory: &Directory) -> Wish {
    ground(engine, directory)
        .line("add authentication vserver MFA_AAA_vserver SSL 0.0.0.0")
        .line("add authentication authnProfile nfactor -authnVsName MFA_AAA_vserver")
        .line("set vpn vserver vpn1 -authnProfile nfactor")
}

/// A gateway that knows the directory as `ldap_server1`.
pub(crate) fn ground(engine: &'static str, directory: &Directory) -> Wish {
    wish(engine)
        .line(format!(
            "add authentication ldapAction ldap_server1 -serverIP {} -serverPort {} -ldapBase \"{}\" -ldapBindDn \"{}\" \
             -ldapBindDnPassword \"{}\" -ldapLoginName uid -groupAttrName memberOf -subAttributeName cn -secType PLAINTEXT",
            directory.plain.ip(),
            directory.plain.port(),
            directory::BASE,
            directory::SERVICE,
            directory::SERVICE_PASSWORD
        ))
        .line("set aaa parameter -periodicEpaMinute 1 -periodicEpaGrace 3")
}

pub(crate) fn with_lines(wish: Wish, lines: &[&str]) -> Wish {
    lines.iter().fold(wish, |wish, line| wish.line(*line))
}

/// ... and publishes `host` as Notepad for everyone.
pub(crate) fn publishing(wish: Wish, host: &Host) -> Gateway {
    wish.line("set ns limits -unprovenPerSource 20000")
        .line(format!("add farm resource Notepad -host {}", host.address))
        .line("bind farm resource Notepad -everyone")
        .start()
}

/// The rows of an answer in JSON.
pub(crate) fn rows(said: Said) -> Vec<Value> {
    let answer = said.json();
    assert_eq!(answer["errorcode"], 0, "{answer}");
    // Where there are none, the answer does not name them.
    answer.as_object().unwrap().values().find_map(Value::as_array).cloned().unwrap_or_default()
}

/// Follows a redirect, if it is one.
pub(crate) fn followed(browser: &Browser, answer: Answer) -> Answer {
    if (300..400).contains(&answer.status) { browser.get(answer.header("location"), &[]) } else { answer }
}

/// Fills the first form of `page` and sends it.
pub(crate) fn send(browser: &Browser, page: &Answer, fields: &[(&str, &str)]) -> Answer {
    let form = page.form(0);
    let mut all: Vec<(&str, &str)> = form.hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    all.extend(fields);
    followed(browser, browser.post(&form.action, &all))
}

/// The first page of a browser.
pub(crate) fn first(browser: &Browser) -> Answer {
    let start = followed(browser, browser.get("/", &[]));
    let page = followed(browser, start);
    assert_eq!(page.status, 200, "{page:?}");
    page
}

/// The session of `user` as operators see it.
pub(crate) fn session(gateway: &Gateway, user: &str) -> Option<Value> {
    let sessions = rows(gateway.console().run("show aaa session -format json"));
    sessions.into_iter().find(|row| row["userName"] == user)
}

/// A stream through a launch of Notepad.
pub(crate) fn launched(gateway: &Gateway, browser: &Browser, page: &Answer) -> Client {
    let file = click(browser, page, "Notepad");
    assert_eq!(file.status, 200, "{file:?}");
    let mut client = gateway.connect();
    assert_eq!(client.present(ica_value(&file.body, "Address"), Opening::Pipelined).unwrap(), 0, "{}", gateway.log());
    there_and_back(&mut client);
    client
}

pub(crate) fn there_and_back(client: &mut Client) {
    client.stream.write_all(b"keystroke").unwrap();
    let mut back = [0; 9];
    client.stream.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"keystroke");
}

/// Waits until the gateway has ended a stream.
pub(crate) fn ends(client: &mut Client) {
    let mut rest = [0; 16];
    // Whichever way it ends, it ends: nothing more comes.
    assert_eq!(client.stream.read(&mut rest).unwrap_or(0), 0);
}

fn the_published_scenario_in_a_browser(engine: &'static str) {
    let (ca, host) = (Ca::new(), Host::echo());
    let directory = Directory::start(&ca);
    let gateway = publishing(with_lines(assumed(engine, &directory), LISTING), &host);
    let browser = Browser::new(&gateway);

    let form = first(&browser);
    let wrong = send(&browser, &form, &[("login", ANN.0), ("passwd", "not it")]);
    assert!(wrong.status < 500 && wrong.body.contains("role=\"alert\""), "{wrong:?}");
    assert!(session(&gateway, ANN.0).is_none());
    let scan = send(&browser, &wrong, &[("login", ANN.0), ("passwd", ANN.1)]);
    assert!(scan.body.contains("nsgcepa://nsgcepa/epav2plugin/"), "{scan:?}");
    assert!(session(&gateway, ANN.0).is_none(), "a password alone is not enough");

    // The agent: asks, looks, answers.
    let scanner = Scanner::new(Scanner::token_in(&scan.body)).that_repeats();
    assert!(scanner.is_wanted(&gateway).unwrap());
    assert_eq!(scanner.question(&gateway).unwrap(), Asked::Strings(vec!["proc_2_firefox".to_owned()]));
    assert_eq!(scanner.answer(&gateway, "0").unwrap(), 200);
    let list = send(&browser, &scan, &[]);
    assert!(list.body.contains("Notepad"), "{list:?}");

    let mut stream = launched(&gateway, &browser, &list);
    let seen = session(&gateway, ANN.0).unwrap_or_else(|| panic!("no session of ann: {}", gateway.log()));
    let connections = rows(gateway.console().run("show vpn icaConnection -format json"));
    assert_eq!(connections.len(), 1, "{connections:?}");
    assert_eq!(connections[0]["sessionKey"], seen["sessionKey"], "{connections:?} {seen:?}");

    // Repeated while it passes, for longer than one interval and its grace: the stream goes on.
    let mut repeats = 0;
    until("a few intervals to pass", || {
        assert_eq!(scanner.question(&gateway).unwrap(), Asked::Strings(vec!["proc_2_firefox".to_owned()]));
        assert_eq!(scanner.answer(&gateway, "0").unwrap(), 200);
        repeats += 1;
        there_and_back(&mut stream);
        let session = session(&gateway, ANN.0).unwrap_or_else(|| panic!("the session has ended: {}", gateway.log()));
        assert_eq!(session["sessionKey"], seen["sessionKey"]);
        (session["ageSeconds"].as_u64().unwrap_or(0) >= 7).then_some(())
    });
    assert!(repeats > 1);

    // Firefox is ended. Stream and session are gone, and everybody concerned is told why.
    let status = scanner.answer(&gateway, "3").unwrap();
    assert!([200, 403].contains(&status), "{status}");
    ends(&mut stream);
    until("the session to be gone", || session(&gateway, ANN.0).is_none().then_some(()));
    assert_eq!(scanner.question(&gateway).unwrap(), Asked::Refused(403));
    let told = followed(&browser, browser.get("/portal", &[]));
    assert!(told.body.contains("device"), "the user is told why: {told:?}");
    assert!(!told.body.contains("Notepad"));
    let ended = rows(gateway.console().run("show aaa session -ended -format json"));
    assert!(ended.len() == 1 && ended[0]["endReason"].as_str().unwrap_or_default().to_lowercase().contains("scan"), "{ended:?}");
    let trace = gateway.console().run("show authentication trace").done();
    for word in ["ldap-auth", "EPA-check", "post-ldap-epa-scan"] {
        assert!(trace.contains(word), "{word}: {trace}");
    }
    assert!(!gateway.log().contains(ANN.1) && !trace.contains(ANN.1), "no password is told to anybody");
    let refused = click(&browser, &list, "Notepad");
    assert_ne!(refused.status, 200, "{refused:?}");
}

/// The text between two tags.
pub(crate) fn tagged<'a>(answer: &'a Answer, tag: &str) -> &'a str {
    let body = answer.body.split_once(&format!("<{tag}>")).map_or("", |(_, rest)| rest);
    body.split_once(&format!("</{tag}>")).map_or("", |(text, _)| text)
}

/// A form as scripts send it.
pub(crate) fn fields(pairs: &[(&str, &str)]) -> Vec<u8> {
    let encoded = |text: &str| {
        text.bytes()
            .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
            .collect::<String>()
    };
    pairs.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect::<Vec<_>>().join("&").into_bytes()
}

/// Types of credentials that a client with a scanner says it knows.
const ANNOUNCED: &str =
    "none, username, domain, password, newpassword, passcode, savecredentials, textcredential, nsg-epa, nsg-setclient";

/// A script in the middle of a login: cookies, and the last answer.
pub(crate) struct Script {
    pub(crate) web: Web,
    pub(crate) last: Answer,
}

impl Script {
    pub(crate) fn begin(gateway: &Gateway) -> Self {
        Self::over(Web::new(gateway))
    }

    pub(crate) fn over(mut web: Web) -> Self {
        web.announce("X-Citrix-AM-CredentialTypes", ANNOUNCED);
        let last = web.post("/nf/auth/getAuthenticationRequirements.do", b"").unwrap();
        assert_eq!((last.status, tagged(&last, "Result")), (200, "more-info"), "{last:?}");
        Self { web, last }
    }

    /// Sends the form that is shown.
    pub(crate) fn send(&mut self, pairs: &[(&str, &str)]) -> &Answer {
        let context = tagged(&self.last, "StateContext").to_owned();
        let action = tagged(&self.last, "PostBack").to_owned();
        let body = fields(&[pairs, &[("StateContext", &context)]].concat());
        self.last = self.web.post(&action, &body).unwrap();
        &self.last
    }

    pub(crate) fn password(&mut self, user: &str, password: &str) -> &Answer {
        self.send(&[("login", user), ("passwd", password), ("savecredentials", "false"), ("loginBtn", "Log On")])
    }

    /// Whether there is a session now.
    pub(crate) fn is_in(&self) -> bool {
        !self.web.cookie("NSC_AAAC").is_empty()
    }

    pub(crate) fn scanner(&self) -> Scanner {
        Scanner::new(self.web.cookie("NSC_EPAC"))
    }
}

fn a_script_passes_the_same_factors(engine: &'static str) {
    let directory = Directory::start(&Ca::new());
    let gateway = publishing(with_lines(assumed(engine, &directory), LISTING), &Host::echo());
    let front = Web::new(&gateway).get("/vpn/index.html").unwrap();
    assert!(front.status == 302 && front.header("location").contains("/logon/LogonPoint"), "{front:?}");

    let mut script = Script::begin(&gateway);
    let conversation = script.web.cookie("NSC_TMAS").to_owned();
    assert!(conversation.len() >= 32 && conversation[..32].bytes().all(|b| b.is_ascii_hexdigit()), "{conversation}");
    assert!(script.last.body.contains("<Type>username</Type>") && script.last.body.contains("<Type>password</Type>"));
    let wrong = script.password(ANN.0, "not it");
    assert!(tagged(wrong, "Result") == "more-info" && wrong.body.contains("error"), "{wrong:?}");
    let scan = script.password(ANN.0, ANN.1);
    assert!(scan.body.contains("<Type>nsg-epa</Type>") && tagged(scan, "PostBack") == "/nf/auth/doEPA.do", "{scan:?}");
    assert!(!script.is_in());
    assert_ne!(script.web.cookie("NSC_TMAS"), conversation, "each factor has its own");

    // Saying so is not enough: what counts is what the scanner has answered.
    let claimed = script.send(&[("nsg-epa", "success")]);
    assert_ne!(tagged(claimed, "Result"), "success", "{claimed:?}");
    assert!(!script.is_in());

    let mut script = Script::begin(&gateway);
    let _ = script.password(ANN.0, ANN.1);
    let scanner = script.scanner();
    assert_eq!(scanner.question(&gateway).unwrap(), Asked::Strings(vec!["proc_2_firefox".to_owned()]));
    assert_eq!(scanner.answer(&gateway, "0").unwrap(), 200);
    let _ = script.send(&[("nsg-epa", "success")]);
    assert!(script.is_in(), "{:?}", script.last);
    let portal = script.web.get("/portal").unwrap();
    assert!(portal.body.contains("Notepad"), "{portal:?}");
}

fn who_stops_scanning_loses_session_and_stream(engine: &'static str) {
    let (host, directory) = (Host::echo(), Directory::start(&Ca::new()));
    let gateway = publishing(with_lines(assumed(engine, &directory), LISTING), &host);
    let browser = Browser::new(&gateway);
    let scan = send(&browser, &first(&browser), &[("login", ANN.0), ("passwd", ANN.1)]);
    let scanner = Scanner::new(Scanner::token_in(&scan.body));
    let _ = scanner.question(&gateway).unwrap();
    let _ = scanner.answer(&gateway, "0").unwrap();
    let list = send(&browser, &scan, &[]);
    let mut stream = launched(&gateway, &browser, &list);
    // Not a word more from the scanner: after interval and grace it is over.
    ends(&mut stream);
    until("the session to be gone", || session(&gateway, ANN.0).is_none().then_some(()));
    assert_eq!(gateway.count("portal"), 0);
}

#[test]
fn a_failed_scan_ends_the_login_unless_there_is_a_quarantine() {
    let directory = Directory::start(&Ca::new());
    let gateway = publishing(with_lines(assumed("AUTO", &directory), LISTING), &Host::echo());
    let failed = |gateway: &Gateway| {
        let mut script = Script::begin(gateway);
        let _ = script.password(ANN.0, ANN.1);
        let scanner = script.scanner();
        let _ = scanner.question(gateway).unwrap();
        let _ = scanner.answer(gateway, "3").unwrap();
        let _ = script.send(&[("nsg-epa", "success")]);
        script
    };
    let refused = failed(&gateway);
    assert!(!refused.is_in() && tagged(&refused.last, "Result") != "success", "{:?}", refused.last);
    let _ = gateway.console().run("set authentication epaAction EPA-client-scan -quarantineGroup restricted").done();
    let quarantined = failed(&gateway);
    assert!(quarantined.is_in(), "{:?}", quarantined.last);
    let seen = session(&gateway, ANN.0).expect("a session of ann");
    assert!(seen["groups"].to_string().contains("restricted"), "{seen:?}");
}

#[test]
fn a_second_directory_stands_in_for_one_that_is_down() {
    let directory = Directory::start(&Ca::new());
    let dead = sluicegate_tests::host::nobody();
    let first = format!(
        "add authentication ldapAction dead -serverIP {} -serverPort {} -ldapBase \"{}\" -ldapLoginName uid -secType PLAINTEXT",
        dead.ip(),
        dead.port(),
        directory::BASE
    );
    let lines = [
        first.as_str(),
        "add authentication Policy dead -rule true -action dead",
        "add authentication Policy ldap-auth -rule true -action ldap_server1",
        "bind authentication vserver MFA_AAA_vserver -policy dead -priority 10 -gotoPriorityExpression NEXT",
        "bind authentication vserver MFA_AAA_vserver -policy ldap-auth -priority 20",
    ];
    let gateway = publishing(with_lines(assumed("AUTO", &directory), &lines), &Host::echo());
    let mut script = Script::begin(&gateway);
    let _ = script.password(ANN.0, "not it");
    assert!(!script.is_in());
    let _ = script.password(ANN.0, ANN.1);
    assert!(script.is_in(), "{:?}", script.last);
}

#[test]
fn an_endpoint_alone_is_no_user() {
    let directory = Directory::start(&Ca::new());
    let gateway = publishing(
        with_lines(
            assumed("AUTO", &directory),
            &[
                r#"add authentication epaAction scan -csecexpr "sys.client_expr(\"proc_0_firefox\")" -defaultEPAGroup healthy"#,
                "add authentication Policy scan -rule true -action scan",
                "bind authentication vserver MFA_AAA_vserver -policy scan -priority 10",
            ],
        ),
        &Host::echo(),
    );
    let browser = Browser::new(&gateway);
    let scan = first(&browser);
    assert!(!scan.body.contains("type=\"password\""), "no login page is shown: {scan:?}");
    let scanner = Scanner::new(Scanner::token_in(&scan.body));
    let _ = scanner.question(&gateway).unwrap();
    let _ = scanner.answer(&gateway, "0").unwrap();
    let list = send(&browser, &scan, &[]);
    assert_eq!(list.status, 200, "{list:?}");
    assert!(!list.body.contains("Notepad"), "what is published for users is not published for nobody: {list:?}");
    let sessions = rows(gateway.console().run("show aaa session -format json"));
    assert!(sessions.len() == 1 && sessions[0]["groups"].to_string().contains("healthy"), "{sessions:?}");
}

#[test]
fn operators_end_sessions_and_see_who_is_in() {
    let (host, directory) = (Host::echo(), Directory::start(&Ca::new()));
    let ldap = [
        "add authentication Policy ldap-auth -rule true -action ldap_server1",
        "bind authentication vserver MFA_AAA_vserver -policy ldap-auth -priority 100",
    ];
    let gateway = publishing(with_lines(assumed("AUTO", &directory), &ldap), &host);
    let people = [ANN, ("bob", "bob's secret 1")];
    let mut all: Vec<_> = people
        .map(|(user, password)| {
            let browser = Browser::new(&gateway);
            let list = send(&browser, &first(&browser), &[("login", user), ("passwd", password)]);
            let stream = launched(&gateway, &browser, &list);
            (browser, list, stream)
        })
        .into();
    let mut console = gateway.console();
    let logged_in = console.run("show aaa user -loggedIn").done();
    assert!(logged_in.contains("ann") && logged_in.contains("bob"), "{logged_in}");
    let _ = console.run("kill aaa session -userName ann").done();
    ends(&mut all[0].2);
    assert!(!followed(&all[0].0, all[0].0.get("/portal", &[])).body.contains("Notepad"));
    there_and_back(&mut all[1].2);
    // A logout keeps streams unless it is said otherwise.
    let (browser, list, stream) = &mut all[1];
    assert!(browser.post("/cgi/logout", &[("csrf", &list.hidden("csrf"))]).status < 400);
    there_and_back(stream);
    let _ = console.run("set vpn parameter -icaOnLogout END").done();
    let list = send(browser, &first(browser), &[("login", "bob"), ("passwd", "bob's secret 1")]);
    let mut second = launched(&gateway, browser, &list);
    assert!(browser.post("/cgi/logout", &[("csrf", &list.hidden("csrf"))]).status < 400);
    ends(&mut second);
}

#[test]
fn conversations_are_neither_replayed_nor_mixed() {
    let directory = Directory::start(&Ca::new());
    let gateway = publishing(with_lines(assumed("AUTO", &directory), LISTING), &Host::echo());
    let mut script = Script::begin(&gateway);
    let (first_context, first_cookie) =
        (tagged(&script.last, "StateContext").to_owned(), script.web.cookie("NSC_TMAS").to_owned());
    let _ = script.password(ANN.0, ANN.1);
    assert!(script.last.body.contains("nsg-epa"), "{:?}", script.last);
    // The password step once more, with the cookie of before, and with that of now.
    let again = fields(&[("login", "bob"), ("passwd", "bob's secret 1"), ("StateContext", &first_context)]);
    let now = script.web.cookie("NSC_TMAS").to_owned();
    for cookie in [&first_cookie, &now] {
        let line = format!("NSC_TMAS={cookie}");
        let headers = [("Cookie", line.as_str()), ("Content-Type", "application/x-www-form-urlencoded")];
        let answer = Web::new(&gateway).request("POST", "/nf/auth/doAuthentication.do", &headers, &again).unwrap();
        assert!(!answer.header("set-cookie").contains("NSC_AAAC"), "{answer:?}");
    }
    // A foreign scan token and a foreign conversation: neither helps the other.
    let mut other = Script::begin(&gateway);
    let _ = other.password("bob", "bob's secret 1");
    let scanner = other.scanner();
    let _ = scanner.question(&gateway).unwrap();
    let _ = scanner.answer(&gateway, "0").unwrap();
    let _ = script.send(&[("nsg-epa", "success")]);
    assert!(!script.is_in(), "bob's machine was looked at, not ann's: {:?}", script.last);
    let _ = other.send(&[("nsg-epa", "success")]);
    assert!(other.is_in(), "{:?}", other.last);
    let seen = rows(gateway.console().run("show aaa session -format json"));
    assert!(seen.len() == 1 && seen[0]["userName"] == "bob", "{seen:?}");
}

#[test]
fn a_hanging_directory_costs_its_logins_an_error_and_streams_nothing() {
    let (host, directory) = (Host::echo(), Directory::start(&Ca::new()));
    let ldap = [
        "add authentication Policy ldap-auth -rule true -action ldap_server1",
        "bind authentication vserver MFA_AAA_vserver -policy ldap-auth -priority 100",
    ];
    let gateway = publishing(with_lines(assumed("AUTO", &directory), &ldap), &host);
    let browser = Browser::new(&gateway);
    let list = send(&browser, &first(&browser), &[("login", ANN.0), ("passwd", ANN.1)]);
    let mut stream = launched(&gateway, &browser, &list);
    directory.hang();
    let answered = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let logins: Vec<_> = (0..20)
            .map(|_| {
                scope.spawn(|| {
                    let mut script = Script::begin(&gateway);
                    let _ = script.password("bob", "bob's secret 1");
                    answered.fetch_add(1, Relaxed);
                    assert!(!script.is_in() && script.last.status != 500, "{:?}", script.last);
                })
            })
            .collect();
        // The stream flows while all of them wait.
        while answered.load(Relaxed) < logins.len() && !logins.iter().all(|login| login.is_finished()) {
            there_and_back(&mut stream);
        }
    });
    directory.go_on();
    let mut script = Script::begin(&gateway);
    let _ = script.password("bob", "bob's secret 1");
    assert!(script.is_in(), "an outage is not counted as a wrong password: {:?}", script.last);
}

#[test]
fn odd_forms_get_a_clean_refusal() {
    let directory = Directory::start(&Ca::new());
    let gateway = publishing(with_lines(assumed("AUTO", &directory), LISTING), &Host::echo());
    let long = format!("login={}&passwd=x", "a".repeat(64 * 1024));
    let canary = "canary-5821";
    let bodies: Vec<(&str, Vec<u8>)> = vec![
        ("missing", b"passwd=x".to_vec()),
        ("bare", b"login&passwd".to_vec()),
        ("empty", b"login=&passwd=".to_vec()),
        ("doubled", format!("login={canary}&login=bob&passwd=x").into_bytes()),
        ("long", long.into_bytes()),
        ("NUL", b"login=an%00n&passwd=x".to_vec()),
        ("NUL in a password", b"login=ann&passwd=%00ann".to_vec()),
        ("equals", b"=".to_vec()),
        ("nothing", Vec::new()),
    ];
    for field in ["login", "passwd", "passwd1", "domain", "StateContext", "nsg-epa"] {
        for (what, value) in [("bare", ""), ("empty", "="), ("NUL", "=%00"), ("long", &format!("={}", "b".repeat(70_000)))] {
            let mut script = Script::begin(&gateway);
            let answer = script.web.post("/nf/auth/doAuthentication.do", format!("{field}{value}").as_bytes()).unwrap();
            assert!([200, 400, 413].contains(&answer.status), "{field} {what}: {answer:?}");
            assert!(!script.is_in(), "{field} {what}");
        }
    }
    for (what, body) in &bodies {
        for path in [
            "/nf/auth/doAuthentication.do",
            "/p/u/doAuthentication.do",
            "/nf/auth/doEPA.do",
            "/nf/auth/doLogoff.do",
            "/p/u/setClient.do",
        ] {
            let mut script = Script::begin(&gateway);
            let answer = script.web.post(path, body).unwrap();
            assert!([200, 302, 400, 401, 403, 404, 413].contains(&answer.status), "{what} to {path}: {answer:?}");
            assert!(!script.is_in() && !answer.body.contains(canary), "{what} to {path}: {answer:?}");
            assert_eq!(answer.header("content-length"), answer.body.len().to_string());
        }
    }
    assert!(rows(gateway.console().run("show aaa session -format json")).is_empty());
}

#[test]
fn hundreds_of_users_at_once_each_get_their_own() {
    const USERS: usize = 300;
    let directory = Directory::start(&Ca::new());
    let people: String = (0..USERS)
        .map(|n| {
            format!(
                "dn: cn=crowd{n},ou=people,{base}\nobjectClass: inetOrgPerson\ncn: crowd{n}\nsn: {n}\nuid: crowd{n}\nuserPassword: secret of {n}\n\n",
                base = directory::BASE
            )
        })
        .collect();
    directory.change(&people);
    let ldap = [
        "add authentication Policy ldap-auth -rule true -action ldap_server1",
        "bind authentication vserver MFA_AAA_vserver -policy ldap-auth -priority 100",
    ];
    let gateway = publishing(with_lines(assumed("AUTO", &directory), &ldap), &Host::echo());
    let next = AtomicUsize::new(0);
    let tickets = std::sync::Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for _ in 0..30 {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Relaxed);
                    if n >= USERS {
                        return;
                    }
                    let source = IpAddr::from([127, 0, 1 + u8::try_from(n / 200).unwrap(), u8::try_from(1 + n % 200).unwrap()]);
                    let mut script = Script::over(Web::from(&gateway, source));
                    let _ = script.password(&format!("crowd{n}"), &format!("secret of {n}"));
                    assert!(script.is_in(), "crowd{n}: {:?}", script.last);
                    let page = script.web.get("/portal").unwrap();
                    assert!(page.body.contains(&format!("crowd{n}<")), "crowd{n} sees somebody else's page: {page:?}");
                    let body = fields(&[("resource", "Notepad"), ("csrf", &page.hidden("csrf"))]);
                    let file = script.web.post("/portal/launch", &body).unwrap();
                    assert!(
                        tickets.lock().unwrap().insert(ica_value(&file.body, "Address").to_owned()),
                        "a ticket twice: {file:?}"
                    );
                }
            });
        }
    });
    let sessions = rows(gateway.console().run("show aaa session -format json"));
    let names: BTreeSet<String> = sessions.iter().map(|row| row["userName"].as_str().unwrap_or_default().to_owned()).collect();
    assert_eq!((sessions.len(), names.len()), (USERS, USERS));
}

/// The directory over TLS, with what else the line says; `DIR/right.pem` is the authority of its certificate.
fn over_tls(directory: &Directory, ca: &Ca, stranger: &Ca, security: &str, more: &str) -> Gateway {
    let at = if security == "SSL" { directory.tls } else { directory.plain };
    let line = format!(
        "set authentication ldapAction ldap_server1 -secType {security} -serverPort {} -validateServerCert YES {more}",
        at.port()
    );
    let ldap = [
        line.as_str(),
        "add authentication Policy ldap-auth -rule true -action ldap_server1",
        "bind authentication vserver MFA_AAA_vserver -policy ldap-auth -priority 100",
    ];
    let wish = assumed("AUTO", directory).file("right.pem", &ca.pem).file("wrong.pem", &stranger.pem);
    let both = format!("{}{}", stranger.pem, ca.pem);
    with_lines(wish.file("both.pem", both), &ldap).start()
}

/// T39: whom a directory's certificate must lead to, and for which name, is what the operator says; anything else is an outage.
#[test]
fn a_directory_is_believed_by_its_authority_and_name_only() {
    let (ca, stranger) = (Ca::new(), Ca::new());
    let directory = Directory::start(&ca);
    for security in ["SSL", "TLS"] {
        for more in ["-CACert DIR/right.pem", "-CACert DIR/both.pem", "-CACert DIR/right.pem -ldapHostname localhost"] {
            let gateway = over_tls(&directory, &ca, &stranger, security, more);
            let mut script = Script::begin(&gateway);
            let _ = script.password(ANN.0, ANN.1);
            assert!(script.is_in(), "{security} {more}: {:?}\n{}", script.last, gateway.log());
        }
        for (more, why) in [
            ("-CACert DIR/wrong.pem", "invalid peer certificate"),
            ("-CACert DIR/right.pem -ldapHostname other.example.test", "not valid for name"),
            // Without a file it is those of the system, to which nobody's test belongs.
            ("", "certificate refused"),
        ] {
            let gateway = over_tls(&directory, &ca, &stranger, security, more);
            let mut script = Script::begin(&gateway);
            let shown = script.password(ANN.0, ANN.1);
            assert!(
                tagged(shown, "Result") == "more-info" && !shown.body.contains("certificate"),
                "{security} {more}: {shown:?}"
            );
            assert!(!script.is_in(), "{security} {more}");
            let trace = gateway.console().run("show authentication trace").done();
            assert!(trace.contains("certificate refused") && trace.contains(why), "{security} {more}: {trace}");
            assert!(trace.contains("(4003)"), "{security} {more}: {trace}");
            // The other authority comes by a change of the line, without a new start.
            let cure = "set authentication ldapAction ldap_server1 -ldapHostname localhost -CACert";
            let right = gateway.dir().join("right.pem");
            let _ = gateway.console().run(&format!("{cure} {}", right.display())).done();
            let mut script = Script::begin(&gateway);
            let _ = script.password(ANN.0, ANN.1);
            assert!(script.is_in(), "{security} {more}: {:?}\n{}", script.last, gateway.log());
        }
    }
}

#[test]
fn a_password_that_must_be_changed_is_changed_and_only_the_new_one_is_good() {
    let directory = Directory::start(&Ca::new());
    let ldap = [
        "add authentication Policy ldap-auth -rule true -action ldap_server1",
        "bind authentication vserver MFA_AAA_vserver -policy ldap-auth -priority 100",
        "set authentication ldapAction ldap_server1 -secType TLS -passwdChange ENABLED -svrType NDS",
    ];
    let gateway = publishing(with_lines(assumed("AUTO", &directory), &ldap), &Host::echo());
    let person = directory::PEOPLE.iter().find(|person| person.uid == "reset").expect("somebody who must change");
    let mut script = Script::begin(&gateway);
    let change = script.password(person.uid, person.password);
    assert_eq!(tagged(change, "Result"), "update-credentials", "{change:?}");
    assert!(!script.is_in(), "the old one opens nothing");
    let new = "a password of 2026!";
    let typo = script.send(&[("oldpwd", person.password), ("newpwd", new), ("confirmedpwd", "another")]);
    assert_ne!(tagged(typo, "Result"), "success", "{typo:?}");
    let _ = script.send(&[("oldpwd", person.password), ("newpwd", new), ("confirmedpwd", new)]);
    assert!(script.is_in(), "{:?}", script.last);
    for (password, is_good) in [(person.password, false), (new, true)] {
        let mut script = Script::begin(&gateway);
        let _ = script.password(person.uid, password);
        assert_eq!(script.is_in(), is_good, "{:?}", script.last);
    }
    assert!(!gateway.log().contains(new));
}
