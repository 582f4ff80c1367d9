//! Login, ticket, launch, stream: what ends with what.
#![expect(clippy::unwrap_used, reason = "what fails here has failed the test")]

#[expect(dead_code, reason = "each test file uses its part of the kit")]
mod kit;

use std::time::Duration;

use kit::operator::{ADMIN, Live, Operator, until};
use kit::{CLIENT, House};
use sluice_link::ask::{Ask, Closed, Opened, Phases};
use sluice_link::id::{LaunchId, ListenerId, SessionKey};
use sluice_link::live::Traffic;
use sluice_link::reason::Reason;
use sluice_link::tell::{Refusal, Tell};
use sluice_link::time::Moment;

const HOST: &str = "10.11.12.13:1494";
// s3cret and hunter2, at costs that are next to nothing.
const ALICE: &str = "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$UtZEz+BWHC0WlJmqT+7JZIGfdVZuDoQEmUbiCLh7qvY";
const BOB: &str = "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$X2GowFcIBjqaOkT9YxifAWkwSk5c0dvtvKHLkcfTBJQ";

/// A gateway whose tickets the embedded farm issues, with what more a test wants of it.
fn live(more: &str) -> (Live, Operator, ListenerId) {
    let live = Live::of(&format!(
        "enable ns feature SSLVPN AAA\nset vpn parameter -ntDomain DEMO\nadd ssl certKey gw -cert gw.pem -key gw.key\n\
         add aaa user alice -password {ALICE} -encrypted -hashmethod ARGON2ID\n\
         add aaa user bob -password {BOB} -encrypted -hashmethod ARGON2ID\nadd aaa group Staff\nbind aaa group Staff -userName bob\n\
         add vpn vserver gw SSL 192.0.2.1 443 -vserverFqdn gw.example.test\nbind ssl vserver gw -certkeyName gw\n\
         add vpn allowedHost all 0.0.0.0/0 -port 1494 -allowLoopback YES\n\
         add farm server farm 127.0.0.1 0 -authorityID STA01\nadd farm resource Notepad -host {HOST}\n\
         bind farm resource Notepad -everyone\n{more}\n"
    ));
    let mut operator = live.operator(ADMIN);
    let farm = operator.say("show farm server farm").done().value("Address").to_owned();
    operator.say(&format!("bind vpn vserver gw -staServer http://{farm}")).done();
    let listener = live.house.workers.published().unwrap().listeners[0].id;
    (live, operator, listener)
}

/// Says that the bytes of a launch flow.
fn open(house: &House, listener: ListenerId, key: SessionKey, launch: LaunchId) {
    let phases = Phases::default();
    house.workers.set_traffic(key, Some(Traffic { up_bytes: 10, down_bytes: 20, last: Moment(0) }));
    house.workers.ask(Ask::Opened(Opened { key, listener, launch, took: Duration::from_millis(3), phases, secured: None }));
}

/// A session that runs, from the click to the first byte.
fn run(live: &Live, listener: ListenerId, cookie: &str) -> SessionKey {
    let ticket = live.house.ticket(cookie, "Notepad");
    let key = live.house.workers.present_at(listener, &ticket, CLIENT);
    let launch = live.house.workers.verdict(key).unwrap().launch;
    open(&live.house, listener, key, launch);
    key
}

fn is_in(live: &Live, cookie: &str) -> bool {
    live.house.get("/portal", cookie).status == 200
}

/// Waits until the workers are told to end a session, and says why.
fn killed(live: &Live, wanted: SessionKey) -> Reason {
    live.house.workers.wait(|_, tell| match tell {
        Tell::Kill { key, reason } => (*key == wanted).then_some(*reason),
        Tell::Redeemed { .. } | Tell::Drain { .. } | Tell::Stop => None,
    })
}

/// How many were told to end that nobody has waited for.
fn others(live: &Live) -> usize {
    live.house.workers.count(|tell| matches!(tell, Tell::Kill { .. }))
}

fn leave(live: &Live, cookie: &str) {
    let token = live.house.get("/portal", cookie).hidden("csrf");
    assert_eq!(live.house.post("/cgi/logout", cookie, &[("csrf", &token)]).status, 303);
}

fn running(operator: &mut Operator, sessions: usize) {
    until("the sessions run", || operator.say("stat aaa").done().value("Cur ICA conn") == sessions.to_string());
}

#[test]
fn a_session_is_shown_with_its_login_and_ends_with_it() {
    let (live, mut operator, gw) = live("");
    let (alice, bob) = (live.house.login("alice", "s3cret"), live.house.login("bob", "hunter2"));
    let sessions = [run(&live, gw, &alice), run(&live, gw, &alice), run(&live, gw, &bob)];
    running(&mut operator, 3);
    let shown = operator.say("show aaa session -userName alice").done();
    assert_eq!(shown.value("ICA connections"), "2", "{}", shown.text);
    let key = shown.value("Session key").to_owned();
    let of_alice = operator.say("show vpn icaConnection -userName alice").done();
    assert_eq!(of_alice.value("Session key"), key);
    let told = operator.say(&format!("kill aaa session -sessionKey {key}")).done();
    assert_eq!((told.value("Killed"), told.value("ICA connections killed")), ("1", "2"));
    assert_eq!([killed(&live, sessions[0]), killed(&live, sessions[1])], [Reason::Killed; 2]);
    assert!(!is_in(&live, &alice) && is_in(&live, &bob));
    let told = operator.say("kill aaa session -groupName Staff").done();
    assert_eq!((told.value("Killed"), told.value("ICA connections killed")), ("1", "1"));
    killed(&live, sessions[2]);
    assert_eq!(others(&live), 0);
    let ended = operator.say("show aaa session -ended -userName alice").done();
    assert_eq!((ended.value("Session key"), ended.value("End reason")), (&*key, "killed"), "{}", ended.text);
}

#[test]
fn what_an_end_takes_along_is_what_the_policy_says() {
    for (setting, way, ends) in [
        ("", "logout", None),
        ("set vpn parameter -icaOnLogout END", "logout", Some(Reason::LoginOver)),
        ("set vpn parameter -icaOnLogout END", "again", Some(Reason::LoginOver)),
        ("", "again", None),
        ("set vpn vserver gw -loginOnce ON", "elsewhere", Some(Reason::LoginOver)),
        ("", "elsewhere", None),
        ("", "rm aaa user alice", Some(Reason::LoginOver)),
        ("", "set aaa user alice -password another1", Some(Reason::LoginOver)),
        ("", "kill aaa session -userName ALICE", Some(Reason::Killed)),
        ("", "kill aaa session -all", Some(Reason::Killed)),
    ] {
        let (live, mut operator, gw) = live(setting);
        let cookie = live.house.login("alice", "s3cret");
        let key = run(&live, gw, &cookie);
        running(&mut operator, 1);
        let stays = way == "elsewhere" && ends.is_none();
        match way {
            "logout" => leave(&live, &cookie),
            "again" => {
                let form = live.house.get("/vpn/index.html", "");
                let cookies = format!("__Host-sg-form={}; {cookie}", form.cookie("__Host-sg-form"));
                let fields = [("login", "alice"), ("passwd", "s3cret"), ("csrf", &form.hidden("csrf"))];
                assert_eq!(live.house.post("/cgi/login", &cookies, &fields).status, 303);
            }
            "elsewhere" => drop(live.house.login("alice", "s3cret")),
            line => drop(operator.say(line).done()),
        }
        assert_eq!(is_in(&live, &cookie), stays, "{setting} {way}");
        match ends {
            Some(reason) => assert_eq!(killed(&live, key), reason, "{setting} {way}"),
            // What the owner has to say stands in front of its answer to this.
            None => running(&mut operator, 1),
        }
        assert_eq!(others(&live), 0, "{setting} {way}");
    }
}

#[test]
fn a_ticket_of_a_login_that_is_over_leads_nowhere_and_bans_nobody() {
    let (live, mut operator, gw) = live("");
    let cookie = live.house.login("alice", "s3cret");
    let tickets: Vec<String> = (0..40).map(|_| live.house.ticket(&cookie, "Notepad")).collect();
    operator.say("kill aaa session -all").done();
    for ticket in &tickets {
        let key = live.house.workers.present_at(gw, ticket, CLIENT);
        assert_eq!(live.house.workers.verdict(key), Err(Refusal::Ticket));
    }
    assert_eq!(operator.say("stat aaa").done().value("Launches too late"), "40");
    let cookie = live.house.login("alice", "s3cret");
    run(&live, gw, &cookie);
    running(&mut operator, 1);
}

#[test]
fn a_launch_whose_login_ends_before_it_runs_ends_as_soon_as_it_does() {
    let (live, mut operator, gw) = live("");
    let cookie = live.house.login("alice", "s3cret");
    let key = live.house.workers.present_at(gw, &live.house.ticket(&cookie, "Notepad"), CLIENT);
    let launch = live.house.workers.verdict(key).unwrap().launch;
    assert_eq!(operator.say("kill aaa session -all").done().value("ICA connections killed"), "0");
    open(&live.house, gw, key, launch);
    assert_eq!(killed(&live, key), Reason::LoginOver);
}

#[test]
fn no_more_log_in_than_may() {
    for setting in ["set aaa parameter -maxAAAUsers 1", "set vpn vserver gw -maxAAAUsers 1"] {
        let (live, _, _) = live(setting);
        let alice = live.house.login("alice", "s3cret");
        let refused = live.house.try_login(CLIENT, "bob", "hunter2");
        assert_eq!(refused.status, 503, "{setting}: {refused:?}");
        leave(&live, &alice);
        live.house.login("bob", "hunter2");
    }
}

#[test]
fn it_is_written_down_from_login_to_end() {
    let (live, mut operator, gw) = live("");
    let cookie = live.house.login("alice", "s3cret");
    let key = run(&live, gw, &cookie);
    running(&mut operator, 1);
    leave(&live, &cookie);
    live.house.workers.set_traffic(key, None);
    live.house.workers.ask(Ask::Closed(Closed {
        key,
        listener: gw,
        client: CLIENT.parse().unwrap(),
        launch: Some(LaunchId(1)),
        reason: Reason::ClientGone,
        up_bytes: 7,
        down_bytes: 9,
        lived: Duration::from_secs(3),
        phases: Phases::default(),
    }));
    running(&mut operator, 0);
    let notes = live.notes.taken();
    let find = |event: &str| {
        let found: Vec<&String> = notes.iter().filter(|note| note.split(' ').next() == Some(event)).collect();
        assert_eq!(found.len(), 1, "{event} in {notes:#?}");
        found[0].clone()
    };
    for event in ["login", "launch", "session", "session-end", "login-end"] {
        let note = find(event);
        assert!(note.contains("(\"login\", Number(1))") && note.contains("Text(\"alice\")"), "{note}");
    }
    assert!(find("login-end").contains("Text(\"logout\")"));
    assert!(find("launch").contains("Text(\"Notepad\")"));
    assert!(find("session-end").contains("(\"upBytes\", Number(7))"));
    assert!(!notes.iter().any(|note| note.contains("s3cret")), "{notes:#?}");
}

#[test]
fn who_cannot_be_written_down_does_not_log_in() {
    let (live, _, _) = live("");
    let alice = live.house.login("alice", "s3cret");
    live.notes.set_may_act(false);
    let refused = live.house.try_login(CLIENT, "bob", "hunter2");
    assert_eq!(refused.status, 500, "{refused:?}");
    assert!(is_in(&live, &alice), "who is in stays in");
    live.notes.set_may_act(true);
    live.house.login("bob", "hunter2");
}
