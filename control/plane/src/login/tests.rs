//! Whole logins against the owner, without a door: what a browser would say is said here.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use gate_auth::login::scan::ScanNoted;
use gate_auth::login::{Code, Event, Why};
use gate_auth::sessions::{Arrival, End, Token};
use gate_config::Strictness;
use gate_config::expr::{Method, Request, Typed};
use gate_config::model::Model;
use secrecy::zeroize::Zeroizing;
use sluice_link::ask::{Opened, Phases};
use sluice_link::id::{Generation, ListenerId, SessionKey, Slot, SlotKey, WorkerId};
use sluice_link::reason::Reason;
use tokio::sync::mpsc;

use super::directories::Directories;
use super::trace::{TraceResult, WantedTraces};
use super::*;
use crate::action::{ACTIONS_MAX, Action, NotEntered, Owned, Presented, Rules, Tables, WantedLogins, Whose};
use crate::audit::NoAudit;
use crate::clock::Clock;
use crate::helpers::Helpers;
use crate::owner::Owner;
use crate::passwords;
use crate::running::Launch;
use crate::secrets::Secrets;
use crate::turn::{ORDERS_MAX, Order};

/// Nothing takes longer, but where a test says so.
const SOON: Duration = Duration::from_secs(20);
// s3cret, at costs that are next to nothing.
const S3CRET: &str = "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$UtZEz+BWHC0WlJmqT+7JZIGfdVZuDoQEmUbiCLh7qvY";

/// An owner at work, and a browser.
struct Bench {
    browser: Browser,
    orders: mpsc::Receiver<Order>,
}

impl std::ops::Deref for Bench {
    type Target = Browser;

    fn deref(&self) -> &Browser {
        &self.browser
    }
}

/// Somebody who logs in, with the configuration in force.
#[derive(Clone)]
struct Browser {
    owner: Owned,
    model: Arc<Model>,
    client: SocketAddr,
}

/// A virtual server `gw` whose logins begin at `av`, and what a test wants there.
fn config(more: &str) -> String {
    format!(
        "enable ns feature SSLVPN AAA\nset vpn parameter -ntDomain DEMO\n\
         add aaa user alice -password {S3CRET} -encrypted -hashmethod ARGON2ID\nadd aaa group Staff\nbind aaa group Staff -userName alice\n\
         add authentication vserver av SSL 0.0.0.0\nadd authentication authnProfile profile -authnVsName av\n\
         add vpn vserver gw SSL 192.0.2.1 443 -authnProfile profile\n\
         add authentication Policy local -rule true -action LOCAL\n{more}\n"
    )
}

const LOCAL: &str = "bind authentication vserver av -policy local -priority 10 -gotoPriorityExpression NEXT";

/// Local password, then a scan that is repeated every two minutes.
fn scanned(more: &str) -> String {
    config(&format!(
        "add authentication epaAction scan -csecexpr \"sys.client_expr(\\\"proc_2_firefox\\\")\"\n\
         add authentication Policy scan_policy -rule true -action scan\n\
         add authentication policylabel after -loginSchema LSCHEMA_INT\n\
         bind authentication policylabel after -policyName scan_policy -priority 10 -gotoPriorityExpression END\n\
         bind authentication vserver av -policy local -priority 10 -nextFactor after -gotoPriorityExpression NEXT\n{more}"
    ))
}

impl Bench {
    fn new(text: &str) -> Self {
        let files = std::collections::BTreeMap::<std::path::PathBuf, Vec<u8>>::new();
        let checked = gate_config::check("ns.conf", text, Strictness::Strict, &files);
        let problems: Vec<String> = checked.errors().map(ToString::to_string).collect();
        let model = Arc::new(checked.model.unwrap_or_else(|| panic!("{problems:#?}")));
        let (queue, actions) = mpsc::channel(ACTIONS_MAX);
        let (orders, taken) = mpsc::channel(ORDERS_MAX);
        let helpers = Arc::new(Helpers::new());
        let directories = Directories::of(&model, &checked.files, None, &Arc::new(Secrets::beside(None)), &helpers);
        let outside =
            Outside::new(Box::new(move |action| directories.find(action).map(Whom::Directory)), helpers, queue.downgrade());
        let tables = Tables {
            nt_domain: "DEMO".into(),
            users: passwords::users(&model, &passwords::Known::new().unwrap()).unwrap(),
            farm: Vec::new(),
            listeners: Vec::new(),
            rules: Rules::of(&model),
        };
        let clock = Clock::new(tokio::time::Instant::now().into_std());
        tokio::spawn(Owner::new(tables, clock, Arc::new(NoAudit), orders, outside, Default::default()).unwrap().serve(actions));
        let browser = Browser { owner: Owned::new(queue), model, client: "198.51.100.7:5".parse().unwrap() };
        Self { browser, orders: taken }
    }
}

impl Browser {
    /// Another one, somewhere else.
    fn number(&self, n: usize) -> Self {
        let [.., a, b, c] = u32::try_from(n).unwrap().to_be_bytes();
        Self { client: SocketAddr::from(([10, a, b, c], 5)), ..self.clone() }
    }

    fn said(&self, token: Option<&str>, event: Event) -> Said {
        let request = Request {
            method: Method::Post,
            host: "gw.example.test".to_owned(),
            target: "/nf/auth/doAuthentication.do".to_owned(),
            headers: Vec::new(),
            body: Zeroizing::default(),
            client: self.client,
            server: "192.0.2.1:443".parse().unwrap(),
            tls: None,
            certificate: None,
            wall: std::time::UNIX_EPOCH,
        };
        let arrival = Arrival { client: self.client, vserver: "gw".into() };
        let (request, model) = (Arc::new(request), self.model.clone());
        Said { token: token.map(str::to_owned), ticket: None, event, request, arrival, replaces: None, model }
    }

    async fn say(&self, token: Option<&str>, event: Event) -> Turn {
        converse(&self.owner, self.said(token, event)).await.unwrap()
    }

    /// Begins a login: its token, and the step of its form.
    async fn begin(&self) -> (String, u32) {
        let turn = self.say(None, Event::Asked).await;
        let Turn::Show { token, view } = &turn else { panic!("{turn:?}") };
        (token.expose().to_owned(), view.step)
    }

    async fn post(&self, token: &str, step: u32, user: &str, password: &str) -> Turn {
        self.say(Some(token), posted(step, user, password)).await
    }

    /// Posts a name and a password into the form of a new login.
    async fn log_in(&self, user: &str, password: &str) -> Turn {
        let (token, step) = self.begin().await;
        self.post(&token, step, user, password).await
    }

    /// Names a login to operators.
    async fn session(&self, cookie: &Token) -> u64 {
        let Whose::Login(session, _) = self.whose(cookie).await else { panic!("no session") };
        session.number
    }

    async fn whose(&self, cookie: &Token) -> Whose {
        let cookie = cookie.expose().to_owned();
        self.owner.ask(|reply| Action::Who { cookie, reply }).await.unwrap()
    }

    /// Up to the scan behind the password: the token.
    async fn to_scan(&self) -> String {
        let turn = self.log_in("alice", "s3cret").await;
        let Turn::Scan { token, .. } = &turn else { panic!("{turn:?}") };
        token.expose().to_owned()
    }

    /// The client is asked and answers.
    async fn scan(&self, token: &str, digits: &[u8]) -> Option<ScanNoted> {
        let ScanAsked::Now(question) = epa_question(&self.owner, "gw", token).await.unwrap()? else { return None };
        assert_eq!(question.strings.len(), 1);
        let digits = Some(Zeroizing::new(digits.to_vec()));
        epa_answer(&self.owner, "gw", token, digits, true).await.unwrap()
    }
}

fn posted(step: u32, user: &str, password: &str) -> Event {
    let typed = Typed { username: user.to_owned(), password: password.to_owned().into(), ..Typed::default() };
    Event::Posted { step: Some(step), typed: Box::new(typed) }
}

fn granted(turn: Turn) -> Token {
    let Turn::Granted { login, .. } = turn else { panic!("{turn:?}") };
    login
}

fn error(turn: &Turn) -> Option<Code> {
    let Turn::Show { view, .. } = turn else { panic!("{turn:?}") };
    view.error
}

#[tokio::test(flavor = "current_thread")]
async fn a_password_makes_a_session_under_a_cookie_that_nobody_has_seen() {
    let bench = Bench::new(&config(LOCAL));
    let (token, step) = bench.begin().await;
    let wrong = bench.post(&token, step, "alice", "wrong").await;
    assert_eq!(error(&wrong), Some(Code::Credentials));
    let Turn::Show { token: same, view } = wrong else { panic!() };
    assert_eq!(same.expose(), token, "no factor was passed");
    let Turn::Granted { login, watched } = bench.post(&token, view.step, "DEMO\\Alice", "s3cret").await else {
        panic!("no login")
    };
    assert!(login.expose() != token && !watched);
    let Whose::Login(session, _) = bench.whose(&login).await else { panic!("no session") };
    assert_eq!((session.user(), session.number), ("alice", 1));
    assert!(session.is_in("Staff"));
    assert!(matches!(bench.say(Some(&token), Event::Cancelled).await, Turn::Unknown), "the login under way is over");
}

#[tokio::test(flavor = "current_thread")]
async fn of_posts_at_the_same_time_one_wins() {
    let bench = Bench::new(&config(LOCAL));
    let (token, step) = bench.begin().await;
    let post = || bench.post(&token, step, "alice", "s3cret");
    let (a, b, c) = tokio::join!(post(), post(), post());
    let turns = [a, b, c];
    assert_eq!(turns.iter().filter(|turn| matches!(turn, Turn::Granted { .. })).count(), 1, "{turns:?}");
    assert_eq!(turns.iter().filter(|turn| matches!(turn, Turn::Conflict)).count(), 2, "{turns:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn steps_are_neither_repeated_nor_mixed() {
    let bench = Bench::new(&scanned(""));
    let (token, step) = bench.begin().await;
    let (other, other_step) = bench.begin().await;
    let Turn::Scan { token: scan, .. } = bench.post(&token, step, "alice", "s3cret").await else { panic!() };
    // The token of before is worth nothing, nor is one that was never given out, nor a step that is over.
    assert!(matches!(bench.post(&token, step, "alice", "s3cret").await, Turn::Unknown));
    assert!(matches!(bench.post("0123456789abcdef", 1, "alice", "s3cret").await, Turn::Unknown));
    assert!(matches!(bench.post(scan.expose(), step, "alice", "s3cret").await, Turn::Scan { .. }), "what is waited for is shown");
    // Another login is where it was.
    assert_eq!((other == token, other_step), (false, step));
    assert!(matches!(bench.post(&other, other_step, "alice", "s3cret").await, Turn::Scan { .. }));
    // At another virtual server a token is nothing.
    let elsewhere = epa_question(&bench.owner, "other", scan.expose()).await.unwrap();
    assert!(elsewhere.is_none());
}

/// Two scans that are repeated: the token of the first comes back later, and has no part in the session.
#[tokio::test(flavor = "current_thread")]
async fn the_token_of_a_factor_before_waits_and_then_is_worth_nothing() {
    let bench = Bench::new(&scanned(
        "add authentication epaAction scan2 -csecexpr \"sys.client_expr(\\\"proc_3_chrome\\\")\"\n\
         add authentication Policy scan2_policy -rule true -action scan2\n\
         add authentication policylabel behind -loginSchema LSCHEMA_INT\n\
         bind authentication policylabel behind -policyName scan2_policy -priority 10\n\
         unbind authentication policylabel after -policyName scan_policy\n\
         bind authentication policylabel after -policyName scan_policy -priority 10 -nextFactor behind",
    ));
    let asked = async |token: &str| epa_question(&bench.owner, "gw", token).await.unwrap();
    let first = bench.to_scan().await;
    bench.scan(&first, b"0").await;
    let Turn::Scan { token: last, .. } = bench.say(Some(&first), Event::Scanned { step: None }).await else { panic!("no scan") };
    // Half the grace, and no more than a quarter of a minute.
    assert_eq!(asked(&first).await, Some(ScanAsked::Later(Duration::from_secs(15))));
    assert_eq!(scan_state(&bench.owner, "gw", &first).await, Ok(Some(ScanState::Idle)));
    assert_eq!(scan_state(&bench.owner, "other", &first).await, Ok(None));
    bench.scan(last.expose(), b"0").await;
    let unasked = epa_answer(&bench.owner, "gw", &first, Some(Zeroizing::new(b"3".to_vec())), true).await;
    assert_eq!(unasked, Ok(Some(ScanNoted::Unasked)));
    let turn = bench.say(Some(last.expose()), Event::Scanned { step: None }).await;
    assert!(matches!(turn, Turn::Granted { watched: true, .. }), "{turn:?}");
    assert_eq!(asked(&first).await, None, "another scan is the one that is repeated");
    assert!(
        matches!(asked(last.expose()).await, Some(ScanAsked::Now(question)) if *question.strings == ["proc_3_chrome".into()])
    );
}

#[tokio::test(flavor = "current_thread")]
async fn a_scan_lets_in_and_its_failing_repeat_ends_the_session_and_what_it_launched() {
    let mut bench = Bench::new(&scanned(""));
    let token = bench.to_scan().await;
    assert_eq!(scan_state(&bench.owner, "gw", &token).await, Ok(Some(ScanState::Waiting)));
    assert_eq!(bench.scan(&token, b"0").await, Some(ScanNoted::Taken { passed: true }));
    assert_eq!(scan_state(&bench.owner, "gw", &token).await, Ok(Some(ScanState::Done)));
    let turn = bench.say(Some(&token), Event::Scanned { step: None }).await;
    let Turn::Granted { login, watched: true } = turn else { panic!("{turn:?}") };
    let number = bench.session(&login).await;
    let key = launch(&bench.owner, number, "AB").await;
    // The client goes on under the token that it has.
    assert_eq!(bench.scan(&token, b"0").await, Some(ScanNoted::Taken { passed: true }));
    assert!(matches!(bench.whose(&login).await, Whose::Login(..)));
    assert_eq!(bench.scan(&token, b"3").await, Some(ScanNoted::Taken { passed: false }));
    assert!(matches!(bench.whose(&login).await, Whose::Over(End::ScanFailed)));
    let order = tokio::time::timeout(SOON, bench.orders.recv()).await.unwrap();
    assert!(matches!(order, Some(Order::Kill { keys, .. }) if keys == [(key, Reason::LoginOver)]));
    assert_eq!(bench.scan(&token, b"0").await, None, "nobody is watched any more");
}

#[tokio::test(flavor = "current_thread")]
async fn a_repeat_that_does_not_come_ends_the_session() {
    // The shortest minute of a laboratory, and no grace.
    let mut bench = Bench::new(&scanned("set aaa parameter -periodicEpaMinute 1 -periodicEpaGrace 0"));
    let token = bench.to_scan().await;
    bench.scan(&token, b"0").await;
    let login = granted(bench.say(Some(&token), Event::Scanned { step: None }).await);
    let number = bench.session(&login).await;
    let key = launch(&bench.owner, number, "AB").await;
    let order = tokio::time::timeout(SOON, bench.orders.recv()).await.unwrap();
    assert!(matches!(order, Some(Order::Kill { keys, .. }) if keys == [(key, Reason::LoginOver)]));
    assert!(matches!(bench.whose(&login).await, Whose::Over(End::ScanMissing)));
    let wanted = WantedLogins { number: Some(number), ..WantedLogins::default() };
    let ended = bench.owner.ask(|reply| Action::EndedLogins { wanted, at_most: 9, reply }).await.unwrap();
    assert_eq!((ended.rows[0].number, ended.rows[0].end), (number, End::ScanMissing));
}

#[tokio::test(flavor = "current_thread")]
async fn who_only_had_the_client_looked_at_is_nobody() {
    let bench = Bench::new(&config(
        "add authentication epaAction scan -csecexpr \"sys.client_expr(\\\"proc_0_firefox\\\")\" -defaultEPAGroup compliant\n\
         add authentication Policy scan_policy -rule true -action scan\n\
         bind authentication vserver av -policy scan_policy -priority 10 -gotoPriorityExpression NEXT",
    ));
    let turn = bench.say(None, Event::Asked).await;
    let Turn::Scan { token, .. } = turn else { panic!("{turn:?}") };
    bench.scan(token.expose(), b"0").await;
    let login = granted(bench.say(Some(token.expose()), Event::Scanned { step: None }).await);
    let Whose::Login(session, _) = bench.whose(&login).await else { panic!("no session") };
    assert!(session.entry.identity.is_none() && session.entry.sso.is_none() && session.is_in("compliant"));
    assert_eq!(session.user(), "");
}

#[tokio::test(flavor = "current_thread")]
async fn what_the_client_lacks_is_no_login_without_a_quarantine() {
    let bench = Bench::new(&scanned(""));
    let (token, step) = bench.begin().await;
    let Turn::Scan { token, view } = bench.post(&token, step, "alice", "s3cret").await else { panic!("no scan") };
    assert_eq!(&*view.factor, "after");
    bench.scan(token.expose(), b"3").await;
    let turn = bench.say(Some(token.expose()), Event::Scanned { step: Some(view.step) }).await;
    assert!(matches!(&turn, Turn::Over(denial) if denial.why == Why::Scan), "{turn:?}");
    let cancelled = bench.begin().await.0;
    assert!(matches!(bench.say(Some(&cancelled), Event::Cancelled).await, Turn::Cancelled));
    let counts = bench.owner.ask(Action::Count).await.unwrap();
    assert_eq!((counts.logins, counts.conversations, counts.tally.logins_wrong), (0, 0, 1));
}

#[tokio::test(flavor = "current_thread")]
async fn no_more_log_in_than_may() {
    let bench = Bench::new(&config(&format!("{LOCAL}\nset aaa parameter -maxAAAUsers 1")));
    granted(bench.log_in("alice", "s3cret").await);
    let turn = bench.log_in("alice", "s3cret").await;
    assert!(matches!(turn, Turn::NotEntered(NotEntered::Enough)), "{turn:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_door_that_goes_away_loses_nothing() {
    let bench = Bench::new(&config(LOCAL));
    let (token, step) = bench.begin().await;
    let said = Box::new(bench.said(Some(&token), posted(step, "alice", "s3cret")));
    // It goes as soon as it has asked.
    let (reply, door) = tokio::sync::oneshot::channel();
    drop(door);
    bench.owner.tell(Action::Say { said, reply }).await;
    let turn = loop {
        let turn = bench.say(Some(&token), Event::Asked).await;
        if !matches!(turn, Turn::Conflict) {
            break turn;
        }
        tokio::task::yield_now().await;
    };
    let login = granted(turn);
    assert!(matches!(bench.whose(&login).await, Whose::Login(..)), "whoever comes back finds the login that was earned");
}

#[tokio::test(flavor = "current_thread")]
async fn who_fails_too_often_is_locked_out_even_with_the_right_password() {
    let bench = Bench::new(&config(&format!("{LOCAL}\nset aaa parameter -maxLoginAttempts 3 -failedLoginTimeout 5")));
    for _ in 0..3 {
        assert_eq!(error(&bench.log_in("alice", "wrong").await), Some(Code::Credentials));
    }
    assert!(error(&bench.log_in("ALICE", "s3cret").await).is_some(), "locked");
    let realms = vec![gate_auth::login::Realm::Authentication("av".into())];
    let unlocked = bench.owner.ask(|reply| Action::Unlock { user: "Alice".to_owned(), realms, reply }).await;
    assert_eq!(unlocked, Ok(1));
    granted(bench.log_in("alice", "s3cret").await);
}

#[tokio::test(flavor = "current_thread")]
async fn operators_see_why_and_no_secret() {
    let bench = Bench::new(&config(LOCAL));
    bench.log_in("alice", "wr0ng-one").await;
    granted(bench.log_in("alice", "s3cret").await);
    let wanted = WantedTraces::default();
    let traces = bench.owner.ask(|reply| Action::Traces { wanted, at_most: 10, reply }).await.unwrap().rows;
    let results: Vec<_> = traces.iter().map(|trace| (trace.number, trace.result)).collect();
    assert_eq!(results, [(1, TraceResult::UnderWay), (2, TraceResult::Granted(1))]);
    assert!(traces.iter().all(|trace| trace.decisions.len() > 2 && trace.left_out == 0 && trace.client == bench.client));
    assert!(traces[0].ended.is_none() && traces[1].ended.is_some_and(|ended| ended >= traces[1].began));
    let text = format!("{traces:?}");
    assert!(text.contains("alice") && !text.contains("s3cret") && !text.contains("wr0ng-one"), "{text}");
    let wanted = WantedTraces { user: Some("ALICE".to_owned()), ..WantedTraces::default() };
    let of_alice = bench.owner.ask(|reply| Action::Traces { wanted, at_most: 10, reply }).await.unwrap();
    assert_eq!(of_alice.total, 1, "a name counts once somebody has proven to have it");
}

/// A directory that takes connections and says nothing.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let text = format!(
        "add authentication ldapAction dir -serverIP 127.0.0.1 -serverPort {port} -secType PLAINTEXT -ldapBase dc=x -ldapLoginName uid\n\
         add authentication Policy ask_dir -rule true -action dir"
    );
    (listener, text)
}

#[tokio::test(flavor = "current_thread")]
async fn a_hanging_directory_costs_its_own_logins_an_error_in_time_and_nothing_else() {
    let (_listener, dir) = silent();
    let bench = Bench::new(&config(&format!(
        "{dir}\nbind authentication vserver av -policy ask_dir -priority 10 -gotoPriorityExpression END\n\
         add authentication vserver av2 SSL 0.0.0.0\nadd authentication authnProfile profile2 -authnVsName av2\n\
         add vpn vserver gw2 SSL 192.0.2.2 443 -authnProfile profile2\n\
         bind authentication vserver av2 -policy local -priority 10 -gotoPriorityExpression NEXT"
    )));
    let began = tokio::time::Instant::now();
    let hanging = bench.log_in("alice", "s3cret");
    let others = async {
        let at = |mut said: Said| {
            said.arrival.vserver = "gw2".into();
            said
        };
        for _ in 0..50 {
            let Turn::Show { token, view } = converse(&bench.owner, at(bench.said(None, Event::Asked))).await.unwrap() else {
                panic!()
            };
            let said = at(bench.said(Some(token.expose()), posted(view.step, "alice", "s3cret")));
            granted(converse(&bench.owner, said).await.unwrap());
        }
        began.elapsed()
    };
    let (turn, others) = tokio::join!(hanging, others);
    assert_eq!(error(&turn), Some(Code::TryLater));
    assert!(others < began.elapsed(), "fifty others were in before the directory was given up");
    let counts = bench.owner.ask(Action::Count).await.unwrap();
    assert_eq!((counts.questions, counts.questions_waiting, counts.tally.logins_held_back), (0, 0, 0));
}

#[tokio::test(flavor = "current_thread")]
async fn too_many_questions_are_refused_and_the_others_are_asked_in_turn() {
    let (_listener, dir) = silent();
    let bench = Bench::new(&config(&format!(
        "{dir}\nbind authentication vserver av -policy ask_dir -priority 10 -gotoPriorityExpression END"
    )));
    let mut all = tokio::task::JoinSet::new();
    for n in 0..800 {
        let browser = bench.number(n);
        all.spawn(async move { browser.log_in(&format!("user{n}"), "x").await });
    }
    let (mut busy, mut later) = (0, 0);
    while let Some(turn) = all.join_next().await {
        let turn = turn.unwrap();
        if matches!(turn, Turn::Busy) {
            busy += 1;
        } else {
            assert!(error(&turn).is_some(), "{turn:?}");
            later += 1;
        }
    }
    assert_eq!((busy, later), (800 - 256 - 512, 256 + 512));
    let counts = bench.owner.ask(Action::Count).await.unwrap();
    assert_eq!((counts.questions, counts.questions_waiting), (0, 0));
}

/// A session that runs, launched with a login.
async fn launch(owner: &Owned, login: u64, code: &str) -> SessionKey {
    let ticket = || Presented { authority: "STA01".to_owned(), code: code.to_owned().into() };
    assert!(
        owner.ask(|reply| Action::Ticketed { login, ticket: ticket(), resource: "Notepad".to_owned(), reply }).await.unwrap()
    );
    let launch = Box::new(Launch {
        vserver: "gw".into(),
        client: "192.0.2.7:6".parse().unwrap(),
        host: "10.0.0.1:1494".parse().unwrap(),
        user: String::new(),
        domain: String::new(),
        resource: String::new(),
        ticket: String::new(),
        sta: String::new(),
        login: None,
    });
    let launch = owner.ask(|reply| Action::Launched(launch, ticket(), reply)).await.unwrap().unwrap();
    let slot = Slot(u32::try_from(launch.0).unwrap());
    let key = SessionKey { worker: WorkerId(0), at: SlotKey { slot, generation: Generation(0) } };
    let (listener, took, phases) = (ListenerId(1), Duration::ZERO, Phases::default());
    owner.tell(Action::Opened(Opened { key, listener, launch, took, phases, secured: None })).await;
    key
}

/// T22: as many as may come at once. Each gets its own name, groups, cookie, ticket and stream, and nobody else's.
#[tokio::test(flavor = "current_thread")]
async fn five_thousand_at_once_each_get_their_own() {
    const USERS: usize = 5000;
    // As many as are asked or wait; the others come when there is room, as a browser that is told to try again would.
    const AT_ONCE: usize = 256 + 512;
    let mut text = config(LOCAL);
    for n in 0..USERS {
        text.push_str(&format!(
            "add aaa user u{n} -password {S3CRET} -encrypted -hashmethod ARGON2ID\nadd aaa group g{n}\nbind aaa group g{n} -userName u{n}\n"
        ));
    }
    let bench = Bench::new(&text);
    let places = Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
    let mut all = tokio::task::JoinSet::new();
    for n in 0..USERS {
        let (bench, places) = (bench.number(n), places.clone());
        all.spawn(async move {
            // All have their form before the first is in.
            let (token, step) = bench.begin().await;
            let place = places.acquire().await.unwrap();
            let login = granted(bench.post(&token, step, &format!("U{n}"), "s3cret").await);
            let number = bench.session(&login).await;
            drop(place);
            let Whose::Login(session, _) = bench.whose(&login).await else { panic!("no session") };
            assert_eq!((session.user(), session.number), (&*format!("u{n}"), number));
            let groups: Vec<&str> = session.entry.groups.iter().map(|group| &*group.name).collect();
            assert_eq!(groups, [format!("g{n}")]);
            let key = launch(&bench.owner, number, &format!("{n:032X}")).await;
            let wanted = crate::running::Wanted { login: Some(number), ..Default::default() };
            let found = bench.owner.ask(|reply| Action::Connections { wanted, at_most: 9, reply }).await.unwrap();
            assert_eq!(found.rows.iter().map(|running| running.key).collect::<Vec<_>>(), [key]);
            (login.expose().to_owned(), number)
        });
    }
    let (mut cookies, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    while let Some(done) = all.join_next().await {
        let (cookie, number) = done.unwrap();
        assert!(cookies.insert(cookie) && numbers.insert(number), "nothing twice");
    }
    let counts = bench.owner.ask(Action::Count).await.unwrap();
    assert_eq!((counts.logins, counts.connections, counts.conversations), (USERS, USERS, 0));
}
