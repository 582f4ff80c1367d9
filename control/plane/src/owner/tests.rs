//! What the owner does when time passes, which nobody waits for in here: each action is told the time.

use gate_auth::sessions::{Arrival, Identity};
use gate_auth::users::Verifier;
use sluice_link::ask::Phases;
use sluice_link::id::{Generation, ListenerId, Slot, SlotKey, WorkerId};
use tokio::sync::oneshot;

use super::*;
use crate::audit::NoAudit;
use crate::turn::ORDERS_MAX;

const T0: Duration = Duration::from_secs(1000);
const IDLE: Duration = Duration::from_secs(30 * 60);
const ABSOLUTE: Duration = Duration::from_secs(12 * 3600);

fn tables(rules: Rules) -> Tables {
    let spare = Verifier::of_phc("$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$UtZEz+BWHC0WlJmqT+7JZIGfdVZuDoQEmUbiCLh7qvY");
    let users = Users::new([], spare.unwrap());
    Tables { nt_domain: "DEMO".into(), users, farm: Vec::new(), listeners: Vec::new(), rules }
}

fn owner(rules: Rules) -> Owner {
    // Nothing is sent: what is doomed stays where a test can see it.
    let (orders, _) = mpsc::channel(ORDERS_MAX);
    let (back, _) = mpsc::channel(1);
    let outside = Outside::new(Box::new(|_| None), Arc::new(crate::helpers::Helpers::new()), back.downgrade());
    let clock = Clock::new(tokio::time::Instant::now().into_std());
    Owner::new(tables(rules), clock, Arc::new(NoAudit), orders, outside, Default::default()).unwrap()
}

fn ask<T>(owner: &mut Owner, now: Duration, make: impl FnOnce(ReplyTo<T>) -> Action) -> T {
    let (reply, mut answer) = oneshot::channel();
    owner.act(make(reply), now);
    answer.try_recv().unwrap()
}

fn log_in(owner: &mut Owner, user: &str) -> Token {
    let identity = Identity { user: user.into(), domain: "DEMO".into(), is_local: true };
    let arrival = Arrival { client: "192.0.2.7:5".parse().unwrap(), vserver: "gw".into() };
    let entry = Entry { identity: Some(identity), groups: [].into(), sso: None, arrival, times: Times::default() };
    owner.enter(entry, T0).unwrap().0
}

fn presented(code: &str) -> Presented {
    Presented { authority: "STA01".to_owned(), code: code.to_owned().into() }
}

fn launch() -> Box<Launch> {
    Box::new(Launch {
        vserver: "gw".into(),
        client: "192.0.2.7:6".parse().unwrap(),
        host: "10.0.0.1:1494".parse().unwrap(),
        user: "alice".to_owned(),
        domain: String::new(),
        resource: String::new(),
        ticket: String::new(),
        sta: String::new(),
        login: None,
    })
}

/// A session that runs, launched with login `login`.
fn run(owner: &mut Owner, login: u64, slot: u32) -> SessionKey {
    let code = format!("{slot:032X}");
    let ticket = presented(&code);
    assert!(ask(owner, T0, |reply| Action::Ticketed { login, ticket, resource: "Notepad".to_owned(), reply }));
    let launch = ask(owner, T0, |reply| Action::Launched(launch(), presented(&code), reply)).unwrap();
    let key = SessionKey { worker: WorkerId(0), at: SlotKey { slot: Slot(slot), generation: Generation(0) } };
    let opened = sluice_link::ask::Opened {
        key,
        listener: ListenerId(1),
        launch,
        took: Duration::ZERO,
        phases: Phases::default(),
        secured: None,
    };
    owner.act(Action::Opened(opened), T0);
    key
}

#[test]
fn time_ends_ica_sessions_if_policy_says_so() {
    for on_timeout in [false, true] {
        for idles in [false, true] {
            let ica = sessions::IcaPolicy { on_timeout, on_logout: false };
            let mut owner = owner(Rules { ica, ..Rules::default() });
            let token = log_in(&mut owner, "alice");
            let key = run(&mut owner, 1, 0);
            let (mut now, end) = if idles { (T0, T0 + IDLE) } else { (T0, T0 + ABSOLUTE) };
            while !idles && now + IDLE < end {
                now += IDLE - Duration::from_secs(1);
                let cookie = token.expose().to_owned();
                assert!(matches!(ask(&mut owner, now, |reply| Action::Who { cookie, reply }), Whose::Login(..)));
            }
            owner.act(Action::Tick, end - Duration::from_secs(1));
            assert!(owner.doomed.is_empty() && owner.logins.len() == 1);
            owner.act(Action::Tick, end);
            assert_eq!(owner.logins.len(), 0);
            let expected = if on_timeout { vec![(key, Reason::LoginOver)] } else { vec![] };
            assert_eq!(owner.doomed, expected, "{on_timeout} {idles}");
            let why = if idles { End::Idle } else { End::Absolute };
            assert_eq!(owner.tally().ended(&[why]), 1);
            let cookie = token.expose().to_owned();
            let whose = ask(&mut owner, end, |reply| Action::Who { cookie, reply });
            assert!(matches!(whose, Whose::Over(end) if end == why), "the next page can say why");
        }
    }
}

#[test]
fn no_ticket_is_handed_out_for_a_login_that_is_over() {
    let mut owner = owner(Rules::default());
    log_in(&mut owner, "alice");
    let ask = |owner: &mut Owner, now, login| {
        ask(owner, now, |reply| Action::Ticketed { login, ticket: presented("AA"), resource: String::new(), reply })
    };
    assert!(!ask(&mut owner, T0, 2));
    assert!(ask(&mut owner, T0, 1));
    assert!(!ask(&mut owner, T0 + IDLE, 1));
}

#[test]
fn a_tick_costs_what_is_due() {
    let mut owner = owner(Rules::default());
    for n in 0..2000 {
        log_in(&mut owner, &format!("user{n}"));
    }
    owner.act(Action::Tick, T0 + IDLE - Duration::from_secs(1));
    assert_eq!(owner.logins.len(), 2000);
    owner.act(Action::Tick, T0 + IDLE);
    assert_eq!((owner.logins.len(), owner.tally().ended(&[End::Idle])), (0, 2000));
}

#[tokio::test(flavor = "current_thread")]
async fn an_action_that_breaks_it_ends_that_action_only() {
    let (queue, actions) = mpsc::channel(8);
    let owned = crate::action::Owned::new(queue);
    let serving = tokio::spawn(owner(Rules::default()).serve(actions));
    assert!(owned.ask(Action::Break).await.is_err());
    assert_eq!(owned.ask(Action::Count).await.map(|counts| counts.logins), Ok(0));
    drop(owned);
    serving.await.unwrap();
}
