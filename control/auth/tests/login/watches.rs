//! The repeated look at the client, over real lengths of time.

use std::sync::Arc;
use std::time::Duration;

use gate_auth::Now;
use gate_auth::login::again::{Verdict, Watch};
use gate_auth::login::scan::ScanNoted;
use gate_config::model::{Model, PeriodicScan};

use super::kit::{GATEWAY, Login, model};

const MINUTE: Duration = Duration::from_secs(60);
const PACE: PeriodicScan = PeriodicScan { minute: MINUTE, grace: Duration::from_secs(30), strict: true };

fn configured(labels: &str) -> Arc<Model> {
    model(&format!(
        "{GATEWAY}add authentication epaAction firefox -csecexpr sys.client_expr(\"proc_2_firefox\")\n\
         add authentication epaAction chrome -csecexpr sys.client_expr(\"proc_3_chrome\") -quarantineGroup weak\n\
         add authentication epaAction once -csecexpr sys.client_expr(\"proc_0_once\")\n\
         add authentication epaAction mixed -csecexpr \"sys.client_expr(\\\"proc_0_x\\\") && (sys.client_expr(\\\"proc_5_y\\\") || \
            sys.client_expr(\\\"proc_2_z\\\"))\"\n\
         add authentication Policy p_firefox -rule true -action firefox\n\
         add authentication Policy p_chrome -rule true -action chrome\n\
         add authentication Policy p_once -rule true -action once\n\
         add authentication Policy p_mixed -rule true -action mixed\n\
         add authentication policylabel one -loginSchema LSCHEMA_INT\n\
         add authentication policylabel two -loginSchema LSCHEMA_INT\n{labels}"
    ))
}

/// Logs in with these answers and begins to watch.
fn watch(model: &Arc<Model>, pace: PeriodicScan, says: &[&str]) -> (Option<Watch>, Now) {
    let mut login = Login::new(model);
    for said in ["asked", "post ann pw", "right ann"].iter().chain(says) {
        login.say(said);
    }
    let why = login.why();
    let grant = login.granted.unwrap_or_else(|| panic!("no login:\n{why}"));
    (grant.periodic.and_then(|periodic| Watch::new(periodic, pace, login.now)), login.now)
}

const BOTH: &str = "bind authentication policylabel one -policyName p_firefox -priority 10 -nextFactor two\n\
    bind authentication policylabel two -policyName p_chrome -priority 10\n\
    bind authentication vserver av -policy p_dir -priority 10 -nextFactor one\n";

#[test]
fn only_the_latest_factor_with_an_interval_is_repeated() {
    let (watch_of_chrome, _) = watch(&configured(BOTH), PACE, &["scan 0", "scan 0"]);
    let mut watch_of_chrome = watch_of_chrome.unwrap();
    assert_eq!((&**watch_of_chrome.factor(), watch_of_chrome.interval()), ("two", 3 * MINUTE));
    assert_eq!(watch_of_chrome.question(Now::ZERO).strings, ["proc_3_chrome".into()]);

    let (watch_of_firefox, _) = watch(&configured(&BOTH.replace("p_chrome", "p_once")), PACE, &["scan 0", "scan 0"]);
    assert_eq!(watch_of_firefox.unwrap().interval(), 2 * MINUTE, "a later factor without an interval replaces nothing");
}

#[test]
fn nothing_is_repeated_of_what_was_not_passed() {
    let alone = BOTH.replace("-policyName p_firefox", "-policyName p_once");
    assert!(watch(&configured(&alone), PACE, &["scan 0", "scan 3"]).0.is_none(), "quarantine");
    assert!(watch(&configured(&alone.replace("p_chrome", "NO_AUTHN")), PACE, &["scan 0"]).0.is_none());
}

#[test]
fn what_has_an_interval_is_asked_as_often_as_the_shortest_says() {
    let mixed = "bind authentication policylabel one -policyName p_mixed -priority 10\n\
        bind authentication vserver av -policy p_dir -priority 10 -nextFactor one\n";
    let begin = || watch(&configured(mixed), PACE, &["scan 003"]);
    let (Some(mut repeated), now) = begin() else { panic!("nothing to watch") };
    assert_eq!(repeated.interval(), 2 * MINUTE);
    assert_eq!(repeated.question(now).strings, ["proc_5_y".into(), "proc_2_z".into()], "once is once");
    assert_eq!(repeated.answer(Some(b"30"), now), ScanNoted::Taken { passed: true }, "one of the two is enough");
    repeated.question(now);
    assert_eq!(repeated.answer(Some(b"33"), now), ScanNoted::Taken { passed: false });
    assert_eq!(repeated.verdict(now), Some(&Verdict::Failed { factor: "one".into(), failed: 2 }));
    repeated.question(now);
    assert_eq!(repeated.answer(Some(b"00"), now), ScanNoted::Taken { passed: true });
    assert!(repeated.verdict(now).is_some(), "a verdict is never taken back");
}

#[test]
fn an_answer_moves_the_deadline_and_nothing_else_does() {
    let (watch, began) = watch(&configured(BOTH), PACE, &["scan 0", "scan 0"]);
    let mut watch = watch.unwrap();
    let deadline = began + 3 * MINUTE + PACE.grace;
    assert_eq!(watch.deadline(), Some(deadline));
    assert_eq!(watch.answer(Some(b"0"), began), ScanNoted::Unasked);
    watch.question(began + MINUTE);
    assert_eq!(watch.answer(Some(b"0"), began + 3 * MINUTE), ScanNoted::Late);
    watch.question(began + 3 * MINUTE);
    assert_eq!(watch.deadline(), Some(deadline), "to be asked is not to have answered");
    assert_eq!(watch.answer(Some(b"0"), deadline), ScanNoted::Taken { passed: true });
    assert_eq!(watch.answer(Some(b"0"), deadline + MINUTE), ScanNoted::Repeated);
    assert_eq!(watch.verdict(deadline + 3 * MINUTE + PACE.grace), None);
    let late = deadline + 3 * MINUTE + PACE.grace + Duration::from_millis(1);
    assert_eq!(watch.verdict(late), Some(&Verdict::Missing { factor: "two".into(), after: late - deadline }));
}

#[test]
fn an_answer_that_does_not_cover_the_question_fails() {
    let (watch, now) = watch(&configured(BOTH), PACE, &["scan 0", "scan 0"]);
    let mut watch = watch.unwrap();
    watch.question(now);
    assert_eq!(watch.answer(Some(b"00"), now), ScanNoted::Malformed);
    assert_eq!(watch.verdict(now), Some(&Verdict::Failed { factor: "two".into(), failed: 0 }));
}

#[test]
fn a_client_that_never_said_that_it_repeats_is_held_to_it_if_the_operator_wants() {
    let year = Duration::from_secs(365 * 86_400);
    let (quiet, now) = watch(&configured(BOTH), PeriodicScan { strict: false, ..PACE }, &["scan 0", "scan 0"]);
    let mut quiet = quiet.unwrap();
    assert_eq!((quiet.deadline(), quiet.verdict(now + year)), (None, None));
    quiet.question(now);
    assert!(quiet.verdict(now + year).is_some(), "who has begun to repeat must go on");
    let announced = ["scan 0", "question", "digits! 0", "scanned"];
    let (said, now) = watch(&configured(BOTH), PeriodicScan { strict: false, ..PACE }, &announced);
    assert!(said.unwrap().verdict(now + year).is_some());
}

#[test]
fn a_laboratory_may_have_short_minutes() {
    let pace = PeriodicScan { minute: Duration::from_secs(1), grace: Duration::ZERO, strict: true };
    let (watch, now) = watch(&configured(BOTH), pace, &["scan 0", "scan 0"]);
    let mut watch = watch.unwrap();
    assert_eq!(watch.verdict(now + Duration::from_secs(3)), None);
    assert!(watch.verdict(now + Duration::from_millis(3001)).is_some());
}

#[test]
fn eight_hours_of_a_client_that_answers_now_and_then_late() {
    let (watch, began) = watch(&configured(BOTH), PACE, &["scan 0", "scan 0"]);
    let mut watch = watch.unwrap();
    let (mut now, mut answers) = (began, 0_u32);
    while now < began + 8 * 60 * MINUTE {
        let late = Duration::from_secs(u64::from(answers % 7) * 5);
        let due = watch.due() + late;
        while now < due {
            now += Duration::from_secs(1);
            assert_eq!(watch.verdict(now), None, "{answers}");
        }
        watch.question(now);
        assert_eq!(watch.answer(Some(b"0"), now), ScanNoted::Taken { passed: true });
        answers += 1;
    }
    assert!((140..=160).contains(&answers), "{answers}");
}
