//! A real server, and such as no server should be. Nobody gets in by the latter, and each ends as an outage that says what was wrong.

use std::net::Ipv4Addr;
use std::sync::atomic::AtomicU8;

use gate_config::model::authentication::PasswordEncoding;
use secrecy::zeroize::Zeroizing;
use sluicegate_tests::forger::{ACCEPT, Asked, Back, CHALLENGE, Draft, Forger, REJECT};
use sluicegate_tests::radius::{GROUPS, KEY, Radius as Real};

use super::outcome::Accepted;
use super::*;

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));
const ANN: (&str, &str) = ("ann", "ann's radius secret");

/// The action for a server at `at`. Whoever waits for nothing does not wait long.
fn settings(at: SocketAddr) -> Radius {
    Radius { port: at.port(), timeout: Duration::from_millis(50), attempts: 2, ..Radius::new(Host::Ip(at.ip())) }
}

/// The same where an answer is to come: machines that run tests are slow at times.
fn patient(at: SocketAddr) -> Radius {
    Radius { timeout: Duration::from_secs(5), ..settings(at) }
}

fn server(settings: &Radius) -> Server {
    Server::new("test", settings, Some(KEY.into()), Arc::new(Helpers::new())).unwrap()
}

async fn ask(server: &Server, (user, password): (&str, &str)) -> Outcome {
    server.ask(user, &password.into(), CLIENT).await
}

/// What comes of a server that only ever says this.
async fn forged(settings: impl Fn(SocketAddr) -> Radius, script: impl Fn(&Asked, usize, &Back<'_>) + Send + 'static) -> Outcome {
    let forger = Forger::start(script);
    ask(&server(&settings(forger.at)), ANN).await
}

fn accepted() -> Outcome {
    Outcome::Accepted(Accepted::default())
}

/// Of the first datagram that was ignored.
fn first(outcome: &Outcome) -> Option<Strange> {
    if let Outcome::Outage(Outage::Strange { first, .. }) = outcome { Some(*first) } else { None }
}

#[tokio::test]
async fn a_real_server_knows_its_people_however_they_prove_it() {
    let real = Real::start();
    for encoding in [PasswordEncoding::Pap, PasswordEncoding::Chap, PasswordEncoding::MsChap1, PasswordEncoding::MsChap2] {
        let server = server(&Radius { encoding, nas_ip: true, calling_station: true, ..patient(real.at) });
        assert_eq!(ask(&server, ANN).await, accepted(), "{encoding:?}");
        assert_eq!(ask(&server, ("jürgen", "straße 7 ü€")).await, accepted(), "{encoding:?}");
        assert_eq!(ask(&server, ("ann", "wrong")).await, Outcome::Rejected(Rejected::Secret), "{encoding:?}");
        assert_eq!(ask(&server, ("nobody", "wrong")).await, Outcome::Rejected(Rejected::Secret), "{encoding:?}");
    }
}

#[tokio::test]
async fn groups_are_where_the_action_says() {
    let real = Real::start();
    let of = async |vendor: u32, kind: u8, prefix: Option<&str>, separator: Option<&str>| {
        let settings = Radius {
            group_vendor: Some(vendor),
            group_attribute: Some(kind),
            groups_prefix: prefix.map(Into::into),
            group_separator: separator.map(Into::into),
            ..patient(real.at)
        };
        let Outcome::Accepted(accepted) = ask(&server(&settings), ANN).await else { panic!("not accepted") };
        accepted.groups
    };
    let (vendor, kind) = GROUPS;
    assert_eq!(of(vendor, kind, Some("Groups="), None).await, ["sales", "staff"]);
    assert_eq!(of(vendor, kind, Some("Groups="), Some(",")).await, ["sales;staff"]);
    assert_eq!(of(vendor, kind, None, Some("=")).await, ["Groups", "sales;staff"]);
    assert!(of(vendor, kind, Some("CTXSUserGroups="), None).await.is_empty());
    assert_eq!(of(0, 25, None, None).await, ["by class"]);
    assert!(of(9, 1, None, None).await.is_empty());
}

#[tokio::test]
async fn who_is_asked_back_replies_with_what_the_server_wants_to_have_back() {
    let real = Real::start();
    let server = server(&Radius { encoding: PasswordEncoding::Pap, ..patient(real.at) });
    let Outcome::Challenge { text, state } = ask(&server, ("dave", "dave's secret")).await else { panic!("no challenge") };
    assert_eq!(text, "PIN?");
    let Outcome::Challenge { text, state: next } = server.reply("dave", &"2468".into(), &state, CLIENT).await else {
        panic!("no second challenge")
    };
    assert_eq!(text, "Next code?");
    assert_eq!(server.reply("dave", &"135790".into(), &next, CLIENT).await, accepted());
    // It is used up.
    assert_eq!(server.reply("dave", &"135790".into(), &next, CLIENT).await, Outcome::Rejected(Rejected::Secret));
    assert_eq!(ask(&server, ("dave", "wrong")).await, Outcome::Rejected(Rejected::Secret));
}

#[tokio::test]
async fn a_server_with_another_key_is_not_believed_and_nobody_is_wrong() {
    let real = Real::start_with("another radius key of some bytes", "");
    let outcome = ask(&server(&settings(real.at)), ANN).await;
    assert!(matches!(outcome, Outcome::Outage(Outage::Silent { sent: 2, .. })), "{outcome:?}");
    assert!(matches!(&outcome, Outcome::Outage(why) if why.to_string().contains("-radKey")));
}

#[tokio::test]
async fn the_stand_in_itself_lets_people_in() {
    assert_eq!(forged(patient, |asked, _, back| back.say(&Draft::new(asked, ACCEPT).bytes())).await, accepted());
    assert_eq!(
        forged(patient, |asked, _, back| back.say(&Draft::new(asked, REJECT).bytes())).await,
        Outcome::Rejected(Rejected::Secret)
    );
}

#[tokio::test]
async fn what_is_forged_lets_nobody_in_and_has_its_name() {
    type Forge = fn(&Asked) -> Vec<u8>;
    let forgeries: [(Forge, Strange); 10] = [
        (|asked| Draft::new(asked, ACCEPT).unsigned().bytes(), Strange::Unsigned),
        (|asked| Draft::new(asked, ACCEPT).badly_signed().bytes(), Strange::Signature),
        (|asked| Draft::new(asked, ACCEPT).badly_digested().bytes(), Strange::Authenticator),
        (|asked| Draft::new(asked, ACCEPT).under("a key that nobody knows").bytes(), Strange::Authenticator),
        (|asked| Draft::new(asked, ACCEPT).numbered(1).bytes(), Strange::Number),
        (|asked| Draft::new(asked, 5).bytes(), Strange::Code(5)),
        (|asked| Draft::new(asked, ACCEPT).with(33, b"collide").bytes(), Strange::ProxyState),
        (|asked| Draft::new(asked, ACCEPT).with(24, b"a").with(24, b"b").bytes(), Strange::Twice(24)),
        (|_| b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), Strange::Length),
        // As one that came from us.
        (|asked| asked.bytes().to_vec(), Strange::Code(1)),
    ];
    for (forge, wanted) in forgeries {
        let outcome = forged(settings, move |asked, _, back| back.say(&forge(asked))).await;
        assert_eq!(first(&outcome), Some(wanted), "{outcome:?}");
    }
    // More than any packet, and more than there is room for.
    let oversized = |asked: &Asked, _: usize, back: &Back<'_>| {
        let mut bytes = Draft::new(asked, ACCEPT).bytes();
        bytes[2..4].copy_from_slice(&5000_u16.to_be_bytes());
        bytes.resize(5000, 0);
        back.say(&bytes);
    };
    assert_eq!(first(&forged(settings, oversized).await), Some(Strange::Length));
}

#[tokio::test]
async fn what_is_forged_does_not_keep_the_answer_from_coming() {
    let beside = |asked: &Asked, _: usize, back: &Back<'_>| {
        for forgery in [
            Draft::new(asked, REJECT).badly_signed(),
            Draft::new(asked, REJECT).unsigned(),
            Draft::new(asked, REJECT).numbered(9),
            Draft::new(asked, ACCEPT).with(33, b"x"),
        ] {
            back.say(&forgery.bytes());
        }
        back.say_from_elsewhere(&Draft::new(asked, REJECT).bytes());
        back.say(&Draft::new(asked, ACCEPT).bytes());
        // Late, and once more.
        back.say(&Draft::new(asked, REJECT).bytes());
        back.say(&Draft::new(asked, ACCEPT).bytes());
    };
    let forger = Forger::start(beside);
    let server = server(&patient(forger.at));
    for _ in 0..3 {
        assert_eq!(ask(&server, ANN).await, accepted());
    }
    assert_eq!(forger.asked(), 3);
}

#[tokio::test]
async fn who_answers_from_another_port_is_not_heard() {
    let outcome = forged(settings, |asked, _, back| back.say_from_elsewhere(&Draft::new(asked, ACCEPT).bytes())).await;
    assert!(matches!(outcome, Outcome::Outage(Outage::Silent { sent: 2, .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_flood_ends_the_wait() {
    let outcome = forged(patient, |asked, _, back| {
        for _ in 0..IGNORED_MAX {
            back.say(&Draft::new(asked, ACCEPT).unsigned().bytes());
            // A socket holds so many only if they are taken out.
            std::thread::yield_now();
        }
    })
    .await;
    assert_eq!(first(&outcome), Some(Strange::Unsigned), "{outcome:?}");
}

#[tokio::test]
async fn without_the_demand_an_unsigned_answer_is_believed_and_a_wrong_signature_is_not() {
    let lax = |at: SocketAddr| Radius { message_authenticator: false, ..patient(at) };
    assert_eq!(forged(lax, |asked, _, back| back.say(&Draft::new(asked, ACCEPT).unsigned().bytes())).await, accepted());
    let lax = |at: SocketAddr| Radius { message_authenticator: false, ..settings(at) };
    let outcome = forged(lax, |asked, _, back| back.say(&Draft::new(asked, ACCEPT).badly_signed().bytes())).await;
    assert_eq!(first(&outcome), Some(Strange::Signature));
}

#[tokio::test]
async fn a_request_is_the_same_each_time_it_is_sent() {
    // A first datagram that is lost.
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = seen.clone();
    let forger = Forger::start(move |asked, before, back| {
        kept.lock().unwrap().push(asked.bytes().to_vec());
        if before == 1 {
            back.say(&Draft::new(asked, ACCEPT).bytes());
        }
    });
    let settings = Radius { timeout: Duration::from_millis(100), attempts: 10, ..settings(forger.at) };
    assert_eq!(ask(&server(&settings), ANN).await, accepted());
    let seen = seen.lock().unwrap();
    assert!(seen.len() >= 2 && seen[0] == seen[1], "{seen:?}");
    assert!(!seen[0].windows(6).any(|window| window == b"secret"));
}

#[tokio::test]
async fn what_cannot_be_said_leaves_nobody_asked() {
    let forger = Forger::start(|asked, _, back| back.say(&Draft::new(asked, ACCEPT).bytes()));
    let server = server(&patient(forger.at));
    for (user, password) in [(&*"x".repeat(254), "x"), ("ann", &*"x".repeat(129)), ("ann", "secret\0"), ("", "x")] {
        assert_eq!(ask(&server, (user, password)).await, Outcome::Rejected(Rejected::Unsayable));
    }
    assert_eq!(forger.asked(), 0);
}

#[tokio::test]
async fn a_port_at_which_nobody_listens_is_known_at_once() {
    let gone = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(ask(&server(&patient(gone)), ANN).await, Outcome::Outage(Outage::Closed));
}

#[tokio::test(start_paused = true)]
async fn silence_ends_in_time_whatever_is_configured() {
    let forger = Forger::start(|_, _, _| {});
    for (timeout, attempts, most) in [(3, 3, 9), (60, 3, 12), (300, 10, 12), (1, 2, 2)] {
        let settings = Radius { timeout: Duration::from_secs(timeout), attempts, ..settings(forger.at) };
        let server = server(&settings);
        let began = Instant::now();
        let outcome = ask(&server, ANN).await;
        assert!(matches!(outcome, Outcome::Outage(Outage::Silent { sent, .. }) if sent == u32::from(attempts)), "{outcome:?}");
        let took = began.elapsed();
        assert!(took <= Duration::from_secs(most) + Duration::from_millis(50), "{took:?} for {timeout} × {attempts}");
        // Once it was silent it is asked once.
        let again = ask(&server, ANN).await;
        assert!(matches!(again, Outcome::Outage(Outage::Silent { sent: 1, .. })), "{again:?}");
    }
}

#[tokio::test]
async fn more_than_may_wait_are_told_that_it_is_busy() {
    let forger = Forger::start(|_, _, _| {});
    let server = Arc::new(server(&Radius { timeout: Duration::from_secs(1), attempts: 1, ..settings(forger.at) }));
    let all: Vec<_> = (0..RUNNING_MAX + WAITING_MAX + 10)
        .map(|_| {
            let server = server.clone();
            tokio::spawn(async move { ask(&server, ANN).await })
        })
        .collect();
    let mut busy = 0;
    for one in all {
        busy += usize::from(one.await.unwrap() == Outcome::Outage(Outage::Busy));
    }
    assert!(busy >= 10, "{busy}");
    assert_eq!(server.waiting.load(Relaxed), 0);
}

#[tokio::test]
async fn a_challenge_keeps_the_state_to_itself() {
    let forger = Forger::start(|asked, _, back| {
        let answer = if asked.attribute(24).is_some_and(|state| state == b"\0state\xff") {
            Draft::new(asked, ACCEPT).with(1, b"Ann")
        } else {
            Draft::new(asked, CHALLENGE).with(24, b"\0state\xff").with(18, b"code?")
        };
        back.say(&answer.bytes());
    });
    // A reply is hidden as a password is, whatever was configured.
    let server = server(&Radius { encoding: PasswordEncoding::MsChap2, ..patient(forger.at) });
    let outcome = ask(&server, ANN).await;
    assert!(!format!("{outcome:?}").contains("state"), "{outcome:?}");
    let Outcome::Challenge { text, state } = outcome else { panic!("no challenge") };
    assert_eq!((&*text, &state), ("code?", &Zeroizing::new(b"\0state\xff".to_vec())));
    let outcome = server.reply("ann", &"1".into(), &state, CLIENT).await;
    assert_eq!(outcome, Outcome::Accepted(Accepted { user: Some("Ann".into()), groups: Vec::new() }));
}

#[tokio::test]
async fn who_asks_and_for_whom_is_told_as_configured() {
    let seen = Arc::new(Mutex::new(None));
    let kept = seen.clone();
    let forger = Forger::start(move |asked, _, back| {
        *kept.lock().unwrap() = Some(asked.clone());
        back.say(&Draft::new(asked, ACCEPT).bytes());
    });
    let told = async |settings: Radius| {
        let _ = ask(&server(&settings), ANN).await;
        let asked = seen.lock().unwrap().take().unwrap();
        [4, 32, 31].map(|kind| asked.attribute(kind).map(<[u8]>::to_vec))
    };
    assert_eq!(told(patient(forger.at)).await, [None, Some(b"sluicegate".to_vec()), None]);
    let all = Radius { nas_ip: true, nas_id: Some("gw1".into()), calling_station: true, ..patient(forger.at) };
    assert_eq!(told(all).await, [Some(vec![127, 0, 0, 1]), Some(b"gw1".to_vec()), Some(b"198.51.100.7".to_vec())]);
}

#[tokio::test]
async fn a_name_with_several_addresses_leads_to_the_one_that_answers() {
    static DIGIT: AtomicU8 = AtomicU8::new(0);
    let forger = Forger::start(|asked, _, back| {
        DIGIT.fetch_add(1, Relaxed);
        back.say(&Draft::new(asked, ACCEPT).bytes());
    });
    // `localhost` is ::1 and 127.0.0.1, in whichever order; nobody listens at the former.
    let name = Host::Name("localhost".into());
    let settings = Radius { server: name, ..patient(forger.at) };
    let server = server(&settings);
    assert_eq!(ask(&server, ANN).await, accepted());
    assert_eq!(*server.good.lock().unwrap(), Some(forger.at));
    assert_eq!(DIGIT.load(Relaxed), 1);
}

#[test]
fn a_key_is_long_or_somebody_has_said_that_it_need_not_be() {
    let at: SocketAddr = "192.0.2.1:1812".parse().unwrap();
    let new = |settings: &Radius, key: Option<&str>| {
        Server::new("test", settings, key.map(Into::into), Arc::new(Helpers::new())).map(|_| ())
    };
    assert_eq!(new(&settings(at), None), Err(BadSetting::NoKey));
    assert_eq!(new(&settings(at), Some("")), Err(BadSetting::NoKey));
    assert_eq!(new(&settings(at), Some("fifteen bytes !")), Err(BadSetting::ShortKey(15)));
    assert_eq!(new(&settings(at), Some("sixteen bytes !!")), Ok(()));
    assert_eq!(new(&Radius { allow_short_key: true, ..settings(at) }, Some("x")), Ok(()));
    assert_eq!(new(&Radius { nas_id: Some("x".repeat(254).into()), ..settings(at) }, Some(KEY)), Err(BadSetting::NasId));
    let shown = format!("{:?}", server(&settings(at)));
    assert!(!shown.contains(KEY), "{shown}");
}
