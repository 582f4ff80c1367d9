//! Who may pass where there is no authentication profile: a directory bound to the virtual server itself, and a look at the client before
//! the form.

use sluicegate_tests::browser::Browser;
use sluicegate_tests::certs::Ca;
use sluicegate_tests::directory::Directory;
use sluicegate_tests::host::Host;
use sluicegate_tests::scanner::{Asked, Scanner};

use crate::login::{ANN, first, ground, launched, publishing, send, session, with_lines};

on_each_engine!(a_directory_and_a_scan_stand_before_the_stream);

const LINES: &[&str] = &[
    "add authentication Policy ldap-auth -rule true -action ldap_server1",
    "add aaa preauthenticationaction go ALLOW",
    "add aaa preauthenticationpolicy firewall \"CLIENT.SVC(mpssvc) EXISTS\" go",
    "bind vpn vserver vpn1 -policy ldap-auth -priority 10",
    "bind vpn vserver vpn1 -policy firewall -priority 10",
];

fn a_directory_and_a_scan_stand_before_the_stream(engine: &'static str) {
    let (host, directory) = (Host::echo(), Directory::start(&Ca::new()));
    let gateway = publishing(with_lines(ground(engine, &directory), LINES), &host);

    let browser = Browser::new(&gateway);
    let scan = first(&browser);
    let scanner = Scanner::new(Scanner::token_in(&scan.body));
    assert_eq!(scanner.question(&gateway).unwrap(), Asked::Strings(vec!["svc_0_mpssvc".to_owned()]));
    assert_eq!(scanner.answer(&gateway, "0").unwrap(), 200);
    let form = send(&browser, &scan, &[]);
    let wrong = send(&browser, &form, &[("login", ANN.0), ("passwd", "not it")]);
    assert!(wrong.status == 403 && wrong.body.contains("role=\"alert\""), "{wrong:?}");
    assert!(session(&gateway, ANN.0).is_none());
    let list = send(&browser, &wrong, &[("login", ANN.0), ("passwd", ANN.1)]);
    assert!(list.body.contains("Notepad"), "{list:?}");
    let _stream = launched(&gateway, &browser, &list);
    assert!(session(&gateway, ANN.0).is_some());
    assert!(!gateway.log().contains(ANN.1), "no password is told to anybody");
}
