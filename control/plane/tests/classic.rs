//! Logins at virtual servers without an authentication profile: the form that everybody knows, policies bound to the virtual server itself,
//! and the look at the client before the form and after the password.

#[expect(dead_code, reason = "each test file uses its part of the kit")]
mod kit;

use kit::operator::{ADMIN, Live};
use kit::somebody::{ALICE, BOB, Somebody};
use kit::{FQDN, Reply};

const PAGE: &str = "/vpn/index.html";
const LOGIN: &str = "/cgi/login";
const SCANNED: &str = "/nf/auth/doEPA.do";
/// What today's browsers say of requests from our own pages.
const BROWSER: &str = "Sec-Fetch-Site: same-origin\r\n";
const FIREWALL: &str = "add aaa preauthenticationaction go ALLOW -defaultEPAGroup healthy\n\
                        add aaa preauthenticationpolicy firewall \"CLIENT.SVC(mpssvc) EXISTS\" go\n";

/// A virtual server without a profile, and `more`.
fn live(more: &str) -> Live {
    Live::of(&format!(
        "enable ns feature SSLVPN AAA\nset vpn parameter -ntDomain DEMO\nadd ssl certKey gw -cert gw.pem -key gw.key\n\
         add aaa user alice -password {ALICE} -encrypted -hashmethod ARGON2ID\n\
         add aaa user bob -password {BOB} -encrypted -hashmethod ARGON2ID\n\
         add aaa group staff\nbind aaa group staff -userName alice\n\
         add vpn vserver gw SSL 192.0.2.1 443 -vserverFqdn {FQDN}\nbind ssl vserver gw -certkeyName gw\n\
         add vpn allowedHost all 0.0.0.0/0 -port 1494 -allowLoopback YES\n\
         add farm server farm 127.0.0.1 0 -authorityID STA01\nadd farm resource Notepad -host 10.11.12.13:1494\n\
         bind farm resource Notepad -everyone\n\
         add authentication localPolicy password ns_true\n\
         add authentication Policy never -rule false -action LOCAL\n\
         {more}\n"
    ))
}

/// Posts to `/cgi/login` as programs do.
fn enter(program: &mut Somebody<'_>, fields: &[(&str, &str)]) -> Reply {
    let reply = program.post(LOGIN, fields);
    assert_eq!(reply.status, 302, "{reply:?}");
    reply
}

/// Posts the form that a browser was shown.
fn submit(browser: &mut Somebody<'_>, page: &Reply, user: &str, password: &str) -> Reply {
    browser.post(LOGIN, &[("login", user), ("passwd", password), ("csrf", &page.hidden("csrf"))])
}

/// Presses "continue" on the page for a scan.
fn go_on(browser: &mut Somebody<'_>, page: &Reply) -> Reply {
    let context = page.hidden("StateContext");
    browser.post(SCANNED, &[("nsg-epa", "success"), ("StateContext", &context), ("sg-page", "1")])
}

fn groups(live: &Live, user: &str) -> String {
    live.operator(ADMIN).say(&format!("show aaa session -userName {user}")).done().value("Groups").to_owned()
}

fn is_form(page: &Reply) -> bool {
    page.text().contains("action=\"/cgi/login\"")
}

const ALICES: [(&str, &str); 2] = [("login", "alice"), ("passwd", "s3cret")];

#[test]
fn policies_bound_to_the_virtual_server_decide() {
    // With nothing bound local users log in; with something bound only what that says.
    for (more, is_in) in [
        ("", true),
        ("bind vpn vserver gw -policy password -priority 10", true),
        ("bind vpn vserver gw -policy never -priority 10\nbind vpn vserver gw -policy password -priority 20", true),
        ("bind vpn vserver gw -policy never -priority 10", false),
    ] {
        let live = live(more);
        let mut program = Somebody::new(&live, "");
        let reply = enter(&mut program, &ALICES);
        let place = if is_in { "/cgi/setclient?wica" } else { PAGE };
        assert_eq!(reply.field("location"), place, "{more}");
        assert_eq!((program.cookie("NSC_AAAC").is_some(), program.cookie("NSC_VPNERR").is_none()), (is_in, is_in), "{more}");
        assert_eq!(program.cookie("NSC_TMAS"), None, "each try is a login of its own: {more}");
    }
}

#[test]
fn the_second_password_is_the_second_cascades() {
    let live = live(
        "bind vpn vserver gw -policy password -priority 10\n\
         bind vpn vserver gw -policy password2 -priority 10 -secondary\n\
         bind vpn vserver gw -policy groups -priority 10 -groupExtraction\n\
         add authentication Policy password2 -rule true -action LOCAL\nadd authentication Policy groups -rule true -action LOCAL",
    );
    let mut browser = Somebody::new(&live, BROWSER);
    assert!(browser.get(PAGE).text().contains("<label for=\"passwd1\">Second password"));
    for (second, is_in) in [("", false), ("wrong", false), ("s3cret", true)] {
        let mut program = Somebody::new(&live, "");
        let reply = enter(&mut program, &[("login", "alice"), ("passwd", "s3cret"), ("passwd1", second)]);
        assert_eq!(program.cookie("NSC_AAAC").is_some(), is_in, "{second}: {reply:?}");
        assert_eq!(program.cookie("NSC_VPNERR"), (!is_in).then_some("4001"));
    }
    assert_eq!(groups(&live, "alice"), "staff");
    let page = browser.get(PAGE);
    let wrong = submit(&mut browser, &page, "alice", "s3cret");
    assert!(wrong.status == 403 && is_form(&wrong) && wrong.text().contains("Incorrect user name or password"), "{wrong:?}");
}

#[test]
fn who_is_locked_out_stays_out_and_operators_see_why() {
    let live = live("set vpn vserver gw -maxLoginAttempts 2 -failedLoginTimeout 5");
    for (password, error) in [("wrong", Some("4001")), ("wrong", Some("4001")), ("s3cret", Some("4001"))] {
        let mut program = Somebody::new(&live, "");
        enter(&mut program, &[("login", "alice"), ("passwd", password)]);
        assert_eq!(program.cookie("NSC_VPNERR"), error, "{password}");
    }
    let traces = live.operator(ADMIN).say("show authentication trace").done();
    assert!(format!("{traces:?}").contains("locked"), "{traces:?}");
    live.operator(ADMIN).say("unlock aaa user alice").done();
    let mut program = Somebody::new(&live, "");
    assert_eq!(enter(&mut program, &ALICES).field("location"), "/cgi/setclient?wica");
}

#[test]
fn session_settings_and_limits_are_those_of_any_login() {
    let live = live("set vpn vserver gw -maxAAAUsers 1\nset vpn parameter -allowedLoginGroups staff");
    let mut bob = Somebody::new(&live, "");
    enter(&mut bob, &[("login", "bob"), ("passwd", "hunter2")]);
    assert_eq!((bob.cookie("NSC_VPNERR"), bob.cookie("NSC_AAAC")), (Some("4002"), None));
    let mut first = Somebody::new(&live, "");
    enter(&mut first, &ALICES);
    let mut second = Somebody::new(&live, "");
    assert_eq!(second.post(LOGIN, &ALICES).status, 503, "one user at a time");
}

#[test]
fn a_program_is_looked_at_before_its_login() {
    let live = live(&format!("{FIREWALL}bind vpn vserver gw -policy firewall -priority 10"));
    let mut unseen = Somebody::new(&live, "");
    enter(&mut unseen, &ALICES);
    assert_eq!((unseen.cookie("NSC_VPNERR"), unseen.cookie("NSC_AAAC")), (Some("4018"), None), "nobody gets round it");

    for (digits, is_in) in [("0", true), ("3", false)] {
        let mut program = Somebody::new(&live, "");
        let page = program.get(PAGE);
        assert!(page.status == 200 && page.text().contains("Checking your device"), "{page:?}");
        assert_eq!(program.scan(digits).0, "svc_0_mpssvc;");
        let next = program.get(PAGE);
        assert_eq!((next.status, is_form(&next)), (if is_in { 200 } else { 403 }, is_in), "the form always follows");
        if is_in {
            assert_eq!(submit(&mut program, &next, "alice", "s3cret").status, 303);
        } else {
            enter(&mut program, &ALICES);
        }
        assert_eq!(program.cookie("NSC_AAAC").is_some(), is_in, "{digits}");
    }
    assert_eq!(groups(&live, "alice"), "healthy, staff");
    // It may also send the form at once when it has been looked at.
    let mut program = Somebody::new(&live, "");
    program.get(PAGE);
    program.scan("0");
    assert_eq!(enter(&mut program, &ALICES).field("location"), "/cgi/setclient?wica");
}

#[test]
fn a_browser_is_looked_at_before_it_sees_the_form() {
    let live = live(&format!("{FIREWALL}bind aaa global -policy firewall -priority 10"));
    let mut browser = Somebody::new(&live, BROWSER);
    let page = browser.get(PAGE);
    assert!(!is_form(&page) && page.text().contains("nsgcepa://"), "{page:?}");
    // The app has its token from the link.
    let mut app = Somebody::new(&live, "");
    app.cookies = vec![("NSC_EPAC".into(), browser.cookie("__Host-sg-flow").unwrap().into())];
    app.scan("0");
    let form = go_on(&mut browser, &page);
    assert!(form.status == 200 && is_form(&form), "{form:?}");
    let wrong = submit(&mut browser, &form, "alice", "wrong");
    assert!(wrong.status == 403 && is_form(&wrong), "not looked at again: {wrong:?}");
    let right = submit(&mut browser, &wrong, "alice", "s3cret");
    assert_eq!((right.status, right.field("location")), (303, "/portal"));
    assert!(browser.cookie("__Host-sg-login").is_some() && browser.cookie("__Host-sg-flow").is_none());

    let mut unwilling = Somebody::new(&live, BROWSER);
    let page = unwilling.get(PAGE);
    let over =
        unwilling.post(SCANNED, &[("nsg-epa", "skipped"), ("StateContext", &page.hidden("StateContext")), ("sg-page", "1")]);
    assert!(over.status == 403 && over.text().contains("4018") && over.text().contains("href=\"/vpn/index.html\""), "{over:?}");
}

#[test]
fn deny_keeps_out_those_of_whom_it_is_true() {
    let live = live(
        "add aaa preauthenticationaction stop DENY\n\
         add aaa preauthenticationpolicy bad \"CLIENT.APPLICATION.PROCESS(evil.exe) EXISTS\" stop\n\
         bind vpn vserver gw -policy bad -priority 10",
    );
    for (digits, is_in) in [("0", false), ("3", true)] {
        let mut program = Somebody::new(&live, "");
        program.get(PAGE);
        assert_eq!(program.scan(digits).0, "proc_0_evil.exe;");
        enter(&mut program, &ALICES);
        assert_eq!(program.cookie("NSC_AAAC").is_some(), is_in, "{digits}");
    }
}

#[test]
fn session_settings_have_the_client_looked_at_after_the_password() {
    const SETTINGS: &str =
        "set vpn parameter -clientSecurity \"CLIENT.APPLICATION.PROCESS(av.exe) EXISTS\" -clientSecurityLog ON";
    for (more, digits, is_in) in [
        (" -clientSecurityMessage \"Start your antivirus.\"", "0", true),
        (" -clientSecurityMessage \"Start your antivirus.\"", "3", false),
        (" -clientSecurityGroup unsafe", "3", true),
    ] {
        let live = live(&format!("{SETTINGS}{more}"));
        let mut browser = Somebody::new(&live, BROWSER);
        let page = browser.get(PAGE);
        let scan = submit(&mut browser, &page, "alice", "s3cret");
        assert!(scan.status == 200 && scan.text().contains("Checking your device"), "{scan:?}");
        assert!(browser.cookie("__Host-sg-login").is_none());
        let mut app = Somebody::new(&live, "");
        app.cookies = vec![("NSC_EPAC".into(), browser.cookie("__Host-sg-flow").unwrap().into())];
        assert_eq!(app.scan(digits).0, "proc_0_av.exe;");
        let done = go_on(&mut browser, &scan);
        assert_eq!(browser.cookie("__Host-sg-login").is_some(), is_in, "{more} {digits}: {done:?}");
        if !is_in {
            assert!(done.status == 403 && done.text().contains("Start your antivirus."), "{done:?}");
        } else if digits == "3" {
            assert_eq!(groups(&live, "alice"), "staff, unsafe");
        }
        let taken = live.notes.taken();
        let written = taken.iter().filter(|note| note.contains("clientSecurity")).count();
        assert_eq!(written, 1, "it is to be written down: {taken:?}");

        // A program is sent to the page for a scan, does it, and comes back for its login.
        let mut program = Somebody::new(&live, "");
        let back = enter(&mut program, &ALICES);
        assert_eq!((back.field("location"), program.cookie("NSC_AAAC")), (PAGE, None));
        assert!(program.get(PAGE).text().contains("Checking your device"));
        program.scan(digits);
        program.get(PAGE);
        assert_eq!(program.cookie("NSC_AAAC").is_some(), is_in);
    }
}

#[test]
fn the_form_alone_begins_no_conversation() {
    let live = live("");
    let mut browser = Somebody::new(&live, BROWSER);
    for _ in 0..3 {
        assert!(is_form(&browser.get(PAGE)));
        assert!(browser.cookie("__Host-sg-flow").is_none());
    }
    for path in ["/nf/auth/getAuthenticationRequirements.do", "/nf/auth/doAuthentication.do", SCANNED, "/nf/auth/doLogoff.do"] {
        assert_eq!(browser.post(path, &[]).status, 404, "{path}");
    }
    // A conversation that is gone leads back to the form.
    browser.cookies.push(("__Host-sg-flow".into(), "a".repeat(64)));
    assert!(is_form(&browser.get(PAGE)));
    let late = browser.post(SCANNED, &[("nsg-epa", "success"), ("sg-page", "1")]);
    assert!(is_form(&late), "{late:?}");
}
