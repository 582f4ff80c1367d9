//! Logins in several factors, some of which look at the device: before the password, behind it, both, and what follows from a device that
//! does not do.
//!
//! ```text
//!   before:      scan ─► password                      both:        scan ─► password ─► scan, and only the last is repeated
//!   quarantine:  password ─► scan ─┬─ passed ─► in
//!                                  └─ group restricted ─► a second password ─► in
//! ```

use sluicegate_tests::browser::Browser;
use sluicegate_tests::certs::Ca;
use sluicegate_tests::deadline::until;
use sluicegate_tests::directory::Directory;
use sluicegate_tests::gateway::Gateway;
use sluicegate_tests::host::Host;
use sluicegate_tests::scanner::{Asked, Scanner};

use crate::login::{ANN, Script, assumed, fields, first, followed, publishing, send, session, tagged, with_lines};

/// The password behind the quarantine.
const SECOND: &str = "stronger still 2";

fn asks(what: &str) -> Asked {
    Asked::Strings(vec![what.to_owned()])
}

/// A scan, the password, another scan with another interval.
fn twice() -> (Directory, Gateway) {
    let directory = Directory::start(&Ca::new());
    let lines = [
        r#"add authentication epaAction first -csecexpr "sys.client_expr(\"proc_2_firefox\")""#,
        r#"add authentication epaAction last -csecexpr "sys.client_expr(\"proc_3_chrome\")""#,
        "add authentication Policy first -rule true -action first",
        "add authentication Policy last -rule true -action last",
        "add authentication Policy ldap-auth -rule true -action ldap_server1",
        "add authentication loginSchema single -authenticationSchema LoginSchema/SingleAuth.xml",
        "add authentication policylabel password -loginSchema single",
        "add authentication policylabel behind -loginSchema LSCHEMA_INT",
        "bind authentication policylabel behind -policyName last -priority 10",
        "bind authentication policylabel password -policyName ldap-auth -priority 10 -nextFactor behind",
        "bind authentication vserver MFA_AAA_vserver -policy first -priority 10 -nextFactor password",
    ];
    let gateway = publishing(with_lines(assumed("AUTO", &directory), &lines), &Host::echo());
    (directory, gateway)
}

#[test]
fn the_device_comes_before_the_password() {
    let directory = Directory::start(&Ca::new());
    let lines = [
        r#"add authentication epaAction scan -csecexpr "sys.client_expr(\"proc_0_firefox\")""#,
        "add authentication Policy scan -rule true -action scan",
        "add authentication Policy ldap-auth -rule true -action ldap_server1",
        "add authentication loginSchema single -authenticationSchema LoginSchema/SingleAuth.xml",
        "add authentication policylabel password -loginSchema single",
        "bind authentication policylabel password -policyName ldap-auth -priority 10",
        "bind authentication vserver MFA_AAA_vserver -policy scan -priority 10 -nextFactor password",
    ];
    let gateway = publishing(with_lines(assumed("AUTO", &directory), &lines), &Host::echo());
    for (digits, is_in) in [("3", false), ("0", true)] {
        let browser = Browser::new(&gateway);
        let scan = first(&browser);
        assert!(!scan.body.contains("type=\"password\""), "who has not been looked at is asked for nothing: {scan:?}");
        let scanner = Scanner::new(Scanner::token_in(&scan.body));
        assert_eq!(scanner.question(&gateway).unwrap(), asks("proc_0_firefox"));
        assert_eq!(scanner.answer(&gateway, digits).unwrap(), 200);
        let next = send(&browser, &scan, &[]);
        assert_eq!(next.body.contains("type=\"password\""), is_in, "{next:?}");
        if is_in {
            let list = send(&browser, &next, &[("login", ANN.0), ("passwd", ANN.1)]);
            assert!(list.body.contains("Notepad"), "{list:?}");
        } else {
            assert!(next.status == 403 && next.body.contains("program firefox"), "{next:?}");
        }
    }
}

#[test]
fn of_two_repeated_scans_the_later_one_is_repeated() {
    let (_directory, gateway) = twice();
    let mut script = Script::begin(&gateway);
    let before = script.scanner().that_repeats();
    assert_eq!(before.question(&gateway).unwrap(), asks("proc_2_firefox"));
    assert_eq!(before.answer(&gateway, "0").unwrap(), 200);
    let form = script.send(&[("nsg-epa", "success")]);
    assert!(form.body.contains("<Type>password</Type>"), "{form:?}");
    // While the login goes on, the scanner of before is told to come back, well within its grace.
    let waits = |scanner: &Scanner| assert!(matches!(scanner.question(&gateway), Ok(Asked::Later(1..=3))));
    waits(&before);
    assert!(!before.is_wanted(&gateway).unwrap());
    let _ = script.password(ANN.0, "not it");
    waits(&before);
    let _ = script.password(ANN.0, ANN.1);
    let behind = script.scanner().that_repeats();
    assert_eq!(behind.question(&gateway).unwrap(), asks("proc_3_chrome"));
    waits(&before);
    assert_eq!(before.answer(&gateway, "3").unwrap(), 200, "what nobody has asked for changes nothing");
    assert_eq!(behind.answer(&gateway, "0").unwrap(), 200);
    let _ = script.send(&[("nsg-epa", "success")]);
    assert!(script.is_in(), "{:?}", script.last);
    assert_eq!(before.question(&gateway).unwrap(), Asked::Refused(403), "the session is not that scanner's");
    // For longer than the first interval and its grace.
    until("a few intervals to pass", || {
        assert_eq!(behind.question(&gateway).unwrap(), asks("proc_3_chrome"));
        assert_eq!(behind.answer(&gateway, "0").unwrap(), 200);
        let session = session(&gateway, ANN.0).unwrap_or_else(|| panic!("the session has ended: {}", gateway.log()));
        (session["ageSeconds"].as_u64().unwrap_or(0) >= 6).then_some(())
    });
}

#[test]
fn a_login_that_is_given_up_is_over_for_its_scanners() {
    let (_directory, gateway) = twice();
    let mut script = Script::begin(&gateway);
    let before = script.scanner().that_repeats();
    let _ = before.question(&gateway).unwrap();
    let _ = before.answer(&gateway, "0").unwrap();
    let _ = script.send(&[("nsg-epa", "success")]);
    assert!(matches!(before.question(&gateway), Ok(Asked::Later(_))));
    let context = tagged(&script.last, "StateContext").to_owned();
    let cancelled = script.web.post("/nf/auth/doLogoff.do", &fields(&[("StateContext", &context)])).unwrap();
    assert_eq!(tagged(&cancelled, "Result"), "cancelled", "{cancelled:?}");
    assert_eq!(before.question(&gateway).unwrap(), Asked::Refused(403));
}

#[test]
fn who_is_in_quarantine_is_asked_for_more() {
    let directory = Directory::start(&Ca::new());
    let second = format!("add aaa user {} -password \"{SECOND}\"", ANN.0);
    let lines = [
        &*second,
        "add authentication Policy ldap-auth -rule true -action ldap_server1",
        r#"add authentication epaAction scan -csecexpr "sys.client_expr(\"proc_0_firefox\")" -defaultEPAGroup healthy -quarantineGroup restricted"#,
        "add authentication Policy scan -rule true -action scan",
        "add authentication loginSchema more -authenticationSchema LoginSchema/OnlyPassword.xml",
        "add authentication Policy restricted -rule AAA.USER.IS_MEMBER_OF(\"restricted\") -action NO_AUTHN",
        "add authentication Policy others -rule true -action NO_AUTHN",
        "add authentication Policy stronger -rule true -action LOCAL",
        "add authentication policylabel device -loginSchema LSCHEMA_INT",
        "add authentication policylabel branch -loginSchema LSCHEMA_INT",
        "add authentication policylabel stronger -loginSchema more",
        "bind authentication policylabel stronger -policyName stronger -priority 10",
        "bind authentication policylabel branch -policyName restricted -priority 10 -nextFactor stronger",
        "bind authentication policylabel branch -policyName others -priority 20",
        "bind authentication policylabel device -policyName scan -priority 10 -nextFactor branch",
        "bind authentication vserver MFA_AAA_vserver -policy ldap-auth -priority 10 -nextFactor device",
    ];
    let gateway = publishing(with_lines(assumed("AUTO", &directory), &lines), &Host::echo());
    let scanned = |digits: Option<&str>| {
        let browser = Browser::new(&gateway);
        let scan = send(&browser, &first(&browser), &[("login", ANN.0), ("passwd", ANN.1)]);
        let next = match digits {
            Some(digits) => {
                let scanner = Scanner::new(Scanner::token_in(&scan.body));
                let _ = scanner.question(&gateway).unwrap();
                let _ = scanner.answer(&gateway, digits).unwrap();
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
    // To the farm this user is the local one, whose password is the second: what is published is for later.
    let _ = scanned(Some("0"));
    let groups = |gateway: &Gateway| session(gateway, ANN.0).map(|session| session["groups"].to_string()).unwrap_or_default();
    assert!(groups(&gateway).contains("healthy"));
    let _ = gateway.console().run("kill aaa session -all").done();

    for (digits, why) in [(Some("3"), "program firefox"), (None, "The check was skipped")] {
        let (browser, form) = scanned(digits);
        assert!(form.body.contains("restricted access") && form.body.contains(why), "{why}: {form:?}");
        assert!(form.body.contains("type=\"password\"") && session(&gateway, ANN.0).is_none(), "{form:?}");
        let wrong = send(&browser, &form, &[("passwd", ANN.1)]);
        assert!(!wrong.body.contains("Notepad") && wrong.body.contains("role=\"alert\""), "the first password again: {wrong:?}");
        let list = send(&browser, &wrong, &[("passwd", SECOND)]);
        assert!(list.body.contains("Notepad"), "{list:?}");
        assert!(groups(&gateway).contains("restricted") && !groups(&gateway).contains("healthy"), "{}", groups(&gateway));
        let trace = gateway.console().run("show authentication trace").done();
        assert!(
            trace.contains("not as it should be: proc_0_firefox") && trace.contains("quarantine group restricted"),
            "{trace}"
        );
        let _ = gateway.console().run("kill aaa session -all").done();
    }
}
