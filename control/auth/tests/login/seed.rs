//! The scenario of the vendor's page on scans as a factor, with its listing as it stands there.

use gate_auth::Now;
use gate_auth::login::again::{Verdict, Watch};
use gate_auth::login::scan::ScanNoted;

use super::kit::{Login, model, run_whole};

/// What the listing takes for granted, and the listing itself: its quotes, its order, its words.
const LISTING: &str = r#"
enable ns feature SSLVPN AAA
add vpn vserver gw SSL 192.0.2.1 443
add authentication vserver MFA_AAA_vserver SSL 0.0.0.0
add authentication authnProfile MFA_profile -authnVsName MFA_AAA_vserver
set vpn vserver gw -authnProfile MFA_profile
add authentication ldapAction ldap_server1 -serverIP 10.0.0.9 -ldapBase dc=example -ldapLoginName sAMAccountName

add authentication epaAction EPA-client-scan -csecexpr "sys.client_expr("proc_2_firefox")"
add authentication Policy EPA-check -rule true -action EPA-client-scan
add authentication policylabel post-ldap-epa-scan -loginSchema LSCHEMA_INT
bind authentication policylabel post-ldap-epa-scan -policyName EPA-check -priority 100 -gotoPriorityExpression END
add authentication Policy ldap-auth -rule true -action ldap_server1
bind authentication vserver MFA_AAA_vserver -policy ldap-auth -priority 100 -nextFactor post-ldap-epa-scan -gotoPriorityExpression NEXT
"#;

#[test]
fn password_then_scan_then_in() {
    run_whole(
        LISTING,
        "
        > asked
        < form MFA_AAA_vserver: built in, one password #1
        > post ann bad
        < ask ldap_server1: ann with bad, guess ann
        > wrong 4001
        < form MFA_AAA_vserver: built in, one password #2, error 4001
        > post ann good
        < ask ldap_server1: ann with good, guess ann
        > right ann staff
        < scan post-ldap-epa-scan #3
        > question
        < asks proc_2_firefox
        > digits! 0
        < taken, passed
        > scanned
        < granted ann, groups staff(directory), sso ann:good, again post-ldap-epa-scan
        > why post-ldap-epa-scan: EPA-check: rule true, EPA-client-scan succeeded
        > why post-ldap-epa-scan: 1 things are asked again every 2 minutes
        ",
    );
}

#[test]
fn a_failed_scan_ends_it_without_a_quarantine_group_and_not_with_one() {
    let before = "
        > asked
        > post ann good
        > right ann staff
        < scan post-ldap-epa-scan #2
        > scan 3
        ";
    run_whole(LISTING, &format!("{before}< over Scan 4018\n> asked\n< over Scan 4018"));
    let quarantine = format!("{LISTING}set authentication epaAction EPA-client-scan -quarantineGroup weak\n");
    let granted = "< granted ann, groups staff(directory) weak(quarantine), quarantined, sso ann:good";
    run_whole(&quarantine, &format!("{before}{granted}"));
}

#[test]
fn the_session_ends_when_the_repeated_scan_fails_or_does_not_come() {
    let minute = Now::from_secs(60);
    let model = model(LISTING);
    let logged_in = || {
        let mut login = Login::new(&model);
        for said in ["asked", "post ann good", "right ann staff", "question", "digits! 0", "scanned"] {
            login.say(said);
        }
        let periodic = login.granted.unwrap().periodic.unwrap();
        (Watch::new(periodic, model.aaa.periodic_scan, login.now).unwrap(), login.now)
    };

    let (mut watch, mut now) = logged_in();
    assert_eq!(watch.interval(), 2 * minute);
    for _ in 0..5 * 30 {
        now += 2 * minute;
        assert_eq!(watch.verdict(now), None);
        assert_eq!(watch.question(now).strings, ["proc_2_firefox".into()]);
        assert_eq!(watch.answer(Some(b"0"), now), ScanNoted::Taken { passed: true });
    }
    now += 2 * minute;
    watch.question(now);
    assert_eq!(watch.answer(Some(b"3"), now), ScanNoted::Taken { passed: false });
    let factor = "post-ldap-epa-scan".into();
    assert_eq!(watch.verdict(now), Some(&Verdict::Failed { factor, failed: 1 }), "firefox was closed after five hours");

    let (mut watch, began) = logged_in();
    let last = began + 2 * minute + model.aaa.periodic_scan.grace;
    assert_eq!(watch.verdict(last), None);
    let late = last + Now::from_millis(1);
    let factor = "post-ldap-epa-scan".into();
    assert_eq!(watch.verdict(late), Some(&Verdict::Missing { factor, after: late - began }));
}
