//! In the exchange with the app that looks at a device: answers that are none, of another time or of somebody else, tokens that nobody
//! has given, and what is told to whom.

use sluicegate_tests::certs::Ca;
use sluicegate_tests::directory::Directory;
use sluicegate_tests::gateway::{Gateway, NAME};
use sluicegate_tests::host::Host;
use sluicegate_tests::scanner::{Asked, Scanner};
use sluicegate_tests::web::Web;

use super::login::discreet;
use crate::login::{ANN, LISTING, Script, assumed, publishing, rows, with_lines};

fn gateway(directory: &Directory, more: &[&str]) -> Gateway {
    publishing(with_lines(with_lines(assumed("AUTO", directory), LISTING), more), &Host::echo())
}

/// A script that has given its password and is asked for a scan.
fn asked(gateway: &Gateway) -> (Script, Scanner) {
    let mut script = Script::begin(gateway);
    let _ = script.password(ANN.0, ANN.1);
    let scanner = script.scanner();
    assert_eq!(scanner.question(gateway).unwrap(), Asked::Strings(vec!["proc_2_firefox".to_owned()]));
    (script, scanner)
}

fn says_it_is_done(script: &mut Script) -> bool {
    let _ = script.send(&[("nsg-epa", "success")]);
    script.is_in()
}

/// T33: an answer says one digit about each thing that was asked, and nothing else passes.
#[test]
fn an_answer_that_is_none_is_a_failed_scan() {
    let directory = Directory::start(&Ca::new());
    let gateway = gateway(&directory, &[]);
    let long = "0".repeat(4096);
    for digits in ["", "00", "000", "3", "1", "x", " 0", "0 ", "0;", "٠", "\0", long.as_str()] {
        let (mut script, scanner) = asked(&gateway);
        let status = scanner.answer(&gateway, digits).unwrap();
        assert!([200, 400, 403, 431].contains(&status), "{digits:?}: {status}");
        assert!(!says_it_is_done(&mut script), "{digits:?}: {:?}", script.last);
    }
    // Not in its envelope: in the clear, not Base64, not a whole block, and none at all.
    for payload in ["0", "!", "AAAA", "", "o1zuW94GIy9+ZKKiBEXqnw=="] {
        let (mut script, _) = asked(&gateway);
        let cookie = format!("NSC_EPAC={}", script.web.cookie("NSC_EPAC"));
        let headers = [("Cookie", cookie.as_str()), ("Date", "1498797356"), ("CSEC", payload)];
        let answer = Web::new(&gateway).request("GET", "/epas", &headers, b"").unwrap();
        assert!([200, 400, 403].contains(&discreet(&answer).status), "{payload:?}: {answer:?}");
        assert!(!says_it_is_done(&mut script), "{payload:?}: {:?}", script.last);
    }
    assert!(rows(gateway.console().run("show aaa session -format json")).is_empty());
}

/// T33: of two answers in one request none counts, whichever comes first.
#[test]
fn of_two_answers_in_one_request_none_counts() {
    let directory = Directory::start(&Ca::new());
    let gateway = gateway(&directory, &["set vpn parameter -encryptCsecExp DISABLED"]);
    for (answers, passes) in [(&["0", "3"][..], false), (&["3", "0"], false), (&["0", "0"], false), (&["0"], true)] {
        let mut script = Script::begin(&gateway);
        let _ = script.password(ANN.0, ANN.1);
        let cookie = format!("NSC_EPAC={}", script.web.cookie("NSC_EPAC"));
        let mut headers = vec![("Cookie", cookie.as_str())];
        let asked = Web::new(&gateway).request("GET", "/epaq", &headers, b"").unwrap();
        assert_eq!(asked.header("csec"), "proc_2_firefox;", "{asked:?}");
        headers.extend(answers.iter().map(|answer| ("CSEC", *answer)));
        let answer = Web::new(&gateway).request("GET", "/epas", &headers, b"").unwrap();
        assert!([200, 400].contains(&discreet(&answer).status), "{answers:?}: {answer:?}");
        assert_eq!(says_it_is_done(&mut script), passes, "{answers:?}: {:?}", script.last);
    }
}

/// T33: an answer counts once, for the question and the conversation that it belongs to.
#[test]
fn an_answer_of_before_or_of_somebody_else_counts_for_nothing() {
    let directory = Directory::start(&Ca::new());
    let gateway = gateway(&directory, &[]);
    // Two conversations of one user; the second one's machine passes.
    let (mut first, _) = asked(&gateway);
    let (mut second, passing) = asked(&gateway);
    assert_eq!(passing.answer(&gateway, "0").unwrap(), 200);
    assert!(!says_it_is_done(&mut first), "{:?}", first.last);
    assert!(says_it_is_done(&mut second), "{:?}", second.last);
    // What let one in is worth nothing afterwards, and is told nothing.
    let sessions = rows(gateway.console().run("show aaa session -format json")).len();
    for _ in 0..10 {
        let status = passing.answer(&gateway, "0").unwrap();
        assert!([200, 403].contains(&status), "{status}");
    }
    assert_eq!(rows(gateway.console().run("show aaa session -format json")).len(), sessions);
    // The same before any question was asked.
    let mut unasked = Script::begin(&gateway);
    let early = Scanner::new(unasked.web.cookie("NSC_TMAS"));
    assert_eq!(early.question(&gateway).unwrap(), Asked::Refused(403));
    let _ = early.answer(&gateway, "0").unwrap();
    let _ = unasked.password(ANN.0, ANN.1);
    assert!(!says_it_is_done(&mut unasked), "{:?}", unasked.last);
}

/// Tokens that nobody has given are refused without a word, however many, and the scan of somebody else goes on.
#[test]
fn a_flood_of_unknown_tokens_is_refused_without_a_word() {
    let directory = Directory::start(&Ca::new());
    let gateway = gateway(&directory, &[]);
    let (mut script, scanner) = asked(&gateway);
    for connection in 0..20_u64 {
        let mut web = Web::new(&gateway);
        for n in 0..45_u64 {
            let token = format!("{:064x}", (connection << 32 | n).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let path = ["/epatype", "/epaq", "/epas"][usize::try_from(n % 3).unwrap()];
            let cookie = format!("NSC_EPAC={token}");
            let headers = [("Cookie", cookie.as_str()), ("Date", "1498797356"), ("CSEC", "o1zuW94GIy9+ZKKiBEXqnw==")];
            let answer = web.request("GET", path, &headers, b"").unwrap();
            assert_eq!((answer.status, answer.body.as_str(), answer.header("csec")), (403, "", ""), "{path}: {answer:?}");
            assert!(answer.header("set-cookie").is_empty(), "{answer:?}");
        }
    }
    assert_eq!(scanner.answer(&gateway, "0").unwrap(), 200);
    assert!(says_it_is_done(&mut script), "{:?}", script.last);
}

/// T21: the token of a scan is one virtual server's.
#[test]
fn a_token_is_worth_nothing_at_another_virtual_server() {
    let directory = Directory::start(&Ca::new());
    let other = format!("add vpn vserver vpn2 SSL 127.0.0.1 0 -vserverFqdn {NAME}");
    let more = [other.as_str(), "bind ssl vserver vpn2 -certkeyName gw", "set vpn vserver vpn2 -authnProfile nfactor"];
    let gateway = gateway(&directory, &more);
    let (mut script, scanner) = asked(&gateway);
    let cookie = format!("NSC_EPAC={}", script.web.cookie("NSC_EPAC"));
    let headers = [("Cookie", cookie.as_str()), ("Date", "1498797356"), ("CSEC", "o1zuW94GIy9+ZKKiBEXqnw==")];
    for path in ["/epatype", "/epaq", "/epas", "/logon/LogonPoint/sg/scan"] {
        let answer = Web::to(&gateway, "vpn2").request("GET", path, &headers, b"").unwrap();
        assert_eq!((answer.status, answer.body.as_str(), answer.header("csec")), (403, "", ""), "{path}: {answer:?}");
    }
    assert_eq!(scanner.answer(&gateway, "0").unwrap(), 200);
    assert!(says_it_is_done(&mut script), "{:?}", script.last);
}

/// T36: what is to be ended and deleted is told to an app of ours, in its envelope, and to nobody else.
#[test]
fn what_an_app_is_to_do_is_told_to_nobody_else() {
    const ACTIONS: &str = "x-sluicegate-epa-actions";
    let directory = Directory::start(&Ca::new());
    let more = ["set authentication epaAction EPA-client-scan -killProcess nuisance.exe -deletefiles C:\\temp\\nuisance.txt"];
    let gateway = gateway(&directory, &more);
    let (script, _) = asked(&gateway);
    let of = |token: &str, periodic: bool| {
        let cookie = format!("NSC_EPAC={token}");
        let mut headers = vec![("Cookie", cookie.as_str()), ("Date", "1498797356")];
        headers.extend(periodic.then_some(("X-Sluicegate-EPA", "periodic")));
        Web::new(&gateway).request("GET", "/epaq", &headers, b"").unwrap()
    };
    let token = script.web.cookie("NSC_EPAC");
    let ours = of(token, true);
    assert!(ours.status == 200 && !ours.header(ACTIONS).is_empty(), "{ours:?}");
    assert!(!format!("{ours:?}").contains("nuisance"), "in the clear: {ours:?}");
    for other in [of(token, false), of(&"0".repeat(64), true)] {
        assert_eq!(other.header(ACTIONS), "", "{other:?}");
    }
    // Whatever could mean more than one file, or another machine's, is no order.
    let mut console = gateway.console();
    for file in ["C:\\\\*", "..\\\\..\\\\x", "\\\\\\\\server\\\\share\\\\x", "C:\\\\Windows\\\\..\\\\x"] {
        let said = console.run(&format!("set authentication epaAction EPA-client-scan -deletefiles \"{file}\""));
        assert_ne!(said.code, 0, "{file}: {said:?}");
    }
}
